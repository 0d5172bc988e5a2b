// A worker as a thread of the supervisor's process: the first message is its configuration, the
// second asks it to finish what is in flight and to end.

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { startServing, type WorkerConfig } from "./member.ts";

self.addEventListener("message", ({ data: config }: MessageEvent<WorkerConfig>) => {
  const serving = startServing(config);
  self.addEventListener("message", async () => {
    await serving.stop();
    self.postMessage({ stopped: true });
    self.close();
  }, { once: true });
  self.postMessage({ port: serving.port });
}, { once: true });

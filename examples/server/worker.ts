// A worker as a process. Its standard input is its tie to the supervisor: when that closes, because
// the supervisor asks it to stop or has died, the worker finishes what is in flight and ends.

import { startServing, type WorkerConfig } from "./member.ts";

async function inputCloses(): Promise<void> {
  for await (const _ of Deno.stdin.readable);
}

function terminated(): Promise<void> {
  if (Deno.build.os === "windows") return new Promise(() => {});
  return new Promise((resolve) => Deno.addSignalListener("SIGTERM", resolve));
}

// Ctrl-C reaches every process of the terminal; what it means is the supervisor's to say.
Deno.addSignalListener("SIGINT", () => {});
const config: WorkerConfig = JSON.parse(Deno.args[0]);
const serving = startServing(config);
console.log(serving.port); // The supervisor waits for this line.
await Promise.race([inputCloses(), terminated()]);
setTimeout(() => Deno.exit(1), config.graceMs);
await serving.stop();
Deno.exit(0);

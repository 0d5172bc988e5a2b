// A thread of prom_client_sharing_test.ts: opens the store and counts once.

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { Counter, Gauge, register } from "../prom_client.ts";

self.onmessage = ({ data: { filename, value } }: MessageEvent) => {
  register.open({ filename });
  new Counter({ name: "thread_total", help: "Of all threads." }).inc(value);
  new Gauge({ name: "thread_gauge", help: "Of living threads." }).set(value);
  self.postMessage("done");
};

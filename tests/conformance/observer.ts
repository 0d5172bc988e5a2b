// A worker of peer_faults_test.ts: observes as fast as it can until it is terminated.

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { PrometheusTinyShared } from "../../mod.ts";

self.addEventListener("message", ({ data: filename }: MessageEvent<string>) => {
  const prom = new PrometheusTinyShared({ filename });
  self.postMessage("begins");
  for (let i = 0;; i++) prom.histogramObserve("h", i % 2 === 0 ? 0.5 : 2.5);
});

// A thread of suffix_test.ts: adds through a kept handle, and tells what it has begun and what is done.

import { PrometheusTinyShared } from "../mod.ts";

/** What such a thread is told. */
export interface SuffixTask {
  filename: string;
  ttl: string | undefined;
  lane: number;
  /** For each lane: updates begun, updates done; last: 0 go on, 1 pause, 2 end. */
  progress: SharedArrayBuffer;
  lanes: number;
}

/** The typed metric that all of them share. */
export function sharedCounter(prom: PrometheusTinyShared, ttl: string | undefined) {
  return prom.counter("steps_total", { labelNames: ["of"], ttl }).labels({ of: "all" });
}

if (typeof (globalThis as { postMessage?: unknown }).postMessage === "function") {
  (globalThis as unknown as Worker).onmessage = ({ data }: MessageEvent<SuffixTask>) => {
    const { filename, ttl, lane, lanes } = data;
    const progress = new Int32Array(data.progress);
    using prom = new PrometheusTinyShared({ filename });
    const steps = sharedCounter(prom, ttl);
    const order = 2 * lanes;
    while (Atomics.load(progress, order) < 2) {
      if (Atomics.load(progress, order) === 1) Atomics.wait(progress, order, 1, 100);
      if (Atomics.load(progress, order) !== 0) continue;
      Atomics.add(progress, 2 * lane, 1);
      steps.inc();
      Atomics.add(progress, 2 * lane + 1, 1);
    }
    (globalThis as unknown as Worker).postMessage("done");
  };
}

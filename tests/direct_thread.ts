// A Worker of direct_test.ts: additions in one long loop that calls nothing else.

import { PrometheusTinyShared } from "../mod.ts";

/** What such a thread is told. */
export interface Task {
  filename: string;
  times: number;
}

/** The metric of both threads. */
export function counted(prom: PrometheusTinyShared) {
  return prom.counter("counted_total", { labelNames: ["of"] });
}

if (typeof (globalThis as { postMessage?: unknown }).postMessage === "function") {
  const scope = globalThis as unknown as Worker;
  scope.onmessage = ({ data: { filename, times } }: MessageEvent<Task>) => {
    using prom = new PrometheusTinyShared({ filename });
    const child = counted(prom).labels({ of: "all" });
    const loop = (count: number) => {
      for (let i = 0; i < count; i++) child.inc();
    };
    for (let i = 0; i < 100; i++) loop(1000); // so that the long one is compiled
    loop(times);
    scope.postMessage("done");
  };
}

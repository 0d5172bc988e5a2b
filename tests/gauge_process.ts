// A worker of gauge_workers.ts: sets gauges as it is told, a line of JSON each, and says "done".

import { type GaugeMode, PrometheusTinyShared } from "../mod.ts";

/** What a worker does to a gauge, of that mode. */
export interface GaugeStep {
  name: string;
  mode: GaugeMode;
  labels?: Record<string, string>;
  set?: number;
  inc?: number;
}

if (import.meta.main) {
  const prom = new PrometheusTinyShared({ filename: Deno.args[0] });
  console.log("ready");
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    for (const line of text.split("\n").filter((line) => line !== "")) {
      const { name, mode, labels, set, inc } = JSON.parse(line) as GaugeStep;
      const gauge = prom.gauge(name, { mode, labelNames: Object.keys(labels ?? {}) });
      const child = gauge.labels(labels ?? {});
      if (set !== undefined) child.set(set);
      if (inc !== undefined) child.inc(inc);
      console.log("done");
    }
  }
}

// A store with one of everything, declared so well that a linter is content.

import type { PrometheusTinyShared } from "../mod.ts";

export function fillLint(prom: PrometheusTinyShared): void {
  prom.declare("fill_jobs_total", { help: 'Jobs "done" \\ or\nnot.', type: "counter" });
  prom.add("fill_jobs_total", 3, { queue: 'q"\\\n' });
  prom.inc("fill_jobs_total", { queue: "x" });
  prom.declare("fill_level", { help: "Level.", type: "gauge" });
  prom.set("fill_level", -0.25);
  prom.declare("fill_wait_seconds", {
    help: "Waiting.",
    type: "histogram",
    unit: "seconds",
    buckets: [0.001, 0.5, 1, 10, 1e6],
  });
  for (const wait of [0.25, 0.75, 3]) {
    prom.histogramObserve("fill_wait_seconds", wait, { route: "/" });
  }
  prom.histogramObserve("fill_wait_seconds", 20, { route: "/other" });
  prom.declare("fill_build_info", { help: "Build.", type: "info" });
  prom.set("fill_build_info", 1, { version: "1.2.3" });
  const enumValues = ["idle", "busy"];
  prom.declare("fill_mode", { help: "Mode.", type: "stateset", enum: "fill_mode", enumValues });
  prom.enumSet("fill_mode", "busy", { part: "a" });
  prom.enumSet("fill_mode", "idle", { part: "b" });
  const summary = prom.summary("fill_size_bytes", {
    help: "Size.",
    unit: "bytes",
    labelNames: ["kind"],
    quantiles: [0, 0.5, 0.99, 1],
  });
  for (const size of [1, 2, 3]) summary.observe({ kind: "k" }, size);
}

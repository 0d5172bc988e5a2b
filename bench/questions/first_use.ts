/**
 * What does the first use of a new series cost?
 *
 * @module
 */

import { PrometheusTinyShared } from "../../mod.ts";
import { type Comparison, type Entry, OURS, type Plan, timesAsFastAs } from "../harness.ts";
import { Perl } from "../peers/perl.ts";
import { loadPromClient } from "../peers/prom_client.ts";

const SERIES = 5000;

/** Runs an operation with numbers that it has never seen, so many at a time. */
function fresh(name: string, use: (id: number) => void): Entry {
  let id = 0;
  return {
    name,
    measure() {
      const start = performance.now();
      for (const end = id + SERIES; id < end; id++) use(id);
      return (performance.now() - start) / SERIES * 1e6;
    },
  };
}

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  using prom = new PrometheusTinyShared({ cacheArgs: { cacheSize: "256m" } });
  const client = await loadPromClient();
  await using shared = await Perl.start("Prometheus::Tiny::Shared");
  const peer = client && new client.Counter({
    name: "first_total",
    help: "Firsts.",
    labelNames: ["id", "method", "status"],
    registers: [new client.Registry()],
  });
  const counter = prom.counter("child_total", { labelNames: ["id", "method", "status"] });
  const map = new Map<string, number>();
  yield {
    title: "first use of a new series, 3 labels",
    unit: "ns",
    rounds: Math.min(plan.rounds, 9),
    entries: [
      fresh(OURS, (id) => prom.inc("first_total", { id, method: "GET", status: 200 })),
      fresh(
        "ours, typed",
        (id) => counter.inc({ id: String(id), method: "GET", status: 200 }),
      ),
      fresh("JS Map", (id) => map.set(`${id},GET,200`, 1)),
      ...peer
        ? [fresh("prom-client", (id) => peer.inc({ id, method: "GET", status: 200 }, 1))]
        : [],
      ...shared ? [shared.entry("Prometheus::Tiny::Shared", "first")] : [],
    ],
    ratios: [timesAsFastAs("prom-client"), timesAsFastAs("Prometheus::Tiny::Shared")],
    note: "In a mapped file, for all workers; Perl's has one label.",
  };
}

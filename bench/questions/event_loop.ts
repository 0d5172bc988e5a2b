/**
 * For how long does a scrape through `handler()` keep the event loop from other work?
 *
 * @module
 */

import { FilledStore } from "../fill.ts";
import { type Comparison, OURS, type Plan, runsOf } from "../harness.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import { runScript } from "../script.ts";

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  const peer = await loadPromClient() !== undefined;
  const sizes = plan.all ? [100_000, 1_000_000] : [100_000];
  for (const series of sizes) {
    using store = new FilledStore({ series, shards: 4 });
    const theirs = () => runScript("event_loop", "", String(series));
    yield {
      title: `event loop during a scrape of ${series.toLocaleString("en-US")} series`,
      unit: "ms",
      rounds: Math.min(plan.rounds, 5),
      entries: [
        ...runsOf(
          ["ours, a worker's first", OURS, "ours, compressed"],
          () => runScript("event_loop", store.path, String(series)),
        ),
        ...peer && series <= 100_000
          ? [{ name: "prom-client", measure: async () => (await theirs())[1] }]
          : [],
      ],
      ratios: [
        {
          text: "ms the longest the event loop was blocked",
          of: [OURS],
          from: (round) => round[OURS],
          atMost: 20,
        },
        {
          text: "ms likewise, in a worker's first scrape",
          of: ["ours, a worker's first"],
          from: (round) => round["ours, a worker's first"],
          atMost: 20,
        },
        {
          text: "ms likewise, compressed",
          of: ["ours, compressed"],
          from: (round) => round["ours, compressed"],
          atMost: 20,
        },
        {
          text: "of prom-client's",
          of: [OURS, "prom-client"],
          from: (round) => round[OURS] / round["prom-client"],
        },
      ],
      note: "The longest time between two turns of the event loop, in a process of its own.",
    };
  }
}

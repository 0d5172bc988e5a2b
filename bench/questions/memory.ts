/**
 * How much memory does one more worker take that uses 10,000 or 100,000 series?
 *
 * @module
 */

import { FilledStore } from "../fill.ts";
import { type Comparison, OURS } from "../harness.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import { runScript } from "../script.ts";

export async function* question(): AsyncGenerator<Comparison> {
  const peer = await loadPromClient() !== undefined;
  for (const series of [10_000, 100_000]) {
    using store = new FilledStore({ series, shards: 1, spare: series });
    const run = (how: string) => async () =>
      (await runScript("memory", how, store.path, String(series)))[0];
    yield {
      title: `memory of a worker that uses ${series.toLocaleString("en-US")} series`,
      unit: "MiB",
      rounds: 3,
      entries: [
        { name: OURS, measure: run("untyped") },
        { name: "ours, children kept", measure: run("children") },
        ...peer ? [{ name: "prom-client", measure: run("prom-client") }] : [],
      ],
      ratios: [{
        text: "of what prom-client takes",
        of: [OURS, "prom-client"],
        from: (round) => round[OURS] / round["prom-client"],
      }],
      note:
        "Growth of the process's own memory, mapped pages of the file left out: those are in the file's size.",
    };
  }
}

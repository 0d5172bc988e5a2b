/**
 * How long does a new worker take to attach to a store of 100,000 series?
 *
 * @module
 */

import { FilledStore } from "../fill.ts";
import { type Comparison, OURS, type Ratio, runsOf } from "../harness.ts";
import { runScript } from "../script.ts";

export async function* question(): AsyncGenerator<Comparison> {
  using store = new FilledStore({ series: 100_000, shards: 4 });
  const bar: Ratio = {
    text: "ms to attach",
    of: [OURS],
    from: (round) => round[OURS],
    atMost: 2,
  };
  yield {
    title: "attach to a store of 100,000 series",
    unit: "ms",
    entries: runsOf(
      [OURS, "and the first inc", "and the first scrape"],
      () => runScript("attach", store.path),
    ),
    ratios: [bar],
    note: "In a fresh process, the library loaded.",
  };
}

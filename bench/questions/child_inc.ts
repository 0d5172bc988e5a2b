/**
 * What does `inc()` on a kept child cost?
 *
 * Every round is a process of its own: where V8 and the system happen to place code and data makes
 * this loop up to twice as slow in some processes, for all of their life.
 *
 * @module
 */

import {
  type Comparison,
  OURS,
  type Plan,
  runsOf,
  timesAsFastAs,
  timesThatOf,
} from "../harness.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import { runScript } from "../script.ts";

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  const peer = await loadPromClient() !== undefined;
  yield {
    title: "child `inc()`",
    unit: "ns",
    rounds: 2 * plan.rounds,
    entries: runsOf(
      [OURS, "ours, eight in turn", "C loop", "JS variable", ...peer ? ["prom-client"] : []],
      () => runScript("child_inc"),
    ),
    ratios: [
      timesThatOf("C loop", 1.4),
      timesAsFastAs("prom-client", 15),
      timesThatOf("JS variable"),
    ],
    note: "The C loop does the same add with the same look at head and generation. " +
      "Every round is a process of its own.",
  };
}

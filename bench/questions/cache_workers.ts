/**
 * How do two processes scale that read one cache, and two that write different pages of it?
 *
 * Values of 100 bytes, 1,000 keys; what two cores give together is measured as in workers.ts.
 *
 * @module
 */

import { Crew } from "../crew/crew.ts";
import type { WorkName } from "../crew/work.ts";
import type { Comparison, Plan } from "../harness.ts";
import { temporaryPath } from "../paths.ts";
import { asTheLimit, both, scaling } from "./workers.ts";

const works: readonly WorkName[] = ["cache get", "cache getInto", "cache set", "C loop"];

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  await using crew = await Crew.start("processes", 2, temporaryPath("crew"));
  yield {
    title: "two processes: the same cache",
    unit: "million a second",
    rounds: 2 * plan.rounds,
    entries: works.flatMap((work) => both(crew, work, work)),
    ratios: [
      asTheLimit("cache get", "two that read, against how the C loop scales", 0.9),
      asTheLimit("cache getInto", "two that read into a buffer, likewise", 0.9),
      asTheLimit("cache set", "two that write different pages, likewise", 0.8),
      {
        text: "how the C loop scales in the same rounds",
        of: ["C loop", "C loop, two"],
        from: scaling("C loop"),
      },
    ],
  };
}

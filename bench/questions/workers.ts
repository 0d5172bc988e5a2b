/**
 * How do updates scale to two processes and two threads, on one series and on different ones?
 *
 * What two cores give together is measured in the same round by the C loop, with a shard each and
 * nothing shared: more than that nobody can have.
 *
 * @module
 */

import { Crew } from "../crew/crew.ts";
import type { WorkName } from "../crew/work.ts";
import {
  type Comparison,
  type Entry,
  OURS,
  type Plan,
  type Ratio,
  type Round,
} from "../harness.ts";
import { temporaryPath } from "../paths.ts";

const MS = 60;

const works: Record<string, WorkName> = {
  [OURS]: "inc",
  "C loop": "C loop",
  "own series": "inc own",
  "observe": "observe",
  "inc(name, labels)": "untyped",
  "gauge set": "gauge",
};

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  for (const how of ["processes", "threads"] as const) {
    await using crew = await Crew.start(how, 2, temporaryPath("crew"));
    yield {
      title: `two ${how}: child \`inc()\` of the same counter, and more`,
      unit: "million a second",
      rounds: 2 * plan.rounds,
      entries: Object.entries(works).flatMap(([name, work]) => both(crew, name, work)),
      ratios: [
        asTheLimit(OURS, "two on one counter, against how the C loop scales", 0.95),
        asTheLimit("own series", "two on a counter each, likewise"),
        asTheLimit("observe", "two on one histogram, likewise"),
        asTheLimit("inc(name, labels)", "two by name and labels, likewise"),
        asTheLimit("gauge set", "two that set one gauge, likewise"),
        {
          text: "how the C loop scales in the same rounds",
          of: ["C loop", "C loop, two"],
          from: scaling("C loop"),
        },
      ],
    };
  }
}

/** The entry of two members that do what the entry of that name does. */
const two = (name: string) => `${name}, two`;

/** One member, and two at the same time. */
export function both(crew: Crew, name: string, work: WorkName): Entry[] {
  return [
    { name, measure: async () => await crew.rateAlone(work, MS) / 1000 },
    { name: two(name), measure: async () => await crew.rate(work, 2, MS) / 1000 },
  ];
}

/** How many times as much two do as one. */
export function scaling(name: string): (round: Round) => number {
  return (round) => round[two(name)] / round[name];
}

/** How two scale, against how the C loop does in the same round. */
export function asTheLimit(name: string, text: string, atLeast?: number): Ratio {
  const [of, limit] = [scaling(name), scaling("C loop")];
  return {
    text,
    of: [name, two(name), "C loop", two("C loop")],
    from: (round) => of(round) / limit(round),
    atLeast,
  };
}

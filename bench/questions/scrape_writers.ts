/**
 * What do scrapes cost the writers, and the writers a scrape?
 *
 * @module
 */

import { wholeExposition } from "../../src/exposition.ts";
import { Crew } from "../crew/crew.ts";
import { FilledStore } from "../fill.ts";
import { type Comparison, median, OURS, type Plan } from "../harness.ts";

const SERIES = 10_000;
const MS = 200;

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  using store = new FilledStore({ series: SERIES, shards: 4 });
  await using crew = await Crew.start("processes", 2, store.path);
  const scrape = () => {
    const start = performance.now();
    wholeExposition(store.reader, 0);
    return performance.now() - start;
  };
  yield* writers(plan, crew, scrape);
  yield* scrapes(plan, crew, scrape);
}

/** Scrapes again and again while the promise is not settled; returns how long they took. */
async function scrapeDuring(
  work: Promise<unknown>,
  scrape: () => number,
  pauseMs: number,
): Promise<number[]> {
  let over = false;
  work.then(() => over = true);
  const times: number[] = [];
  while (!over) {
    times.push(scrape());
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return times;
}

async function* writers(
  plan: Plan,
  crew: Crew,
  scrape: () => number,
): AsyncGenerator<Comparison> {
  const rate = async (count: number) => await crew.rate("inc", count, MS) / 1000;
  const during = async (count: number, pauseMs: number) => {
    const work = rate(count);
    await scrapeDuring(work, scrape, pauseMs);
    return await work;
  };
  const kept = (undisturbed: string, disturbed: string) => ({
    of: [undisturbed, disturbed],
    from: (round: Readonly<Record<string, number>>) => round[disturbed] / round[undisturbed],
  });
  const besideSpinning = async () => {
    const work = rate(1);
    await scrapeDuring(work, spin, 0);
    return await work;
  };
  yield {
    title: "two writers while 10,000 series are scraped",
    unit: "million a second",
    rounds: 2 * plan.rounds,
    entries: [
      { name: "two writers", measure: () => rate(2) },
      { name: "two, 20 scrapes a second", measure: () => during(2, 50) },
      { name: "one, the other core spins", measure: besideSpinning },
      { name: "one, scrapes without a pause", measure: () => during(1, 0) },
    ],
    ratios: [
      {
        text: "of two writers' speed during 20 scrapes a second",
        ...kept("two writers", "two, 20 scrapes a second"),
        atLeast: 0.9,
      },
      {
        text:
          "of one writer's speed while another core scrapes without a pause instead of spinning",
        ...kept("one, the other core spins", "one, scrapes without a pause"),
      },
    ],
    note: "Two writers leave this machine no core for scrapes if it has two.",
  };
}

async function* scrapes(
  plan: Plan,
  crew: Crew,
  scrape: () => number,
): AsyncGenerator<Comparison> {
  yield {
    title: "scrape of 10,000 series while somebody writes",
    unit: "ms",
    rounds: plan.rounds,
    entries: [
      { name: OURS, measure: async () => median(await scrapeDuring(crewRest(), scrape, 0)) },
      {
        name: "one writer",
        measure: async () => median(await scrapeDuring(crew.rate("inc", 1, MS), scrape, 0)),
      },
    ],
    ratios: [{
      text: "of an undisturbed scrape's time, with a writer on the other core",
      of: [OURS, "one writer"],
      from: (round) => round["one writer"] / round[OURS],
    }],
  };
}

/** As long as a scrape, without touching memory. */
function spin(): number {
  const start = performance.now();
  while (performance.now() - start < 0.3);
  return 0.3;
}

function crewRest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, MS / 2));
}

/**
 * How things are compared.
 *
 * A question has entries that do the same work. A round measures every entry once, so that what
 * disturbs the machine disturbs them alike; a ratio is taken within a round, and what is reported
 * is the median of the rounds. Bars are on ratios only.
 *
 * @module
 */

/** One way of doing a question's work. */
export interface Entry {
  readonly name: string;
  /** Measures once. The unit is the question's. */
  measure(): number | Promise<number>;
}

/** What each entry measured in one round. */
export type Round = Readonly<Record<string, number>>;

/** A number made from one round, and what it must reach. */
export interface Ratio {
  readonly text: string;
  /** The entries it needs. */
  readonly of: readonly string[];
  readonly from: (round: Round) => number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** One table: entries and the ratios between them. */
export interface Comparison {
  readonly title: string;
  /** Of every entry; "ns", "ms" and so on. */
  readonly unit: string;
  readonly entries: readonly Entry[];
  readonly ratios?: readonly Ratio[];
  readonly rounds?: number;
  /** For readers of the table. */
  readonly note?: string;
}

/** The middle and the ends of some measurements. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** A ratio's outcome. */
export interface RatioResult extends Spread {
  readonly text: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Undefined without a bar. */
  readonly met?: boolean;
}

/** A comparison's outcome. */
export interface Result {
  readonly title: string;
  readonly unit: string;
  readonly rounds: number;
  readonly note?: string;
  readonly entries: Readonly<Record<string, Spread>>;
  readonly ratios: readonly RatioResult[];
}

/** What the command was asked for. */
export interface Plan {
  /** Also what takes minutes. */
  readonly all: boolean;
  readonly rounds: number;
  /** Says once that something is not there, and what it would need. */
  readonly missing: (what: string) => void;
}

/** A question: yields its comparisons one after the other, each measured before the next is made. */
export type Question = (plan: Plan) => AsyncIterable<Comparison>;

/** The middle of some numbers. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function spread(numbers: readonly number[]): Spread {
  return { median: median(numbers), least: Math.min(...numbers), most: Math.max(...numbers) };
}

/** Measures a comparison, round by round, each in the opposite order of the last. */
export async function measure(comparison: Comparison, plan: Plan): Promise<Result> {
  const { title, unit, entries, ratios = [], note } = comparison;
  const count = comparison.rounds ?? plan.rounds;
  const rounds: Round[] = [];
  // The first round warms up: code is compiled, memory is touched.
  for (let n = 0; n <= count; n++) {
    const round: Record<string, number> = {};
    for (const entry of n % 2 === 0 ? entries : entries.toReversed()) {
      round[entry.name] = await entry.measure();
    }
    if (n > 0) rounds.push(round);
  }
  const measured = new Set(entries.map((entry) => entry.name));
  return {
    title,
    unit,
    rounds: count,
    note,
    entries: Object.fromEntries(
      entries.map(({ name }) => [name, spread(rounds.map((round) => round[name]))]),
    ),
    ratios: ratios.filter((ratio) => ratio.of.every((name) => measured.has(name)))
      .map((ratio) => judge(ratio, rounds)),
  };
}

function judge({ text, from, atLeast, atMost }: Ratio, rounds: readonly Round[]): RatioResult {
  const outcome = { text, atLeast, atMost, ...spread(rounds.map(from)) };
  if (atLeast === undefined && atMost === undefined) return outcome;
  const met = (atLeast === undefined || outcome.median >= atLeast) &&
    (atMost === undefined || outcome.median <= atMost);
  return { ...outcome, met };
}

/** The name of what is measured here, in every comparison. */
export const OURS = "ours";

/** How many times as fast as another entry ours is. Not for rates. */
export function timesAsFastAs(other: string, atLeast?: number): Ratio {
  return {
    text: `times as fast as ${other}`,
    of: [OURS, other],
    from: (round) => round[other] / round[OURS],
    atLeast,
  };
}

/** How ours relates to another entry, which it should not exceed by much. */
export function timesThatOf(other: string, atMost?: number): Ratio {
  return {
    text: `of the time of ${other}`,
    of: [OURS, other],
    from: (round) => round[OURS] / round[other],
    atMost,
  };
}

const CHUNK_MS = 4;
const CHUNKS = 7;

/**
 * An entry that repeats an operation in a loop of its own. The loop stands in the caller's source, so
 * that V8 compiles it for that operation alone, as it would in a program.
 */
export function looped(name: string, loop: (times: number) => void): Entry {
  let times = 0;
  return {
    name,
    measure() {
      if (times === 0) times = calibrate(loop);
      const chunks: number[] = [];
      for (let i = 0; i < CHUNKS; i++) chunks.push(timed(loop, times) / times * 1e6);
      return Math.min(...chunks); // the one that other programs disturbed least
    },
  };
}

function timed(loop: (times: number) => void, times: number): number {
  const start = performance.now();
  loop(times);
  return performance.now() - start;
}

function calibrate(loop: (times: number) => void): number {
  for (let i = 0; i < 20; i++) loop(1000); // compiled before it is timed
  let times = 1000;
  while (timed(loop, times) < CHUNK_MS) times *= 2;
  return times;
}

/** An entry that does something once, in milliseconds. */
export function once(name: string, work: () => unknown): Entry {
  return {
    name,
    async measure() {
      const start = performance.now();
      await work();
      return performance.now() - start;
    },
  };
}

/** Entries whose numbers come together, by one run a round. */
export function runsOf(names: readonly string[], run: () => Promise<number[]>): Entry[] {
  let numbers: Promise<number[]> | undefined;
  let wanted = 0;
  return names.map((name, index) => ({
    name,
    async measure() {
      if (wanted === 0) [numbers, wanted] = [run(), names.length];
      wanted--;
      return (await numbers!)[index];
    },
  }));
}

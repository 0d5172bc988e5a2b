/** What the tests of summaries observe, and how far their quantiles may be from the exact ones. */

/** Numbers from 0 to 1, the same for the same seed. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 2 ** 32;
  };
}

function normal(next: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Distributions by name: a value of each from random numbers. */
export const distributions = {
  uniform: (next: () => number) => next(),
  log_normal: (next: () => number) => Math.exp(normal(next)),
  bimodal: (next: () => number) => (next() < 0.5 ? 10 : 200) + normal(next),
} as const;
/** The name of one. */
export type Distribution = keyof typeof distributions;

/** `count` values. */
export function draw(distribution: Distribution, count: number, seed: number): number[] {
  const next = random(seed);
  return Array.from({ length: count }, () => distributions[distribution](next));
}

/** The error in rank that docs/summaries.md states. */
export const allowed: ReadonlyMap<number, number> = new Map([
  [0.01, 0.001],
  [0.5, 0.005],
  [0.99, 0.001],
]);

/** By how much of all the rank of `value` misses `quantile`. */
export function rankError(sorted: readonly number[], value: number, quantile: number): number {
  const below = sorted.filter((other) => other < value).length;
  const upTo = sorted.filter((other) => other <= value).length;
  const wanted = quantile * sorted.length;
  return Math.max(0, below - wanted, wanted - upTo) / sorted.length;
}

/** A task of `summary_process.ts`, whose answer is a line. */
export type SummaryTask =
  | { do: "observe"; filename: string; values: Distribution; count: number; seed: number }
  | { do: "observe on"; filename: string };

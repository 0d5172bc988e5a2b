/**
 * Bounds of a histogram's buckets, by rule.
 *
 * @module
 */

import { shown } from "./labels.ts";

/** As many as a histogram may have. */
const MOST_BUCKETS = 1024;

function checkCount(kind: string, count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= MOST_BUCKETS) return;
  const what = `${kind} buckets need a whole, positive count of at most ${MOST_BUCKETS}`;
  throw new RangeError(`${what}, not ${shown(count)}`);
}

function checkFinite(kind: string, what: string, value: number): void {
  if (Number.isFinite(value)) return;
  throw new RangeError(`${kind} buckets need a finite ${what}, not ${shown(value)}`);
}

/**
 * The bounds, if they can be those of a histogram: a step that is too small for its start, or a
 * factor that leads beyond the numbers, makes two bounds the same.
 */
function checkBounds(kind: string, bounds: number[]): number[] {
  for (const [index, bound] of bounds.entries()) {
    if (Number.isFinite(bound) && (index === 0 || bounds[index - 1] < bound)) continue;
    throw new RangeError(
      `${kind} buckets must ascend and be finite, but bound ${index + 1} would be ${bound}` +
        (index === 0 ? "" : ` after ${bounds[index - 1]}`),
    );
  }
  return bounds;
}

/**
 * Bounds at equal distances. Each is `start + index * width`, rounded to 15 digits, so that no error
 * adds up and none shows in a label: `linearBuckets(0.1, 0.1, 10)` has 0.3 and not
 * 0.30000000000000004.
 *
 * @param start the first bound
 * @param width the distance between two of them, above 0
 * @param count how many, from 1 to 1024; `+Inf` is not among them
 * @throws {RangeError} if an argument is out of its bounds, or two bounds would be the same
 *
 * @example
 * ```ts
 * import { linearBuckets } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(linearBuckets(0, 50, 4), [0, 50, 100, 150]);
 * assert.equal(linearBuckets(0.1, 0.1, 10)[9], 1);
 * ```
 */
export function linearBuckets(start: number, width: number, count: number): number[] {
  checkCount("linear", count);
  checkFinite("linear", "start", start);
  checkFinite("linear", "width", width);
  if (width <= 0) throw new RangeError(`linear buckets need a positive width, not ${width}`);
  return checkBounds(
    "linear",
    Array.from({ length: count }, (_, index) => rounded(start + index * width)),
  );
}

/**
 * Bounds of which each is `factor` times the one before. Each is `start * factor ** index`, rounded
 * to 15 digits.
 *
 * @param start the first bound, above 0
 * @param factor above 1
 * @param count how many, from 1 to 1024; `+Inf` is not among them
 * @throws {RangeError} if an argument is out of its bounds, or a bound would be infinite
 *
 * @example
 * ```ts
 * import { exponentialBuckets } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(exponentialBuckets(1, 2, 5), [1, 2, 4, 8, 16]);
 * ```
 */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  checkCount("exponential", count);
  checkFinite("exponential", "start", start);
  checkFinite("exponential", "factor", factor);
  if (start <= 0) throw new RangeError(`exponential buckets need a positive start, not ${start}`);
  if (factor <= 1) {
    throw new RangeError(`exponential buckets need a factor greater than 1, not ${factor}`);
  }
  return checkBounds(
    "exponential",
    Array.from({ length: count }, (_, index) => rounded(start * factor ** index)),
  );
}

/**
 * Bounds from `min` to `max`, both of them among the bounds, with the same factor between any two.
 *
 * @param min the first bound, above 0
 * @param max the last bound, above `min`
 * @param count how many, from 2 to 1024; `+Inf` is not among them
 * @throws {RangeError} if an argument is out of its bounds, or two bounds would be the same
 *
 * @example
 * ```ts
 * import { exponentialBucketsRange } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(exponentialBucketsRange(1, 1000, 4), [1, 10, 100, 1000]);
 * ```
 */
export function exponentialBucketsRange(min: number, max: number, count: number): number[] {
  checkCount("exponential", count);
  checkFinite("exponential", "min", min);
  checkFinite("exponential", "max", max);
  if (min <= 0) throw new RangeError(`exponential buckets need a positive min, not ${min}`);
  if (max <= min) {
    throw new RangeError(`exponential buckets need a max greater than min (${min}), not ${max}`);
  }
  if (count < 2) {
    throw new RangeError(`exponential buckets of a range need a count of at least 2, not ${count}`);
  }
  const bounds = Array.from({ length: count }, (_, index) => {
    return rounded(min * (max / min) ** (index / (count - 1)));
  });
  // The ends are what was asked for, whatever the power of a quotient is.
  bounds[0] = min;
  bounds[count - 1] = max;
  return checkBounds("exponential", bounds);
}

/** Without the last digits, in which the error of the arithmetic is. */
function rounded(bound: number): number {
  return Number(bound.toPrecision(15));
}

/**
 * Bounds of buckets by rule, with prom-client's checks.
 *
 * @module
 */

/**
 * Bounds at equal distances.
 *
 * @param start the first
 * @param width the distance
 * @param count how many
 * @throws {Error} if the count is not positive
 *
 * @example
 * ```ts
 * import { linearBuckets } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(linearBuckets(0, 50, 4), [0, 50, 100, 150]);
 * ```
 */
export function linearBuckets(start: number, width: number, count: number): number[] {
  if (count < 1) throw new Error("Linear buckets needs a positive count");
  // By multiplication: sums of 0.1 drift away from 1.
  return Array.from({ length: count }, (_, index) => start + index * width);
}

/**
 * Bounds of which each is a multiple of the one before.
 *
 * @param start the first
 * @param factor the multiple
 * @param count how many
 * @throws {Error} if start or count are not positive, or the factor is not greater than 1
 *
 * @example
 * ```ts
 * import { exponentialBuckets } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * assert.deepEqual(exponentialBuckets(1, 2, 4), [1, 2, 4, 8]);
 * ```
 */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  if (start <= 0) throw new Error("Exponential buckets needs a positive start");
  if (count < 1) throw new Error("Exponential buckets needs a positive count");
  if (factor <= 1) throw new Error("Exponential buckets needs a factor greater than 1");
  const buckets = [start];
  while (buckets.length < count) buckets.push(buckets.at(-1)! * factor);
  return buckets;
}

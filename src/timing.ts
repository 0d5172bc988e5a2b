/**
 * Work that is timed, or counted while it goes on.
 *
 * @module
 */

import { shown } from "./labels.ts";

/** What has passed since a moment of performance.now(). */
export function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

/**
 * Does the work and says how many seconds it took, also if it throws. Work that returns a promise
 * lasts until that is settled; the promise's result is what is returned.
 */
export function timed<T>(metric: string, work: () => T, done: (seconds: number) => void): T {
  checkWork(metric, "time", work);
  const start = performance.now();
  return during(work, () => done(seconds(start)));
}

/** Does the work between the two calls. */
export function tracked<T>(
  metric: string,
  work: () => T,
  begin: () => void,
  end: () => void,
): T {
  checkWork(metric, "trackInProgress", work);
  begin();
  return during(work, end);
}

function checkWork(metric: string, method: string, work: unknown): void {
  if (typeof work === "function") return;
  throw new TypeError(`${method}() of ${metric} needs a function, not ${shown(work)}`);
}

function during<T>(work: () => T, end: () => void): T {
  let result: T;
  try {
    result = work();
  } catch (error) {
    endQuietly(end);
    throw error;
  }
  if (isThenable(result)) return settled(result, end) as T;
  end();
  return result;
}

async function settled<V>(promise: PromiseLike<V>, end: () => void): Promise<V> {
  let value: V;
  try {
    value = await promise;
  } catch (error) {
    endQuietly(end);
    throw error;
  }
  end();
  return value;
}

/** The error of the work is the one to know, and not that its store was closed meanwhile. */
function endQuietly(end: () => void): void {
  try {
    end();
  } catch {
    // See above.
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null &&
    typeof (value as Partial<PromiseLike<unknown>>).then === "function";
}

/**
 * Durations as people write them.
 *
 * @module
 */

import { shown } from "./labels.ts";

/** A time span: seconds, or text such as `"90s"`, `"10m"`, `"1.5h"`, `"1d"`. */
export type Duration = number | string;

const unitsMs: Readonly<Record<string, number>> = {
  "": 1000,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A hundred years: more is a mistake. */
const MOST_MS = 3_155_760_000_000;

/**
 * Whole milliseconds of a duration.
 *
 * @param what its name in messages
 * @throws {TypeError} if it is neither a number nor such a text
 * @throws {RangeError} if it is not positive, or longer than a hundred years
 */
export function durationMs(what: string, duration: Duration): number {
  const match = /^\s*(\d+(?:\.\d+)?|\.\d+)\s*(ms|[smhdw]?)\s*$/i.exec(String(duration));
  if (typeof duration === "number" ? Number.isNaN(duration) : match === null) {
    throw new TypeError(
      `${what} must be a number of seconds or a text such as "90s", "10m" or "1d", ` +
        `not ${shown(duration)}`,
    );
  }
  const ms = Math.round(
    typeof duration === "number"
      ? duration * 1000
      : Number(match![1]) * unitsMs[match![2].toLowerCase()],
  );
  if (ms >= 1 && ms <= MOST_MS) return ms;
  throw new RangeError(
    `${what} must be longer than a millisecond and at most a hundred years, not ${shown(duration)}`,
  );
}

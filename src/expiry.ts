/**
 * When entries expire: seconds and texts such as `"10m"`, as the original reads them.
 *
 * @module
 */

import { shown } from "./labels.ts";

/** How long something lasts: seconds, or text such as `"30s"`, `"10m"`, `"2h"`, `"1d"`, `"never"`. */
export type ExpireTime = number | string;

const units: Readonly<Record<string, number>> = {
  "": 1,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
};

/** The latest second that an entry can expire in. */
const LATEST = 0xffff_ffff;

/** Never, as an entry has it. */
export const NEVER = 0;

/** The last text and its seconds: a program gives few, and most often the same again. */
let lastText = "";
let lastSeconds = 0;

/**
 * Seconds of a duration; only its first number and unit count, garbage is 0.
 *
 * @throws {TypeError} if it is neither a number nor text
 */
function secondsOf(time: ExpireTime): number {
  if (typeof time === "number") return time >= 1 ? Math.floor(time) : 0;
  if (typeof time !== "string") {
    throw new TypeError(`a time must be seconds or text such as "10m", not ${shown(time)}`);
  }
  if (time === lastText) return lastSeconds;
  const match = /^(\d+)\s*([mhdws]?)/i.exec(time);
  lastText = time;
  lastSeconds = match === null ? 0 : Number(match[1]) * units[match[2].toLowerCase()];
  return lastSeconds;
}

/**
 * The constructor's `expireTime`: how long entries live that do not say.
 *
 * @returns seconds; 0 is for ever
 */
export function defaultLifetime(time: ExpireTime | undefined): number {
  if (time === undefined || time === "never" || time === Infinity) return 0;
  return time === "now" ? 1 : Math.min(secondsOf(time), LATEST);
}

/** When an entry expires that is given `expireTime` by its set: 0, garbage and `"now"` are at once. */
export function expireOnAfter(time: ExpireTime, now: number): number {
  if (time === "never" || time === Infinity) return NEVER;
  return time === "now" ? now : Math.min(now + secondsOf(time), LATEST);
}

/** When an entry expires that lives for so many seconds; 0 is for ever. */
export function expireOnBy(lifetime: number, now: number): number {
  return lifetime === 0 ? NEVER : Math.min(now + lifetime, LATEST);
}

/** The default lifetime, where a second is asked for. */
export const DEFAULT_EXPIRY = -1;

/**
 * A given `expireOn`.
 *
 * @returns whole seconds, or {@linkcode DEFAULT_EXPIRY}
 * @throws {TypeError | RangeError} if it is no point in time
 */
export function checkExpireOn(expireOn: unknown): number {
  if (typeof expireOn !== "number") {
    throw new TypeError(
      `expireOn must be a number of seconds since 1970 (0 for never), not ${typeof expireOn}; ` +
        `for a Date, pass Math.floor(date.getTime() / 1000)`,
    );
  }
  const second = Math.floor(expireOn);
  if (second === DEFAULT_EXPIRY || (second >= 0 && second <= LATEST)) return second;
  throw new RangeError(
    `expireOn must be seconds since 1970 below 2^32, 0 for never, or -1 for the default, ` +
      `not ${expireOn}; milliseconds (Date.now()) must be divided by 1000`,
  );
}

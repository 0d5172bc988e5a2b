/**
 * What a caller asks for when an entry is set.
 *
 * @module
 */

import { checkExpireOn, DEFAULT_EXPIRY, expireOnAfter, type ExpireTime } from "./expiry.ts";
import { shown } from "./labels.ts";

/** How an entry is set; `expireOn` beats `expireTime`. */
export interface SetOptions {
  /** How long it lives: seconds, or text such as `"10m"`. 0 and `"now"` expire it at once. */
  expireTime?: ExpireTime;
  /** When it expires: seconds since 1970, 0 for never, -1 for the cache's default. */
  expireOn?: number;
  /** The number of the change it comes from: a set that is older than what is there is refused. */
  modseq?: number | bigint;
}

/** What the cache knows of an entry. */
export interface EntryInfo {
  /** When it expires: seconds since 1970, 0 for never. */
  expireOn?: number;
  /** The number of the change it comes from; a bigint only beyond `Number.MAX_SAFE_INTEGER`. */
  modseq?: number | bigint;
}

const MODSEQ_LIMIT = 1n << 64n;

/** @throws {TypeError} if it is no modseq */
function checkModseq(modseq: unknown): bigint {
  if (typeof modseq === "bigint" ? modseq >= 0n && modseq < MODSEQ_LIMIT : isWhole(modseq)) {
    return BigInt(modseq as number | bigint);
  }
  throw new TypeError(
    `modseq must be an unsigned integer (a number up to 2^53 - 1, or a bigint below 2^64), ` +
      `not ${shown(modseq)}`,
  );
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A modseq as callers see it. */
export function shownModseq(modseq: bigint): number | bigint {
  return modseq <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(modseq) : modseq;
}

const setMembers: readonly string[] = ["expireTime", "expireOn", "modseq"];

/** @throws {TypeError} if options are no object, or have a member that nobody reads */
export function checkOptions<T extends object = SetOptions>(
  what: string,
  options: unknown,
  members: readonly string[] = setMembers,
): T {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${what} must be an object, not ${shown(options)}`);
  }
  for (const name in options) {
    if (members.includes(name)) continue;
    throw new TypeError(`${what} has no member ${shown(name)}; it has ${members.join(", ")}`);
  }
  return options as T;
}

/** What a caller's options ask for; `expireOn` may be {@linkcode DEFAULT_EXPIRY}. */
export interface Asked {
  readonly expireOn: number;
  readonly modseq: bigint | undefined;
}

/** What a call without options asks for. */
export const nothingAsked: Asked = { expireOn: DEFAULT_EXPIRY, modseq: undefined };

/** Whether a member says anything; null, as JSON has it, does not. */
export function isGiven<T>(member: T | undefined | null): member is T {
  return member !== undefined && member !== null;
}

/** What a caller's options ask for. */
export function askedBy(options: SetOptions | ExpireTime | null | undefined, now: number): Asked {
  if (options === undefined || options === null) return nothingAsked;
  if (typeof options === "number" || typeof options === "string") {
    return { expireOn: expireOnAfter(options, now), modseq: undefined };
  }
  const { expireOn, expireTime, modseq } = checkOptions("options", options);
  return {
    expireOn: isGiven(expireOn)
      ? checkExpireOn(expireOn)
      : isGiven(expireTime)
      ? expireOnAfter(expireTime, now)
      : DEFAULT_EXPIRY,
    modseq: isGiven(modseq) ? checkModseq(modseq) : undefined,
  };
}

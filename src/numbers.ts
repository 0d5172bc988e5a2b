/**
 * What counts as a number, where the peer takes any scalar.
 *
 * @module
 */

/** A value as the untyped methods take it: a number, or text that looks like one. */
export type NumberLike = number | bigint | string | null | undefined;

// As Perl's looks_like_number: white space around it is fine, hexadecimal is not.
const decimal = /^[ \t\n\v\f\r]*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[ \t\n\v\f\r]*$/i;
const special = /^[ \t\n\v\f\r]*([+-]?)(inf(?:inity)?|nan)[ \t\n\v\f\r]*$/i;

/**
 * The number that a value is or looks like.
 *
 * @returns undefined for everything that is no number
 */
export function numberOf(value: unknown): number | undefined {
  switch (typeof value) {
    case "number":
      return value;
    case "bigint":
      return Number(value);
    case "string": {
      if (decimal.test(value)) return Number(value);
      const match = special.exec(value);
      if (match === null) return undefined;
      if (match[2].toLowerCase() === "nan") return NaN;
      return match[1] === "-" ? -Infinity : Infinity;
    }
    default:
      return undefined;
  }
}

// The text format's timestamps are signed 64-bit; beyond this a double would be printed inexactly.
const TIMESTAMP_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * A timestamp in whole milliseconds.
 *
 * @returns undefined when none is given
 * @throws {TypeError} if it is not a number
 * @throws {RangeError} if it is no point in time
 */
export function timestampOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined;
  const number = numberOf(value);
  if (number === undefined) {
    throw new TypeError(
      `a timestamp must be a number of milliseconds since 1970, not ${
        typeof value === "object" ? "an object" : String(value)
      }; for a Date, pass date.getTime()`,
    );
  }
  const whole = Math.trunc(number);
  if (!(Math.abs(whole) <= TIMESTAMP_LIMIT)) {
    throw new RangeError(`a timestamp must be finite milliseconds since 1970, not ${number}`);
  }
  return whole;
}

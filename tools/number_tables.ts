/**
 * Writes `csrc/number_tables.h`, the powers of ten that `csrc/number.c` multiplies by, and proves
 * that their 128 bits are enough for every double.
 *
 *     deno run --allow-write=csrc tools/number_tables.ts
 *
 * `tests/number_test.ts` fails when the committed header is not what this program writes.
 *
 * The mathematics. A finite double is c * 2^q. `number.c` picks k so that 10^k is just below the
 * width of the interval of reals that round to it, and looks at x * 2^q * 10^-k for four values of
 * x around 4c, comparing them with even integers only. A fixed-point product can do that exactly if
 * it never takes a product just above or below an even integer for that integer, or the other way
 * round. {@linkcode productMargins} finds how near an even integer any product comes without being
 * one, over all doubles; {@linkcode proveTables} compares that with the error of an entry.
 *
 * @module
 */

/** Bits in one table entry. */
const ENTRY_BITS = 128n;
/** Smallest and largest q of a finite double c * 2^q with an integer c below 2^53. */
const Q_MIN = -1074;
const Q_MAX = 971;
/** The products' fraction is kept to this many bits; the rest of a product is dropped. */
const FRACTION_BITS = 64n;

/** An exact fraction; the denominator is positive. */
interface Ratio {
  readonly over: bigint;
  readonly under: bigint;
}

/** How near some numbers come to (even) integers from each side, without being one. */
export interface Margins {
  /** The smallest distance above that is not zero. */
  readonly above: Ratio;
  /** The smallest distance below that is not zero. */
  readonly below: Ratio;
}

/** The powers of ten that printing any finite double can ask for, and their entries. */
export interface PowerTable {
  readonly first: number;
  readonly last: number;
  readonly entries: readonly bigint[];
}

/** 2^twos * 10^tens as an exact fraction. */
function ratio(twos: number, tens: number): Ratio {
  let over = 1n;
  let under = 1n;
  if (twos >= 0) over <<= BigInt(twos);
  else under <<= BigInt(-twos);
  if (tens >= 0) over *= 10n ** BigInt(tens);
  else under *= 10n ** BigInt(-tens);
  return { over, under };
}

function less(a: Ratio, b: Ratio): boolean {
  return a.over * b.under < b.over * a.under;
}

/** floor(log2(10^e)). */
function floorLog2Pow10(e: number): number {
  // 10^-e is not a power of two, so the floor of its logarithm is one further down
  if (e < 0) return -floorLog2Pow10(-e) - 1;
  return (10n ** BigInt(e)).toString(2).length - 1;
}

/** floor(log10(numerator / 4 * 2^q)), by exact comparison. */
function floorLog10Quarters(numerator: bigint, q: number): number {
  let k = Math.floor(q * Math.log10(2)) - 2;
  const power = ratio(q - 2, 0);
  const value = { over: power.over * numerator, under: power.under };
  while (!less(value, ratio(0, k + 1))) k++;
  return k;
}

/** k for a double c * 2^q whose interval has the usual width 2^q. */
function decimalExponent(q: number): number {
  return floorLog10Quarters(4n, q);
}

/** k for a power of two, c = 2^52: its interval is a quarter narrower, doubles below are closer. */
function decimalExponentOfPowerOfTwo(q: number): number {
  return floorLog10Quarters(3n, q);
}

/** 10^e scaled to exactly 128 bits, rounded up where it is not exact. */
function tableEntry(e: number): bigint {
  const { over, under } = ratio(Number(ENTRY_BITS) - 1 - floorLog2Pow10(e), e);
  return (over + under - 1n) / under;
}

/**
 * The table.
 *
 * @returns The entries for every 10^-k that a finite double needs.
 */
export function powerTable(): PowerTable {
  const first = -decimalExponent(Q_MAX);
  const last = -decimalExponentOfPowerOfTwo(Q_MIN);
  const entries: bigint[] = [];
  for (let e = first; e <= last; e++) entries.push(tableEntry(e));
  return { first, last, entries };
}

/**
 * The smallest non-zero `x * step mod 1`, and the smallest non-zero distance below an integer, for
 * x in 1..limit.
 *
 * Euclid's algorithm on the two distances: the best x seen from above and the best from below;
 * adding one to the other as often as possible gives the next best, and nothing between them does
 * better.
 */
function nearestToInteger(step: Ratio, limit: bigint): Margins {
  let above = step.over % step.under;
  let aboveAt = 1n;
  let below = step.under;
  let belowAt = 0n;
  while (above > 0n) {
    const forward = above < below;
    // stop one short of zero: zero is the integer itself, and from there on everything repeats
    const [larger, smaller] = forward ? [below, above] : [above, below];
    const [at, stepAt] = forward ? [belowAt, aboveAt] : [aboveAt, belowAt];
    const fits = (larger - 1n) / smaller;
    const allowed = stepAt === 0n ? fits : (limit - at) / stepAt;
    const times = fits < allowed ? fits : allowed;
    if (times === 0n) break;
    if (forward) {
      below -= times * above;
      belowAt += times * aboveAt;
    } else {
      above -= times * below;
      aboveAt += times * belowAt;
    }
  }
  // never above: every product is an integer
  const none = { over: 1n, under: 1n };
  if (above === 0n) return { above: none, below: none };
  return { above: { over: above, under: step.under }, below: { over: below, under: step.under } };
}

/**
 * How near an even integer the products of all finite doubles come.
 *
 * @returns The margins; products that are even integers do not count.
 */
export function productMargins(): Margins {
  // of half the products, to which even integers are integers
  let above: Ratio = { over: 1n, under: 1n };
  let below: Ratio = above;
  const take = (margins: Margins) => {
    if (less(margins.above, above)) above = margins.above;
    if (less(margins.below, below)) below = margins.below;
  };
  for (let q = Q_MIN; q <= Q_MAX; q++) {
    // usual doubles ask for x in {4c - 2, 4c, 4c + 2}, so x / 2 is any number up to 2^54
    take(nearestToInteger(ratio(q, -decimalExponent(q)), 1n << 54n));
    // powers of two ask for three numbers
    const { over, under } = ratio(q - 1, -decimalExponentOfPowerOfTwo(q));
    for (const x of [(1n << 54n) - 1n, 1n << 54n, (1n << 54n) + 2n]) {
      const half = { over: (x * over) % under, under };
      if (half.over > 0n) take({ above: half, below: { over: under - half.over, under } });
    }
  }
  const double = ({ over, under }: Ratio) => ({ over: 2n * over, under });
  return { above: double(above), below: double(below) };
}

/**
 * Proves what `number.c` takes for granted, by going through every exponent of a double.
 *
 * @throws {Error} Says which claim does not hold.
 */
export function proveTables(): void {
  const claim = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`number tables: it does not hold that ${what}`);
  };
  const { first, last, entries } = powerTable();
  for (const [index, entry] of entries.entries()) {
    claim(entry >> (ENTRY_BITS - 1n) === 1n, `the entry of 1e${first + index} has 128 bits`);
  }
  let largest = 0n; // multiplier of an entry
  for (let q = Q_MIN; q <= Q_MAX; q++) {
    const usual = decimalExponent(q);
    const narrow = decimalExponentOfPowerOfTwo(q);
    claim(((q * 1262611) >> 22) === usual, `k is right for q = ${q}`);
    claim(((q * 1262611 - 524031) >> 22) === narrow, `k of a power of two is right for q = ${q}`);
    for (const k of [usual, narrow]) {
      claim(first <= -k && -k <= last, `the table has 1e${-k}`);
      claim(((-k * 1741647) >> 19) === floorLog2Pow10(-k), `log2 of 1e${-k} is right`);
      const shift = q + floorLog2Pow10(-k) + 1;
      claim(shift >= 1, `the shift for q = ${q} is positive`);
      const multiplier = 1n << BigInt(55 + shift);
      if (multiplier > largest) largest = multiplier;
    }
  }
  claim(largest < 1n << 64n, "the multiplier fits 64 bits");
  // An entry is less than one unit too large, so a product is less than this too large:
  const error: Ratio = { over: largest, under: 1n << ENTRY_BITS };
  const resolution: Ratio = { over: 1n, under: 1n << FRACTION_BITS };
  const margins = productMargins();
  claim(less(error, resolution), "the product of an even integer has no fraction bit set");
  claim(!less(margins.above, resolution), "a product above an even integer has one set");
  claim(less(error, margins.below), "a product below an even integer stays below it");
}

/**
 * The text of `csrc/number_tables.h`.
 *
 * @returns The whole file.
 */
export function numberTablesHeader(): string {
  const { first, last, entries } = powerTable();
  const hex = (word: bigint) => `0x${word.toString(16).padStart(16, "0")}`;
  const rows = entries.map((entry, index) =>
    `    {${hex(entry >> 64n)}, ${hex(entry & 0xffff_ffff_ffff_ffffn)}}, /* 1e${first + index} */`
  );
  return `/*
 * Generated by tools/number_tables.ts: change that and run it again.
 * tests/number_test.ts fails when this is not what it writes.
 *
 * Entry e - PTS_NUMBER_POW10_FIRST is 10^e scaled to 128 bits, high word first, rounded up where it
 * is not exact.
 */
#ifndef PTS_NUMBER_TABLES_H
#define PTS_NUMBER_TABLES_H

#include <stdint.h>

#define PTS_NUMBER_POW10_FIRST (${first})
#define PTS_NUMBER_POW10_LAST ${last}

static const uint64_t pts_number_pow10[PTS_NUMBER_POW10_LAST - PTS_NUMBER_POW10_FIRST + 1][2] = {
${rows.join("\n")}
};

#endif
`;
}

if (import.meta.main) {
  proveTables();
  await Deno.writeTextFile(
    new URL("../csrc/number_tables.h", import.meta.url),
    numberTablesHeader(),
  );
}

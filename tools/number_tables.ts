/**
 * Writes `csrc/number_tables.h`, of which `csrc/number.c` makes the powers of ten that it multiplies
 * by, and proves that their 128 bits are enough for every double.
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
 * one, over all doubles; {@linkcode proveTables} compares that with the error of a power.
 *
 * @module
 */

/** Bits of a power of ten, and of one of the first powers, which are exact. */
const POWER_BITS = 128n;
const FIRST_BITS = 64n;
/** One power in so many is in a table; 5^27 is the last that has at most 64 bits. */
const STEP = 27;
/** A power is less than so many units of its lowest bit too large. */
const POWER_ERROR = 4n;
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

/** The tables of powers of ten, scaled so that the highest of their bits is set. */
export interface PowerTables {
  /** The smallest and the largest power that printing a finite double can ask for. */
  readonly first: number;
  readonly last: number;
  /** 10^0 to 10^26, exact. */
  readonly firstPowers: readonly bigint[];
  /** Every 27th power from 10^(27 * firstStep) on, rounded up. */
  readonly everyPower: readonly bigint[];
  readonly firstStep: number;
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

/** 10^e scaled to exactly so many bits, as a fraction. */
function scaledPower(e: number, bits: bigint): Ratio {
  return ratio(Number(bits) - 1 - floorLog2Pow10(e), e);
}

/** Its next integer. */
function roundUp({ over, under }: Ratio): bigint {
  return (over + under - 1n) / under;
}

/**
 * The tables.
 *
 * @returns What every 10^-k that a finite double needs is made from.
 */
export function powerTables(): PowerTables {
  const first = -decimalExponent(Q_MAX);
  const last = -decimalExponentOfPowerOfTwo(Q_MIN);
  const firstStep = Math.floor(first / STEP);
  const firstPowers = Array.from({ length: STEP }, (_, e) => roundUp(scaledPower(e, FIRST_BITS)));
  const everyPower: bigint[] = [];
  for (let step = firstStep; step * STEP <= last; step++) {
    everyPower.push(roundUp(scaledPower(step * STEP, POWER_BITS)));
  }
  return { first, last, firstPowers, everyPower, firstStep };
}

/** What power_of_ten() of `csrc/number.c` makes of the tables. */
function powerOfTen(e: number, { firstPowers, everyPower, firstStep }: PowerTables): bigint {
  if (e >= 0 && e < STEP) return firstPowers[e] << (POWER_BITS - FIRST_BITS);
  const index = e - firstStep * STEP;
  const product = everyPower[Math.floor(index / STEP)] * firstPowers[index % STEP];
  const unset = product >> (POWER_BITS + FIRST_BITS - 1n) === 0n ? 1n : 0n;
  return (product >> (FIRST_BITS - unset)) + 1n;
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
  const tables = powerTables();
  const { first, last } = tables;
  for (const [e, power] of tables.firstPowers.entries()) {
    const { over, under } = scaledPower(e, FIRST_BITS);
    claim(power * under === over, `the table's 1e${e} is exact`);
  }
  for (let e = first; e <= last; e++) {
    const power = powerOfTen(e, tables);
    claim(power >> (POWER_BITS - 1n) === 1n, `1e${e} has 128 bits`);
    const { over, under } = scaledPower(e, POWER_BITS);
    claim(power * under >= over, `1e${e} is not too small`);
    claim(
      (power - POWER_ERROR) * under < over,
      `1e${e} is less than ${POWER_ERROR} units too large`,
    );
  }
  let largest = 0n; // multiplier of a power
  for (let q = Q_MIN; q <= Q_MAX; q++) {
    const usual = decimalExponent(q);
    const narrow = decimalExponentOfPowerOfTwo(q);
    claim(((q * 1262611) >> 22) === usual, `k is right for q = ${q}`);
    claim(((q * 1262611 - 524031) >> 22) === narrow, `k of a power of two is right for q = ${q}`);
    for (const k of [usual, narrow]) {
      claim(first <= -k && -k <= last, `1e${-k} can be made`);
      claim(((-k * 1741647) >> 19) === floorLog2Pow10(-k), `log2 of 1e${-k} is right`);
      const shift = q + floorLog2Pow10(-k) + 1;
      claim(shift >= 1, `the shift for q = ${q} is positive`);
      const multiplier = 1n << BigInt(55 + shift);
      if (multiplier > largest) largest = multiplier;
    }
  }
  claim(largest < 1n << 64n, "the multiplier fits 64 bits");
  // A power is less than so many units too large, so a product is less than this too large:
  const error: Ratio = { over: POWER_ERROR * largest, under: 1n << POWER_BITS };
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
  const { firstPowers, everyPower, firstStep } = powerTables();
  const hex = (word: bigint) => `0x${word.toString(16).padStart(16, "0")}`;
  const firsts = firstPowers.map((power, e) => `    ${hex(power)}, /* 1e${e} */`);
  const every = everyPower.map((power, index) =>
    `    {${hex(power >> 64n)}, ${hex(power & 0xffff_ffff_ffff_ffffn)}}, ` +
    `/* 1e${(firstStep + index) * STEP} */`
  );
  return `/*
 * Generated by tools/number_tables.ts: change that and run it again.
 * tests/number_test.ts fails when this is not what it writes.
 */
#ifndef PTS_NUMBER_TABLES_H
#define PTS_NUMBER_TABLES_H

#include <stdint.h>

#define PTS_NUMBER_POWER_STEP ${STEP}
#define PTS_NUMBER_POWER_FIRST (${firstStep * STEP})
#define PTS_NUMBER_POWER_ERROR ${POWER_ERROR}

/* 10^e scaled to 64 bits, which is exact. */
static const uint64_t pts_number_first_powers[PTS_NUMBER_POWER_STEP] = {
${firsts.join("\n")}
};

/* 10^(PTS_NUMBER_POWER_FIRST + 27 * i) scaled to 128 bits, high word first, rounded up. */
static const uint64_t pts_number_every_27th_power[${everyPower.length}][2] = {
${every.join("\n")}
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

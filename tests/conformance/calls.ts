// A seeded generator of calls that the peers know.
//
// Left out is what the peers do wrong, where Perl's text of a number is not ours by nature (whole
// numbers above 2^53, -0, booleans), and one thing that ours does not keep: the timestamp of an enum
// of which one line is updated by itself. Objects in turn leave out such updates: to ours, an enum that
// one object sets and another updates by lines is not one thing.

import type { Call, DefaultLabels, Json } from "./oracle.ts";

type Labels = Record<string, Json>;

/** What the peer that is compared with can take. */
export interface Taste {
  /** Label values and help texts beyond ASCII. */
  readonly wide: boolean;
  /** Values that are no numbers, infinite or NaN, and such with a fraction. */
  readonly oddNumbers: boolean;
  /** Updates of single lines of an enum. */
  readonly enumLines: boolean;
}

/** Random numbers that a seed repeats: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    let t = this.#state = (this.#state + 0x6d2b79f5) | 0;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  some<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make);
  }

  shuffled<T>(list: readonly T[]): T[] {
    const all = [...list];
    for (let i = all.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
  }
}

const values = [
  "requests_total",
  "a",
  "aB",
  "a_b",
  "A",
  "x:y",
  "help",
  "type",
  "_z",
  "le",
  "h_",
  "h",
];
const histograms = ["h", "h_a", "lat_seconds", "H", "size", "late"];
/** Parts of histograms, which may be added to by themselves; ours does not let them be set. */
const parts = ["h_count", "h_sum", "lat_seconds_count", "late_sum"];
const enums = ["state", "mode", "never"];
/** Whose lines are also updated by themselves. */
const enumsByLine = ["mode", "never"];
const labelNames = ["a", "b", "B", "_u", "aa", "method", "zone", "z", "host", "le", "state", "le2"];
const asciiTexts = ["", "x", "1", "GET", 'q"q', "back\\slash", "\\n", "two\nlines", "a\tb", "c\rd"];
const moreAscii = ["a,b", "}{", 'x="y"', "+Inf", " lead", "trail ", "#", "-", "a-b", "0.5", "10"];
const wideTexts = ["é", "日本", "😀", "\ue000", "\uffee", "\u2028", "Straße", "\u0001", "\u007f"];
const bucketLists = [[], [1], [1, 2, 10], [0.1, 0.25, 1, 2.5], [-1, 0, 1], [0.5, 7, 10, 20, 100]];
const types = ["counter", "gauge", "histogram", "summary", "untyped"];
const oddValues: Json[] = [
  ...["abc", "", "0x10", ".", "x1", "e1", null, "Inf", "-inf", "Infinity", "NaN", "nan"],
  ...[1e300, 5e-324, 0.1, -1 / 3, 123456.789, 1e21, 1e-7],
];

/** Makes calls for ever. */
export class Calls {
  readonly #random: Random;
  readonly #taste: Taste;
  readonly #texts: string[];
  readonly #labelSets: Labels[];
  readonly #declared = new Map<string, Record<string, Json>>();
  /** Of the object that the calls are made on. */
  readonly defaultLabels: DefaultLabels;

  constructor(seed: number, taste: Taste) {
    const random = this.#random = new Random(seed);
    this.#taste = taste;
    const alphabet = [...'abB_ "\\\n\t,={}-', ...(taste.wide ? ["é", "日", "😀"] : [])];
    this.#texts = [
      ...[...asciiTexts, ...moreAscii, ...(taste.wide ? wideTexts : [])],
      ...random.some(6, () => random.some(random.below(9), () => random.pick(alphabet)).join("")),
    ];
    const defaults = ["host", "a", "state", "zone"].slice(0, random.below(5));
    this.defaultLabels = Object.fromEntries(defaults.map((name) => [name, this.#text()]));
    this.#labelSets = random.some(24, () => this.#labels());
  }

  next(): Call {
    const random = this.#random;
    const kind = random.next();
    if (kind < 0.002) return ["clear", "everything"];
    if (kind < 0.04) return this.#declare();
    if (kind < 0.24) return this.#observe();
    if (kind < 0.34) return this.#enumSet();
    if (kind < 0.36) return this.#update(random.pick(parts), 1);
    const byLine = this.#taste.enumLines && random.chance(0.05);
    return this.#update(random.pick(byLine ? enumsByLine : values));
  }

  #update(name: string, first = 0): Call {
    switch (first + this.#random.below(4 - first)) {
      case 0:
        return ["set", name, this.#number(), this.#someLabels(), this.#time()];
      case 1:
        return ["add", name, this.#number(), this.#someLabels()];
      case 2:
        return ["inc", name, this.#someLabels()];
      default:
        return ["dec", name, this.#someLabels()];
    }
  }

  #observe(): Call {
    const labels = this.#someLabels();
    return ["histogram_observe", this.#random.pick(histograms), this.#number(), labels];
  }

  #enumSet(): Call {
    const random = this.#random;
    const state = random.pick([...this.#texts, "on", "off", "on", "off", 1]);
    const name = random.pick(enums);
    const time = enumsByLine.includes(name) ? null : this.#time();
    return ["enum_set", name, state, this.#someLabels(), time];
  }

  /** For the first time, the same again, or something else. */
  #declare(): Call {
    const random = this.#random;
    const name = random.pick([...histograms, ...enums, ...values, "unused"]);
    const old = this.#declared.get(name);
    if (old !== undefined && random.chance(0.6)) return ["declare", name, old];
    const declaration: Record<string, Json> = {};
    if (random.chance(0.7)) declaration.help = `${this.#helpText()} ${random.below(2)}`;
    if (random.chance(0.7)) declaration.type = random.pick(types);
    if (histograms.includes(name) && random.chance(0.8)) {
      declaration.buckets = random.pick(bucketLists);
    }
    if (enums.includes(name) && random.chance(0.9)) {
      declaration.enum = "state";
      const states = random.shuffled(["on", "off", random.pick(this.#texts)]);
      if (random.chance(0.9)) declaration.enum_values = states;
    }
    if (old === undefined) this.#declared.set(name, declaration);
    return ["declare", name, declaration];
  }

  #helpText(): string {
    return this.#text().replace(/[\\\n]/g, " ");
  }

  #text(): string {
    return this.#random.pick(this.#texts);
  }

  /** Sums of such numbers stay exact in the 15 digits that Perl prints. */
  #number(): Json {
    const random = this.#random;
    if (this.#taste.oddNumbers && random.chance(0.05)) return random.pick(oddValues);
    const number = random.chance(0.5) || !this.#taste.oddNumbers
      ? random.below(20)
      : (random.below(8192) - 2048) / 256;
    const text = [
      `${number}`,
      ` ${number}`,
      `${number} `,
      number >= 0 ? `+${number}` : `${number}e0`,
    ];
    return random.chance(0.1) && this.#taste.oddNumbers ? random.pick(text) : number;
  }

  #time(): Json {
    const random = this.#random;
    return random.chance(0.3) ? random.pick([0, -5, 1700000000000, random.below(1e9)]) : null;
  }

  #someLabels(): Labels | null {
    const random = this.#random;
    if (random.chance(0.1)) return null;
    return Object.fromEntries(random.shuffled(Object.entries(random.pick(this.#labelSets))));
  }

  #labels(): Labels {
    const random = this.#random;
    const names = random.shuffled(labelNames).slice(0, random.below(4));
    return Object.fromEntries(names.map((name) => [name, this.#labelValue()]));
  }

  #labelValue(): Json {
    const random = this.#random;
    if (random.chance(0.08)) return null;
    return random.chance(0.1) ? random.pick([1, 0, -7, 1.5, 1e21]) : this.#text();
  }
}

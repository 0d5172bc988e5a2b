/**
 * Declarations: what a metric's name means, for every worker.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { failures, StoreError } from "./errors.ts";
import {
  checkLabelName,
  checkMetricName,
  compareBytes,
  escapeHelp,
  escapeQuoted,
  nameInHeader,
  type NameValidation,
  printedLabel,
  shown,
} from "./labels.ts";
import { numberOf } from "./numbers.ts";
import type { Store } from "./store.ts";

/**
 * A metric's type. Text format 0.0.4 has no `info` and `stateset`, and prints them as gauges;
 * OpenMetrics calls `untyped` unknown.
 */
export type MetricType =
  | "counter"
  | "gauge"
  | "histogram"
  | "summary"
  | "info"
  | "stateset"
  | "untyped";

/**
 * How a value that every worker has for itself becomes one:
 *
 * - `sum`, `min`, `max`: the sum, the smallest, the largest of all workers' values;
 * - `mostrecent`: the one that was set last, by whichever worker;
 * - `all`: a series for each worker, with the label `worker`.
 *
 * What a worker that ended has left stays and counts (in `all` until a new worker takes its place). With
 * `live` before it (`livesum`, `livemin`, ...), only living workers count: the value of one that ends,
 * however it ends, leaves with the next scrape.
 *
 * A gauge without a mode is one number for everybody: additions add up, whoever makes them, and a `set`
 * is the value for all.
 */
export type GaugeMode =
  | "sum"
  | "min"
  | "max"
  | "mostrecent"
  | "all"
  | "livesum"
  | "livemin"
  | "livemax"
  | "livemostrecent"
  | "liveall";

/** What `declare` says about a metric. */
export interface Declaration {
  /** The text of its HELP line. None by default. */
  help?: string;
  /** What its TYPE line says. None by default. */
  type?: MetricType;
  /**
   * Its unit, such as `seconds`. OpenMetrics has a line for it if the name ends in it, as in
   * `request_duration_seconds`; the text format has none.
   */
  unit?: string;
  /**
   * Upper bounds of a histogram's buckets, ascending. `+Inf` is always there and need not be given.
   *
   * @default {[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]}
   */
  buckets?: readonly (number | string)[];
  /** The name of an enum's label, for `enumSet`. */
  enum?: string;
  /** The states of an enum: the values of its label. */
  enumValues?: readonly string[];
}

/** A declaration as the store keeps it. */
export interface FamilyDeclaration extends Declaration {
  readonly mode?: GaugeMode;
  /** A summary's, checked by src/summaries.ts. */
  readonly quantiles?: readonly number[];
  readonly maxAgeSeconds?: number;
  readonly ageBuckets?: number;
  /** After how many milliseconds without an update a series leaves. */
  readonly ttlMs?: number;
  /** How many series it may have. */
  readonly maxSeries?: number;
}

/** What a declared metric means for its updates. */
export interface Family {
  readonly kind: typeof native.Kind.value | typeof native.Kind.live | typeof native.Kind.recent;
  readonly buckets: Float64Array<ArrayBuffer> | undefined;
  readonly enumLabel: string | undefined;
  /** In the order of their printed text: the index is what an enum's series holds. */
  readonly states: ReadonlyMap<string, number>;
  readonly maxSeries: number | undefined;
}

/** The peer's default buckets. */
export const defaultBuckets: Float64Array<ArrayBuffer> = Float64Array.of(
  ...[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
);

const mostBuckets = 1024;

/**
 * The first two bytes of a declaration's part 1: how the values of several workers become one, and
 * whether only those of living ones count.
 */
const modeBytes: Record<GaugeMode, string> = {
  sum: "s.",
  min: "m.",
  max: "M.",
  mostrecent: "r.",
  all: "a.",
  livesum: "sl",
  livemin: "ml",
  livemax: "Ml",
  livemostrecent: "rl",
  liveall: "al",
};

/** A type in its declaration's part 1, in the text format, and in OpenMetrics. */
interface TypeNames {
  readonly byte: string;
  readonly text: string;
  readonly openMetrics: string;
  /** What OpenMetrics takes off the end of a name, for the name of the family. */
  readonly suffix?: string;
}

const typeNames: Record<MetricType, TypeNames> = {
  counter: { byte: "c", text: "counter", openMetrics: "counter", suffix: "_total" },
  gauge: { byte: "g", text: "gauge", openMetrics: "gauge" },
  histogram: { byte: "h", text: "histogram", openMetrics: "histogram" },
  summary: { byte: "s", text: "summary", openMetrics: "summary" },
  info: { byte: "i", text: "gauge", openMetrics: "info", suffix: "_info" },
  stateset: { byte: "e", text: "gauge", openMetrics: "stateset" },
  untyped: { byte: "u", text: "untyped", openMetrics: "unknown" },
};

/** What must be repeated when a metric is declared again, in the order it is written down. */
const repeated = [
  "help",
  "type",
  "buckets",
  "enum",
  "enumValues",
  "mode",
  "ttlMs",
  "maxSeries",
  "quantiles",
  "maxAgeSeconds",
  "ageBuckets",
] as const;
type Repeated = Partial<Record<(typeof repeated)[number], unknown>>;

function checkText(what: string, value: unknown): void {
  if (value === undefined || typeof value === "string") return;
  throw new TypeError(`${what} must be a string, not ${shown(value)}`);
}

/**
 * Bounds as numbers, without a final +Inf.
 *
 * @throws {TypeError} if they are no list of numbers
 * @throws {RangeError} if they do not ascend
 */
export function checkBuckets(buckets: unknown): number[] {
  const isList = Array.isArray(buckets) || ArrayBuffer.isView(buckets);
  if (!isList) throw new TypeError(`buckets must be an array of numbers, not ${shown(buckets)}`);
  const numbers = Array.from(buckets as ArrayLike<unknown>, (bound) => {
    const number = numberOf(bound);
    if (number === undefined) {
      throw new TypeError(`buckets must be numbers, not ${shown(bound)}`);
    }
    return number;
  });
  if (numbers.at(-1) === Infinity) numbers.pop();
  for (const [index, bound] of numbers.entries()) {
    if (!Number.isFinite(bound)) {
      throw new RangeError(`buckets must be finite numbers (+Inf may be last), not ${bound}`);
    }
    if (index > 0 && !(numbers[index - 1] < bound)) {
      throw new RangeError(`buckets must ascend: ${bound} comes after ${numbers[index - 1]}`);
    }
  }
  if (numbers.length > mostBuckets) {
    throw new RangeError(`there can be at most ${mostBuckets} buckets, not ${numbers.length}`);
  }
  return numbers;
}

function checkStates(values: unknown): string[] {
  if (!Array.isArray(values)) {
    throw new TypeError(`enumValues must be an array of strings, not ${shown(values)}`);
  }
  return values.map((value) => {
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw new TypeError(`enumValues must be strings, not ${shown(value)}`);
  });
}

/** The declaration checked, with its members in the order of {@linkcode repeated}. */
function checked(declaration: FamilyDeclaration, validation: NameValidation): Repeated {
  const { help, type, unit, buckets, enum: label, enumValues, mode } = declaration;
  const { quantiles, maxAgeSeconds, ageBuckets } = declaration;
  checkText("help", help);
  checkText("unit", unit);
  if (type !== undefined && !Object.hasOwn(typeNames, type)) {
    const names = Object.keys(typeNames).join(", ");
    throw new TypeError(`type must be one of ${names}, not ${shown(type)}`);
  }
  if (label !== undefined) checkLabelName(label, validation);
  if (mode !== undefined && !Object.hasOwn(modeBytes, mode)) {
    throw new TypeError(
      `mode must be one of ${Object.keys(modeBytes).join(", ")}, not ${shown(mode)}`,
    );
  }
  return {
    help,
    type,
    buckets: buckets === undefined ? undefined : checkBuckets(buckets),
    enum: label,
    enumValues: enumValues === undefined ? undefined : checkStates(enumValues),
    mode,
    ttlMs: declaration.ttlMs,
    maxSeries: declaration.maxSeries,
    quantiles,
    maxAgeSeconds,
    ageBuckets,
  };
}

/** What a type is called. A state set's label has its name, or OpenMetrics refuses it. */
function typeOf(name: string, { type, enum: label }: Declaration): TypeNames | undefined {
  if (type === undefined) return undefined;
  return typeNames[type === "stateset" && label !== name ? "gauge" : type];
}

/** What C reads of a declaration, then the rest. */
function machineRead(name: string, declaration: FamilyDeclaration): string {
  const { mode, ttlMs, unit } = declaration;
  const merge = mode === undefined ? "-." : modeBytes[mode];
  const type = typeOf(name, declaration)?.byte ?? "-";
  return `${merge}${type}${ttlMs ?? ""};${JSON.stringify({ unit })}`;
}

/** The header of the text format. */
function header(name: string, declaration: Declaration): string {
  const text = nameInHeader(name);
  const { help } = declaration;
  const type = typeOf(name, declaration)?.text;
  return (help === undefined ? "" : `# HELP ${text} ${escapeHelp(help)}\n`) +
    (type === undefined ? "" : `# TYPE ${text} ${type}\n`);
}

/** The header of OpenMetrics. */
function openMetricsHeader(name: string, declaration: Declaration): string {
  const { help, unit } = declaration;
  const type = typeOf(name, declaration);
  const suffix = type?.suffix ?? "";
  const stripped = suffix !== "" && name !== suffix && name.endsWith(suffix);
  const family = stripped ? name.slice(0, -suffix.length) : name;
  const text = nameInHeader(family);
  return (type === undefined ? "" : `# TYPE ${text} ${type.openMetrics}\n`) +
    (hasUnit(family, unit, type) ? `# UNIT ${text} ${unit}\n` : "") +
    (help === undefined ? "" : `# HELP ${text} ${escapeQuoted(help)}\n`);
}

/** Whether OpenMetrics has a line for the unit. */
function hasUnit(family: string, unit: string | undefined, type: TypeNames | undefined): boolean {
  if (unit === undefined || !/^[a-zA-Z0-9_:]+$/.test(unit)) return false;
  return family.endsWith(`_${unit}`) && family !== `_${unit}` &&
    type?.byte !== "i" && type?.byte !== "e";
}

/** An enum's states as they are printed, in that order, each once. */
function printedStates(label: string, values: readonly string[]): string[] {
  return sortedStates(label, values).map((value) => printedLabel(label, value));
}

function sortedStates(label: string, values: readonly string[]): string[] {
  const printed = new Map(values.map((value) => [value, printedLabel(label, value)]));
  return [...printed].sort(([, a], [, b]) => compareBytes(a, b)).map(([value]) => value);
}

/** What the store's text of a declaration means. */
function familyOf(canonical: string): Family {
  const family = JSON.parse(canonical) as FamilyDeclaration;
  const { buckets, enum: label, enumValues, mode, maxSeries } = family;
  const states = label === undefined ? [] : sortedStates(label, enumValues ?? []);
  return {
    kind: gaugeKind(mode),
    buckets: buckets && Float64Array.from(buckets as number[]),
    enumLabel: label,
    states: new Map(states.map((value, index) => [value, index])),
    maxSeries,
  };
}

/** What keeps the values of a gauge of this mode. */
export function gaugeKind(mode: GaugeMode | undefined): Family["kind"] {
  if (mode === undefined) return native.Kind.value;
  return mode.endsWith("mostrecent") ? native.Kind.recent : native.Kind.live;
}

/** Which members differ, for people. */
function difference(old: Repeated, now: Repeated): string {
  const text = (value: unknown) => value === undefined ? "missing" : JSON.stringify(value);
  return repeated.filter((key) => text(old[key]) !== text(now[key]))
    .map((key) => `${key} was ${text(old[key])}, is now ${text(now[key])}`).join("; ");
}

/** The metrics that were declared, here or by any other worker. */
export class Families {
  readonly #store: Store;
  readonly #validation: NameValidation;
  /** Only what was found: what is not declared now may be a moment later, by another worker. */
  readonly #known = new Map<string, Family>();

  constructor(store: Store, validation: NameValidation) {
    this.#store = store;
    this.#validation = validation;
  }

  /** What was declared for a name, if anything. */
  find(name: string): Family | undefined {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const canonical = native.declared(this.#store.attachment, name, 0);
    if (canonical === failures.NOT_FOUND[0] || canonical === failures.TOO_LONG[0]) return undefined;
    if (typeof canonical === "number") throw this.#store.failure(canonical, `look up ${name}`);
    const family = familyOf(canonical);
    this.#known.set(name, family);
    return family;
  }

  /**
   * Declares a metric.
   *
   * @throws {TypeError | RangeError} if the declaration is not valid
   * @throws {StoreError} MISMATCH if it was declared differently; any limit of the store
   */
  declare(name: string, declaration: FamilyDeclaration): void {
    checkMetricName(name, this.#validation);
    if (typeof declaration !== "object" || declaration === null) {
      throw new TypeError(`a declaration must be an object, not ${shown(declaration)}`);
    }
    const content = checked(declaration, this.#validation);
    const states = content.enum === undefined || content.enumValues === undefined
      ? []
      : printedStates(declaration.enum!, content.enumValues as string[]);
    const result = native.declare(this.#store.attachment, name, [
      JSON.stringify(content),
      machineRead(name, declaration),
      header(name, declaration),
      openMetricsHeader(name, declaration),
      ...states,
    ]);
    if (result === failures.MISMATCH[0]) throw this.#mismatch(name, content);
    this.#store.check(result, `declare ${name}`);
  }

  #mismatch(name: string, now: Repeated): StoreError {
    const old = native.declared(this.#store.attachment, name, 0);
    const why = typeof old === "string" ? `: ${difference(JSON.parse(old), now)}` : "";
    return new StoreError("MISMATCH", `redeclaration of '${name}' with mismatched meta${why}`);
  }
}

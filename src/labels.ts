/**
 * Names and labels as text: what is valid, in which order labels stand, how values are escaped.
 *
 * @module
 */

import { Kind, type SeriesKey } from "../ffi/native.ts";

/** A label's value. Numbers and booleans are turned into text: `1` and `"1"` are one series. */
export type LabelValue = string | number | boolean;

/**
 * The labels of a series. A label without a value (`undefined`, `null`) is dropped with a warning;
 * it also takes away the default label of its name.
 */
export type Labels = Record<string, LabelValue | null | undefined>;

/** Which names are valid: Prometheus's own set, or any text as in Prometheus 3. */
export type NameValidation = "legacy" | "utf8";

/** A label that has a value, as text. */
export type LabelPair = readonly [name: string, value: string];

const legacyMetricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const legacyLabelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** Whether a text that is not empty is a valid name of a metric. */
export function isMetricName(name: string, validation: NameValidation): boolean {
  return validation === "utf8" || legacyMetricName.test(name);
}

/**
 * Checks a metric's name.
 *
 * @throws {TypeError} if it is not valid
 */
export function checkMetricName(name: unknown, validation: NameValidation): asserts name is string {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`a metric's name must be a text that is not empty, not ${shown(name)}`);
  }
  if (isMetricName(name, validation)) return;
  throw new TypeError(
    `invalid metric name ${shown(name)}: only letters, digits, _ and : are allowed, and no digit ` +
      `first; nameValidation: "utf8" allows any name`,
  );
}

/**
 * A metric's name as the store knows it: with the prefix before it.
 *
 * @throws {TypeError} if it is not valid
 */
export function fullName(prefix: string, name: unknown, validation: NameValidation): string {
  const full = prefix === "" || typeof name !== "string" || name === "" ? name : prefix + name;
  checkMetricName(full, validation);
  return full;
}

/**
 * Checks a label's name.
 *
 * @throws {TypeError} if it is not valid
 */
export function checkLabelName(name: unknown, validation: NameValidation): asserts name is string {
  if (typeof name !== "string" || name === "") {
    throw new TypeError(`a label's name must be a text that is not empty, not ${shown(name)}`);
  }
  if (name === "__name__") {
    throw new TypeError(`invalid label name "__name__": Prometheus keeps it for the metric's name`);
  }
  if (validation === "utf8" || legacyLabelName.test(name)) return;
  throw new TypeError(
    `invalid label name ${shown(name)}: only letters, digits and _ are allowed, and no digit ` +
      `first; nameValidation: "utf8" allows any name`,
  );
}

/** Any value as it may stand in a message. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 200 ? value.slice(0, 200) + "…" : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? "an array" : "an object";
    default:
      return String(value);
  }
}

/**
 * The text of a label's value.
 *
 * @throws {TypeError} if it is neither text, number nor boolean
 */
export function labelText(name: string, value: unknown): string {
  switch (typeof value) {
    case "string":
      return value;
    case "number":
    case "boolean":
      return String(value);
    default:
      throw new TypeError(
        `the value of label ${shown(name)} must be a string, number or boolean, ` +
          `not ${shown(value)}`,
      );
  }
}

/** Whether an object can be labels, and does not only look like them. */
export function isRecord(labels: object): boolean {
  return !Array.isArray(labels) && !(labels instanceof Map);
}

/**
 * Checks that labels are a record.
 *
 * @throws {TypeError} if they are not
 */
export function checkLabels(labels: unknown): asserts labels is Labels | null | undefined {
  if (labels === undefined || labels === null) return;
  if (typeof labels === "object" && isRecord(labels)) return;
  throw new TypeError(
    `labels must be an object such as { method: "GET" }, not ${
      labels instanceof Map ? "a Map" : shown(labels)
    }`,
  );
}

/**
 * The labels of one call: defaults, overridden by the call's own, in the order they are printed.
 *
 * @param onUndefined told the name of each label that has no value
 */
export function labelPairs(
  defaults: readonly LabelPair[],
  labels: Labels | null | undefined,
  validation: NameValidation,
  onUndefined: (name: string) => void,
): LabelPair[] {
  checkLabels(labels);
  const pairs = new Map<string, string>(defaults);
  const undefinedNames: string[] = [];
  for (const name of Object.keys(labels ?? {})) {
    const value = labels![name];
    checkLabelName(name, validation);
    if (value === undefined || value === null) {
      pairs.delete(name);
      undefinedNames.push(name);
    } else {
      pairs.set(name, labelText(name, value));
    }
  }
  undefinedNames.sort(compareBytes).forEach(onUndefined);
  return [...pairs].sort(([a], [b]) => compareBytes(a, b));
}

/** Where in the order of UTF-8 bytes a UTF-16 unit stands: surrogates come after U+E000..U+FFFF. */
function byteRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** Compares two texts by their UTF-8 bytes. */
export function compareBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return byteRank(x) - byteRank(y);
  }
  return a.length - b.length;
}

/** Escapes a text for between double quotes. */
export function escapeQuoted(text: string): string {
  return /[\\"\n]/.test(text)
    ? text.replace(/[\\"\n]/g, (c) => c === "\n" ? "\\n" : "\\" + c)
    : text;
}

/** Escapes a help text of the text format; in OpenMetrics it is escaped as between quotes. */
export function escapeHelp(text: string): string {
  return text.replace(/[\\\n]/g, (c) => c === "\n" ? "\\n" : "\\\\");
}

/** A metric's name as it stands in HELP and TYPE lines: in quotes if it is not a legacy name. */
export function nameInHeader(name: string): string {
  return legacyMetricName.test(name) ? name : `"${escapeQuoted(name)}"`;
}

/** A label as it is printed. */
export function printedLabel(name: string, value: string): string {
  const key = legacyLabelName.test(name) ? name : `"${escapeQuoted(name)}"`;
  return `${key}="${escapeQuoted(value)}"`;
}

/** The label that C adds to the lines of a series of this kind. */
export function insertedLabel(kind: Kind): "le" | "quantile" | undefined {
  return kind === Kind.histogram ? "le" : kind === Kind.summary ? "quantile" : undefined;
}

/**
 * A series as it is printed, and where one more label would be inserted.
 *
 * @param pairs sorted, as {@linkcode labelPairs} gives them
 * @param inserted the name of a label that C adds (`le`, or an enum's); one of that name in `pairs`
 * is what it replaces
 */
export function seriesKey(
  name: string,
  pairs: readonly LabelPair[],
  inserted?: string,
): SeriesKey {
  const quoted = !legacyMetricName.test(name);
  if (pairs.length === 0) {
    const printed = quoted ? `{"${escapeQuoted(name)}"}` : name;
    const insertAt = quoted ? printed.length - 1 : printed.length;
    return { name, printed, quoted, insertAt, replaces: 0 };
  }
  let printed = quoted ? `{"${escapeQuoted(name)}",` : `${name}{`;
  let insertAt = -1;
  let replaces = 0;
  for (const [index, [label, value]] of pairs.entries()) {
    if (index > 0) printed += ",";
    const text = printedLabel(label, value);
    if (inserted !== undefined && insertAt < 0 && compareBytes(label, inserted) >= 0) {
      insertAt = printed.length;
      if (label === inserted) replaces = text.length;
    }
    printed += text;
  }
  if (insertAt < 0) insertAt = printed.length;
  return { name, printed: printed + "}", quoted, insertAt, replaces };
}

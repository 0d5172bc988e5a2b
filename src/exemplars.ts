/**
 * Exemplars: which trace a number came from.
 *
 * @module
 */

import { checkLabelName, escapeQuoted, shown } from "./labels.ts";

/**
 * The labels of an exemplar, such as `{ trace_id: "4bf92f35" }`. Names and values together may have 128
 * characters.
 */
export type Exemplar = Readonly<Record<string, string | number>>;

const MOST_CHARACTERS = 128;

/** Characters as OpenMetrics counts them: code points. */
function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/**
 * An exemplar's labels as they are printed, without braces.
 *
 * @throws {TypeError} if they are no record of texts and numbers, or a name is not valid
 * @throws {RangeError} if they are too long
 */
export function printedExemplar(labels: Exemplar): string {
  if (typeof labels !== "object" || labels === null || Array.isArray(labels)) {
    throw new TypeError(
      `an exemplar must be an object such as { trace_id: "4bf92f35" }, not ${shown(labels)}`,
    );
  }
  let total = 0;
  const printed: string[] = [];
  for (const [name, value] of Object.entries(labels)) {
    if (value === undefined || value === null) continue;
    checkLabelName(name, "legacy");
    if (typeof value !== "string" && typeof value !== "number") {
      throw new TypeError(
        `the value of an exemplar's label ${shown(name)} must be a string or a number, ` +
          `not ${shown(value)}`,
      );
    }
    const text = String(value);
    total += characters(name) + characters(text);
    printed.push(`${name}="${escapeQuoted(text)}"`);
  }
  if (total <= MOST_CHARACTERS) return printed.join(",");
  throw new RangeError(
    `an exemplar's names and values may have ${MOST_CHARACTERS} characters together, not ${total}`,
  );
}

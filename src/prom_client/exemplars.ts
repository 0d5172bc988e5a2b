/**
 * The labels of exemplars.
 *
 * @module
 */

/** Labels of an exemplar: names and values have at most 128 characters together. */
export type ExemplarLabels = Record<string, string | number>;

const MOST_CHARACTERS = 128;

/**
 * Checks an exemplar's labels before anything is counted.
 *
 * @returns the labels, or undefined if there are none: then the exemplar before stays
 * @throws {RangeError} if they are too long
 */
export function checkExemplar(labels: unknown): ExemplarLabels | undefined {
  const entries = Object.entries(labels ?? {});
  if (entries.length === 0) return undefined;
  if (entries.flat().join("").length > MOST_CHARACTERS) {
    throw new RangeError("Label set size must be smaller than 128 UTF-8 chars");
  }
  return labels as ExemplarLabels;
}

/**
 * Labels as prom-client takes them: in the order of `labelNames`, or as an object, all or some.
 *
 * @module
 */

import { inspect } from "node:util";
import { printedLabel } from "../labels.ts";

/** Labels as callers give them. */
export type AnyLabels = Record<string, unknown>;

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const labelName = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/**
 * Says whether a metric may have this name.
 *
 * @param name the name to look at
 * @returns true if it only has letters, digits, `_` and `:`, and no digit first
 *
 * @example
 * ```ts
 * import { validateMetricName } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * assert.equal(validateMetricName("http_requests_total"), true);
 * assert.equal(validateMetricName("http-requests"), false);
 * ```
 */
export function validateMetricName(name: string): boolean {
  return metricName.test(name);
}

/** Whether all of these may be names of labels. */
export function areLabelNames(names: readonly string[]): boolean {
  return names.every((name) => labelName.test(name));
}

/** Whether an argument is labels and no value. */
export function isLabels(argument: unknown): argument is AnyLabels {
  return typeof argument === "object" && argument !== null;
}

/**
 * The labels that the arguments of `labels()` and `remove()` mean.
 *
 * @throws {Error} if they are values, and not one for each name
 */
export function labelsOf(names: readonly string[], args: readonly unknown[]): AnyLabels {
  const [first] = args;
  if (isLabels(first)) return first;
  if (args.length !== names.length) {
    throw new Error(
      `Invalid number of arguments (${args.length}): "${args.join(", ")}" for label names ` +
        `(${names.length}): "${names.join(", ")}".`,
    );
  }
  const labels: AnyLabels = {};
  for (let i = 0; i < names.length; i++) labels[names[i]] = args[i];
  return labels;
}

/** @throws {Error} if a label is none of the metric's */
export function checkLabels(names: readonly string[], labels: AnyLabels): void {
  for (const name in labels) {
    if (names.includes(name)) continue;
    throw new Error(
      `Added label "${name}" is not included in initial labelset: ${inspect(names)}`,
    );
  }
}

/** Those that have a value, as text, in the order of their names: what the store knows of them. */
export function storedLabels(labels: AnyLabels): Record<string, string> {
  const pairs = Object.keys(labels)
    .filter((name) => labels[name] !== undefined)
    .sort()
    .map((name) => [name, String(labels[name])]);
  return Object.fromEntries(pairs);
}

/** Labels as the store prints them: what tells series apart, since no value can imitate it. */
export function printedLabels(stored: Readonly<Record<string, string>>): string {
  let printed = "";
  for (const name in stored) {
    printed += `${printed === "" ? "" : ","}${printedLabel(name, stored[name])}`;
  }
  return printed;
}

/** Labels of their own for a series: its caller may change the object that it gave. */
export function copyOf(labels: AnyLabels): AnyLabels {
  const copy: AnyLabels = {};
  for (const name of Object.keys(labels)) {
    if (labels[name] !== undefined) copy[name] = labels[name];
  }
  return copy;
}

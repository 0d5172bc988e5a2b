/**
 * Prints metrics as prom-client does: in the order in which they were registered, and labels in the
 * order in which they were given.
 *
 * @module
 */

import { escapeHelp, escapeQuoted } from "../labels.ts";
import type { MetricObjectWithValues, MetricValue } from "./types.ts";

/** Values of whatever object was registered: parts may be missing. */
export interface Printable extends Omit<MetricObjectWithValues, "values"> {
  values?: readonly PrintableValue[];
}

type PrintableValue = Omit<MetricValue, "labels"> & { labels?: MetricValue["labels"] };

type AnyLabels = Readonly<Record<string, unknown>>;

function escapedValue(value: unknown): string {
  return typeof value === "string" ? escapeQuoted(value) : String(value);
}

function numberText(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

/** Labels as they are printed, without those of the same names in another object. */
function labelTexts(labels: AnyLabels, without: AnyLabels = {}): string {
  let texts = "";
  for (const name of Object.keys(labels)) {
    if (Object.hasOwn(without, name)) continue;
    texts += `${texts === "" ? "" : ","}${name}="${escapedValue(labels[name])}"`;
  }
  return texts;
}

/** A line's own labels, then the defaults that nothing overrides, then those of its series. */
function labelText(labels: AnyLabels, defaults: AnyLabels, shared: AnyLabels): string {
  const texts = [
    labelTexts(labels, shared),
    labelTexts(defaults, { ...labels, ...shared }),
    labelTexts(shared),
  ].filter((text) => text !== "");
  return texts.length === 0 ? "" : `{${texts.join(",")}}`;
}

function exemplarText({ exemplar }: PrintableValue): string {
  if (exemplar === undefined || exemplar === null) return "";
  const { labelSet, value, timestamp } = exemplar;
  return ` # {${labelTexts(labelSet)}} ${numberText(value)} ${timestamp}`;
}

/** The name of a counter in OpenMetrics: its samples have `_total` behind it. */
export function withoutTotal(name: string): string {
  return name.replace(/_total$/, "");
}

/**
 * A metric's lines, without the last line's end.
 *
 * @param metric what its `get()` promised
 * @param defaults the registry's default labels
 * @param isOpenMetrics counters end in `_total`, and exemplars are printed
 */
export function metricText(metric: Printable, defaults: AnyLabels, isOpenMetrics: boolean): string {
  const isTotal = isOpenMetrics && metric.type === "counter";
  const base = (name: string) => isTotal ? withoutTotal(name) : name;
  const name = escapeHelp(base(metric.name));
  const type = isOpenMetrics && String(metric.type) === "untyped" ? "unknown" : metric.type;
  const lines = [`# HELP ${name} ${escapeHelp(metric.help)}`, `# TYPE ${name} ${type}`];
  if (metric.help === "") lines.shift(); // what the store has without a declaration
  for (const value of metric.values ?? []) {
    const { labels = {}, sharedLabels = {}, metricName } = value;
    const sample = (metricName === undefined ? name : base(metricName)) + (isTotal ? "_total" : "");
    lines.push(
      sample + labelText(labels, defaults, sharedLabels) + " " + numberText(value.value) +
        (isOpenMetrics ? exemplarText(value) : ""),
    );
  }
  return lines.join("\n");
}

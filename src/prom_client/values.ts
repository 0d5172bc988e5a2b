/**
 * What series stand at, in the form in which prom-client tells it.
 *
 * @module
 */

import type { Line, StoredSeries } from "./series.ts";
import type { MetricType, MetricValue } from "./types.ts";

/** The values of a metric's series; of histograms with the series's own labels apart. */
export function valuesOf(
  type: MetricType,
  name: string,
  series: readonly StoredSeries[],
): MetricValue[] {
  if (type === "histogram") return series.flatMap((one) => histogramValues(name, one));
  if (type === "summary") return series.flatMap((one) => summaryValues(name, one));
  return series.map(({ labels, lines: [{ value, exemplar }] }) => (
    exemplar === undefined ? { value, labels } : { value, labels, exemplar }
  ));
}

/** The values of what only other workers have registered, of whatever type. */
export function foreignValues(
  type: string,
  name: string,
  series: readonly StoredSeries[],
): MetricValue[] {
  if (/^(?:counter|gauge|histogram|summary)$/.test(type)) {
    return valuesOf(type as MetricType, name, series);
  }
  return series.flatMap(({ labels, lines }) => (
    lines.map((line) => ({ value: line.value, labels, metricName: line.name }))
  ));
}

function histogramValues(name: string, { labels, lines }: StoredSeries): MetricValue[] {
  const values: MetricValue[] = [];
  for (const { at, value, exemplar = null } of lines) {
    if (at === undefined) continue;
    const le = at === "+Inf" ? at : Number(at);
    const metricName = `${name}_bucket`;
    values.push({ labels: { le }, value, metricName, exemplar, sharedLabels: labels });
  }
  for (const part of ["_sum", "_count"]) {
    const value = partOf(lines, part);
    values.push({ labels: {}, value, metricName: name + part, sharedLabels: labels });
  }
  return values;
}

function summaryValues(name: string, { labels, lines }: StoredSeries): MetricValue[] {
  const values: MetricValue[] = [];
  for (const { at, value } of lines) {
    if (at !== undefined) values.push({ labels: { quantile: Number(at), ...labels }, value });
  }
  for (const part of ["_sum", "_count"]) {
    values.push({ metricName: name + part, labels, value: partOf(lines, part) });
  }
  return values;
}

function partOf(lines: readonly Line[], part: string): number {
  return lines.find(({ at, name }) => at === undefined && name.endsWith(part))?.value ?? 0;
}

/** Values for JSON: every label in one object. */
export function withoutSharedLabels(values: readonly MetricValue[]): MetricValue[] {
  return values.map(({ sharedLabels, ...value }) => (
    sharedLabels === undefined ? value : { ...value, labels: { ...value.labels, ...sharedLabels } }
  ));
}

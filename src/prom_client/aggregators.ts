/**
 * How the values of several processes become one.
 *
 * @module
 */

import { type AnyLabels, printedLabels, storedLabels } from "./labels.ts";
import type { Aggregator, MetricObjectWithValues, MetricValue } from "./types.ts";

/** Makes one metric of those that several processes told of it; undefined leaves it out. */
export type AggregatorFunction = (
  metrics: readonly MetricObjectWithValues[],
) => MetricObjectWithValues | undefined;

/** Applies a function to the values of the same name and labels. */
function each(one: (values: readonly number[]) => number): AggregatorFunction {
  return (metrics) => {
    if (metrics.length === 0) return undefined;
    const groups = new Map<string, MetricValue[]>();
    for (const value of metrics.flatMap(({ values }) => values)) {
      const labels = printedLabels(storedLabels(value.labels as AnyLabels));
      const key = `${value.metricName ?? ""} ${labels}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [value]);
      else group.push(value);
    }
    const values = [...groups.values()].map((group) => {
      const [{ labels, metricName }] = group;
      const value = one(group.map((value) => value.value));
      return metricName === undefined ? { value, labels } : { value, labels, metricName };
    });
    const [{ help, name, type, aggregator }] = metrics;
    return { help, name, type, values, aggregator };
  };
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/**
 * The ways to make one metric of several.
 *
 * @example
 * ```ts
 * import { aggregators } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const one = { help: "", name: "x", type: "gauge", aggregator: "max" } as const;
 * const both = aggregators.max([
 *   { ...one, values: [{ value: 1, labels: {} }] },
 *   { ...one, values: [{ value: 3, labels: {} }] },
 * ]);
 * assert.deepEqual(both?.values, [{ value: 3, labels: {} }]);
 * ```
 */
export const aggregators: Readonly<Record<Aggregator, AggregatorFunction>> = {
  sum: each(sum),
  first: each(([value]) => value),
  omit: () => undefined,
  average: each((values) => sum(values) / values.length),
  min: each((values) => values.reduce((least, value) => Math.min(least, value))),
  max: each((values) => values.reduce((most, value) => Math.max(most, value))),
};

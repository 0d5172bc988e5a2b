/**
 * What the parts of `./prom-client` tell each other, and applications see of metrics.
 *
 * @module
 */

import type { MetricStore } from "./stores.ts";

/** The content type of the text format 0.0.4. */
export type PrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

/** The content type of OpenMetrics 1.0.0. */
export type OpenMetricsContentType = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** What a registry can print. */
export type RegistryContentType = PrometheusContentType | OpenMetricsContentType;

/** A metric's type, as its TYPE line says it. */
export type MetricType = "counter" | "gauge" | "histogram" | "summary";

/** Labels of one series: some or all of the metric's `labelNames`. */
export type LabelValues<T extends string> = Partial<Record<T, string | number>>;

/** How the values of several workers become one. */
export type Aggregator = "omit" | "sum" | "first" | "min" | "max" | "average";

/** Sets a metric's values just before they are read; `this` is the metric. */
export type CollectFunction<T> = (this: T) => void | Promise<void>;

/** An example of what was counted, with labels of its own. */
export interface Exemplar {
  /** Its labels, such as a trace's id. */
  labelSet: Record<string, string | number>;
  /** The value that was counted. */
  value: number;
  /** When, in seconds since 1970. */
  timestamp: number;
}

/** One number of a metric. */
export interface MetricValue<T extends string = string> {
  /** The number. */
  value: number;
  /** Its labels; of buckets and quantiles with `le` or `quantile`. */
  labels: LabelValues<T | "le" | "quantile">;
  /** The sample's name, where it is not the metric's: `x_bucket`, `x_sum`, `x_count`. */
  metricName?: string;
  /** Of a counter or bucket with exemplars enabled. */
  exemplar?: Exemplar | null;
  /** Labels that stand behind all others in text. */
  sharedLabels?: LabelValues<T>;
}

/** What a metric's `get()` promises. */
export interface MetricObjectWithValues<V extends MetricValue = MetricValue> {
  /** The metric's name. */
  name: string;
  /** Its help text. */
  help: string;
  /** Its type. */
  type: MetricType;
  /** How the values of several workers become one. */
  aggregator: Aggregator;
  /** Its numbers, series by series. */
  values: V[];
}

/** What a registry takes: a metric of this module, or anything that tells its values like one. */
export interface Registrable {
  /** The name under which it is registered. */
  readonly name?: string;
  /** Its values now. */
  get(): unknown;
  /** Its values with their shared labels apart, for text. */
  getForPromString?(): unknown;
  /** Sets its values back. */
  reset?(): void;
}

/** Takes a metric's values out of a store; its own values are kept privately from then on. */
export const leaveStore: unique symbol = Symbol("leaveStore");

/** A metric of this module, whose values a store keeps. */
export interface Stored {
  [leaveStore](store: MetricStore): void;
}

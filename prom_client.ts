/**
 * prom-client's interface on a store that all workers share: an application switches by changing
 * one import.
 *
 * The default `register` keeps its metrics in the file that `PROMETHEUS_TINY_FILE` or
 * `register.open()` names. Every worker with the same file, process or thread, adds to the same
 * metrics, and each of them can print them all. Without a file they are this thread's own, as with
 * prom-client. What differs on purpose is listed in `docs/from-prom-client.md`.
 *
 * ```ts
 * import { Counter, register } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const requests = new Counter({
 *   name: "http_requests_total",
 *   help: "Requests answered.",
 *   labelNames: ["method"],
 * });
 * requests.inc({ method: "GET" });
 * assert.match(await register.metrics(), /^http_requests_total\{method="GET"\} 1$/m);
 * ```
 *
 * @module
 */

import { aggregators } from "./src/prom_client/aggregators.ts";
import { exponentialBuckets, linearBuckets } from "./src/prom_client/bucket_generators.ts";
import { AggregatorRegistry } from "./src/prom_client/cluster.ts";
import { Counter } from "./src/prom_client/counter.ts";
import { collectDefaultMetrics } from "./src/prom_client/default_metrics.ts";
import { Gauge } from "./src/prom_client/gauge.ts";
import { Histogram } from "./src/prom_client/histogram.ts";
import { validateMetricName } from "./src/prom_client/labels.ts";
import { Pushgateway } from "./src/prom_client/pushgateway.ts";
import { Registry } from "./src/prom_client/registry.ts";
import { Summary } from "./src/prom_client/summary.ts";
import type {
  OpenMetricsContentType,
  PrometheusContentType,
  RegistryContentType,
} from "./src/prom_client/types.ts";

/** The default registry: all metrics are in it that are not given another. */
export const register: Registry<RegistryContentType> = Registry.globalRegistry;

/** What the default registry prints unless told otherwise. */
export const contentType: RegistryContentType = register.contentType;

/** The content type of the text format 0.0.4. */
export const prometheusContentType: PrometheusContentType = Registry.PROMETHEUS_CONTENT_TYPE;

/** The content type of OpenMetrics 1.0.0. */
export const openMetricsContentType: OpenMetricsContentType = Registry.OPENMETRICS_CONTENT_TYPE;

export type { AggregatorFunction } from "./src/prom_client/aggregators.ts";
export type {
  CounterConfiguration,
  CounterSeries,
  IncreaseDataWithExemplar,
} from "./src/prom_client/counter.ts";
export type { DefaultMetricsCollectorConfiguration } from "./src/prom_client/default_group.ts";
export type { CollectDefaultMetrics } from "./src/prom_client/default_metrics.ts";
export type { ExemplarLabels } from "./src/prom_client/exemplars.ts";
export type { GaugeConfiguration, GaugeSeries } from "./src/prom_client/gauge.ts";
export type {
  HistogramConfiguration,
  HistogramSeries,
  ObserveDataWithExemplar,
} from "./src/prom_client/histogram.ts";
export type { Metric, MetricConfiguration } from "./src/prom_client/metric.ts";
export type { SharedStoreOptions } from "./src/prom_client/open_stores.ts";
export type {
  PushgatewayOptions,
  PushgatewayParameters,
  PushgatewayResult,
} from "./src/prom_client/pushgateway.ts";
export type { SummaryConfiguration, SummarySeries } from "./src/prom_client/summary.ts";
export type {
  Aggregator,
  CollectFunction,
  Exemplar,
  LabelValues,
  MetricObjectWithValues,
  MetricType,
  MetricValue,
  OpenMetricsContentType,
  PrometheusContentType,
  Registrable,
  RegistryContentType,
} from "./src/prom_client/types.ts";
export {
  AggregatorRegistry,
  aggregators,
  collectDefaultMetrics,
  Counter,
  exponentialBuckets,
  Gauge,
  Histogram,
  linearBuckets,
  Pushgateway,
  Registry,
  Summary,
  validateMetricName,
};

/** All of it as one object, for `import client from`. */
const client: {
  readonly register: typeof register;
  readonly Registry: typeof Registry;
  contentType: RegistryContentType;
  readonly prometheusContentType: PrometheusContentType;
  readonly openMetricsContentType: OpenMetricsContentType;
  readonly validateMetricName: typeof validateMetricName;
  readonly Counter: typeof Counter;
  readonly Gauge: typeof Gauge;
  readonly Histogram: typeof Histogram;
  readonly Summary: typeof Summary;
  readonly Pushgateway: typeof Pushgateway;
  readonly linearBuckets: typeof linearBuckets;
  readonly exponentialBuckets: typeof exponentialBuckets;
  readonly collectDefaultMetrics: typeof collectDefaultMetrics;
  readonly AggregatorRegistry: typeof AggregatorRegistry;
  readonly aggregators: typeof aggregators;
} = {
  register,
  Registry,
  get contentType() {
    return register.contentType;
  },
  set contentType(contentType: RegistryContentType) {
    register.setContentType(contentType);
  },
  prometheusContentType,
  openMetricsContentType,
  validateMetricName,
  Counter,
  Gauge,
  Histogram,
  Summary,
  Pushgateway,
  linearBuckets,
  exponentialBuckets,
  collectDefaultMetrics,
  AggregatorRegistry,
  aggregators,
};

export default client;

/**
 * Prometheus metrics that all workers on a machine share: processes and threads, with no master, no
 * messages and no server.
 *
 * ```ts
 * import { PrometheusTinyShared, sharedFile } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * const prom = new PrometheusTinyShared({ filename: sharedFile("my-service"), initFile: true });
 * const requests = prom.counter("requests_total", { labelNames: ["method"] });
 * requests.inc({ method: "GET" });
 * assert.match(prom.format(), /requests_total\{method="GET"\} 1/); // or Deno.serve(prom.handler())
 * prom.close();
 * ```
 *
 * @module
 */

export { StoreError } from "./src/errors.ts";
export type { Declaration, GaugeMode, MetricType } from "./src/families.ts";
export type { MetricsHandler } from "./src/http.ts";
export type { Labels, LabelValue, NameValidation } from "./src/labels.ts";
export type {
  Counter,
  CounterChild,
  CounterOptions,
  EndTimer,
  Gauge,
  GaugeChild,
  GaugeOptions,
  Histogram,
  HistogramChild,
  HistogramOptions,
  HistogramValue,
  LabelsOf,
  Metric,
  MetricOptions,
} from "./src/metrics.ts";
export type { NumberLike } from "./src/numbers.ts";
export type { BucketOrder, CacheArgs, PrometheusTinySharedOptions } from "./src/options.ts";
export { PrometheusTinyShared, sharedFile } from "./src/prometheus_tiny.ts";

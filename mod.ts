/**
 * Prometheus metrics and a cache that all workers on a machine share: processes and threads, with no
 * master, no messages and no server.
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
 * ```ts
 * import { FastMmap, sharedFile } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * using cache = new FastMmap<string>({ shareFile: sharedFile("my-service-cache"), expireTime: "10m" });
 * const page = await cache.getOrSet("/", () => "rendered once for all workers");
 * assert.equal(cache.get("/"), page);
 * ```
 *
 * @module
 */

export { exponentialBuckets, exponentialBucketsRange, linearBuckets } from "./src/buckets.ts";
export type { GetOrSetOptions, LockOptions } from "./src/cache_async.ts";
export type { Update } from "./src/cache_core.ts";
export type { EntryDetails, KeyDetails } from "./src/cache_many.ts";
export type { FastMmapOptions, Key } from "./src/cache_options.ts";
export type { CacheStatistics } from "./src/cache_statistics.ts";
export type { Compressor, CompressorPair } from "./src/compressors.ts";
export type { Duration } from "./src/durations.ts";
export {
  collectDefaultMetrics,
  type DefaultMetrics,
  type DefaultMetricsOptions,
} from "./src/default_metrics.ts";
export { StoreError } from "./src/errors.ts";
export type { Exemplar } from "./src/exemplars.ts";
export type { ExpireTime } from "./src/expiry.ts";
export type { Exposition, ExpositionRequest } from "./src/exposition.ts";
export type { Declaration, GaugeMode, MetricType } from "./src/families.ts";
export { type Entries, FastMmap } from "./src/fast_mmap.ts";
export type { MetricsHandler } from "./src/http.ts";
export { instrument, type InstrumentedHandler, type InstrumentOptions } from "./src/instrument.ts";
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
  Info,
  InfoOptions,
  LabelsOf,
  Metric,
  MetricOptions,
  StateSet,
  StateSetChild,
  StateSetOptions,
} from "./src/metrics.ts";
export type { NumberLike } from "./src/numbers.ts";
export type { BucketOrder, CacheArgs, PrometheusTinySharedOptions } from "./src/options.ts";
export { PrometheusTinyShared, sharedFile } from "./src/prometheus_tiny.ts";
export {
  type PushBody,
  Pushgateway,
  PushgatewayError,
  type PushgatewayOptions,
  type PushGroup,
} from "./src/pushgateway.ts";
export type { Routes } from "./src/routes.ts";
export type { Serializer, SerializerPair } from "./src/serializers.ts";
export type { EntryInfo, SetOptions } from "./src/set_options.ts";
export type {
  QuantileValue,
  Summary,
  SummaryChild,
  SummaryOptions,
  SummaryValue,
} from "./src/summaries.ts";

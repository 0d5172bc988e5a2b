/**
 * prom-client's default metrics: of process, event loop and engine, under the same names.
 *
 * @module
 */

import { DefaultGroup, type DefaultMetricsCollectorConfiguration } from "./default_group.ts";
import * as engine from "./engine_metrics.ts";
import { isLabels } from "./labels.ts";
import * as process from "./process_metrics.ts";
import { Registry, storeOf } from "./registry.ts";

/** In the order in which they are printed. */
const groups: Readonly<Record<string, (group: DefaultGroup) => void>> = {
  processCpuTotal: process.processCpuTotal,
  processStartTime: process.processStartTime,
  osMemoryHeap: process.osMemoryHeap,
  processOpenFileDescriptors: process.processOpenFileDescriptors,
  processMaxFileDescriptors: process.processMaxFileDescriptors,
  eventLoopLag: engine.eventLoopLag,
  processResources: engine.processResources,
  processHandles: engine.processHandles,
  processRequests: engine.processRequests,
  heapSizeAndUsed: engine.heapSizeAndUsed,
  heapSpacesSizeAndUsed: engine.heapSpacesSizeAndUsed,
  version: engine.version,
  gc: engine.gc,
};

/** How often a worker refreshes what other workers may print of it. */
const REFRESH_MS = 10_000;

/** The type of {@linkcode collectDefaultMetrics}. */
export interface CollectDefaultMetrics {
  /** Makes the default metrics. */
  (config?: DefaultMetricsCollectorConfiguration | null): void;
  /** The names of their groups. */
  readonly metricsList: readonly string[];
}

/**
 * Makes metrics of the process, its event loop and its engine. Their values are set whenever the
 * registry prints them; in a shared registry also every ten seconds, for whichever worker prints.
 *
 * @example
 * ```ts
 * import { collectDefaultMetrics, register } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * collectDefaultMetrics({ prefix: "shop_" });
 * assert.match(await register.metrics(), /^shop_process_resident_memory_bytes \d+$/m);
 * register.clear();
 * ```
 */
export const collectDefaultMetrics: CollectDefaultMetrics = Object.assign(
  (config?: DefaultMetricsCollectorConfiguration | null) => {
    if (config !== null && config !== undefined && !isLabels(config)) {
      throw new TypeError("config must be null, undefined, or an object");
    }
    const group = new DefaultGroup(config ?? {});
    for (const make of Object.values(groups)) make(group);
    const registry = group.config.register ?? Registry.globalRegistry;
    if (storeOf(registry).isShared) refresh(group, registry);
  },
  { metricsList: Object.keys(groups) },
);

/** Keeps the values fresh until the registry has been cleared. */
function refresh({ metrics }: DefaultGroup, registry: DefaultGroup["config"]["register"] & object) {
  const timer = setInterval(() => {
    const present = metrics.filter((metric) => registry.getSingleMetric(metric.name) === metric);
    for (const metric of present) metric.collect?.();
    if (present.length === 0) clearInterval(timer);
  }, REFRESH_MS);
  (timer as unknown as { unref(): void }).unref(); // it must not keep a worker alive
}

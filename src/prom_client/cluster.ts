/**
 * The metrics of all workers, as prom-client's cluster module gives them.
 *
 * @module
 */

import { aggregators } from "./aggregators.ts";
import { Registry } from "./registry.ts";
import type {
  MetricObjectWithValues,
  PrometheusContentType,
  RegistryContentType,
} from "./types.ts";

let registries: readonly Registry<RegistryContentType>[] = [Registry.globalRegistry];

/**
 * A registry that prints the metrics of all workers.
 *
 * With prom-client the primary asks every worker and waits for the answers. Here the workers'
 * values are in the store that they share, so that any of them can print them at once, and those
 * of workers that have ended are not lost.
 *
 * @example
 * ```ts
 * import { AggregatorRegistry, Counter } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * new Counter({ name: "jobs_done_total", help: "Jobs done, by all workers." }).inc();
 * const text = await new AggregatorRegistry().clusterMetrics();
 * assert.match(text, /^jobs_done_total 1$/m);
 * ```
 */
export class AggregatorRegistry<C extends RegistryContentType = PrometheusContentType>
  extends Registry<C> {
  /**
   * Promises the metrics of all workers, in this registry's format.
   *
   * @returns the text; empty if there are no metrics
   */
  async clusterMetrics(): Promise<string> {
    const all = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
    if (all.every((metrics) => metrics.length === 0)) return "";
    return await AggregatorRegistry.aggregate(all, this.contentType).metrics();
  }

  /**
   * Makes a registry of what several `getMetricsAsJSON()` gave: metrics of one name become one by
   * their `aggregator`.
   *
   * @param metricsArr what each of them gave
   * @param registryType what the new registry prints
   * @throws {Error} if a metric's aggregator is unknown
   */
  static aggregate<C extends RegistryContentType = PrometheusContentType>(
    metricsArr: readonly (readonly object[])[],
    registryType?: C,
  ): Registry<C> {
    const registry = new Registry<C>(registryType);
    const byName = Map.groupBy(metricsArr.flat() as MetricObjectWithValues[], ({ name }) => name);
    for (const metrics of byName.values()) {
      const [{ aggregator }] = metrics;
      if (!Object.hasOwn(aggregators, aggregator)) {
        throw new Error(`'${aggregator}' is not a defined aggregator.`);
      }
      const aggregated = aggregators[aggregator](metrics);
      if (aggregated !== undefined) {
        registry.registerMetric({
          ...aggregated,
          get: () => aggregated,
        });
      }
    }
    return registry;
  }

  /**
   * Chooses the registries that {@linkcode AggregatorRegistry.clusterMetrics} prints: the default
   * one if this is never called.
   *
   * @throws {TypeError} if one of them is no registry
   */
  static setRegistries(
    regs: Registry<RegistryContentType> | readonly Registry<RegistryContentType>[],
  ): void {
    const list = Array.isArray(regs) ? regs : [regs];
    for (const registry of list) {
      if (registry instanceof Registry) continue;
      throw new TypeError(`Expected Registry, got ${typeof registry}`);
    }
    registries = list;
  }
}

/**
 * Registries: which metrics are printed, how, and where they keep their values.
 *
 * @module
 */

import {
  openPrivateStore,
  openSharedStore,
  openStoreOfEnvironment,
  type SharedStoreOptions,
} from "./open_stores.ts";
import { seriesOf } from "./series.ts";
import { type MetricStore, publicName } from "./stores.ts";
import { metricText, type Printable, withoutTotal } from "./text.ts";
import {
  type LabelValues,
  leaveStore,
  type MetricObjectWithValues,
  type MetricType,
  type MetricValue,
  type OpenMetricsContentType,
  type PrometheusContentType,
  type Registrable,
  type RegistryContentType,
  type Stored,
} from "./types.ts";
import { foreignValues, withoutSharedLabels } from "./values.ts";

const prometheusType: PrometheusContentType = "text/plain; version=0.0.4; charset=utf-8";
const openMetricsType: OpenMetricsContentType =
  "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** For metrics: the store in which those of a registry keep their values. */
export let storeOf: (registry: object) => MetricStore;

/**
 * A group of metrics that are printed together.
 *
 * A registry is private, unless it is given a store to share: then its metrics have one value for
 * all workers that share it, and it also prints what only other workers have registered.
 *
 * @example
 * ```ts
 * import { Counter, Registry } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const registry = new Registry();
 * new Counter({ name: "jobs_total", help: "Jobs done.", registers: [registry] }).inc(2);
 * assert.equal(
 *   await registry.metrics(),
 *   "# HELP jobs_total Jobs done.\n# TYPE jobs_total counter\njobs_total 2\n",
 * );
 * ```
 */
export class Registry<C extends RegistryContentType = PrometheusContentType> {
  /** The content type of the text format 0.0.4. */
  static readonly PROMETHEUS_CONTENT_TYPE: PrometheusContentType = prometheusType;
  /** The content type of OpenMetrics 1.0.0. */
  static readonly OPENMETRICS_CONTENT_TYPE: OpenMetricsContentType = openMetricsType;
  /** The default registry. */
  static globalRegistry: Registry<RegistryContentType>;

  #contentType: RegistryContentType;
  #defaultLabels: Readonly<Record<string, unknown>> = {};
  readonly #metrics = new Map<string, Registrable>();
  /** How to find the store, until it is first needed. */
  #open: () => MetricStore;
  #store: MetricStore | undefined;

  /**
   * Makes a registry.
   *
   * @param contentType what it prints: the text format or OpenMetrics
   * @param shared the store that it shares with other workers; without, it is private
   * @throws {TypeError} if the content type is neither of them, or the options name no store
   */
  constructor(contentType: C = prometheusType as C, shared?: SharedStoreOptions) {
    checkContentType(contentType, TypeError);
    this.#contentType = contentType;
    this.#open = openPrivateStore;
    if (shared !== undefined) this.open(shared);
  }

  /**
   * Has the registry share its metrics with all workers that name the same store. The default
   * registry does so by itself when the environment has `PROMETHEUS_TINY_FILE`.
   *
   * @param options the store: its `filename`, or a `name` for `sharedFile`, and how to make it
   * @throws {TypeError} if the options name no store
   * @throws {Error} if the registry was used before
   *
   * @example
   * ```ts
   * import { Counter, Registry } from "prometheus-tiny-shared/prom-client";
   * import assert from "node:assert/strict";
   *
   * const registry = new Registry();
   * registry.open({ name: "prom-client-example", initFile: true }); // one worker begins anew
   * const jobs = new Counter({ name: "jobs_total", help: "Jobs done.", registers: [registry] });
   * jobs.inc();
   * assert.match(await registry.metrics(), /^jobs_total 1$/m);
   * ```
   */
  open(options: SharedStoreOptions): void {
    if (this.#store !== undefined || this.#metrics.size > 0) {
      throw new Error("a registry's store must be chosen before its first metric is made");
    }
    this.#store = openSharedStore(options);
  }

  /** For the default registry: finds its store in the environment, if there is one. */
  static #ofEnvironment(): Registry<RegistryContentType> {
    const registry = new Registry<RegistryContentType>();
    registry.#open = () => openStoreOfEnvironment() ?? openPrivateStore();
    return registry;
  }

  static {
    Registry.globalRegistry = Registry.#ofEnvironment();
    // Somebody else's registry has no store.
    storeOf = (registry) => #store in registry ? registry.#ownStore() : openPrivateStore();
  }

  #ownStore(): MetricStore {
    return this.#store ??= this.#open();
  }

  /** What it prints. */
  get contentType(): C {
    return this.#contentType as C;
  }

  /**
   * Changes what it prints.
   *
   * @throws {Error} if it is neither the text format nor OpenMetrics
   */
  setContentType(contentType: C): void {
    checkContentType(contentType, Error);
    this.#contentType = contentType;
  }

  /**
   * Takes a metric in. The same one again is fine.
   *
   * @throws {Error} if another one has its name
   */
  registerMetric(metric: Registrable): void {
    const name = String(metric.name);
    const present = this.#metrics.get(name);
    if (present !== undefined && present !== metric) {
      throw new Error(`A metric with the name ${name} has already been registered.`);
    }
    this.#metrics.set(name, metric);
  }

  /**
   * Takes all metrics out, and forgets the default labels. In a shared store their series are
   * removed, for all workers; whoever still holds such a metric goes on by itself, from zero.
   */
  clear(): void {
    const metrics = this.getMetricsAsArray();
    this.#metrics.clear();
    this.#defaultLabels = {};
    for (const metric of metrics) this.#leave(metric);
  }

  /** Takes one metric out, as {@linkcode Registry.clear} does for all. */
  removeSingleMetric(name: string): void {
    const metric = this.#metrics.get(name);
    this.#metrics.delete(name);
    if (metric !== undefined) this.#leave(metric);
  }

  #leave(metric: Registrable): void {
    if (this.#store?.isShared) (metric as Partial<Stored>)[leaveStore]?.(this.#store);
  }

  /** Sets all metrics back, as their `reset()` does. */
  resetMetrics(): void {
    for (const metric of this.#metrics.values()) metric.reset!();
  }

  /** Labels for everything that is printed; a series's own override them. */
  setDefaultLabels(labels: object): void {
    this.#defaultLabels = labels as Record<string, unknown>;
  }

  /** The metric that was registered under a name. */
  // deno-lint-ignore no-explicit-any -- of whatever class it was, as prom-client's users expect
  getSingleMetric(name: string): any {
    return this.#metrics.get(name);
  }

  /** All metrics that were registered, in that order. */
  getMetricsAsArray(): Registrable[] {
    return [...this.#metrics.values()];
  }

  /** Promises the text of one metric. */
  async getSingleMetricAsString(name: string): Promise<string> {
    const metric = this.#metrics.get(name);
    if (metric === undefined) throw new TypeError(`no metric is registered as ${name}`);
    return await this.getMetricsAsString(metric);
  }

  /** Promises the text of a metric, registered or not. */
  async getMetricsAsString(metric: Registrable): Promise<string> {
    return this.#print(await (metric.getForPromString?.() ?? metric.get()) as Printable);
  }

  /** Promises the text of all metrics. */
  async metrics(): Promise<string> {
    const texts = this.getMetricsAsArray().map((metric) => this.getMetricsAsString(metric));
    const [own, others] = await Promise.all([Promise.all(texts), this.#others()]);
    const all = [...own, ...others.map((metric) => this.#print(metric))];
    return this.#isOpenMetrics ? `${all.join("\n")}\n# EOF\n` : `${all.join("\n\n")}\n`;
  }

  /** Promises the values of all metrics. */
  async getMetricsAsJSON(): Promise<MetricObjectWithValues[]> {
    const gets = this.getMetricsAsArray().map((metric) => metric.get());
    const [own, others] = await Promise.all([Promise.all(gets), this.#others()]);
    const all = [
      ...own as MetricObjectWithValues[],
      ...others.map((metric) => ({ ...metric, values: withoutSharedLabels(metric.values) })),
    ];
    const defaults = this.#defaultLabels as LabelValues<string>;
    if (Object.keys(defaults).length === 0) return all;
    const withDefaults = (value: MetricValue) => ({
      ...value,
      labels: { ...defaults, ...value.labels },
    });
    return all.map((metric) => (
      metric.values === undefined ? metric : { ...metric, values: metric.values.map(withDefaults) }
    ));
  }

  get #isOpenMetrics(): boolean {
    return this.#contentType === openMetricsType;
  }

  #print(metric: Printable): string {
    return metricText(metric, this.#defaultLabels, this.#isOpenMetrics);
  }

  /** What only other workers have registered in a shared store. */
  async #others(): Promise<MetricObjectWithValues[]> {
    const store = this.#ownStore();
    if (!store.isShared) return [];
    const isOpenMetrics = this.#isOpenMetrics;
    const families = await store.readAll(isOpenMetrics);
    const names = [...this.#metrics.keys()];
    const own = new Set(isOpenMetrics ? [...names, ...names.map(withoutTotal)] : names);
    return [...families.values()]
      .filter(({ name, samples }) => samples.length > 0 && !own.has(publicName(name)))
      .map((family) => {
        const { name, help } = family;
        const type = family.type as MetricType;
        const values = foreignValues(type, name, seriesOf(family));
        return { name, help, type, values, aggregator: "sum" };
      });
  }

  /**
   * Makes a registry with the metrics of several ones.
   *
   * @throws {Error} if two of them have metrics of one name, or print different formats
   */
  static merge(registers: readonly Registry<RegistryContentType>[]): Registry<RegistryContentType> {
    const [{ contentType }] = registers;
    if (registers.some((register) => register.contentType !== contentType)) {
      throw new Error("Registers can only be merged if they have the same content type");
    }
    const merged = new Registry<RegistryContentType>(contentType);
    for (const register of registers) {
      register.getMetricsAsArray().forEach((metric) => merged.registerMetric(metric));
    }
    return merged;
  }
}

function checkContentType(contentType: unknown, Failure: new (message: string) => Error): void {
  if (contentType === prometheusType || contentType === openMetricsType) return;
  throw new Failure(`Content type ${contentType} is unsupported`);
}

/**
 * What counters, gauges, histograms and summaries have in common: their configuration, their series
 * and who asks for them.
 *
 * @module
 */

import process from "node:process";
import { openPrivateStore } from "./open_stores.ts";
import {
  type AnyLabels,
  areLabelNames,
  checkLabels,
  isLabels,
  labelsOf,
  validateMetricName,
} from "./labels.ts";
import { Registry, storeOf } from "./registry.ts";
import { SeriesSet, type StoredSeries } from "./series.ts";
import type { MetricStore, Shape } from "./stores.ts";
import {
  type Aggregator,
  type CollectFunction,
  type LabelValues,
  leaveStore,
  type MetricObjectWithValues,
  type MetricType,
  type MetricValue,
  type RegistryContentType,
} from "./types.ts";
import { valuesOf, withoutSharedLabels } from "./values.ts";

/** What every metric is made from. */
export interface MetricConfiguration<T extends string, M = unknown> {
  /** Its name: letters, digits, `_` and `:`, no digit first. */
  name: string;
  /** Its help text. */
  help: string;
  /** The names of its labels. None by default. */
  labelNames?: readonly T[];
  /**
   * The registries that print it. With none its values are its own.
   *
   * @default {[register]}
   */
  registers?: readonly Registry<RegistryContentType>[];
  /**
   * How the values of several workers become one. Gauges of a shared registry obey it at once; for
   * all metrics it is what `AggregatorRegistry.aggregate` uses.
   *
   * @default {"sum"}
   */
  aggregator?: Aggregator;
  /** Called before the values are read, to set them; awaited if it returns a promise. */
  collect?: CollectFunction<M>;
  /** Whether counters and histograms keep examples of what was counted. OpenMetrics only. */
  enableExemplars?: boolean;
}

/** A metric of any type; `C` is what updates one of its series. */
export abstract class Metric<T extends string, C> {
  /** The metric's name. */
  declare readonly name: string;
  /** Its help text. */
  declare readonly help: string;
  /** The names of its labels. */
  declare readonly labelNames: readonly T[];
  /** The registries it was made for. */
  declare readonly registers: readonly Registry<RegistryContentType>[];
  /** How the values of several workers become one. */
  declare readonly aggregator: Aggregator;
  /** Whether exemplars are kept. */
  declare readonly enableExemplars: boolean;
  /** Called before the values are read. */
  declare collect?: () => unknown;
  /** The metric's type. */
  abstract readonly type: MetricType;

  #series: SeriesSet<C>;

  /**
   * For the metrics of this module.
   *
   * @internal
   * @param config what was given to the constructor
   * @param defaults what a configuration without it has
   * @param reserved a label that only the metric itself may use
   */
  constructor(config: MetricConfiguration<T>, defaults: object, reserved?: string) {
    if (!isLabels(config)) throw new TypeError("constructor expected a config object");
    const registers = [Registry.globalRegistry];
    const common = { labelNames: [], registers, aggregator: "sum", enableExemplars: false };
    const given = Object.entries(config).filter(([, value]) => value !== undefined);
    Object.assign(this, common, defaults, Object.fromEntries(given));
    this.registers ??= registers;
    this.#check();
    if ((this.labelNames as readonly string[]).includes(reserved!)) {
      throw new Error(`${reserved} is a reserved label keyword`);
    }
    for (const register of this.registers) this.#checkRegister(register);
    const store = this.#home();
    this.#series = new SeriesSet(this, store, this.shape(store.isShared));
    for (const register of this.registers) register.registerMetric(this);
  }

  /**
   * How its series are made in a store.
   *
   * @internal
   */
  protected abstract shape(isShared: boolean): Shape<C>;

  #check(): void {
    if (!this.help) throw new Error("Missing mandatory help parameter");
    if (!this.name) throw new Error("Missing mandatory name parameter");
    if (!validateMetricName(this.name)) throw new Error("Invalid metric name");
    if (!areLabelNames(this.labelNames)) throw new Error("Invalid label name");
    if (this.collect && typeof this.collect !== "function") {
      throw new Error('Optional "collect" parameter must be a function');
    }
  }

  #checkRegister(register: Registry<RegistryContentType>): void {
    if (this.enableExemplars && register.contentType === Registry.PROMETHEUS_CONTENT_TYPE) {
      throw new TypeError("Exemplars are supported only on OpenMetrics registries");
    }
    if (register.getSingleMetric(this.name) !== undefined) register.registerMetric(this); // refuses
  }

  /** The first shared store of its registries; the private one for what is never added up. */
  #home(): MetricStore {
    if (this.aggregator === "omit") return openPrivateStore();
    const stores = this.registers.map(storeOf);
    return stores.find(({ isShared }) => isShared) ?? openPrivateStore();
  }

  /**
   * Goes on with no values in the private store, if they are in this one.
   *
   * @internal
   */
  [leaveStore](store: MetricStore): void {
    if (this.#series.isIn(store)) this.#series.moveTo(openPrivateStore(), this);
  }

  /**
   * Whether other workers may update the same series.
   *
   * @internal
   */
  protected get isShared(): boolean {
    return this.#series.isShared;
  }

  /**
   * What updates the series with these labels.
   *
   * @internal
   */
  protected child(labels: AnyLabels): C {
    return this.#series.child(labels);
  }

  /**
   * Throws the error, or that of the labels if they are wrong too: prom-client looks there first.
   *
   * @internal
   */
  protected refuse(labels: AnyLabels, error: Error): never {
    checkLabels(this.labelNames, labels);
    throw error;
  }

  /**
   * The labels that arguments of `labels()` mean, checked.
   *
   * @internal
   */
  protected labelsOf(args: readonly unknown[]): AnyLabels {
    const labels = labelsOf(this.labelNames, args);
    checkLabels(this.labelNames, labels);
    return labels;
  }

  /**
   * Removes one series, in all workers; its next update starts it from zero.
   *
   * @param values a value for each of `labelNames`, or one object with labels
   * @throws {Error} if they do not fit the metric's labels
   */
  remove(...values: (string | number)[]): void;
  /** Removes the series with these labels, in all workers. */
  remove(labels: LabelValues<T>): void;
  remove(...args: unknown[]): void {
    this.#series.remove(this.labelsOf(args));
  }

  /**
   * Removes one series, in all workers.
   *
   * @internal
   */
  protected removeSeries(labels: AnyLabels): void {
    this.#series.remove(labels);
  }

  /**
   * Removes all series, in all workers.
   *
   * @internal
   */
  protected removeAll(): void {
    this.#series.clear();
  }

  /**
   * Removes all series, in all workers, and begins those again that this thread knows.
   *
   * @internal
   */
  protected zeroAll(zero: (child: C) => void): void {
    const known = this.#series.known();
    this.#series.clear();
    for (const labels of known) zero(this.#series.child(labels));
  }

  /** Sets the metric back, in all workers. */
  abstract reset(): void;

  /** Promises the metric and its values: those of all workers. */
  async get(): Promise<MetricObjectWithValues<MetricValue<T>>> {
    const metric = await this.getForPromString();
    return { ...metric, values: withoutSharedLabels(metric.values) as MetricValue<T>[] };
  }

  /** As `get()`, for text: labels that stand last are apart, as `sharedLabels`. */
  async getForPromString(): Promise<MetricObjectWithValues<MetricValue<T>>> {
    const collected = this.collect?.();
    if (collected instanceof Promise) await collected;
    const series = this.select(await this.#series.read(this.enableExemplars));
    const { help, name, type, aggregator } = this;
    const values = valuesOf(type, name, series) as MetricValue<T>[];
    return { help, name, type, values, aggregator };
  }

  /**
   * Those series that are told.
   *
   * @internal
   */
  protected select(series: StoredSeries[]): StoredSeries[] {
    return series;
  }
}

/** Starts to measure; the function returns the seconds since. */
export function stopwatch(): () => number {
  // Of the global at this moment: tests replace it.
  const start = process.hrtime();
  return () => {
    const [seconds, nanoseconds] = process.hrtime(start);
    return seconds + nanoseconds / 1e9;
  };
}

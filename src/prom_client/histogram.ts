/**
 * Histograms.
 *
 * @module
 */

import { format } from "node:util";
import type { HistogramChild } from "../metrics.ts";
import { checkExemplar, type ExemplarLabels } from "./exemplars.ts";
import { type AnyLabels, isLabels } from "./labels.ts";
import { Metric, type MetricConfiguration, stopwatch } from "./metric.ts";
import type { Shape } from "./stores.ts";
import type { LabelValues } from "./types.ts";

/** What a {@linkcode Histogram} is made from. */
export interface HistogramConfiguration<T extends string>
  extends MetricConfiguration<T, Histogram<T>> {
  /**
   * Upper bounds of its buckets; `+Inf` is always there. The array is frozen.
   *
   * @default {[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]}
   */
  buckets?: readonly number[];
}

/** What a histogram with exemplars is given. */
export interface ObserveDataWithExemplar<T extends string> {
  /** The labels of the series. */
  labels?: LabelValues<T>;
  /** The value. */
  value: number;
  /** The labels of the exemplar; without any the last exemplar of its bucket stays. */
  exemplarLabels?: ExemplarLabels;
}

/** One series of a {@linkcode Histogram}. */
export interface HistogramSeries<T extends string> {
  /** Counts a value in its bucket. */
  observe(value: number): void;
  /** Starts a timer; its end observes the seconds that have passed and returns them. */
  startTimer(): (labels?: LabelValues<T>, exemplarLabels?: ExemplarLabels) => number;
}

const defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Counts of values by size.
 *
 * @example
 * ```ts
 * import { Histogram, register } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const sizes = new Histogram({ name: "size_bytes", help: "Sizes.", buckets: [100, 1000] });
 * sizes.observe(250);
 * const text = await register.metrics();
 * assert.match(text, /^size_bytes_bucket\{le="100"\} 0$/m);
 * assert.match(text, /^size_bytes_bucket\{le="1000"\} 1$/m);
 * ```
 */
export class Histogram<T extends string = string> extends Metric<T, HistogramChild> {
  /** `"histogram"` */
  readonly type = "histogram" as const;
  /** Its bounds, as they were given. */
  declare readonly buckets: readonly number[];

  /**
   * Makes a histogram and registers it.
   *
   * @throws {TypeError | RangeError} if the buckets are not finite numbers
   */
  constructor(configuration: HistogramConfiguration<T>) {
    super(configuration as MetricConfiguration<T>, { buckets: [...defaultBuckets] }, "le");
    Object.freeze(this.buckets);
  }

  /** Its bounds, as they were given. */
  get upperBounds(): readonly number[] {
    return this.buckets;
  }

  /**
   * How its series are made in a store.
   *
   * @internal
   */
  protected override shape(): Shape<HistogramChild> {
    const { help } = this;
    // In the order that the text format demands, each once.
    const buckets = [...new Set(this.buckets)].sort((a, b) => a - b);
    return {
      text: JSON.stringify(["histogram", help, buckets]),
      lineLabel: "le",
      make: (prom, name, labelNames) => prom.histogram(name, { help, labelNames, buckets }),
    };
  }

  /**
   * Counts a value in its bucket.
   *
   * @throws {TypeError} if the value is not a finite number; the histogram is as before
   * @throws {RangeError} if the labels of an exemplar are too long
   * @throws {Error} if a label is none of the histogram's
   */
  observe(value: number): void;
  /** Counts a value of the series with these labels. */
  observe(labels: LabelValues<T>, value: number): void;
  /** Counts a value with an exemplar, where they are enabled. */
  observe(data: ObserveDataWithExemplar<T>): void;
  observe(first: unknown, second?: number): void {
    if (!isLabels(first)) this.#observe({}, first);
    else if (this.enableExemplars) {
      this.#observeData(first as unknown as ObserveDataWithExemplar<T>);
    } else this.#observe(first, second);
  }

  #observeData({ labels = {}, value, exemplarLabels }: ObserveDataWithExemplar<T>): void {
    this.#observe(labels, value, checkExemplar(exemplarLabels));
  }

  #observe(labels: AnyLabels, value: unknown, exemplar?: ExemplarLabels): void {
    if (typeof value !== "number" || !Number.isFinite(value)) {
      this.refuse(labels, new TypeError(`Value is not a valid number: ${format(value)}`));
    }
    const child = this.child(labels);
    if (exemplar === undefined) child.observe(value);
    else child.observe(value, exemplar);
  }

  /**
   * Starts a timer. Its end observes the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the end's own override them
   * @param exemplarLabels likewise
   */
  startTimer(
    labels?: LabelValues<T>,
    exemplarLabels?: ExemplarLabels,
  ): (labels?: LabelValues<T>, exemplarLabels?: ExemplarLabels) => number {
    const passed = stopwatch();
    return (endLabels, endExemplarLabels) => {
      const seconds = passed();
      const exemplar = this.enableExemplars
        ? checkExemplar({ ...exemplarLabels, ...endExemplarLabels })
        : undefined;
      this.#observe({ ...labels, ...endLabels }, seconds, exemplar);
      return seconds;
    };
  }

  /** Sets one series to no observations. */
  zero(labels: LabelValues<T>): void {
    const own = this.labelsOf([labels]);
    this.removeSeries(own);
    this.child(own).zero();
  }

  /**
   * One series of the histogram.
   *
   * @param values a value for each of `labelNames`, or one object with labels
   * @throws {Error} if they do not fit the histogram's labels
   */
  labels(...values: (string | number)[]): HistogramSeries<T>;
  /** The series with these labels. */
  labels(labels: LabelValues<T>): HistogramSeries<T>;
  labels(...args: unknown[]): HistogramSeries<T> {
    const labels = this.labelsOf(args);
    return {
      observe: (value) => this.#observe(labels, value),
      startTimer: () => this.startTimer(labels as LabelValues<T>),
    };
  }

  /** Removes all series, in all workers. */
  override reset(): void {
    this.removeAll();
  }
}

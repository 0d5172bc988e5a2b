/**
 * Summaries.
 *
 * @module
 */

import { format } from "node:util";
import type { SummaryChild } from "../summaries.ts";
import { type AnyLabels, isLabels } from "./labels.ts";
import { Metric, type MetricConfiguration, stopwatch } from "./metric.ts";
import type { StoredSeries } from "./series.ts";
import type { Shape } from "./stores.ts";
import type { LabelValues } from "./types.ts";

/** What a {@linkcode Summary} is made from. */
export interface SummaryConfiguration<T extends string> extends MetricConfiguration<T, Summary<T>> {
  /**
   * Its quantiles, from 0 to 1.
   *
   * @default {[0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999]}
   */
  percentiles?: readonly number[];
  /** For how many seconds an observation counts in the quantiles; with `ageBuckets`. */
  maxAgeSeconds?: number;
  /** In how many steps observations leave; with `maxAgeSeconds`. */
  ageBuckets?: number;
  /** Whether a series without an observation in the window leaves altogether. */
  pruneAgedBuckets?: boolean;
  /** Accepted, as prom-client has it; the store compresses as it needs. */
  compressCount?: number;
}

/** One series of a {@linkcode Summary}. */
export interface SummarySeries<T extends string> {
  /** Observes a value. */
  observe(value: number): void;
  /** Starts a timer; its end observes the seconds that have passed and returns them. */
  startTimer(): (labels?: LabelValues<T>) => number;
}

/**
 * Quantiles of values, over all workers, and their sum and count.
 *
 * @example
 * ```ts
 * import { register, Summary } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const sizes = new Summary({ name: "answer_bytes", help: "Sizes.", percentiles: [0.5] });
 * for (const size of [100, 100, 100]) sizes.observe(size);
 * const text = await register.metrics();
 * assert.match(text, /^answer_bytes\{quantile="0.5"\} 100$/m);
 * assert.match(text, /^answer_bytes_count 3$/m);
 * ```
 */
export class Summary<T extends string = string> extends Metric<T, SummaryChild> {
  /** `"summary"` */
  readonly type = "summary" as const;
  /** Its quantiles. */
  declare readonly percentiles: readonly number[];
  /** For how many seconds an observation counts in the quantiles. */
  declare readonly maxAgeSeconds?: number;
  /** In how many steps observations leave. */
  declare readonly ageBuckets?: number;
  /** Whether a series without an observation in the window leaves. */
  declare readonly pruneAgedBuckets?: boolean;

  /** Makes a summary and registers it. */
  constructor(configuration: SummaryConfiguration<T>) {
    const percentiles = [0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999];
    super(configuration as MetricConfiguration<T>, { percentiles }, "quantile");
  }

  /**
   * How its series are made in a store.
   *
   * @internal
   */
  protected override shape(isShared: boolean): Shape<SummaryChild> {
    const { help, percentiles: quantiles, maxAgeSeconds, ageBuckets } = this;
    // prom-client has a window only with both.
    const window = maxAgeSeconds && ageBuckets
      ? {
        maxAgeSeconds,
        ageBuckets,
        ...isShared && this.pruneAgedBuckets && { ttl: maxAgeSeconds },
      }
      : {};
    return {
      text: JSON.stringify(["summary", help, quantiles, window]),
      lineLabel: "quantile",
      make: (prom, name, labelNames) =>
        prom.summary(name, { help, labelNames, quantiles, ...window }),
    };
  }

  /**
   * Observes a value.
   *
   * @throws {TypeError} if the value is not a finite number; the summary is as before
   * @throws {Error} if a label is none of the summary's
   */
  observe(value: number): void;
  /** Observes a value of the series with these labels. */
  observe(labels: LabelValues<T>, value: number): void;
  observe(first: unknown, second?: number): void {
    if (isLabels(first)) this.#observe(first, second);
    else this.#observe({}, first);
  }

  #observe(labels: AnyLabels, value: unknown): void {
    if (typeof value !== "number" || !Number.isFinite(value)) {
      this.refuse(labels, new TypeError(`Value is not a valid number: ${format(value)}`));
    }
    const child = this.child(labels);
    child.observe(value);
  }

  /**
   * Starts a timer. Its end observes the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the end's own override them
   */
  startTimer(labels?: LabelValues<T>): (labels?: LabelValues<T>) => number {
    const passed = stopwatch();
    return (endLabels) => {
      const seconds = passed();
      this.#observe({ ...labels, ...endLabels }, seconds);
      return seconds;
    };
  }

  /**
   * One series of the summary.
   *
   * @param values a value for each of `labelNames`, or one object with labels
   * @throws {Error} if they do not fit the summary's labels
   */
  labels(...values: (string | number)[]): SummarySeries<T>;
  /** The series with these labels. */
  labels(labels: LabelValues<T>): SummarySeries<T>;
  labels(...args: unknown[]): SummarySeries<T> {
    const labels = this.labelsOf(args);
    return {
      observe: (value) => this.#observe(labels, value),
      startTimer: () => this.startTimer(labels as LabelValues<T>),
    };
  }

  /** Sets all series that this thread knows to no observations, and removes the others. */
  override reset(): void {
    this.zeroAll((child) => child.zero());
  }

  /**
   * Without those whose window has nothing left, if they are to leave.
   *
   * @internal
   */
  protected override select(series: StoredSeries[]): StoredSeries[] {
    if (!this.pruneAgedBuckets) return series;
    const aged = series.filter(isAged);
    // In a shared store another worker may be observing: there the family's ttl removes them.
    if (!this.isShared) aged.forEach(({ labels }) => this.removeSeries(labels));
    return series.filter((one) => !aged.includes(one));
  }
}

/** Whether nothing is left in a series's window. */
function isAged({ lines }: StoredSeries): boolean {
  const quantiles = lines.filter(({ at }) => at !== undefined);
  return quantiles.length > 0 && quantiles.every(({ value }) => Number.isNaN(value));
}

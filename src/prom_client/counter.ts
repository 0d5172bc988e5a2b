/**
 * Counters.
 *
 * @module
 */

import { format } from "node:util";
import type { CounterChild } from "../metrics.ts";
import { checkExemplar, type ExemplarLabels } from "./exemplars.ts";
import { type AnyLabels, isLabels, labelsOf } from "./labels.ts";
import { Metric, type MetricConfiguration } from "./metric.ts";
import type { Shape } from "./stores.ts";
import type { LabelValues } from "./types.ts";

/** What a {@linkcode Counter} is made from. */
export type CounterConfiguration<T extends string> = MetricConfiguration<T, Counter<T>>;

/** What a counter with exemplars is given. */
export interface IncreaseDataWithExemplar<T extends string> {
  /** The labels of the series. */
  labels?: LabelValues<T>;
  /**
   * How much.
   *
   * @default {1}
   */
  value?: number;
  /** The labels of the exemplar; without any the last exemplar stays. */
  exemplarLabels?: ExemplarLabels;
}

/** One series of a {@linkcode Counter}. */
export interface CounterSeries {
  /** Adds to the counter; 1 by default. */
  inc(value?: number): void;
}

/**
 * A number that only grows.
 *
 * @example
 * ```ts
 * import { Counter, register } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const requests = new Counter({
 *   name: "requests_total",
 *   help: "Requests answered.",
 *   labelNames: ["method"],
 * });
 * requests.inc({ method: "GET" });
 * requests.labels("GET").inc(2);
 * assert.match(await register.metrics(), /^requests_total\{method="GET"\} 3$/m);
 * ```
 */
export class Counter<T extends string = string> extends Metric<T, CounterChild> {
  /** `"counter"` */
  readonly type = "counter" as const;

  /** Makes a counter and registers it. */
  constructor(configuration: CounterConfiguration<T>) {
    super(configuration as MetricConfiguration<T>, {});
  }

  /**
   * How its series are made in a store.
   *
   * @internal
   */
  protected override shape(): Shape<CounterChild> {
    const { help } = this;
    return {
      text: JSON.stringify(["counter", help]),
      make: (prom, name, labelNames) => prom.counter(name, { help, labelNames }),
    };
  }

  /**
   * Adds to the counter; 1 by default.
   *
   * @throws {TypeError} if the value is not a finite number; the counter is as before
   * @throws {Error} if it is negative, or a label is none of the counter's
   */
  inc(value?: number): void;
  /** Adds to the series with these labels. */
  inc(labels: LabelValues<T>, value?: number): void;
  /** Adds, with an exemplar, where they are enabled. */
  inc(data: IncreaseDataWithExemplar<T>): void;
  inc(first?: unknown, second?: number): void {
    if (!isLabels(first)) this.#add({}, first);
    else if (this.enableExemplars) this.#addWithExemplar(first);
    else this.#add(first, second);
  }

  #addWithExemplar({ labels = {}, value = 1, exemplarLabels }: IncreaseDataWithExemplar<T>): void {
    this.#add(labels, value, checkExemplar(exemplarLabels));
  }

  #add(labels: AnyLabels, value: unknown, exemplar?: ExemplarLabels): void {
    const amount = value ?? 1;
    if (typeof amount !== "number" || !Number.isFinite(amount)) {
      this.refuse(labels, new TypeError(`Value is not a valid number: ${format(amount)}`));
    }
    if (amount < 0) this.refuse(labels, new Error("It is not possible to decrease a counter"));
    const child = this.child(labels);
    if (exemplar === undefined) child.inc(amount);
    else child.inc(amount, exemplar);
  }

  /**
   * One series of the counter.
   *
   * @param values a value for each of `labelNames`, or one object with labels
   * @throws {Error} if they are values, and not one for each name
   */
  labels(...values: (string | number)[]): CounterSeries;
  /** The series with these labels. */
  labels(labels: LabelValues<T>): CounterSeries;
  labels(...args: unknown[]): CounterSeries {
    const labels = labelsOf(this.labelNames, args);
    return { inc: (value) => this.#add(labels, value) };
  }

  /** Sets the counter to 0 in all workers; with labels, its series are gone. */
  override reset(): void {
    this.removeAll();
    if (this.labelNames.length === 0) this.child({}).inc(0);
  }
}

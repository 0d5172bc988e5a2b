/**
 * Gauges.
 *
 * @module
 */

import { format } from "node:util";
import type { GaugeMode } from "../families.ts";
import type { GaugeChild } from "../metrics.ts";
import { type AnyLabels, isLabels } from "./labels.ts";
import { Metric, type MetricConfiguration, stopwatch } from "./metric.ts";
import type { Line, StoredSeries } from "./series.ts";
import type { Shape } from "./stores.ts";
import type { LabelValues } from "./types.ts";

/** What a {@linkcode Gauge} is made from. */
export type GaugeConfiguration<T extends string> = MetricConfiguration<T, Gauge<T>>;

/** One series of a {@linkcode Gauge}. */
export interface GaugeSeries<T extends string> {
  /** Sets it. */
  set(value: number): void;
  /** Adds; 1 by default. */
  inc(value?: number): void;
  /** Subtracts; 1 by default. */
  dec(value?: number): void;
  /** Sets it to the seconds since 1970. */
  setToCurrentTime(): void;
  /** Starts a timer; its end sets the gauge to the seconds that have passed and returns them. */
  startTimer(): (labels?: LabelValues<T>) => number;
}

/**
 * What an aggregator means for the values of workers that share a store. As in prom-client, a
 * worker that has ended does not count.
 */
const modes: Partial<Record<string, GaugeMode>> = {
  sum: "livesum",
  min: "livemin",
  max: "livemax",
  first: "livemostrecent", // any one worker's value
  average: "liveall",
};

/**
 * A number that goes up and down.
 *
 * In a shared registry every worker has a value of its own, and the metric's `aggregator` says how
 * those of living workers become one: their sum by default.
 *
 * @example
 * ```ts
 * import { Gauge, register } from "prometheus-tiny-shared/prom-client";
 * import assert from "node:assert/strict";
 *
 * const inFlight = new Gauge({ name: "requests_in_flight", help: "Requests being answered." });
 * inFlight.inc();
 * inFlight.inc();
 * inFlight.dec();
 * assert.match(await register.metrics(), /^requests_in_flight 1$/m);
 * ```
 */
export class Gauge<T extends string = string> extends Metric<T, GaugeChild> {
  /** `"gauge"` */
  readonly type = "gauge" as const;

  /** Makes a gauge and registers it. */
  constructor(configuration: GaugeConfiguration<T>) {
    super(configuration as MetricConfiguration<T>, {});
    this.#begin();
  }

  /** Without labels it is 0 from now on. */
  #begin(): void {
    if (this.labelNames.length === 0) this.child({}).inc(0);
  }

  /**
   * How its series are made in a store.
   *
   * @internal
   */
  protected override shape(isShared: boolean): Shape<GaugeChild> {
    const { help, aggregator } = this;
    const mode = isShared ? modes[aggregator] : "sum";
    if (mode === undefined) {
      const known = [...Object.keys(modes), "omit"].join(", ");
      throw new TypeError(`the aggregator of ${this.name} must be one of ${known}`);
    }
    return {
      text: JSON.stringify(["gauge", help, mode]),
      lineLabel: mode === "liveall" ? "worker" : undefined,
      make: (prom, name, labelNames) => prom.gauge(name, { help, labelNames, mode }),
    };
  }

  /**
   * Sets the gauge.
   *
   * @throws {TypeError} if the value is not a number
   * @throws {Error} if a label is none of the gauge's
   */
  set(value: number): void;
  /** Sets the series with these labels. */
  set(labels: LabelValues<T>, value: number): void;
  set(first: unknown, second?: number): void {
    if (isLabels(first)) this.#set(first, second);
    else this.#set({}, first);
  }

  #set(labels: AnyLabels, value: unknown): void {
    if (typeof value !== "number") {
      throw new TypeError(`Value is not a valid number: ${format(value)}`);
    }
    this.child(labels).set(value);
  }

  /**
   * Adds; 1 by default.
   *
   * @throws {TypeError} if the value is not a number
   * @throws {Error} if a label is none of the gauge's
   */
  inc(value?: number): void;
  /** Adds to the series with these labels. */
  inc(labels: LabelValues<T>, value?: number): void;
  inc(first?: unknown, second?: number): void {
    if (isLabels(first)) this.#add(first, second, 1);
    else this.#add({}, first, 1);
  }

  /** Subtracts; 1 by default. Its errors are those of {@linkcode Gauge.inc}. */
  dec(value?: number): void;
  /** Subtracts from the series with these labels. */
  dec(labels: LabelValues<T>, value?: number): void;
  dec(first?: unknown, second?: number): void {
    if (isLabels(first)) this.#add(first, second, -1);
    else this.#add({}, first, -1);
  }

  #add(labels: AnyLabels, value: unknown, sign: 1 | -1): void {
    const amount = value === undefined ? 1 : value;
    if (typeof amount !== "number") {
      throw new TypeError(`Delta is not a valid number: ${format(amount)}`);
    }
    this.child(labels).inc(sign * amount);
  }

  /** Sets the gauge to the seconds since 1970. */
  setToCurrentTime(labels?: LabelValues<T>): void {
    this.#set(labels ?? {}, Date.now() / 1000);
  }

  /**
   * Starts a timer. Its end sets the gauge to the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the end's own override them
   */
  startTimer(labels?: LabelValues<T>): (labels?: LabelValues<T>) => number {
    const passed = stopwatch();
    return (endLabels) => {
      const seconds = passed();
      this.#set({ ...labels, ...endLabels }, seconds);
      return seconds;
    };
  }

  /**
   * One series of the gauge.
   *
   * @param values a value for each of `labelNames`, or one object with labels
   * @throws {Error} if they do not fit the gauge's labels
   */
  labels(...values: (string | number)[]): GaugeSeries<T>;
  /** The series with these labels. */
  labels(labels: LabelValues<T>): GaugeSeries<T>;
  labels(...args: unknown[]): GaugeSeries<T> {
    const labels = this.labelsOf(args);
    return {
      set: (value) => this.#set(labels, value),
      inc: (value) => this.#add(labels, value, 1),
      dec: (value) => this.#add(labels, value, -1),
      setToCurrentTime: () => this.setToCurrentTime(labels as LabelValues<T>),
      startTimer: () => this.startTimer(labels as LabelValues<T>),
    };
  }

  /** Sets the gauge to 0 in all workers; with labels, its series are gone. */
  override reset(): void {
    this.removeAll();
    this.#begin();
  }

  /**
   * Those series that are told: with one value for those of several workers.
   *
   * @internal
   */
  protected override select(series: StoredSeries[]): StoredSeries[] {
    return series.map(({ labels, lines }) => ({ labels, lines: [average(lines)] }));
  }
}

/** One line for those of several workers; of one line, itself. */
function average(lines: readonly Line[]): Line {
  const value = lines.reduce((sum, line) => sum + line.value, 0) / lines.length;
  return lines.length === 1 ? lines[0] : { ...lines[0], value };
}

/**
 * Typed metrics: a name with its help, its type and its labels, checked at every use.
 *
 * @module
 */

import type { GaugeMode } from "./families.ts";
import type { LabelValue } from "./labels.ts";

/** The labels of a typed metric: exactly its `labelNames`. */
export type LabelsOf<L extends string> = Readonly<Record<L, LabelValue>>;

/** Ends a timer and returns the seconds it ran. */
export type EndTimer<L extends string> = (labels?: Partial<LabelsOf<L>>) => number;

/** Options of every typed metric. */
export interface MetricOptions<L extends string> {
  /** The text of its HELP line. None by default. */
  help?: string;
  /** Its unit. Kept with the declaration; text format 0.0.4 has no line for it. */
  unit?: string;
  /** The names of its labels. None by default. */
  labelNames?: readonly L[];
}

/** Options of a {@linkcode Counter}. */
export type CounterOptions<L extends string> = MetricOptions<L>;

/** Options of a {@linkcode Gauge}. */
export interface GaugeOptions<L extends string> extends MetricOptions<L> {
  /**
   * How the values of several workers become one.
   *
   * @default {"sum"}
   */
  mode?: GaugeMode;
}

/** Options of a {@linkcode Histogram}. */
export interface HistogramOptions<L extends string> extends MetricOptions<L> {
  /**
   * Upper bounds of its buckets, ascending. `+Inf` is always there and need not be given.
   *
   * @default {[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]}
   */
  buckets?: readonly (number | string)[];
}

/** What all typed metrics can do; `C` is one series of it. */
export interface Metric<L extends string, C> {
  /** The metric's name. */
  readonly name: string;

  /**
   * One series of the metric. Keep it where the labels do not change: an update through it does
   * not look at labels again.
   *
   * @param labels a value for each of `labelNames`
   * @throws {TypeError} if a label is missing or unexpected
   */
  labels(labels: LabelsOf<L>): C;

  /**
   * Takes a series out of the exposition, for all workers. Its next update starts it from zero.
   * A series that does not exist is fine.
   *
   * @param labels a value for each of `labelNames`; none for a metric without
   */
  remove(labels?: LabelsOf<L>): void;
}

/** One series of a {@linkcode Counter}. */
export interface CounterChild {
  /**
   * Adds to the counter.
   *
   * @param amount how much; 1 by default
   * @throws {TypeError} if it is not a number
   * @throws {RangeError} if it is negative, infinite or NaN; the counter is as before
   */
  inc(amount?: number): void;

  /** What a scrape would show now: the sum of all workers. 0 if the series does not exist. */
  value(): number;
}

/** A number that only grows. */
export interface Counter<L extends string = never> extends Metric<L, CounterChild> {
  /** Adds to a counter without labels, as {@linkcode CounterChild.inc} does. */
  inc(amount?: number): void;
  /** Adds to the series with these labels. */
  inc(labels: LabelsOf<L>, amount?: number): void;

  /** What a scrape would show now: the sum of all workers. */
  value(labels?: LabelsOf<L>): number;
}

/** One series of a {@linkcode Gauge}. */
export interface GaugeChild {
  /**
   * Sets the gauge.
   *
   * @throws {TypeError} if it is not a number
   */
  set(value: number): void;
  /** Adds; 1 by default. */
  inc(amount?: number): void;
  /** Subtracts; 1 by default. */
  dec(amount?: number): void;
  /** Sets the gauge to the seconds since 1970. */
  setToCurrentTime(): void;
  /** Starts a timer. Its end sets the gauge to the seconds that have passed and returns them. */
  startTimer(): () => number;
  /** What a scrape would show now. 0 if the series does not exist. */
  value(): number;
}

/** A number that goes up and down. */
export interface Gauge<L extends string = never> extends Metric<L, GaugeChild> {
  /** Sets a gauge without labels. */
  set(value: number): void;
  /** Sets the series with these labels. */
  set(labels: LabelsOf<L>, value: number): void;
  /** Adds to a gauge without labels; 1 by default. */
  inc(amount?: number): void;
  /** Adds to the series with these labels; 1 by default. */
  inc(labels: LabelsOf<L>, amount?: number): void;
  /** Subtracts from a gauge without labels; 1 by default. */
  dec(amount?: number): void;
  /** Subtracts from the series with these labels; 1 by default. */
  dec(labels: LabelsOf<L>, amount?: number): void;
  /** Sets the gauge to the seconds since 1970. */
  setToCurrentTime(labels?: LabelsOf<L>): void;
  /**
   * Starts a timer. Its end sets the gauge to the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the others are given to the end
   */
  startTimer(labels?: Partial<LabelsOf<L>>): EndTimer<L>;
  /** What a scrape would show now. 0 if the series does not exist. */
  value(labels?: LabelsOf<L>): number;
}

/** What a histogram's series stands at. */
export interface HistogramValue {
  /** How many observations. */
  readonly count: number;
  /** Their sum. */
  readonly sum: number;
}

/** One series of a {@linkcode Histogram}. */
export interface HistogramChild {
  /**
   * Counts a value in its bucket.
   *
   * @throws {TypeError} if it is not a number
   * @throws {RangeError} if it is infinite or NaN, which the sum would never recover from
   */
  observe(value: number): void;
  /** Starts a timer. Its end observes the seconds that have passed and returns them. */
  startTimer(): () => number;
  /** Makes the series exist without an observation. */
  zero(): void;
  /** What a scrape would show now. Zeros if the series does not exist. */
  value(): HistogramValue;
}

/** Counts of values by size. */
export interface Histogram<L extends string = never> extends Metric<L, HistogramChild> {
  /** Counts a value of a histogram without labels. */
  observe(value: number): void;
  /** Counts a value of the series with these labels. */
  observe(labels: LabelsOf<L>, value: number): void;
  /**
   * Starts a timer. Its end observes the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the others are given to the end
   */
  startTimer(labels?: Partial<LabelsOf<L>>): EndTimer<L>;
  /** Makes the series with these labels exist without an observation. */
  zero(labels?: LabelsOf<L>): void;
  /** What a scrape would show now. Zeros if the series does not exist. */
  value(labels?: LabelsOf<L>): HistogramValue;
}

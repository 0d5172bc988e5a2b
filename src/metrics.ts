/**
 * Typed metrics: a name with its help, its type and its labels, checked at every use.
 *
 * @module
 */

import type { Duration } from "./durations.ts";
import type { Exemplar } from "./exemplars.ts";
import type { GaugeMode } from "./families.ts";
import type { LabelValue } from "./labels.ts";

/** The labels of a typed metric: exactly its `labelNames`. */
export type LabelsOf<L extends string> = Readonly<Record<L, LabelValue>>;

/** Ends a timer and returns the seconds it ran. The exemplar is for a histogram. */
export type EndTimer<L extends string> = (
  labels?: Partial<LabelsOf<L>>,
  exemplar?: Exemplar,
) => number;

/** Options of every typed metric; `M` is the metric. */
export interface MetricOptions<L extends string, M = unknown> {
  /** The text of its HELP line. None by default. */
  help?: string;
  /** Its unit. Kept with the declaration; text format 0.0.4 has no line for it. */
  unit?: string;
  /** The names of its labels. None by default. */
  labelNames?: readonly L[];
  /**
   * Called by the worker that answers a scrape, before it does, to bring the metric up to date. It may
   * be asynchronous; the scrape waits for at most `collectTimeoutMs` (`format()` does not wait). One
   * that fails is counted in `prometheus_tiny_collect_errors_total`, and the scrape goes on.
   */
  collect?: (metric: M) => void | Promise<void>;
  /**
   * A series that nobody has updated for this long leaves, in all workers: seconds, or text such as
   * `"10m"`. Looked at by scrapes: the first one after the last update starts the time, one after it has
   * passed takes the series out. Series stay by default.
   */
  ttl?: Duration;
  /**
   * How many series the metric may have. What goes beyond is counted in its one series with the label
   * `overflow="true"`, and warned about once. By default what the store's `maxSeries` says.
   */
  maxSeries?: number;
}

/** Options of a {@linkcode Counter}. */
export type CounterOptions<L extends string> = MetricOptions<L, Counter<L>>;

/** Options of a {@linkcode Gauge}. */
export interface GaugeOptions<L extends string> extends MetricOptions<L, Gauge<L>> {
  /**
   * Every worker has a value of its own, and this is how they become one. By default there is one number
   * for everybody: additions add up, whoever makes them, and a `set` is the value for all.
   */
  mode?: GaugeMode;
}

/** Options of a {@linkcode Histogram}. */
export interface HistogramOptions<L extends string> extends MetricOptions<L, Histogram<L>> {
  /**
   * Upper bounds of its buckets, ascending. `+Inf` is always there and need not be given.
   *
   * @default {[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]}
   */
  buckets?: readonly (number | string)[];
}

/** What all typed metrics can do; `C` is one series of it. */
export interface Metric<L extends string, C> {
  /** The metric's name, with the store's `prefix`. */
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

  /**
   * Takes all series with these labels out, for all workers.
   *
   * @param labels some of `labelNames` with a value; none of them: every series
   * @returns how many series were there and left
   * @throws {TypeError} if a label is unexpected
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const jobs = prom.counter("jobs_total", { labelNames: ["queue", "worker"] });
   * jobs.inc({ queue: "mail", worker: 1 });
   * jobs.inc({ queue: "mail", worker: 2 });
   * jobs.inc({ queue: "print", worker: 1 });
   * assert.equal(jobs.removeMatching({ queue: "mail" }), 2);
   * ```
   */
  removeMatching(labels: Partial<LabelsOf<L>>): number;

  /** Takes every series out, for all workers; a metric without labels is 0 again. */
  reset(): void;
}

/** One series of a {@linkcode Counter}. */
export interface CounterChild {
  /**
   * Adds to the counter.
   *
   * @param amount how much; 1 by default
   * @param exemplar what OpenMetrics shows beside the counter: the trace that this came from
   * @throws {TypeError} if it is not a number
   * @throws {RangeError} if it is negative, infinite or NaN, or the exemplar has more than 128
   * characters; the counter is as before
   */
  inc(amount?: number, exemplar?: Exemplar): void;

  /** What a scrape would show now: the sum of all workers. 0 if the series does not exist. */
  value(): number;
}

/** A number that only grows. */
export interface Counter<L extends string = never> extends Metric<L, CounterChild> {
  /** Adds to a counter without labels, as {@linkcode CounterChild.inc} does. */
  inc(amount?: number, exemplar?: Exemplar): void;
  /** Adds to the series with these labels. */
  inc(labels: LabelsOf<L>, amount?: number, exemplar?: Exemplar): void;

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
  /**
   * Does work and sets the gauge to the seconds that it took, also if it throws.
   *
   * @param work an ordinary or an async function
   * @returns what the work returned; for a promise, a promise of its result
   */
  time<T>(work: () => T): T;
  /**
   * Does work and counts it in the gauge as long as it goes on: 1 more before, 1 less after, also if
   * it throws. With a live mode, work of a worker that was killed leaves the gauge with it.
   *
   * @param work an ordinary or an async function
   * @returns what the work returned; for a promise, a promise of its result
   */
  trackInProgress<T>(work: () => T): T;
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
  /** Does work and sets the gauge to the seconds that it took, as {@linkcode GaugeChild.time} does. */
  time<T>(work: () => T): T;
  /** The same for the series with these labels. */
  time<T>(labels: LabelsOf<L>, work: () => T): T;
  /** Counts work while it goes on, as {@linkcode GaugeChild.trackInProgress} does. */
  trackInProgress<T>(work: () => T): T;
  /** The same for the series with these labels. */
  trackInProgress<T>(labels: LabelsOf<L>, work: () => T): T;
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
   * @param exemplar what OpenMetrics shows beside the value's bucket: the trace that this came from
   * @throws {TypeError} if it is not a number
   * @throws {RangeError} if it is infinite or NaN, which the sum would never recover from, or the
   * exemplar has more than 128 characters
   */
  observe(value: number, exemplar?: Exemplar): void;
  /** Starts a timer. Its end observes the seconds that have passed and returns them. */
  startTimer(exemplar?: Exemplar): (exemplar?: Exemplar) => number;
  /**
   * Does work and observes the seconds that it took, also if it throws.
   *
   * @param work an ordinary or an async function
   * @returns what the work returned; for a promise, a promise of its result
   */
  time<T>(work: () => T): T;
  /** Makes the series exist without an observation. */
  zero(): void;
  /** What a scrape would show now. Zeros if the series does not exist. */
  value(): HistogramValue;
}

/** Counts of values by size. */
export interface Histogram<L extends string = never> extends Metric<L, HistogramChild> {
  /** Counts a value of a histogram without labels. */
  observe(value: number, exemplar?: Exemplar): void;
  /** Counts a value of the series with these labels. */
  observe(labels: LabelsOf<L>, value: number, exemplar?: Exemplar): void;
  /**
   * Starts a timer. Its end observes the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the others are given to the end
   */
  startTimer(labels?: Partial<LabelsOf<L>>, exemplar?: Exemplar): EndTimer<L>;
  /** Does work and observes the seconds that it took, as {@linkcode HistogramChild.time} does. */
  time<T>(work: () => T): T;
  /** The same for the series with these labels. */
  time<T>(labels: LabelsOf<L>, work: () => T): T;
  /** Makes the series with these labels exist without an observation. */
  zero(labels?: LabelsOf<L>): void;
  /** What a scrape would show now. Zeros if the series does not exist. */
  value(labels?: LabelsOf<L>): HistogramValue;
}

/** Options of an {@linkcode Info}. */
export interface InfoOptions<L extends string> extends Omit<MetricOptions<L, Info<L>>, "unit"> {
  /**
   * Whether it leaves with the workers that have set it. Without, it stays until it is replaced or
   * removed.
   *
   * @default {false}
   */
  live?: boolean;
}

/**
 * What something is, such as a program's version: labels, and a value that is always 1. Each of these
 * objects stands for one set of labels at a time.
 */
export interface Info<L extends string = never> {
  /** The metric's name, which ends in `_info`, with the store's `prefix`. */
  readonly name: string;

  /**
   * Says what it is now. What this object said before leaves the exposition; what other objects and
   * workers say with other labels stays.
   *
   * @param labels a value for each of `labelNames`
   * @throws {TypeError} if a label is missing or unexpected; what was said before stays
   */
  set(labels: LabelsOf<L>): void;

  /** Takes what this object said out of the exposition. */
  remove(): void;

  /**
   * Takes all sets of labels with these among them out of the exposition, whoever has said them.
   *
   * @param labels some of `labelNames`, with values
   * @returns how many there were
   * @throws {TypeError} if a label is none of `labelNames`
   */
  removeMatching(labels: Partial<LabelsOf<L>>): number;

  /** Takes everything out of the exposition that anybody has said. */
  reset(): void;
}

/** Options of a {@linkcode StateSet}. */
export interface StateSetOptions<L extends string, S extends string>
  extends Omit<MetricOptions<L, StateSet<L, S>>, "unit"> {
  /** The states that it can be in, at least one. */
  states: readonly S[];
  /**
   * The label that names the state. OpenMetrics wants the metric's name.
   *
   * @default {the metric's name}
   */
  label?: string;
}

/** One series of a {@linkcode StateSet}. */
export interface StateSetChild<S extends string = string> {
  /**
   * Puts it into a state, for all workers: that one is 1, all others are 0.
   *
   * @throws {RangeError} if it is none of `states`; it stays as it was
   */
  set(state: S): void;
  /** Its state; undefined if nobody has set one, or the series was removed. */
  value(): S | undefined;
}

/** In which of a few states something is. */
export interface StateSet<L extends string = never, S extends string = string>
  extends Metric<L, StateSetChild<S>> {
  /** Puts a state set without labels into a state. */
  set(state: S): void;
  /** Puts the series with these labels into a state. */
  set(labels: LabelsOf<L>, state: S): void;
  /** Its state; undefined if nobody has set one, or the series was removed. */
  value(labels?: LabelsOf<L>): S | undefined;
}

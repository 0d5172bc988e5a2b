/**
 * Summaries: count, sum and quantiles of what was observed, perhaps in a sliding window.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { notANumber, type Removable, type Series } from "./children.ts";
import { common, isLabels, LabelledMetric, optionsOfAll, timer } from "./handles.ts";
import { shown } from "./labels.ts";
import type { EndTimer, LabelsOf, Metric, MetricOptions } from "./metrics.ts";
import { checkMembers } from "./options.ts";
import type { Store } from "./store.ts";
import { seconds, timed } from "./timing.ts";
import type { Context } from "./updates.ts";

type AnyLabels = LabelsOf<string>;

/** Options of a {@linkcode Summary}. */
export interface SummaryOptions<L extends string> extends MetricOptions<L, Summary<L>> {
  /**
   * Which quantiles a scrape shows: numbers from 0 to 1, at most 64.
   *
   * @default {[0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999]}
   */
  quantiles?: readonly number[];
  /**
   * Over how many seconds the quantiles look back. Count and sum are of all observations for ever.
   * Without it the quantiles are, too.
   */
  maxAgeSeconds?: number;
  /**
   * Into how many parts that time is divided, 1 to 16: observations leave the quantiles part by part,
   * so that what is shown is between `maxAgeSeconds - maxAgeSeconds / ageBuckets` and
   * `maxAgeSeconds` old at most. Each takes 4 KiB a series and worker.
   *
   * @default {5}
   */
  ageBuckets?: number;
}

/** One quantile of a {@linkcode Summary}. */
export interface QuantileValue {
  /** Which: a number from 0 to 1. */
  readonly quantile: number;
  /** Below it lies that share of the observations. NaN if there are none in the window. */
  readonly value: number;
}

/** What a summary's series stands at. */
export interface SummaryValue {
  /** How many observations. */
  readonly count: number;
  /** Their sum. */
  readonly sum: number;
  /** Those of the options, in their order, of the observations in the window. */
  readonly quantiles: QuantileValue[];
}

/** One series of a {@linkcode Summary}. */
export interface SummaryChild {
  /**
   * Takes a value in.
   *
   * @throws {TypeError} if it is not a number
   * @throws {RangeError} if it is infinite or NaN, which the sum would never recover from
   */
  observe(value: number): void;
  /** Starts a timer. Its end observes the seconds that have passed and returns them. */
  startTimer(): () => number;
  /**
   * Runs a function and observes the seconds it took, also if it fails; if it gives a promise, those
   * until that is settled.
   *
   * @returns what the function returns
   */
  time<T>(task: () => T): T;
  /** Makes the series exist without an observation. */
  zero(): void;
  /** What a scrape would show now. Zeros and NaN if the series does not exist. */
  value(): SummaryValue;
}

/** Quantiles of values, computed from the observations of all workers together. */
export interface Summary<L extends string = never> extends Metric<L, SummaryChild> {
  /** Takes a value into a summary without labels. */
  observe(value: number): void;
  /** Takes a value into the series with these labels. */
  observe(labels: LabelsOf<L>, value: number): void;
  /**
   * Starts a timer. Its end observes the seconds that have passed and returns them.
   *
   * @param labels those that are known already; the others are given to the end
   */
  startTimer(labels?: Partial<LabelsOf<L>>): EndTimer<L>;
  /** Runs a function and observes the seconds it took, as {@linkcode SummaryChild.time} does. */
  time<T>(task: () => T): T;
  /** The same for the series with these labels. */
  time<T>(labels: LabelsOf<L>, task: () => T): T;
  /** Makes the series with these labels exist without an observation. */
  zero(labels?: LabelsOf<L>): void;
  /** What a scrape would show now. Zeros and NaN if the series does not exist. */
  value(labels?: LabelsOf<L>): SummaryValue;
}

// ---- one series

/** What the options of a summary mean for its series. */
interface Shape {
  readonly quantiles: readonly number[];
  readonly windowed: boolean;
}

type Child = SummaryChild & Removable;
type SummarySeries = new (series: Series, shape: Shape) => Child;

let classOfSeries: SummarySeries | undefined;

/** The class; the library must be open. See `makeClasses` of children.ts for why it is made so late. */
function summarySeries(): SummarySeries {
  return classOfSeries ??= makeClass(native);
}

function makeClass({ observeAt, touch }: Pick<typeof native, "observeAt" | "touch">) {
  return class implements Child {
    readonly #store: Store;
    readonly #series: Series;
    readonly #quantiles: readonly number[];
    readonly #windowed: boolean;
    #handle = native.NONE;

    constructor(series: Series, { quantiles, windowed }: Shape) {
      this.#store = series.store;
      this.#series = series;
      this.#quantiles = quantiles;
      this.#windowed = windowed;
    }

    observe(value: number): void {
      if (typeof value !== "number" || !Number.isFinite(value)) this.#refuse(value);
      const now = this.#windowed ? Date.now() : 0; // half of what an observation costs
      if (observeAt(this.#store.attachment, this.#handle, value, now) !== 0) {
        this.#handle = this.#series.update(
          (attachment, handle, value) => observeAt(attachment, handle, value, now),
          value,
        );
      }
    }

    #refuse(value: unknown): never {
      const { name } = this.#series;
      if (typeof value !== "number") throw notANumber(name, value);
      throw new RangeError(
        `summary ${name} cannot observe ${value}: its sum would be lost for good`,
      );
    }

    startTimer(): () => number {
      const start = performance.now();
      return () => {
        const passed = seconds(start);
        this.observe(passed);
        return passed;
      };
    }

    time<T>(task: () => T): T {
      return timed(this.#series.name, task, (passed) => this.observe(passed));
    }

    zero(): void {
      if (touch(this.#store.attachment, this.#handle) !== 0) {
        this.#handle = this.#series.update(touch, 0);
      }
    }

    value(): SummaryValue {
      const handle = this.#series.existing();
      const numbers = handle === undefined ? [] : this.#store.quantiles(handle, Date.now());
      const [count = 0, sum = 0, ...values] = numbers;
      return {
        count,
        sum,
        quantiles: this.#quantiles.map((quantile, i) => ({ quantile, value: values[i] ?? NaN })),
      };
    }

    remove(): void {
      this.#series.remove();
    }
  };
}

// ---- the metric

class SummaryMetric extends LabelledMetric<Child> implements Summary<string> {
  observe(first?: AnyLabels | number, value?: number): void {
    if (isLabels(first)) this.labels(first).observe(value as number);
    else this.own().observe(first as number);
  }

  startTimer(labels?: Partial<AnyLabels>): EndTimer<string> {
    return timer(labels, (all, passed) => this.at(all).observe(passed));
  }

  time<T>(first: AnyLabels | (() => T), task?: () => T): T {
    const labelled = isLabels(first);
    return this.at(labelled ? first : undefined).time(labelled ? task! : first);
  }

  zero(labels?: AnyLabels): void {
    this.at(labels).zero();
  }

  value(labels?: AnyLabels): SummaryValue {
    return this.at(labels).value();
  }
}

// ---- options

const defaultQuantiles = [0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999];
const defaultAgeBuckets = 5;
/** As in csrc/pts.h. */
const mostQuantiles = 64;
const mostAgeBuckets = 16;

function checkQuantiles(quantiles: unknown): number[] {
  if (!Array.isArray(quantiles)) {
    throw new TypeError(`quantiles must be an array of numbers, not ${shown(quantiles)}`);
  }
  for (const [index, quantile] of quantiles.entries()) {
    if (typeof quantile !== "number") {
      throw new TypeError(`quantiles must be numbers, not ${shown(quantile)}`);
    }
    if (!(quantile >= 0 && quantile <= 1)) {
      throw new RangeError(`quantiles must be numbers from 0 to 1, not ${quantile}`);
    }
    if (quantiles.indexOf(quantile) < index) {
      throw new RangeError(`quantiles must differ: ${quantile} is there twice`);
    }
  }
  if (quantiles.length > mostQuantiles) {
    throw new RangeError(
      `there can be at most ${mostQuantiles} quantiles, not ${quantiles.length}`,
    );
  }
  return [...quantiles];
}

function checkWindow(maxAgeSeconds: number | undefined, ageBuckets: number | undefined): void {
  if (maxAgeSeconds === undefined) {
    if (ageBuckets === undefined) return;
    throw new TypeError("ageBuckets divides the time of maxAgeSeconds: give that, too, or neither");
  }
  if (!(maxAgeSeconds > 0 && maxAgeSeconds < Infinity)) {
    throw new RangeError(
      `maxAgeSeconds must be a positive number of seconds, not ${maxAgeSeconds} ` +
        `(leave it out for quantiles of all observations)`,
    );
  }
  if (ageBuckets === undefined) return;
  if (Number.isInteger(ageBuckets) && ageBuckets >= 1 && ageBuckets <= mostAgeBuckets) return;
  throw new RangeError(
    `ageBuckets must be a whole number from 1 to ${mostAgeBuckets}, not ${ageBuckets}`,
  );
}

/** As given for labels of any names. */
interface Options extends Omit<SummaryOptions<string>, "collect"> {
  collect?: (metric: never) => unknown;
}

/** Makes a summary. */
export function makeSummary(context: Context, name: string, options: Options): Summary<string> {
  checkMembers("summary options", options, {
    ...optionsOfAll,
    quantiles: ["object"],
    maxAgeSeconds: ["number"],
    ageBuckets: ["number"],
  });
  const { maxAgeSeconds, ageBuckets: buckets } = options;
  const quantiles = checkQuantiles(options.quantiles ?? defaultQuantiles);
  checkWindow(maxAgeSeconds, buckets);
  const windowed = maxAgeSeconds !== undefined;
  const ageBuckets = windowed ? buckets ?? defaultAgeBuckets : undefined;
  const SummarySeries = summarySeries();
  return new SummaryMetric({
    ...common(context, name, { ...options, quantiles, ageBuckets }, "summary"),
    kind: native.Kind.summary,
    bounds: Float64Array.of((maxAgeSeconds ?? 0) * 1000, ageBuckets ?? 1, ...quantiles),
    child: (series) => new SummarySeries(series, { quantiles, windowed }),
  });
}

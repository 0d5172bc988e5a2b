/**
 * Typed metrics at work: their labels, checked, and the children that belong to them.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { childClasses, type Removable, Series } from "./children.ts";
import { defaultBuckets, type FamilyDeclaration, gaugeKind } from "./families.ts";
import {
  checkLabelName,
  checkLabels,
  fullName,
  insertedLabel,
  labelPairs,
  printedLabel,
  seriesKey,
  shown,
} from "./labels.ts";
import { type Duration, durationMs } from "./durations.ts";
import type { Exemplar } from "./exemplars.ts";
import type {
  Counter,
  CounterChild,
  EndTimer,
  Gauge,
  GaugeChild,
  Histogram,
  HistogramChild,
  HistogramValue,
  LabelsOf,
  Metric,
} from "./metrics.ts";
import { checkMaxSeries, checkMembers } from "./options.ts";
import { Paths } from "./paths.ts";
import { seconds } from "./timing.ts";
import type { Context } from "./updates.ts";

/** Labels whose names are checked when they are used. */
export type AnyLabels = LabelsOf<string>;

/** What a typed metric is made from. */
export interface Plan<C> {
  readonly context: Context;
  readonly name: string;
  readonly labelNames: unknown;
  readonly declaration: FamilyDeclaration;
  readonly kind: native.Kind;
  /** Of its series; a histogram's are its buckets, declared or default. */
  readonly bounds?: Float64Array<ArrayBuffer>;
  /** The label that C adds to the lines of a series, unless its kind says it. */
  readonly inserted?: string;
  /** Whether a metric without labels has no series before its first update. */
  readonly absent?: boolean;
  readonly child: (series: Series) => C;
  readonly collect: ((metric: never) => unknown) | undefined;
}

/** Labels and children: what all typed metrics have in common. */
export class LabelledMetric<C extends Removable> implements Metric<string, C> {
  readonly name: string;
  readonly #plan: Plan<C>;
  readonly #labelNames: readonly string[];
  readonly #bounds: Float64Array<ArrayBuffer> | undefined;
  readonly #children: Paths<C | undefined>;
  readonly #own: C | undefined;

  constructor(plan: Plan<C>) {
    const { context, name, declaration, kind, bounds } = plan;
    this.name = name;
    this.#plan = plan;
    this.#labelNames = checkLabelNames(plan);
    context.families.declare(name, declaration);
    this.#bounds = kind === native.Kind.histogram
      ? context.families.find(name)?.buckets ?? defaultBuckets
      : bounds;
    this.#children = new Paths<C | undefined>(undefined, 4 * context.store.seriesCapacity);
    const { collect } = plan;
    if (collect !== undefined) context.collectors.add(name, () => collect(this as never));
    if (this.#labelNames.length > 0) return;
    this.#own = plan.child(this.#seriesOf({}));
    this.#touchOwn();
  }

  /** A metric without labels exists, with 0. */
  #touchOwn(): void {
    if (!this.#plan.absent) this.#seriesOf({}).touch();
  }

  labels(labels: AnyLabels): C {
    return this.#children.find("", labels) ?? this.#make(labels);
  }

  remove(labels?: AnyLabels): void {
    if (labels === undefined) this.own().remove();
    else this.labels(labels).remove();
  }

  removeMatching(labels: Partial<AnyLabels>): number {
    const { context } = this.#plan;
    checkLabels(labels);
    const unexpected = Object.keys(labels).filter((name) => !this.#labelNames.includes(name));
    if (unexpected.length > 0) {
      throw new TypeError(
        `${this.name}: label ${shown(unexpected[0])} is unexpected; ${this.#itsLabels()}`,
      );
    }
    const pairs = labelPairs(context.defaults, labels, context.validation, () => {});
    return context.store.removeMatching(
      this.name,
      pairs.map(([name, value]) => printedLabel(name, value)),
    );
  }

  reset(): void {
    const { context } = this.#plan;
    context.store.removeMatching(this.name, []);
    if (this.#labelNames.length === 0) this.#touchOwn();
  }

  #itsLabels(): string {
    return `its labels are: ${this.#labelNames.length > 0 ? this.#labelNames.join(", ") : "none"}`;
  }

  /** The series with these labels, or without any. */
  at(labels: AnyLabels | undefined): C {
    return labels === undefined ? this.own() : this.labels(labels);
  }

  /** The series of a metric without labels. */
  own(): C {
    return this.#own ?? this.#make({});
  }

  #make(labels: AnyLabels): C {
    const series = this.#seriesOf(labels);
    const child = this.#own ?? this.#plan.child(series); // without labels there is only one
    this.#children.put("", labels, child);
    return child;
  }

  #seriesOf(labels: AnyLabels): Series {
    const { context, name, kind, inserted } = this.#plan;
    this.#checkLabels(labels);
    const pairs = labelPairs(context.defaults, labels, context.validation, () => {});
    const key = seriesKey(name, pairs, inserted ?? insertedLabel(kind));
    const { maxSeries } = this.#plan.declaration;
    return new Series(context.store, kind, key, this.#bounds, maxSeries);
  }

  #checkLabels(labels: AnyLabels): void {
    checkLabels(labels);
    const has = (name: string) =>
      Object.hasOwn(labels, name) && labels[name] !== undefined && labels[name] !== null;
    const problems = [
      ...this.#labelNames.filter((name) => !has(name)).map((name) => `label "${name}" is missing`),
      ...Object.keys(labels).filter((name) => !this.#labelNames.includes(name))
        .map((name) => `label ${shown(name)} is unexpected`),
    ];
    if (problems.length === 0) return;
    throw new TypeError(`${this.name}: ${problems.join(", ")}; ${this.#itsLabels()}`);
  }
}

function checkLabelNames(
  { context, name, labelNames, kind, inserted = insertedLabel(kind) }: Plan<unknown>,
): readonly string[] {
  if (labelNames === undefined) return [];
  if (!Array.isArray(labelNames)) {
    throw new TypeError(`labelNames of ${name} must be an array, not ${shown(labelNames)}`);
  }
  for (const [index, label] of labelNames.entries()) {
    checkLabelName(label, context.validation);
    if (labelNames.indexOf(label) < index) {
      throw new TypeError(`labelNames of ${name} has ${shown(label)} twice`);
    }
    if (label === inserted) {
      const of = { le: "buckets", quantile: "quantiles", other: "states" };
      const what = of[insertedLabel(kind) ?? "other"];
      throw new TypeError(
        `labelNames of ${name} has "${label}", which is the label of its ${what}`,
      );
    }
  }
  return [...labelNames];
}

/** A timer of a metric whose labels may be known only at its end. */
export function timer(
  labels: Partial<AnyLabels> | undefined,
  done: (labels: AnyLabels | undefined, seconds: number, exemplar?: Exemplar) => void,
): EndTimer<string> {
  const start = performance.now();
  return (more, exemplar) => {
    const passed = seconds(start);
    const all = labels === undefined && more === undefined ? undefined : { ...labels, ...more };
    done(all as AnyLabels | undefined, passed, exemplar);
    return passed;
  };
}

/** Whether an update's first argument is its labels. */
export function isLabels(argument: unknown): argument is AnyLabels {
  return typeof argument === "object" && argument !== null;
}

/** A counter. */
export class CounterMetric extends LabelledMetric<CounterChild & Removable>
  implements Counter<string> {
  inc(first?: AnyLabels | number, second?: number | Exemplar, exemplar?: Exemplar): void {
    if (isLabels(first)) this.labels(first).inc(second as number | undefined, exemplar);
    else this.own().inc(first, second as Exemplar | undefined);
  }

  value(labels?: AnyLabels): number {
    return this.at(labels).value();
  }
}

/** A gauge. */
export class GaugeMetric extends LabelledMetric<GaugeChild & Removable> implements Gauge<string> {
  set(first?: AnyLabels | number, value?: number): void {
    if (isLabels(first)) this.labels(first).set(value as number);
    else this.own().set(first as number);
  }

  inc(first?: AnyLabels | number, amount?: number): void {
    if (isLabels(first)) this.labels(first).inc(amount);
    else this.own().inc(first);
  }

  dec(first?: AnyLabels | number, amount?: number): void {
    if (isLabels(first)) this.labels(first).dec(amount);
    else this.own().dec(first);
  }

  setToCurrentTime(labels?: AnyLabels): void {
    this.at(labels).setToCurrentTime();
  }

  startTimer(labels?: Partial<AnyLabels>): EndTimer<string> {
    return timer(labels, (all, passed) => this.at(all).set(passed));
  }

  time<T>(first: AnyLabels | (() => T), work?: () => T): T {
    return isLabels(first) ? this.labels(first).time(work!) : this.own().time(first);
  }

  trackInProgress<T>(first: AnyLabels | (() => T), work?: () => T): T {
    return isLabels(first)
      ? this.labels(first).trackInProgress(work!)
      : this.own().trackInProgress(first);
  }

  value(labels?: AnyLabels): number {
    return this.at(labels).value();
  }
}

/** A histogram. */
export class HistogramMetric extends LabelledMetric<HistogramChild & Removable>
  implements Histogram<string> {
  observe(first?: AnyLabels | number, second?: number | Exemplar, exemplar?: Exemplar): void {
    if (isLabels(first)) this.labels(first).observe(second as number, exemplar);
    else this.own().observe(first as number, second as Exemplar | undefined);
  }

  startTimer(labels?: Partial<AnyLabels>, exemplar?: Exemplar): EndTimer<string> {
    return timer(labels, (all, passed, last) => this.at(all).observe(passed, last ?? exemplar));
  }

  time<T>(first: AnyLabels | (() => T), work?: () => T): T {
    return isLabels(first) ? this.labels(first).time(work!) : this.own().time(first);
  }

  zero(labels?: AnyLabels): void {
    this.at(labels).zero();
  }

  value(labels?: AnyLabels): HistogramValue {
    return this.at(labels).value();
  }
}

/** What a typed metric may be given. */
export interface Options extends FamilyDeclaration {
  labelNames?: readonly string[];
  collect?: (metric: never) => unknown;
  ttl?: Duration;
}

/** The members of all metrics' options, with their types. */
export const optionsOfAll = {
  help: ["string"],
  unit: ["string"],
  labelNames: ["object"],
  collect: ["function"],
  ttl: ["number", "string"],
  maxSeries: ["number"],
} as const;

/** Makes a counter. */
export function makeCounter(context: Context, name: string, options: Options): Counter<string> {
  checkMembers("counter options", options, optionsOfAll);
  const { CounterSeries } = childClasses();
  return new CounterMetric({
    ...common(context, name, options, "counter"),
    kind: native.Kind.value,
    child: (series) => new CounterSeries(series),
  });
}

/** Makes a gauge. */
export function makeGauge(context: Context, name: string, options: Options): Gauge<string> {
  checkMembers("gauge options", options, { ...optionsOfAll, mode: ["string"] });
  const { GaugeSeries } = childClasses();
  return new GaugeMetric({
    ...common(context, name, options, "gauge"),
    kind: gaugeKind(options.mode),
    // A worker that has nothing to say must not be the smallest, largest or last of all.
    absent: options.mode !== undefined && !options.mode.endsWith("sum"),
    child: (series) => new GaugeSeries(series),
  });
}

/** Makes a histogram. */
export function makeHistogram(context: Context, name: string, options: Options): Histogram<string> {
  checkMembers("histogram options", options, { ...optionsOfAll, buckets: ["object"] });
  const { HistogramSeries } = childClasses();
  return new HistogramMetric({
    ...common(context, name, options, "histogram"),
    kind: native.Kind.histogram,
    child: (series) => new HistogramSeries(series),
  });
}

/** The part of a plan that all metrics have. */
export function common(
  context: Context,
  name: string,
  { labelNames, collect, ttl, ...declaration }: Options,
  type: FamilyDeclaration["type"],
): Pick<Plan<unknown>, "context" | "name" | "labelNames" | "declaration" | "collect"> {
  const { store, prefix, validation } = context;
  store.requireOpen();
  if (declaration.maxSeries !== undefined) checkMaxSeries(declaration.maxSeries);
  const ttlMs = ttl === undefined ? undefined : durationMs("ttl", ttl);
  return {
    context,
    name: fullName(prefix, name, validation),
    labelNames,
    collect,
    declaration: { ...declaration, type, ttlMs },
  };
}

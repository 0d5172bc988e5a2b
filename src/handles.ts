/**
 * Typed metrics at work. A child keeps the number of its series, so that an update is one native call.
 *
 * A child without a series yet has a number that C refuses, and takes the slow way, like one whose
 * store is closed or full: labels of a request must not throw because there is no room for them.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { defaultBuckets, type FamilyDeclaration } from "./families.ts";
import { checkLabelName, checkLabels, labelPairs, seriesKey, shown } from "./labels.ts";
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
import { checkMembers } from "./options.ts";
import { Paths } from "./paths.ts";
import type { Store } from "./store.ts";
import type { Context } from "./updates.ts";

type AnyLabels = LabelsOf<string>;

/** Which series a child stands for. */
class Series {
  readonly store: Store;
  readonly #kind: native.Kind;
  readonly #key: native.SeriesKey;
  readonly #bounds: Float64Array<ArrayBuffer> | undefined;

  constructor(
    store: Store,
    kind: native.Kind,
    key: native.SeriesKey,
    bounds: Float64Array<ArrayBuffer> | undefined,
  ) {
    this.store = store;
    this.#kind = kind;
    this.#key = key;
    this.#bounds = bounds;
  }

  get name(): string {
    return this.#key.name;
  }

  /** Does an update that the fast way could not. Returns the handle to keep. */
  update(
    operation: (attachment: number, handle: number, value: number) => number,
    value: number,
  ): number {
    const { store } = this;
    store.requireOpen();
    const handle = store.seriesForUpdate(this.#kind, this.#key, this.#bounds);
    const result = handle < 0 ? handle : operation(store.attachment, handle, value);
    if (result < 0) store.updateFailed(result, this.name);
    return handle < 0 ? native.NONE : handle;
  }

  /** Makes the series exist, or says why it cannot. */
  touch(): void {
    const handle = this.store.series(this.#kind, this.#key, this.#bounds);
    this.store.check(native.touch(this.store.attachment, handle), `make ${this.#key.printed}`);
  }

  remove(): void {
    const handle = this.#existing();
    if (handle !== undefined) this.store.remove(handle);
  }

  value(): native.Value | undefined {
    const handle = this.#existing();
    return handle === undefined ? undefined : this.store.value(handle);
  }

  #existing(): number | undefined {
    this.store.requireOpen();
    return this.store.existingSeries(this.#kind, this.#key, this.#bounds);
  }
}

function notANumber(name: string, value: unknown): TypeError {
  return new TypeError(`the value for ${name} must be a number, not ${shown(value)}`);
}

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}

class CounterSeries implements CounterChild {
  readonly #store: Store;
  readonly #series: Series;
  #handle = native.NONE;

  constructor(series: Series) {
    this.#store = series.store;
    this.#series = series;
  }

  inc(amount = 1): void {
    if (typeof amount !== "number" || !(amount >= 0 && amount < Infinity)) this.#refuse(amount);
    if (native.add(this.#store.attachment, this.#handle, amount) !== 0) {
      this.#handle = this.#series.update(native.add, amount);
    }
  }

  #refuse(amount: unknown): never {
    const { name } = this.#series;
    if (typeof amount !== "number") throw notANumber(name, amount);
    throw new RangeError(
      `counter ${name} cannot be increased by ${amount}: it only grows, by finite amounts ` +
        `(a gauge goes up and down)`,
    );
  }

  value(): number {
    return this.#series.value()?.value ?? 0;
  }

  remove(): void {
    this.#series.remove();
  }
}

class GaugeSeries implements GaugeChild {
  readonly #store: Store;
  readonly #series: Series;
  #handle = native.NONE;

  constructor(series: Series) {
    this.#store = series.store;
    this.#series = series;
  }

  set(value: number): void {
    if (typeof value !== "number") throw notANumber(this.#series.name, value);
    if (native.set(this.#store.attachment, this.#handle, value) !== 0) {
      this.#handle = this.#series.update(native.set, value);
    }
  }

  inc(amount = 1): void {
    if (typeof amount !== "number") throw notANumber(this.#series.name, amount);
    if (native.add(this.#store.attachment, this.#handle, amount) !== 0) {
      this.#handle = this.#series.update(native.add, amount);
    }
  }

  dec(amount = 1): void {
    if (typeof amount !== "number") throw notANumber(this.#series.name, amount);
    this.inc(-amount);
  }

  setToCurrentTime(): void {
    this.set(Date.now() / 1000);
  }

  startTimer(): () => number {
    const start = performance.now();
    return () => {
      const passed = seconds(start);
      this.set(passed);
      return passed;
    };
  }

  value(): number {
    return this.#series.value()?.value ?? 0;
  }

  remove(): void {
    this.#series.remove();
  }
}

class HistogramSeries implements HistogramChild {
  readonly #store: Store;
  readonly #series: Series;
  #handle = native.NONE;

  constructor(series: Series) {
    this.#store = series.store;
    this.#series = series;
  }

  observe(value: number): void {
    if (typeof value !== "number" || !Number.isFinite(value)) this.#refuse(value);
    if (native.observe(this.#store.attachment, this.#handle, value) !== 0) {
      this.#handle = this.#series.update(native.observe, value);
    }
  }

  #refuse(value: unknown): never {
    const { name } = this.#series;
    if (typeof value !== "number") throw notANumber(name, value);
    throw new RangeError(
      `histogram ${name} cannot observe ${value}: its sum would be lost for good`,
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

  zero(): void {
    if (native.touch(this.#store.attachment, this.#handle) !== 0) {
      this.#handle = this.#series.update(native.touch, 0);
    }
  }

  value(): HistogramValue {
    const { value: sum = 0, count = 0 } = this.#series.value() ?? {};
    return { count, sum };
  }

  remove(): void {
    this.#series.remove();
  }
}

/** What a typed metric is made from. */
interface Plan<C> {
  readonly context: Context;
  readonly name: string;
  readonly labelNames: unknown;
  readonly declaration: FamilyDeclaration;
  readonly kind: native.Kind;
  readonly child: (series: Series) => C;
}

/** Labels and children: what all typed metrics have in common. */
class LabelledMetric<C extends { remove(): void }> implements Metric<string, C> {
  readonly name: string;
  readonly #plan: Plan<C>;
  readonly #labelNames: readonly string[];
  readonly #bounds: Float64Array<ArrayBuffer> | undefined;
  readonly #children: Paths<C | undefined>;
  readonly #own: C | undefined;

  constructor(plan: Plan<C>) {
    const { context, name, declaration, kind } = plan;
    this.name = name;
    this.#plan = plan;
    this.#labelNames = checkLabelNames(plan);
    context.families.declare(name, declaration);
    this.#bounds = kind === native.Kind.histogram
      ? context.families.find(name)?.buckets ?? defaultBuckets
      : undefined;
    this.#children = new Paths<C | undefined>(undefined, 4 * context.store.seriesCapacity);
    if (this.#labelNames.length > 0) return;
    const series = this.#seriesOf({});
    this.#own = plan.child(series);
    // A worker that has nothing to say must not be the smallest or largest of all.
    const { mode } = declaration;
    if (mode !== "livemin" && mode !== "livemax") series.touch();
  }

  labels(labels: AnyLabels): C {
    return this.#children.find("", labels) ?? this.#make(labels);
  }

  remove(labels?: AnyLabels): void {
    if (labels === undefined) this.own().remove();
    else this.labels(labels).remove();
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
    const { context, name, kind } = this.#plan;
    this.#checkLabels(labels);
    const pairs = labelPairs(context.defaults, labels, context.validation, () => {});
    const key = seriesKey(name, pairs, kind === native.Kind.histogram ? "le" : undefined);
    return new Series(context.store, kind, key, this.#bounds);
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
    const names = this.#labelNames.length > 0 ? this.#labelNames.join(", ") : "none";
    throw new TypeError(`${this.name}: ${problems.join(", ")}; its labels are: ${names}`);
  }
}

function checkLabelNames({ context, name, labelNames, kind }: Plan<unknown>): readonly string[] {
  if (labelNames === undefined) return [];
  if (!Array.isArray(labelNames)) {
    throw new TypeError(`labelNames of ${name} must be an array, not ${shown(labelNames)}`);
  }
  for (const [index, label] of labelNames.entries()) {
    checkLabelName(label, context.validation);
    if (labelNames.indexOf(label) < index) {
      throw new TypeError(`labelNames of ${name} has ${shown(label)} twice`);
    }
    if (label === "le" && kind === native.Kind.histogram) {
      throw new TypeError(`labelNames of ${name} has "le", which is the label of its buckets`);
    }
  }
  return [...labelNames];
}

/** A timer of a metric whose labels may be known only at its end. */
function timer(
  labels: Partial<AnyLabels> | undefined,
  done: (labels: AnyLabels | undefined, seconds: number) => void,
): EndTimer<string> {
  const start = performance.now();
  return (more) => {
    const passed = seconds(start);
    const all = labels === undefined && more === undefined ? undefined : { ...labels, ...more };
    done(all as AnyLabels | undefined, passed);
    return passed;
  };
}

function isLabels(argument: unknown): argument is AnyLabels {
  return typeof argument === "object" && argument !== null;
}

/** A counter. */
export class CounterMetric extends LabelledMetric<CounterSeries> implements Counter<string> {
  inc(first?: AnyLabels | number, amount?: number): void {
    if (isLabels(first)) this.labels(first).inc(amount);
    else this.own().inc(first);
  }

  value(labels?: AnyLabels): number {
    return this.at(labels).value();
  }
}

/** A gauge. */
export class GaugeMetric extends LabelledMetric<GaugeSeries> implements Gauge<string> {
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

  value(labels?: AnyLabels): number {
    return this.at(labels).value();
  }
}

/** A histogram. */
export class HistogramMetric extends LabelledMetric<HistogramSeries> implements Histogram<string> {
  observe(first?: AnyLabels | number, value?: number): void {
    if (isLabels(first)) this.labels(first).observe(value as number);
    else this.own().observe(first as number);
  }

  startTimer(labels?: Partial<AnyLabels>): EndTimer<string> {
    return timer(labels, (all, passed) => this.at(all).observe(passed));
  }

  zero(labels?: AnyLabels): void {
    this.at(labels).zero();
  }

  value(labels?: AnyLabels): HistogramValue {
    return this.at(labels).value();
  }
}

/** What a typed metric may be given. */
interface Options extends FamilyDeclaration {
  labelNames?: readonly string[];
}

const optionsOfAll = { help: ["string"], unit: ["string"], labelNames: ["object"] } as const;

/** Makes a counter. */
export function makeCounter(context: Context, name: string, options: Options): Counter<string> {
  checkMembers("counter options", options, optionsOfAll);
  return new CounterMetric({
    ...common(context, name, options, "counter"),
    kind: native.Kind.value,
    child: (series) => new CounterSeries(series),
  });
}

/** Makes a gauge. */
export function makeGauge(context: Context, name: string, options: Options): Gauge<string> {
  checkMembers("gauge options", options, { ...optionsOfAll, mode: ["string"] });
  const live = options.mode !== undefined && options.mode !== "sum";
  return new GaugeMetric({
    ...common(context, name, options, "gauge"),
    kind: live ? native.Kind.live : native.Kind.value,
    child: (series) => new GaugeSeries(series),
  });
}

/** Makes a histogram. */
export function makeHistogram(context: Context, name: string, options: Options): Histogram<string> {
  checkMembers("histogram options", options, { ...optionsOfAll, buckets: ["object"] });
  return new HistogramMetric({
    ...common(context, name, options, "histogram"),
    kind: native.Kind.histogram,
    child: (series) => new HistogramSeries(series),
  });
}

function common(
  context: Context,
  name: string,
  { labelNames, ...declaration }: Options,
  type: FamilyDeclaration["type"],
): Pick<Plan<unknown>, "context" | "name" | "labelNames" | "declaration"> {
  context.store.requireOpen();
  return { context, name, labelNames, declaration: { ...declaration, type } };
}

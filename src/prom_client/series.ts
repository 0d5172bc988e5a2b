/**
 * The series of one metric: found by their labels, kept in a store, read back with those labels as
 * they were first given.
 *
 * @module
 */

import { Paths } from "../paths.ts";
import type { Labels } from "../labels.ts";
import { parseLabels, type RenderedFamily, type Sample, takeLabel } from "./exposition_text.ts";
import { type AnyLabels, checkLabels, copyOf, printedLabels, storedLabels } from "./labels.ts";
import { anyLabel, type Handle, type MetricStore, type Shape } from "./stores.ts";
import type { Exemplar, LabelValues } from "./types.ts";

/** The label that tells the lines of one series apart, by the type of its metric. */
export const lineLabels: Partial<Record<string, string>> = { histogram: "le", summary: "quantile" };

/** How many spellings of labels a metric remembers: those that come and go must not fill memory. */
const MOST_PATHS = 65_536;

/** A series that this thread has updated. */
interface Known<C> {
  /** As they were first given: in that order, numbers as numbers. */
  readonly labels: AnyLabels;
  readonly child: C;
}

/** A line of a series. */
export interface Line {
  readonly name: string;
  /** The value of the label that tells the lines of a series apart, if this one has it. */
  readonly at: string | undefined;
  readonly value: number;
  readonly exemplar: Exemplar | undefined;
}

/** What a series stands at. */
export interface StoredSeries {
  /** Its own labels, without that of its lines. */
  readonly labels: LabelValues<string>;
  readonly lines: readonly Line[];
}

/** All series of a metric; `C` is what updates one of them. */
export class SeriesSet<C> {
  readonly #labelNames: readonly string[];
  readonly #shape: Shape<C>;
  #store: MetricStore;
  #name: string;
  readonly #handles = new Map<string, Handle<C>>();
  readonly #paths = new Paths<Known<C> | undefined>(undefined, MOST_PATHS);
  readonly #known = new Map<string, Known<C>>();

  /**
   * @param metric whose series these are
   * @param store where they are kept
   */
  constructor(
    metric: { readonly name: string; readonly labelNames: readonly string[] },
    store: MetricStore,
    shape: Shape<C>,
  ) {
    this.#labelNames = metric.labelNames;
    this.#shape = shape;
    this.#store = store;
    this.#name = store.place(metric, metric.name, shape);
    if (this.#labelNames.length === 0) this.child({});
    else this.#handle(this.#labelNames); // declares it, so that it is printed without series, too
  }

  /** Whether other workers may update them. */
  get isShared(): boolean {
    return this.#store.isShared;
  }

  /** Whether they are kept in this store. */
  isIn(store: MetricStore): boolean {
    return this.#store === store;
  }

  /**
   * What updates the series with these labels.
   *
   * @throws {Error} if a label is none of the metric's
   */
  child(labels: AnyLabels): C {
    return (this.#paths.find("", labels as Labels) ?? this.#find(labels)).child;
  }

  #find(labels: AnyLabels): Known<C> {
    checkLabels(this.#labelNames, labels);
    const stored = storedLabels(labels);
    const key = printedLabels(stored);
    let known = this.#known.get(key);
    if (known === undefined) {
      const child = this.#handle(Object.keys(stored)).labels(stored);
      this.#known.set(key, known = { labels: copyOf(labels), child });
    }
    this.#paths.put("", labels as Labels, known);
    return known;
  }

  /** The typed metric for series with exactly these labels: prom-client's may have some of them. */
  #handle(labelNames: readonly string[]): Handle<C> {
    const key = labelNames.join();
    let handle = this.#handles.get(key);
    if (handle === undefined) {
      handle = this.#shape.make(this.#store.prom, this.#name, labelNames);
      this.#handles.set(key, handle);
    }
    return handle;
  }

  /** The labels of the series that this thread has updated. */
  known(): AnyLabels[] {
    return [...this.#known.values()].map(({ labels }) => labels);
  }

  /** Removes the series with these labels. */
  remove(labels: AnyLabels): void {
    const stored = storedLabels(labels);
    this.#paths.clear();
    this.#known.delete(printedLabels(stored));
    this.#handle(Object.keys(stored)).remove(stored);
  }

  /** Removes all series. */
  clear(): void {
    this.#paths.clear();
    this.#known.clear();
    this.#handle(this.#labelNames.length > 0 ? this.#labelNames : anyLabel).removeMatching({});
  }

  /** Removes all series, and goes on in another store. */
  moveTo(store: MetricStore, metric: { readonly name: string }): void {
    this.clear();
    this.#handles.clear();
    this.#store.left(metric.name);
    this.#store = store;
    this.#name = store.place(metric, metric.name, this.#shape);
    if (this.#labelNames.length === 0) this.child({});
  }

  /**
   * All series, also those of other workers: first those of this thread, in the order of their
   * first update.
   */
  async read(exemplars: boolean): Promise<StoredSeries[]> {
    const family = await this.#store.read(this.#name, exemplars);
    const found = linesOfSeries(family?.samples ?? [], this.#shape.lineLabel);
    if (this.#known.size > 2 * found.size + 1000) this.#forgetRemoved(found);
    const series: StoredSeries[] = [];
    for (const [key, { labels }] of this.#known) {
      const lines = found.get(key);
      if (lines === undefined) continue;
      series.push({ labels: { ...labels } as LabelValues<string>, lines });
    }
    if (series.length === found.size) return series;
    for (const [key, lines] of found) {
      if (!this.#known.has(key)) series.push({ labels: this.#ordered(parseLabels(key)), lines });
    }
    return series;
  }

  /** Labels of another worker in this metric's order. */
  #ordered(labels: Record<string, string>): LabelValues<string> {
    const names = [...this.#labelNames, ...Object.keys(labels)];
    const own = names.filter((name) => Object.hasOwn(labels, name));
    return Object.fromEntries(own.map((name) => [name, labels[name]]));
  }

  #forgetRemoved(found: ReadonlyMap<string, unknown>): void {
    for (const key of this.#known.keys()) {
      if (!found.has(key)) this.#known.delete(key);
    }
    this.#paths.clear();
  }
}

/**
 * The lines of each series, by its labels as they are printed.
 *
 * @param lineLabel the label that tells the lines of one series apart
 */
function linesOfSeries(samples: readonly Sample[], lineLabel: string | undefined) {
  const found = new Map<string, Line[]>();
  for (const { name, labels, value, exemplar } of samples) {
    const { value: at, rest: key } = lineLabel === undefined
      ? { value: undefined, rest: labels }
      : takeLabel(labels, lineLabel);
    const line = { name, at, value, exemplar };
    const lines = found.get(key);
    if (lines === undefined) found.set(key, [line]);
    else lines.push(line);
  }
  return found;
}

/** The series of a family that only other workers have registered. */
export function seriesOf({ type, samples }: RenderedFamily): StoredSeries[] {
  const found = linesOfSeries(samples, lineLabels[type]);
  return [...found].map(([key, lines]) => ({ labels: parseLabels(key), lines }));
}

/**
 * The children of typed metrics, which keep the number of their series, so that an update is one native
 * call.
 *
 * A child without a series yet has a number that C refuses, and takes the slow way, like one whose
 * store is closed or full: labels of a request must not throw because there is no room for them.
 *
 * @module
 */

import { isDirect, noCell, unknownCell } from "../ffi/direct.ts";
import * as native from "../ffi/native.ts";
import { failures } from "./errors.ts";
import { type Exemplar, printedExemplar } from "./exemplars.ts";
import { shown } from "./labels.ts";
import type { CounterChild, GaugeChild, HistogramChild, HistogramValue } from "./metrics.ts";
import type { Store } from "./store.ts";
import { seconds, timed, tracked } from "./timing.ts";

/** Which series a child stands for. */
export class Series {
  readonly store: Store;
  readonly #kind: native.Kind;
  readonly #key: native.SeriesKey;
  readonly #bounds: Float64Array<ArrayBuffer> | undefined;
  readonly #maxSeries: number | undefined;

  constructor(
    store: Store,
    kind: native.Kind,
    key: native.SeriesKey,
    bounds: Float64Array<ArrayBuffer> | undefined,
    maxSeries?: number,
  ) {
    this.store = store;
    this.#kind = kind;
    this.#key = key;
    this.#bounds = bounds;
    this.#maxSeries = maxSeries;
  }

  get name(): string {
    return this.#key.name;
  }

  /** The whole series as it is printed. */
  get printed(): string {
    return this.#key.printed;
  }

  /** Does an update that the fast way could not. Returns the handle to keep. */
  update(
    operation: (attachment: number, handle: number, value: number) => number,
    value: number,
  ): number {
    const { store } = this;
    store.requireOpen();
    const { handle, result } = store.updateSeries(
      () => store.seriesForUpdate(this.#kind, this.#key, this.#bounds, this.#maxSeries),
      (handle) => operation(store.attachment, handle, value),
    );
    if (result < 0) store.updateFailed(result, this.name);
    return handle < 0 ? native.NONE : handle;
  }

  /** Makes the series exist, or says why it cannot. */
  touch(): void {
    const { store } = this;
    const { result } = store.updateSeries(
      () => store.series(this.#kind, this.#key, this.#bounds),
      (handle) => native.touch(store.attachment, handle),
    );
    store.check(result, `make ${this.#key.printed}`);
  }

  /** Sets an exemplar beside an update that was just made through `handle`. */
  exemplar(handle: number, value: number, text: string): void {
    const { store } = this;
    const result = native.exemplar(store.attachment, handle, value, Date.now(), text);
    // A handle that is stale by now is of a series that has left, exemplar and all.
    if (result < 0 && result !== failures.STALE[0]) store.updateFailed(result, this.name);
  }

  remove(): void {
    const handle = this.existing();
    if (handle !== undefined) this.store.remove(handle);
  }

  value(): native.Value | undefined {
    const handle = this.existing();
    return handle === undefined ? undefined : this.store.value(handle);
  }

  /** The handle, if somebody has made the series. */
  existing(): number | undefined {
    this.store.requireOpen();
    return this.store.existingSeries(this.#kind, this.#key, this.#bounds);
  }
}

/** The error of an update with something else. */
export function notANumber(name: string, value: unknown): TypeError {
  return new TypeError(`the value for ${name} must be a number, not ${shown(value)}`);
}

/** What a metric's `remove(labels)` asks of its children, besides what users see of them. */
export interface Removable {
  remove(): void;
}

/** The classes of children, of which all have the same constructor. */
export interface ChildClasses {
  readonly CounterSeries: new (series: Series) => CounterChild & Removable;
  readonly GaugeSeries: new (series: Series) => GaugeChild & Removable;
  readonly HistogramSeries: new (series: Series) => HistogramChild & Removable;
}

let classes: ChildClasses | undefined;

/** The classes; the library must be open. */
export function childClasses(): ChildClasses {
  return classes ??= makeClasses(native);
}

type HotCalls = Pick<typeof native, "add" | "set" | "observe" | "touch">;

/**
 * Makes the classes once the native functions are there: V8 then takes those for constants, where a
 * module's variables that are set later cost every update a load and a check (3 % of `inc()`).
 */
function makeClasses({ add, set, observe, touch }: HotCalls): ChildClasses {
  const direct = isDirect;

  /** What counters and gauges share: a number that is added to. */
  class ValueSeries {
    protected readonly store: Store;
    protected readonly series: Series;
    protected handle = native.NONE;
    protected cell = unknownCell;

    constructor(series: Series) {
      this.store = series.store;
      this.series = series;
    }

    protected addByCall(amount: number): void {
      if (add(this.store.attachment, this.handle, amount) !== 0) {
        this.handle = this.series.update(add, amount);
        this.cell = unknownCell;
      } else if (this.cell !== noCell) {
        this.cell = this.store.cells.find(this.handle);
      }
    }

    value(): number {
      return this.series.value()?.value ?? 0;
    }

    remove(): void {
      this.series.remove();
    }
  }

  // What is not in one's own cell is in a method of its own: V8 puts short ones into the loops that
  // call them, which makes them twice as fast.
  class CounterSeries extends ValueSeries implements CounterChild {
    inc(amount = 1, exemplar?: Exemplar): void {
      if (
        direct && typeof amount === "number" && amount >= 0 && amount < Infinity &&
        exemplar === undefined && this.cell.add(amount)
      ) return;
      this.#inc(amount, exemplar);
    }

    #inc(amount: number, exemplar: Exemplar | undefined): void {
      const text = exemplar === undefined ? undefined : printedExemplar(exemplar);
      if (typeof amount !== "number" || !(amount >= 0 && amount < Infinity)) this.#refuse(amount);
      // Without an exemplar that was tried before.
      if (!direct || text === undefined || !this.cell.add(amount)) this.addByCall(amount);
      if (text !== undefined) this.series.exemplar(this.handle, amount, text);
    }

    #refuse(amount: unknown): never {
      const { name } = this.series;
      if (typeof amount !== "number") throw notANumber(name, amount);
      throw new RangeError(
        `counter ${name} cannot be increased by ${amount}: it only grows, by finite amounts ` +
          `(a gauge goes up and down)`,
      );
    }
  }

  class GaugeSeries extends ValueSeries implements GaugeChild {
    set(value: number): void {
      if (typeof value !== "number") throw notANumber(this.series.name, value);
      if (set(this.store.attachment, this.handle, value) !== 0) {
        this.handle = this.series.update(set, value);
        this.cell = unknownCell;
      }
    }

    inc(amount = 1): void {
      if (direct && typeof amount === "number" && this.cell.add(amount)) return;
      if (typeof amount !== "number") throw notANumber(this.series.name, amount);
      this.addByCall(amount);
    }

    dec(amount = 1): void {
      if (typeof amount !== "number") throw notANumber(this.series.name, amount);
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

    time<T>(work: () => T): T {
      return timed(this.series.name, work, (passed) => this.set(passed));
    }

    trackInProgress<T>(work: () => T): T {
      return tracked(this.series.name, work, () => this.inc(), () => this.dec());
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

    observe(value: number, exemplar?: Exemplar): void {
      const text = exemplar === undefined ? undefined : printedExemplar(exemplar);
      if (typeof value !== "number" || !Number.isFinite(value)) this.#refuse(value);
      if (observe(this.#store.attachment, this.#handle, value) !== 0) {
        this.#handle = this.#series.update(observe, value);
      }
      if (text !== undefined) this.#series.exemplar(this.#handle, value, text);
    }

    #refuse(value: unknown): never {
      const { name } = this.#series;
      if (typeof value !== "number") throw notANumber(name, value);
      throw new RangeError(
        `histogram ${name} cannot observe ${value}: its sum would be lost for good`,
      );
    }

    startTimer(exemplar?: Exemplar): (exemplar?: Exemplar) => number {
      const start = performance.now();
      return (last = exemplar) => {
        const passed = seconds(start);
        this.observe(passed, last);
        return passed;
      };
    }

    time<T>(work: () => T): T {
      return timed(this.#series.name, work, (passed) => this.observe(passed));
    }

    zero(): void {
      if (touch(this.#store.attachment, this.#handle) !== 0) {
        this.#handle = this.#series.update(touch, 0);
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

  return { CounterSeries, GaugeSeries, HistogramSeries };
}

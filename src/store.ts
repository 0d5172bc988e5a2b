/**
 * One attachment to a store: opens and closes it, turns results into errors, warnings and drops.
 *
 * @module
 */

import { DirectCells } from "../ffi/direct.ts";
import * as native from "../ffi/native.ts";
import { failureName, failures, StoreError } from "./errors.ts";
import { insertedLabel, seriesKey } from "./labels.ts";

/** How a store is opened; `undefined` leaves a choice to the file, or to the library. */
export interface StoreOptions {
  /** Without one: a private store that is gone with its creator. */
  readonly filename: string | undefined;
  readonly initFile: boolean;
  readonly permissions: number | undefined;
  readonly maxWorkers: number | undefined;
  /** Bytes for the metric index, when the file is made. */
  readonly capacity: number | undefined;
  /** How many series a metric may have that does not say; 0: any number. */
  readonly maxSeries?: number;
  readonly onWarning: (message: string) => void;
}

/** How long the first update of a new series waits for the index: it may be in a request's way. */
const UPDATE_WAIT_MS = 250;
/** ... and how long the next ones do after such a wait was in vain, and for how long that lasts. */
const IMPATIENT_WAIT_MS = 1;
const IMPATIENT_FOR_MS = 2000;

/** How often an update looks up a series whose room is given away again and again. */
const MOST_LOOK_UPS = 100;

/** Failures of an update that are the caller's to know at once. Any other is a counted drop. */
const callersFailures: ReadonlySet<number> = new Set([
  failures.INVALID[0],
  failures.CLOSED[0],
  failures.TOO_LONG[0],
]);

const mebibytes = (bytes: number) => `${Math.round(bytes / 1024 / 10.24) / 100} MiB`;

/** An open store, as one thread sees it. */
export class Store {
  /** For native calls; {@linkcode native.NONE} once closed, which they answer with CLOSED. */
  attachment: number = native.NONE;
  /** The most series it can hold. */
  readonly seriesCapacity: number;
  /** Cells that may be added to without a call. */
  readonly cells: DirectCells;
  readonly #onWarning: (message: string) => void;
  /** In messages. */
  readonly #where: string;
  readonly #warnedOf = new Set<number>();
  readonly #overflowing = new Set<string>();
  readonly #maxSeries: number;
  #warnedOfDamage = false;
  #impatientUntil = 0;

  /** @throws {StoreError} if the store cannot be opened */
  constructor(options: StoreOptions) {
    const { filename } = options;
    const { result, message } = native.open({
      path: filename,
      flags: (options.initFile ? native.Open.init : 0) |
        (filename === undefined ? native.Open.private : 0),
      permissions: options.permissions,
      maxWorkers: options.maxWorkers,
      capacity: options.capacity,
    });
    if (result < 0) throw new StoreError(failureName(result), message);
    this.attachment = result;
    this.cells = new DirectCells((handle, out) => native.directRead(result, handle, out));
    this.#where = filename ?? "the private store";
    this.#onWarning = options.onWarning;
    this.#maxSeries = options.maxSeries ?? 0;
    const usage = native.usage(result);
    if (typeof usage === "number") {
      this.close();
      throw this.failure(usage, "read its usage");
    }
    this.seriesCapacity = usage.seriesCapacity;
    if (message !== "") this.warn(message);
  }

  /** Idempotent. */
  close(): void {
    const attachment = this.attachment;
    this.attachment = native.NONE;
    this.cells.close();
    if (attachment !== native.NONE) native.close(attachment);
  }

  /** @throws {StoreError} CLOSED */
  requireOpen(): void {
    if (this.attachment === native.NONE) throw this.failure(failures.CLOSED[0], "use it");
  }

  /** Tells the program about something that it may want to know, and goes on. */
  warn(message: string): void {
    this.#onWarning(message);
  }

  /**
   * A handle for updates: waits only briefly. Failures are for {@linkcode Store.updateFailed}.
   *
   * @param maxSeries how many series the metric may have, 0 for any number; what goes beyond is the
   * metric's series with the label `overflow="true"`
   */
  seriesForUpdate(
    kind: native.Kind,
    key: native.SeriesKey,
    bounds?: Float64Array<ArrayBuffer>,
    maxSeries = this.#maxSeries,
  ): number {
    const now = performance.now();
    const timeoutMs = now < this.#impatientUntil ? IMPATIENT_WAIT_MS : UPDATE_WAIT_MS;
    const { attachment } = this;
    let handle = native.series(attachment, kind, key, bounds, {
      create: true,
      timeoutMs,
      maxSeries,
    });
    if (handle === failures.FAMILY_FULL[0]) {
      this.#warnOfOverflow(key.name, maxSeries);
      const overflow = seriesKey(key.name, [["overflow", "true"]], insertedLabel(kind));
      const lookUp = { create: true, timeoutMs, overflow: true };
      handle = native.series(attachment, kind, overflow, bounds, lookUp);
    }
    if (handle === failures.LOCK_TIMEOUT[0] && timeoutMs === UPDATE_WAIT_MS) {
      this.#impatientUntil = performance.now() + IMPATIENT_FOR_MS;
    }
    return handle;
  }

  #warnOfOverflow(name: string, maxSeries: number): void {
    if (this.#overflowing.has(name)) return;
    this.#overflowing.add(name);
    this.warn(
      `${name} has ${maxSeries} series, as many as its maxSeries: what goes beyond is counted in ` +
        `${name}{overflow="true"}. Use fewer label values, or a larger maxSeries; this warning is ` +
        `given once`,
    );
  }

  /**
   * Looks a series up and updates it; again if its room was given to other labels in between.
   *
   * @returns the last handle, and what came of it
   */
  updateSeries(
    lookUp: () => number,
    operate: (handle: number) => number,
  ): { readonly handle: number; readonly result: number } {
    for (let tries = 1;; tries++) {
      const handle = lookUp();
      const result = handle < 0 ? handle : operate(handle);
      if (result !== failures.STALE[0] || tries === MOST_LOOK_UPS) return { handle, result };
    }
  }

  /** A handle; waits as long as the store's lock timeout says. */
  series(kind: native.Kind, key: native.SeriesKey, bounds?: Float64Array<ArrayBuffer>): number {
    const lookUp = { create: true, timeoutMs: 0 };
    const handle = native.series(this.attachment, kind, key, bounds, lookUp);
    return this.check(handle, `make the series ${key.printed}`);
  }

  /** The handle of a series that somebody has made, or undefined. */
  existingSeries(
    kind: native.Kind,
    key: native.SeriesKey,
    bounds?: Float64Array<ArrayBuffer>,
  ): number | undefined {
    const lookUp = { create: false, timeoutMs: 0 };
    const handle = native.series(this.attachment, kind, key, bounds, lookUp);
    if (handle === failures.NOT_FOUND[0]) return undefined;
    return this.check(handle, `look up the series ${key.printed}`);
  }

  /** What a series stands at, or undefined if it does not exist. */
  value(handle: number): native.Value | undefined {
    const value = native.value(this.attachment, handle);
    if (value.result === failures.STALE[0]) return undefined;
    return this.check(value.result, "read a series") === 0 ? undefined : value;
  }

  /** What a summary stands at: count, sum and quantiles, or nothing if it does not exist. */
  quantiles(handle: number, nowMs: number): readonly number[] {
    const { result, numbers } = native.quantiles(this.attachment, handle, nowMs);
    if (result !== failures.STALE[0]) this.check(result, "read a summary");
    return numbers;
  }

  /** Makes series leave the exposition. */
  remove(handle: number): void {
    const result = native.remove(this.attachment, handle);
    if (result !== failures.STALE[0]) this.check(result, "remove a series"); // gone already
  }

  /** Makes all series of a metric leave that have these printed labels; how many did. */
  removeMatching(name: string, labels: readonly string[]): number {
    const result = native.removeMatching(this.attachment, name, labels);
    return this.check(result, `remove series of ${name}`);
  }

  /** Makes every series leave the exposition. */
  clear(): void {
    this.check(native.clear(this.attachment), "clear it");
  }

  /** The store about itself. */
  usage(): native.Usage {
    const usage = native.usage(this.attachment);
    if (typeof usage === "number") throw this.failure(usage, "read its usage");
    return usage;
  }

  /**
   * An update did not happen. When the store has no room, that must not end a request: the update
   * is counted as dropped, and each reason is warned about once.
   *
   * @throws {StoreError} if the update could never succeed
   */
  updateFailed(result: number, name: string): void {
    if (callersFailures.has(result)) throw this.failure(result, `update ${name}`);
    native.dropped(this.attachment);
    if (this.#warnedOf.has(result)) return;
    this.#warnedOf.add(result);
    this.warn(
      `${this.#explain(result, `store an update of ${name}`)}. Such updates are dropped and ` +
        `counted in prometheus_tiny_dropped_updates_total; this warning is given once`,
    );
  }

  /** An exposition was closed with this result: 1 says that something broken was left out, ever. */
  rendered(result: number): void {
    if (result !== 1 || this.#warnedOfDamage) return;
    this.#warnedOfDamage = true;
    this.warn(
      `${this.#where} is damaged: something in it was overwritten. What is broken is left out of ` +
        `expositions and counted in prometheus_tiny_store_damage_total, the rest goes on; ` +
        `"deno task check FILE" tells what it is, initFile: true starts a new file. ` +
        `This warning is given once`,
    );
  }

  /** @returns the result if it is no failure */
  check(result: number, purpose: string): number {
    if (result < 0) throw this.failure(result, purpose);
    return result;
  }

  /** The error of a negative result. */
  failure(result: number, purpose: string): StoreError {
    return new StoreError(failureName(result), this.#explain(result, purpose));
  }

  #explain(result: number, purpose: string): string {
    const name = failureName(result);
    const what = `cannot ${purpose} in ${this.#where}: ${failures[name][1]}`;
    switch (name) {
      case "CLOSED":
        return `${what}; open another one`;
      case "SERIES_FULL":
      case "TEXT_FULL":
      case "CELLS_FULL":
        return `${what}${this.#limit(name)}. Use fewer label values, or start a new file ` +
          `(initFile: true, or another filename) with a larger cacheArgs.cacheSize`;
      case "NO_SPACE":
        return `${what}. Free space on its file system, or keep it on another one`;
      case "LOCK_TIMEOUT":
        return `${what}. A process that holds the lock is stopped (SIGSTOP, a debugger) or ` +
          `starved; end it or let it go on`;
      case "TOO_LONG":
        return `${what}. A name may have 1,024 bytes, a series with its labels 32 KiB, a ` +
          `histogram 1,024 buckets, an enum 1,024 states`;
      case "DAMAGED":
        return `${what}, or its file was shortened. Start a new file with initFile: true`;
      default:
        return what;
    }
  }

  #limit(name: "SERIES_FULL" | "TEXT_FULL" | "CELLS_FULL"): string {
    const usage = native.usage(this.attachment);
    if (typeof usage === "number") return "";
    switch (name) {
      case "SERIES_FULL":
        return ` (${usage.seriesUsed} of ${usage.seriesCapacity} series and names)`;
      case "TEXT_FULL":
        return ` (${mebibytes(usage.textUsed)} of ${mebibytes(usage.textCapacity)})`;
      case "CELLS_FULL":
        return ` (${mebibytes(usage.cellsUsed)} of ${mebibytes(usage.cellsCapacity)} a worker)`;
    }
  }
}

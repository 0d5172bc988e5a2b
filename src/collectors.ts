/**
 * Callbacks that bring metrics up to date when somebody scrapes.
 *
 * They run in the worker that renders. One that fails, or is not done in time, costs no other metric: it is
 * counted in `prometheus_tiny_collect_errors_total`, warned about once, and the scrape goes on.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import type { Families } from "./families.ts";
import { type LabelPair, seriesKey } from "./labels.ts";
import type { Store } from "./store.ts";

const errorsName = "prometheus_tiny_collect_errors_total";

interface Collector {
  readonly metric: string;
  readonly collect: () => unknown;
  /** What an earlier scrape began and that has not ended yet: it is not begun again meanwhile. */
  running: Promise<void> | undefined;
}

/** Why a collector was of no use. */
type Reason = "error" | "timeout";

/** The `collect` callbacks of one `PrometheusTinyShared`. */
export class Collectors {
  readonly #store: Store;
  readonly #families: Families;
  readonly #timeoutMs: number;
  readonly #collectors = new Set<Collector>();
  readonly #warned = new Set<string>();

  constructor(store: Store, families: Families, timeoutMs: number) {
    this.#store = store;
    this.#families = families;
    this.#timeoutMs = timeoutMs;
  }

  /** Whether there are any. */
  get any(): boolean {
    return this.#collectors.size > 0;
  }

  /** Adds the callback of a metric; the function that is returned takes it out again. */
  add(metric: string, collect: () => unknown): () => void {
    const collector = { metric, collect, running: undefined };
    this.#collectors.add(collector);
    return () => void this.#collectors.delete(collector);
  }

  /** For a caller that cannot wait: what a callback does later is seen by the next scrape. */
  runSync(): void {
    for (const collector of this.#collectors) this.#begin(collector);
  }

  /** All of them at once; done when the last one is, or time is up. */
  async run(): Promise<void> {
    const running: Promise<void>[] = [];
    for (const collector of this.#collectors) {
      const promise = this.#begin(collector);
      if (promise !== undefined) running.push(this.#inTime(collector, promise));
    }
    await Promise.all(running);
  }

  #begin(collector: Collector): Promise<void> | undefined {
    if (collector.running !== undefined) return collector.running;
    try {
      const result = collector.collect();
      if (!isPromise(result)) return undefined;
      collector.running = Promise.resolve(result).then(
        () => {},
        (error) => this.#failed(collector, "error", error),
      ).finally(() => collector.running = undefined);
      return collector.running;
    } catch (error) {
      this.#failed(collector, "error", error);
      return undefined;
    }
  }

  async #inTime(collector: Collector, promise: Promise<void>): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), this.#timeoutMs);
    });
    const first = await Promise.race([promise, late]);
    clearTimeout(timer);
    if (first === "late") this.#failed(collector, "timeout", undefined);
  }

  #failed({ metric }: Collector, reason: Reason, error: unknown): void {
    if (this.#store.attachment === native.NONE) return; // it was closed meanwhile
    this.#count(metric, reason);
    if (this.#warned.has(metric)) return;
    this.#warned.add(metric);
    const why = reason === "timeout"
      ? `took longer than ${this.#timeoutMs} ms`
      : `threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`;
    this.#store.warn(
      `the collect callback of ${metric} ${why}. The scrape goes on with the values there are; ` +
        `such failures are counted in ${errorsName}, this warning is given once`,
    );
  }

  #count(metric: string, reason: Reason): void {
    this.#families.declare(errorsName, {
      help: "Collect callbacks that failed or took too long.",
      type: "counter",
    });
    const pairs: LabelPair[] = [["metric", metric], ["reason", reason]];
    const { result } = this.#store.updateSeries(
      () => this.#store.seriesForUpdate(native.Kind.value, seriesKey(errorsName, pairs)),
      (handle) => native.add(this.#store.attachment, handle, 1),
    );
    if (result < 0) this.#store.updateFailed(result, errorsName);
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value &&
    typeof value.then === "function";
}

/**
 * The class that programs use.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { Collectors } from "./collectors.ts";
import { failureName, StoreError } from "./errors.ts";
import {
  checkExpositionRequest,
  type Exposition,
  expositionBytes,
  type ExpositionRequest,
  wholeExposition,
} from "./exposition.ts";
import { type Declaration, Families } from "./families.ts";
import { makeCounter, makeGauge, makeHistogram } from "./handles.ts";
import { createHandler, type MetricsHandler } from "./http.ts";
import { fullName, type Labels, shown } from "./labels.ts";
import type {
  Counter,
  CounterOptions,
  Gauge,
  GaugeOptions,
  Histogram,
  HistogramOptions,
  Info,
  InfoOptions,
  StateSet,
  StateSetOptions,
} from "./metrics.ts";
import type { NumberLike } from "./numbers.ts";
import { negotiate } from "./negotiation.ts";
import { checkOptions, type PrometheusTinySharedOptions } from "./options.ts";
import { infoName, makeInfo, makeStateSet } from "./states.ts";
import { Store } from "./store.ts";
import { makeSummary, type Summary, type SummaryOptions } from "./summaries.ts";
import { type Context, Updates } from "./updates.ts";

const decoder = new TextDecoder();

/** What the parts of an object share: for the rest of the module, which builds on it. */
export let contextOf: (prom: PrometheusTinyShared) => Context;

/**
 * Metrics that all workers on a machine share.
 *
 * Every object with the same `filename`, in whatever thread or process, writes to and reads from
 * the same metrics. There is no master and no message: any of them can answer a scrape for all, and
 * what a worker counted stays when it ends.
 *
 * An object belongs to the thread that made it.
 *
 * @example Count, and show what was counted
 * ```ts
 * import { PrometheusTinyShared } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * using prom = new PrometheusTinyShared();
 * prom.declare("requests_total", { help: "Requests answered.", type: "counter" });
 * prom.inc("requests_total", { method: "GET" });
 * prom.inc("requests_total", { method: "GET" });
 * assert.deepEqual(prom.format().split("\n"), [
 *   "# HELP requests_total Requests answered.",
 *   "# TYPE requests_total counter",
 *   'requests_total{method="GET"} 2',
 *   "",
 * ]);
 * ```
 *
 * @example Two workers, one store
 * ```ts
 * import { PrometheusTinyShared, sharedFile } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * const filename = sharedFile("two-workers-example");
 * using one = new PrometheusTinyShared({ filename, initFile: true });
 * using other = new PrometheusTinyShared({ filename });
 * one.inc("jobs_total");
 * other.inc("jobs_total");
 * assert.equal(one.format(), "jobs_total 2\n");
 * assert.equal(other.format(), "jobs_total 2\n");
 * ```
 */
export class PrometheusTinyShared implements Disposable {
  readonly #context: Context;
  readonly #store: Store;
  readonly #updates: Updates;
  readonly #renderFlags: number;

  static {
    contextOf = (prom) => {
      if (typeof prom === "object" && prom !== null && #context in prom) return prom.#context;
      throw new TypeError(`the store must be a PrometheusTinyShared, not ${shown(prom)}`);
    };
  }

  /**
   * Opens the store, and makes it if it is not there.
   *
   * @param options which store, and how
   * @throws {TypeError | RangeError} if an option is unknown or not valid
   * @throws {StoreError} if the store cannot be opened
   */
  constructor(options: PrometheusTinySharedOptions = {}) {
    const checked = checkOptions(options);
    const { store, defaults, validation, prefix, bucketOrder, collectTimeoutMs } = checked;
    this.#store = new Store(store);
    const families = new Families(this.#store, validation);
    const collectors = new Collectors(this.#store, families, collectTimeoutMs);
    this.#context = { store: this.#store, families, collectors, defaults, validation, prefix };
    this.#updates = new Updates(this.#context);
    this.#renderFlags = (bucketOrder === "lexical" ? native.Render.lexical : 0) |
      (checked.storeMetrics ? native.Render.store : 0) |
      (checked.created ? native.Render.created : 0);
  }

  /**
   * Sets a series to a value, for all workers.
   *
   * @param name the metric
   * @param value a number, or text that looks like one; for anything else 0 is used, with a warning
   * @param labels the labels of the series
   * @param timestampMs milliseconds since 1970; without, a timestamp set before is erased
   * @throws {TypeError} if the name, a label or the timestamp is not valid
   * @throws {StoreError} `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * prom.set("temperature_celsius", 21.5, { room: "kitchen" }, 1700000000000);
   * assert.equal(prom.format(), 'temperature_celsius{room="kitchen"} 21.5 1700000000000\n');
   * ```
   */
  set(
    name: string,
    value?: NumberLike,
    labels?: Labels | null,
    timestampMs?: NumberLike,
  ): void {
    this.#updates.set(name, value, labels, timestampMs);
  }

  /**
   * Adds to a series, which starts at 0. A timestamp stays as it is.
   *
   * @param name the metric
   * @param amount a number, or text that looks like one; for anything else 0 is used, with a warning
   * @param labels the labels of the series
   * @throws {TypeError} if the name or a label is not valid
   * @throws {StoreError} `CLOSED`
   */
  add(name: string, amount?: NumberLike, labels?: Labels | null): void {
    this.#updates.add(name, amount, labels);
  }

  /**
   * Adds 1 to a series.
   *
   * @param name the metric
   * @param labels the labels of the series
   * @throws {TypeError} if the name or a label is not valid
   * @throws {StoreError} `CLOSED`
   */
  inc(name: string, labels?: Labels | null): void {
    this.#updates.add(name, 1, labels);
  }

  /**
   * Subtracts 1 from a series.
   *
   * @param name the metric
   * @param labels the labels of the series
   * @throws {TypeError} if the name or a label is not valid
   * @throws {StoreError} `CLOSED`
   */
  dec(name: string, labels?: Labels | null): void {
    this.#updates.add(name, -1, labels);
  }

  /**
   * Drops every value, for all workers. Declarations stay.
   *
   * @throws {StoreError} `CLOSED`
   */
  clear(): void {
    this.#store.clear();
  }

  /**
   * Counts a value in a histogram: in its bucket, `_count` and `_sum`.
   *
   * @param name the metric; its buckets are those it was declared with, or the default ones
   * @param value a number, or text that looks like one; for anything else 0 is used, with a warning
   * @param labels the labels of the series
   * @throws {TypeError} if the name or a label is not valid
   * @throws {StoreError} `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * prom.declare("size_bytes", { buckets: [100, 1000] });
   * prom.histogramObserve("size_bytes", 250);
   * assert.equal(
   *   prom.format(),
   *   `size_bytes_bucket{le="100"} 0
   * size_bytes_bucket{le="1000"} 1
   * size_bytes_bucket{le="+Inf"} 1
   * size_bytes_count 1
   * size_bytes_sum 250
   * `,
   * );
   * ```
   */
  histogramObserve(name: string, value?: NumberLike, labels?: Labels | null): void {
    this.#updates.observe(name, value, labels);
  }

  /**
   * Puts an enum into a state: the series of that state is 1, all others are 0.
   *
   * @param name the metric, declared with `enum` and `enumValues`
   * @param value one of `enumValues`; any other makes all of them 0
   * @param labels the labels of the series
   * @param timestampMs milliseconds since 1970; without, a timestamp set before is erased
   * @throws {TypeError} if a label or the timestamp is not valid
   * @throws {StoreError} `NOT_FOUND` if the enum is not declared; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * prom.declare("job", { enum: "state", enumValues: ["waiting", "running"] });
   * prom.enumSet("job", "running");
   * assert.equal(prom.format(), 'job{state="running"} 1\njob{state="waiting"} 0\n');
   * ```
   */
  enumSet(
    name: string,
    value: string | number | null | undefined,
    labels?: Labels | null,
    timestampMs?: NumberLike,
  ): void {
    this.#updates.enumSet(name, value, labels, timestampMs);
  }

  /**
   * Says what a metric is. The same again, here or in any other worker, is fine.
   *
   * @param name the metric
   * @param declaration its help, type, buckets, states; any of them may be left out
   * @throws {TypeError | RangeError} if the name or the declaration is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently before, which stays; any limit of
   * the store; `CLOSED`
   */
  declare(name: string, declaration: Declaration = {}): void {
    const { families, prefix, validation } = this.#context;
    families.declare(fullName(prefix, name, validation), declaration);
    this.#updates.forget(name);
  }

  /**
   * All metrics of all workers in the text exposition format 0.0.4.
   *
   * @returns the text; empty if there is nothing
   * @throws {StoreError} `CLOSED`
   */
  format(): string {
    this.#store.requireOpen();
    this.#context.collectors.runSync();
    return decoder.decode(wholeExposition(this.#store, this.#renderFlags));
  }

  /**
   * All metrics of all workers, or some, in the format that an `Accept` header asks for: text format
   * 0.0.4 or 1.0.0, or OpenMetrics 1.0.0 or 0.0.1. A large store does not hold the event loop up.
   *
   * @param request for whom it is; text format 0.0.4 of everything by default
   * @returns the bytes, UTF-8, and their type
   * @throws {TypeError} if the request is not valid
   * @throws {StoreError} `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared({ created: false });
   * prom.counter("requests_total", { help: "Requests answered." }).inc();
   * const { body, contentType } = await prom.exposition({ accept: "application/openmetrics-text" });
   * assert.match(contentType, /^application\/openmetrics-text/);
   * assert.deepEqual(new TextDecoder().decode(body).split("\n"), [
   *   "# TYPE requests counter",
   *   "# HELP requests Requests answered.",
   *   "requests_total 1",
   *   "# EOF",
   *   "",
   * ]);
   * ```
   */
  async exposition(request: ExpositionRequest = {}): Promise<Exposition> {
    const { accept, names } = checkExpositionRequest(request);
    this.#store.requireOpen();
    await this.#context.collectors.run();
    const { flags, contentType } = negotiate(accept);
    const body = await expositionBytes(this.#store, this.#renderFlags | flags, names);
    return { body, contentType };
  }

  /**
   * The `/metrics` endpoint as a function for `Deno.serve`. It answers GET and HEAD, and anything else
   * with 405: in the format that `Accept` asks for, everything or what `name[]` in the query asks for,
   * compressed if the client takes gzip. A large store is sent in parts that are made on another
   * thread.
   *
   * @returns the function; it throws a {@linkcode StoreError} once this object is closed
   * @throws {StoreError} `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * prom.inc("requests_total");
   * const metrics = prom.handler(); // Deno.serve(metrics)
   * const response = await metrics(new Request("http://localhost/metrics"));
   * assert.equal(await response.text(), "requests_total 1\n");
   * ```
   */
  handler(): MetricsHandler {
    this.#store.requireOpen();
    const { collectors } = this.#context;
    const answer = createHandler(this.#store, this.#renderFlags);
    return (request) => {
      const scrapes = request.method === "GET" || request.method === "HEAD";
      return collectors.any && scrapes
        ? collectors.run().then(() => answer(request))
        : answer(request);
    };
  }

  /**
   * A counter with its type and labels checked. Without labels it exists from now on, with 0.
   *
   * @param name the metric
   * @param options its help and the names of its labels
   * @throws {TypeError} if the name or an option is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently; any limit of the store; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const requests = prom.counter("requests_total", {
   *   help: "Requests answered.",
   *   labelNames: ["method"],
   * });
   * const gets = requests.labels({ method: "GET" }); // keep it: its inc() takes a few nanoseconds
   * gets.inc();
   * gets.inc(2);
   * assert.equal(requests.value({ method: "GET" }), 3);
   * ```
   */
  counter<const L extends string = never>(
    name: string,
    options: CounterOptions<L> = {},
  ): Counter<L> {
    const counter = makeCounter(this.#context, name, options);
    this.#updates.forget(name);
    return counter;
  }

  /**
   * A gauge with its type and labels checked. Without labels it exists from now on, with 0.
   *
   * @param name the metric
   * @param options its help, the names of its labels, and how workers' values become one
   * @throws {TypeError} if the name or an option is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently; any limit of the store; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const inFlight = prom.gauge("requests_in_flight", { mode: "livesum" });
   * inFlight.inc();
   * assert.equal(inFlight.value(), 1); // and what all other living workers have in flight
   * inFlight.dec();
   * assert.equal(inFlight.value(), 0);
   * ```
   */
  gauge<const L extends string = never>(name: string, options: GaugeOptions<L> = {}): Gauge<L> {
    const gauge = makeGauge(this.#context, name, options);
    this.#updates.forget(name);
    return gauge;
  }

  /**
   * A histogram with its type and labels checked. Without labels it exists from now on, empty.
   *
   * @param name the metric
   * @param options its help, the names of its labels, and its buckets
   * @throws {TypeError | RangeError} if the name or an option is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently; any limit of the store; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const duration = prom.histogram("request_duration_seconds", { labelNames: ["route"] });
   * const end = duration.startTimer({ route: "/" });
   * const seconds = end();
   * assert.deepEqual(duration.value({ route: "/" }), { count: 1, sum: seconds });
   * ```
   */
  histogram<const L extends string = never>(
    name: string,
    options: HistogramOptions<L> = {},
  ): Histogram<L> {
    const histogram = makeHistogram(this.#context, name, options);
    this.#updates.forget(name);
    return histogram;
  }

  /**
   * A summary with its type and labels checked. Without labels it exists from now on, empty.
   *
   * Its quantiles are computed from the observations of all workers together, with an error of at
   * most 0.5 % in rank at the median and 0.1 % at .99 (`docs/summaries.md` says how).
   *
   * @param name the metric
   * @param options its help, the names of its labels, its quantiles, and how far they look back
   * @throws {TypeError | RangeError} if the name or an option is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently; any limit of the store; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const duration = prom.summary("request_duration_seconds", {
   *   quantiles: [0.5, 0.99],
   *   maxAgeSeconds: 600,
   * });
   * for (const seconds of [0.1, 0.2, 0.3]) duration.observe(seconds);
   * const { count, quantiles } = duration.value();
   * assert.equal(count, 3);
   * assert.deepEqual(quantiles[0], { quantile: 0.5, value: 0.2 });
   * ```
   */
  summary<const L extends string = never>(
    name: string,
    options: SummaryOptions<L> = {},
  ): Summary<L> {
    const summary = makeSummary(this.#context, name, options);
    this.#updates.forget(name);
    return summary;
  }

  /**
   * What something is, as the labels of a metric that is always 1: the version of a program, or where
   * it runs. The exposition has it from its first `set`.
   *
   * @param name the metric; `_info` is put behind it unless it ends so
   * @param options its help, the names of its labels, and whether it leaves with its workers
   * @throws {TypeError} if the name or an option is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently; any limit of the store; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const build = prom.info("build", { labelNames: ["version", "commit"] });
   * build.set({ version: "1.4.0", commit: "a1b2c3d" });
   * assert.match(prom.format(), /build_info\{commit="a1b2c3d",version="1.4.0"\} 1\n/);
   * ```
   */
  info<const L extends string = never>(name: string, options: InfoOptions<L> = {}): Info<L> {
    const info = makeInfo(this.#context, name, options);
    this.#updates.forget(infoName(name));
    return info;
  }

  /**
   * In which of a few states something is: a series for each state, of which one is 1. It exists from
   * its first `set`, as only then its state is known.
   *
   * @param name the metric
   * @param options its states, its help, and the names of its labels
   * @throws {TypeError} if the name or an option is not valid
   * @throws {StoreError} `MISMATCH` if it was declared differently; any limit of the store; `CLOSED`
   *
   * @example
   * ```ts
   * import { PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using prom = new PrometheusTinyShared();
   * const job = prom.stateSet("job_state", { states: ["waiting", "running", "done"] });
   * job.set("running");
   * assert.equal(job.value(), "running");
   * assert.match(prom.format(), /job_state\{job_state="running"\} 1\n/);
   * assert.match(prom.format(), /job_state\{job_state="waiting"\} 0\n/);
   * ```
   */
  stateSet<const L extends string = never, const S extends string = string>(
    name: string,
    options: StateSetOptions<L, S>,
  ): StateSet<L, S> {
    const stateSet = makeStateSet(this.#context, name, options);
    this.#updates.forget(name);
    return stateSet as StateSet<L, S>;
  }

  /**
   * Detaches from the store. What was counted stays there, unless the store is a private one.
   * Closing again does nothing; any other call after it throws a {@linkcode StoreError}.
   */
  close(): void {
    this.#store.close();
  }

  /** As {@linkcode PrometheusTinyShared.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * The path of a store that workers find by its name: in this user's private folder, in memory where
 * the system has such a folder (then it is gone after a restart of the machine).
 *
 * @param name letters, digits, `.`, `_` and `-`
 * @returns a path for `filename`
 * @throws {StoreError} if the name is not valid or the folder cannot be used
 *
 * @example
 * ```ts
 * import { sharedFile } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * assert.match(sharedFile("my-service"), /my-service/);
 * ```
 */
export function sharedFile(name: string): string {
  const { result, message } = native.sharedPath(name);
  if (result < 0) throw new StoreError(failureName(result), message);
  return message;
}

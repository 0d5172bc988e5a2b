/**
 * What a worker tells about itself: processor, memory, files, event loop, versions.
 *
 * @module
 */

import process from "node:process";
import * as native from "../ffi/native.ts";
import { childClasses } from "./children.ts";
import { StoreError } from "./errors.ts";
import { EventLoopLag, repeat } from "./event_loop_lag.ts";
import { type AnyLabels, common, GaugeMetric } from "./handles.ts";
import { checkLabelName, checkLabels, type Labels, labelText, shown } from "./labels.ts";
import type { GaugeChild } from "./metrics.ts";
import { checkMembers } from "./options.ts";
import { contextOf, type PrometheusTinyShared } from "./prometheus_tiny.ts";
import type { Context } from "./updates.ts";

/** Options of {@linkcode collectDefaultMetrics}. */
export interface DefaultMetricsOptions {
  /** Further labels of every metric. */
  labels?: Labels;
  /**
   * How often the values are renewed, in milliseconds, from 100 to 3600000. Those of the worker that
   * answers a scrape are of the scrape's time.
   *
   * @default {5000}
   */
  intervalMs?: number;
  /**
   * Whether to tell what is the whole process's, too. Threads of one process would tell it once each:
   * say `false` in all but one of them.
   *
   * @default {true}
   */
  process?: boolean;
}

/** Collects until it is stopped. */
export interface DefaultMetrics extends Disposable {
  /** Renews the values now. */
  update(): void;
  /**
   * Stops renewing the values. The last ones stay until the store is closed. Stopping again does
   * nothing.
   */
  stop(): void;
}

const known = {
  labels: ["object"],
  intervalMs: ["number"],
  process: ["boolean"],
} as const satisfies Record<keyof DefaultMetricsOptions, readonly string[]>;

/**
 * Tells about the worker that calls it, in metrics that Prometheus's other clients have, too. Every
 * worker has a set of its own, told apart by the label `worker`, the number of its slot in the store;
 * the set of a worker that ends or is killed leaves with it.
 *
 * | metric | of |
 * |---|---|
 * | `process_cpu_user_seconds_total`, `process_cpu_system_seconds_total`, `process_cpu_seconds_total` | the process |
 * | `process_resident_memory_bytes` | the process |
 * | `process_start_time_seconds` | the process; in a thread, the thread |
 * | `process_open_fds`, `process_max_fds` (Linux) | the process |
 * | `deno_heap_size_total_bytes`, `deno_heap_size_used_bytes`, `deno_external_memory_bytes` | the thread |
 * | `deno_eventloop_lag_p50_seconds`, `..._p90_seconds`, `..._p99_seconds`, `..._max_seconds` | the thread, in the last minute |
 * | `deno_version_info` with the labels `deno`, `v8`, `typescript` | the process |
 *
 * The numbers of files are read from `/proc/self`, which Deno shows only to programs with
 * `--allow-all`; otherwise they are left out, and a warning says so once.
 *
 * Its timers keep no program alive, and end when the store is closed.
 *
 * @param prom where to tell it
 * @param options how often, and with which labels
 * @returns what stops it
 * @throws {TypeError | RangeError} if an option is unknown or not valid
 * @throws {StoreError} `MISMATCH` if a metric was declared differently; any limit of the store; `CLOSED`
 *
 * @example
 * ```ts
 * import { collectDefaultMetrics, PrometheusTinyShared } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * using prom = new PrometheusTinyShared();
 * using _metrics = collectDefaultMetrics(prom, { labels: { app: "shop" } });
 * assert.match(prom.format(), /process_resident_memory_bytes\{app="shop",worker="\d+"\} \d+\n/);
 * ```
 */
export function collectDefaultMetrics(
  prom: PrometheusTinyShared,
  options: DefaultMetricsOptions = {},
): DefaultMetrics {
  const context = contextOf(prom);
  checkOptions(context, options);
  return new Collector(context, options);
}

function checkOptions({ validation, store }: Context, options: DefaultMetricsOptions): void {
  checkMembers("collectDefaultMetrics options", options, known);
  const { labels, intervalMs = 5000 } = options;
  if (!(intervalMs >= 100 && intervalMs <= 3_600_000)) {
    throw new RangeError(`intervalMs must be from 100 to 3600000, not ${intervalMs}`);
  }
  checkLabels(labels);
  for (const [name, value] of Object.entries(labels ?? {})) {
    checkLabelName(name, validation);
    labelText(name, value);
    if (["worker", "deno", "v8", "typescript"].includes(name)) {
      throw new TypeError(`labels must not have ${shown(name)}, which has a meaning of its own`);
    }
  }
  store.requireOpen();
}

/** Renews a part of the metrics. */
type Update = () => void;

class Collector implements DefaultMetrics {
  readonly #lag = new EventLoopLag();
  readonly #stopTimer: () => void;
  readonly #stopCollecting: () => void;
  readonly #updates: Update[];

  constructor(context: Context, options: DefaultMetricsOptions) {
    const { labels = {}, intervalMs = 5000 } = options;
    try {
      const metrics = new WorkerMetrics(context, labels as AnyLabels);
      this.#updates = [
        ...(options.process ?? true) ? [...processUpdates(metrics), ...fileUpdates(metrics)] : [],
        ...threadUpdates(metrics, this.#lag),
      ];
      this.update();
    } catch (error) {
      this.#lag.stop();
      throw error;
    }
    this.#stopTimer = repeat(() => this.#updateOrStop(), intervalMs);
    const { prefix, collectors } = context;
    this.#stopCollecting = collectors.add(`${prefix}deno_version_info`, () => this.update());
  }

  update(): void {
    for (const update of this.#updates) update();
  }

  #updateOrStop(): void {
    try {
      this.update();
    } catch (error) {
      this.stop();
      if (!(error instanceof StoreError && error.code === "CLOSED")) throw error;
    }
  }

  stop(): void {
    this.#stopTimer();
    this.#stopCollecting();
    this.#lag.stop();
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

const warnedOfFiles = new WeakSet<Context>();

/** Makes metrics of which every worker has its own value. */
class WorkerMetrics {
  readonly #context: Context;
  readonly #labels: AnyLabels;

  constructor(context: Context, labels: AnyLabels) {
    this.#context = context;
    this.#labels = labels;
  }

  gauge(name: string, help: string, more: AnyLabels = {}): GaugeChild {
    return this.#make(name, help, "gauge", more);
  }

  /** A counter that somebody else counts, so that its value is set. */
  counter(name: string, help: string): GaugeChild {
    return this.#make(name, help, "counter", {});
  }

  /** Once for a store. */
  warnOfFiles(message: string): void {
    if (!warnedOfFiles.has(this.#context)) this.#context.store.warn(message);
    warnedOfFiles.add(this.#context);
  }

  #make(name: string, help: string, type: "counter" | "gauge", more: AnyLabels): GaugeChild {
    const labels = { ...this.#labels, ...more };
    const labelNames = Object.keys(labels);
    const { GaugeSeries } = childClasses();
    const metric = new GaugeMetric({
      ...common(this.#context, name, { help, labelNames, mode: "liveall" }, type),
      kind: native.Kind.live,
      absent: true,
      child: (series) => new GaugeSeries(series),
    });
    return metric.labels(labels);
  }
}

function processUpdates(metrics: WorkerMetrics): Update[] {
  const user = metrics.counter("process_cpu_user_seconds_total", "User CPU time in seconds.");
  const system = metrics.counter("process_cpu_system_seconds_total", "System CPU time in seconds.");
  const total = metrics.counter(
    "process_cpu_seconds_total",
    "Total user and system CPU time in seconds.",
  );
  const memory = metrics.gauge("process_resident_memory_bytes", "Resident memory in bytes.");
  const start = metrics.gauge(
    "process_start_time_seconds",
    "Start time of the process in seconds since 1970.",
  );
  const versions = metrics.gauge("deno_version_info", "Versions of Deno and its parts.", {
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    typescript: Deno.version.typescript,
  });
  const startSeconds = performance.timeOrigin / 1000;
  return [() => {
    const cpu = process.cpuUsage(); // in microseconds
    user.set(cpu.user / 1e6);
    system.set(cpu.system / 1e6);
    total.set((cpu.user + cpu.system) / 1e6);
    memory.set(Deno.memoryUsage().rss);
    start.set(startSeconds);
    versions.set(1);
  }];
}

/** Only where they can be read: a metric of which nothing is known is left out. */
function fileUpdates(metrics: WorkerMetrics): Update[] {
  if (Deno.build.os !== "linux") return [];
  let most: number;
  try {
    countOpenFiles();
    most = readMostFiles();
  } catch (error) {
    metrics.warnOfFiles(
      `process_open_fds and process_max_fds are left out: Deno shows /proc/self only to programs ` +
        `with --allow-all (${(error as Error).message})`,
    );
    return [];
  }
  const open = metrics.gauge("process_open_fds", "Number of open file descriptors.");
  const max = metrics.gauge("process_max_fds", "Maximum number of open file descriptors.");
  return [() => {
    open.set(countOpenFiles());
    max.set(most);
  }];
}

function countOpenFiles(): number {
  let count = -1; // the one of the listing itself
  for (const _ of Deno.readDirSync("/proc/self/fd")) count++;
  return count;
}

function readMostFiles(): number {
  const limit = /^Max open files +(\S+)/m.exec(Deno.readTextFileSync("/proc/self/limits"))?.[1];
  return limit === "unlimited" ? Infinity : Number(limit);
}

function threadUpdates(metrics: WorkerMetrics, lag: EventLoopLag): Update[] {
  const total = metrics.gauge("deno_heap_size_total_bytes", "Size of V8's heap in bytes.");
  const used = metrics.gauge("deno_heap_size_used_bytes", "Used part of V8's heap in bytes.");
  const external = metrics.gauge(
    "deno_external_memory_bytes",
    "Memory outside of V8's heap that belongs to its objects, in bytes.",
  );
  const ranks = [0.5, 0.9, 0.99, 1];
  const lags = ranks.map((rank) => {
    const name = rank === 1 ? "max" : `p${rank * 100}`;
    const what = rank === 1 ? "Longest" : `${rank} quantile of the`;
    return metrics.gauge(
      `deno_eventloop_lag_${name}_seconds`,
      `${what} delay of timers in the last minute, in seconds.`,
    );
  });
  return [() => {
    const memory = Deno.memoryUsage();
    total.set(memory.heapTotal);
    used.set(memory.heapUsed);
    external.set(memory.external);
    lag.samples.quantiles(ranks)?.forEach((seconds, index) => lags[index].set(seconds));
  }];
}

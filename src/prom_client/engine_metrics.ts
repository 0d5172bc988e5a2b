/**
 * Default metrics of the engine: event loop, heap, garbage collector, what is under way.
 *
 * @module
 */

import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import process from "node:process";
import { getHeapSpaceStatistics } from "node:v8";
import type { DefaultGroup } from "./default_group.ts";
import { Histogram } from "./histogram.ts";
import { stopwatch } from "./metric.ts";

/** How late the event loop is: once at a scrape, and all the time since the last one. */
export function eventLoopLag(group: DefaultGroup): void {
  const { eventLoopMonitoringPrecision: resolution = 10 } = group.config;
  const delays = monitorEventLoopDelay({ resolution });
  delays.enable();
  const setNow = group.gauge({
    name: "nodejs_eventloop_lag_seconds",
    help: "Lag of event loop in seconds.",
    aggregator: "average",
    collect() {
      const passed = stopwatch();
      setImmediate(() => setNow(passed()));
      for (const { set, of } of setters) set(of() / 1e9);
      delays.reset();
    },
  });
  const setters = ([
    ["min", "min", "The minimum recorded event loop delay.", () => delays.min],
    ["max", "max", "The maximum recorded event loop delay.", () => delays.max],
    ["mean", "average", "The mean of the recorded event loop delays.", () => delays.mean],
    [
      "stddev",
      "average",
      "The standard deviation of the recorded event loop delays.",
      () => delays.stddev,
    ],
    ...[50, 90, 99].map((percentile) =>
      [
        `p${percentile}`,
        "average",
        `The ${percentile}th percentile of the recorded event loop delays.`,
        () => delays.percentile(percentile),
      ] as const
    ),
  ] as const).map(([what, aggregator, help, of]) => ({
    set: group.gauge({ name: `nodejs_eventloop_lag_${what}_seconds`, help, aggregator }),
    of,
  }));
}

/** How many of each type are under way, and how many in all. */
function active(group: DefaultGroup, plural: string, help: string, list: () => string[]): void {
  const seen = new Set<string>();
  const set = group.gauge({
    name: `nodejs_active_${plural}`,
    help,
    labelNames: ["type"],
    collect() {
      const types = list();
      types.forEach((type) => seen.add(type));
      // To 0 and not away: in a shared registry other workers may have some.
      for (const type of seen) set(types.filter((one) => one === type).length, { type });
    },
  });
  const setTotal = group.gauge({
    name: `nodejs_active_${plural}_total`,
    help: `Total number of active ${plural}.`,
    collect: () => setTotal(list().length),
  });
}

/** What keeps the event loop alive. */
export function processResources(group: DefaultGroup): void {
  const help = "Number of active resources that are currently keeping the event loop alive, " +
    "grouped by async resource type.";
  active(group, "resources", help, () => process.getActiveResourcesInfo());
}

/** Handles by class, where the engine tells. */
export function processHandles(group: DefaultGroup): void {
  activeObjects(group, "handles", "handle", "_getActiveHandles");
}

/** Requests by class, where the engine tells. */
export function processRequests(group: DefaultGroup): void {
  activeObjects(group, "requests", "request", "_getActiveRequests");
}

function activeObjects(group: DefaultGroup, plural: string, single: string, method: string): void {
  const list = (process as unknown as Record<string, (() => object[]) | undefined>)[method];
  if (typeof list !== "function") return;
  const help = `Number of active libuv ${plural} grouped by ${single} type. ` +
    `Every ${single} type is C++ class name.`;
  active(group, plural, help, () => list.call(process).map((one) => one.constructor.name));
}

/** Bytes of the heap. */
export function heapSizeAndUsed(group: DefaultGroup): void {
  const setTotal = group.gauge({
    name: "nodejs_heap_size_total_bytes",
    help: "Process heap size from Node.js in bytes.",
    collect() {
      const { heapTotal, heapUsed, external } = process.memoryUsage();
      setTotal(heapTotal);
      setUsed(heapUsed);
      setExternal(external);
    },
  });
  const setUsed = group.gauge({
    name: "nodejs_heap_size_used_bytes",
    help: "Process heap size used from Node.js in bytes.",
  });
  const setExternal = group.gauge({
    name: "nodejs_external_memory_bytes",
    help: "Node.js external memory size in bytes.",
  });
}

/** Bytes of each space of the heap. */
export function heapSpacesSizeAndUsed(group: DefaultGroup): void {
  const gauge = (what: string, collect?: () => void) =>
    group.gauge({
      name: `nodejs_heap_space_size_${what}_bytes`,
      help: `Process heap space size ${what} from Node.js in bytes.`,
      labelNames: ["space"],
      collect,
    });
  const setTotal = gauge("total", () => {
    for (const statistics of getHeapSpaceStatistics()) {
      const space = statistics.space_name.replace(/_space$/, "");
      setTotal(statistics.space_size, { space });
      setUsed(statistics.space_used_size, { space });
      setAvailable(statistics.space_available_size, { space });
    }
  });
  const setUsed = gauge("used");
  const setAvailable = gauge("available");
}

/** The version, as labels. */
export function version(group: DefaultGroup): void {
  const [major, minor, patch] = process.version.slice(1).split(".").map(Number);
  const set = group.gauge({
    name: "nodejs_version_info",
    help: "Node.js version info.",
    aggregator: "first",
    labelNames: ["version", "major", "minor", "patch"],
    collect: () => set(1, { version: process.version, major, minor, patch }),
  });
}

const gcKinds: Record<number, string> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: "major",
  [constants.NODE_PERFORMANCE_GC_MINOR]: "minor",
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "incremental",
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weakcb",
};

/** Seconds of garbage collection, where the engine tells. */
export function gc(group: DefaultGroup): void {
  const { gcDurationBuckets: buckets = [0.001, 0.01, 0.1, 1, 2, 5] } = group.config;
  const histogram = new Histogram({
    ...group.plan({
      name: "nodejs_gc_duration_seconds",
      help: "Garbage collection duration by kind, one of major, minor, incremental or weakcb.",
      labelNames: ["kind"],
    }),
    collect: undefined,
    buckets,
  });
  const observer = new PerformanceObserver((list) => {
    for (const { detail, duration } of list.getEntries()) {
      const kind = gcKinds[(detail as { kind: number }).kind];
      histogram.observe({ kind, ...group.labels }, duration / 1000);
    }
  });
  observer.observe({ entryTypes: ["gc"] });
}

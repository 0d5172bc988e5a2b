/**
 * Default metrics of the process: processor time, memory, files.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import type { DefaultGroup } from "./default_group.ts";

/** What a read gives, or undefined where the system or the permissions do not have it. */
function attempt<R>(read: () => R): R | undefined {
  // Without the permission, Deno would ask for it in a terminal.
  if (Deno.permissions.querySync({ name: "read", path: "/proc" }).state !== "granted") {
    return undefined;
  }
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Seconds of processor time. */
export function processCpuTotal(group: DefaultGroup): void {
  let last = process.cpuUsage();
  const addUser = group.counter({
    name: "process_cpu_user_seconds_total",
    help: "Total user CPU time spent in seconds.",
    collect() {
      const now = process.cpuUsage();
      // The clock of a process never goes back, but a test's may.
      const user = Math.max(0, now.user - last.user) / 1e6;
      const system = Math.max(0, now.system - last.system) / 1e6;
      last = now;
      addUser(user);
      addSystem(system);
      addBoth(user + system);
    },
  });
  const addSystem = group.counter({
    name: "process_cpu_system_seconds_total",
    help: "Total system CPU time spent in seconds.",
  });
  const addBoth = group.counter({
    name: "process_cpu_seconds_total",
    help: "Total user and system CPU time spent in seconds.",
  });
}

/** When the process began. */
export function processStartTime(group: DefaultGroup): void {
  const start = Math.round(Date.now() / 1000 - process.uptime());
  const set = group.gauge({
    name: "process_start_time_seconds",
    help: "Start time of the process since unix epoch in seconds.",
    aggregator: "omit",
    collect: () => set(start),
  });
}

/** Bytes of memory; on Linux also of the address space and of its data. */
export function osMemoryHeap(group: DefaultGroup): void {
  const setResident = group.gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory size in bytes.",
    collect() {
      const status = process.platform === "linux" ? memoryOfStatus() : undefined;
      setResident(status?.VmRSS ?? process.memoryUsage().rss);
      if (status !== undefined) {
        setVirtual?.(status.VmSize);
        setHeap?.(status.VmData);
      }
    },
  });
  if (process.platform !== "linux") return;
  const setVirtual = group.gauge({
    name: "process_virtual_memory_bytes",
    help: "Virtual memory size in bytes.",
  });
  const setHeap = group.gauge({
    name: "process_heap_bytes",
    help: "Process heap size in bytes.",
  });
}

function memoryOfStatus(): Record<string, number> | undefined {
  const status = attempt(() => readFileSync("/proc/self/status", "utf8"));
  const lines = status?.matchAll(/^(VmSize|VmRSS|VmData):\s*(\d+) kB$/gm);
  return lines &&
    Object.fromEntries([...lines].map(([, name, size]) => [name, 1024 * Number(size)]));
}

/** Open files, on Linux. */
export function processOpenFileDescriptors(group: DefaultGroup): void {
  if (process.platform !== "linux") return;
  const set = group.gauge({
    name: "process_open_fds",
    help: "Number of open file descriptors.",
    collect() {
      const files = attempt(() => readdirSync("/proc/self/fd").length);
      if (files !== undefined) set(files - 1); // without the one that lists them
    },
  });
}

/** How many files may be open, where the system tells. */
export function processMaxFileDescriptors(group: DefaultGroup): void {
  const limits = attempt(() => readFileSync("/proc/self/limits", "utf8"));
  const most = /^Max open files\s+(\d+)/m.exec(limits ?? "")?.[1];
  if (most === undefined) return;
  const set = group.gauge({
    name: "process_max_fds",
    help: "Maximum number of open file descriptors.",
    collect: () => set(Number(most)),
  });
}

// Days of uptime in little: mixed load by workers that are replaced every second, half of them killed. What a
// long-lived worker (this process) and the files take must not grow.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { FastMmap } from "../src/fast_mmap.ts";
import { isEmulated } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";
import { checkMetrics } from "../tools/checker.ts";
import { startScript } from "./script.ts";

/** Starts a worker and returns when it has the store and the cache open. */
async function start(...args: string[]): Promise<Deno.ChildProcess> {
  const child = startScript(import.meta.resolve("./uptime_process.ts"), args);
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  assert.ok(!done, "a worker ended before it began");
  await reader.cancel();
  return child;
}

async function end(child: Deno.ChildProcess, kill: boolean): Promise<void> {
  if (kill) child.kill("SIGKILL");
  await child.stdin.close().catch(() => {});
  const { success, signal } = await child.status;
  assert.ok(success || kill && signal === "SIGKILL", `a worker ended by ${signal ?? "an error"}`);
}

/** What V8's heap may swing by; an emulator also keeps the code that it has translated. */
const swingMib = isEmulated ? 120 : 24;

const allocated = (path: string) => (Deno.statSync(path).blocks ?? 0) * 512;

/** The memory of this process without what the garbage collector will free at will. */
function ownMemory(): number {
  return Deno.memoryUsage().rss;
}

/** Runs the load; the sentence that it returns is the report. */
export async function uptime(seconds: number): Promise<string> {
  using folder = temporaryFolder(Deno.build.os === "linux" ? "/dev/shm" : undefined);
  const filename = `${folder.path}/metrics`;
  const shareFile = `${folder.path}/cache`;
  using prom = new PrometheusTinyShared({ filename, maxWorkers: 8 });
  using cache = new FastMmap({ shareFile, numPages: 13, pageSize: 65536 });
  const workers = await Promise.all(
    [0, 1].map((number) => start(filename, shareFile, `${number}`)),
  );
  const samples: { memory: number; metrics: number; cache: number; bytes: number }[] = [];
  let generations = workers.length;
  const second = async () => {
    const next = performance.now() + 1000;
    for (let i = 0; performance.now() < next; i++) {
      for (let j = 0; j < 200; j++) prom.inc("uptime_total", { route: j % 50, status: "long" });
      for (let j = 0; j < 50; j++) cache.set(`long.${j}`, { i, j });
      if (i % 10 === 0) prom.format();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  try {
    for (let elapsed = 0; elapsed < seconds; elapsed++) {
      await second();
      const place = elapsed % workers.length;
      await end(workers[place], elapsed % 4 < 2);
      workers[place] = await start(filename, shareFile, `${generations++}`);
      samples.push({
        memory: ownMemory(),
        metrics: allocated(filename),
        cache: allocated(shareFile),
        bytes: prom.format().length,
      });
    }
  } finally {
    await Promise.all(workers.map((worker) => end(worker, false)));
  }
  // The first third fills caches, shards and heaps; from then on nothing may grow.
  const settled = samples[Math.floor(samples.length / 3)];
  const last = samples.at(-1)!;
  if (Deno.build.os !== "windows") { // which tells no allocated blocks
    const growth = last.metrics - settled.metrics;
    assert.ok(growth <= 2 * 65536, `the metrics' file grew by ${growth} bytes`);
    assert.ok(
      last.cache <= 13 * 2 * 65536 + 3 * 65536,
      `the cache's file takes ${last.cache} bytes`,
    );
  }
  const limit = settled.memory + (swingMib << 20);
  assert.ok(last.memory <= limit, `memory rose from ${settled.memory} to ${last.memory} bytes`);
  const { result, text: message } = checkMetrics(filename, false);
  assert.equal(result, 0, message);
  const mib = (bytes: number) => `${(bytes / (1 << 20)).toFixed(1)} MiB`;
  return `${seconds} s, ${generations} workers: memory of the long-lived one ` +
    `${mib(settled.memory)} after a third and ${mib(last.memory)} at the end; metrics' file ` +
    `${mib(settled.metrics)} and ${mib(last.metrics)}, cache's ${mib(settled.cache)} and ` +
    `${mib(last.cache)}; exposition ${settled.bytes} and ${last.bytes} bytes`;
}

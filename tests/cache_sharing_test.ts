// The cache between processes: values that only one of them computes, and locks whose holders are killed.

import assert from "node:assert/strict";
import { isEmulated, patience } from "./emulated.ts";
import { FastMmap } from "../mod.ts";
import { temporaryFile } from "./caching.ts";
import { CacheProcess } from "./cache_processes.ts";
import type { ThreadTask } from "./cache_thread.ts";
import { killHolders, workers } from "./lock_killing.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a value; it must come within a time, and what a busy machine makes everybody wait. */
async function appears<V>(cache: FastMmap<V>, key: string, withinMs: number): Promise<V> {
  const from = performance.now();
  let now = from;
  let latestMs = 0;
  while (true) {
    const value = cache.get(key);
    const limitMs = withinMs + 8 * latestMs;
    assert.ok(now - from < limitMs, `no ${key} within ${limitMs} ms`);
    if (value !== undefined) return value;
    await sleep(2);
    latestMs = Math.max(latestMs, performance.now() - now - 2);
    now = performance.now();
  }
}

const processCount = isEmulated ? 3 : 8;
const killingSeconds = isEmulated ? 1 : 4;

Deno.test(`getOrSet: ${processCount} processes ask 1,000 times each for a slow key, the loader runs once`, async () => {
  using file = temporaryFile();
  using cache = new FastMmap<number>({ shareFile: file.path });
  const processes = await CacheProcess.startAll(processCount, file.path, "ask");
  cache.set("start", 1);
  for (const process of processes) {
    await process.done();
    assert.deepEqual(process.said, []);
  }
  assert.equal(cache.get("loads"), 1);
  assert.equal(cache.get("slow"), 42);
});

Deno.test("getOrSet: when the loading process is killed, exactly one other takes over within 1 s", async () => {
  using file = temporaryFile();
  using cache = new FastMmap<number>({ shareFile: file.path });
  const processes = await CacheProcess.startAll(processCount, file.path, "takeOver");
  cache.set("start", 1);
  const first = await appears(cache, "loader 1", 60_000 * patience);
  await sleep(200); // the others wait
  assert.equal(cache.get("loads"), 1);
  const loader = processes.find(({ pid }) => pid === first);
  assert.ok(loader, "the loader is one of them");
  await loader.kill();
  const second = await appears(cache, "loader 2", 1000 * patience);
  assert.notEqual(second, first);
  for (const process of processes) {
    if (process === loader) continue;
    await process.done();
    assert.deepEqual(process.said, ["value 2"]);
  }
  assert.equal(cache.get("loads"), 2);
});

Deno.test({
  name: `withLock: ${workers} processes killed at random, never two holders`,
  ignore: Deno.build.os !== "linux", // they look into /proc to see who runs
  async fn() {
    const { kills, entries, longestWaitMs, latestMs } = await killHolders(killingSeconds, 100);
    assert.ok(kills >= 4 && entries > 50, `${kills} kills, ${entries} entries`);
    // They share the processors: a busy machine makes each of them late. The soak test looks closer.
    const limitMs = 1000 * patience + 8 * latestMs;
    assert.ok(longestWaitMs < limitMs, `${longestWaitMs} ms, this process was late by ${latestMs}`);
  },
});

Deno.test("withLock: the lock of a terminated thread is free", async () => {
  using file = temporaryFile();
  using cache = new FastMmap<number>({ shareFile: file.path });
  const worker = new Worker(import.meta.resolve("./cache_thread.ts"), { type: "module" });
  const locked = new Promise((resolve) => worker.onmessage = resolve);
  worker.postMessage({ shareFile: file.path, turns: 0, keeps: "name" } satisfies ThreadTask);
  await locked;
  await assert.rejects(cache.lock("name", { timeout: 30 }), { code: "LOCK_TIMEOUT" });
  worker.terminate();
  assert.equal(await cache.withLock("name", () => "free", { timeout: 5000 }), "free");
});

Deno.test("entries and page locks are shared between threads", async () => {
  using file = temporaryFile();
  using cache = new FastMmap<number>({ shareFile: file.path, numPages: 3 });
  const threads = 4;
  const turns = 2000;
  await Promise.all(Array.from({ length: threads }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const worker = new Worker(import.meta.resolve("./cache_thread.ts"), { type: "module" });
    worker.onmessage = () => resolve();
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage({ shareFile: file.path, turns } satisfies ThreadTask);
    return promise.finally(() => worker.terminate());
  }));
  assert.equal(cache.get("count"), threads * turns);
  assert.equal(cache.getKeys().length, 51);
  assert.equal(cache.getStatistics().damage, 0);
});

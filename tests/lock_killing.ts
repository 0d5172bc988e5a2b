// Worker processes that take one lock, and are killed at random.

import assert from "node:assert/strict";
import { FastMmap } from "../mod.ts";
import { temporaryFile } from "./caching.ts";
import { CacheProcess } from "./cache_processes.ts";
import { isEmulated, patience } from "./emulated.ts";

/** How many take the lock at once. */
export const workers = isEmulated ? 4 : 8;
/** With fewer than these, new ones are waited for. */
const fewest = workers / 2;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What was seen. */
export interface Killing {
  kills: number;
  entries: number;
  /** The longest time from a parent's knowledge of a death to the next entry, in milliseconds. */
  longestWaitMs: number;
  /** The longest that this process was late by, when it slept meanwhile: so busy is the machine. */
  latestMs: number;
}

const leastKills = 4; // also where it takes seconds to start a process

/**
 * Kills one of the workers every so often, for some seconds; never are there two holders. The killed
 * ones are replaced meanwhile, as fast as the machine can start processes.
 */
export async function killHolders(seconds: number, everyMs: number): Promise<Killing> {
  using file = temporaryFile();
  using cache = new FastMmap<number>({ shareFile: file.path });
  const processes = await CacheProcess.startAll(workers, file.path, "lock");
  const starting = new Set<Promise<unknown>>();
  const said: string[] = [];
  const result: Killing = { kills: 0, entries: 0, longestWaitMs: 0, latestMs: 0 };
  const entries = () => cache.get("entries") ?? 0;
  const replace = () => {
    const started = CacheProcess.start(file.path, "lock").then((one) => processes.push(one));
    starting.add(started);
    started.finally(() => starting.delete(started));
  };
  const end = performance.now() + seconds * 1000;
  for (let next = performance.now(); next < end || result.kills < leastKills; next += everyMs) {
    await sleep(Math.max(next - performance.now(), 0));
    if (processes.length < fewest) continue;
    const [victim] = processes.splice(Math.floor(Math.random() * processes.length), 1);
    await victim.kill();
    said.push(...victim.said);
    result.kills++;
    const { waitedMs, lateMs } = await nextEntry(entries);
    result.longestWaitMs = Math.max(result.longestWaitMs, waitedMs);
    result.latestMs = Math.max(result.latestMs, lateMs);
    replace();
  }
  await Promise.all(starting);
  cache.set("stop", 1);
  for (const process of processes) {
    await process.done();
    said.push(...process.said);
  }
  assert.deepEqual(said, []);
  result.entries = entries();
  return result;
}

async function nextEntry(
  entries: () => number,
): Promise<{ waitedMs: number; lateMs: number }> {
  const before = entries();
  const from = performance.now();
  let now = from;
  let lateMs = 0;
  while (entries() === before) {
    assert.ok(now - from < 60_000 * patience, "nobody gets the lock any more");
    await sleep(1);
    lateMs = Math.max(lateMs, performance.now() - now - 1);
    now = performance.now();
  }
  return { waitedMs: now - from, lateMs };
}

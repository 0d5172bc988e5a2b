// A storm of kills: worker processes update one store and one cache, and are killed at any moment. Every
// update that a worker acknowledged into its pipe counts; more than that only what was under way at a kill.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { FastMmap } from "../src/fast_mmap.ts";
import { isEmulated } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";
import { checkMetrics } from "../tools/checker.ts";

/** What a byte in the pipe acknowledges. */
export const Acknowledged = {
  counter: 1,
  gauge: 2,
  observation: 3,
  untyped: 4,
  cache: 5,
} as const;
/** One of them. */
export type Acknowledged = (typeof Acknowledged)[keyof typeof Acknowledged];

/** With this bit two bytes follow: the milliseconds that this update took, longer than any before. */
export const slowOperation = 128;

/** What storm_process.ts is told. */
export interface StormTask {
  filename: string;
  shareFile: string;
  lane: number;
  /** Cache entries that this lane has written, as far as the parent knows. */
  written: number;
}

/** How many workers there are at a time. */
const lanes = isEmulated ? 3 : 8;
const keysOfLane = 50;

/** The n-th entry that a lane writes. Its text shows whose it is, and whether it is whole. */
export function cacheValue(lane: number, n: number): { key: string; value: string } {
  return { key: `${lane}.${n % keysOfLane}`, value: `${lane}:${n}|`.repeat(1 + n % 30) };
}

/** What came through the pipes. */
class Tally {
  readonly counts = new Map<number, number>();
  longestMs = 0;
  kills = 0;

  /** Reads one worker's records until its end; returns how many cache entries it acknowledged. */
  async read(stream: ReadableStream<Uint8Array>, started: () => void): Promise<number> {
    let sets = 0;
    const rest: number[] = []; // of a record that came in two parts
    for await (const chunk of stream) {
      started();
      for (const byte of chunk) {
        rest.push(byte);
        if (rest[0] & slowOperation && rest.length < 3) continue;
        const kind = rest[0] & ~slowOperation;
        if (rest.length === 3) this.longestMs = Math.max(this.longestMs, rest[1] << 8 | rest[2]);
        this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
        if (kind === Acknowledged.cache) sets++;
        rest.length = 0;
      }
    }
    assert.deepEqual(rest, [], "a record ended in the middle");
    return sets;
  }

  of(kind: Acknowledged): number {
    return this.counts.get(kind) ?? 0;
  }
}

/** Starts a worker, lets it work a while, kills it; returns the cache entries it acknowledged. */
async function liveAndDie(task: StormTask, tally: Tally): Promise<number> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--quiet", "--no-lock"],
      import.meta.resolve("./storm_process.ts"),
      JSON.stringify(task),
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let killed = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const sets = await tally.read(child.stdout, () => {
    timer ??= setTimeout(() => {
      killed = true;
      child.kill("SIGKILL");
    }, Math.random() * 60);
  });
  const { signal, code } = await child.status;
  clearTimeout(timer);
  assert.ok(killed && signal === "SIGKILL", `a worker ended by itself: ${signal ?? code}`);
  tally.kills++;
  return sets;
}

/** Whatever is in the cache is whole, and of a key's writer nothing older than was acknowledged. */
function compareCache(cache: FastMmap<string>, written: number[]): number {
  let found = 0;
  for (let lane = 0; lane < lanes; lane++) {
    for (let i = 0; i < keysOfLane; i++) {
      const value = cache.get(`${lane}.${i}`);
      // The last acknowledged write of this key; one more may have been under way at the last kill.
      const last = written[lane] - 1 -
        ((written[lane] - 1 - i) % keysOfLane + keysOfLane) % keysOfLane;
      if (value === undefined) continue; // evicted, or never written
      found++;
      const n = Number(/^\d+:(\d+)\|/.exec(value)?.[1]);
      assert.deepEqual({ key: `${lane}.${i}`, value }, cacheValue(lane, n));
      assert.ok(n === last || n === written[lane], `${lane}.${i} is ${n}, acknowledged ${last}`);
    }
  }
  return found;
}

function assertWithin(name: string, actual: number, acknowledged: number): number {
  assert.ok(actual >= acknowledged, `${name} is ${actual}, acknowledged were ${acknowledged}`);
  return actual - acknowledged;
}

function values(text: string): Map<string, number> {
  return new Map(
    text.split("\n").filter((line) => line && !line.startsWith("#")).map((line) => {
      const end = line.lastIndexOf(" ");
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

function sumOf(all: Map<string, number>, name: string): number {
  return [...all].reduce((sum, [series, value]) => series.startsWith(name) ? sum + value : sum, 0);
}

/** How many updates are in the store beyond those acknowledged. */
function compareMetrics(prom: PrometheusTinyShared, tally: Tally): number {
  const all = values(prom.format());
  const observed = all.get("storm_seconds_count") ?? 0;
  assert.equal(all.get('storm_seconds_bucket{le="+Inf"}'), observed);
  const short = all.get('storm_seconds_bucket{le="0.25"}')!;
  assert.equal(all.get("storm_seconds_sum"), short * 0.125 + (observed - short) * 0.5);
  return assertWithin("storm_total", sumOf(all, "storm_total{"), tally.of(Acknowledged.counter)) +
    assertWithin("storm_level", all.get("storm_level")!, tally.of(Acknowledged.gauge)) +
    assertWithin("storm_seconds", observed, tally.of(Acknowledged.observation)) +
    assertWithin(
      "storm_untyped_total",
      sumOf(all, "storm_untyped_total{"),
      tally.of(Acknowledged.untyped),
    );
}

/** Runs the storm; the sentence that it returns is the report. */
export async function storm(kills: number): Promise<string> {
  using folder = temporaryFolder(Deno.build.os === "linux" ? "/dev/shm" : undefined);
  const filename = `${folder.path}/metrics`;
  const shareFile = `${folder.path}/cache`;
  using prom = new PrometheusTinyShared({ filename, maxWorkers: 2 * lanes });
  // Smaller than what is written: entries are evicted all the time.
  using cache = new FastMmap<string>({
    shareFile,
    numPages: 5,
    pageSize: 8192,
    serializer: "text",
  });
  prom.gauge("storm_level").set(0); // set once, so it is one cell for all
  const tally = new Tally();
  let left = kills;
  const written = await Promise.all(Array.from({ length: lanes }, async (_, lane) => {
    let sets = 0;
    while (left-- > 0) {
      sets += await liveAndDie({ filename, shareFile, lane, written: sets }, tally);
    }
    return sets;
  }));
  assert.equal(tally.kills, kills);
  const extra = compareMetrics(prom, tally);
  assert.ok(extra <= kills, `${extra} updates more than acknowledged, after ${kills} kills`);
  const entries = compareCache(cache, written);
  for (const repair of [false, true, false]) {
    const { result, text: message } = checkMetrics(filename, repair);
    assert.equal(result, 0, message);
  }
  const statistics = cache.getStatistics();
  assert.equal(statistics.damage, 0);
  const updates = [...tally.counts.values()].reduce((sum, count) => sum + count, 0);
  return `${kills} kills, ${updates} updates acknowledged, ${extra} more under way at a kill, ` +
    `${entries} of ${lanes * keysOfLane} cache entries there, ` +
    `the longest operation took ${tally.longestMs} ms`;
}

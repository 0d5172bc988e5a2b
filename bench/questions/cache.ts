/**
 * What do `get`, `getInto` and `set` of a shared cache cost, by the size of the value?
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import * as module from "../../mod.ts";
import { type Comparison, type Entry, looped, OURS, type Plan, timesAsFastAs } from "../harness.ts";
import { temporaryPath } from "../paths.ts";
import { Perl } from "../peers/perl.ts";

/** As much of FastMmap as is measured. */
interface Cache {
  get(key: string): Uint8Array | undefined;
  getInto(key: string, buffer: Uint8Array): unknown;
  set(key: string, value: Uint8Array): boolean;
  close(): void;
}
type CacheClass = new (options: Record<string, unknown>) => Cache;

const SIZES = [16, 100, 1024, 10240];
const keys = Array.from({ length: 1000 }, (_, i) => `key${i}`);
const keyOf = (i: number) => keys[i % keys.length];

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  const { FastMmap } = module as unknown as { FastMmap?: CacheClass };
  if (FastMmap === undefined) {
    plan.missing("the cache: mod.ts does not export FastMmap");
    return;
  }
  await using perl = await Perl.start("Cache::FastMmap");
  for (const size of SIZES) yield* ofSize(FastMmap, perl, size);
}

async function* ofSize(
  FastMmap: CacheClass,
  perl: Perl | undefined,
  size: number,
): AsyncGenerator<Comparison> {
  const cache = new FastMmap({
    shareFile: temporaryPath("cache"),
    cacheSize: "16m",
    serializer: "raw",
  });
  const value = new Uint8Array(size).fill(120);
  for (const key of keys) cache.set(key, value);
  const peers = await others(value);
  const bar = (times: number) => size === 100 ? times : undefined;
  const fromPerl = (what: string): Entry[] =>
    perl ? [perl.entry("Cache::FastMmap", `cache ${size} ${what}`)] : [];
  yield {
    title: `cache set, ${size.toLocaleString("en-US")} bytes`,
    unit: "ns",
    entries: [
      looped(OURS, (times) => {
        for (let i = 0; i < times; i++) cache.set(keyOf(i), value);
      }),
      ...fromPerl("set"),
      ...peers.sets,
    ],
    ratios: [timesAsFastAs("Cache::FastMmap", bar(20)), ...against(peers.sets)],
  };
  const buffer = new Uint8Array(size);
  const into = "ours, getInto";
  yield {
    title: `cache get, ${size.toLocaleString("en-US")} bytes`,
    unit: "ns",
    entries: [
      looped(OURS, (times) => {
        for (let i = 0; i < times; i++) cache.get(keyOf(i));
      }),
      looped(into, (times) => {
        for (let i = 0; i < times; i++) cache.getInto(keyOf(i), buffer);
      }),
      ...fromPerl("get"),
      ...peers.gets,
    ],
    ratios: [
      timesAsFastAs("Cache::FastMmap", bar(9)),
      {
        text: "times as fast as Cache::FastMmap with getInto",
        of: [into, "Cache::FastMmap"],
        from: (round) => round["Cache::FastMmap"] / round[into],
        atLeast: bar(30),
      },
      ...against(peers.gets),
    ],
  };
  peers.close();
  cache.close();
}

function against(entries: readonly Entry[]) {
  return entries.map(({ name }) => timesAsFastAs(name));
}

interface Others {
  readonly sets: Entry[];
  readonly gets: Entry[];
  close(): void;
}

/** What a program has without installing anything, with the same keys and values. */
async function others(value: Uint8Array): Promise<Others> {
  const map = new Map<string, Uint8Array>();
  const sqlite = new DatabaseSync(temporaryPath("sqlite"));
  sqlite.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
  sqlite.exec("CREATE TABLE cache (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
  const put = sqlite.prepare("INSERT OR REPLACE INTO cache VALUES (?, ?)");
  const select = sqlite.prepare("SELECT value FROM cache WHERE key = ?");
  for (const key of keys) put.run(key, value);
  const kv = await openKv();
  for (const key of keys) {
    map.set(key, value);
    await kv?.set(["cache", key], value);
  }
  return {
    sets: [
      looped("JS Map with a copy", (times) => {
        for (let i = 0; i < times; i++) map.set(keyOf(i), value.slice());
      }),
      looped("node:sqlite", (times) => {
        for (let i = 0; i < times; i++) put.run(keyOf(i), value);
      }),
      ...kv ? [repeated("Deno KV", (i) => kv.set(["cache", keyOf(i)], value))] : [],
    ],
    gets: [
      looped("JS Map with a copy", (times) => {
        for (let i = 0; i < times; i++) map.get(keyOf(i))!.slice();
      }),
      looped("node:sqlite", (times) => {
        for (let i = 0; i < times; i++) select.get(keyOf(i));
      }),
      ...kv ? [repeated("Deno KV", (i) => kv.get(["cache", keyOf(i)]))] : [],
    ],
    close() {
      sqlite.close();
      kv?.close();
    },
  };
}

/** As much of Deno.Kv as is measured; it is there with --unstable-kv only. */
interface Kv {
  get(key: string[]): Promise<unknown>;
  set(key: string[], value: Uint8Array): Promise<unknown>;
  close(): void;
}

async function openKv(): Promise<Kv | undefined> {
  const { openKv } = Deno as unknown as { openKv?: (path: string) => Promise<Kv> };
  return await openKv?.(temporaryPath("kv"));
}

/** An operation that has to be waited for. */
function repeated(name: string, operation: (i: number) => Promise<unknown>): Entry {
  const times = 200;
  return {
    name,
    async measure() {
      const start = performance.now();
      for (let i = 0; i < times; i++) await operation(i);
      return (performance.now() - start) / times * 1e6;
    },
  };
}

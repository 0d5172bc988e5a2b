// What the methods of Cache::FastMmap do that are more than get and set, line by line, and where ours differ on
// purpose. A test for each fact.

import assert from "node:assert/strict";
import type { Key } from "../src/cache_options.ts";
import { StoreError } from "../src/errors.ts";
import { FastMmap } from "../src/fast_mmap.ts";
import type { SetOptions } from "../src/set_options.ts";
import { Calls, textCache } from "./caching.ts";

const code = (expected: string) => (error: unknown) => {
  return error instanceof StoreError && error.code === expected;
};

Deno.test("get_and_set: atomic, with key, value and info; without options the default expiry", () => {
  using cache = textCache({ expireTime: 50 });
  const { second } = cache.clock;
  cache.set("key", "1", { expireOn: second + 9, modseq: 3 });
  const result = cache.getAndSet("key", (key, value, info) => {
    assert.deepEqual([key, value, info], ["key", "1", { expireOn: second + 9, modseq: 3 }]);
    return [`${value}2`];
  });
  assert.deepEqual(result, ["12", true]);
  const info = {};
  assert.equal(cache.get("key", info), "12");
  assert.deepEqual(info, { expireOn: second + 50 });
  cache.getAndSet("key", (_key, value, info) => [value, { ...info, modseq: 8 }]);
  cache.get("key", info);
  assert.deepEqual(info, { expireOn: second + 50, modseq: 8 });
});

Deno.test("get_and_set: the value that comes back is the function's own", () => {
  using cache = new FastMmap<{ list: number[] }>();
  const value = { list: [1] };
  const [returned, stored] = cache.getAndSet("key", () => [value]);
  assert.ok(returned === value && stored);
  assert.notEqual(cache.get("key"), value);
  assert.deepEqual(cache.get("key"), value);
});

Deno.test("get: fills the info in, and empties it on a miss", () => {
  using cache = textCache();
  cache.set("key", "value", { expireTime: 5, modseq: 9 });
  cache.set("plain", "value");
  const info = {};
  cache.get("key", info);
  assert.deepEqual(info, { expireOn: cache.clock.second + 5, modseq: 9 });
  cache.get("plain", info);
  assert.deepEqual(info, { expireOn: 0 });
  cache.get("missing", info);
  assert.deepEqual(info, {});
});

Deno.test("get_and_set: on a miss the info is empty, even if read_cb supplied a value", () => {
  using cache = textCache({ readCb: () => "read" });
  cache.getAndSet("key", (_key, value, info) => {
    assert.deepEqual([value, info], ["read", {}]);
    return undefined;
  });
});

Deno.test("get_and_set: returning nothing stores nothing", () => {
  using cache = textCache();
  cache.set("key", "value", 60);
  cache.clock.second++;
  assert.deepEqual(cache.getAndSet("key", () => {}), ["value", false]);
  assert.equal(cache.getKeys(1)[0].expireOn, cache.clock.second + 59);
  assert.deepEqual(cache.getAndSet("missing", () => undefined), [undefined, false]);
});

Deno.test("get_and_set: options that are no object throw, and the lock is free after", () => {
  using cache = textCache();
  for (const options of ["5m", 5, []]) {
    assert.throws(
      () => cache.getAndSet("key", () => ["value", options as SetOptions]),
      /must be an object/,
    );
    assert.ok(cache.set("key", "free"));
  }
  const wrong = (async () => {}) as unknown as () => undefined;
  assert.throws(() => cache.getAndSet("key", wrong), /must not be async/);
});

Deno.test("get_and_set: write_cb runs without the lock, with the new value", () => {
  using cache: ReturnType<typeof textCache> = textCache({
    writeCb: (_, key, value) => assert.equal(cache.get(key), value),
    onError: (error) => {
      throw error;
    },
  });
  assert.deepEqual(cache.getAndSet("key", () => ["new", { expireTime: 5 }]), ["new", true]);
});

Deno.test("get_and_remove: on a miss read_cb's value comes back as removed", () => {
  using cache = textCache({ readCb: (_, key) => key === "none" ? undefined : "read" });
  cache.set("key", "value");
  assert.deepEqual(cache.getAndRemove("key"), ["value", true]);
  assert.deepEqual(cache.getAndRemove("key"), ["read", true]);
  assert.deepEqual(cache.getAndRemove("none"), [undefined, false]);
  assert.deepEqual(cache.getKeys(), []);
});

Deno.test("exceptions of functions reach the caller unwrapped, with the lock free", () => {
  const thrown = new Error("poison");
  const poison = (value: string) => {
    if (value === "poison") throw thrown;
    return value;
  };
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  using encode = textCache({
    serializer: [(value) => encoder.encode(poison(value)), (bytes) => decoder.decode(bytes)],
  });
  using decode = textCache({
    serializer: [(value) => encoder.encode(value), (bytes) => poison(decoder.decode(bytes))],
  });
  using compress = textCache({
    compressor: [(bytes) => (poison(decoder.decode(bytes)), bytes), (bytes) => bytes],
  });
  using plain = textCache();
  decode.set("key", "poison");
  decode.multiSet("page", { key: "poison" });
  const throws = (use: () => unknown) => assert.throws(use, (error) => error === thrown);
  throws(() => encode.set("key", "poison"));
  throws(() => encode.getAndSet("key", () => ["poison"]));
  throws(() => encode.multiSet("page", { good: "fine", bad: "poison" }));
  throws(() => decode.get("key"));
  throws(() => decode.getAndSet("key", () => ["unused"]));
  throws(() => decode.multiGet("page", ["key"]));
  throws(() => decode.getKeys(2));
  throws(() => compress.set("key", "poison"));
  throws(() =>
    plain.getAndSet("key", () => {
      throw thrown;
    })
  );
  for (const cache of [encode, decode, compress, plain]) {
    assert.ok(cache.set("key", "free"));
    assert.equal(cache.get("key"), "free");
  }
});

Deno.test("write_cb during eviction and empty runs under the page's lock", () => {
  const errors: unknown[] = [];
  using cache: ReturnType<typeof textCache> = textCache({
    writeAction: "write_back",
    writeCb: () => void cache.get("other"),
    onError: (error) => errors.push(error),
  });
  cache.set("key", "value");
  cache.empty();
  assert.match(String(errors), /already locked/);
  cache.set("key", "value");
  cache.expire("key");
  assert.equal(errors.length, 1, "expire calls it without the lock");
  using small: ReturnType<typeof textCache> = textCache({
    numPages: 1,
    pageSize: 4096,
    writeAction: "write_back",
    writeCb: () => void small.get("other"),
    onError: (error) => errors.push(error),
  });
  for (let i = 0; i < 100; i++) assert.ok(small.set(`key ${i}`, "x".repeat(100)));
  assert.ok(errors.length > 50);
  assert.ok(errors.every((error) => code("LOCKED")(error)));
});

Deno.test("multi_*: one page lock for many keys, stored as pageKey-key", () => {
  const calls = new Calls();
  using cache = textCache({ writeAction: "write_back", writeCb: calls.writeCb, enableStats: true });
  assert.equal(cache.multiSet("page", { a: "1", b: "2" }), true);
  assert.equal(cache.multiSet("page", new Map([["c", "3"]]), { expireTime: 5, modseq: 7 }), true);
  assert.deepEqual(cache.multiGet("page", ["a", "c", "none"]), new Map([["a", "1"], ["c", "3"]]));
  assert.deepEqual(cache.getKeys().toSorted(), ["page-a", "page-b", "page-c"]);
  assert.ok(cache.getKeys(1).every(({ flags, modseq }) => flags === 0 && modseq === undefined));
  assert.equal(cache.multiGet("other", ["a"]).size, 0);
  cache.clock.second += 5;
  assert.equal(cache.multiGet("page", ["c"]).size, 0);
  cache.empty();
  assert.deepEqual(calls.take(), []);
});

Deno.test("multi_*: multi_set returns true even when a value does not fit", () => {
  using cache = textCache({ pageSize: 4096 });
  assert.equal(cache.multiSet("page", { large: "x".repeat(5000), small: "1" }), true);
  assert.deepEqual(cache.multiGet("page", ["large", "small"]), new Map([["small", "1"]]));
});

Deno.test("multi_*: any keys, by one list or map, expire and count as with get and set", () => {
  using cache = textCache({ expireTime: 9 });
  const { second } = cache.clock;
  assert.equal(cache.multiSet({ a: "1", b: "2" }), 2);
  assert.equal(cache.multiSet(new Map([["c", "3"]]), "never"), 1);
  assert.equal(
    cache.multiSet(new Map([["d", "4"], ["e", undefined]]), { expireOn: second + 2 }),
    2,
  );
  const times = cache.getKeys(1).map(({ key, expireOn }) => [key, expireOn]);
  assert.deepEqual(Object.fromEntries(times), {
    a: second + 9,
    b: second + 9,
    c: 0,
    d: second + 2,
    e: second + 2,
  });
  assert.equal(cache.multiSet(new Map([["a", "5"], ["f", "6"]]), { modseq: 5 }), 2);
  assert.equal(cache.multiSet(new Map([["a", "old"], ["g", "7"]]), { modseq: 4 }), 1);
  const found = cache.multiGet(new Set(["a", "e", "g", "none"]));
  assert.deepEqual(found, new Map([["a", "5"], ["e", undefined], ["g", "7"]]));
});

Deno.test("multi_*: keys of bytes", () => {
  using cache = textCache();
  const key = new Uint8Array([255]);
  cache.multiSet(new Uint8Array([1]), new Map([[key, "bytes"]]));
  assert.deepEqual(cache.multiGet(new Uint8Array([1]), [key]), new Map([[key, "bytes"]]));
  assert.deepEqual(cache.getKeys(), [new Uint8Array([1, 0x2d, 255])]);
});

Deno.test("get_keys: hides expired and tombstones; inside get_and_set already locked", () => {
  using cache = textCache();
  cache.set("key", "value");
  cache.set("expired", "value", "now");
  cache.remove("tomb", { modseq: 1 });
  assert.deepEqual(cache.getKeys(), ["key"]);
  assert.deepEqual(cache.getKeys(2), [{
    key: "key",
    lastAccess: cache.clock.second,
    expireOn: 0,
    flags: 0,
    value: "value",
  }]);
  assert.throws(() => cache.getAndSet("key", () => void cache.getKeys()), /already locked/);
});

Deno.test("clear drops dirty entries, purge expired ones, empty writes back", () => {
  const calls = new Calls();
  using cache = textCache({ writeAction: "write_back", writeCb: calls.writeCb });
  const fill = () => {
    cache.set("live", "1");
    cache.set("expired", "2", "now");
  };
  fill();
  cache.purge();
  assert.deepEqual(calls.take(), []);
  assert.deepEqual(cache.getKeys(), ["live"]);
  assert.equal(cache.remove("expired"), false);
  fill();
  cache.empty(true);
  assert.deepEqual(calls.take(), [["write", "expired", "2", cache.clock.second]]);
  assert.deepEqual(cache.getKeys(), ["live"]);
  cache.clear();
  assert.deepEqual([calls.take(), cache.getKeys()], [[], []]);
});

/** The shape that is promised; that it compiles is the test. */
interface Shape<V> extends Iterable<Key>, Disposable {
  get(key: Key, info?: { modseq?: number | bigint; expireOn?: number }): V | undefined;
  set(
    key: Key,
    value: V | undefined,
    options?: number | string | {
      expireTime?: number | string;
      expireOn?: number;
      modseq?: number | bigint;
    },
  ): boolean;
  getAndSet(
    key: Key,
    fn: (
      key: Key,
      value: V | undefined,
      info: { expireOn?: number; modseq?: number | bigint },
    ) => [value: V | undefined, options?: { expireOn?: number }] | undefined,
  ): [value: V | undefined, stored: boolean];
  getAndRemove(key: Key): [value: V | undefined, removed: boolean];
  remove(key: Key, options?: { modseq?: number | bigint }): boolean;
  exists(key: Key): boolean;
  expire(key: Key): boolean;
  clear(): void;
  purge(): void;
  empty(onlyExpired?: boolean): void;
  getKeys(): Key[];
  getKeys(mode: 1): {
    key: Key;
    lastAccess: number;
    expireOn: number;
    flags: number;
    modseq?: number | bigint;
  }[];
  getKeys(mode: 2): { key: Key; value: V | undefined; lastAccess: number }[];
  keys(): IterableIterator<Key>;
  multiGet(pageKey: Key, keys: Key[]): Map<Key, V>;
  multiGet(keys: Key[]): Map<Key, V>;
  multiSet(pageKey: Key, entries: Map<Key, V> | Record<string, V>, options?: string): boolean;
  multiSet(entries: Map<Key, V>, options?: { expireOn?: number }): number;
  getStatistics(clear?: boolean): { readonly reads: number; readonly hits: number };
  readonly shareFile: string;
  readonly numPages: number;
  readonly pageSize: number;
  readonly cacheSize: number;
  close(): void;
}

Deno.test("the TypeScript shape is as promised, and its members cannot be assigned to", () => {
  using cache: Shape<string> = textCache({ numPages: 3, pageSize: 4096 });
  assert.deepEqual([cache.numPages, cache.pageSize, cache.cacheSize], [3, 4096, 12288]);
  for (const name of ["shareFile", "numPages", "pageSize", "cacheSize"]) {
    assert.throws(() => Object.assign(cache, { [name]: 1 }), TypeError);
  }
  cache.set("key", "value");
  assert.deepEqual([[...cache], [...cache.keys()]], [["key"], ["key"]]);
  assert.deepEqual(cache.multiGet([]), new Map());
  assert.equal(cache.multiSet(new Map()), 0);
  assert.equal(cache.multiSet("page", new Map()), true);
});

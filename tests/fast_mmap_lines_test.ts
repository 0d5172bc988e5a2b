// What Cache::FastMmap does, line by line, and where this one differs on purpose. A test for each fact.

import assert from "node:assert/strict";
import { geometry } from "../src/cache_options.ts";
import { StoreError } from "../src/errors.ts";
import { defaultLifetime, expireOnAfter } from "../src/expiry.ts";
import { FastMmap } from "../src/fast_mmap.ts";
import type { SetOptions } from "../src/set_options.ts";
import { Calls, Clock, generator, temporaryFile, textCache } from "./caching.ts";

const code = (expected: string) => (error: unknown) => {
  return error instanceof StoreError && error.code === expected;
};

const exists = (path: string) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
};

// ---- constructor

Deno.test("share_file: a fresh name by default", () => {
  using one = textCache();
  using other = textCache();
  assert.notEqual(one.shareFile, other.shareFile);
  assert.ok(exists(one.shareFile));
});

Deno.test("share_file: another geometry is a clear error, none asked for adopts the file's", () => {
  using file = temporaryFile();
  using _one = textCache({ shareFile: file.path, numPages: 3, pageSize: 8192 });
  assert.throws(
    () => textCache({ shareFile: file.path, numPages: 5 }),
    (error) => code("GEOMETRY")(error) && /3 pages of 8192 bytes/.test((error as Error).message),
  );
  using other = textCache({ shareFile: file.path });
  assert.deepEqual([other.numPages, other.pageSize, other.cacheSize], [3, 8192, 24576]);
});

Deno.test("init_file: starts empty, processes attached before keep the old file", () => {
  using file = temporaryFile();
  using old = textCache({ shareFile: file.path, unlinkOnExit: false });
  old.set("key", "old");
  using young = textCache({ shareFile: file.path, initFile: true, unlinkOnExit: false });
  assert.equal(young.get("key"), undefined);
  young.set("key", "young");
  assert.equal(old.get("key"), "old");
});

Deno.test({
  name: "permissions: 0600 by default, under the umask",
  ignore: Deno.build.os === "windows",
  fn() {
    using file = temporaryFile();
    const mode = (path: string) => Deno.statSync(path).mode! & 0o777;
    using _private = textCache({ shareFile: file.path });
    assert.equal(mode(file.path), 0o600);
    const before = Deno.umask(0o027);
    try {
      using open = textCache({ shareFile: file.path + "2", permissions: 0o666 });
      assert.equal(mode(open.shareFile), 0o640);
    } finally {
      Deno.umask(before);
    }
  },
});

Deno.test({
  name: "permissions: 0666 when asked for, and only for who asks",
  ignore: Deno.build.os === "windows",
  fn() {
    const before = Deno.umask(0);
    try {
      using one = textCache({ permissions: 0o666 });
      assert.equal(Deno.statSync(one.shareFile).mode! & 0o777, 0o666);
      one.set("key", "value");
      using same = textCache({ shareFile: one.shareFile, permissions: 0o666 });
      assert.equal(same.get("key"), "value");
      assert.throws(() => textCache({ shareFile: one.shareFile }), code("OWNER"));
      assert.throws(
        () => textCache({ shareFile: one.shareFile, permissions: 0o660 }),
        code("OWNER"),
      );
    } finally {
      Deno.umask(before);
    }
  },
});

Deno.test("page_size and num_pages: k and m, a power of two unless cache_size is given", () => {
  assert.deepEqual(geometry({ pageSize: "5k" }), { numPages: 0, pageSize: 4096 });
  assert.deepEqual(geometry({ pageSize: 1024 }), { numPages: 0, pageSize: 1024 });
  assert.deepEqual(geometry({ pageSize: 2048, numPages: 7 }), { numPages: 7, pageSize: 2048 });
  assert.deepEqual(geometry({ pageSize: "1M" }), { numPages: 0, pageSize: 2 ** 20 });
  assert.deepEqual(geometry({ pageSize: 5000, cacheSize: "1m" }), {
    numPages: 359,
    pageSize: 5000,
  });
  using cache = textCache({ pageSize: 1024 });
  assert.deepEqual([cache.numPages, cache.pageSize], [89, 1024]);
  using standard = textCache();
  assert.deepEqual([standard.numPages, standard.pageSize], [89, 65536]);
});

Deno.test("cache_size: pages as the original chooses them", () => {
  const of = (cacheSize: string | number, numPages?: number) => {
    const { numPages: pages, pageSize } = geometry({ cacheSize, numPages });
    return [pages, pageSize];
  };
  assert.deepEqual(of("1m"), [21, 65536]);
  assert.deepEqual(of("10m"), [179, 65536]);
  assert.deepEqual(of("100k"), [3, 65536]);
  assert.deepEqual(of("1.5m", 16), [16, 65536]);
  assert.deepEqual(of("1m", 10), [10, 65536]);
  assert.deepEqual(of("8k", 100), [100, 4096]);
});

Deno.test("start_slots: 89 a page, more when they are needed", () => {
  using cache = textCache({ numPages: 1, startSlots: 10 });
  for (let i = 0; i < 500; i++) assert.ok(cache.set(`key ${i}`, "value"));
  assert.equal(cache.getKeys().length, 500);
});

Deno.test("test_file: accepted, a file is always validated", () => {
  using file = temporaryFile();
  Deno.writeTextFileSync(file.path, "this is no cache".repeat(1000));
  assert.throws(() => textCache({ shareFile: file.path, testFile: true }), code("NOT_A_STORE"));
});

Deno.test("expire_time: texts as the original reads them", () => {
  const cases: [string | number, number][] = [
    ["10m", 600],
    ["2 hours", 7200],
    ["1month", 60],
    ["5m30s", 300],
    ["1.5h", 1],
    [" 5", 0],
    ["1d", 86400],
    ["2W", 1209600],
    [0, 0],
    [30, 30],
    ["now", 1],
    ["never", 0],
    ["", 0],
    ["x", 0],
  ];
  for (const [text, seconds] of cases) assert.equal(defaultLifetime(text), seconds, `${text}`);
});

Deno.test("expire_time: expired when now >= expire_on, whole seconds", () => {
  using cache = textCache({ expireTime: "1m" });
  cache.set("key", "value");
  cache.clock.second += 59;
  assert.equal(cache.get("key"), "value");
  cache.clock.second += 1;
  assert.equal(cache.get("key"), undefined);
});

Deno.test("serializer: json by default, text, raw, structured, or a pair", () => {
  using json = new FastMmap();
  json.set("key", { a: [1, null, "x"] });
  assert.deepEqual(json.get("key"), { a: [1, null, "x"] });
  using text = new FastMmap<string>({ serializer: "text" });
  text.set("key", "\uFEFFGrüße 🌍");
  assert.equal(text.get("key"), "\uFEFFGrüße 🌍");
  using raw = new FastMmap<Uint8Array>({ serializer: "raw" });
  raw.set("key", new Uint8Array([0, 255, 128]));
  assert.deepEqual(raw.get("key"), new Uint8Array([0, 255, 128]));
  using structured = new FastMmap({ serializer: "structured" });
  const value = new Map([["date", new Date(5)]]);
  structured.set("key", value);
  assert.deepEqual(structured.get("key"), value);
  using pair = new FastMmap<number>({
    serializer: [(value) => new Uint8Array([value]), (bytes) => bytes[0]],
  });
  pair.set("key", 7);
  assert.equal(pair.get("key"), 7);
  assert.throws(() => new FastMmap({ serializer: "storable" as "json" }), /serializer must be/);
});

for (const compressor of ["deflate", "gzip", "brotli", "zstd"] as const) {
  Deno.test(`compressor: ${compressor} makes room for what would not fit`, () => {
    const value = "a long value ".repeat(1000);
    using plain = textCache({ pageSize: 8192 });
    assert.equal(plain.set("key", value), false);
    using cache = textCache({ pageSize: 8192, compressor });
    assert.equal(cache.set("key", value), true);
    assert.equal(cache.get("key"), value);
    assert.equal(cache.getKeys(2)[0].value, value);
    cache.set("short", "value");
    assert.equal(cache.get("short"), "value");
  });
}

Deno.test("compressor: a pair", () => {
  const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 255);
  const calls: string[] = [];
  using cache = textCache({
    compressor: [(bytes) => (calls.push("in"), flip(bytes)), (b) => (calls.push("out"), flip(b))],
  });
  cache.set("key", "value");
  assert.equal(cache.get("key"), "value");
  assert.deepEqual(calls, ["in", "out"]);
});

Deno.test("enable_stats: reads and hits, cleared when asked", () => {
  using cache = textCache({ enableStats: true });
  cache.set("key", "value");
  cache.get("key");
  cache.get("missing");
  const { reads, hits } = cache.getStatistics(true);
  assert.deepEqual([reads, hits], [2, 1]);
  assert.equal(cache.getStatistics().reads, 0);
  using silent = textCache();
  silent.get("key");
  assert.equal(silent.getStatistics().reads, 0);
});

Deno.test("read_cb: called with the context on a miss, its value stored clean with the default expiry", () => {
  const seen: unknown[] = [];
  using cache = textCache({
    context: "the context",
    expireTime: 60,
    writeAction: "write_back",
    readCb: (context, key) => (seen.push([context, key]), key === "none" ? undefined : "read"),
  });
  assert.equal(cache.get("key"), "read");
  assert.equal(cache.get("key"), "read");
  assert.deepEqual(seen.splice(0), [["the context", "key"]]);
  const [entry] = cache.getKeys(1);
  assert.deepEqual([entry.flags, entry.expireOn], [0, cache.clock.second + 60]);
  assert.equal(cache.get("none"), undefined);
  assert.equal(cache.get("none"), undefined);
  assert.equal(seen.length, 2, "undefined is not stored");
});

Deno.test("read_cb: its exceptions propagate, the lock is free", () => {
  const thrown = new Error("no database");
  using cache = textCache({
    readCb: () => {
      throw thrown;
    },
  });
  assert.throws(() => cache.get("key"), (error) => error === thrown);
  assert.ok(cache.set("key", "value"));
  assert.equal(cache.get("key"), "value");
});

Deno.test("cache_not_found: undefined of read_cb is stored", () => {
  let calls = 0;
  using cache = textCache({ cacheNotFound: true, readCb: () => (calls++, undefined) });
  assert.equal(cache.get("key"), undefined);
  assert.equal(cache.get("key"), undefined);
  assert.equal(calls, 1);
  assert.ok(cache.exists("key"));
});

Deno.test("write_cb: write_through calls it at once, with -1 when the set gave no expiry", () => {
  const calls = new Calls();
  using cache = textCache({ expireTime: 10, writeCb: calls.writeCb });
  cache.set("a", "1");
  cache.set("b", "2", { expireOn: 99 });
  cache.set("c", "3", 7);
  assert.deepEqual(calls.take(), [
    ["write", "a", "1", -1],
    ["write", "b", "2", 99],
    ["write", "c", "3", cache.clock.second + 7],
  ]);
});

Deno.test("write_cb: write_back calls it at empty, expire and a failed store", () => {
  const calls = new Calls();
  using cache = textCache({
    pageSize: 4096,
    writeAction: "write_back",
    expireTime: 10,
    writeCb: calls.writeCb,
  });
  cache.set("a", "1");
  cache.set("b", "2", { expireOn: 0 });
  assert.equal(cache.set("large", "x".repeat(5000)), false);
  assert.deepEqual(calls.take(), [["write", "large", "x".repeat(5000), -1]]);
  assert.equal(cache.getKeys(1)[0].flags, 1);
  cache.expire("a");
  assert.deepEqual(calls.take(), [["write", "a", "1", cache.clock.second + 10]]);
  cache.empty();
  assert.deepEqual(calls.take(), [["write", "b", "2", 0]]);
  cache.empty();
  assert.deepEqual(calls.take(), []);
});

Deno.test("write_cb: write_back calls it at eviction; what is still there is not written", () => {
  const calls = new Calls();
  using cache = textCache({
    numPages: 1,
    pageSize: 4096,
    writeAction: "write_back",
    writeCb: calls.writeCb,
  });
  const value = "x".repeat(100);
  for (let i = 0; i < 200; i++) {
    cache.clock.second++;
    assert.ok(cache.set(`key ${i}`, value));
  }
  const written = calls.take().map(([, key]) => key as string);
  const there = cache.getKeys() as string[];
  assert.ok(written.length > 100 && there.length > 10);
  assert.deepEqual(
    [...written, ...there].sort(),
    Array.from({ length: 200 }, (_, i) => `key ${i}`).sort(),
  );
});

Deno.test("write_cb: exceptions go to onError", () => {
  const errors: unknown[] = [];
  const thrown = new Error("disk full");
  using cache = textCache({
    onError: (error) => errors.push(error),
    writeCb: () => {
      throw thrown;
    },
  });
  assert.equal(cache.set("key", "value"), true);
  assert.deepEqual(errors, [thrown]);
});

Deno.test("delete_cb: after remove, for missing keys too, but not for dirty entries", () => {
  const calls = new Calls();
  using cache = textCache({
    writeAction: "write_back",
    writeCb: calls.writeCb,
    deleteCb: calls.deleteCb,
    readCb: (_, key) => key === "clean" ? "value" : undefined,
  });
  cache.set("dirty", "value");
  cache.get("clean");
  assert.equal(cache.remove("dirty"), true);
  assert.deepEqual(calls.take(), []);
  assert.equal(cache.remove("clean"), true);
  assert.equal(cache.remove("missing"), false);
  assert.deepEqual(calls.take(), [["delete", "clean"], ["delete", "missing"]]);
  cache.set("key", "value", { modseq: 5 });
  assert.equal(cache.remove("key", { modseq: 4 }), true, "it did nothing");
  assert.deepEqual(calls.take(), [["delete", "key"]]);
});

Deno.test("delete_cb: exceptions go to onError", () => {
  const errors: unknown[] = [];
  using cache = textCache({
    onError: (error) => errors.push(error),
    deleteCb: () => {
      throw 7;
    },
  });
  assert.equal(cache.remove("key"), false);
  assert.deepEqual(errors, [7]);
});

Deno.test("allow_recursive: read_cb may use the cache; otherwise it is already locked", () => {
  using cache: ReturnType<typeof textCache> = textCache({
    allowRecursive: true,
    readCb: (_, key) => key === "outer" ? `${cache.get("inner")} and more` : "inner",
  });
  assert.equal(cache.get("outer"), "inner and more");
  let inside: () => unknown;
  using strict: ReturnType<typeof textCache> = textCache({ readCb: () => (inside(), "value") });
  for (
    const use of [
      () => strict.get("other"),
      () => strict.set("other", "value"),
      () => strict.remove("other"),
      () => strict.getKeys(),
      () => strict.clear(),
      () => strict.exists("other"),
      () => strict.multiGet(["a"]),
    ]
  ) {
    inside = use;
    assert.throws(() => strict.get("key"), /already locked/);
    assert.ok(strict.set("key", "free again"));
    strict.remove("key");
  }
});

Deno.test("empty_on_exit: close writes back, then unlinks", () => {
  const calls = new Calls();
  const cache = textCache({
    emptyOnExit: true,
    writeAction: "write_back",
    writeCb: calls.writeCb,
  });
  cache.set("key", "value");
  cache.close();
  assert.deepEqual(calls.take(), [["write", "key", "value", 0]]);
  assert.equal(exists(cache.shareFile), false);
});

Deno.test("unlink_on_exit: by default only if the file was not there before", () => {
  using file = temporaryFile();
  using kept = textCache({ shareFile: file.path, unlinkOnExit: false });
  kept.close();
  assert.ok(exists(file.path));
  textCache({ shareFile: file.path }).close();
  assert.ok(exists(file.path));
  textCache({ shareFile: file.path, unlinkOnExit: true }).close();
  assert.equal(exists(file.path), false);
  textCache({ shareFile: file.path }).close();
  assert.equal(exists(file.path), false);
});

Deno.test("unlink_on_exit: only its own file, not a newer one of the same name", () => {
  using file = temporaryFile();
  const old = textCache({ shareFile: file.path });
  const young = textCache({ shareFile: file.path, initFile: true, unlinkOnExit: false });
  old.close();
  assert.ok(exists(file.path));
  young.close();
});

Deno.test("catch_deadlocks: a lock wait has a deadline and a clear error", () => {
  using one = textCache({ catchDeadlocks: true });
  using other = textCache({ shareFile: one.shareFile, lockTimeout: 50 });
  one.getAndSet("key", () => {
    assert.throws(
      () => other.set("key", "value"),
      (error) =>
        code("LOCK_TIMEOUT")(error) && /end it or let it go on/.test((error as Error).message),
    );
    return undefined;
  });
  assert.ok(other.set("key", "value"));
});

Deno.test("tombstone_expire_time: the default expiry of tombstones", () => {
  using cache = textCache({ tombstoneExpireTime: 10, expireTime: 1000 });
  cache.remove("key", { modseq: 1 });
  cache.clock.second += 9;
  assert.equal(cache.set("key", "value"), false);
  cache.clock.second += 1;
  assert.equal(cache.set("key", "value"), true);
});

// ---- rules

Deno.test("keys: of any length, empty too, bytes or text, and come back as they were set", () => {
  using cache = textCache();
  const long = "k".repeat(10_000);
  for (const key of ["", long, "Schlüssel 🔑"]) {
    assert.ok(cache.set(key, `value of ${key.length}`));
    assert.equal(cache.get(key), `value of ${key.length}`);
  }
  const bytes = new Uint8Array([0, 255, 10]);
  cache.set(bytes, "bytes");
  assert.equal(cache.get(bytes), "bytes");
  const keys = cache.getKeys();
  assert.deepEqual(
    new Set(keys.filter((k) => typeof k === "string")),
    new Set(["", long, "Schlüssel 🔑"]),
  );
  assert.deepEqual(keys.filter((key) => typeof key !== "string"), [bytes]);
  assert.throws(() => cache.get(7 as unknown as string), /a key must be/);
});

Deno.test("set(key, undefined) stores an entry", () => {
  for (const serializer of ["json", "text", "raw", "structured"] as const) {
    using cache = new FastMmap({ serializer });
    assert.equal(cache.set("key", undefined), true);
    assert.equal(cache.exists("key"), true);
    assert.equal(cache.get("key"), undefined);
    assert.equal(cache.getInto("key", new Uint8Array(5)), undefined);
    assert.deepEqual(cache.getKeys(2).map(({ value }) => value), [undefined]);
  }
});

Deno.test("set: expire_time 0, '', -1, now and garbage are at once; never beats the default", () => {
  using cache = textCache({ expireTime: 5 });
  for (const time of [0, "", -1, "now", "garbage", { expireTime: 0 }]) {
    assert.equal(cache.set("key", "value", time), true, JSON.stringify(time));
    assert.equal(cache.get("key"), undefined, JSON.stringify(time));
  }
  cache.set("key", "value", "never");
  assert.equal(cache.getKeys(1)[0].expireOn, 0);
  assert.equal(expireOnAfter("2m", 1000), 1120);
});

Deno.test("set: expire_on beats expire_time; 0 is never, -1 the default", () => {
  using cache = textCache({ expireTime: 5 });
  const { second } = cache.clock;
  const expireOn = (options: Parameters<typeof cache.set>[2]) => {
    cache.set("key", "value", options);
    return cache.getKeys(1)[0]?.expireOn;
  };
  assert.equal(expireOn({ expireOn: second + 9, expireTime: 3 }), second + 9);
  assert.equal(expireOn({ expireOn: 0 }), 0);
  assert.equal(expireOn({ expireOn: -1 }), second + 5);
  assert.equal(expireOn({ expireOn: second }), undefined);
  assert.equal(expireOn(3), second + 3);
  assert.equal(expireOn("3m"), second + 180);
  assert.throws(() => cache.set("key", "value", { expireOn: Date.now() }), /divided by 1000/);
});

Deno.test("a value that does not fit is refused and evicts nothing", () => {
  using cache = textCache({ numPages: 1, pageSize: 4096 });
  for (let i = 0; i < 20; i++) cache.set(`key ${i}`, "x".repeat(50));
  assert.equal(cache.set("large", "x".repeat(4096)), false);
  assert.equal(cache.getKeys().length, 20);
  // What an empty page could hold is stored, half a page and more.
  assert.equal(cache.set("half", "x".repeat(3000)), true);
  assert.equal(cache.get("half")?.length, 3000);
});

Deno.test("eviction: expired first, then by oldest access", () => {
  using cache = textCache({ numPages: 1, pageSize: 4096 });
  const value = "x".repeat(100);
  cache.set("expires", value, 5);
  for (let i = 0; i < 20; i++) {
    cache.clock.second++;
    cache.set(`key ${i}`, value);
  }
  cache.clock.second++;
  cache.get("key 0");
  for (let i = 20; cache.getStatistics().evictions === 0; i++) cache.set(`key ${i}`, value);
  const keys = cache.getKeys();
  assert.ok(keys.includes("key 0"), "it was used");
  assert.ok(!keys.includes("key 1"), "it was used the longest ago");
  assert.equal(cache.getStatistics().expirations, 1);
});

Deno.test("eviction: the hit rate of the peer's own test, 0.80 to 0.95", () => {
  using cache = textCache({ pageSize: 8192 });
  const random = generator(123456);
  const text = (length: number) => {
    return Array.from({ length }, () => String.fromCharCode(97 + random(26))).join("");
  };
  const keys: string[] = [];
  const set = () => {
    const key = text(16);
    keys.push(key);
    cache.set(key, text(10) + key + text(random(200)));
  };
  for (let i = 0; i < 1000; i++) set();
  let reads = 0, hits = 0;
  for (let i = 0; i < 10_000; i++) {
    if (i % 1000 === 0) cache.clock.second++;
    if (random(2) === 0) {
      set();
      continue;
    }
    const key = keys[random(keys.length)];
    const value = cache.get(key);
    reads++;
    if (value === undefined) continue;
    hits++;
    assert.equal(value.slice(10, 26), key);
  }
  const rate = hits / reads;
  assert.ok(rate > 0.8 && rate < 0.95, `${rate}`);
});

Deno.test("get, exists, getAndSet, getAndRemove, multiGet refresh the last access and count", () => {
  using cache = textCache({ enableStats: true });
  const uses: [string, () => unknown][] = [
    ["get", () => cache.get("key")],
    ["exists", () => cache.exists("key")],
    ["getAndSet", () => cache.getAndSet("key", () => undefined)],
    ["multiGet", () => cache.multiGet(["key"])],
  ];
  for (const [name, use] of uses) {
    cache.set("key", "value");
    cache.clock.second++;
    cache.getStatistics(true);
    use();
    assert.equal(cache.getKeys(1)[0].lastAccess, cache.clock.second, name);
    const { reads, hits } = cache.getStatistics(true);
    assert.deepEqual([reads, hits], [1, 1], name);
  }
  cache.getAndRemove("key");
  cache.expire("missing");
  const { reads, hits } = cache.getStatistics();
  assert.deepEqual([reads, hits], [2, 1]);
  cache.clear();
  assert.equal(cache.getStatistics().reads, 2, "clear keeps the counters");
});

Deno.test("expired entries: remove returns true, expire false and writes nothing back", () => {
  const calls = new Calls();
  using cache = textCache({ writeAction: "write_back", writeCb: calls.writeCb });
  cache.set("key", "value", "now");
  assert.equal(cache.expire("key"), false);
  assert.deepEqual(calls.take(), []);
  assert.equal(cache.remove("key"), true);
});

Deno.test("get with read_cb over an expired dirty entry writes that first", () => {
  const calls = new Calls();
  using cache = textCache({
    writeAction: "write_back",
    writeCb: calls.writeCb,
    readCb: () => (calls.list.push(["read"]), "read"),
  });
  cache.set("key", "dirty", 5);
  cache.clock.second += 5;
  assert.equal(cache.get("key"), "read");
  assert.deepEqual(calls.take(), [["write", "key", "dirty", cache.clock.second], ["read"]]);
});

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

// ---- modseq and tombstones

Deno.test("remove{modseq}: a tombstone even for a missing key, unless the live value is newer or equal", () => {
  using cache = textCache();
  assert.equal(cache.remove("missing", { modseq: 5 }), true);
  assert.equal(cache.set("missing", "old", { modseq: 4 }), false);
  assert.equal(cache.set("missing", "equal", { modseq: 5 }), true);
  assert.equal(cache.remove("missing", { modseq: 5 }), true);
  assert.equal(cache.get("missing"), "equal");
  assert.equal(cache.remove("missing", { modseq: 6n }), true);
  assert.equal(cache.get("missing"), undefined);
});

Deno.test("set{modseq}: older than the live value or the tombstone is refused, equal allowed", () => {
  using cache = textCache();
  assert.equal(cache.set("key", "5", { modseq: 5 }), true);
  assert.equal(cache.set("key", "4", { modseq: 4 }), false);
  assert.equal(cache.set("key", "five", { modseq: 5 }), true);
  assert.equal(cache.get("key"), "five");
  const large = 2n ** 64n - 1n;
  assert.equal(cache.set("key", "large", { modseq: large }), true);
  const info: { modseq?: number | bigint } = {};
  cache.get("key", info);
  assert.equal(info.modseq, large);
  for (const modseq of [-1, 1.5, 2n ** 64n, "5"]) {
    const options = { modseq: modseq as number };
    assert.throws(() => cache.set("key", "x", options), /unsigned integer/);
    assert.throws(() => cache.remove("key", options), /unsigned integer/);
  }
});

Deno.test("tombstones: the same or an older one again does not renew the expiry", () => {
  using cache = textCache({ tombstoneExpireTime: 10 });
  cache.remove("key", { modseq: 5 });
  cache.clock.second += 8;
  assert.equal(cache.remove("key", { modseq: 5 }), true);
  assert.equal(cache.remove("key", { modseq: 3 }), true);
  cache.clock.second += 2;
  assert.equal(cache.set("key", "value"), true);
});

Deno.test("a plain set is refused by a live tombstone, allowed over a live modseq, which it clears", () => {
  using cache = textCache();
  cache.remove("key", { modseq: 5, expireTime: 10 });
  assert.equal(cache.set("key", "value"), false);
  cache.clock.second += 10;
  assert.equal(cache.set("key", "value", { modseq: 7 }), true);
  assert.equal(cache.set("key", "plain"), true);
  assert.equal(cache.getKeys(1)[0].modseq, undefined);
  assert.equal(cache.set("key", "older", { modseq: 1 }), true);
});

Deno.test("a refused set skips write_cb and evicts nothing", () => {
  const calls = new Calls();
  using cache = textCache({ numPages: 1, pageSize: 4096, writeCb: calls.writeCb });
  cache.remove("key", { modseq: 5 });
  for (let i = 0; cache.getStatistics().evictions === 0 && i < 22; i++) {
    cache.set(`key ${i}`, "x".repeat(100));
  }
  calls.take();
  const before = cache.getKeys().length;
  assert.equal(cache.set("key", "x".repeat(2000), { modseq: 4 }), false);
  assert.deepEqual([calls.take(), cache.getKeys().length], [[], before]);
});

Deno.test("a plain remove deletes the tombstone; expire of one gives false", () => {
  using cache = textCache();
  cache.remove("key", { modseq: 5 });
  assert.equal(cache.expire("key"), false);
  assert.equal(cache.exists("key"), false);
  assert.equal(cache.set("key", "value"), false);
  assert.equal(cache.remove("key"), true);
  assert.equal(cache.set("key", "value"), true);
});

Deno.test("empty and clear drop tombstones, purge only expired ones", () => {
  using cache = textCache({ tombstoneExpireTime: 10 });
  for (const drop of [() => cache.empty(), () => cache.clear()]) {
    cache.remove("key", { modseq: 5 });
    cache.purge();
    assert.equal(cache.set("key", "value"), false);
    drop();
    assert.equal(cache.set("key", "value"), true);
    cache.remove("key");
  }
  cache.remove("key", { modseq: 5 });
  cache.clock.second += 10;
  cache.purge();
  assert.equal(cache.remove("key"), false);
});

Deno.test("read_cb's value is returned but not kept over a tombstone", () => {
  let calls = 0;
  using cache = textCache({ readCb: () => `read ${++calls}` });
  cache.remove("key", { modseq: 5 });
  assert.equal(cache.get("key"), "read 1");
  assert.equal(cache.get("key"), "read 2");
  assert.equal(cache.exists("key"), false);
});

// ---- inside

Deno.test("over 300 entries fit in 89 pages of 1 KiB", () => {
  using cache = textCache({ pageSize: 1024, numPages: 89 });
  for (let i = 0; i < 2000; i++) cache.set(`${i}`.padStart(4, "0"), "x".repeat(20));
  assert.ok(cache.getKeys().length > 300, `${cache.getKeys().length}`);
});

Deno.test("two handles in one process exclude each other", () => {
  using one = textCache();
  using other = textCache({ shareFile: one.shareFile, lockTimeout: 20 });
  one.getAndSet("key", () => {
    assert.throws(() => other.getAndSet("key", () => ["x"]), code("LOCK_TIMEOUT"));
    assert.equal(other.get("key"), undefined, "a get takes no lock");
    return ["mine"];
  });
  assert.equal(other.get("key"), "mine");
});

Deno.test("the clock is one for expiry, access and eviction, and is checked", () => {
  const clock = new Clock();
  using cache = new FastMmap({ now: () => clock.second + 0.9 });
  cache.set("key", 1, 5);
  assert.deepEqual(cache.getKeys(1), [{
    key: "key",
    lastAccess: clock.second,
    expireOn: clock.second + 5,
    flags: 0,
  }]);
  using broken = new FastMmap({ now: () => NaN });
  assert.throws(() => broken.get("key"), RangeError);
});

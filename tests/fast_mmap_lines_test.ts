// What Cache::FastMmap does, line by line, and where this one differs on purpose. A test for each fact: keys,
// values, expiry, eviction and what is inside. Beside it: fast_mmap_constructor_test.ts,
// fast_mmap_methods_test.ts and fast_mmap_modseq_test.ts.

import assert from "node:assert/strict";
import { StoreError } from "../src/errors.ts";
import { expireOnAfter } from "../src/expiry.ts";
import { FastMmap } from "../src/fast_mmap.ts";
import { Calls, Clock, generator, textCache } from "./caching.ts";

const code = (expected: string) => (error: unknown) => {
  return error instanceof StoreError && error.code === expected;
};

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

Deno.test("a value that does not fit leaves the one that is there, and write_cb gets it", () => {
  const calls = new Calls();
  using cache = textCache({ pageSize: 4096, writeCb: calls.writeCb });
  cache.set("key", "small");
  calls.take();
  assert.equal(cache.set("key", "x".repeat(5000)), false);
  assert.equal(cache.get("key"), "small");
  assert.deepEqual(cache.getAndSet("key", () => ["y".repeat(5000)]), ["y".repeat(5000), false]);
  assert.equal(cache.get("key"), "small");
  assert.deepEqual(calls.take().map(([, , value]) => (value as string)[0]), ["x", "y"]);
});

Deno.test("eviction: of one second the highest slot goes first", () => {
  using cache = textCache({ numPages: 1, pageSize: 4096 });
  let order: string[] = [];
  for (let i = 0; cache.getStatistics().evictions === 0; i++) {
    order = cache.getKeys() as string[]; // in the order of their slots
    cache.set(`key ${i}`, "x".repeat(100));
  }
  const stayed = new Set(cache.getKeys());
  const gone = order.filter((key) => !stayed.has(key));
  assert.ok(gone.length > 5);
  assert.deepEqual(gone, order.slice(-gone.length));
});

Deno.test("eviction: only until less than 60 % is used, with slots grown to 2n + 1 before", () => {
  using cache = textCache({ numPages: 1, pageSize: 8192 });
  let count = 0;
  const fillUntil = (what: "reorganised" | "evictions") => {
    while (cache.getStatistics()[what] === 0) {
      cache.set(`key ${`${count++}`.padStart(3, "0")}`, "x".repeat(29));
    }
    return cache.getStatistics().entries;
  };
  // The 64th finds 26 of 89 slots free: not more than 30 %. All stay, in 179 slots.
  assert.equal(fillUntil("reorganised"), 64);
  const bytes = 24 + "key 000".length + 29;
  // Then bytes run short; most stay, in 359 slots, which take their part.
  const room = 8192 - 32 - 4 * 359;
  assert.equal(fillUntil("evictions"), Math.floor(0.6 * room / bytes) + 1);
  assert.equal(count, Math.floor((8192 - 32 - 4 * 179) / bytes) + 1);
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
    ["getInto", () => cache.getInto("key", new Uint8Array(9))],
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
  cache.multiSet("page", { key: "value" });
  cache.clock.second++;
  cache.getStatistics(true);
  cache.multiGet("page", ["key", "missing"]);
  const paged = cache.getKeys(1).find(({ key }) => key === "page-key");
  assert.equal(paged?.lastAccess, cache.clock.second);
  const { reads: pageReads, hits: pageHits } = cache.getStatistics(true);
  assert.deepEqual([pageReads, pageHits], [2, 1]);
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

// ---- inside

Deno.test("over 300 entries fit in 89 pages of 1 KiB", () => {
  using cache = textCache({ pageSize: 1024, numPages: 89 });
  for (let i = 0; i < 2000; i++) cache.set(`${i}`.padStart(4, "0"), "x".repeat(20));
  assert.ok(cache.getKeys().length > 300, `${cache.getKeys().length}`);
});

Deno.test("a key's hash gives its page and its slot, with linear probing", () => {
  const numPages = 5;
  using cache = textCache({ numPages });
  const encoder = new TextEncoder();
  const slots: (string | undefined)[][] = Array.from({ length: numPages }, () => Array(89));
  for (const key of Array.from({ length: 200 }, (_, i) => `${i % 9 ? "k" : "größer "}${i}`)) {
    let hash = 0x92f7e3b1;
    for (const byte of encoder.encode(key)) hash = ((hash << 4) + (hash >>> 28) + byte) >>> 0;
    const page = slots[hash % numPages];
    let slot = Math.floor(hash / numPages) % 89;
    while (page[slot] !== undefined) slot = (slot + 1) % 89;
    page[slot] = key;
    cache.set(key, "value");
  }
  assert.deepEqual(cache.getKeys(), slots.flat().filter((key) => key !== undefined));
});

Deno.test("header, slots and entries count against pageSize as in the original", () => {
  const largest = 1024 - 32 - 4 * 89 - 24;
  using cache = textCache({ pageSize: 1024, numPages: 1 });
  assert.equal(cache.set("k", "x".repeat(largest)), false);
  assert.equal(cache.set("k", "x".repeat(largest - 1)), true);
  assert.equal(cache.set("k", "x".repeat(largest - 1), { modseq: 1 }), false);
  assert.equal(cache.set("k", "x".repeat(largest - 9), { modseq: 1 }), true);
  cache.clear();
  for (const key of ["a", "ab", "abc", "abcd"]) cache.set(key, ""); // each rounded up to 4
  assert.equal(cache.getStatistics().bytes, 4 * 28);
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

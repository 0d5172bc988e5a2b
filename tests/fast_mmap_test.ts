import assert from "node:assert/strict";
import { FastMmap, type FastMmapOptions, PrometheusTinyShared, StoreError } from "../mod.ts";
import { Calls, generator, temporaryFile, textCache } from "./caching.ts";
import { isEmulated } from "./emulated.ts";

const code = (expected: string) => (error: unknown) => {
  return error instanceof StoreError && error.code === expected;
};

Deno.test("new FastMmap() refuses what it does not know", () => {
  const cases: [unknown, RegExp][] = [
    [null, /options must be an object/],
    [{ sharefile: "x" }, /no member "sharefile"; it has shareFile/],
    [{ shareFile: 5 }, /shareFile must be/],
    [{ shareFile: "" }, /shareFile must be a path/],
    [{ shareFile: new URL("https://example.org/") }, /shareFile must be a path/],
    [{ numPages: 0 }, /numPages must be a whole number from 1/],
    [{ numPages: 1.5 }, /numPages/],
    [{ pageSize: "big" }, /pageSize must be a number of bytes/],
    [{ pageSize: 4 }, /pageSize must be/],
    [{ cacheSize: {} }, /cacheSize/],
    [{ startSlots: -1 }, /startSlots/],
    [{ permissions: 0o1777 }, /permissions/],
    [{ lockTimeout: -5 }, /lockTimeout/],
    [{ maxWorkers: 5000 }, /maxWorkers/],
    [{ serializer: ["json"] }, /serializer must be/],
    [{ compressor: "lz4" }, /compressor must be "deflate"/],
    [{ compressor: "toString" }, /compressor must be/],
    [{ writeAction: "write_around" }, /writeAction must be/],
    [{ readCb: "x" }, /readCb must be a function/],
    [{ now: 5 }, /now must be a function/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => new FastMmap(options as FastMmapOptions), message, JSON.stringify(options));
  }
});

Deno.test("FastMmap refuses arguments that it does not know, and says which", async () => {
  using cache = textCache();
  // deno-lint-ignore no-explicit-any -- what no compiler would let pass
  const any = (value: unknown) => value as any;
  const cases: [() => unknown, RegExp][] = [
    [() => cache.get(any(undefined)), /a key must be a string or a Uint8Array, not undefined/],
    [() => cache.getInto("key", any(new ArrayBuffer(8))), /buffer must be a Uint8Array/],
    [() => cache.getInto("key", any(new Float64Array(8))), /buffer must be a Uint8Array/],
    [() => cache.set("key", "value", any(true)), /options must be an object, not true/],
    [
      () => cache.set("key", "value", any({ expiretime: 5 })),
      /no member "expiretime"; it has expireTi/,
    ],
    [
      () => cache.set("key", "value", any({ expireTime: {} })),
      /must be seconds or text .* not an object/,
    ],
    [() => cache.set("key", "value", any({ expireOn: new Date() })), /for a Date, pass/],
    [() => cache.remove("key", any(5)), /options of remove must be an object, not 5/],
    [() => cache.remove("key", any({ modSeq: 5 })), /no member "modSeq"/],
    [() => cache.getAndSet("key", any("value")), /second argument must be a function, not "value"/],
    [() => cache.multiGet(any(5)), /keys must be a list of keys, not 5/],
    [() => cache.multiGet("page", any("key")), /keys must be a list of keys, not "key"/],
    [() => cache.multiGet([any(5)]), /a key must be/],
    [() => cache.multiSet(any(new Map([[5, "value"]]))), /a key must be/],
    [() => cache.getKeys(any(3)), /mode must be 0/],
    [() => cache.metrics(any({})), /metrics takes a PrometheusTinyShared, not an object/],
  ];
  for (const [use, message] of cases) {
    assert.throws(use, (error) => error instanceof TypeError && message.test(error.message));
  }
  assert.deepEqual(cache.getKeys(), []);
  const never = () => assert.fail("nothing is done first");
  await assert.rejects(cache.getOrSet("key", never, any(null)), /options must be an object/);
  await assert.rejects(cache.getOrSet("key", never, any({ ttl: 5 })), /no member "ttl"/);
  await assert.rejects(cache.getOrSet("key", never, { expireOn: Date.now() }), /divided by 1000/);
  await assert.rejects(cache.getOrSet("key", never, { timeout: NaN }), /timeout must be/);
  await assert.rejects(cache.getOrSet("key", never, any({ stale: {} })), /must be seconds or text/);
  await assert.rejects(cache.withLock("name", never, any(5)), /options must be an object, not 5/);
  await assert.rejects(cache.withLock("name", any(5)), /must be a function/);
});

Deno.test("FastMmap takes null for what is not given, as JSON has it", () => {
  using cache = textCache({ expireTime: 9 });
  const nothing = { expireTime: null, expireOn: null, modseq: null } as unknown as undefined;
  assert.equal(cache.set("key", "value", nothing), true);
  assert.equal(cache.getKeys(1)[0].expireOn, cache.clock.second + 9);
  assert.deepEqual(cache.getAndSet("key", () => ["new", nothing]), ["new", true]);
  assert.equal(cache.getKeys(1)[0].expireOn, cache.clock.second + 9);
  assert.equal(cache.remove("key", nothing), true);
  assert.equal(cache.set("key", "value"), true);
});

Deno.test("FastMmap does not store a promise", () => {
  using cache = new FastMmap<unknown>({ readCb: () => Promise.resolve(5) });
  assert.throws(() => cache.set("key", Promise.resolve(5)), /await it before/);
  assert.throws(() => cache.get("key"), /readCb and getAndSet's function must not be async/);
  assert.throws(() => cache.getAndSet("key", () => [Promise.resolve(5)]), /must not be async/);
  assert.ok(cache.set("key", 5));
});

Deno.test("new FastMmap() says why a file cannot be opened", () => {
  assert.throws(() => new FastMmap({ shareFile: "/no/such/folder/cache" }), code("NO_FOLDER"));
  using file = temporaryFile();
  Deno.mkdirSync(file.path);
  assert.throws(() => new FastMmap({ shareFile: file.path }), code("NOT_A_FILE"));
});

Deno.test("every method of a closed FastMmap throws CLOSED, close and iterators aside", async () => {
  const cache = textCache();
  cache.set("key", "value");
  cache.close();
  cache.close();
  const uses = [
    () => cache.get("key"),
    () => cache.getInto("key", new Uint8Array(10)),
    () => cache.set("key", "value"),
    () => cache.getAndSet("key", () => ["value"]),
    () => cache.getAndRemove("key"),
    () => cache.remove("key"),
    () => cache.exists("key"),
    () => cache.expire("key"),
    () => cache.clear(),
    () => cache.purge(),
    () => cache.empty(),
    () => cache.getKeys(),
    () => cache.getKeys(2),
    () => [...cache],
    () => cache.multiGet(["key"]),
    () => cache.multiSet(new Map([["key", "value"]])),
    () => cache.multiGet("page", ["key"]),
    () => cache.multiSet("page", { key: "value" }),
    () => cache.getStatistics(),
  ];
  for (const use of uses) assert.throws(use, code("CLOSED"), String(use));
  await assert.rejects(cache.getOrSet("key", () => "value"), code("CLOSED"));
  await assert.rejects(cache.withLock("name", () => 1), code("CLOSED"));
  assert.equal(cache.pageSize, 65536);
});

Deno.test("FastMmap.close() inside getAndSet lets the page go", () => {
  const one = textCache({ unlinkOnExit: false });
  using other = textCache({ shareFile: one.shareFile, unlinkOnExit: true });
  assert.throws(() =>
    one.getAndSet("key", () => {
      one.close();
      return ["value"];
    }), code("CLOSED"));
  assert.ok(other.set("key", "free"));
});

Deno.test("FastMmap.get() with the serializer raw gives bytes that are the caller's", () => {
  using cache = new FastMmap<Uint8Array>({ serializer: "raw" });
  const random = generator(5);
  const values = Array.from({ length: 500 }, (_, index) => {
    return new Uint8Array(random(index % 10 === 0 ? 20_000 : 300)).fill(index);
  });
  values.forEach((value, index) => cache.set(`key ${index}`, value));
  const read = values.map((_, index) => cache.get(`key ${index}`)!);
  assert.deepEqual(read, values);
  read[0].fill(255);
  assert.deepEqual(read.slice(1), values.slice(1));
  assert.deepEqual(cache.get("key 0"), values[0]);
});

Deno.test("FastMmap.get() survives that a value was transferred", () => {
  using cache = new FastMmap<Uint8Array>({ serializer: "raw" });
  cache.set("key", new Uint8Array([1, 2, 3]));
  const { buffer } = cache.get("key")!;
  structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
  assert.deepEqual(cache.get("key"), new Uint8Array([1, 2, 3]));
});

Deno.test("FastMmap takes values and keys that are views, and of any size", () => {
  using cache = new FastMmap<Uint8Array>({ serializer: "raw", pageSize: "1m", numPages: 3 });
  const all = new Uint8Array(1000).map((_, index) => index);
  cache.set(all.subarray(3, 7), all.subarray(100, 900));
  assert.deepEqual(cache.get(new Uint8Array([3, 4, 5, 6])), all.slice(100, 900));
  const large = new Uint8Array(900_000).fill(7);
  assert.ok(cache.set("large", large));
  assert.deepEqual(cache.get("large"), large);
  assert.deepEqual(cache.multiGet(["large"]).get("large"), large);
  assert.equal(cache.getKeys(2).length, 2);
  assert.ok(cache.set("empty", new Uint8Array(0)));
  assert.deepEqual(cache.get("empty"), new Uint8Array(0));
});

Deno.test("FastMmap takes keys and texts with every kind of character", () => {
  using cache = textCache();
  const texts = [64, 255, 256, 257].flatMap((length) => ["a".repeat(length), "ä".repeat(length)]);
  const last = ["\x7f", "\x80", "\u07ff", "\u0800", "\uffff", "\u{10000}", "\u{10ffff}"];
  const all = [...texts, ...last.map((character) => `a${character}b`), "🌍".repeat(3000)];
  for (const text of all) {
    cache.set(text, text);
    assert.equal(cache.get(text), text);
    assert.equal(cache.get(new TextEncoder().encode(text)), text);
  }
  assert.deepEqual(new Set(cache.getKeys()), new Set(all));
  cache.set("a\0b", "a\0b");
  // A text and its UTF-8 are the same key.
  assert.equal(cache.get(new TextEncoder().encode("a\0b")), "a\0b");
  // Halves of surrogate pairs have no UTF-8: they are what TextEncoder makes of them.
  for (const half of ["\ud800", "\udfff", "\ud800a", "\udc00\ud800"]) {
    cache.set(half, "half");
    assert.equal(cache.get(new TextEncoder().encode(half)), "half");
  }
});

Deno.test("FastMmap.getInto() tells the size and copies only what fits", () => {
  using cache = new FastMmap<Uint8Array>({
    serializer: "raw",
    readCb: (_, key) => bytes[key as string],
  });
  const bytes: Record<string, Uint8Array> = { read: new Uint8Array([9, 8]) };
  cache.set("key", new Uint8Array([1, 2, 3]));
  const buffer = new Uint8Array(2);
  assert.equal(cache.getInto("key", buffer), 3);
  assert.deepEqual(buffer, new Uint8Array(2));
  assert.equal(cache.getInto("read", buffer), 2);
  assert.deepEqual(buffer, bytes.read);
  assert.equal(cache.getInto("missing", buffer), undefined);
});

Deno.test("FastMmap.getInto() allocates nothing, whatever the key", () => {
  using cache = new FastMmap<Uint8Array>({ serializer: "raw" });
  const buffer = new Uint8Array(1000);
  const calls = isEmulated ? 10_000 : 50_000;
  const bytesACall = (key: string | Uint8Array) => {
    for (let i = 0; i < calls; i++) cache.getInto(key, buffer);
    const before = Deno.memoryUsage().heapUsed;
    for (let i = 0; i < calls; i++) cache.getInto(key, buffer);
    return (Deno.memoryUsage().heapUsed - before) / calls;
  };
  for (const key of ["key", "k".repeat(200), "Schlüssel 🔑", new Uint8Array([1, 2, 3])]) {
    cache.set(key, new Uint8Array(1000));
    // What the compiler and others allocate meanwhile is not the call's; an object would be 16 and more.
    const least = Math.min(bytesACall(key), bytesACall(key), bytesACall(key));
    assert.ok(least < 8, `${least} bytes a call with ${key}`);
  }
});

Deno.test("FastMmap.getInto() decompresses", () => {
  using cache = textCache({ compressor: "deflate", compressFrom: 10 });
  const text = "text ".repeat(100);
  cache.set("key", text);
  const buffer = new Uint8Array(1000);
  const length = cache.getInto("key", buffer);
  assert.equal(new TextDecoder().decode(buffer.subarray(0, length)), text);
  using plain = textCache({ shareFile: cache.shareFile });
  assert.throws(() => plain.get("key"), code("MISMATCH"));
});

Deno.test("FastMmap.keys() holds no lock while the caller runs", () => {
  using cache = textCache();
  for (let i = 0; i < 100; i++) cache.set(`key ${i}`, "value");
  let count = 0;
  for (const key of cache) {
    assert.ok(cache.remove(key));
    cache.set("another", "value");
    count++;
  }
  assert.ok(count >= 100 && count <= 101);
  assert.deepEqual([...cache.keys()], ["another"]);
});

Deno.test("FastMmap.multiSet() of any keys writes through and back as set does", () => {
  const calls = new Calls();
  using through = textCache({ writeCb: calls.writeCb });
  assert.equal(through.multiSet(new Map([["a", "1"], ["b", "x".repeat(70_000)]])), 1);
  assert.deepEqual(calls.take().map(([, key]) => key), ["a", "b"]);
  using back = textCache({
    numPages: 1,
    pageSize: 4096,
    writeAction: "write_back",
    writeCb: calls.writeCb,
  });
  const entries = new Map(Array.from({ length: 200 }, (_, i) => [`key ${i}`, "x".repeat(100)]));
  assert.equal(back.multiSet(entries), 200);
  const written = calls.take().map(([, key]) => key as string);
  assert.ok(written.length > 100);
  assert.deepEqual([...written, ...back.getKeys()].sort(), [...entries.keys()].sort());
  assert.throws(() => back.multiSet(["a"] as never), /must be a Map or an object/);
  assert.throws(() => back.multiGet("a" as never), /multiGet takes/);
});

Deno.test("FastMmap.multiGet() gives more than one call can hold", () => {
  using cache = textCache({ numPages: 7 });
  const entries = new Map(Array.from({ length: 300 }, (_, i) => [`key ${i}`, `${i}`.repeat(300)]));
  assert.equal(cache.multiSet(entries), 300);
  assert.deepEqual(cache.multiGet([...entries.keys(), "missing"]), entries);
});

Deno.test("FastMmap.getStatistics() tells what happened", () => {
  using cache = textCache({ numPages: 1, pageSize: 4096, enableStats: true });
  cache.set("expired", "value", "now");
  for (let i = 0; i < 100; i++) cache.set(`key ${i}`, "x".repeat(100));
  cache.set("large", "x".repeat(5000));
  const statistics = cache.getStatistics();
  assert.equal(statistics.writes, 101);
  assert.equal(statistics.expirations, 1);
  assert.equal(statistics.refused, 1);
  assert.equal(statistics.evictions + statistics.entries, 100);
  assert.equal(statistics.entries, cache.getKeys().length);
  assert.ok(statistics.bytes > statistics.entries * 100);
  assert.ok(statistics.reorganised > 1);
  assert.deepEqual(
    [statistics.pagesUsed, statistics.workersLive, statistics.repairs, statistics.damage],
    [1, 1, 0, 0],
  );
});

Deno.test("FastMmap.metrics() publishes the statistics, again and again", () => {
  using cache = textCache({ enableStats: true });
  using prom = new PrometheusTinyShared();
  cache.set("key", "value");
  cache.metrics(prom);
  cache.get("key");
  cache.get("missing");
  cache.metrics(prom);
  const text = prom.format();
  assert.match(text, /^# TYPE fast_mmap_reads_total counter$/m);
  assert.match(text, /^fast_mmap_reads_total 2$/m);
  assert.match(text, /^fast_mmap_hits_total 1$/m);
  assert.match(text, /^fast_mmap_entries 1$/m);
  assert.match(text, /^fast_mmap_size_bytes 5832704$/m);
});

for (const order of ["metrics first", "cache first"]) {
  Deno.test(`a file holds metrics and a cache together: ${order}`, () => {
    using file = temporaryFile();
    const makeProm = () => new PrometheusTinyShared({ cacheArgs: { shareFile: file.path } });
    const makeCache = () => new FastMmap<number>({ shareFile: file.path, unlinkOnExit: false });
    const isFirst = order === "metrics first";
    const early = isFirst ? makeProm() : undefined;
    using cache = makeCache();
    using prom = early ?? makeProm();
    prom.inc("requests_total");
    cache.set("key", 5);
    using sameProm = makeProm();
    using sameCache = makeCache();
    sameProm.inc("requests_total");
    assert.equal(sameCache.get("key"), 5);
    assert.equal(prom.format(), "requests_total 2\n");
    cache.clear();
    prom.clear();
    assert.deepEqual([sameCache.getKeys(), sameProm.format()], [[], ""]);
  });
}

Deno.test("a file may be opened twice in one thread", () => {
  using one = textCache({ numPages: 3 });
  using other = textCache({ shareFile: one.shareFile });
  for (let i = 0; i < 200; i++) (i % 2 === 0 ? one : other).set(`key ${i}`, `${i}`);
  for (let i = 0; i < 200; i++) assert.equal((i % 2 === 0 ? other : one).get(`key ${i}`), `${i}`);
  assert.equal(one.getStatistics().workersLive, 2);
});

Deno.test({
  name: "FastMmap's files and locks are not inherited by child processes",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const caches = Array.from({ length: 20 }, () => textCache({ numPages: 1, pageSize: 4096 }));
    const locks = await Promise.all(caches.map((cache) => cache.lock("name")));
    const { stdout } = await new Deno.Command("ls", { args: ["-l", "/proc/self/fd"] }).output();
    const open = new TextDecoder().decode(stdout);
    for (const { shareFile } of caches) assert.ok(!open.includes(shareFile), open);
    for (const one of [...locks, ...caches]) one[Symbol.dispose]();
  },
});

Deno.test("FastMmap's callbacks may use another cache of the thread", () => {
  using under = textCache();
  const copy = (text: string) => {
    under.set("busy", text.toUpperCase().repeat(3));
    return under.get("busy") === undefined ? "" : text;
  };
  const [encoder, decoder] = [new TextEncoder(), new TextDecoder()];
  using cache = textCache({
    numPages: 1,
    pageSize: 4096,
    writeAction: "write_back",
    writeCb: (_, key, value) => void under.set(key, copy(value!)),
    readCb: (_, key) => under.get(key),
    serializer: [
      (value) => encoder.encode(copy(value)),
      (bytes) => copy(decoder.decode(bytes)),
    ],
  });
  const entries = new Map<string, string>();
  for (let i = 0; i < 200; i++) {
    const [key, value] = [`key ${i}`, `${i} `.repeat(30)];
    entries.set(key, value);
    assert.ok(i % 2 === 0 ? cache.set(key, value) : cache.getAndSet(key, () => [value])[1]);
  }
  for (const { key, value } of cache.getKeys(2)) assert.equal(value, entries.get(key as string));
  const there = cache.multiGet([...entries.keys()]);
  for (const [key, value] of there) assert.equal(value, entries.get(key as string));
  assert.ok(there.size > 10 && there.size < 100);
  for (const [key, value] of entries) assert.equal(cache.get(key), value, key);
});

Deno.test("FastMmap.getAndSet() with allowRecursive is atomic after readCb has used the cache", () => {
  using cache: ReturnType<typeof textCache> = textCache({
    allowRecursive: true,
    readCb: (_, key) => (cache.set("seen", String(key)), "read"),
  });
  assert.deepEqual(cache.getAndSet("key", (_key, value) => [`${value}, changed`]), [
    "read, changed",
    true,
  ]);
  assert.equal(cache.get("seen"), "key");
  assert.throws(() => cache.getAndSet("key", () => void cache.get("seen")), /already locked/);
  assert.deepEqual(cache.getAndRemove("another"), ["read", true]);
});

Deno.test("FastMmap writes an entry back once, whichever of two objects evicts it", () => {
  const calls = new Calls();
  const options = {
    numPages: 1,
    pageSize: 4096,
    writeAction: "write_back",
    writeCb: calls.writeCb,
  } as const;
  using one = textCache(options);
  using other = textCache({ ...options, shareFile: one.shareFile });
  const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
  keys.forEach((key, i) => assert.ok((i % 2 === 0 ? one : other).set(key, "x".repeat(100))));
  one.empty();
  assert.deepEqual(calls.take().map(([, key]) => key).sort(), keys.sort());
});

// ---- what waits

Deno.test("FastMmap.getOrSet() loads once for many callers, and stores with its expiry", async () => {
  using cache = textCache();
  let loads = 0;
  const load = async () => {
    loads++;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return "loaded";
  };
  const results = await Promise.all(
    Array.from({ length: 100 }, () => cache.getOrSet("key", load, { expireTime: 5 })),
  );
  assert.deepEqual(new Set(results), new Set(["loaded"]));
  assert.equal(loads, 1);
  assert.equal(cache.getKeys(1)[0].expireOn, cache.clock.second + 5);
  assert.equal(await cache.getOrSet("key", () => "other"), "loaded");
  cache.clock.second += 5;
  assert.equal(await cache.getOrSet("key", () => "other"), "other");
});

Deno.test("FastMmap.getOrSet() passes on what load throws, and the next one tries", async () => {
  using cache = textCache();
  const thrown = new Error("no database");
  await assert.rejects(cache.getOrSet("key", () => Promise.reject(thrown)), (e) => e === thrown);
  assert.equal(await cache.getOrSet("key", () => "value"), "value");
  assert.equal(await cache.getOrSet("none", () => undefined), undefined);
  assert.equal(cache.exists("none"), false);
  await assert.rejects(cache.getOrSet("key", "value" as never), /load must be a function/);
});

Deno.test("FastMmap.getOrSet() serves the stale value while another loads", async () => {
  using one = textCache();
  using other = textCache({ shareFile: one.shareFile, now: one.clock.now });
  one.set("key", "old", 5);
  one.clock.second += 7;
  const { promise, resolve } = Promise.withResolvers<string>();
  const loading = one.getOrSet("key", () => promise);
  const never = () => assert.fail("it must not load");
  for (const cache of [one, other]) {
    assert.equal(await cache.getOrSet("key", never, { stale: 10 }), "old");
  }
  await assert.rejects(
    other.getOrSet("key", never, { stale: 1, timeout: 30 }),
    (error) => code("LOCK_TIMEOUT")(error) && /still loading/.test((error as Error).message),
  );
  const waiting = other.getOrSet("key", never);
  resolve("new");
  assert.deepEqual(await Promise.all([loading, waiting]), ["new", "new"]);
});

Deno.test("FastMmap.getOrSet() serves however stale a value with true, and only to who wants it", async () => {
  using one = textCache();
  using other = textCache({ shareFile: one.shareFile, now: one.clock.now });
  one.set("key", "old", 5);
  one.clock.second += 1e6;
  const { promise, resolve } = Promise.withResolvers<string>();
  const loading = one.getOrSet("key", () => promise);
  const never = () => assert.fail("it must not load");
  const stale = other.getOrSet("key", never, { stale: true });
  const waiting = [other.getOrSet("key", never), other.getOrSet("key", never, { stale: false })];
  assert.equal(await stale, "old");
  resolve("new");
  assert.deepEqual(await Promise.all([loading, ...waiting]), ["new", "new", "new"]);
});

Deno.test("FastMmap.getOrSet() takes a text and its UTF-8 for one key", async () => {
  using cache = textCache();
  let loads = 0;
  const load = () => Promise.resolve(`load ${++loads}`);
  const keys = ["Schlüssel", new TextEncoder().encode("Schlüssel")];
  const values = await Promise.all(keys.map((key) => cache.getOrSet(key, load)));
  assert.deepEqual(values, ["load 1", "load 1"]);
  const bytes = new Uint8Array([255, 254]);
  assert.equal(await cache.getOrSet(bytes, load), "load 2");
  assert.equal(cache.get(bytes), "load 2");
});

Deno.test("FastMmap.withLock() excludes, in the order they came, and passes on what is thrown", async () => {
  using cache = textCache();
  const order: number[] = [];
  let inside = 0;
  await Promise.all(Array.from({ length: 20 }, (_, index) =>
    cache.withLock("name", async () => {
      assert.equal(++inside, 1);
      await new Promise((resolve) => setTimeout(resolve, 1));
      order.push(index);
      inside--;
    })));
  assert.deepEqual(order, Array.from({ length: 20 }, (_, index) => index));
  const thrown = new Error("inside");
  await assert.rejects(cache.withLock("name", () => Promise.reject(thrown)), (e) => e === thrown);
  assert.equal(await cache.withLock("name", () => "free", { timeout: 0 }), "free");
});

Deno.test("FastMmap.lock() times out, and its lock may be disposed twice", async () => {
  using one = textCache();
  using other = textCache({ shareFile: one.shareFile });
  const lock = await one.lock("name");
  for (const cache of [one, other]) {
    await assert.rejects(cache.lock("name", { timeout: 20 }), code("LOCK_TIMEOUT"));
  }
  using _different = await other.lock("another name", { timeout: 0 });
  lock[Symbol.dispose]();
  using _theirs = await other.lock("name", { timeout: 0 });
  lock[Symbol.dispose]();
  await assert.rejects(one.lock("name", { timeout: 0 }), code("LOCK_TIMEOUT"));
  await assert.rejects(one.lock("name", { timeout: -1 }), RangeError);
  await assert.rejects(one.lock(5 as never), /must be a string/);
});

Deno.test("FastMmap.lock() takes a thousand locks at once, and no descriptors for them", async () => {
  const one = textCache({ unlinkOnExit: false });
  using other = textCache({ shareFile: one.shareFile, unlinkOnExit: true });
  const names = Array.from({ length: 1000 }, (_, index) => `name ${index}`);
  const descriptors = () => {
    return Deno.build.os === "linux" ? [...Deno.readDirSync("/proc/self/fd")].length : 0;
  };
  const before = descriptors();
  const locks = await Promise.all(names.map((name) => one.lock(name)));
  assert.equal(descriptors(), before);
  await assert.rejects(other.lock("name 500", { timeout: 0 }), code("LOCK_TIMEOUT"));
  locks[500][Symbol.dispose]();
  using _taken = await other.lock("name 500", { timeout: 0 });
  await assert.rejects(other.lock("name 501", { timeout: 0 }), code("LOCK_TIMEOUT"));
  const values = await Promise.all(names.map((name) => other.getOrSet(name, () => name)));
  assert.deepEqual(values, names);
  one.close();
  using _theirs = await other.lock("name 501", { timeout: 0 });
});

Deno.test("FastMmap.lock() says that the file it needs is gone", async () => {
  using cache = textCache();
  Deno.removeSync(cache.shareFile);
  await assert.rejects(
    cache.lock("name", { timeout: 0 }),
    (error) => code("NOT_FOUND")(error) && /removed, or replaced/.test((error as Error).message),
  );
});

// The constructor of Cache::FastMmap, option by option, and where ours differs on purpose. A test for each
// fact. What else it does is in fast_mmap_lines_test.ts and beside it.

import assert from "node:assert/strict";
import { type FastMmapOptions, geometry } from "../src/cache_options.ts";
import { StoreError } from "../src/errors.ts";
import { defaultLifetime } from "../src/expiry.ts";
import { FastMmap } from "../src/fast_mmap.ts";
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

Deno.test("share_file: another geometry of the same size is a clear error, too", () => {
  using file = temporaryFile();
  using one = textCache({ shareFile: file.path, numPages: 4, pageSize: 8192 });
  one.set("key", "value");
  assert.throws(
    () => textCache({ shareFile: file.path, numPages: 8, pageSize: 4096 }),
    (error) => code("GEOMETRY")(error) && /4 pages of 8192.*8 pages.*4096/.test(String(error)),
  );
  assert.equal(one.get("key"), "value", "the file is as it was");
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
  using standard = textCache({ numPages: 1, pageSize: 4096 });
  const largest = 4096 - 32 - 4 * 89 - 24 - "key".length;
  assert.equal(standard.set("key", "x".repeat(largest + 1)), false);
  assert.equal(standard.set("key", "x".repeat(largest)), true);
  using cache = textCache({ numPages: 1, startSlots: 10 });
  for (let i = 0; i < 500; i++) assert.ok(cache.set(`key ${i}`, "value"));
  assert.equal(cache.getKeys().length, 500);
});

Deno.test("test_file: accepted, a file is always validated", () => {
  using file = temporaryFile();
  Deno.writeTextFileSync(file.path, "this is no cache".repeat(1000));
  assert.throws(() => textCache({ shareFile: file.path, testFile: true }), code("NOT_A_STORE"));
});

Deno.test("test_file: damage of an entry is confined to it, and counted", () => {
  using file = temporaryFile();
  using cache = textCache({ shareFile: file.path, numPages: 1 });
  for (const key of ["first", "broken", "last"]) cache.set(key, `value of ${key}`);
  using raw = Deno.openSync(file.path, { read: true, write: true });
  const bytes = Deno.readFileSync(file.path);
  const at = new TextDecoder("latin1").decode(bytes).indexOf("brokenvalue of broken");
  raw.seekSync(at - 4, Deno.SeekMode.Start); // the length of its value
  raw.writeSync(new Uint8Array(4).fill(255));
  assert.equal(cache.get("broken"), undefined);
  assert.deepEqual(cache.getKeys().toSorted(), ["first", "last"]);
  assert.ok(cache.getStatistics().damage > 0);
  assert.ok(cache.set("broken", "whole again"));
  assert.equal(cache.get("broken"), "whole again");
  assert.equal(cache.get("last"), "value of last");
});

Deno.test("expire_time: in the constructor 0 is none, now one second, and never", () => {
  const lives = (expireTime: number | string) => {
    using cache = textCache({ expireTime });
    cache.set("key", "value");
    return cache.getKeys(1)[0].expireOn;
  };
  const { second } = new Clock();
  assert.deepEqual([0, "now", "never", "2h", 7].map(lives), [
    0,
    second + 1,
    0,
    second + 7200,
    second + 7,
  ]);
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

Deno.test("compressor: not below a size, and not when it would not be smaller", () => {
  const bytesOf = (options: FastMmapOptions<string>, value: string) => {
    using cache = textCache(options);
    cache.set("key", value);
    assert.equal(cache.get("key"), value);
    return cache.getStatistics().bytes;
  };
  const plain = (value: string) => bytesOf({}, value);
  for (const [length, shrinks] of [[255, false], [256, true]] as const) {
    const value = "x".repeat(length);
    assert.equal(bytesOf({ compressor: "gzip" }, value) < plain(value), shrinks, `${length}`);
  }
  const [short, long] = ["x".repeat(99), "x".repeat(100)];
  const from = { compressor: "deflate", compressFrom: 100 } as const;
  assert.deepEqual([bytesOf(from, short), plain(short)], [plain(short), plain(short)]);
  assert.ok(bytesOf(from, long) < plain(long));
  const random = generator(7);
  const noise = Array.from({ length: 300 }, () => String.fromCharCode(random(128))).join("");
  assert.ok(bytesOf({ compressor: "gzip" }, noise) <= plain(noise));
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

Deno.test("write_cb and delete_cb: what their promises are rejected with goes to onError", async () => {
  const errors: unknown[] = [];
  using cache = textCache({
    onError: (error) => errors.push(error),
    writeCb: () => Promise.reject("write") as unknown as void,
    deleteCb: () => Promise.reject("delete") as unknown as void,
  });
  assert.equal(cache.set("key", "value"), true);
  assert.equal(cache.remove("key"), true);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.deepEqual(errors, ["write", "delete"]);
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
});

Deno.test("allow_recursive: without it any use inside read_cb or get_and_set dies already locked", () => {
  let inside: () => unknown = () => {};
  using cache: ReturnType<typeof textCache> = textCache({ readCb: () => (inside(), "value") });
  const buffer = new Uint8Array(9);
  const uses = [
    () => cache.get("other"),
    () => cache.getInto("other", buffer),
    () => cache.set("other", "value"),
    () => cache.getAndSet("other", () => ["value"]),
    () => cache.getAndRemove("other"),
    () => cache.remove("other"),
    () => cache.remove("other", { modseq: 1 }),
    () => cache.exists("other"),
    () => cache.expire("other"),
    () => cache.getKeys(),
    () => cache.getKeys(2),
    () => [...cache],
    () => cache.clear(),
    () => cache.purge(),
    () => cache.empty(),
    () => cache.multiGet(["a"]),
    () => cache.multiGet("page", ["a"]),
    () => cache.multiSet("page", { a: "1" }),
    () => cache.multiSet(new Map([["a", "1"]])),
  ];
  for (const use of uses) {
    inside = use;
    assert.throws(() => cache.get("key"), /already locked/, `${use}`);
    assert.throws(
      () => cache.getAndSet("here", () => (use(), undefined)),
      /already locked/,
      `${use}`,
    );
    inside = () => {};
    assert.ok(cache.set("key", "free again"));
    cache.clear();
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

Deno.test("empty_on_exit and unlink_on_exit: also when the program ends without closing", async () => {
  using file = temporaryFile();
  const run = async (ending: string) => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        "--no-lock",
        `import { FastMmap } from ${JSON.stringify(import.meta.resolve("../mod.ts"))};
        const cache = new FastMmap({
          shareFile: ${JSON.stringify(file.path)},
          emptyOnExit: true,
          writeAction: "write_back",
          writeCb: (_, key, value) => console.log(key, value),
        });
        cache.set("key", "value");
        ${ending}`,
      ],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  };
  for (const ending of ["", "Deno.exit();", "cache.close();"]) {
    assert.equal(await run(ending), "key value\n", ending);
    assert.equal(exists(file.path), false, ending);
  }
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

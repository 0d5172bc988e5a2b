// The modseqs and tombstones of Cache::FastMmap 1.63, line by line. A test for each fact.

import assert from "node:assert/strict";
import type { SetOptions } from "../src/set_options.ts";
import { Calls, textCache } from "./caching.ts";

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

Deno.test("tombstones: expire_on -1 is the lifetime of entries, expire_on and expire_time are the call's", () => {
  using cache = textCache({ tombstoneExpireTime: 10, expireTime: 100 });
  const lasts = (options: SetOptions) => {
    cache.clear();
    const from = cache.clock.second;
    cache.remove("key", options);
    while (!cache.set("key", "value")) cache.clock.second++;
    return cache.clock.second - from;
  };
  const soon = () => cache.clock.second + 3;
  assert.equal(lasts({ modseq: 1 }), 10);
  assert.equal(lasts({ modseq: 1, expireOn: -1 }), 100);
  assert.equal(lasts({ modseq: 1, expireTime: "1m" }), 60);
  assert.equal(lasts({ modseq: 1, expireTime: "1m", expireOn: soon() }), 3);
  assert.equal(lasts({ modseq: 1, expireTime: "now" }), 0);
});

Deno.test("tombstones: without a lifetime of their own they have that of entries", () => {
  using cache = textCache({ expireTime: 7, tombstoneExpireTime: 0 });
  cache.remove("key", { modseq: 1 });
  cache.clock.second += 6;
  assert.equal(cache.set("key", "value"), false);
  cache.clock.second++;
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

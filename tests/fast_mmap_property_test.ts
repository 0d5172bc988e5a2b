// Random calls on the cache and on a Map do the same, while nothing has to be evicted.

import assert from "node:assert/strict";
// deno-lint-ignore no-import-prefix -- for tests only: the module itself has no dependencies
import fc from "npm:fast-check@4.10.2";
import { FastMmap } from "../src/fast_mmap.ts";
import { Clock } from "./caching.ts";

const runs = 200;
const callsPerRun = 500;

type Cache = FastMmap<fc.JsonValue>;

/** What a Map has to remember of an entry. */
interface Entry {
  readonly value: fc.JsonValue | undefined;
  /** 0: never. */
  readonly expireOn: number;
}

class Model {
  readonly entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  live(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined || this.isExpired(entry)) return undefined;
    return entry;
  }

  isExpired({ expireOn }: Entry): boolean {
    return expireOn !== 0 && this.#clock.second >= expireOn;
  }

  keys(): string[] {
    return [...this.entries.keys()].filter((key) => this.live(key) !== undefined).sort();
  }
}

interface Real {
  readonly cache: Cache;
  readonly clock: Clock;
}

/** A call as a function of both, which compares their answers. */
type Step = (model: Model, real: Real) => void;

const keys = fc.oneof(
  fc.integer({ min: 0, max: 20 }).map((number) => `key ${number}`),
  fc.string({ unit: "grapheme", maxLength: 12 }),
);
const values = fc.option(fc.jsonValue({ maxDepth: 2 }), { nil: undefined, freq: 20 });
const seconds = fc.integer({ min: 0, max: 8 });

/** JSON has no -0 and no keys that are no own properties. */
function plain<T>(value: T): T {
  return value === undefined ? value : JSON.parse(JSON.stringify(value));
}

const set = fc.record({ key: keys, value: values, lifetime: fc.option(seconds) }).map(
  ({ key, value, lifetime }): Step => (model, { cache, clock }) => {
    const expireOn = lifetime === null ? 0 : clock.second + lifetime;
    assert.equal(cache.set(key, value, lifetime ?? undefined), true);
    model.entries.set(key, { value: plain(value), expireOn });
  },
);

const get = keys.map((key): Step => (model, { cache }) => {
  const info: { expireOn?: number } = {};
  assert.deepEqual(cache.get(key, info), model.live(key)?.value);
  assert.equal(info.expireOn, model.live(key)?.expireOn);
  assert.equal(cache.exists(key), model.live(key) !== undefined);
});

const getInto = keys.map((key): Step => (model, { cache }) => {
  const buffer = new Uint8Array(4096);
  const length = cache.getInto(key, buffer);
  const value = model.live(key)?.value;
  if (value === undefined) return assert.equal(length, undefined);
  const text = new TextDecoder().decode(buffer.subarray(0, length));
  assert.deepEqual(JSON.parse(text), value);
});

const remove = keys.map((key): Step => (model, { cache }) => {
  assert.equal(cache.remove(key), model.entries.delete(key));
});

const expire = keys.map((key): Step => (model, { cache }) => {
  const there = model.live(key) !== undefined;
  assert.equal(cache.expire(key), there);
  if (there) model.entries.delete(key);
});

const getAndSet = fc.record({ key: keys, value: values, keeps: fc.boolean() }).map(
  ({ key, value, keeps }): Step => (model, { cache }) => {
    const before = model.live(key);
    const [now, stored] = cache.getAndSet(key, (given, old, info) => {
      assert.deepEqual([given, old, info.expireOn], [key, before?.value, before?.expireOn]);
      return keeps ? [value, info] : undefined;
    });
    assert.deepEqual([now, stored], keeps ? [value, true] : [before?.value, false]);
    if (keeps) model.entries.set(key, { value: plain(value), expireOn: before?.expireOn ?? 0 });
  },
);

const getAndRemove = keys.map((key): Step => (model, { cache }) => {
  const value = model.live(key)?.value;
  assert.deepEqual(cache.getAndRemove(key), [value, model.entries.delete(key)]);
});

const many = fc.dictionary(keys, values, { maxKeys: 10, noNullPrototype: true }).map(
  (entries): Step => (model, { cache }) => {
    const pairs = new Map(Object.entries(entries));
    assert.equal(cache.multiSet(pairs), pairs.size);
    for (const [key, value] of pairs) model.entries.set(key, { value: plain(value), expireOn: 0 });
    const wanted = [...pairs.keys(), "key 1", "key 2"];
    const found = cache.multiGet(wanted);
    for (const key of wanted) {
      assert.equal(found.has(key), model.live(key) !== undefined);
      assert.deepEqual(found.get(key), model.live(key)?.value);
    }
  },
);

const list = fc.constant<Step>((model, { cache }) => {
  assert.deepEqual(cache.getKeys().sort(), model.keys());
  for (const { key, value, expireOn } of cache.getKeys(2)) {
    assert.deepEqual({ value, expireOn }, model.live(key as string));
  }
});

const purge = fc.constant<Step>((model, { cache }) => {
  cache.purge();
  for (const [key, entry] of model.entries) if (model.isExpired(entry)) model.entries.delete(key);
});

const clear = fc.constant<Step>((model, { cache }) => {
  cache.clear();
  model.entries.clear();
});

const tick = seconds.map((by): Step => (_model, { clock }) => {
  clock.second += by;
});

const step = fc.oneof(
  { weight: 12, arbitrary: set },
  { weight: 12, arbitrary: get },
  { weight: 3, arbitrary: getInto },
  { weight: 3, arbitrary: remove },
  { weight: 2, arbitrary: expire },
  { weight: 4, arbitrary: getAndSet },
  { weight: 2, arbitrary: getAndRemove },
  { weight: 2, arbitrary: many },
  { weight: 2, arbitrary: list },
  { weight: 1, arbitrary: purge },
  { weight: 1, arbitrary: clear },
  { weight: 6, arbitrary: tick },
);

Deno.test(`${runs * callsPerRun} random calls do on FastMmap what they do on a Map`, () => {
  let calls = 0;
  fc.assert(
    fc.property(
      fc.array(step, { minLength: callsPerRun, maxLength: callsPerRun }),
      (steps) => {
        const clock = new Clock();
        using cache: Cache = new FastMmap({ numPages: 7, cacheSize: "8m", now: clock.now });
        const model = new Model(clock);
        for (const step of steps) step(model, { cache, clock });
        calls += steps.length;
        assert.equal(cache.getStatistics().evictions, 0);
        assert.equal(cache.getStatistics().damage, 0);
      },
    ),
    { numRuns: runs, seed: Number(Deno.env.get("SEED") ?? 20_260_101) },
  );
  assert.equal(calls, runs * callsPerRun);
});

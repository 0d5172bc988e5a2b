// Random calls on the cache and on a Map do the same, while nothing has to be evicted.

import assert from "node:assert/strict";
// deno-lint-ignore no-import-prefix -- for tests only: the module itself has no dependencies
import fc from "npm:fast-check@4.10.2";
import { FastMmap } from "../src/fast_mmap.ts";
import { Clock } from "./caching.ts";
import { isEmulated } from "./emulated.ts";

const runs = isEmulated ? 10 : 200;
const callsPerRun = 500;

type Cache = FastMmap<fc.JsonValue>;

type Value = fc.JsonValue | undefined;

/** What a Map has to remember of an entry. */
interface Entry {
  readonly value: Value;
  /** 0: never. */
  readonly expireOn: number;
  readonly modseq?: number;
  readonly isTombstone?: boolean;
}

class Model {
  readonly entries = new Map<string, Entry>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What a get sees. */
  live(key: string): Entry | undefined {
    const entry = this.#current(key);
    return entry?.isTombstone ? undefined : entry;
  }

  #current(key: string): Entry | undefined {
    const entry = this.entries.get(key);
    return entry === undefined || this.isExpired(entry) ? undefined : entry;
  }

  /** Whether nothing newer is there. */
  set(key: string, value: Value, expireOn: number, modseq?: number): boolean {
    const old = this.#current(key);
    if (old?.modseq !== undefined) {
      if (modseq === undefined ? old.isTombstone : modseq < old.modseq) return false;
    }
    this.entries.set(key, { value: plain(value), expireOn, modseq });
    return true;
  }

  bury(key: string, expireOn: number, modseq: number): void {
    const old = this.#current(key)?.modseq;
    if (old !== undefined && modseq <= old) return;
    this.entries.set(key, { value: undefined, expireOn, modseq, isTombstone: true });
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
const modseqs = fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined, freq: 3 });
const encoder = new TextEncoder();

/** JSON has no -0 and no keys that are no own properties. */
function plain<T>(value: T): T {
  return value === undefined ? value : JSON.parse(JSON.stringify(value));
}

const lifetimes = fc.option(seconds, { nil: undefined });
const expireOnOf = (lifetime: number | undefined, { second }: Clock) => {
  return lifetime === undefined ? 0 : second + lifetime;
};

const set = fc.record({ key: keys, value: values, lifetime: lifetimes, modseq: modseqs }).map(
  ({ key, value, lifetime, modseq }): Step => (model, { cache, clock }) => {
    const options = modseq === undefined ? lifetime : { expireTime: lifetime, modseq };
    const expected = model.set(key, value, expireOnOf(lifetime, clock), modseq);
    assert.equal(cache.set(key, value, options), expected);
  },
);

const get = keys.map((key): Step => (model, { cache }) => {
  const info: { expireOn?: number; modseq?: number | bigint } = {};
  const entry = model.live(key);
  assert.deepEqual(cache.get(key, info), entry?.value);
  assert.deepEqual([info.expireOn, info.modseq], [entry?.expireOn, entry?.modseq]);
  assert.equal(cache.exists(encoder.encode(key)), entry !== undefined);
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

const bury = fc.record({ key: keys, lifetime: lifetimes, modseq: fc.nat({ max: 9 }) }).map(
  ({ key, lifetime, modseq }): Step => (model, { cache, clock }) => {
    assert.equal(cache.remove(key, { modseq, expireTime: lifetime }), true);
    model.bury(key, expireOnOf(lifetime, clock), modseq);
  },
);

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
      assert.equal(info.modseq, before?.modseq);
      return keeps ? [value, info] : undefined;
    });
    if (!keeps) return assert.deepEqual([now, stored], [before?.value, false]);
    const expected = model.set(key, value, before?.expireOn ?? 0, before?.modseq);
    assert.deepEqual([now, stored], [value, expected]);
  },
);

const getAndRemove = keys.map((key): Step => (model, { cache }) => {
  const value = model.live(key)?.value;
  assert.deepEqual(cache.getAndRemove(key), [value, model.entries.delete(key)]);
});

const many = fc.dictionary(keys, values, { maxKeys: 10, noNullPrototype: true }).map(
  (entries): Step => (model, { cache }) => {
    const pairs = new Map(Object.entries(entries));
    const stored = [...pairs].filter(([key, value]) => model.set(key, value, 0));
    assert.equal(cache.multiSet(pairs), stored.length);
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
  for (const { key, value, expireOn, modseq } of cache.getKeys(2)) {
    assert.deepEqual({ value, expireOn, modseq }, model.live(key as string));
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
  { weight: 2, arbitrary: bury },
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

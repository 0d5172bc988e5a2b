/**
 * A value with its timestamp: pts_set_at, and pts_set and pts_add on such a series (cell.c),
 * pts_read_value (reading.c). An enum without a time is the same with one cell.
 *
 * Modelled: a block {tag, n, value 0, time 0, value 1, time 1}. A set, under the series's lock, writes
 * the pair that n does not name and then n + 1 by release; if the block is not current, the tag behind it;
 * if the series was sharded until now, first a new generation and last the head. An addition is a
 * set of the sum that keeps the time. (An addition by compare-and-swap on the value that n names is
 * in the model too: it may land in a pair that a set is just writing, and then counts where a later
 * one is lost.) A reader copies one pair and looks at n, head and the store's generation again.
 *
 * The pair is stored relaxed behind a release fence, which makes it carry the n before it.
 *
 * Invariants, as history.ts judges every read:
 *   P1 a value is read with its own time, or not at all
 *   P2 sets and additions count as in first_set_test.ts; an addition keeps the time, a set without erases it
 *   P3 a killed operation changes all or nothing
 */
import {
  acquire,
  again,
  call,
  cas,
  enumerate,
  fence,
  fetchAdd,
  load,
  lock,
  type Model,
  type Op,
  type Process,
  release,
  store,
  unlock,
} from "./explorer.ts";
import { scenario, type Work } from "./scenario.ts";
import { caught, holds } from "./verify.ts";

const shared = ["HEAD", "DRAWN", "STORE", "LOCK", "TAG1", "CELL1", "TAG2", "CELL2"] as const;
const block = ["TAG", "N", "VALUE0", "TIME0", "VALUE1", "TIME1"] as const;
const names = [...shared, ...block];
const { HEAD, DRAWN, STORE, LOCK, TAG1, CELL1, TAG, N, VALUE0, TIME0 } = enumerate(...names);
const SHARDED = 0, STAMPED = 1;
const SHARDS = 2;
const head = (generation: number, mode: number) => generation << 1 | mode;
const modeOf = (head: number) => head & 1;
const tag = (store: number, head: number) => store << 4 | head >> 1;
const valueAt = (n: number) => VALUE0 + 2 * (n & 1);
const timeAt = (n: number) => TIME0 + 2 * (n & 1);

interface Rules {
  /** The pair is written before n names it. */
  pairFirst: boolean;
  /** Into the pair that n does not name. */
  otherPair: boolean;
  /** n is stored by release. */
  releaseN: boolean;
  /** A release fence before the pair; without it the pair must be stored by release. */
  fenced: boolean;
  releasePair: boolean;
  /** The reader looks at n again. */
  readsAgain: boolean;
  /**
   * An addition is a set of the sum under the lock. The alternative is a compare-and-swap on the
   * value that n names, with n looked at again between loading the value and swapping it, or not.
   */
  add: "locked" | "swap, looks again" | "swap";
}
const asBuilt: Rules = {
  pairFirst: true,
  otherPair: true,
  releaseN: true,
  fenced: true,
  releasePair: false,
  readsAgain: true,
  add: "locked",
};

function programs(rules: Rules) {
  const put = (at: number, value: number): Op =>
    rules.releasePair ? release(at, value) : store(at, value);

  /** Under the lock: a new pair, n, and the tag if it is not current. */
  function* write(value: number, time: number, current: number): Process {
    const n = yield load(N);
    const next = rules.otherPair ? n + 1 : n;
    const publish = rules.releaseN ? release(N, n + 1) : store(N, n + 1);
    if (rules.fenced) yield fence("release");
    if (!rules.pairFirst) yield publish;
    yield put(valueAt(next), value);
    yield put(timeAt(next), time);
    if (rules.pairFirst) yield publish;
    if ((yield load(TAG)) !== current) yield release(TAG, current);
  }
  function* set(value: number, time: number): Process {
    yield lock(LOCK);
    const h = yield acquire(HEAD);
    if (modeOf(h) === SHARDED) yield call(convert, value, time, h);
    else yield* write(value, time, tag(yield acquire(STORE), yield acquire(HEAD)));
    yield unlock(LOCK);
  }
  /** The first set: the pair, the tag of a new generation, and the head by one compare-and-swap. */
  function* convert(value: number, time: number, h: number): Process {
    const next = head((yield fetchAdd(DRAWN, 1)) + 1, STAMPED);
    yield* write(value, time, tag(yield acquire(STORE), next));
    const found = yield cas(HEAD, h, next);
    if (found !== h) return again(convert, value, time, found);
  }
  function* add(shard: number, amount: number): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    if (modeOf(h) === STAMPED) return again(addStamped, amount);
    if ((yield load(TAG1 + 2 * shard)) === tag(s, h)) {
      yield release(CELL1 + 2 * shard, (yield load(CELL1 + 2 * shard)) + amount);
    } else {
      yield release(CELL1 + 2 * shard, amount);
      yield release(TAG1 + 2 * shard, tag(s, h));
    }
  }
  function* addStamped(amount: number): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    if (rules.add !== "locked" && (yield acquire(TAG)) === tag(s, h)) {
      const n = yield acquire(N);
      const old = yield acquire(valueAt(n));
      if (rules.add === "swap, looks again" && (yield load(N)) !== n) {
        return again(addStamped, amount);
      }
      if ((yield cas(valueAt(n), old, old + amount)) === old) return;
      return again(addStamped, amount);
    }
    yield lock(LOCK);
    const current = tag(yield acquire(STORE), yield acquire(HEAD));
    const restarts = (yield load(TAG)) !== current;
    if (restarts) yield* write(amount, 0, current);
    else if (rules.add === "locked") {
      const n = yield load(N);
      yield* write((yield load(valueAt(n))) + amount, yield load(timeAt(n)), current);
    }
    yield unlock(LOCK);
    if (!restarts && rules.add !== "locked") return again(addStamped, amount);
  }
  function* remove(): Process {
    yield call(exchangeHead, (yield fetchAdd(DRAWN, 1)) + 1);
  }
  function* exchangeHead(drawn: number): Process {
    const h = yield acquire(HEAD);
    if ((yield cas(HEAD, h, head(drawn, modeOf(h)))) !== h) return again(exchangeHead, drawn);
  }
  function* clear(): Process {
    yield fetchAdd(STORE, 1);
  }
  /** 0 if the series does not exist, or time and value + 1 in one number. */
  function* read(): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    let exists = false;
    let value = 0;
    let time = 0;
    if (modeOf(h) === STAMPED) {
      exists = (yield acquire(TAG)) === tag(s, h);
      if (exists) {
        const n = yield acquire(N);
        value = yield load(valueAt(n));
        time = yield load(timeAt(n));
        yield fence("acquire");
        if (rules.readsAgain && (yield load(N)) !== n) return again(read);
      }
    } else {
      for (let shard = 0; shard < SHARDS; shard++) {
        if ((yield acquire(TAG1 + 2 * shard)) !== tag(s, h)) continue;
        exists = true;
        value += yield load(CELL1 + 2 * shard);
      }
      yield fence("acquire");
    }
    if ((yield load(HEAD)) !== h || (yield load(STORE)) !== s) return again(read);
    return exists ? (time << 8 | value) + 1 : 0;
  }
  return { set, add, remove, clear, read };
}

function model(
  work: Work[][],
  memory: Model["memory"],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
  equal = false,
): Model {
  const adders = work.flatMap((list, worker) => list.includes("add") ? [worker] : []);
  if (adders.length > SHARDS) throw new RangeError("the model has shards for two that add");
  const { set, add, remove, clear, read } = programs({ ...asBuilt, ...change });
  const initial = { [HEAD]: head(1, SHARDED), [DRAWN]: 1, [STORE]: 1 };
  return scenario(work, { locations: names, initial, memory, ...fate }, {
    add: (worker, amount) => call(add, adders.indexOf(worker), amount),
    set: (_, { value, time = 0 }) => call(set, value, time),
    remove: () => call(remove),
    clear: () => call(clear),
    read: () => call(read),
    outcome: (read) => read === 0 ? undefined : { value: (read - 1) & 255, time: (read - 1) >> 8 },
  }, equal);
}

holds(
  "stamped: P1 P2: from sharded",
  model([["add", "add"], ["set at"], ["read"]], "sc", { kills: 1 }),
);
holds(
  "stamped: P1 P2: sets, an addition, a read",
  model([["set at", "set"], ["set at", "add"], ["read"]], "sc"),
);
holds(
  "stamped: P2 P3: killed",
  model([["set at", "set at"], ["add"], ["set"]], "sc", { kills: 1 }),
);
holds(
  "stamped: P2 P3: restarts after a remove",
  model([["set at", "remove", "add"], ["add"]], "sc", { kills: 1 }),
);
holds(
  "stamped: P2 P3: sets after a clear",
  model([["set at", "clear", "set at"], ["add"]], "sc", { kills: 1 }),
);
holds(
  "stamped: P2 P3: equal sets, one killed",
  model([["set at", "set at"], ["remove", "add"], ["set"]], "sc", { kills: 1 }, {}, true),
);
holds("stamped: P1 in weak memory", model([["set at", "set at", "set at"], ["read"]], "weak"));
holds("stamped: P2 in weak memory", model([["set at", "add"], ["set at"], ["read"]], "weak"));

const impossible = /was read, possible were/;
const beside: Work[][] = [["set at", "set at", "set at"], ["read"]];
const mistakes: [string, Model["memory"], Partial<Rules>, Work[][]][] = [
  ["that name a pair before it is written", "sc", { pairFirst: false }, beside],
  ["that write into the pair that is read", "sc", { otherPair: false }, beside],
  ["whose n is stored relaxed", "weak", { releaseN: false }, beside],
  ["with a relaxed pair and no fence before it", "weak", { fenced: false }, beside],
  ["read without a second look at n", "sc", { readsAgain: false }, beside],
];
for (const [name, memory, change, work] of mistakes) {
  caught(`stamped values ${name}`, model(work, memory, {}, change), impossible);
}
holds(
  "stamped: a pair stored by release needs no fence before it",
  model(beside, "weak", {}, { fenced: false, releasePair: true }),
);

const crossed: Work[][] = [["set at", "add"], ["set at", "set"], ["add"]];
holds("stamped: P2: two additions beside two sets", model(crossed, "sc"));
caught(
  "stamped values added to by a swap: an addition lands in a pair that is being written",
  model(crossed, "sc", {}, { add: "swap" }),
  impossible,
);
holds(
  "stamped: a second look at n before the swap is enough for different values",
  model(crossed, "sc", {}, { add: "swap, looks again" }),
);
caught(
  "stamped values added to by a swap that looks again: one value taken for another",
  model(crossed, "sc", {}, { add: "swap, looks again" }, true),
  impossible,
);

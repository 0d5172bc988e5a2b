/**
 * The accesses of pts_add and pts_set (cell.c), pts_remove (series.c), pts_clear (metrics.c) and
 * pts_read_value (reading.c) on one series, one yield for each: heads_test.ts, first_set_test.ts.
 *
 *     head    generation and mode          drawn   the last generation drawn
 *     store   the store's generation       lock    the series's lock
 *     tag i, cell i                        the series's block in shard i; shard 0 is nobody's
 *
 * Shard 0's tag and cell are written one after the other here, and a set that has seen the block current is a
 * store, as it is for series without labels. cell.c swaps both words at once, which leaves out the states in
 * between and adds none, but for a swap that fails and looks again: what is right in two steps is
 * right in one. room.ts has the swap, and why it must be one.
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

const SHARDS = 3;
const names = [
  ...["HEAD", "DRAWN", "STORE", "LOCK"],
  ...[0, 1, 2].flatMap((shard) => [`TAG${shard}`, `CELL${shard}`]),
];
const { HEAD, DRAWN, STORE, LOCK } = enumerate("HEAD", "DRAWN", "STORE", "LOCK");
const tagOf = (shard: number) => 4 + 2 * shard;
const cellOf = (shard: number) => 5 + 2 * shard;
const SHARDED = 0, SHARED = 1;
const head = (generation: number, mode: number) => generation << 1 | mode;
const modeOf = (head: number) => head & 1;
const tag = (store: number, head: number) => store << 4 | head >> 1;
const initial = { [HEAD]: head(1, SHARDED), [DRAWN]: 1, [STORE]: 1 };

export interface Rules {
  /** Cells are stored with release: whoever reads one also sees the head its writer saw. */
  releaseCells: boolean;
  /** A block starts over with the cell before the tag. */
  cellBeforeTag: boolean;
  /** A block starts over with the amount in its cell; false: with 0, and the amount afterwards. */
  startsWithAmount: boolean;
  /** A shared block starts over under the lock, with its tag looked at again. */
  restartLocked: boolean;
  looksAgain: boolean;
  /** A mutation: the first worker owns shard 0, where shared values are. */
  shardZeroIsOwned: boolean;
  /** The first set publishes the head last. */
  headLast: boolean;
  /** The first set draws a generation of its own. */
  draws: boolean;
  /** The fast set compares the store's generation, and the head. */
  fastSeesStore: boolean;
  fastSeesHead: boolean;
  /** The reader looks at head and store again, behind an acquire fence. */
  readsAgain: boolean;
  readerFence: boolean;
}
const asBuilt: Rules = {
  releaseCells: true,
  cellBeforeTag: true,
  startsWithAmount: true,
  restartLocked: true,
  looksAgain: true,
  shardZeroIsOwned: false,
  headLast: true,
  draws: true,
  fastSeesStore: true,
  fastSeesHead: true,
  readsAgain: true,
  readerFence: true,
};

/** The programs of the protocol under some rules. */
function cellPrograms(rules: Rules) {
  function put(at: number, value: number): Op {
    return rules.releaseCells ? release(at, value) : store(at, value);
  }

  /** A block that is not current becomes it, with a value. */
  function* start(shard: number, value: number, current: number): Process {
    if (!rules.cellBeforeTag) yield release(tagOf(shard), current);
    yield put(cellOf(shard), value);
    if (rules.cellBeforeTag) yield release(tagOf(shard), current);
  }

  function* add(shard: number, amount: number): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    if (modeOf(h) === SHARED) return again(addShared, amount);
    if ((yield load(tagOf(shard))) !== tag(s, h)) {
      if (rules.startsWithAmount) {
        yield* start(shard, amount, tag(s, h));
        return;
      }
      yield* start(shard, 0, tag(s, h));
    }
    yield put(cellOf(shard), (yield load(cellOf(shard))) + amount);
  }

  /** A look by itself, and an addition after it: ffi/direct.ts. */
  function* look(): Process {
    const h = yield acquire(HEAD);
    return h << 4 | (yield acquire(STORE));
  }

  function* addSeen(shard: number, amount: number, seen: number): Process {
    const [h, s] = [seen >> 4, seen & 15];
    if (modeOf(h) === SHARED || (yield load(tagOf(shard))) !== tag(s, h)) {
      return again(add, shard, amount);
    }
    yield put(cellOf(shard), (yield load(cellOf(shard))) + amount);
  }

  function* addShared(amount: number): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    if ((yield acquire(tagOf(0))) === tag(s, h)) {
      const old = yield load(cellOf(0));
      const found = yield cas(cellOf(0), old, old + amount);
      return found === old ? 0 : again(addShared, amount);
    }
    if (rules.restartLocked) yield lock(LOCK);
    const h2 = yield acquire(HEAD);
    const s2 = yield acquire(STORE);
    let done = 0;
    if (!rules.looksAgain || (yield acquire(tagOf(0))) !== tag(s2, h2)) {
      done = rules.startsWithAmount ? 1 : 0;
      yield* start(0, done ? amount : 0, tag(s2, h2));
    }
    if (rules.restartLocked) yield unlock(LOCK);
    return done ? 0 : again(addShared, amount);
  }

  /** `known` is the head and store (h << 4 | s) this attachment has seen the block current for. */
  function* set(value: number, known: number): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    const sameHead = !rules.fastSeesHead || known >> 4 === h;
    const sameStore = !rules.fastSeesStore || (known & 15) === s;
    if (known !== 0 && sameHead && sameStore) {
      yield put(cellOf(0), value);
      return known;
    }
    yield lock(LOCK);
    const now = yield* setLocked(value);
    yield unlock(LOCK);
    return now as number;
  }

  function* setLocked(value: number): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    if (modeOf(h) === SHARED) {
      if ((yield acquire(tagOf(0))) === tag(s, h)) yield put(cellOf(0), value);
      else yield* start(0, value, tag(s, h));
      return h << 4 | s;
    }
    return yield call(convert, value, h);
  }
  /** The first set: value, tag of a new generation, and the head by one compare-and-swap. */
  function* convert(value: number, h: number): Process {
    const drawn = rules.draws ? (yield fetchAdd(DRAWN, 1)) + 1 : h >> 1;
    const s = yield acquire(STORE);
    const next = head(drawn, SHARED);
    if (!rules.headLast) yield release(HEAD, next);
    yield* start(0, value, tag(s, next));
    if (rules.headLast) {
      const found = yield cas(HEAD, h, next);
      if (found !== h) return again(convert, value, found);
    }
    return next << 4 | s;
  }

  function* remove(): Process {
    const drawn = (yield fetchAdd(DRAWN, 1)) + 1;
    yield call(exchangeHead, drawn);
  }

  function* clear(): Process {
    yield fetchAdd(STORE, 1);
  }

  /** Gives 0 if the series does not exist, or its value + 1. */
  function* read(): Process {
    const h = yield acquire(HEAD);
    const s = yield acquire(STORE);
    let sum = 0;
    let exists = false;
    for (let shard = 0; shard < (modeOf(h) === SHARED ? 1 : SHARDS); shard++) {
      if ((yield acquire(tagOf(shard))) !== tag(s, h)) continue;
      exists = true;
      sum += yield load(cellOf(shard));
    }
    if (rules.readerFence) yield fence("acquire");
    if (rules.readsAgain) {
      if ((yield load(HEAD)) !== h || (yield load(STORE)) !== s) return again(read);
    }
    return exists ? sum + 1 : 0;
  }

  function* exchangeHead(drawn: number): Process {
    const h = yield acquire(HEAD);
    const found = yield cas(HEAD, h, head(drawn, modeOf(h)));
    if (found !== h) return again(exchangeHead, drawn);
  }

  return { add, look, addSeen, set, remove, clear, read };
}

export type { Work };

/** A sharded series with room for two workers that add, under the rules with a change. */
export function series(
  work: Work[][],
  memory: Model["memory"],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
  equal = false,
): Model {
  const adders = work.flatMap((list, worker) =>
    list.some((kind) => kind.startsWith("add")) ? [worker] : []
  );
  if (adders.length >= SHARDS) throw new RangeError("a series model has shards for two that add");
  const { add, look, addSeen, set, remove, clear, read } = cellPrograms({ ...asBuilt, ...change });
  const firstShard = change.shardZeroIsOwned ? 0 : 1;
  return scenario(work, { locations: names, initial, memory, ...fate }, {
    add: (worker, amount) => call(add, adders.indexOf(worker) + firstShard, amount),
    look: () => call(look),
    addSeen: (worker, amount, seen) =>
      call(addSeen, adders.indexOf(worker) + firstShard, amount, seen),
    set: (_, { value }, known) => call(set, value, known),
    remove: () => call(remove),
    clear: () => call(clear),
    read: () => call(read),
    outcome: (read) => read === 0 ? undefined : { value: read - 1, time: 0 },
  }, equal);
}

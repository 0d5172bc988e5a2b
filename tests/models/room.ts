/**
 * The room of series that are gone: the accesses of room.c, pts_start_block, add_shared, set_value and
 * pts_set's swap of cell.c, pts_remove and the look-ups of series.c, and a reader that has its own
 * idea of whose record it reads (pts_order_holds, pts_value). room_test.ts asks about them.
 *
 *     head    generation, incarnation, free, mode      drawn   the last generation drawn
 *     text    whose labels the record has              slot    1 while a hash slot names it
 *     tag i, cell i   the block in the shard of worker i        pair   tag and value in shard 0
 *     index, lock     the index's lock and the series's
 *
 * There is one record, of labels A at first, whose block is not current; labels B, and then A again,
 * can only have its room. The store's generation never changes (heads_test.ts has that).
 */
import {
  acquire,
  again,
  call,
  cas,
  enumerate,
  fence,
  fetchAdd,
  ghost,
  load,
  lock,
  type Model,
  type Process,
  quiet,
  release,
  store,
  unlock,
  update,
} from "./explorer.ts";
import { type Action, History } from "./history.ts";

const names = [
  ...["HEAD", "DRAWN", "TEXT", "SLOT", "INDEX", "LOCK", "PAIR"],
  ...["TAG1", "CELL1", "TAG2", "CELL2"],
] as const;
const { HEAD, DRAWN, TEXT, SLOT, INDEX, LOCK, PAIR } = enumerate(...names);
const SHARDS = [1, 2];
const tagOf = (shard: number) => PAIR + 2 * shard - 1;
const cellOf = (shard: number) => PAIR + 2 * shard;

export const A = 1, B = 2;
const NO_MODE = 0, SHARDED = 1, SHARED = 2;
const head = (generation: number, incarnation: number, mode: number, free = 0) =>
  generation << 5 | incarnation << 3 | free << 2 | mode;
const generationOf = (head: number) => head >> 5;
const incarnationOf = (head: number) => head >> 3 & 3;
const isFree = (head: number) => (head & 4) !== 0;
const modeOf = (head: number) => head & 3;
const isClaimed = (head: number) => isFree(head) && modeOf(head) !== NO_MODE;
const isOf = (head: number, incarnation: number) =>
  incarnationOf(head) === incarnation && !isFree(head);
const pair = (tag: number, value: number) => tag << 6 | value;
const tagIn = (pair: number) => pair >> 6;
const valueIn = (pair: number) => pair & 63;
const LAST_INCARNATION = 3;

const DONE = 0, STALE = 1, FULL = 2;
/** What a call gives that changed nothing that must show. */
const FAILED = FULL;

export interface Rules {
  /** The second addition is ffi/direct.ts's: it looks at the generation only. */
  direct: boolean;
  directLooks: boolean;
  /** pts_start_block: a full fence between the tag and the look at the head, that look, the tag back. */
  startFence: boolean;
  startLooks: boolean;
  takesTagBack: boolean;
  /** A value's cell starts as 0, then becomes what the update makes of it. */
  startsFromZero: boolean;
  /** A shared cell is swapped together with its tag. */
  swapsPairs: boolean;
  /** claim: under the series's lock, a fence behind it, and blocks looked at again behind that. */
  claimLocked: boolean;
  claimFence: boolean;
  decideLooks: boolean;
  /** A claimed record has another incarnation; a freed one, and one that is given, a new generation. */
  raisesIncarnation: boolean;
  drawsFreed: boolean;
  drawsGiven: boolean;
  /** Whoever takes the index's lock over decides what is claimed, like its claimer. */
  repairLooks: boolean;
  repairDecides: boolean;
  /** The text is written behind a release fence. */
  textFence: boolean;
  /** Readers and look-ups ask again for the incarnation; look-ups compare the text again before that. */
  readsAgain: boolean;
  comparesAgain: boolean;
  /** What is claimed is read as what it was; a remove waits until it is decided. */
  readsClaimed: boolean;
  removeWaits: boolean;
}
export const asBuilt: Rules = {
  direct: false,
  directLooks: true,
  startFence: true,
  startLooks: true,
  takesTagBack: true,
  startsFromZero: false,
  swapsPairs: true,
  claimLocked: true,
  claimFence: true,
  decideLooks: true,
  raisesIncarnation: true,
  drawsFreed: true,
  drawsGiven: true,
  repairLooks: true,
  repairDecides: true,
  textFence: true,
  readsAgain: true,
  comparesAgain: true,
  readsClaimed: true,
  removeWaits: true,
};

/** Ghosts behind those of the history: whose each incarnation is; 1 once B's update is acknowledged. */
interface Ghosts {
  labels: number;
  acknowledged: number;
}

function roomPrograms(rules: Rules, ghosts: Ghosts) {
  /* ---- updates, with the incarnation that a handle has ---- */

  function* start(shard: number, incarnation: number, tag: number, value: number): Process {
    yield fence("release");
    if (rules.startsFromZero) yield store(cellOf(shard), 0);
    yield release(cellOf(shard), value);
    yield release(tagOf(shard), tag);
    if (!rules.startLooks) return DONE;
    if (rules.startFence) yield fence("full");
    if (isOf(yield load(HEAD), incarnation)) return DONE;
    if (rules.takesTagBack) yield release(tagOf(shard), 0);
    return STALE;
  }
  /** Into a block of one's own, whose tag is the generation that was seen. */
  function* addDirectly(shard: number, amount: number): Process {
    const tag = yield load(tagOf(shard));
    if (tag === 0) return FAILED;
    if (rules.directLooks && generationOf(yield acquire(HEAD)) !== tag) return FAILED;
    yield release(cellOf(shard), (yield load(cellOf(shard))) + amount);
    return DONE;
  }
  function* addOnce(shard: number, incarnation: number, amount: number): Process {
    if (rules.direct && (yield call(addDirectly, shard, amount)) === DONE) return DONE;
    const h = yield acquire(HEAD);
    if (!isOf(h, incarnation)) return STALE;
    if (modeOf(h) === SHARED) return again(addShared, incarnation, amount);
    if ((yield load(tagOf(shard))) !== generationOf(h)) {
      return again(start, shard, incarnation, generationOf(h), amount);
    }
    yield release(cellOf(shard), (yield load(cellOf(shard))) + amount);
    return DONE;
  }
  /** Swap the value of the shared cell; gives what was there. */
  function swap(old: number, value: number) {
    return rules.swapsPairs
      ? cas(PAIR, old, pair(tagIn(old), value))
      : update(PAIR, (now) => valueIn(now) === valueIn(old) ? pair(tagIn(now), value) : undefined);
  }
  const swapped = (found: number, old: number) =>
    rules.swapsPairs ? found === old : valueIn(found) === valueIn(old);

  function* addShared(incarnation: number, amount: number): Process {
    const h = yield acquire(HEAD);
    if (!isOf(h, incarnation)) return STALE;
    const tag = tagIn(yield acquire(PAIR));
    const old = pair(tag, valueIn(yield load(PAIR))); // two words, loaded one after the other
    if (tag === generationOf(h)) {
      if (swapped(yield swap(old, valueIn(old) + amount), old)) return DONE;
      return again(addShared, incarnation, amount);
    }
    yield lock(LOCK);
    const result = yield call(startSharedLocked, incarnation, amount);
    yield unlock(LOCK);
    return result < 0 ? again(addShared, incarnation, amount) : result;
  }
  function* startSharedLocked(incarnation: number, amount: number): Process {
    const h = yield acquire(HEAD);
    if (!isOf(h, incarnation)) return STALE;
    if (tagIn(yield acquire(PAIR)) === generationOf(h)) return -1;
    yield update(PAIR, () => pair(generationOf(h), amount));
    return DONE;
  }
  function* setOnce(incarnation: number, value: number): Process {
    yield lock(LOCK);
    let h = yield acquire(HEAD);
    if (!isOf(h, incarnation)) {
      yield unlock(LOCK);
      return STALE;
    }
    if (modeOf(h) === SHARED) yield update(PAIR, () => pair(generationOf(h), value));
    else h = yield call(convert, h, value);
    yield unlock(LOCK);
    return DONE;
  }
  function* convert(h: number, value: number): Process {
    const drawn = (yield fetchAdd(DRAWN, 1)) + 1;
    yield update(PAIR, () => pair(drawn, value));
    const found = yield cas(HEAD, h, head(drawn, incarnationOf(h), SHARED));
    return found === h ? h : again(convert, found, value);
  }
  /** A claimed series may exist after all: that is decided before the index's lock is free again. */
  function* remove(incarnation: number): Process {
    const h = yield acquire(HEAD);
    if (rules.removeWaits && isClaimed(h) && incarnationOf(h) === incarnation + 1) {
      yield call(lockIndex);
      yield unlock(INDEX);
      return again(remove, incarnation);
    }
    if (!isOf(h, incarnation)) return DONE;
    const drawn = (yield fetchAdd(DRAWN, 1)) + 1;
    const found = yield cas(HEAD, h, head(drawn, incarnation, modeOf(h)));
    return found === h ? DONE : again(remove, incarnation);
  }

  /* ---- under the index's lock ---- */

  function* exists(h: number): Process {
    if (modeOf(h) === SHARED) return tagIn(yield acquire(PAIR)) === generationOf(h) ? 1 : 0;
    for (const shard of SHARDS) {
      if ((yield acquire(tagOf(shard))) === generationOf(h)) return 1;
    }
    return 0;
  }
  /** 1 if the claimed record is free now. */
  function* decide(claimed: number, looks: number): Process {
    if (looks && (yield call(exists, claimed))) {
      const before = incarnationOf(claimed) - (rules.raisesIncarnation ? 1 : 0);
      yield release(HEAD, head(generationOf(claimed), before, modeOf(claimed)));
      return 0;
    }
    const drawn = rules.drawsFreed ? (yield fetchAdd(DRAWN, 1)) + 1 : generationOf(claimed);
    yield release(HEAD, head(drawn, incarnationOf(claimed), NO_MODE, 1));
    return 1;
  }
  function* claim(): Process {
    const h = yield acquire(HEAD);
    if (isFree(h) || incarnationOf(h) >= LAST_INCARNATION || (yield call(exists, h))) return 0;
    const raised = incarnationOf(h) + (rules.raisesIncarnation ? 1 : 0);
    const claimed = head(generationOf(h), raised, modeOf(h), 1);
    if ((yield cas(HEAD, h, claimed)) !== h) return 0;
    if (rules.claimFence) yield fence("full");
    return again(decide, claimed, rules.decideLooks ? 1 : 0);
  }
  function* reclaim(): Process {
    if (rules.claimLocked) yield lock(LOCK);
    const claimed = yield call(claim);
    if (rules.claimLocked) yield unlock(LOCK);
    if (claimed) yield release(SLOT, 0);
    return claimed;
  }
  function* give(labels: number): Process {
    const h = yield load(HEAD);
    if (rules.textFence) yield fence("release");
    yield store(TEXT, labels);
    const drawn = rules.drawsGiven ? (yield fetchAdd(DRAWN, 1)) + 1 : generationOf(h);
    yield release(HEAD, head(drawn, incarnationOf(h), SHARDED));
    yield ghost((g) => {
      g[ghosts.labels + incarnationOf(h)] = labels;
    });
    yield release(SLOT, 1);
    return incarnationOf(h);
  }
  function* repair(): Process {
    const h = yield acquire(HEAD);
    let free = isFree(h);
    if (free && modeOf(h) !== NO_MODE) {
      if (!rules.repairDecides) return again(lose);
      yield fence("full");
      free = (yield call(decide, h, rules.repairLooks ? 1 : 0)) === 1;
    }
    yield release(SLOT, free ? 0 : 1);
  }
  function* lockIndex(): Process {
    if ((yield lock(INDEX)) === 1) yield call(repair);
  }
  function* lose(): Process {
    yield ghost(() => "a record stays claimed for ever");
  }
  /** The incarnation that has these labels, given the record if it is free or can be freed; or -1. */
  function* lookUpLocked(labels: number): Process {
    yield call(lockIndex);
    let incarnation = -1;
    const h = yield load(HEAD);
    if ((yield load(SLOT)) && (yield load(TEXT)) === labels) incarnation = incarnationOf(h);
    else if (isFree(h) || (yield call(reclaim))) incarnation = yield call(give, labels);
    yield unlock(INDEX);
    return incarnation;
  }

  /* ---- without a lock ---- */

  /** As find of series.c; -1: not there, or under change. */
  function* lookUp(labels: number): Process {
    if (!(yield acquire(SLOT)) || (yield load(TEXT)) !== labels) return -1;
    const h = yield acquire(HEAD);
    if (isFree(h)) return -1;
    if (rules.comparesAgain) {
      if (!(yield acquire(SLOT)) || (yield load(TEXT)) !== labels) return -1;
    }
    yield fence("acquire");
    return !rules.readsAgain || isOf(yield load(HEAD), incarnationOf(h)) ? incarnationOf(h) : -1;
  }
  /** The incarnation that has the labels, without making it; -1: there is none. */
  function* find(labels: number): Process {
    const found = yield call(lookUp, labels);
    if (found >= 0) return found;
    yield call(lockIndex);
    const is = (yield load(SLOT)) && (yield load(TEXT)) === labels;
    const h = yield load(HEAD);
    yield unlock(INDEX);
    return is ? incarnationOf(h) : -1;
  }
  function* removeLabels(labels: number): Process {
    const found = yield call(find, labels);
    if (found >= 0) yield call(remove, found);
    return DONE;
  }
  /**
   * Labels << 8 and value + 1 (0: it does not exist) of whoever has the record, or 0. A claimed one
   * is read as what it was.
   */
  function* read(): Process {
    const h = yield acquire(HEAD);
    if (isFree(h) && !(rules.readsClaimed && isClaimed(h))) return 0;
    let value = 0;
    let found = 0;
    if (modeOf(h) === SHARED) {
      const tag = tagIn(yield acquire(PAIR));
      if (tag === generationOf(h)) found = 1 + valueIn(yield load(PAIR));
    } else {
      for (const shard of SHARDS) {
        if ((yield acquire(tagOf(shard))) !== generationOf(h)) continue;
        value += yield load(cellOf(shard));
        found = 1 + value;
      }
    }
    const text = yield load(TEXT);
    yield fence("acquire");
    if (rules.readsAgain && (yield load(HEAD)) !== h) return again(read);
    return text << 8 | found;
  }
  return { addOnce, setOnce, removeLabels, lookUpLocked, lookUp, read };
}

export type Task =
  | "add A"
  | "set A"
  | "remove A"
  | "set B"
  | "add B"
  | "read"
  | "look up A"
  | "look up B";
/** B has one value if any; A's amounts are 1, 2, 4; a set of A is of the same as B's. */
const VALUE = 8;

/** Workers with a list of tasks each; the first two have a shard. A's handles are of incarnation 0. */
export function rooms(
  work: Task[][],
  memory: Model["memory"],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
  tries = 1,
): Model {
  const actions: Action[] = [];
  const plan = work.map((list) =>
    list.map((task) => {
      const kind = task.split(" ")[0];
      if (!task.endsWith(" A") || kind === "look") return { task, index: -1 };
      const value = kind === "set" ? VALUE : 1 << actions.length;
      return { task, index: actions.push({ kind: kind as Action["kind"], value }) - 1 };
    })
  );
  const history = new History(actions, memory);
  const ghosts: Ghosts = {
    labels: history.ghostWords,
    acknowledged: history.ghostWords + LAST_INCARNATION + 1,
  };
  const begun = (worker: number) => ghosts.acknowledged + 1 + worker;
  const rules = { ...asBuilt, ...change };
  const programs = roomPrograms(rules, ghosts);
  const labelsOf = (g: number[], incarnation: number) =>
    incarnation === 0 ? A : g[ghosts.labels + incarnation];

  /** An update as its caller makes it: what is stale is looked up again, and made again. */
  function* updating(
    labels: number,
    shard: number,
    incarnation: number,
    value: number,
    left: number,
  ): Process {
    if (incarnation >= 0) {
      const result = shard > 0
        ? yield call(programs.addOnce, shard, incarnation, value)
        : yield call(programs.setOnce, incarnation, value);
      if (result === DONE) return DONE;
    }
    if (left === 0) return FAILED;
    const found = yield call(programs.lookUpLocked, labels);
    return found < 0 ? FAILED : again(updating, labels, shard, found, value, left - 1);
  }
  function* updateB(shard: number): Process {
    const result = yield call(updating, B, shard, -1, VALUE, 1);
    yield ghost((g) => {
      if (result === DONE) g[ghosts.acknowledged] = 1;
    });
  }
  function* readAndJudge(slot: number): Process {
    if (slot >= 0) yield* history.beginRead(slot);
    const seen = yield call(programs.read);
    const text = seen >> 8, found = seen & 255;
    const outcome = found === 0 ? undefined : { value: found - 1, time: 0 };
    yield history.judge(slot, text === A ? outcome : undefined);
    yield ghost((g) => {
      if (text === B && outcome !== undefined && outcome.value !== VALUE) {
        return `B is ${outcome.value}, which nobody made of it`;
      }
      if (slot < 0 && g[ghosts.acknowledged] && (text !== B || outcome === undefined)) {
        return "an acknowledged update of B is lost";
      }
    });
    return 0;
  }
  const processes = plan.map((list, worker) =>
    function* (): Process {
      const shard = worker + 1;
      for (const { task, index } of list) {
        const { value } = actions[index] ?? { value: 0 };
        if (task === "add A") {
          yield* history.run(index, call(updating, A, shard, 0, value, tries), FAILED);
        } else if (task === "set A") {
          yield* history.run(index, call(updating, A, 0, 0, value, tries), FAILED);
        } else if (task === "remove A") {
          yield* history.run(index, call(programs.removeLabels, A));
        } else if (task === "add B") yield call(updateB, shard);
        else if (task === "set B") yield call(updateB, 0);
        else if (task === "read") yield* readAndJudge(begun(worker));
        else {
          const wanted = task === "look up A" ? A : B;
          const found = yield call(programs.lookUp, wanted);
          yield ghost((g) => {
            if (found >= 0 && labelsOf(g, found) !== wanted) return "found the record of others";
          });
        }
      }
    }
  );
  const names_ = work.map((list, i) => `${i} ${list.join(", ")}`);
  return {
    locations: names,
    initial: { [HEAD]: head(1, 0, SHARDED), [DRAWN]: 1, [TEXT]: A, [SLOT]: 1 },
    memory,
    ghostWords: begun(work.length),
    processes: {
      ...Object.fromEntries(processes.map((run, i) => [names_[i], run])),
      *last() {
        yield quiet();
        yield* readAndJudge(-1);
      },
    },
    mortal: names_.filter((_, i) => !work[i].includes("read")),
    progress: true,
    ...fate,
  };
}

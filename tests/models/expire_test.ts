/**
 * Series that nobody updates: pts_expire (expire.c) beside updates that confirm (cell.c, I7).
 *
 * Modelled: a family with a ttl of one tick, and a clock that goes on whenever it likes, twice. A scrape
 * asks for the time, then, under the series's lock: no mark in the head, it stores no time, sets the mark,
 * asks again and stores that; a mark that is a ttl old, it draws a generation and lets the series leave.
 * Both are compare-and-swaps from the head that it looked at. An update clears a mark that it finds, writes its own block or the shared
 * pair, looks at the head again, and is made again if the series has left meanwhile. A set makes the
 * series shared. Scrapes and updates are killed. Memory is sequentially consistent: what is asked here is a
 * matter of ttls, which are longer than any processor keeps a store for itself.
 *
 * Invariants:
 *   E1 an update whose last access is less than a ttl before the series leaves is not lost
 *   E2 no update counts twice
 *   E3 a series that is never updated again leaves, at the second scrape a ttl after the first
 */
import {
  acquire,
  again,
  call,
  cas,
  enumerate,
  fetchAdd,
  ghost,
  kernel,
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
import { caught, holds } from "./verify.ts";

const names = ["HEAD", "DRAWN", "LOCK", "MARKED", "TAG", "CELL", "PAIR"] as const;
const { HEAD, DRAWN, LOCK, MARKED, TAG, CELL, PAIR } = enumerate(...names);
const SHARDED = 0, SHARED = 1;
const head = (generation: number, mode: number, mark = 0) => generation << 2 | mark << 1 | mode;
const generationOf = (head: number) => head >> 2;
const isMarked = (head: number) => (head & 2) !== 0;
const modeOf = (head: number) => head & 1;
const unmarked = (head: number) => head & ~2;
const pair = (tag: number, value: number) => tag << 8 | value;
const CLOCK = 0, TTL = 1, LAST_TICK = 2, NEVER = 9;
/** For three updates: when each had its last access, + 1. When the series left, + 1. The time.
 * Additions that were read. */
const ENDED = 0, LEFT = 3, NOW = 4, SEEN = 5, GHOSTS = 6;
/* A death clears words of the kernel that are a worker's number + 1. */
const TICK = 100;

interface Rules {
  /** The leaving is a swap from the head that was looked at. */
  leavesExactly: boolean;
  /** The mark's time is asked for when it is set; until then, it has none. */
  asksAgain: boolean;
  forgetsFirst: boolean;
  clearsMark: boolean;
  confirms: boolean;
  /** An update that finds another generation afterwards is made again; not if a set came. */
  makesAgain: boolean;
  setComesAfter: boolean;
}
const asBuilt: Rules = {
  leavesExactly: true,
  asksAgain: true,
  forgetsFirst: true,
  clearsMark: true,
  confirms: true,
  makesAgain: true,
  setComesAfter: true,
};

const time = () => kernel("ask the time", (words) => words[CLOCK] / TICK);

function programs(rules: Rules) {
  function* scrape(): Process {
    const now = yield time();
    yield lock(LOCK);
    const h = yield acquire(HEAD);
    if (!isMarked(h)) {
      if (rules.forgetsFirst) yield store(MARKED, rules.asksAgain ? NEVER : now);
      const found = yield cas(HEAD, h, h | head(0, 0, 1));
      if (rules.asksAgain && found === h) yield store(MARKED, yield time());
    } else {
      const since = yield load(MARKED);
      if (since > now) yield store(MARKED, yield time());
      else if (now - since >= TTL) yield call(leave, h, now);
    }
    yield unlock(LOCK);
  }
  function* leave(h: number, now: number): Process {
    const drawn = (yield fetchAdd(DRAWN, 1)) + 1;
    const next = head(drawn, modeOf(h));
    const found = yield rules.leavesExactly ? cas(HEAD, h, next) : update(HEAD, () => next);
    yield ghost((g) => {
      if (found === h || !rules.leavesExactly) g[LEFT] = now + 1;
    });
  }
  /** The head without its mark. */
  function* headForUpdate(): Process {
    const h = yield acquire(HEAD);
    if (!rules.clearsMark || !isMarked(h)) return h;
    return (yield cas(HEAD, h, unmarked(h))) === h ? unmarked(h) : again(headForUpdate);
  }
  function* add(amount: number): Process {
    const h = yield call(headForUpdate);
    if (modeOf(h) === SHARED) {
      if ((yield call(addShared, h, amount)) === 0) return again(add, amount);
    } else if ((yield load(TAG)) === generationOf(h)) {
      yield release(CELL, (yield load(CELL)) + amount);
    } else {
      yield release(CELL, amount);
      yield release(TAG, generationOf(h));
    }
    if (rules.confirms && (yield call(confirm, h)) === 1) return again(add, amount);
  }
  function* addShared(h: number, amount: number): Process {
    const old = yield acquire(PAIR);
    const value = old >> 8 === generationOf(h) ? (old & 255) + amount : amount;
    return (yield cas(PAIR, old, pair(generationOf(h), value))) === old ? 1 : 0;
  }
  /** 1: the update must be made again. */
  function* confirm(seen: number): Process {
    const h = yield acquire(HEAD);
    if (unmarked(h) === unmarked(seen)) {
      if (!isMarked(h) || isMarked(seen)) return 0;
      return (yield cas(HEAD, h, unmarked(h))) === h ? 0 : again(confirm, seen);
    }
    if (!rules.setComesAfter || modeOf(h) === modeOf(seen)) return rules.makesAgain ? 1 : 0;
    if (!isMarked(h)) return 0;
    return (yield cas(HEAD, h, unmarked(h))) === h ? 0 : again(confirm, seen);
  }
  /** Under the lock; nobody lets the series leave meanwhile. */
  function* set(value: number): Process {
    yield lock(LOCK);
    const h = yield call(headForUpdate);
    if (modeOf(h) === SHARED) yield update(PAIR, () => pair(generationOf(h), value));
    else yield call(convert, h, value);
    yield unlock(LOCK);
  }
  function* convert(h: number, value: number): Process {
    const drawn = (yield fetchAdd(DRAWN, 1)) + 1;
    yield update(PAIR, () => pair(drawn, value));
    const found = yield cas(HEAD, h, head(drawn, SHARED));
    return found === h ? 0 : again(convert, found, value);
  }
  /** The value + 1, or 0. */
  function* read(): Process {
    const h = yield acquire(HEAD);
    if (modeOf(h) === SHARED) {
      const p = yield acquire(PAIR);
      return p >> 8 === generationOf(h) ? (p & 255) + 1 : 0;
    }
    return (yield acquire(TAG)) === generationOf(h) ? (yield load(CELL)) + 1 : 0;
  }
  return { scrape, add, set, read };
}

type Task = "add" | "set" | "scrape" | "read";

/** Workers with a list of tasks each. Additions and sets are of 1, 2, 4; at most one worker adds. */
function model(
  work: Task[][],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
): Model {
  const { scrape, add, set, read } = programs({ ...asBuilt, ...change });
  let updates = 0;
  const plan = work.map((list) =>
    list.map((task) => ({ task, index: task === "add" || task === "set" ? updates++ : -1 }))
  );
  const sets = plan.flat().filter(({ task }) => task === "set").map(({ index }) => index);
  const run = (list: (typeof plan)[number]) =>
    function* (): Process {
      for (const { task, index } of list) {
        if (task === "scrape") yield call(scrape);
        else if (task === "read") yield* look();
        if (index < 0) continue;
        yield call(task === "add" ? add : set, 1 << index);
        yield ghost((g) => {
          g[ENDED + index] = g[NOW] + 1;
        });
      }
    };
  /** Which additions a read found, of what no set has come after. */
  function* look(): Process {
    const found = yield call(read);
    yield ghost((g) => {
      if (found > 0 && !sets.some((s) => has(found - 1, s))) g[SEEN] |= found - 1;
    });
    return 0;
  }
  const has = (value: number, i: number) => (value & 1 << i) !== 0;
  const judge = (found: number) => (g: number[]) => {
    const value = found - 1;
    // Where there is a set, it may have come after any addition (heads_test.ts asks whether).
    const due = sets.length > 0 ? sets : [0, 1, 2];
    const young = due.filter((i) =>
      g[ENDED + i] > 0 && (g[LEFT] === 0 || g[LEFT] - g[ENDED + i] < TTL)
    );
    if (found === 0) return young.length > 0 ? "the series is gone, updates and all" : undefined;
    if (value >= 1 << updates || value === 0) return `the value is ${value}`;
    if (young.some((i) => !has(value, i))) return "a young update is lost";
    const after = sets.some((s) => has(value, s));
    if (after && (value & g[SEEN]) !== 0) return "an addition counts before a set and after it";
  };
  const workers = work.map((list, i) => `${i} ${list.join(", ")}`);
  return {
    locations: names,
    initial: { [HEAD]: head(1, SHARDED), [DRAWN]: 1 },
    memory: "sc",
    kernelWords: 1,
    ghostWords: GHOSTS,
    processes: {
      ...Object.fromEntries(plan.map((list, i) => [workers[i], run(list)])),
      *clock() {
        for (let i = 0; i < LAST_TICK; i++) {
          yield kernel("the clock goes on", (words) => {
            words[CLOCK] += TICK;
            return 0;
          });
          yield ghost((g) => {
            g[NOW]++;
          });
        }
      },
      *last() {
        yield quiet();
        const found = yield call(read);
        yield ghost(judge(found));
      },
    },
    mortal: workers,
    progress: true,
    ...fate,
  };
}

/** E3: alone, the second scrape finds the mark, and a third the series gone. */
function leaves(): Model {
  const base = model([["add"]]);
  const { scrape, read } = programs(asBuilt);
  const all = model([["add"]]).processes;
  return {
    ...base,
    processes: {
      "0 add": all["0 add"],
      *last() {
        yield quiet();
        for (let i = 0; i < 2; i++) {
          yield call(scrape);
          yield kernel("a ttl goes by", (words) => words[CLOCK] += TTL * TICK);
        }
        const found = yield call(read);
        yield ghost(() => found !== 0 ? "the series never leaves" : undefined);
      },
    },
    mortal: [],
  };
}

const two: Task[][] = [["add", "add"], ["scrape", "scrape"]];
const scrapers: Task[][] = [["add", "add"], ["scrape"], ["scrape", "scrape"]];
const mixed: Task[][] = [["add"], ["set"], ["scrape", "scrape"]];
const twice: Task[][] = [["add"], ["set"], ["read"]];
holds("expire: E1 E2: additions beside scrapes", model(two));
holds("expire: E1: additions beside two that scrape", model(scrapers));
holds("expire: E1: one is killed", model(two, { kills: 1 }));
holds("expire: E1 E2: a first set beside", model(mixed));
holds("expire: E3: nobody updates it", leaves());

holds("expire: E2: an addition is read before a first set", model(twice));
caught(
  "expire: an addition made again for a set that came after it",
  model(twice, {}, { setComesAfter: false }),
  /counts before/,
);

const lost = /lost|gone|the value is/;
const mistakes: [string, Partial<Rules>, Task[][]][] = [
  ["an update that does not clear the mark", { clearsMark: false }, two],
  ["an update that does not confirm", { confirms: false }, two],
  ["an update that came too late and is not made again", { makesAgain: false }, two],
  ["leaving from any head", { leavesExactly: false }, two],
  ["a mark with the scrape's own time, which may be old", { asksAgain: false }, scrapers],
];
for (const [name, change, work] of mistakes) {
  caught(`expire: ${name}`, model(work, {}, change), lost);
}
caught(
  "expire: a mark with the time of the last one, its setter killed",
  model([["add"], ["scrape", "scrape"], ["scrape"]], { kills: 1 }, { forgetsFirst: false }),
  lost,
);

/**
 * Gauges with a value for each worker: own_part, pts_worker_gauge_set and _add and write_recent of
 * worker_gauge.c, pts_start_block of cell.c, read_part of reading.c.
 *
 * Modelled: one slot, whose owners follow each other (the next one comes when the kernel says that the
 * last is dead or gone), each with an epoch of its own, and the slot's block {tag, epoch, value}, or
 * {tag, epoch, n, value 0, time 0, value 1, time 1}. Where the values of the dead go on counting, an owner that
 * finds the tag current and another's epoch takes the value as its base, stores base and own value in one,
 * then its epoch; elsewhere it starts the block anew. Owners are killed anywhere; a remove; a reader,
 * which for a gauge of living workers asks the kernel whether the epoch's owner lives.
 *
 * Invariants:
 *   G1 sum and maximum are made of what each owner acknowledged last; a killed update counts or not
 *   G2 a value of before a remove does not count after it
 *   G3 a living owner is never shown with another's value, and nobody with one that nobody set
 *   G4 most recent: value and time are of one update, and of the last acknowledged one
 */
import {
  acquire,
  again,
  before,
  call,
  enumerate,
  fence,
  fetchAdd,
  ghost,
  kernel,
  load,
  type Model,
  type Process,
  quiet,
  release,
  store,
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const names = ["HEAD", "TAG", "EPOCH", "VALUE", "N", "V0", "T0", "V1", "T1"] as const;
const { HEAD, TAG, EPOCH, VALUE, N, V0, T0, V1, T1 } = enumerate(...names);
/** The kernel's word: which process owns the slot, + 1. */
const SLOT = 0;
type Mode = "sum" | "max" | "all" | "living" | "recent";

interface Rules {
  /** Whoever follows keeps what the last owner left, as a base beside its own value. */
  follows: boolean;
  /** Not when a remove came: the block is started anew, without the base. */
  forgetsBase: boolean;
  /** An own value that is set replaces the own one, not the base. */
  keepsBase: boolean;
  /** A block is started with the value before the epoch; and not from 0. */
  valueFirst: boolean;
  startsFromZero: boolean;
  /** The most recent value is written into the pair that is not shown, which n then shows. */
  otherPair: boolean;
  pairFirst: boolean;
  /** Whose part is read is looked at again: the slot's next owner may have started the block. */
  readsEpochAgain: boolean;
}
const asBuilt: Rules = {
  follows: true,
  forgetsBase: true,
  keepsBase: true,
  valueFirst: true,
  startsFromZero: false,
  otherPair: true,
  pairFirst: true,
  readsEpochAgain: true,
};

interface Handle {
  epoch: number;
  base: number;
  hasBase: boolean;
  own: number;
}

function programs(mode: Mode, rules: Rules) {
  const recent = mode === "recent";
  const counts = mode === "sum" || mode === "max" || recent;
  const combine = (h: Handle, own: number) =>
    !h.hasBase ? own : mode === "max" ? Math.max(h.base, own) : h.base + own;

  function* start(tag: number, epoch: number, value: number): Process {
    yield fence("release");
    if (recent) {
      for (const at of [EPOCH, N, V1, T1]) yield store(at, 0);
      yield store(T0, value);
      yield release(V0, value);
    } else {
      yield store(EPOCH, 0);
      if (!rules.valueFirst) yield release(EPOCH, epoch);
      if (rules.startsFromZero) yield store(VALUE, 0);
      yield release(VALUE, value);
    }
    if (rules.valueFirst) yield release(EPOCH, epoch);
    yield release(TAG, tag);
    return 0;
  }
  function* writeRecent(value: number): Process {
    const n = (yield load(N)) + 1;
    const first = ((rules.otherPair ? n : n + 1) & 1) === 0;
    yield fence("release");
    if (!rules.pairFirst) yield release(N, n);
    yield store(first ? V0 : V1, value);
    yield store(first ? T0 : T1, value);
    if (rules.pairFirst) yield release(N, n);
    return 0;
  }
  /** A set, or an addition, by the handle's owner. */
  function* update(h: Handle, amount: number, adds: boolean): Process {
    const tag = yield acquire(HEAD);
    const current = (yield load(TAG)) === tag;
    const mine = current && (yield load(EPOCH)) === h.epoch;
    const follow = current && !mine && counts && rules.follows;
    const own = adds && mine ? h.own + amount : amount;
    if (!mine && !follow) {
      if (rules.forgetsBase) h.hasBase = false;
      h.own = own;
      yield* start(tag, h.epoch, combine(h, own));
      return 0;
    }
    if (follow && !recent) {
      h.base = yield load(VALUE);
      h.hasBase = rules.keepsBase;
    }
    h.own = own;
    if (recent) yield* writeRecent(own);
    else yield release(VALUE, combine(h, own));
    if (follow) yield release(EPOCH, h.epoch);
    return 0;
  }
  function* remove(): Process {
    yield fetchAdd(HEAD, 1);
  }
  /** Epoch << 8 and value + 1; 0: there is none. A torn pair is 255. */
  function* read(): Process {
    const tag = yield acquire(HEAD);
    if ((yield acquire(TAG)) !== tag) return 0;
    const epoch = yield acquire(EPOCH);
    if (mode === "living") {
      const alive = yield kernel(
        "is it alive?",
        (words) => epoch !== 0 && words[SLOT] === epoch ? 1 : 0,
      );
      if (alive === 0) return 0;
    }
    let value: number;
    if (recent) {
      const n = yield acquire(N);
      value = yield load((n & 1) === 0 ? V0 : V1);
      const time = yield load((n & 1) === 0 ? T0 : T1);
      yield fence("acquire");
      if ((yield load(N)) !== n) return again(read);
      if (time !== value) value = 254;
    } else {
      value = yield load(VALUE);
      yield fence("acquire");
      if (mode === "living" && rules.readsEpochAgain && (yield load(EPOCH)) !== epoch) return 0;
    }
    return (yield load(HEAD)) === tag ? epoch << 8 | value + 1 : again(read);
  }
  return { update, remove, read };
}

/** What an owner does: sets (a number) or adds (its text); each number is one bit of its own. */
type Task = number | `+${number}`;
const amountOf = (task: Task) => Number(task);

/** Ghosts for each owner: what it acknowledged last + 1, and what it would have after what is under way. */
function model(
  mode: Mode,
  owners: Task[][],
  beside: ("read" | "remove")[],
  memory: Model["memory"],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
): Model {
  const { update, remove, read } = programs(mode, { ...asBuilt, ...change });
  const acknowledged = (owner: number) => 2 * owner, underWay = (owner: number) => 2 * owner + 1;
  const REMOVED = 2 * owners.length, LAST = REMOVED + 1;
  const values = owners.map((list) => {
    let own = 0;
    return list.map((task) =>
      own = typeof task === "string" ? own + amountOf(task) : amountOf(task)
    );
  });
  const own = (owner: number) =>
    function* (): Process {
      yield kernel("take the slot", (words, self) => {
        if (words[SLOT] !== 0 || self !== owner && self !== owners.length + owner) return undefined;
        words[SLOT] = self + 1;
        return 0;
      });
      const h: Handle = { epoch: owner + 1, base: 0, hasBase: false, own: 0 };
      for (const [i, task] of owners[owner].entries()) {
        yield before((g) => {
          g[underWay(owner)] = values[owner][i] + 1;
        });
        yield* update(h, amountOf(task), typeof task === "string");
        yield ghost((g) => {
          g[acknowledged(owner)] = g[underWay(owner)];
          g[LAST] = values[owner][i];
        });
      }
      yield kernel("leave the slot", (words) => {
        words[SLOT] = 0;
        return 0;
      });
    };
  /** Every value that owners with these ghosts can make together. */
  const possible = (g: readonly number[]) => {
    let all = [0];
    owners.forEach((_, owner) => {
      const parts = [g[acknowledged(owner)], g[underWay(owner)]].map((x) => Math.max(0, x - 1));
      all = all.flatMap((x) => parts.map((part) => mode === "max" ? Math.max(x, part) : x + part));
    });
    return all;
  };
  const every = values.flat();
  const judge = (seen: number, last: boolean) => (g: number[]) => {
    const value = (seen & 255) - 1, epoch = seen >> 8;
    const any = owners.some((_, owner) => g[acknowledged(owner)] > 0);
    if (value < 0) {
      return last && any && !beside.includes("remove") && mode !== "living"
        ? "what was acknowledged is gone"
        : undefined;
    }
    if (value === 254) return "value and time are of two updates";
    if (mode === "living" && !values[epoch - 1]?.includes(value)) {
      return "an owner is shown with another's value";
    }
    if (mode === "all" && !every.includes(value)) return `nobody ever set ${value}`;
    if (!last) return;
    const bits = mode === "sum" ? value : 0;
    if ((bits & g[REMOVED]) !== 0) return "a value of before the remove counts";
    if (beside.includes("remove")) return;
    const killed = owners.flatMap((_, o) =>
      g[underWay(o)] !== g[acknowledged(o)] ? [g[underWay(o)] - 1] : []
    );
    const right = mode === "recent" ? [g[LAST], ...killed] : possible(g);
    if ((mode === "sum" || mode === "max" || mode === "recent") && !right.includes(value)) {
      return `${value} is shown, possible were ${right}`;
    }
  };
  const workers = owners.map((list, i) => `${i} ${list.join(", ")}`);
  return {
    locations: names,
    initial: { [HEAD]: 1 },
    memory,
    kernelWords: 1,
    ghostWords: LAST + 1,
    processes: {
      ...Object.fromEntries(workers.map((name, i) => [name, own(i)])),
      ...Object.fromEntries(beside.map((task) => [
        task,
        function* (): Process {
          if (task === "remove") {
            yield before((g) => {
              g[REMOVED] = owners.reduce(
                (bits, _, o) => bits | Math.max(0, g[acknowledged(o)] - 1),
                0,
              );
            });
            yield call(remove);
            return;
          }
          const seen = yield call(read);
          yield ghost(judge(seen, false));
        },
      ])),
      *last() {
        yield quiet();
        const seen = yield call(read);
        yield ghost(judge(seen, true));
      },
    },
    mortal: workers,
    ...fate,
  };
}

const sums: Task[][] = [[1, 2], [4, "+8"], ["+16"]];
const few: Task[][] = [[1], [2, 4], [8]];
holds("worker gauges: G1: a sum", model("sum", sums, ["read"], "sc", { kills: 2 }));
holds(
  "worker gauges: G1: a maximum",
  model("max", [[3, 5], [4, 2], [1]], ["read"], "sc", { kills: 2 }),
);
holds(
  "worker gauges: G1 G2: a sum and a remove",
  model("sum", sums, ["remove"], "sc", { kills: 1 }),
);
holds("worker gauges: G3: living ones", model("living", few, ["read"], "sc", { kills: 2 }));
holds("worker gauges: G3: all of them", model("all", few, ["read"], "sc", { kills: 2 }));
holds("worker gauges: G4: the most recent", model("recent", few, ["read"], "sc", { kills: 2 }));
holds("worker gauges: G1 in weak memory", model("sum", sums, ["read"], "weak", { kills: 1 }));
holds("worker gauges: G3 in weak memory", model("living", few, ["read"], "weak", { kills: 1 }));
holds("worker gauges: G4 in weak memory", model("recent", few, ["read"], "weak", { kills: 1 }));

const mistakes: [string, Mode, Partial<Rules>, ("read" | "remove")[], RegExp][] = [
  ["an owner that starts a sum anew", "sum", { follows: false }, [], /is shown/],
  ["a set that replaces what the last owner left", "sum", { keepsBase: false }, [], /is shown/],
  ["a base from before a remove", "sum", { forgetsBase: false }, ["remove"], /of before/],
  ["an epoch before the value", "living", { valueFirst: false }, ["read"], /another's/],
  ["an epoch that is asked for once", "living", { readsEpochAgain: false }, ["read"], /another's/],
  ["a block that starts from 0", "all", { startsFromZero: true }, ["read"], /nobody ever/],
  ["a pair written while it is shown", "recent", { otherPair: false }, ["read"], /two updates/],
  ["a pair shown before it is written", "recent", { pairFirst: false }, ["read"], /two updates/],
];
for (const [name, mode, change, beside, message] of mistakes) {
  const owners = mode === "sum" ? sums : few;
  caught(`worker gauges: ${name}`, model(mode, owners, beside, "sc", {}, change), message);
}

/**
 * Hash slots that are moved back: pts_index_take_out, close_hole, pts_index_look and fill_slots of
 * index.c, and how find of series.c asks again.
 *
 * Modelled: four slots with linear probing, three keys in a row of them (1 and 2 belong into the first, 3 into
 * the second), and a fourth key that nobody has. Under the index's lock a remover makes `moves` odd,
 * moves back what would not be found behind the hole, frees the last slot and makes `moves` even. Look-ups
 * take no lock: a hit is right by itself, a miss if `moves` was even and has not changed. Whoever
 * takes the lock over from a dead remover fills the slots anew from the records.
 *
 * Invariants:
 *   M1 a key that is there is never missed
 *   M2 a key that was taken out before is not found
 *   M3 a killed remover leaves slots of which repair makes right ones
 */
import {
  acquire,
  call,
  enumerate,
  fence,
  ghost,
  load,
  lock,
  type Model,
  type Process,
  quiet,
  release,
  store,
  unlock,
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const SLOTS = 4;
const names = [
  ...["LOCK", "MOVES", "SLOT0", "SLOT1", "SLOT2", "SLOT3"],
  ...["FREE1", "FREE2", "FREE3"],
];
const { LOCK, MOVES } = enumerate("LOCK", "MOVES");
const slotAt = (slot: number) => 2 + slot % SLOTS;
const freeAt = (key: number) => 5 + key;
const KEYS = [1, 2, 3];
/** The slot that a key belongs into. The last slot is the first one's neighbour. */
const firstOf = (key: number) => key === 3 ? 0 : 3;
const UNSETTLED = -1;

interface Rules {
  movesOdd: boolean;
  looksAtMoves: boolean;
  fenced: boolean;
  /** What is behind the hole is moved before its old slot is free. */
  copiesFirst: boolean;
  closesHoles: boolean;
  repairs: boolean;
}
const asBuilt: Rules = {
  movesOdd: true,
  looksAtMoves: true,
  fenced: true,
  copiesFirst: true,
  closesHoles: true,
  repairs: true,
};

const liesBetween = (hole: number, first: number, from: number) =>
  hole <= from ? hole < first && first <= from : hole < first || first <= from;

function programs(rules: Rules) {
  function* probe(key: number): Process {
    for (let i = 0; i < SLOTS; i++) {
      const found = yield acquire(slotAt(firstOf(key) + i));
      if (found === key) return 1;
      if (found === 0) return 0;
    }
    return 0;
  }
  /** 1: found, 0: not there, or UNSETTLED. What is free may be found for a while, as its head says. */
  function* look(key: number): Process {
    const moves = yield acquire(MOVES);
    if (yield call(probe, key)) return (yield acquire(freeAt(key))) ? UNSETTLED : 1;
    if (!rules.looksAtMoves) return 0;
    yield fence("acquire");
    return moves % 2 === 0 && (yield load(MOVES)) === moves ? 0 : UNSETTLED;
  }
  function* lockIndex(): Process {
    if ((yield lock(LOCK)) === 1 && rules.repairs) yield call(refill);
  }
  function* beginMoving(): Process {
    const odd = (yield load(MOVES)) | 1;
    if (rules.movesOdd) yield store(MOVES, odd);
    if (rules.fenced) yield fence("release");
    return odd;
  }
  function* endMoving(odd: number): Process {
    if (rules.movesOdd) yield release(MOVES, odd + 1);
  }
  function* refill(): Process {
    const odd = yield call(beginMoving);
    for (let slot = 0; slot < SLOTS; slot++) yield store(slotAt(slot), 0);
    const filled: number[] = [];
    for (const key of KEYS) {
      if (yield load(freeAt(key))) continue;
      let slot = firstOf(key);
      while (filled.includes(slot % SLOTS)) slot++;
      filled.push(slot % SLOTS);
      yield release(slotAt(slot), key);
    }
    yield call(endMoving, odd);
  }
  /** A record is free before it is taken out (room.c). */
  function* takeOut(key: number): Process {
    yield call(lockIndex);
    yield release(freeAt(key), 1);
    for (let i = 0; i < SLOTS; i++) {
      const slot = (firstOf(key) + i) % SLOTS;
      const found = yield load(slotAt(slot));
      if (found === 0) break;
      if (found !== key) continue;
      const odd = yield call(beginMoving);
      yield call(closeHole, slot);
      yield call(endMoving, odd);
      break;
    }
    yield unlock(LOCK);
  }
  function* closeHole(hole: number): Process {
    for (let i = 1; i < SLOTS && rules.closesHoles; i++) {
      const from = (hole + i) % SLOTS;
      const key = yield load(slotAt(from));
      if (key === 0) break;
      if (liesBetween(hole, firstOf(key), from)) continue;
      if (!rules.copiesFirst) yield release(slotAt(from), 0);
      yield release(slotAt(hole), key);
      hole = from;
      i = 0;
    }
    yield release(slotAt(hole), 0);
  }
  function* find(key: number): Process {
    const found = yield call(look, key);
    if (found !== UNSETTLED) return found;
    yield call(lockIndex);
    const there = (yield call(probe, key)) && !(yield load(freeAt(key))) ? 1 : 0;
    yield unlock(LOCK);
    return there;
  }
  return { takeOut, find };
}

/** A key is taken out ("-1"), or looked up. */
type Task = "-1" | "-2" | 1 | 2 | 3 | 4;

function model(
  work: Task[][],
  memory: Model["memory"],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
): Model {
  const { takeOut, find } = programs({ ...asBuilt, ...change });
  const kept = [2, 3].filter((key) => !work.flat().includes(`-${key}` as Task));
  const run = (tasks: Task[]) =>
    function* (): Process {
      for (const task of tasks) {
        if (typeof task === "string") {
          yield call(takeOut, -Number(task));
          const there = yield call(find, -Number(task));
          yield ghost(() => there ? "a key that was taken out is found" : undefined);
          continue;
        }
        const there = yield call(find, task);
        yield ghost(() => {
          if (there && task === 4) return "a key that nobody has is found";
          if (!there && kept.includes(task)) return `key ${task} is missed`;
        });
      }
    };
  const workers = work.map((tasks, i) => `${i} ${tasks.join(", ")}`);
  return {
    locations: names,
    initial: { [slotAt(3)]: 1, [slotAt(0)]: 2, [slotAt(1)]: 3 },
    memory,
    processes: {
      ...Object.fromEntries(work.map((tasks, i) => [workers[i], run(tasks)])),
      *last() {
        yield quiet();
        for (const key of kept) {
          const there = yield call(find, key);
          yield ghost(() => there ? undefined : `key ${key} is missed in the end`);
        }
      },
    },
    mortal: workers.filter((_, i) => typeof work[i][0] === "string"),
    progress: true,
    ...fate,
  };
}

const beside: Task[][] = [["-1"], [3], [2]];
holds("index moves: M1 M2: looked up while one is taken out", model(beside, "sc"));
holds("index moves: M1 M2: two are taken out", model([["-1"], ["-2"], [3]], "sc"));
holds("index moves: M1 M3: the remover is killed", model(beside, "sc", { kills: 1 }));
holds(
  "index moves: M3: two are killed, a repair too",
  model([["-1"], ["-2"], [3]], "sc", { kills: 2 }),
);
holds("index moves: M1: a miss beside", model([["-1"], [4], [3]], "sc", { kills: 1 }));
holds("index moves: M1 in weak memory", model([["-1"], [3]], "weak"));
holds("index moves: M1 M3 in weak memory: killed", model([["-1"], [3]], "weak", { kills: 1 }));

const mistakes: [string, Model["memory"], Partial<Rules>, Partial<Model>][] = [
  ["with `moves` even", "sc", { movesOdd: false }, {}],
  ["of which a miss does not ask", "sc", { looksAtMoves: false }, {}],
  ["to a hole whose slot is freed first, and a miss that does not ask", "sc", {
    copiesFirst: false,
    looksAtMoves: false,
  }, {}],
  ["not at all", "sc", { closesHoles: false }, {}],
  ["by a killed remover, and not repaired", "sc", { repairs: false, copiesFirst: false }, {
    kills: 1,
  }],
];
for (const [name, memory, change, fate] of mistakes) {
  caught(`index slots moved ${name}`, model([["-1"], [3]], memory, fate, change), /missed|found/);
}
caught(
  "index slots emptied without a fence behind `moves`",
  model([["-1"], ["-2"], [3]], "weak", { kills: 1 }, { fenced: false }),
  /missed/,
);
holds(
  "index moves: M1 M3 in weak memory: another repairs",
  model([["-1"], ["-2"], [3]], "weak", { kills: 1 }),
);

/**
 * Inserting into the metric index, and its repair: insert of series.c, pts_index_append,
 * pts_index_publish, pts_index_look and pts_index_repair of index.c, and the renderer's walk. (What is
 * taken out: index_moves_test.ts.)
 *
 * Modelled: three entries' room in the text, three records, four hash slots with linear probing; two
 * keys that hash to one slot. Under the index's lock an insertion looks again, writes the entry at
 * text_used, then text_used and the record, publishes records_used and last the hash slot, both by
 * release. A look-up probes slots (acquire) without lock, and believes a miss if `moves` was even and is
 * unchanged; the renderer walks records below records_used (acquire). Whoever takes the lock over from the
 * dead repairs: text_used is raised to the end of what is published, and with `moves` odd all slots are
 * emptied, then filled again from the records. Workers are killed anywhere, inside a repair too.
 *
 * Invariants:
 *   I1 no look-up and no walk sees a part of an entry or record
 *   I2 an acknowledged series is found by every later look-up, under its own record
 *   I3 no two published records have one key, and every published record is reachable
 *   I4 an entry that is published is never written again
 *   I5 a killed repair is repeated by the next one
 */
import {
  acquire,
  again,
  call,
  enumerate,
  fence,
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
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const ROOM = 3, SLOTS = 4;
const names = [
  ...["LOCK", "RECORDS_USED", "TEXT_USED", "MOVES"],
  ...[0, 1, 2].flatMap((i) => [`KEY${i}`, `KEY_AGAIN${i}`, `ENTRY_RECORD${i}`]),
  ...[0, 1, 2].flatMap((i) => [`RECORD_ENTRY${i}`, `RECORD_PLACE${i}`]),
  ...[0, 1, 2, 3].map((i) => `SLOT${i}`),
];
const { LOCK, RECORDS_USED, TEXT_USED, MOVES } = enumerate(...names);
/** An entry: its key twice (two words of text that must fit each other), and its record + 1. */
const keyAt = (entry: number) => 4 + 3 * entry;
const recordOf = (entry: number) => keyAt(entry) + 2;
/** A record: its entry + 1, and its place, which must be one of its own. */
const entryOf = (record: number) => 4 + 3 * ROOM + 2 * record;
const placeOf = (record: number) => entryOf(record) + 1;
const slotAt = (slot: number) => 4 + 5 * ROOM + slot;
/** Both keys hash to the same slot. */
const HASH = 1;
const UNSETTLED = -1;
/** Ghosts: for each key, its acknowledged record + 1. */
const KEYS = 2;

interface Rules {
  slotLast: boolean;
  recordBeforeUsed: boolean;
  entryBeforeRecord: boolean;
  looksAgain: boolean;
  /** Repair fills the slots from the records. */
  refills: boolean;
  /** Repair raises text_used to cover what is published. */
  raises: boolean;
  /** text_used is stored before the record is published, or after. */
  textUsedFirst: boolean;
  releases: boolean;
}
const asBuilt: Rules = {
  slotLast: true,
  recordBeforeUsed: true,
  entryBeforeRecord: true,
  looksAgain: true,
  refills: true,
  raises: true,
  textUsedFirst: true,
  releases: true,
};

const wrong = (message: string) => ghost(() => message);

function programs(rules: Rules) {
  /** Without the lock: the record + 1 of a key, 0, or that slots were moved meanwhile. */
  function* lookUp(key: number): Process {
    const moves = yield acquire(MOVES);
    const found = yield call(probe, key);
    if (found > 0) return found;
    yield fence("acquire");
    return moves % 2 === 0 && (yield load(MOVES)) === moves ? 0 : UNSETTLED;
  }
  function* probe(key: number): Process {
    for (let probe = 0; probe < SLOTS; probe++) {
      const entry = (yield acquire(slotAt((HASH + probe) % SLOTS))) - 1;
      if (entry < 0) return 0;
      const first = yield load(keyAt(entry));
      const second = yield load(keyAt(entry) + 1);
      const record = yield load(recordOf(entry));
      if (first === 0 || first !== second || record === 0) {
        yield wrong("half an entry was looked up");
      }
      if (first !== key) continue;
      if ((yield acquire(RECORDS_USED)) < record) yield wrong("a look-up found half a record");
      return record;
    }
    return 0;
  }
  function* firstFree(probe: number): Process {
    const slot = (HASH + probe) % SLOTS;
    return (yield load(slotAt(slot))) === 0 ? slot : again(firstFree, probe + 1);
  }
  const publish = (at: number, value: number) =>
    rules.releases ? release(at, value) : store(at, value);

  function* writeEntry(entry: number, key: number, record: number): Process {
    yield store(keyAt(entry), key);
    yield store(keyAt(entry) + 1, key);
    yield store(recordOf(entry), record + 1);
  }
  function* insert(key: number): Process {
    const record = yield load(RECORDS_USED);
    const entry = yield load(TEXT_USED);
    if (record === ROOM || entry === ROOM) return 0;
    const slot = yield call(firstFree, 0);
    if (rules.entryBeforeRecord) yield* writeEntry(entry, key, record);
    if (rules.textUsedFirst) yield store(TEXT_USED, entry + 1);
    if (!rules.slotLast) yield publish(slotAt(slot), entry + 1);
    if (!rules.recordBeforeUsed) yield publish(RECORDS_USED, record + 1);
    yield store(entryOf(record), entry + 1);
    yield store(placeOf(record), entry + 1);
    if (rules.recordBeforeUsed) yield publish(RECORDS_USED, record + 1);
    if (!rules.entryBeforeRecord) yield* writeEntry(entry, key, record);
    if (rules.slotLast) yield publish(slotAt(slot), entry + 1);
    if (!rules.textUsedFirst) yield store(TEXT_USED, entry + 1);
    return record + 1;
  }
  function* repair(): Process {
    const used = yield load(RECORDS_USED);
    const last = used === 0 ? 0 : yield load(entryOf(used - 1));
    if (rules.raises && (yield load(TEXT_USED)) < last) yield store(TEXT_USED, last);
    if (rules.refills) yield call(refill, used);
  }
  function* refill(used: number): Process {
    const moves = yield load(MOVES);
    yield store(MOVES, moves | 1);
    yield fence("release");
    for (let slot = 0; slot < SLOTS; slot++) yield store(slotAt(slot), 0);
    for (let record = 0; record < used; record++) {
      const entry = yield load(entryOf(record));
      yield publish(slotAt(yield call(firstFree, 0)), entry);
    }
    yield release(MOVES, (moves | 1) + 1);
  }
  function* lockIndex(): Process {
    if ((yield lock(LOCK)) === 1) yield call(repair);
  }
  function* lookUpSurely(key: number): Process {
    const found = yield call(lookUp, key);
    if (found !== UNSETTLED) return found;
    yield call(lockIndex);
    const record = yield call(probe, key);
    yield unlock(LOCK);
    return record;
  }
  /** As pts_series: look up, else look again under the lock and insert. */
  function* series(key: number): Process {
    const found = yield call(lookUp, key);
    if (found > 0) return found;
    yield call(lockIndex);
    let record = rules.looksAgain ? yield call(probe, key) : 0;
    if (record === 0) record = yield call(insert, key);
    yield unlock(LOCK);
    return record;
  }
  return { lookUpSurely, series };
}

function worker(keys: number[], rules: Rules) {
  const { lookUpSurely, series } = programs(rules);
  return function* (): Process {
    for (const key of keys) {
      const record = yield call(series, key);
      yield kernel("acknowledge", () => 0);
      yield ghost((g) => {
        if (record === 0) return;
        if (g[key - 1] !== 0 && g[key - 1] !== record) return "one key has two records";
        g[key - 1] = record;
      });
    }
    yield kernel("ask", () => 0);
    const due = yield call(lookUpSurely, keys[0]);
    yield ghost((g) => g[keys[0] - 1] !== due ? "an acknowledged series is not found" : undefined);
  };
}

/** Every published record is whole, and in the end also reachable and alone with its key. */
function* render(): Process {
  const used = yield acquire(RECORDS_USED);
  const keys: number[] = [];
  for (let record = 0; record < used; record++) {
    const entry = yield load(entryOf(record));
    const place = yield load(placeOf(record));
    if (entry === 0 || place === 0) return yield* half();
    const first = yield load(keyAt(entry - 1));
    const second = yield load(keyAt(entry - 1) + 1);
    const owner = yield load(recordOf(entry - 1));
    if (first === 0 || first !== second || owner !== record + 1) return yield* half();
    if (keys.includes(first)) yield wrong("two records have one key");
    keys.push(first);
  }
}
function* half(): Process {
  yield wrong("half a record was rendered");
  return 0;
}

function model(
  work: number[][],
  fate: Partial<Model>,
  change: Partial<Rules> = {},
  walked = true,
): Model {
  const rules = { ...asBuilt, ...change };
  const workers = work.map((_, i) => `worker ${i}`);
  return {
    locations: names,
    memory: "weak",
    ghostWords: KEYS,
    processes: {
      ...Object.fromEntries(work.map((keys, i) => [workers[i], worker(keys, rules)])),
      ...(walked ? { render } : {}),
      *last() {
        yield quiet();
        yield* render();
      },
    },
    owned: Object.fromEntries(
      names.map((name, at) => [at, /KEY|ENTRY|RECORD_|TEXT/.test(name) ? workers : []]),
    ),
    mortal: workers,
    progress: true,
    ...fate,
  };
}

const same: number[][] = [[1], [1]];
const mixed: number[][] = [[1, 2], [2, 1]];
holds("index: I1 I2 I3: one key, three workers", model([[1], [1], [1]], {}, {}, false));
holds("index: I1 I2 I3: two keys, two workers", model(mixed, {}));
holds(
  "index: I3 I5: three want one key, two are killed",
  model([[1], [1], [1]], { kills: 2 }, {}, false),
);
holds("index: I1 to I5: two keys, one is killed", model(mixed, { kills: 1 }));
holds("index: look-ups and the walk pass a stopped insertion", model([[1, 2]], { stops: 1 }));
holds(
  "index: I4: a repair that raises text_used would do if it were stored last",
  model(mixed, { kills: 1 }, { textUsedFirst: false }),
);

const mistakes: [string, Partial<Rules>, number[][], Partial<Model>, RegExp][] = [
  ["a slot before the record", { slotLast: false }, same, {}, /half|not found|two records/],
  ["records_used before the record", { recordBeforeUsed: false }, same, {}, /half a record/],
  ["an entry after its record", { entryBeforeRecord: false }, same, {}, /half a record/],
  ["stores without release", { releases: false }, same, {}, /half/],
  ["no second look under the lock", { looksAgain: false }, same, {}, /two records/],
  ["a repair that fills no slots", { refills: false }, same, { kills: 1 }, /two records/],
  [
    "text_used stored last and not raised",
    { textUsedFirst: false, raises: false },
    mixed,
    { kills: 1 },
    /half|two records|not found/,
  ],
];
for (const [name, change, work, fate, message] of mistakes) {
  caught(`index with ${name}`, model(work, fate, change), message);
}

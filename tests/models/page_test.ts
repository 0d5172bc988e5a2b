/**
 * A page of the cache and its two frames: pts_page_insert, pts_page_remove, pts_page_begin,
 * pts_page_publish and the recount after a takeover in page.c, the lock-free get of cache_read.c.
 *
 * Modelled: frames of two slots and two entries' room; two keys that collide. Writers work under the
 * page's lock: an insertion writes the entry behind free_data, moves free_data, stores the slot by
 * release; a removal stores 1 in the slot; without room, or when asked to, the other frame is built behind a
 * full fence and selected by n + 1 (release). Whoever takes the lock over from the dead raises free_data
 * over what slots name. A get loads n (acquire), probes slots (acquire), copies the entry's two
 * words, and behind an acquire fence looks at n again.
 *
 * Invariants, as history.ts judges every read of the first key:
 *   F1 a get sees a value that the key had during the get, or that it had none
 *   F2 never a part of an entry, nor another key's bytes
 *   F3 a killed writer has done its operation wholly or not at all, and the page goes on
 *   F4 a stopped or dead writer keeps no reader waiting
 */
import {
  acquire,
  again,
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
import { type Action, History } from "./history.ts";
import { caught, holds } from "./verify.ts";

const SLOTS = 2, ROOM = 2;
const frame = (f: number) => [
  ...[`FREE${f}`, `SLOT${f}0`, `SLOT${f}1`],
  ...[`KEY${f}0`, `VALUE${f}0`, `KEY${f}1`, `VALUE${f}1`],
];
const names = ["LOCK", "N", ...frame(0), ...frame(1)];
const { LOCK, N } = enumerate(...names);
const freeAt = (n: number) => 2 + (n & 1) * 7;
const slotAt = (n: number, slot: number) => freeAt(n) + 1 + slot;
/** An entry's two words both hold key and value: a get that finds them different has torn it. */
const wordAt = (n: number, entry: number, word: number) => freeAt(n) + 3 + 2 * entry + word;
const EMPTY = 0, DELETED = 1, FIRST = 2; /* what a slot holds; FIRST + i names entry i */
const pack = (key: number, value: number) => key << 6 | value;
const keyOf = (word: number) => word >> 6;
const valueOf = (word: number) => word & 63;
const NONE = 200, MINE = 1, OTHER = 2;

interface Rules {
  fenceBeforeFrame: boolean;
  fenceBeforeEntry: boolean;
  entryBeforeSlot: boolean;
  /** free_data is moved before the slot is stored; else after it. */
  freeFirst: boolean;
  /** A takeover only ever raises free_data; else it sets it behind the last entry in use. */
  neverLowers: boolean;
  /** n is stored when the frame is whole; else before. */
  frameFirst: boolean;
  /** A new value gets a new entry; else it is written over the old one. */
  appends: boolean;
  readsAgain: boolean;
  readerFence: boolean;
}
const asBuilt: Rules = {
  fenceBeforeFrame: true,
  fenceBeforeEntry: true,
  entryBeforeSlot: true,
  freeFirst: true,
  neverLowers: true,
  frameFirst: true,
  appends: true,
  readsAgain: true,
  readerFence: true,
};

function programs(rules: Rules) {
  function* writeEntry(n: number, entry: number, content: number): Process {
    yield store(wordAt(n, entry, 0), content);
    yield store(wordAt(n, entry, 1), content);
  }
  /** Where a key's slot is, or where it belongs (NONE if nowhere): found << 2 | slot. */
  function* find(n: number, key: number): Process {
    let free = NONE;
    for (let slot = 0; slot < SLOTS; slot++) {
      const named = yield load(slotAt(n, slot));
      if (named < FIRST) {
        if (free === NONE) free = slot;
        if (named === EMPTY) return free;
      } else if (keyOf(yield load(wordAt(n, named - FIRST, 0))) === key) return 1 << 2 | slot;
    }
    return free;
  }
  /** Build the other frame from what is alive, without a key that is about to be written. */
  function* reorganise(): Process {
    const n = yield load(N);
    if (rules.fenceBeforeFrame) yield fence("full");
    if (!rules.frameFirst) yield release(N, n + 1);
    for (let slot = 0; slot < SLOTS; slot++) yield store(slotAt(n + 1, slot), EMPTY);
    let free = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      const named = yield load(slotAt(n, slot));
      if (named < FIRST) continue;
      yield* writeEntry(n + 1, free, yield load(wordAt(n, named - FIRST, 0)));
      yield store(slotAt(n + 1, free), FIRST + free);
      free++;
    }
    yield store(freeAt(n + 1), free);
    if (rules.frameFirst) yield release(N, n + 1);
  }
  function* repair(): Process {
    const n = yield load(N);
    let end = 0;
    for (let slot = 0; slot < SLOTS; slot++) {
      end = Math.max(end, (yield load(slotAt(n, slot))) - FIRST + 1);
    }
    const free = yield load(freeAt(n));
    if (free < end || !rules.neverLowers) yield store(freeAt(n), end);
  }
  function* take(): Process {
    if ((yield lock(LOCK)) === 1) yield call(repair);
  }
  function* put(key: number, value: number): Process {
    yield call(take);
    yield call(putLocked, key, value, 1);
    yield unlock(LOCK);
  }
  function* putLocked(key: number, value: number, mayReorganise: number): Process {
    const n = yield load(N);
    const found = yield call(find, n, key);
    const entry = yield load(freeAt(n));
    const slot = slotAt(n, found & 3);
    if (!rules.appends && found >> 2 === 1) {
      yield* writeEntry(n, (yield load(slot)) - FIRST, pack(key, value));
      return;
    }
    if (found === NONE || entry === ROOM) {
      if (mayReorganise === 0) return;
      yield call(reorganise);
      return again(putLocked, key, value, 0);
    }
    if (rules.fenceBeforeEntry) yield fence("release");
    if (rules.entryBeforeSlot) yield* writeEntry(n, entry, pack(key, value));
    if (rules.freeFirst) yield store(freeAt(n), entry + 1);
    yield release(slot, FIRST + entry);
    if (!rules.freeFirst) yield store(freeAt(n), entry + 1);
    if (!rules.entryBeforeSlot) yield* writeEntry(n, entry, pack(key, value));
  }
  function* remove(key: number): Process {
    yield call(take);
    const n = yield load(N);
    const found = yield call(find, n, key);
    if (found >> 2 === 1) yield release(slotAt(n, found & 3), DELETED);
    yield unlock(LOCK);
  }
  function* rebuild(): Process {
    yield call(take);
    yield call(reorganise);
    yield unlock(LOCK);
  }
  /** The value + 1, or 0. */
  function* get(key: number): Process {
    const n = yield acquire(N);
    let value = 0;
    let torn = 0;
    for (let slot = 0; slot < SLOTS && value === 0; slot++) {
      const named = yield acquire(slotAt(n, slot));
      if (named === EMPTY) break;
      if (named === DELETED) continue;
      const first = yield load(wordAt(n, named - FIRST, 0));
      if (keyOf(first) !== key) continue;
      const second = yield load(wordAt(n, named - FIRST, 1));
      value = valueOf(second) + 1;
      if (first !== second) torn = 1;
    }
    if (rules.readerFence) yield fence("acquire");
    if (rules.readsAgain && (yield load(N)) !== n) return again(get, key);
    if (torn === 1) yield ghost(() => "half an entry was read");
    return value;
  }
  return { put, remove, rebuild, get };
}

type Work = "put" | "put other" | "remove" | "rebuild" | "get";

function model(work: Work[][], fate: Partial<Model> = {}, change: Partial<Rules> = {}): Model {
  const { put, remove, rebuild, get } = programs({ ...asBuilt, ...change });
  const actions: Action[] = [];
  const plan = work.map((list) =>
    list.map((kind) => {
      if (kind !== "put" && kind !== "remove") return { kind, index: -1, value: 40 };
      const value = actions.length + 1;
      const action = kind === "put" ? "set" : "remove";
      return { kind, index: actions.push({ kind: action, value }) - 1, value };
    })
  );
  const history = new History(actions, "weak");
  const outcome = (read: number) => read === 0 ? undefined : { value: read - 1, time: 0 };
  const processes = plan.map((list, worker) =>
    function* (): Process {
      const begun = history.ghostWords + worker;
      for (const { kind, index, value } of list) {
        if (kind === "put") yield* history.run(index, call(put, MINE, value));
        else if (kind === "remove") yield* history.run(index, call(remove, MINE));
        else if (kind === "put other") yield call(put, OTHER, value);
        else if (kind === "rebuild") yield call(rebuild);
        else {
          yield* history.beginRead(begun);
          yield history.judge(begun, outcome(yield call(get, MINE)));
        }
      }
    }
  );
  const workers = work.map((list, i) => `${i} ${list.join(", ")}`);
  const writers = workers.filter((_, i) => !work[i].includes("get"));
  return {
    locations: names,
    initial: { [N]: 2 },
    memory: "weak",
    ghostWords: history.ghostWords + work.length,
    processes: {
      ...Object.fromEntries(processes.map((run, i) => [workers[i], run])),
      *last() {
        yield quiet();
        yield history.judge(-1, outcome(yield call(get, MINE)));
      },
    },
    owned: Object.fromEntries(names.map((_, at) => [at, at === LOCK ? [] : writers])),
    mortal: writers,
    progress: true,
    ...fate,
  };
}

const rebuilt: Work[][] = [["put", "rebuild", "put", "rebuild"], ["get"]];
const twice: Work[][] = [["put", "rebuild", "rebuild"], ["get"]];
const inPlace: Work[][] = [["put", "put", "rebuild", "rebuild"], ["put"], ["get"]];
const removed: Work[][] = [["put", "remove"], ["put"], ["get"]];
holds("page: F1 F2: put, replaced, removed", model([["put", "put", "remove"], ["get"]]));
holds("page: F1 F2: one frame after the other", model(rebuilt));
holds("page: F1 F2: two frames at once", model(twice));
holds("page: F1 F2: a second writer in a frame that was used before", model(inPlace));
holds("page: F1 F2: two keys", model([["put", "put other", "remove", "put"], ["get"]]));
holds("page: F3: killed while removing or putting", model(removed, { kills: 1 }));
holds(
  "page: F3: killed while reorganising",
  model([["put", "rebuild"], ["rebuild", "put"], ["get"]], { kills: 1 }),
);
holds("page: F3: two are killed", model([["put"], ["rebuild"], ["put"]], { kills: 2 }));
holds(
  "page: F4: a writer stops anywhere",
  model([["put", "rebuild", "put"], ["get"]], { stops: 1 }),
);
holds(
  "page: free_data may be stored behind the slot if a takeover raises it",
  model(removed, { kills: 1 }, { freeFirst: false }),
);

const mistakes: [string, Partial<Rules>, Work[][], Partial<Model>][] = [
  ["no fence before a frame is used again", { fenceBeforeFrame: false }, twice, {}],
  ["no fence before an entry in a frame used before", { fenceBeforeEntry: false }, inPlace, {}],
  ["a slot before its entry", { entryBeforeSlot: false }, [["put"], ["get"]], {}],
  ["n before the frame", { frameFirst: false }, rebuilt, {}],
  ["values written over the old ones", { appends: false }, [["put", "put"], ["get"]], {}],
  ["a takeover that lowers free_data", { neverLowers: false }, removed, { kills: 1 }],
  ["no second look at n", { readsAgain: false }, rebuilt, {}],
  ["no fence before the second look", { readerFence: false }, rebuilt, {}],
];
for (const [name, change, work, fate] of mistakes) {
  caught(`page with ${name}`, model(work, fate, change), /half an entry|was read, possible were/);
}

/**
 * A summary's block in one shard: pts_summary_observe, flush and begin_window of summary.c, and its
 * reader, read_block.
 *
 * Modelled: buffers of one or two values, frames for one or two windows and one more. An
 * observation is 1 << its index, so that a sum tells which it holds, and a digest is such a sum.
 *     observe    value, buffer's count (release)
 *     flush      fence (release), spare frame = newest frame and buffer, other buffer's count = 0,
 *                P = (that frame, old newest spare, other buffer) (release)
 *     window     fence (release), spare frame = a new window, P = (that frame, oldest spare) (release)
 *     read       P (acquire), buffer's count (acquire), values and frames, fence (acquire), P again
 * The owner is killed anywhere; its successor goes on with the block as it is.
 *
 * Invariants:
 *   S1 a reader sees whole observations only, each once, and none is taken back
 *   S2 quantiles are of the observations that it sees, of the windows that count, and of no others
 *   S3 a killed observation counts wholly or not at all, for ever
 *   S4 a stopped or dead owner does not keep a reader from its answer
 */
import {
  acquire,
  again,
  before,
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
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const FRAMES = 3;
const ROOM = 2;
const names = [
  ...["SLOT", "P", "FILLED0", "FILLED1"],
  ...[0, 1].flatMap((buffer) => [`VALUE${buffer}0`, `VALUE${buffer}1`]),
  ...[0, 1, 2].flatMap((frame) => [`BEGIN${frame}`, `SUM${frame}`, `DIGEST${frame}`]),
];
const { SLOT, P, FILLED0 } = enumerate(...names);
const filledAt = (buffer: number) => FILLED0 + buffer;
const valueAt = (buffer: number, i: number) => 4 + 2 * buffer + i;
const beginAt = (frame: number) => 8 + 3 * frame;
const sumAt = (frame: number) => beginAt(frame) + 1;
const digestAt = (frame: number) => beginAt(frame) + 2;
/** Ghosts: observations begun, finished, and seen by some reader, as bits. */
const G = enumerate("BEGUN", "DONE", "SEEN");

const pack = (version: number, spare: number, newest: number, buffer: number) =>
  version << 5 | spare << 3 | newest << 1 | buffer;
const versionOf = (p: number) => p >> 5;
const spareOf = (p: number) => p >> 3 & 3;
const newestOf = (p: number) => p >> 1 & 3;
const bufferOf = (p: number) => p & 1;

interface Rules {
  /** How many values a buffer takes. */
  room: number;
  valueBeforeCount: boolean;
  fenceBeforeFrame: boolean;
  frameBeforeP: boolean;
  /** The other buffer is emptied before P selects it. */
  emptiesFirst: boolean;
  /** Frame and buffer are selected by one store. */
  oneStore: boolean;
  releaseP: boolean;
  /** The frame that a new window frees is the oldest; else the one that was the newest. */
  freesOldest: boolean;
  /** What is in the buffer is merged before a new window begins. */
  flushesFirst: boolean;
  acquireP: boolean;
  readsAgain: boolean;
  readerFence: boolean;
}
const asBuilt: Rules = {
  room: 1,
  valueBeforeCount: true,
  fenceBeforeFrame: true,
  frameBeforeP: true,
  emptiesFirst: true,
  oneStore: true,
  releaseP: true,
  freesOldest: true,
  flushesFirst: true,
  acquireP: true,
  readsAgain: true,
  readerFence: true,
};

/** The index is its value's bit; windows are numbers from FIRST on. */
interface Observation {
  index: number;
  window: number;
}
const FIRST = 4;
/** A window counts if it began within the last two; one ahead does, too. */
const counts = (window: number, now: number) => window > now - 2 && window <= now + 1;
/** The newest window lasts until the next one, and when the clock is put back by no more than one. */
const lasts = (newest: number, now: number) => newest === now || newest === now + 1;

function programs(rules: Rules) {
  const put = (at: number, p: number) => rules.releaseP ? release(at, p) : store(at, p);

  function* fill(frame: number, begin: number, sum: number, digest: number): Process {
    if (rules.fenceBeforeFrame) yield fence("release");
    yield store(beginAt(frame), begin);
    yield store(sumAt(frame), sum);
    yield store(digestAt(frame), digest);
  }
  function* flush(): Process {
    const p = yield load(P);
    const buffer = bufferOf(p), newest = newestOf(p), spare = spareOf(p);
    const filled = yield load(filledAt(buffer));
    let added = 0;
    for (let i = 0; i < filled; i++) added += yield load(valueAt(buffer, i));
    const begin = yield load(beginAt(newest));
    const sum = (yield load(sumAt(newest))) + added;
    const digest = (yield load(digestAt(newest))) + added;
    const next = pack(versionOf(p) + 1, newest, spare, 1 - buffer);
    if (rules.frameBeforeP) yield* fill(spare, begin, sum, digest);
    if (rules.emptiesFirst) yield store(filledAt(1 - buffer), 0);
    if (!rules.oneStore) yield put(P, pack(versionOf(p) + 1, newest, spare, buffer));
    yield put(P, next);
    if (!rules.emptiesFirst) yield store(filledAt(1 - buffer), 0);
    if (!rules.frameBeforeP) yield* fill(spare, begin, sum, digest);
  }
  function* beginWindow(window: number): Process {
    const p = yield load(P);
    const newest = newestOf(p), spare = spareOf(p);
    let oldest = newest;
    let first = yield load(beginAt(newest));
    for (let frame = 0; frame < FRAMES && rules.freesOldest; frame++) {
      if (frame === newest || frame === spare) continue;
      const begin = yield load(beginAt(frame));
      if (begin < first) [oldest, first] = [frame, begin];
    }
    yield* fill(spare, window, yield load(sumAt(newest)), 0);
    yield put(P, pack(versionOf(p) + 1, oldest, spare, bufferOf(p)));
  }
  function* turn(window: number): Process {
    const p = yield load(P);
    const begin = yield load(beginAt(newestOf(p)));
    const filled = yield load(filledAt(bufferOf(p)));
    const mayWait = !lasts(begin, window) && filled < rules.room && !rules.flushesFirst;
    if (filled > 0 && !mayWait) yield call(flush);
    if (!lasts(begin, window)) yield call(beginWindow, window);
  }
  function* observe(index: number, window: number): Process {
    const p = yield load(P);
    yield before((g) => void (g[G.BEGUN] |= 1 << index));
    const filled = yield load(filledAt(bufferOf(p)));
    const begin = yield load(beginAt(newestOf(p)));
    if (filled >= rules.room || !lasts(begin, window)) yield call(turn, window);
    yield call(append, index);
  }
  function* append(index: number): Process {
    const buffer = bufferOf(yield load(P));
    const filled = yield load(filledAt(buffer));
    const value = valueAt(buffer, filled);
    if (!rules.valueBeforeCount) yield release(filledAt(buffer), filled + 1);
    yield store(value, 1 << index);
    if (rules.valueBeforeCount) yield release(filledAt(buffer), filled + 1);
    yield ghost((g) => void (g[G.DONE] |= 1 << index));
  }
  /** The sum, and that of the windows that count: one number. */
  function* read(now: number): Process {
    const p = yield rules.acquireP ? acquire(P) : load(P);
    const buffer = bufferOf(p), newest = newestOf(p);
    const filled = Math.min(ROOM, yield acquire(filledAt(buffer)));
    let buffered = 0;
    for (let i = 0; i < filled; i++) buffered += yield load(valueAt(buffer, i));
    const sum = (yield load(sumAt(newest))) + buffered;
    let seen = 0;
    for (let frame = 0; frame < FRAMES; frame++) {
      if (frame === spareOf(p)) continue;
      if (!counts(yield load(beginAt(frame)), now)) continue;
      seen += yield load(digestAt(frame));
      if (frame === newest) seen += buffered;
    }
    if (rules.readerFence) yield fence("acquire");
    if (rules.readsAgain && (yield load(P)) !== p) return again(read, now);
    return sum << 6 | seen;
  }
  return { observe, read };
}

/** What a reader saw, against what it must have seen and may have seen. */
function judge(g: number[], work: Observation[], now: number, result: number, due: number) {
  const sum = result >> 6, seen = result & 63;
  if (sum & ~g[G.BEGUN]) return "an observation that nobody made";
  if (due & ~sum) return "an observation was lost";
  const held = work.filter((o) => sum & (1 << o.index) && counts(o.window, now));
  if (held.reduce((total, o) => total + (1 << o.index), 0) !== seen) {
    return "quantiles of other observations";
  }
  g[G.SEEN] |= sum;
}

function model(
  work: Observation[][],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
  concurrent = true,
): Model {
  const { observe, read } = programs({ ...asBuilt, ...change });
  const all = work.flat();
  const now = Math.max(...all.map((o) => o.window));
  const owners = work.map((_, i) => `owner ${i}`);
  const owner = (own: Observation[]) =>
    function* (): Process {
      yield lock(SLOT);
      for (const { index, window } of own) yield call(observe, index, window);
      yield release(SLOT, 0);
    };
  function* reader(): Process {
    const first = yield call(read, now);
    yield ghost((g) => judge(g, all, now, first, 0));
    const second = yield call(read, now);
    yield ghost((g) => judge(g, all, now, second, first >> 6));
  }
  function* last(): Process {
    yield quiet();
    const result = yield call(read, now);
    yield ghost((g) => judge(g, all, now, result, g[G.DONE] | g[G.SEEN]));
  }
  return {
    locations: names,
    initial: { [P]: pack(0, 1, 0, 0) },
    memory: "weak",
    ghostWords: 3,
    processes: {
      ...Object.fromEntries(work.map((own, i) => [owners[i], owner(own)])),
      ...(concurrent ? { reader } : {}),
      last,
    },
    owned: Object.fromEntries(names.map((_, at) => [at, at === SLOT ? [] : owners])),
    mortal: owners,
    progress: true,
    ...fate,
  };
}

const at = (...windows: number[]): Observation[] =>
  windows.map((window, index) => ({ index, window: FIRST + window }));
/** The same, from the index on. */
const later = (from: number, ...windows: number[]) =>
  at(...windows).map(({ index, window }) => ({ index: from + index, window }));

const one = [at(0, 0, 0)], many = [at(0, 0, 0, 0)], sliding = [at(0, 1, 2)];
holds("summary: S1 S2: one window, a flush for each observation", model(one));
holds("summary: S1 S2: buffers of two", model(many, {}, { room: 2 }));
holds("summary: S1 S2: a window for each observation", model(sliding));
holds("summary: S1 S2: windows and buffers of two", model([at(0, 0, 1, 1)], {}, { room: 2 }));
holds("summary: S1 S3: killed, then the next owner", model([at(0, 0), later(2, 0)], { kills: 1 }));
holds("summary: S3: killed in windows", model([at(0, 1), later(2, 1)], { kills: 1 }));
holds(
  "summary: S3: two are killed",
  model([at(0, 0), later(2, 0), later(3, 0)], { kills: 2 }, {}, false),
);
holds("summary: S4: the owner stops anywhere", model([at(0, 1)], { stops: 1 }));

const wrong = /nobody made|was lost|other observations/;
const mistakes: [string, Partial<Rules>, Observation[][], Partial<Model>][] = [
  ["a count before its value", { valueBeforeCount: false }, one, {}],
  ["no fence before the spare frame", { fenceBeforeFrame: false }, many, {}],
  ["P before the frame", { frameBeforeP: false }, one, {}],
  ["P before the other buffer is empty", { emptiesFirst: false }, one, {}],
  ["frame and buffer selected one after the other", { oneStore: false }, one, {}],
  ["P stored without release", { releaseP: false }, one, {}],
  ["the newest window's frame given up", { freesOldest: false }, sliding, {}],
  ["a buffer that goes into the next window", { flushesFirst: false, room: 2 }, sliding, {}],
  ["P loaded without acquire", { acquireP: false }, one, {}],
  ["no second look at P", { readsAgain: false }, many, {}],
  ["no fence before the second look", { readerFence: false }, many, {}],
];
for (const [name, change, work, fate] of mistakes) {
  caught(`summary with ${name}`, model(work, fate, change), wrong);
}

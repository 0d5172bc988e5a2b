/**
 * Exemplars: write_line and make_lines of exemplar.c, and pts_exemplar_read.
 *
 * Modelled: an entry {n, two lines of tag, value, text}, and the cell that names it. A writer, under
 * the series's lock, writes the line that n does not name, relaxed behind a release fence, then n + 1 by
 * release; a text that the entry has no room for gets a larger entry, which has this line before the
 * cell names it. A remove draws a generation and puts it into the head; a reader copies a line, looks at n
 * again, and takes it only with the head's tag. A writer that finds the lock taken does nothing.
 *
 * Invariants:
 *   X1 value and text are of one exemplar, never torn
 *   X2 a written exemplar is shown until the next one, if no remove came
 *   X3 an exemplar from before a remove does not count
 *   X4 a killed writer leaves the one before
 */
import {
  acquire,
  again,
  before,
  call,
  cas,
  enumerate,
  fence,
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
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const line = (entry: number, i: number) =>
  ["TAG", "VALUE", "TEXT"].map((name) => `${name}${entry}${i}`);
const names = [
  ...["HEAD", "DRAWN", "LOCK", "CELL"],
  ...[0, 1].flatMap((entry) => [`N${entry}`, ...line(entry, 0), ...line(entry, 1)]),
];
const { HEAD, DRAWN, LOCK, CELL } = enumerate("HEAD", "DRAWN", "LOCK", "CELL");
const nOf = (entry: number) => 4 + 7 * entry;
const lineOf = (entry: number, n: number) => nOf(entry) + 1 + 3 * (n & 1);
/** Exemplars up to this one fit into the first entry. */
const SMALL = 2;
/** Ghosts: the last that was acknowledged; those that began; what a remove takes, and took. */
const LAST = 0, BEGUN = 1, PENDING = 2, REMOVED = 3, GHOSTS = 4;

interface Rules {
  fenced: boolean;
  otherLine: boolean;
  nLast: boolean;
  locked: boolean;
  looksAgain: boolean;
  asksTag: boolean;
  /** A larger entry has its first line before the cell names it. */
  wholeBeforeNamed: boolean;
}
const asBuilt: Rules = {
  fenced: true,
  otherLine: true,
  nLast: true,
  locked: true,
  looksAgain: true,
  asksTag: true,
  wholeBeforeNamed: true,
};

function programs(rules: Rules) {
  /** Exemplar number i: its value and its text are i. */
  function* write(i: number): Process {
    if (rules.locked) yield lock(LOCK);
    const h = yield acquire(HEAD);
    let entry = yield acquire(CELL);
    const larger = i > SMALL && entry === 0;
    if (larger) {
      if (rules.wholeBeforeNamed) yield* fill(lineOf(1, 0), h, i);
      yield release(CELL, entry = 1);
    }
    if (!larger || !rules.wholeBeforeNamed) yield* writeLine(entry, h, i);
    if (rules.locked) yield unlock(LOCK);
  }
  function* writeLine(entry: number, tag: number, i: number): Process {
    const n = (yield load(nOf(entry))) + 1;
    if (rules.fenced) yield fence("release");
    if (!rules.nLast) yield release(nOf(entry), n);
    yield* fill(lineOf(entry, rules.otherLine ? n : n + 1), tag, i);
    if (rules.nLast) yield release(nOf(entry), n);
    return 0;
  }
  function* fill(at: number, tag: number, i: number): Process {
    yield store(at, tag);
    yield store(at + 1, i);
    yield store(at + 2, i);
    return 0;
  }
  function* remove(): Process {
    const drawn = (yield fetchAdd(DRAWN, 1)) + 1;
    yield call(exchangeHead, drawn);
  }
  function* exchangeHead(drawn: number): Process {
    const h = yield acquire(HEAD);
    if ((yield cas(HEAD, h, drawn)) !== h) return again(exchangeHead, drawn);
  }
  /** The exemplar's number, 0 for none, or -1 for a torn one. */
  function* read(): Process {
    const head = yield acquire(HEAD);
    const entry = yield acquire(CELL);
    const n = yield acquire(nOf(entry));
    const at = lineOf(entry, n);
    const tag = yield load(at);
    const value = yield load(at + 1);
    const text = yield load(at + 2);
    yield fence("acquire");
    if (rules.looksAgain && (yield load(nOf(entry))) !== n) return again(read);
    if (rules.asksTag ? tag !== head : value === 0) return 0;
    return value === text ? value : -1;
  }
  return { write, remove, read };
}

/** Exemplars to write (each a number of its own), "remove" or "read". */
type Task = number | "remove" | "read";

function model(
  work: Task[][],
  memory: Model["memory"],
  fate: Partial<Model> = {},
  change: Partial<Rules> = {},
): Model {
  const { write, remove, read } = programs({ ...asBuilt, ...change });
  const run = (list: Task[]) =>
    function* (): Process {
      for (const task of list) {
        if (task === "read") {
          const seen = yield call(read);
          yield ghost((g) => {
            if (seen < 0) return "a torn exemplar was read";
            if (seen > 0 && (g[BEGUN] & 1 << seen) === 0) return "an exemplar of nobody was read";
          });
        } else if (task === "remove") {
          yield before((g) => {
            g[PENDING] = g[LAST];
          });
          yield call(remove);
          yield kernel("acknowledge", () => 0);
          yield ghost((g) => {
            g[REMOVED] = g[PENDING];
          });
        } else {
          yield before((g) => {
            g[BEGUN] |= 1 << task;
          });
          yield call(write, task);
          yield kernel("acknowledge", () => 0);
          yield ghost((g) => {
            g[LAST] = task;
          });
        }
      }
    };
  const workers = work.map((list, i) => `${i} ${list.join(", ")}`);
  const removes = work.flat().includes("remove");
  const writers = work.filter((list) => list.some((task) => typeof task === "number")).length;
  return {
    locations: names,
    initial: { [HEAD]: 1, [DRAWN]: 1 },
    memory,
    ghostWords: GHOSTS,
    processes: {
      ...Object.fromEntries(work.map((list, i) => [workers[i], run(list)])),
      *last() {
        yield quiet();
        const seen = yield call(read);
        yield ghost((g) => {
          if (seen < 0) return "a torn exemplar is left";
          if (seen > 0 && g[REMOVED] === seen) return "one from before a remove is left";
          if (!removes && seen === 0 && g[LAST] !== 0) return "an acknowledged exemplar is lost";
          if (writers === 1 && !removes && seen < g[LAST]) return "an older exemplar is shown";
        });
      },
    },
    owned: Object.fromEntries(
      names.map((name, at) => [at, /TAG|VALUE|TEXT/.test(name) ? workers : []]),
    ),
    mortal: workers.filter((_, i) => !work[i].includes("read")),
    progress: true,
    ...fate,
  };
}

const one: Task[][] = [[1, 2, 3], ["read"]];
const two: Task[][] = [[1], [2], ["read"]];
const removed: Task[][] = [[1, "remove"], ["read"]];
holds("exemplars: X1 X2: one writer, read beside", model(one, "weak"));
holds("exemplars: X1 X2: two writers, read beside", model(two, "weak"));
holds("exemplars: X1 X2: a larger text", model([[1, 3], [2], ["read"]], "sc"));
holds("exemplars: X3: a remove beside", model([[1], [2], ["remove"], ["read"]], "sc"));
holds("exemplars: X3 in weak memory", model(removed, "weak"));
holds("exemplars: X1 X4: one is killed", model([[1, 2], [3], ["read"]], "sc", { kills: 1 }));
holds("exemplars: X1 X4: killed in weak memory", model([[1, 2, 3]], "weak", { kills: 1 }));
holds("exemplars: X1: read beside a stopped writer", model(one, "sc", { stops: 1 }));

const torn = /torn|nobody|lost|older|before a remove/;
const mistakes: [string, Partial<Rules>, Task[][], Model["memory"]][] = [
  ["without a fence before the line", { fenced: false }, one, "weak"],
  ["into the line that is shown", { otherLine: false }, one, "sc"],
  ["named before they are written", { nLast: false }, one, "sc"],
  ["without the lock", { locked: false }, two, "sc"],
  ["read without a second look at n", { looksAgain: false }, one, "sc"],
  ["read without a look at the tag", { asksTag: false }, removed, "sc"],
];
for (const [name, change, work, memory] of mistakes) {
  caught(`exemplars ${name}`, model(work, memory, {}, change), torn);
}
caught(
  "exemplars of which a larger one is named while it is empty: a kill leaves none",
  model([[1, 3]], "sc", { kills: 1 }, { wholeBeforeNamed: false }),
  /lost/,
);

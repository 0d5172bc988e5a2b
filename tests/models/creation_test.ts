/**
 * Creation and attaching: pts_store_open of store.c, and the sections made inside a file.
 *
 * Modelled: three processes open one path. Who finds no file makes a temporary one, fills it, marks it
 * ready and publishes it by link(), which fails if there is a file by now; `initFile` publishes by
 * rename(), which replaces what is there. Every opener then locks a slot in the inode it opened and
 * compares that inode with the path's: if they differ it lets go and opens again. A section is made
 * inside the file by the first who needs it, under the creation byte, its ready word last.
 *
 * Invariants:
 *   C1 openers without initFile end on one inode, that of the path
 *   C2 nobody attaches to a file or a section that is not whole
 *   C3 once a replaced file has no slot locked it never gets an attachment again
 *   C4 a section is made once and never changes; killed makers are replaced
 *   C5 the file is never cut under a worker who lives, whatever the section's ready word says; what a
 *      killed maker left at the end is no obstacle
 */
import {
  acquire,
  again,
  call,
  choose,
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

const OPENERS = 3;
/** Memory: what a file says, by inode; the inode that process i makes is i + 1. */
const filled = (inode: number) => 2 * (inode - 1);
const ready = (inode: number) => 2 * (inode - 1) + 1;
const fileNames = [1, 2, 3].flatMap((inode) => [`FILLED${inode}`, `READY${inode}`]);
/** Kernel words: the path's inode (counted from a number that is no process's), then who holds a slot in which inode. */
const PATH = 0;
const INODES = 100;
const slotByte = (inode: number, self: number) => 1 + (inode - 1) * OPENERS + self;
const PATH_WORDS = 1 + OPENERS * OPENERS;
/** Ghosts: where each opener ended (its inode), and which inodes were found deserted. */
const endedOn = (self: number) => self;
const DESERTED = OPENERS;

interface FileRules {
  /** Lock a slot first, then compare inodes; "before": the other way round; "never". */
  compare: "after" | "before" | "never";
  /** A new file is published by link; false: by rename, over another creator's. */
  links: boolean;
  /** The file is filled before it has its name. */
  fillsFirst: boolean;
}
const asBuilt: FileRules = { compare: "after", links: true, fillsFirst: true };

function opener(self: number, initFile: boolean, rules: FileRules) {
  const own = self + 1;
  const current = kernel("open", (words) => words[PATH] && words[PATH] - INODES);
  const matches = (inode: number) =>
    kernel("stat", (words) => words[PATH] === INODES + inode ? 1 : 0);
  function* fill(): Process {
    yield store(filled(own), 1);
    yield release(ready(own), 1);
  }
  const publish = (replace: boolean) =>
    kernel(replace ? "rename" : "link", (words) => {
      const old = words[PATH];
      if (old === 0 || replace) words[PATH] = INODES + own;
      return old && old - INODES;
    });
  function* attach(): Process {
    const inode = yield current;
    if (inode === 0) {
      if (rules.fillsFirst) yield* fill();
      const there = yield publish(!rules.links);
      if (!rules.fillsFirst && there === 0) yield* fill();
      return again(attach);
    }
    if (rules.compare === "before" && (yield matches(inode)) === 0) return again(attach);
    yield kernel("lock slot", (words) => words[slotByte(inode, self)] = own);
    if (rules.compare === "after" && (yield matches(inode)) === 0) {
      yield kernel("unlock slot", (words) => words[slotByte(inode, self)] = 0);
      return again(attach);
    }
    yield ghost((g) => {
      if (g[DESERTED] & (1 << inode)) return "attached to a deserted file";
      g[endedOn(self)] = inode;
    });
    const isReady = yield acquire(ready(inode));
    const isFilled = yield load(filled(inode));
    if (!isReady || !isFilled) yield ghost(() => "attached to half a file");
  }
  function* replace(): Process {
    yield* fill();
    const old = yield publish(true);
    if (old !== 0 && old !== own) {
      const users = yield kernel(
        "who is left?",
        (words) =>
          words.filter((_, i) => i >= slotByte(old, 0) && i < slotByte(old, OPENERS))
            .filter((holder) => holder !== 0).length,
      );
      if (users === 0) {
        yield ghost((g) => {
          g[DESERTED] |= 1 << old;
        });
      }
    }
    return again(attach);
  }
  return initFile ? replace : attach;
}

function files(change: Partial<FileRules>, fate: Partial<Model>, initFile: boolean): Model {
  const rules = { ...asBuilt, ...change };
  return {
    locations: fileNames,
    memory: "weak",
    kernelWords: PATH_WORDS,
    ghostWords: OPENERS + 1,
    processes: {
      first: opener(0, false, rules),
      second: opener(1, false, rules),
      third: opener(2, initFile, rules),
    },
    progress: true,
    finally: (g) => {
      const inodes = new Set(g.slice(0, OPENERS).filter((inode) => inode !== 0));
      return !initFile && inodes.size > 1 ? "two stores under one name" : undefined;
    },
    ...fate,
  };
}

holds("creation: C1 C2: three open a new file, one is killed", files({}, { kills: 1 }, false));
holds("creation: C2 C3: one of them replaces the file", files({}, { kills: 1 }, true));
caught("creation by rename", files({ links: false }, {}, false), /two stores/);
caught("creation under the final name", files({ fillsFirst: false }, {}, false), /half a file/);
caught("attaching without comparing", files({ compare: "never" }, {}, true), /deserted/);
caught("attaching that compares too early", files({ compare: "before" }, {}, true), /deserted/);

/* ---- sections inside the file ------------------------------------------------------------------ */

const OFFSET = 0, SIZE = 1, READY = 2;
const CREATE_BYTE = 0;

interface SectionRules {
  /** Look at the ready word again under the creation byte. */
  looksAgain: boolean;
  /** The ready word is stored last, by release. */
  readyLast: boolean;
}

function maker(self: number, rules: SectionRules) {
  const mine = self + 1;
  function* make(): Process {
    yield kernel("lock creation", (words) => {
      if (words[CREATE_BYTE] !== 0) return undefined;
      return words[CREATE_BYTE] = mine;
    });
    if (!rules.looksAgain || (yield acquire(READY)) === 0) {
      if (!rules.readyLast) yield release(READY, 1);
      yield store(OFFSET, mine);
      yield store(SIZE, mine);
      if (rules.readyLast) yield release(READY, 1);
    }
    yield kernel("unlock creation", (words) => words[CREATE_BYTE] = 0);
  }
  return function* (): Process {
    if ((yield acquire(READY)) === 0) yield call(make);
    const offset = yield load(OFFSET);
    const size = yield load(SIZE);
    yield ghost((g) => {
      if (offset === 0 || offset !== size) return "half a section";
      if (g[0] !== 0 && g[0] !== offset) return "the section was made twice";
      g[0] = offset;
    });
  };
}

function sections(change: Partial<SectionRules>, fate: Partial<Model>): Model {
  const rules = { looksAgain: true, readyLast: true, ...change };
  return {
    locations: ["OFFSET", "SIZE", "READY"],
    memory: "weak",
    kernelWords: 1,
    ghostWords: 1,
    processes: {
      first: maker(0, rules),
      second: maker(1, rules),
      third: maker(2, rules),
      *last() {
        yield quiet();
        const isReady = yield load(READY);
        const offset = yield load(OFFSET);
        yield ghost((g) => isReady && g[0] && g[0] !== offset ? "the section changed" : undefined);
      },
    },
    mortal: ["first", "second", "third"],
    progress: true,
    ...fate,
  };
}

holds("section: C2 C4: three want it, two are killed", sections({}, { kills: 2 }));
caught(
  "section made without a second look",
  sections({ looksAgain: false }, {}),
  /twice|changed|half/,
);
caught("section ready too early", sections({ readyLast: false }, {}), /half a section/);

/* ---- what is cut off, to add a section ----------------------------------------------------------- */

const WORD = 0; // of the section: nothing, READY_WORD or MAKING
const READY_WORD = 1, MAKING = 2;
const LENGTH = 1, USER = 2; // kernel words beside CREATE_BYTE: the file's end, who has a worker slot
const GROWN = 100; // with the section; no process's number

interface CutRules {
  /** Says that it is making before it grows the file. */
  announces: boolean;
  /** Cuts only what was announced, or whatever no ready section explains. */
  onlyAnnounced: boolean;
  /** ... and not while somebody has a worker slot of that section. */
  asksForWorkers: boolean;
}

const grow = kernel("grow", (words) => words[LENGTH] = GROWN);
const end = kernel("length", (words) => words[LENGTH]);

function* use(): Process {
  const there = yield kernel("touch", (words) => words[LENGTH] === GROWN ? 1 : 0);
  yield ghost(() => there ? undefined : "SIGBUS");
}

/** Whoever made it and works in it. */
function user(self: number) {
  return function* (): Process {
    yield kernel("take a slot", (words) => words[USER] = self + 1);
    yield grow;
    yield release(WORD, READY_WORD);
    yield call(use);
    yield call(use);
    yield kernel("leave", (words) => words[USER] = 0);
  };
}

function adder(self: number, rules: CutRules, mustSucceed: boolean) {
  function* add(): Process {
    const word = yield acquire(WORD);
    if (word === READY_WORD) return 0;
    if ((yield end) === GROWN) {
      const used = rules.asksForWorkers
        ? yield kernel("does a worker live?", (words) => words[USER] !== 0 ? 1 : 0)
        : 0;
      if (used || (rules.onlyAnnounced && word !== MAKING)) return 1;
      yield kernel("cut", (words) => words[LENGTH] = 0);
    }
    if (rules.announces) yield release(WORD, MAKING);
    yield grow;
    yield release(WORD, READY_WORD);
    return 0;
  }
  return function* (): Process {
    yield kernel("lock creation", (words) => {
      if (words[CREATE_BYTE] !== 0) return undefined;
      return words[CREATE_BYTE] = self + 1;
    });
    const refused = yield call(add);
    yield kernel("unlock creation", (words) => words[CREATE_BYTE] = 0);
    yield ghost(() =>
      refused && mustSucceed ? "what a killed maker left is in the way" : undefined
    );
    if (!refused) yield call(use);
  };
}

/** Breaks the ready word of a section that is in use, or makes it look like a killed maker's. */
function* vandal(): Process {
  if ((yield acquire(WORD)) !== READY_WORD) return;
  yield store(WORD, (yield choose(2)) ? MAKING : 0);
}

function cutting(change: Partial<CutRules>, inUse: boolean, kills: number): Model {
  const rules = { announces: true, onlyAnnounced: true, asksForWorkers: true, ...change };
  const processes: Model["processes"] = inUse
    ? { user: user(0), vandal, adder: adder(2, rules, false) }
    : { first: adder(0, rules, true), second: adder(1, rules, true), third: adder(2, rules, true) };
  return {
    locations: ["WORD"],
    memory: "weak",
    kernelWords: 3,
    ghostWords: 1,
    processes,
    mortal: Object.keys(processes).filter((name) => name !== "user"),
    kills,
    progress: true,
  };
}

holds("section: C5: its ready word is broken while it is in use", cutting({}, true, 1));
holds("section: C4 C5: makers are killed anywhere, others go on", cutting({}, false, 2));
caught(
  "section added by cutting whatever is not ready",
  cutting({ onlyAnnounced: false, asksForWorkers: false }, true, 0),
  /SIGBUS/,
);
caught(
  "section added without asking who works in it",
  cutting({ asksForWorkers: false }, true, 0),
  /SIGBUS/,
);
caught(
  "section made without saying so first",
  cutting({ announces: false }, false, 1),
  /in the way/,
);

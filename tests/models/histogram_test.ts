/**
 * An observation, its redo record, and who finishes it: pts_observe and pts_cell_take_over of
 * cell.c, read_block of reading.c.
 *
 * Modelled: one slot with two histograms of two buckets. An observation is
 *     fence (release)                        what was before is before the redo record
 *     redo = block, bucket, new count, new sum
 *     sequence |= 1          (release)       says: the redo record is for this block, and whole
 *     fence (release)                        the odd sequence is before the cells
 *     count, sum
 *     sequence += 1          (release)
 * The owner is killed anywhere, its successor too; each successor first finishes what the redo record
 * names if that block's sequence is odd. A reader copies between two looks at the sequence; after
 * its last plain attempt it applies the redo record, if that is for this block, and looks again.
 *
 * Invariants:
 *   H1 a reader sees whole observations only, in their order
 *   H2 what was finished before a read began is in it; sums never go back
 *   H3 a killed observation counts wholly or not at all, for ever
 *   H4 a stopped or dead owner does not keep a reader from its answer
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
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const names = [
  "SLOT",
  ...["BLOCK", "BUCKET", "COUNT", "SUM"].map((name) => `REDO_${name}`),
  ...[1, 2].flatMap((block) => ["SEQUENCE", "SUM", "COUNT0", "COUNT1"].map((n) => n + block)),
];
const SLOT = 0, REDO_BLOCK = 1, REDO_BUCKET = 2, REDO_COUNT = 3, REDO_SUM = 4;
const sequenceOf = (block: number) => 5 + 4 * (block - 1);
const sumOf = (block: number) => sequenceOf(block) + 1;
const countOf = (block: number, bucket: number) => sequenceOf(block) + 2 + bucket;
/** Ghosts: observations begun, finished, and seen by some reader, as bits. */
const G = enumerate("BEGUN", "DONE", "SEEN");

interface Rules {
  fenceBeforeRedo: boolean;
  redoBeforeOdd: boolean;
  fenceAfterOdd: boolean;
  releaseEven: boolean;
  /** The successor finishes before it observes. */
  finishes: boolean;
  /** Behind a release fence: whoever sees what it stores sees the odd sequence too. */
  fenceBeforeFinish: boolean;
  readerFence: boolean;
  /** The reader looks at the sequence again after it applied the redo record. */
  looksAgain: boolean;
  /** The reader checks that the redo record is for this block. */
  checksBlock: boolean;
}
const asBuilt: Rules = {
  fenceBeforeRedo: true,
  redoBeforeOdd: true,
  fenceAfterOdd: true,
  releaseEven: true,
  finishes: true,
  fenceBeforeFinish: true,
  readerFence: true,
  looksAgain: true,
  checksBlock: true,
};

/** An observation: its value is 1 << index, so that a sum tells which observations it holds. */
interface Observation {
  index: number;
  block: number;
  bucket: number;
}

function* observe({ index, block, bucket }: Observation, rules: Rules): Process {
  const sequence = yield load(sequenceOf(block));
  const count = (yield load(countOf(block, bucket))) + 1;
  const sum = (yield load(sumOf(block))) + (1 << index);
  function* redo(): Process {
    yield store(REDO_BLOCK, block);
    yield ghost((g) => {
      g[G.BEGUN] |= 1 << index;
    });
    yield store(REDO_BUCKET, bucket);
    yield store(REDO_COUNT, count);
    yield store(REDO_SUM, sum);
  }
  const odd = sequence | 1;
  if (rules.fenceBeforeRedo) yield fence("release");
  if (rules.redoBeforeOdd) yield* redo();
  yield release(sequenceOf(block), odd);
  if (!rules.redoBeforeOdd) yield* redo();
  if (rules.fenceAfterOdd) yield fence("release");
  yield store(countOf(block, bucket), count);
  yield store(sumOf(block), sum);
  yield rules.releaseEven ? release(sequenceOf(block), odd + 1) : store(sequenceOf(block), odd + 1);
  yield ghost((g) => {
    g[G.DONE] |= 1 << index;
  });
}

/** Taking the slot; the next owner finishes what a dead one was doing. */
function owner(work: Observation[], rules: Rules) {
  return function* (): Process {
    const died = yield lock(SLOT);
    if (died === 1 && rules.finishes) {
      const block = yield load(REDO_BLOCK);
      const sequence = block === 0 ? 0 : yield load(sequenceOf(block));
      if (sequence % 2 === 1) {
        const bucket = yield load(REDO_BUCKET);
        if (rules.fenceBeforeFinish) yield fence("release");
        yield store(countOf(block, bucket), yield load(REDO_COUNT));
        yield store(sumOf(block), yield load(REDO_SUM));
        yield release(sequenceOf(block), sequence + 1);
      }
    }
    for (const observation of work) yield* observe(observation, rules);
    yield release(SLOT, 0);
  };
}

/** Both buckets and the sum must be those of the same observations; at the end, of all that count. */
function judge(work: Observation[], block: number, counts: number[], sum: number, last: boolean) {
  const mine = work.filter((o) => o.block === block);
  return ghost((g) => {
    const held = mine.filter((o) => sum & (1 << o.index));
    if (held.reduce((total, o) => total + (1 << o.index), 0) !== sum) return "a sum of nothing";
    for (const bucket of [0, 1]) {
      if (held.filter((o) => o.bucket === bucket).length !== counts[bucket]) {
        return "half an observation";
      }
    }
    if (sum & ~g[G.BEGUN]) return "an observation that nobody made";
    const due = mine.filter((o) => (g[G.DONE] | g[G.SEEN]) & (1 << o.index));
    if (last && due.some((o) => !held.includes(o))) return "an observation was lost";
    g[G.SEEN] |= sum;
  });
}

function reader(work: Observation[], block: number, rules: Rules, last = false) {
  const sequence = sequenceOf(block);
  function* read(plain: number): Process {
    const first = yield acquire(sequence);
    if (first % 2 === 1 && plain > 0) return again(read, plain - 1);
    let sum = yield load(sumOf(block));
    const counts = [yield load(countOf(block, 0)), yield load(countOf(block, 1))];
    if (first % 2 === 1) {
      const redone = yield load(REDO_BLOCK);
      if (redone !== block && rules.checksBlock) return again(read, 0);
      counts[yield load(REDO_BUCKET)] = yield load(REDO_COUNT);
      sum = yield load(REDO_SUM);
    }
    if (rules.readerFence) yield fence("acquire");
    if (first % 2 === 0 || rules.looksAgain) {
      if ((yield load(sequence)) !== first) return again(read, Math.max(0, plain - 1));
    }
    yield judge(work, block, counts, sum, last);
    return sum;
  }
  return function* (): Process {
    if (last) yield quiet();
    const before = yield call(read, 1);
    if (last) return;
    const after = yield call(read, 1);
    yield ghost(() => before & ~after ? "an observation was taken back" : undefined);
  };
}

const one: Observation[] = [{ index: 0, block: 1, bucket: 0 }];
const two: Observation[] = [...one, { index: 1, block: 1, bucket: 1 }];
const alternating: Observation[] = [...one, { index: 1, block: 2, bucket: 1 }];
const later: Observation[] = [{ index: 2, block: 1, bucket: 1 }];

function model(
  work: Observation[][],
  fate: Partial<Model>,
  change: Partial<Rules> = {},
  concurrent = true,
): Model {
  const rules = { ...asBuilt, ...change };
  const owners = work.map((_, i) => `owner ${i}`);
  return {
    locations: names,
    memory: "weak",
    ghostWords: 3,
    processes: {
      ...Object.fromEntries(work.map((own, i) => [owners[i], owner(own, rules)])),
      ...(concurrent ? { reader: reader(work.flat(), 1, rules) } : {}),
      last: reader(work.flat(), 1, rules, true),
    },
    owned: Object.fromEntries(names.map((_, at) => [at, at === SLOT ? [] : owners])),
    mortal: owners,
    progress: true,
    ...fate,
  };
}

holds("histogram: H1 H2: two observations", model([two], {}));
holds("histogram: H1 H2: two histograms share the redo record", model([alternating, later], {}));
holds(
  "histogram: H1 H3: killed, then finished by the next owner",
  model([one, later], { kills: 1 }),
);
holds(
  "histogram: H3: the next owner is killed while finishing",
  model([one, [], later], { kills: 2 }, {}, false),
);
holds("histogram: H4: the owner stops anywhere", model([two], { stops: 1 }));
holds(
  "histogram: the second look alone tells another block's redo record",
  model([alternating], { stops: 1 }, { checksBlock: false }),
);

const wrong = /half an|sum of nothing|taken back|lost/;
const mistakes: [string, Partial<Rules>, Observation[][], Partial<Model>][] = [
  ["no fence before the redo record", { fenceBeforeRedo: false }, [two], {}],
  ["the redo record after the odd sequence", { redoBeforeOdd: false }, [two], {}],
  ["no fence after the odd sequence", { fenceAfterOdd: false }, [two], {}],
  ["the even sequence without release", { releaseEven: false }, [two], {}],
  ["a dead owner's observation not finished", { finishes: false }, [one, later], { kills: 1 }],
  ["a successor without its fence", { fenceBeforeFinish: false }, [one, later], { kills: 1 }],
  ["a reader without its fence", { readerFence: false }, [two], {}],
  ["a redo record applied without a second look", { looksAgain: false }, [two], {}],
];
for (const [name, change, work, fate] of mistakes) {
  caught(`histogram with ${name}`, model(work, fate, change), wrong);
}

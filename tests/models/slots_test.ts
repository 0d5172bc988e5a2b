/**
 * Worker slots, their epochs, and the question whether an owner lives: pts_worker_take of worker.c
 * and the takeover in pts_lock_take of lock.c.
 *
 * Modelled: two slots, three attachments. Taking a slot: try the byte of a slot, the next one if it is
 * held; raise the slot's epoch; lock the byte of (slot, epoch). A lock word holds slot and epoch, and
 * the question is about exactly that byte. A descriptor does not see its own locks. Closing or
 * dying frees all bytes at once. The lock is reduced to what asks: a taker that finds it held asks
 * about the owner it saw and takes over from exactly that word (its waiting is in lock_test.ts).
 *
 * Invariants:
 *   S1 two living attachments never own one slot
 *   S2 a pair of slot and epoch belongs to one attachment for ever
 *   S3 the living are never robbed; who already holds the lock is told so
 *   S4 a dead owner is found dead, whoever owns its slot by now
 */
import {
  again,
  call,
  cas,
  enumerate,
  exchange,
  ghost,
  kernel,
  load,
  type Model,
  type Process,
  store,
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const names = ["WORD", "EPOCH0", "EPOCH1"] as const;
const { WORD, EPOCH0 } = enumerate(...names);
const SLOTS = 2, EPOCHS = 4, FULL = 100;
/** Kernel words are lock bytes: who holds it, as its number + 1. */
const slotByte = (slot: number) => slot;
const ownerByte = (slot: number, epoch: number) => SLOTS + slot * EPOCHS + epoch;
const wordOf = (slot: number, epoch: number) => (slot * EPOCHS + epoch) << 1;
/** Ghosts: who is inside the lock, and who used each (slot, epoch). */
const INSIDE = 0;
const usedBy = (slot: number, epoch: number) => 1 + slot * EPOCHS + epoch;

interface Rules {
  /** The question is about slot and epoch; false: about the slot only. */
  epochs: boolean;
  /** The epoch is raised after the slot's byte is locked. */
  lockFirst: boolean;
  /** One's own word in the lock is "already locked" and no question. */
  knowsItself: boolean;
  /** The owner's byte is locked before the attachment locks anything. */
  ownerByteFirst: boolean;
}
const asBuilt: Rules = { epochs: true, lockFirst: true, knowsItself: true, ownerByteFirst: true };

const tryByte = (name: string, byte: number) =>
  kernel(name, (words, self) => {
    if (words[byte] !== 0 && words[byte] !== self + 1) return 0;
    words[byte] = self + 1;
    return 1;
  });

/** What an attachment does once it has a slot. */
interface Life {
  locks: boolean;
  nests: boolean;
  closes: boolean;
}

function attachment(self: number, life: Life, rules: Rules) {
  function* takeSlot(slot: number): Process {
    if (slot === SLOTS) return FULL;
    let epoch = rules.lockFirst ? 0 : yield load(EPOCH0 + slot);
    const mine = yield tryByte("try slot", slotByte(slot));
    if (mine === 0) return again(takeSlot, slot + 1);
    if (rules.lockFirst) epoch = yield load(EPOCH0 + slot);
    epoch++;
    yield store(EPOCH0 + slot, epoch);
    if (rules.ownerByteFirst) yield tryByte("lock owner", ownerByte(slot, epoch));
    yield ghost((g) => {
      if (g[usedBy(slot, epoch)] !== 0) return "a slot and epoch had an owner before";
      g[usedBy(slot, epoch)] = 1;
    });
    return slot * EPOCHS + epoch;
  }
  /** 0 taken, 1 taken over, 2 already locked by me. */
  function* takeLock(slot: number, epoch: number): Process {
    const mine = wordOf(slot, epoch);
    const word = yield cas(WORD, 0, mine);
    if (word === 0) return 0;
    if (word === mine && rules.knowsItself) return 2;
    const owner = word >> 1;
    const byte = rules.epochs
      ? ownerByte(Math.floor(owner / EPOCHS), owner % EPOCHS)
      : slotByte(Math.floor(owner / EPOCHS));
    const held = yield kernel(
      "is it held?",
      (words, self) => words[byte] !== 0 && words[byte] !== self + 1 ? 1 : 0,
    );
    if (held === 1) return again(takeLock, slot, epoch);
    return (yield cas(WORD, word, mine)) === word ? 1 : again(takeLock, slot, epoch);
  }
  const enter = ghost((g) => {
    if (g[INSIDE] !== 0) return "two inside";
    g[INSIDE] = self + 1;
  });
  function* live(): Process {
    const owner = yield call(takeSlot, 0);
    if (owner === FULL) return;
    const slot = Math.floor(owner / EPOCHS), epoch = owner % EPOCHS;
    if (life.locks) {
      yield call(takeLock, slot, epoch);
      yield enter;
      if (life.nests) {
        const nested = yield call(takeLock, slot, epoch);
        if (nested !== 2) yield enter;
      }
      yield exchange(WORD, 0);
      yield ghost((g) => {
        g[INSIDE] = 0;
      });
    }
    if (!rules.ownerByteFirst) yield tryByte("lock owner", ownerByte(slot, epoch));
    if (life.closes) {
      yield kernel("close", (words, self) => {
        words.forEach((holder, byte) => {
          if (holder === self + 1) words[byte] = 0;
        });
        return 0;
      });
    }
  }
  return live;
}

/** One locks and closes, one only keeps its slot, one locks and keeps its slot. */
function model(change: Partial<Rules>, fate: Partial<Model>, nests = false): Model {
  const rules = { ...asBuilt, ...change };
  return {
    locations: names,
    memory: "weak",
    kernelWords: SLOTS + SLOTS * EPOCHS,
    ghostWords: 1 + SLOTS * EPOCHS,
    processes: {
      short: attachment(0, { locks: true, nests, closes: true }, rules),
      staying: attachment(1, { locks: false, nests: false, closes: false }, rules),
      third: attachment(2, { locks: true, nests, closes: false }, rules),
    },
    onDeath: (_, dead, g) => {
      if (g[INSIDE] === dead + 1) g[INSIDE] = 0;
    },
    progress: true,
    ...fate,
  };
}

holds("slots: S1 S2 S3: nobody dies, locks are asked for twice", model({}, {}, true));
holds("slots: S1 to S4: two kills, slots are used again", model({}, { kills: 2 }));
holds("slots: S1 S2 S3: an attachment stops anywhere", model({}, { stops: 1, progress: false }));

caught(
  "slots asked about without their epoch: a successor makes the dead look alive",
  model({ epochs: false }, { kills: 1 }),
  /never comes to an end/,
);
caught(
  "slots whose epoch is read before the byte",
  model({ lockFirst: false }, {}),
  /an owner before/,
);
caught("slots that ask about themselves", model({ knowsItself: false }, {}, true), /two inside/);
caught(
  "slots that lock before their owner's byte is held",
  model({ ownerByteFirst: false }, {}),
  /two inside/,
);

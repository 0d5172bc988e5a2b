/**
 * The lock word with takeover: pts_lock_take and pts_lock_release of lock.c.
 *
 * Modelled: word 0, or owner | waiters (an owner is one slot and epoch; how they are told apart is
 * slots_test.ts). A taker tries one compare-and-swap from 0. A waiter sets the waiters bit, sleeps
 * on the word (a futex compares and sleeps in one system call; with or without a timeout), after a
 * timeout asks the kernel about exactly the owner it saw, and takes over by compare-and-swap from exactly
 * that word. Releasing is an exchange with 0 and a wake-up of one if the bit was set. What the lock
 * guards is two words that are equal outside the critical section; a takeover repairs them.
 *
 * Invariants:
 *   L1 never two living processes inside, stopped ones included
 *   L2 who takes a free lock finds it whole; who takes over finds what the dead one had stored
 *   L3 while nobody dies, no waiter depends on its timeout
 *   L4 after kills, everybody left alive gets the lock (their timeouts suffice)
 *   L5 a repair that is killed is repeated by the next one
 */
import {
  again,
  call,
  cas,
  choose,
  enumerate,
  exchange,
  fence,
  ghost,
  kernel,
  load,
  type Model,
  type Process,
  store,
} from "./explorer.ts";
import { caught, holds } from "./verify.ts";

const names = ["WORD", "A", "B"] as const;
const { WORD, A, B } = enumerate(...names);
const G = enumerate("INSIDE", "STORED");
const WAITERS = 1;
const WORKERS = 3;
const wordOf = (self: number) => (self + 1) << 1;
const ownerOf = (word: number) => (word >> 1) - 1;

/** Kernel words: who is alive (its own number + 1), who sleeps on the word, who was woken. */
const ALIVE_AT = 0, SLEEPS_AT = WORKERS, WOKEN_AT = 2 * WORKERS;
const GAVE_UP = 2;
const YES = 100; /* apart from process numbers, which are cleared at a death */

interface Rules {
  /** After a timeout, ask the kernel; without asking, everyone who is slow is robbed. */
  ask: boolean;
  /** Take over from the word that was asked about, or from whatever is there by then. */
  exact: boolean;
  /** A taker who waited says that there may be other waiters. */
  conservative: boolean;
  /** The futex compares the word before it sleeps. */
  compares: boolean;
  /** A takeover repairs. */
  repairs: boolean;
  timeouts: boolean;
  /** Release is an exchange; false: a plain store after looking at the waiters bit. */
  exchanges: boolean;
}
const asBuilt: Rules = {
  ask: true,
  exact: true,
  conservative: true,
  compares: true,
  repairs: true,
  timeouts: true,
  exchanges: true,
};

/** Futex wait: 1 woken or the word was another, 0 timed out. */
function* sleep(expected: number, rules: Rules): Process {
  const slept = yield kernel("futex wait", (words, self, last) => {
    if (rules.compares && last(WORD) !== expected) return 0;
    words[SLEEPS_AT + self] = YES;
    words[WOKEN_AT + self] = 0;
    return 1;
  });
  if (slept === 0) return 1;
  return yield kernel("wait ends", (words, self) => {
    if (words[WOKEN_AT + self] !== YES && !rules.timeouts) return undefined;
    const woken = words[WOKEN_AT + self] === YES ? 1 : 0;
    words[SLEEPS_AT + self] = words[WOKEN_AT + self] = 0;
    return woken;
  });
}

/** Every choice of whom to wake matters only by number: the model wakes the lowest or the highest. */
const wakeOne = (highest: boolean) =>
  kernel("futex wake", (words) => {
    const sleepers = [...Array(WORKERS).keys()]
      .filter((i) => words[SLEEPS_AT + i] === YES && words[WOKEN_AT + i] !== YES);
    const woken = highest ? sleepers.at(-1) : sleepers[0];
    if (woken !== undefined) words[WOKEN_AT + woken] = YES;
    return 0;
  });

function worker(self: number, rules: Rules, rounds = 1) {
  /** Gives 1 after a takeover. The last worker's deadline may pass at any of its timeouts. */
  function* take(waited: number): Process {
    const mine = wordOf(self) | (waited && rules.conservative ? WAITERS : 0);
    let word = yield cas(WORD, 0, mine);
    if (word === 0) return 0;
    if ((word & WAITERS) === 0) {
      const old = yield cas(WORD, word, word | WAITERS);
      if (old !== word) return again(take, waited);
      word |= WAITERS;
    }
    const woken = yield* sleep(word, rules);
    if (woken === 1) return again(take, 1);
    if (self === WORKERS - 1 && (yield choose(2)) === 1) return GAVE_UP;
    const dead = yield kernel(
      "is the owner dead?",
      (words) => words[ALIVE_AT + ownerOf(word)] === 0 || !rules.ask ? 1 : 0,
    );
    if (dead === 0) return again(take, 1);
    const now = rules.exact ? word : yield load(WORD);
    const old = yield cas(WORD, now, wordOf(self) | WAITERS);
    return old === now && now !== 0 ? 1 : again(take, 1);
  }
  function* once(left: number): Process {
    const repair = yield call(take, 0);
    if (repair === GAVE_UP) return 0;
    yield ghost((g) => {
      g[G.INSIDE] |= 1 << self;
      return (g[G.INSIDE] & (g[G.INSIDE] - 1)) === 0 ? undefined : "two inside";
    });
    const a = yield load(A);
    let b = yield load(B);
    yield ghost((g) => a === g[G.STORED] ? undefined : "an old value under the lock");
    if (a !== b) {
      if (repair === 0) yield ghost(() => "a free lock guards half an update");
      if (rules.repairs) yield store(B, b = a);
    }
    yield store(A, (a + 1) & 3);
    yield ghost((g) => {
      g[G.STORED] = (a + 1) & 3;
    });
    yield store(B, (b + 1) & 3);
    if (rules.exchanges) {
      const word = yield exchange(WORD, 0);
      yield leave();
      if (word & WAITERS) yield wakeOne((yield choose(2)) === 1);
    } else {
      const word = yield load(WORD);
      yield fence("release");
      yield store(WORD, 0);
      yield leave();
      if (word & WAITERS) yield wakeOne(false);
    }
    return left > 1 ? again(once, left - 1) : 0;
  }
  const leave = () =>
    ghost((g) => {
      g[G.INSIDE] &= ~(1 << self);
    });
  return function* (): Process {
    yield kernel("lock my byte", (words) => words[ALIVE_AT + self] = self + 1);
    return again(once, rounds);
  };
}

function model(change: Partial<Rules>, fate: Partial<Model>, workers = WORKERS): Model {
  const rules = { ...asBuilt, ...change };
  return {
    locations: names,
    memory: "weak",
    kernelWords: 3 * WORKERS,
    ghostWords: 2,
    processes: Object.fromEntries(
      [...Array(workers).keys()].map((i) => [`worker ${i}`, worker(i, rules)]),
    ),
    onDeath: (words, dead, g) => {
      g[G.INSIDE] &= ~(1 << dead);
      words[SLEEPS_AT + dead] = words[WOKEN_AT + dead] = 0;
    },
    progress: true,
    ...fate,
  };
}

holds(
  "lock: L1 L2 L3: three workers, nobody dies, no timeout is needed",
  model({ timeouts: false }, {}),
);
holds("lock: L1 L2 L4 L5: three workers, two kills", model({}, { kills: 2 }));
holds(
  "lock: L1 L2: a worker stops anywhere, nothing is stolen",
  model({}, { stops: 1, progress: false }),
);

const lively = { kills: 1, progress: false };
caught("lock without the question: robs the living", model({ ask: false }, lively), /two inside/);
caught(
  "lock taken over from any word: robs the next owner",
  model({ exact: false }, lively),
  /two inside/,
);
caught("lock without repair", model({ repairs: false }, { kills: 1 }), /half an update/);
caught(
  "lock taken without the waiters bit: the second waiter sleeps on",
  model({ conservative: false, timeouts: false }, {}),
  /nobody can go on|never comes/,
);
caught(
  "lock whose futex does not compare: a wake-up before the sleep is lost",
  model({ compares: false, timeouts: false }, {}),
  /nobody can go on|never comes/,
);
caught(
  "lock released by load and store: a waiters bit set in between is lost",
  model({ exchanges: false, timeouts: false }, {}),
  /nobody can go on|never comes/,
);

/**
 * The explorer against litmus tests whose answers are known: what each order permits and forbids.
 * A model checker that forbids too much would call every protocol right.
 */
import assert from "node:assert/strict";
import {
  acquire,
  again,
  enumerate,
  exchange,
  explore,
  fence,
  fetchAdd,
  ghost,
  kernel,
  load,
  lock,
  type Model,
  type Op,
  type Process,
  quiet,
  release,
  store,
  unlock,
} from "./explorer.ts";

const { X, Y } = enumerate("X", "Y");
const locations = ["X", "Y"];

/** Is an outcome of two registers reachable? */
function reachable(
  one: () => Process,
  two: () => Process,
  outcome: [number, number],
  memory: Model["memory"] = "weak",
): boolean {
  const { violation } = explore({
    locations,
    memory,
    processes: { one, two },
    ghostWords: 2,
    finally: (g) => g[0] === outcome[0] && g[1] === outcome[1] ? "seen" : undefined,
  });
  return violation !== undefined;
}
const keep = (index: number, value: number) =>
  ghost((g) => {
    g[index] = value;
  });

function messagePassing(publish: Op[], first: Op, between?: Op): boolean {
  return reachable(
    function* () {
      for (const op of publish) yield op;
    },
    function* () {
      yield keep(0, yield first);
      if (between) yield between;
      yield keep(1, yield load(X));
    },
    [1, 0],
  );
}

Deno.test("message passing: a flag may be seen before the data unless both sides say otherwise", () => {
  assert.equal(messagePassing([store(X, 1), store(Y, 1)], load(Y)), true);
  assert.equal(messagePassing([store(X, 1), release(Y, 1)], load(Y)), true);
  assert.equal(messagePassing([store(X, 1), store(Y, 1)], acquire(Y)), true);
  assert.equal(messagePassing([store(X, 1), release(Y, 1)], acquire(Y)), false);
  assert.equal(messagePassing([store(X, 1), fence("release"), store(Y, 1)], acquire(Y)), false);
  assert.equal(messagePassing([store(X, 1), release(Y, 1)], load(Y), fence("acquire")), false);
  assert.equal(messagePassing([release(X, 1), store(Y, 1)], acquire(Y)), true);
});

Deno.test("message passing: a read-modify-write continues the release sequence", () => {
  const outcome = (by: Op) =>
    reachable(
      function* () {
        yield store(X, 1);
        yield release(Y, 1);
      },
      function* () {
        yield keep(0, (yield by) === 1 ? 1 : 0);
        yield keep(1, yield load(X));
      },
      [1, 0],
    );
  assert.equal(outcome(fetchAdd(Y, 1)), false);
  assert.equal(outcome(exchange(Y, 5)), false);
});

Deno.test("store buffering: both loads may miss both stores, even with release and acquire", () => {
  const outcome = (write: (at: number) => Op, middle?: Op, memory: Model["memory"] = "weak") => {
    const side = (mine: number, other: number, index: number) =>
      function* (): Process {
        yield write(mine);
        if (middle) yield middle;
        yield keep(index, yield acquire(other));
      };
    return reachable(side(X, Y, 0), side(Y, X, 1), [0, 0], memory);
  };
  assert.equal(outcome((at) => store(at, 1)), true);
  assert.equal(outcome((at) => release(at, 1)), true);
  assert.equal(outcome((at) => store(at, 1), fence("full")), false);
  assert.equal(outcome((at) => store(at, 1), undefined, "sc"), false);
});

Deno.test("coherence: one location never goes back, and atomic additions are never lost", () => {
  const writer = function* (): Process {
    yield store(X, 1);
    yield store(X, 2);
  };
  const reader = function* (): Process {
    yield keep(0, yield load(X));
    yield keep(1, yield load(X));
  };
  assert.equal(reachable(writer, reader, [1, 2]), true);
  assert.equal(reachable(writer, reader, [2, 1]), false);
  const twice = function* (): Process {
    yield fetchAdd(X, 1);
    yield fetchAdd(X, 1);
  };
  const { violation } = explore({
    locations,
    memory: "weak",
    processes: { one: twice, two: twice },
    finally: (_, last) => last(X) === 4 ? undefined : "lost",
  });
  assert.equal(violation, undefined);
});

Deno.test("death: a dead owner's lock is taken with all its stores, a stopped one's is not", () => {
  const { STORED } = enumerate("STORED");
  const model = (fate: Partial<Model>): Model => ({
    locations,
    memory: "weak",
    ghostWords: 1,
    processes: {
      *first() {
        yield lock(Y);
        yield store(X, 1);
        yield keep(STORED, 1);
        yield unlock(Y);
      },
      *second() {
        yield lock(Y);
        const x = yield load(X);
        yield ghost((g) => g[STORED] !== x ? "not what was stored" : undefined);
      },
    },
    ...fate,
  });
  assert.equal(explore(model({ kills: 1, mortal: ["first"] })).violation, undefined);
  const stopped = explore(model({ stops: 1, mortal: ["first"], progress: true })).violation;
  assert.match(stopped!.message, /nobody can go on|never comes to an end/);
});

Deno.test("progress: a loop that can be left is fine, one that cannot is found", () => {
  const spin: Record<number, () => Process> = {};
  for (const until of [1, 2]) {
    spin[until] = function* () {
      if ((yield load(X)) !== until) return again(spin[until]);
    };
  }
  const model = (until: number): Model => ({
    locations,
    memory: "sc",
    progress: true,
    processes: {
      *writer() {
        yield store(X, 1);
      },
      waiter: spin[until],
    },
  });
  assert.equal(explore(model(1)).violation, undefined);
  assert.match(explore(model(2)).violation!.message, /never comes to an end/);
});

Deno.test("system calls and quiet points see everything that was stored before them", () => {
  const { violation } = explore({
    locations,
    memory: "weak",
    kernelWords: 1,
    processes: {
      *writer() {
        yield store(X, 1);
        yield kernel("post", (words) => words[0] = 1);
      },
      *waiter() {
        yield kernel("await", (words) => words[0] === 0 ? undefined : 1);
        const x = yield load(X);
        yield ghost(() => x === 1 ? undefined : "not seen after the call");
      },
      *last() {
        yield quiet();
        const x = yield load(X);
        yield ghost(() => x === 1 ? undefined : "not seen when quiet");
      },
    },
  });
  assert.equal(violation, undefined);
});

Deno.test("owned locations: fewer states, the same outcomes", () => {
  const names = ["X", "Y", "L"];
  const L = 2;
  const explored = (owned: Model["owned"]) => {
    const outcomes = new Set<string>();
    const { states, violation } = explore({
      locations: names,
      memory: "weak",
      kills: 1,
      owned,
      ghostWords: 4,
      processes: {
        *first() {
          yield lock(L);
          yield store(X, 1);
          yield release(Y, 1);
          yield fence("release");
          yield store(X, 2);
          yield unlock(L);
        },
        *second() {
          yield lock(L);
          yield store(Y, (yield load(X)) + 2);
          yield unlock(L);
        },
        *reader() {
          yield keep(0, yield load(X));
          yield keep(1, yield acquire(Y));
          yield keep(2, yield load(X));
          yield fence("acquire");
          yield keep(3, yield load(Y));
        },
      },
      finally: (g) => void outcomes.add(g.join()),
    });
    assert.equal(violation, undefined);
    return { states, outcomes: [...outcomes].sort() };
  };
  const all = explored(undefined);
  const reduced = explored({ [X]: ["first", "second"], [Y]: ["first", "second"] });
  assert.deepEqual(reduced.outcomes, all.outcomes);
  assert.ok(reduced.states < all.states, `${reduced.states} of ${all.states}`);
});

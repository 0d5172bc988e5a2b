// Additions that are made without a call (ffi/direct.ts): as exact as others, and over when anything
// ends the use of a cell. What the order of accesses may do is in tests/models.

import assert from "node:assert/strict";
import { isDirect, noCell } from "../ffi/direct.ts";
import * as native from "../ffi/native.ts";
import { PrometheusTinyShared, StoreError } from "../mod.ts";
import { seriesKey } from "../src/labels.ts";
import { Store } from "../src/store.ts";
import { counted, type Task } from "./direct_thread.ts";
import { isEmulated } from "./emulated.ts";
import { open, temporaryFolder } from "./opening.ts";

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function privateStore(): Store & Disposable {
  const store = new Store({
    ...{ filename: undefined, initFile: false, permissions: undefined },
    ...{ maxWorkers: undefined, capacity: undefined, onWarning: assert.fail },
  });
  return Object.assign(store, { [Symbol.dispose]: () => store.close() });
}

/** A series that was added to once, so that its cell can be found. */
function addedTo(store: Store, name = "v") {
  const handle = store.series(native.Kind.value, seriesKey(name, []));
  assert.equal(native.add(store.attachment, handle, 1), 0);
  const cell = store.cells.find(handle);
  assert.equal(cell !== noCell, isDirect);
  return { handle, cell, value: () => store.value(handle)?.value };
}

const where = { ignore: !isDirect };

Deno.test("DirectCell.add() adds what pts_add would", where, () => {
  using store = privateStore();
  const { handle, cell, value } = addedTo(store);
  for (const amount of [0.5, 2, -4, 1e300, -1e300, 2 ** 53]) {
    const before = value()!;
    assert.equal(cell.add(amount), true);
    assert.equal(value(), before + amount);
  }
  native.add(store.attachment, handle, -(2 ** 53));
  assert.equal(cell.add(Infinity), true);
  assert.equal(value(), Infinity);
  assert.equal(cell.add(-Infinity), true);
  assert.ok(Number.isNaN(value()));
});

Deno.test(
  "DirectCell.add() does nothing once its series was removed, cleared or set",
  where,
  () => {
    using store = privateStore();
    const endings: [string, (handle: number) => void, number | undefined][] = [
      ["removed", (handle) => store.remove(handle), undefined],
      ["cleared", () => store.clear(), undefined],
      ["set", (handle) => assert.equal(native.set(store.attachment, handle, 7), 0), 7],
    ];
    for (const [name, end, left] of endings) {
      const { handle, cell, value } = addedTo(store, name);
      assert.equal(cell.add(1), true);
      end(handle);
      assert.equal(cell.add(1), false);
      assert.equal(value(), left);
      native.add(store.attachment, handle, 5);
      assert.equal(cell.add(1), false);
      assert.equal(store.cells.find(handle) === noCell, name === "set");
      assert.equal(value(), (left ?? 0) + 5);
    }
  },
);

Deno.test("DirectCell.add() does nothing once its store is closed, and others go on", where, () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using kept = new PrometheusTinyShared({ filename });
  const prom = new PrometheusTinyShared({ filename });
  const [mine, others] = [kept, prom].map((prom) => counted(prom).labels({ of: "all" }));
  for (let i = 0; i < 5; i++) {
    mine.inc();
    others.inc();
  }
  prom.close();
  assert.throws(
    () => others.inc(),
    (error) => error instanceof StoreError && error.code === "CLOSED",
  );
  mine.inc();
  assert.equal(mine.value(), 11);

  using store = privateStore();
  const { cell } = addedTo(store);
  store.close();
  assert.equal(cell.add(1), false);
});

Deno.test("children of thousands of series are exact, wherever their cells are", () => {
  using prom = new PrometheusTinyShared();
  const counters = prom.counter("c_total", { labelNames: ["n"] });
  const gauges = prom.gauge("g", { labelNames: ["n"] });
  const count = isEmulated ? 2500 : 10_000;
  const children = Array.from(
    { length: count },
    (_, n) => [counters.labels({ n }), gauges.labels({ n })] as const,
  );
  for (let round = 0; round < 4; round++) {
    for (const [n, [counter, gauge]] of children.entries()) {
      counter.inc(n);
      gauge.inc(n / 4);
      gauge.dec(1);
    }
  }
  for (const [n, [counter, gauge]] of children.entries()) {
    assert.equal(counter.value(), 4 * n);
    assert.equal(gauge.value(), n - 4);
  }
});

Deno.test("a child whose room was given to other labels adds to its own again", () => {
  using prom = new PrometheusTinyShared({ cacheArgs: { cacheSize: "64k" } }); // 128 series and names
  const metric = prom.counter("c_total", { labelNames: ["n"] });
  const kept = Array.from({ length: 100 }, (_, n) => metric.labels({ n: `kept ${n}` }));
  const add = () => {
    for (let i = 0; i < 3; i++) for (const child of kept) child.inc();
  };
  for (let round = 0; round < 5; round++) {
    add();
    assert.ok(kept.every((child) => child.value() === 3));
    assert.equal(metric.removeMatching({}), 100);
    // They take the room, and are never added to by those that had it.
    const others = Array.from({ length: 100 }, (_, n) => metric.labels({ n: `${round} ${n}` }));
    for (const other of others) other.inc(1000);
    assert.ok(others.every((other) => other.value() === 1000));
    assert.equal(metric.removeMatching({}), 100);
    add();
    assert.ok(kept.every((child) => child.value() === 3));
    metric.removeMatching({});
  }
});

Deno.test("a child that is removed, cleared, set or declared to expire in between goes on", () => {
  using prom = new PrometheusTinyShared();
  const gauges = prom.gauge("g", { labelNames: ["n"] });
  const gauge = gauges.labels({ n: 1 });
  for (let i = 0; i < 3; i++) gauge.inc();
  gauges.remove({ n: 1 });
  for (let i = 0; i < 3; i++) gauge.inc();
  assert.equal(gauge.value(), 3);
  prom.clear();
  for (let i = 0; i < 3; i++) gauge.inc(2);
  assert.equal(gauge.value(), 6);
  prom.set("g", 10, { n: 1 });
  for (let i = 0; i < 3; i++) gauge.dec();
  assert.equal(gauge.value(), 7);
  const leaving = prom.counter("leaving_total", { labelNames: ["n"], ttl: "1h" }).labels({ n: 1 });
  for (let i = 0; i < 5; i++) leaving.inc();
  assert.equal(leaving.value(), 5);
});

Deno.test(
  "a child of a metric that got its ttl after its first update stays while it is updated",
  where,
  async () => {
    using prom = new PrometheusTinyShared();
    prom.inc("late_total", { n: 1 });
    const child = prom.counter("late_total", { labelNames: ["n"], ttl: "400ms" }).labels({ n: 1 });
    for (let i = 1; i <= 60; i++) {
      child.inc();
      prom.format(); // marks it, and lets it leave 400 ms after that
      await sleep(20);
      assert.equal(child.value(), 1 + i);
    }
  },
);

Deno.test("an addition that was made does not fail for want of a cell", () => {
  using prom = new PrometheusTinyShared();
  const child = prom.counter("c_total", { labelNames: ["n"] }).labels({ n: 1 });
  const querySync = Deno.permissions.querySync;
  Deno.permissions.querySync = () => assert.fail("taken away");
  try {
    for (let i = 0; i < 4; i++) child.inc();
  } finally {
    Deno.permissions.querySync = querySync;
  }
  assert.equal(child.value(), 4);
});

/** A loop of `times` additions in a thread; removes the series in its midst. Whether it was in time. */
async function removeInLoop(filename: string, times: number): Promise<boolean> {
  using prom = new PrometheusTinyShared({ filename, initFile: true });
  const metric = counted(prom);
  const child = metric.labels({ of: "all" });
  const worker = new Worker(import.meta.resolve("./direct_thread.ts"), { type: "module" });
  let done = false;
  const end = new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = reject;
  }).finally(() => done = true);
  worker.postMessage({ filename, times } satisfies Task);
  while (child.value() < 200_000 && !done) await sleep(1);
  const before = child.value();
  metric.remove({ of: "all" });
  const early = !done;
  await end;
  worker.terminate();
  const after = child.value();
  assert.ok(after <= times + 100_000 - before, `${before} and ${after} of ${times}`);
  // A compiled loop that never looked again would have added to what is gone.
  if (early && before + after < times / 2) {
    assert.ok(after > 0, `${before}, then nothing, of ${times}`);
  }
  return early && after > 0;
}

Deno.test("a loop of additions sees that its series was removed by another thread", async () => {
  using folder = temporaryFolder();
  let times = isEmulated ? 400_000 : 100_000_000;
  // Longer, where the loop was over before anybody could remove anything.
  for (let tries = 1;; tries++, times *= 2) {
    if (await removeInLoop(`${folder.path}/metrics`, times)) return;
    assert.ok(tries < 4, "no loop was interrupted");
  }
});

Deno.test("a program that gives --allow-ffi back goes on counting, without being asked", async () => {
  using folder = temporaryFolder();
  const output = await open({
    flags: ["-A"],
    env: { PROMETHEUS_TINY_SHARED_DIR: folder.path },
    module: import.meta.resolve("./direct_permission_main.ts"),
  });
  assert.equal(output, "10 true");
});

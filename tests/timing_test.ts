import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";

/** A clock of performance.now() that only the test moves. */
function fakeClock() {
  const real = performance.now;
  const clock = { now: 0, [Symbol.dispose]: () => void (performance.now = real) };
  performance.now = () => clock.now;
  return clock;
}

function setUp() {
  const prom = new PrometheusTinyShared();
  return {
    prom,
    histogram: prom.histogram("h", { labelNames: ["a"] }),
    plain: prom.histogram("plain"),
    gauge: prom.gauge("g", { labelNames: ["a"] }),
    plainGauge: prom.gauge("plain_gauge"),
    [Symbol.dispose]: () => prom.close(),
  };
}

Deno.test("Histogram.time() observes what ordinary work took, and returns its result", () => {
  using clock = fakeClock();
  using t = setUp();
  const work = () => {
    clock.now += 250;
    return "result";
  };
  assert.equal(t.plain.time(work), "result");
  assert.deepEqual(t.plain.value(), { count: 1, sum: 0.25 });
  assert.equal(t.histogram.time({ a: "x" }, work), "result");
  assert.equal(t.histogram.labels({ a: "x" }).time(work), "result");
  assert.deepEqual(t.histogram.value({ a: "x" }), { count: 2, sum: 0.5 });
  t.plain.labels({}).time(work);
  assert.equal(t.plain.value().count, 2);
});

Deno.test("Histogram.time() observes async work until its promise is settled", async () => {
  using clock = fakeClock();
  using t = setUp();
  const gate = Promise.withResolvers<number>();
  const result = t.plain.time(() => gate.promise);
  assert(result instanceof Promise);
  assert.equal(t.plain.value().count, 0);
  clock.now += 2000;
  gate.resolve(42);
  assert.equal(await result, 42);
  assert.deepEqual(t.plain.value(), { count: 1, sum: 2 });
});

Deno.test("Histogram.time() observes work that throws or rejects, and throws on", async () => {
  using clock = fakeClock();
  using t = setUp();
  const error = new Error("broken");
  const thrower = () => {
    clock.now += 1000;
    throw error;
  };
  assert.throws(() => t.plain.time(thrower), (thrown) => thrown === error);
  assert.deepEqual(t.plain.value(), { count: 1, sum: 1 });
  // deno-lint-ignore require-await -- it rejects
  await assert.rejects(t.plain.time(async () => thrower()), (thrown) => thrown === error);
  assert.deepEqual(t.plain.value(), { count: 2, sum: 2 });
});

Deno.test("time() waits for anything that has a then()", async () => {
  using clock = fakeClock();
  using t = setUp();
  const query = {
    // As query builders are.
    then(resolve: (rows: number) => void) {
      clock.now += 500;
      resolve(7);
    },
  };
  assert.equal(await t.plain.time(() => query), 7);
  assert.deepEqual(t.plain.value(), { count: 1, sum: 0.5 });
});

Deno.test("time() of wrong labels or no function throws before any work is done", () => {
  using t = setUp();
  const never = () => assert.fail("work was done");
  assert.throws(() => t.histogram.time(never), { message: /label "a" is missing/ });
  assert.throws(() => t.histogram.time({ b: 1 } as never, never), /label "a" is missing/);
  assert.throws(() => t.gauge.time({} as never, never), /label "a" is missing/);
  assert.throws(() => t.gauge.trackInProgress(never), /label "a" is missing/);
  const cases: [() => unknown, RegExp][] = [
    [() => t.plain.time(undefined as never), /time\(\) of plain needs a function, not undefined/],
    [() => t.histogram.time({ a: 1 }, 5 as never), /time\(\) of h needs a function, not 5/],
    [() => t.gauge.time({ a: 1 }, undefined as never), /time\(\) of g needs a function/],
    [
      () => t.plainGauge.trackInProgress("x" as never),
      /trackInProgress\(\) of plain_gauge needs a function, not "x"/,
    ],
  ];
  for (const [call, message] of cases) assert.throws(call, { name: "TypeError", message });
  assert.equal(t.plain.value().count, 0);
});

Deno.test("time() throws the work's own error, not that the store was closed meanwhile", async () => {
  using t = setUp();
  const error = new Error("broken");
  const broken = t.plain.time(async () => {
    await null;
    t.prom.close();
    throw error;
  });
  await assert.rejects(broken, (thrown) => thrown === error);
});

Deno.test("Gauge.time() sets the gauge to what the work took", async () => {
  using clock = fakeClock();
  using t = setUp();
  t.plainGauge.set(99);
  t.plainGauge.time(() => clock.now += 1500);
  assert.equal(t.plainGauge.value(), 1.5);
  await t.gauge.time({ a: "x" }, async () => {
    await null;
    clock.now += 500;
  });
  assert.equal(t.gauge.value({ a: "x" }), 0.5);
});

Deno.test("Gauge.trackInProgress() counts work while it goes on", async () => {
  using t = setUp();
  const gates = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  const results = gates.map((gate) => t.gauge.trackInProgress({ a: "x" }, () => gate.promise));
  assert.equal(t.gauge.value({ a: "x" }), 2);
  gates[0].resolve("done");
  assert.equal(await results[0], "done");
  assert.equal(t.gauge.value({ a: "x" }), 1);
  gates[1].reject(new Error("broken"));
  await assert.rejects(results[1], /broken/);
  assert.equal(t.gauge.value({ a: "x" }), 0);

  assert.equal(t.plainGauge.trackInProgress(() => t.plainGauge.value()), 1);
  assert.throws(() =>
    t.plainGauge.trackInProgress(() => {
      throw new Error("broken");
    }), /broken/);
  assert.equal(t.plainGauge.value(), 0);
});

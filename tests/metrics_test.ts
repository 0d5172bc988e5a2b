import assert from "node:assert/strict";
import { type LabelsOf, PrometheusTinyShared, StoreError } from "../mod.ts";

function open(options = {}) {
  const warnings: string[] = [];
  const prom = new PrometheusTinyShared({ onWarning: (text) => warnings.push(text), ...options });
  return { prom, warnings, [Symbol.dispose]: () => prom.close() };
}

/** Replaces a clock until disposed. */
function fakeClock(host: { now(): number }) {
  const real = host.now;
  const clock = { now: 0, [Symbol.dispose]: () => void (host.now = real) };
  host.now = () => clock.now;
  return clock;
}

/** Labels that the types would not let through. */
const wrong = (labels: unknown) => labels as LabelsOf<string>;

// ---- counters

Deno.test("Counter without labels exists with 0 from its construction", () => {
  using t = open();
  const counter = t.prom.counter("c_total", { help: "Things." });
  assert.equal(t.prom.format(), "# HELP c_total Things.\n# TYPE c_total counter\nc_total 0\n");
  counter.inc();
  counter.inc(2.5);
  assert.equal(counter.value(), 3.5);
  t.prom.counter("c_total", { help: "Things." });
  assert.equal(counter.value(), 3.5);
});

Deno.test("Counter with labels has no series before its first update", () => {
  using t = open();
  const counter = t.prom.counter("c_total", { labelNames: ["a", "b"] });
  const child = counter.labels({ a: "1", b: 2 });
  assert.equal(t.prom.format(), "# TYPE c_total counter\n");
  assert.equal(child.value(), 0);
  child.inc();
  counter.inc({ b: "2", a: 1 }, 2);
  counter.labels({ a: "1", b: "2" }).inc();
  assert.equal(t.prom.format(), '# TYPE c_total counter\nc_total{a="1",b="2"} 4\n');
  assert.equal(counter.value({ a: "1", b: "2" }), 4);
  assert.equal(counter.name, "c_total");
});

Deno.test("Counter.labels() gives the same child for the same labels", () => {
  using t = open();
  const counter = t.prom.counter("c_total", { labelNames: ["a"] });
  assert.equal(counter.labels({ a: "x" }), counter.labels({ a: "x" }));
});

Deno.test("Counter.inc() refuses to go down, NaN and infinity; the store is as before", () => {
  using t = open();
  const counter = t.prom.counter("c_total");
  counter.inc(5);
  for (const amount of [-1, -0.5, -Infinity, NaN, Infinity]) {
    assert.throws(() => counter.inc(amount), { name: "RangeError", message: /counter c_total/ });
  }
  for (const amount of ["1", null, true, 1n, []]) {
    assert.throws(() => counter.inc(amount as never), TypeError, String(amount));
  }
  assert.equal(counter.value(), 5);
});

Deno.test("Counter.labels() names missing and unexpected labels", () => {
  using t = open();
  const counter = t.prom.counter("c_total", { labelNames: ["method", "route"] });
  const cases: [unknown, RegExp][] = [
    [{ method: "x" }, /c_total: label "route" is missing; its labels are: method, route/],
    [{ method: "x", route: undefined }, /"route" is missing/],
    [{ method: "x", route: null }, /"route" is missing/],
    [{ method: "x", route: "y", verb: "z" }, /label "verb" is unexpected/],
    [{ method: "x", verb: "z" }, /"route" is missing, label "verb" is unexpected/],
    [{ method: "x", route: {} }, /label "route" must be a string/],
    ["x", /labels must be an object/],
    [[], /labels must be an object/],
  ];
  for (const [labels, message] of cases) {
    for (const call of [() => counter.labels(wrong(labels)), () => counter.value(wrong(labels))]) {
      assert.throws(call, { name: "TypeError", message });
    }
  }
  assert.throws(() => counter.inc(), { message: /"method" is missing, label "route" is missing/ });
  assert.throws(() => counter.inc(5), TypeError);
  const plain = t.prom.counter("plain_total");
  assert.throws(() => plain.inc(wrong({ a: 1 })), { message: /"a" is unexpected.*are: none/ });
});

Deno.test("Counter.remove() takes a series out; its next update starts from zero", () => {
  using t = open();
  const counter = t.prom.counter("c_total", { labelNames: ["a"] });
  const child = counter.labels({ a: "x" });
  child.inc(5);
  counter.inc({ a: "y" });
  counter.remove({ a: "x" });
  counter.remove({ a: "x" });
  counter.remove({ a: "never" });
  assert.equal(t.prom.format(), '# TYPE c_total counter\nc_total{a="y"} 1\n');
  assert.equal(child.value(), 0);
  child.inc(2);
  assert.equal(counter.value({ a: "x" }), 2);
});

Deno.test("Counter and the untyped methods are one series, with default labels too", () => {
  using t = open({ defaultLabels: { env: "test" } });
  const counter = t.prom.counter("c_total", { labelNames: ["a"] });
  counter.inc({ a: "x" });
  t.prom.inc("c_total", { a: "x" });
  assert.equal(t.prom.format(), '# TYPE c_total counter\nc_total{a="x",env="test"} 2\n');
  assert.equal(counter.value({ a: "x" }), 2);
});

Deno.test("Counter children survive clear()", () => {
  using t = open();
  const child = t.prom.counter("c_total", { labelNames: ["a"] }).labels({ a: "x" });
  child.inc(3);
  t.prom.clear();
  assert.equal(child.value(), 0);
  child.inc();
  assert.equal(t.prom.format(), '# TYPE c_total counter\nc_total{a="x"} 1\n');
});

Deno.test("counter() with another declaration than before throws MISMATCH", () => {
  using t = open();
  t.prom.gauge("g", { help: "x" });
  assert.throws(() => t.prom.counter("g", { help: "x" }), (error) => {
    return error instanceof StoreError && error.code === "MISMATCH" &&
      /type was "gauge", is now "counter"/.test(error.message);
  });
  assert.throws(() => t.prom.gauge("g", { help: "x", mode: "livesum" }), { code: "MISMATCH" });
});

Deno.test("counter(), gauge() and histogram() refuse invalid names and options", () => {
  using t = open();
  const { prom } = t;
  for (const type of ["counter", "gauge", "histogram"] as const) {
    const attempt = (name: unknown, options?: unknown) => () =>
      prom[type](name as string, options as never);
    assert.throws(attempt("a-b"), TypeError);
    assert.throws(attempt(5), TypeError);
    assert.throws(attempt("a", { labelNames: "x" }), TypeError);
    assert.throws(attempt("a", { labelNames: ["a-b"] }), TypeError);
    assert.throws(attempt("a", { labelNames: ["x", "x"] }), TypeError);
    assert.throws(attempt("a", { help: 5 }), TypeError);
    assert.throws(attempt("a", { labels: [] }), { message: /labels.*help, unit, labelNames/ });
    assert.throws(attempt("a", null), TypeError);
  }
  assert.throws(() => prom.gauge("a", { mode: "average" as never }), TypeError);
  assert.throws(() => prom.histogram("a", { labelNames: ["le"] }), TypeError);
  assert.throws(() => prom.histogram("a", { buckets: [2, 1] }), RangeError);
  assert.equal(prom.format(), "");
});

Deno.test("Counter children on a full store drop and do not throw", () => {
  using t = open({ cacheArgs: { cacheSize: "64k" } });
  const counter = t.prom.counter("c_total", { labelNames: ["i"] });
  for (let i = 0; t.warnings.length === 0; i++) counter.labels({ i }).inc();
  const child = counter.labels({ i: "more" });
  child.inc();
  child.inc();
  assert.equal(child.value(), 0);
  assert.equal(counter.value({ i: 0 }), 1);
  assert.equal(t.warnings.length, 1);
  assert.match(t.prom.format(), /^prometheus_tiny_dropped_updates_total 3$/m);
});

// ---- gauges

Deno.test("Gauge goes up, down, and is set", () => {
  using t = open();
  const gauge = t.prom.gauge("g", { help: "x" });
  assert.equal(t.prom.format(), "# HELP g x\n# TYPE g gauge\ng 0\n");
  gauge.inc();
  gauge.inc(4);
  gauge.dec();
  gauge.dec(0.5);
  assert.equal(gauge.value(), 3.5);
  gauge.set(-2);
  gauge.inc();
  assert.equal(gauge.value(), -1);
  gauge.set(Infinity);
  assert.equal(gauge.value(), Infinity);
  gauge.set(NaN);
  assert.match(t.prom.format(), /^g NaN$/m);
});

Deno.test("Gauge with labels", () => {
  using t = open();
  const gauge = t.prom.gauge("g", { labelNames: ["a"] });
  gauge.set({ a: "x" }, 5);
  gauge.inc({ a: "x" });
  gauge.inc({ a: "x" }, 2);
  gauge.dec({ a: "x" });
  gauge.dec({ a: "y" }, 2);
  assert.equal(t.prom.format(), '# TYPE g gauge\ng{a="x"} 7\ng{a="y"} -2\n');
  gauge.remove({ a: "x" });
  assert.equal(t.prom.format(), '# TYPE g gauge\ng{a="y"} -2\n');
});

Deno.test("Gauge refuses what is not a number", () => {
  using t = open();
  const gauge = t.prom.gauge("g");
  gauge.set(1);
  for (const value of ["2", undefined, null, true, 1n] as never[]) {
    assert.throws(() => gauge.set(value), {
      name: "TypeError",
      message: /the value for g must be/,
    });
    if (value !== undefined) {
      assert.throws(() => gauge.inc(value), TypeError);
      assert.throws(() => gauge.dec(value), TypeError);
    }
  }
  assert.equal(gauge.value(), 1);
});

Deno.test("Gauge.setToCurrentTime() sets seconds since 1970", () => {
  using t = open();
  using clock = fakeClock(Date);
  clock.now = 1700000000123;
  const gauge = t.prom.gauge("g", { labelNames: ["a"] });
  gauge.setToCurrentTime({ a: "x" });
  assert.equal(gauge.value({ a: "x" }), 1700000000.123);
});

Deno.test("Gauge.startTimer() sets and returns the seconds, with labels from both ends", () => {
  using t = open();
  using clock = fakeClock(performance);
  const gauge = t.prom.gauge("g", { labelNames: ["a", "b"] });
  const end = gauge.startTimer({ a: "x" });
  clock.now = 1500;
  assert.equal(end({ b: "y" }), 1.5);
  assert.equal(gauge.value({ a: "x", b: "y" }), 1.5);
  const plain = t.prom.gauge("p");
  const endPlain = plain.startTimer();
  clock.now = 2000;
  assert.equal(endPlain(), 0.5);
  assert.equal(plain.value(), 0.5);
  const endChild = gauge.labels({ a: "1", b: "2" }).startTimer();
  clock.now = 4000;
  assert.equal(endChild(), 2);
});

Deno.test("Gauge modes put living workers together, and a worker's value leaves with it", () => {
  const folder = Deno.makeTempDirSync();
  const filename = `${folder}/store`;
  const worker = (values: number) => {
    const prom = new PrometheusTinyShared({ filename });
    const gauges = (["livesum", "livemin", "livemax"] as const).map((mode) => {
      const gauge = prom.gauge(`g_${mode}`, { mode });
      gauge.set(values);
      return gauge;
    });
    return { prom, gauges };
  };
  const one = worker(2);
  const other = worker(5);
  const all = () => one.gauges.map((gauge) => gauge.value());
  assert.deepEqual(all(), [7, 2, 5]);
  assert.match(one.prom.format(), /g_livemax 5\n.*\ng_livemin 2\n.*\ng_livesum 7\n/);
  other.gauges.forEach((gauge) => gauge.inc(-4));
  assert.deepEqual(all(), [3, 1, 2]);
  one.prom.inc("g_livesum"); // the untyped methods know the mode
  assert.deepEqual(all(), [4, 1, 2]);
  other.prom.close();
  assert.deepEqual(all(), [3, 2, 2]);
  assert.match(one.prom.format(), /g_livemax 2\n.*\ng_livemin 2\n.*\ng_livesum 3\n/);
  one.prom.close();
  Deno.removeSync(folder, { recursive: true });
});

// ---- histograms

Deno.test("Histogram without labels exists, empty, from its construction", () => {
  using t = open();
  const histogram = t.prom.histogram("h", { buckets: [1, 2] });
  histogram.observe(1.5);
  histogram.observe(2);
  histogram.observe(9);
  assert.equal(
    t.prom.format(),
    `# TYPE h histogram
h_bucket{le="1"} 0
h_bucket{le="2"} 2
h_bucket{le="+Inf"} 3
h_count 3
h_sum 12.5
`,
  );
  assert.deepEqual(histogram.value(), { count: 3, sum: 12.5 });
  const empty = t.prom.histogram("i", { buckets: [1] });
  assert.deepEqual(empty.value(), { count: 0, sum: 0 });
  assert.match(t.prom.format(), /i_bucket\{le="1"\} 0\ni_bucket\{le="\+Inf"\} 0\ni_count 0\n/);
});

Deno.test("Histogram with labels, and its remove() and zero()", () => {
  using t = open();
  const histogram = t.prom.histogram("h", { buckets: [], labelNames: ["a"] });
  histogram.observe({ a: "x" }, 5);
  histogram.labels({ a: "x" }).observe(1);
  histogram.zero({ a: "y" });
  assert.deepEqual(histogram.value({ a: "x" }), { count: 2, sum: 6 });
  assert.match(t.prom.format(), /^h_count\{a="x"\} 2\nh_count\{a="y"\} 0$/m);
  histogram.remove({ a: "x" });
  histogram.zero({ a: "y" });
  assert.doesNotMatch(t.prom.format(), /a="x"/);
  assert.deepEqual(histogram.value({ a: "x" }), { count: 0, sum: 0 });
});

Deno.test("Histogram.observe() refuses what its sum would not recover from", () => {
  using t = open();
  const histogram = t.prom.histogram("h");
  for (const value of [NaN, Infinity, -Infinity]) {
    assert.throws(() => histogram.observe(value), RangeError);
  }
  for (const value of ["1", undefined, null, 1n] as never[]) {
    assert.throws(() => histogram.observe(value), TypeError);
  }
  assert.deepEqual(histogram.value(), { count: 0, sum: 0 });
  histogram.observe(-1);
  assert.deepEqual(histogram.value(), { count: 1, sum: -1 });
});

Deno.test("Histogram.startTimer() observes and returns the seconds", () => {
  using t = open();
  using clock = fakeClock(performance);
  const histogram = t.prom.histogram("h", { labelNames: ["a"] });
  const end = histogram.startTimer();
  clock.now = 250;
  assert.equal(end({ a: "x" }), 0.25);
  assert.deepEqual(histogram.value({ a: "x" }), { count: 1, sum: 0.25 });
  const endChild = histogram.labels({ a: "x" }).startTimer();
  clock.now = 500;
  assert.equal(endChild(), 0.25);
  assert.deepEqual(histogram.value({ a: "x" }), { count: 2, sum: 0.5 });
});

Deno.test("Histogram and histogramObserve() are one series", () => {
  using t = open();
  const histogram = t.prom.histogram("h", { buckets: ["1", 5, Infinity] });
  t.prom.histogramObserve("h", 3);
  histogram.observe(3);
  assert.deepEqual(histogram.value(), { count: 2, sum: 6 });
});

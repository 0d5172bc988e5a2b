// Series that come and go: removal, expiry, their room, and how many a metric may have.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { checkMetrics } from "../tools/checker.ts";
import { isEmulated } from "./emulated.ts";

function shared(options: ConstructorParameters<typeof PrometheusTinyShared>[0] = {}) {
  const folder = Deno.makeTempDirSync();
  const filename = `${folder}/metrics`;
  const open = () => new PrometheusTinyShared({ filename, ...options });
  return {
    folder,
    filename,
    open,
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

function healthy(filename: string): void {
  const { result, text: message } = checkMetrics(filename, false);
  assert.equal(result, 0, message);
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** How many labels come and go; there is room for a few hundred. */
const comings = isEmulated ? 4_000 : 20_000;

Deno.test("labels that come and go do not fill the store", () => {
  using store = shared({ cacheArgs: { cacheSize: "256k" } }); // 512 series and names
  using prom = store.open();
  using other = store.open();
  const jobs = prom.gauge("jobs", { labelNames: ["id"] });
  const counts = other.counter("counts_total", { labelNames: ["id"] });
  const sizes = prom.histogram("sizes", { labelNames: ["id"], buckets: [1, 2] });
  for (let i = 0; i < comings; i++) {
    const id = i % 7 === 0 ? `job-${i}-with-a-longer-name` : i;
    jobs.set({ id }, i);
    counts.inc({ id });
    sizes.observe({ id }, i);
    if (i % 1000 === 0) assert.match(prom.format(), new RegExp(`jobs\\{id="${id}"\\} ${i}\n`));
    (i % 2 ? prom : other).gauge("jobs", { labelNames: ["id"] }).remove({ id });
    counts.remove({ id });
    sizes.removeMatching({ id });
  }
  assert.equal(
    prom.format(),
    "# TYPE counts_total counter\n# TYPE jobs gauge\n# TYPE sizes histogram\n",
  );
  healthy(store.filename);
});

Deno.test("kept children of series whose room was given away start from zero, as themselves", () => {
  using store = shared({ cacheArgs: { cacheSize: "64k" } }); // 128 series and names
  using prom = store.open();
  using other = store.open();
  const counter = prom.counter("c_total", { labelNames: ["n"] });
  const kept = counter.labels({ n: "kept" });
  const gauge = prom.gauge("g", { labelNames: ["n"] }).labels({ n: "kept" });
  const histogram = prom.histogram("h", { labelNames: ["n"], buckets: [] }).labels({ n: "kept" });
  kept.inc(5);
  gauge.set(5);
  histogram.observe(5);
  prom.inc("untyped", { n: "kept" });
  prom.set("stamped", 5, { n: "kept" }, 1000);
  other.clear();
  for (let i = 0; i < 2000; i++) {
    other.inc("churn", { i });
    other.set("churned", i, { i });
    other.histogramObserve("h", 1, { n: "x" + i });
    other.clear();
  }
  kept.inc();
  gauge.inc(2);
  histogram.observe(1);
  prom.inc("untyped", { n: "kept" });
  prom.add("stamped", 3, { n: "kept" });
  assert.equal(kept.value(), 1);
  assert.equal(gauge.value(), 2);
  assert.deepEqual(histogram.value(), { count: 1, sum: 1 });
  for (const prometheus of [prom, other]) {
    const lines = prometheus.format().split("\n").filter((line) => line && !line.startsWith("#"));
    assert.deepEqual(lines.filter((line) => !line.startsWith("h_") && !line.includes("dropped")), [
      'c_total{n="kept"} 1',
      'g{n="kept"} 2',
      'stamped{n="kept"} 3',
      'untyped{n="kept"} 1',
    ]);
  }
  healthy(store.filename);
});

Deno.test("removeMatching() takes out what has all the labels, in every worker", () => {
  using store = shared();
  using prom = store.open();
  using other = store.open();
  const names = ["a", "b"] as const;
  const mine = prom.counter("c_total", { labelNames: names });
  const theirs = other.counter("c_total", { labelNames: names });
  for (const a of ["1", "2", 'q",b="1']) for (const b of ["1", "x,y"]) mine.inc({ a, b });
  theirs.inc({ a: "1", b: "1" }, 10);
  assert.equal(theirs.removeMatching({ b: "x,y" }), 3);
  assert.equal(theirs.removeMatching({ b: "x,y" }), 0);
  assert.equal(mine.removeMatching({ a: "1", b: "1" }), 1);
  assert.equal(mine.value({ a: "1", b: "1" }), 0);
  mine.inc({ a: "1", b: "1" });
  assert.equal(theirs.value({ a: "1", b: "1" }), 1);
  assert.equal(mine.removeMatching({}), 3);
  assert.throws(() => mine.removeMatching({ c: "1" } as never), {
    name: "TypeError",
    message: 'c_total: label "c" is unexpected; its labels are: a, b',
  });
});

Deno.test("reset() empties a metric; without labels it is 0 again", () => {
  using prom = new PrometheusTinyShared();
  const plain = prom.counter("plain_total");
  const labelled = prom.gauge("labelled", { labelNames: ["a"] });
  plain.inc(3);
  labelled.set({ a: "1" }, 3);
  plain.reset();
  labelled.reset();
  assert.equal(prom.format(), "# TYPE labelled gauge\n# TYPE plain_total counter\nplain_total 0\n");
});

Deno.test("a series that nobody updates for its ttl leaves; one that is updated stays", async () => {
  using store = shared();
  using prom = store.open();
  using other = store.open();
  const ttlMs = isEmulated ? 5_000 : 1_000; // a busy machine may stand still for a while
  const options = { labelNames: ["a"], ttl: `${ttlMs}ms` } as const;
  const counter = prom.counter("c_total", options);
  const gauge = prom.gauge("g", { ...options, mode: "max" });
  const set = prom.gauge("s", options);
  const histogram = prom.histogram("h", { ...options, buckets: [] });
  const summary = () =>
    prom.format().split("\n").filter((line) => line.includes("{") && !line.includes("bucket"));
  const busy = other.counter("c_total", options).labels({ a: "busy" });
  busy.inc();
  counter.inc({ a: "idle" });
  gauge.set({ a: "idle" }, 1);
  set.set({ a: "idle" }, 1);
  histogram.observe({ a: "idle" }, 1);
  const all = [
    'c_total{a="busy"} 1',
    'c_total{a="idle"} 1',
    'g{a="idle"} 1',
    'h_count{a="idle"} 1',
    'h_sum{a="idle"} 1',
    's{a="idle"} 1',
  ];
  assert.deepEqual(summary(), all); // the first scrape after the updates starts the time
  await sleep(ttlMs / 2);
  busy.inc(0);
  assert.deepEqual(summary(), all);
  await sleep(ttlMs * 0.6);
  assert.deepEqual(summary(), ['c_total{a="busy"} 1']);
  counter.inc({ a: "idle" }); // starts from zero
  busy.inc();
  assert.deepEqual(summary(), ['c_total{a="busy"} 2', 'c_total{a="idle"} 1']);
  healthy(store.filename);
});

Deno.test("maxSeries: what goes beyond is one overflow series, warned about once", () => {
  const warnings: string[] = [];
  using prom = new PrometheusTinyShared({ maxSeries: 3, onWarning: (text) => warnings.push(text) });
  const counter = prom.counter("c_total", { labelNames: ["a"], maxSeries: 2 });
  const sizes = prom.histogram("sizes", { labelNames: ["a"], maxSeries: 1, buckets: [1] });
  for (let i = 0; i < 5; i++) {
    counter.inc({ a: i });
    prom.inc("untyped", { a: i });
    sizes.observe({ a: i }, i);
  }
  assert.equal(
    prom.format(),
    `# TYPE c_total counter
c_total{a="0"} 1
c_total{a="1"} 1
c_total{overflow="true"} 3
# TYPE sizes histogram
sizes_bucket{a="0",le="1"} 1
sizes_bucket{a="0",le="+Inf"} 1
sizes_bucket{le="1",overflow="true"} 1
sizes_bucket{le="+Inf",overflow="true"} 4
sizes_count{a="0"} 1
sizes_count{overflow="true"} 4
sizes_sum{a="0"} 0
sizes_sum{overflow="true"} 10
untyped{a="0"} 1
untyped{a="1"} 1
untyped{a="2"} 1
untyped{overflow="true"} 2
`,
  );
  assert.equal(warnings.length, 3);
  assert.match(warnings[1], /^c_total has 2 series, as many as its maxSeries: .*overflow="true"/);
  // A series that leaves makes room for another.
  counter.remove({ a: 0 });
  counter.inc({ a: "new" });
  assert.equal(counter.value({ a: "new" }), 1);
});

Deno.test("ttl, maxSeries and collect are checked, the store is as before", () => {
  using prom = new PrometheusTinyShared();
  const refused = (options: object, name: string, message: RegExp) =>
    assert.throws(() => prom.counter("c_total", options), { name, message });
  refused({ ttl: 0 }, "RangeError", /ttl must be longer than a millisecond .*, not 0/);
  refused({ ttl: "soon" }, "TypeError", /ttl must be a number of seconds or a text .*, not "soon"/);
  refused({ ttl: NaN }, "TypeError", /ttl must be a number of seconds/);
  refused({ maxSeries: 0 }, "RangeError", /maxSeries must be a whole number from 1/);
  refused({ maxSeries: 1.5 }, "RangeError", /maxSeries must be a whole number/);
  refused({ collect: "x" }, "TypeError", /counter options.collect must be a function, not "x"/);
  assert.throws(() => new PrometheusTinyShared({ maxSeries: -1 }), /maxSeries must be a whole/);
  assert.throws(
    () => new PrometheusTinyShared({ collectTimeoutMs: 0 }),
    /collectTimeoutMs must be/,
  );
  assert.equal(prom.format(), "");
});

import assert from "node:assert/strict";
import { type LabelsOf, PrometheusTinyShared, StoreError, type SummaryValue } from "../mod.ts";
import { isEmulated } from "./emulated.ts";
import {
  allowed,
  type Distribution,
  distributions,
  draw,
  rankError,
  type SummaryTask,
} from "./observing.ts";

function open(options = {}) {
  const prom = new PrometheusTinyShared(options);
  return { prom, [Symbol.dispose]: () => prom.close() };
}

/** A file for a store, gone when disposed. */
function makeStore() {
  const folder = Deno.makeTempDirSync();
  return {
    filename: `${folder}/store`,
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

/** Replaces a clock until disposed. */
function fakeClock(host: { now(): number }, start = 0) {
  const real = host.now;
  const clock = { now: start, [Symbol.dispose]: () => void (host.now = real) };
  host.now = () => clock.now;
  return clock;
}

/** The values of the quantiles alone. */
const valuesOf = ({ quantiles }: SummaryValue) => quantiles.map(({ value }) => value);

// ---- what it counts

Deno.test("Summary interpolates its quantiles between what was observed", () => {
  using t = open();
  const summary = t.prom.summary("s", { quantiles: [0.5, 0.9] });
  for (const value of [100, 100, 100, 50, 50]) summary.observe(value);
  assert.deepEqual(summary.value(), {
    count: 5,
    sum: 400,
    quantiles: [{ quantile: 0.5, value: 80 }, { quantile: 0.9, value: 100 }],
  });
});

Deno.test("Summary has the usual quantiles, which are NaN before the first observation", () => {
  using t = open();
  const summary = t.prom.summary("s");
  const { count, sum, quantiles } = summary.value();
  assert.deepEqual([count, sum], [0, 0]);
  const usual = [0.01, 0.05, 0.5, 0.9, 0.95, 0.99, 0.999];
  assert.deepEqual(quantiles, usual.map((quantile) => ({ quantile, value: NaN })));
  summary.observe(0);
  assert.deepEqual(valuesOf(summary.value()), usual.map(() => 0));
});

Deno.test("Summary with labels has a series of each, which remove() ends and zero() begins", () => {
  using t = open();
  const summary = t.prom.summary("s", { labelNames: ["route"], quantiles: [0, 1] });
  const child = summary.labels({ route: "/" });
  assert.deepEqual(valuesOf(child.value()), [NaN, NaN]);
  child.observe(3);
  summary.observe({ route: "/" }, 5);
  summary.observe({ route: "/b" }, 7);
  assert.deepEqual(valuesOf(summary.value({ route: "/" })), [3, 5]);
  assert.deepEqual(valuesOf(summary.value({ route: "/b" })), [7, 7]);
  summary.remove({ route: "/" });
  assert.deepEqual([child.value().count, valuesOf(child.value())], [0, [NaN, NaN]]);
  child.observe(1);
  assert.deepEqual([child.value().count, valuesOf(child.value())], [1, [1, 1]]);
  summary.remove({ route: "/" });
  child.zero();
  assert.equal(child.value().count, 0);
  assert.throws(() => summary.labels({ path: "/" } as never), /label "route" is missing/);
});

Deno.test("Summary.reset() and removeMatching() take series out; collect sets them before a scrape", () => {
  using t = open();
  const plain = t.prom.summary("plain", { quantiles: [1] });
  plain.observe(3);
  plain.reset();
  assert.deepEqual(plain.value(), { count: 0, sum: 0, quantiles: [{ quantile: 1, value: NaN }] });
  const labelled = t.prom.summary("labelled", {
    labelNames: ["a", "b"],
    quantiles: [1],
    collect: (summary) => summary.observe({ a: 9, b: 9 }, 5),
  });
  for (const a of [1, 2]) for (const b of [1, 2]) labelled.observe({ a, b }, a);
  assert.equal(labelled.removeMatching({ a: 1 }), 2);
  assert.deepEqual([labelled.value({ a: 1, b: 1 }).count, labelled.value({ a: 2, b: 1 }).count], [
    0,
    1,
  ]);
  t.prom.format();
  assert.equal(labelled.value({ a: 9, b: 9 }).count, 1);
  labelled.reset();
  assert.equal(labelled.value({ a: 2, b: 1 }).count, 0);
});

Deno.test("Summary with maxSeries has one series for what goes beyond", () => {
  using prom = new PrometheusTinyShared({ onWarning: () => {} });
  const summary = prom.summary("s", { labelNames: ["a"], maxSeries: 1, quantiles: [1] });
  for (let i = 0; i < 3; i++) summary.observe({ a: i }, i);
  assert.deepEqual([0, 1, 2].map((a) => summary.value({ a }).count), [1, 0, 0]);
});

Deno.test("Summary sums up what all attachments observe, exactly and at any time", () => {
  using store = makeStore();
  const { filename } = store;
  using one = new PrometheusTinyShared({ filename });
  using two = new PrometheusTinyShared({ filename });
  const options = { quantiles: [0, 0.5, 1] };
  const summaries = [one.summary("s", options), two.summary("s", options)];
  for (let i = 1; i <= 1001; i++) {
    summaries[i % 2].observe(i);
    const { count, sum } = summaries[0].value();
    assert.deepEqual([count, sum], [i, i * (i + 1) / 2]);
  }
  const [lowest, middle, highest] = valuesOf(summaries[1].value());
  assert.deepEqual([lowest, highest], [1, 1001]);
  assert.ok(Math.abs(middle - 501) <= 5, String(middle));
});

Deno.test("Summary.startTimer() and time() observe seconds", async () => {
  using clock = fakeClock(performance);
  using t = open();
  const summary = t.prom.summary("s", { labelNames: ["a"], quantiles: [1] });
  const child = summary.labels({ a: "x" });
  const end = summary.startTimer();
  clock.now = 1500;
  assert.equal(end({ a: "x" }), 1.5);
  const childEnd = child.startTimer();
  clock.now = 3500;
  assert.equal(childEnd(), 2);
  assert.equal(child.time(() => clock.now += 3000), 6500);
  assert.throws(() =>
    child.time(() => {
      clock.now += 4000;
      throw new RangeError("of the task");
    }), /of the task/);
  const promise = summary.time({ a: "x" }, async () => {
    await Promise.resolve();
    clock.now += 5000;
    return "result";
  });
  assert.equal(child.value().count, 4);
  assert.equal(await promise, "result");
  assert.deepEqual(child.value(), {
    count: 5,
    sum: 1.5 + 2 + 3 + 4 + 5,
    quantiles: [{ quantile: 1, value: 5 }],
  });
});

Deno.test("Summary is shown with its quantiles, NaN where there is nothing", () => {
  using t = open();
  const summary = t.prom.summary("s", {
    help: "Some.",
    labelNames: ["a", "z"],
    quantiles: [0.5, 0.99],
  });
  summary.observe({ a: "x", z: 1 }, 3);
  summary.observe({ a: "x", z: 1 }, 4);
  summary.zero({ a: "y", z: 1 });
  assert.equal(
    t.prom.format(),
    `# HELP s Some.
# TYPE s summary
s{a="x",quantile="0.5",z="1"} 3.5
s{a="x",quantile="0.99",z="1"} 4
s{a="y",quantile="0.5",z="1"} NaN
s{a="y",quantile="0.99",z="1"} NaN
s_count{a="x",z="1"} 2
s_count{a="y",z="1"} 0
s_sum{a="x",z="1"} 7
s_sum{a="y",z="1"} 0
`,
  );
});

// ---- windows

Deno.test("Summary shows quantiles of its window, and count and sum of all", () => {
  using clock = fakeClock(Date);
  using t = open();
  const summary = t.prom.summary("s", { quantiles: [0, 1], maxAgeSeconds: 5 });
  summary.observe(100);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(valuesOf(summary.value()), [100, 100], `at ${clock.now} ms`);
    clock.now += 1001;
  }
  assert.deepEqual(valuesOf(summary.value()), [NaN, NaN]);
  assert.deepEqual([summary.value().count, summary.value().sum], [1, 100]);
});

Deno.test("Summary forgets its window part by part", () => {
  using clock = fakeClock(Date, 1_700_000_000_123);
  const begin = clock.now;
  using t = open();
  const summary = t.prom.summary("s", { quantiles: [0, 1], maxAgeSeconds: 60, ageBuckets: 3 });
  const seen = [];
  for (const second of [0, 10, 19, 20, 39, 40, 59]) {
    clock.now = begin + second * 1000;
    summary.observe(second);
  }
  for (const second of [59, 60, 79, 80, 99, 100]) {
    clock.now = begin + second * 1000;
    seen.push(valuesOf(summary.value()));
  }
  assert.deepEqual(seen, [[0, 59], [20, 59], [20, 59], [40, 59], [40, 59], [NaN, NaN]]);
});

Deno.test("Summary without a window does not ask for the time", () => {
  using t = open();
  const summary = t.prom.summary("s", { quantiles: [0.5] });
  const { now } = Date;
  try {
    Date.now = () => assert.fail("the clock was read");
    summary.observe(1);
    summary.observe(2);
  } finally {
    Date.now = now;
  }
  assert.equal(summary.value().count, 2);
});

// ---- wrong use

Deno.test("Summary.observe() refuses what is no finite number; the store is as before", () => {
  using t = open();
  const summary = t.prom.summary("s", { quantiles: [1] });
  summary.observe(5);
  for (const value of [NaN, Infinity, -Infinity]) {
    assert.throws(() => summary.observe(value), {
      name: "RangeError",
      message: /summary s cannot/,
    });
  }
  for (const value of ["1", null, undefined, true, 1n, []]) {
    assert.throws(() => summary.observe(value as never), TypeError, String(value));
  }
  assert.deepEqual(summary.value(), { count: 1, sum: 5, quantiles: [{ quantile: 1, value: 5 }] });
});

Deno.test("summary() says what is wrong with an option, and declares nothing", () => {
  using t = open();
  const cases: [options: unknown, name: string, message: RegExp][] = [
    [{ quantiles: 0.5 }, "TypeError", /summary options.quantiles must be a object, not 0.5/],
    [{ quantiles: { 0: 1 } }, "TypeError", /quantiles must be an array/],
    [{ quantiles: ["0.5"] }, "TypeError", /quantiles must be numbers, not "0.5"/],
    [{ quantiles: [1.5] }, "RangeError", /from 0 to 1, not 1.5/],
    [{ quantiles: [NaN] }, "RangeError", /from 0 to 1, not NaN/],
    [{ quantiles: [0.5, 0.9, 0.5] }, "RangeError", /0.5 is there twice/],
    [{ quantiles: Array.from({ length: 65 }, (_, i) => i / 64) }, "RangeError", /at most 64/],
    [{ maxAgeSeconds: 0 }, "RangeError", /maxAgeSeconds must be a positive number/],
    [{ maxAgeSeconds: -1 }, "RangeError", /maxAgeSeconds must be a positive number/],
    [{ maxAgeSeconds: NaN }, "RangeError", /maxAgeSeconds must be a positive number/],
    [{ maxAgeSeconds: Infinity }, "RangeError", /maxAgeSeconds must be a positive number/],
    [{ maxAgeSeconds: "60" }, "TypeError", /maxAgeSeconds must be a number/],
    [{ maxAgeSeconds: 60, ageBuckets: 0 }, "RangeError", /whole number from 1 to 16, not 0/],
    [{ maxAgeSeconds: 60, ageBuckets: 17 }, "RangeError", /whole number from 1 to 16, not 17/],
    [{ maxAgeSeconds: 60, ageBuckets: 2.5 }, "RangeError", /whole number from 1 to 16, not 2.5/],
    [{ ageBuckets: 5 }, "TypeError", /ageBuckets divides the time of maxAgeSeconds/],
    [{ percentiles: [0.5] }, "TypeError", /has no member "percentiles"/],
    [{ labelNames: ["quantile"] }, "TypeError", /"quantile", which is the label of its quantiles/],
  ];
  for (const [options, name, message] of cases) {
    assert.throws(() => t.prom.summary("s", options as never), { name, message });
  }
  assert.equal(t.prom.format(), "");
});

Deno.test("summary() declared otherwise by another worker is a MISMATCH that says how", () => {
  using t = open();
  t.prom.summary("s", { quantiles: [0.5], maxAgeSeconds: 60 });
  t.prom.summary("s", { quantiles: [0.5], maxAgeSeconds: 60, ageBuckets: 5 }); // the default
  const others = [
    { quantiles: [0.5], maxAgeSeconds: 61 },
    { quantiles: [0.5], maxAgeSeconds: 60, ageBuckets: 4 },
    { quantiles: [0.6], maxAgeSeconds: 60 },
    { quantiles: [0.5] },
  ];
  for (const options of others) {
    assert.throws(
      () => t.prom.summary("s", options),
      (error) =>
        error instanceof StoreError && error.code === "MISMATCH" && /was/.test(error.message),
    );
  }
});

Deno.test("Summary of a closed store throws CLOSED", () => {
  const prom = new PrometheusTinyShared();
  const summary = prom.summary("s");
  prom.close();
  for (const use of [() => summary.observe(1), () => summary.value(), () => summary.zero()]) {
    assert.throws(use, (error) => error instanceof StoreError && error.code === "CLOSED");
  }
});

Deno.test("Summary's labels are checked by its type", () => {
  using t = open();
  const summary = t.prom.summary("s", { labelNames: ["a"] });
  const wrong = (labels: unknown) => labels as LabelsOf<"a">;
  assert.throws(() => summary.observe(wrong({ b: 1 }), 1), /label "a" is missing/);
  assert.throws(() => summary.observe(1), /label "a" is missing/);
});

// ---- processes

/** The distributions that four processes observe, and how often four are killed. */
const shared = (Object.keys(distributions) as Distribution[]).slice(0, isEmulated ? 1 : undefined);
const rounds = isEmulated ? 1 : 3;

function start(task: SummaryTask): Deno.ChildProcess {
  const script = new URL("./summary_process.ts", import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", script, JSON.stringify(task)],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** Waits until a process has said this first; what it says later is not read. */
function said(word: string): (child: Deno.ChildProcess) => Promise<void> {
  return async ({ stdout }) => {
    const reader = stdout.getReader();
    const { value } = await reader.read();
    assert.equal(new TextDecoder().decode(value), `${word}\n`);
    await reader.cancel();
  };
}

Deno.test("Summary of four processes is within its stated error, with and without a window", async () => {
  using store = makeStore();
  const { filename } = store;
  const count = 10_000;
  using prom = new PrometheusTinyShared({ filename });
  for (const [index, values] of shared.entries()) {
    const seeds = [1, 2, 3, 4].map((process) => 10 * index + process);
    const children = seeds.map((seed) => start({ do: "observe", filename, values, count, seed }));
    await Promise.all(children.map(said("ready")));
    for (const { stdin } of children) void stdin.close();
    const statuses = await Promise.all(children.map(({ status }) => status));
    assert.ok(statuses.every(({ success }) => success));
    const all = seeds.flatMap((seed) => draw(values, count, seed));
    const sorted = all.toSorted((a, b) => a - b);
    const quantiles = [...allowed.keys()];
    const summary = prom.summary(values, { quantiles });
    const windowed = prom.summary(`${values}_window`, { quantiles, maxAgeSeconds: 60 });
    assert.equal(summary.value().count, all.length);
    assert.equal(windowed.value().count, all.length * 1.25);
    for (const reading of [summary.value(), windowed.value()]) {
      for (const { quantile, value } of reading.quantiles) {
        const error = rankError(sorted, value, quantile);
        const most = allowed.get(quantile)!;
        assert.ok(error <= most, `${values}: quantile ${quantile} misses by ${error} of all`);
      }
    }
  }
});

Deno.test("Summary loses no acknowledged observation when its worker is killed", async () => {
  using store = makeStore();
  const { filename } = store;
  using prom = new PrometheusTinyShared({ filename });
  const summary = prom.summary("killed", { quantiles: [0.5], maxAgeSeconds: 1, ageBuckets: 16 });
  let acknowledged = 0;
  const workers = 4;
  for (let round = 0; round < rounds; round++) {
    await Promise.all(Array.from({ length: workers }, async (_, worker) => {
      const child = start({ do: "observe on", filename });
      void child.stdin.close();
      const enough = 500 + 711 * worker + 97 * round;
      let mine = 0;
      for await (const bytes of child.stdout) {
        mine += bytes.length;
        if (mine >= enough) {
          try {
            child.kill("SIGKILL");
          } catch {
            // It was killed already: what it had written is still being read.
          }
        }
        const { count, sum } = summary.value();
        assert.equal(sum, 2 * count);
      }
      await child.status;
      acknowledged += mine;
    }));
    const { count, sum } = summary.value();
    const most = acknowledged + workers * (round + 1); // one in flight each
    assert.ok(count >= acknowledged && count <= most, `${count}, acknowledged ${acknowledged}`);
    assert.equal(sum, 2 * count);
  }
});

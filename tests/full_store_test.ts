// A store at its limits: nothing that it holds is lost, what finds no room is counted, and it says so.

import assert from "node:assert/strict";
import { PrometheusTinyShared, type PrometheusTinySharedOptions, StoreError } from "../mod.ts";
import { fileURLToPath } from "node:url";
import { canMount, denoRun, mountReason, withMounts } from "./mounting.ts";
import { temporaryFolder } from "./opening.ts";

const dropped = "prometheus_tiny_dropped_updates_total";

function small(options: PrometheusTinySharedOptions = {}) {
  const warnings: string[] = [];
  const prom = new PrometheusTinyShared({
    cacheArgs: { cacheSize: "64k" },
    onWarning: (text) => warnings.push(text),
    ...options,
  });
  return { prom, warnings, [Symbol.dispose]: () => prom.close() };
}

function values(prom: PrometheusTinyShared): Map<string, number> {
  const lines = prom.format().split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const end = line.lastIndexOf(" ");
    return [line.slice(0, end), Number(line.slice(end + 1))];
  }));
}

/** An error of a full store: which limit, how far, what to do. */
function full(limit: string, message: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof StoreError, `${error}`);
    assert.equal(error.code, limit);
    assert.match(error.message, message);
    assert.match(error.message, /\(\S+ .*of .*\)\. Use fewer label values, or start a new file/);
    assert.match(error.message, /larger cacheArgs\.cacheSize/);
    return true;
  };
}

Deno.test("a full store keeps what it has, counts what it drops, and warns once", () => {
  using t = small();
  const { prom, warnings } = t;
  const updates = 1000;
  for (let round = 1; round <= 2; round++) {
    for (let i = 0; i < updates; i++) prom.inc("n_total", { i });
  }
  const after = values(prom);
  const lost = after.get(dropped)!;
  after.delete(dropped);
  assert.ok(after.size > 50 && after.size < updates, `${after.size} series`);
  assert.deepEqual(after, new Map([...after.keys()].map((series) => [series, 2])));
  assert.equal(lost, 2 * (updates - after.size));
  assert.equal(warnings.length, 1);
  assert.match(
    warnings[0],
    /^cannot store an update of n_total in the private store: the series table is full \(\d+ of \d+/,
  );
  assert.match(warnings[0], new RegExp(`counted in ${dropped}; this warning is given once$`));
  assert.match(
    prom.format(),
    new RegExp(`^# HELP ${dropped} .+\n# TYPE ${dropped} counter\n`, "m"),
  );
});

Deno.test("a full store drops every kind of update without an error", () => {
  using t = small();
  const { prom } = t;
  prom.declare("state", { enum: "s", enumValues: ["on", "off"] });
  const hits = prom.counter("hits_total", { labelNames: ["i"] });
  for (let i = 0; t.warnings.length === 0; i++) prom.set("n", i, { i });
  const before = values(prom).get(dropped)!;
  const attempts = [
    () => prom.set("more", 1),
    () => prom.set("more", 1, {}, 5),
    () => prom.add("n", 1, { more: "x" }),
    () => prom.dec("more"),
    () => prom.histogramObserve("h", 1),
    () => prom.enumSet("state", "on"),
    () => hits.inc({ i: 1 }),
    () => hits.labels({ i: 2 }).inc(),
  ];
  for (const attempt of attempts) assert.equal(attempt(), undefined);
  assert.equal(values(prom).get(dropped), before + attempts.length);
  assert.equal(t.warnings.length, 1);
  prom.set("n", 1000, { i: 0 });
  assert.equal(values(prom).get('n{i="0"}'), 1000);
});

Deno.test("a full store: declare() and typed metrics name the limit and how to raise it", () => {
  using t = small();
  const { prom } = t;
  prom.counter("old_total").inc();
  for (let i = 0; t.warnings.length === 0; i++) prom.inc("n_total", { i });
  const error = full(
    "SERIES_FULL",
    /^cannot declare new in .*: the series table is full \(\d+ of \d+/,
  );
  assert.throws(() => prom.declare("new", { help: "New." }), error);
  assert.throws(() => prom.counter("new"), error);
  assert.throws(() => prom.gauge("new", { labelNames: ["a"] }), error);
  assert.throws(() => prom.histogram("new"), error);
  prom.counter("old_total").inc();
  assert.equal(values(prom).get("old_total"), 2);
});

Deno.test("a full store: long labels meet TEXT_FULL, many buckets CELLS_FULL", () => {
  using texts = small();
  for (let i = 0; texts.warnings.length === 0; i++) {
    texts.prom.inc("n_total", { path: `/${i}/`.padEnd(2000, "x") });
  }
  assert.match(texts.warnings[0], /the space for names and labels is full \(.* of .* MiB\)/);
  const help = "x".repeat(60_000);
  assert.throws(
    () => texts.prom.declare("new", { help }),
    full("TEXT_FULL", /^cannot declare new in .*: the space for names and labels is full/),
  );
  using cells = small();
  const buckets = Array.from({ length: 1000 }, (_, i) => i);
  cells.prom.declare("h", { buckets });
  for (let i = 0; cells.warnings.length === 0; i++) cells.prom.histogramObserve("h", 5, { i });
  assert.match(cells.warnings[0], /the space for values is full \(.* of .* MiB a worker\)/);
  assert.equal(values(cells.prom).get('h_count{i="0"}'), 1);
  assert.throws(
    () => cells.prom.histogram("h2", { buckets }),
    full("CELLS_FULL", /: the space for values is full/),
  );
});

Deno.test("a full store: the drops of all workers are one number, which outlives them", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using one = small({ filename });
  for (let i = 0; one.warnings.length === 0; i++) one.prom.inc("n_total", { i });
  const before = values(one.prom).get(dropped)!;
  {
    using other = small({ filename });
    for (let i = 0; i < 5; i++) other.prom.inc("more_total", { i });
    assert.equal(other.warnings.length, 1);
    assert.equal(values(other.prom).get(dropped), before + 5);
  }
  assert.equal(values(one.prom).get(dropped), before + 5);
});

Deno.test("a larger cacheSize holds more, as the error says", () => {
  using t = small({ cacheArgs: { cacheSize: "1m" } });
  for (let i = 0; i < 1500; i++) t.prom.inc("n_total", { i });
  assert.deepEqual(t.warnings, []);
  assert.equal(values(t.prom).size, 1500);
});

Deno.test("a store with nothing configured holds 100,000 series of three labels", () => {
  const onWarning = (text: string) => assert.fail(text);
  using prom = new PrometheusTinyShared({ onWarning });
  const labels = (i: number) => ({
    method: ["GET", "POST", "PUT", "DELETE"][i % 4],
    route: `/api/v1/items/${i >> 5}`,
    status: 200 + (i >> 2) % 8,
  });
  const series = 100_000;
  for (let i = 0; i < series; i++) prom.inc("http_requests_total", labels(i));
  for (let i = 0; i < series; i += 1000) prom.add("http_requests_total", i, labels(i));
  const lines = prom.format().split("\n");
  assert.equal(lines.length, series + 1);
  const last = 99_000;
  const { method, route, status } = labels(last);
  const printed = `method="${method}",route="${route}",status="${status}"`;
  assert.ok(lines.includes(`http_requests_total{${printed}} ${last + 1}`));
});

Deno.test("a store with nothing configured holds 64 workers, the 65th is WORKERS_FULL", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  const workers = Array.from({ length: 64 }, () => new PrometheusTinyShared({ filename }));
  try {
    for (const worker of workers) worker.inc("n_total");
    assert.throws(() => new PrometheusTinyShared({ filename }), (error: unknown) => {
      assert.ok(error instanceof StoreError, `${error}`);
      assert.equal(error.code, "WORKERS_FULL");
      assert.match(error.message, /^all 64 worker slots .*maxWorkers/);
      return true;
    });
    workers.pop()!.close();
    workers.push(new PrometheusTinyShared({ filename }));
    workers.at(-1)!.inc("n_total");
    assert.equal(workers[0].format(), "n_total 65\n");
  } finally {
    for (const worker of workers) worker.close();
  }
});

Deno.test({
  name: "a full file system under an open store drops and counts, and room is used again" +
    mountReason,
  ignore: !canMount,
  fn() {
    const child = denoRun(fileURLToPath(import.meta.resolve("./fill_file_system.ts")));
    const lines = withMounts('mount -t tmpfs -o size=8m none "$0" && "$@" "$0"', child);
    assert.deepEqual(lines.slice(1), ["kept: true", "counted: true", "again: true"]);
    assert.match(
      lines[0],
      /^warned: \["cannot store an update of n_total in .*: no space left .*Free space on its file/,
    );
  },
});

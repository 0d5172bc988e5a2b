import assert from "node:assert/strict";
import { collectDefaultMetrics, PrometheusTinyShared } from "../mod.ts";
import { temporaryFolder } from "./opening.ts";

const ofProcess = [
  "process_cpu_user_seconds_total",
  "process_cpu_system_seconds_total",
  "process_cpu_seconds_total",
  "process_resident_memory_bytes",
  "process_start_time_seconds",
  "deno_version_info",
];
const ofFiles = ["process_open_fds", "process_max_fds"];
const ofThread = [
  "deno_heap_size_total_bytes",
  "deno_heap_size_used_bytes",
  "deno_external_memory_bytes",
];
const isLinux = Deno.build.os === "linux";

function open(options = {}) {
  const warnings: string[] = [];
  const prom = new PrometheusTinyShared({ onWarning: (text) => warnings.push(text), ...options });
  return { prom, warnings, [Symbol.dispose]: () => prom.close() };
}

type Scraped = Pick<PrometheusTinyShared, "format">;

/** The values of a metric's series, with their labels. */
function samples(prom: Scraped, name: string): [labels: string, value: number][] {
  return [...prom.format().matchAll(new RegExp(`^${name}(\\{.*\\})? (.*)$`, "gm"))]
    .map(([, labels, value]) => [labels, Number(value)]);
}

function value(prom: Scraped, name: string): number {
  const found = samples(prom, name);
  assert.equal(found.length, 1, `${name}: ${found.length} series`);
  return found[0][1];
}

Deno.test("collectDefaultMetrics() tells about processor, memory, files and versions", () => {
  using t = open();
  using _metrics = collectDefaultMetrics(t.prom);
  const text = t.prom.format();
  const prom = { format: () => text }; // all of one moment
  assert.deepEqual(t.warnings, []);
  const user = value(prom, "process_cpu_user_seconds_total");
  const system = value(prom, "process_cpu_system_seconds_total");
  assert(user > 0 && system >= 0);
  assert(Math.abs(value(prom, "process_cpu_seconds_total") - user - system) < 1e-6);
  const { rss, heapTotal } = Deno.memoryUsage();
  const resident = value(prom, "process_resident_memory_bytes");
  assert(resident > rss / 2 && resident < rss * 2);
  const total = value(prom, "deno_heap_size_total_bytes");
  const used = value(prom, "deno_heap_size_used_bytes");
  assert(total > heapTotal / 4 && total < heapTotal * 4);
  assert(used > 0 && used <= total);
  assert(value(prom, "deno_external_memory_bytes") >= 0);
  const start = value(prom, "process_start_time_seconds");
  assert(start <= Date.now() / 1000 + 1 && start > Date.now() / 1000 - 3600);
  const [[versions, one]] = samples(prom, "deno_version_info");
  assert.equal(one, 1);
  const { deno, typescript, v8 } = Deno.version;
  assert(versions.startsWith(`{deno="${deno}",typescript="${typescript}",v8="${v8}",worker="`));
});

Deno.test({
  name: "collectDefaultMetrics() counts open files",
  ignore: !isLinux,
  fn() {
    using t = open();
    using metrics = collectDefaultMetrics(t.prom, { intervalMs: 3_600_000 });
    const before = value(t.prom, "process_open_fds");
    const files = Array.from({ length: 5 }, () => Deno.openSync("/dev/null"));
    assert.equal(value(t.prom, "process_open_fds"), before + 5); // as a scrape renews it
    metrics.stop();
    for (const file of files) file.close();
    assert.equal(value(t.prom, "process_open_fds"), before + 5);
    metrics.update();
    assert.equal(value(t.prom, "process_open_fds"), before);
    assert(value(t.prom, "process_max_fds") > before);
  },
});

Deno.test("collectDefaultMetrics() prints counters as counters, all with help", () => {
  using t = open();
  using _metrics = collectDefaultMetrics(t.prom);
  const text = t.prom.format();
  for (const name of [...ofProcess, ...ofThread, ...isLinux ? ofFiles : []]) {
    const type = name.endsWith("_total") ? "counter" : "gauge";
    assert.match(text, new RegExp(`^# HELP ${name} .+\\n# TYPE ${name} ${type}\\n`, "m"));
  }
});

Deno.test("collectDefaultMetrics() tells what keeps timers waiting once it is known", async () => {
  using t = open();
  using _metrics = collectDefaultMetrics(t.prom, { intervalMs: 100 });
  assert.deepEqual(samples(t.prom, "deno_eventloop_lag_p50_seconds"), []);
  while (samples(t.prom, "deno_eventloop_lag_max_seconds").length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const lags = ["p50", "p90", "p99", "max"].map((name) =>
    value(t.prom, `deno_eventloop_lag_${name}_seconds`)
  );
  assert(lags[0] >= 0 && lags[0] <= lags[1] && lags[1] <= lags[2] && lags[2] <= lags[3]);
});

Deno.test("collectDefaultMetrics() renews the values until it is stopped", async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using t = open({ filename });
  using other = new PrometheusTinyShared({ filename }); // whose scrapes renew nothing
  const metrics = collectDefaultMetrics(t.prom, { intervalMs: 100 });
  const cpu = () => value(other, "process_cpu_seconds_total");
  const first = cpu();
  while (cpu() === first) await new Promise((resolve) => setTimeout(resolve, 1));
  assert(cpu() > first);
  metrics.stop();
  metrics.stop();
  metrics[Symbol.dispose]();
});

Deno.test("collectDefaultMetrics() gives every metric its labels, and the store's prefix", () => {
  using t = open({ prefix: "my_", defaultLabels: { env: "test" } });
  using _metrics = collectDefaultMetrics(t.prom, { labels: { app: "shop", shard: 2 } });
  for (const name of [...ofProcess, ...ofThread]) {
    const [[labels]] = samples(t.prom, `my_${name}`);
    assert.match(labels, /app="shop",.*env="test",shard="2",.*worker="\d+"\}$/);
  }
});

Deno.test("collectDefaultMetrics() leaves out what is the process's if it is told so", () => {
  using t = open();
  using _metrics = collectDefaultMetrics(t.prom, { process: false });
  assert.doesNotMatch(t.prom.format(), /process_|deno_version/);
  for (const name of ofThread) value(t.prom, name);
});

Deno.test("collectDefaultMetrics() ends with its store, and keeps no program alive", async () => {
  const output = await run("collect", ["--allow-all"]);
  assert.deepEqual(output, ["collecting", "warnings: 0", "closed"]);
});

Deno.test({
  name: "collectDefaultMetrics() leaves files out without permission, and warns once",
  ignore: !isLinux,
  async fn() {
    const folder = Deno.env.get("PROMETHEUS_TINY_SHARED_DIR") ?? Deno.env.get("HOME")!;
    const output = await run("collect", [
      "--no-prompt",
      "--allow-ffi",
      "--allow-env",
      `--allow-read=${folder},/dev/shm`,
      `--allow-write=${folder},/dev/shm`,
    ]);
    assert.deepEqual(output.slice(0, 2), ["collecting", "warnings: 1"]);
    assert.match(output[2], /^process_open_fds and process_max_fds are left out: .*--allow-all/);
    assert.equal(output.at(-1), "closed");
  },
});

Deno.test("collectDefaultMetrics(): the set of each worker leaves with it", async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using prom = new PrometheusTinyShared({ filename });
  using _metrics = collectDefaultMetrics(prom);
  const names = [...ofProcess, ...ofThread];
  const counts = () => names.map((name) => samples(prom, name).length);
  assert(counts().every((count) => count === 1));
  const worker = spawn("wait", ["--allow-all"], filename);
  const reader = worker.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await reader.read()).value, "collecting\n");
  assert.deepEqual(counts(), names.map(() => 2));
  const [[first], [second]] = samples(prom, "process_resident_memory_bytes");
  assert.notEqual(first, second);
  worker.kill("SIGKILL");
  await worker.status;
  await reader.cancel();
  assert.deepEqual(counts(), names.map(() => 1));
});

function spawn(task: string, flags: string[], filename = "") {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, import.meta.resolve("./default_metrics_process.ts"), task, filename],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

async function run(task: string, flags: string[]): Promise<string[]> {
  const { success, stdout } = await spawn(task, flags).output();
  assert(success);
  return new TextDecoder().decode(stdout).trimEnd().split("\n");
}

// ---- bad input

Deno.test("collectDefaultMetrics() refuses options that are not valid, and declares nothing", () => {
  using t = open();
  const cases: [unknown, RegExp][] = [
    [null, /collectDefaultMetrics options must be an object/],
    [{ interval: 5 }, /has no member "interval"; it has labels, intervalMs, process/],
    [{ intervalMs: 99 }, /intervalMs must be from 100 to 3600000, not 99/],
    [{ intervalMs: NaN }, /intervalMs must be from 100 to 3600000, not NaN/],
    [{ intervalMs: "1s" }, /intervalMs must be a number/],
    [{ process: 1 }, /process must be a boolean/],
    [{ labels: [] }, /labels must be an object/],
    [{ labels: { "a-b": 1 } }, /invalid label name "a-b"/],
    [{ labels: { a: undefined } }, /value of label "a" must be/],
    [{ labels: { worker: 1 } }, /must not have "worker", which has a meaning of its own/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => collectDefaultMetrics(t.prom, options as never), { message });
  }
  assert.throws(() => collectDefaultMetrics({} as never), /store must be a PrometheusTinyShared/);
  assert.equal(t.prom.format(), "");
  t.prom.counter("deno_heap_size_total_bytes");
  assert.throws(() => collectDefaultMetrics(t.prom), { code: "MISMATCH" });
  t.prom.close();
  assert.throws(() => collectDefaultMetrics(t.prom), { code: "CLOSED" });
});

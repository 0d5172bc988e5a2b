// `./prom-client` in several processes with one store, which the default register finds in the
// environment.

import assert from "node:assert/strict";
import { join } from "node:path";
import {
  Counter,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  openMetricsContentType,
  register,
  Registry,
  type RegistryContentType,
} from "../prom_client.ts";
import { PrometheusTinyShared } from "../mod.ts";
import { patience } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";
import type { Command } from "./prom_client_process.ts";
import { TextLineStream } from "./text_lines.ts";

/** prom_client_process.ts as a child. */
class Process {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;

  private constructor(file: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--quiet", import.meta.resolve("./prom_client_process.ts")],
      env: { PROMETHEUS_TINY_FILE: file },
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream()).getReader();
  }

  static async start(file: string): Promise<Process> {
    const process = new Process(file);
    assert.equal(await process.#answer(), "ready");
    return process;
  }

  async #answer(): Promise<unknown> {
    const { value, done } = await this.#output.read();
    assert.ok(!done, "a process ended before its answer");
    return JSON.parse(value);
  }

  async tell(command: Command): Promise<string> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(command) + "\n"));
    return await this.#answer() as string;
  }

  /** Kills it, or lets it end by itself. */
  async end(signal?: Deno.Signal): Promise<void> {
    if (signal !== undefined) this.#child.kill(signal);
    await this.#input.close().catch(() => {});
    await this.#output.cancel();
    await this.#child.status;
  }
}

/** Processes of one store, and an end of them all. */
async function processes(count: number) {
  const folder = temporaryFolder();
  const file = join(folder.path, "metrics");
  const all: Process[] = [];
  for (let i = 0; i < count; i++) all.push(await Process.start(file));
  return {
    all,
    file,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((process) => process.end()));
      folder[Symbol.dispose]();
    },
  };
}

/** The line of a sample, or undefined. */
function line(text: string, start: string): string | undefined {
  return text.split("\n").find((line) => line.startsWith(`${start} `));
}

Deno.test("prom-client: processes with one file add to the same counters and histograms", async () => {
  await using t = await processes(3);
  for (const [index, process] of t.all.entries()) {
    await process.tell({ do: "work", value: index + 0.5 });
  }
  for (const process of t.all) {
    const text = await process.tell({ do: "metrics" });
    assert.equal(
      line(text, 'requests_total{who="all",code="200"}'),
      'requests_total{who="all",code="200"} 4.5',
    );
    assert.ok(line(text, 'requests_total{who="p1.5",code="200"}'), "another worker's series");
    assert.equal(line(text, 'request_seconds_bucket{le="1"}'), 'request_seconds_bucket{le="1"} 1');
    assert.equal(line(text, "request_seconds_sum"), "request_seconds_sum 4.5");
    assert.equal(line(text, "request_seconds_count"), "request_seconds_count 3");
  }
});

Deno.test("prom-client: gauges are put together by their aggregator", async () => {
  await using t = await processes(3);
  for (const [index, process] of t.all.entries()) {
    await process.tell({ do: "work", value: index + 1 });
  }
  const text = await t.all[0].tell({ do: "metrics" });
  const values = ["sum", "min", "max", "average", "first", "omit"]
    .map((aggregator) => Number(line(text, `gauge_${aggregator}`)!.split(" ")[1]));
  assert.deepEqual(values.slice(0, 4), [6, 1, 3, 2]);
  assert.ok([1, 2, 3].includes(values[4]), "first is any one worker's value");
  assert.equal(values[5], 1, "omit: each worker prints its own");
  const cluster = await t.all[0].tell({ do: "cluster" });
  assert.equal(line(cluster, "gauge_sum"), "gauge_sum 6");
  assert.equal(line(cluster, "gauge_omit"), undefined);
});

Deno.test("prom-client: a killed worker's counts stay, its gauges leave", async () => {
  await using t = await processes(2);
  const [survivor, victim] = t.all;
  await survivor.tell({ do: "work", value: 1 });
  await victim.tell({ do: "work", value: 2 });
  assert.equal(line(await survivor.tell({ do: "metrics" }), "gauge_sum"), "gauge_sum 3");
  await victim.end("SIGKILL");
  const text = await survivor.tell({ do: "metrics" });
  assert.equal(line(text, "gauge_sum"), "gauge_sum 1");
  assert.equal(line(text, "gauge_max"), "gauge_max 1");
  assert.equal(line(text, "request_seconds_count"), "request_seconds_count 2");
  assert.match(text, /^requests_total\{who="all",code="200"\} 3$/m);
});

Deno.test("prom-client: a process without metrics of its own prints those of the others", async () => {
  await using t = await processes(2);
  const [worker, primary] = t.all;
  assert.equal(await primary.tell({ do: "cluster" }), "");
  await worker.tell({ do: "work", value: 2 });
  for (
    const text of [await primary.tell({ do: "metrics" }), await primary.tell({ do: "cluster" })]
  ) {
    assert.match(text, /^# HELP requests_total Requests answered\.$/m);
    assert.match(text, /^# TYPE requests_total counter$/m);
    assert.match(text, /^requests_total\{code="200",who="all"\} 2$/m);
    assert.match(text, /^request_seconds_bucket\{le="2"\} 1$/m);
    assert.match(text, /^request_seconds_count 1$/m);
  }
});

Deno.test("prom-client: clear() and resetMetrics() of one worker hold for all", async () => {
  await using t = await processes(2);
  const [one, other] = t.all;
  await one.tell({ do: "work", value: 1 });
  await other.tell({ do: "work", value: 2 });
  await one.tell({ do: "reset" });
  assert.equal(line(await other.tell({ do: "metrics" }), "request_seconds_count"), undefined);
  await other.tell({ do: "work", value: 2 });
  const text = await one.tell({ do: "metrics" });
  assert.match(text, /^requests_total\{who="all",code="200"\} 2$/m);
  await one.tell({ do: "clear" });
  assert.doesNotMatch(await other.tell({ do: "metrics" }), /^requests_total\{/m);
  assert.equal(await one.tell({ do: "metrics" }), "\n");
  await one.tell({ do: "work", value: 5 });
  assert.match(await other.tell({ do: "metrics" }), /^requests_total\{.*who="all".*\} 5$/m);
});

Deno.test("prom-client: the threads of a process share the default register", async () => {
  using folder = temporaryFolder();
  const filename = join(folder.path, "metrics");
  const workers = [1, 2, 3].map((value) => {
    const url = import.meta.resolve("./prom_client_thread.ts");
    const worker = new Worker(url, { type: "module" });
    worker.postMessage({ filename, value });
    return worker;
  });
  const answers = await Promise.all(
    workers.map((worker) =>
      new Promise<string>((resolve, reject) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = reject;
      })
    ),
  );
  assert.deepEqual(answers, ["done", "done", "done"]);
  const registry = new Registry(undefined, { filename });
  assert.match(await registry.metrics(), /^thread_gauge 6$/m);
  workers.forEach((worker) => worker.terminate());
  const until = performance.now() + 10_000 * patience;
  let text = "";
  do text = await registry.metrics(); while (
    /^thread_gauge/m.test(text) && performance.now() < until
  );
  assert.doesNotMatch(text, /^thread_gauge/m, "a gauge leaves with its thread");
  assert.match(text, /^thread_total 6$/m);
});

// ---- registries of one process

Deno.test("Registry.open() shares the metrics of those that name the same file", async () => {
  using folder = temporaryFolder();
  const filename = join(folder.path, "metrics");
  const registries = [new Registry(), new Registry(), new Registry()];
  registries.slice(0, 2).forEach((registry) => registry.open({ filename }));
  const counters = registries.map((registry) =>
    new Counter({ name: "jobs_total", help: "Jobs.", registers: [registry] })
  );
  counters.forEach((counter, index) => counter.inc(index + 1));
  const texts = await Promise.all(registries.map((registry) => registry.metrics()));
  assert.deepEqual(texts.map((text) => line(text, "jobs_total")), [
    "jobs_total 3",
    "jobs_total 3",
    "jobs_total 3",
  ]);
  counters[2].inc();
  assert.equal(line(await registries[2].metrics(), "jobs_total"), "jobs_total 4");
  assert.equal(line(await registries[0].metrics(), "jobs_total"), "jobs_total 3");
});

Deno.test("exemplars are shared, too, whatever a counter's name ends in", async () => {
  using folder = temporaryFolder();
  const filename = join(folder.path, "metrics");
  const registries = [0, 1].map(() => new Registry(openMetricsContentType, { filename }));
  const make = (name: string, registry: Registry<OpenMetricsContentType>) =>
    new Counter({ name, help: "h", enableExemplars: true, registers: [registry] });
  for (const name of ["jobs", "tasks_total"]) {
    const [one, other] = registries.map((registry) => make(name, registry));
    one.inc({ value: 2, exemplarLabels: { trace_id: "t" } });
    other.inc();
    const [{ value, exemplar }] = (await other.get()).values;
    assert.equal(value, 3);
    assert.deepEqual(exemplar?.labelSet, { trace_id: "t" });
    assert.equal(exemplar?.value, 2);
  }
  const lines = (await registries[1].metrics()).split("\n").filter((line) => !line.startsWith("#"));
  assert.deepEqual(lines.map((line) => line.replace(/[\d.]+$/, "")), [
    'jobs_total 3 # {trace_id="t"} 2 ',
    'tasks_total 3 # {trace_id="t"} 2 ',
    "",
  ]);
});

Deno.test("a registry prints what is in its store by other means, too", async () => {
  using folder = temporaryFolder();
  const filename = join(folder.path, "metrics");
  using prom = new PrometheusTinyShared({ filename });
  prom.inc("undeclared", { b: 1, a: 'quote"' });
  prom.declare("state", { help: "A state.", enum: "is", enumValues: ["on", "off"] });
  prom.enumSet("state", "on");
  prom.counter("runs", { help: "Runs." }).inc(2);
  prom.summary("s", { help: "h", quantiles: [0.5] }).observe(3);
  const text = await new Registry(undefined, { filename }).metrics();
  assert.equal(
    text,
    `# HELP runs Runs.
# TYPE runs counter
runs 2

# HELP s h
# TYPE s summary
s{quantile="0.5"} 3
s_sum 3
s_count 1

# HELP state A state.
# TYPE state untyped
state{is="off"} 0
state{is="on"} 1

# TYPE undeclared untyped
undeclared{a="quote\\"",b="1"} 1
`,
  );
  const open = await new Registry(openMetricsContentType, { filename }).metrics();
  assert.match(open, /^# TYPE runs counter\nruns_total 2$/m);
  assert.match(open, /^# TYPE undeclared unknown$/m);
  assert.match(open, /^undeclared\{a="quote\\"",b="1"\} 1\n# EOF$/m);
});

Deno.test("Registry.open() needs a name or a file, and comes first", () => {
  assert.throws(() => new Registry().open({}), {
    name: "TypeError",
    message: /name or a filename/,
  });
  assert.throws(() => new Registry(undefined, { name: "a", filename: "b" }), { name: "TypeError" });
  assert.throws(() => new Registry().open({ name: 5 as unknown as string }), { name: "TypeError" });
  const registry = new Registry();
  new Gauge({ name: "g", help: "h", registers: [registry] });
  assert.throws(() => registry.open({ filename: "b" }), { message: /before its first metric/ });
});

Deno.test("a metric that was cleared out of a shared registry goes on by itself", async () => {
  using folder = temporaryFolder();
  const registry = new Registry(undefined, { filename: join(folder.path, "metrics") });
  const config = { name: "jobs_total", help: "Jobs.", registers: [registry] };
  const before = new Counter(config);
  before.inc(5);
  registry.clear();
  before.inc();
  assert.equal(await registry.metrics(), "\n");
  const after = new Counter(config);
  assert.equal((await after.get()).values[0].value, 0);
  assert.equal((await before.get()).values[0].value, 1);
});

Deno.test("what workers declare differently is kept beside, with a warning", async () => {
  using folder = temporaryFolder();
  const filename = join(folder.path, "metrics");
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  // Another path to a file is another attachment to it, like that of another worker.
  const [old, now] = [filename, `${folder.path}/./metrics`].map((filename) =>
    new Registry(undefined, { filename, onWarning })
  );
  const make = (registry: Registry<RegistryContentType>, buckets: number[]) =>
    new Histogram({ name: "h", help: "h", buckets, registers: [registry] });
  make(old, [1]).observe(0.5);
  assert.deepEqual(warnings, []);
  make(now, [1, 2]).observe(1.5);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /'h' .*buckets was \[1\], is now \[1,2\]\. .* kept as h:[0-9a-f]{8} /);
  assert.match(await now.metrics(), /^h_bucket\{le="2"\} 1$/m);
  assert.doesNotMatch(await now.metrics(), /^h_bucket\{le="\+Inf"\} 1\n[^]*^h_bucket/m);
  assert.match(await old.metrics(), /^h_bucket\{le="\+Inf"\} 1$/m);
  const again = new Registry(undefined, { filename, onWarning });
  make(again, [1, 2]).observe(1.5);
  assert.match(await now.metrics(), /^h_count 2$/m, "those who declare it alike add up");
});

Deno.test("a metric that was cleared may come again in another shape, without a warning", async () => {
  using folder = temporaryFolder();
  const warnings: string[] = [];
  const onWarning = (message: string) => warnings.push(message);
  const registry = new Registry(undefined, { filename: join(folder.path, "metrics"), onWarning });
  const config = { name: "jobs_total", registers: [registry] };
  for (const help of ["one", "two", "one"]) {
    new Counter({ ...config, help }).inc(5);
    assert.equal(
      await registry.metrics(),
      `# HELP jobs_total ${help}\n# TYPE jobs_total counter\njobs_total 5\n`,
    );
    registry.clear();
    assert.equal(await registry.metrics(), "\n");
  }
  assert.deepEqual(warnings, []);
});

Deno.test("thousands of registries and metrics need one private store", async () => {
  for (let i = 0; i < 3000; i++) {
    const registry = new Registry();
    const registers = i % 2 ? [registry] : [];
    const counter = new Counter({ name: "many_total", help: `Kind ${i % 3}.`, registers });
    counter.inc(i + 1);
    if (i % 500 === 0) assert.equal((await counter.get()).values[0].value, i + 1);
  }
  assert.equal(await register.metrics(), "\n");
});

import assert from "node:assert/strict";
import { type Exposition, FastMmap, PrometheusTinyShared } from "../mod.ts";

const openMetrics = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8";

function text({ body }: Exposition): string {
  return new TextDecoder().decode(body);
}

async function lines(
  prom: PrometheusTinyShared,
  accept?: string,
  names?: string[],
): Promise<string[]> {
  const whole = text(await prom.exposition({ accept, names }));
  assert(whole === "" || whole.endsWith("\n"));
  return whole.split("\n").slice(0, -1);
}

/** OpenMetrics without `_created`, whose times differ. */
function bare(options: ConstructorParameters<typeof PrometheusTinyShared>[0] = {}) {
  return new PrometheusTinyShared({ created: false, nameValidation: "utf8", ...options });
}

// ---- OpenMetrics

Deno.test("OpenMetrics: TYPE, UNIT and HELP in this order, each with its own escaping", async () => {
  using prom = bare();
  prom.declare("wait_seconds", { help: 'a "b" \\ c\nd', type: "gauge", unit: "seconds" });
  prom.set("wait_seconds", 1.5);
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE wait_seconds gauge",
    "# UNIT wait_seconds seconds",
    '# HELP wait_seconds a \\"b\\" \\\\ c\\nd',
    "wait_seconds 1.5",
    "# EOF",
  ]);
  assert.deepEqual(prom.format().split("\n").slice(0, 2), [
    '# HELP wait_seconds a "b" \\\\ c\\nd',
    "# TYPE wait_seconds gauge",
  ]);
});

Deno.test("OpenMetrics: an empty store is its last line only", async () => {
  using prom = bare();
  assert.deepEqual(await lines(prom, openMetrics), ["# EOF"]);
  assert.deepEqual(await lines(prom), []);
});

Deno.test("OpenMetrics: a unit has its line only where the name ends in it", async () => {
  using prom = bare();
  prom.declare("a_bytes_total", { type: "counter", unit: "bytes" });
  prom.declare("b", { type: "gauge", unit: "bytes" });
  prom.declare("c_bytes", { type: "untyped", unit: "bytes" });
  prom.declare("d_bytes", { type: "info", unit: "bytes" });
  prom.declare("e_seconds", { type: "gauge", unit: "se\nconds" });
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE a_bytes counter",
    "# UNIT a_bytes bytes",
    "# TYPE b gauge",
    "# TYPE c_bytes unknown",
    "# UNIT c_bytes bytes",
    "# TYPE d_bytes info",
    "# TYPE e_seconds gauge",
    "# EOF",
  ]);
});

Deno.test("OpenMetrics: a counter's samples end in _total, its family does not", async () => {
  using prom = bare();
  for (const name of ["jobs", "runs_total", "my.jobs_total", "_total"]) {
    prom.declare(name, { help: "Done.", type: "counter" });
    prom.inc(name, { a: 1 });
  }
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE _total counter",
    "# HELP _total Done.",
    '_total_total{a="1"} 1',
    "# TYPE jobs counter",
    "# HELP jobs Done.",
    'jobs_total{a="1"} 1',
    '# TYPE "my.jobs" counter',
    '# HELP "my.jobs" Done.',
    '{"my.jobs_total",a="1"} 1',
    "# TYPE runs counter",
    "# HELP runs Done.",
    'runs_total{a="1"} 1',
    "# EOF",
  ]);
  assert.match(prom.format(), /^jobs\{a="1"\} 1$/m);
});

Deno.test("OpenMetrics: a histogram's samples stand series by series, le as Go writes it", async () => {
  using prom = bare();
  const buckets = [1e-7, 0.0001, 0.25, 1, 12, 123456, 1e6, 2.5e10];
  prom.declare("h", { type: "histogram", buckets });
  prom.histogramObserve("h", 0.5, { z: "1" });
  prom.histogramObserve("h", 2e6, { a: "1" });
  const les = ["1e-07", "0.0001", "0.25", "1.0", "12.0", "123456.0", "1e+06", "2.5e+10", "+Inf"];
  const series = (label: (le: string) => string, own: string, first: number, sum: number) => [
    ...les.map((le, i) => `h_bucket{${label(le)}} ${i >= first ? 1 : 0}`),
    `h_count{${own}} 1`,
    `h_sum{${own}} ${sum}`,
  ];
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE h histogram",
    ...series((le) => `a="1",le="${le}"`, 'a="1"', 7, 2e6),
    ...series((le) => `le="${le}",z="1"`, 'z="1"', 3, 0.5),
    "# EOF",
  ]);
});

Deno.test("OpenMetrics: a sum that could fall is left out, and with it the count", async () => {
  using prom = bare();
  prom.declare("a", { type: "histogram", buckets: [-1, 1] });
  prom.histogramObserve("a", 5);
  prom.declare("b", { type: "histogram", buckets: [1] });
  prom.histogramObserve("b", -5);
  assert.deepEqual((await lines(prom, openMetrics)).filter((line) => !line.startsWith("#")), [
    'a_bucket{le="-1.0"} 0',
    'a_bucket{le="1.0"} 0',
    'a_bucket{le="+Inf"} 1',
    'b_bucket{le="1.0"} 1',
    'b_bucket{le="+Inf"} 1',
  ]);
  assert.match(prom.format(), /^a_sum 5$/m);
  assert.match(prom.format(), /^b_sum -5$/m);
});

Deno.test("OpenMetrics: times are in seconds", async () => {
  using prom = bare();
  prom.set("a", 1, {}, 1700000000123);
  prom.set("b", 2, {}, -500);
  assert.deepEqual(await lines(prom, openMetrics), ["a 1 1700000000.123", "b 2 -0.5", "# EOF"]);
  assert.deepEqual(await lines(prom), ["a 1 1700000000123", "b 2 -500"]);
});

Deno.test("OpenMetrics: _created stands with its series and has its time", async () => {
  const before = Date.now() / 1000;
  using prom = new PrometheusTinyShared();
  prom.declare("c_total", { type: "counter" });
  prom.set("c_total", 5, { a: 1 }, 1000);
  prom.inc("c_total", { b: 1 });
  prom.histogramObserve("h", 1);
  prom.declare("g", { type: "gauge" });
  prom.set("g", 1);
  const shown = (await lines(prom, openMetrics)).filter((line) => /^(g|c_|h_[^b])/.test(line));
  const times: number[] = [];
  const masked = shown.map((line) =>
    line.replace(/(_created\S*) (\S+)/, (_, name, time) => {
      times.push(Number(time));
      return `${name} T`;
    })
  );
  assert.deepEqual(masked, [
    'c_total{a="1"} 5 1',
    'c_created{a="1"} T 1',
    'c_total{b="1"} 1',
    'c_created{b="1"} T',
    "g 1",
    "h_count 1",
    "h_sum 1",
    "h_created T",
  ]);
  for (const time of times) assert(time >= before - 60 && time <= Date.now() / 1000 + 1, `${time}`);
});

/** Takes the times off exemplars, which are those of their updates. */
function timeless(shown: string[], from: number): string[] {
  return shown.map((line) =>
    line.replace(/( # \{.*\} \S+) (\S+)$/, (_, exemplar, time) => {
      assert(Number(time) >= from / 1000 && Number(time) <= Date.now() / 1000, line);
      return exemplar;
    })
  );
}

Deno.test("OpenMetrics: counters and buckets show their last exemplars, the text format none", async () => {
  using prom = bare();
  const from = Date.now();
  const jobs = prom.counter("jobs", { labelNames: ["queue"] });
  jobs.inc({ queue: "a" }, 2, { trace_id: "first" });
  jobs.inc({ queue: "a" }, 3, { trace_id: 'x"\\y', span: 1 });
  jobs.inc({ queue: "a" });
  jobs.inc({ queue: "b" });
  const wait = prom.histogram("wait", { buckets: [1, 2] });
  wait.observe(0.5);
  wait.observe(1.5, { trace_id: "é" });
  wait.observe(7, { trace_id: "z" });
  assert.deepEqual(timeless(await lines(prom, openMetrics), from), [
    "# TYPE jobs counter",
    'jobs_total{queue="a"} 6 # {trace_id="x\\"\\\\y",span="1"} 3',
    'jobs_total{queue="b"} 1',
    "# TYPE wait histogram",
    'wait_bucket{le="1.0"} 1',
    'wait_bucket{le="2.0"} 2 # {trace_id="é"} 1.5',
    'wait_bucket{le="+Inf"} 3 # {trace_id="z"} 7',
    "wait_count 3",
    "wait_sum 9",
    "# EOF",
  ]);
  for (const line of await lines(prom)) assert(line.startsWith("#") || !line.includes("#"), line);
  jobs.remove({ queue: "a" });
  jobs.inc({ queue: "a" });
  assert((await lines(prom, openMetrics)).includes('jobs_total{queue="a"} 1'));
});

Deno.test("A gauge of all workers has a line for each, in order among other labels", async () => {
  const file = await Deno.makeTempFile();
  try {
    using one = bare({ filename: file, initFile: true });
    using two = bare({ filename: file });
    for (const [value, prom] of [one, two].entries()) {
      const level = prom.gauge("level", { mode: "all", labelNames: ["zone", "area"] });
      level.set({ zone: "z", area: "a" }, value);
      prom.gauge("own", { mode: "liveall", labelNames: ["worker"] }).set({ worker: "x" }, value);
      prom.gauge("plain", { mode: "all" }).set(value);
    }
    const shown = [
      "# TYPE level gauge",
      'level{area="a",worker="1",zone="z"} 0',
      'level{area="a",worker="2",zone="z"} 1',
      "# TYPE own gauge",
      'own{worker="1"} 0',
      'own{worker="2"} 1',
      "# TYPE plain gauge",
      'plain{worker="1"} 0',
      'plain{worker="2"} 1',
    ];
    assert.deepEqual(await lines(one), shown);
    assert.deepEqual(await lines(two, openMetrics), [...shown, "# EOF"]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("Summaries: quantiles, count and sum; in OpenMetrics series by series", async () => {
  using prom = bare();
  const took = prom.summary("took_seconds", {
    help: "Took.",
    unit: "seconds",
    labelNames: ["zone", "area"],
    quantiles: [0, 0.5, 1],
  });
  for (const value of [1, 2, 3]) took.observe({ zone: "z", area: "a" }, value);
  took.observe({ zone: "y", area: "b" }, -5);
  assert.deepEqual(await lines(prom), [
    "# HELP took_seconds Took.",
    "# TYPE took_seconds summary",
    'took_seconds{area="a",quantile="0",zone="z"} 1',
    'took_seconds{area="a",quantile="0.5",zone="z"} 2',
    'took_seconds{area="a",quantile="1",zone="z"} 3',
    'took_seconds{area="b",quantile="0",zone="y"} -5',
    'took_seconds{area="b",quantile="0.5",zone="y"} -5',
    'took_seconds{area="b",quantile="1",zone="y"} -5',
    'took_seconds_count{area="a",zone="z"} 3',
    'took_seconds_count{area="b",zone="y"} 1',
    'took_seconds_sum{area="a",zone="z"} 6',
    'took_seconds_sum{area="b",zone="y"} -5',
  ]);
  // OpenMetrics has no negative quantiles, and no sum that can fall.
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE took_seconds summary",
    "# UNIT took_seconds seconds",
    "# HELP took_seconds Took.",
    'took_seconds{area="a",quantile="0.0",zone="z"} 1',
    'took_seconds{area="a",quantile="0.5",zone="z"} 2',
    'took_seconds{area="a",quantile="1.0",zone="z"} 3',
    'took_seconds_count{area="a",zone="z"} 3',
    'took_seconds_sum{area="a",zone="z"} 6',
    'took_seconds_count{area="b",zone="y"} 1',
    "# EOF",
  ]);
});

Deno.test("Summaries whose names are taken lose their type and no line", async () => {
  using prom = bare();
  prom.summary("s", { quantiles: [0.5] }).observe(1);
  prom.set("s_count", 7, { a: 1 });
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE s unknown",
    's{quantile="0.5"} 1',
    "s_count 1",
    's_count{a="1"} 7',
    "s_sum 1",
    "# EOF",
  ]);
});

Deno.test("OpenMetrics: info and state sets, which are gauges in the text format", async () => {
  using prom = bare();
  prom.declare("build_info", { help: "Build.", type: "info" });
  prom.set("build_info", 1, { version: "1.2" });
  prom.declare("job", { type: "stateset", enum: "job", enumValues: ["run", "idle"] });
  prom.enumSet("job", "run", { a: 1, z: 1 });
  prom.enumSet("job", "idle", { a: 1, z: 2 });
  prom.declare("light", { type: "stateset", enum: "colour", enumValues: ["red"] });
  prom.enumSet("light", "red");
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE build info",
    "# HELP build Build.",
    'build_info{version="1.2"} 1',
    "# TYPE job stateset",
    'job{a="1",job="idle",z="1"} 0',
    'job{a="1",job="run",z="1"} 1',
    'job{a="1",job="idle",z="2"} 1',
    'job{a="1",job="run",z="2"} 0',
    "# TYPE light gauge",
    'light{colour="red"} 1',
    "# EOF",
  ]);
  assert.deepEqual((await lines(prom)).filter((line) => line.startsWith("# TYPE")), [
    "# TYPE build_info gauge",
    "# TYPE job gauge",
    "# TYPE light gauge",
  ]);
});

Deno.test("OpenMetrics: names that two families claim make them unknown, and lose nothing", async () => {
  using prom = bare();
  prom.declare("a", { type: "gauge" });
  prom.set("a", 1);
  prom.declare("a_total", { help: "Clashes.", type: "counter" });
  prom.inc("a_total");
  prom.declare("b", { type: "counter" });
  prom.inc("b");
  prom.declare("b_total", { type: "counter" });
  prom.inc("b_total");
  prom.declare("h", { type: "histogram", buckets: [1] });
  prom.histogramObserve("h", 1);
  prom.declare("h_count", { type: "gauge" });
  prom.set("h_count", 5, { a: 1 });
  prom.declare("i", { type: "histogram", buckets: [1] });
  prom.set("i", 3);
  assert.deepEqual(await lines(prom, openMetrics), [
    "# TYPE a gauge",
    "a 1",
    "# TYPE a_total unknown",
    "# HELP a_total Clashes.",
    "a_total 1",
    "# TYPE b unknown",
    "b 1",
    "# TYPE b_total unknown",
    "b_total 1",
    "# TYPE h unknown",
    'h_bucket{le="1.0"} 1',
    'h_bucket{le="+Inf"} 1',
    "# TYPE h_count unknown",
    "h_count 1",
    'h_count{a="1"} 5',
    "h_sum 1",
    "# TYPE i unknown",
    "i 3",
    "# EOF",
  ]);
});

Deno.test("OpenMetrics: what nobody declared is unknown, or the histogram it is", async () => {
  using prom = bare();
  prom.set("nan", NaN);
  prom.set("inf", Infinity);
  prom.declare("u", { type: "untyped" });
  prom.set("u", -Infinity);
  prom.histogramObserve("h", 100);
  const shown = await lines(prom, openMetrics);
  assert.deepEqual(shown.filter((line) => !line.startsWith("h_bucket")), [
    "# TYPE h histogram",
    "h_count 1",
    "h_sum 100",
    "inf +Inf",
    "nan NaN",
    "# TYPE u unknown",
    "u -Inf",
    "# EOF",
  ]);
});

Deno.test("OpenMetrics: bucketOrder is always numeric", async () => {
  using prom = bare({ bucketOrder: "lexical" });
  using numeric = bare();
  for (const each of [prom, numeric]) {
    each.declare("h", { buckets: [2, 10] });
    each.histogramObserve("h", 1, { a: 1 });
    each.inc("h_a");
  }
  assert.deepEqual(await lines(prom, openMetrics), await lines(numeric, openMetrics));
});

// ---- escaping

const spellings:
  readonly (readonly [name: string, underscores: string, dots: string, values: string])[] = [
    ["legacy_name:x", "legacy_name:x", "legacy_name:x", "legacy_name:x"],
    ["http.status", "http_status", "http_dot_status", "U__http_2e_status"],
    ["my_http.status", "my_http_status", "my__http_dot_status", "U__my__http_2e_status"],
    ["0first", "_first", "__first", "U___30_first"],
    ["a b", "a_b", "a__b", "U__a_20_b"],
    ["röm", "r_m", "r__m", "U__r_f6_m"],
    ["花火", "__", "____", "U___82b1__706b_"],
    ["🦕x", "_x", "__x", "U___1f995_x"],
    ['q"\\\n', "q___", "q______", "U__q_22__5c__a_"],
  ];

Deno.test("Names are escaped as Prometheus's own libraries do it", async () => {
  for (const [name, ...escaped] of spellings) {
    for (const [index, scheme] of ["underscores", "dots", "values"].entries()) {
      using prom = bare();
      prom.set(name, 1, { [name.replaceAll(":", "")]: "v" });
      const [line] = await lines(prom, `text/plain;version=1.0.0;escaping=${scheme}`);
      const label = escaped[index].replaceAll(":", "");
      assert.equal(line, `${escaped[index]}{${label}="v"} 1`, `${name} ${scheme}`);
    }
  }
});

Deno.test("Names stay as they are for who asks for UTF-8, and in format()", async () => {
  using prom = bare();
  prom.set("http.status", 1, { "a.b": "1" });
  const line = '{"http.status","a.b"="1"} 1';
  assert.deepEqual(await lines(prom, "text/plain;version=1.0.0;escaping=allow-utf-8"), [line]);
  assert.equal(prom.format(), `${line}\n`);
});

Deno.test("Escaped names reach headers, histograms, states and labels beside le", async () => {
  using prom = bare();
  prom.declare("h.h", { help: "H.", type: "histogram", buckets: [1] });
  prom.histogramObserve("h.h", 1, { "a.b": 'x,"y', z: "1" });
  prom.declare("s.s", { type: "stateset", enum: "s.s", enumValues: ["on", "off"] });
  prom.enumSet("s.s", "on", { "t.t": 1 });
  assert.deepEqual(await lines(prom), [
    "# HELP h_h H.",
    "# TYPE h_h histogram",
    'h_h_bucket{a_b="x,\\"y",le="1",z="1"} 1',
    'h_h_bucket{a_b="x,\\"y",le="+Inf",z="1"} 1',
    'h_h_count{a_b="x,\\"y",z="1"} 1',
    'h_h_sum{a_b="x,\\"y",z="1"} 1',
    "# TYPE s_s gauge",
    's_s{s_s="off",t_t="1"} 0',
    's_s{s_s="on",t_t="1"} 1',
  ]);
  const escaped = "application/openmetrics-text;version=1.0.0;escaping=values";
  assert.deepEqual(await lines(prom, escaped), [
    "# TYPE U__h_2e_h histogram",
    "# HELP U__h_2e_h H.",
    'U__h_2e_h_bucket{U__a_2e_b="x,\\"y",le="1.0",z="1"} 1',
    'U__h_2e_h_bucket{U__a_2e_b="x,\\"y",le="+Inf",z="1"} 1',
    'U__h_2e_h_count{U__a_2e_b="x,\\"y",z="1"} 1',
    'U__h_2e_h_sum{U__a_2e_b="x,\\"y",z="1"} 1',
    "# TYPE U__s_2e_s stateset",
    'U__s_2e_s{U__s_2e_s="off",U__t_2e_t="1"} 0',
    'U__s_2e_s{U__s_2e_s="on",U__t_2e_t="1"} 1',
    "# EOF",
  ]);
});

Deno.test("Names that would become one are told apart", async () => {
  using prom = bare();
  prom.set("a.b", 1);
  prom.set("a b", 2);
  prom.set("a_b", 3);
  prom.set("c", 4, { "l.l": 1, "l l": 2, l_l: 3 });
  assert.deepEqual(await lines(prom), [
    "U__a_20_b 2",
    "U__a_2e_b 1",
    "a_b 3",
    'c{U__l_20_l="2",U__l_2e_l="1",l_l="3"} 4',
  ]);
});

// ---- name[]

Deno.test("exposition() prints only families that have a wanted name or sample", async () => {
  using prom = bare();
  prom.declare("jobs_total", { help: "Jobs.", type: "counter" });
  prom.inc("jobs_total");
  prom.declare("h", { buckets: [1] });
  prom.histogramObserve("h", 1);
  prom.set("g", 1);
  prom.set("u.u", 2);
  const jobs = ["# HELP jobs_total Jobs.", "# TYPE jobs_total counter", "jobs_total 1"];
  const h = ['h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 1', "h_count 1", "h_sum 1"];
  const table: [string[], string[]][] = [
    [["jobs_total"], jobs],
    [["jobs"], jobs],
    [["h_count"], h],
    [["h"], h],
    [["h_sum", "g", "h"], ["g 1", ...h]],
    [["u.u"], ["u_u 2"]],
    [["u_u"], ["u_u 2"]],
    [["job", "g_total", "", "h_"], []],
    [[], []],
  ];
  for (const [names, expected] of table) {
    assert.deepEqual(await lines(prom, undefined, names), expected, names.join());
  }
  assert.deepEqual(await lines(prom, openMetrics, ["nothing"]), ["# EOF"]);
  assert.deepEqual(await lines(prom, openMetrics, ["jobs_created"]), [
    "# TYPE jobs counter",
    "# HELP jobs Jobs.",
    "jobs_total 1",
    "# EOF",
  ]);
});

Deno.test("exposition() refuses what it does not understand", async () => {
  using prom = bare();
  for (const request of [{ names: "a" }, { names: [1] }, { accept: 1 }, { other: 1 }, 7]) {
    await assert.rejects(prom.exposition(request as never), TypeError);
  }
  prom.close();
  await assert.rejects(prom.exposition(), { name: "StoreError", code: "CLOSED" });
});

Deno.test("exposition() of a large store is the same as of its parts", async () => {
  using prom = bare();
  prom.declare("a_total", { type: "counter" });
  for (let i = 0; i < 11_000; i++) prom.inc("a_total", { i });
  const whole = await lines(prom, openMetrics);
  assert.equal(whole.length, 11_002);
  assert.equal(whole[1], 'a_total{i="0"} 1');
  assert.equal(whole.at(-1), "# EOF");
  assert.equal(text(await prom.exposition()), prom.format());
});

// ---- the store's own series

function own(shown: string[]): Map<string, number> {
  return new Map(
    shown.filter((line) => line.startsWith("prometheus_tiny_"))
      .map((line) => line.split(" ")).map(([name, value]) => [name, Number(value)]),
  );
}

Deno.test("storeMetrics shows how the store is, in order among the others", async () => {
  using prom = bare({ storeMetrics: true, maxWorkers: 5 });
  prom.inc("a_total");
  prom.inc("z_total");
  assert.match(prom.format(), /^a_total 1\n# HELP prometheus_tiny_[^]*\nz_total 1\n$/);
  const first = own(await lines(prom));
  assert.equal(first.get("prometheus_tiny_store_workers"), 1);
  assert.equal(first.get("prometheus_tiny_store_workers_limit"), 5);
  assert.equal(first.get("prometheus_tiny_store_worker_slots_used"), 1);
  assert.equal(first.get("prometheus_tiny_store_takeovers_total"), 0);
  assert.equal(first.get("prometheus_tiny_store_series"), 4);
  assert.equal(first.get("prometheus_tiny_dropped_updates_total"), 0);
  assert.equal(first.get("prometheus_tiny_store_damage_total"), 0);
  const used = first.get('prometheus_tiny_store_used_bytes{area="text"}')!;
  const free = first.get('prometheus_tiny_store_free_bytes{area="text"}')!;
  assert(used > 0 && free > used && Number.isInteger(used + free));
  assert(!first.has("prometheus_tiny_cache_pages"));
  const length = (await prom.exposition()).body.length;
  const next = own(await lines(prom));
  assert.equal(next.get("prometheus_tiny_last_render_bytes"), length);
  assert(next.get("prometheus_tiny_last_render_seconds")! > 0);
  assert(next.get("prometheus_tiny_last_render_seconds")! < 10);
  for (const line of await lines(prom, openMetrics)) assert(!line.startsWith("# UNIT a"), line);
});

Deno.test("storeMetrics shows the pages of a cache in the same file", async () => {
  const filename = await Deno.makeTempFile();
  try {
    using prom = bare({ filename, initFile: true, storeMetrics: true });
    using _cache = new FastMmap({
      shareFile: filename,
      initFile: false,
      numPages: 7,
      pageSize: "8k",
    });
    const shown = own(await lines(prom));
    assert.equal(shown.get("prometheus_tiny_cache_pages"), 7);
    assert.equal(shown.get("prometheus_tiny_cache_page_bytes"), 8192);
  } finally {
    await Deno.remove(filename);
  }
});

Deno.test("Without storeMetrics only what went wrong is shown", async () => {
  using prom = bare({ onWarning: () => {}, cacheArgs: { cacheSize: "64k" } });
  prom.inc("a");
  assert.deepEqual(await lines(prom), ["a 1"]);
  for (let i = 0; i < 500; i++) prom.inc("b", { i });
  const shown = own(await lines(prom));
  assert.deepEqual([...shown.keys()], ["prometheus_tiny_dropped_updates_total"]);
  assert(shown.get("prometheus_tiny_dropped_updates_total")! > 0);
  const metrics = await lines(prom, openMetrics, ["prometheus_tiny_dropped_updates_total"]);
  assert.deepEqual(metrics.slice(0, 2), [
    "# TYPE prometheus_tiny_dropped_updates counter",
    "# HELP prometheus_tiny_dropped_updates Updates that found no room in the store.",
  ]);
});

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { temporaryFolder } from "./opening.ts";

// ---- info

Deno.test("info() is a gauge that is 1, with the suffix _info", () => {
  using prom = new PrometheusTinyShared({ defaultLabels: { env: "test" } });
  const build = prom.info("build", { help: "What runs.", labelNames: ["version"] });
  assert.equal(build.name, "build_info");
  assert.equal(prom.format(), "# HELP build_info What runs.\n# TYPE build_info gauge\n");
  build.set({ version: "1.0" });
  build.set({ version: "1.0" });
  assert.match(prom.format(), /\nbuild_info\{env="test",version="1.0"\} 1\n$/);
  assert.equal(prom.info("other_info").name, "other_info");
});

Deno.test("Info.set() replaces what the same object said, and nothing else", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using prom = new PrometheusTinyShared({ filename });
  using other = new PrometheusTinyShared({ filename });
  const lines = () => prom.format().split("\n").filter((line) => /^build_info/.test(line));
  const labelNames = ["version"] as const;
  const build = prom.info("build", { labelNames });
  const others = other.info("build", { labelNames });
  build.set({ version: "1" });
  others.set({ version: "9" });
  build.set({ version: "2" });
  build.set({ version: 2 as never }); // the same labels
  assert.deepEqual(lines(), ['build_info{version="2"} 1', 'build_info{version="9"} 1']);
  assert.throws(() => build.set({} as never), /label "version" is missing/);
  assert.throws(() => build.set({ version: "3", x: 1 } as never), /label "x" is unexpected/);
  assert.deepEqual(lines(), ['build_info{version="2"} 1', 'build_info{version="9"} 1']);
  build.remove();
  build.remove();
  assert.deepEqual(lines(), ['build_info{version="9"} 1']);
  other.close();
  assert.deepEqual(lines(), ['build_info{version="9"} 1']);
  build.set({ version: "2" });
  assert.deepEqual(lines(), ['build_info{version="2"} 1', 'build_info{version="9"} 1']);
});

Deno.test("info() that is live leaves with its workers", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using prom = new PrometheusTinyShared({ filename });
  const lines = () => prom.format().split("\n").filter((line) => /^build_info/.test(line));
  const options = { labelNames: ["version"], live: true } as const;
  const workers = ["1", "1", "2"].map((version) => {
    const worker = new PrometheusTinyShared({ filename });
    worker.info("build", options).set({ version });
    return worker;
  });
  assert.deepEqual(lines(), ['build_info{version="1"} 1', 'build_info{version="2"} 1']);
  workers[0].close();
  assert.deepEqual(lines(), ['build_info{version="1"} 1', 'build_info{version="2"} 1']);
  workers[1].close();
  assert.deepEqual(lines(), ['build_info{version="2"} 1']);
  workers[2].close();
  assert.deepEqual(lines(), []);
});

Deno.test("info() refuses invalid names and options", () => {
  using prom = new PrometheusTinyShared();
  const attempt = (name: unknown, options?: unknown) => () =>
    prom.info(name as string, options as never);
  assert.throws(attempt(5), /name must be a text/);
  assert.throws(attempt(""), /name must be a text/);
  assert.throws(attempt("a-b"), /invalid metric name "a-b_info"/);
  assert.throws(attempt("a", { unit: "s" }), /has no member "unit"/);
  assert.throws(attempt("a", { live: 1 }), /live must be a boolean/);
  assert.throws(attempt("a", { labelNames: ["x", "x"] }), /"x" twice/);
  assert.equal(prom.format(), "");
  prom.gauge("a_info");
  assert.throws(attempt("a"), { code: "MISMATCH" });
  prom.close();
  assert.throws(attempt("b"), { code: "CLOSED" });
});

Deno.test("Info.reset() and removeMatching() take out what anybody said", () => {
  using prom = new PrometheusTinyShared();
  const labelNames = ["version", "zone"] as const;
  const [one, two, three] = [1, 2, 3].map(() => prom.info("build", { labelNames }));
  one.set({ version: "1", zone: "a" });
  two.set({ version: "1", zone: "b" });
  three.set({ version: "2", zone: "a" });
  assert.equal(three.removeMatching({ version: "1" }), 2);
  assert.equal(prom.format().match(/^build_info/gm)?.length, 1);
  one.reset();
  assert.doesNotMatch(prom.format(), /^build_info/m);
  three.set({ version: "2", zone: "a" });
  assert.match(prom.format(), /^build_info\{version="2",zone="a"\} 1$/m);
});

Deno.test("info() and stateSet() are brought up to date by their collect callbacks", () => {
  using prom = new PrometheusTinyShared();
  let version = 1;
  prom.info("build", {
    labelNames: ["version"],
    collect: (build) => build.set({ version: version++ }),
  });
  prom.stateSet("light", { states: ["on", "off"], collect: (light) => light.set("on") });
  prom.format();
  assert.match(prom.format(), /^build_info\{version="2"\} 1\n(#.*\n)*light/m);
  assert.match(prom.format(), /^light\{light="on"\} 1$/m);
});

Deno.test("info() and stateSet() have their own types in OpenMetrics", async () => {
  using prom = new PrometheusTinyShared({ prefix: "my_" });
  prom.info("build", { help: "What runs.", labelNames: ["version"] }).set({ version: "1" });
  prom.stateSet("job", { states: ["on", "off"] }).set("on");
  const { body } = await prom.exposition({ accept: "application/openmetrics-text" });
  assert.equal(
    new TextDecoder().decode(body),
    `# TYPE my_build info
# HELP my_build What runs.
my_build_info{version="1"} 1
# TYPE my_job stateset
my_job{my_job="off"} 0
my_job{my_job="on"} 1
# EOF
`,
  );
});

// ---- state sets

Deno.test("stateSet() is a series for each state, named by the metric's own name", () => {
  using prom = new PrometheusTinyShared();
  const job = prom.stateSet("job", { help: "The job.", states: ["waiting", "running", "done"] });
  assert.equal(prom.format(), "# HELP job The job.\n# TYPE job gauge\n");
  assert.equal(job.value(), undefined);
  job.set("running");
  assert.equal(job.value(), "running");
  assert.equal(
    prom.format(),
    '# HELP job The job.\n# TYPE job gauge\njob{job="done"} 0\njob{job="running"} 1\n' +
      'job{job="waiting"} 0\n',
  );
  job.set("done");
  assert.match(prom.format(), /job\{job="done"\} 1\njob\{job="running"\} 0\n/);
  job.remove();
  assert.equal(job.value(), undefined);
  assert.doesNotMatch(prom.format(), /^job/m);
  job.set("waiting");
  assert.equal(job.value(), "waiting");
  job.reset();
  assert.equal(job.value(), undefined);
});

Deno.test("stateSet() with labels, and with another label for the state", () => {
  using prom = new PrometheusTinyShared({ prefix: "my_" });
  const feature = prom.stateSet("feature", {
    states: ["off", "on"],
    labelNames: ["a", "z"],
    label: "is",
  });
  feature.set({ a: 1, z: 2 }, "on");
  const child = feature.labels({ a: "1", z: "x" });
  child.set("off");
  assert.equal(feature.value({ a: 1, z: 2 }), "on");
  assert.equal(child.value(), "off");
  assert.match(prom.format(), /my_feature\{a="1",is="on",z="2"\} 1\n/);
  assert.match(prom.format(), /my_feature\{a="1",is="off",z="x"\} 1\n/);
  feature.remove({ a: 1, z: 2 });
  assert.equal(feature.value({ a: 1, z: 2 }), undefined);
  assert.equal(child.value(), "off");
  const plain = prom.stateSet("plain", { states: ["a"] });
  plain.set("a");
  assert.match(prom.format(), /my_plain\{my_plain="a"\} 1\n/);
});

Deno.test("stateSet() is one state for all workers, and for enumSet()", () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using one = new PrometheusTinyShared({ filename });
  using other = new PrometheusTinyShared({ filename });
  const states = ["b", "a", "c"] as const;
  const [first, second] = [one, other].map((prom) => prom.stateSet("s", { states }));
  first.set("b");
  second.set("c");
  assert.equal(first.value(), "c");
  first.set("a");
  assert.equal(second.value(), "a");
  other.enumSet("s", "b");
  assert.equal(first.value(), "b");
  other.enumSet("s", "unknown");
  assert.equal(first.value(), undefined);
  other.clear();
  assert.equal(first.value(), undefined);
  first.set("b");
  assert.equal(second.value(), "b");
});

Deno.test("StateSet.set() refuses an unknown state; it stays as it was", () => {
  using prom = new PrometheusTinyShared();
  const job = prom.stateSet("job", { states: ["on", "off"] });
  job.set("on");
  for (const state of ["ON", "", undefined, null, 0]) {
    assert.throws(() => job.set(state as never), {
      name: "RangeError",
      message: /state set job has no state .*; it has "on", "off"/,
    });
  }
  assert.equal(job.value(), "on");
});

Deno.test("stateSet() refuses invalid names and options", () => {
  using prom = new PrometheusTinyShared();
  const attempt = (name: unknown, options?: unknown) => () =>
    prom.stateSet(name as string, options as never);
  const states = ["on"];
  const cases: [() => unknown, RegExp][] = [
    [attempt("a"), /stateSet options must be an object/],
    [attempt("a", {}), /states of a must be an array of at least one string, not undefined/],
    [attempt("a", { states: [] }), /at least one string, not an empty one/],
    [attempt("a", { states: "on" }), /states must be a object/],
    [attempt("a", { states: [1] }), /states of a must be strings, not 1/],
    [attempt("a", { states: ["x", "x"] }), /states of a has "x" twice/],
    [attempt("a", { states, label: "a-b" }), /invalid label name "a-b"/],
    [attempt("a:b", { states }), /a:b cannot be the label of its states.*option label/],
    [
      attempt("a", { states, labelNames: ["a"] }),
      /labelNames of a has "a", which is the label of its states/,
    ],
    [attempt("a", { states, unit: "s" }), /has no member "unit"/],
    [attempt("", { states }), /name must be a text/],
  ];
  for (const [call, message] of cases) assert.throws(call, { name: "TypeError", message });
  assert.equal(prom.format(), "");
  prom.stateSet("a:b", { states, label: "is" }).set("on");
  assert.throws(attempt("a:b", { states: ["off"], label: "is" }), { code: "MISMATCH" });
});

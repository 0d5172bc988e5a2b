import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import { PrometheusTinyShared, type PrometheusTinySharedOptions, sharedFile } from "../mod.ts";
import { StoreError } from "../mod.ts";

/** A private store whose warnings are kept. */
function open(options: PrometheusTinySharedOptions = {}) {
  const warnings: string[] = [];
  const prom = new PrometheusTinyShared({ onWarning: (text) => warnings.push(text), ...options });
  return { prom, warnings, [Symbol.dispose]: () => prom.close() };
}

function fails(code: string, message: RegExp = /./) {
  return (error: unknown) => {
    assert(error instanceof StoreError, `no StoreError: ${error}`);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
}

function temporaryFile() {
  const folder = Deno.makeTempDirSync();
  const remove = () => Deno.removeSync(folder, { recursive: true });
  return { filename: `${folder}/store`, [Symbol.dispose]: remove };
}

// ---- values

Deno.test("PrometheusTinyShared.format() of an empty store is the empty text", () => {
  using t = open();
  assert.equal(t.prom.format(), "");
});

Deno.test("PrometheusTinyShared.set() replaces value and timestamp", () => {
  using t = open();
  t.prom.set("a", 5, {}, 1234);
  assert.equal(t.prom.format(), "a 5 1234\n");
  t.prom.set("a", 6, {}, 2345);
  assert.equal(t.prom.format(), "a 6 2345\n");
  t.prom.set("a", 7);
  assert.equal(t.prom.format(), "a 7\n");
});

Deno.test("PrometheusTinyShared.add() starts at 0 and keeps a timestamp", () => {
  using t = open();
  t.prom.add("a", 2.5);
  t.prom.set("b", 1, undefined, 0);
  t.prom.add("b", 2);
  assert.equal(t.prom.format(), "a 2.5\nb 3 0\n");
});

Deno.test("PrometheusTinyShared.inc() and dec() add 1 and -1 and return nothing", () => {
  using t = open();
  assert.equal(t.prom.inc("a", { x: "1" }), undefined);
  assert.equal(t.prom.inc("a", { x: "1" }), undefined);
  assert.equal(t.prom.dec("a"), undefined);
  assert.equal(t.prom.set("b", 1), undefined);
  assert.equal(t.prom.add("b", 1), undefined);
  assert.equal(t.prom.format(), 'a -1\na{x="1"} 2\nb 2\n');
});

Deno.test("PrometheusTinyShared.set() of a non-number warns and uses 0", () => {
  using t = open();
  for (const value of ["abc", "", "0x10", undefined, null, true, {}] as unknown[]) {
    t.prom.set("a", 5);
    t.prom.set("a", value as string);
    assert.equal(t.warnings.pop(), "setting 'a' to non-numeric value, using 0 instead");
    assert.equal(t.prom.format(), "a 0\n");
  }
});

Deno.test("PrometheusTinyShared.add() of a non-number warns, adds 0 and creates the series", () => {
  using t = open();
  t.prom.add("a", "abc");
  t.prom.add("a", undefined);
  assert.deepEqual(
    t.warnings,
    Array(2).fill("adjusting 'a' by non-numeric value, adding 0 instead"),
  );
  assert.equal(t.prom.format(), "a 0\n");
});

Deno.test("PrometheusTinyShared.add() takes numeric strings and bigints", () => {
  using t = open();
  t.prom.add("a", " 1e3 ");
  t.prom.add("a", 5n);
  t.prom.set("b", "Inf");
  assert.deepEqual(t.warnings, []);
  assert.equal(t.prom.format(), "a 1005\nb +Inf\n");
});

Deno.test("PrometheusTinyShared.add() keeps every bit of a number", () => {
  using t = open();
  t.prom.add("a", 4503599627370497.5);
  t.prom.add("a", 1);
  t.prom.set("b", 0.1 + 0.2);
  t.prom.set("c", NaN);
  // The first number has no double of its own; the peer loses one more bit by going through text.
  assert.equal(t.prom.format(), "a 4503599627370499\nb 0.30000000000000004\nc NaN\n");
});

Deno.test("PrometheusTinyShared.clear() drops values and keeps declarations", () => {
  using t = open();
  t.prom.declare("a", { help: "text", type: "counter" });
  t.prom.inc("a");
  t.prom.histogramObserve("h", 1);
  t.prom.clear();
  assert.equal(t.prom.format(), "# HELP a text\n# TYPE a counter\n");
  t.prom.inc("a");
  assert.equal(t.prom.format(), "# HELP a text\n# TYPE a counter\na 1\n");
});

// ---- names and labels

Deno.test("PrometheusTinyShared.inc() finds one series whatever the labels' order and type", () => {
  using t = open();
  for (let round = 0; round < 3; round++) {
    t.prom.inc("a", { x: "1", y: "true" });
    t.prom.inc("a", { y: true, x: 1 });
    t.prom.inc("a", { y: "true", x: 1 });
  }
  assert.equal(t.prom.format(), 'a{x="1",y="true"} 9\n');
});

Deno.test("PrometheusTinyShared.inc() keeps apart what only looks alike", () => {
  using t = open();
  for (let round = 0; round < 2; round++) {
    t.prom.inc("a", { x: "1" });
    t.prom.inc("a", { y: "1" });
    t.prom.inc("a", { x: "1", y: "1" });
    t.prom.inc("a", { x: '1",y="1' });
    t.prom.inc("a");
  }
  assert.equal(
    t.prom.format(),
    'a 2\na{x="1"} 2\na{x="1",y="1"} 2\na{x="1\\",y=\\"1"} 2\na{y="1"} 2\n',
  );
});

Deno.test("PrometheusTinyShared.inc() with many label names stays right", () => {
  using t = open();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 40; i++) t.prom.inc("a", { [`l${i}`]: i });
  }
  const lines = t.prom.format().trim().split("\n");
  assert.equal(lines.length, 40);
  for (const line of lines) assert.match(line, /^a\{l(\d+)="\1"\} 2$/);
});

Deno.test("PrometheusTinyShared.inc() ignores inherited properties, on every call", () => {
  using t = open();
  const inherited = Object.assign(Object.create({ x: "inherited" }), { y: "own" });
  t.prom.inc("a", inherited);
  t.prom.inc("a", inherited);
  t.prom.inc("a", { y: "own" });
  t.prom.inc("a", Object.assign(Object.create(null), { y: "own" }));
  assert.equal(t.prom.format(), 'a{y="own"} 4\n');
});

Deno.test("PrometheusTinyShared.inc() drops an undefined label with a warning each time", () => {
  using t = open({ defaultLabels: { env: "test" } });
  for (let round = 0; round < 2; round++) t.prom.inc("a", { x: undefined, y: null, z: "" });
  assert.equal(t.prom.format(), 'a{env="test",z=""} 2\n');
  const texts = ["x", "y"].map((x) => `label '${x}' has an undefined value, dropping it`);
  assert.deepEqual(t.warnings, [...texts, ...texts]);
});

Deno.test("PrometheusTinyShared defaultLabels are copied, overridden, and taken away", () => {
  const defaultLabels: Record<string, string> = { env: "test", host: "h" };
  using t = open({ defaultLabels });
  defaultLabels.env = "changed";
  t.prom.inc("a");
  t.prom.inc("a", { env: "call" });
  t.prom.inc("a", { env: undefined });
  assert.equal(
    t.prom.format(),
    'a{env="call",host="h"} 1\na{env="test",host="h"} 1\na{host="h"} 1\n',
  );
});

Deno.test("PrometheusTinyShared.inc() refuses invalid names and leaves the store as it is", () => {
  using t = open();
  t.prom.inc("a");
  for (const name of ["", "a-b", "9a", "é", 5, undefined] as string[]) {
    assert.throws(() => t.prom.inc(name), TypeError);
    assert.throws(() => t.prom.histogramObserve(name, 1), TypeError);
    assert.throws(() => t.prom.declare(name, {}), TypeError);
  }
  for (const label of ["", "a-b", "a:b", "__name__"]) {
    assert.throws(() => t.prom.inc("b", { [label]: "x" }), TypeError);
  }
  for (const labels of [5, "x", [], new Map()] as never[]) {
    assert.throws(() => t.prom.inc("a", labels), { name: "TypeError", message: /labels must be/ });
  }
  assert.equal(t.prom.format(), "a 1\n");
});

Deno.test("PrometheusTinyShared nameValidation utf8 quotes any name", () => {
  using t = open({ nameValidation: "utf8" });
  t.prom.declare("a.b", { help: "x", type: "gauge" });
  t.prom.set("a.b", 1);
  t.prom.set("a.b", 2, { "l.m": "x", n: "y" });
  t.prom.set('q"', 3);
  t.prom.declare("h.h", { buckets: [1] });
  t.prom.histogramObserve("h.h", 1, { b: "1" });
  assert.equal(
    t.prom.format(),
    `# HELP "a.b" x
# TYPE "a.b" gauge
{"a.b"} 1
{"a.b","l.m"="x",n="y"} 2
{"h.h_bucket",b="1",le="1"} 1
{"h.h_bucket",b="1",le="+Inf"} 1
{"h.h_count",b="1"} 1
{"h.h_sum",b="1"} 1
{"q\\""} 3
`,
  );
});

Deno.test("PrometheusTinyShared keeps text whole, and makes it well formed", () => {
  using t = open();
  t.prom.inc("a", { x: "😀\t\r" });
  t.prom.inc("a", { x: "\ud800" });
  t.prom.inc("a", { x: "\ufffd" });
  assert.equal(t.prom.format(), 'a{x="\ufffd"} 2\na{x="😀\t\r"} 1\n');
});

// ---- declarations

Deno.test("PrometheusTinyShared.declare() prints HELP and TYPE without samples, HELP escaped", () => {
  using t = open();
  t.prom.declare("b", { help: 'a\\b\n"c"', type: "gauge" });
  t.prom.declare("a", { type: "untyped" });
  t.prom.declare("c", {});
  t.prom.declare("d");
  assert.equal(
    t.prom.format(),
    '# TYPE a untyped\n# HELP b a\\\\b\\n"c"\n# TYPE b gauge\n',
  );
});

Deno.test("PrometheusTinyShared.declare() takes the same again, and says what differs", () => {
  using t = open();
  const declaration = { help: "h", type: "gauge", buckets: [1, 2], enum: "e" } as const;
  const full = { ...declaration, enumValues: ["x", "y"] };
  t.prom.declare("a", full);
  t.prom.declare("a", { ...full, buckets: ["1", "2.0"], unit: "seconds", other: 1 } as never);
  const changes = [
    { help: "other" },
    { type: "counter" },
    { buckets: [1, 3] },
    { enum: "f" },
    { enumValues: ["y", "x"] },
    { help: undefined },
    { type: undefined },
    { buckets: undefined },
    { enum: undefined },
    { enumValues: undefined },
  ] as const;
  for (const change of changes) {
    const [key] = Object.keys(change);
    const message = new RegExp(`^redeclaration of 'a' with mismatched meta: ${key} was `);
    assert.throws(() => t.prom.declare("a", { ...full, ...change }), fails("MISMATCH", message));
  }
  t.prom.declare("b", {});
  assert.throws(() => t.prom.declare("b", { buckets: [] }), fails("MISMATCH", /buckets/));
  assert.equal(t.prom.format(), "# HELP a h\n# TYPE a gauge\n");
});

Deno.test("PrometheusTinyShared.declare() refuses what is not valid", () => {
  using t = open();
  const declare = (declaration: unknown) => () => t.prom.declare("a", declaration as never);
  for (const buckets of [[2, 1], [1, 1], [NaN], [-Infinity, 1], [1, Infinity, 2]]) {
    assert.throws(declare({ buckets }), RangeError, String(buckets));
  }
  const wrong = [
    { buckets: ["x"] },
    { buckets: 5 },
    { buckets: "1,2" },
    { help: 5 },
    { type: "metric" },
    { type: 5 },
    { enum: "a-b" },
    { enum: "e", enumValues: "x" },
    { enum: "e", enumValues: [{}] },
    null,
    "text",
  ];
  for (const declaration of wrong) {
    assert.throws(declare(declaration), TypeError, JSON.stringify(declaration));
  }
  assert.equal(t.prom.format(), "");
  t.prom.declare("a", { buckets: [1, Infinity] });
  t.prom.declare("a", { buckets: [1] });
});

// ---- histograms

Deno.test("PrometheusTinyShared.histogramObserve() fills the default buckets", () => {
  using t = open();
  t.prom.histogramObserve("h", 0.273);
  const bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
  const lines = bounds.map((le) => `h_bucket{le="${le}"} ${le >= 0.273 ? 1 : 0}\n`).join("");
  assert.equal(t.prom.format(), `${lines}h_bucket{le="+Inf"} 1\nh_count 1\nh_sum 0.273\n`);
});

Deno.test("PrometheusTinyShared bucketOrder lexical sorts le as text", () => {
  using t = open({ bucketOrder: "lexical" });
  t.prom.declare("h", { buckets: [1, 2.5, 10] });
  t.prom.histogramObserve("h", 2.5, { z: "1" });
  assert.equal(
    t.prom.format(),
    `h_bucket{le="1",z="1"} 0
h_bucket{le="10",z="1"} 1
h_bucket{le="2.5",z="1"} 1
h_bucket{le="+Inf",z="1"} 1
h_count{z="1"} 1
h_sum{z="1"} 2.5
`,
  );
});

Deno.test("PrometheusTinyShared.histogramObserve() overwrites a user's le on the buckets", () => {
  using t = open();
  t.prom.declare("h", { buckets: [] });
  for (let round = 0; round < 2; round++) t.prom.histogramObserve("h", 1, { le: "mine", a: "x" });
  assert.equal(
    t.prom.format(),
    `h_bucket{a="x",le="+Inf"} 2
h_count{a="x",le="mine"} 2
h_sum{a="x",le="mine"} 2
`,
  );
});

Deno.test("PrometheusTinyShared.histogramObserve() takes what is no finite number", () => {
  using t = open();
  t.prom.declare("h", { buckets: [1] });
  t.prom.histogramObserve("h", "abc");
  assert.deepEqual(t.warnings, ["adjusting 'h_sum' by non-numeric value, adding 0 instead"]);
  t.prom.histogramObserve("h", Infinity);
  assert.match(t.prom.format(), /le="1"\} 1\n.*le="\+Inf"\} 2\nh_count 2\nh_sum \+Inf\n/);
  t.prom.histogramObserve("h", NaN);
  assert.match(t.prom.format(), /le="1"\} 1\n.*le="\+Inf"\} 3\nh_count 3\nh_sum NaN\n/);
});

Deno.test("PrometheusTinyShared.declare() after an observation changes the next ones", () => {
  using t = open();
  t.prom.histogramObserve("h", 1);
  t.prom.declare("h", { buckets: [3] });
  t.prom.histogramObserve("h", 1);
  const text = t.prom.format();
  assert.match(text, /h_bucket\{le="3"\} 1\n/);
  assert.match(text, /h_count 2\n/);
});

// ---- enums

const jobState = { enum: "state", enumValues: ["FOO", "BAR", "BAZ"] };

Deno.test("PrometheusTinyShared.enumSet() shows one line for each state", () => {
  using t = open();
  t.prom.declare("e", jobState);
  t.prom.enumSet("e", "FOO");
  assert.equal(t.prom.format(), 'e{state="BAR"} 0\ne{state="BAZ"} 0\ne{state="FOO"} 1\n');
  t.prom.enumSet("e", "BAR", undefined, 1234);
  assert.equal(
    t.prom.format(),
    'e{state="BAR"} 1 1234\ne{state="BAZ"} 0 1234\ne{state="FOO"} 0 1234\n',
  );
  t.prom.enumSet("e", "unknown");
  assert.equal(t.prom.format(), 'e{state="BAR"} 0\ne{state="BAZ"} 0\ne{state="FOO"} 0\n');
});

Deno.test("PrometheusTinyShared.enumSet() sorts its label among the others and beats a user's", () => {
  using t = open();
  t.prom.declare("e", { enum: "state", enumValues: ["b", "a"] });
  t.prom.enumSet("e", "a", { one: "1", two: "2" });
  t.prom.enumSet("e", "b", { state: "user" });
  assert.equal(
    t.prom.format(),
    `e{one="1",state="a",two="2"} 1
e{one="1",state="b",two="2"} 0
e{state="a"} 0
e{state="b"} 1
`,
  );
});

Deno.test("PrometheusTinyShared.enumSet() fails when the enum is not declared", () => {
  using t = open();
  const message = /^enum not declared for 'e'$/;
  assert.throws(() => t.prom.enumSet("e", "x"), fails("NOT_FOUND", message));
  t.prom.declare("e", { help: "no enum" });
  assert.throws(() => t.prom.enumSet("e", "x"), fails("NOT_FOUND", message));
});

Deno.test("PrometheusTinyShared.enumSet() and set() of its lines: the last write is shown", () => {
  using t = open();
  t.prom.declare("e", { enum: "s", enumValues: ["x", "y"] });
  t.prom.inc("e", { s: "z" });
  for (let round = 0; round < 2; round++) {
    t.prom.enumSet("e", "x");
    t.prom.set("e", 7, { s: "y" });
    assert.equal(t.prom.format(), 'e{s="x"} 1\ne{s="y"} 7\ne{s="z"} 1\n');
    t.prom.inc("e", { s: "x" });
    assert.equal(t.prom.format(), 'e{s="x"} 2\ne{s="y"} 7\ne{s="z"} 1\n');
    t.prom.enumSet("e", "y");
    assert.equal(t.prom.format(), 'e{s="x"} 0\ne{s="y"} 1\ne{s="z"} 1\n');
  }
});

// ---- stores

Deno.test("PrometheusTinyShared shares a file at once, and values outlive every handle", () => {
  using file = temporaryFile();
  const one = new PrometheusTinyShared(file);
  const other = new PrometheusTinyShared({ filename: pathToFileURL(file.filename) });
  one.inc("a");
  other.inc("a");
  assert.equal(one.format(), "a 2\n");
  assert.equal(other.format(), "a 2\n");
  one.declare("h", { buckets: [3] });
  other.histogramObserve("h", 1);
  assert.match(one.format(), /h_bucket\{le="3"\} 1\nh_bucket\{le="\+Inf"\} 1\n/);
  one.close();
  other.close();
  using later = new PrometheusTinyShared({ cacheArgs: { shareFile: file.filename } });
  assert.match(later.format(), /^a 2\n/);
});

Deno.test("PrometheusTinyShared initFile replaces the file", () => {
  using file = temporaryFile();
  using old = new PrometheusTinyShared(file);
  old.inc("a");
  using fresh = new PrometheusTinyShared({ ...file, initFile: true });
  assert.equal(fresh.format(), "");
  assert.equal(old.format(), "a 1\n");
});

Deno.test("PrometheusTinyShared private stores are apart", () => {
  using one = open();
  using other = open();
  one.prom.inc("a");
  assert.equal(other.prom.format(), "");
});

Deno.test("PrometheusTinyShared.close() is idempotent, and everything after it throws CLOSED", () => {
  const { prom } = open();
  prom.inc("a");
  const counter = prom.counter("c");
  const handler = prom.handler();
  prom.declare("e", jobState);
  prom.enumSet("e", "FOO");
  prom.close();
  prom.close();
  using later = open(); // it may get the number that was just closed
  const calls = [
    () => prom.inc("a"),
    () => prom.inc("new"),
    () => prom.set("a", 1),
    () => prom.set("a", 1, {}, 5),
    () => prom.set("a", "abc"),
    () => prom.add("a", 1),
    () => prom.histogramObserve("h", 1),
    () => prom.enumSet("e", "FOO"),
    () => prom.declare("a", {}),
    () => prom.clear(),
    () => prom.format(),
    () => prom.handler(),
    () => prom.counter("d"),
    () => counter.inc(),
    () => counter.value(),
    () => counter.remove(),
    () => handler(new Request("http://localhost/")),
  ];
  for (const call of calls) assert.throws(call, fails("CLOSED"), String(call));
  assert.equal(later.prom.format(), "");
});

Deno.test("PrometheusTinyShared refuses unknown and wrong options", () => {
  const make = (options: unknown) => () => new PrometheusTinyShared(options as never).close();
  const wrong = [
    { fileName: "x" },
    { filename: "" },
    { filename: "a\0b" },
    { filename: 5 },
    { filename: new URL("http://localhost/x") },
    { initFile: "yes" },
    { cacheArgs: { sharefile: "x" } },
    { cacheArgs: { cacheSize: "lots" } },
    { cacheArgs: 5 },
    { filename: "/a", cacheArgs: { shareFile: "/b" } },
    { defaultLabels: { "a-b": "x" } },
    { defaultLabels: { a: {} } },
    { bucketOrder: "random" },
    { nameValidation: "any" },
    { onWarning: "log" },
    null,
  ];
  for (const options of wrong) assert.throws(make(options), TypeError, JSON.stringify(options));
  for (const maxWorkers of [0, -1, 1.5, 1e6, NaN]) assert.throws(make({ maxWorkers }), RangeError);
  assert.throws(make({ cacheArgs: { permissions: 0o1000 } }), RangeError);
  assert.throws(make({ cacheArgs: { numPages: 0 } }), RangeError);
  assert.throws(make({ fileName: "x" }), { message: /fileName.*filename, initFile/ });
});

Deno.test("PrometheusTinyShared accepts the original's cacheArgs", () => {
  using file = temporaryFile();
  const cacheArgs = {
    shareFile: file.filename,
    initFile: true,
    permissions: 0o640,
    cacheSize: "1.5m",
    pageSize: "64k",
    numPages: 89,
    expireTime: "1h",
    unlinkOnExit: false,
    readCb: null,
  };
  using t = open({ cacheArgs });
  t.prom.inc("a");
  assert.equal(t.prom.format(), "a 1\n");
  if (Deno.build.os !== "windows") {
    assert.equal(Deno.statSync(file.filename).mode! & 0o777, 0o640 & ~Deno.umask());
  }
});

Deno.test("PrometheusTinyShared says why a file cannot be opened", () => {
  using file = temporaryFile();
  Deno.writeTextFileSync(file.filename, "this is not a store".repeat(10_000));
  const make = (filename: string) => () => new PrometheusTinyShared({ filename }).close();
  assert.throws(make(file.filename), fails("NOT_A_STORE", new RegExp(file.filename)));
  assert.throws(make(`${file.filename}-folder/store`), fails("NO_FOLDER"));
});

Deno.test("sharedFile() names a store that can be opened", () => {
  const filename = sharedFile("prometheus-tiny-test");
  assert.equal(sharedFile("prometheus-tiny-test"), filename);
  using prom = new PrometheusTinyShared({ filename, initFile: true });
  prom.inc("a");
  assert.equal(prom.format(), "a 1\n");
  prom.close();
  Deno.removeSync(filename);
  assert.throws(() => sharedFile("../x"), StoreError);
});

// ---- a full store

Deno.test("PrometheusTinyShared.inc() on a full store drops, counts and warns once", () => {
  using t = open({ cacheArgs: { cacheSize: "64k" } });
  let made = 0;
  while (t.warnings.length === 0) {
    assert(made < 1_000_000, "the store is never full");
    t.prom.inc("a", { i: made++ });
  }
  assert.match(t.warnings[0], /full.*cacheSize.*dropped/s);
  for (let i = 0; i < 10; i++) t.prom.inc("a", { other: i });
  t.prom.inc("a", { i: 0 });
  assert.equal(t.warnings.length, 1);
  const text = t.prom.format();
  assert.match(text, /^a\{i="0"\} 2$/m);
  assert.match(text, /^# TYPE prometheus_tiny_dropped_updates_total counter$/m);
  assert.match(text, /^prometheus_tiny_dropped_updates_total 11$/m);
  assert.equal(text.match(/^a\{/gm)?.length, made - 1);
});

Deno.test("PrometheusTinyShared.counter() on a full store says which limit and how to raise it", () => {
  using t = open({ cacheArgs: { cacheSize: "64k" } });
  for (let i = 0; t.warnings.length === 0; i++) t.prom.inc("a", { i });
  assert.throws(() => t.prom.counter("c"), (error) => {
    return ["SERIES_FULL", "TEXT_FULL", "CELLS_FULL"].includes((error as StoreError).code) &&
      /cacheSize/.test((error as StoreError).message);
  });
});

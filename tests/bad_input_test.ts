// Everything wrong that a program can pass: one clear error of the documented kind, and the store is as
// before. Wrong files are in bad_files_test.ts.

import assert from "node:assert/strict";
import { PrometheusTinyShared, StoreError } from "../mod.ts";

// deno-lint-ignore no-explicit-any -- what a program without types can call
type Untyped = any;

/** A call, the class of its error and its message. */
type Case = [
  what: string,
  call: (prom: Untyped) => unknown,
  error: typeof TypeError | typeof RangeError | string,
  message: RegExp,
];

const updates: Case[] = [
  ["no name", (p) => p.inc(), TypeError, /metric's name must be a text .*not undefined/],
  ["an empty name", (p) => p.inc(""), TypeError, /name must be a text that is not empty/],
  ["a number as name", (p) => p.set(5, 1), TypeError, /name must be a text .*not 5/],
  ["an object as name", (p) => p.add({}, 1), TypeError, /name must be a text .*not an object/],
  ["a name with -", (p) => p.inc("a-b"), TypeError, /invalid metric name "a-b".*utf8/],
  ["a name with a digit first", (p) => p.dec("1a"), TypeError, /invalid metric name "1a"/],
  ["a name with a line break", (p) => p.inc("a\nb"), TypeError, /invalid metric name "a\\nb"/],
  [
    "a histogram's bad name",
    (p) => p.histogramObserve("é", 1),
    TypeError,
    /invalid metric name "é"/,
  ],
  ["a label's bad name", (p) => p.inc("a", { "x-y": 1 }), TypeError, /invalid label name "x-y"/],
  ["a label with a colon", (p) => p.inc("a", { "x:y": 1 }), TypeError, /invalid label name "x:y"/],
  ["an empty label name", (p) => p.inc("a", { "": 1 }), TypeError, /label's name must be a text/],
  ["the label __name__", (p) => p.inc("a", { __name__: "b" }), TypeError, /Prometheus keeps it/],
  ["labels as text", (p) => p.inc("a", "x"), TypeError, /labels must be an object.*not "x"/],
  [
    "labels as array",
    (p) => p.inc("a", ["x"]),
    TypeError,
    /labels must be an object.*not an array/,
  ],
  ["labels as Map", (p) => p.inc("a", new Map()), TypeError, /labels must be an object.*not a Map/],
  [
    "labels before the value",
    (p) => p.set("a", 1, 2),
    TypeError,
    /labels must be an object.*not 2/,
  ],
  ["an object as label", (p) => p.inc("a", { x: {} }), TypeError, /label "x" must be .*an object/],
  ["a function as label", (p) => p.set("a", 1, { x() {} }), TypeError, /label "x".*a function/],
  ["a bigint as label", (p) => p.add("a", 1, { x: 5n }), TypeError, /label "x" must be .*not 5n/],
  ["a Date as timestamp", (p) => p.set("a", 1, {}, new Date()), TypeError, /date\.getTime\(\)/],
  ["text as timestamp", (p) => p.set("a", 1, {}, "now"), TypeError, /timestamp must be a number/],
  ["NaN as timestamp", (p) => p.set("a", 1, {}, NaN), RangeError, /timestamp must be finite/],
  ["1e300 as timestamp", (p) => p.set("a", 1, {}, 1e300), RangeError, /timestamp must be finite/],
  ["an enum that is none", (p) => p.enumSet("h", "x"), "NOT_FOUND", /enum not declared for 'h'/],
  ["a name of 2,000 bytes", (p) => p.inc("a".repeat(2000)), "TOO_LONG", /1,024 bytes/],
  ["a label of 40,000 bytes", (p) => p.inc("a", { x: "y".repeat(4e4) }), "TOO_LONG", /32 KiB/],
];

const declarations: Case[] = [
  ["a bad name", (p) => p.declare("a b", {}), TypeError, /invalid metric name "a b"/],
  ["null", (p) => p.declare("d", null), TypeError, /declaration must be an object, not null/],
  ["text", (p) => p.declare("d", "help"), TypeError, /declaration must be an object/],
  ["help", (p) => p.declare("d", { help: 5 }), TypeError, /help must be a string, not 5/],
  [
    "type",
    (p) => p.declare("d", { type: "number" }),
    TypeError,
    /type must be one of counter, gauge/,
  ],
  ["unit", (p) => p.declare("d", { unit: {} }), TypeError, /unit must be a string/],
  ["buckets", (p) => p.declare("d", { buckets: 5 }), TypeError, /buckets must be an array/],
  ["a bucket", (p) => p.declare("d", { buckets: [1, "x"] }), TypeError, /buckets must be numbers/],
  ["order", (p) => p.declare("d", { buckets: [1, 3, 2] }), RangeError, /ascend: 2 comes after 3/],
  ["twice", (p) => p.declare("d", { buckets: [1, 1] }), RangeError, /ascend: 1 comes after 1/],
  ["NaN", (p) => p.declare("d", { buckets: [NaN] }), RangeError, /finite numbers/],
  ["Inf", (p) => p.declare("d", { buckets: [Infinity, 1] }), RangeError, /finite numbers/],
  ["enum", (p) => p.declare("d", { enum: "a b" }), TypeError, /invalid label name "a b"/],
  [
    "states",
    (p) => p.declare("d", { enum: "s", enumValues: "x" }),
    TypeError,
    /an array of strings/,
  ],
  ["state", (p) => p.declare("d", { enum: "s", enumValues: [{}] }), TypeError, /must be strings/],
  [
    "again",
    (p) => p.declare("h", { buckets: [1] }),
    "MISMATCH",
    /buckets was \[1,2\], is now \[1\]/,
  ],
];

const typed: Case[] = [
  ["a counter's bad name", (p) => p.counter("a.b"), TypeError, /invalid metric name "a\.b"/],
  [
    "an unknown option",
    (p) => p.counter("c", { label: [] }),
    TypeError,
    /no member "label"; it has/,
  ],
  ["labelNames as text", (p) => p.gauge("c", { labelNames: "x" }), TypeError, /labelNames must be/],
  ["a bad label name", (p) => p.gauge("c", { labelNames: ["-"] }), TypeError, /label name "-"/],
  ["le", (p) => p.histogram("c", { labelNames: ["le"] }), TypeError, /the label of its buckets/],
  ["a mode", (p) => p.gauge("c", { mode: "avg" }), TypeError, /mode must be one of sum, min/],
  ["order", (p) => p.histogram("c", { buckets: [2, 1] }), RangeError, /ascend: 1 comes after 2/],
  ["another type", (p) => p.gauge("c_total"), "MISMATCH", /type was "counter", is now "gauge"/],
  ["a missing label", (p) => counter(p).inc({ a: "1" }), TypeError, /label "b" is missing.*a, b/],
  ["no labels", (p) => counter(p).inc(), TypeError, /label "a" is missing, label "b" is missing/],
  ["one too many", (p) => counter(p).labels({ a: 1, b: 2, c: 3 }), TypeError, /"c" is unexpected/],
  [
    "negative",
    (p) => child(p).inc(-1),
    RangeError,
    /c_total cannot be increased by -1: it only grows/,
  ],
  ["NaN", (p) => child(p).inc(NaN), RangeError, /cannot be increased by NaN/],
  ["infinite", (p) => child(p).inc(Infinity), RangeError, /cannot be increased by Infinity/],
  ["text", (p) => child(p).inc("1"), TypeError, /value for c_total must be a number, not "1"/],
  ["gauge text", (p) => p.gauge("g").set("1"), TypeError, /value for g must be a number/],
  ["observing NaN", (p) => p.histogram("t").observe(NaN), RangeError, /t cannot observe NaN/],
  [
    "observing text",
    (p) => p.histogram("t").observe("1"),
    TypeError,
    /value for t must be a number/,
  ],
];

function counter(prom: Untyped): Untyped {
  return prom.counter("c_total", { labelNames: ["a", "b"] });
}

function child(prom: Untyped): Untyped {
  return counter(prom).labels({ a: "1", b: "2" });
}

/** A store with one of each. */
function filled(): PrometheusTinyShared {
  const prom = new PrometheusTinyShared({ onWarning: (text) => assert.fail(`warned: ${text}`) });
  prom.declare("h", { help: "H.", type: "histogram", buckets: [1, 2] });
  prom.histogramObserve("h", 1.5, { x: "y" });
  prom.set("a", 5, { x: "y" }, 1000);
  child(prom).inc(3);
  prom.gauge("g").set(4);
  prom.histogram("t", { buckets: undefined }).observe(1);
  return prom;
}

function check([what, call, expected, message]: Case, prom: unknown): void {
  assert.throws(() => call(prom), (error: Error) => {
    if (typeof expected === "string") {
      assert.ok(error instanceof StoreError, `${what}: ${error}`);
      assert.equal(error.code, expected, what);
    } else {
      assert.equal(error.name, expected.name, `${what}: ${error}`);
    }
    assert.match(error.message, message, what);
    return true;
  }, what);
}

for (const [subject, cases] of Object.entries({ updates, declarations, typed })) {
  Deno.test(`bad input, ${subject}: one error each, the store is as before`, () => {
    using prom = filled();
    const before = prom.format();
    for (const one of cases) {
      check(one, prom);
      assert.equal(prom.format(), before, one[0]);
    }
  });
}

Deno.test("bad input, options: one error each, and no file", () => {
  const folder = Deno.makeTempDirSync();
  const filename = `${folder}/metrics`;
  const make = (options: unknown) => () => new PrometheusTinyShared(options as never);
  const cases: Case[] = [
    ["null", make(null), TypeError, /options must be an object, not null/],
    ["text", make("file"), TypeError, /options must be an object/],
    ["unknown", make({ filename, file: "x" }), TypeError, /no member "file"; it has filename,/],
    ["filename", make({ filename: 5 }), TypeError, /options\.filename must be a string or object/],
    ["empty", make({ filename: "" }), TypeError, /filename must be a path/],
    ["URL", make({ filename: new URL("http://a/b") }), TypeError, /path or a file: URL, not http/],
    ["initFile", make({ filename, initFile: "yes" }), TypeError, /initFile must be a boolean/],
    ["cacheArgs", make({ filename, cacheArgs: 5 }), TypeError, /cacheArgs must be a object/],
    ["its member", make({ filename, cacheArgs: { size: 1 } }), TypeError, /no member "size"/],
    ["its size", make({ filename, cacheArgs: { cacheSize: "big" } }), TypeError, /such as "64m"/],
    ["no size", make({ filename, cacheArgs: { cacheSize: 0 } }), RangeError, /cacheSize must be a/],
    [
      "mode",
      make({ filename, cacheArgs: { permissions: 5.5 } }),
      RangeError,
      /permissions must be/,
    ],
    ["labels", make({ filename, defaultLabels: { "a-b": "x" } }), TypeError, /label name "a-b"/],
    ["label", make({ filename, defaultLabels: { a: {} } }), TypeError, /label "a" must be/],
    ["order", make({ filename, bucketOrder: "up" }), TypeError, /"numeric" or "lexical", not "up"/],
    ["names", make({ filename, nameValidation: 1 }), TypeError, /nameValidation must be/],
    ["workers", make({ filename, maxWorkers: 0 }), RangeError, /maxWorkers must be a whole number/],
    ["warning", make({ filename, onWarning: "log" }), TypeError, /onWarning must be a function/],
    [
      "two files",
      make({ filename, cacheArgs: { shareFile: `${filename}2` } }),
      TypeError,
      /must not differ/,
    ],
  ];
  for (const one of cases) check(one, undefined);
  assert.deepEqual([...Deno.readDirSync(folder)], []);
  Deno.removeSync(folder);
});

Deno.test("bad input: every call on a closed store is CLOSED, but close() is not", () => {
  const prom = filled();
  const [counts, gauge, times] = [child(prom), prom.gauge("g"), prom.histogram("t")];
  const handler = prom.handler();
  prom.close();
  prom.close();
  prom[Symbol.dispose]();
  const calls: [string, () => unknown][] = [
    ["inc", () => prom.inc("a")],
    ["dec", () => prom.dec("a", { x: "y" })],
    ["add", () => prom.add("a", 1)],
    ["set", () => prom.set("a", 1, { x: "y" })],
    ["set with a timestamp", () => prom.set("a", 1, { x: "y" }, 5)],
    ["histogramObserve", () => prom.histogramObserve("h", 1, { x: "y" })],
    ["enumSet", () => prom.enumSet("e", "x")],
    ["declare", () => prom.declare("b")],
    ["clear", () => prom.clear()],
    ["format", () => prom.format()],
    ["handler", () => handler(new Request("http://localhost/"))],
    ["counter", () => prom.counter("b")],
    ["a counter's inc", () => counts.inc()],
    ["a counter's value", () => counts.value()],
    ["a gauge's set", () => gauge.set(1)],
    ["a histogram's observe", () => times.observe(1)],
  ];
  for (const [what, call] of calls) check([what, call, "CLOSED", /closed; open another one/], prom);
});

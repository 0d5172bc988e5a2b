import assert from "node:assert/strict";
import {
  checkLabelName,
  checkMetricName,
  compareBytes,
  escapeHelp,
  escapeQuoted,
  labelPairs,
  type Labels,
  nameInHeader,
  seriesKey,
} from "../src/labels.ts";

const encoder = new TextEncoder();

/** The order that compareBytes must have, made the slow way. */
function bytewise(a: string, b: string): number {
  const [x, y] = [encoder.encode(a), encoder.encode(b)];
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i] - y[i];
  return x.length - y.length;
}

function pairs(labels: Labels, defaults: Record<string, string> = {}) {
  const undefinedNames: string[] = [];
  const found = labelPairs(
    Object.entries(defaults),
    labels,
    "utf8",
    (name) => undefinedNames.push(name),
  );
  return { found, undefinedNames };
}

Deno.test("compareBytes() orders by UTF-8 bytes, not by UTF-16 units", () => {
  const texts = [
    "",
    "B",
    "_",
    "a",
    "ab",
    "é",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "😀",
    "\u{10ffff}",
    "a😀",
  ];
  for (const a of texts) {
    for (const b of texts) {
      assert.equal(Math.sign(compareBytes(a, b)), Math.sign(bytewise(a, b)), `${a} ${b}`);
    }
  }
});

Deno.test("labelPairs() sorts bytewise: B before _ before a", () => {
  const { found } = pairs({ a: "3", B: "1", _: "2" });
  assert.deepEqual(found.map(([name]) => name), ["B", "_", "a"]);
});

Deno.test("labelPairs() lets a call's labels override defaults", () => {
  const { found } = pairs({ b: "call" }, { a: "default", b: "default" });
  assert.deepEqual(found, [["a", "default"], ["b", "call"]]);
});

Deno.test("labelPairs() drops undefined and null, and the default of that name", () => {
  const { found, undefinedNames } = pairs({ b: null, a: undefined, c: "" }, { a: "default" });
  assert.deepEqual(found, [["c", ""]]);
  assert.deepEqual(undefinedNames, ["a", "b"]);
});

Deno.test("labelPairs() makes text of numbers and booleans", () => {
  const { found } = pairs({ a: 1, b: -0, c: true, d: 1e21 });
  assert.deepEqual(found.map(([, value]) => value), ["1", "0", "true", "1e+21"]);
});

Deno.test("labelPairs() looks at own properties only", () => {
  const inherited = Object.create({ a: "inherited" });
  inherited.b = "own";
  assert.deepEqual(pairs(inherited).found, [["b", "own"]]);
  assert.deepEqual(pairs(Object.assign(Object.create(null), { a: "1" })).found, [["a", "1"]]);
});

Deno.test("labelPairs() refuses what is no value", () => {
  for (const value of [{}, [], Symbol("s"), 1n, () => {}]) {
    assert.throws(() => pairs({ a: value as never }), TypeError);
  }
});

Deno.test("labelPairs() refuses what is no record of labels", () => {
  for (const labels of ["a", 1, true, [], new Map([["a", "1"]])]) {
    assert.throws(() => pairs(labels as never), { name: "TypeError", message: /labels must be/ });
  }
});

Deno.test("checkMetricName() knows Prometheus's own set", () => {
  for (const name of ["a", "_", ":", "a:b_9", "help", "type"]) checkMetricName(name, "legacy");
  for (const name of ["", "9a", "a-b", "a b", "é", "a\n", 1, undefined, null]) {
    assert.throws(() => checkMetricName(name, "legacy"), TypeError, String(name));
  }
});

Deno.test("checkLabelName() knows Prometheus's own set", () => {
  for (const name of ["a", "_", "A9", "__x"]) checkLabelName(name, "legacy");
  for (const name of ["", "9a", "a:b", "a-b", "é", "__name__", 1]) {
    assert.throws(() => checkLabelName(name, "legacy"), TypeError, String(name));
  }
});

Deno.test("nameValidation utf8 takes any name but the empty one", () => {
  checkMetricName('a b.é\n"', "utf8");
  checkLabelName("a-b.é", "utf8");
  assert.throws(() => checkMetricName("", "utf8"), TypeError);
  assert.throws(() => checkLabelName("", "utf8"), TypeError);
  assert.throws(() => checkLabelName("__name__", "utf8"), TypeError);
});

Deno.test("escapeQuoted() escapes backslash, quote and newline, and nothing else", () => {
  assert.equal(escapeQuoted('a\\b"c\nd\te\r'), 'a\\\\b\\"c\\nd\te\r');
  assert.equal(escapeQuoted(""), "");
});

Deno.test("escapeHelp() escapes backslash and newline, and no quote", () => {
  assert.equal(escapeHelp('a\\b"c\nd'), 'a\\\\b"c\\nd');
});

Deno.test("nameInHeader() quotes a name that is not a legacy one", () => {
  assert.equal(nameInHeader("a_b"), "a_b");
  assert.equal(nameInHeader('a."b'), '"a.\\"b"');
});

Deno.test("seriesKey() prints a series", () => {
  assert.equal(seriesKey("n", []).printed, "n");
  assert.equal(seriesKey("n", [["a", ""], ["b", "x"]]).printed, 'n{a="",b="x"}');
});

Deno.test("seriesKey() quotes names in the way of Prometheus 3", () => {
  assert.equal(seriesKey("a.b", []).printed, '{"a.b"}');
  assert.equal(seriesKey("a.b", [["x", "1"]]).printed, '{"a.b",x="1"}');
  assert.equal(seriesKey("n", [["x.y", "1"]]).printed, 'n{"x.y"="1"}');
  assert.equal(seriesKey("a.b", []).quoted, true);
  assert.equal(seriesKey("n", [["x.y", "1"]]).quoted, false);
});

Deno.test("seriesKey() says where one more label belongs, and which it replaces", () => {
  const place = (labels: [string, string][]) => {
    const { printed, insertAt, replaces } = seriesKey("n", labels, "le");
    return [printed.slice(0, insertAt), printed.slice(insertAt, insertAt + replaces)];
  };
  assert.deepEqual(place([]), ["n", ""]);
  assert.deepEqual(place([["a", "1"]]), ['n{a="1"', ""]);
  assert.deepEqual(place([["m", "1"]]), ["n{", ""]);
  assert.deepEqual(place([["a", "1"], ["m", "2"]]), ['n{a="1",', ""]);
  assert.deepEqual(place([["a", "1"], ["le", "x"], ["m", "2"]]), ['n{a="1",', 'le="x"']);
  assert.deepEqual(seriesKey("a.b", [], "le").insertAt, '{"a.b"'.length);
});

import assert from "node:assert/strict";
import { numberOf, timestampOf } from "../src/numbers.ts";

Deno.test("numberOf() takes numbers and bigints as they are", () => {
  for (const value of [0, -1.5, NaN, Infinity]) assert(Object.is(numberOf(value), value));
  assert.equal(numberOf(12n), 12);
});

Deno.test("numberOf() takes text as Perl's looks_like_number does", () => {
  const numbers: [string, number][] = [
    [" 12 ", 12],
    ["5\n", 5],
    ["\t5\v\f\r ", 5],
    ["1e3", 1000],
    ["1E+3", 1000],
    ["1.", 1],
    [".5", 0.5],
    ["+5", 5],
    ["-0.25e-1", -0.025],
    ["Inf", Infinity],
    ["-infinity", -Infinity],
    ["+INF", Infinity],
    ["NaN", NaN],
    ["-nan", NaN],
    ["1e400", Infinity],
  ];
  for (const [text, number] of numbers) assert(Object.is(numberOf(text), number), text);
});

Deno.test("numberOf() takes nothing else", () => {
  const texts = ["", " ", "abc", "0x10", "1_0", "--5", "- 1", "1e", ".", "1d", "infx", "\u00a05"];
  for (const value of [...texts, undefined, null, true, false, {}, [5], Symbol("s")]) {
    assert.equal(numberOf(value), undefined, String(value));
  }
});

Deno.test("timestampOf() gives whole milliseconds", () => {
  assert.equal(timestampOf(undefined), undefined);
  assert.equal(timestampOf(null), undefined);
  assert.equal(timestampOf(0), 0);
  assert.equal(timestampOf(1700000000000.9), 1700000000000);
  assert.equal(timestampOf(-5), -5);
  assert.equal(timestampOf("1234"), 1234);
});

Deno.test("timestampOf() refuses what is no point in time", () => {
  for (const value of ["soon", {}, true]) assert.throws(() => timestampOf(value), TypeError);
  for (const value of [NaN, Infinity, 1e300]) assert.throws(() => timestampOf(value), RangeError);
});

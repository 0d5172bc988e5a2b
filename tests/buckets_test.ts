import assert from "node:assert/strict";
import {
  exponentialBuckets,
  exponentialBucketsRange,
  linearBuckets,
  PrometheusTinyShared,
} from "../mod.ts";

Deno.test("linearBuckets() multiplies, so that no error adds up", () => {
  assert.deepEqual(linearBuckets(0, 50, 10), [0, 50, 100, 150, 200, 250, 300, 350, 400, 450]);
  assert.deepEqual(linearBuckets(0.1, 0.1, 10), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  assert.deepEqual(linearBuckets(-10, 10, 3), [-10, 0, 10]);
  assert.deepEqual(linearBuckets(5, 1, 1), [5]);
});

Deno.test("linearBuckets() refuses what makes no bounds", () => {
  const cases: [unknown, unknown, unknown, RegExp][] = [
    [0, 1, 0, /linear buckets need a whole, positive count/],
    [0, 1, -1, /positive count/],
    [0, 1, 1.5, /whole, positive count .*not 1.5/],
    [0, 1, NaN, /positive count/],
    [0, 1, "3", /positive count .*not "3"/],
    [0, 1, 1025, /at most 1024/],
    [0, 0, 3, /positive width, not 0/],
    [0, -1, 3, /positive width/],
    [0, Infinity, 3, /finite width/],
    [NaN, 1, 3, /finite start, not NaN/],
    [undefined, 1, 3, /finite start, not undefined/],
    [1e300, 1, 3, /must ascend.*bound 2 would be 1e\+300 after 1e\+300/],
    [1e308, 1e308, 3, /must ascend and be finite, but bound 2 would be Infinity/],
  ];
  for (const [start, width, count, message] of cases) {
    const call = () => linearBuckets(start as number, width as number, count as number);
    assert.throws(call, { name: "RangeError", message });
  }
});

Deno.test("exponentialBuckets() multiplies by powers", () => {
  assert.deepEqual(exponentialBuckets(1, 2, 5), [1, 2, 4, 8, 16]);
  assert.deepEqual(exponentialBuckets(0.001, 10, 5), [0.001, 0.01, 0.1, 1, 10]);
  assert.deepEqual(exponentialBuckets(1, 1.5, 3), [1, 1.5, 2.25]);
});

Deno.test("exponentialBuckets() refuses what makes no bounds", () => {
  const cases: [unknown, unknown, unknown, RegExp][] = [
    [1, 2, 0, /positive count/],
    [0, 2, 3, /positive start, not 0/],
    [-1, 2, 3, /positive start/],
    [1, 1, 3, /factor greater than 1, not 1/],
    [1, 0.5, 3, /factor greater than 1/],
    [1, NaN, 3, /finite factor/],
    ["a", 2, 3, /finite start, not "a"/],
    [1, 10, 1024, /must ascend and be finite, but bound 310 would be Infinity/],
  ];
  for (const [start, factor, count, message] of cases) {
    const call = () => exponentialBuckets(start as number, factor as number, count as number);
    assert.throws(call, { name: "RangeError", message });
  }
});

Deno.test("exponentialBucketsRange() ends exactly where it should", () => {
  assert.deepEqual(exponentialBucketsRange(1, 1000, 4), [1, 10, 100, 1000]);
  assert.deepEqual(exponentialBucketsRange(0.005, 10, 2), [0.005, 10]);
  const bounds = exponentialBucketsRange(0.0013, 37.77, 100);
  assert.equal(bounds.length, 100);
  assert.equal(bounds[0], 0.0013);
  assert.equal(bounds[99], 37.77);
  for (let i = 1; i < 100; i++) assert(bounds[i] > bounds[i - 1]);
});

Deno.test("exponentialBucketsRange() refuses what makes no bounds", () => {
  const cases: [number, number, number, RegExp][] = [
    [0, 1, 3, /positive min, not 0/],
    [1, 1, 3, /max greater than min \(1\), not 1/],
    [2, 1, 3, /max greater than min/],
    [1, Infinity, 3, /finite max/],
    [1, 10, 1, /count of at least 2, not 1/],
    [1, 10, 0, /positive count/],
    [1, 1.0000000000000002, 3, /must ascend/],
  ];
  for (const [min, max, count, message] of cases) {
    const call = () => exponentialBucketsRange(min, max, count);
    assert.throws(call, { name: "RangeError", message });
  }
});

Deno.test("bounds by rule are taken by a histogram, the most of them too", () => {
  using prom = new PrometheusTinyShared();
  const histogram = prom.histogram("h", { buckets: linearBuckets(0.1, 0.1, 10) });
  histogram.observe(0.3);
  assert.match(prom.format(), /h_bucket\{le="0.2"\} 0\nh_bucket\{le="0.3"\} 1\n/);
  prom.histogram("most", { buckets: exponentialBucketsRange(1e-9, 1e9, 1024) }).observe(1);
});

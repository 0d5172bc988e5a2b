import assert from "node:assert/strict";
import { checkOptions, parseSize, type PrometheusTinySharedOptions } from "../src/options.ts";

function capacity(cacheArgs: PrometheusTinySharedOptions["cacheArgs"]): number | undefined {
  return checkOptions({ cacheArgs }).store.capacity;
}

Deno.test("parseSize() reads sizes as Cache::FastMmap does", () => {
  const sizes: [number | string, number][] = [
    [4096, 4096],
    ["4096", 4096],
    ["512k", 512 * 1024],
    ["64m", 64 * 1024 ** 2],
    ["1.5M", 1.5 * 1024 ** 2],
    [" 2g ", 2 * 1024 ** 3],
  ];
  for (const [text, bytes] of sizes) assert.equal(parseSize("size", text), bytes, String(text));
  for (const text of ["", "lots", "5x", "-1", "1e6", "k"]) {
    assert.throws(() => parseSize("size", text), { name: "TypeError", message: /^size must be/ });
  }
  for (const size of ["0", 0, "99999999g"]) {
    assert.throws(() => parseSize("size", size), RangeError);
  }
});

Deno.test("checkOptions() takes the capacity from cacheSize, or from pages", () => {
  assert.equal(capacity({}), undefined);
  assert.equal(capacity({ cacheSize: "1m", numPages: 5 }), 1024 ** 2);
  assert.equal(capacity({ pageSize: "64k" }), 89 * 65536);
  assert.equal(capacity({ numPages: 10 }), 10 * 65536);
  assert.equal(capacity({ pageSize: 4096, numPages: 10 }), 40960);
});

Deno.test("checkOptions() leaves everything else to the store", () => {
  const { store, defaults, validation, bucketOrder } = checkOptions({});
  assert.deepEqual(store, {
    filename: undefined,
    initFile: false,
    permissions: undefined,
    maxWorkers: undefined,
    capacity: undefined,
    maxSeries: 0,
    onWarning: console.warn,
  });
  assert.deepEqual(defaults, []);
  assert.equal(validation, "legacy");
  assert.equal(bucketOrder, "numeric");
});

Deno.test("checkOptions() warns about a default label without a value", () => {
  const warnings: string[] = [];
  const { defaults } = checkOptions({
    defaultLabels: { b: 2, a: undefined },
    onWarning: (text) => warnings.push(text),
  });
  assert.deepEqual(defaults, [["b", "2"]]);
  assert.deepEqual(warnings, ["label 'a' has an undefined value, dropping it"]);
});

Deno.test("checkOptions() takes file: URLs", () => {
  const filename = new URL("file:///tmp/a%20b");
  if (Deno.build.os === "windows") return;
  assert.equal(checkOptions({ filename }).store.filename, "/tmp/a b");
  assert.equal(checkOptions({ cacheArgs: { shareFile: filename } }).store.filename, "/tmp/a b");
});

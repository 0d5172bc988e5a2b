import assert from "node:assert/strict";
import { numberTablesHeader, proveTables } from "../tools/number_tables.ts";

const read = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));

Deno.test("csrc/number_tables.h is what tools/number_tables.ts writes", async () => {
  const committed = (await read("../csrc/number_tables.h")).replaceAll("\r\n", "\n");
  assert.equal(
    committed,
    numberTablesHeader(),
    "run: deno run --allow-write=csrc tools/number_tables.ts",
  );
});

Deno.test("128 bits of a power of ten decide how every double prints", () => {
  proveTables();
});

/** splitmix32, as in tests/c/test_number.c. */
function generator(state: number): () => number {
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** The numbers of javascript_value() in tests/c/test_number.c. */
function testValue(i: number, a: number, b: number): number {
  const view = new DataView(new ArrayBuffer(8));
  switch (i % 4) {
    case 0:
      view.setUint32(0, a);
      view.setUint32(4, b);
      return view.getFloat64(0);
    case 1:
      return a / Number(`1e${b % 23}`);
    case 2:
      return a * b;
    default:
      return ((a >>> 5) * 67108864 + (b >>> 6)) / 9007199254740992;
  }
}

/** JavaScript's text, but for the four values that the exposition writes in its own way. */
function expectedText(value: number): string {
  if (Object.is(value, -0)) return "-0";
  return String(value).replace(/^Infinity$/, "+Inf").replace(/^-Infinity$/, "-Inf");
}

Deno.test("test_number.c expects the texts that JavaScript gives numbers", async () => {
  const source = await read("c/test_number.c");
  const constant = (name: string) => Number(source.match(`#define ${name} (\\w+?)u?\\s`)?.[1]);
  const next = generator(7);
  let digest = 0x811c9dc5;
  for (let i = 0; i < constant("JAVASCRIPT_COUNT"); i++) {
    const a = next();
    const text = expectedText(testValue(i, a, next())) + "\n";
    for (let at = 0; at < text.length; at++) {
      digest = Math.imul(digest ^ text.charCodeAt(at), 0x01000193);
    }
  }
  assert.equal(constant("JAVASCRIPT_DIGEST"), digest >>> 0);
});

import assert from "node:assert/strict";
import { decodeBase91, encodeBase91 } from "../ffi/base91.ts";

Deno.test("bytes of every length come back from their text", () => {
  let state = 1;
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, () => {
      state = Math.imul(state, 1664525) + 1013904223;
      return state >>> 24;
    });
    assert.deepEqual(decodeBase91(encodeBase91(bytes)), bytes);
  }
});

Deno.test("bytes of nothing but zeros or ones come back from their text", () => {
  for (const byte of [0, 255]) {
    for (let length = 0; length < 60; length++) {
      const bytes = new Uint8Array(length).fill(byte);
      assert.deepEqual(decodeBase91(encodeBase91(bytes)), bytes);
    }
  }
});

Deno.test("the text is what a JavaScript string shows as it is, 16 characters for 13 bytes", () => {
  const bytes = Uint8Array.from({ length: 13 * 4096 }, (_, i) => (i * 7919 >> 5) & 255);
  const text = encodeBase91(bytes);
  assert.equal(text.length, 16 * 4096);
  assert.match(text, /^[#-\[\]-~]*$/);
});

Deno.test("the text of known bytes is the one that it always was", () => {
  assert.equal(encodeBase91(new TextEncoder().encode("metrics")), ";29Z1n(6*");
});

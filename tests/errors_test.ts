import assert from "node:assert/strict";
import { failureName, failures, StoreError } from "../src/errors.ts";

Deno.test("StoreError is an Error with a code and a cause", () => {
  const cause = new Error("why");
  const error = new StoreError("NO_SPACE", "cannot do it", { cause });
  assert(error instanceof Error);
  assert.equal(error.name, "StoreError");
  assert.equal(error.code, "NO_SPACE");
  assert.equal(error.message, "cannot do it");
  assert.equal(error.cause, cause);
});

Deno.test("failureName() knows every failure by its number", () => {
  for (const [name, [result]] of Object.entries(failures)) assert.equal(failureName(result), name);
});

Deno.test("failureName() calls a number that is in no list INVALID", () => {
  assert.equal(failureName(-12345), "INVALID");
});

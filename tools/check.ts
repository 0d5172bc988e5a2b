/**
 * Shows a store's health and verifies every invariant of it. Exits with 1 when one fails, 2 when the
 * store cannot be read.
 *
 *     deno task check FILE             only looks
 *     deno task check --repair FILE    finishes what killed workers left half done first
 *
 * @module
 */

import { check } from "../ffi/native.ts";
import { failureName } from "../src/errors.ts";

const repair = Deno.args.includes("--repair");
const files = Deno.args.filter((argument) => argument !== "--repair");
if (files.length !== 1 || files[0].startsWith("-")) {
  console.error("usage: deno task check [--repair] FILE");
  Deno.exit(2);
}

const { result, message } = check(files[0], repair);
console.log(message.trimEnd());
if (result < 0) {
  console.error(`cannot check ${files[0]}: ${failureName(result)}`);
  Deno.exit(2);
}
console.log(result === 0 ? "ok: every invariant holds" : `${result} findings`);
Deno.exit(result === 0 ? 0 : 1);

// The table that Deno opens the library with, and the list of failures, against the C header.

import assert from "node:assert/strict";
import { usageMembers } from "../ffi/native.ts";
import { abiVersion, symbols } from "../ffi/symbols.ts";
import { failures } from "../src/errors.ts";

const header = await Deno.readTextFile(new URL("../csrc/pts.h", import.meta.url));

interface Prototype {
  readonly parameters: readonly string[];
  readonly result: string;
}

/** What Deno calls a C type. A pointer is a buffer, whatever it points to. */
function denoType(cType: string): string {
  if (cType.includes("*")) return "buffer";
  const scalars: Record<string, string> = { uint32_t: "u32", int32_t: "i32", double: "f64" };
  const type = scalars[cType.trim()];
  assert(type, `no Deno type is known for "${cType}"`);
  return type;
}

function prototypes(): Map<string, Prototype> {
  const found = new Map<string, Prototype>();
  for (const match of header.matchAll(/PTS_EXPORT (\w+) (pts_\w+)\(([^)]*)\);/g)) {
    const [, result, name, list] = match;
    const parameters = list.trim() === "void" ? [] : list.split(",").map((parameter) => {
      return denoType(parameter.replaceAll(/\s+/g, " ").replace(/\w+$/, ""));
    });
    found.set(name, { parameters, result: denoType(result) });
  }
  return found;
}

Deno.test("symbols has every function of pts.h, with its arity and types", () => {
  const expected = prototypes();
  assert(expected.size >= 20, "the header's prototypes were not recognised");
  const named = Object.entries(symbols).map(([key, symbol]) => {
    const name = "name" in symbol ? symbol.name : key;
    return [name, { parameters: [...symbol.parameters], result: symbol.result }] as const;
  });
  for (const [name, prototype] of named) assert.deepEqual(prototype, expected.get(name), name);
  assert.deepEqual(new Set(named.map(([name]) => name)), new Set(expected.keys()));
});

Deno.test("symbols names each parameter as pts.h does", async () => {
  const table = await Deno.readTextFile(new URL("../ffi/symbols.ts", import.meta.url));
  for (const [, name, list] of header.matchAll(/PTS_EXPORT \w+ (pts_\w+)\(([^)]*)\);/g)) {
    const text = table.slice(table.indexOf(`${name}: {`));
    const block = text.slice(0, text.indexOf("result:"));
    const comments = [...block.matchAll(/\/\/ (.*)$/gm)].map(([, comment]) => comment);
    const parameters = list.trim() === "void" ? [] : list.split(",");
    assert.deepEqual(comments, parameters.map((text) => text.trim().replaceAll(/\s+/g, " ")), name);
  }
});

Deno.test("abiVersion is the one of pts.h", () => {
  assert.equal(String(abiVersion), /#define PTS_ABI_VERSION (\d+)u/.exec(header)?.[1]);
});

Deno.test("failures is PTS_ERRORS of pts.h", () => {
  const expected = Object.fromEntries(
    [...header.matchAll(/X\((-\d+), (\w+), "([^"]*)"\)/g)]
      .map(([, code, name, text]) => [name, [Number(code), text]]),
  );
  assert(Object.keys(expected).length >= 30, "the header's list was not recognised");
  assert.deepEqual(failures, expected);
});

Deno.test("usageMembers is pts_usage of pts.h", () => {
  const struct = /typedef struct pts_usage \{([^}]*)\} pts_usage;/.exec(header)?.[1] ?? "";
  const members = [...struct.matchAll(/uint64_t ([^;]*);/g)]
    .flatMap(([, names]) => names.split(",").map((name) => name.trim()));
  const camelCase = members.map((name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase()));
  assert.deepEqual([...usageMembers], camelCase);
});

// The tables that Deno opens the library with, and the list of failures, against the C headers.

import assert from "node:assert/strict";
import { Flag, statisticsMembers } from "../ffi/cache_native.ts";
import { cacheSymbols } from "../ffi/cache_symbols.ts";
import { usageMembers } from "../ffi/native.ts";
import { abiVersion, symbols } from "../ffi/symbols.ts";
import { failures } from "../src/errors.ts";

const read = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));
const header = await read("../csrc/pts.h");
const cacheHeader = await read("../csrc/pts_cache.h");

/** Each table with the header it belongs to. */
const tables = [
  { file: "symbols.ts", symbols: symbols as Deno.ForeignLibraryInterface, name: "pts.h", header },
  { file: "cache_symbols.ts", symbols: cacheSymbols, name: "pts_cache.h", header: cacheHeader },
];

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

/** The prototypes of a header: result, name, parameters. */
function exported(header: string): [result: string, name: string, parameters: string[]][] {
  return [...header.matchAll(/PTS_EXPORT (\w+) (pts_\w+)\(([^)]*)\);/g)].map((match) => {
    const [, result, name, list] = match;
    const parameters = list.trim() === "void" ? [] : list.split(",");
    return [result, name, parameters.map((text) => text.trim().replaceAll(/\s+/g, " "))];
  });
}

function prototypes(header: string): Map<string, Prototype> {
  return new Map(
    exported(header).map(([result, name, parameters]) => {
      const types = parameters.map((parameter) => denoType(parameter.replace(/\w+$/, "")));
      return [name, { parameters: types, result: denoType(result) }];
    }),
  );
}

for (const { file, symbols, name, header } of tables) {
  Deno.test(`${file} has every function of ${name}, with its arity and types`, () => {
    const expected = prototypes(header);
    assert(expected.size >= 20, "the header's prototypes were not recognised");
    const named = Object.entries(symbols).map(([key, symbol]) => {
      assert("parameters" in symbol);
      // An address that was looked up before, instead of the buffer.
      const parameters = symbol.parameters.map((type: unknown) =>
        type === "pointer" ? "buffer" : type
      );
      return [symbol.name ?? key, { parameters, result: symbol.result }] as const;
    });
    for (const [name, prototype] of named) assert.deepEqual(prototype, expected.get(name), name);
    assert.deepEqual(new Set(named.map(([name]) => name)), new Set(expected.keys()));
  });

  Deno.test(`${file} names each parameter as ${name} does`, async () => {
    const table = await read(`../ffi/${file}`);
    for (const [, name, parameters] of exported(header)) {
      const text = table.slice(table.indexOf(`${name}: {`));
      const block = text.slice(0, text.indexOf("result:"));
      const comments = [...block.matchAll(/\/\/ (.*)$/gm)].map(([, comment]) => comment);
      assert.deepEqual(comments, parameters, name);
    }
  });
}

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

/** The members of a struct whose members are all u64, as TypeScript writes names. */
function members(header: string, struct: string): string[] {
  const text = new RegExp(`typedef struct ${struct} \\{([^}]*)\\} ${struct};`).exec(header)?.[1] ??
    "";
  return [...text.matchAll(/uint64_t ([^;]*);/g)]
    .flatMap(([, names]) => names.split(",").map((name) => name.trim()))
    .map((name) => name.replace(/_(\w)/g, (_, c) => c.toUpperCase()));
}

Deno.test("usageMembers is pts_usage of pts.h", () => {
  assert.deepEqual([...usageMembers], members(header, "pts_usage"));
});

Deno.test("statisticsMembers is pts_cache_statistics of pts_cache.h", () => {
  assert.deepEqual([...statisticsMembers], members(cacheHeader, "pts_cache_statistics"));
});

Deno.test("the flags of entries and calls are those of pts_cache.h", () => {
  for (const [name, flag] of Object.entries(Flag)) {
    const upper = name.replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase();
    const text = new RegExp(`PTS_CACHE_${upper} = (\\d+)(?: << (\\d+))?,`).exec(cacheHeader);
    assert(text, name);
    assert.equal(Number(text[1]) * 2 ** Number(text[2] ?? 0), flag, name);
  }
});

// With which permissions a program can use stores: --allow-ffi and the library's folder, nothing for the
// stores themselves, wherever they are.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstFlags, open, temporaryFolder } from "./opening.ts";

const program = import.meta.resolve("./store_permissions_main.ts");
const project = fileURLToPath(import.meta.resolve("../"));

function shown(who: string, all: string[]): string[] {
  const named = all.map((one) => `named_total{who="${one}"} 1`);
  return [`private_total{who="${who}"} 1`, "# TYPE named_total counter", ...named];
}

/** Runs the program; the stores are not in the library's folder. */
async function run(flags: (library: string) => string[], also: string[] = []): Promise<string[]> {
  using temporary = temporaryFolder();
  const library = join(temporary.path, "library");
  const output = await open({
    env: { PROMETHEUS_TINY_SHARED_DIR: library },
    flags: flags(library),
    module: program,
    args: [join(temporary.path, "metrics"), ...also],
  });
  return output.split("\n").filter((line) => line !== "");
}

Deno.test("PrometheusTinyShared needs --allow-ffi and the library's folder, nothing for a store", async () => {
  assert.deepEqual(await run(firstFlags), shown("main", ["main"]));
});

Deno.test("PrometheusTinyShared needs no more in a Worker, whose modules Deno itself must read", async () => {
  const flags = (library: string) => [
    "--allow-ffi",
    `--allow-read=${library},${project}`,
    `--allow-write=${library}`,
  ];
  assert.deepEqual(await run(flags, ["thread"]), [
    ...shown("main", ["main"]),
    ...shown("thread", ["main", "thread"]),
  ]);
});

Deno.test("PrometheusTinyShared says which flags are missing, for each of the three", async () => {
  const [ffi, read, write] = ["--allow-ffi", "--allow-read=", "--allow-write="];
  for (const missing of [ffi, read, write]) {
    const without = (library: string) =>
      firstFlags(library).filter((flag) => !flag.startsWith(missing));
    const output = (await run(without)).join("\n");
    assert.match(output, /StoreError: Deno has no permission to (call|load) the native library/);
    assert.ok(output.includes(missing), output);
    assert.ok(!output.includes("named_total"), output);
  }
});

/**
 * Everything that must be true of the sources besides the tests; ends with "N passed, M failed".
 *
 *     deno task ok
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { build } from "./build.ts";
import { type Count, finish, libraryEnvironment, list, run } from "./run.ts";
import { findZig } from "./zig.ts";

const deno = (...args: string[]) => run(Deno.execPath(), args, libraryEnvironment);
const entries = Object.values(config.exports);

const checks: Record<string, () => Promise<boolean>> = {
  "the library of every platform": async () => {
    await build({ all: true });
    return true;
  },
  "format": () => deno("fmt", "--check", "--quiet"),
  "format of Zig": async () => await run(await findZig(), ["fmt", "--check", "build.zig"]),
  "lint": () => deno("lint", "--quiet"),
  "types": () => deno("check", "--quiet", "."),
  "documentation": () => deno("doc", "--lint", ...entries),
  "documentation's examples": async () => {
    await removeExampleStores();
    const texts = list(".", /^(README|ARCHITECTURE)\.md$/);
    return deno("test", "--doc", "--quiet", "--allow-all", ...entries, "src", "ffi", ...texts);
  },
  "publish dry run": () => deno("publish", "--dry-run", "--allow-dirty", "--quiet"),
};

/** Stores that examples of an older build may have left: theirs is another layout. */
async function removeExampleStores(): Promise<void> {
  const { sharedFile } = await import("../mod.ts"); // not before the library is built
  for (const name of ["my-service", "users", "two-workers-example"]) {
    await Deno.remove(sharedFile(name)).catch(() => {});
  }
}

const count: Count = { passed: 0, failed: 0 };
const failed: string[] = [];
for (const [name, check] of Object.entries(checks)) {
  console.log(`== ${name}`);
  const success = await check().catch((error) => {
    console.error(`error: ${(error as Error).message}`);
    return false;
  });
  success ? count.passed++ : failed.push(name);
}
count.failed = failed.length;
if (failed.length > 0) console.log(`failed: ${failed.join(", ")}`);
finish(count);

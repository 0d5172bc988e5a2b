/**
 * Runs tests for other machines than this one, on x86_64 Linux. Ends with "N passed, M failed".
 *
 *     deno task test:arm64     the tests of TypeScript in Deno for arm64, under QEMU's user mode
 *     deno task test:windows   the tests of C for Windows, under Wine
 *     deno task test:musl      the tests of C with musl, and the library of Alpine in its loader
 *
 * @module
 */

import { join } from "node:path";
import { platforms } from "../ffi/platforms.ts";
import { testArm64 } from "./arm64/suite.ts";
import { build, zigBuild } from "./build.ts";
import {
  type Count,
  emulated as folder,
  findProgram,
  finish,
  list,
  root,
  run,
  runTestProgram,
  sum,
} from "./run.ts";
import { findZig } from "./zig.ts";

// ---- Windows -----------------------------------------------------------------------------------

async function testWindows(): Promise<Count> {
  const wine = await findProgram(["wine64", "wine", "/usr/lib/wine/wine64"], "wine wine64");
  const env = {
    WINEPREFIX: join(folder, "wine"),
    WINEDEBUG: "-all",
    WINEDLLOVERRIDES: "mscoree,mshtml=", // it would ask to install them
  };
  await Deno.mkdir(folder, { recursive: true });
  await zigBuild(["test-programs", "-Dtarget=x86_64-windows-gnu"], "the tests of C for Windows");
  console.error("Starting Wine ...");
  if (!await run(wine, ["wineboot", "--init"], env)) throw new Error("wineboot failed");
  try {
    return await runPrograms("test-windows-gnu", /\.exe$/, (path) => [wine, path], env);
  } finally {
    await run(await findProgram(["wineserver", "/usr/lib/wine/wineserver"], "wine"), ["-k"], env)
      .catch(() => {}); // it ends by itself a little later
  }
}

/** Every program of a folder that zig build filled. */
async function runPrograms(
  built: string,
  pattern: RegExp,
  command: (path: string) => string[],
  env: Record<string, string>,
): Promise<Count> {
  const counts: Count[] = [];
  for (const name of list(join("zig-out", built), pattern)) {
    counts.push(await runTestProgram(name, command(join(root, "zig-out", built, name)), env));
  }
  if (counts.length === 0) throw new Error(`zig-out/${built} has no programs`);
  return sum(counts);
}

// ---- musl --------------------------------------------------------------------------------------

async function testMusl(): Promise<Count> {
  const name = "linux_musl_x86_64";
  await build({ only: [name] });
  await zigBuild(["test-programs", "-Dtarget=x86_64-linux-musl"], "the tests of C with musl");
  const tests = await runPrograms("test-linux-musl", /^test_/, (path) => [path], {});
  return sum([tests, await loadIntoMusl(join("zig-out", "lib", name, platforms[name].fileName))]);
}

/** Opens the library as Alpine's Deno does: with dlopen, in a program of musl's loader. */
async function loadIntoMusl(library: string): Promise<Count> {
  await Deno.mkdir(folder, { recursive: true });
  const program = join(folder, "load_library");
  const loader = await findProgram(["/lib/ld-musl-x86_64.so.1"], "musl");
  const flags = ["-target", "x86_64-linux-musl", "-dynamic", "-O2", "-pthread"];
  const source = join("tests", "release", "load_library.c");
  if (!await run(await findZig(), ["cc", ...flags, source, "-o", program])) {
    return { passed: 0, failed: 1 };
  }
  return await runTestProgram("load_library", [loader, program, join(root, library)]);
}

const machines: Record<string, () => Promise<Count>> = {
  arm64: testArm64,
  windows: testWindows,
  musl: testMusl,
};
const [machine] = Deno.args;
if (Deno.args.length !== 1 || !(machine in machines)) {
  console.error(`usage: emulate.ts ${Object.keys(machines).join(" | ")}`);
  Deno.exit(2);
}
if (Deno.build.os !== "linux" || Deno.build.arch !== "x86_64") {
  console.error("error: the emulators that this uses are for x86_64 Linux");
  Deno.exit(2);
}
try {
  finish(await machines[machine]());
} catch (error) {
  console.error(`error: ${(error as Error).message}`);
  finish({ passed: 0, failed: 1 });
}

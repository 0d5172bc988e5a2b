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
import { build, zigBuild } from "./build.ts";
import { testDeno } from "./deno_tests.ts";
import { type Count, finish, list, root, run, runTestProgram, sum } from "./run.ts";
import { findZig } from "./zig.ts";

const folder = join(root, ".zig-cache", "emulated");

/** The first of these programs that is there. */
async function findProgram(names: string[], packages: string): Promise<string> {
  for (const name of names) {
    const known = await new Deno.Command("sh", {
      args: ["-c", 'command -v "$0"', name],
      stdout: "piped",
      stderr: "null",
    }).output();
    if (known.success) return new TextDecoder().decode(known.stdout).trim();
  }
  throw new Error(`${names.join(" or ")} is not installed: apt-get install ${packages}`);
}

// ---- arm64 -------------------------------------------------------------------------------------

const sysroot = "/usr/aarch64-linux-gnu";
const arm64Packages =
  "qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross libstdc++6-arm64-cross";

/**
 * What is left out, since an emulated Deno takes seconds of the processor to start: what has nothing to
 * do with the machine that Deno runs on, and what measures a machine. The others take part, some of
 * them with fewer processes (tests/emulated.ts).
 */
const leftOut = [
  "tests/soak", // nor does `deno task test` run it
  "tests/release", // looks at files
  "tests/models", // the protocols as programs in TypeScript: the library has no part in them
  "tests/conformance/perl_test.ts", // random calls; peer_lines_test.ts has the known ones
  "tests/conformance/cache_perl_test.ts",
  "tests/fast_mmap_property_test.ts",
  "tests/build_test.ts", // the tools
  "tests/zig_test.ts",
  "tests/library_test.ts", // 60 processes with their folders and flags; import_test.ts loads the library
  "tests/permissions_test.ts",
  "tests/bad_files_test.ts", // file systems
  "tests/small_disk_test.ts",
  "tests/full_store_test.ts",
  "tests/load_test.ts", // loads of thousands of requests
  "tests/server_test.ts",
  "tests/storm_test.ts", // as many kills as there is time for
  "tests/uptime_test.ts",
];

async function testArm64(): Promise<Count> {
  const qemu = await findProgram(["qemu-aarch64-static", "qemu-aarch64"], arm64Packages);
  if (!exists(join(sysroot, "lib", "libstdc++.so.6"))) {
    throw new Error(`${sysroot} has no libstdc++.so.6: apt-get install ${arm64Packages}`);
  }
  await build({ only: ["linux_aarch64"] });
  const launcher = await makeLauncher(qemu, await fetchArm64Deno());
  console.error("Running the tests of TypeScript in Deno for arm64 ...");
  return await testDeno(
    ["--no-check", "tests", `--ignore=${leftOut.join(",")}`],
    10,
    { deno: launcher, env: { PTS_TEST_EMULATED: "1" } },
  );
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Deno for arm64 in the running version, as npm has it. */
async function fetchArm64Deno(): Promise<string> {
  const cache = join(folder, "deno");
  const name = `npm:@deno/linux-arm64-glibc@${Deno.version.deno}`;
  const found = () => findFile(join(cache, "npm"), `linux-arm64-glibc/${Deno.version.deno}/deno`);
  if (found() === undefined) {
    console.error(`Fetching ${name} (about 40 MB, once) ...`);
    await run(Deno.execPath(), ["cache", "--no-lock", "--quiet", name], {
      DENO_DIR: cache,
      DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla,system",
    });
  }
  const path = found();
  if (path === undefined) throw new Error(`${name} could not be fetched from npm's registry`);
  await Deno.chmod(path, 0o755);
  return path;
}

/** The file below a folder whose path ends so. */
function findFile(below: string, end: string): string | undefined {
  if (!exists(below)) return undefined;
  for (const entry of Deno.readDirSync(below)) {
    const path = join(below, entry.name);
    if (entry.isFile && path.endsWith(end)) return path;
    const inside = entry.isDirectory ? findFile(path, end) : undefined;
    if (inside !== undefined) return inside;
  }
}

/** A program of this machine that runs Deno for arm64, and is what that takes itself for. */
async function makeLauncher(qemu: string, deno: string): Promise<string> {
  const preloaded = join(folder, "launched.so");
  const flags = ["-target", "aarch64-linux-gnu.2.17", "-O2", "-s", "-shared", "-fPIC"];
  const source = join("tools", "arm64", "launched.c");
  if (!await run(await findZig(), ["cc", ...flags, source, "-o", preloaded])) {
    throw new Error(`${source} cannot be compiled`);
  }
  const launcher = join(folder, "arm64-deno");
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const command = [
    ...[qemu, "-L", sysroot, "-E", `ARM64_LAUNCHER=${launcher}`, "-E", `LD_PRELOAD=${preloaded}`],
    deno,
  ];
  await Deno.writeTextFile(launcher, `#!/bin/sh\nexec ${command.map(quoted).join(" ")} "$@"\n`);
  await Deno.chmod(launcher, 0o755);
  return launcher;
}

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

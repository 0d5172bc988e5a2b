/**
 * Runs the tests and ends with one line, "N passed, M failed", over all of them.
 *
 *     deno task test          the tests of C and of TypeScript, and replayed inputs of the fuzzers
 *     deno task test:c        only those of C
 *     deno task test:soak     the long ones: more kills, more processes, 5,000,000 runs of the fuzzer
 *     deno task test:release  those of the libraries for all platforms and of what is published
 *
 * @module
 */

import { join } from "node:path";
import { build, buildChecker, zigBuild } from "./build.ts";
import { testDeno } from "./deno_tests.ts";
import { canFuzz, fuzzTargets, replay } from "./fuzz.ts";
import { type Count, finish, list, root, runTestProgram, sum } from "./run.ts";

const parts: Record<string, () => Promise<Count>> = {
  c: testC,
  fuzz: testFuzz,
  deno: () => built("TypeScript", ["tests", "--ignore=tests/soak,tests/release"], 12),
  soak: testSoak,
  release: testRelease,
};

/** Programs of tests/c that do in full what `c` does in little, by their settings. */
const longPrograms: Record<string, Record<string, string>> = {
  test_kill_points: { PTS_SECOND_KILL_STRIDE: "1" },
  test_kill_storm: { PTS_STORM_KILLS: "2000" },
  test_churn: { PTS_CHURN_PROCESSES: "64", PTS_CHURN_MS: "60000" },
};
const longRuns = 5_000_000;

async function testC(): Promise<Count> {
  await zigBuild(["test-programs"], "the tests of C");
  const counts: Count[] = [];
  for (const file of list("tests/c", /^test_(?!platform_windows).*\.c$/)) {
    const name = file.slice(0, -".c".length);
    counts.push(await runTestProgram(name, [testProgram(name)]));
  }
  return sum(counts);
}

function testProgram(name: string): string {
  return join(root, "zig-out", "test", name + (Deno.build.os === "windows" ? ".exe" : ""));
}

async function testSoak(): Promise<Count> {
  await zigBuild(["test-programs"], "the tests of C");
  const counts: Count[] = [];
  for (const [name, settings] of Object.entries(longPrograms)) {
    counts.push(await runTestProgram(name, [testProgram(name)], settings, 30 * 60_000));
  }
  if (await canFuzz()) {
    counts.push(await fuzzTargets(longRuns));
  } else {
    console.error("skipped: there is no clang with libFuzzer (Debian: clang, libclang-rt-dev)");
  }
  counts.push(await built("the long tests", ["tests/soak"], 60));
  return sum(counts);
}

async function testFuzz(): Promise<Count> {
  if (Deno.build.os === "windows") {
    console.error("skipped: what fuzzing found is replayed with POSIX calls; Windows has none");
    return { passed: 0, failed: 0 };
  }
  console.error("Replaying what fuzzing found ...");
  return await replay();
}

async function built(what: string, args: string[], limitMinutes: number): Promise<Count> {
  await build();
  await buildChecker();
  console.error(`Running ${what} ...`);
  return await testDeno(args, limitMinutes);
}

/** What only a release needs: it takes the libraries of all platforms, and builds them twice. */
async function testRelease(): Promise<Count> {
  await build({ all: true });
  await zigBuild(["assembly"], "the code for arm64 as text");
  console.error("Running the tests of what is published ...");
  return await testDeno(["tests/release"], 15);
}

const names = Deno.args.length > 0 ? Deno.args : ["c", "fuzz", "deno"];
const unknown = names.filter((name) => !(name in parts));
if (unknown.length > 0) {
  console.error(
    `error: no tests ${unknown.join(", ")}; there are ${Object.keys(parts).join(", ")}`,
  );
  Deno.exit(2);
}
const counts: Count[] = [];
for (const name of names) {
  try {
    counts.push(await parts[name]());
  } catch (error) {
    console.error(`error: ${(error as Error).message}`);
    counts.push({ passed: 0, failed: 1 });
  }
}
finish(sum(counts));

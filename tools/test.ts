/**
 * Runs the tests and ends with one line, "N passed, M failed", over all of them.
 *
 *     deno task test          the tests of C and of TypeScript, and replayed inputs of the fuzzers
 *     deno task test:c        only those of C
 *     deno task test:soak     the long ones: more kills, more processes, 5,000,000 runs of the fuzzer
 *
 * @module
 */

import { join } from "node:path";
import { build, zigBuild } from "./build.ts";
import { canFuzz, fuzzTargets, replay } from "./fuzz.ts";
import {
  type Count,
  finish,
  libraryEnvironment,
  list,
  root,
  run,
  runTestProgram,
  sum,
} from "./run.ts";

const parts: Record<string, () => Promise<Count>> = {
  c: testC,
  fuzz: testFuzz,
  deno: () => testDeno("TypeScript", ["tests", "--ignore=tests/soak"], 12),
  soak: testSoak,
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
  for (const file of list("tests/c", /^test_.*\.c$/)) {
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
  counts.push(await testDeno("the long tests", ["tests/soak"], 60));
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

async function testDeno(what: string, args: string[], limitMinutes: number): Promise<Count> {
  await build();
  console.error(`Running ${what} ...`);
  const folder = await Deno.makeTempDir({ prefix: "prometheus-tiny-shared-test-" });
  try {
    const report = join(folder, "report.xml");
    const success = await run(
      Deno.execPath(),
      ["test", "--allow-all", "--permit-no-files", `--junit-path=${report}`, ...args],
      libraryEnvironment,
      limitMinutes * 60_000,
    );
    const count = await readReport(report);
    // Not every failure belongs to a test: types, an exception between tests.
    if (!success) count.failed = Math.max(count.failed, 1);
    return count;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Adds up the suites of a JUnit report; ignored tests count as neither. */
async function readReport(path: string): Promise<Count> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return sum([...text.matchAll(/<testsuite ([^>]*)>/g)].map(([, attributes]) => {
    const number = (name: string) =>
      Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
    const failed = number("failures") + number("errors");
    return { passed: number("tests") - number("disabled") - failed, failed };
  }));
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

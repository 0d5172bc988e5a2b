/**
 * Runs the tests of TypeScript in Deno for arm64, under QEMU's user mode.
 *
 * @module
 */

import { build, buildChecker } from "../build.ts";
import { testDeno } from "../deno_tests.ts";
import { type Count, list, sum } from "../run.ts";
import { makeEmulatedDeno } from "./emulated_deno.ts";

/**
 * What is left out: it has nothing to do with the machine that Deno runs on. All others take part, some
 * of them with fewer processes, rounds or calls (tests/emulated.ts). Nor do these run: tests/soak, which
 * `deno task test` leaves out too; tests/release, which looks at files; and tests/models, where the
 * protocols are programs in TypeScript and the library has no part.
 */
const leftOut = [
  "tests/build_test.ts", // the tools, which run on the machine of who builds
  "tests/zig_test.ts",
  "tests/number_test.ts", // the tables that a tool computes, and the texts that test_number.c expects
];

const folders = ["tests", "tests/conformance"];

/** Files whose tests take longest: they begin first, so that no lane ends long after the others. */
const longest = [
  "tests/server_test.ts",
  "tests/load_test.ts",
  "tests/library_test.ts",
];

/**
 * How many files a process of tests runs, one after the other. Starting one takes two seconds; but under
 * QEMU it never gives back the memory of its threads, of which each file has one.
 */
const filesOfRun = 8;

/** How many of them run at once: each of their tests waits for other processes at times. */
const lanes = 2;

const limitMinutes = 12;

const platform = "linux_aarch64";

/** Builds the library for arm64 and runs all tests with it. */
export async function testArm64(): Promise<Count> {
  await build({ only: [platform] });
  await buildChecker(platform);
  const deno = await makeEmulatedDeno();
  const files = testFiles();
  console.error(`Running ${files.length} files of tests in Deno for arm64, ${lanes} at once ...`);
  const counts: Count[] = [];
  await Promise.all(Array.from({ length: lanes }, async () => {
    while (files.length > 0) {
      const some = files.splice(0, longest.includes(files[0]) ? 1 : filesOfRun);
      counts.push(
        await testDeno(["--no-check", ...some], limitMinutes, {
          deno,
          env: { PTS_TEST_EMULATED: "1" },
          printsAtEnd: true,
        }),
      );
    }
  }));
  return sum(counts);
}

/** The files in the order in which they begin. */
function testFiles(): string[] {
  const files = folders.flatMap((folder) =>
    list(folder, /_test\.ts$/).map((name) => `${folder}/${name}`)
  ).filter((path) => !leftOut.includes(path) && !longest.includes(path));
  return [...longest, ...files];
}

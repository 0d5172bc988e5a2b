/**
 * Runs tests of TypeScript and counts them.
 *
 * @module
 */

import { join } from "node:path";
import { type Count, libraryEnvironment, run, sum } from "./run.ts";

/** By another Deno than the running one, with more in its environment. */
export interface DenoTestOptions {
  deno?: string;
  env?: Record<string, string>;
}

/** Runs `deno test` with these arguments, at most so long; the library has to be built. */
export async function testDeno(
  args: string[],
  limitMinutes: number,
  options: DenoTestOptions = {},
): Promise<Count> {
  const folder = await Deno.makeTempDir({ prefix: "prometheus-tiny-shared-test-" });
  try {
    const report = join(folder, "report.xml");
    const success = await run(
      options.deno ?? Deno.execPath(),
      ["test", "--allow-all", "--permit-no-files", `--junit-path=${report}`, ...args],
      { ...libraryEnvironment, ...options.env },
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

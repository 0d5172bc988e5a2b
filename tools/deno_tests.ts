/**
 * Runs tests of TypeScript and counts them.
 *
 * @module
 */

import { join } from "node:path";
import { type Count, libraryEnvironment, run, runQuietly, sum } from "./run.ts";

/** How tests are run. */
export interface DenoTestOptions {
  /** By another Deno than the running one. */
  deno?: string;
  /** More in its environment. */
  env?: Record<string, string>;
  /** All output in one piece at the end, for runs beside others. */
  printsAtEnd?: boolean;
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
    const success = await (options.printsAtEnd ? runQuietly : run)(
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

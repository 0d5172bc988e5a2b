/**
 * The checker of a store's metrics: csrc/check*.c in a library of its own, since nothing that is
 * published needs it.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { platformName, platforms } from "../ffi/platforms.ts";

/** csrc/pts_check.h. */
const symbols = {
  pts_check: {
    parameters: [
      "buffer", // const char *path
      "u32", // uint32_t flags
      "buffer", // char *report
      "u32", // uint32_t report_size
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** What a section's checker said. */
export interface Report {
  readonly text: string;
  /** How many invariants fail, or a failure of the library. */
  readonly result: number;
}

const REPAIR = 1;
const REPORT_SIZE = 1 << 20;

/** Where `zig build checker` puts it. */
export function checkerPath(platform: string = platformName()): string {
  const root = dirname(import.meta.dirname!);
  return join(root, "zig-out", "checker", platform, platforms[platform].fileName);
}

/** Checks the metrics of the store in a file; with `repair` what can be mended is mended first. */
export function checkMetrics(file: string, repair: boolean): Report {
  const library = Deno.dlopen(checkerPath(), symbols);
  const report = new Uint8Array(REPORT_SIZE);
  const path = new TextEncoder().encode(`${file}\0`);
  const result = library.symbols.pts_check(path, repair ? REPAIR : 0, report, REPORT_SIZE);
  const text = new TextDecoder().decode(report.subarray(0, report.indexOf(0)));
  return { result, text: text.trimEnd() };
}

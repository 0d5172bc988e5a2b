/**
 * Shows a store's health and verifies every invariant of its metrics and of its cache. Exits with 1
 * when one fails, 2 when the store cannot be read.
 *
 *     deno task check FILE             only looks (a cache is attached to while its pages are read)
 *     deno task check --repair FILE    first finishes what killed workers left half done, and mends what
 *                                      others broke: what cannot be right is dropped, and said
 *
 * @module
 */

import * as cache from "../ffi/cache_native.ts";
import { failureName } from "../src/errors.ts";
import { checkMetrics, type Report } from "./checker.ts";

const OPEN_EXISTING = 4;

function checkCache(file: string, repair: boolean): Report {
  const ours = { flags: OPEN_EXISTING, countReads: false, permissions: 0, maxWorkers: 0 };
  const { result, message } = cache.open({
    path: file,
    ...ours,
    lockTimeoutMs: 0,
    numPages: 0,
    pageSize: 0,
    startSlots: 0,
  });
  if (result < 0) return { result, text: message };
  try {
    const shape = cache.shape(result);
    if (typeof shape === "number") return { result: shape, text: "" };
    const lines: string[] = [];
    let findings = cache.check(result);
    if (typeof findings === "number") return { result: findings, text: "" };
    if (repair && findings.length > 0) {
      lines.push(...findings.map((finding) => `was broken: ${finding}`));
      const mended = cache.repair(result);
      if (mended < 0) return { result: mended, text: "" };
      lines.push(`cache mended: ${mended} broken things are dropped`);
      findings = cache.check(result);
      if (typeof findings === "number") return { result: findings, text: "" };
    }
    lines.push(...findings.map((finding) => `finding: ${finding}`));
    const statistics = cache.statistics(result, false);
    if (typeof statistics === "number") return { result: statistics, text: "" };
    const { entries, bytes, pagesUsed, evictions, damage, repairs, workersLive } = statistics;
    lines.unshift(
      `cache: ${shape.numPages} pages of ${shape.pageSize} bytes, ${pagesUsed} of them used`,
      `cache entries: ${entries}, ${bytes} bytes`,
      `cache workers: ${workersLive} living, this check included`,
      `cache evictions: ${evictions}\ncache damage: ${damage}\ncache repairs: ${repairs}`,
    );
    return { result: findings.length, text: lines.join("\n") };
  } finally {
    cache.close(result);
  }
}

/** A store has metrics, a cache, or both. */
function isAbsent(report: Report): boolean {
  return failureName(report.result) === "NOT_FOUND" && report.text.includes("no such section");
}

const repair = Deno.args.includes("--repair");
const files = Deno.args.filter((argument) => argument !== "--repair");
if (files.length !== 1 || files[0].startsWith("-")) {
  console.error("usage: deno task check [--repair] FILE");
  Deno.exit(2);
}
const [file] = files;
const present = [checkMetrics(file, repair), checkCache(file, repair)].filter((report) =>
  !isAbsent(report)
);
for (const text of new Set(present.map(({ text }) => text))) if (text !== "") console.log(text);
const failure = present.find(({ result }) => result < 0);
if (failure !== undefined) {
  console.error(`cannot check ${file}: ${failureName(failure.result)}`);
  Deno.exit(2);
}
const findings = present.reduce((sum, { result }) => sum + result, 0);
console.log(findings === 0 ? "ok: every invariant holds" : `${findings} findings`);
Deno.exit(findings === 0 ? 0 : 1);

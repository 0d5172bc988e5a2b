/**
 * Results as text for people, as JSON, and as the table of docs/performance.md.
 *
 * @module
 */

import { OURS, type RatioResult, type Result, type Spread } from "./harness.ts";
import type { Machine } from "./machine.ts";

/** Everything that a run found. */
export interface Report {
  readonly machine: Machine;
  readonly missing: readonly string[];
  readonly results: readonly Result[];
}

const marks = { begin: "<!-- begin: deno task bench -->", end: "<!-- end: deno task bench -->" };

/** Three significant digits, and thousands apart. */
export function shownNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const digits = Number(value.toPrecision(3));
  return digits.toLocaleString("en-US", { maximumSignificantDigits: 3 });
}

function measured({ median }: Spread, unit: string): string {
  return `${shownNumber(median)} ${unit}`;
}

function barOf({ atLeast, atMost }: RatioResult): string {
  if (atLeast !== undefined) return `at least ${shownNumber(atLeast)}`;
  return atMost !== undefined ? `at most ${shownNumber(atMost)}` : "";
}

function verdictOf({ met }: RatioResult): string {
  return met === undefined ? "" : met ? "reached" : "MISSED";
}

/** One result, ratios first. */
export function asText(result: Result): string {
  const lines = [`${result.title}`];
  for (const ratio of result.ratios) {
    const bar = barOf(ratio);
    lines.push(
      `  ${shownNumber(ratio.median).padStart(9)}  ${ratio.text}` +
        ` (${shownNumber(ratio.least)} to ${shownNumber(ratio.most)})` +
        (bar ? `  [${bar}: ${verdictOf(ratio)}]` : ""),
    );
  }
  for (const [name, spread] of Object.entries(result.entries)) {
    lines.push(
      `  ${shownNumber(spread.median).padStart(12)} ${result.unit}  ${name}` +
        ` (${shownNumber(spread.least)} to ${shownNumber(spread.most)})`,
    );
  }
  return lines.join("\n");
}

/** The machine in a sentence. */
export function machineText(machine: Machine): string {
  const { processor, cores, memoryGiB, system, deno, v8, load, date } = machine;
  return `${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}; Deno ${deno}, V8 ${v8}; ` +
    `load ${load} at the start; ${date}`;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** Bars first, then every measurement. */
export function asMarkdown({ machine, missing, results }: Report): string {
  const lines = [
    machineText(machine) + ".",
    "",
    "Medians; ratios are taken within a round. " +
    (missing.length > 0 ? `Not measured: ${missing.join("; ")}.` : "No peer was missing."),
    "",
    row(["question", "ours", "ratio", "bar", ""]),
    row(["---", "---", "---", "---", "---"]),
  ];
  for (const result of results) {
    const first = result.entries[OURS] ?? Object.values(result.entries)[0];
    for (const ratio of result.ratios.filter(({ met }) => met !== undefined)) {
      lines.push(row([
        result.title,
        first ? measured(first, result.unit) : "",
        `${shownNumber(ratio.median)} ${ratio.text}`,
        barOf(ratio),
        verdictOf(ratio),
      ]));
    }
  }
  lines.push(
    "",
    row(["question", "measured", "other ratios"]),
    row(["---", "---", "---"]),
  );
  for (const result of results) {
    const entries = Object.entries(result.entries)
      .map(([name, spread]) => `${name} ${measured(spread, result.unit)}`);
    const ratios = result.ratios.filter(({ met }) => met === undefined)
      .map(({ median, text }) => `${shownNumber(median)} ${text}`);
    lines.push(row([result.title, entries.join("<br>"), ratios.join("<br>")]));
  }
  const notes = results.filter(({ note }) => note !== undefined);
  if (notes.length > 0) {
    lines.push("", ...notes.map(({ title, note }) => `- ${title}: ${note}`));
  }
  return lines.join("\n");
}

/** Puts a text between the document's two marks. */
export async function writeBetweenMarks(path: string, text: string): Promise<void> {
  const old = await Deno.readTextFile(path);
  const begin = old.indexOf(marks.begin);
  const end = old.indexOf(marks.end);
  if (begin < 0 || end < begin) {
    throw new Error(`${path} has no lines ${marks.begin} and ${marks.end}`);
  }
  const before = old.slice(0, begin + marks.begin.length);
  await Deno.writeTextFile(path, `${before}\n\n${text}\n\n${old.slice(end)}`);
  // The table's columns are aligned as everything here is formatted.
  await new Deno.Command(Deno.execPath(), { args: ["fmt", "--quiet", path] }).output();
}

/**
 * Reads what the store renders: the one way to see the series of all workers.
 *
 * @module
 */

import type { Exemplar } from "./types.ts";

/** One line of an exposition. */
export interface Sample {
  readonly name: string;
  /** Its labels as they are printed, without braces. */
  readonly labels: string;
  readonly value: number;
  readonly exemplar: Exemplar | undefined;
}

/** The lines of one name, with what its header says. */
export interface RenderedFamily {
  readonly name: string;
  help: string;
  type: string;
  readonly samples: Sample[];
}

const unescapes: Record<string, string> = { "\\\\": "\\", '\\"': '"', "\\n": "\n" };

function unescaped(text: string): string {
  return text.includes("\\") ? text.replace(/\\[\\"n]/g, (pair) => unescapes[pair]) : text;
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isNaN(number)) return number;
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : NaN;
}

/** A label and the comma behind it. */
const labelPattern = /([^=,{}]+)="((?:[^"\\]|\\.)*)",?/y;

/** The labels of a sample. */
export function parseLabels(printed: string): Record<string, string> {
  const labels: Record<string, string> = {};
  labelPattern.lastIndex = 0;
  for (let match; (match = labelPattern.exec(printed)) !== null;) {
    labels[match[1]] = unescaped(match[2]);
  }
  return labels;
}

/**
 * Takes one label out of those of a sample.
 *
 * @returns its value, and the others as they are printed
 */
export function takeLabel(printed: string, name: string): { value?: string; rest: string } {
  labelPattern.lastIndex = 0;
  for (let from = 0, match; (match = labelPattern.exec(printed)) !== null;) {
    const to = labelPattern.lastIndex;
    if (match[1] === name) {
      const rest = printed.slice(0, from) + printed.slice(to);
      return { value: unescaped(match[2]), rest: rest.replace(/,$/, "") };
    }
    from = to;
  }
  return { rest: printed };
}

/** Where the labels that begin at `start` end: at their brace. */
function endOfLabels(line: string, start: number): number {
  const brace = line.indexOf("}", start);
  // Usually the first brace; inside a value there may be others.
  if (line.lastIndexOf("}") === brace) return brace;
  labelPattern.lastIndex = start;
  let end = start;
  while (labelPattern.test(line)) end = labelPattern.lastIndex;
  return end;
}

function exemplarOf(line: string, at: number): Exemplar | undefined {
  const start = line.indexOf(" # {", at) + 4;
  if (start < 4) return undefined;
  const end = endOfLabels(line, start);
  const [value, timestamp] = line.slice(end + 2).split(" ");
  const labelSet = parseLabels(line.slice(start, end));
  return { labelSet, value: numberOf(value), timestamp: Number(timestamp) };
}

function sampleOf(line: string): Sample {
  const brace = line.indexOf("{");
  let nameEnd = line.indexOf(" ");
  let labels = "";
  let at = nameEnd;
  if (brace >= 0 && brace < nameEnd) {
    nameEnd = brace;
    const end = endOfLabels(line, brace + 1);
    labels = line.slice(brace + 1, end);
    at = end + 1;
  }
  const valueEnd = line.indexOf(" ", at + 1);
  const value = numberOf(valueEnd < 0 ? line.slice(at + 1) : line.slice(at + 1, valueEnd));
  const exemplar = valueEnd < 0 ? undefined : exemplarOf(line, valueEnd);
  return { name: line.slice(0, nameEnd), labels, value, exemplar };
}

const parts = new Set(["", "_bucket", "_sum", "_count", "_total", "_info"]);

/**
 * The families of an exposition in the text format 0.0.4 or in OpenMetrics, by name.
 *
 * @param text what the store rendered
 */
export function parseExposition(text: string): Map<string, RenderedFamily> {
  const families = new Map<string, RenderedFamily>();
  const familyOf = (name: string) => {
    let family = families.get(name);
    if (family === undefined) {
      families.set(name, family = { name, help: "", type: "untyped", samples: [] });
    }
    return family;
  };
  let current: RenderedFamily | undefined;
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) {
      const [, what, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
      if (what === undefined) continue;
      current = familyOf(name);
      if (what === "HELP") current.help = unescaped(rest);
      else current.type = rest;
    } else if (line !== "" && !line.startsWith("{")) { // prom-client has no names in quotes
      const sample = sampleOf(line);
      const isCurrent = current !== undefined && sample.name.startsWith(current.name) &&
        parts.has(sample.name.slice(current.name.length));
      if (!isCurrent) current = familyOf(sample.name);
      current!.samples.push(sample);
    }
  }
  return families;
}

// Compares two expositions line by line.

import assert from "node:assert/strict";

/** A line of a series; a comment is one without numbers. */
interface Line {
  readonly series: string;
  readonly numbers: string[];
}

/** Label values are escaped, so a line break is always a line's end; but they may contain spaces. */
function parse(text: string): Line[] {
  assert.ok(text === "" || text.endsWith("\n"), "the last line has no end");
  return text.split("\n").slice(0, -1).map((line) => {
    if (line.startsWith("#")) return { series: line, numbers: [] };
    const name = /^[^{ ]*/.exec(line)![0];
    const end = line[name.length] === "{" ? line.lastIndexOf("}") + 1 : name.length;
    return { series: line.slice(0, end), numbers: line.slice(end).trim().split(/\s+/) };
  });
}

function numberOf(text: string): number {
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(text);
  if (infinite) return infinite[1] === "-" ? -Infinity : Infinity;
  return /^[+-]?nan$/i.test(text) ? NaN : Number(text);
}

/** Perl prints 15 digits: whether these are all that differs. */
function sameNumber(perl: string, ours: string): boolean {
  const expected = numberOf(perl);
  const actual = numberOf(ours);
  if (Object.is(expected, actual)) return true;
  return Number.isFinite(actual) && expected === Number(actual.toPrecision(15));
}

const bucket = /^([^{]*_bucket)\{(.*?)le="(?:[^"\\]|\\.)*"(.*)\}$/s;

/**
 * Perl's comparison of bucket lines looks at other labels first only if they stand before `le`; with
 * several sets of labels that stand after it, `+Inf` is "last" in each set, but the rest of the line is
 * compared from `le` on. That is no order (a < b < c < a), and what sort makes of it is
 * chance: such lines are compared as a set.
 */
function sortWhatPerlCannot(lines: Line[]): Line[] {
  const others = new Map<string, Set<string>>();
  const behind = new Set<string>();
  for (const { series } of lines) {
    const [, name, before, after] = bucket.exec(series) ?? [];
    if (name === undefined) continue;
    if (!others.has(name)) others.set(name, new Set());
    others.get(name)!.add(before + after);
    if (after !== "") behind.add(name);
  }
  const arbitrary = (name: string) => behind.has(name) && others.get(name)!.size > 1;
  const sorted: Line[] = [];
  for (let i = 0; i < lines.length;) {
    const name = bucket.exec(lines[i].series)?.[1];
    let end = i + 1;
    while (end < lines.length && bucket.exec(lines[end].series)?.[1] === name) end++;
    const group = lines.slice(i, end);
    if (name !== undefined && arbitrary(name)) {
      group.sort((a, b) => a.series < b.series ? -1 : a.series > b.series ? 1 : 0);
    }
    sorted.push(...group);
    i = end;
  }
  return sorted;
}

/** Fails with the first line that differs. */
export function assertSameExposition(perl: string, ours: string, where: string): void {
  const expected = sortWhatPerlCannot(parse(perl));
  const actual = sortWhatPerlCannot(parse(ours));
  for (const [i, line] of expected.entries()) {
    const other = actual[i] ?? { series: "(nothing)", numbers: [] };
    const same = line.series === other.series && line.numbers.length === other.numbers.length &&
      line.numbers.every((number, n) => sameNumber(number, other.numbers[n]));
    if (same) continue;
    const show = ({ series, numbers }: Line) => [series, ...numbers].join(" ");
    assert.fail(`${where}, line ${i + 1}:\nPerl has ${show(line)}\nours has ${show(other)}`);
  }
  assert.equal(
    actual.length,
    expected.length,
    `${where}: ours has ${actual[expected.length]?.series}`,
  );
}

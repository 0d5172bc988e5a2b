/**
 * The benchmarks: `deno task bench [QUESTION ...] [--all] [--rounds N] [--json PATH]`
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { measure, type Plan, type Question, type Result } from "./harness.ts";
import { buildLimits } from "./limits.ts";
import { describeMachine } from "./machine.ts";
import { removeTemporary, root } from "./paths.ts";
import { missingPeers } from "./peers/missing.ts";
import { asMarkdown, asText, machineText, type Report, writeBetweenMarks } from "./report.ts";

/** One file each, in the order of the table. */
const questions = [
  "child_inc",
  "observe",
  "child_gauge",
  "untyped_inc",
  "first_use",
  "workers",
  "scrape",
  "scrape_values",
  "scrape_writers",
  "scrape_dead",
  "handler",
  "event_loop",
  "attach",
  "import",
  "memory",
  "size",
  "cache",
  "cache_workers",
] as const;

const usage = `deno task bench [QUESTION ...] [--all] [--rounds N] [--json PATH]

  QUESTION     only these: ${questions.join(", ")}
  --all        also what takes minutes: a million series, 64 shards, processes that are killed
  --rounds N   how often everything is measured (default 7)
  --json PATH  also write everything as JSON
The table in docs/performance.md is written by a run of all questions.`;

interface Choice {
  readonly names: readonly string[];
  readonly all: boolean;
  readonly rounds: number;
  readonly json: string | undefined;
}

function readArguments(): Choice {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      rounds: { type: "string", default: "7" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    Deno.exit(0);
  }
  const unknown = positionals.filter((name) => !(questions as readonly string[]).includes(name));
  const rounds = Number(values.rounds);
  if (unknown.length > 0 || !Number.isInteger(rounds) || rounds < 1) {
    throw new TypeError(
      unknown.length > 0
        ? `there is no question ${unknown.join(", ")}`
        : `--rounds must be a whole number from 1, not ${values.rounds}`,
    );
  }
  return {
    names: positionals.length > 0 ? positionals : questions,
    all: values.all,
    rounds,
    json: values.json,
  };
}

async function run({ names, all, rounds }: Choice): Promise<Report> {
  const machine = describeMachine();
  console.log(machineText(machine));
  const missing = await missingPeers();
  for (const what of missing) console.log(`missing: ${what}`);
  await buildLimits();
  const results: Result[] = [];
  const plan: Plan = {
    all,
    rounds,
    missing(what) {
      missing.push(what);
      console.log(`missing: ${what}`);
    },
  };
  for (const name of names) {
    const { question } = await import(`./questions/${name}.ts`) as { question: Question };
    for await (const comparison of question(plan)) {
      const result = await measure(comparison, plan);
      results.push(result);
      console.log(`\n${asText(result)}`);
    }
  }
  return { machine, missing, results };
}

function summary({ results }: Report): string {
  const judged = results.flatMap(({ ratios }) => ratios).filter(({ met }) => met !== undefined);
  const reached = judged.filter(({ met }) => met).length;
  return `\n${reached} of ${judged.length} bars reached`;
}

if (import.meta.main) {
  let choice;
  try {
    choice = readArguments();
  } catch (error) {
    console.error(`error: ${(error as Error).message}\n\n${usage}`);
    Deno.exit(2);
  }
  try {
    const report = await run(choice);
    console.log(summary(report));
    if (choice.json) await Deno.writeTextFile(choice.json, JSON.stringify(report, null, 2) + "\n");
    if (choice.names === questions) {
      await writeBetweenMarks(join(root, "docs", "performance.md"), asMarkdown(report));
    }
  } finally {
    removeTemporary();
  }
}

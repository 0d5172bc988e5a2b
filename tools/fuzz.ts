/**
 * Fuzzes the library in C with libFuzzer under the address and undefined behaviour sanitizers, or
 * replays the inputs that were found before.
 *
 *     deno task fuzz                             100,000 runs of each target of tests/fuzz
 *     deno task fuzz --runs 5000000 fuzz_store   as many as that, of one
 *     deno task fuzz --jobs 1                    in one process; otherwise one for each processor
 *     deno task fuzz --replay                    only tests/fuzz/corpus, with any compiler
 *
 * New inputs are kept in .zig-cache/fuzz, so that the next run goes on from them. What stops the
 * fuzzer is kept there, too: fix its cause, then add it to tests/fuzz/corpus under a name that tells it.
 *
 * @module
 */

import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Count, finish, list, root, run, runTestProgram, sum } from "./run.ts";
import { findZig } from "./zig.ts";

const folder = join(root, ".zig-cache", "fuzz");

/** What image.c has in the place of the platform's own. */
const replaced = ["map", "unmap", "resize", "wait", "sleep", "monotonic_ms"]
  .map((name) => `-Dpts_os_${name}=fuzz_real_${name}`);

/** The sources of the library for this machine, without its kill points: image.c has others. */
function librarySources(): string[] {
  const os = Deno.build.os === "darwin" ? "macos" : Deno.build.os;
  return list("csrc", /\.c$/).filter((name) =>
    name !== "points.c" &&
    (!name.startsWith("platform_") || name === "platform_posix.c" || name === `platform_${os}.c`)
  );
}

interface Compiler {
  /** The folder for what it makes. */
  name: string;
  command: string[];
  /** For targets, beside those of every source. */
  link: string[];
  /** Sources of tests/fuzz beside the target's own. */
  with: string[];
}

/** Any compiler of C does for a replay. */
function replayCompiler(name: string, command: string[]): Compiler {
  return {
    name,
    command: [...command, "-fno-sanitize-recover=all"],
    link: [],
    with: ["image.c", "replay_main.c"],
  };
}

const libFuzzer: Compiler = {
  name: "libfuzzer",
  command: [
    ...["clang", "-fsanitize=address,undefined,fuzzer-no-link", "-fno-sanitize-recover=all"],
    // The patches know the edge values themselves; to trace each comparison costs a third of the runs.
    ...["-fno-sanitize-coverage=trace-cmp", "-fno-omit-frame-pointer"],
  ],
  link: ["-fsanitize=fuzzer"],
  with: ["image.c"],
};

/** Programs by the names of their targets; throws when something does not compile. */
async function compile(compiler: Compiler, targets: string[]): Promise<Map<string, string>> {
  const objects = join(folder, compiler.name);
  await Deno.mkdir(objects, { recursive: true });
  const flags = [
    ...["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-UNDEBUG", "-pthread"],
    ...["-DPTS_TEST_KILL_POINTS", "-Icsrc", "-Itests/fuzz"],
    ...Deno.build.arch === "x86_64" ? ["-mcx16"] : [],
  ];
  const [command, ...first] = compiler.command;
  const cc = async (...args: string[]) => {
    if (!await run(command, [...first, ...flags, ...args])) {
      throw new Error(`${command} could not compile ${args[0]}`);
    }
  };
  const made: string[] = [];
  for (const name of librarySources()) {
    const object = join(objects, name.replace(/\.c$/, ".o"));
    await cc(`csrc/${name}`, "-c", ...name.startsWith("platform_") ? replaced : [], "-o", object);
    made.push(object);
  }
  const programs = new Map<string, string>();
  for (const target of targets) {
    const program = join(objects, target);
    const sources = [`${target}.c`, ...compiler.with].map((name) => `tests/fuzz/${name}`);
    await cc(...sources, ...compiler.link, ...made, "-lm", "-o", program);
    programs.set(target, program);
  }
  return programs;
}

const allTargets = list("tests/fuzz", /^fuzz_.*\.c$/).map((name) => name.slice(0, -".c".length));

async function runReplay(compiler: Compiler, targets: string[], env = {}): Promise<Count> {
  const counts: Count[] = [];
  for (const [target, program] of await compile(compiler, targets)) {
    const corpus = join(root, "tests", "fuzz", "corpus", target);
    counts.push(await runTestProgram(`${target} (corpus)`, [program, corpus], env));
  }
  return sum(counts);
}

/** Runs every input of tests/fuzz/corpus once. */
export async function replay(targets: string[] = allTargets): Promise<Count> {
  const zig = [await findZig(), "cc", "-fsanitize=undefined"];
  return await runReplay(replayCompiler("replay", zig), targets);
}

/**
 * Runs every input of tests/fuzz/corpus and so many mutations of them, always the same ones, with gcc
 * or clang under the address and undefined sanitizers: a little fuzzing where there is no libFuzzer.
 */
export async function replayMutations(
  command: string,
  mutations: number,
  env: Record<string, string>,
): Promise<Count> {
  const compiler = replayCompiler("mutations", [command, "-fsanitize=address,undefined"]);
  return await runReplay(compiler, allTargets, { ...env, FUZZ_MUTATIONS: `${mutations}` });
}

/** Whether so many runs of a target, shared among the jobs, found nothing. */
async function fuzz(target: string, program: string, runs: number, jobs: number): Promise<boolean> {
  const corpus = join(folder, "corpus", target);
  await Deno.mkdir(corpus, { recursive: true });
  const store = await Deno.makeTempDir({
    prefix: "prometheus-tiny-shared-fuzz-",
    dir: Deno.build.os === "linux" ? "/dev/shm" : undefined,
  });
  const started = performance.now();
  const job = async (number: number) => {
    const part = Math.floor(runs / jobs) + (number < runs % jobs ? 1 : 0);
    if (part === 0) return true;
    return await run(program, [
      ...[`-runs=${part}`, "-max_len=256", "-len_control=20", "-timeout=25", "-rss_limit_mb=2048"],
      // Which inputs are mutated most is not worth the quarter of the time that it costs to weigh them.
      ...[`-artifact_prefix=${folder}/`, "-close_fd_mask=0", "-entropic=0"],
      // Jobs learn of each other's new inputs by the folder; the words of one are enough.
      ...["-reload=10", `-verbosity=${number === 0 ? 1 : 0}`, "-print_final_stats=1"],
      ...[corpus, join(root, "tests", "fuzz", "corpus", target)],
    ], {
      ASAN_OPTIONS: "quarantine_size_mb=1:malloc_context_size=2",
      UBSAN_OPTIONS: "print_stacktrace=1",
      FUZZ_FOLDER: store,
    });
  };
  try {
    const clean = (await Promise.all(Array.from({ length: jobs }, (_, i) => job(i)))).every(
      Boolean,
    );
    const seconds = (performance.now() - started) / 1000;
    console.log(
      `${target}: ${runs} runs by ${jobs} jobs in ${seconds.toFixed(0)} s, ` +
        `${(runs / seconds).toFixed(0)} a second, ${clean ? "no finding" : "see above"}`,
    );
    return clean;
  } finally {
    await Deno.remove(store, { recursive: true });
  }
}

/** Fuzzes targets, so many runs of each; each counts as one test. */
export async function fuzzTargets(
  runs: number,
  targets: string[] = allTargets,
  jobs: number = navigator.hardwareConcurrency,
): Promise<Count> {
  const counts: Count[] = [];
  for (const [target, program] of await compile(libFuzzer, targets)) {
    const passed = await fuzz(target, program, runs, jobs);
    counts.push({ passed: Number(passed), failed: Number(!passed) });
  }
  return sum(counts);
}

/** Whether there is a clang here that can link libFuzzer. */
export async function canFuzz(): Promise<boolean> {
  const program = await Deno.makeTempFile({ suffix: ".c" });
  try {
    const text = "int LLVMFuzzerTestOneInput(const char *data, unsigned long size);\n" +
      "int LLVMFuzzerTestOneInput(const char *data, unsigned long size) { return !data && size; }\n";
    await Deno.writeTextFile(program, text);
    const args = ["-fsanitize=address,undefined,fuzzer", program, "-o", "/dev/null"];
    const clang = new Deno.Command("clang", { args, stdout: "null", stderr: "null" });
    return (await clang.output()).success;
  } catch {
    return false; // no clang at all
  } finally {
    await Deno.remove(program);
  }
}

async function main(): Promise<Count> {
  const { values, positionals } = parseArgs({
    args: Deno.args,
    allowPositionals: true,
    options: {
      runs: { type: "string", default: "100000" },
      jobs: { type: "string", default: `${navigator.hardwareConcurrency}` },
      replay: { type: "boolean" },
    },
  });
  const [runs, jobs] = [Number(values.runs), Number(values.jobs)];
  const unknown = positionals.filter((name) => !allTargets.includes(name));
  const isCount = (n: number) => Number.isSafeInteger(n) && n > 0;
  if (unknown.length > 0 || !isCount(runs) || !isCount(jobs)) {
    console.error(
      `usage: deno task fuzz [--replay] [--runs N] [--jobs N] [${allTargets.join("] [")}]`,
    );
    Deno.exit(2);
  }
  const targets = positionals.length > 0 ? positionals : allTargets;
  return values.replay ? await replay(targets) : await fuzzTargets(runs, targets, jobs);
}

if (import.meta.main) finish(await main());

/**
 * Runs the tests of C under sanitizers, with gcc or clang, since Zig brings no thread sanitizer for
 * C programs of the host.
 *
 *     deno task test:sanitize
 *
 * @module
 */

import { join } from "node:path";
import { replayMutations } from "./fuzz.ts";
import { type Count, finish, list, root, run, runTestProgram, sum } from "./run.ts";

/** Of the inputs of the fuzzers, for each of them. */
const mutations = 20_000;

interface Sanitizer {
  name: string;
  flags: string[];
  env: Record<string, string>;
  /** Only programs whose source has this; otherwise all. */
  only?: string;
}

/** Processes are slow to fork under a sanitizer: the tests that kill them do it less often. */
const gently = {
  PTS_FIRST_KILL_STRIDE: "5",
  PTS_SECOND_KILL_STRIDE: "1000",
  PTS_STORM_KILLS: "60",
};

const sanitizers: Sanitizer[] = [
  {
    name: "address,undefined",
    flags: ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    env: {
      ASAN_OPTIONS: "detect_leaks=1:strict_string_checks=1",
      UBSAN_OPTIONS: "print_stacktrace=1",
      ...gently,
    },
  },
  {
    name: "thread",
    flags: ["-fsanitize=thread"],
    env: { TSAN_OPTIONS: "halt_on_error=1:second_deadlock_stack=1", ...gently },
    only: "pthread_create", // of processes that have one thread each it sees nothing
  },
];

async function succeeds(command: string, args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output())
      .success;
  } catch {
    return false;
  }
}

async function findCompiler(): Promise<string | undefined> {
  for (const name of ["gcc", "clang"]) {
    if (await succeeds(name, ["--version"])) return name;
  }
}

/** The sources of csrc for this machine, chosen as build.zig does. */
function librarySources(): string[] {
  const os = Deno.build.os === "darwin" ? "macos" : Deno.build.os;
  return list("csrc", /\.c$/).filter((name) =>
    !name.startsWith("platform_") || name === "platform_posix.c" || name === `platform_${os}.c`
  ).map((name) => `csrc/${name}`);
}

/** The programs of one sanitizer, by name; undefined when something does not compile. */
async function compile(
  compiler: string,
  sanitizer: Sanitizer,
): Promise<Map<string, string> | undefined> {
  const folder = join(root, ".zig-cache", "sanitize", sanitizer.name);
  await Deno.mkdir(folder, { recursive: true });
  const flags = [
    ...["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-g", "-fno-omit-frame-pointer"],
    ...["-UNDEBUG", "-DPTS_TEST_KILL_POINTS", "-Icsrc", "-Itests/c", "-pthread"],
    ...Deno.build.arch === "x86_64" ? ["-mcx16"] : [],
    ...sanitizer.flags,
  ];
  // gcc says that its thread sanitizer does not see fences; the models of tests/models prove those.
  if (compiler === "gcc" && sanitizer.name === "thread") flags.push("-Wno-tsan");

  const toObject = async (source: string) => {
    const object = join(folder, source.replaceAll("/", "-").replace(/\.c$/, ".o"));
    return await run(compiler, [...flags, "-c", source, "-o", object]) ? object : undefined;
  };
  const objects: string[] = [];
  const shared = [
    ...librarySources(),
    ...list("tests/c", /^(?!test_|host_windows).*\.c$/).map(inTests),
  ];
  for (const source of shared) {
    const object = await toObject(source);
    if (object === undefined) return undefined;
    objects.push(object);
  }
  const programs = new Map<string, string>();
  for (const file of list("tests/c", /^test_(?!platform_windows).*\.c$/)) {
    const text = await Deno.readTextFile(join(root, inTests(file)));
    if (sanitizer.only !== undefined && !text.includes(sanitizer.only)) continue;
    const object = await toObject(inTests(file));
    const program = join(folder, file.slice(0, -".c".length));
    if (object === undefined) return undefined;
    if (!await run(compiler, [...flags, object, ...objects, "-o", program, "-lm"])) {
      return undefined;
    }
    programs.set(file.slice(0, -".c".length), program);
  }
  return programs;
}

function inTests(file: string): string {
  return `tests/c/${file}`;
}

const compiler = Deno.build.os === "windows" ? undefined : await findCompiler();
if (compiler === undefined) {
  console.log("skipped: the sanitizers need gcc or clang on Linux or macOS, and there is neither");
  console.log("0 passed, 0 failed");
  Deno.exit(0);
}
// A kernel that spreads addresses widely leaves the thread sanitizer no room for its shadow.
const fixedAddresses = await succeeds("setarch", ["-R", "true"]) ? ["setarch", "-R"] : [];

const counts: Count[] = [];
for (const sanitizer of sanitizers) {
  console.log(`${compiler} -fsanitize=${sanitizer.name}`);
  const programs = await compile(compiler, sanitizer);
  if (programs === undefined) {
    counts.push({ passed: 0, failed: 1 });
    continue;
  }
  const prefix = sanitizer.name === "thread" ? fixedAddresses : [];
  for (const [name, program] of programs) {
    counts.push(await runTestProgram(`  ${name}`, [...prefix, program], sanitizer.env));
  }
}
if (Deno.build.os === "linux") {
  console.log(`${compiler}: fuzzing a little`);
  const { env } = sanitizers[0];
  counts.push(
    await replayMutations(compiler, mutations, env).catch((error) => {
      console.error(`error: ${(error as Error).message}`);
      return { passed: 0, failed: 1 };
    }),
  );
}
finish(sum(counts));

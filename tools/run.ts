/**
 * What the runners of tools/ share: running a program, and counting.
 *
 * @module
 */

import { dirname, join } from "node:path";

/** The project's folder. */
export const root = dirname(import.meta.dirname!);

/** Where the tests for other machines keep what they fetch and make. */
export const emulated = join(root, ".zig-cache", "emulated");

/**
 * The environment of the tests and checks: the native library is unpacked here and not in the user's
 * home; certificates of the system count too, as npm's packages may come through a proxy of its own.
 */
export const libraryEnvironment: Record<string, string> = {
  PROMETHEUS_TINY_SHARED_DIR: join(root, ".native"),
  DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla,system",
};

/** How many checks passed and failed. */
export interface Count {
  passed: number;
  failed: number;
}

/** Adds counts up. */
export function sum(counts: Count[]): Count {
  return {
    passed: counts.reduce((total, count) => total + count.passed, 0),
    failed: counts.reduce((total, count) => total + count.failed, 0),
  };
}

/** Prints the last line, which other programs read, and ends this one accordingly. */
export function finish(count: Count): never {
  console.log(`${count.passed} passed, ${count.failed} failed`);
  Deno.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
}

/** The first of these programs that is there; packages are Debian's that have one. */
export async function findProgram(names: string[], packages: string): Promise<string> {
  for (const name of names) {
    const known = await new Deno.Command("sh", {
      args: ["-c", 'command -v "$0"', name],
      stdout: "piped",
      stderr: "null",
    }).output();
    if (known.success) return new TextDecoder().decode(known.stdout).trim();
  }
  throw new Error(`${names.join(" or ")} is not installed: apt-get install ${packages}`);
}

/**
 * Runs a command in the project's folder with its output on ours; whether it succeeded. Where a
 * limit is given it is killed then: better a failure that shows where than a run that never ends.
 */
export async function run(
  command: string,
  args: string[],
  env: Record<string, string> = {},
  limitMs?: number,
): Promise<boolean> {
  const child = new Deno.Command(command, { args, cwd: root, env, stdin: "null" }).spawn();
  return await succeeds(child, `${command} ${args[0]}`, limitMs);
}

/** As run(), but its output appears in one piece when it has ended: others run meanwhile. */
export async function runQuietly(
  command: string,
  args: string[],
  env: Record<string, string> = {},
  limitMs?: number,
): Promise<boolean> {
  const child = new Deno.Command(command, {
    args,
    cwd: root,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const printed: Uint8Array[] = [];
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const bytes of stream) printed.push(bytes);
  };
  const all = Promise.all([read(child.stdout), read(child.stderr)]);
  const success = await succeeds(child, `${command} ${args[0]}`, limitMs);
  // A process that it left behind may keep its output open.
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 1000))]);
  const writer = Deno.stdout.writable.getWriter();
  for (const bytes of printed) await writer.write(bytes);
  writer.releaseLock();
  return success;
}

async function succeeds(
  child: Deno.ChildProcess,
  name: string,
  limitMs?: number,
): Promise<boolean> {
  const timer = limitMs === undefined ? undefined : setTimeout(() => {
    console.error(`${name} did not end within ${limitMs / 1000} s and is killed`);
    child.kill("SIGKILL");
  }, limitMs);
  const { success } = await child.status;
  clearTimeout(timer);
  return success;
}

const programTimeoutMs = 300_000;

/**
 * Runs a test program in C, at most so long. It prints its failures, may end with "N passed, M failed", and fails by
 * its exit code; without that line it counts as one test.
 */
export async function runTestProgram(
  name: string,
  command: string[],
  env: Record<string, string> = {},
  limitMs = programTimeoutMs,
): Promise<Count> {
  const started = performance.now();
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    env,
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended, and a process that it left keeps our end of its output open.
    }
  }, limitMs);
  const { success, code, signal, stdout, stderr } = await child.output();
  clearTimeout(timer);

  const text = new TextDecoder().decode(stdout);
  const printed = /^(\d+) passed, (\d+) failed\s*$/m.exec(text.trimEnd().split("\n").at(-1)!);
  const count = printed
    ? { passed: Number(printed[1]), failed: Number(printed[2]) }
    : { passed: success ? 1 : 0, failed: 0 };
  // A program that failed did so in at least one test, whatever it managed to print.
  if (!success) count.failed = Math.max(count.failed, 1);

  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const verdict = count.failed === 0 ? "ok" : "FAILED";
  console.log(
    `${name} ... ${verdict}: ${count.passed} passed, ${count.failed} failed (${seconds} s)`,
  );
  if (count.failed > 0) {
    console.log(text + new TextDecoder().decode(stderr));
    if (timedOut) console.log(`killed after ${limitMs / 1000} s`);
    else if (!success) console.log(signal ? `ended by ${signal}` : `exit code ${code}`);
  }
  return count;
}

/** The names in a folder of the project that a pattern accepts, sorted; none if it is not there. */
export function list(folder: string, pattern: RegExp): string[] {
  try {
    return [...Deno.readDirSync(join(root, folder))]
      .filter((entry) => entry.isFile && pattern.test(entry.name))
      .map((entry) => entry.name)
      .sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/**
 * Makes Deno for arm64 run here: QEMU, Deno as npm has it, and a program that starts one with the other.
 *
 * @module
 */

import { join } from "node:path";
import { emulated, findProgram, run } from "../run.ts";
import { findZig } from "../zig.ts";

const sysroot = "/usr/aarch64-linux-gnu";
const packages = "qemu-user-static libc6-arm64-cross libgcc-s1-arm64-cross libstdc++6-arm64-cross";

/**
 * The processor that QEMU shows: a server's, with the atomic instructions of Armv8.1. Not its own "max",
 * which has pointer authentication: Deno signs return addresses where that is there, and with the cipher
 * emulated it takes 2.5 times as long until it has loaded the module.
 */
const processor = "neoverse-n1";

/** The path of a program that runs Deno for arm64, in the running version. */
export async function makeEmulatedDeno(): Promise<string> {
  const qemu = await findProgram(["qemu-aarch64-static", "qemu-aarch64"], packages);
  if (!exists(join(sysroot, "lib", "libstdc++.so.6"))) {
    throw new Error(`${sysroot} has no libstdc++.so.6: apt-get install ${packages}`);
  }
  return await makeLauncher(qemu, await fetchDeno());
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Deno for arm64 in the running version, as npm has it. */
async function fetchDeno(): Promise<string> {
  const cache = join(emulated, "deno");
  const name = `npm:@deno/linux-arm64-glibc@${Deno.version.deno}`;
  const found = () => findFile(join(cache, "npm"), `linux-arm64-glibc/${Deno.version.deno}/deno`);
  if (found() === undefined) {
    console.error(`Fetching ${name} (about 40 MB, once) ...`);
    await run(Deno.execPath(), ["cache", "--no-lock", "--quiet", name], {
      DENO_DIR: cache,
      DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "mozilla,system",
    });
  }
  const path = found();
  if (path === undefined) throw new Error(`${name} could not be fetched from npm's registry`);
  await Deno.chmod(path, 0o755);
  return path;
}

/** The file below a folder whose path ends so. */
function findFile(below: string, end: string): string | undefined {
  if (!exists(below)) return undefined;
  for (const entry of Deno.readDirSync(below)) {
    const path = join(below, entry.name);
    if (entry.isFile && path.endsWith(end)) return path;
    const inside = entry.isDirectory ? findFile(path, end) : undefined;
    if (inside !== undefined) return inside;
  }
}

/** A program of this machine that runs Deno for arm64, and is what that takes itself for. */
async function makeLauncher(qemu: string, deno: string): Promise<string> {
  const preloaded = join(emulated, "launched.so");
  const flags = ["-target", "aarch64-linux-gnu.2.17", "-O2", "-s", "-shared", "-fPIC"];
  const source = join("tools", "arm64", "launched.c");
  if (!await run(await findZig(), ["cc", ...flags, source, "-o", preloaded])) {
    throw new Error(`${source} cannot be compiled`);
  }
  const launcher = join(emulated, "arm64-deno");
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const command = [
    ...[qemu, "-cpu", processor, "-L", sysroot],
    ...["-E", `ARM64_LAUNCHER=${launcher}`, "-E", `LD_PRELOAD=${preloaded}`],
    deno,
  ];
  await Deno.writeTextFile(launcher, `#!/bin/sh\nexec ${command.map(quoted).join(" ")} "$@"\n`);
  await Deno.chmod(launcher, 0o755);
  return launcher;
}

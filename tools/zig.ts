/**
 * Finds the Zig compiler, and fetches it where there is none.
 *
 * In this order: the environment variable ZIG, `zig` on PATH if it has exactly the pinned version,
 * and PyPI's `ziglang` package in .zig/ of this checkout, installed by pip when it is not there yet.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { lockFile } from "./lock.ts";

const root = dirname(import.meta.dirname!);

/** The only Zig version this project is built with: `minimum_zig_version` in build.zig.zon. */
export function pinnedZigVersion(): string {
  const zon = Deno.readTextFileSync(join(root, "build.zig.zon"));
  const version = /\.minimum_zig_version = "([^"]+)"/.exec(zon)?.[1];
  if (version === undefined) {
    throw new Error('build.zig.zon has no line .minimum_zig_version = "..."');
  }
  return version;
}

/** What `command` prints, trimmed, or undefined when it does not start or fails. */
async function output(command: string, args: string[]): Promise<string | undefined> {
  try {
    const result = await new Deno.Command(command, { args, stdout: "piped", stderr: "null" })
      .output();
    return result.success ? new TextDecoder().decode(result.stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) {
      return undefined;
    }
    throw error;
  }
}

/** The path of a Zig of exactly the pinned version, which may take a download of about 80 MB. */
export async function findZig(): Promise<string> {
  const version = pinnedZigVersion();
  const named = Deno.env.get("ZIG");
  if (named) {
    const found = await output(named, ["version"]);
    if (found === version) return named;
    throw new Error(
      `ZIG=${named} ${found === undefined ? "does not run" : `is Zig ${found}`}, ` +
        `but this project is built with exactly ${version}: ` +
        `point ZIG at that version, or unset it to have it fetched`,
    );
  }
  if (await output("zig", ["version"]) === version) return "zig";

  const folder = join(root, ".zig", version);
  const zig = join(folder, "ziglang", Deno.build.os === "windows" ? "zig.exe" : "zig");
  if (await output(zig, ["version"]) === version) return zig;
  using _lock = await lockFile(join(root, ".zig", "fetch.lock"));
  // Another process may have fetched it while this one waited.
  if (await output(zig, ["version"]) === version) return zig;
  await install(version, folder);
  const found = await output(zig, ["version"]);
  if (found === version) return zig;
  throw new Error(
    `pip installed ziglang ${version}, but ${zig} ` +
      (found === undefined ? "does not run on this machine" : `says it is ${found}`) +
      `: install Zig ${version} from https://ziglang.org/download and set ZIG to its path`,
  );
}

/** The first pip there is, as a command and its first arguments. */
async function findPip(): Promise<string[] | undefined> {
  const candidates = [
    ["python3", "-m", "pip"],
    ["python", "-m", "pip"],
    ["py", "-3", "-m", "pip"],
    ["pip3"],
    ["pip"],
  ];
  for (const [command, ...args] of candidates) {
    if (await output(command, [...args, "--version"]) !== undefined) return [command, ...args];
  }
}

/**
 * Installs into a folder of its own first and renames it, so that an interrupted download never
 * leaves half a compiler under the final name.
 */
async function install(version: string, folder: string): Promise<void> {
  const pip = await findPip();
  if (pip === undefined) {
    throw new Error(
      `Zig ${version} builds the native library, and it is neither installed nor is there a pip ` +
        `to fetch it with. Either install pip (Debian: apt install python3-pip; ` +
        `others: https://pip.pypa.io/en/stable/installation), ` +
        `or Zig ${version} itself from https://ziglang.org/download, with ZIG set to its path`,
    );
  }
  console.error(`Fetching Zig ${version} with ${pip.join(" ")} (about 80 MB, once) ...`);
  const temporary = await Deno.makeTempDir({ dir: dirname(folder), prefix: "fetching-" });
  try {
    const [command, ...args] = pip;
    const status = await new Deno.Command(command, {
      args: [
        ...args,
        "install",
        "--target",
        temporary,
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
        `ziglang==${version}`,
      ],
      stdout: "inherit",
      stderr: "inherit",
    }).spawn().status;
    if (!status.success) {
      throw new Error(
        `pip could not install ziglang==${version} (its message is above): check the network or ` +
          `pip's index, or install Zig ${version} from https://ziglang.org/download and set ZIG`,
      );
    }
    await Deno.remove(folder, { recursive: true }).catch(ignoreNotFound);
    await Deno.rename(temporary, folder);
  } finally {
    await Deno.remove(temporary, { recursive: true }).catch(ignoreNotFound);
  }
}

function ignoreNotFound(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

if (import.meta.main) {
  try {
    console.log(await findZig());
  } catch (error) {
    console.error(`error: ${(error as Error).message}`);
    Deno.exit(1);
  }
}

// Runs open_library.ts in a process of its own, for library_test.ts and permissions_test.ts.

import { abiVersion } from "../ffi/symbols.ts";
import { patience } from "./emulated.ts";

/** How the process is run. */
export interface Opening {
  /** Flags of `deno run`. */
  flags?: string[];
  /** The whole environment, besides what Deno itself needs. */
  env?: Record<string, string>;
  /** Another module than open_library.ts. */
  module?: string;
  /** Its arguments. */
  args?: string[];
}

/** What a line says after the library was opened. */
export const opened = `version ${abiVersion}`;

const openLibrary = import.meta.resolve("./open_library.ts");

/** Runs it without a terminal and returns all that it printed. */
export async function open({ flags = [], env = {}, module, args = [] }: Opening): Promise<string> {
  const output = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, module ?? openLibrary, ...args],
    env: { ...env, NO_COLOR: "1", DENO_DIR: denoFolder },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(60_000 * patience),
  }).output();
  const decoder = new TextDecoder();
  return (decoder.decode(output.stdout) + decoder.decode(output.stderr)).trim();
}

/** The flags that the first opening needs, no more. */
export function firstFlags(folder: string): string[] {
  return ["--allow-ffi", `--allow-read=${folder}`, `--allow-write=${folder}`];
}

/** One for all runs, so that each needs not compile the sources anew. */
const denoFolder = Deno.makeTempDirSync({ prefix: "prometheus-tiny-shared-deno-" });
globalThis.addEventListener("unload", () => Deno.removeSync(denoFolder, { recursive: true }));

/** A temporary folder with its real path, removed when disposed; dir: where, unless in the usual place. */
export function temporaryFolder(dir?: string): Disposable & { path: string } {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "prometheus-tiny-shared-", dir }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

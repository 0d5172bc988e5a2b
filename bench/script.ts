/**
 * Measurements that need a process of their own.
 *
 * @module
 */

import { join } from "node:path";
import { root } from "./paths.ts";

/** Runs bench/scripts/NAME.ts and returns the numbers that it printed. */
export async function runScript(name: string, ...args: string[]): Promise<number[]> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--allow-all", "--no-lock", "--cached-only", "--v8-flags=--expose-gc"],
      ...["--config", join(root, "deno.json")],
      join(import.meta.dirname!, "scripts", `${name}.ts`),
      ...args,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`bench/scripts/${name}.ts failed: its messages are above`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

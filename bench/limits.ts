/**
 * The loops of limits.c, compiled by the project's own Zig.
 *
 * @module
 */

import { join } from "node:path";
import { findZig } from "../tools/zig.ts";
import { buildFolder } from "./paths.ts";

const symbols = {
  limit_add: { parameters: ["u32", "u32"], result: "u32" },
  limit_observe: { parameters: ["u32", "buffer", "u32", "f64"], result: "u32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The loops. */
export type Limits = Deno.DynamicLibrary<typeof symbols>["symbols"];

const source = join(import.meta.dirname!, "limits.c");
const library = join(buildFolder, Deno.build.os === "windows" ? "limits.dll" : "limits.so");

/** Compiles the loops unless that is done. */
export async function buildLimits(): Promise<void> {
  const modified = (path: string) => Deno.stat(path).then(({ mtime }) => Number(mtime), () => 0);
  if (await modified(library) > await modified(source)) return;
  await Deno.mkdir(buildFolder, { recursive: true });
  const { success } = await new Deno.Command(await findZig(), {
    args: ["cc", "-std=gnu11", "-O3", "-shared", "-fPIC", "-o", library, source],
  }).spawn().status;
  if (!success) throw new Error(`cannot compile ${source}: its messages are above`);
}

/** Opens the compiled loops. */
export function openLimits(): Limits {
  return Deno.dlopen(library, symbols).symbols;
}

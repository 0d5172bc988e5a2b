/**
 * Where the benchmarks keep what they make; nothing of it is committed.
 *
 * @module
 */

import { dirname, join } from "node:path";

/** The project's folder. */
export const root = dirname(import.meta.dirname!);

/** What is compiled for the benchmarks. */
export const buildFolder = join(root, "zig-out", "bench");

/** The peers that are not packages of Deno. */
export const peersFolder = join(root, "bench", ".peers");

let folder: string | undefined;
let count = 0;

/** A path for a store that is gone when the benchmarks end, in memory where there is such a place. */
export function temporaryPath(name: string): string {
  folder ??= Deno.makeTempDirSync({ dir: memoryFolder(), prefix: "prometheus-tiny-bench-" });
  return join(folder, `${name}-${count++}`);
}

function memoryFolder(): string | undefined {
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : undefined;
  } catch {
    return undefined;
  }
}

/** Deletes every temporary path. */
export function removeTemporary(): void {
  if (folder !== undefined) Deno.removeSync(folder, { recursive: true });
  folder = undefined;
}

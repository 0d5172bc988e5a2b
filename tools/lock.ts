/**
 * One at a time, between processes.
 *
 * @module
 */

import { dirname } from "node:path";

/** Waits for the lock that is this file; held until disposed, and no longer than the process lives. */
export async function lockFile(path: string): Promise<Disposable> {
  await Deno.mkdir(dirname(path), { recursive: true });
  const file = await Deno.open(path, { create: true, write: true });
  await file.lock(true);
  return { [Symbol.dispose]: () => file.close() };
}

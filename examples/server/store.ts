// The store file of the server, made before any worker starts so that a bad one is told at once.

import { PrometheusTinyShared, sharedFile } from "../../mod.ts";
import { address } from "./net.ts";
import type { Options } from "./options.ts";

/** A store file that workers can open. */
export interface Store {
  readonly file: string;
  /** Removes the file if it was made for this server alone. */
  discard(): void;
}

/**
 * Makes or checks the store file, without staying attached to it.
 *
 * @param options the command line's options
 * @param port the port that the server listens on
 * @throws {StoreError} when the file cannot be used
 */
export function prepareStore(options: Options, port: number): Store {
  // While a worker is replaced, its slot and its successor's may be taken at the same time.
  const maxWorkers = Math.max(64, 2 * options.workers);
  if (options.file !== undefined) {
    new PrometheusTinyShared({ filename: options.file, maxWorkers }).close();
    return { file: options.file, discard() {} };
  }
  // A name of its own for each address: what an earlier server left after a crash is replaced.
  const file = sharedFile(`server-${address(options.hostname, port).replace(/[^\w.-]/g, "_")}`);
  new PrometheusTinyShared({ filename: file, initFile: true, maxWorkers }).close();
  return { file, discard: () => remove(file) };
}

/** Needs --allow-write for the folder of stores, which the task grants where it knows the folder. */
function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    console.error(`the store ${file} is left behind: ${(error as Error).message}`);
  }
}

/**
 * PyPI's prometheus-client in its multiprocess mode, if `deno task bench:peers` has fetched it.
 *
 * @module
 */

import { join } from "node:path";
import { LineProcess } from "../line_process.ts";
import { peersFolder, temporaryPath } from "../paths.ts";

/** The version that is compared. */
export const pythonClientVersion = "0.26.0";

/** Where it is installed. */
export const pythonFolder = join(peersFolder, "python");

/** A Python process that has metrics of several workers to scrape. */
export class PythonMultiprocess implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Fills it; undefined where it is missing. */
  static async start(
    series: number,
    workers: number,
    fraction: number,
  ): Promise<PythonMultiprocess | undefined> {
    if (!await Deno.stat(pythonFolder).then(() => true, () => false)) return undefined;
    const script = join(import.meta.dirname!, "multiprocess.py");
    const folder = temporaryPath("python");
    await Deno.mkdir(folder);
    const args = [script, ...[series, workers, folder, fraction].map(String)];
    const process = new LineProcess("python3", "python3", args, { PYTHONPATH: pythonFolder });
    await process.answer();
    return new PythonMultiprocess(process);
  }

  /** A scrape, in milliseconds. */
  async scrape(): Promise<number> {
    return Number(await this.#process.ask("scrape"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

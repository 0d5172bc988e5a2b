/**
 * Perl's peers, if they are installed on this machine or in the peers' folder.
 *
 * @module
 */

import { join } from "node:path";
import type { Entry } from "../harness.ts";
import { LineProcess } from "../line_process.ts";
import { peersFolder } from "../paths.ts";

/** The modules that are compared. */
export type PerlModule = "Prometheus::Tiny" | "Prometheus::Tiny::Shared" | "Cache::FastMmap";

/** How long a measurement repeats its operation. */
const MEASURE_MS = 30;

/** Where `deno task bench:peers` puts Debian's packages when it may not install them. */
export async function perlFolders(): Promise<string> {
  const folders: string[] = [];
  const walk = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (!isDirectory) continue;
      if (/^(perl5|[\d.]+)$/.test(name)) folders.push(join(folder, name));
      await walk(join(folder, name));
    }
  };
  await walk(join(peersFolder, "debian", "usr")).catch(() => {});
  return folders.join(":");
}

/** A Perl with one of the modules. */
export class Perl implements AsyncDisposable {
  readonly #process: LineProcess;

  private constructor(process: LineProcess) {
    this.#process = process;
  }

  /** Starts it; undefined where Perl or the module is missing. */
  static async start(module: PerlModule): Promise<Perl | undefined> {
    const script = join(import.meta.dirname!, "perl.pl");
    try {
      const process = new LineProcess(module, "perl", [script], { PERL5LIB: await perlFolders() });
      const perl = new Perl(process);
      if (await process.ask(`load ${module}`) === "1") {
        if (module !== "Cache::FastMmap") await process.ask(`new ${module}`);
        return perl;
      }
      await perl[Symbol.asyncDispose]();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    return undefined;
  }

  /** Does something and returns its number. */
  async ask(operation: string): Promise<number> {
    const answer = Number(await this.#process.ask(operation));
    if (Number.isNaN(answer)) throw new Error(`perl.pl failed at "${operation}"`);
    return answer;
  }

  /** An entry that repeats an operation of perl.pl. */
  entry(name: string, operation: string): Entry {
    return { name, measure: () => this.ask(`${operation} ${MEASURE_MS}`) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

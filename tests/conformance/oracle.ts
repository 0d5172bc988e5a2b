// The same calls on the peers (in a Perl process, oracle.pl) and on ours.

import { PrometheusTinyShared, StoreError } from "../../mod.ts";
import { fileURLToPath } from "node:url";

/** A JSON value: what Perl and JavaScript both can be given. */
export type Json = string | number | null | Json[] | { [key: string]: Json };

/** A method as Perl names it, and its arguments. */
export type Call = [method: string, name: string, ...rest: Json[]];

/** What a list of calls led to; notes carry the number of their call. */
export interface Answer {
  text: string;
  warnings: [call: number, text: string][];
  deaths: [call: number, text: string][];
}

/** Labels that all series of an object get. */
export type DefaultLabels = Record<string, string>;

/** Something that calls can be replayed on. */
export interface Player {
  begin(defaultLabels: DefaultLabels): Promise<Answer>;
  replay(calls: Call[]): Promise<Answer>;
}

/** Why a Perl module cannot be used here, or nothing. */
export function missing(module: string): string {
  try {
    const { success } = new Deno.Command("perl", {
      args: [`-M${module}`, "-MJSON::PP", "-e", "1"],
      stdout: "null",
      stderr: "null",
    }).outputSync();
    return success ? "" : `Perl's ${module} is not installed`;
  } catch {
    return "Perl is not installed";
  }
}

/** One of the peers. */
export class Peer implements Player, AsyncDisposable {
  readonly #class: string;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: AsyncIterator<string>;

  constructor(perlClass: string) {
    this.#class = perlClass;
    this.#child = new Deno.Command("perl", {
      args: [fileURLToPath(import.meta.resolve("./oracle.pl"))],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = lines(this.#child.stdout);
  }

  begin(defaultLabels: DefaultLabels): Promise<Answer> {
    return this.#ask({ new: this.#class, default_labels: defaultLabels });
  }

  replay(calls: Call[]): Promise<Answer> {
    return this.#ask({ calls });
  }

  async #ask(task: Json): Promise<Answer> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(task) + "\n"));
    const { value, done } = await this.#output.next();
    if (done) throw new Error("Perl ended before its answer");
    return JSON.parse(value);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#output.return?.();
    await this.#child.status;
  }
}

async function* lines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    const [first, ...others] = part.split("\n");
    rest += first;
    for (const line of others) {
      yield rest;
      rest = line;
    }
  }
}

/** Ours, in the peers' order of buckets: one object, or several on one file that take turns. */
export class Ours implements Player, Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "prometheus-tiny-shared-" });
  readonly #objects: number;
  #proms: PrometheusTinyShared[] = [];
  #calls = 0;
  #warnings: Answer["warnings"] = [];
  #deaths: Answer["deaths"] = [];

  constructor(objects = 1) {
    this.#objects = objects;
  }

  begin(defaultLabels: DefaultLabels): Promise<Answer> {
    this.#close();
    this.#calls = 0;
    this.#proms = Array.from({ length: this.#objects }, (_, i) =>
      new PrometheusTinyShared({
        filename: `${this.#folder}/metrics`,
        initFile: i === 0,
        defaultLabels,
        bucketOrder: "lexical",
        onWarning: (text) => this.#warnings.push([this.#calls, text]),
      }));
    return this.replay([]);
  }

  replay(calls: Call[]): Promise<Answer> {
    this.#warnings = [];
    this.#deaths = [];
    for (const call of calls) {
      try {
        this.#make(call);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        this.#deaths.push([this.#calls, perlMessage(error.message)]);
      }
      this.#calls++;
    }
    const text = this.#inTurn().format();
    return Promise.resolve({ text, warnings: this.#warnings, deaths: this.#deaths });
  }

  #inTurn(): PrometheusTinyShared {
    return this.#proms[this.#calls % this.#objects];
  }

  #make([method, name, ...rest]: Call): void {
    const prom = this.#inTurn();
    // deno-lint-ignore no-explicit-any -- the calls are what a program without types would make
    const [first, second, third] = rest.map((argument) => argument ?? undefined) as any[];
    switch (method) {
      case "set":
        return prom.set(name, first, second, third);
      case "add":
        return prom.add(name, first, second);
      case "inc":
        return prom.inc(name, first);
      case "dec":
        return prom.dec(name, first);
      case "clear":
        return prom.clear();
      case "histogram_observe":
        return prom.histogramObserve(name, first, second);
      case "enum_set":
        return prom.enumSet(name, first, second, third);
      case "declare": {
        const { enum_values: enumValues, ...declaration } = first;
        return prom.declare(name, enumValues ? { ...declaration, enumValues } : declaration);
      }
      default:
        throw new Error(`no method ${method}`);
    }
  }

  #close(): void {
    for (const prom of this.#proms) prom.close();
  }

  [Symbol.dispose](): void {
    this.#close();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** Ours say more: what differs. */
function perlMessage(message: string): string {
  return /^redeclaration of '.*' with mismatched meta/.exec(message)?.[0] ?? message;
}

// Starts cache_process.ts, and kills it.

import { fileURLToPath } from "node:url";

/** A worker process. */
export class CacheProcess {
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;
  /** What it has said besides "ready" and "done". */
  readonly said: string[] = [];

  private constructor(file: string, task: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--allow-all",
        fileURLToPath(import.meta.resolve("./cache_process.ts")),
        file,
        task,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = lines(this.#child.stdout);
  }

  /** Starts one; it has the cache open. */
  static async start(file: string, task: string): Promise<CacheProcess> {
    const process = new CacheProcess(file, task);
    await process.#until("ready");
    return process;
  }

  static startAll(count: number, file: string, task: string): Promise<CacheProcess[]> {
    return Promise.all(Array.from({ length: count }, () => CacheProcess.start(file, task)));
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it as nothing else would, and returns when its parent knows. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#until(undefined);
  }

  /** Waits until it has ended by itself. */
  async done(): Promise<void> {
    await this.#until("done");
    await this.#until(undefined);
    await this.#child.status;
  }

  async #until(word: string | undefined): Promise<void> {
    while (true) {
      const { value, done } = await this.#lines.next();
      if (done && word === undefined) return;
      if (done) throw new Error(`a worker process ended before it was ${word}`);
      if (value === word) return;
      this.said.push(value);
    }
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

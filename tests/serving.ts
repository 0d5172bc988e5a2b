// Runs the example server for tests, with exactly the permissions of `deno task serve`.

import { fileURLToPath } from "node:url";
import config from "../deno.json" with { type: "json" };
import { patience } from "./emulated.ts";

const root = new URL("../", import.meta.url);

/** What `deno task serve` runs after its build, with more arguments. */
function serveArguments(args: string[]): string[] {
  const { command } = config.tasks.serve;
  const [, ...words] = command.slice(command.lastIndexOf("deno run")).split(" ");
  return [...words, ...args];
}

/** What a run of the server printed, and how it ended. */
export interface Outcome {
  readonly code: number;
  readonly text: string;
}

/** A running example server on a free port of 127.0.0.1. */
export class Serving {
  readonly #child: Deno.ChildProcess;
  readonly #ended: Promise<Deno.CommandStatus>;
  readonly #reading: Promise<unknown>;
  #text = "";

  private constructor(args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: serveArguments(args),
      cwd: root,
      env: { PROMETHEUS_TINY_SHARED_DIR: fileURLToPath(new URL(".native", root)) },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#ended = this.#child.status;
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /** Starts a server and waits until it says where to look. */
  static async start(...args: string[]): Promise<Serving> {
    const serving = new Serving(["--port", "0", ...args]);
    await serving.printed(/^stop with Ctrl-C$/m, 30_000);
    return serving;
  }

  /** Runs a server that is expected to end by itself. */
  static async run(...args: string[]): Promise<Outcome> {
    return await new Serving(args).end();
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#text += text;
  }

  /** Everything printed so far. */
  get text(): string {
    return this.#text;
  }

  /** Where it answers, without a slash at the end. */
  get url(): string {
    return this.#field(/^service\s+(\S+)\/$/m);
  }

  /** Its store file. */
  get store(): string {
    return this.#field(/^store\s+(.+) \(.*\)$/m);
  }

  /** The process ids of the workers that are or were up last, by their numbers. */
  get pids(): number[] {
    const pids = [...this.#field(/^workers\s+\d+ processes: (.+)$/m).matchAll(/\d+/g)].map(Number);
    for (
      const [, worker, pid] of this.#text.matchAll(/^worker (\d+) started again as pid (\d+)$/gm)
    ) {
      pids[Number(worker)] = Number(pid);
    }
    return pids;
  }

  #field(pattern: RegExp): string {
    const found = pattern.exec(this.#text)?.[1];
    if (found === undefined) throw new Error(`the server did not print ${pattern}:\n${this.#text}`);
    return found;
  }

  /** Waits until the output matches. */
  async printed(pattern: RegExp, timeoutMs = 60_000): Promise<void> {
    let ended = false;
    this.#reading.then(() => ended = true);
    await until(
      () => {
        if (pattern.test(this.#text)) return true;
        if (ended) throw new Error(`the server ended before it printed ${pattern}:\n${this.#text}`);
        return false;
      },
      timeoutMs,
      () => `the server did not print ${pattern}:\n${this.#text}`,
    );
  }

  /** Kills workers together and waits until their successors have started. */
  async killWorkers(...workers: number[]): Promise<void> {
    const starts = async (worker: number) =>
      (await this.metrics()).get(`worker_starts_total{worker="${worker}"}`) ?? 0;
    const victims = [];
    for (const worker of workers) {
      victims.push({ worker, pid: this.pids[worker], before: await starts(worker) });
    }
    for (const { pid } of victims) Deno.kill(pid, "SIGKILL");
    for (const { worker, pid, before } of victims) {
      await until(
        () => this.pids[worker] !== pid,
        60_000,
        () => `no successor:\n${this.#text}`,
      );
      // The metrics may be asked of a worker that is just being replaced.
      const started = async () => await starts(worker).catch(() => 0) > before;
      await until(started, 60_000, () => `no start:\n${this.#text}`);
    }
  }

  /** Sends a signal to the supervisor. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for the end. */
  async end(): Promise<Outcome> {
    const { code } = await this.#ended;
    await this.#reading;
    return { code, text: this.#text };
  }

  /** Asks the supervisor to stop and waits for the end. */
  async stop(): Promise<Outcome> {
    this.signal("SIGTERM");
    return await this.end();
  }

  /** Makes sure that nothing is left, whatever the test did. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended, as it should have.
    }
    const { text } = await this.end();
    const store = /^store\s+(.+) \(removed at the end\)$/m.exec(text)?.[1];
    if (store !== undefined) await Deno.remove(store).catch(() => {});
  }

  /** What /metrics says now, by series. Asked again when a killed worker cuts the answer off. */
  async metrics(): Promise<Map<string, number>> {
    for (let attempt = 1;; attempt++) {
      try {
        return parseMetrics(await (await once(`${this.url}/metrics`)).text());
      } catch (error) {
        if (attempt === 20) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
}

/** A request on a connection of its own, so that any worker may get it. */
export async function once(url: string, init?: RequestInit): Promise<Response> {
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const response = await fetch(url, { ...init, client });
  const body = await response.arrayBuffer();
  const { status, headers } = response;
  return new Response(status === 204 || init?.method === "HEAD" ? null : body, { status, headers });
}

/** The samples of an exposition, by the text of their series. */
export function parseMetrics(text: string): Map<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space), Number(line.slice(space + 1))];
  }));
}

/** The sum over all series of a name. */
export function total(metrics: Map<string, number>, name: string): number {
  let sum = 0;
  for (const [series, value] of metrics) {
    if (series === name || series.startsWith(`${name}{`)) sum += value;
  }
  return sum;
}

/** Waits, a bounded time, until something is so; longer where the processor is emulated. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  timeoutMs: number,
  complaint: () => string = () => `not within ${timeoutMs} ms: ${condition}`,
): Promise<void> {
  const deadline = performance.now() + timeoutMs * patience;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(complaint());
    await new Promise((resolve) => setTimeout(resolve, 20 * patience));
  }
}

// Worker processes that set gauges, and are killed.

import { isEmulated } from "./emulated.ts";
import type { GaugeStep } from "./gauge_process.ts";

/** One of them. */
export class GaugeWorker {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  private constructor(filename: string) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--allow-all", "--no-lock"],
        new URL("./gauge_process.ts", import.meta.url).href,
        filename,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#input = this.#child.stdin.getWriter();
  }

  static async start(filename: string): Promise<GaugeWorker> {
    const worker = new GaugeWorker(filename);
    await worker.#line();
    return worker;
  }

  static startAll(count: number, filename: string): Promise<GaugeWorker[]> {
    return Promise.all(Array.from({ length: count }, () => GaugeWorker.start(filename)));
  }

  /** Returns when the worker has done it. */
  async do(step: GaugeStep): Promise<void> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(step) + "\n"));
    await this.#line();
  }

  /** Ends it as nothing else would, and returns when its parent knows. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#lines.cancel();
    await this.#input.close().catch(() => {});
  }

  async #line(): Promise<string> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error("a worker process ended by itself");
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return line;
  }
}

/** How many workers killInFlight() has. */
const count = isEmulated ? 4 : 8;

/**
 * Workers with a live in-flight gauge; in each round half of them are killed at random and replaced: the
 * first scrape after shows exactly the survivors' sum, also when new workers sit in the dead ones' slots.
 */
export async function killInFlight(
  filename: string,
  rounds: number,
  scrape: () => number,
  equal: (actual: number, expected: number, what: string) => void,
): Promise<void> {
  const workers = await GaugeWorker.startAll(count, filename);
  const held = workers.map(() => 0);
  const name = "in_flight";
  const mode = "livesum";
  const expected = () => held.reduce((sum, one) => sum + one, 0);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(workers.map(async (worker, i) => {
      const inc = 1 + Math.floor(Math.random() * 5);
      held[i] += inc;
      await worker.do({ name, mode, inc });
    }));
    equal(scrape(), expected(), `round ${round}, before`);
    const victims = [...workers.keys()].sort(() => Math.random() - 0.5).slice(0, count / 2);
    await Promise.all(victims.map((i) => workers[i].kill()));
    for (const i of victims) held[i] = 0;
    equal(scrape(), expected(), `round ${round}, after half were killed`);
    await Promise.all(victims.map(async (i) => workers[i] = await GaugeWorker.start(filename)));
    equal(scrape(), expected(), `round ${round}, with new workers in their slots`);
    await workers[victims[0]].do({ name, mode, inc: 7 });
    held[victims[0]] += 7;
    equal(scrape(), expected(), `round ${round}, after one of them began`);
  }
  await Promise.all(workers.map((worker) => worker.kill()));
  equal(scrape(), 0, "when nobody is left");
}

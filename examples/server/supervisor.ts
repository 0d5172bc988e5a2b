// Keeps the workers running. It holds no part of the store itself and passes no messages about
// metrics: were it gone, the workers' numbers would still be whole.

import { Backoff } from "./backoff.ts";
import type { Member } from "./member.ts";

/** What a supervisor is told. */
export interface SupervisorOptions {
  /** How many workers to keep running. */
  readonly workers: number;
  /** Starts the worker of this number. */
  readonly start: (worker: number) => Member;
  /** Called when a worker answers on a port, and when it no longer does. */
  readonly onUp?: (worker: number, port: number) => void;
  readonly onDown?: (worker: number) => void;
  /** Tells people what happens. */
  readonly log: (message: string) => void;
}

/** Starts workers, starts again those that die, and stops them all. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #members: (Member | undefined)[] = [];
  #kept: Promise<void>[] = [];
  readonly #stopping = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** The workers that are running now. */
  get members(): Member[] {
    return this.#members.filter((member) => member !== undefined);
  }

  /**
   * Starts all workers and resolves when each of them answers.
   *
   * @throws {Error} when one cannot start; the others are ended
   */
  async start(): Promise<void> {
    const numbers = Array.from({ length: this.#options.workers }, (_, worker) => worker);
    const members = numbers.map((worker) => this.#launch(worker));
    try {
      await Promise.all(members.map(answering));
    } catch (error) {
      this.kill();
      await Promise.all(members.map((member) => member.ended));
      throw error;
    }
    this.#kept = members.map((member, worker) => this.#keep(worker, member));
  }

  /**
   * Stops all workers after the requests in flight.
   *
   * @param graceMs how long these may take before their workers are killed
   * @returns how many had to be killed
   */
  async stop(graceMs: number): Promise<number> {
    this.#stopping.abort();
    this.members.forEach((member) => member.stop());
    let killed = 0;
    const timer = setTimeout(() => {
      killed = this.members.length;
      this.kill();
    }, graceMs);
    await Promise.all(this.#kept);
    clearTimeout(timer);
    return killed;
  }

  /** Ends all workers at once. */
  kill(): void {
    this.members.forEach((member) => member.kill());
  }

  #launch(worker: number): Member {
    return this.#members[worker] = this.#options.start(worker);
  }

  /** Sees one worker and its successors through their lives. */
  async #keep(worker: number, member: Member): Promise<void> {
    const { log, onUp, onDown } = this.#options;
    const backoff = new Backoff();
    while (true) {
      let upAt = Infinity;
      member.ready.then((port) => {
        upAt = performance.now();
        onUp?.(worker, port);
      });
      const reason = await member.ended;
      this.#members[worker] = undefined;
      onDown?.(worker);
      if (this.#stopping.signal.aborted) return;
      const wait = backoff.next(performance.now() - upAt);
      log(
        `worker ${worker} (${member.name}) ended: ${reason}${wait ? `; waiting ${wait} ms` : ""}`,
      );
      await sleep(wait, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
      member = this.#launch(worker);
      log(`worker ${worker} started again as ${member.name}`);
    }
  }
}

async function answering(member: Member, worker: number): Promise<void> {
  const reason = await Promise.race([member.ready, member.ended]);
  if (typeof reason === "number") return;
  throw new Error(`worker ${worker} (${member.name}) could not start: ${reason}`);
}

/** Waits, but no longer than until the signal. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
  });
}

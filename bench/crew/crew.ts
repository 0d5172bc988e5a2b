/**
 * Several processes or threads that do the same work at the same time.
 *
 * @module
 */

import { join } from "node:path";
import { LineProcess } from "../line_process.ts";
import { root } from "../paths.ts";
import type { Membership, Task, WorkName } from "./work.ts";

interface Member extends AsyncDisposable {
  run(task: Task): Promise<number>;
}

/** Members, ready to work. */
export class Crew implements AsyncDisposable {
  readonly #members: readonly Member[];

  private constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Starts so many members on one store. */
  static async start(
    how: "processes" | "threads",
    count: number,
    filename: string,
  ): Promise<Crew> {
    const start = how === "processes" ? startProcess : startThread;
    const members = Array.from({ length: count }, (_, number) => start({ filename, number }));
    return new Crew(await Promise.all(members));
  }

  /** Operations a millisecond, all of the first `count` members together. */
  async rate(work: WorkName, count: number, ms: number): Promise<number> {
    const task = { work, at: Date.now() + 3, ms };
    const rates = await Promise.all(this.#members.slice(0, count).map((one) => one.run(task)));
    return rates.reduce((sum, rate) => sum + rate, 0);
  }

  /**
   * Operations a millisecond of one member while the others rest: the mean of all, for V8 places a
   * loop better in some processes than in others, and what is compared with them is all together.
   */
  async rateAlone(work: WorkName, ms: number): Promise<number> {
    let sum = 0;
    for (const one of this.#members) sum += await one.run({ work, at: Date.now() + 3, ms });
    return sum / this.#members.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.#members) await member[Symbol.asyncDispose]();
  }
}

async function startProcess(membership: Membership): Promise<Member> {
  const process = new LineProcess("a member of the crew", Deno.execPath(), [
    ...["run", "--allow-all", "--no-lock", "--config", join(root, "deno.json")],
    join(import.meta.dirname!, "process.ts"),
    JSON.stringify(membership),
  ]);
  await process.answer();
  return {
    run: async (task) => Number(await process.ask(JSON.stringify(task))),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

async function startThread(membership: Membership): Promise<Member> {
  const worker = new Worker(new URL("./thread.ts", import.meta.url), { type: "module" });
  const ask = (message: Membership | Task) =>
    new Promise<unknown>((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(message);
    });
  await ask(membership);
  return {
    run: async (task) => Number(await ask(task)),
    [Symbol.asyncDispose]: () => {
      worker.terminate();
      return Promise.resolve();
    },
  };
}

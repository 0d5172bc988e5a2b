// Threads add to one series through kept handles while it is removed, cleared and expires: what a
// scrape shows is the sum of the latest updates, nothing that went away ever comes back, and in the
// end nothing is missing.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { isEmulated } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";
import { sharedCounter, type SuffixTask } from "./suffix_thread.ts";

const lanes = isEmulated ? 3 : 8;
const rounds = isEmulated ? 20 : 60;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

class Crew {
  readonly #progress = new Int32Array(new SharedArrayBuffer((2 * lanes + 1) * 4));
  readonly #workers: Worker[];
  readonly #done: Promise<unknown>;

  constructor(filename: string, ttl: string | undefined) {
    this.#workers = Array.from(
      { length: lanes },
      () => new Worker(import.meta.resolve("./suffix_thread.ts"), { type: "module" }),
    );
    this.#done = Promise.all(this.#workers.map((worker, lane) => {
      const task: SuffixTask = {
        filename,
        ttl,
        lane,
        lanes,
        progress: this.#progress.buffer as SharedArrayBuffer,
      };
      return new Promise((resolve, reject) => {
        worker.onmessage = resolve;
        worker.onerror = reject;
        worker.postMessage(task);
      });
    }));
  }

  #sum(of: 0 | 1): number {
    let sum = 0;
    for (let lane = 0; lane < lanes; lane++) sum += Atomics.load(this.#progress, 2 * lane + of);
    return sum;
  }

  /** Updates that may have been made by now. */
  get begun(): number {
    return this.#sum(0);
  }

  /** Updates that were made for sure. */
  get done(): number {
    return this.#sum(1);
  }

  async pause(): Promise<void> {
    Atomics.store(this.#progress, 2 * lanes, 1);
    while (this.begun !== this.done) await sleep(1);
    await sleep(5); // somebody may have looked before and begin now
    while (this.begun !== this.done) await sleep(1);
  }

  goOn(): void {
    Atomics.store(this.#progress, 2 * lanes, 0);
    Atomics.notify(this.#progress, 2 * lanes);
  }

  async end(): Promise<void> {
    Atomics.store(this.#progress, 2 * lanes, 2);
    Atomics.notify(this.#progress, 2 * lanes);
    await this.#done;
    for (const worker of this.#workers) worker.terminate();
  }
}

function shown(prom: PrometheusTinyShared): number {
  return Number(/^steps_total\{of="all"\} (\d+)$/m.exec(prom.format())?.[1] ?? 0);
}

async function attack(ttl: string | undefined, rounds: number): Promise<number> {
  using folder = temporaryFolder();
  const filename = `${folder.path}/metrics`;
  using prom = new PrometheusTinyShared({ filename, cacheArgs: { cacheSize: "64k" } });
  const steps = sharedCounter(prom, ttl);
  const gone = prom.counter("steps_total", { labelNames: ["of"], ttl });
  const crew = new Crew(filename, ttl);
  while (crew.done < 1000) await sleep(5);
  for (let round = 0; round < rounds; round++) {
    const doneBefore = crew.done;
    if (round % 3 === 0) gone.remove({ of: "all" });
    else if (round % 3 === 1) assert.ok(gone.removeMatching({}) <= 1);
    else prom.clear();
    const begunAfter = crew.begun;
    // Labels that come and go in between take the room of whatever is gone at the moment.
    for (let i = 0; i < 20; i++) prom.inc("others", { round, i });
    for (let scrapes = 0; scrapes < 5; scrapes++) {
      const doneNow = crew.done;
      const value = shown(prom);
      const most = crew.begun - doneBefore;
      assert.ok(value <= most, `${value} is shown, at most ${most} were made since`);
      const least = doneNow - begunAfter;
      if (ttl === undefined) {
        assert.ok(value >= least, `${value} is shown, ${least} were made since`);
      }
      await sleep(1);
    }
  }
  await crew.pause();
  gone.remove({ of: "all" });
  const before = crew.done;
  assert.equal(shown(prom), 0);
  crew.goOn();
  while (crew.done - before < 1000) await sleep(1);
  await crew.pause();
  const made = crew.done - before;
  // With a ttl the series may have left since, if the machine was asleep for so long; not while added to.
  if (ttl === undefined) assert.equal(steps.value(), made);
  await crew.end();
  assert.equal(shown(prom) <= crew.done - before, true);
  return crew.done;
}

Deno.test("kept handles of a series that is removed and cleared: a suffix of the updates, exact in the end", async () => {
  assert.ok(await attack(undefined, rounds) > 1000);
});

Deno.test("kept handles of a series that also expires: nothing that went away comes back", async () => {
  assert.ok(await attack("2ms", rounds / 2) > 1000);
});

/**
 * What does a scrape cost after 1,000 workers have lived and died?
 *
 * @module
 */

import { wholeExposition } from "../../src/exposition.ts";
import type { Store } from "../../src/store.ts";
import { addToAll, FilledStore, openStore } from "../fill.ts";
import { type Comparison, once, OURS, type Plan } from "../harness.ts";
import { root } from "../paths.ts";

const SERIES = 1000;
const DEAD = 1000;
const AT_ONCE = 8;

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  using old = new FilledStore({ series: SERIES, shards: 0 });
  using fresh = new FilledStore({ series: SERIES, shards: AT_ONCE });
  const dead = plan.all ? await killProcesses(old.path) : detachAll(old.path);
  const allocated = (store: Store) => store.usage().allocatedBytes / 1024;
  yield {
    title: `scrape of 1,000 series after ${DEAD} dead workers`,
    unit: "ms",
    rounds: 4 * plan.rounds,
    entries: [
      once(OURS, () => repeat(old)),
      once("a fresh store of 8 workers", () => repeat(fresh)),
    ],
    ratios: [{
      text: "times a fresh store of the same content",
      of: [OURS, "a fresh store of 8 workers"],
      from: (round) => round[OURS] / round["a fresh store of 8 workers"],
      atMost: 1.1,
    }],
    note: `20 scrapes each; ${dead}; the file takes ${allocated(old.reader)} KiB, ` +
      `the fresh one ${allocated(fresh.reader)} KiB`,
  };
}

function repeat(store: FilledStore): void {
  for (let i = 0; i < 20; i++) wholeExposition(store.reader, 0);
}

/** Workers that end in an orderly way: for the file it is the same. */
function detachAll(path: string): string {
  const living: Store[] = [];
  for (let i = 0; i < DEAD; i++) {
    const store = openStore(path);
    addToAll(store, i % AT_ONCE === 0 ? SERIES : 10);
    living.push(store);
    if (living.length === AT_ONCE) living.shift()!.close();
  }
  for (const store of living) store.close();
  return "they detached in this process";
}

/** Processes that are killed. */
async function killProcesses(path: string): Promise<string> {
  const script = `${root}/bench/crew/victim.ts`;
  for (let i = 0; i < DEAD; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--allow-all", "--no-lock", script, path, String(SERIES)],
        stdout: "piped",
      }).spawn();
      await child.stdout.getReader().read(); // it has updated every series
      child.kill("SIGKILL");
      await child.status;
    }));
  }
  return "they were processes and were killed";
}

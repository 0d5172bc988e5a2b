// A worker process of cache_sharing_test.ts: cache_process.ts FILE TASK. It says "ready" and "done".

import { FastMmap } from "../mod.ts";
import { patience } from "./emulated.ts";

const [shareFile, task] = Deno.args;
const cache = new FastMmap<number>({ shareFile, unlinkOnExit: false });

const say = (text: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const count = (key: string) => cache.getAndSet(key, (_key, value = 0) => [value + 1])[0]!;

const PF_EXITING = 4;

/**
 * Whether a process runs; one that was killed does not. It is there until its parent knows, and for a
 * moment even looks alive: the kernel closes its files, and with them its locks, on the way out.
 */
function runs(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state, , , , , , flags] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state !== "Z" && state !== "X" && (Number(flags) & PF_EXITING) === 0;
  } catch {
    return false;
  }
}

const tasks: Record<string, () => Promise<void>> = {
  // Asks a thousand times at once for a value that takes a while.
  async ask() {
    const load = async () => {
      count("loads");
      await sleep(300);
      return 42;
    };
    const values = await Promise.all(
      Array.from({ length: 1000 }, () => cache.getOrSet("slow", load)),
    );
    if (values.some((value) => value !== 42)) say("a wrong value");
  },

  // The first one to load never ends; it says which process it is.
  async takeOver() {
    const load = async () => {
      const loads = count("loads");
      cache.set(`loader ${loads}`, Deno.pid);
      await sleep(loads === 1 ? 1e6 : 200);
      return loads;
    };
    say(`value ${await cache.getOrSet("slow", load, { timeout: 60_000 * patience })}`);
  },

  // Takes a lock again and again, and says so if another process that runs has it, too.
  async lock() {
    while (!cache.exists("stop")) {
      await cache.withLock("name", async () => {
        const before = cache.get("holder");
        if (before !== undefined && runs(before)) say(`two holders: ${before} and ${Deno.pid}`);
        cache.set("holder", Deno.pid);
        count("entries");
        if (Math.random() < 0.5) await sleep(Math.random() * 10);
        if (cache.get("holder") !== Deno.pid) say(`${cache.get("holder")} came into ${Deno.pid}`);
        cache.remove("holder");
      }, { timeout: 20_000 * patience });
    }
  },
};

say("ready");
if (task !== "lock") { while (!cache.exists("start")) await sleep(5); }
await tasks[task]();
cache.close();
say("done");

// A Worker of sharing_test.ts and sharing_process.ts: does one task on a store, then says so.

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { PrometheusTinyShared, StoreError } from "../mod.ts";

/** What a thread does. */
export interface Task {
  filename: string;
  /** Its own label. */
  who: string;
  /** How often it does everything. */
  count: number;
  /** How many times it opens the store for that, one after the other. */
  lives: number;
  /** Ends without closing at last, at once; or stays until it is terminated. */
  then: "close" | "end" | "stay";
}

/** Waits for a slot: a worker that was ended a moment ago may not be gone yet. */
async function open(filename: string): Promise<PrometheusTinyShared> {
  for (;;) {
    try {
      return new PrometheusTinyShared({ filename });
    } catch (error) {
      if (!(error instanceof StoreError && error.code === "WORKERS_FULL")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

function update(prom: PrometheusTinyShared, { who, count }: Task): void {
  const own = prom.counter("typed_total", { labelNames: ["who"] }).labels({ who });
  const durations = prom.histogram("durations", { buckets: [1, 2] });
  for (let i = 0; i < count; i++) {
    prom.inc("same_total");
    own.inc();
    prom.add("level", i % 2 === 0 ? 3 : -1); // was set before: one cell for all
    durations.observe(i % 3);
    prom.inc("many_total", { number: i % 200 }); // made by all at once
  }
}

self.addEventListener("message", async ({ data: task }: MessageEvent<Task>) => {
  for (let life = 1; life <= task.lives; life++) {
    const prom = await open(task.filename);
    update(prom, task);
    if (life < task.lives || task.then === "close") prom.close();
  }
  self.postMessage("done");
  if (task.then === "end") self.close();
});

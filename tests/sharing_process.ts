// A process of sharing_test.ts. It says "ready", waits for a line, does its task, and says what it saw.

import { PrometheusTinyShared } from "../mod.ts";
import type { Task } from "./sharing_thread.ts";

/** What a process does; the answer is a line of JSON. */
export type ProcessTask =
  | { do: "open"; filename: string }
  | { do: "add"; filename: string; who: string; threads: number; count: number }
  | { do: "live"; filename: string; count: number };

const line = new Uint8Array(1);

function answer(value: unknown): void {
  console.log(JSON.stringify(value));
}

async function runThread(task: Task): Promise<void> {
  const worker = new Worker(import.meta.resolve("./sharing_thread.ts"), { type: "module" });
  await new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = reject;
    worker.postMessage(task);
  });
  worker.terminate();
}

const task: ProcessTask = JSON.parse(Deno.args[0]);
answer("ready");
await Deno.stdin.read(line);
switch (task.do) {
  case "open": {
    const prom = new PrometheusTinyShared({ filename: task.filename });
    prom.inc("opened_total");
    answer(Deno.statSync(task.filename).ino);
    break; // the file is open until the process ends
  }
  case "add": {
    const { filename, who, threads, count } = task;
    await Promise.all(
      Array.from(
        { length: threads },
        (_, thread) =>
          runThread({
            filename,
            who: `${who}.${thread}`,
            count,
            lives: 1,
            then: thread % 2 ? "close" : "stay",
          }),
      ),
    );
    answer("done");
    break;
  }
  case "live": {
    const prom = new PrometheusTinyShared({ filename: task.filename });
    const inFlight = prom.gauge("in_flight", { mode: "livesum" });
    for (let i = 0; i < task.count; i++) {
      prom.inc("survives_total");
      inFlight.inc();
    }
    answer("done");
    break;
  }
}
await Deno.stdin.read(line);

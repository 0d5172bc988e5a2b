// A process of churn.ts: it says "ready", waits for a line, and attaches, updates and detaches until its standard
// input ends; then it says how often. With "init" it replaces the file, too.

import { PrometheusTinyShared, StoreError } from "../mod.ts";

const [filename, role, number] = Deno.args;
let rounds = 0;
let refused = 0;
let ended = false;

console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
Deno.stdin.read(new Uint8Array(1)).then(() => ended = true);

function updateOnce(): void {
  using prom = new PrometheusTinyShared({ filename });
  prom.inc("churn_total", { process: number });
  prom.add("churn_level", rounds % 2 ? -1 : 1);
  prom.histogramObserve("churn_seconds", rounds % 7);
  prom.set("churn_last", rounds, { process: number });
  if (rounds % 16 === 0) prom.format();
}

function disturbOnce(): void {
  using prom = new PrometheusTinyShared({ filename, initFile: rounds % 8 === 7 });
  if (rounds % 4 === 3) prom.clear();
  const text = prom.format();
  if (text !== "" && !text.endsWith("\n")) throw new Error("half an exposition");
}

while (!ended) {
  try {
    role === "init" ? disturbOnce() : updateOnce();
    rounds++;
  } catch (error) {
    // More processes than slots, or a file replaced again and again: an error in words, and again.
    if (!(error instanceof StoreError)) throw error;
    if (error.code !== "WORKERS_FULL" && error.code !== "LOCK_TIMEOUT") throw error;
    refused++;
  }
  await new Promise((resolve) => setTimeout(resolve, role === "init" ? 5 : 0));
}
console.log(JSON.stringify({ rounds, refused }));

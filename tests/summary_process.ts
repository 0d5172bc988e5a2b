// A process of summaries_test.ts: observes what it is told to, or goes on until it is killed.

import { PrometheusTinyShared } from "../mod.ts";
import { draw, type SummaryTask } from "./observing.ts";

const task: SummaryTask = JSON.parse(Deno.args[0]);
const prom = new PrometheusTinyShared({ filename: task.filename });
if (task.do === "observe") {
  // Begin when all are there: nobody takes the slot of one that has ended, in whose windows the time of
  // three minutes ago would be a clock that was set back.
  console.log("ready");
  await Deno.stdin.read(new Uint8Array(1));
  const summary = prom.summary(task.values, { quantiles: [0.01, 0.5, 0.99] });
  const windowed = prom.summary(`${task.values}_window`, {
    quantiles: [0.01, 0.5, 0.99],
    maxAgeSeconds: 60,
  });
  const now = Date.now;
  // Three minutes ago: these are in no window any more, but in count and sum.
  Date.now = () => now() - 180_000;
  for (let i = 0; i < task.count / 4; i++) windowed.observe(1e9 + i);
  Date.now = now;
  for (const value of draw(task.values, task.count, task.seed)) {
    summary.observe(value);
    windowed.observe(value);
  }
} else {
  const summary = prom.summary("killed", { quantiles: [0.5], maxAgeSeconds: 1, ageBuckets: 16 });
  const one = new Uint8Array([1]);
  // A byte for each acknowledged observation; a clock that turns the windows quickly.
  let turn = 0;
  Date.now = () => turn * 10;
  for (;; turn++) {
    summary.observe(2);
    if (Deno.stdout.writeSync(one) !== 1) throw new Error("half a write");
  }
}

import assert from "node:assert/strict";
import { EventLoopLag, LagSamples } from "../src/event_loop_lag.ts";

const ranks = [0.5, 0.9, 0.99, 1];

Deno.test("LagSamples knows nothing before the first sample", () => {
  assert.equal(new LagSamples().quantiles(ranks), undefined);
});

Deno.test("LagSamples.quantiles() gives the values at their ranks, in seconds", () => {
  const samples = new LagSamples();
  samples.add(7);
  assert.deepEqual(samples.quantiles(ranks), [0.007, 0.007, 0.007, 0.007]);
  const many = new LagSamples();
  for (let ms = 99; ms >= 0; ms--) many.add(ms);
  assert.deepEqual(many.quantiles([0, ...ranks]), [0, 0.049, 0.089, 0.098, 0.099]);
});

Deno.test("LagSamples takes a timer that is early for one in time", () => {
  const samples = new LagSamples();
  samples.add(-3);
  assert.deepEqual(samples.quantiles([1]), [0]);
});

Deno.test("LagSamples adds the timers that a busy loop has kept from being seen", () => {
  const samples = new LagSamples();
  samples.add(1050);
  assert.deepEqual(samples.quantiles([0, 0.5, 1]), [0.05, 0.55, 1.05]);
});

Deno.test("LagSamples forgets what is more than a minute ago", () => {
  const samples = new LagSamples();
  for (let i = 0; i < 10; i++) samples.add(90);
  assert.deepEqual(samples.quantiles([1]), [0.09]);
  for (let i = 0; i < 599; i++) samples.add(1);
  assert.deepEqual(samples.quantiles([0.99, 1]), [0.001, 0.09]);
  samples.add(1);
  assert.deepEqual(samples.quantiles([1]), [0.001]);
  samples.add(10 * 60_000);
  assert.deepEqual(samples.quantiles([0, 1]), [540.1, 600]);
});

Deno.test("EventLoopLag measures how long the loop was busy", async () => {
  const lag = new EventLoopLag();
  const start = performance.now();
  while (performance.now() - start < 250);
  while (lag.samples.quantiles([1]) === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  lag.stop();
  const [longest] = lag.samples.quantiles([1])!;
  assert(longest >= 0.149, `${longest}`);
});

// Summaries against npm's prom-client: the same digits while both keep every value by itself. prom-client
// begins to merge values at random from 200 observations on.

import assert from "node:assert/strict";
// deno-lint-ignore no-import-prefix -- the peer
import client from "npm:prom-client@15.1.3";
import { PrometheusTinyShared, sharedFile } from "../../mod.ts";
import { isEmulated } from "../emulated.ts";
import { random } from "../observing.ts";

const quantiles = [0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1];

const filename = sharedFile(`prom-client-summaries-${Deno.pid}`);

/** A summary of each, made alike; ours has two workers that take turns. */
function both(window: { maxAgeSeconds?: number; ageBuckets?: number } = {}) {
  const workers = [0, 1].map(() => new PrometheusTinyShared({ filename }));
  const ours = workers.map((prom) => prom.summary("s", { quantiles, ...window }));
  const theirs = new client.Summary({
    name: "s",
    help: "s",
    percentiles: quantiles,
    registers: [],
    ...window,
  });
  let turn = 0;
  return {
    observe(value: number) {
      ours[turn++ % 2].observe(value);
      theirs.observe(value);
    },
    /** They have 0 where there is nothing, or where it is NaN; ours is NaN. */
    async compare(message: string) {
      const value = ours[turn % 2].value();
      const { values } = await theirs.get();
      const found = (name?: string) => values.find(({ metricName }) => metricName === name)!.value;
      assert.equal(value.count, found("s_count"), message);
      assert.equal(value.quantiles.length, quantiles.length);
      for (const [i, { quantile, value: own }] of value.quantiles.entries()) {
        assert.equal(values[i].labels.quantile, quantile);
        const shown = Number.isNaN(own) ? 0 : own;
        assert.equal(shown, values[i].value, `${message}: quantile ${quantile}`);
      }
      return { ours: value, theirs: found("s_sum") };
    },
    [Symbol.dispose]() {
      for (const prom of workers) prom.close();
      Deno.removeSync(filename);
    },
  };
}

/** What is observed: a few values many times, all different ones, a wide range, one way, one value. */
const kinds: ((next: () => number, i: number) => number)[] = [
  (next) => Math.floor(10 * next()),
  (next) => next(),
  (next) => (next() - 0.5) * 10 ** Math.floor(40 * next() - 20),
  (_next, i) => i * i - 1000,
  (_next, i) => 0.1 * (500 - i),
  () => 42,
];

const rounds = isEmulated ? 4 : 15;

Deno.test(`Summary has prom-client's digits at ${rounds} random sizes of each kind`, async () => {
  for (const [kind, draw] of kinds.entries()) {
    for (let round = 0; round < rounds; round++) {
      const next = random(100 * kind + round);
      const count = Math.floor(200 * next());
      using summaries = both();
      for (let i = 0; i < count; i++) summaries.observe(draw(next, i));
      const { ours, theirs } = await summaries.compare(`${count} of kind ${kind}`);
      // Two workers add up in another order than one.
      assert.ok(Math.abs(ours.sum - theirs) <= 1e-9 * Math.abs(theirs) + 1e-9);
    }
  }
});

Deno.test("Summary has the numbers that prom-client's own tests ask for", async () => {
  using summaries = both();
  for (const value of [100, 100, 100, 50, 50]) summaries.observe(value);
  const { ours } = await summaries.compare("five");
  const of = (wanted: number) => ours.quantiles.find(({ quantile }) => quantile === wanted)!.value;
  assert.deepEqual([of(0.01), of(0.5), of(0.9), of(0.999)], [50, 80, 100, 100]);
});

Deno.test("Summary forgets its window when prom-client does", async () => {
  const { now } = Date;
  let time = now();
  Date.now = () => time;
  try {
    const next = random(7);
    using summaries = both({ maxAgeSeconds: 5, ageBuckets: 5 });
    // They weigh values five times in the beginning, so that merging begins at 40.
    for (let i = 0; i < 39; i++) summaries.observe(next());
    for (let i = 0; i < 7; i++) {
      const { ours } = await summaries.compare(`${i} seconds later`);
      assert.equal(Number.isNaN(ours.quantiles[4].value), i >= 5);
      time += 1001;
    }
    summaries.observe(3);
    await summaries.compare("one observation more");
  } finally {
    Date.now = now;
  }
});

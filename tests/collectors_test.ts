// collect callbacks: run by whoever renders, with a deadline, and never at the cost of other metrics.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";

const scrape = async (prom: PrometheusTinyShared) =>
  await (await prom.handler()(new Request("http://localhost/metrics"))).text();

Deno.test("collect() brings a metric up to date in format() and in the handler", async () => {
  using prom = new PrometheusTinyShared();
  let calls = 0;
  prom.gauge("queue_length", { collect: (gauge) => gauge.set(++calls) });
  prom.gauge("later", {
    labelNames: ["a"],
    collect: async (gauge) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      gauge.set({ a: "1" }, calls);
    },
  });
  assert.equal(prom.format(), "# TYPE later gauge\n# TYPE queue_length gauge\nqueue_length 1\n");
  const text = await scrape(prom);
  assert.match(text, /^queue_length 2$/m);
  assert.match(text, /^later\{a="1"\} 2$/m);
});

Deno.test("a collect callback that fails is counted and costs no other metric", async () => {
  const warnings: string[] = [];
  using prom = new PrometheusTinyShared({
    collectTimeoutMs: 20,
    onWarning: (text) => warnings.push(text),
  });
  prom.inc("fine_total");
  prom.gauge("throws", {
    collect: () => {
      throw new RangeError("no queue");
    },
  });
  prom.gauge("rejects", { collect: () => Promise.reject(new Error("no answer")) });
  let end = () => {};
  let begun = 0;
  prom.gauge("slow", {
    collect: () => {
      begun++;
      return new Promise<void>((resolve) => end = resolve);
    },
  });
  const text = await scrape(prom);
  assert.match(text, /^fine_total 1$/m);
  const again = await scrape(prom);
  const errors = again.split("\n").filter((line) => line.startsWith("prometheus_tiny_collect"));
  assert.deepEqual(errors, [
    'prometheus_tiny_collect_errors_total{metric="rejects",reason="error"} 2',
    'prometheus_tiny_collect_errors_total{metric="slow",reason="timeout"} 2',
    'prometheus_tiny_collect_errors_total{metric="throws",reason="error"} 2',
  ]);
  assert.equal(begun, 1); // it is not begun again while it runs
  end();
  assert.equal(warnings.length, 3);
  assert.match(warnings.join("\n"), /throws threw RangeError: no queue\. The scrape goes on/);
  assert.match(warnings.join("\n"), /slow took longer than 20 ms/);
});

Deno.test("a collect callback that ends after close() is left alone", async () => {
  const prom = new PrometheusTinyShared({ onWarning: (text) => assert.fail(text) });
  let fail = (_: Error) => {};
  prom.gauge("late", { collect: () => new Promise<void>((_, reject) => fail = reject) });
  prom.format();
  prom.close();
  fail(new Error("too late"));
  await new Promise((resolve) => setTimeout(resolve, 0));
});

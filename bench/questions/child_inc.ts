/**
 * What does `inc()` on a kept child cost?
 *
 * @module
 */

import { PrometheusTinyShared } from "../../mod.ts";
import { type Comparison, looped, OURS, timesAsFastAs, timesThatOf } from "../harness.ts";
import { openLimits } from "../limits.ts";
import { loadPromClient, type PromClient } from "../peers/prom_client.ts";

const options = { help: "Requests.", labelNames: ["method", "status"] as const };
const labels = { method: "GET", status: "200" };

export async function* question(): AsyncGenerator<Comparison> {
  using prom = new PrometheusTinyShared();
  const child = prom.counter("requests_total", options).labels(labels);
  const limits = openLimits();
  const client = await loadPromClient();
  let variable = 0;
  const entries = [
    looped(OURS, (times) => {
      for (let i = 0; i < times; i++) child.inc();
    }),
    looped("C loop", (times) => void limits.limit_add(0, times)),
    looped("JS variable", (times) => {
      for (let i = 0; i < times; i++) variable++;
    }),
    ...client ? [promClientChild(client)] : [],
  ];
  yield {
    title: "child `inc()`",
    unit: "ns",
    entries,
    ratios: [
      timesThatOf("C loop", 1.4),
      timesAsFastAs("prom-client", 15),
      timesThatOf("JS variable"),
    ],
    note: "The C loop does the same add with the same look at head and generation.",
  };
}

function promClientChild(client: PromClient) {
  const register = new client.Registry();
  const counter = new client.Counter({
    name: "requests_total",
    help: options.help,
    labelNames: [...options.labelNames],
    registers: [register],
  });
  const child = counter.labels(labels);
  return looped("prom-client", (times) => {
    for (let i = 0; i < times; i++) child.inc();
  });
}

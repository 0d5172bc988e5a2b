// Nanoseconds of inc() on a child, on eight of them in turn, of the C loop, of a variable, and of prom-client's
// child.

import { PrometheusTinyShared } from "../../mod.ts";
import { looped } from "../harness.ts";
import { openLimits } from "../limits.ts";
import { loadPromClient, type PromClient } from "../peers/prom_client.ts";

const options = { help: "Requests.", labelNames: ["method", "status"] as const };
const labels = { method: "GET", status: "200" };

function promClientChild(client: PromClient) {
  return new client.Counter({
    name: "requests_total",
    help: options.help,
    labelNames: [...options.labelNames],
    registers: [new client.Registry()],
  }).labels(labels);
}

using prom = new PrometheusTinyShared();
const client = await loadPromClient();
const limits = openLimits();

function entries() {
  const metric = prom.counter("requests_total", options);
  const child = metric.labels(labels);
  const eight = Array.from({ length: 8 }, (_, i) => metric.labels({ ...labels, status: `20${i}` }));
  const peer = client && promClientChild(client);
  let variable = 0;
  return [
    looped("ours", (times) => {
      for (let i = 0; i < times; i++) child.inc();
    }),
    looped("ours, eight in turn", (times) => {
      for (let i = 0; i < times; i++) eight[i & 7].inc();
    }),
    looped("C loop", (times) => void limits.limit_add(0, times)),
    looped("JS variable", (times) => {
      for (let i = 0; i < times; i++) variable++;
    }),
    ...peer
      ? [looped("prom-client", (times) => {
        for (let i = 0; i < times; i++) peer.inc();
      })]
      : [],
  ];
}

const all = entries();
for (const entry of all) entry.measure();
console.log(JSON.stringify(await Promise.all(all.map((entry) => entry.measure()))));

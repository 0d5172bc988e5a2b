// Nanoseconds of observe() on a child, of the C loop, and of prom-client's child.

import { PrometheusTinyShared } from "../../mod.ts";
import { looped } from "../harness.ts";
import { openLimits } from "../limits.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import {
  buckets,
  labelNames,
  labels,
  promClientHistogram,
  value,
} from "../peers/prom_client_histogram.ts";

using prom = new PrometheusTinyShared();
const client = await loadPromClient();
const limits = openLimits();

function entries() {
  const histogram = prom.histogram("seconds", { help: "Duration.", labelNames, buckets });
  const child = histogram.labels(labels);
  const bounds = Float64Array.from(buckets);
  const peer = client && promClientHistogram(client).labels(labels);
  return [
    looped("ours", (times) => {
      for (let i = 0; i < times; i++) child.observe(value);
    }),
    looped("C loop", (times) => void limits.limit_observe(times, bounds, bounds.length, value)),
    ...peer
      ? [looped("prom-client", (times) => {
        for (let i = 0; i < times; i++) peer.observe(value);
      })]
      : [],
  ];
}

const all = entries();
for (const entry of all) entry.measure();
console.log(JSON.stringify(await Promise.all(all.map((entry) => entry.measure()))));

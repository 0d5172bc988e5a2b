/**
 * What does a scrape cost when values are not whole, and when they are histograms?
 *
 * @module
 */

import { PrometheusTinyShared } from "../../mod.ts";
import { wholeExposition } from "../../src/exposition.ts";
import { FilledStore, openStore } from "../fill.ts";
import { type Comparison, once, OURS, timesAsFastAs } from "../harness.ts";
import { temporaryPath } from "../paths.ts";
import { loadPromClient, type PromClient, type Registry } from "../peers/prom_client.ts";
import { filledRegistry } from "../peers/prom_client_fill.ts";

export async function* question(): AsyncGenerator<Comparison> {
  const client = await loadPromClient();
  yield* fractions(client);
  yield* first();
  yield* histograms(client);
}

async function* fractions(client: PromClient | undefined): AsyncGenerator<Comparison> {
  const content = { series: 10_000, shards: 4, fraction: 0.1234567 };
  using store = new FilledStore(content);
  const registry = client && filledRegistry(client, content);
  yield {
    title: "scrape, 10,000 series, 4 shards, non-integer values",
    unit: "ms",
    entries: [
      once(OURS, () => wholeExposition(store.reader, 0)),
      ...registry ? [once("prom-client", () => registry.metrics())] : [],
    ],
    ratios: [timesAsFastAs("prom-client", 10)],
  };
}

/** A worker that has never scraped puts all series in order first. */
async function* first(): AsyncGenerator<Comparison> {
  using store = new FilledStore({ series: 10_000, shards: 4 });
  yield {
    title: "scrape, 10,000 series, a worker's first",
    unit: "ms",
    entries: [{
      name: OURS,
      measure() {
        const fresh = openStore(store.path);
        const start = performance.now();
        wholeExposition(fresh, 0);
        const time = performance.now() - start;
        fresh.close();
        return time;
      },
    }],
  };
}

const HISTOGRAMS = 1000;
const buckets = [.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10];

async function* histograms(client: PromClient | undefined): AsyncGenerator<Comparison> {
  const filename = temporaryPath("histograms");
  using prom = new PrometheusTinyShared({ filename });
  const histogram = prom.histogram("seconds", { help: "Time.", labelNames: ["path"], buckets });
  for (let i = 0; i < HISTOGRAMS; i++) histogram.observe({ path: `/users/${i}` }, i / 100);
  const store = openStore(filename);
  const registry = client && filledHistograms(client);
  yield {
    title: "scrape, 1,000 histograms of 14 buckets",
    unit: "ms",
    entries: [
      once(OURS, () => wholeExposition(store, 0)),
      ...registry ? [once("prom-client", () => registry.metrics())] : [],
    ],
    ratios: [timesAsFastAs("prom-client")],
  };
  store.close();
}

function filledHistograms(client: PromClient): Registry {
  const register = new client.Registry();
  const histogram = new client.Histogram({
    name: "seconds",
    help: "Time.",
    labelNames: ["path"],
    buckets,
    registers: [register],
  });
  for (let i = 0; i < HISTOGRAMS; i++) histogram.observe({ path: `/users/${i}` }, i / 100);
  return register;
}

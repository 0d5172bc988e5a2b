/**
 * What does a scrape cost, by the number of series and of shards?
 *
 * @module
 */

import * as native from "../../ffi/native.ts";
import { wholeExposition } from "../../src/exposition.ts";
import { type Content, FilledStore } from "../fill.ts";
import {
  type Comparison,
  type Entry,
  once,
  OURS,
  type Plan,
  type Ratio,
  timesAsFastAs,
} from "../harness.ts";
import { Perl } from "../peers/perl.ts";
import { loadPromClient, type PromClient } from "../peers/prom_client.ts";
import { filledRegistry } from "../peers/prom_client_fill.ts";
import { PythonMultiprocess } from "../peers/python.ts";

/** As in src/http.ts and src/exposition.ts. */
const MOST_AT_ONCE = 10_000;
const PART_SIZE = 128 * 1024;

export async function* question(plan: Plan): AsyncGenerator<Comparison> {
  const client = await loadPromClient();
  for (const series of [1_000, 10_000, 100_000]) yield* ofSize(plan, client, series);
  if (plan.all) yield million();
}

async function* ofSize(
  plan: Plan,
  client: PromClient | undefined,
  series: number,
): AsyncGenerator<Comparison> {
  const content: Content = { series, shards: 4 };
  using store = new FilledStore(content);
  using single = new FilledStore({ series, shards: 1 });
  using many = plan.all || series <= 10_000 ? new FilledStore({ series, shards: 64 }) : undefined;
  const small = series <= 10_000;
  await using python = small ? await PythonMultiprocess.start(series, 4, 0) : undefined;
  await using perl = small ? await filledPerl("Prometheus::Tiny", series) : undefined;
  await using shared = small ? await filledPerl("Prometheus::Tiny::Shared", series) : undefined;
  const bars = barsOf(series);
  yield {
    title: `scrape, ${series.toLocaleString("en-US")} series, 4 shards, as bytes`,
    unit: "ms",
    rounds: series >= 100_000 ? Math.min(plan.rounds, 5) : plan.rounds,
    entries: [
      scrape(OURS, store),
      scrape("ours, 1 shard", single),
      ...many ? [scrape("ours, 64 shards", many)] : [],
      ...client ? await promClientEntries(client, content) : [],
      ...python ? [{ name: "client_python, 4 workers", measure: () => python.scrape() }] : [],
      ...perl ? [{ name: "Prometheus::Tiny", measure: () => perl.ask("format") }] : [],
      ...shared ? [{ name: "Prometheus::Tiny::Shared", measure: () => shared.ask("format") }] : [],
    ],
    ratios: [
      timesAsFastAs("prom-client", bars.promClient),
      timesAsFastAs("prom-client, aggregating 4", bars.aggregation),
      timesAsFastAs("client_python, 4 workers", bars.python),
      timesAsFastAs("Prometheus::Tiny"),
      timesAsFastAs("Prometheus::Tiny::Shared"),
    ],
    note: "prom-client, Prometheus::Tiny and ::Shared have one worker's worth of data.",
  };
}

function barsOf(series: number): { promClient?: number; aggregation?: number; python?: number } {
  if (series === 10_000) return { promClient: 15, python: 80 };
  return series === 100_000 ? { promClient: 18, aggregation: 50 } : {};
}

/** As handler() does: a small exposition at once, a large one in parts that leave one after the other. */
function scrape(name: string, store: FilledStore): Entry {
  const { reader } = store;
  return once(name, () => {
    if (reader.usage().seriesUsed <= MOST_AT_ONCE) return wholeExposition(reader, 0);
    const render = native.renderOpen(reader.attachment, 0, Date.now());
    let length;
    do {
      length = native.renderNext(reader.attachment, render, new Uint8Array(PART_SIZE));
    } while (reader.check(length, "write a part") > 0);
    native.renderClose(reader.attachment, render);
  });
}

async function promClientEntries(client: PromClient, content: Content): Promise<Entry[]> {
  const registry = filledRegistry(client, content);
  const parts = await Promise.all(
    Array.from(
      { length: content.shards },
      () => filledRegistry(client, content).getMetricsAsJSON(),
    ),
  );
  return [
    once("prom-client", () => registry.metrics()),
    // Without what its primary takes to ask the workers.
    once(
      "prom-client, aggregating 4",
      () => client.AggregatorRegistry.aggregate(parts).metrics(),
    ),
  ];
}

async function filledPerl(
  module: "Prometheus::Tiny" | "Prometheus::Tiny::Shared",
  series: number,
): Promise<Perl | undefined> {
  const perl = await Perl.start(module);
  await perl?.ask(`fill ${series}`);
  return perl;
}

/** Only how it grows. */
function million(): Comparison {
  const linear: Ratio = {
    text: "times 100,000 series",
    of: [OURS, "ours, 100,000 series"],
    from: (round) => round[OURS] / round["ours, 100,000 series"],
    atMost: 12,
  };
  const store = new FilledStore({ series: 1_000_000, shards: 4 });
  const tenth = new FilledStore({ series: 100_000, shards: 4 });
  return {
    title: "scrape, 1,000,000 series, 4 shards, as bytes",
    unit: "ms",
    rounds: 5,
    entries: [scrape(OURS, store), scrape("ours, 100,000 series", tenth)],
    ratios: [linear],
  };
}

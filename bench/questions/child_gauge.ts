/**
 * What do `set()` and `inc()` on a kept child of a gauge cost, with and without a value for each worker?
 *
 * @module
 */

import { type GaugeMode, PrometheusTinyShared } from "../../mod.ts";
import { type Comparison, type Entry, looped, OURS, timesAsFastAs } from "../harness.ts";
import { loadPromClient, type PromClient } from "../peers/prom_client.ts";

const options = { help: "Temperature.", labelNames: ["room", "side"] as const };
const labels = { room: "kitchen", side: "north" };

export async function* question(): AsyncGenerator<Comparison> {
  using prom = new PrometheusTinyShared();
  const child = (name: string, mode?: GaugeMode) =>
    prom.gauge(name, { ...options, mode }).labels(labels);
  const set = child("set");
  const live = child("live", "livesum");
  const added = child("added");
  const peer = promClientChild(await loadPromClient());
  yield {
    title: "gauge child `set(v)`",
    unit: "ns",
    entries: [
      looped(OURS, (times) => {
        for (let i = 0; i < times; i++) set.set(i);
      }),
      looped("ours, live", (times) => {
        for (let i = 0; i < times; i++) live.set(i);
      }),
      ...peer ? [setting(peer)] : [],
    ],
    ratios: [timesAsFastAs("prom-client")],
  };
  yield {
    title: "gauge child `inc()`",
    unit: "ns",
    entries: [
      looped(OURS, (times) => {
        for (let i = 0; i < times; i++) added.inc();
      }),
      looped("ours, once set", (times) => {
        for (let i = 0; i < times; i++) set.inc();
      }),
      ...peer ? [adding(peer)] : [],
    ],
    ratios: [timesAsFastAs("prom-client")],
    note: "A gauge that was ever set is one shared cell: additions are a compare-and-swap there.",
  };
}

type PeerChild = NonNullable<ReturnType<typeof promClientChild>>;

function promClientChild(client: PromClient | undefined) {
  return client && new client.Gauge({
    name: "temperature",
    help: options.help,
    labelNames: [...options.labelNames],
    registers: [new client.Registry()],
  }).labels(labels);
}

function setting(child: PeerChild): Entry {
  return looped("prom-client", (times) => {
    for (let i = 0; i < times; i++) child.set(i);
  });
}

function adding(child: PeerChild): Entry {
  return looped("prom-client", (times) => {
    for (let i = 0; i < times; i++) child.inc();
  });
}

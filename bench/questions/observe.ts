/**
 * What does an observation cost, with 14 buckets?
 *
 * @module
 */

import { PrometheusTinyShared } from "../../mod.ts";
import { type Comparison, looped, OURS, timesAsFastAs, timesThatOf } from "../harness.ts";
import { openLimits } from "../limits.ts";
import { Perl } from "../peers/perl.ts";
import { loadPromClient, type PromClient } from "../peers/prom_client.ts";

const buckets = [.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10];
const value = 0.3;
const labels = { method: "GET", status: "200" };
const labelNames = ["method", "status"] as const;

export async function* question(): AsyncGenerator<Comparison> {
  const client = await loadPromClient();
  const peer = client && promClientHistogram(client);
  yield* child(peer);
  yield* untyped(peer);
}

async function* child(peer: Peer | undefined): AsyncGenerator<Comparison> {
  using prom = new PrometheusTinyShared();
  const histogram = prom.histogram("seconds", { help: "Duration.", labelNames, buckets });
  const child = histogram.labels(labels);
  const limits = openLimits();
  const bounds = Float64Array.from(buckets);
  const peerChild = peer?.labels(labels);
  yield {
    title: "child `observe(v)`, 14 buckets",
    unit: "ns",
    entries: [
      looped(OURS, (times) => {
        for (let i = 0; i < times; i++) child.observe(value);
      }),
      looped("C loop", (times) => void limits.limit_observe(times, bounds, bounds.length, value)),
      ...peerChild
        ? [looped("prom-client", (times) => {
          for (let i = 0; i < times; i++) peerChild.observe(value);
        })]
        : [],
    ],
    ratios: [timesAsFastAs("prom-client", 20), timesThatOf("C loop")],
    note: "Ours also writes down what it is about to do, so that a kill tears nothing.",
  };
}

async function* untyped(peer: Peer | undefined): AsyncGenerator<Comparison> {
  using prom = new PrometheusTinyShared();
  await using shared = await Perl.start("Prometheus::Tiny::Shared");
  await using tiny = await Perl.start("Prometheus::Tiny");
  yield {
    title: "`histogramObserve(name, v, {2 labels})`",
    unit: "ns",
    entries: [
      looped(OURS, (times) => {
        for (let i = 0; i < times; i++) {
          prom.histogramObserve("seconds", value, { method: "GET", status: "200" });
        }
      }),
      ...peer
        ? [looped("prom-client", (times) => {
          for (let i = 0; i < times; i++) peer.observe({ method: "GET", status: "200" }, value);
        })]
        : [],
      ...tiny ? [tiny.entry("Prometheus::Tiny", "observe")] : [],
      ...shared ? [shared.entry("Prometheus::Tiny::Shared", "observe")] : [],
    ],
    ratios: [
      timesAsFastAs("Prometheus::Tiny::Shared", 800),
      timesAsFastAs("Prometheus::Tiny"),
      timesAsFastAs("prom-client"),
    ],
  };
}

type Peer = ReturnType<typeof promClientHistogram>;

function promClientHistogram(client: PromClient) {
  return new client.Histogram({
    name: "seconds",
    help: "Duration.",
    labelNames: [...labelNames],
    buckets,
    registers: [new client.Registry()],
  });
}

/**
 * What does an observation cost, with 14 buckets?
 *
 * @module
 */

import { PrometheusTinyShared } from "../../mod.ts";
import { type Comparison, looped, OURS, runsOf, timesAsFastAs, timesThatOf } from "../harness.ts";
import { Perl } from "../peers/perl.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import {
  type ObservedHistogram,
  promClientHistogram,
  value,
} from "../peers/prom_client_histogram.ts";
import { runScript } from "../script.ts";

export async function* question(): AsyncGenerator<Comparison> {
  const client = await loadPromClient();
  const peer = client && promClientHistogram(client);
  yield* child(peer);
  yield* untyped(peer);
}

async function* child(peer: ObservedHistogram | undefined): AsyncGenerator<Comparison> {
  yield {
    title: "child `observe(v)`, 14 buckets",
    unit: "ns",
    entries: runsOf(
      [OURS, "C loop", ...peer ? ["prom-client"] : []],
      () => runScript("child_observe"),
    ),
    ratios: [timesAsFastAs("prom-client", 20), timesThatOf("C loop")],
    note: "Ours also writes down what it is about to do, so that a kill tears nothing. " +
      "Every round is a process of its own.",
  };
}

async function* untyped(peer: ObservedHistogram | undefined): AsyncGenerator<Comparison> {
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

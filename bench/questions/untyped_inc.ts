/**
 * What does `inc(name, labels)` cost, with 0, 2 and 6 labels?
 *
 * The labels are a new object each time, as in a request handler.
 *
 * @module
 */

import { PrometheusTinyShared } from "../../mod.ts";
import {
  type Comparison,
  type Entry,
  looped,
  OURS,
  timesAsFastAs,
  timesThatOf,
} from "../harness.ts";
import { Perl } from "../peers/perl.ts";
import { loadPromClient, type PromClient } from "../peers/prom_client.ts";

/** Values that the compiler cannot take for constants. */
const values = { method: ["GET", "POST"], status: ["200", "404"] };

export async function* question(): AsyncGenerator<Comparison> {
  const client = await loadPromClient();
  await using tiny = await Perl.start("Prometheus::Tiny");
  await using shared = await Perl.start("Prometheus::Tiny::Shared");
  for (const count of [0, 2, 6]) {
    using prom = new PrometheusTinyShared();
    yield {
      title: `\`inc(name${count ? `, {${count} labels}` : ""})\``,
      unit: "ns",
      entries: [
        looped(OURS, ourLoops[count](prom)),
        ...client ? [promClientEntry(client, count)] : [],
        ...count === 2 ? [joinedMap()] : [],
        ...tiny ? [tiny.entry("Prometheus::Tiny", `inc ${count}`)] : [],
        ...shared ? [shared.entry("Prometheus::Tiny::Shared", `inc ${count}`)] : [],
      ],
      ratios: [
        timesThatOf("prom-client", count === 2 ? 0.5 : undefined),
        timesAsFastAs("Prometheus::Tiny::Shared", count === 2 ? 40 : undefined),
        timesAsFastAs("Prometheus::Tiny"),
        timesThatOf("JS Map"),
      ],
    };
  }
}

type Loop = (times: number) => void;

const ourLoops: Record<number, (prom: PrometheusTinyShared) => Loop> = {
  0: (prom) => (times) => {
    for (let i = 0; i < times; i++) prom.inc("requests_total");
  },
  2: (prom) => (times) => {
    for (let i = 0; i < times; i++) {
      prom.inc("requests_total", { method: values.method[i & 1], status: values.status[i & 1] });
    }
  },
  6: (prom) => (times) => {
    for (let i = 0; i < times; i++) {
      prom.inc("requests_total", {
        method: values.method[i & 1],
        status: values.status[i & 1],
        host: "a",
        zone: "b",
        route: "/users",
        version: "1",
      });
    }
  },
};

function promClientEntry(client: PromClient, count: number): Entry {
  const names = ["method", "status", "host", "zone", "route", "version"].slice(0, count);
  const counter = new client.Counter({
    name: "requests_total",
    help: "Requests.",
    labelNames: names,
    registers: [new client.Registry()],
  });
  const loops: Record<number, Loop> = {
    0: (times) => {
      for (let i = 0; i < times; i++) counter.inc();
    },
    2: (times) => {
      for (let i = 0; i < times; i++) {
        counter.inc({ method: values.method[i & 1], status: values.status[i & 1] });
      }
    },
    6: (times) => {
      for (let i = 0; i < times; i++) {
        counter.inc({
          method: values.method[i & 1],
          status: values.status[i & 1],
          host: "a",
          zone: "b",
          route: "/users",
          version: "1",
        });
      }
    },
  };
  return looped("prom-client", loops[count]);
}

/** What a program without any library might do. */
function joinedMap(): Entry {
  const map = new Map<string, number>();
  return looped("JS Map", (times) => {
    for (let i = 0; i < times; i++) {
      const labels = { method: values.method[i & 1], status: values.status[i & 1] };
      const key = `${labels.method},${labels.status}`;
      map.set(key, (map.get(key) ?? 0) + 1);
    }
  });
}

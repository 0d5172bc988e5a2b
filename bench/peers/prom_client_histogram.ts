/**
 * The histogram of the benchmarks, and prom-client's.
 *
 * @module
 */

import type { PromClient } from "./prom_client.ts";

/** Upper bounds, the ones of Prometheus::Tiny. */
export const buckets = [.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10];
/** What is observed. */
export const value = 0.3;
/** With which labels. */
export const labels = { method: "GET", status: "200" };
/** Their names. */
export const labelNames = ["method", "status"] as const;

/** prom-client's histogram of them. */
export type ObservedHistogram = InstanceType<PromClient["Histogram"]>;

/** Makes it. */
export function promClientHistogram(client: PromClient): ObservedHistogram {
  return new client.Histogram({
    name: "seconds",
    help: "Duration.",
    labelNames: [...labelNames],
    buckets,
    registers: [new client.Registry()],
  });
}

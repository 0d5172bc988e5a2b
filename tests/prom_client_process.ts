// A process of prom_client_sharing_test.ts. It does what each line of its input says, and answers
// with a line.

import { TextLineStream } from "./text_lines.ts";
import { AggregatorRegistry, Counter, Gauge, Histogram, register } from "../prom_client.ts";
import type { Aggregator } from "../prom_client.ts";

/** What a process is told; the answer is JSON. */
export type Command =
  | { do: "make" }
  | { do: "work"; value: number }
  | { do: "metrics" | "cluster" | "json" | "clear" | "reset" };

const aggregators: Aggregator[] = ["sum", "min", "max", "average", "first", "omit"];

/** The application's metrics. */
function make() {
  const requests = new Counter({
    name: "requests_total",
    help: "Requests answered.",
    labelNames: ["who", "code"],
  });
  const seconds = new Histogram({ name: "request_seconds", help: "Durations.", buckets: [1, 2] });
  const gauges = aggregators.map((aggregator) =>
    new Gauge({ name: `gauge_${aggregator}`, help: "Of each worker.", aggregator })
  );
  return { requests, seconds, gauges };
}

let metrics: ReturnType<typeof make> | undefined;

async function answer(command: Command): Promise<unknown> {
  switch (command.do) {
    case "make":
      metrics = make();
      return "made";
    case "work":
      metrics ??= make();
      metrics.requests.inc({ who: "all", code: 200 }, command.value);
      metrics.requests.labels(`p${command.value}`, 200).inc(command.value);
      metrics.seconds.observe(command.value);
      for (const gauge of metrics.gauges) gauge.set(command.value);
      return "worked";
    case "metrics":
      return await register.metrics();
    case "cluster":
      return await new AggregatorRegistry().clusterMetrics();
    case "json":
      return await register.getMetricsAsJSON();
    case "clear":
      register.clear();
      metrics = undefined;
      return "cleared";
    case "reset":
      register.resetMetrics();
      return "reset";
  }
}

const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
console.log(JSON.stringify("ready"));
for await (const line of lines) console.log(JSON.stringify(await answer(JSON.parse(line))));

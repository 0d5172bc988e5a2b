// Applications as they are written for prom-client, with its types and its ways to import.

import assert from "node:assert/strict";
import client, {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  type LabelValues,
  register,
  Registry,
  Summary,
} from "prometheus-tiny-shared/prom-client";
import * as namespace from "prometheus-tiny-shared/prom-client";

Deno.test("prom-client: the default import has every name that can be imported by itself", () => {
  const names = Object.keys(namespace).filter((name) => name !== "default");
  assert.deepEqual(Object.keys(client).sort(), names.sort());
  for (const name of names) {
    assert.equal(client[name as keyof typeof client], namespace[name as keyof typeof namespace]);
  }
});

Deno.test("prom-client: contentType of the default import follows the registry", () => {
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  assert.equal(client.contentType, client.openMetricsContentType);
  client.contentType = client.prometheusContentType;
  assert.equal(register.contentType, Registry.PROMETHEUS_CONTENT_TYPE);
});

Deno.test("prom-client: an application's types fit", async () => {
  const registry = new Registry();
  const requests = new Counter({
    name: "requests_total",
    help: "Requests.",
    labelNames: ["method", "code"],
    registers: [registry],
  });
  requests.inc({ method: "GET", code: 200 });
  requests.labels("GET", "200").inc(2);
  const labels: LabelValues<"method" | "code"> = { method: "PUT" };
  requests.inc(labels, 5);
  // @ts-expect-error: not one of its labels
  assert.throws(() => requests.inc({ path: "/" }));

  const names = ["queue"] as const;
  const depth = new Gauge({
    name: "queue_depth",
    help: "Jobs that wait.",
    labelNames: names,
    registers: [registry],
    aggregator: "max",
    collect() {
      this.set({ queue: "mail" }, 3);
    },
  });
  const seconds: Histogram<"route"> = new Histogram({
    name: "request_seconds",
    help: "Durations.",
    labelNames: ["route"],
    buckets: client.linearBuckets(0.1, 0.1, 3),
    registers: [registry],
  });
  const end = seconds.startTimer({ route: "/" });
  const took: number = end();
  assert.ok(took >= 0);
  const sizes = new Summary({
    name: "sizes",
    help: "Sizes.",
    percentiles: [0.5],
    registers: [registry],
  });
  sizes.observe(5);

  const metric = await depth.get();
  assert.deepEqual(metric, {
    name: "queue_depth",
    help: "Jobs that wait.",
    type: "gauge",
    aggregator: "max",
    values: [{ value: 3, labels: { queue: "mail" } }],
  });
  const text: string = await registry.metrics();
  assert.match(
    text,
    /^requests_total\{method="GET",code="200"\} 3\nrequests_total\{method="PUT"\} 5$/m,
  );
  const all = await registry.getMetricsAsJSON();
  assert.deepEqual(all.map(({ name }) => name), [
    "requests_total",
    "queue_depth",
    "request_seconds",
    "sizes",
  ]);
});

Deno.test("prom-client: an option that is undefined is as if it were not given", async () => {
  const options = { labelNames: undefined, aggregator: undefined, buckets: undefined };
  const histogram = new Histogram({ name: "h", help: "h", registers: [], ...options });
  histogram.observe(3);
  const { aggregator, values } = await histogram.get();
  assert.equal(aggregator, "sum");
  assert.equal(values.length, 14);
  const summary = new Summary({ name: "s", help: "h", registers: [], percentiles: undefined });
  assert.equal((await summary.get()).values.length, 9);
});

Deno.test("prom-client: AggregatorRegistry prints the registries that were chosen", async () => {
  const [one, two] = [new Registry(), new Registry()];
  for (const [index, registry] of [one, two].entries()) {
    new Gauge({ name: "g", help: "h", aggregator: "max", registers: [registry] }).set(index + 1);
  }
  AggregatorRegistry.setRegistries([one, two]);
  const aggregator = new AggregatorRegistry();
  assert.equal(await aggregator.clusterMetrics(), "# HELP g h\n# TYPE g gauge\ng 2\n");
  AggregatorRegistry.setRegistries(register);
  assert.equal(await aggregator.clusterMetrics(), "");
});

Deno.test("prom-client: getSingleMetricAsString() says which metric is not there", async () => {
  await assert.rejects(new Registry().getSingleMetricAsString("absent"), {
    name: "TypeError",
    message: "no metric is registered as absent",
  });
});

Deno.test("prom-client: bad buckets, quantiles and aggregators are refused, and the name stays free", () => {
  const registry = new Registry();
  const config = { name: "m", help: "h", registers: [registry] };
  assert.throws(() => new Histogram({ ...config, buckets: [1, NaN] }), { name: "RangeError" });
  assert.throws(() => new Histogram({ ...config, buckets: ["x" as unknown as number] }), {
    name: "TypeError",
  });
  assert.throws(() => new Summary({ ...config, percentiles: [2] }), { name: "RangeError" });
  new Counter(config).inc();
});

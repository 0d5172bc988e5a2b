// The same calls on ours and on npm's prom-client 15.1.3: first what is the same, then its faults
// that ours does not have.

import {
  type Any,
  attempt,
  type Client,
  differs,
  fakeClocks,
  same,
} from "./prom_client_comparing.ts";

const both = (client: Client) => [
  new client.Registry(client.prometheusContentType),
  new client.Registry(client.openMetricsContentType as Any),
];

// ---- exports

same("the exports are those of PEERS.md, with these types", (client) => {
  const names = ["register", "Registry", "contentType", "prometheusContentType"]
    .concat("openMetricsContentType", "validateMetricName", "Counter", "Gauge", "Histogram")
    .concat("Summary", "Pushgateway", "linearBuckets", "exponentialBuckets")
    .concat("collectDefaultMetrics", "AggregatorRegistry", "aggregators");
  return names.map((name) => `${name}: ${typeof (client as Any)[name]}`);
});

same("the content types are the same texts", (client) => [
  client.contentType,
  client.prometheusContentType,
  client.openMetricsContentType,
  client.Registry.PROMETHEUS_CONTENT_TYPE,
  client.Registry.OPENMETRICS_CONTENT_TYPE,
  client.register.contentType,
]);

same("validateMetricName() accepts the same names", (client) => {
  const names = ["a", "a:b_C9", "9a", "", "a-b", "ä", "a b", "_", ":"];
  return names.map((name) => client.validateMetricName(name));
});

// ---- constructors

same("constructors check their configuration in the same order", (client) => {
  const good = { name: "x", help: "h", registers: [] };
  const configurations = [
    undefined,
    null,
    "x",
    {},
    { name: "x" },
    { help: "h" },
    { ...good, name: "a-b" },
    { ...good, labelNames: ["a-b"] },
    { ...good, labelNames: ["le", "a-b"] },
    { ...good, collect: 5 },
    { ...good, name: "a-b", labelNames: ["a-b"], collect: 5 },
    { ...good, labelNames: ["le"] },
    { ...good, labelNames: ["quantile"] },
  ];
  return [client.Counter, client.Gauge, client.Histogram, client.Summary].map((Metric: Any) =>
    configurations.map((configuration) => attempt(() => new Metric(configuration).name))
  );
});

same("a name is registered once, and the same object as often as one likes", (client) => {
  const [registers] = [both(client)];
  return registers.map((registry) => {
    const metric = new client.Counter({ name: "c", help: "h", registers: [registry] });
    registry.registerMetric(metric);
    return [
      attempt(() => new client.Gauge({ name: "c", help: "other", registers: [registry] })),
      attempt(() => registry.registerMetric({ name: "c", get: () => ({}) } as Any)),
      registry.getSingleMetric("c") === metric,
      registry.getMetricsAsArray().length,
    ];
  });
});

same("exemplars need OpenMetrics, and a refused metric leaves its name free", (client) => {
  const registry = new client.Registry();
  const make = () =>
    new client.Counter({ name: "c", help: "h", enableExemplars: true, registers: [registry] });
  const refused = attempt(make);
  registry.setContentType(client.openMetricsContentType as Any);
  return [refused, attempt(() => make().name)];
});

same("a configuration's members are the metric's", (client) => {
  const collect = () => {};
  const metric: Any = new client.Gauge({
    name: "g",
    help: "h",
    labelNames: ["a"],
    aggregator: "max",
    collect,
    registers: [],
  });
  const { name, help, labelNames, aggregator, enableExemplars, type, registers } = metric;
  return { name, help, labelNames, aggregator, enableExemplars, type, registers };
});

// ---- labels

same("labels() and remove() take values or an object, and refuse others alike", async (client) => {
  const results = [];
  for (const Metric of [client.Counter, client.Gauge, client.Histogram, client.Summary] as Any[]) {
    const metric = new Metric({
      name: "m",
      help: "h",
      labelNames: ["method", "path"],
      registers: [],
    });
    const update = (child: Any) => child.observe ? child.observe(1) : child.inc(1);
    update(metric.labels("GET", "/"));
    update(metric.labels({ path: "/x", method: "PUT" }));
    update(metric.labels({ path: "/only" }));
    update(metric.labels(1, 2));
    const before = await metric.get();
    metric.remove("GET", "/");
    metric.remove({ method: 1, path: 2 });
    metric.remove({ method: "absent" });
    results.push(
      before.values.filter((value: Any) => !value.metricName || /_count$/.test(value.metricName)),
      (await metric.get()).values.length,
      attempt(() => metric.labels("GET").name),
      attempt(() => metric.labels()),
      attempt(() => metric.remove("GET", "/", "more")),
      attempt(() => metric.remove({ method: "GET", other: 1 })),
      attempt(() => update(metric.labels({ other: 1 }))),
    );
  }
  return results.map((result) => withoutNoExemplars(result));
});

/** Where there is no exemplar, prom-client has one that is null or undefined, as it happens. */
function withoutNoExemplars(result: unknown): unknown {
  const text = JSON.stringify(result ?? "undefined", (key, value) => (
    key === "exemplar" && value === null ? undefined : value
  ));
  return JSON.parse(text);
}

same("a counter looks at an unknown label only when it is increased", (client) => {
  const counter = new client.Counter({ name: "c", help: "h", labelNames: ["a"], registers: [] });
  const gauge = new client.Gauge({ name: "g", help: "h", labelNames: ["a"], registers: [] });
  const child: Any = attempt(() => counter.labels({ b: 1 } as Any));
  return [
    typeof child.inc,
    attempt(() => child.inc()),
    attempt(() => gauge.labels({ b: 1 } as Any)),
  ];
});

same("long lists of label names are shown in the same way", (client) => {
  const labelNames = Array.from({ length: 30 }, (_, index) => `label_number_${index}`);
  const gauge = new client.Gauge({ name: "g", help: "h", labelNames, registers: [] });
  return attempt(() => gauge.set({ other: 1 } as Any, 1));
});

same("1 and its text are one series, which keeps the label of its first update", async (client) => {
  const gauge = new client.Gauge({ name: "g", help: "h", labelNames: ["a"], registers: [] });
  gauge.inc({ a: 1 });
  gauge.inc({ a: "1" });
  gauge.set({ a: undefined } as Any, 7);
  return (await gauge.get()).values.map(({ value, labels }) => [value, labels.a]);
});

same("label values of every kind print alike", async (client) => {
  const registry = new client.Registry();
  const gauge = new client.Gauge({
    name: "g",
    help: "h",
    labelNames: ["a"],
    registers: [registry],
  });
  const values = ['quote"', "back\\slash", "line\nend", "tab\t", "", "ü😀", 5, true, null, 1e21];
  values.forEach((value, index) => gauge.set({ a: value } as Any, index));
  return await registry.metrics();
});

// ---- counters

same("counters add", async (client) => {
  const counter = new client.Counter({ name: "c", help: "h", registers: [] });
  const steps = [];
  for (const args of [[], [2.5], [0], [null], [undefined], [{}, 3], [{}]] as Any[][]) {
    counter.inc(...args as []);
    steps.push((await counter.get()).values[0].value);
  }
  return steps;
});

same("counters refuse what is no number, too large or negative", async (client) => {
  const counter = new client.Counter({ name: "c", help: "h", labelNames: ["a"], registers: [] });
  const values = ["3ms", Infinity, -Infinity, -1, {}, [1], true];
  const errors = values.slice(0, 4).map((value) =>
    attempt(() => counter.inc({ a: 1 }, value as Any))
  );
  const both = attempt(() => counter.inc({ b: 1 } as Any, -1));
  return [errors, both, (await counter.get()).values];
});

same("reset() sets a counter to 0, and takes labelled series away", async (client) => {
  const plain = new client.Counter({ name: "c", help: "h", registers: [] });
  const labelled = new client.Counter({ name: "c", help: "h", labelNames: ["a"], registers: [] });
  plain.inc(5);
  labelled.inc({ a: 1 }, 5);
  plain.reset();
  labelled.reset();
  const after = structuredClone([(await plain.get()).values, (await labelled.get()).values]);
  plain.inc();
  labelled.inc({ a: 1 });
  return [after, (await plain.get()).values, (await labelled.get()).values];
});

// ---- gauges

same("gauges are set, go up and down", async (client) => {
  const gauge = new client.Gauge({ name: "g", help: "h", labelNames: ["a"], registers: [] });
  gauge.set({ a: "set" }, -1.5);
  gauge.inc({ a: "inc" });
  gauge.inc({ a: "inc" }, 2.5);
  gauge.dec({ a: "dec" });
  gauge.dec({ a: "dec" }, 2.5);
  gauge.labels("child").inc(3);
  gauge.labels("child").dec();
  gauge.labels({ a: "nan" }).set(NaN);
  gauge.set({ a: "infinite" }, Infinity);
  gauge.set(4);
  return (await gauge.get()).values;
});

same("gauges refuse what is no number", (client) => {
  const gauge = new client.Gauge({ name: "g", help: "h", registers: [] });
  return ["asd", null, {}, [], undefined].flatMap((value) => [
    attempt(() => gauge.set(value as Any)),
    attempt(() => gauge.labels({}).set(value as Any)),
    value === undefined ? "" : attempt(() => gauge.labels({}).inc(value as Any)),
  ]);
});

same("timers and clocks are read when they are used", async (client) => {
  using clock = fakeClocks(1_678_654_679_000);
  const config = { help: "h", labelNames: ["a", "b"], registers: [] };
  const gauge = new client.Gauge({ name: "g", ...config });
  const histogram = new client.Histogram({ name: "h", ...config, buckets: [1, 2] });
  const summary = new client.Summary({ name: "s", ...config, percentiles: [0.5] });
  const start = { a: "start", b: "start" };
  const ends = [gauge, histogram, summary].map((metric) => metric.startTimer(start));
  const childEnds = [gauge, histogram, summary].map((metric) =>
    metric.labels("x", "y").startTimer()
  );
  clock.ms += 1500;
  const seconds = [...ends.map((end) => end({ b: "end" })), ...childEnds.map((end) => end())];
  gauge.setToCurrentTime();
  gauge.labels({ a: "now" }).setToCurrentTime();
  const values = await Promise.all([gauge, histogram, summary].map((metric) => metric.get()));
  return [seconds, start, withoutNoExemplars(values)];
});

// ---- histograms

same("histograms tell buckets, sum and count series by series", async (client) => {
  const histogram = new client.Histogram({
    name: "h",
    help: "h",
    labelNames: ["a"],
    buckets: [0.1, 1, 10],
    registers: [],
  });
  histogram.observe({ a: "x" }, 0.1);
  histogram.observe({ a: "x" }, 5);
  histogram.labels("x").observe(100);
  histogram.observe({ a: "y" }, 0);
  histogram.zero({ a: "z" });
  return withoutNoExemplars(await histogram.get());
});

same("the default buckets are the same", async (client) => {
  const histogram = new client.Histogram({ name: "h", help: "h", registers: [] });
  histogram.observe(3);
  return withoutNoExemplars(await histogram.get());
});

same("histograms and summaries refuse what is no finite number", (client) => {
  const histogram = new client.Histogram({ name: "h", help: "h", registers: [] });
  const summary = new client.Summary({ name: "s", help: "h", registers: [] });
  return [NaN, Infinity, "5", undefined].map((value) => [
    attempt(() => histogram.observe({}, value as Any)),
    attempt(() => histogram.labels({}).observe(value as Any)),
    value === undefined ? "" : attempt(() => summary.observe({}, value as Any)),
  ]);
});

same("reset() and remove() leave a histogram without series", async (client) => {
  const histogram = new client.Histogram({ name: "h", help: "h", buckets: [1], registers: [] });
  histogram.observe(1);
  histogram.reset();
  const after = (await histogram.get()).values;
  histogram.observe(1);
  const again = withoutNoExemplars((await histogram.get()).values);
  histogram.remove();
  return [after, again, (await histogram.get()).values];
});

same("the array of buckets is frozen", (client) => {
  const buckets = [1, 2];
  const histogram: Any = new client.Histogram({ name: "h", help: "h", buckets, registers: [] });
  return [Object.isFrozen(buckets), histogram.upperBounds];
});

// ---- summaries

same("summaries interpolate quantiles", async (client) => {
  const summary = new client.Summary({ name: "s", help: "h", labelNames: ["a"], registers: [] });
  for (const value of [100, 100, 100, 50, 50]) summary.observe({ a: "few" }, value);
  for (let value = 1; value <= 20; value++) summary.labels("more").observe(value);
  summary.observe({ a: "one" }, -3);
  return await summary.get();
});

same("a summary's window passes, its sum and count stay", async (client) => {
  using clock = fakeClocks(0);
  const config = { help: "h", percentiles: [0.5], maxAgeSeconds: 5, ageBuckets: 5, registers: [] };
  const staying = new client.Summary({ name: "s", ...config });
  const leaving = new client.Summary({ name: "p", ...config, pruneAgedBuckets: true });
  const seen = [];
  for (const summary of [staying, leaving]) summary.observe(100);
  for (let second = 0; second < 8; second++) {
    const [first, second] = [await staying.get(), await leaving.get()];
    // An empty quantile is 0 there and NaN here.
    seen.push(first.values.map(({ value }) => value || 0), second.values);
    clock.ms += 1001;
  }
  leaving.observe(7);
  return [seen, await leaving.get()];
});

// ---- registries and text

same("text of every type, with default labels, in both formats", async (client) => {
  const texts = [];
  for (const registry of both(client)) {
    registry.setDefaultLabels({ app: "shop", a: "default", zone: 1 });
    const config = { help: 'help \\ "text"\nend', labelNames: ["z", "a"], registers: [registry] };
    const counter = new client.Counter({ name: "c", ...config });
    const gauge = new client.Gauge({ name: "g", ...config });
    const histogram = new client.Histogram({ name: "h", ...config, buckets: [1, 2] });
    const summary = new client.Summary({ name: "s", ...config, percentiles: [0.5, 0.9] });
    counter.inc({ z: "own", a: "own" }, 2);
    counter.inc({ z: "other" });
    gauge.set({ z: "own" }, -0.000001);
    gauge.set({ a: "own" }, 1e21);
    gauge.set({}, Infinity);
    for (const metric of [histogram, summary]) {
      metric.observe({ a: "own", z: "own" }, 1.5);
      metric.observe({ z: "own" }, 1.5);
    }
    texts.push(await registry.metrics(), await registry.getSingleMetricAsString("g"));
  }
  return texts;
});

same("series print in the order of their first update", async (client) => {
  const registry = new client.Registry();
  const gauge = new client.Gauge({
    name: "g",
    help: "h",
    labelNames: ["a"],
    registers: [registry],
  });
  for (const a of ["zebra", "ape", "mole", "zebra"]) gauge.inc({ a });
  gauge.remove("ape");
  gauge.inc({ a: "ape" });
  return await registry.metrics();
});

same(
  "metrics without values print their header, empty registries next to nothing",
  async (client) => {
    const texts = [];
    for (const registry of both(client)) {
      texts.push(await registry.metrics(), await registry.getMetricsAsJSON());
      const config = { help: "h", labelNames: ["a"], registers: [registry] };
      new client.Counter({ name: "c", ...config });
      new client.Histogram({ name: "h", ...config });
      new client.Gauge({ name: "g", help: "h", registers: [registry] });
      texts.push(await registry.metrics());
    }
    return texts;
  },
);

same("foreign metrics are printed and told like one's own", async (client) => {
  const results = [];
  for (const registry of both(client)) {
    const foreign = (name: string | undefined, more: object) =>
      registry.registerMetric({
        name,
        get: () => Promise.resolve({ name, help: "h", type: "counter", ...more }),
      } as Any);
    foreign("one", { values: [{ value: 1 }, { value: 2, labels: { a: 'x"' } }] });
    foreign("none", {});
    foreign("many", {
      type: "histogram",
      values: [{ value: 3, labels: { le: 1 }, sharedLabels: { a: 1 }, metricName: "many_bucket" }],
    });
    registry.registerMetric({
      name: "text",
      get: () => Promise.reject(new Error("not for text")),
      getForPromString: () => ({ name: "text", help: "h", type: "gauge", values: [{ value: 1 }] }),
    } as Any);
    results.push(await registry.metrics());
    registry.removeSingleMetric("text");
    registry.setDefaultLabels({ b: 2 });
    results.push(await registry.metrics(), await registry.getMetricsAsJSON());
  }
  return results;
});

same("clear() forgets metrics and default labels, and keeps the content type", async (client) => {
  const { register } = client;
  register.setContentType(client.openMetricsContentType);
  register.setDefaultLabels({ app: "shop" });
  const before = new client.Counter({ name: "c", help: "h" });
  before.inc(5);
  register.clear();
  const after = new client.Counter({ name: "c", help: "another", labelNames: [] });
  const text = await register.metrics();
  before.inc();
  return [text, register.contentType, (await before.get()).values, (await after.get()).values];
});

same("registries and metrics without one share nothing", async (client) => {
  const registries = [new client.Registry(), new client.Registry()];
  const config = { name: "c", help: "h" };
  registries.forEach((registry, index) =>
    new client.Counter({ ...config, registers: [registry] }).inc(index + 1)
  );
  new client.Counter(config).inc(10);
  const alone = new client.Counter({ ...config, registers: [] });
  alone.inc(20);
  const shared = new client.Counter({ name: "d", help: "h", registers: registries });
  shared.inc(7);
  return [
    await Promise.all(registries.map((registry) => registry.metrics())),
    await client.register.metrics(),
    await alone.get(),
  ];
});

same("merge() takes the metrics of several registries", async (client) => {
  const [one, two] = [new client.Registry(), new client.Registry()];
  new client.Counter({ name: "one", help: "h", registers: [one] }).inc();
  new client.Counter({ name: "two", help: "h", registers: [two] }).inc(2);
  const merged = client.Registry.merge([one, two] as Any);
  const text = await merged.metrics();
  new client.Gauge({ name: "one", help: "h", registers: [two] });
  const twice = attempt(() => client.Registry.merge([one, two] as Any));
  two.setContentType(client.openMetricsContentType as Any);
  return [text, twice, attempt(() => client.Registry.merge([one, two] as Any))];
});

same("unknown content types are refused", (client) => [
  attempt(() => new client.Registry("text/html" as Any)),
  attempt(() => client.register.setContentType("text/html" as Any)),
]);

same("collect() runs before values are read, and is awaited", async (client) => {
  const registry = new client.Registry();
  const config = { help: "h", registers: [registry] };
  new client.Gauge({
    name: "sync",
    ...config,
    collect() {
      (this as Any).set(1);
      other.set(2);
    },
  });
  const other = new client.Gauge({ name: "other", ...config });
  new client.Gauge({
    name: "async",
    ...config,
    async collect() {
      await new Promise((resolve) => setTimeout(resolve, 1));
      (this as Any).set(3);
    },
  });
  const first = await registry.metrics();
  const metric = registry.getSingleMetric("sync");
  metric.collect = () => metric.set(4);
  return [first, await registry.metrics(), await metric.get()];
});

same("an error in collect() is the reader's", async (client) => {
  const registry = new client.Registry();
  new client.Gauge({
    name: "bad",
    help: "h",
    registers: [registry],
    collect() {
      throw new Error("no such sensor");
    },
  });
  return [
    await attempt(() => registry.metrics()),
    await attempt(() => registry.getMetricsAsJSON()),
  ];
});

same("resetMetrics() resets every metric", async (client) => {
  const registry = new client.Registry();
  const config = { help: "h", registers: [registry] };
  new client.Counter({ name: "c", ...config }).inc(3);
  new client.Gauge({ name: "g", ...config, labelNames: ["a"] }).set({ a: 1 }, 3);
  new client.Histogram({ name: "h", ...config }).observe(3);
  registry.resetMetrics();
  return await registry.metrics();
});

// ---- exemplars

same("exemplars are told and printed, and stay until the next", async (client) => {
  using _clock = fakeClocks(1_678_654_679_250);
  const registry = new client.Registry(client.openMetricsContentType as Any);
  const config = { help: "h", labelNames: ["a"], enableExemplars: true, registers: [registry] };
  const counter = new client.Counter({ name: "c", ...config } as Any);
  const histogram = new client.Histogram({ name: "h", ...config, buckets: [1, 2] } as Any);
  const exemplarLabels = { traceId: "t1", spanId: 's"1' };
  counter.inc({ labels: { a: 1 }, value: 2, exemplarLabels });
  counter.inc({ labels: { a: 1 }, value: 3 });
  histogram.observe({ labels: { a: 1 }, value: 1.5, exemplarLabels });
  histogram.observe({ labels: { a: 1 }, value: 1.75 });
  histogram.observe({ labels: { a: 1 }, value: 9, exemplarLabels: { traceId: "t2" } });
  const end = histogram.startTimer({ a: 2 }, { traceId: "t3" });
  end({}, { spanId: "s3" });
  const values = [await counter.get(), await histogram.get()];
  return [withoutNoExemplars(values), await registry.metrics()];
});

same("an exemplar's labels have at most 128 characters", (client) => {
  const registry = new client.Registry(client.openMetricsContentType as Any);
  const counter = new client.Counter(
    { name: "c", help: "h", enableExemplars: true, registers: [registry] } as Any,
  );
  const lengths = [127, 128, 129].map((length) => "x".repeat(length - "id".length));
  return lengths.map((id) => attempt(() => counter.inc({ exemplarLabels: { id } }) ?? "taken"));
});

// ---- aggregation

same("the aggregators group by name and labels", (client) => {
  const metric = (aggregator: string, values: object[]) => ({
    name: "m",
    help: "h",
    type: "gauge",
    aggregator,
    values,
  });
  const metrics = [
    metric("sum", [{ value: 1, labels: { a: 1, b: 2 } }, {
      value: 5,
      labels: {},
      metricName: "m_x",
    }]),
    metric("sum", [{ value: 2, labels: { b: 2, a: 1 } }, { value: 7, labels: {} }]),
  ];
  return Object.entries(client.aggregators).map(([name, aggregate]) => [
    name,
    aggregate(metrics as Any),
    aggregate([]),
  ]);
});

same("AggregatorRegistry.aggregate() makes one registry of many", async (client) => {
  const of = async (value: number) => {
    const registry = new client.Registry();
    for (const aggregator of ["sum", "min", "max", "average", "first", "omit"] as const) {
      const config = { help: "h", aggregator, registers: [registry] };
      new client.Gauge({ name: `g_${aggregator}`, ...config }).set(value);
    }
    new client.Histogram({ name: "h", help: "h", buckets: [1], registers: [registry] }).observe(
      value,
    );
    return await registry.getMetricsAsJSON();
  };
  const all = [await of(1), await of(4)];
  const { AggregatorRegistry } = client;
  const unknown = [[{ name: "x", aggregator: "median", values: [] }]];
  return [
    await AggregatorRegistry.aggregate(all).metrics(),
    await AggregatorRegistry.aggregate(all, client.openMetricsContentType as Any).metrics(),
    attempt(() => AggregatorRegistry.aggregate(unknown)),
    attempt(() => AggregatorRegistry.setRegistries({} as Any)),
  ];
});

// ---- buckets

same("buckets by rule", (client) => [
  client.linearBuckets(0.1, 0.1, 10),
  client.linearBuckets(-50, 25, 5),
  client.exponentialBuckets(1, 2, 5),
  client.exponentialBuckets(0.001, 1.5, 12),
  attempt(() => client.linearBuckets(0, 1, 0)),
  attempt(() => client.exponentialBuckets(0, 2, 5)),
  attempt(() => client.exponentialBuckets(1, 2, 0)),
  attempt(() => client.exponentialBuckets(1, 1, 5)),
]);

// ---- default metrics and gateway

same("the default metrics have the same names, helps, types and aggregators", async (client) => {
  const registry = new client.Registry();
  client.collectDefaultMetrics({ register: registry, prefix: "p_", labels: { app: "shop" } });
  const metrics = await registry.getMetricsAsJSON();
  const told = metrics.map((
    { name, help, type, aggregator, values },
  ) => [
    name,
    help,
    type,
    aggregator,
    values.every(({ labels }) => (labels as Any).app === "shop"),
  ]);
  return [told, client.collectDefaultMetrics.metricsList, metrics.length];
});

same("collectDefaultMetrics() refuses a configuration that is no object", (client) => [
  attempt(() => client.collectDefaultMetrics("x" as Any)),
  attempt(() => client.collectDefaultMetrics(0 as Any)),
]);

same("a Pushgateway is asked in the same way", async (client) => {
  const requests: unknown[] = [];
  const server = Deno.serve({ port: 0, onListen() {} }, async (request) => {
    const { pathname } = new URL(request.url);
    const [authorization, encoding] = ["authorization", "content-encoding"]
      .map((name) => request.headers.get(name));
    const body = encoding === "gzip"
      ? await new Response(request.body!.pipeThrough(new DecompressionStream("gzip"))).text()
      : await request.text();
    requests.push([request.method, pathname, authorization, encoding, body]);
    return new Response("answer", { status: pathname.includes("bad") ? 400 : 202 });
  });
  const registry = new client.Registry();
  new client.Counter({ name: "c", help: "h", registers: [registry] }).inc();
  const at = (user = "") => `http://${user}127.0.0.1:${server.addr.port}`;
  const gateway = (url: string, options?: object | null) =>
    new client.Pushgateway(url, options as Any, registry);
  const headers = { "Content-Encoding": "gzip" };
  const answers = [
    await gateway(at()).push({ jobName: "a/b", groupings: { "k&y": "v/ü", n: 1 as Any } }),
    await gateway(at() + "/sub").pushAdd({ jobName: "add" }),
    await gateway(at("user:pa%3Ass@"), null).delete({ jobName: "gone" }),
    await gateway(at(), { headers }).push({ jobName: "zip" }),
    await gateway(at(), { requireJobName: false }).push(),
  ];
  const errors = [
    await attempt(() => gateway(at()).push({ jobName: "bad" })),
    attempt(() => gateway(at()).push({} as Any)),
    attempt(() => (gateway(at()) as Any).delete()),
  ];
  await server.shutdown();
  const told = answers.map(({ resp, body }) => [(resp as Any).statusCode, body]);
  return [requests, told, errors];
});

// ---- its faults

differs("NaN prints NaN", async (client) => {
  const registry = new client.Registry();
  new client.Gauge({ name: "g", help: "h", registers: [registry] }).set(NaN);
  return (await registry.metrics()).split("\n")[2];
}, { ours: "g NaN", theirs: "g Nan" });

differs("a counter refuses NaN and text that is empty", async (client) => {
  const counter = new client.Counter({ name: "c", help: "h", registers: [] });
  const errors = [NaN, ""].map((value) =>
    attempt(() => {
      counter.inc(value as Any);
      return "accepted";
    })
  );
  return [errors, (await counter.get()).values[0].value];
}, {
  ours: [[
    "TypeError: Value is not a valid number: NaN",
    "TypeError: Value is not a valid number: ",
  ], 0],
  theirs: [["accepted", "accepted"], "NaN"],
});

differs("a gauge's dec() refuses what is no number", async (client) => {
  const gauge = new client.Gauge({ name: "g", help: "h", registers: [] });
  const error = attempt(() => gauge.dec("a" as Any));
  return [error, (await gauge.get()).values[0].value];
}, { ours: ["TypeError: Delta is not a valid number: a", 0], theirs: [undefined, NaN] });

differs("label values that look like more labels are series of their own", async (client) => {
  const gauge = new client.Gauge({ name: "g", help: "h", labelNames: ["a", "b"], registers: [] });
  gauge.inc({ a: "1,b:2" });
  gauge.inc({ a: "1", b: 2 });
  return (await gauge.get()).values.map(({ value }) => value);
}, { ours: [1, 1], theirs: [2] });

differs("a quantile of nothing is NaN", async (client) => {
  const registry = new client.Registry();
  const config = { help: "h", percentiles: [0.5], registers: [registry] };
  new client.Summary({ name: "s", ...config });
  return (await registry.metrics()).split("\n")[2];
}, { ours: 's{quantile="0.5"} NaN', theirs: 's{quantile="0.5"} 0' });

differs("an exemplar that is too long is refused before anything is counted", async (client) => {
  const registry = new client.Registry(client.openMetricsContentType as Any);
  const counter = new client.Counter(
    { name: "c", help: "h", enableExemplars: true, registers: [registry] } as Any,
  );
  attempt(() => counter.inc({ exemplarLabels: { id: "x".repeat(200) } }));
  return (await counter.get()).values[0].value;
}, { ours: 0, theirs: 1 });

differs("default labels do not replace an empty label, nor stay in the series", async (client) => {
  const registry = new client.Registry();
  const gauge = new client.Gauge({
    name: "g",
    help: "h",
    labelNames: ["a"],
    registers: [registry],
  });
  gauge.set({ a: "" }, 1);
  registry.setDefaultLabels({ a: "default", app: "shop" });
  const [{ values }] = await registry.getMetricsAsJSON();
  return [values[0].labels, (await gauge.get()).values[0].labels];
}, {
  ours: [{ a: "", app: "shop" }, { a: "" }],
  theirs: [{ a: "default", app: "shop" }, { a: "default", app: "shop" }],
});

differs("OpenMetrics text does not rename a counter", async (client) => {
  const registry = new client.Registry(client.openMetricsContentType as Any);
  const counter = new client.Counter({ name: "c_total", help: "h", registers: [registry] });
  const single = await registry.getSingleMetricAsString("c_total");
  const all = await registry.metrics();
  return [single.split("\n")[2], all.split("\n")[2], counter.name];
}, { ours: ["c_total 0", "c_total 0", "c_total"], theirs: ["c_total_total 0", "c_total 0", "c"] });

differs("labels that change after an update do not change the series", async (client) => {
  const gauge = new client.Gauge({ name: "g", help: "h", labelNames: ["a"], registers: [] });
  const labels = { a: 1 };
  gauge.set(labels, 5);
  labels.a = 2;
  return (await gauge.get()).values[0].labels.a;
}, { ours: 1, theirs: 2 });

differs("what get() gave stays as it was", async (client) => {
  const counter = new client.Counter({ name: "c", help: "h", registers: [] });
  const { values } = await counter.get();
  counter.inc(5);
  return values[0].value;
}, { ours: 0, theirs: 5 });

differs("a collect() also counts for metrics that were registered before", async (client) => {
  const registry = new client.Registry();
  const config = { help: "h", registers: [registry] };
  const first = new client.Gauge({ name: "first", ...config });
  new client.Gauge({ name: "second", ...config, collect: () => first.set(2) });
  return (await registry.getMetricsAsJSON())[0].values.map(({ value }) => value);
}, { ours: [2], theirs: [0] });

differs("buckets print in ascending order, whatever order they were given in", async (client) => {
  const registry = new client.Registry();
  const config = { name: "h", help: "h", buckets: [5, 1], registers: [registry] };
  new client.Histogram(config).observe(0.5);
  return (await registry.metrics()).split("\n").slice(2, 5);
}, {
  ours: ['h_bucket{le="1"} 1', 'h_bucket{le="5"} 1', 'h_bucket{le="+Inf"} 1'],
  theirs: ['h_bucket{le="5"} 1', 'h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 1'],
});

differs("with exemplars enabled inc(5) adds 5", async (client) => {
  const registry = new client.Registry(client.openMetricsContentType as Any);
  const counter = new client.Counter(
    { name: "c", help: "h", enableExemplars: true, registers: [registry] } as Any,
  );
  counter.inc(5);
  return (await counter.get()).values[0].value;
}, { ours: 5, theirs: 1 });

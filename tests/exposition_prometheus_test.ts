// A real Prometheus scrapes handler() in every format that it can be made to ask for.

import assert from "node:assert/strict";
import { PrometheusTinyShared } from "../mod.ts";
import { fillLint } from "./exposition_filling.ts";
import { missingProgram } from "./exposition_parsers.ts";
import { Prometheus } from "./exposition_prometheus.ts";

const missing = await missingProgram("prometheus");
const skipped = missing === "" ? "" : ` (skipped: ${missing})`;

/** Paths under which one handler is asked for one format; `own`: what Prometheus itself asks for. */
const formats: Record<string, string | undefined> = {
  own: undefined,
  text_0_0_4: "text/plain;version=0.0.4",
  text_1_0_0: "text/plain;version=1.0.0;escaping=values",
  openmetrics_0_0_1: "application/openmetrics-text;version=0.0.1",
  openmetrics_1_0_0: "application/openmetrics-text;version=1.0.0;escaping=dots",
};

/** A server of these paths, and what `own` was asked for. */
function serve(prom: PrometheusTinyShared) {
  const handler = prom.handler();
  const asked = new Set<string>();
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    (request) => {
      const format = new URL(request.url).pathname.slice(1);
      const headers = new Headers(request.headers);
      if (formats[format] === undefined) asked.add(headers.get("accept") ?? "");
      else headers.set("accept", formats[format]);
      return handler(new Request(request.url, { headers }));
    },
  );
  return { server, asked };
}

/** The Accept headers that it can send depend on these. */
const features = { usual: [], "native histograms": ["native-histograms"] };

for (const [name, enabled] of Object.entries(features)) {
  Deno.test({
    name: `Prometheus reads every format, ${name}${skipped}`,
    ignore: missing !== "",
    async fn() {
      using prom = new PrometheusTinyShared({ storeMetrics: true });
      fillLint(prom);
      const { server, asked } = serve(prom);
      const targets = Object.keys(formats).map((format) => ({
        name: format,
        port: server.addr.port,
        path: `/${format}`,
      }));
      await using prometheus = await Prometheus.start(targets, enabled);
      for (const { name: job } of targets) {
        const value = (metric: string, labels: string) =>
          prometheus.value(`${metric}{job="${job}"${labels}}`);
        await prometheus.until(`up{job="${job}"}`, async () => await value("up", "") === 1);
        assert.equal(await value("fill_jobs_total", ',queue="x"'), 1, job);
        assert.equal(await value("fill_level", ""), -0.25, job);
        const le = job.startsWith("text") ? "1" : "1.0";
        const bucket = await value("fill_wait_seconds_bucket", `,route="/",le="${le}"`);
        assert.equal(bucket, 2, job);
        assert.equal(await value("fill_wait_seconds_sum", ',route="/"'), 4, job);
        assert.equal(await value("fill_mode", ',part="b",fill_mode="idle"'), 1, job);
        assert(await value("prometheus_tiny_store_workers", "") === 1, job);
        const [metadata] = await prometheus.get("targets/metadata", {
          match_target: `{job="${job}"}`,
          metric: "fill_wait_seconds",
        });
        assert.equal(metadata.type, "histogram", job);
        assert.equal(metadata.help, "Waiting.", job);
      }
      assert.equal(asked.size, 1);
      assert.match([...asked][0], /openmetrics-text/);
      await server.shutdown();
    },
  });
}

interface StoredExemplar {
  readonly labels: Record<string, string>;
  readonly value: string;
  readonly timestamp: number;
}

interface FoundSeries {
  readonly seriesLabels: Record<string, string>;
  readonly exemplars: StoredExemplar[];
}

type FoundExemplar = StoredExemplar & Pick<FoundSeries, "seriesLabels">;

Deno.test({
  name: `Prometheus keeps exemplars, and finds them again${skipped}`,
  ignore: missing !== "",
  async fn() {
    using prom = new PrometheusTinyShared();
    const jobs = prom.counter("jobs_total", { labelNames: ["queue"] });
    jobs.inc({ queue: "a" }, 2, { trace_id: "counted" });
    const wait = prom.histogram("wait_seconds", { buckets: [1, 2] });
    wait.observe(1.5, { trace_id: "waited", span_id: "7" });
    const { server } = serve(prom);
    const targets = [{ name: "own", port: server.addr.port, path: "/own" }];
    await using prometheus = await Prometheus.start(targets, ["exemplar-storage"]);
    const now = Date.now() / 1000;
    const range = { start: String(now - 600), end: String(now + 600) };
    const find = async (query: string): Promise<FoundExemplar[]> => {
      const found: FoundSeries[] = await prometheus.get("query_exemplars", { query, ...range });
      return found.flatMap(({ seriesLabels, exemplars }) =>
        exemplars.map((exemplar) => ({ seriesLabels, ...exemplar }))
      );
    };
    await prometheus.until(
      "an exemplar",
      async () => (await find("wait_seconds_bucket")).length > 0,
    );
    const [counted] = await find("jobs_total");
    assert.deepEqual(counted.labels, { trace_id: "counted" });
    assert.equal(counted.value, "2");
    assert.equal(counted.seriesLabels.queue, "a");
    const [waited] = await find("wait_seconds_bucket");
    assert.deepEqual(waited.labels, { trace_id: "waited", span_id: "7" });
    assert.equal(waited.value, "1.5");
    assert.equal(waited.seriesLabels.le, "2.0");
    assert(Math.abs(waited.timestamp - now) < 60);
    await server.shutdown();
  },
});

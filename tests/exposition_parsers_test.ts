// Other people's parsers accept what we print, and find in it what was put in.

import assert from "node:assert/strict";
// deno-lint-ignore no-import-prefix -- for tests only: the module itself has no dependencies
import fc from "npm:fast-check@4.10.2";
import { type Labels, PrometheusTinyShared } from "../mod.ts";
import { isEmulated } from "./emulated.ts";
import {
  type Family,
  type Kind,
  missingProgram,
  missingPython,
  parse,
  promtool,
  type Sample,
} from "./exposition_parsers.ts";
import { fillLint } from "./exposition_filling.ts";

const noPython = await missingPython();
const noPromtool = await missingProgram("promtool");

function test(name: string, missing: string, fn: () => Promise<void>): void {
  const skipped = missing === "" ? "" : ` (skipped: ${missing})`;
  Deno.test({ name: name + skipped, ignore: missing !== "", fn });
}

const accepts = {
  "text 0.0.4": ["text", "text/plain;version=0.0.4"],
  "text 1.0.0": ["text", "text/plain;version=1.0.0;escaping=allow-utf-8"],
  "text 1.0.0, dots": ["text", "text/plain;version=1.0.0;escaping=dots"],
  "text 1.0.0, values": ["text", "text/plain;version=1.0.0;escaping=values"],
  "OpenMetrics": ["openmetrics", "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8"],
  "OpenMetrics, escaped": ["openmetrics", "application/openmetrics-text;version=1.0.0"],
} as const satisfies Record<string, readonly [Kind, string]>;
type FormatName = keyof typeof accepts;

async function expose(prom: PrometheusTinyShared, name: FormatName): Promise<[Kind, string]> {
  const [kind, accept] = accepts[name];
  return [kind, new TextDecoder().decode((await prom.exposition({ accept })).body)];
}

test("promtool has nothing to say about what we print", noPromtool, async () => {
  using prom = new PrometheusTinyShared({ storeMetrics: true, nameValidation: "utf8" });
  assert.equal(await promtool(prom.format()), "");
  fillLint(prom);
  for (const name of ["text 0.0.4", "text 1.0.0, values"] as const) {
    const [, text] = await expose(prom, name);
    assert.equal(await promtool(text), "", name);
  }
});

test("client_python finds in every format what was put in", noPython, async () => {
  using prom = new PrometheusTinyShared({ storeMetrics: true, nameValidation: "utf8" });
  fillLint(prom);
  const names = Object.keys(accepts) as FormatName[];
  const parsed = await parse(await Promise.all(names.map((name) => expose(prom, name))));
  for (const [index, families] of parsed.entries()) {
    const format = names[index];
    assert(typeof families !== "string", `${format}: ${families}`);
    const value = (name: string, labels: Record<string, string>) =>
      families.flatMap(({ samples }) => samples).find((sample) =>
        sample.name === name && JSON.stringify(sample.labels) === JSON.stringify(labels)
      )?.value;
    assert.equal(value("fill_jobs_total", { queue: 'q"\\\n' }), 3, format);
    assert.equal(value("fill_level", {}), -0.25, format);
    const le = format.startsWith("Open") ? "1.0" : "1";
    assert.equal(value("fill_wait_seconds_bucket", { le, route: "/" }), 2, format);
    assert.equal(value("fill_wait_seconds_sum", { route: "/" }), 4, format);
    const quantile = format.startsWith("Open") ? "1.0" : "1";
    assert.equal(value("fill_size_bytes", { kind: "k", quantile }), 3, format);
    assert.equal(value("fill_size_bytes_count", { kind: "k" }), 3, format);
  }
});

test("client_python finds OpenMetrics's types, units and help texts", noPython, async () => {
  using prom = new PrometheusTinyShared();
  fillLint(prom);
  const [families] = await parse([await expose(prom, "OpenMetrics")]);
  assert(typeof families !== "string", String(families));
  assert.deepEqual(families.map(({ name, type, unit, help }) => [name, type, unit, help]), [
    ["fill_build", "info", "", "Build."],
    ["fill_jobs", "counter", "", 'Jobs "done" \\ or\nnot.'],
    ["fill_level", "gauge", "", "Level."],
    ["fill_mode", "stateset", "", "Mode."],
    ["fill_size_bytes", "summary", "bytes", "Size."],
    ["fill_wait_seconds", "histogram", "seconds", "Waiting."],
  ]);
});

// Without a quote, which client_python cannot read in an exemplar.
test("client_python finds exemplars where they are", noPython, async () => {
  using prom = new PrometheusTinyShared();
  const from = Date.now() / 1000;
  prom.counter("jobs_total").inc(2, { trace_id: "q,\\\\n", n: 1 });
  prom.histogram("wait", { buckets: [1] }).observe(3, { trace_id: "a".repeat(120) });
  const [families] = await parse([await expose(prom, "OpenMetrics")]);
  assert(typeof families !== "string", String(families));
  const found = families.flatMap(({ samples }) => samples).flatMap(({ name, labels, exemplar }) =>
    exemplar === undefined ? [] : [{ name, labels, exemplar }]
  );
  assert.deepEqual(found.map(({ name, labels }) => [name, labels]), [
    ["jobs_total", {}],
    ["wait_bucket", { le: "+Inf" }],
  ]);
  assert.deepEqual(found.map(({ exemplar: { labels, value } }) => [labels, value]), [
    [{ trace_id: "q,\\\\n", n: "1" }, 2],
    [{ trace_id: "a".repeat(120) }, 3],
  ]);
  for (const { exemplar } of found) {
    assert(exemplar.time! >= from - 1 && exemplar.time! <= Date.now() / 1000 + 1);
  }
});

// ---- random stores

type Step =
  | { do: "declare"; name: string; type: string }
  | {
    do: "inc" | "observe" | "summarise" | "enumSet";
    name: string;
    label: string | undefined;
    value: number;
  };

const names = [
  "a",
  "a_total",
  "a_count",
  "a_sum",
  "a_bucket",
  "a_created",
  "a_info",
  "a.b",
  "a b",
  "a_b",
  "a_b_total",
];
// Not two that escaping makes one: where a family has series with either, those would become one, too.
const labels = [undefined, "x", "le", "a.b", "quantile", "state"];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("declare" as const),
    name: fc.constantFrom(...names),
    type: fc.constantFrom(
      "counter",
      "gauge",
      "histogram",
      "summary",
      "untyped",
      "stateset",
      "enum",
    ),
  }),
  fc.record({
    do: fc.constantFrom(
      "inc" as const,
      "observe" as const,
      "summarise" as const,
      "enumSet" as const,
    ),
    name: fc.constantFrom(...names),
    label: fc.constantFrom(...labels),
    value: fc.integer({ min: 0, max: 12 }),
  }),
);

function summarise(prom: PrometheusTinyShared, name: string, own: Labels, value: number): void {
  const labelNames = Object.keys(own);
  if (labelNames.includes("quantile")) return; // is refused
  if (/_(sum|count|bucket)$/.test(name)) return; // beside a histogram without it: no parser takes that
  prom.summary(name, { labelNames, help: "H.", quantiles: [0.5, 1] }).observe(own as never, value);
}

function take(prom: PrometheusTinyShared, step: Step): void {
  try {
    if (step.do === "declare") {
      const { name, type } = step;
      if (type === "enum" || type === "stateset") {
        const enumLabel = type === "enum" ? "state" : name;
        prom.declare(name, { type: "stateset", enum: enumLabel, enumValues: ["on", "off"] });
      } else {
        prom.declare(name, { type: type as "gauge", help: "H.", buckets: [1, 10] });
      }
      return;
    }
    const own = step.label === undefined ? {} : { [step.label]: `${step.value % 3}` };
    if (step.do === "inc") prom.add(step.name, step.value, own);
    else if (step.do === "summarise") summarise(prom, step.name, own, step.value);
    else if (step.do === "observe") prom.histogramObserve(step.name, step.value, own);
    else prom.enumSet(step.name, step.value % 2 ? "on" : "off", own);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "MISMATCH" && code !== "NOT_FOUND") throw error;
  }
}

/** Without times of creation, and without what may be taken for one. */
function total(samples: readonly Sample[]): number {
  return samples.filter(({ name }) => !/_created(_total)?$/.test(name))
    .reduce((sum, { value }) => sum + value, 0);
}

/** How many stores of random steps there are. */
const stores = isEmulated ? 20 : 150;

test(
  "client_python accepts the OpenMetrics of any store, and no value is lost",
  noPython,
  async () => {
    const sampled = fc.sample(fc.array(step, { minLength: 1, maxLength: 14 }), {
      numRuns: stores,
      seed: 7,
    });
    const expositions: [Kind, string][] = [];
    for (const steps of sampled) {
      using prom = new PrometheusTinyShared({ nameValidation: "utf8" });
      for (const each of steps) take(prom, each);
      expositions.push(await expose(prom, "text 1.0.0"));
      expositions.push(await expose(prom, "OpenMetrics"));
      expositions.push(await expose(prom, "OpenMetrics, escaped"));
    }
    const parsed = await parse(expositions);
    for (const [index, families] of parsed.entries()) {
      const store = JSON.stringify(sampled[Math.floor(index / 3)]);
      const text = expositions[index][1];
      assert(typeof families !== "string", `${families}\n${store}\n${text}`);
      if (index % 3 === 0) continue;
      const of = (families: Family[]) => total(families.flatMap(({ samples }) => samples));
      const whole = parsed[index - index % 3] as Family[];
      assert.equal(of(families), of(whole), `${store}\n${text}`);
    }
  },
);

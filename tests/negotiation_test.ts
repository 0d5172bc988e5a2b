import assert from "node:assert/strict";
import { Render } from "../ffi/native.ts";
import { negotiate, qualityOf } from "../src/negotiation.ts";

const text = "text/plain; version=0.0.4; charset=utf-8";
const text1 = "text/plain; version=1.0.0; charset=utf-8";
const metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const metrics0 = "application/openmetrics-text; version=0.0.1; charset=utf-8";
const underscores = "; escaping=underscores";
const utf8 = "; escaping=allow-utf-8";

function check(table: readonly (readonly [string | null | undefined, string])[]): void {
  for (const [accept, contentType] of table) {
    assert.equal(negotiate(accept).contentType, contentType, String(accept));
  }
}

Deno.test("negotiate() answers what each version of Prometheus sends", () => {
  check([
    // 2.42, and with native histograms
    [
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      metrics + underscores,
    ],
    [
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited," +
      "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;" +
      "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
      metrics + underscores,
    ],
    // 3, with UTF-8 names and with legacy ones
    [
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5," +
      "application/openmetrics-text;version=0.0.1;q=0.4," +
      "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
      metrics + utf8,
    ],
    [
      "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;" +
      "escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5",
      metrics + underscores,
    ],
    [
      "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2",
      text1 + utf8,
    ],
    ["text/plain;version=0.0.4;q=0.5,*/*;q=0.1", text],
  ]);
});

Deno.test("negotiate() falls back to text format 0.0.4", () => {
  check([
    [undefined, text],
    [null, text],
    ["", text],
    ["*/*", text],
    ["text/*", text],
    ["image/png", text],
    ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", text],
    ["text/plain;version=7", text],
    ["application/openmetrics-text;version=2.0.0", text],
    ["nonsense", text],
    [';;,=,"', text],
    ["text/plain;q=0", text],
  ]);
});

Deno.test("negotiate() honours qualities, then how exact a range is, then the client's order", () => {
  check([
    ["application/openmetrics-text;q=0.2, text/plain;q=0.3", text],
    ["application/openmetrics-text;q=0.3, text/plain;q=0.2", metrics0 + underscores],
    ["text/plain, application/openmetrics-text;version=1.0.0", text],
    ["application/openmetrics-text;version=1.0.0, text/plain", metrics + underscores],
    ["*/*, application/openmetrics-text;version=1.0.0", metrics + underscores],
    ["*/*;q=0.9, application/openmetrics-text;version=1.0.0;q=0.8", text],
    ["text/plain;q=0, */*;q=0.5", metrics + underscores],
    ["application/*", metrics + underscores],
    ["text/plain;version=0.0.4;q=0, text/plain", text1 + underscores],
    [
      "application/openmetrics-text;version=1.0.0;q=0, application/*;q=0.1, text/plain;q=0",
      metrics0 + underscores,
    ],
    ["application/openmetrics-text;version=1.0.0;q=2, text/plain;q=0.1", text],
    ["APPLICATION/OpenMetrics-Text ; Version=1.0.0 ; Q=0.7", metrics + underscores],
  ]);
});

Deno.test("negotiate() takes a type without a version for the one Prometheus takes it for", () => {
  check([
    ["text/plain", text],
    ["text/plain;charset=utf-8", text],
    ["application/openmetrics-text", metrics0 + underscores],
    ['application/openmetrics-text;version="1.0.0"', metrics + underscores],
    [
      'text/html;title="a,b;c=\\"d", application/openmetrics-text;version=1.0.0',
      metrics + underscores,
    ],
  ]);
});

Deno.test("negotiate() escapes names as the chosen range asks for", () => {
  check([
    ["text/plain;version=0.0.4;escaping=allow-utf-8", text + utf8],
    ["text/plain;version=0.0.4;escaping=underscores", text + underscores],
    ["text/plain;version=1.0.0;escaping=dots", text1 + "; escaping=dots"],
    ["text/plain;version=1.0.0;escaping=values", text1 + "; escaping=values"],
    ["text/plain;version=1.0.0;escaping=unheard-of", text1 + underscores],
    ["text/plain;version=1.0.0;q=0.1;escaping=dots, text/plain;version=0.0.4;q=0.2", text],
  ]);
  assert.equal(negotiate(null).flags, Render.escapeUnderscores);
  assert.equal(negotiate("text/plain;escaping=allow-utf-8").flags, 0);
  assert.equal(negotiate("text/plain;escaping=dots").flags, Render.escapeDots);
  assert.equal(
    negotiate("application/openmetrics-text;escaping=values").flags,
    Render.openMetrics | Render.escapeValues,
  );
});

Deno.test("qualityOf() takes what HTTP defines and nothing else", () => {
  assert.equal(qualityOf(undefined), 1);
  for (
    const [written, quality] of [["1", 1], ["0.5", 0.5], ["0.123", 0.123], ["1.000", 1], ["0.", 0]]
  ) {
    assert.equal(qualityOf(written as string), quality, written as string);
  }
  for (const written of ["", "2", "-1", "0.1234", "1.1", "x", "NaN"]) {
    assert.equal(qualityOf(written), 0, written);
  }
});

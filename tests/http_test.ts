import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { PrometheusTinyShared } from "../mod.ts";
import { acceptsGzip } from "../src/http.ts";

const url = "http://localhost/metrics";

function get(prom: PrometheusTinyShared, init: RequestInit = {}): Promise<Response> {
  return Promise.resolve(prom.handler()(new Request(url, init)));
}

function filled(series: number): PrometheusTinyShared {
  const prom = new PrometheusTinyShared();
  for (let i = 0; i < series; i++) prom.inc("a_total", { i });
  return prom;
}

Deno.test("handler() answers GET with the exposition", async () => {
  using prom = filled(3);
  const response = await get(prom);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(response.headers.get("vary"), "Accept, Accept-Encoding");
  assert.equal(response.headers.get("content-encoding"), null);
  const text = await response.text();
  assert.equal(text, prom.format());
  assert.equal(response.headers.get("content-length"), String(text.length));
});

Deno.test("handler() answers HEAD with the headers of GET and no body", async () => {
  using prom = filled(3);
  const response = await get(prom, { method: "HEAD" });
  assert.equal(response.status, 200);
  assert.equal(response.body, null);
  const { headers } = await get(prom);
  assert.deepEqual([...response.headers], [...headers]);
});

Deno.test("handler() answers any other method with 405, Allow and an empty body", async () => {
  using prom = filled(1);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const response = await get(prom, { method });
    assert.equal(response.status, 405, method);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
    assert.equal(await response.text(), "");
  }
});

Deno.test("handler() compresses when that is accepted and worth it", async () => {
  using prom = filled(500);
  const response = await get(prom, { headers: { "accept-encoding": "gzip, br" } });
  assert.equal(response.headers.get("content-encoding"), "gzip");
  assert.equal(response.headers.get("vary"), "Accept, Accept-Encoding");
  const body = new Uint8Array(await response.arrayBuffer());
  assert.equal(response.headers.get("content-length"), String(body.length));
  assert(body.length < prom.format().length / 3);
  assert.equal(new TextDecoder().decode(gunzipSync(body)), prom.format());

  using small = filled(3);
  const plain = await get(small, { headers: { "accept-encoding": "gzip" } });
  assert.equal(plain.headers.get("content-encoding"), null);
  assert.equal(await plain.text(), small.format());
});

Deno.test("handler() compresses a middling exposition in parts", async () => {
  using prom = filled(9_900);
  for (let i = 0; i < 9_000; i++) prom.inc("a_total", { i: `${i % 100}${"x".repeat(40)}` });
  const response = await get(prom, { headers: { "accept-encoding": "gzip" } });
  assert.equal(response.headers.get("content-encoding"), "gzip");
  const body = new Uint8Array(await response.arrayBuffer());
  assert.equal(new TextDecoder().decode(gunzipSync(body)), prom.format());
});

Deno.test("handler() sends a large store in parts, plain and compressed", async () => {
  using prom = filled(30_000);
  const text = prom.format();
  const plain = await get(prom);
  assert.equal(plain.headers.get("content-length"), null);
  assert.equal(await plain.text(), text);
  const gzip = await get(prom, { headers: { "accept-encoding": "gzip" } });
  assert.equal(gzip.headers.get("content-encoding"), "gzip");
  const body = new Uint8Array(await gzip.arrayBuffer());
  assert.equal(new TextDecoder().decode(gunzipSync(body)), text);
  const head = await get(prom, { method: "HEAD" });
  assert.equal(head.body, null);
});

Deno.test("handler() answers several scrapes of a large store at once", async () => {
  using prom = filled(20_000);
  const text = prom.format();
  const texts = await Promise.all(
    Array.from({ length: 5 }, async () => await (await get(prom)).text()),
  );
  for (const each of texts) assert.equal(each, text);
});

Deno.test("handler() of a large store bears a reader that goes away", async () => {
  using prom = filled(20_000);
  for (let i = 0; i < 20; i++) {
    const response = await get(prom);
    const reader = response.body!.getReader();
    if (i % 2 === 0) await reader.read();
    await reader.cancel();
  }
  assert.equal((await (await get(prom)).text()).split("\n").length, 20_001);
});

Deno.test("handler() bears a close() while a scrape is under way", async () => {
  const prom = filled(20_000);
  const response = await get(prom);
  prom.close();
  await assert.rejects(response.text(), { name: "StoreError", code: "CLOSED" });
});

Deno.test("handler() of a large store sends a very long help text", async () => {
  using prom = filled(12_000);
  prom.declare("b_total", { help: "long ".repeat(100_000) });
  assert.equal(await (await get(prom)).text(), prom.format());
});

Deno.test("handler() works behind Deno.serve", async () => {
  using prom = filled(5);
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  await using server = Deno.serve(options, prom.handler());
  const { port } = server.addr;
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  assert.equal(await response.text(), prom.format());
  const head = await fetch(`http://127.0.0.1:${port}/metrics`, { method: "HEAD" });
  assert.equal(head.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.equal(await head.text(), "");
});

Deno.test("handler() answers in the format that Accept asks for", async () => {
  using prom = new PrometheusTinyShared({ nameValidation: "utf8", created: false });
  prom.declare("a_total", { type: "counter" });
  prom.inc("a_total");
  prom.set("b.b", 1);
  const text = "# TYPE a_total counter\na_total 1\n";
  const table = [
    ["text/plain;version=0.0.4", "text/plain; version=0.0.4; charset=utf-8", `${text}b_b 1\n`],
    [
      "text/plain;version=1.0.0;escaping=allow-utf-8",
      "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
      `${text}{"b.b"} 1\n`,
    ],
    [
      "application/openmetrics-text;version=1.0.0",
      "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
      "# TYPE a counter\na_total 1\nb_b 1\n# EOF\n",
    ],
  ];
  for (const [accept, type, body] of table) {
    for (const method of ["GET", "HEAD"]) {
      const response = await get(prom, { method, headers: { accept } });
      assert.equal(response.headers.get("content-type"), type);
      assert.equal(response.headers.get("vary"), "Accept, Accept-Encoding");
      assert.equal(response.headers.get("content-length"), String(body.length));
      assert.equal(await response.text(), method === "GET" ? body : "");
    }
  }
});

Deno.test("handler() sends the OpenMetrics of a large store in parts, to its last line", async () => {
  using prom = filled(12_000);
  const accept = "application/openmetrics-text;version=1.0.0";
  const { body } = await prom.exposition({ accept });
  const text = new TextDecoder().decode(body);
  assert(text.endsWith("\n# EOF\n"));
  const plain = await get(prom, { headers: { accept } });
  assert.equal(plain.headers.get("content-length"), null);
  assert.equal(await plain.text(), text);
  const gzip = await get(prom, { headers: { accept, "accept-encoding": "gzip" } });
  const compressed = new Uint8Array(await gzip.arrayBuffer());
  assert.equal(new TextDecoder().decode(gunzipSync(compressed)), text);
});

Deno.test("handler() prints only what name[] asks for, of a small store and of a large one", async () => {
  for (const series of [3, 12_000]) {
    using prom = filled(series);
    prom.inc("b_total");
    prom.inc("c_c_total");
    const at = async (query: string) => {
      const response = await prom.handler()(new Request(`${url}?${query}`));
      return await response.text();
    };
    assert.equal(await at("name[]=b_total"), "b_total 1\n");
    assert.equal(await at("name%5B%5D=c_c_total&x=1&name[]=b_total"), "b_total 1\nc_c_total 1\n");
    assert.equal(await at("name[]=nothing"), "");
    assert.equal(await at("other=b_total"), prom.format());
    assert.equal(await at(""), prom.format());
  }
});

Deno.test("acceptsGzip() understands Accept-Encoding", () => {
  const yes = [
    "gzip",
    "GZIP",
    "x-gzip",
    "br, gzip;q=0.5",
    "*",
    "deflate, *;q=0.1",
    "gzip ; q=1.000",
    "gzip;q=0.5, identity;q=0.5",
    "identity;q=0.2, *;q=0.3",
  ];
  const no = [null, "", "br", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "identity", "gzip;q=x"]
    .concat([
      "gzip;q=0.4, identity",
      "identity;q=0.5, *;q=0.1",
    ]);
  for (const text of yes) assert.equal(acceptsGzip(text), true, text);
  for (const text of no) assert.equal(acceptsGzip(text), false, String(text));
});

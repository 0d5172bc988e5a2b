import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import {
  PrometheusTinyShared,
  Pushgateway,
  PushgatewayError,
  type PushgatewayOptions,
} from "../mod.ts";

/** What a stand-in for a gateway was asked. */
interface Asked {
  method: string;
  path: string;
  headers: Headers;
  body: Uint8Array<ArrayBuffer>;
}

function standIn(answer: (request: Request) => Response | Promise<Response> = () => accepted()) {
  const asked: Asked[] = [];
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {} };
  const server = Deno.serve(options, async (request) => {
    const { method, url, headers } = request;
    const path = url.slice(url.indexOf("/", "http://".length));
    asked.push({ method, path, headers: new Headers(headers), body: await request.bytes() });
    return await answer(request);
  });
  return {
    asked,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const accepted = () => new Response(null, { status: 202 });
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const body = () => "a_total 1\n";

// ---- requests

Deno.test("Pushgateway sends PUT, POST and DELETE to the group's path", async () => {
  await using server = standIn();
  using prom = new PrometheusTinyShared();
  prom.inc("a_total", { x: "y" });
  const gateway = new Pushgateway(server.url, { store: prom });
  const group = { job: "my job", groupingKey: { instance: "a:1", shard: 2 } };
  await gateway.push(group);
  await gateway.pushAdd(group);
  await gateway.delete(group);
  assert.deepEqual(server.asked.map(({ method, path }) => `${method} ${path}`), [
    "PUT /metrics/job/my%20job/instance/a%3A1/shard/2",
    "POST /metrics/job/my%20job/instance/a%3A1/shard/2",
    "DELETE /metrics/job/my%20job/instance/a%3A1/shard/2",
  ]);
  const [put, post, del] = server.asked;
  for (const { body, headers } of [put, post]) {
    assert.equal(text(body), prom.format());
    assert.equal(headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert.equal(headers.get("content-length"), String(body.length));
    assert.equal(headers.get("content-encoding"), null);
  }
  assert.equal(del.body.length, 0);
  assert.equal(del.headers.get("content-type"), null);
});

Deno.test("Pushgateway puts into base64 what would not arrive in a path", async () => {
  await using server = standIn();
  const gateway = new Pushgateway(server.url, { body });
  const paths: [string, string][] = [
    ["", "@base64/="],
    ["a/b", "@base64/YS9i"],
    ["/var/tmp", "@base64/L3Zhci90bXA"],
    [".", "@base64/Lg"],
    ["..", "@base64/Li4"],
    ["a/ÿ>?", "@base64/YS_Dvz4_"],
    ["...", "/..."],
    ["a b%\\?#", "/a%20b%25%5C%3F%23"],
    ["ü☃", "/%C3%BC%E2%98%83"],
    ["lone \ud800", "/lone%20%EF%BF%BD"],
  ];
  for (const [value, path] of paths) {
    await gateway.push({ job: "j", groupingKey: { k: value } });
    assert.equal(server.asked.at(-1)!.path, `/metrics/job/j/k${path}`, JSON.stringify(value));
    if (value === "") continue;
    await gateway.push({ job: value });
    assert.equal(server.asked.at(-1)!.path, `/metrics/job${path}`, JSON.stringify(value));
  }
});

Deno.test("Pushgateway keeps the URL's path and query, and not its slash", async () => {
  await using server = standIn();
  for (const path of ["/push", "/push/"]) {
    await new Pushgateway(`${server.url}${path}`, { body }).push({ job: "j" });
    assert.equal(server.asked.at(-1)!.path, "/push/metrics/job/j");
  }
  await new Pushgateway(new URL(`${server.url}/?key=1`), { body }).push({ job: "j" });
  assert.equal(server.asked.at(-1)!.path, "/metrics/job/j?key=1");
});

Deno.test("Pushgateway takes the user from the URL, unless a header says who it is", async () => {
  await using server = standIn();
  const authorization = async (user: string, options: PushgatewayOptions = {}) => {
    const url = server.url.replace("//", `//${user}@`);
    await new Pushgateway(url, { body, ...options }).push({ job: "j" });
    return server.asked.at(-1)!.headers.get("authorization");
  };
  assert.equal(await authorization("ada:secret"), `Basic ${btoa("ada:secret")}`);
  assert.equal(await authorization("ada"), `Basic ${btoa("ada:")}`);
  assert.equal(await authorization("a%3Ab:%2F%40"), `Basic ${btoa("a:b:/@")}`);
  const umlaut = new TextEncoder().encode("ü:100%").toBase64();
  assert.equal(await authorization("ü:100%"), `Basic ${umlaut}`);
  const headers = { Authorization: "Bearer token" };
  assert.equal(await authorization("ada:secret", { headers }), "Bearer token");
});

Deno.test("Pushgateway sends further headers with every request", async () => {
  await using server = standIn();
  const headers = { "x-tenant": "shop", "content-type": "text/plain; version=1.0.0" };
  const gateway = new Pushgateway(server.url, { body, headers });
  await gateway.push({ job: "j" });
  await gateway.delete({ job: "j" });
  assert.deepEqual(server.asked.map(({ headers }) => headers.get("x-tenant")), ["shop", "shop"]);
  assert.equal(server.asked[0].headers.get("content-type"), "text/plain; version=1.0.0");
});

Deno.test("Pushgateway compresses if it is told so", async () => {
  await using server = standIn();
  const long = "a_total 1\n".repeat(1000);
  await new Pushgateway(server.url, { body: () => long, gzip: true }).push({ job: "j" });
  const [{ headers, body }] = server.asked;
  assert.equal(headers.get("content-encoding"), "gzip");
  assert.equal(headers.get("content-length"), String(body.length));
  assert.equal(text(gunzipSync(body)), long);
  assert(body.length < long.length / 10);
});

Deno.test("Pushgateway pushes what a function makes, each time anew", async () => {
  await using server = standIn();
  let count = 0;
  const bodies = [
    () => `a ${++count}\n`,
    () => Promise.resolve(`a ${++count}\n`),
    () => new TextEncoder().encode("bytes\n"),
    () => ({ body: "# EOF\n", contentType: "application/openmetrics-text; version=1.0.0" }),
  ];
  const gateways = bodies.map((body) => new Pushgateway(server.url, { body }));
  for (const gateway of gateways) await gateway.push({ job: "j" });
  await gateways[0].push({ job: "j" });
  assert.deepEqual(
    server.asked.map(({ body }) => text(body)),
    ["a 1\n", "a 2\n", "bytes\n", "# EOF\n", "a 3\n"],
  );
  assert.match(server.asked[3].headers.get("content-type")!, /^application\/openmetrics-text/);
  const broken = new Pushgateway(server.url, { body: () => Promise.reject(new Error("no body")) });
  await assert.rejects(broken.push({ job: "j" }), { message: "no body" });
  const wrong = new Pushgateway(server.url, { body: () => undefined as never });
  await assert.rejects(wrong.push({ job: "j" }), /must be a string or bytes, not undefined/);
  assert.equal(server.asked.length, 5);
});

Deno.test("Pushgateway waits for the store's collect callbacks", async () => {
  await using server = standIn();
  using prom = new PrometheusTinyShared();
  prom.gauge("g", {
    collect: async (g) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      g.set(7);
    },
  });
  await new Pushgateway(server.url, { store: prom }).push({ job: "j" });
  assert.match(text(server.asked[0].body), /^g 7$/m);
});

// ---- failures

Deno.test("Pushgateway throws status and text of a refusal", async () => {
  await using server = standIn(() => new Response("text format parsing error\n", { status: 400 }));
  const gateway = new Pushgateway(server.url, { body });
  for (const method of ["push", "pushAdd", "delete"] as const) {
    await assert.rejects(gateway[method]({ job: "j" }), (error) => {
      assert(error instanceof PushgatewayError);
      assert.equal(error.name, "PushgatewayError");
      assert.equal(error.code, "STATUS");
      assert.equal(error.status, 400);
      assert.equal(error.body, "text format parsing error");
      assert.equal(error.message, `${method} failed with status 400, text format parsing error`);
      return true;
    });
  }
});

Deno.test("Pushgateway takes a redirection for a refusal, and says where to", async () => {
  await using server = standIn(() => Response.redirect("http://127.0.0.1:1/push", 302));
  await assert.rejects(new Pushgateway(server.url, { body }).pushAdd({ job: "j" }), {
    code: "STATUS",
    message: "pushAdd failed with status 302, it is at http://127.0.0.1:1/push",
  });
  assert.equal(server.asked.length, 1);
});

Deno.test("Pushgateway throws TIMEOUT without an answer in time, without its password", async () => {
  const go = Promise.withResolvers<Response>();
  await using server = standIn(() => go.promise);
  const url = server.url.replace("//", "//ada:secret@");
  const gateway = new Pushgateway(url, { body, timeoutMs: 30 });
  await assert.rejects(gateway.push({ job: "j" }), {
    name: "PushgatewayError",
    code: "TIMEOUT",
    status: undefined,
    message:
      `Pushgateway request timed out: push to ${server.url}/metrics/job/j took more than 30 ms`,
  });
  go.resolve(accepted());
});

Deno.test("Pushgateway throws TIMEOUT when the answer does not end", async () => {
  await using server = standIn(() => new Response(new ReadableStream(), { status: 400 }));
  const gateway = new Pushgateway(server.url, { body, timeoutMs: 30 });
  await assert.rejects(gateway.push({ job: "j" }), { code: "TIMEOUT" });
});

Deno.test("Pushgateway throws NETWORK when nobody is there", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://ada:secret@127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  listener.close();
  await assert.rejects(new Pushgateway(url, { body }).push({ job: "j" }), (error) => {
    assert(error instanceof PushgatewayError);
    assert.equal(error.code, "NETWORK");
    assert.match(
      error.message,
      /^push to http:\/\/127\.0\.0\.1:\d+\/metrics\/job\/j failed: .*refused/,
    );
    assert(error.cause instanceof Error);
    return true;
  });
});

Deno.test("Pushgateway throws the reason of a signal that ends a request", async () => {
  const go = Promise.withResolvers<Response>();
  await using server = standIn(() => go.promise);
  const gateway = new Pushgateway(server.url, { body });
  const controller = new AbortController();
  const reason = new Error("shutting down");
  const pushed = gateway.push({ job: "j", signal: controller.signal });
  const seen = assert.rejects(pushed, (error) => error === reason);
  controller.abort(reason);
  await seen;
  const again = gateway.delete({ job: "j", signal: controller.signal });
  await assert.rejects(again, (error) => error === reason);
  go.resolve(accepted());
});

// ---- bad input

Deno.test("Pushgateway refuses URLs and options that are not valid", () => {
  const cases: [unknown, unknown, RegExp][] = [
    ["localhost:9091", {}, /must begin with http:\/\/ or https:\/\/, not localhost:/],
    ["ftp://x", {}, /not ftp:/],
    ["", {}, /must be one, not ""/],
    [undefined, {}, /must be one, not undefined/],
    ["http://x", null, /Pushgateway options must be an object/],
    ["http://x", { timeout: 5 }, /has no member "timeout"; it has store, body, headers/],
    ["http://x", { timeoutMs: 0 }, /timeoutMs must be from 1 to .*not 0/],
    ["http://x", { timeoutMs: NaN }, /timeoutMs must be from 1 to .*not NaN/],
    ["http://x", { timeoutMs: 2 ** 31 }, /timeoutMs must be from 1 to 2147483647/],
    ["http://x", { gzip: "yes" }, /gzip must be a boolean/],
    ["http://x", { store: {} }, /store must be a PrometheusTinyShared/],
    ["http://x", { body: "text" }, /body must be a function/],
    ["http://x", { store: {}, body }, /must not have both store and body/],
  ];
  for (const [url, options, message] of cases) {
    assert.throws(() => new Pushgateway(url as string, options as never), { message });
  }
});

Deno.test("Pushgateway refuses groups that are not valid, and asks nothing", async () => {
  await using server = standIn();
  const gateway = new Pushgateway(server.url, { body });
  const cases: [unknown, RegExp][] = [
    [undefined, /a group must be an object/],
    [{}, /must have a job that is not empty/],
    [{ job: "" }, /must have a job that is not empty/],
    [{ job: 5 }, /a group.job must be a string/],
    [{ job: "j", groupings: {} }, /has no member "groupings"/],
    [{ job: "j", groupingKey: { job: "x" } }, /must not have "job"/],
    [{ job: "j", groupingKey: { "a/b": "x" } }, /invalid label name "a\/b"/],
    [{ job: "j", groupingKey: { a: undefined } }, /value of label "a" must be/],
    [{ job: "j", signal: {} }, /signal must be an AbortSignal/],
  ];
  for (const [group, message] of cases) {
    await assert.rejects(gateway.push(group as never), { name: "TypeError", message });
  }
  await assert.rejects(new Pushgateway(server.url).push({ job: "j" }), {
    name: "TypeError",
    message: /push has nothing to push: give the Pushgateway the option store or body/,
  });
  assert.deepEqual(server.asked, []);
  await new Pushgateway(server.url).delete({ job: "j" });
  assert.equal(server.asked.length, 1);
});

// ---- the real one

const program = "prometheus-pushgateway";
const installed = await new Deno.Command(program, { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

/** Debian's own gateway, with nothing in it. */
async function realGateway() {
  const child = new Deno.Command(program, {
    args: ["--web.listen-address=127.0.0.1:0", "--persistence.file=", "--web.enable-admin-api"],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const log = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let started = "", port;
  do {
    const { done, value } = await log.read();
    assert(!done, `${program} did not start: ${started}`);
    started += value;
    port = /Listening on" address=127\.0\.0\.1:(\d+)/.exec(started)?.[1];
  } while (port === undefined);
  const reading = (async () => {
    while (!(await log.read()).done);
  })();
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    /** Series of one name, without the instance that a gateway adds. */
    async lines(name: string): Promise<string[]> {
      const text = await (await fetch(`${url}/metrics`)).text();
      return text.split("\n").filter((line) => line.startsWith(name))
        .map((line) => line.replace('instance="",', ""));
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await reading;
    },
  };
}

const skipped = installed ? "" : ` (skipped: ${program} is not installed)`;
const real = { ignore: !installed };

Deno.test(`Pushgateway and Debian's: push, pushAdd and delete${skipped}`, real, async () => {
  await using gateway = await realGateway();
  using prom = new PrometheusTinyShared();
  const requests = prom.counter("requests_total", { help: "Requests.", labelNames: ["method"] });
  requests.inc({ method: "GET" }, 3);
  const client = new Pushgateway(gateway.url, { store: prom });
  const group = { job: "batch", groupingKey: { zone: "a" } };
  await client.push(group);
  assert.deepEqual(await gateway.lines("requests_total"), [
    'requests_total{job="batch",method="GET",zone="a"} 3',
  ]);
  await new Pushgateway(gateway.url, { body: () => "other 1\n" }).pushAdd(group);
  assert.equal((await gateway.lines("requests_total")).length, 1);
  assert.deepEqual(await gateway.lines("other"), ['other{job="batch",zone="a"} 1']);
  requests.inc({ method: "GET" });
  await client.push(group);
  assert.deepEqual(await gateway.lines("requests_total"), [
    'requests_total{job="batch",method="GET",zone="a"} 4',
  ]);
  assert.deepEqual(await gateway.lines("other"), []);
  await client.delete(group);
  await client.delete(group);
  assert.deepEqual(await gateway.lines("requests_total"), []);
});

Deno.test(
  `Pushgateway and Debian's: any grouping key arrives as it was${skipped}`,
  real,
  async () => {
    await using gateway = await realGateway();
    const plain = new Pushgateway(gateway.url, { body: () => "g 1\n" });
    const gzip = new Pushgateway(gateway.url, { body: () => "g 1\n", gzip: true });
    const values = [
      ...["plain", "", "/", "a/b", "//", ".", "..", "...", "a@base64", "=", "-_~", "a b+c", "%2F%"],
      ...["ü☃\u{1f600}", "?q#h&", '"quoted"\\', "line\nbreak\ttab", ":", "\x7f", "x".repeat(3000)],
    ];
    for (const [index, k] of values.entries()) {
      const client = index % 2 === 0 ? plain : gzip;
      await client.push({ job: k === "" ? "empty" : k, groupingKey: { k, n: index } });
    }
    const { data } = await (await fetch(`${gateway.url}/api/v1/metrics`)).json();
    const groups = data.map(({ labels }: { labels: Record<string, string> }) => labels)
      .sort((a: { n: string }, b: { n: string }) => Number(a.n) - Number(b.n));
    assert.deepEqual(
      groups,
      values.map((k, n) => ({ job: k === "" ? "empty" : k, k, n: String(n) })),
    );
  },
);

Deno.test(`Pushgateway and Debian's: a refusal says why${skipped}`, real, async () => {
  await using gateway = await realGateway();
  using prom = new PrometheusTinyShared();
  prom.set("g", 1, null, 1000);
  await assert.rejects(new Pushgateway(gateway.url, { store: prom }).push({ job: "j" }), {
    code: "STATUS",
    status: 400,
    message: /^push failed with status 400, .*must not have timestamps/,
  });
  const wrong = new Pushgateway(gateway.url, { body: () => "no metrics" });
  await assert.rejects(wrong.pushAdd({ job: "j" }), /^PushgatewayError: pushAdd failed .* 400, /);
  const elsewhere = new Pushgateway(`${gateway.url}/elsewhere`, { body });
  await assert.rejects(elsewhere.push({ job: "j" }), { status: 404 });
});

import assert from "node:assert/strict";
import { connect } from "node:net";
// deno-lint-ignore no-import-prefix -- for tests only: the module itself has no dependencies
import { Hono } from "npm:hono@4.10.7";
import { instrument, type InstrumentOptions, PrometheusTinyShared } from "../mod.ts";
import { patience } from "./emulated.ts";
import { temporaryFolder } from "./opening.ts";

const encoder = new TextEncoder();
const at = (path: string, init?: RequestInit) => new Request(`http://localhost${path}`, init);

function open(options: Partial<InstrumentOptions> = {}) {
  const warnings: string[] = [];
  const prom = new PrometheusTinyShared({ onWarning: (text) => warnings.push(text) });
  const wrap = <R extends unknown[]>(
    handler: (request: Request, ...rest: R) => Response | Promise<Response>,
    more: Partial<InstrumentOptions> = {},
  ) => instrument(handler, { store: prom, ...options, ...more });
  /** Lines of a sample's name, without the name. */
  const lines = (name: string) =>
    prom.format().split("\n").filter((line) => new RegExp(`^${name}[ {]`).test(line))
      .map((line) => line.slice(name.length));
  const requests = () => lines("http_requests_total");
  const inFlight = () => Number(lines("http_requests_in_flight")[0]);
  return { prom, warnings, wrap, lines, requests, inFlight, [Symbol.dispose]: () => prom.close() };
}

/** A body that the test writes. */
function channel() {
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  const cancelled = Promise.withResolvers<unknown>();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (given) => void (controller = given),
    cancel: (reason) => cancelled.resolve(reason),
  });
  return {
    stream,
    cancelled: cancelled.promise,
    write: (text: string) => controller.enqueue(encoder.encode(text)),
    close: () => controller.close(),
    fail: (error: Error) => controller.error(error),
  };
}

function serve(handler: Deno.ServeHandler<Deno.NetAddr>) {
  const options = { port: 0, hostname: "127.0.0.1", onListen: () => {}, onError: () => failed() };
  const server = Deno.serve(options, handler);
  const failed = () => new Response("failed", { status: 500 });
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** Waits until something is true that another task brings about. */
async function until(condition: () => boolean) {
  const deadline = performance.now() + 10_000 * patience;
  while (!condition()) {
    assert(performance.now() < deadline, `never true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

// ---- what is counted

Deno.test("instrument() counts requests, durations and sizes", async () => {
  using t = open();
  const handler = t.wrap(() => new Response("hello"));
  const response = await handler(at("/", { method: "POST", body: "abc" }));
  assert.equal(await response.text(), "hello");
  await handler(at("/"));
  assert.deepEqual(t.requests(), [
    '{method="GET",status="2xx"} 1',
    '{method="POST",status="2xx"} 1',
  ]);
  const post = '{method="POST",status="2xx"}';
  assert.deepEqual(t.lines("http_request_duration_seconds_count")[1], `${post} 1`);
  const seconds = Number(t.lines("http_request_duration_seconds_sum")[1].slice(post.length + 1));
  assert(seconds > 0 && seconds < 5);
  assert.deepEqual(t.lines("http_response_size_bytes_sum")[1], `${post} 5`);
  assert.equal(t.inFlight(), 0);
  assert.match(t.prom.format(), /# TYPE http_requests_in_flight gauge/);
  assert.match(t.prom.format(), /# HELP http_requests_total Requests whose response has ended\./);
});

Deno.test("instrument() shows zeros before the first request", () => {
  using t = open();
  t.wrap(() => new Response());
  assert.equal(t.inFlight(), 0);
});

Deno.test("instrument() takes a request's size from its Content-Length, 0 without a body", async () => {
  using t = open();
  const handler = t.wrap(() => new Response());
  const sum = () => t.lines("http_request_size_bytes_sum")[0]?.split(" ")[1];
  const count = () => t.lines("http_request_size_bytes_count")[0]?.split(" ")[1];
  const post = (headers: HeadersInit, body?: BodyInit) =>
    handler(at("/", { method: "POST", headers, body }));
  await post({ "content-length": "250" }, "x");
  assert.equal(sum(), "250");
  await post({});
  assert.deepEqual([sum(), count()], ["250", "2"]);
  await post({}, "a body that nobody has told the length of");
  await post({ "content-length": "lots" }, "x");
  assert.deepEqual([sum(), count()], ["250", "2"]);
  assert.equal(t.requests()[0], '{method="POST",status="2xx"} 4');
});

Deno.test("instrument() leaves sizes out if it is told so", async () => {
  using t = open({ sizeBuckets: false });
  await t.wrap(() => new Response("x"))(at("/"));
  assert.equal(t.requests().length, 1);
  assert.doesNotMatch(t.prom.format(), /size/);
});

Deno.test("instrument() bounds the label of the method", async () => {
  using t = open();
  const handler = t.wrap(() => new Response(null));
  for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE", "x1", "x2"]) {
    await handler(at("/", { method }));
  }
  const methods = t.requests().map((line) =>
    /method="(.*?)".* (\d)/.exec(line)!.slice(1).join(" ")
  );
  assert.deepEqual(methods, [
    "DELETE 1",
    "GET 1",
    "HEAD 1",
    "OPTIONS 1",
    "PATCH 1",
    "PUT 1",
    "other 3",
  ]);
});

Deno.test("instrument() labels a status by its class or by its code", async () => {
  const responses = () => [
    new Response(null, { status: 204 }),
    new Response("", { status: 201 }),
    new Response(null, { status: 304 }),
    Response.redirect("http://localhost/other", 307),
    new Response("no", { status: 404 }),
    Response.error(),
  ];
  for (const status of ["class", "code"] as const) {
    using t = open({ status });
    for (const response of responses()) await t.wrap(() => response)(at("/"));
    const label = (line: string) => line.replace(/\{method="GET",status="(.*)"\}/, "$1");
    const expected = status === "class"
      ? ["2xx 2", "3xx 2", "4xx 1", "5xx 1"]
      : ["201 1", "204 1", "304 1", "307 1", "404 1", "500 1"];
    assert.deepEqual(t.requests().map(label), expected);
    assert.equal(t.inFlight(), 0);
  }
});

// ---- routes

Deno.test("instrument() labels a route by the first pattern that fits", async () => {
  using t = open({
    routes: [
      "/",
      "/users/me",
      "/users/:id",
      new URLPattern({ pathname: "/static/*" }),
      new URLPattern({ hostname: "admin.example", pathname: "/*" }),
    ],
    sizeBuckets: false,
  });
  const handler = t.wrap(() => new Response(null));
  for (
    const path of ["/", "/?q=1", "/users/me", "/users/1", "/users/2", "/static/a/b", "/x", "//"]
  ) {
    await handler(at(path));
  }
  await handler(new Request("http://admin.example/x"));
  assert.deepEqual(
    t.requests().map((line) => line.replace(/.*route="(.*?)".*\}/, "$1")),
    ["/ 2", "/static/* 1", "/users/:id 2", "/users/me 1", "admin.example/* 1", "unmatched 2"],
  );
});

Deno.test("instrument() asks a function for the route, and bears whatever it does", async () => {
  using t = open({ unmatched: "none" });
  const answers: unknown[] = [
    "a",
    undefined,
    null,
    5,
    {},
    "a",
    new Error("oops"),
    new Error("oops"),
  ];
  const handler = t.wrap(() => new Response(null), {
    routes: () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer as string;
    },
  });
  for (let i = 0; i < 8; i++) await handler(at("/"));
  assert.deepEqual(t.requests(), [
    '{method="GET",route="a",status="2xx"} 2',
    '{method="GET",route="none",status="2xx"} 6',
  ]);
  assert.deepEqual(t.warnings, [
    "the function for routes must return a string, not 5; such requests are counted as none",
    "the function for routes threw (Error: oops); such requests are counted as none",
  ]);
});

Deno.test("instrument() stops a function that names every path", async () => {
  using t = open({ routes: (request) => new URL(request.url).pathname, sizeBuckets: false });
  const handler = t.wrap(() => new Response(null));
  for (let i = 0; i < 510; i++) await handler(at(`/${i}`));
  await handler(at("/7"));
  assert.equal(t.requests().length, 501);
  assert(t.requests().includes('{method="GET",route="unmatched",status="2xx"} 10'));
  assert(t.requests().includes('{method="GET",route="/7",status="2xx"} 2'));
  assert.equal(t.warnings.length, 1);
  assert.match(t.warnings[0], /named more than 500 routes; .* counted as unmatched/);
});

Deno.test("instrument() gives every metric the labels and the prefix it is told", async () => {
  using t = open({ labels: { app: "shop", shard: 3 }, prefix: "web_" });
  await t.wrap(() => new Response("x"))(at("/"));
  const text = t.prom.format();
  assert.match(text, /web_http_requests_in_flight\{app="shop",shard="3"\} 0\n/);
  assert.match(
    text,
    /web_http_requests_total\{app="shop",method="GET",shard="3",status="2xx"\} 1\n/,
  );
  assert.match(text, /web_http_response_size_bytes_sum\{app="shop",.*\} 1\n/);
  assert.match(text, /web_http_request_duration_seconds_bucket\{app="shop",le="0.005",/);
});

// ---- handlers that fail

Deno.test("instrument() counts a handler that throws as 500, and throws on", async () => {
  using t = open({ status: "code" });
  const error = new Error("broken");
  const thrower = t.wrap(() => {
    throw error;
  });
  const rejecter = t.wrap(() => Promise.reject(error));
  await assert.rejects(thrower(at("/")), (thrown) => thrown === error);
  await assert.rejects(rejecter(at("/")), (thrown) => thrown === error);
  assert.deepEqual(t.requests(), ['{method="GET",status="500"} 2']);
  assert.equal(t.inFlight(), 0);
});

Deno.test("instrument() counts a handler without a response as 500, and gives on what it gave", async () => {
  using t = open({ status: "code" });
  const handler = t.wrap(() => undefined as unknown as Response);
  assert.equal(await handler(at("/")), undefined);
  assert.deepEqual(t.requests(), ['{method="GET",status="500"} 1']);
});

Deno.test("instrument() behind Deno.serve leaves errors to its onError", async () => {
  using t = open({ status: "code" });
  await using server = serve(t.wrap(() => Promise.reject(new Error("broken"))));
  const response = await fetch(server.url);
  assert.deepEqual([response.status, await response.text()], [500, "failed"]);
  assert.deepEqual(t.requests(), ['{method="GET",status="500"} 1']);
});

Deno.test("instrument() bears a response that was used or is locked", async () => {
  using t = open();
  const used = new Response("x");
  await used.text();
  const locked = new Response("x");
  locked.body!.getReader();
  for (const response of [used, locked]) {
    assert.equal(await t.wrap(() => response)(at("/")), response);
  }
  assert.equal(t.inFlight(), 0);
  assert.deepEqual(t.requests(), ['{method="GET",status="2xx"} 2']);
});

Deno.test("instrument() warns once and answers when the store is closed", async () => {
  using t = open();
  const handler = t.wrap(() => new Response("still there"));
  t.prom.close();
  for (let i = 0; i < 3; i++) assert.equal(await (await handler(at("/"))).text(), "still there");
  assert.equal(t.warnings.length, 1);
  assert.match(t.warnings[0], /requests are not counted: .*closed.*; this is said once/);
});

// ---- bodies

Deno.test("instrument() counts a streamed body until its end", async () => {
  using t = open();
  const body = channel();
  const handler = t.wrap(() => new Response(body.stream));
  const response = await handler(at("/"));
  assert.equal(t.inFlight(), 1);
  assert.deepEqual(t.requests(), []);
  const reader = response.body!.getReader();
  body.write("abc");
  assert.equal((await reader.read()).value?.length, 3);
  assert.equal(t.inFlight(), 1);
  body.write("defg");
  body.close();
  await reader.read();
  assert.equal((await reader.read()).done, true);
  assert.equal(t.inFlight(), 0);
  assert.deepEqual(t.lines("http_response_size_bytes_sum"), ['{method="GET",status="2xx"} 7']);
});

Deno.test("instrument() counts a body that is cancelled, and cancels its source", async () => {
  using t = open();
  const body = channel();
  const response = await t.wrap(() => new Response(body.stream))(at("/"));
  body.write("abc");
  const reader = response.body!.getReader();
  await reader.read();
  const pending = reader.read();
  await reader.cancel("enough");
  assert.equal((await pending).done, true);
  assert.equal(await body.cancelled, "enough");
  assert.equal(t.inFlight(), 0);
  assert.deepEqual(t.requests(), ['{method="GET",status="2xx"} 1']);
  assert.deepEqual(t.lines("http_response_size_bytes_sum"), ['{method="GET",status="2xx"} 3']);
});

Deno.test("instrument() counts a body that fails, early or late", async () => {
  for (const early of [true, false]) {
    using t = open();
    const body = channel();
    const error = new Error("disk on fire");
    if (early) body.fail(error);
    const response = await t.wrap(() => new Response(body.stream))(at("/"));
    assert.equal(t.inFlight(), 1);
    if (!early) {
      body.write("abc");
      body.fail(error);
    }
    await assert.rejects(response.text(), (thrown) => thrown === error);
    assert.equal(t.inFlight(), 0);
    assert.deepEqual(t.requests(), ['{method="GET",status="2xx"} 1']);
  }
});

Deno.test("instrument() asks a body's source for no more than its reader wants", async () => {
  using t = open();
  let pulls = 0;
  const stream = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(1000));
      pulls++;
    },
  }, { highWaterMark: 0 });
  const response = await t.wrap(() => new Response(stream))(at("/"));
  const reader = response.body!.getReader();
  assert(pulls <= 2, `${pulls} chunks before anybody has read`);
  for (let i = 0; i < 10; i++) await reader.read();
  assert.equal(pulls, 10);
  await reader.cancel();
});

Deno.test("instrument() passes every kind of body on as it was", async () => {
  using t = open();
  const form = new FormData();
  form.set("a", "b");
  const bytes = new Uint8Array(3_000_000).map((_, index) => index);
  const bodies: BodyInit[] = [
    "text",
    "",
    bytes,
    bytes.buffer,
    new Blob(["blob"], { type: "image/x" }),
    new URLSearchParams("a=b"),
    ReadableStream.from([encoder.encode("a"), encoder.encode("b")]),
  ];
  for (const body of bodies) {
    const plain = new Response(body instanceof ReadableStream ? "ab" : body);
    const passed = await t.wrap(() => new Response(body))(at("/"));
    if (!(body instanceof ReadableStream)) {
      assert.deepEqual([...passed.headers], [...plain.headers]);
    }
    assert.deepEqual(await passed.bytes(), await plain.bytes());
  }
  const passed = await t.wrap(() => new Response(form))(at("/"));
  assert.equal((await passed.formData()).get("a"), "b");
  assert.equal(t.inFlight(), 0);
});

Deno.test("instrument() keeps status, status text, headers and url", async () => {
  using t = open();
  await using origin = serve(() => new Response("from afar", { headers: { "x-from": "origin" } }));
  const proxied = await t.wrap(() => fetch(`${origin.url}/page`))(at("/"));
  assert.equal(proxied.url, `${origin.url}/page`);
  assert.equal(proxied.headers.get("x-from"), "origin");
  assert.equal(await proxied.text(), "from afar");

  const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-y", "z"]]);
  const made = () => new Response("x", { status: 418, statusText: "Teapot", headers });
  const passed = await t.wrap(made)(at("/"));
  assert.equal(passed.status, 418);
  assert.equal(passed.statusText, "Teapot");
  assert.deepEqual(passed.headers.getSetCookie(), ["a=1", "b=2"]);
  assert.deepEqual([...passed.headers], [...made().headers]);
});

Deno.test("instrument() gives on the same object where there is no body to count", async () => {
  using t = open();
  const responses = [
    new Response(null),
    new Response(null, { status: 204 }),
    new Response(null, { status: 304 }),
    Response.redirect("http://localhost/"),
  ];
  for (const response of responses) {
    assert.equal(await t.wrap(() => response)(at("/")), response);
  }
  const head = new Response("not sent");
  assert.equal(await t.wrap(() => head)(at("/", { method: "HEAD" })), head);
  assert.equal(t.inFlight(), 0);
  assert(t.lines("http_response_size_bytes_sum").includes('{method="HEAD",status="2xx"} 0'));
});

// ---- behind servers

Deno.test("instrument() behind Deno.serve sends what it would send without", async () => {
  using t = open();
  const handler = (request: Request) => {
    switch (new URL(request.url).pathname) {
      case "/bytes":
        return new Response(new Uint8Array(100_000));
      case "/empty":
        return new Response("");
      case "/stream":
        return new Response(ReadableStream.from(async function* () {
          yield encoder.encode("a");
          await new Promise((resolve) => setTimeout(resolve, 1));
          yield encoder.encode("b");
        }()));
      case "/204":
        return new Response(null, { status: 204 });
      default:
        return Response.json({ hello: "world" });
    }
  };
  await using plain = serve(handler);
  await using counted = serve(t.wrap(handler));
  for (const path of ["/", "/bytes", "/empty", "/stream", "/204"]) {
    for (const method of ["GET", "HEAD"]) {
      const [a, b] = await Promise.all(
        [plain, counted].map(async ({ url }) => {
          const response = await fetch(url + path, { method });
          const headers = [...response.headers].filter(([name]) => name !== "date");
          return { headers, body: await response.bytes(), status: response.status };
        }),
      );
      assert.deepEqual(a, b, `${method} ${path}`);
    }
  }
  await until(() => t.inFlight() === 0);
});

Deno.test("instrument() behind Deno.serve gives on the server's information", async () => {
  using t = open();
  await using server = serve(
    t.wrap((_request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => {
      return new Response(info.remoteAddr.hostname);
    }),
  );
  assert.equal(await (await fetch(server.url)).text(), "127.0.0.1");
});

Deno.test("instrument() behind Deno.serve counts a client that leaves in the middle", async () => {
  using t = open({ status: "code" });
  const body = channel();
  await using server = serve(t.wrap(() => new Response(body.stream)));
  const abort = new AbortController();
  const response = await fetch(server.url, { signal: abort.signal });
  body.write("abc");
  await response.body!.getReader().read();
  assert.equal(t.inFlight(), 1);
  abort.abort();
  await body.cancelled;
  await until(() => t.inFlight() === 0);
  assert.deepEqual(t.requests(), ['{method="GET",status="200"} 1']);
});

Deno.test("instrument() behind Deno.serve counts a client that leaves before the answer", async () => {
  using t = open();
  const arrived = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const body = channel();
  await using server = serve(t.wrap(async () => {
    arrived.resolve();
    await go.promise;
    return new Response(body.stream);
  }));
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await arrived.promise;
  assert.equal(t.inFlight(), 1);
  const gone = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await gone;
  go.resolve();
  body.write("abc");
  await body.cancelled;
  await until(() => t.inFlight() === 0);
  assert.deepEqual(t.requests(), ['{method="GET",status="2xx"} 1']);
});

Deno.test("instrument() behind Deno.serve lets WebSockets through", async () => {
  using t = open({ status: "code" });
  await using server = serve(t.wrap((request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(`echo ${data}`);
    return response;
  }));
  const socket = new WebSocket(server.url.replace("http", "ws"));
  const message = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
  socket.onopen = () => socket.send("hello");
  assert.equal(await message, "echo hello");
  assert.deepEqual(t.requests(), ['{method="GET",status="101"} 1']);
  assert.equal(t.inFlight(), 0);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});

Deno.test("instrument() behind Deno.serve counts many requests at once", async () => {
  using t = open({ routes: ["/:kind"], status: "code" });
  await using server = serve(t.wrap((request) => {
    const path = new URL(request.url).pathname;
    if (path === "/throw") throw new Error("broken");
    return new Response(path);
  }));
  const paths = ["/a", "/b", "/throw", "/x/y"];
  await Promise.all(Array.from({ length: 200 }, async (_, index) => {
    await (await fetch(server.url + paths[index % 4])).text();
  }));
  assert.deepEqual(t.requests(), [
    '{method="GET",route="/:kind",status="200"} 100',
    '{method="GET",route="/:kind",status="500"} 50',
    '{method="GET",route="unmatched",status="200"} 50',
  ]);
  assert.equal(t.inFlight(), 0);
});

Deno.test("instrument() takes Hono's fetch, with its environment", async () => {
  using t = open({ routes: ["/hello/:name", "/events"], status: "code" });
  const app = new Hono<{ Bindings: { greeting: string } }>();
  app.get("/hello/:name", (c) => c.text(`${c.env.greeting}, ${c.req.param("name")}`));
  app.get("/events", (c) => c.body(ReadableStream.from([encoder.encode("event")])));
  app.get("/broken", () => {
    throw new Error("broken");
  });
  app.onError((_error, c) => c.text("sorry", 503));
  const handler = instrument(app.fetch, {
    store: t.prom,
    routes: ["/hello/:name", "/events"],
    status: "code",
  });
  const text = async (path: string) =>
    await (await handler(at(path), { greeting: "Salut" })).text();
  assert.equal(await text("/hello/Ada"), "Salut, Ada");
  assert.equal(await text("/events"), "event");
  assert.equal(await text("/broken"), "sorry");
  assert.equal(await text("/nowhere"), "404 Not Found");
  assert.deepEqual(t.requests(), [
    '{method="GET",route="/events",status="200"} 1',
    '{method="GET",route="/hello/:name",status="200"} 1',
    '{method="GET",route="unmatched",status="404"} 1',
    '{method="GET",route="unmatched",status="503"} 1',
  ]);
  await using server = serve(
    instrument(app.fetch, { store: t.prom, routes: ["/hello/:name"], status: "code" }),
  );
  const response = await fetch(`${server.url}/events`, { method: "HEAD" });
  assert.equal(await response.text(), "");
  assert(t.requests().includes('{method="HEAD",route="unmatched",status="200"} 1'));
});

Deno.test("instrument(): what a killed worker had in flight leaves with it", async () => {
  using folder = temporaryFolder();
  const filename = `${folder.path}/store`;
  using prom = new PrometheusTinyShared({ filename });
  const inFlight = () => /^http_requests_in_flight (.*)$/m.exec(prom.format())?.[1];
  const handler = instrument(() => new Response(channel().stream), { store: prom });
  await handler(at("/"));
  const worker = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", import.meta.resolve("./instrument_process.ts"), filename],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = worker.stdout.getReader();
  assert.equal(new TextDecoder().decode((await reader.read()).value), "3 in flight\n");
  assert.equal(inFlight(), "4");
  worker.kill("SIGKILL");
  await worker.status;
  await reader.cancel();
  assert.equal(inFlight(), "1");
});

// ---- bad input

Deno.test("instrument() refuses options that are unknown or not valid", () => {
  using t = open();
  const handler = () => new Response();
  const cases: [unknown, RegExp][] = [
    [undefined, /instrument options must be an object/],
    [{}, /store must be a PrometheusTinyShared, not undefined/],
    [{ store: {} }, /store must be a PrometheusTinyShared, not an object/],
    [{ store: t.prom, route: [] }, /has no member "route"; it has store, routes/],
    [{ store: t.prom, routes: "x" }, /routes must be a object or function, not "x"/],
    [{ store: t.prom, routes: {} }, /routes must be an array of patterns or a function/],
    [{ store: t.prom, routes: ["users"] }, /must be a URLPattern or a path .*not "users"/],
    [{ store: t.prom, routes: [/x/] }, /must be a URLPattern or a path/],
    [{ store: t.prom, routes: ["/("] }, /"\/\(" is no valid pattern/],
    [{ store: t.prom, status: "text" }, /status must be "class" or "code", not "text"/],
    [{ store: t.prom, labels: { method: "x" } }, /must not have "method", which has a meaning/],
    [{ store: t.prom, labels: { le: 1 } }, /must not have "le"/],
    [{ store: t.prom, labels: { app: undefined } }, /value of label "app" must be .*not undefined/],
    [{ store: t.prom, labels: [] }, /labels must be an object/],
    [{ store: t.prom, labels: { "a-b": 1 } }, /invalid label name "a-b"/],
    [{ store: t.prom, prefix: "a-" }, /invalid metric name "a-http/],
    [{ store: t.prom, sizeBuckets: true }, /buckets must be an array of numbers, not true/],
    [{ store: t.prom, durationBuckets: ["x"] }, /buckets must be numbers, not "x"/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => instrument(handler, options as never), { name: "TypeError", message });
  }
  assert.equal(t.prom.format(), "");
  assert.throws(() => instrument("x" as never, { store: t.prom }), /handler must be a function/);
});

Deno.test("instrument() with other buckets than before throws MISMATCH", () => {
  using t = open();
  t.wrap(() => new Response());
  assert.throws(() => t.wrap(() => new Response(), { durationBuckets: [1] }), { code: "MISMATCH" });
});

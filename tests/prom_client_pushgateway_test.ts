// How pushes fail; how they are asked is in prom_client_differential_test.ts.

import assert from "node:assert/strict";
import { Counter, Gauge, Pushgateway, Registry } from "../prom_client.ts";

/** A server that answers with this. */
function serve(answer: (request: Request) => Response | Promise<Response>) {
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answer);
  const url = `http://127.0.0.1:${server.addr.port}`;
  return { url, [Symbol.asyncDispose]: () => server.shutdown() };
}

function registryWithCounter(): Registry {
  const registry = new Registry();
  new Counter({ name: "jobs_total", help: "Jobs.", registers: [registry] }).inc();
  return registry;
}

Deno.test("Pushgateway: a gateway that does not answer in time is given up", async () => {
  const answered = Promise.withResolvers<Response>();
  await using server = serve(() => answered.promise);
  const gateway = new Pushgateway(server.url, { timeout: 20 }, registryWithCounter());
  for (const push of ["push", "pushAdd", "delete"] as const) {
    await assert.rejects(gateway[push]({ jobName: "slow" }), {
      message: "Pushgateway request timed out",
    });
  }
  answered.resolve(new Response());
});

Deno.test("Pushgateway: a refusal tells the status and what the gateway said", async () => {
  await using server = serve(async (request) => {
    await request.body?.cancel();
    return new Response("pushed metrics are invalid", { status: 400 });
  });
  const gateway = new Pushgateway(server.url, null, registryWithCounter());
  await assert.rejects(gateway.push({ jobName: "bad" }), {
    message: "push failed with status 400, pushed metrics are invalid",
  });
});

Deno.test("Pushgateway: a gateway that is not there, or metrics that fail, reject", async () => {
  const gone = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = gone.addr as Deno.NetAddr;
  gone.close();
  const url = `http://127.0.0.1:${port}`;
  await assert.rejects(new Pushgateway(url, {}, registryWithCounter()).push({ jobName: "a" }));

  await using server = serve(async (request) => new Response(await request.text()));
  const registry = new Registry();
  const collect = () => {
    throw new Error("no such sensor");
  };
  new Gauge({ name: "bad", help: "h", registers: [registry], collect });
  await assert.rejects(new Pushgateway(server.url, {}, registry).push({ jobName: "a" }), {
    message: "no such sensor",
  });
});

Deno.test("Pushgateway: a job must be named, at once", () => {
  const gateway = new Pushgateway("http://localhost:9091");
  for (const push of ["push", "pushAdd", "delete"] as const) {
    assert.throws(() => gateway[push](), { message: "Missing jobName parameter" });
  }
});

Deno.test("Pushgateway: options given once are not changed by requests", async () => {
  await using server = serve(async (request) => {
    const body = await request.bytes();
    const encoding = request.headers.get("content-encoding");
    return new Response(`${request.method} ${encoding} ${body.length > 0}`);
  });
  const headers = { "Content-Encoding": "gzip", "x-team": "shop" };
  const gateway = new Pushgateway(server.url, { headers }, registryWithCounter());
  const bodies = [
    await gateway.delete({ jobName: "a" }),
    await gateway.push({ jobName: "a" }),
  ].map(({ body }) => body);
  assert.deepEqual(bodies, ["DELETE null false", "PUT gzip true"]);
  assert.deepEqual(headers, { "Content-Encoding": "gzip", "x-team": "shop" });
});

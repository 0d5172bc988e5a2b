// Serves metrics until its input ends: of the store at PATH, or without one prom-client's with SERIES.

import { PrometheusTinyShared } from "../../mod.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import { filledRegistry } from "../peers/prom_client_fill.ts";

const [path, series] = Deno.args;

async function promClientHandler(): Promise<() => Promise<Response>> {
  const registry = filledRegistry((await loadPromClient())!, {
    series: Number(series),
    shards: 1,
  });
  const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
  return async () => new Response(await registry.metrics(), { headers });
}

const handler = path === ""
  ? await promClientHandler()
  : new PrometheusTinyShared({ filename: path }).handler();
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}/metrics`),
}, handler);
for await (const _ of Deno.stdin.readable);
await server.shutdown();

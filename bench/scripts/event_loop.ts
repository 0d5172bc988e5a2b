// The longest blocks of the event loop, in milliseconds, during the first scrape, a later one and a
// compressed one of the store at PATH, or without one of prom-client with SERIES.

import { setImmediate } from "node:timers";
import { PrometheusTinyShared } from "../../mod.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import { filledRegistry } from "../peers/prom_client_fill.ts";

const [path, series] = Deno.args;

type Handler = (request: Request) => Response | Promise<Response>;

async function promClientHandler(): Promise<Handler> {
  const client = (await loadPromClient())!;
  const registry = filledRegistry(client, { series: Number(series), shards: 1 });
  return async () => new Response(await registry.metrics());
}

const handler: Handler = path === ""
  ? await promClientHandler()
  : new PrometheusTinyShared({ filename: path }).handler();

/** Reads as a network does, and meanwhile looks how late the loop comes round. */
async function longestBlock(headers: Record<string, string>): Promise<number> {
  let last = performance.now();
  let longest = 0;
  let over = false;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!over) setImmediate(look);
  };
  look();
  const response = await handler(new Request("http://localhost/metrics", { headers }));
  for await (const _ of response.body!);
  over = true;
  look();
  return longest;
}

const blocks = [await longestBlock({}), await longestBlock({})];
if (path !== "") blocks.push(await longestBlock({ "accept-encoding": "gzip" }));
console.log(JSON.stringify(blocks));
Deno.exit();

// Has three requests in flight until it is killed, for instrument_test.ts: their bodies have no end.

import { instrument, PrometheusTinyShared } from "../mod.ts";

const prom = new PrometheusTinyShared({ filename: Deno.args[0] });
const handler = instrument(() => new Response(new ReadableStream()), { store: prom });
for (let i = 0; i < 3; i++) await handler(new Request("http://localhost/"));
console.log("3 in flight");
setInterval(() => {}, 60_000);

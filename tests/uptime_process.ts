// A worker of uptime.ts: some load on one store and one cache, until it is killed or its standard input ends.

import { PrometheusTinyShared } from "../mod.ts";
import { FastMmap } from "../src/fast_mmap.ts";
import { patience } from "./emulated.ts";

const [filename, shareFile, number] = Deno.args;
const prom = new PrometheusTinyShared({ filename });
const cache = new FastMmap({ shareFile });
const seconds = prom.histogram("uptime_seconds");
console.log("begun");
let ended = false;
Deno.stdin.read(new Uint8Array(1)).then(() => ended = true);
for (let turn = 0; !ended; turn++) {
  for (let i = 0; i < 500; i++) {
    prom.inc("uptime_total", { route: i % 50, status: turn % 3 ? 200 : 500 });
    seconds.observe(Math.random());
    prom.set("uptime_level", i, { worker: Number(number) % 4 });
    cache.set(`${turn % 200}.${i % 100}`, { turn, i, text: "x".repeat(i) });
    cache.get(`${turn % 50}.${i}`);
  }
  if (turn % 10 === 0) prom.format();
  await new Promise((resolve) => setTimeout(resolve, 5 * patience));
}
prom.close();
cache.close();

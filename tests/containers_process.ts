// A process of containers_test.ts, in a pid namespace of its own. Answers each line of its standard input with one.

import { PrometheusTinyShared, StoreError } from "../mod.ts";
import { FastMmap } from "../src/fast_mmap.ts";

const [filename, shareFile, amount] = Deno.args;
const prom = new PrometheusTinyShared({ filename });
const cache = new FastMmap<string>({ shareFile, serializer: "text", lockTimeout: 300 });
const alive = prom.gauge("alive", { mode: "livesum" });
alive.inc(Number(amount));

const written = new Int32Array(new SharedArrayBuffer(4));

function trySet(): string {
  const start = performance.now();
  try {
    cache.set("key", `from ${amount}`);
    return "stored";
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return `${error.code} after ${performance.now() - start >= 290 ? "the deadline" : "less"}`;
  }
}

const commands: Record<string, () => string> = {
  pid: () => `${Deno.pid}`,
  alive: () => `${alive.value()}`,
  set: trySet,
  get: () => `${cache.get("key")}`,
  // Holds the page's lock for a while; "holding" is said while it does.
  hold: () => {
    cache.getAndSet("key", () => {
      console.log("holding");
      Atomics.wait(written, 0, 0, 1500);
      return [`held by ${amount}`];
    });
    return "let go";
  },
};

const decoder = new TextDecoder();
for await (const chunk of Deno.stdin.readable) {
  for (const line of decoder.decode(chunk).trim().split("\n")) console.log(commands[line]());
}

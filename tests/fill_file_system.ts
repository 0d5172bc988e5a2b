// Has a store on a file system of its own, fills that up, and goes on. full_store_test.ts runs it.

import { PrometheusTinyShared } from "../mod.ts";

const [folder] = Deno.args;
const junk = `${folder}/junk`;
const warnings: string[] = [];
const prom = new PrometheusTinyShared({
  filename: `${folder}/metrics`,
  onWarning: (text) => warnings.push(text),
});
for (let i = 0; i < 100; i++) prom.inc("n_total", { i });

function fill(): void {
  using file = Deno.openSync(junk, { create: true, write: true });
  try {
    for (;;) file.writeSync(new Uint8Array(4096));
  } catch (error) {
    if (!/no space/i.test(String(error))) throw error;
  }
}

function total(name: string): number {
  const pattern = new RegExp(`^${name}(?:{.*})? (\\d+)$`, "gm");
  return [...prom.format().matchAll(pattern)].reduce((sum, [, value]) => sum + Number(value), 0);
}

fill();
const updates = 20_000;
for (let i = 100; i < updates; i++) prom.inc("n_total", { i });
for (let i = 0; i < 100; i++) prom.inc("n_total", { i });
const lost = total("prometheus_tiny_dropped_updates_total");
const stored = total("n_total");
console.log(`warned: ${JSON.stringify(warnings)}`);
console.log(`kept: ${prom.format().includes('n_total{i="99"} 2\n')}`);
console.log(`counted: ${lost > 0 && stored + lost === updates + 100}`);
Deno.removeSync(junk);
for (let i = 0; i < updates; i++) prom.inc("n_total", { i });
console.log(`again: ${total("n_total") === stored + updates}`);
prom.close();

// MiB that a process grows by when it updates every series: HOW STORE SERIES.

import { PrometheusTinyShared } from "../../mod.ts";
import { familyName, labelsOf } from "../fill.ts";
import { loadPromClient } from "../peers/prom_client.ts";
import { filledRegistry } from "../peers/prom_client_fill.ts";

const [how, path, count] = Deno.args;
const series = Number(count);
const client = await loadPromClient();

/** What is only this process's, as the kernel counts it. */
function ownBytes(): number {
  (globalThis as { gc?: () => void }).gc?.();
  try {
    const text = Deno.readTextFileSync("/proc/self/smaps_rollup");
    return Number(/^Private_Dirty:\s+(\d+) kB$/m.exec(text)![1]) * 1024 -
      Number(/^Pss_Shmem:\s+(\d+) kB$/m.exec(text)![1]) * 1024;
  } catch {
    return Deno.memoryUsage().rss;
  }
}

/** Everything that must stay reachable while memory is looked at. */
const kept: unknown[] = [];

const uses: Record<string, (prom: PrometheusTinyShared) => void> = {
  "untyped": (prom) => {
    for (let i = 0; i < series; i++) prom.inc(familyName, labelsOf(i));
  },
  "children": (prom) => {
    const counter = prom.counter("children_total", { labelNames: ["method", "path", "status"] });
    for (let i = 0; i < series; i++) {
      const child = counter.labels(labelsOf(i));
      child.inc();
      kept.push(child);
    }
  },
  "prom-client": () => {
    kept.push(filledRegistry(client!, { series, shards: 1 }));
  },
};

const prom = new PrometheusTinyShared({ filename: path });
const before = ownBytes();
uses[how](prom);
console.log(JSON.stringify([(ownBytes() - before) / 2 ** 20]));
kept.length = 0;
prom.close();

// A process that tells about itself, for default_metrics_test.ts: until it is killed, or until nothing else
// keeps it alive.

import { collectDefaultMetrics, PrometheusTinyShared } from "../mod.ts";

const [task, filename] = Deno.args;
const warnings: string[] = [];
const prom = new PrometheusTinyShared({
  filename: filename || undefined,
  onWarning: (text) => warnings.push(text),
});
collectDefaultMetrics(prom, { intervalMs: 100 });
collectDefaultMetrics(prom, { intervalMs: 100 });
console.log("collecting");
if (task === "wait") {
  setInterval(() => {}, 60_000);
} else {
  console.log([`warnings: ${warnings.length}`, ...warnings].join("\n"));
  prom.close();
  console.log("closed");
  // Both meet the closed store, and nothing is said about it.
  await new Promise((resolve) => setTimeout(resolve, 250));
}

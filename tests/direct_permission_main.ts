// Counts, gives the permission for native calls back, and goes on counting: for direct_test.ts.

import { PrometheusTinyShared } from "../mod.ts";

using prom = new PrometheusTinyShared();
const metric = prom.counter("counted_total", { labelNames: ["when"] });
const before = metric.labels({ when: "before" });
for (let i = 0; i < 5; i++) before.inc();
Deno.permissions.revokeSync({ name: "ffi" });
for (let i = 0; i < 5; i++) before.inc();
// Enough series for places in the file that were not looked at before.
const after = Array.from({ length: 5000 }, (_, i) => metric.labels({ when: `after ${i}` }));
for (let i = 0; i < 5; i++) for (const child of after) child.inc();
console.log(before.value(), after.every((child) => child.value() === 5));

// What the threads of store_permissions_main.ts do.

import { PrometheusTinyShared } from "../mod.ts";

/** Uses a private store and a named one, and says what they show. */
export function use(filename: string, who: string): string {
  using prom = new PrometheusTinyShared();
  using named = new PrometheusTinyShared({ filename });
  prom.inc("private_total", { who });
  named.counter("named_total", { labelNames: ["who"] }).inc({ who });
  return prom.format() + named.format();
}

// Opens a store, counts, and prints what an application would see. bad_files_test.ts runs it as other users and
// with other limits; store_permissions_test.ts with other flags.

import { PrometheusTinyShared, StoreError } from "../mod.ts";

try {
  const [filename, cacheSize] = Deno.args;
  using prom = new PrometheusTinyShared({ filename, cacheArgs: { cacheSize } });
  prom.inc("opened_total");
  console.log(`opened: ${prom.format().trim()}`);
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}

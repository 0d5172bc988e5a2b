/**
 * How long does importing the module take, and the whole start of a process?
 *
 * @module
 */

import { type Comparison, OURS, timesThatOf } from "../harness.ts";
import { loadPromClient, promClientVersion } from "../peers/prom_client.ts";
import { runScript } from "../script.ts";

export async function* question(): AsyncGenerator<Comparison> {
  const module = new URL("../../mod.ts", import.meta.url).href;
  const step = (name: string, specifier: string, open: boolean) => ({
    name,
    measure: async () => (await runScript("import", specifier, String(open)))[0],
  });
  yield {
    title: "import of the module",
    unit: "ms",
    entries: [
      step(OURS, module, false),
      step("and open a store", module, true),
      ...await loadPromClient()
        ? [step("prom-client", `npm:prom-client@${promClientVersion}`, false)]
        : [],
    ],
    ratios: [timesThatOf("prom-client")],
    note: "In a fresh process, with Deno's cache filled; the store is private.",
  };
}

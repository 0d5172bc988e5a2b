/**
 * Which peers a run has to do without.
 *
 * @module
 */

import { Perl, type PerlModule } from "./perl.ts";
import { loadPromClient } from "./prom_client.ts";
import { pythonFolder } from "./python.ts";

/** Says of each missing peer that `deno task bench:peers` fetches it. */
export async function missingPeers(): Promise<string[]> {
  const missing: string[] = [];
  if (await loadPromClient() === undefined) missing.push("prom-client");
  const modules: PerlModule[] = ["Prometheus::Tiny", "Prometheus::Tiny::Shared", "Cache::FastMmap"];
  for (const module of modules) {
    await using perl = await Perl.start(module);
    if (perl === undefined) missing.push(`Perl's ${module}`);
  }
  if (!await Deno.stat(pythonFolder).then(() => true, () => false)) missing.push("client_python");
  return missing.map((name) => `${name} (deno task bench:peers fetches it)`);
}

/**
 * A registry of prom-client with the same content as a filled store.
 *
 * @module
 */

import { amountOf, type Content, familyName, labelsOf } from "../fill.ts";
import type { PromClient, Registry } from "./prom_client.ts";

/** One worker's registry. */
export function filledRegistry(client: PromClient, { series, fraction = 0 }: Content): Registry {
  const register = new client.Registry();
  const counter = new client.Counter({
    name: familyName,
    help: "Requests.",
    labelNames: ["method", "path", "status"],
    registers: [register],
  });
  for (let i = 0; i < series; i++) counter.inc(labelsOf(i), amountOf(i, fraction));
  return register;
}

/**
 * The stores of this thread: the private one, and those that it shares with other workers.
 *
 * @module
 */

import { checkMembers, type PrometheusTinySharedOptions } from "../options.ts";
import { sharedFile } from "../prometheus_tiny.ts";
import { MetricStore } from "./stores.ts";

/** Which store a registry shares with other workers, and how it is made if it is not there. */
export interface SharedStoreOptions extends
  Pick<
    PrometheusTinySharedOptions,
    "filename" | "initFile" | "cacheArgs" | "maxWorkers" | "maxSeries" | "onWarning"
  > {
  /** Instead of `filename`: the store that `sharedFile(name)` finds. */
  name?: string;
}

const known: Record<
  keyof SharedStoreOptions,
  ("string" | "boolean" | "number" | "object" | "function")[]
> = {
  filename: ["string", "object"],
  initFile: ["boolean"],
  cacheArgs: ["object"],
  maxWorkers: ["number"],
  maxSeries: ["number"],
  onWarning: ["function"],
  name: ["string"],
};

let privateStore: MetricStore | undefined;
const sharedStores = new Map<string, MetricStore>();

/** The store of everything that is not shared; made when it is first needed. */
export function openPrivateStore(): MetricStore {
  return privateStore ??= new MetricStore({});
}

/**
 * The store that options name: one for each file, whatever number of registries uses it.
 *
 * @throws {TypeError} if they name none, or two, or one is unknown
 * @throws {StoreError} if it cannot be opened
 */
export function openSharedStore(options: SharedStoreOptions): MetricStore {
  checkMembers("options", options, known);
  const { name, ...others } = options;
  if ((name === undefined) === (others.filename === undefined)) {
    const given = name === undefined ? "neither" : "both";
    throw new TypeError(`a shared registry needs a name or a filename: ${given} was given`);
  }
  const filename = name === undefined ? others.filename : sharedFile(name);
  const key = String(filename);
  let store = sharedStores.get(key);
  if (store === undefined) {
    sharedStores.set(key, store = new MetricStore({ ...others, filename }));
  }
  return store;
}

/** The store whose file a supervisor hands to its workers, if so and this one may look. */
export function openStoreOfEnvironment(): MetricStore | undefined {
  const variable = "PROMETHEUS_TINY_FILE";
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return undefined;
  const filename = Deno.env.get(variable);
  return filename ? openSharedStore({ filename }) : undefined;
}

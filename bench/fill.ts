/**
 * Stores with content, made the shortest way: benchmarks of scrapes are not about updates.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { labelPairs, seriesKey } from "../src/labels.ts";
import { Store } from "../src/store.ts";
import { temporaryPath } from "./paths.ts";

/** Counters with three labels, as an HTTP server has them. */
export function labelsOf(index: number): { method: string; path: string; status: string } {
  return {
    method: index % 2 ? "GET" : "POST",
    path: `/users/${index >> 2}`,
    status: index % 4 < 2 ? "200" : "404",
  };
}

/** What a series is increased by, for each worker. */
export function amountOf(index: number, fraction: number): number {
  return 1 + index % 1000 + fraction;
}

/** The name of all those counters. */
export const familyName = "http_requests_total";
const declaration = [
  '{"type":"counter"}',
  "-.c;{}",
  `# HELP ${familyName} Requests.\n# TYPE ${familyName} counter\n`,
  "# TYPE http_requests counter\n# HELP http_requests Requests.\n",
];

/** What a filled store should hold. */
export interface Content {
  readonly series: number;
  /** Workers that each have added to every series. */
  readonly shards: number;
  /** Added to every amount: 0 keeps values whole. */
  readonly fraction?: number;
  /** Room for more series, besides those. */
  readonly spare?: number;
}

const openOptions = {
  initFile: false,
  permissions: undefined,
  onWarning: (message: string) => {
    throw new Error(message);
  },
};

/** Attaches to a store. */
export function openStore(filename: string, options: { capacity?: number } = {}): Store {
  return new Store({ ...openOptions, filename, maxWorkers: undefined, capacity: options.capacity });
}

/** A store with content and the attachments whose shards have it. */
export class FilledStore implements Disposable {
  readonly path: string;
  /** Of its own, as one more worker. */
  readonly reader: Store;
  readonly #writers: Store[] = [];

  constructor({ series, shards, fraction = 0, spare = 0 }: Content) {
    this.path = temporaryPath(`store-${series}-${shards}`);
    const capacity = Math.max(64 * 2 ** 20, (series + spare) * 800);
    this.reader = new Store({
      ...openOptions,
      filename: this.path,
      maxWorkers: Math.max(64, shards + 8),
      capacity,
    });
    this.reader.check(
      native.declare(this.reader.attachment, familyName, declaration),
      "declare the family",
    );
    for (let shard = 0; shard < shards; shard++) {
      const store = openStore(this.path);
      this.#writers.push(store);
      addToAll(store, series, fraction);
    }
  }

  [Symbol.dispose](): void {
    for (const store of this.#writers) store.close();
    this.reader.close();
    Deno.removeSync(this.path);
  }
}

/** Adds to every series, as a worker that uses them all. */
export function addToAll(store: Store, series: number, fraction = 0): void {
  const lookUp = { create: true, timeoutMs: 0 };
  for (let i = 0; i < series; i++) {
    const key = seriesKey(familyName, labelPairs([], labelsOf(i), "legacy", () => {}));
    const handle = native.series(store.attachment, native.Kind.value, key, undefined, lookUp);
    const result = handle < 0
      ? handle
      : native.add(store.attachment, handle, amountOf(i, fraction));
    store.check(result, `add to ${key.printed}`);
  }
}

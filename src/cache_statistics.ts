/**
 * What a cache tells about itself, and as Prometheus series.
 *
 * @module
 */

import { type Labels, shown } from "./labels.ts";
import type { PrometheusTinyShared } from "./prometheus_tiny.ts";

/** What a cache tells about itself: of all workers, since its file was made. */
export interface CacheStatistics {
  /** Reads since the last clearing, by caches with `enableStats`. */
  readonly reads: number;
  /** Reads that found something. */
  readonly hits: number;
  /** Entries stored. */
  readonly writes: number;
  /** Entries there now; those that have expired are there until they are dropped. */
  readonly entries: number;
  /** What they take. */
  readonly bytes: number;
  /** Pages that ever held something. */
  readonly pagesUsed: number;
  /** Entries dropped for room before they expired. */
  readonly evictions: number;
  /** Expired entries dropped. */
  readonly expirations: number;
  /** Sets refused: too large, too old by their modseq, or for lack of space. */
  readonly refused: number;
  /** Times that a page was rebuilt. */
  readonly reorganised: number;
  /** Waits for a page's lock. */
  readonly lockWaits: number;
  /** Pages repaired after their worker died. */
  readonly repairs: number;
  /** Broken entries met. */
  readonly damage: number;
  /** Caches open now, over all processes and threads. */
  readonly workersLive: number;
}

type Series = readonly [member: keyof CacheStatistics, name: string, help: string];

const counters: readonly Series[] = [
  ["reads", "reads", "Reads of the cache."],
  ["hits", "hits", "Reads of the cache that found something."],
  ["writes", "writes", "Entries stored in the cache."],
  ["evictions", "evictions", "Entries dropped for room before they expired."],
  ["expirations", "expirations", "Expired entries dropped."],
  ["refused", "refused_writes", "Entries that the cache refused to store."],
  ["reorganised", "reorganised_pages", "Times that a page was rebuilt."],
  ["lockWaits", "lock_waits", "Waits for the lock of a page."],
  ["repairs", "repairs", "Pages repaired after their worker died."],
  ["damage", "damage", "Broken entries met."],
];

const gauges: readonly Series[] = [
  ["entries", "entries", "Entries in the cache."],
  ["bytes", "used_bytes", "Bytes that the entries take."],
  ["pagesUsed", "used_pages", "Pages that ever held something."],
  ["workersLive", "workers", "Caches open now."],
];

/** Sets the series of a cache to what its statistics are. */
export function publish(
  statistics: CacheStatistics,
  sizeBytes: number,
  prom: PrometheusTinyShared,
  labels: Labels,
): void {
  if (typeof prom?.declare !== "function" || typeof prom.set !== "function") {
    throw new TypeError(`metrics takes a PrometheusTinyShared, not ${shown(prom)}`);
  }
  for (const [member, name, help] of counters) {
    const full = `fast_mmap_${name}_total`;
    prom.declare(full, { help, type: "counter" });
    prom.set(full, statistics[member], labels);
  }
  for (const [member, name, help] of gauges) {
    const full = `fast_mmap_${name}`;
    prom.declare(full, { help, type: "gauge" });
    prom.set(full, statistics[member], labels);
  }
  prom.declare("fast_mmap_size_bytes", { help: "Size of the cache.", type: "gauge" });
  prom.set("fast_mmap_size_bytes", sizeBytes, labels);
}

/**
 * The cache that programs use.
 *
 * @module
 */

import { What } from "../ffi/cache_native.ts";
import * as native from "../ffi/cache_native.ts";
import { CacheAsync, type GetOrSetOptions, type LockOptions } from "./cache_async.ts";
import { CacheCore, type Update } from "./cache_core.ts";
import {
  details,
  type EntryDetails,
  getMany,
  type KeyDetails,
  keys,
  setInPage,
  setMany,
} from "./cache_many.ts";
import { checkCacheOptions, type FastMmapOptions, type Key } from "./cache_options.ts";
import { type CacheStatistics, publish } from "./cache_statistics.ts";
import type { ExpireTime } from "./expiry.ts";
import { type Labels, shown } from "./labels.ts";
import type { PrometheusTinyShared } from "./prometheus_tiny.ts";
import type { EntryInfo, SetOptions } from "./set_options.ts";

/** Caches with something to do when their thread ends. */
const closing = new Set<{ close(): void }>();

function closeAll(): void {
  for (const cache of closing) cache.close();
}

/** What `multiSet` takes: keys and values. */
export type Entries<V> = ReadonlyMap<Key, V | undefined> | Readonly<Record<string, V | undefined>>;

function pairsOf<V>(entries: unknown): Iterable<readonly [Key, V | undefined]> {
  if (entries instanceof Map) return entries;
  if (typeof entries === "object" && entries !== null && !(Symbol.iterator in entries)) {
    return Object.entries(entries);
  }
  throw new TypeError(`entries must be a Map or an object, not ${shown(entries)}`);
}

function isKey(value: unknown): value is Key {
  return typeof value === "string" || value instanceof Uint8Array;
}

/**
 * A cache that all workers on a machine share.
 *
 * Every object with the same `shareFile`, in whatever thread or process, sees the same entries. A `get`
 * takes no lock in the usual case. When a page is full, its expired entries go, then those
 * that were not used for longest.
 *
 * An object belongs to the thread that made it. All methods but `getOrSet`, `withLock` and `lock` are
 * synchronous.
 *
 * @typeParam V what the values are
 *
 * @example Values that expire
 * ```ts
 * import { FastMmap } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * using cache = new FastMmap<{ name: string }>({ expireTime: "10m" });
 * cache.set("user:7", { name: "Ada" });
 * cache.set("user:8", { name: "Bob" }, "1h");
 * assert.deepEqual(cache.get("user:7"), { name: "Ada" });
 * assert.equal(cache.get("user:9"), undefined);
 * ```
 *
 * @example Two workers, one cache
 * ```ts
 * import { FastMmap } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * using one = new FastMmap<number>();
 * using other = new FastMmap<number>({ shareFile: one.shareFile });
 * one.set("answer", 42);
 * assert.equal(other.get("answer"), 42);
 * ```
 */
export class FastMmap<V = unknown> implements Disposable, Iterable<Key> {
  readonly #core: CacheCore<V>;
  readonly #async: CacheAsync<V>;
  readonly #emptyOnExit: boolean;

  /**
   * Opens the cache, and makes it if it is not there.
   *
   * @param options which cache, and how
   * @throws {TypeError | RangeError} if an option is unknown or not valid
   * @throws {StoreError} if the cache cannot be opened; `GEOMETRY` if its file has other pages than asked
   * for
   */
  // deno-lint-ignore no-explicit-any -- the context's type matters to the callbacks only
  constructor(options: FastMmapOptions<V, any> = {}) {
    const checked = checkCacheOptions(options);
    this.#core = new CacheCore(options, checked);
    this.#async = new CacheAsync(this.#core);
    this.#emptyOnExit = checked.emptyOnExit;
    if (this.#emptyOnExit || this.#core.store.unlinksOnExit) {
      if (closing.size === 0) globalThis.addEventListener("unload", closeAll);
      closing.add(this);
    }
  }

  /** The cache's file. */
  get shareFile(): string {
    return this.#core.store.shareFile;
  }

  /** How many pages it has. */
  get numPages(): number {
    return this.#core.store.numPages;
  }

  /** Bytes of a page. */
  get pageSize(): number {
    return this.#core.store.pageSize;
  }

  /** Bytes of all pages. */
  get cacheSize(): number {
    return this.numPages * this.pageSize;
  }

  /**
   * The value of a key; on a miss, what `readCb` gives.
   *
   * With the serializer `raw`, small values may share one ArrayBuffer.
   *
   * @param key the key
   * @param info filled in with what is known of the entry; emptied on a miss
   * @returns undefined if there is none
   * @throws {StoreError} `LOCKED` inside `readCb` or the function of `getAndSet`; `CLOSED`
   */
  get(key: Key, info?: EntryInfo): V | undefined {
    return this.#core.get(key, info);
  }

  /**
   * Copies a value's bytes, as its serializer has made them, into a buffer. Allocates nothing.
   *
   * @param key the key
   * @param buffer where to; if the value does not fit, nothing is copied
   * @returns how many bytes the value has; undefined if there is none
   * @throws {StoreError} as `get`
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<Uint8Array>({ serializer: "raw" });
   * cache.set("key", new Uint8Array([1, 2, 3]));
   * const buffer = new Uint8Array(1024);
   * assert.equal(cache.getInto("key", buffer), 3);
   * assert.deepEqual([...buffer.subarray(0, 3)], [1, 2, 3]);
   * ```
   */
  getInto(key: Key, buffer: Uint8Array<ArrayBuffer>): number | undefined {
    return this.#core.getInto(key, buffer);
  }

  /**
   * Stores a value. `undefined` is a value, too.
   *
   * @param key the key
   * @param value the value
   * @param options when it expires, and its modseq; a number or text is an `expireTime`
   * @returns whether it is stored: false if an empty page could not hold it, or something newer is there
   * @throws {TypeError | RangeError} if the key, the value or an option is not valid
   * @throws {StoreError} `LOCKED` inside `readCb` or the function of `getAndSet`; `LOCK_TIMEOUT`;
   * `NO_SPACE`; `CLOSED`
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<string>();
   * assert.equal(cache.set("greeting", "hello", { expireTime: "5m" }), true);
   * assert.equal(cache.set("greeting", "hello", "now"), true);
   * assert.equal(cache.get("greeting"), undefined);
   * ```
   */
  set(key: Key, value: V | undefined, options?: SetOptions | ExpireTime): boolean {
    return this.#core.set(key, value, options);
  }

  /**
   * Changes a value while nobody else can. The page is locked while the function runs: it must be
   * quick and must not use this cache.
   *
   * @param key the key
   * @param update gets the key, its value and what is known of its entry; returns `[value]` or
   * `[value, options]` to store, or nothing to leave it as it is
   * @returns the value (the old one if nothing was to be stored), and whether it is stored
   * @throws whatever the function throws; as `set`
   *
   * @example A counter
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<number>();
   * const increment = () => cache.getAndSet("visits", (_key, count = 0) => [count + 1]);
   * increment();
   * assert.deepEqual(increment(), [2, true]);
   * ```
   */
  getAndSet(key: Key, update: Update<V>): [value: V | undefined, stored: boolean] {
    return this.#core.getAndSet(key, update);
  }

  /**
   * Reads a value and removes it, while nobody else can change it.
   *
   * @param key the key
   * @returns the value, or what `readCb` gives; and whether there was something to remove
   */
  getAndRemove(key: Key): [value: V | undefined, removed: boolean] {
    return this.#core.getAndRemove(key);
  }

  /**
   * Removes an entry.
   *
   * With a `modseq`, it leaves a trace (a tombstone) that refuses sets without a modseq or with an older
   * one, until the trace expires: whoever has read an older state elsewhere cannot bring it back.
   *
   * @param key the key
   * @param options the number of the change that removes it, and when the trace expires
   * @returns whether there was something to remove; with a `modseq` whether the removal holds
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<string>({ tombstoneExpireTime: "1m" });
   * cache.set("user:7", "old name", { modseq: 4 });
   * cache.remove("user:7", { modseq: 5 });
   * assert.equal(cache.set("user:7", "old name", { modseq: 4 }), false); // it comes too late
   * assert.equal(cache.set("user:7", "new name", { modseq: 5 }), true);
   * ```
   */
  remove(key: Key, options?: SetOptions): boolean {
    return this.#core.remove(key, options);
  }

  /**
   * Whether there is an entry. Never asks `readCb`.
   *
   * @param key the key
   */
  exists(key: Key): boolean {
    return this.#core.exists(key);
  }

  /**
   * Lets an entry expire now: it is removed, and with `write_back` written if it was changed.
   *
   * @param key the key
   * @returns whether there was one
   */
  expire(key: Key): boolean {
    return this.#core.expire(key);
  }

  /** Drops every entry; nothing is written back. */
  clear(): void {
    this.#core.drop(What.all);
  }

  /** Drops expired entries; nothing is written back. */
  purge(): void {
    this.#core.drop(What.expired);
  }

  /**
   * Drops every entry; with `write_back`, changed ones are written first.
   *
   * @param onlyExpired drop only expired ones
   */
  empty(onlyExpired = false): void {
    this.#core.empty(onlyExpired ? What.expired : What.all);
  }

  /** Every key as it was set. */
  getKeys(mode?: 0): Key[];
  /** Every key, and what is known of its entry. */
  getKeys(mode: 1): KeyDetails[];
  /** Every key, its value, and what is known of its entry. */
  getKeys(mode: 2): EntryDetails<V>[];
  getKeys(mode: 0 | 1 | 2 = 0): Key[] | KeyDetails[] | EntryDetails<V>[] {
    if (mode === 0) return [...keys(this.#core)];
    if (mode === 1 || mode === 2) return details(this.#core, mode);
    throw new TypeError(
      `mode must be 0 (keys), 1 (details) or 2 (values, too), not ${shown(mode)}`,
    );
  }

  /**
   * Every key, a page at a time. No lock is held while the caller runs, so keys set or removed meanwhile
   * may or may not be among them.
   *
   * @returns an iterator
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<number>();
   * cache.set("a", 1);
   * cache.set("b", 2);
   * for (const key of cache.keys()) cache.remove(key);
   * assert.deepEqual([...cache], []);
   * ```
   */
  keys(): IterableIterator<Key> {
    return keys(this.#core);
  }

  /** As {@linkcode FastMmap.keys}. */
  [Symbol.iterator](): IterableIterator<Key> {
    return keys(this.#core);
  }

  /**
   * The values of many keys, in one call to the library. Never asks `readCb`.
   *
   * @param keys the keys
   * @returns those that there are
   */
  multiGet(keys: Iterable<Key>): Map<Key, V>;
  /**
   * The values of many keys that lie in one page, under one lock.
   *
   * @param pageKey the key that chooses the page, as it was given to `multiSet`
   * @param keys the keys
   * @returns those that there are
   */
  multiGet(pageKey: Key, keys: Iterable<Key>): Map<Key, V>;
  multiGet(first: Key | Iterable<Key>, second?: Iterable<Key>): Map<Key, V> {
    if (second !== undefined && isKey(first)) return getMany(this.#core, first, second);
    if (second === undefined && !isKey(first)) return getMany(this.#core, undefined, first);
    throw new TypeError("multiGet takes a list of keys, or a page's key and a list of keys");
  }

  /**
   * Stores many values as `set` would, in one call to the library.
   *
   * @param entries the keys and values
   * @param options as for `set`, for all of them
   * @returns how many are stored
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<number>();
   * assert.equal(cache.multiSet(new Map([["a", 1], ["b", 2]])), 2);
   * assert.deepEqual(cache.multiGet(["a", "b", "c"]), new Map([["a", 1], ["b", 2]]));
   * ```
   */
  multiSet(entries: Entries<V>, options?: SetOptions | ExpireTime): number;
  /**
   * Stores many values in one page, under one lock, so that one `multiGet` reads them. They are stored as
   * `pageKey-key`. They are never changed entries for `write_back`, and call no `writeCb`.
   *
   * @param pageKey the key that chooses the page
   * @param entries the keys and values
   * @param options when they expire
   * @returns true
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<string>();
   * cache.multiSet("user:7", { name: "Ada", city: "London" }, "1h");
   * assert.equal(cache.multiGet("user:7", ["name", "phone"]).get("name"), "Ada");
   * ```
   */
  multiSet(pageKey: Key, entries: Entries<V>, options?: SetOptions | ExpireTime): true;
  multiSet(
    first: Key | Entries<V>,
    second?: Entries<V> | SetOptions | ExpireTime,
    third?: SetOptions | ExpireTime,
  ): number | true {
    if (!isKey(first)) {
      return setMany(this.#core, pairsOf(first), second as SetOptions | ExpireTime);
    }
    setInPage(this.#core, first, pairsOf(second), third);
    return true;
  }

  /**
   * The value of a key; on a miss, what `load` gives. Of all workers on the machine that ask for it, one
   * loads it while the others wait; when that one dies, another takes over.
   *
   * A value of `undefined` is not stored. What `load` throws is thrown by the calls that wait for it in
   * this thread; other workers then try for themselves.
   *
   * @param key the key
   * @param load gives the value
   * @param options when it expires, how long to wait, and whether an old value may be used meanwhile
   * @returns the value
   * @throws {StoreError} `LOCK_TIMEOUT` if another worker's load takes too long
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap<string>();
   * let loads = 0;
   * const page = () =>
   *   cache.getOrSet("/index.html", async () => {
   *     loads++;
   *     return await Promise.resolve("<h1>Hello</h1>");
   *   }, { expireTime: "1m", stale: "1h" });
   * assert.deepEqual(await Promise.all([page(), page()]), ["<h1>Hello</h1>", "<h1>Hello</h1>"]);
   * assert.equal(loads, 1);
   * ```
   */
  getOrSet(
    key: Key,
    load: (key: Key) => V | undefined | Promise<V | undefined>,
    options?: GetOrSetOptions,
  ): Promise<V | undefined> {
    return this.#async.getOrSet(key, load, options);
  }

  /**
   * Runs a function while no other worker on the machine runs one under the same name. The system
   * frees the lock when its holder ends, however it ends. A lock that is held cannot be taken again by its
   * holder. Two names may, rarely, share a lock.
   *
   * @param name what to lock; it has nothing to do with keys
   * @param work the function
   * @param options how long to wait
   * @returns what the function returns
   * @throws {StoreError} `LOCK_TIMEOUT`
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap();
   * const result = await cache.withLock("nightly", () => "done", { timeout: 500 });
   * assert.equal(result, "done");
   * ```
   */
  withLock<T>(name: string, work: () => T | Promise<T>, options?: LockOptions): Promise<T> {
    return this.#async.withLock(name, work, options);
  }

  /**
   * Takes the lock of `withLock`, until it is disposed.
   *
   * @param name what to lock
   * @param options how long to wait
   * @returns the lock, for `using`
   * @throws {StoreError} `LOCK_TIMEOUT`
   *
   * @example
   * ```ts
   * import { FastMmap } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap();
   * {
   *   using _lock = await cache.lock("nightly");
   *   await assert.rejects(cache.lock("nightly", { timeout: 0 }), { code: "LOCK_TIMEOUT" });
   * }
   * using _again = await cache.lock("nightly", { timeout: 0 });
   * ```
   */
  lock(name: string, options?: LockOptions): Promise<Disposable> {
    return this.#async.lock(name, options);
  }

  /**
   * What the cache tells about itself.
   *
   * @param clear let reads and hits count from 0 after this, for all workers
   */
  getStatistics(clear = false): CacheStatistics {
    const statistics = native.statistics(this.#core.store.attachment, clear);
    if (typeof statistics === "number") {
      throw this.#core.store.failure(statistics, "read its statistics");
    }
    return statistics;
  }

  /**
   * Publishes the statistics as Prometheus series `fast_mmap_...`, as they are now. Call it before a
   * scrape is answered.
   *
   * @param prom where to
   * @param labels tell one cache from another
   *
   * @example
   * ```ts
   * import { FastMmap, PrometheusTinyShared } from "prometheus-tiny-shared";
   * import assert from "node:assert/strict";
   *
   * using cache = new FastMmap();
   * using prom = new PrometheusTinyShared();
   * cache.set("key", "value");
   * cache.metrics(prom, { cache: "pages" });
   * assert.match(prom.format(), /^fast_mmap_entries\{cache="pages"\} 1$/m);
   * ```
   */
  metrics(prom: PrometheusTinyShared, labels: Labels = {}): void {
    publish(this.getStatistics(), this.cacheSize, prom, labels);
  }

  /**
   * Detaches from the cache, after `empty()` with `emptyOnExit`; with `unlinkOnExit` the file is removed
   * if it is still the one that was opened. Closing again does nothing; any other call after it
   * throws a {@linkcode StoreError}.
   */
  close(): void {
    if (!this.#core.store.isOpen) return;
    closing.delete(this);
    try {
      if (this.#emptyOnExit) this.empty();
    } finally {
      this.#core.store.close();
    }
  }

  /** As {@linkcode FastMmap.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }
}

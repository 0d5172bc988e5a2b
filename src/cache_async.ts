/**
 * What waits: locks by name over all processes and threads, and values that only one of them computes.
 *
 * A named lock is a lock of the operating system's, which frees it when its holder ends, however it ends:
 * there is nothing to take over and nothing to repair. Waiting is polling, because the kernel wakes
 * nobody up without a thread that sleeps.
 *
 * @module
 */

import * as native from "../ffi/cache_native.ts";
import type { CacheCore } from "./cache_core.ts";
import type { Key } from "./cache_options.ts";
import type { CacheStore } from "./cache_store.ts";
import { failures, StoreError } from "./errors.ts";
import { defaultLifetime, type ExpireTime } from "./expiry.ts";
import { shown } from "./labels.ts";
import { askedBy, checkOptions, isGiven, type SetOptions } from "./set_options.ts";

/** How long to wait. */
export interface LockOptions {
  /**
   * Milliseconds; `Infinity` is allowed.
   *
   * @default {10000}
   */
  timeout?: number;
}

/** Options of `getOrSet`; `expireTime`, `expireOn` and `modseq` are as for `set`. */
export interface GetOrSetOptions extends SetOptions {
  /**
   * While somebody else loads the value, return the old one if it has expired for at most so long:
   * seconds, or text such as `"1h"`; `true` is however long. By default, wait for the new one.
   *
   * @default {false}
   */
  stale?: ExpireTime | boolean;
  /**
   * The longest time to wait for another worker's load, in milliseconds.
   *
   * @default {30000}
   */
  timeout?: number;
}

const LOCK_TIMEOUT_MS = 10_000;
const LOAD_TIMEOUT_MS = 30_000;
const FIRST_POLL_MS = 1;
const LONGEST_POLL_MS = 8;

function checkTimeout(timeout: unknown, byDefault: number): number {
  if (!isGiven(timeout)) return byDefault;
  if (typeof timeout === "number" && timeout >= 0) return timeout;
  throw new RangeError(`timeout must be milliseconds, 0 or more, not ${shown(timeout)}`);
}

function checkFunction(what: string, value: unknown): void {
  if (typeof value !== "function") {
    throw new TypeError(`${what} must be a function, not ${shown(value)}`);
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Tries again and again, less and less often, until it gives something or the time is over. */
async function poll<T>(attempt: () => T | undefined, deadline: number): Promise<T | undefined> {
  let pause = FIRST_POLL_MS;
  while (true) {
    const result = attempt();
    if (result !== undefined) return result;
    const left = deadline - performance.now();
    if (left <= 0) return undefined;
    // A random part keeps workers that began together from asking together.
    await sleep(Math.min(pause * (0.5 + Math.random() / 2), left));
    pause = Math.min(pause * 2, LONGEST_POLL_MS);
  }
}

/** A lock that is held. */
class HeldLock implements Disposable {
  readonly #store: CacheStore;
  readonly #holder: number;
  readonly #released: () => void;
  #isHeld = true;

  constructor(store: CacheStore, holder: number, released: () => void) {
    this.#store = store;
    this.#holder = holder;
    this.#released = released;
  }

  /** Idempotent; a closed cache has no locks left to release. */
  [Symbol.dispose](): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    native.namedRelease(this.#store.attachment, this.#holder);
    this.#released();
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One text for a key, however it is given: text and its UTF-8 are the same key. */
function identity(key: Key): string {
  if (typeof key === "string") return key;
  try {
    return utf8.decode(key);
  } catch {
    return new TextDecoder("latin1").decode(key) + "\0bytes";
  }
}

const LOCK_PREFIX = "lock ";
const LOAD_PREFIX = "load ";

/** The named locks of one cache object, and the loads that run for it. */
export class CacheAsync<V> {
  readonly #core: CacheCore<V>;
  /** Who comes last for a name here: one waiter of a thread polls, in the order they came. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #loads = new Map<string, Promise<V | undefined>>();

  constructor(core: CacheCore<V>) {
    this.#core = core;
  }

  /** A holder's number, or undefined if somebody else holds the lock. */
  #try(name: string): number | undefined {
    const { store } = this.#core;
    const result = native.namedTry(store.attachment, name);
    if (result === failures.LOCKED[0]) return undefined;
    return store.check(result, "take a named lock");
  }

  async lock(name: string, options: LockOptions = {}): Promise<Disposable> {
    if (typeof name !== "string") {
      throw new TypeError(`a lock's name must be a string, not ${shown(name)}`);
    }
    const { timeout: given } = checkOptions<LockOptions>("options", options, ["timeout"]);
    const timeout = checkTimeout(given, LOCK_TIMEOUT_MS);
    const deadline = performance.now() + timeout;
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#queues.get(name);
    const mine = before === undefined ? promise : before.then(() => promise);
    this.#queues.set(name, mine);
    const leave = () => {
      resolve();
      if (this.#queues.get(name) === mine) this.#queues.delete(name);
    };
    try {
      const isFirst = before === undefined || await comesBefore(before, deadline);
      const holder = isFirst
        ? await poll(() => this.#try(LOCK_PREFIX + name), deadline)
        : undefined;
      if (holder !== undefined) return new HeldLock(this.#core.store, holder, leave);
    } catch (error) {
      leave();
      throw error;
    }
    leave();
    throw new StoreError(
      "LOCK_TIMEOUT",
      `cannot take the lock ${shown(name)} of the cache ${this.#core.store.shareFile} within ` +
        `${timeout} ms: another worker holds it; wait longer (timeout), or find out what it does`,
    );
  }

  async withLock<T>(name: string, work: () => T | Promise<T>, options?: LockOptions): Promise<T> {
    checkFunction("the second argument", work);
    using _lock = await this.lock(name, options);
    return await work();
  }

  async getOrSet(
    key: Key,
    load: (key: Key) => V | undefined | Promise<V | undefined>,
    options: GetOrSetOptions = {},
  ): Promise<V | undefined> {
    checkFunction("load", load);
    checkLoadOptions(options);
    const hit = this.#find(key, true);
    if (hit !== undefined) return hit.value;
    const id = identity(key);
    let loading = this.#loads.get(id);
    const holder = loading === undefined ? this.#try(LOAD_PREFIX + id) : undefined;
    if (holder === undefined) {
      // Somebody loads it, here or elsewhere.
      const old = this.#stale(key, options);
      if (old !== undefined) return old.value;
    }
    if (loading === undefined) {
      loading = this.#loadOnce(key, id, load, options, holder)
        .finally(() => this.#loads.delete(id));
      this.#loads.set(id, loading);
    }
    return await loading;
  }

  #find(key: Key, counts: boolean): { value: V | undefined } | undefined {
    if (counts && !this.#core.exists(key)) return undefined;
    const entry = this.#core.peek(key);
    return entry !== undefined && entry.expiredFor < 0 ? entry : undefined;
  }

  /** The value as soon as another worker has it, or this one has been free to load it. */
  async #loadOnce(
    key: Key,
    id: string,
    load: (key: Key) => V | undefined | Promise<V | undefined>,
    { timeout: given, stale: _, ...setOptions }: GetOrSetOptions,
    holder: number | undefined,
  ): Promise<V | undefined> {
    const timeout = checkTimeout(given, LOAD_TIMEOUT_MS);
    const outcome = holder ?? await poll<{ value: V | undefined } | number>(() => {
      return this.#find(key, false) ?? this.#try(LOAD_PREFIX + id);
    }, performance.now() + timeout);
    if (outcome === undefined) {
      throw new StoreError(
        "LOCK_TIMEOUT",
        `cannot get or set ${shown(key)} in the cache ${this.#core.store.shareFile} within ` +
          `${timeout} ms: another worker is still loading it; wait longer (timeout)`,
      );
    }
    if (typeof outcome !== "number") return outcome.value;
    using _lock = new HeldLock(this.#core.store, outcome, () => {});
    // It may have come between the look and the lock.
    const hit = this.#find(key, false);
    if (hit !== undefined) return hit.value;
    const value = await load(key);
    if (value !== undefined) this.#core.set(key, value, setOptions);
    return value;
  }

  #stale(key: Key, { stale }: GetOrSetOptions): { value: V | undefined } | undefined {
    if (!isGiven(stale)) return undefined;
    const entry = this.#core.peek(key);
    return entry !== undefined && entry.expiredFor <= longestStale(stale) ? entry : undefined;
  }
}

const loadMembers = ["expireTime", "expireOn", "modseq", "stale", "timeout"];

/** Before anything is loaded: what is wrong with the options must not cost a load. */
function checkLoadOptions(options: GetOrSetOptions): void {
  const { timeout, stale, ...rest } = checkOptions<GetOrSetOptions>(
    "options",
    options,
    loadMembers,
  );
  checkTimeout(timeout, LOAD_TIMEOUT_MS);
  if (isGiven(stale)) longestStale(stale);
  askedBy(rest, 0);
}

/** For how many seconds an old value may have been expired. */
function longestStale(stale: ExpireTime | boolean): number {
  if (typeof stale === "boolean") return stale ? Infinity : -1;
  return stale === "never" ? Infinity : defaultLifetime(stale);
}

/** Whether a promise is settled before a deadline; it never fails. */
async function comesBefore(promise: Promise<void>, deadline: number): Promise<boolean> {
  const left = deadline - performance.now();
  if (left === Infinity) return await promise.then(() => true);
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), Math.min(Math.max(left, 0), 2 ** 31 - 1));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

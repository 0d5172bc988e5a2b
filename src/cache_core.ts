/**
 * Entries one at a time: what is read, stored and removed, and which callbacks that calls.
 *
 * @module
 */

import * as native from "../ffi/cache_native.ts";
import { victims as dirtyVictims } from "../ffi/cache_packed.ts";
import type { CheckedCacheOptions, FastMmapOptions, Key } from "./cache_options.ts";
import { CacheStore } from "./cache_store.ts";
import { type Encoded, encodedBytes, Kept, keyFlag, keyOf, Values } from "./cache_values.ts";
import { failures } from "./errors.ts";
import { DEFAULT_EXPIRY, expireOnBy, type ExpireTime } from "./expiry.ts";
import { shown } from "./labels.ts";
import { isRaw } from "./serializers.ts";
import {
  type Asked,
  askedBy,
  checkOptions,
  type EntryInfo,
  isGiven,
  nothingAsked,
  type SetOptions,
  shownModseq,
} from "./set_options.ts";

const { Flag, Stored, What } = native;
const NOT_FOUND = failures.NOT_FOUND[0];

/** The function of `getAndSet`: returns the new value and how to set it, or nothing. */
export type Update<V> = (
  key: Key,
  value: V | undefined,
  info: EntryInfo,
) => readonly [value: V | undefined, options?: SetOptions] | undefined | void;

/** What a read has found, under a lock. */
interface Found<V> {
  readonly value: V | undefined;
  readonly info: EntryInfo;
}

/** One cache's entries. */
export class CacheCore<V> {
  readonly store: CacheStore;
  readonly values: Values<V>;
  readonly now: () => number;
  readonly lifetime: number;
  /** Whether changed entries are written when they leave; to nobody without a `writeCb`. */
  readonly writeBack: boolean;
  /** The flags of each set: DIRTY, and that dirty ones are not to be dropped unwritten. */
  readonly setFlags: number;
  readonly #raw: boolean;
  readonly #options: FastMmapOptions<V>;
  readonly #checked: CheckedCacheOptions;

  constructor(options: FastMmapOptions<V>, checked: CheckedCacheOptions) {
    this.#options = options;
    this.#checked = checked;
    this.store = new CacheStore(checked);
    this.values = new Values(checked.codec, checked.compression);
    this.now = checked.now;
    this.lifetime = checked.lifetime;
    this.writeBack = checked.writeBack;
    this.setFlags = (checked.writeBack ? Kept.dirty : 0) | this.spareDirty;
    this.#raw = isRaw(checked.codec);
  }

  /** The flag for calls that may evict. */
  get spareDirty(): number {
    return this.writesBack ? Flag.writeBack : 0;
  }

  get writesBack(): boolean {
    return this.writeBack && this.#options.writeCb !== undefined;
  }

  // ---- reading

  get(key: Key, info?: EntryInfo): V | undefined {
    const { attachment } = this.store;
    const length = native.putKey(key);
    if (this.#raw) {
      const bytes = native.getOwned(attachment, length, this.now(), 0);
      if (typeof bytes === "number") return this.#missed(key, bytes, info);
      const { flags } = native.entry;
      if (info !== undefined) fillIn(info);
      return flags <= Kept.textKey + Kept.dirty ? bytes as V : this.values.decode(bytes, flags); // undefined, compressed
    }
    const result = native.get(attachment, length, this.now(), 0);
    if (result < 0) return this.#missed(key, result, info);
    if (info !== undefined) fillIn(info);
    return this.#decodeScratch(result);
  }

  #decodeScratch(length: number): V | undefined {
    return this.values.decodeLent(native.scratch.bytes.subarray(0, length), native.entry.flags);
  }

  #missed(key: Key, result: number, info?: EntryInfo): V | undefined {
    if (info !== undefined) clear(info);
    if (result !== NOT_FOUND) throw this.store.failure(result, "get an entry");
    if (this.#options.readCb === undefined) return undefined;
    return this.store.locked(key, "get an entry", () => {
      const found = this.#readHeld(key, Flag.peek);
      if (info !== undefined) Object.assign(info, found.info);
      return found.value;
    });
  }

  /** Reads an entry, or what `readCb` gives for it, from the page that is locked. */
  #readHeld(key: Key, flags: number): Found<V> {
    let hit = this.#findHeld(key, flags);
    if (hit !== undefined) return hit;
    if (this.#options.readCb === undefined) return { value: undefined, info: {} };
    if (this.writesBack && this.#writeExpired(key)) hit = this.#findHeld(key, Flag.peek);
    return hit ?? { value: this.#readThrough(key, this.#options.readCb), info: {} };
  }

  #findHeld(key: Key, flags: number): Found<V> | undefined {
    const { attachment } = this.store;
    const result = native.get(attachment, native.putKey(key), this.now(), Flag.held | flags);
    if (result === NOT_FOUND) return undefined;
    this.store.check(result, "get an entry");
    const info: EntryInfo = {};
    fillIn(info);
    return { value: this.#decodeScratch(result), info };
  }

  /** Writes an expired dirty value: `readCb` must not be asked for it before. */
  #writeExpired(key: Key): boolean {
    const { attachment } = this.store;
    const length = native.putKey(key);
    const flags = Flag.held | Flag.peek | Flag.expiredToo;
    const result = native.get(attachment, length, this.now(), flags);
    if (result < 0 || (native.entry.flags & Kept.dirty) === 0) return false;
    const { expireOn } = native.entry;
    const value = native.scratch.bytes.slice(0, result);
    const entryFlags = native.entry.flags;
    native.remove(attachment, length, Flag.held);
    this.store.unlocked(key, "write an expired entry", () => {
      this.#writeBytes(key, value, entryFlags, expireOn);
    });
    return true;
  }

  #readThrough(key: Key, readCb: NonNullable<FastMmapOptions<V>["readCb"]>): V | undefined {
    const { allowRecursive, cacheNotFound, context } = this.#options;
    const value = allowRecursive
      ? this.store.unlocked(key, "get an entry", () => readCb(context, key))
      : readCb(context, key);
    if (value !== undefined || cacheNotFound) {
      const now = this.now();
      const expireOn = expireOnBy(this.lifetime, now);
      this.put(key, this.values.encode(value), now, expireOn, Flag.held | this.spareDirty);
    }
    return value;
  }

  /** The bytes of a value into a buffer: their number, or undefined. */
  getInto(key: Key, buffer: Uint8Array<ArrayBuffer>): number | undefined {
    if (!(buffer instanceof Uint8Array)) {
      throw new TypeError(`getInto's buffer must be a Uint8Array, not ${shown(buffer)}`);
    }
    const length = native.putKey(key);
    const result = native.getInto(this.store.attachment, length, this.now(), 0, buffer);
    if (result < 0) {
      const value = this.#missed(key, result);
      if (value === undefined) return undefined;
      return copyTo(buffer, encodedBytes(this.values.encode(value)));
    }
    const { flags } = native.entry;
    if (flags <= Kept.textKey + Kept.dirty) return result;
    if ((flags & Kept.undefinedValue) !== 0) return undefined;
    const all = native.get(this.store.attachment, length, this.now(), Flag.peek);
    if (all < 0) return undefined; // it has gone meanwhile
    const bytes = native.scratch.bytes.slice(0, all);
    return copyTo(buffer, this.values.plain(bytes, native.entry.flags));
  }

  exists(key: Key): boolean {
    const result = native.exists(this.store.attachment, native.putKey(key), this.now(), 0);
    return result === NOT_FOUND ? false : this.store.check(result, "look for an entry") >= 0;
  }

  /** A value that may have expired, and for how many seconds; without counting it as read. */
  peek(key: Key): { value: V | undefined; expiredFor: number } | undefined {
    const now = this.now();
    const flags = Flag.peek | Flag.expiredToo;
    const result = native.get(this.store.attachment, native.putKey(key), now, flags);
    if (result === NOT_FOUND) return undefined;
    this.store.check(result, "get an entry");
    const { expireOn } = native.entry;
    const expiredFor = expireOn === 0 || now < expireOn ? -1 : now - expireOn;
    return { value: this.#decodeScratch(result), expiredFor };
  }

  // ---- storing

  set(key: Key, value: V | undefined, options?: SetOptions | ExpireTime | null): boolean {
    const encoded = this.values.encode(value);
    const now = this.now();
    const asked = isGiven(options) ? askedBy(options, now) : nothingAsked;
    return this.stored(key, value, asked, this.#set(key, encoded, now, asked, 0));
  }

  #set(key: Key, encoded: Encoded, now: number, asked: Asked, flags: number): number {
    const { expireOn } = asked;
    const on = expireOn === DEFAULT_EXPIRY ? expireOnBy(this.lifetime, now) : expireOn;
    return this.put(key, encoded, now, on, this.setFlags | flags, asked.modseq);
  }

  /** Calls `writeCb` after a set where it has to be; whether the value is in the cache. */
  stored(key: Key, value: V | undefined, asked: Asked, result: number): boolean {
    const isStored = result === Stored.stored;
    if (this.#options.writeCb !== undefined) {
      if (!(this.writeBack && isStored) && result !== Stored.refused) {
        this.#write(key, value, asked.expireOn);
      }
    }
    return isStored;
  }

  /** pts_cache_set, with what write-back makes of it: one of {@linkcode Stored}. */
  put(
    key: Key,
    { value, flags: valueFlags }: Encoded,
    now: number,
    expireOn: number,
    callFlags: number,
    modseq?: bigint,
  ): number {
    const flags = valueFlags | keyFlag(key) | callFlags;
    const { attachment } = this.store;
    let length = native.putKey(key);
    let bytes = typeof value === "string" ? native.putText(value) : value;
    let result = native.set(attachment, length, bytes, now, expireOn, flags, modseq);
    if (result === Stored.dirtyFirst) {
      try {
        this.writeVictims(What.forRoom, now);
        length = native.putKey(key);
        bytes = typeof value === "string" ? native.putText(value) : value;
        const again = flags & ~Flag.writeBack | Flag.held;
        result = native.set(this.store.attachment, length, bytes, now, expireOn, again, modseq);
      } finally {
        if ((flags & Flag.held) === 0) native.unlock(this.store.attachment);
      }
    }
    return result >= 0 ? result : this.store.check(result, "store an entry");
  }

  getAndSet(key: Key, update: Update<V>): [value: V | undefined, stored: boolean] {
    if (typeof update !== "function") {
      throw new TypeError(`getAndSet's second argument must be a function, not ${shown(update)}`);
    }
    let asked = nothingAsked;
    const { value, result } = this.store.locked(key, "get and set an entry", () => {
      const found = this.#readHeld(key, 0);
      const answer: unknown = update(key, found.value, found.info);
      if (answer === undefined) return { value: found.value, result: undefined };
      const [value, options] = checkAnswer<V>(answer);
      const now = this.now();
      if (isGiven(options)) {
        asked = askedBy(checkOptions("options from getAndSet's function", options), now);
      }
      return { value, result: this.#set(key, this.values.encode(value), now, asked, Flag.held) };
    });
    return [value, result !== undefined && this.stored(key, value, asked, result)];
  }

  // ---- removing

  getAndRemove(key: Key): [value: V | undefined, removed: boolean] {
    const [value, removed] = this.store.locked(key, "get and remove an entry", () => {
      const { value } = this.#readHeld(key, 0);
      return [value, this.#removeNow(key, Flag.held)] as const;
    });
    return [value, this.#removed(key, removed)];
  }

  remove(key: Key, options?: SetOptions): boolean {
    const now = this.now();
    const asked = isGiven(options) ? checkOptions("options of remove", options) : {};
    const { expireOn, modseq } = askedBy(asked, now);
    if (modseq === undefined) return this.#removed(key, this.#removeNow(key, 0));
    // The original's -1 is the lifetime of entries, also here.
    const lifetime = isGiven(asked.expireOn) ? this.lifetime : this.#checked.tombstoneLifetime;
    const on = expireOn === DEFAULT_EXPIRY ? expireOnBy(lifetime, now) : expireOn;
    const none = { value: new Uint8Array(0), flags: 0 };
    const flags = Flag.tombstone | this.spareDirty;
    const result = this.put(key, none, now, on, flags, modseq);
    this.#delete(key);
    return result === Stored.stored || result === Stored.kept;
  }

  #removeNow(key: Key, flags: number): boolean {
    const { attachment } = this.store;
    const result = native.remove(attachment, native.putKey(key), flags);
    return this.store.check(result, "remove an entry") === 1;
  }

  /** Calls `deleteCb` unless what is under the cache has never seen the entry. */
  #removed(key: Key, removed: boolean): boolean {
    if (!removed || (native.removedFlags() & Kept.dirty) === 0) this.#delete(key);
    return removed;
  }

  #delete(key: Key): void {
    const { deleteCb, context } = this.#options;
    if (deleteCb !== undefined) this.#guarded(() => deleteCb(context, key));
  }

  expire(key: Key): boolean {
    const result = native.take(this.store.attachment, native.putKey(key), this.now(), 0);
    if (result === NOT_FOUND) return false;
    this.store.check(result, "expire an entry");
    const { flags, expireOn } = native.entry;
    if ((flags & Kept.dirty) !== 0 && this.#options.writeCb !== undefined) {
      this.#writeBytes(key, native.scratch.bytes.slice(0, result), flags, expireOn);
    }
    return true;
  }

  /** Drops entries of every page; `what` is one of `native.What`. */
  drop(what: number): void {
    const { attachment } = this.store;
    this.store.check(native.expunge(attachment, undefined, what, this.now(), 0), "drop entries");
  }

  /** As {@linkcode CacheCore.drop}, but writes dirty ones first. */
  empty(what: number): void {
    if (!this.writesBack) return this.drop(what);
    for (let page = 0; page < this.store.numPages; page++) {
      this.store.lockedPage(page, "empty it", () => {
        const now = this.now();
        this.writeVictims(what, now);
        const { attachment } = this.store;
        this.store.check(native.expunge(attachment, page, what, now, Flag.held), "drop entries");
      });
    }
  }

  // ---- writing back

  /** Writes the dirty ones of what is to go from the page that is locked. */
  writeVictims(what: number, now: number): void {
    const victims = dirtyVictims(this.store.attachment, what, now);
    if (typeof victims === "number") throw this.store.failure(victims, "write entries back");
    for (const { key, value, flags, expireOn } of victims) {
      this.#writeBytes(keyOf(key, flags), value, flags, expireOn);
    }
  }

  #writeBytes(key: Key, bytes: Uint8Array<ArrayBuffer>, flags: number, expireOn: number): void {
    const { writeCb, context } = this.#options;
    if (writeCb === undefined) return;
    this.#guarded(() => writeCb(context, key, this.values.decode(bytes, flags), expireOn));
  }

  #write(key: Key, value: V | undefined, expireOn: number): void {
    const { writeCb, context } = this.#options;
    this.#guarded(() => writeCb!(context, key, value, expireOn));
  }

  #guarded(callback: () => unknown): void {
    try {
      const result = callback();
      if (result instanceof Promise) result.catch(this.#checked.onError);
    } catch (error) {
      this.#checked.onError(error);
    }
  }
}

function fillIn(info: EntryInfo): void {
  const { expireOn, modseq } = native.entry;
  info.expireOn = expireOn;
  if (modseq === undefined) delete info.modseq;
  else info.modseq = shownModseq(modseq);
}

function clear(info: EntryInfo): void {
  delete info.expireOn;
  delete info.modseq;
}

/** Copies bytes if they fit; returns how many they are in any case. */
function copyTo(buffer: Uint8Array, bytes: Uint8Array): number {
  if (bytes.length <= buffer.length) buffer.set(bytes);
  return bytes.length;
}

function checkAnswer<V>(answer: unknown): readonly [V | undefined, unknown] {
  if (Array.isArray(answer) && (answer.length === 1 || answer.length === 2)) {
    return answer as [V | undefined, unknown];
  }
  const hint = answer instanceof Promise
    ? "it must not be async: use getOrSet or withLock for that"
    : `not ${shown(answer)}`;
  throw new TypeError(
    `getAndSet's function must return [value] or [value, options] to store, or undefined; ${hint}`,
  );
}

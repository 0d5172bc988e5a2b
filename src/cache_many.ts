/**
 * Many entries at a time: of one page, of any, or all there are.
 *
 * @module
 */

import { Flag, Stored } from "../ffi/cache_native.ts";
import * as native from "../ffi/cache_packed.ts";
import type { CacheCore } from "./cache_core.ts";
import type { Key } from "./cache_options.ts";
import { bytesOfKey, encodedBytes, Kept, keyFlag, keyOf } from "./cache_values.ts";
import { DEFAULT_EXPIRY, expireOnBy, type ExpireTime } from "./expiry.ts";
import { shown } from "./labels.ts";
import { askedBy, type SetOptions, shownModseq } from "./set_options.ts";

/** An entry as `getKeys(1)` tells of it. */
export interface KeyDetails {
  /** As it was set. */
  key: Key;
  /** Seconds since 1970. */
  lastAccess: number;
  /** Seconds since 1970; 0 for never. */
  expireOn: number;
  /** 1: changed, and not yet written back. */
  flags: number;
  /** The number of the change it comes from, if its set gave one. */
  modseq?: number | bigint;
}

/** An entry as `getKeys(2)` tells of it. */
export interface EntryDetails<V> extends KeyDetails {
  /** Its value. */
  value: V | undefined;
}

/** The entries of one page, copied out; `keys()` must hold no lock while the caller runs. */
function entriesOf<V>(core: CacheCore<V>, page: number): native.Packed[] {
  const entries = native.page(core.store.attachment, page, core.now());
  if (typeof entries === "number") throw core.store.failure(entries, "list the keys");
  return entries;
}

function detailsOf({ key, lastAccess, expireOn, flags, modseq }: native.Packed): KeyDetails {
  const details: KeyDetails = {
    key: keyOf(key, flags),
    lastAccess,
    expireOn,
    flags: flags & Kept.dirty,
  };
  if (modseq !== undefined) details.modseq = shownModseq(modseq);
  return details;
}

/** Every key, a page at a time. */
export function* keys<V>(core: CacheCore<V>): Generator<Key, undefined> {
  for (let page = 0; page < core.store.numPages; page++) {
    for (const { key, flags } of entriesOf(core, page)) yield keyOf(key, flags);
  }
}

/** Every entry with what the mode asks for. */
export function details<V>(core: CacheCore<V>, mode: 1 | 2): EntryDetails<V>[] | KeyDetails[] {
  const list: KeyDetails[] = [];
  for (let page = 0; page < core.store.numPages; page++) {
    for (const entry of entriesOf(core, page)) {
      const details = detailsOf(entry);
      list.push(
        mode === 1 ? details : Object.assign(details, {
          value: core.values.decodeLent(entry.value, entry.flags),
        }),
      );
    }
  }
  return list;
}

/** The key that a key has in the page of another one. */
function pagedKey(pageKey: Key, key: Key): Key {
  if (typeof pageKey === "string" && typeof key === "string") return `${pageKey}-${key}`;
  const [first, second] = [bytesOfKey(pageKey), bytesOfKey(checkKey(key))];
  const bytes = new Uint8Array(first.length + 1 + second.length);
  bytes.set(first);
  bytes[first.length] = 0x2d;
  bytes.set(second, first.length + 1);
  return bytes;
}

function checkKey(key: unknown): Key {
  if (typeof key === "string" || key instanceof Uint8Array) return key;
  throw new TypeError(`a key must be a string or a Uint8Array, not ${shown(key)}`);
}

function listOf(keys: unknown): Key[] {
  if (typeof keys === "object" && keys !== null && Symbol.iterator in keys) {
    if (!(keys instanceof Uint8Array)) return Array.from(keys as Iterable<unknown>, checkKey);
  }
  throw new TypeError(`keys must be a list of keys, not ${shown(keys)}`);
}

/** The values of keys, in the page of `pageKey` or in any. */
export function getMany<V>(
  core: CacheCore<V>,
  pageKey: Key | undefined,
  wanted: Iterable<Key>,
): Map<Key, V> {
  const asked = listOf(wanted);
  const purpose = "get many entries";
  const look = (flags: number, bytes: Uint8Array[]) => {
    const answers = native.getMany(core.store.attachment, bytes, core.now(), flags);
    if (typeof answers === "number") throw core.store.failure(answers, purpose);
    return answers;
  };
  const answers = pageKey === undefined
    ? look(0, asked.map(bytesOfKey))
    : core.store.locked(pageKey, purpose, () => {
      return look(Flag.held, asked.map((key) => bytesOfKey(pagedKey(pageKey, key))));
    });
  const found = new Map<Key, V>();
  answers.forEach((answer, index) => {
    if (answer === undefined) return;
    found.set(asked[index], core.values.decodeLent(answer.value, answer.flags) as V);
  });
  return found;
}

/** Stores entries in the page of `pageKey`; they are never dirty and call no `writeCb`. */
export function setInPage<V>(
  core: CacheCore<V>,
  pageKey: Key,
  entries: Iterable<readonly [Key, V | undefined]>,
  options: SetOptions | ExpireTime | undefined,
): void {
  const now = core.now();
  const { expireOn } = askedBy(options, now);
  const on = expireOn === DEFAULT_EXPIRY ? expireOnBy(core.lifetime, now) : expireOn;
  const list = Array.from(entries, ([key, value]) => {
    return { key: pagedKey(pageKey, key), encoded: core.values.encode(value) };
  });
  core.store.locked(pageKey, "set many entries", () => {
    for (const { key, encoded } of list) {
      core.put(key, encoded, now, on, Flag.held | core.spareDirty);
    }
  });
}

/** Stores entries of any page as `set` would; returns how many are stored. */
export function setMany<V>(
  core: CacheCore<V>,
  entries: Iterable<readonly [Key, V | undefined]>,
  options: SetOptions | ExpireTime | undefined,
): number {
  const list = [...entries];
  const now = core.now();
  const asked = askedBy(options, now);
  if (asked.modseq !== undefined) {
    return list.filter(([key, value]) => core.set(key, value, options)).length;
  }
  const { expireOn } = asked;
  const on = expireOn === DEFAULT_EXPIRY ? expireOnBy(core.lifetime, now) : expireOn;
  const encoded = list.map(([, value]) => core.values.encode(value));
  const kept = core.writeBack ? Kept.dirty : 0;
  const items = list.map(([key], index) => ({
    key: bytesOfKey(checkKey(key)),
    value: encodedBytes(encoded[index]),
    expireOn: on,
    flags: keyFlag(key) | encoded[index].flags | kept,
  }));
  const results = native.setMany(core.store.attachment, items, now, core.spareDirty);
  if (typeof results === "number") throw core.store.failure(results, "set many entries");
  let stored = 0;
  list.forEach(([key, value], index) => {
    let result = results[index];
    if (result === Stored.dirtyFirst) {
      result = core.put(key, encoded[index], now, on, core.setFlags);
    }
    core.store.check(result, "set many entries");
    if (core.stored(key, value, asked, result)) stored++;
  });
  return stored;
}

/**
 * Many entries in one call to the native library: packed one after the other.
 *
 * @module
 */

import { failures } from "../src/errors.ts";
import { ENTRY_BYTES, Flag, library, scratch } from "./cache_native.ts";

/** PTS_CACHE_MISS */
const MISS = 0xffff_ffff;

// ---- pages

/** An entry as it was copied out, with bytes of its own. */
export interface Packed {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly flags: number;
  readonly expireOn: number;
  readonly lastAccess: number;
  readonly modseq: bigint | undefined;
}

/** pts_cache_page: its entries, or a failure. */
export function page(cache: number, number: number, now: number): Packed[] | number {
  return unpack((pointer, size) => library.pts_cache_page(cache, number, now, 0, pointer, size));
}

/** pts_cache_victims: the dirty ones of what is to go, or a failure. */
export function victims(cache: number, what: number, now: number): Packed[] | number {
  return unpack((pointer, size) => library.pts_cache_victims(cache, what, now, pointer, size));
}

function unpack(call: (out: Deno.PointerValue, size: number) => number): Packed[] | number {
  let result = call(scratch.pointer, scratch.bytes.length);
  while (result > scratch.bytes.length) {
    scratch.reserve(result);
    result = call(scratch.pointer, scratch.bytes.length);
  }
  if (result < 0) return result;
  const bytes = scratch.bytes.slice(0, result);
  const view = new DataView(bytes.buffer);
  const entries: Packed[] = [];
  for (let at = 0; at < result; at += view.getUint32(at + 28, true)) {
    entries.push(packedAt(bytes, view, at));
  }
  return entries;
}

function packedAt(bytes: Uint8Array<ArrayBuffer>, view: DataView, at: number): Packed {
  const word = (index: number) => view.getUint32(at + 4 * index, true);
  const flags = word(2);
  const keyAt = at + ENTRY_BYTES;
  const valueAt = keyAt + word(5);
  return {
    key: bytes.subarray(keyAt, valueAt),
    value: bytes.subarray(valueAt, valueAt + word(6)),
    flags,
    expireOn: word(3),
    lastAccess: word(4),
    modseq: (flags & Flag.modseq) === 0 ? undefined : view.getBigUint64(at, true),
  };
}

// ---- many keys

/** Keys or items as bytes one after the other. */
function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0) + 1);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What {@linkcode getMany} has found for a key. */
export interface Answer {
  readonly flags: number;
  readonly value: Uint8Array<ArrayBuffer>;
}

/** pts_cache_get_many: an answer or a miss for each key, or a failure. */
export function getMany(
  cache: number,
  keys: readonly Uint8Array[],
  now: number,
  flags: number,
): (Answer | undefined)[] | number {
  const answers: (Answer | undefined)[] = [];
  while (answers.length < keys.length) {
    const rest = answers.length === 0 ? keys : keys.slice(answers.length);
    const count = getSome(cache, rest, now, flags);
    if (count < 0) return count;
    takeAnswers(count, answers);
  }
  return answers;
}

/** As many as have room in {@linkcode scratch}, which grows until the first one has. */
function getSome(cache: number, keys: readonly Uint8Array[], now: number, flags: number): number {
  const lengths = Uint32Array.from(keys, (key) => key.length);
  const all = joined(keys);
  while (true) {
    const { pointer, bytes: { length: size } } = scratch;
    const count = library.pts_cache_get_many(
      cache,
      all,
      lengths,
      keys.length,
      now,
      flags,
      pointer,
      size,
    );
    if (count !== failures.TOO_SMALL[0]) return count;
    scratch.reserve(size * 2);
  }
}

function takeAnswers(count: number, answers: (Answer | undefined)[]): void {
  const view = new DataView(scratch.bytes.buffer);
  let end = 0;
  for (let index = 0; index < count; index++) end += view.getUint32(end + 28, true);
  const bytes = scratch.bytes.slice(0, end);
  for (let index = 0, at = 0; index < count; index++) {
    const length = view.getUint32(at + 24, true);
    const valueAt = at + ENTRY_BYTES;
    answers.push(
      length === MISS ? undefined : {
        flags: view.getUint32(at + 8, true),
        value: bytes.subarray(valueAt, valueAt + length),
      },
    );
    at += view.getUint32(at + 28, true);
  }
}

/** One item of {@linkcode setMany}. */
export interface Item {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly expireOn: number;
  readonly flags: number;
}

/** pts_cache_set_many: the result of each item, or a failure. */
export function setMany(
  cache: number,
  items: readonly Item[],
  now: number,
  flags: number,
): Int8Array | number {
  const words = new Uint32Array(4 * Math.max(items.length, 1));
  items.forEach((item, index) => {
    words.set([item.key.length, item.value.length, item.expireOn, item.flags], 4 * index);
  });
  const all = joined(items.flatMap(({ key, value }) => [key, value]));
  const results = new Int8Array(Math.max(items.length, 1));
  const stored = library.pts_cache_set_many(cache, all, words, items.length, now, flags, results);
  return stored < 0 ? stored : results;
}

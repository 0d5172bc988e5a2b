/**
 * The cache of the native library as functions of numbers, text and bytes; what `native.ts` is for
 * metrics. Results are C's own (negative: see `src/errors.ts`).
 *
 * A call takes its key, and its value if that is text, from scratch buffers of this thread:
 *
 *     const length = putKey(key);                       // into the scratch for keys
 *     const n = get(cache, length, now, 0);             // n bytes are now in `scratch.bytes`
 *
 * They are only good until the next call of this module, by whatever cache.
 *
 * @module
 */

import { cacheSymbols } from "./cache_symbols.ts";
import { shown } from "../src/labels.ts";
import { openLibrary } from "./library.ts";

/** PTS_CACHE_* flags of entries and calls. */
export const Flag = {
  dirty: 1,
  modseq: 1 << 26,
  tombstone: 1 << 27,
  held: 1 << 28,
  writeBack: 1 << 29,
  expiredToo: 1 << 29,
  peek: 1 << 30,
} as const;

/** PTS_CACHE_*: what became of a set. */
export const Stored = { tooLarge: 0, stored: 1, refused: 2, kept: 3, dirtyFirst: 4 } as const;

/** PTS_CACHE_*: which entries are to go. */
export const What = { expired: 0, all: 1, forRoom: 2 } as const;

const EVERY_PAGE = 0xffff_ffff;
const COUNT_READS = 256;
const CLEAR = 1;

type Library = Deno.DynamicLibrary<typeof cacheSymbols>["symbols"];

/** The library's functions, once {@linkcode open} has been called. */
export let library: Library;

/** A buffer that C reads or writes through an address that is looked up once. */
class Scratch {
  bytes: Uint8Array<ArrayBuffer>;
  pointer: Deno.PointerValue;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.pointer = Deno.UnsafePointer.of(this.bytes);
  }

  /** Room for so many bytes; what was in it is gone if it had to grow. */
  reserve(size: number): void {
    if (size <= this.bytes.length) return;
    this.bytes = new Uint8Array(Math.max(size, Math.min(size * 2, 2 ** 31 - 1)));
    this.pointer = Deno.UnsafePointer.of(this.bytes);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let key: Scratch;
/** Values, and packed entries. */
export let scratch: Scratch;

/** Bytes of a pts_cache_entry. */
export const ENTRY_BYTES = 32;
const entryMemory = new ArrayBuffer(ENTRY_BYTES);
const entryWords = new Uint32Array(entryMemory);
const entryModseq = new BigUint64Array(entryMemory);
let entryPointer: Deno.PointerValue;
const modseqIn = new BigUint64Array(1);
let modseqPointer: Deno.PointerValue;
const flagsOut = new Uint32Array(1);
let flagsPointer: Deno.PointerValue;

/** Opens the library once a thread. */
function load(): Library {
  if (library !== undefined) return library;
  library = openLibrary(cacheSymbols).symbols;
  key = new Scratch(1024);
  scratch = new Scratch(16 * 1024);
  entryPointer = Deno.UnsafePointer.of(entryWords);
  modseqPointer = Deno.UnsafePointer.of(modseqIn);
  flagsPointer = Deno.UnsafePointer.of(flagsOut);
  return library;
}

// ---- the cache

/** pts_cache_options, with 0 for the library's or the file's own. */
export interface OpenOptions {
  /** Without one: a cache without a name. */
  readonly path: string;
  /** PTS_OPEN_* */
  readonly flags: number;
  readonly countReads: boolean;
  readonly permissions: number;
  readonly maxWorkers: number;
  readonly lockTimeoutMs: number;
  readonly numPages: number;
  readonly pageSize: number;
  readonly startSlots: number;
}

const MESSAGE_SIZE = 2048;

/** What C reads through a pointer that the garbage collector does not know of. */
export let held: Uint8Array | undefined;

/** pts_cache_open: a result, and the library's message if it is a failure. */
export function open(options: OpenOptions): { result: number; message: string } {
  const { pts_cache_open } = load();
  const path = held = encoder.encode(options.path + "\0");
  const struct = new DataView(new ArrayBuffer(40));
  struct.setBigUint64(0, Deno.UnsafePointer.value(Deno.UnsafePointer.of(path)), true);
  const members = [
    options.flags | (options.countReads ? COUNT_READS : 0),
    options.permissions,
    options.maxWorkers,
    options.lockTimeoutMs,
    options.numPages,
    options.pageSize,
    options.startSlots,
  ];
  members.forEach((member, index) => struct.setUint32(8 + 4 * index, member, true));
  const text = new Uint8Array(MESSAGE_SIZE);
  const result = pts_cache_open(struct, text, MESSAGE_SIZE);
  held = undefined;
  return { result, message: result < 0 ? textOf(text) : "" };
}

function textOf(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return decoder.decode(buffer.subarray(0, end < 0 ? buffer.length : end));
}

/** pts_cache_close */
export function close(cache: number): void {
  library.pts_cache_close(cache);
}

/** pts_cache_unlink */
export function unlink(cache: number): void {
  library.pts_cache_unlink(cache);
}

/** pts_cache_shape: what the file is like. */
export interface Shape {
  readonly numPages: number;
  readonly pageSize: number;
  readonly existed: boolean;
  /** The most bytes of key and value that a page can hold. */
  readonly largest: number;
}

/** pts_cache_shape_read: the shape, or a failure. */
export function shape(cache: number): Shape | number {
  const words = new Uint32Array(12);
  const result = library.pts_cache_shape_read(cache, words);
  if (result < 0) return result;
  return { numPages: words[4], pageSize: words[5], existed: words[8] === 1, largest: words[9] };
}

// ---- keys

/** Up to so many units, a text is encoded here: `encodeInto` takes longer, and allocates its result. */
const SHORT = 256;

/**
 * Puts a key into the scratch for keys, as UTF-8 if it is text.
 *
 * @returns its bytes
 */
export function putKey(from: string | Uint8Array): number {
  if (typeof from === "string") {
    const { length } = from;
    if (length <= SHORT) {
      const { bytes } = key;
      for (let at = 0; at < length; at++) {
        const unit = from.charCodeAt(at);
        if (unit > 127) return putUnicode(from, at);
        bytes[at] = unit;
      }
      return length;
    }
    key.reserve(length * 3);
    return encoder.encodeInto(from, key.bytes).written;
  }
  if (!(from instanceof Uint8Array)) {
    throw new TypeError(`a key must be a string or a Uint8Array, not ${shown(from)}`);
  }
  key.reserve(from.length);
  key.bytes.set(from);
  return from.length;
}

const REPLACEMENT = 0xfffd;

/** The rest of a short text, from its first character beyond ASCII on; all its bytes. */
function putUnicode(from: string, start: number): number {
  const { bytes } = key;
  let at = start;
  for (let index = start; index < from.length; index++) {
    let point = from.codePointAt(index)!;
    if (point < 0x80) {
      bytes[at++] = point;
      continue;
    }
    if (point < 0x800) {
      bytes[at++] = 0xc0 | point >> 6;
    } else {
      if (point > 0xffff) {
        index++;
        bytes[at++] = 0xf0 | point >> 18;
        bytes[at++] = 0x80 | point >> 12 & 0x3f;
      } else {
        // Half a surrogate pair has no UTF-8.
        if (point >= 0xd800 && point < 0xe000) point = REPLACEMENT;
        bytes[at++] = 0xe0 | point >> 12;
      }
      bytes[at++] = 0x80 | point >> 6 & 0x3f;
    }
    bytes[at++] = 0x80 | point & 0x3f;
  }
  return at;
}

/** Puts a text into the scratch for values, as UTF-8; returns its bytes. */
export function putText(text: string): number {
  scratch.reserve(text.length * 3);
  return encoder.encodeInto(text, scratch.bytes).written;
}

// ---- entries

/** What the last get or take has told about its entry. */
export const entry = {
  get flags(): number {
    return entryWords[2];
  },
  get expireOn(): number {
    return entryWords[3];
  },
  /** Undefined if it has none. */
  get modseq(): bigint | undefined {
    return (entryWords[2] & Flag.modseq) === 0 ? undefined : entryModseq[0];
  },
};

/** pts_cache_get into {@linkcode scratch}, which grows as needed. */
export function get(cache: number, keyLength: number, now: number, flags: number): number {
  const result = library.pts_cache_get(
    cache,
    key.pointer,
    keyLength,
    now,
    flags,
    scratch.pointer,
    scratch.bytes.length,
    entryPointer,
  );
  if (result <= scratch.bytes.length) return result;
  scratch.reserve(result);
  return get(cache, keyLength, now, flags);
}

/** pts_cache_get into a buffer; a larger result than its length: nothing was copied. */
export function getInto(
  cache: number,
  keyLength: number,
  now: number,
  flags: number,
  buffer: Uint8Array<ArrayBuffer>,
): number {
  return library.pts_cache_get_into(
    cache,
    key.pointer,
    keyLength,
    now,
    flags,
    buffer,
    buffer.length,
    entryPointer,
  );
}

const POOL_BYTES = 8192;
const LARGEST_POOLED = POOL_BYTES / 8;

/** Where the next values go: an allocation for each would take longer than all the rest of a get. */
let pool = new ArrayBuffer(0);
let poolAt = 0;
/** How large the next value probably is. */
let guess = LARGEST_POOLED;

/** pts_cache_get into bytes that are the caller's to keep, or a failure. */
export function getOwned(
  cache: number,
  keyLength: number,
  now: number,
  flags: number,
): Uint8Array<ArrayBuffer> | number {
  // A value that was transferred to another thread took its pool with it: byteLength is 0 then.
  if (poolAt + guess > pool.byteLength) {
    pool = new ArrayBuffer(POOL_BYTES);
    poolAt = 0;
  }
  const bytes = new Uint8Array(pool, poolAt, guess);
  const result = getInto(cache, keyLength, now, flags, bytes);
  if (result < 0) return result;
  if (result === guess) {
    poolAt += (guess + 7) & ~7;
    return bytes;
  }
  return getUnexpected(cache, keyLength, now, flags, bytes, result);
}

/** The value has another size than guessed: cut it off, or get it again. */
function getUnexpected(
  cache: number,
  keyLength: number,
  now: number,
  flags: number,
  bytes: Uint8Array<ArrayBuffer>,
  result: number,
): Uint8Array<ArrayBuffer> | number {
  if (result < bytes.length) {
    poolAt += (result + 7) & ~7;
    guess = result;
    return bytes.subarray(0, result);
  }
  if (result <= LARGEST_POOLED) {
    guess = result;
    return getOwned(cache, keyLength, now, flags);
  }
  while (result > bytes.length) {
    bytes = new Uint8Array(result);
    result = getInto(cache, keyLength, now, flags, bytes);
  }
  return result < 0 ? result : bytes.subarray(0, result);
}

/** pts_cache_get without the value. */
export function exists(cache: number, keyLength: number, now: number, flags: number): number {
  return library.pts_cache_get(cache, key.pointer, keyLength, now, flags, null, 0, entryPointer);
}

/** A set's value: bytes, or so many bytes of {@linkcode scratch}. */
export type ValueIn = Uint8Array<ArrayBuffer> | number;

/** pts_cache_set; a modseq goes into the entry, and its flag with it. */
export function set(
  cache: number,
  keyLength: number,
  value: ValueIn,
  now: number,
  expireOn: number,
  flags: number,
  modseq: bigint | undefined,
): number {
  let modseqAt: Deno.PointerValue = null;
  if (modseq !== undefined) {
    modseqIn[0] = modseq;
    modseqAt = modseqPointer;
    flags |= Flag.modseq;
  }
  if (typeof value === "number") {
    return library.pts_cache_set(
      cache,
      key.pointer,
      keyLength,
      scratch.pointer,
      value,
      now,
      expireOn,
      flags,
      modseqAt,
    );
  }
  return library.pts_cache_set_from(
    cache,
    key.pointer,
    keyLength,
    value,
    value.length,
    now,
    expireOn,
    flags,
    modseqAt,
  );
}

/** pts_cache_remove; {@linkcode removedFlags} are what the entry had. */
export function remove(cache: number, keyLength: number, flags: number): number {
  flagsOut[0] = 0;
  return library.pts_cache_remove(cache, key.pointer, keyLength, flags, flagsPointer);
}

/** The flags of the entry that was last removed. */
export function removedFlags(): number {
  return flagsOut[0];
}

/** pts_cache_take into {@linkcode scratch}. */
export function take(cache: number, keyLength: number, now: number, flags: number): number {
  const result = library.pts_cache_take(
    cache,
    key.pointer,
    keyLength,
    now,
    flags,
    scratch.pointer,
    scratch.bytes.length,
    entryPointer,
  );
  if (result <= scratch.bytes.length) return result;
  scratch.reserve(result);
  return take(cache, keyLength, now, flags);
}

// ---- pages

/** pts_cache_lock */
export function lock(cache: number, keyLength: number): number {
  return library.pts_cache_lock(cache, key.pointer, keyLength);
}

/** pts_cache_lock_page */
export function lockPage(cache: number, page: number): number {
  return library.pts_cache_lock_page(cache, page);
}

/** pts_cache_unlock */
export function unlock(cache: number): number {
  return library.pts_cache_unlock(cache);
}

/** pts_cache_expunge of one page, or of all. */
export function expunge(
  cache: number,
  page: number | undefined,
  what: number,
  now: number,
  flags: number,
): number {
  return library.pts_cache_expunge(cache, page ?? EVERY_PAGE, what, now, flags);
}

// ---- named locks

/** pts_cache_named_try */
export function namedTry(cache: number, name: string | Uint8Array): number {
  const length = putKey(name);
  return library.pts_cache_named_try(cache, key.pointer, length);
}

/** pts_cache_named_release */
export function namedRelease(cache: number, holder: number): number {
  return library.pts_cache_named_release(cache, holder);
}

// ---- the cache about itself

/** pts_cache_clock: an eighth of the time that `Date.now()` takes. */
export function clock(): number {
  return library.pts_cache_clock();
}

/** The members of pts_cache_statistics, in their order; each is a u64. */
export const statisticsMembers = [
  "reads",
  "hits",
  "writes",
  "entries",
  "bytes",
  "pagesUsed",
  "evictions",
  "expirations",
  "refused",
  "reorganised",
  "lockWaits",
  "repairs",
  "damage",
  "workersLive",
] as const;

/** pts_cache_statistics */
export type Statistics = { readonly [K in (typeof statisticsMembers)[number]]: number };

/** pts_cache_statistics_read: the statistics, or a failure. */
export function statistics(cache: number, clear: boolean): Statistics | number {
  const struct = new BigUint64Array(statisticsMembers.length);
  const result = library.pts_cache_statistics_read(cache, clear ? CLEAR : 0, struct);
  if (result < 0) return result;
  return Object.fromEntries(
    statisticsMembers.map((member, index) => [member, Number(struct[index])]),
  ) as Statistics;
}

/** pts_cache_repair: how many things were mended, or a failure. */
export function repair(cache: number): number {
  return library.pts_cache_repair(cache);
}

/** pts_cache_check: the findings, or a failure. */
export function check(cache: number): string[] | number {
  const report = new Uint8Array(64 * 1024);
  const result = library.pts_cache_check(cache, report, report.length);
  return result < 0 ? result : textOf(report).split("\n").filter((line) => line !== "");
}

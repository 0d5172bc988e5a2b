/**
 * The native library as functions of numbers, text and bytes. Only this folder knows pointers,
 * buffers and the layout of C structs; results are C's own (negative: see `src/errors.ts`).
 *
 * @module
 */

import { openLibrary } from "./library.ts";
import { abiVersion, symbols } from "./symbols.ts";
import { StoreError } from "../src/errors.ts";

/** PTS_KIND_*: what a series holds. */
export const Kind = { value: 1, histogram: 2, enum: 3, live: 4, recent: 5, summary: 6 } as const;
/** One of the numbers of {@linkcode Kind}. */
export type Kind = (typeof Kind)[keyof typeof Kind];

/** PTS_OPEN_* */
export const Open = { init: 1, private: 2, existing: 4 } as const;

/** PTS_RENDER_* */
export const Render = {
  lexical: 1,
  openMetrics: 2,
  escapeUnderscores: 4,
  escapeDots: 8,
  escapeValues: 16,
  store: 32,
  created: 64,
} as const;

const SERIES_QUOTED = 1;
const SERIES_NO_CREATE = 2;
const SERIES_OVERFLOW = 4;

/**
 * No attachment and no handle: numbers that C refuses, so that the hot path needs no check of its
 * own. Small enough for V8 to keep every such field an integer.
 */
export const NONE = 0x3fff_ffff;

type Library = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Hot calls: the library's own functions, set when it is opened, called without a wrapper. */
export let add: Library["pts_add"];
export let set: Library["pts_set"];
export let setAt: Library["pts_set_at"];
export let observe: Library["pts_observe"];
export let observeAt: Library["pts_observe_at"];
export let touch: Library["pts_touch"];
export let remove: Library["pts_remove"];
export let clear: Library["pts_clear"];
export let close: Library["pts_close"];
export let dropped: Library["pts_dropped"];
export let renderOpen: Library["pts_render_open"];
export let renderClose: Library["pts_render_close"];

let library: Library | undefined;

/** Opens the library once a thread. */
function load(): Library {
  if (library !== undefined) return library;
  const opened = openLibrary(symbols).symbols;
  const version = opened.pts_abi_version();
  if (version !== abiVersion) {
    throw new StoreError(
      "LIBRARY",
      `the native library has ABI version ${version}, this module needs ${abiVersion}: ` +
        `build it again (deno task build)`,
    );
  }
  add = opened.pts_add;
  set = opened.pts_set;
  setAt = opened.pts_set_at;
  observe = opened.pts_observe;
  observeAt = opened.pts_observe_at;
  touch = opened.pts_touch;
  remove = opened.pts_remove;
  clear = opened.pts_clear;
  close = opened.pts_close;
  dropped = opened.pts_dropped;
  renderOpen = opened.pts_render_open;
  renderClose = opened.pts_render_close;
  return library = opened;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const MESSAGE_SIZE = 2048;
const PATH_SIZE = 4096;

/** Lone surrogates become U+FFFD, here and wherever text is encoded. */
function terminated(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text + "\0");
}

function textOf(buffer: Uint8Array): string {
  const end = buffer.indexOf(0);
  return decoder.decode(buffer.subarray(0, end < 0 ? buffer.length : end));
}

/** pts_options, with `undefined` for the library's own defaults. */
export interface OpenOptions {
  readonly path: string | undefined;
  readonly flags: number;
  readonly permissions: number | undefined;
  readonly maxWorkers: number | undefined;
  readonly capacity: number | undefined;
}

/** A result, and what the library has to say: why it failed, or where it had to make do. */
export interface Outcome {
  readonly result: number;
  readonly message: string;
}

/** pts_open */
export function open(options: OpenOptions): Outcome {
  const { pts_open } = load();
  const path = options.path === undefined ? undefined : terminated(options.path);
  const struct = new DataView(new ArrayBuffer(32));
  const pointer = path === undefined ? 0n : Deno.UnsafePointer.value(Deno.UnsafePointer.of(path));
  struct.setBigUint64(0, pointer, true);
  struct.setUint32(8, options.flags, true);
  struct.setUint32(12, options.permissions ?? 0, true);
  struct.setUint32(16, options.maxWorkers ?? 0, true);
  struct.setUint32(20, 0, true);
  struct.setBigUint64(24, BigInt(options.capacity ?? 0), true);
  const message = new Uint8Array(MESSAGE_SIZE);
  held = path;
  const result = pts_open(struct, message, MESSAGE_SIZE);
  held = undefined;
  return { result, message: textOf(message) };
}

/** What C reads through a pointer that the garbage collector does not know of. */
export let held: Uint8Array | undefined;

/** pts_shared_path; the message is the path if it is no failure. */
export function sharedPath(name: string): Outcome {
  const { pts_shared_path } = load();
  const path = new Uint8Array(PATH_SIZE);
  const message = new Uint8Array(MESSAGE_SIZE);
  const result = pts_shared_path(terminated(name), path, PATH_SIZE, message, MESSAGE_SIZE);
  return { result, message: textOf(result < 0 ? message : path) };
}

/** Texts one after the other, with their lengths. Neither is empty: C gets their addresses. */
function joined(texts: readonly string[]) {
  const pieces = texts.map((text) => encoder.encode(text));
  const lengths = new Uint32Array(pieces.length + 1);
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 1));
  let at = 0;
  for (const [index, piece] of pieces.entries()) {
    lengths[index] = piece.length;
    bytes.set(piece, at);
    at += piece.length;
  }
  return { bytes, lengths };
}

/** pts_declare */
export function declare(attachment: number, name: string, parts: readonly string[]): number {
  const { bytes, lengths } = joined(parts);
  const key = encoder.encode(name);
  return load().pts_declare(attachment, key, key.length, bytes, lengths, parts.length);
}

/** pts_declared: the part's text, or a failure. */
export function declared(attachment: number, name: string, part: number): string | number {
  const { pts_declared } = load();
  const key = encoder.encode(name);
  reserve(0);
  let length = pts_declared(attachment, key, key.length, part, scratch, scratch.length);
  if (length > scratch.length) {
    reserve(length);
    length = pts_declared(attachment, key, key.length, part, scratch, scratch.length);
  }
  return length < 0 ? length : decoder.decode(scratch.subarray(0, length));
}

let scratch = new Uint8Array(4096);

function reserve(size: number): void {
  if (scratch.length < size) scratch = new Uint8Array(size * 2);
}

/** A series as C wants it; offsets count UTF-16 units of `printed`. */
export interface SeriesKey {
  /** The family's name, as it is. */
  readonly name: string;
  /** The series as it is printed. */
  readonly printed: string;
  /** Whether the name is printed in quotes inside the braces. */
  readonly quoted: boolean;
  /** Where in `printed` the `le` or enum label belongs. */
  readonly insertAt: number;
  /** How much of `printed` at `insertAt` that label takes the place of. */
  readonly replaces: number;
}

/** How a series is looked up. */
export interface LookUp {
  /** Make it when it is not there. */
  readonly create: boolean;
  /** How long to wait for the index's lock; 0: the store's own timeout. */
  readonly timeoutMs: number;
  /** How many series the metric may have; 0: any number. */
  readonly maxSeries?: number;
  /** The series that takes what goes beyond `maxSeries`. */
  readonly overflow?: boolean;
}

const keyStruct = new Uint32Array(9);
const noBounds = new Float64Array(1);

/** pts_series: a handle, or a failure. */
export function series(
  attachment: number,
  kind: Kind,
  key: SeriesKey,
  bounds: Float64Array<ArrayBuffer> | undefined,
  { create, timeoutMs, maxSeries = 0, overflow = false }: LookUp,
): number {
  const { name, printed, insertAt, replaces } = key;
  reserve((name.length + printed.length) * 3);
  let at = 0;
  const put = (text: string) => {
    const { written } = encoder.encodeInto(text, scratch.subarray(at));
    at += written;
    return written;
  };
  keyStruct[0] = kind;
  keyStruct[1] = put(name);
  keyStruct[3] = put(printed.slice(0, insertAt));
  keyStruct[4] = put(printed.slice(insertAt, insertAt + replaces));
  put(printed.slice(insertAt + replaces));
  keyStruct[2] = at - keyStruct[1];
  keyStruct[5] = bounds?.length ?? 0;
  keyStruct[6] = (key.quoted ? SERIES_QUOTED : 0) | (create ? 0 : SERIES_NO_CREATE) |
    (overflow ? SERIES_OVERFLOW : 0);
  keyStruct[7] = timeoutMs;
  keyStruct[8] = maxSeries;
  const doubles = bounds === undefined || bounds.length === 0 ? noBounds : bounds;
  return load().pts_series(attachment, keyStruct, scratch, doubles);
}

/** pts_exemplar: `text` is printed labels. */
export function exemplar(
  attachment: number,
  handle: number,
  value: number,
  timestampMs: number,
  text: string,
): number {
  reserve(text.length * 3);
  const { written } = encoder.encodeInto(text, scratch);
  return load().pts_exemplar(attachment, handle, value, timestampMs, scratch, written);
}

/** pts_direct_read into the halves of its words. */
export function directRead(
  attachment: number,
  handle: number,
  out: Uint32Array<ArrayBuffer>,
): number {
  return load().pts_direct_read(attachment, handle, out);
}

/** pts_remove_matching: how many series left, or a failure; `labels` are printed ones. */
export function removeMatching(
  attachment: number,
  name: string,
  labels: readonly string[],
): number {
  const key = encoder.encode(name);
  const bytes = labels.map((label) => encoder.encode(label));
  const lengths = Uint32Array.from([...bytes.map((label) => label.length), 0]);
  const all = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0) + 1);
  let at = 0;
  for (const label of bytes) {
    all.set(label, at);
    at += label.length;
  }
  const { pts_remove_matching } = load();
  return pts_remove_matching(attachment, key, key.length, all, lengths, labels.length);
}

const valueOut = new Float64Array(1);
const countOut = new Float64Array(1);

/** What a series stands at; `count` is of a histogram. */
export interface Value {
  readonly result: number;
  readonly value: number;
  readonly count: number;
}

/** pts_value: result 1 when the series exists, 0 when it does not, or a failure. */
export function value(attachment: number, handle: number): Value {
  valueOut[0] = 0;
  countOut[0] = 0;
  const result = load().pts_value(attachment, handle, valueOut, countOut);
  return { result, value: valueOut[0], count: countOut[0] };
}

/** pts_render_only */
export function renderOnly(attachment: number, render: number, names: readonly string[]): number {
  const { bytes, lengths } = joined(names);
  return load().pts_render_only(attachment, render, bytes, lengths, names.length);
}

const MOST_QUANTILES = 64;
const quantilesOut = new Float64Array(2 + MOST_QUANTILES);

/** pts_quantiles: count, sum, and a value for each quantile; none when the series does not exist. */
export function quantiles(
  attachment: number,
  handle: number,
  nowMs: number,
): { readonly result: number; readonly numbers: readonly number[] } {
  const size = quantilesOut.length;
  const result = load().pts_quantiles(attachment, handle, nowMs, quantilesOut, size);
  return { result, numbers: [...quantilesOut.subarray(0, Math.max(0, result))] };
}

/** pts_render_next */
export function renderNext(
  attachment: number,
  render: number,
  buffer: Uint8Array<ArrayBuffer>,
): number {
  return load().pts_render_next(attachment, render, buffer, buffer.length);
}

/** pts_render_next on another thread. */
export function renderNextAsync(
  attachment: number,
  render: number,
  buffer: Uint8Array<ArrayBuffer>,
): Promise<number> {
  return load().pts_render_next_async(attachment, render, buffer, buffer.length);
}

/** pts_usage: the store about itself. */
export interface Usage {
  /** Series and families. */
  readonly seriesUsed: number;
  readonly seriesCapacity: number;
  /** Bytes. */
  readonly textUsed: number;
  readonly textCapacity: number;
  /** Bytes of one shard. */
  readonly cellsUsed: number;
  readonly cellsCapacity: number;
  readonly workersLive: number;
  readonly workersEver: number;
  readonly workersCapacity: number;
  readonly droppedUpdates: number;
  readonly damage: number;
  readonly repairs: number;
  readonly lockWaits: number;
  /** Locks that were taken over from dead owners. */
  readonly takeovers: number;
  /** Records of series that left, which new ones take. */
  readonly freeRecords: number;
  /** The full, sparse size. */
  readonly fileBytes: number;
  /** What the file really takes. */
  readonly allocatedBytes: number;
  readonly mySlot: number;
  readonly myEpoch: number;
}

/** The members of pts_usage, in their order; each is a u64. */
export const usageMembers = [
  "seriesUsed",
  "seriesCapacity",
  "textUsed",
  "textCapacity",
  "cellsUsed",
  "cellsCapacity",
  "workersLive",
  "workersEver",
  "workersCapacity",
  "droppedUpdates",
  "damage",
  "repairs",
  "lockWaits",
  "takeovers",
  "freeRecords",
  "fileBytes",
  "allocatedBytes",
  "mySlot",
  "myEpoch",
] as const satisfies readonly (keyof Usage)[];

/** pts_usage_read: the usage, or a failure. */
export function usage(attachment: number): Usage | number {
  const struct = new BigUint64Array(usageMembers.length);
  const result = load().pts_usage_read(attachment, struct);
  if (result < 0) return result;
  return Object.fromEntries(
    usageMembers.map((member, index) => [member, Number(struct[index])]),
  ) as Record<keyof Usage, number>;
}

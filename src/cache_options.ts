/**
 * The options of a cache, checked and put together.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { clock as systemClock } from "../ffi/cache_native.ts";
import { type Compression, compression, type Compressor } from "./compressors.ts";
import { defaultLifetime, type ExpireTime } from "./expiry.ts";
import { shown } from "./labels.ts";
import { checkMembers, parseSize } from "./options.ts";
import { type Codec, type Serializer, serializerCodec } from "./serializers.ts";

/** A key: text, or bytes. A text and its UTF-8 are the same key. */
export type Key = string | Uint8Array;

/** Options of {@linkcode FastMmap}. */
export interface FastMmapOptions<V = unknown, C = unknown> {
  /**
   * The cache's file, made if it is not there: a path or a `file:` URL. Every worker that gives the
   * same one shares the cache. Without: a fresh name, in memory where the system has a folder for
   * that; see {@linkcode FastMmap.shareFile}.
   */
  shareFile?: string | URL;
  /**
   * Start from an empty cache. The file is replaced: workers that have it open keep the old one.
   *
   * @default {false}
   */
  initFile?: boolean;
  /**
   * The file's mode when it is made, under the process's umask; on Windows an access list that gives
   * as much to the user, the user's primary group and Everyone. A file that everybody may write is only
   * opened by who gives a mode that lets everybody write, such as `0o666`.
   *
   * @default {0o600}
   */
  permissions?: number;
  /** Size of the whole cache: bytes, or text such as `"512k"`, `"1.5m"`. */
  cacheSize?: number | string;
  /**
   * Bytes of a page, rounded down to a power of two unless `cacheSize` is given. An entry must fit into
   * a page.
   *
   * @default {65536}
   */
  pageSize?: number | string;
  /**
   * How many pages. A prime number spreads keys best.
   *
   * @default {89}
   */
  numPages?: number;
  /**
   * How many hash slots a new page has. More are made when they are needed.
   *
   * @default {89}
   */
  startSlots?: number;
  /** Without effect: a file is always validated, and damage is confined and counted. */
  testFile?: boolean;
  /**
   * How long entries live that do not say: seconds, or text such as `"10m"`. 0 is for ever.
   *
   * @default {0}
   */
  expireTime?: ExpireTime;
  /**
   * How values become bytes.
   *
   * @default {"json"}
   */
  serializer?: Serializer<V>;
  /** What compresses values. Nothing by default. */
  compressor?: Compressor;
  /**
   * The fewest bytes that are compressed.
   *
   * @default {256} for a named compressor, 0 for a pair
   */
  compressFrom?: number;
  /**
   * Count reads and hits.
   *
   * @default {false}
   */
  enableStats?: boolean;
  /** Given to the callbacks. */
  context?: C;
  /**
   * Called by `get` on a miss; what it returns is stored and returned. The page is locked meanwhile: see
   * `allowRecursive`.
   */
  readCb?: (context: C, key: Key) => V | undefined;
  /**
   * Called when a value is to be written to what lies under the cache: see `writeAction`. `expireOn` is
   * when the entry expires: 0 for never, -1 if its set did not say. A promise is not waited for; its
   * failure goes to `onError`.
   */
  writeCb?: (context: C, key: Key, value: V | undefined, expireOn: number) => void;
  /** Called by `remove`. A promise is not waited for; its failure goes to `onError`. */
  deleteCb?: (context: C, key: Key) => void;
  /**
   * Store that `readCb` found nothing.
   *
   * @default {false}
   */
  cacheNotFound?: boolean;
  /**
   * When `writeCb` is called: at once, or when a changed entry leaves the cache.
   *
   * @default {"write_through"}
   */
  writeAction?: "write_through" | "write_back";
  /**
   * Do not lock the page while `readCb` runs, so that it may use this cache.
   *
   * @default {false}
   */
  allowRecursive?: boolean;
  /**
   * `empty()` when this object is closed, or the program ends by itself. A program that is killed or
   * ends by an uncaught error, and a Worker that does not close its cache, leave the entries: they are
   * written back when another object evicts or empties them.
   *
   * @default {false}
   */
  emptyOnExit?: boolean;
  /**
   * Remove the file when this object is closed, or the program ends by itself. Others that have it open
   * go on with it, but nobody else finds it: give `false` where workers come and go, or where the file
   * holds metrics, too.
   *
   * @default {true} if the file was not there before
   */
  unlinkOnExit?: boolean;
  /** Without effect: every wait for a lock has a deadline, see `lockTimeout`. */
  catchDeadlocks?: boolean;
  /** How long the traces of `remove` with a `modseq` stay. By default as long as entries. */
  tombstoneExpireTime?: ExpireTime;
  /**
   * How long to wait for a page that another worker has locked, in milliseconds.
   *
   * @default {2000}
   */
  lockTimeout?: number;
  /**
   * How many caches (processes times threads) may have the file open at once, when it is made.
   *
   * @default {256}
   */
  maxWorkers?: number;
  /**
   * Told about exceptions of `writeCb` and `deleteCb`, which do not reach the caller.
   *
   * @default {console.error}
   */
  onError?: (error: unknown) => void;
  /** The clock, in seconds: for expiry, access and eviction. The system's by default. */
  now?: () => number;
}

/** The options in the form that the rest of the module uses; numbers are 0 for the file's own. */
export interface CheckedCacheOptions {
  readonly shareFile: string | undefined;
  readonly initFile: boolean;
  readonly permissions: number;
  readonly numPages: number;
  readonly pageSize: number;
  readonly startSlots: number;
  readonly maxWorkers: number;
  readonly lockTimeout: number;
  /** Seconds; 0 is for ever. */
  readonly lifetime: number;
  readonly tombstoneLifetime: number;
  readonly codec: Codec;
  readonly compression: Compression | undefined;
  readonly enableStats: boolean;
  readonly writeBack: boolean;
  readonly emptyOnExit: boolean;
  readonly unlinkOnExit: boolean | undefined;
  readonly onError: (error: unknown) => void;
  readonly now: () => number;
}

const flag = ["boolean", "number"] as const;
const time = ["number", "string"] as const;
const anything = ["string", "boolean", "number", "bigint", "symbol", "object", "function"] as const;

const known: { readonly [K in keyof Required<FastMmapOptions>]: readonly string[] } = {
  shareFile: ["string", "object"],
  initFile: flag,
  permissions: ["number"],
  cacheSize: time,
  pageSize: time,
  numPages: ["number"],
  startSlots: ["number"],
  testFile: flag,
  expireTime: time,
  serializer: ["string", "object"],
  compressor: ["string", "object"],
  compressFrom: ["number"],
  enableStats: flag,
  context: anything,
  readCb: ["function"],
  writeCb: ["function"],
  deleteCb: ["function"],
  cacheNotFound: flag,
  writeAction: ["string"],
  allowRecursive: flag,
  emptyOnExit: flag,
  unlinkOnExit: flag,
  catchDeadlocks: flag,
  tombstoneExpireTime: time,
  lockTimeout: ["number"],
  maxWorkers: ["number"],
  onError: ["function"],
  now: ["function"],
};

function whole(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
}

function optional(what: string, value: number | undefined, least: number, most: number): number {
  return value === undefined ? 0 : whole(what, value, least, most);
}

const MOST_PAGES = 2 ** 22;
const SMALLEST_PAGE = 4096;
const DEFAULT_PAGE = 65536;
const DEFAULT_PAGES = 89;

function powerOfTwoBelow(size: number): number {
  return 2 ** Math.floor(Math.log2(size));
}

/** Pages in number and bytes, as the original makes them; 0 where nothing is asked for. */
export function geometry(
  { cacheSize, pageSize, numPages }: Pick<FastMmapOptions, "cacheSize" | "pageSize" | "numPages">,
): { numPages: number; pageSize: number } {
  const pages = optional("numPages", numPages, 1, MOST_PAGES);
  const bytes = pageSize === undefined ? 0 : parseSize("pageSize", pageSize);
  if (cacheSize === undefined) {
    return { numPages: pages, pageSize: bytes === 0 ? 0 : powerOfTwoBelow(bytes) };
  }
  const total = parseSize("cacheSize", cacheSize);
  if (pages !== 0) {
    return { numPages: pages, pageSize: Math.max(powerOfTwoBelow(total / pages), SMALLEST_PAGE) };
  }
  const page = Math.max(bytes || DEFAULT_PAGE, SMALLEST_PAGE);
  return { numPages: pagesFor(total, page), pageSize: page };
}

/** 2n + 1 pages, from 89 up or down, until they come to more than so many bytes. */
function pagesFor(total: number, page: number): number {
  let pages = DEFAULT_PAGES;
  if (pages * page <= total) {
    while (pages * page <= total) pages = pages * 2 + 1;
    return pages;
  }
  while (pages * page > total) pages = Math.floor((pages - 1) / 2);
  return pages * 2 + 1;
}

function filePath(file: string | URL | undefined): string | undefined {
  if (file === undefined) return undefined;
  if (file instanceof URL && file.protocol === "file:") return fileURLToPath(file);
  if (typeof file === "string" && file !== "" && !file.includes("\0")) return file;
  const what = file instanceof URL ? file.href : shown(file);
  throw new TypeError(`shareFile must be a path or a file: URL, not ${what}`);
}

function isWriteBack(action: unknown): boolean {
  if (action === undefined || action === "write_through") return false;
  if (action === "write_back") return true;
  throw new TypeError(
    `writeAction must be "write_through" or "write_back", not ${shown(action)}`,
  );
}

/** A clock of the caller's, of which only sensible seconds get to the library. */
function clock(now: (() => number) | undefined): () => number {
  if (now === undefined) return systemClock;
  return () => {
    const second = Math.floor(now());
    if (second >= 0 && second <= 0xffff_ffff) return second;
    throw new RangeError(`now() must return seconds since 1970 below 2^32, not ${second}`);
  };
}

/**
 * Checks the constructor's options.
 *
 * @throws {TypeError | RangeError} if one is unknown or not valid
 */
export function checkCacheOptions<V, C>(options: FastMmapOptions<V, C>): CheckedCacheOptions {
  // The context may be null, which stands for no other option.
  const { context: _, ...others } = options ?? {};
  checkMembers("options", options && others, known);
  const { unlinkOnExit, compressFrom, tombstoneExpireTime } = options;
  const lifetime = defaultLifetime(options.expireTime);
  const tombstoneLifetime = defaultLifetime(tombstoneExpireTime);
  return {
    shareFile: filePath(options.shareFile),
    initFile: Boolean(options.initFile),
    permissions: optional("permissions", options.permissions, 0o400, 0o777),
    ...geometry(options),
    startSlots: optional("startSlots", options.startSlots, 1, 2 ** 27),
    maxWorkers: optional("maxWorkers", options.maxWorkers, 1, 1024),
    lockTimeout: optional("lockTimeout", options.lockTimeout, 1, 2 ** 31),
    lifetime,
    // Without one of its own, or with 0, a tombstone lives as long as an entry.
    tombstoneLifetime: tombstoneLifetime === 0 ? lifetime : tombstoneLifetime,
    codec: serializerCodec(options.serializer),
    compression: compression(
      options.compressor,
      compressFrom === undefined ? undefined : whole("compressFrom", compressFrom, 0, 2 ** 31),
    ),
    enableStats: Boolean(options.enableStats),
    writeBack: isWriteBack(options.writeAction),
    emptyOnExit: Boolean(options.emptyOnExit),
    unlinkOnExit: unlinkOnExit === undefined ? undefined : Boolean(unlinkOnExit),
    onError: options.onError ?? ((error) => console.error(error)),
    now: clock(options.now),
  };
}

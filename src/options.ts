/**
 * The constructor's options, checked and put together.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import {
  checkLabelName,
  compareBytes,
  isMetricName,
  type LabelPair,
  type Labels,
  labelText,
  type NameValidation,
  shown,
} from "./labels.ts";
import type { StoreOptions } from "./store.ts";

/** In which order a histogram's buckets are printed. */
export type BucketOrder = "numeric" | "lexical";

/**
 * What the original's `cache_args` gave to Cache::FastMmap's constructor.
 *
 * The first six choose the file. The others are about a cache, whose entries expire and are evicted;
 * a metric's never are, so these are accepted and have no effect.
 */
export interface CacheArgs {
  /** The store's file, as `filename`. */
  shareFile?: string | URL;
  /** Start from an empty store, as `initFile`. */
  initFile?: boolean;
  /**
   * The file's mode when it is made, under the process's umask; on Windows an access list that gives
   * as much to the user, the user's primary group and Everyone. A file that everybody may write is only
   * opened by who gives a mode that lets everybody write, such as `0o666`.
   *
   * @default {0o600}
   */
  permissions?: number;
  /**
   * How much room the metrics get when the file is made: bytes, or text such as `"64m"`, `"1.5m"`,
   * `"512k"`. A series and its name take about 512 bytes of it.
   *
   * @default {"64m"}
   */
  cacheSize?: number | string;
  /** With `numPages`, another way to say `cacheSize`. Bytes, or text such as `"64k"`. */
  pageSize?: number | string;
  /** With `pageSize`, another way to say `cacheSize`. */
  numPages?: number;
  /** Without effect. */
  startSlots?: unknown;
  /** Without effect: a file is always validated. */
  testFile?: unknown;
  /** Without effect. */
  expireTime?: unknown;
  /** Without effect. */
  serializer?: unknown;
  /** Without effect. */
  compressor?: unknown;
  /** Without effect. */
  enableStats?: unknown;
  /** Without effect. */
  context?: unknown;
  /** Without effect. */
  readCb?: unknown;
  /** Without effect. */
  writeCb?: unknown;
  /** Without effect. */
  writeAction?: unknown;
  /** Without effect. */
  deleteCb?: unknown;
  /** Without effect. */
  cacheNotFound?: unknown;
  /** Without effect. */
  allowRecursive?: unknown;
  /** Without effect: metrics outlive who wrote them. */
  emptyOnExit?: unknown;
  /** Without effect: metrics outlive who wrote them. */
  unlinkOnExit?: unknown;
  /** Without effect. */
  catchDeadlocks?: unknown;
  /** Without effect. */
  tombstoneExpireTime?: unknown;
}

/** Options of {@linkcode PrometheusTinyShared}. */
export interface PrometheusTinySharedOptions {
  /**
   * The store's file, made if it is not there: a path or a `file:` URL. Every worker that gives the
   * same one shares the metrics; `sharedFile("name")` is a good one. Without: a private, temporary
   * store that is gone with its creator.
   */
  filename?: string | URL;
  /**
   * Start from an empty store. The file is replaced: workers that have it open keep the old one.
   *
   * @default {false}
   */
  initFile?: boolean;
  /** The file's other options, as the original's `cache_args`. */
  cacheArgs?: CacheArgs;
  /** Labels that every series of this object gets. A call's own labels override them. */
  defaultLabels?: Labels;
  /**
   * Put before every name that this object is given: with `"shop_"`, `inc("orders_total")` counts
   * `shop_orders_total`. Objects with other prefixes, or none, see the same metrics.
   *
   * @default {""}
   */
  prefix?: string;
  /**
   * The order of a histogram's buckets: by their bounds, as Prometheus wants it, or by their text, as
   * Prometheus::Tiny does it.
   *
   * @default {"numeric"}
   */
  bucketOrder?: BucketOrder;
  /**
   * Which names are valid: Prometheus's own set, or any text, quoted as Prometheus 3 reads it.
   *
   * @default {"legacy"}
   */
  nameValidation?: NameValidation;
  /**
   * Show the store's own series too, `prometheus_tiny_store_workers` and others: how full it is, who
   * works with it, what went wrong.
   *
   * @default {false}
   */
  storeMetrics?: boolean;
  /**
   * In OpenMetrics, say when counters, histograms and summaries began (`_created`).
   *
   * @default {true}
   */
  created?: boolean;
  /**
   * How many workers (processes times threads) may have the file open at once, when it is made.
   *
   * @default {64}
   */
  maxWorkers?: number;
  /**
   * How many series a metric may have that does not say so itself (`maxSeries` of `counter()` and the
   * others). What goes beyond is counted in the metric's one series with the label `overflow="true"`.
   *
   * @default {any number}
   */
  maxSeries?: number;
  /**
   * How long a scrape waits for `collect` callbacks, in milliseconds.
   *
   * @default {1000}
   */
  collectTimeoutMs?: number;
  /**
   * Told about what is odd but no error.
   *
   * @default {console.warn}
   */
  onWarning?: (message: string) => void;
}

/** The options in the form that the rest of the module uses. */
export interface CheckedOptions {
  readonly store: StoreOptions;
  readonly defaults: readonly LabelPair[];
  readonly validation: NameValidation;
  readonly prefix: string;
  readonly bucketOrder: BucketOrder;
  readonly collectTimeoutMs: number;
  readonly storeMetrics: boolean;
  readonly created: boolean;
}

type Type = "string" | "boolean" | "number" | "object" | "function";

const known: { readonly [K in keyof Required<PrometheusTinySharedOptions>]: readonly Type[] } = {
  filename: ["string", "object"],
  initFile: ["boolean"],
  cacheArgs: ["object"],
  defaultLabels: ["object"],
  prefix: ["string"],
  bucketOrder: ["string"],
  nameValidation: ["string"],
  storeMetrics: ["boolean"],
  created: ["boolean"],
  maxWorkers: ["number"],
  maxSeries: ["number"],
  collectTimeoutMs: ["number"],
  onWarning: ["function"],
};

const anything: readonly Type[] = ["string", "boolean", "number", "object", "function"];

const knownCacheArgs: { readonly [K in keyof Required<CacheArgs>]: readonly Type[] } = {
  shareFile: ["string", "object"],
  initFile: ["boolean", "number"],
  permissions: ["number"],
  cacheSize: ["number", "string"],
  pageSize: ["number", "string"],
  numPages: ["number"],
  startSlots: anything,
  testFile: anything,
  expireTime: anything,
  serializer: anything,
  compressor: anything,
  enableStats: anything,
  context: anything,
  readCb: anything,
  writeCb: anything,
  writeAction: anything,
  deleteCb: anything,
  cacheNotFound: anything,
  allowRecursive: anything,
  emptyOnExit: anything,
  unlinkOnExit: anything,
  catchDeadlocks: anything,
  tombstoneExpireTime: anything,
};

/** Refuses unknown members and members of a wrong type. */
export function checkMembers(
  what: string,
  value: unknown,
  members: Readonly<Record<string, readonly string[]>>,
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new TypeError(`${what} must be an object, not ${shown(value)}`);
  }
  for (const [key, member] of Object.entries(value)) {
    if (!Object.hasOwn(members, key)) {
      const names = Object.keys(members).join(", ");
      throw new TypeError(`${what} has no member ${shown(key)}; it has ${names}`);
    }
    const types = members[key];
    if (member === undefined || (types === anything && member === null)) continue;
    if (member !== null && types.includes(typeof member)) continue;
    throw new TypeError(`${what}.${key} must be a ${types.join(" or ")}, not ${shown(member)}`);
  }
}

/** One of a few texts; the first unless given. */
export function oneOf<T extends string>(
  what: string,
  value: T | undefined,
  choices: readonly T[],
): T {
  if (value === undefined) return choices[0];
  if (choices.includes(value)) return value;
  const names = choices.map((choice) => `"${choice}"`).join(" or ");
  throw new TypeError(`${what} must be ${names}, not ${shown(value)}`);
}

/**
 * A whole number within limits.
 *
 * @throws {RangeError} if it is not
 */
export function whole(what: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${what} must be a whole number from ${least} to ${most}, not ${value}`);
}

/**
 * A limit of series.
 *
 * @throws {RangeError} if it is none
 */
export function checkMaxSeries(maxSeries: number): number {
  return whole("maxSeries", maxSeries, 1, 2 ** 31);
}

function filePath(what: string, file: string | URL | undefined): string | undefined {
  if (file === undefined) return undefined;
  if (file instanceof URL && file.protocol === "file:") return fileURLToPath(file);
  if (typeof file === "string" && file !== "" && !file.includes("\0")) return file;
  throw new TypeError(`${what} must be a path or a file: URL, not ${describeFile(file)}`);
}

function describeFile(file: unknown): string {
  return file instanceof URL ? file.href : shown(file);
}

/** Bytes of a size such as `"1.5m"`. */
export function parseSize(what: string, size: number | string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmg]?)\s*$/i.exec(String(size));
  if (match === null) {
    throw new TypeError(
      `${what} must be a number of bytes or a text such as "64m" or "512k", not ${shown(size)}`,
    );
  }
  const factor = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2].toLowerCase()]!;
  return whole(what, Math.floor(Number(match[1]) * factor), 1, 2 ** 46);
}

function capacity({ cacheSize, pageSize, numPages }: CacheArgs): number | undefined {
  if (cacheSize !== undefined) return parseSize("cacheArgs.cacheSize", cacheSize);
  if (pageSize === undefined && numPages === undefined) return undefined;
  const page = parseSize("cacheArgs.pageSize", pageSize ?? "64k");
  return page * whole("cacheArgs.numPages", numPages ?? 89, 1, 2 ** 24);
}

function defaultPairs(
  labels: Labels,
  validation: NameValidation,
  warn: (message: string) => void,
): LabelPair[] {
  const pairs: LabelPair[] = [];
  for (const [name, value] of Object.entries(labels)) {
    checkLabelName(name, validation);
    if (value === undefined || value === null) {
      warn(`label '${name}' has an undefined value, dropping it`);
    } else {
      pairs.push([name, labelText(name, value)]);
    }
  }
  return pairs.sort(([a], [b]) => compareBytes(a, b));
}

function checkPrefix(prefix: string, validation: NameValidation): string {
  if (prefix === "" || isMetricName(prefix, validation)) return prefix;
  throw new TypeError(
    `prefix must be what a metric's name may begin with, such as "shop_", not ${shown(prefix)}`,
  );
}

/**
 * Checks the constructor's options.
 *
 * @throws {TypeError | RangeError} if one is unknown or not valid
 */
export function checkOptions(options: PrometheusTinySharedOptions): CheckedOptions {
  checkMembers("options", options, known);
  const cacheArgs = options.cacheArgs ?? {};
  checkMembers("cacheArgs", cacheArgs, knownCacheArgs);
  const filename = filePath("filename", options.filename);
  const shareFile = filePath("cacheArgs.shareFile", cacheArgs.shareFile);
  if (filename !== undefined && shareFile !== undefined && filename !== shareFile) {
    throw new TypeError(
      `filename (${filename}) and cacheArgs.shareFile (${shareFile}) must not differ: give one`,
    );
  }
  const { permissions } = cacheArgs;
  const { maxWorkers } = options;
  const onWarning = options.onWarning ?? console.warn;
  const validation = oneOf("nameValidation", options.nameValidation, ["legacy", "utf8"]);
  return {
    store: {
      filename: filename ?? shareFile,
      initFile: options.initFile ?? Boolean(cacheArgs.initFile),
      permissions: permissions === undefined
        ? undefined
        : whole("cacheArgs.permissions", permissions, 0o400, 0o777),
      maxWorkers: maxWorkers === undefined ? undefined : whole("maxWorkers", maxWorkers, 1, 1024),
      capacity: capacity(cacheArgs),
      maxSeries: options.maxSeries === undefined ? 0 : checkMaxSeries(options.maxSeries),
      onWarning,
    },
    defaults: defaultPairs(options.defaultLabels ?? {}, validation, onWarning),
    validation,
    prefix: checkPrefix(options.prefix ?? "", validation),
    bucketOrder: oneOf("bucketOrder", options.bucketOrder, ["numeric", "lexical"]),
    collectTimeoutMs: whole("collectTimeoutMs", options.collectTimeoutMs ?? 1000, 1, 600_000),
    storeMetrics: options.storeMetrics ?? false,
    created: options.created ?? true,
  };
}

/**
 * What can go wrong with a store, and the one error class that says so.
 *
 * @module
 */

/**
 * A store could not do what was asked.
 *
 * `code` is for programs, `message` for people: what could not be done, to what, why, and what to
 * do about it.
 *
 * | codes | when |
 * |---|---|
 * | `NOT_A_STORE`, `VERSION`, `GEOMETRY`, `DAMAGED` | the file is not a store this version can use |
 * | `NO_FOLDER`, `PERMISSION`, `READ_ONLY`, `OWNER`, `SYMLINK`, `NOT_A_FILE`, `NETWORK` | the file cannot be opened, or is not safe to |
 * | `SERIES_FULL`, `TEXT_FULL`, `CELLS_FULL`, `NO_SPACE`, `WORKERS_FULL` | a limit was met |
 * | `MISMATCH` | a metric was declared differently before |
 * | `NOT_FOUND` | there is no such thing |
 * | `LOCK_TIMEOUT` | another worker holds a lock and does not move |
 * | `LOCKED` | a cache was used inside its own `readCb` or the function of its `getAndSet` |
 * | `CLOSED` | the store was closed |
 * | `LIBRARY`, `PLATFORM`, `PERMISSION` | the native library cannot be unpacked or loaded |
 *
 * @example A closed store says so
 * ```ts
 * import { PrometheusTinyShared, StoreError } from "prometheus-tiny-shared";
 * import assert from "node:assert/strict";
 *
 * const prom = new PrometheusTinyShared();
 * prom.close();
 * assert.throws(() => prom.inc("requests_total"), (error) => {
 *   return error instanceof StoreError && error.code === "CLOSED";
 * });
 * ```
 */
export class StoreError extends Error {
  /** Which failure it is: one of the names in the table above. */
  readonly code: string;

  /**
   * Makes the error. The library does that; a program has no need to.
   *
   * @param code which failure it is
   * @param message what could not be done, to what, why, and what to do
   * @param options the error that caused it
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/**
 * PTS_ERRORS of `csrc/pts.h`: a result's code and text, by its name. `tests/symbols_test.ts`
 * compares the two lists.
 */
export const failures = {
  INVALID: [-1, "an argument is not valid"],
  CLOSED: [-2, "the store is closed"],
  NOT_FOUND: [-3, "there is no such thing"],
  NO_FOLDER: [-4, "the folder does not exist"],
  PERMISSION: [-5, "permission denied"],
  READ_ONLY: [-6, "the file system is read-only"],
  NO_SPACE: [-7, "no space left for the store's file"],
  NO_DESCRIPTORS: [-8, "too many open files"],
  FILE_LIMIT: [-9, "the process's file size limit is too small"],
  SYMLINK: [-10, "the path is a symbolic link"],
  OWNER: [-11, "the file belongs to another user or others may write it"],
  NOT_A_FILE: [-12, "the path is not a regular file"],
  NETWORK: [-13, "the folder is on a network file system"],
  NOT_A_STORE: [-14, "the file is not a store"],
  VERSION: [-15, "the store was made by another version"],
  GEOMETRY: [-16, "the store has another geometry than asked for"],
  DAMAGED: [-17, "the store is damaged"],
  IO: [-18, "the operating system refused"],
  NO_MEMORY: [-19, "out of memory"],
  WORKERS_FULL: [-20, "every worker slot is taken"],
  SERIES_FULL: [-21, "the series table is full"],
  TEXT_FULL: [-22, "the space for names and labels is full"],
  CELLS_FULL: [-23, "the space for values is full"],
  LOCK_TIMEOUT: [-24, "a lock was not free before the deadline"],
  LOCKED: [-25, "the lock is already held by this attachment"],
  MISMATCH: [-26, "it was declared differently before"],
  TOO_LONG: [-27, "a name, label text or value is too long"],
  TOO_SMALL: [-28, "the buffer is too small"],
  UNSUPPORTED: [-29, "this platform cannot do that"],
  TOO_MANY: [-30, "too many open stores in this process"],
  STALE: [-31, "the series's room was given to other labels: look it up again"],
  FAMILY_FULL: [-32, "the metric has as many series as it may have"],
} as const satisfies Record<string, readonly [number, string]>;

/** The name of a failure: what `StoreError.code` says. */
export type FailureName = keyof typeof failures;

const names = new Map<number, FailureName>(
  Object.entries(failures).map(([name, [code]]) => [code, name as FailureName]),
);

/**
 * The name of a negative result of the library.
 *
 * @param result what a native call returned
 * @returns the name; "INVALID" for a number that is in no list
 */
export function failureName(result: number): FailureName {
  return names.get(result) ?? "INVALID";
}

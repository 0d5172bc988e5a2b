/**
 * One attachment to a cache: opens and closes it, locks pages, turns results into errors.
 *
 * @module
 */

import * as native from "../ffi/cache_native.ts";
import { NONE, Open, sharedPath } from "../ffi/native.ts";
import type { CheckedCacheOptions, Key } from "./cache_options.ts";
import { failureName, failures, StoreError } from "./errors.ts";

/** A file that nobody else has, where shared files of this user lie. */
function freshFile(): string {
  const { result, message } = sharedPath(`cache-${Deno.pid}-${crypto.randomUUID()}`);
  if (result < 0) throw new StoreError(failureName(result), message);
  return message;
}

/** An open cache, as one thread sees it. */
export class CacheStore {
  /** For native calls; a number that C refuses once closed. */
  attachment: number = NONE;
  readonly shareFile: string;
  readonly numPages: number;
  readonly pageSize: number;
  readonly #largest: number;
  readonly #unlinks: boolean;

  /** @throws {StoreError} if the cache cannot be opened */
  constructor(options: CheckedCacheOptions) {
    this.shareFile = options.shareFile ?? freshFile();
    const { result, message } = native.open({
      path: this.shareFile,
      flags: options.initFile ? Open.init : 0,
      countReads: options.enableStats,
      permissions: options.permissions,
      maxWorkers: options.maxWorkers,
      lockTimeoutMs: options.lockTimeout,
      numPages: options.numPages,
      pageSize: options.pageSize,
      startSlots: options.startSlots,
    });
    if (result < 0) throw new StoreError(failureName(result), message);
    this.attachment = result;
    const shape = native.shape(result);
    if (typeof shape === "number") {
      this.close();
      throw this.failure(shape, "read its geometry");
    }
    this.numPages = shape.numPages;
    this.pageSize = shape.pageSize;
    this.#largest = shape.largest;
    this.#unlinks = options.unlinkOnExit ?? !shape.existed;
  }

  /** Whether {@linkcode CacheStore.close} leaves no file. */
  get unlinksOnExit(): boolean {
    return this.#unlinks;
  }

  get isOpen(): boolean {
    return this.attachment !== NONE;
  }

  /** Idempotent. */
  close(): void {
    const attachment = this.attachment;
    this.attachment = NONE;
    if (attachment === NONE) return;
    if (this.#unlinks) native.unlink(attachment);
    native.close(attachment);
  }

  /** Does something while the page of a key is locked. */
  locked<T>(key: Key, purpose: string, work: () => T): T {
    this.check(native.lock(this.attachment, native.putKey(key)), purpose);
    try {
      return work();
    } finally {
      native.unlock(this.attachment);
    }
  }

  /** Does something while one page is locked. */
  lockedPage<T>(page: number, purpose: string, work: () => T): T {
    this.check(native.lockPage(this.attachment, page), purpose);
    try {
      return work();
    } finally {
      native.unlock(this.attachment);
    }
  }

  /** Inside {@linkcode CacheStore.locked}: does something while the page is not locked. */
  unlocked<T>(key: Key, purpose: string, work: () => T): T {
    this.check(native.unlock(this.attachment), purpose);
    try {
      return work();
    } finally {
      this.check(native.lock(this.attachment, native.putKey(key)), purpose);
    }
  }

  /** @returns the result if it is no failure */
  check(result: number, purpose: string): number {
    if (result < 0) throw this.failure(result, purpose);
    return result;
  }

  /** The error of a negative result. */
  failure(result: number, purpose: string): StoreError {
    const name = failureName(result);
    const what = `cannot ${purpose} in the cache ${this.shareFile}`;
    return new StoreError(name, `${what}: ${this.#why(name)}`);
  }

  #why(name: keyof typeof failures): string {
    const text = failures[name][1];
    switch (name) {
      case "CLOSED":
        return `${text}; open another one`;
      case "LOCKED":
        return `it is already locked by this very object, which runs readCb or the function of ` +
          `getAndSet; use the cache after that, or set allowRecursive for readCb`;
      case "LOCK_TIMEOUT":
        return `${text}. A worker that holds the page's lock is stopped (SIGSTOP, a debugger), ` +
          `starved, or in a long readCb or getAndSet; end it or let it go on`;
      case "NOT_FOUND":
        return `its file was removed, or replaced by initFile, since it was opened; open the cache ` +
          `again to share locks by name with other workers`;
      case "NO_DESCRIPTORS":
        return `${text}; close files, or raise the limit (ulimit -n)`;
      case "NO_SPACE":
        return `${text}. Free space on its file system, or keep it on another one`;
      case "DAMAGED":
        return `${text}, or its file was shortened. Start a new file with initFile: true`;
      case "TOO_LONG":
        return `${text}; a page holds ${this.#largest} bytes of key and value`;
      default:
        return text;
    }
  }
}

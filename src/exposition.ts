/**
 * The text exposition: all at once, or in parts that leave the event loop alone.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { failures } from "./errors.ts";
import { shown } from "./labels.ts";
import { checkMembers } from "./options.ts";
import type { Store } from "./store.ts";

/** What {@linkcode PrometheusTinyShared.exposition} is to make. */
export interface ExpositionRequest {
  /** The client's `Accept` header. Text format 0.0.4 without one. */
  accept?: string | null;
  /**
   * Only families that have one of these names, or a sample that has: `request_seconds` and
   * `request_seconds_count` mean the same histogram. Everything by default.
   */
  names?: readonly string[];
}

/** An exposition and what it is. */
export interface Exposition {
  /** UTF-8. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** For the `Content-Type` header. */
  readonly contentType: string;
}

/**
 * Checks a request.
 *
 * @throws {TypeError} if a member is unknown or of a wrong type
 */
export function checkExpositionRequest(request: ExpositionRequest): ExpositionRequest {
  checkMembers(
    "exposition request",
    request.accept === null ? { ...request, accept: undefined } : request,
    {
      accept: ["string"],
      names: ["object"],
    },
  );
  const { names } = request;
  const valid = names === undefined ||
    (Array.isArray(names) && names.every((name) => typeof name === "string"));
  if (!valid) throw new TypeError(`names must be an array of strings, not ${shown(names)}`);
  return request;
}

const FIRST_SIZE = 64 * 1024;
/** Parts of a stream: also how much is compressed at a time. */
const PART_SIZE = 128 * 1024;

const TOO_SMALL = failures.TOO_SMALL[0];

/** Up to so many series an exposition is made at once: it takes a millisecond or two. */
const MOST_AT_ONCE = 10_000;

/** Whether making an exposition would hold the event loop up, so that it is better made in parts. */
export function isLarge(store: Store): boolean {
  return store.usage().seriesUsed > MOST_AT_ONCE;
}

/** What each store's last exposition needed: the next one is likely as long. */
const usualSizes = new WeakMap<Store, number>();
/** ... but more is not asked for at once. */
const MOST_USUAL_SIZE = 128 * 1024 * 1024;

/** Begins an exposition of everything, or of families that have one of the names or a sample that has. */
function open(store: Store, flags: number, names: readonly string[] | undefined): number {
  const { attachment } = store;
  const render = native.renderOpen(attachment, flags, Date.now());
  store.check(render, "begin an exposition");
  if (names === undefined) return render;
  const result = native.renderOnly(attachment, render, names);
  if (result < 0) native.renderClose(attachment, render);
  store.check(result, "select metrics by their names");
  return render;
}

/**
 * The whole exposition, as bytes.
 *
 * @param flags {@linkcode native.Render}
 * @param names only families that have one of them, or a sample that has
 */
export function wholeExposition(
  store: Store,
  flags: number,
  names?: readonly string[],
): Uint8Array<ArrayBuffer> {
  const render = open(store, flags, names);
  try {
    let buffer = new Uint8Array(usualSizes.get(store) ?? FIRST_SIZE);
    let used = 0;
    for (;;) {
      const length = native.renderNext(store.attachment, render, buffer.subarray(used));
      if (length === 0) break;
      if (length === TOO_SMALL) {
        buffer = grown(buffer, used);
      } else {
        used += store.check(length, "write an exposition");
      }
    }
    // Some room to grow, so that values with more digits do not cost a copy of everything.
    usualSizes.set(store, Math.min(used + (used >> 4) + FIRST_SIZE, MOST_USUAL_SIZE));
    return buffer.subarray(0, used);
  } finally {
    store.rendered(native.renderClose(store.attachment, render));
  }
}

function grown(buffer: Uint8Array<ArrayBuffer>, used: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(buffer.length * 2);
  larger.set(buffer.subarray(0, used));
  return larger;
}

/**
 * The exposition as a stream, made on another thread, part by part as the reader wants them.
 *
 * What the store holds is read while the stream is: a part shows updates up to its own moment.
 */
export function expositionStream(
  store: Store,
  flags: number,
  names?: readonly string[],
): ReadableStream<Uint8Array<ArrayBuffer>> {
  // Of this attachment to the end: after a close() its number may be another store's.
  const { attachment } = store;
  const render = open(store, flags, names);
  let working: Promise<number> | undefined;
  let size = PART_SIZE;
  const end = () => {
    if (store.attachment === attachment) store.rendered(native.renderClose(attachment, render));
  };
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      let buffer, length;
      do {
        store.requireOpen();
        buffer = new Uint8Array(size);
        working = native.renderNextAsync(attachment, render, buffer);
        length = await working;
        working = undefined;
        if (length === TOO_SMALL) size *= 2; // for one line: a help text may be long
      } while (length === TOO_SMALL);
      if (length > 0) {
        controller.enqueue(buffer.subarray(0, length));
      } else if (length === 0) {
        end();
        controller.close();
      } else {
        end();
        throw store.failure(length, "write an exposition");
      }
    },
    async cancel() {
      await working;
      end();
    },
  }, { highWaterMark: 1 });
}

/** The whole exposition, as bytes; of a large store without holding the event loop up. */
export async function expositionBytes(
  store: Store,
  flags: number,
  names?: readonly string[],
): Promise<Uint8Array<ArrayBuffer>> {
  if (!isLarge(store)) return wholeExposition(store, flags, names);
  return await new Response(expositionStream(store, flags, names)).bytes();
}

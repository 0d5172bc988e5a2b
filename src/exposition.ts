/**
 * The text exposition: all at once, or in parts that leave the event loop alone.
 *
 * @module
 */

import * as native from "../ffi/native.ts";
import { failures } from "./errors.ts";
import type { Store } from "./store.ts";

const FIRST_SIZE = 64 * 1024;
/** Parts of a stream: also how much is compressed at a time. */
const PART_SIZE = 128 * 1024;

const TOO_SMALL = failures.TOO_SMALL[0];

/** What each store's last exposition needed: the next one is likely as long. */
const usualSizes = new WeakMap<Store, number>();
/** ... but more is not asked for at once. */
const MOST_USUAL_SIZE = 128 * 1024 * 1024;

/** The whole exposition, as bytes. */
export function wholeExposition(store: Store, flags: number): Uint8Array<ArrayBuffer> {
  const render = store.check(native.renderOpen(store.attachment, flags), "begin an exposition");
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
): ReadableStream<Uint8Array<ArrayBuffer>> {
  // Of this attachment to the end: after a close() its number may be another store's.
  const { attachment } = store;
  const render = store.check(native.renderOpen(attachment, flags), "begin an exposition");
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

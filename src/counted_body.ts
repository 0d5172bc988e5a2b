/**
 * A response whose body tells how long it was, and when it ended.
 *
 * @module
 */

/** Told once: how many bytes went by, when the last one did or nobody wants more. */
export type BodyEnd = (bytes: number) => void;

type Read = ReadableStreamReadResult<Uint8Array<ArrayBuffer>>;

/**
 * How many turns of the microtask queue a body that lies in memory takes at most until it is read:
 * text and bytes 3, a `Blob` or form data 9, with room for other versions. A body that waits for
 * anything else takes more, and is not waited for.
 */
const TURNS_IN_MEMORY = 20;

/**
 * The same response with a body that is counted while it is read. Nothing is kept: a chunk goes on
 * as it comes, and the next is asked for when the reader wants it.
 *
 * A body that is one chunk in memory, as of `new Response("text")`, is given on as that chunk: a
 * server then knows its length, and sends it, as it would have for the original.
 */
export async function countedResponse(response: Response, end: BodyEnd): Promise<Response> {
  const reader = (response.body as ReadableStream<Uint8Array<ArrayBuffer>>).getReader();
  const first = reader.read();
  const begun = await soon(first);
  if (begun === undefined) return withBody(response, countedStream(reader, [first], end));
  if (begun.done) {
    end(0);
    return withBody(response, new Uint8Array());
  }
  const second = reader.read();
  const next = await soon(second);
  if (next?.done !== true || !(begun.value instanceof Uint8Array)) {
    return withBody(response, countedStream(reader, [first, second], end));
  }
  end(begun.value.byteLength);
  return withBody(response, begun.value);
}

/** What a promise becomes, if it does without waiting for anything outside. */
async function soon(promise: Promise<Read>): Promise<Read | undefined> {
  let result: Read | undefined;
  let settled = false;
  promise.then((read) => {
    result = read;
    settled = true;
  }, () => settled = true); // whoever reads the stream meets the error
  for (let turn = 0; turn < TURNS_IN_MEMORY && !settled; turn++) await null;
  return result;
}

/** @param begun reads under way already, in order */
function countedStream(
  reader: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>,
  begun: Promise<Read>[],
  end: BodyEnd,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let bytes = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await (begun.shift() ?? reader.read());
        if (done) {
          end(bytes);
          controller.close();
        } else {
          bytes += value.byteLength ?? 0;
          controller.enqueue(value);
        }
      } catch (error) {
        end(bytes);
        throw error;
      }
    },
    async cancel(reason) {
      end(bytes);
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

/** What a copy does not take from the response that it is made from. */
const lost = ["url", "redirected", "type"] as const;

function withBody(response: Response, body: BodyInit): Response {
  const { status, statusText, headers } = response;
  const copy = new Response(body, { status, statusText, headers });
  for (const name of lost) {
    const value = response[name];
    if (copy[name] !== value) Object.defineProperty(copy, name, { value, configurable: true });
  }
  return copy;
}

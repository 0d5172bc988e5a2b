/**
 * The `/metrics` endpoint.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { expositionStream, wholeExposition } from "./exposition.ts";
import type { Store } from "./store.ts";

/** A function for `Deno.serve`. */
export type MetricsHandler = (request: Request) => Response | Promise<Response>;

const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** Up to so many series an exposition is made at once: it takes a millisecond or two. */
const MOST_AT_ONCE = 10_000;
/** Below this a compressed response is not worth its making. */
const LEAST_COMPRESSED = 1024;
/** Above this compressing at once would hold the event loop up. */
const MOST_COMPRESSED_AT_ONCE = 256 * 1024;

/**
 * Whether a request takes gzip. An `Accept-Encoding` without it, or with `q=0` for it, does not;
 * `*` stands for every coding that is not named.
 */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  let named: number | undefined;
  let any = 0;
  for (const part of (acceptEncoding ?? "").split(",")) {
    const [coding, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = qualityOf(parameters);
    if (coding === "gzip" || coding === "x-gzip") named = Math.max(named ?? 0, quality);
    else if (coding === "*") any = quality;
  }
  return (named ?? any) > 0;
}

function qualityOf(parameters: readonly string[]): number {
  const text = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
  if (text === undefined) return 1;
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(text) ? Number(text) : 0;
}

/** A handler that answers with the store's exposition. */
export function createHandler(store: Store, flags: number): MetricsHandler {
  return (request) => {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const headers = new Headers({ "content-type": contentType, vary: "Accept-Encoding" });
    const gzip = acceptsGzip(request.headers.get("accept-encoding"));
    store.requireOpen();
    const body = store.usage().seriesUsed > MOST_AT_ONCE
      ? largeBody(store, flags, gzip, method, headers)
      : smallBody(wholeExposition(store, flags), gzip, headers);
    return new Response(method === "HEAD" ? null : body, { headers });
  };
}

type Body = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;

/** Its length is not known, and a HEAD request need not make it. */
function largeBody(
  store: Store,
  flags: number,
  gzip: boolean,
  method: string,
  headers: Headers,
): Body {
  if (gzip) headers.set("content-encoding", "gzip");
  if (method === "HEAD") return null;
  const stream = expositionStream(store, flags);
  return gzip ? stream.pipeThrough(new CompressionStream("gzip")) : stream;
}

function smallBody(text: Uint8Array<ArrayBuffer>, gzip: boolean, headers: Headers): Body {
  if (!gzip || text.length < LEAST_COMPRESSED) {
    headers.set("content-length", String(text.length));
    return text;
  }
  headers.set("content-encoding", "gzip");
  if (text.length > MOST_COMPRESSED_AT_ONCE) {
    return streamOf(text).pipeThrough(new CompressionStream("gzip"));
  }
  // The fastest level: an exposition repeats itself so much that more effort gains little.
  const compressed = new Uint8Array(gzipSync(text, { level: 1 }));
  headers.set("content-length", String(compressed.length));
  return compressed;
}

/** A text in parts, so that compressing one part does not hold the event loop up. */
function streamOf(text: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const part = 64 * 1024;
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= text.length) return controller.close();
      controller.enqueue(text.subarray(at, at += part));
    },
  });
}

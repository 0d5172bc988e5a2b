/**
 * The `/metrics` endpoint.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { expositionStream, isLarge, wholeExposition } from "./exposition.ts";
import { negotiate, qualityOf } from "./negotiation.ts";
import type { Store } from "./store.ts";

/** A function for `Deno.serve`. */
export type MetricsHandler = (request: Request) => Response | Promise<Response>;

/** Below this a compressed response is not worth its making. */
const LEAST_COMPRESSED = 1024;
/** Above this compressing at once would hold the event loop up. */
const MOST_COMPRESSED_AT_ONCE = 256 * 1024;

/**
 * Whether a request is better answered in gzip: its `Accept-Encoding` takes it (not with `q=0`), and
 * does not prefer `identity`. `*` stands for every coding that is not named.
 */
export function acceptsGzip(acceptEncoding: string | null): boolean {
  let gzip: number | undefined;
  let identity = 0;
  let any = 0;
  for (const part of (acceptEncoding ?? "").split(",")) {
    const [coding, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = qualityOf(
      parameters.find((parameter) => parameter.startsWith("q="))?.slice("q=".length),
    );
    if (coding === "gzip" || coding === "x-gzip") gzip = Math.max(gzip ?? 0, quality);
    else if (coding === "identity") identity = quality;
    else if (coding === "*") any = quality;
  }
  const quality = gzip ?? any;
  return quality > 0 && quality >= identity;
}

/** The names that a request asks for by `name[]`; `undefined`: everything. */
function namesOf(url: string): string[] | undefined {
  const query = url.indexOf("?");
  if (query < 0) return undefined;
  const names = new URL(url).searchParams.getAll("name[]");
  return names.length > 0 ? names : undefined;
}

/** A handler that answers with the store's exposition, in the format that the client asks for. */
export function createHandler(store: Store, flags: number): MetricsHandler {
  return (request) => {
    const { method } = request;
    if (method !== "GET" && method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    const format = negotiate(request.headers.get("accept"));
    const wanted: Wanted = { flags: flags | format.flags, names: namesOf(request.url) };
    const headers = new Headers({
      "content-type": format.contentType,
      vary: "Accept, Accept-Encoding",
    });
    const gzip = acceptsGzip(request.headers.get("accept-encoding"));
    store.requireOpen();
    const body = isLarge(store)
      ? largeBody(store, wanted, gzip, method, headers)
      : smallBody(wholeExposition(store, wanted.flags, wanted.names), gzip, headers);
    return new Response(method === "HEAD" ? null : body, { headers });
  };
}

/** What a request asks for. */
interface Wanted {
  readonly flags: number;
  readonly names: string[] | undefined;
}

type Body = Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null;

/** Its length is not known, and a HEAD request need not make it. */
function largeBody(
  store: Store,
  { flags, names }: Wanted,
  gzip: boolean,
  method: string,
  headers: Headers,
): Body {
  if (gzip) headers.set("content-encoding", "gzip");
  if (method === "HEAD") return null;
  const stream = expositionStream(store, flags, names);
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

/**
 * How bytes become fewer bytes.
 *
 * @module
 */

import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateRawSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { shown } from "./labels.ts";
import { isPair } from "./serializers.ts";

/** A pair of functions: bytes to compressed bytes, and back. */
export type CompressorPair = readonly [
  compress: (bytes: Uint8Array) => Uint8Array,
  decompress: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
];

/** What compresses values: one of `node:zlib`, or a pair of functions. */
export type Compressor = "deflate" | "gzip" | "brotli" | "zstd" | CompressorPair;

/** A compressor at work. */
export interface Compression {
  /** The bytes to store instead, or undefined if these are not worth it. */
  compress(bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined;
  decompress(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
}

const brotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

const named: Readonly<Record<string, CompressorPair>> = {
  deflate: [(bytes) => deflateRawSync(bytes), (bytes) => inflateRawSync(bytes)],
  gzip: [(bytes) => gzipSync(bytes), (bytes) => gunzipSync(bytes)],
  // The default quality, 11, is a hundred times as slow.
  brotli: [(bytes) => brotliCompressSync(bytes, brotliOptions), (b) => brotliDecompressSync(b)],
  zstd: [(bytes) => zstdCompressSync(bytes), (bytes) => zstdDecompressSync(bytes)],
};

/** Below it, what an entry takes besides its value matters more. */
const NAMED_FROM = 256;

function bytesOf(what: string, value: unknown): Uint8Array<ArrayBuffer> {
  if (value instanceof Uint8Array) return new Uint8Array(value);
  throw new TypeError(
    `the compressor's ${what} function must return a Uint8Array, not ${shown(value)}`,
  );
}

/**
 * The compressor of an option.
 *
 * @param from the fewest bytes to compress; by default 256 for a named one, all for a pair
 * @throws {TypeError} if it is neither a known name nor a pair
 */
export function compression(compressor: unknown, from?: number): Compression | undefined {
  if (compressor === undefined) return undefined;
  const isNamed = typeof compressor === "string" && Object.hasOwn(named, compressor);
  if (!isNamed && !isPair(compressor)) {
    throw new TypeError(
      `compressor must be "deflate", "gzip", "brotli", "zstd", or a pair of functions ` +
        `[(bytes) => Uint8Array, (bytes) => Uint8Array], not ${shown(compressor)}`,
    );
  }
  const [compress, decompress] = isNamed ? named[compressor] : compressor as CompressorPair;
  const least = from ?? (isNamed ? NAMED_FROM : 0);
  return {
    compress(bytes) {
      if (bytes.length < least) return undefined;
      const fewer = bytesOf("first", compress(bytes));
      return isNamed && fewer.length >= bytes.length ? undefined : fewer;
    },
    decompress: (bytes) => bytesOf("second", decompress(bytes)),
  };
}

/**
 * How values become bytes.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { deserialize, serialize } from "node:v8";
import { shown } from "./labels.ts";

/** A pair of functions: a value to bytes, and back. The bytes are the function's own to keep. */
export type SerializerPair<V> = readonly [
  encode: (value: V) => Uint8Array,
  decode: (bytes: Uint8Array<ArrayBuffer>) => V,
];

/**
 * How values become bytes: `json`; `text` for strings as they are; `raw` for bytes as they are;
 * `structured` for whatever `structuredClone` can copy (Maps, Dates, cycles ...), which is slow; or a
 * pair of functions.
 */
export type Serializer<V> = "json" | "text" | "raw" | "structured" | SerializerPair<V>;

/** A serializer at work. */
export interface Codec {
  /** Text stands for its UTF-8. */
  encode(value: unknown): Uint8Array<ArrayBuffer> | string;
  decode(bytes: Uint8Array<ArrayBuffer>): unknown;
  /** Whether what `decode` returns may go on using its bytes: then they must be the value's own. */
  readonly keeps: boolean;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const json: Codec = {
  encode(value) {
    if (value instanceof Promise) {
      throw new TypeError(
        "a promise cannot be stored: await it before; readCb and getAndSet's function must not be " +
          "async, use getOrSet or withLock for that",
      );
    }
    const text = JSON.stringify(value);
    if (text !== undefined) return text;
    throw new TypeError(
      `${shown(value)} cannot be stored as JSON: store something else, or use another serializer`,
    );
  },
  decode: (bytes) => JSON.parse(decoder.decode(bytes)),
  keeps: false,
};

const text: Codec = {
  encode(value) {
    switch (typeof value) {
      case "string":
        return value;
      case "number":
      case "bigint":
      case "boolean":
        return String(value);
    }
    throw new TypeError(
      `serializer "text" stores strings, not ${shown(value)}: store a string, or use "json"`,
    );
  },
  decode: (bytes) => decoder.decode(bytes),
  keeps: false,
};

/** Bytes as a view that the library can read; only memory shared between threads has to be copied. */
function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer
    ? bytes as Uint8Array<ArrayBuffer>
    : new Uint8Array(bytes);
}

const raw: Codec = {
  encode(value) {
    if (value instanceof Uint8Array) return ownBytes(value);
    throw new TypeError(
      `serializer "raw" stores Uint8Arrays, not ${
        shown(value)
      }: store bytes, or use "text" or "json"`,
    );
  },
  decode: (bytes) => bytes,
  keeps: true,
};

const structured: Codec = {
  encode: (value) => ownBytes(serialize(value)),
  decode: (bytes) => deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  keeps: true,
};

function pairCodec(pair: SerializerPair<never>): Codec {
  const [encode, decode] = pair;
  return {
    encode(value) {
      const bytes: unknown = encode(value as never);
      if (bytes instanceof Uint8Array) return ownBytes(bytes);
      throw new TypeError(
        `the serializer's first function must return a Uint8Array, not ${shown(bytes)}`,
      );
    },
    decode: (bytes) => decode(bytes),
    keeps: true,
  };
}

const named: Readonly<Record<string, Codec>> = { json, text, raw, structured };

/** Whether a value is a pair of functions. */
export function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 &&
    value.every((member) => typeof member === "function");
}

/**
 * The serializer of an option.
 *
 * @throws {TypeError} if it is neither a known name nor a pair
 */
export function serializerCodec(serializer: unknown = "json"): Codec {
  if (typeof serializer === "string" && Object.hasOwn(named, serializer)) return named[serializer];
  if (isPair(serializer)) return pairCodec(serializer as SerializerPair<never>);
  throw new TypeError(
    `serializer must be "json", "text", "raw", "structured", or a pair of functions ` +
      `[(value) => Uint8Array, (bytes) => value], not ${shown(serializer)}`,
  );
}

/** Whether values are stored as the bytes they are. */
export function isRaw(codec: Codec): boolean {
  return codec === raw;
}

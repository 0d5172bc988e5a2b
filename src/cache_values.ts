/**
 * Values as they lie in the cache: serialized, perhaps compressed, with flags that say how.
 *
 * @module
 */

import type { Key } from "./cache_options.ts";
import type { Compression } from "./compressors.ts";
import { StoreError } from "./errors.ts";
import type { Codec } from "./serializers.ts";

/** Flags that entries keep; the library knows the first one, too. */
export const Kept = {
  dirty: 1,
  /** The key was given as text. */
  textKey: 2,
  /** The value is undefined; no serializer is asked. */
  undefinedValue: 4,
  compressed: 8,
} as const;

/** A value on its way into the cache. Text stands for its UTF-8. */
export interface Encoded {
  readonly value: Uint8Array<ArrayBuffer> | string;
  readonly flags: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const nothing: Encoded = { value: new Uint8Array(0), flags: Kept.undefinedValue };

/** The flag of a key's kind. */
export function keyFlag(key: Key): number {
  return typeof key === "string" ? Kept.textKey : 0;
}

/** An entry's key as it was set. */
export function keyOf(bytes: Uint8Array<ArrayBuffer>, flags: number): Key {
  return (flags & Kept.textKey) === 0 ? bytes.slice() : decoder.decode(bytes);
}

/** A key's bytes. */
export function bytesOfKey(key: Key): Uint8Array {
  return typeof key === "string" ? encoder.encode(key) : key;
}

/** Turns values into entries' bytes and back. */
export class Values<V> {
  readonly #codec: Codec;
  readonly #compression: Compression | undefined;

  constructor(codec: Codec, compression: Compression | undefined) {
    this.#codec = codec;
    this.#compression = compression;
  }

  encode(value: V | undefined): Encoded {
    if (value === undefined) return nothing;
    const encoded = this.#codec.encode(value);
    if (this.#compression === undefined) return { value: encoded, flags: 0 };
    const bytes = typeof encoded === "string" ? encoder.encode(encoded) : encoded;
    const fewer = this.#compression.compress(bytes);
    return fewer === undefined
      ? { value: bytes, flags: 0 }
      : { value: fewer, flags: Kept.compressed };
  }

  /** The value of bytes that belong to it. */
  decode(bytes: Uint8Array<ArrayBuffer>, flags: number): V | undefined {
    if ((flags & Kept.undefinedValue) !== 0) return undefined;
    return this.#codec.decode(this.plain(bytes, flags)) as V;
  }

  /** The value of bytes that are only lent. */
  decodeLent(bytes: Uint8Array<ArrayBuffer>, flags: number): V | undefined {
    const keeps = this.#codec.keeps || (flags & Kept.compressed) !== 0;
    return this.decode(keeps ? bytes.slice() : bytes, flags);
  }

  /** A value's bytes as the serializer has made them. */
  plain(bytes: Uint8Array<ArrayBuffer>, flags: number): Uint8Array<ArrayBuffer> {
    if ((flags & Kept.compressed) === 0) return bytes;
    if (this.#compression !== undefined) return this.#compression.decompress(bytes);
    throw new StoreError(
      "MISMATCH",
      "cannot read an entry of the cache: its value was compressed by a worker that has a " +
        "compressor, and this one has none; give all workers the same compressor and serializer",
    );
  }
}

/** An encoded value's bytes. */
export function encodedBytes({ value }: Encoded): Uint8Array<ArrayBuffer> {
  return typeof value === "string" ? encoder.encode(value) : value;
}

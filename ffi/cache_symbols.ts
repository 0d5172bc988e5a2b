/**
 * The table of what the native library exports for the cache. The C type stands beside each parameter;
 * `tests/symbols_test.ts` compares the whole table with `csrc/pts_cache.h`.
 *
 * A `pointer` is the address of a buffer that this module keeps: passing one is three times as fast
 * as passing the buffer itself, whose address Deno must look up at each call.
 *
 * @module
 */

/** Every function of `csrc/pts_cache.h`, as `Deno.dlopen` wants it. */
export const cacheSymbols = {
  pts_cache_open: {
    parameters: [
      "buffer", // const pts_cache_options *options
      "buffer", // char *message
      "u32", // uint32_t message_size
    ],
    result: "i32",
  },
  pts_cache_close: {
    parameters: ["u32"], // uint32_t cache
    result: "i32",
  },
  pts_cache_shape_read: {
    parameters: [
      "u32", // uint32_t cache
      "buffer", // pts_cache_shape *out
    ],
    result: "i32",
  },
  pts_cache_unlink: {
    parameters: ["u32"], // uint32_t cache
    result: "i32",
  },
  pts_cache_get: {
    parameters: [
      "u32", // uint32_t cache
      "pointer", // const uint8_t *key
      "u32", // uint32_t key_length
      "u32", // uint32_t now
      "u32", // uint32_t flags
      "pointer", // uint8_t *buffer
      "u32", // uint32_t size
      "pointer", // pts_cache_entry *entry
    ],
    result: "i32",
  },
  // The same function into a buffer of the caller's.
  pts_cache_get_into: {
    name: "pts_cache_get",
    parameters: ["u32", "pointer", "u32", "u32", "u32", "buffer", "u32", "pointer"],
    result: "i32",
  },
  pts_cache_set: {
    parameters: [
      "u32", // uint32_t cache
      "pointer", // const uint8_t *key
      "u32", // uint32_t key_length
      "pointer", // const uint8_t *value
      "u32", // uint32_t value_length
      "u32", // uint32_t now
      "u32", // uint32_t expire_on
      "u32", // uint32_t flags
      "pointer", // const uint64_t *modseq
    ],
    result: "i32",
  },
  // The same function from a buffer of the caller's.
  pts_cache_set_from: {
    name: "pts_cache_set",
    parameters: ["u32", "pointer", "u32", "buffer", "u32", "u32", "u32", "u32", "pointer"],
    result: "i32",
  },
  pts_cache_remove: {
    parameters: [
      "u32", // uint32_t cache
      "pointer", // const uint8_t *key
      "u32", // uint32_t key_length
      "u32", // uint32_t call_flags
      "pointer", // uint32_t *flags
    ],
    result: "i32",
  },
  pts_cache_take: {
    parameters: [
      "u32", // uint32_t cache
      "pointer", // const uint8_t *key
      "u32", // uint32_t key_length
      "u32", // uint32_t now
      "u32", // uint32_t flags
      "pointer", // uint8_t *buffer
      "u32", // uint32_t size
      "pointer", // pts_cache_entry *entry
    ],
    result: "i32",
  },
  pts_cache_get_many: {
    parameters: [
      "u32", // uint32_t cache
      "buffer", // const uint8_t *keys
      "buffer", // const uint32_t *key_lengths
      "u32", // uint32_t count
      "u32", // uint32_t now
      "u32", // uint32_t flags
      "pointer", // uint8_t *out
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  pts_cache_set_many: {
    parameters: [
      "u32", // uint32_t cache
      "buffer", // const uint8_t *bytes
      "buffer", // const pts_cache_item *items
      "u32", // uint32_t count
      "u32", // uint32_t now
      "u32", // uint32_t flags
      "buffer", // int8_t *results
    ],
    result: "i32",
  },
  pts_cache_lock: {
    parameters: [
      "u32", // uint32_t cache
      "pointer", // const uint8_t *key
      "u32", // uint32_t key_length
    ],
    result: "i32",
  },
  pts_cache_lock_page: {
    parameters: [
      "u32", // uint32_t cache
      "u32", // uint32_t page
    ],
    result: "i32",
  },
  pts_cache_unlock: {
    parameters: ["u32"], // uint32_t cache
    result: "i32",
  },
  pts_cache_locked: {
    parameters: ["u32"], // uint32_t cache
    result: "i32",
  },
  pts_cache_page: {
    parameters: [
      "u32", // uint32_t cache
      "u32", // uint32_t page
      "u32", // uint32_t now
      "u32", // uint32_t flags
      "pointer", // uint8_t *out
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  pts_cache_victims: {
    parameters: [
      "u32", // uint32_t cache
      "u32", // uint32_t what
      "u32", // uint32_t now
      "pointer", // uint8_t *out
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  pts_cache_expunge: {
    parameters: [
      "u32", // uint32_t cache
      "u32", // uint32_t page
      "u32", // uint32_t what
      "u32", // uint32_t now
      "u32", // uint32_t flags
    ],
    result: "i32",
  },
  pts_cache_named_try: {
    parameters: [
      "u32", // uint32_t cache
      "pointer", // const uint8_t *name
      "u32", // uint32_t length
    ],
    result: "i32",
  },
  pts_cache_named_release: {
    parameters: [
      "u32", // uint32_t cache
      "u32", // uint32_t holder
    ],
    result: "i32",
  },
  pts_cache_clock: { parameters: [], result: "u32" },
  pts_cache_statistics_read: {
    parameters: [
      "u32", // uint32_t cache
      "u32", // uint32_t flags
      "buffer", // pts_cache_statistics *out
    ],
    result: "i32",
  },
  pts_cache_check: {
    parameters: [
      "u32", // uint32_t cache
      "buffer", // char *report
      "u32", // uint32_t report_size
    ],
    result: "i32",
  },
  pts_cache_repair: {
    parameters: [
      "u32", // uint32_t cache
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

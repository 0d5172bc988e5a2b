/**
 * The table of what the native library exports. The C type stands beside each parameter;
 * `tests/symbols_test.ts` compares the whole table with `csrc/pts.h`.
 *
 * Hot calls take `u32` and `f64` only: those compile to a direct jump into the library.
 *
 * @module
 */

/** The version of `csrc/pts.h` that this table belongs to. */
export const abiVersion = 3;

/** Every function of `csrc/pts.h`, as `Deno.dlopen` wants it. */
export const symbols = {
  pts_open: {
    parameters: [
      "buffer", // const pts_options *options
      "buffer", // char *message
      "u32", // uint32_t message_size
    ],
    result: "i32",
  },
  pts_close: {
    parameters: ["u32"], // uint32_t attachment
    result: "i32",
  },
  pts_shared_path: {
    parameters: [
      "buffer", // const char *name
      "buffer", // char *path
      "u32", // uint32_t path_size
      "buffer", // char *message
      "u32", // uint32_t message_size
    ],
    result: "i32",
  },
  pts_abi_version: { parameters: [], result: "u32" },
  pts_error_text: {
    parameters: [
      "i32", // int32_t code
      "buffer", // char *text
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  pts_declare: {
    parameters: [
      "u32", // uint32_t attachment
      "buffer", // const uint8_t *name
      "u32", // uint32_t name_length
      "buffer", // const uint8_t *parts
      "buffer", // const uint32_t *lengths
      "u32", // uint32_t part_count
    ],
    result: "i32",
  },
  pts_declared: {
    parameters: [
      "u32", // uint32_t attachment
      "buffer", // const uint8_t *name
      "u32", // uint32_t name_length
      "u32", // uint32_t part
      "buffer", // uint8_t *out
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  pts_series: {
    parameters: [
      "u32", // uint32_t attachment
      "buffer", // const pts_series_key *key
      "buffer", // const uint8_t *text
      "buffer", // const double *bounds
    ],
    result: "i32",
  },
  pts_add: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double amount
    ],
    result: "i32",
  },
  pts_set: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double value
    ],
    result: "i32",
  },
  pts_set_at: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double value
      "f64", // double timestamp_ms
    ],
    result: "i32",
  },
  pts_observe: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double value
    ],
    result: "i32",
  },
  pts_observe_at: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double value
      "f64", // double now_ms
    ],
    result: "i32",
  },
  pts_touch: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
    ],
    result: "i32",
  },
  pts_direct_read: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "buffer", // pts_direct *out
    ],
    result: "i32",
  },
  pts_exemplar: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double value
      "f64", // double timestamp_ms
      "buffer", // const uint8_t *text
      "u32", // uint32_t length
    ],
    result: "i32",
  },
  pts_remove: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
    ],
    result: "i32",
  },
  pts_remove_matching: {
    parameters: [
      "u32", // uint32_t attachment
      "buffer", // const uint8_t *name
      "u32", // uint32_t name_length
      "buffer", // const uint8_t *labels
      "buffer", // const uint32_t *lengths
      "u32", // uint32_t label_count
    ],
    result: "i32",
  },
  pts_clear: {
    parameters: ["u32"], // uint32_t attachment
    result: "i32",
  },
  pts_value: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "buffer", // double *value
      "buffer", // double *count
    ],
    result: "i32",
  },
  pts_quantiles: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t handle
      "f64", // double now_ms
      "buffer", // double *out
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  pts_dropped: {
    parameters: ["u32"], // uint32_t attachment
    result: "i32",
  },
  pts_render_open: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t flags
      "f64", // double now_ms
    ],
    result: "i32",
  },
  pts_render_only: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t render
      "buffer", // const uint8_t *names
      "buffer", // const uint32_t *lengths
      "u32", // uint32_t count
    ],
    result: "i32",
  },
  pts_render_next: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t render
      "buffer", // uint8_t *buffer
      "u32", // uint32_t size
    ],
    result: "i32",
  },
  // The same function on another thread, so that a large scrape does not block the event loop.
  pts_render_next_async: {
    name: "pts_render_next",
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t render
      "buffer", // uint8_t *buffer
      "u32", // uint32_t size
    ],
    result: "i32",
    nonblocking: true,
  },
  pts_render_close: {
    parameters: [
      "u32", // uint32_t attachment
      "u32", // uint32_t render
    ],
    result: "i32",
  },
  pts_usage_read: {
    parameters: [
      "u32", // uint32_t attachment
      "buffer", // pts_usage *out
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** The table's type. */
export type Symbols = typeof symbols;

/*
 * pts.h: the whole exported C interface of prometheus-tiny-shared.
 *
 * Use, from one thread:
 *
 *   int32_t att = pts_open(&options, message, sizeof message);     // >= 0: an attachment
 *   int32_t h = pts_series(att, &key, text);                       // >= 0: a handle, look it up once
 *   pts_add(att, h, 1);                                            // hot: no lock, no system call
 *   int32_t r = pts_render_open(att, 0, now_ms);
 *   while ((n = pts_render_next(att, r, buffer, sizeof buffer)) > 0) write(1, buffer, n);
 *   pts_render_close(att, r);
 *   pts_close(att);
 *
 * Ownership. An attachment belongs to the thread that opened it: every call with its number comes from that
 * thread, except those of rendering, which any thread may make (one at a time for each render). A thread that ends without
 * pts_close has its attachments closed by a thread-exit hook; a process that ends, by the kernel.
 * Buffers belong to the caller and are only used during the call.
 *
 * Results. 0 or a positive number is success; every failure is one of the negative codes of
 * PTS_ERRORS. No call changes errno's meaning for the caller or keeps static text.
 *
 * Ordering. Updates of one thread are seen by every later scrape of the same thread, and by other
 * threads and processes as soon as the processor shows them (release stores, no delay in software).
 */
#ifndef PTS_H
#define PTS_H

#include <stdint.h>

#if defined(_WIN32)
#define PTS_EXPORT __declspec(dllexport)
#else
#define PTS_EXPORT __attribute__((visibility("default")))
#endif

/* Raised with every change of this header. ffi/symbols.ts expects the same number. */
#define PTS_ABI_VERSION 3u

/* One list of failures: value, name (StoreError.code in TypeScript), text. */
#define PTS_ERRORS(X)                                                                              \
  X(-1, INVALID, "an argument is not valid")                                                       \
  X(-2, CLOSED, "the store is closed")                                                             \
  X(-3, NOT_FOUND, "there is no such thing")                                                       \
  X(-4, NO_FOLDER, "the folder does not exist")                                                    \
  X(-5, PERMISSION, "permission denied")                                                           \
  X(-6, READ_ONLY, "the file system is read-only")                                                 \
  X(-7, NO_SPACE, "no space left for the store's file")                                            \
  X(-8, NO_DESCRIPTORS, "too many open files")                                                     \
  X(-9, FILE_LIMIT, "the process's file size limit is too small")                                  \
  X(-10, SYMLINK, "the path is a symbolic link")                                                   \
  X(-11, OWNER, "the file belongs to another user or others may write it")                         \
  X(-12, NOT_A_FILE, "the path is not a regular file")                                             \
  X(-13, NETWORK, "the folder is on a network file system")                                        \
  X(-14, NOT_A_STORE, "the file is not a store")                                                   \
  X(-15, VERSION, "the store was made by another version")                                         \
  X(-16, GEOMETRY, "the store has another geometry than asked for")                                \
  X(-17, DAMAGED, "the store is damaged")                                                          \
  X(-18, IO, "the operating system refused")                                                       \
  X(-19, NO_MEMORY, "out of memory")                                                               \
  X(-20, WORKERS_FULL, "every worker slot is taken")                                               \
  X(-21, SERIES_FULL, "the series table is full")                                                  \
  X(-22, TEXT_FULL, "the space for names and labels is full")                                      \
  X(-23, CELLS_FULL, "the space for values is full")                                               \
  X(-24, LOCK_TIMEOUT, "a lock was not free before the deadline")                                  \
  X(-25, LOCKED, "the lock is already held by this attachment")                                    \
  X(-26, MISMATCH, "it was declared differently before")                                           \
  X(-27, TOO_LONG, "a name, label text or value is too long")                                      \
  X(-28, TOO_SMALL, "the buffer is too small")                                                     \
  X(-29, UNSUPPORTED, "this platform cannot do that")                                              \
  X(-30, TOO_MANY, "too many open stores in this process")                                         \
  X(-31, STALE, "the series's room was given to other labels: look it up again")                   \
  X(-32, FAMILY_FULL, "the metric has as many series as it may have")

enum {
#define PTS_ERROR_ENUM(value, name, text) PTS_E_##name = (value),
  PTS_ERRORS(PTS_ERROR_ENUM)
#undef PTS_ERROR_ENUM
};

/* What a series holds; the kind is part of a series's identity. */
enum {
  PTS_KIND_VALUE = 1,     /* one number: added to (sharded) until it is first set (then shared) */
  PTS_KIND_HISTOGRAM = 2, /* counts of buckets and a sum */
  PTS_KIND_ENUM = 3,      /* the index of one of the family's states, -1 for none of them */
  PTS_KIND_LIVE = 4,      /* a gauge with a value for each worker */
  PTS_KIND_RECENT = 5,    /* likewise, with its time: the last one counts */
  PTS_KIND_SUMMARY = 6,   /* count, sum and quantiles, these perhaps of a sliding window */
};

/* pts_open: what to attach to, and how to make it when it is not there. */
enum {
  PTS_OPEN_INIT = 1,      /* replace the file by an empty store (new inode) */
  PTS_OPEN_PRIVATE = 2,   /* path is ignored: a store without a name, gone with this attachment */
  PTS_OPEN_EXISTING = 4,  /* never create: PTS_E_NOT_FOUND when there is no file */
};

typedef struct pts_options {
  const char *path;         /* UTF-8, terminated; may be NULL with PTS_OPEN_PRIVATE */
  uint32_t flags;           /* PTS_OPEN_* */
  uint32_t permissions;     /* file mode when created, 0: 0600; platform.h: on Windows */
  uint32_t max_workers;     /* 0: the file's own, or 64 when created */
  uint32_t lock_timeout_ms; /* 0: 2000 */
  uint64_t capacity;        /* bytes for the metric index when created; 0: 64 MiB = 131,072 series */
} pts_options;

/* Attach. Returns the attachment's number (>= 0) or a failure, of which message (UTF-8, terminated,
 * at most message_size bytes) says what could not be done, to what, why, and what to do. */
PTS_EXPORT int32_t pts_open(const pts_options *options, char *message, uint32_t message_size);

/* Detach: releases the worker slot (its shard stays and counts) and the number. */
PTS_EXPORT int32_t pts_close(uint32_t attachment);

/* The path of a named store in this user's private folder, in memory where the platform has such a
 * folder; the folder is made (0700) if missing. Returns the length, or a failure with message. */
PTS_EXPORT int32_t pts_shared_path(const char *name, char *path, uint32_t path_size, char *message,
                                   uint32_t message_size);

PTS_EXPORT uint32_t pts_abi_version(void);

/* The text of a code, terminated, cut to size. Returns its length. */
PTS_EXPORT int32_t pts_error_text(int32_t code, char *text, uint32_t size);

/* ---- families and series ---------------------------------------------------------------------- */

/*
 * Declare a family. parts holds part_count texts one after the other, their lengths in lengths:
 *   0  what a redeclaration must repeat, byte for byte (canonical JSON)
 *   1  what this library reads of it, in ASCII: how workers' values become one ('-' additions are summed,
 *      the last set wins; 's' sum, 'm' min, 'M' max, 'r' most recent, 'a' all), whether only living
 *      workers count ('l' or '.'), the type ('c' 'g' 'h' 's' 'i' 'e' 'u', '-' for none), after how many
 *      milliseconds without an update a series leaves (digits, none: never), ';', then what it does not read
 *   2  the header lines of the text format: "# HELP ...\n# TYPE ...\n", may be empty
 *   3  those of OpenMetrics: "# TYPE ...\n# UNIT ...\n# HELP ...\n", of the family's name there, which for
 *      a counter is without its _total, for an info without its _info
 *   4.. one `label="value"` for each state of an enum
 * Fails with PTS_E_MISMATCH (the old declaration stays), *_FULL, LOCK_TIMEOUT.
 */
PTS_EXPORT int32_t pts_declare(uint32_t attachment, const uint8_t *name, uint32_t name_length,
                               const uint8_t *parts, const uint32_t *lengths, uint32_t part_count);

/* Copy part number `part` of a family's declaration. Returns its length (also when larger than
 * size: nothing is copied then), or PTS_E_NOT_FOUND when the family is not declared. */
PTS_EXPORT int32_t pts_declared(uint32_t attachment, const uint8_t *name, uint32_t name_length,
                                uint32_t part, uint8_t *out, uint32_t size);

/*
 * What identifies a series. Text is the family name, then the series as it is printed
 * (`name{a="b"}`, or `{"quoted name",a="b"}`), then for a histogram bound_count doubles' bytes follow
 * in `bounds`. insert_at: where in the printed text the `le` (or enum, or quantile) label belongs, in bytes.
 * A summary's bounds are the window in milliseconds (0: none), into how many parts it is divided (1 to
 * PTS_MAX_AGE_BUCKETS; 1 without one), then its quantiles (0 to 1, at most PTS_MAX_QUANTILES).
 */
#define PTS_MAX_AGE_BUCKETS 16u
#define PTS_MAX_QUANTILES 64u
typedef struct pts_series_key {
  uint32_t kind;          /* PTS_KIND_* */
  uint32_t name_length;   /* bytes of text that are the family name */
  uint32_t series_length; /* bytes of text after the name that are the printed series */
  uint32_t insert_at;     /* offset within the printed series */
  uint32_t replaces;      /* bytes at insert_at that the inserted label takes the place of */
  uint32_t bound_count;   /* histograms: upper bounds, ascending, finite, without +Inf */
  uint32_t flags;         /* PTS_SERIES_* */
  uint32_t timeout_ms;    /* how long to wait for the index's lock; 0: the store's lock timeout */
  uint32_t max_series;    /* FAMILY_FULL when the family has so many and this one is new; 0: any number */
} pts_series_key;

enum {
  PTS_SERIES_QUOTED = 1,    /* the name is printed in quotes inside the braces */
  PTS_SERIES_NO_CREATE = 2, /* PTS_E_NOT_FOUND instead of a new series */
  PTS_SERIES_OVERFLOW = 4,  /* max_series does not hold for this one */
};

/* Look up or create. Returns a handle (>= 0) for this attachment, valid until it is closed, across
 * clear and remove by anybody. Once the series does not exist, its room may be given to other labels: then
 * every call with the handle fails with STALE, and nothing else ever becomes of it. Creating does not make
 * the series exist: a first update does. Failures: *_FULL, LOCK_TIMEOUT, TOO_LONG, INVALID. */
PTS_EXPORT int32_t pts_series(uint32_t attachment, const pts_series_key *key, const uint8_t *text,
                              const double *bounds);

/* ---- updates: hot, numbers only --------------------------------------------------------------- */

/* Each returns 0 or a failure (CLOSED, INVALID, STALE, CELLS_FULL, NO_SPACE, LOCK_TIMEOUT); a failed
 * update changed nothing. pts_add on a value or live series; pts_set on those and on an enum (the index). */
PTS_EXPORT int32_t pts_add(uint32_t attachment, uint32_t handle, double amount);
PTS_EXPORT int32_t pts_set(uint32_t attachment, uint32_t handle, double value);
/* With a timestamp in milliseconds; a later pts_set erases it, pts_add keeps it. */
PTS_EXPORT int32_t pts_set_at(uint32_t attachment, uint32_t handle, double value, double timestamp_ms);
/* PTS_E_MISMATCH: the family was declared since this series of it was looked up, perhaps with other
 * bounds; look it up again. */
PTS_EXPORT int32_t pts_observe(uint32_t attachment, uint32_t handle, double value);
/* Into a summary; now_ms is the wall clock in milliseconds since 1970 and is not looked at without a window.
 * INVALID when value, or now_ms with a window, is not finite. */
PTS_EXPORT int32_t pts_observe_at(uint32_t attachment, uint32_t handle, double value, double now_ms);
/* Makes the series exist with the value it would start from (0, or no observations). */
PTS_EXPORT int32_t pts_touch(uint32_t attachment, uint32_t handle);

/*
 * Where the caller may make additions itself: while the 32-bit words at series_at and store_at are
 * series_generation and store_generation, it may add to the double at cell_at as pts_add would, and nobody else
 * writes that. All three are offsets from base, in a mapping that stays until pts_close.
 *
 * Ordering: both words are loaded with acquire before the cell, which is stored with release. An addition counts
 * as made when the words were loaded, so a look may be used for several, as long as this thread makes no call with
 * the attachment and synchronises with nobody in between.
 *
 * Of a family that is declared, the handle was looked up after that.
 *
 * UNSUPPORTED when there is more to an update of this series than to add (then it stays so for this handle, or
 * until it is removed), or nobody has added to it through the handle since it was looked up or removed.
 */
typedef struct pts_direct {
  uint64_t base; /* an address */
  uint64_t size; /* of the mapping, in bytes */
  uint64_t series_at, store_at, cell_at;
  uint32_t series_generation, store_generation;
} pts_direct;
PTS_EXPORT int32_t pts_direct_read(uint32_t attachment, uint32_t handle, pts_direct *out);

/* What an exemplar stands for, beside an update that was made: text is printed labels
 * (`trace_id="x",b="y"`, UTF-8, at most 1,024 bytes), the value says a histogram's bucket. One is kept for a
 * series and bucket, the last; of two at the very same time one. */
PTS_EXPORT int32_t pts_exemplar(uint32_t attachment, uint32_t handle, double value, double timestamp_ms,
                                const uint8_t *text, uint32_t length);

/* The series leaves the exposition; the next update starts it from zero. Idempotent. */
PTS_EXPORT int32_t pts_remove(uint32_t attachment, uint32_t handle);
/* Likewise for all series of a family whose printed labels have every one of label_count texts
 * (`a="b"`), which stand one after the other, their lengths in lengths. Returns how many that existed left. */
PTS_EXPORT int32_t pts_remove_matching(uint32_t attachment, const uint8_t *name, uint32_t name_length,
                                       const uint8_t *labels, const uint32_t *lengths,
                                       uint32_t label_count);
/* Every series leaves the exposition; declarations stay. */
PTS_EXPORT int32_t pts_clear(uint32_t attachment);
/* The sum over all shards as a scrape would print it. Returns 1, or 0 when the series does not
 * exist. histograms, summaries: the sum of observations in *value and their number in *count. */
PTS_EXPORT int32_t pts_value(uint32_t attachment, uint32_t handle, double *value, double *count);

/* A summary at that time: out[0] is the count, out[1] the sum, then comes a value for each quantile of its
 * key, in their order; NaN where the window is empty. Returns how many numbers that are (TOO_SMALL: more than
 * size), or 0 when the series does not exist. */
PTS_EXPORT int32_t pts_quantiles(uint32_t attachment, uint32_t handle, double now_ms, double *out,
                                 uint32_t size);

/* Count an update that could not be stored. */
PTS_EXPORT int32_t pts_dropped(uint32_t attachment);

/* ---- rendering -------------------------------------------------------------------------------- */

enum {
  PTS_RENDER_LEXICAL = 1,     /* buckets in the order of their text, histogram parts as separate names */
  PTS_RENDER_OPENMETRICS = 2, /* OpenMetrics 1.0.0 and not the text format */
  /* How names outside of Prometheus's own set are escaped (escape.h); none of the three: not at all. */
  PTS_RENDER_ESCAPE_UNDERSCORES = 4,
  PTS_RENDER_ESCAPE_DOTS = 8,
  PTS_RENDER_ESCAPE_VALUES = 16,
  PTS_RENDER_ESCAPES =
      PTS_RENDER_ESCAPE_UNDERSCORES | PTS_RENDER_ESCAPE_DOTS | PTS_RENDER_ESCAPE_VALUES,
  PTS_RENDER_STORE = 32,   /* the store's own series, too */
  PTS_RENDER_CREATED = 64, /* OpenMetrics: _created of counters, histograms and summaries */
};

/* Begin an exposition; it sees every update that was made before this call. now_ms is the time for
 * windows and expiry, in milliseconds since 1970. Returns its number, or INVALID for flags that are
 * unknown or exclude each other, CLOSED, DAMAGED, TOO_MANY, NO_MEMORY. */
PTS_EXPORT int32_t pts_render_open(uint32_t attachment, uint32_t flags, double now_ms);
/* Before the first pts_render_next, once: print only families that have one of these names, or a sample
 * that has. The names one after the other, their lengths in lengths; none: nothing is printed. */
PTS_EXPORT int32_t pts_render_only(uint32_t attachment, uint32_t render, const uint8_t *names,
                                   const uint32_t *lengths, uint32_t count);
/* Fill buffer with whole lines. Returns their bytes, 0 at the end, PTS_E_TOO_SMALL when not even
 * one line fits. */
PTS_EXPORT int32_t pts_render_next(uint32_t attachment, uint32_t render, uint8_t *buffer,
                                   uint32_t size);
/* 1 when something broken was met in the store, now or earlier, and left out (pts_usage tells how often); else
 * 0. */
PTS_EXPORT int32_t pts_render_close(uint32_t attachment, uint32_t render);

/* ---- the store about itself ------------------------------------------------------------------- */

typedef struct pts_usage {
  uint64_t series_used, series_capacity;   /* records, families included */
  uint64_t text_used, text_capacity;       /* bytes */
  uint64_t cells_used, cells_capacity;     /* bytes of one shard */
  uint64_t workers_live, workers_ever, workers_capacity;
  uint64_t dropped_updates, damage, repairs, lock_waits, takeovers;
  uint64_t free_records;                   /* of series that left, for new ones */
  uint64_t file_bytes;                     /* full, sparse size */
  uint64_t allocated_bytes;                /* what the file really takes */
  uint64_t my_slot, my_epoch;
} pts_usage;

PTS_EXPORT int32_t pts_usage_read(uint32_t attachment, pts_usage *out);

#endif

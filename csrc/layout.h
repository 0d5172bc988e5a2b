/*
 * layout.h: every byte of the mapped file that two processes share, drawn and asserted.
 *
 *   file      +-----------------------------+ 0
 *             | superblock                  |  who am I, which sections are there
 *             +-----------------------------+ 64 KiB
 *             | section: metrics            |  made by the first attachment that needs it
 *             +-----------------------------+ multiple of 64 KiB
 *             | section: cache              |  likewise, in either order
 *             +-----------------------------+
 *
 *   metrics   +-----------------------------+ section.offset
 *             | header, locks               |
 *             | worker slots                |  workers_at: 1 + max_workers, number 0 is nobody's
 *             | hash slots                  |  slots_at: 4 bytes each, where an entry is in the text
 *             | records                     |  records_at: families and series, 32 bytes each
 *             | times                       |  times_at: since when each record counts, 4 bytes each
 *             | text                        |  text_at: entries; the room of a free record's is used again
 *             | shard 0 | shard 1 | ...     |  shards_at: one for each worker slot
 *             +-----------------------------+
 *
 *   block     +--------+--------+--------+--     in every shard at the same place of that shard
 *             | tag    | cell 0 | cell 1 |       value:     tag, value
 *             +--------+--------+--------+--     live:      tag, owner's epoch, value
 *                                                recent:    tag, owner's epoch, n, value 0, time 0, value 1, time 1
 *                                                histogram: tag, sequence, sum, bucket counts
 *                                     in shard 0  annex:     tag, n, value 0, time 0, value 1, time 1, exemplar, marked
 *                                                histogram: -, marked, -, an exemplar for each bucket
 *                                                summary:   tag, word P, 2 counts, 2 buffers, frames
 *
 * The file has its full, sparse size from the start. What is really allocated is told by marks; no
 * byte beyond a mark is ever loaded or stored (on a full tmpfs even a load there is a SIGBUS).
 */
#ifndef PTS_LAYOUT_H
#define PTS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define PTS_MAGIC 0x45524f5453535450ull /* "PTSSTORE" read as little-endian */
#define PTS_FORMAT_VERSION 2u
#define PTS_BYTE_ORDER 0x01020304u
#define PTS_READY 0x59444145522d5450ull

#define PTS_ALIGN 65536ull          /* of sections and regions: every platform's page divides it */
#define PTS_STEP 65536ull           /* space is allocated in steps of this */
#define PTS_CACHE_LINE 64u

enum { PTS_SECTION_METRICS = 0, PTS_SECTION_CACHE = 1, PTS_SECTIONS = 2 };

/* Where a section is. ready is stored last, with release; readers look at it first. */
typedef struct pts_section {
  uint64_t ready; /* PTS_READY */
  uint64_t offset;
  uint64_t size;
  uint64_t reserved[5];
} pts_section;
_Static_assert(sizeof(pts_section) == 64, "section");

typedef struct pts_superblock {
  uint64_t magic;
  uint32_t version;
  uint32_t byte_order;
  uint64_t layout_hash;
  uint64_t store_id; /* random, so that a report can tell two stores of one path apart */
  uint64_t created_ms;
  uint64_t ready; /* PTS_READY, stored last */
  uint64_t reserved[2];
  pts_section sections[PTS_SECTIONS];
} pts_superblock;
_Static_assert(offsetof(pts_superblock, ready) == 40, "superblock.ready");
_Static_assert(offsetof(pts_superblock, sections) == 64, "superblock.sections");
_Static_assert(sizeof(pts_superblock) == 192, "superblock");

/* ---- worker slots, the same in every section -------------------------------------------------- */

/* What the owner of a slot was about to write when it was in the middle of an observation. */
typedef struct pts_redo {
  uint64_t where; /* PTS_REDO: the block's place in the owner's shard, and which count */
  uint64_t count; /* its new value */
  uint64_t sum;   /* the sum's new value, a double's bits */
  uint64_t reserved;
} pts_redo;
#define PTS_REDO(place, bucket) ((uint64_t)(bucket) << 32 | (place))
#define PTS_REDO_PLACE(where) ((uint32_t)(where))
#define PTS_REDO_BUCKET(where) ((uint32_t)((where) >> 32))

typedef struct pts_worker {
  /* line 0: ownership */
  uint32_t epoch; /* of the last owner; 0: never owned */
  uint32_t pid;   /* of the last owner, for people to read; nothing is decided by it */
  uint64_t since_ms;
  uint64_t mark;    /* bytes of this shard that are really allocated */
  uint64_t dropped; /* updates that found no room */
  uint64_t damage;  /* broken things this worker met */
  uint64_t reserved0[3];
  /* line 1: the redo record */
  pts_redo redo;
  uint64_t reserved1[4];
  /* lines 2, 3: counters of the section's own (the cache's statistics; PTS_LAST_RENDER_*) */
  uint64_t counters[16];
} pts_worker;
_Static_assert(offsetof(pts_worker, redo) == 64, "worker.redo");
_Static_assert(offsetof(pts_worker, counters) == 128, "worker.counters");
_Static_assert(sizeof(pts_worker) == 256, "worker");

/* In a metrics worker's counters: the last exposition that it finished. */
enum {
  PTS_LAST_RENDER_MS = 13, /* when, since 1970; 0: never */
  PTS_LAST_RENDER_NANOSECONDS = 14,
  PTS_LAST_RENDER_BYTES = 15,
};

/*
 * Lock bytes, all beyond any data (2^62 and up), so that mandatory locks of Windows hide nothing:
 *   creation         PTS_LOCK_CREATE
 *   a worker slot    section << 56 | slot
 *   its owner        section << 56 | 1 << 55 | slot << 32 | epoch
 * Bytes with 1 << 54 set are the cache's named locks.
 */
#define PTS_LOCK_BASE (1ull << 62)
#define PTS_LOCK_CREATE (PTS_LOCK_BASE - 1)
#define PTS_LOCK_SLOT(section, slot) (PTS_LOCK_BASE | (uint64_t)(section) << 56 | (uint64_t)(slot))
#define PTS_LOCK_OWNER(section, slot, epoch)                                                       \
  (PTS_LOCK_BASE | (uint64_t)(section) << 56 | 1ull << 55 | (uint64_t)(slot) << 32 | (epoch))
#define PTS_LOCK_NAMED(hash40) (PTS_LOCK_BASE | 1ull << 54 | (hash40))
#define PTS_MAX_WORKERS 1024u

/* A lock word: 0, or epoch << 32 | slot << 1 | waiters. Slots that lock start at 1, so it is never 0. */
#define PTS_LOCK_WORD(slot, epoch) ((uint64_t)(epoch) << 32 | (uint64_t)(slot) << 1)
#define PTS_LOCK_WAITERS 1ull
#define PTS_LOCK_WORD_SLOT(word) ((uint32_t)((word) >> 1) & 0x7fffffffu)
#define PTS_LOCK_WORD_EPOCH(word) ((uint32_t)((word) >> 32))

typedef struct pts_lock_line {
  uint64_t word;
  uint64_t reserved[7];
} pts_lock_line;
_Static_assert(sizeof(pts_lock_line) == PTS_CACHE_LINE, "lock line");

/* ---- the metrics section ---------------------------------------------------------------------- */

#define PTS_SERIES_LOCKS 64u
#define PTS_FREE_LISTS 32u /* of free records, by kind and words */
#define PTS_TICK_MS 100u   /* unit of `times`: 4 bytes last 13 years */

typedef struct pts_metrics {
  /* lines 0, 1: geometry, written once before the section is ready */
  uint64_t workers_at; /* offsets are from the section's start */
  uint64_t slots_at;
  uint64_t records_at;
  uint64_t text_at;
  uint64_t shards_at;
  uint64_t text_size;
  uint64_t shard_size;   /* bytes of it that hold blocks */
  uint64_t shard_stride; /* from one shard's place to the next's */
  uint64_t size; /* of the section */
  uint32_t max_workers;
  uint32_t slot_count;
  uint32_t max_records;
  uint32_t reserved0;
  uint64_t times_at;
  uint64_t reserved1[4];
  /* line 2 */
  uint64_t generation; /* of the store: clear draws the next one. Upper half always 0 */
  uint64_t cleared;    /* when it did so last, in ticks (PTS_TICK_MS) since the store was made */
  uint64_t removals;   /* series that left: when there are many, their room is looked for (room.c) */
  uint64_t reserved2[5];
  /* line 3: guards everything on line 4, hash slots, records' creation, text, shard 0's mark */
  pts_lock_line index_lock;
  /* line 4 */
  uint32_t records_used;  /* published with release: records below it are whole */
  uint32_t records_ready; /* records below it are in allocated space */
  uint64_t text_used;
  uint64_t text_mark;
  uint64_t cells_used;   /* bytes of a shard that belong to some record, the same in all shards */
  uint32_t workers_high; /* slots below it have been owned at least once (1: none) */
  uint32_t bounds_used;  /* hash slots that name bounds; the rest of them are enough for all records */
  uint64_t damage;
  uint64_t repairs;
  uint64_t lock_waits;
  uint64_t takeovers; /* locks taken over from dead owners */
  uint64_t changes;   /* records that became free, or were given away; orders look at it (order.c) */
  uint64_t swept;     /* what removals was when the last sweep began */
  uint32_t sweep_at;  /* the sweep's next record */
  uint32_t sweep_end; /* and where it ends */
  uint32_t moves;     /* odd while hash slots are moved: a look-up that misses then proves nothing */
  uint32_t free_records;
  uint32_t free_heads[PTS_FREE_LISTS]; /* record + 1 */
  uint64_t reserved4[51 - PTS_FREE_LISTS / 2];
  /* 1 KiB .. : locks of series, by record number modulo their count */
  pts_lock_line series_locks[PTS_SERIES_LOCKS];
} pts_metrics;
_Static_assert(offsetof(pts_metrics, generation) == 128, "metrics.generation");
_Static_assert(offsetof(pts_metrics, index_lock) == 192, "metrics.index_lock");
_Static_assert(offsetof(pts_metrics, records_used) == 256, "metrics.records_used");
_Static_assert(offsetof(pts_metrics, series_locks) == 768, "metrics.series_locks");
_Static_assert(sizeof(pts_metrics) == 768 + 64 * PTS_SERIES_LOCKS, "metrics");
#define PTS_WORKERS_AT 8192u

/*
 * Where a shard begins, from the section's start. Each is shifted by another cache line: a scrape reads the
 * same place in all shards, and places that agree in their low bits would all fall into one set of the
 * processor's cache (64 shards: five times slower).
 */
#define PTS_SHARD_SKEWS 64u
#define PTS_SHARD_AT(shards_at, shard_stride, slot)                                                \
  ((shards_at) + (uint64_t)(slot) * (shard_stride) + (slot) % PTS_SHARD_SKEWS * PTS_CACHE_LINE)

#define PTS_KIND_FAMILY 16u

/*
 * A family or a series. Filled, then published by metrics.records_used. kind, words and place never
 * change again; entry, family and extra only while the record is free (room.c).
 *
 *   head   generation : 32 | incarnation : 24 | mark : 1 | free : 1 | mode : 6
 *
 * incarnation: which labels the record has had, counted; a handle knows the one it was made for.
 * mark: no update since a scrape set it (expire.c). free: between two sets of labels.
 */
typedef struct pts_record {
  uint64_t head;
  uint32_t generations; /* the last generation drawn */
  uint32_t place;       /* of its block in every shard, in 8-byte words; family: how many series it has */
  uint32_t entry;       /* in the text, in 8-byte words */
  uint32_t family;      /* record number; a family's own number; free: the next free one, or itself */
  uint32_t extra;       /* family: declaration, histogram and summary: bounds (text words);
                           all others: the annex's place in shard 0, or 0 */
  uint8_t kind;         /* PTS_KIND_* */
  uint8_t slack;        /* room behind the entry that is its own, in 8-byte words */
  uint16_t words;       /* of its block, the tag included */
} pts_record;
_Static_assert(sizeof(pts_record) == 32, "record");

enum {
  PTS_MODE_SHARDED = 1, /* everyone adds to their own shard */
  PTS_MODE_SHARED = 2,  /* one cell in shard 0 */
  PTS_MODE_STAMPED = 3, /* one value with its time in the annex */
  PTS_HEAD_FREE = 0x40,
  PTS_HEAD_MARK = 0x80,
};
#define PTS_HEAD(generation, incarnation, mode)                                                    \
  ((uint64_t)(generation) << 32 | (uint64_t)(incarnation) << 8 | (mode))
#define PTS_HEAD_GENERATION(head) ((uint32_t)((head) >> 32))
#define PTS_HEAD_INCARNATION(head) ((uint32_t)(head) >> 8)
#define PTS_HEAD_MODE(head) ((uint32_t)(head) & 0x3fu)
#define PTS_MAX_INCARNATION 0xffffffu
#define PTS_FAMILY_OVERFLOWS 1u /* a family's head, else 0: one of its series takes what goes beyond its limit */

/* A block's tag: both generations must be current for the block to count. 0 is never current. */
#define PTS_TAG(store_generation, generation) ((uint64_t)(store_generation) << 32 | (generation))

/* Cells by their index in a block. */
enum {
  PTS_CELL_TAG = 0,
  PTS_CELL_VALUE = 1,
  PTS_CELL_LIVE_EPOCH = 1,
  PTS_CELL_LIVE_VALUE = 2,
  PTS_CELL_RECENT_N = 2,
  PTS_CELL_RECENT_VALUES = 3, /* value, time, value, time */
  PTS_CELL_SEQUENCE = 1,
  PTS_CELL_SUM = 2,
  PTS_CELL_COUNTS = 3,
  PTS_CELL_STAMP_N = 1,
  PTS_CELL_STAMP_VALUES = 2, /* value, time, value, time */
  PTS_CELL_ANNEX_EXEMPLAR = 6,
  PTS_CELL_ANNEX_MARKED = 7,
  PTS_CELL_HISTOGRAM_MARKED = 1, /* in shard 0; there the counts are exemplars */
};
#define PTS_WORDS_VALUE 2u
#define PTS_WORDS_LIVE 3u
#define PTS_WORDS_RECENT 7u
#define PTS_WORDS_ANNEX 8u
#define PTS_WORDS_HISTOGRAM(bounds) (3u + (bounds) + 1u)
#define PTS_MAX_BOUNDS 1024u

/*
 * A summary's block: two buffers of observations, and a frame for each window and one more.
 *
 *   word 1        P: version << 32 | spare frame << 16 | newest frame << 8 | buffer in use
 *   word 2, 3     how many values are in buffer 0, in buffer 1
 *   word 4 ..     buffer 0, buffer 1
 *   then frames   window's begin (ms) | centroids | count | sum | means ... | weights, two in a word ...
 *
 * count and sum of a frame are of all observations up to it, not of its window.
 */
#define PTS_SUMMARY_BUFFER 128u
#define PTS_SUMMARY_CENTROIDS 320u
#define PTS_SUMMARY_MAX_WINDOWS 16u
enum {
  PTS_CELL_SUMMARY_P = 1,
  PTS_CELL_SUMMARY_FILLED = 2,
  PTS_CELL_SUMMARY_BUFFERS = 4,
  PTS_CELL_SUMMARY_FRAMES = PTS_CELL_SUMMARY_BUFFERS + 2 * PTS_SUMMARY_BUFFER,
  PTS_FRAME_BEGIN = 0, /* of a frame's words */
  PTS_FRAME_CENTROIDS = 1,
  PTS_FRAME_COUNT = 2,
  PTS_FRAME_SUM = 3,
  PTS_FRAME_MEANS = 4,
  PTS_FRAME_WEIGHTS = PTS_FRAME_MEANS + PTS_SUMMARY_CENTROIDS,
  PTS_FRAME_WORDS = PTS_FRAME_WEIGHTS + PTS_SUMMARY_CENTROIDS / 2,
};
#define PTS_WORDS_SUMMARY(windows) (PTS_CELL_SUMMARY_FRAMES + ((windows) + 1u) * PTS_FRAME_WORDS)

/*
 * In the text area: header, then bytes, padded to 8. Whole before a hash slot or a record names it. An entry
 * of a series is written over only while its record is free; who reads one without the index lock looks
 * at the record's incarnation afterwards.
 */
typedef struct pts_entry {
  uint32_t hash;
  uint32_t record;      /* families and series: the record; bounds: how many; others: their bytes */
  uint16_t kind;        /* PTS_KIND_*, PTS_ENTRY_* */
  uint16_t flags;       /* PTS_SERIES_QUOTED */
  uint16_t name_length; /* series: the family's name, repeated inside or before the printed text */
  uint16_t length;      /* series: bytes of the printed text */
} pts_entry;
_Static_assert(sizeof(pts_entry) == 16, "entry");

enum { PTS_ENTRY_BOUNDS = 32, PTS_ENTRY_DECLARATION = 33, PTS_ENTRY_EXEMPLAR = 34 };

/* The bytes of an exemplar's entry: two versions, of which n & 1 is shown. Text follows each version. */
typedef struct pts_exemplar_line {
  uint64_t tag; /* of the series: an exemplar of a removed one does not count */
  uint64_t value, time; /* doubles' bits; milliseconds since 1970 */
  uint64_t length;      /* of the text */
} pts_exemplar_line;
#define PTS_EXEMPLAR_BYTES(text) (8u + 2u * ((uint32_t)sizeof(pts_exemplar_line) + (text)))

#define PTS_MAX_NAME 1024u
#define PTS_MAX_SERIES_TEXT 32768u
#define PTS_MAX_DECLARATION (2u << 20)
#define PTS_MAX_STATES 1024u
#define PTS_PART_STATES 4u /* the first part of a declaration that is a state */
/* Printed labels of 128 characters: each of 4 bytes, or 42 labels a="" of one character each. */
#define PTS_MAX_EXEMPLAR_TEXT 1024u

#endif

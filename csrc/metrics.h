/*
 * metrics.h: an attachment to the metrics section, and the calls between the files that work on it.
 *
 *   metrics.c     the section: geometry, making, recognising      pts_open, pts_close
 *   index.c       text entries and hash slots (a page of policy `never`)
 *   series.c      records, series, generations
 *   family.c      declarations
 *   room.c        the room of series that are gone
 *   expire.c      series that nobody updates
 *   cell.c        add, set
 *   observe.c     observe
 *   worker_gauge.c  gauges with a value for each worker
 *   exemplar.c    exemplars
 *   summary.c     summaries: buffers, windows, digests; summary_read.c reads them, digest.c is their arithmetic
 *   reading.c     what a series is worth, over all shards
 *   order.c       families and series in the order of the exposition
 *   render.c      the text
 *   check.c       every invariant
 *
 * Lock order: a series's lock before the index's. Never two series' locks.
 */
#ifndef PTS_METRICS_H
#define PTS_METRICS_H

#include <stdbool.h>

#include "atomics.h"
#include "session.h"

/* What a handle's cell may be used for without another look; or that each observation looks whether
 * the family, which was not declared when the series was looked up, is by now. */
enum {
  PTS_FAST_ADD = 1,
  PTS_FAST_SET = 2,
  PTS_FAST_OBSERVE = 4,
  PTS_FAST_UNDECLARED = 8,
  PTS_FAST_OBSERVE_AT = 32,
  PTS_FAST_SWAP = 16, /* a set swaps tag and value: the cell's room may be given to other labels */
};

/* How workers' values become one, and what else of a declaration is read here (pts.h, part 1). */
typedef enum pts_merge {
  PTS_MERGE_NONE, /* additions are summed, the last set wins */
  PTS_MERGE_SUM,
  PTS_MERGE_MIN,
  PTS_MERGE_MAX,
  PTS_MERGE_RECENT,
  PTS_MERGE_ALL,
} pts_merge;

typedef struct pts_traits {
  pts_merge merge;
  bool live;      /* only living workers count */
  char type;      /* 'c' 'g' 'h' 's' 'i' 'e' 'u' or '-' */
  uint64_t ttl_ms; /* 0: series stay */
} pts_traits;

/* Whether every worker has a value of its own. */
static inline bool pts_kind_is_worker_gauge(uint32_t kind) {
  return kind == PTS_KIND_LIVE || kind == PTS_KIND_RECENT;
}
/* A worker gauge that nobody declared is the sum of living workers' parts. */
static inline bool pts_only_living(const pts_traits *traits) {
  return traits->live || traits->merge == PTS_MERGE_NONE;
}

/* Kinds whose series have bounds: these are part of their identity, and named by `extra`. */
static inline bool pts_kind_has_bounds(uint32_t kind) {
  return kind == PTS_KIND_HISTOGRAM || kind == PTS_KIND_SUMMARY;
}

/* What a handle knows of its series. */
enum {
  PTS_HANDLE_LABELLED = 1,    /* one without labels keeps its room */
  PTS_HANDLE_TTL = 2,         /* it leaves when nobody updates it */
  PTS_HANDLE_LIVE = 4,        /* of a worker gauge: only living workers count */
  PTS_HANDLE_HAS_BASE = 8,    /* of a worker gauge: former owners of the slot left something */
};

/* What a thread keeps of a series that it has looked up: everything here is checked. One cache line. */
typedef struct pts_handle {
  uint32_t key; /* the handle's number | PTS_HANDLE_KEY; 0: not looked up */
  uint8_t fast;
  uint8_t kind;
  uint8_t merge; /* pts_merge */
  uint8_t flags;
  uint64_t head_seen; /* the head and store generation for which `cell` is good for `fast` */
  uint64_t generation_seen;
  pts_record *record;
  uint64_t *cell; /* own value, shared value, or own histogram block */
  union {
    const double *bounds; /* of a histogram or summary */
    /* Of a worker gauge: what former owners of the slot left in the own block, and this worker's part. */
    struct {
      double base, mine;
    };
  };
  uint32_t place;
  uint16_t words;
  uint16_t bound_count;
} pts_handle;
_Static_assert(sizeof(pts_handle) == 64, "handle");

/*
 * The number of a handle: the record's in the low bits, above them as much of its incarnation as fits. No
 * two pairs of record and incarnation have the same number: a record at its last one is not given away
 * again (after 2^31 series that came and went).
 */
#define PTS_HANDLE_KEY 0x80000000u

#define PTS_RENDERS 16

struct pts_render;
struct pts_order;

typedef struct pts_attachment {
  pts_session session; /* first */
  /* The section's regions. */
  pts_metrics *metrics;
  uint32_t *slots;
  pts_record *records;
  uint8_t *text;
  uint8_t *shards;
  /* Geometry as checked when attaching: the file's copy is not believed again. */
  uint64_t text_size, shard_size, shard_stride;
  uint32_t slot_count, max_records;
  uint32_t record_bits, record_mask, max_incarnation; /* of a handle's number */
  uint32_t *times;
  /* This thread's. */
  uint64_t *generation; /* of the store, in the file */
  pts_handle *handles;  /* by record number; record_mask + 1 of them */
  uint64_t *own;        /* the own shard */
  pts_redo *redo;       /* ... and its slot's redo record */
  uint64_t my_mark;     /* bytes of the own shard that are allocated */
  uint64_t hash_seed;
  /* Rendering; guarded by the process lock. */
  struct pts_order *order;
  struct pts_render *renders[PTS_RENDERS];
  uint64_t *damaged; /* a bit for each record at which damage was counted; NULL: none. Likewise guarded */
} pts_attachment;

/* NULL when there is none of that number. For the owner's thread: no lock, no reference. */
static inline pts_attachment *pts_attachment_of(uint32_t number) {
  return (pts_attachment *)pts_session_of(PTS_SECTION_METRICS, number);
}
/* For any thread: with a reference, until pts_attachment_release. */
static inline pts_attachment *pts_attachment_hold(uint32_t number) {
  return (pts_attachment *)pts_session_hold(PTS_SECTION_METRICS, number);
}
static inline void pts_attachment_release(pts_attachment *a) { pts_session_release(&a->session); }

/* ---- metrics.c ---- */

/* Attach to the section without a number: for pts_open, and (as nobody, without a worker slot, so that it
 * can only read) for the checker. */
int32_t pts_metrics_attach(pts_attachment *attachment, const pts_options *options, bool as_worker,
                           pts_message *message);
void pts_metrics_detach(pts_attachment *attachment);
/* Take the index lock; repairs the index after a takeover. */
int32_t pts_index_lock(pts_attachment *attachment, uint32_t timeout_ms);
void pts_index_unlock(pts_attachment *attachment);
/* Count something broken that was met. */
void pts_damage(pts_attachment *attachment);
/* ... at a record, once for each attachment: scrapes and updates meet it again and again. From any thread. */
void pts_damage_at(pts_attachment *attachment, const pts_record *record);

/* A shard's first byte. */
static inline uint8_t *pts_shard(const pts_attachment *a, uint32_t slot) {
  return a->shards + PTS_SHARD_AT(0, a->shard_stride, slot);
}
/* The bytes of a shard that may be touched, as told by its owner; checked. */
uint64_t pts_shard_mark(const pts_attachment *a, uint32_t slot);

/* ---- index.c ---- */

/* The bytes of an entry, checked against the text's allocated part, and a copy of its header, which is
 * what was checked: nobody reads the file's header again. NULL when it is broken. */
const uint8_t *pts_entry_read(const pts_attachment *a, uint32_t word, pts_entry *head);
/* Likewise, if it is also as it was written, by its hash. */
const uint8_t *pts_entry_whole(const pts_attachment *a, uint32_t word, pts_entry *head);
/* Bytes of an entry after its header, or PTS_NO_SIZE when its fields make no sense. */
#define PTS_NO_SIZE UINT64_MAX
uint64_t pts_entry_size(const pts_entry *head);

/* What pts_index_find looks for: an entry whose header equals head (but for record) and whose
 * bytes equal bytes. extra: for kinds with bounds, the record's extra must equal it. */
typedef struct pts_wanted {
  pts_entry head;
  const uint8_t *bytes;
  uint64_t size;
  uint32_t extra;
} pts_wanted;

/* What would find this entry. */
pts_wanted pts_entry_wanted(const pts_attachment *a, const pts_entry *head, const uint8_t *bytes);
uint32_t pts_index_hash(const pts_attachment *a, const pts_wanted *wanted);
/* The entry's word, or 0. Right about a miss only under the index lock. */
uint32_t pts_index_find(const pts_attachment *a, const pts_wanted *wanted);
/* Without the lock: 0, PTS_E_NOT_FOUND, or that slots were moved meanwhile: look under the lock. */
enum { PTS_INDEX_UNSETTLED = -1000 };
int32_t pts_index_look(const pts_attachment *a, const pts_wanted *wanted, uint32_t *word);
/* Under the index lock. Append an entry (nobody can see it yet). SERIES_FULL, TEXT_FULL, NO_SPACE. */
int32_t pts_index_append(pts_attachment *a, const pts_wanted *wanted, uint32_t *word);
/* Under the index lock. Write an entry where there is room for it and nobody looks. */
void pts_index_write(pts_attachment *a, uint32_t word, const pts_wanted *wanted);
/* Under the index lock. Make the entry findable; idempotent. SERIES_FULL when no slot is free. */
int32_t pts_index_publish(pts_attachment *a, uint32_t word);
/* Under the index lock. The opposite. */
void pts_index_take_out(pts_attachment *a, uint32_t word);
/* Under the index lock, after a takeover: recompute the hints, free lists and slots. */
void pts_index_repair(pts_attachment *a);

/* ---- series.c ---- */

/* The number of records that are whole; checked. */
uint32_t pts_records_used(const pts_attachment *a);
/* A copy, each word of the file loaded once: what was checked is what is used. */
pts_record pts_record_copy(const pts_record *record);
/* The record, or NULL when the number or what it says cannot be right. What is read from it later is
 * the file's again, and bounded where it is used. */
pts_record *pts_record_at(const pts_attachment *a, uint32_t number);
/* Bounds of a record, at most PTS_MAX_BOUNDS, a summary's checked; NULL when broken. */
const double *pts_record_bounds(const pts_attachment *a, const pts_record *record, uint32_t *count);
/* Under the index lock: the family of this name, made if there is none; its record's number. */
int32_t pts_family_for(pts_attachment *a, const uint8_t *name, uint32_t length, uint32_t *number);
/* The family of this name: 0, NOT_FOUND, or why it cannot be looked up. */
int32_t pts_family_find(pts_attachment *a, const uint8_t *name, uint32_t length, uint32_t *number);
/* Under the index lock: room for a block in every shard. */
int32_t pts_place_reserve(pts_attachment *a, uint32_t words, uint32_t *place);
uint64_t *pts_series_lock_of(const pts_attachment *a, const pts_record *record);
/* Whether the family of a series is declared by now. */
bool pts_series_declared(const pts_attachment *a, const pts_record *record);
/* A generation of this series that was never used. */
uint32_t pts_generation_draw(pts_record *record);
/* The handle of a number, or NULL: none, or one of labels that the record has no more. */
static inline pts_handle *pts_handle_of(const pts_attachment *a, uint32_t number) {
  if (PTS_UNLIKELY(!a)) return NULL;
  pts_handle *h = &a->handles[number & a->record_mask];
  return PTS_LIKELY(h->key == (number | PTS_HANDLE_KEY)) ? h : NULL;
}
/* Why there is no handle of this number: STALE when there was one, INVALID, CLOSED. */
int32_t pts_no_handle(uint32_t attachment, uint32_t number);
/* Whether a head is still that of the labels that the handle was made for. */
static inline bool pts_same_series(const pts_attachment *a, const pts_handle *h, uint64_t head) {
  uint32_t incarnation = (h->key & ~PTS_HANDLE_KEY) >> a->record_bits;
  return PTS_HEAD_INCARNATION(head) == incarnation && !(head & PTS_HEAD_FREE);
}
/* Its block in the own shard. */
static inline uint64_t *pts_own_cells(const pts_attachment *a, const pts_handle *h) {
  return a->own + h->place;
}
static inline pts_traits pts_handle_traits(const pts_handle *h) {
  return (pts_traits){.merge = (pts_merge)h->merge, .live = h->flags & PTS_HANDLE_LIVE, .type = '-'};
}
/* Whether somebody has claimed the record and not decided yet whether it is free (room.c). */
static inline bool pts_head_claimed(uint64_t head) {
  return head & PTS_HEAD_FREE && PTS_HEAD_MODE(head) != 0;
}
/* Which labels a record with this head shows: their incarnation plus 1, or 0 for none. A claimed one still shows
 * those it had, for they may be in use after all. */
static inline uint32_t pts_head_shows(uint64_t head) {
  if (head & PTS_HEAD_FREE) return PTS_HEAD_MODE(head) ? PTS_HEAD_INCARNATION(head) : 0;
  return PTS_HEAD_INCARNATION(head) + 1;
}
/* Whether that is, or may turn out to be, the handle's labels. */
static inline bool pts_shows_series(const pts_attachment *a, const pts_handle *h, uint64_t head) {
  return pts_head_shows(head) == ((h->key & ~PTS_HANDLE_KEY) >> a->record_bits) + 1;
}
/* Ticks since the store was made. */
uint32_t pts_ticks_now(const pts_attachment *a);
/* Since when the series counts: when it was made, removed or cleared last. Milliseconds since 1970. */
bool pts_created_ms(const pts_attachment *a, const pts_record *record, double *ms);
/* Make it leave, if its head is still this one. */
bool pts_series_leave(pts_attachment *a, pts_record *record, uint64_t *head);

/* ---- family.c ---- */

/* A part of a family's declaration; NULL when there is none. */
const uint8_t *pts_family_part(const pts_attachment *a, const pts_record *family, uint32_t part,
                               uint32_t *length);
uint32_t pts_family_part_count(const pts_attachment *a, const pts_record *family);
pts_traits pts_family_traits(const pts_attachment *a, const pts_record *family);

/* ---- room.c ---- */

/* Whether updates of the series count, with this head: whether some block of it is current. */
bool pts_series_exists(pts_attachment *a, const pts_record *record, uint64_t head);
/* Under the index lock: look through some records for such as can be freed, if many series have left. */
void pts_room_sweep_some(pts_attachment *a);
/* ... through all. Returns how many were freed. */
uint32_t pts_room_sweep(pts_attachment *a);
/* Under the index lock: a free record for what is wanted, filled but not published; *word is its entry.
 * NOT_FOUND when there is none. template: kind, words, family, extra, head's mode. */
int32_t pts_room_take(pts_attachment *a, const pts_wanted *wanted, const pts_record *template,
                      uint32_t *number, uint32_t *word);
/* Wait until a claimed record is decided; DAMAGED when it can never be. */
int32_t pts_room_wait(pts_attachment *a, const pts_record *record);
/* Under the index lock, after a takeover: free lists and counts of series. */
void pts_room_repair(pts_attachment *a, uint32_t used);

/* ---- expire.c ---- */

/* Mark, or let leave, the series of a family that nobody updates. */
void pts_expire(pts_attachment *a, const uint32_t *series, uint32_t count, uint64_t ttl_ms, double now_ms);

/* ---- observe.c, cell.c ---- */

/* Finish what the last owner of a slot left half done. The caller owns the slot. */
void pts_cell_take_over(pts_attachment *a, uint32_t slot);
/* Space for the own block. */
int32_t pts_own_space(pts_attachment *a, const pts_handle *h);
/* Shard 0 is everybody's: its mark moves under the index lock. */
int32_t pts_shared_space(pts_attachment *a, uint32_t place, uint32_t words);
/* Zeros, then `first` into the value's cell, then the tag. False: the record was given away meanwhile. */
bool pts_start_block(pts_attachment *a, const pts_handle *h, uint64_t tag, uint32_t value_cell, double first);
/* The head to go by: without its mark, which is cleared by whoever updates. STALE. */
int32_t pts_head_for_update(const pts_attachment *a, const pts_handle *h, uint64_t *head);
int32_t pts_series_lock(pts_attachment *a, const pts_record *record);
void pts_series_unlock(pts_attachment *a, const pts_record *record);
/* ... without waiting, unless its owner is dead. */
bool pts_series_try_lock(pts_attachment *a, const pts_record *record);
/* The series's annex in shard 0, made if there is none, with space. */
int32_t pts_annex_space(pts_attachment *a, pts_record *record, uint32_t *place);
static inline uint64_t *pts_shared_block(const pts_attachment *a, uint32_t place) {
  return (uint64_t *)(void *)a->shards + place;
}
static inline void pts_remember(pts_handle *h, uint64_t head, uint64_t generation, uint64_t *cell,
                                uint32_t fast) {
  h->head_seen = head;
  h->generation_seen = generation;
  h->cell = cell;
  h->fast = (uint8_t)fast;
}

/* ---- worker_gauge.c ---- */

int32_t pts_worker_gauge_set(pts_attachment *a, pts_handle *h, double value);
int32_t pts_worker_gauge_add(pts_attachment *a, pts_handle *h, double amount);

/* ---- exemplar.c ---- */

/* Which cell of shard 0 names a series's exemplar number `at` (a histogram's bucket, else 0); NULL when
 * it has none of that number, or the cell is not allocated. */
const uint64_t *pts_exemplar_cell(const pts_attachment *a, const pts_record *record, uint32_t at);

/* ---- usage.c ---- */

int32_t pts_usage_of(pts_attachment *a, pts_usage *out); /* from any thread */

/* ---- render.c, order.c ---- */

void pts_render_free_all(pts_attachment *a);
void pts_order_release(struct pts_order *order);

#endif

/*
 * metrics.h: an attachment to the metrics section, and the calls between the files that work on it.
 *
 *   metrics.c     the section: geometry, making, recognising      pts_open, pts_close
 *   index.c       text entries and hash slots (a page of policy `never`)
 *   series.c      families, declarations, series, generations
 *   cell.c        add, set, observe
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

#include "session.h"

/* What a handle's cell may be used for without another look; or that each observation looks whether
 * the family, which was not declared when the series was looked up, is by now. */
enum { PTS_FAST_ADD = 1, PTS_FAST_SET = 2, PTS_FAST_OBSERVE = 4, PTS_FAST_UNDECLARED = 8 };

/* What a thread keeps of a series that it has looked up: everything here is checked. */
typedef struct pts_handle {
  pts_record *record; /* NULL: not looked up */
  uint64_t head_seen; /* the head and store generation for which `cell` is good for `fast` */
  uint64_t generation_seen;
  uint64_t *cell; /* own value, shared value, or own histogram block */
  uint64_t *own;  /* the block in the own shard */
  const double *bounds;
  uint32_t place;
  uint16_t words;
  uint16_t bound_count;
  uint32_t kind;
  uint32_t fast;
} pts_handle;

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
  /* This thread's. */
  uint64_t *generation; /* of the store, in the file */
  pts_handle *handles;  /* by record number */
  uint64_t my_mark;     /* bytes of the own shard that are allocated */
  uint64_t hash_seed;
  /* Rendering; guarded by the process lock. */
  struct pts_order *order;
  struct pts_render *renders[PTS_RENDERS];
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
void pts_damage(pts_attachment *attachment);

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
/* What would find this entry. */
struct pts_wanted;
struct pts_wanted pts_entry_wanted(const pts_attachment *a, const pts_entry *head,
                                   const uint8_t *bytes);
/* Bytes of an entry after its header, or PTS_NO_SIZE when its fields make no sense. */
#define PTS_NO_SIZE UINT64_MAX
uint64_t pts_entry_size(const pts_entry *head);

/* What pts_index_find looks for: an entry whose header equals head (but for record) and whose
 * bytes equal bytes. bounds_entry: for histograms, the record's extra must equal it. */
typedef struct pts_wanted {
  pts_entry head;
  const uint8_t *bytes;
  uint64_t size;
  uint32_t extra;
} pts_wanted;

uint32_t pts_index_hash(const pts_attachment *a, const pts_wanted *wanted);
/* The entry's word, or 0. No lock: pairs with the release in pts_index_publish. */
uint32_t pts_index_find(const pts_attachment *a, const pts_wanted *wanted);
/* Under the index lock. Append an entry (nobody can see it yet). SERIES_FULL, TEXT_FULL, NO_SPACE. */
int32_t pts_index_append(pts_attachment *a, const pts_wanted *wanted, uint32_t *word);
/* Under the index lock. Make the entry findable; idempotent. SERIES_FULL when no slot is free. */
int32_t pts_index_publish(pts_attachment *a, uint32_t word);
/* Under the index lock, after a takeover: recompute the hints, finish the last insertion. */
void pts_index_repair(pts_attachment *a);

/* ---- series.c ---- */

/* The number of records that are whole; checked. */
uint32_t pts_records_used(const pts_attachment *a);
/* The record, or NULL when the number or what it says cannot be right. What is read from it later is
 * the file's again, and bounded where it is used. */
pts_record *pts_record_at(const pts_attachment *a, uint32_t number);
/* Histogram bounds of a record, at most PTS_MAX_BOUNDS; NULL when broken. */
const double *pts_record_bounds(const pts_attachment *a, const pts_record *record, uint32_t *count);
/* A part of a family's declaration; NULL when there is none. */
const uint8_t *pts_family_part(const pts_attachment *a, const pts_record *family, uint32_t part,
                               uint32_t *length);
uint32_t pts_family_part_count(const pts_attachment *a, const pts_record *family);
/* Under the index lock: room for a block in every shard. */
int32_t pts_place_reserve(pts_attachment *a, uint32_t words, uint32_t *place);
uint64_t *pts_series_lock_of(const pts_attachment *a, const pts_record *record);
/* Whether the family of a series is declared by now. */
bool pts_series_declared(const pts_attachment *a, const pts_record *record);
/* A generation of this series that was never used. */
uint32_t pts_generation_draw(pts_record *record);

/* ---- cell.c ---- */

/* Finish what the last owner of a slot left half done. The caller owns the slot. */
void pts_cell_take_over(pts_attachment *a, uint32_t slot);

/* ---- render.c, order.c ---- */

void pts_render_free_all(pts_attachment *a);
void pts_order_release(struct pts_order *order);

#endif

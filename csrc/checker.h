/*
 * checker.h: what the files of the checker share. check.c says what the invariants are and asks them all;
 * check_records.c, check_ranges.c and check_blocks.c ask; check_mend.c drops what cannot be right.
 */
#ifndef PTS_CHECKER_H
#define PTS_CHECKER_H

#include <stdbool.h>
#include <stdint.h>

#include "atomics.h"
#include "message.h"
#include "metrics.h"
#include "pts_check.h"

/* Bytes of the text or of a shard, and whose they are. */
typedef struct pts_range {
  uint64_t from, to;
  uint32_t record; /* none of bounds, which are shared */
  enum { PTS_RANGE_ENTRY, PTS_RANGE_DECLARATION, PTS_RANGE_BOUNDS, PTS_RANGE_BLOCK, PTS_RANGE_ANNEX } what;
} pts_range;

typedef struct pts_checker {
  pts_attachment *a;
  uint32_t used; /* records there were at the start: living workers may add more meanwhile */
  pts_message *report;
  int32_t findings;
  const char *says;   /* begins the line of a finding */
  bool index_is_ours; /* we hold the index lock: nothing is under change */
  /* Both ranges of which one runs into the other, or one that runs over the end; may be NULL. */
  void (*overlapping)(struct pts_checker *c, const pts_range *range);
  struct collisions *collisions; /* check_mend.c's */
} pts_checker;

/* Somebody is in the middle of changing the index, or was killed there: repair mends that. */
static inline bool pts_index_is_locked(const pts_checker *c) {
  return !c->index_is_ours && pts_load_acquire_u64(&c->a->metrics->index_lock.word) != 0;
}
static inline bool pts_is_free(const pts_record *record) {
  return pts_load_acquire_u64(&record->head) & PTS_HEAD_FREE;
}
static inline bool pts_has_annex(const pts_record *record) {
  return record->kind != PTS_KIND_FAMILY && !pts_kind_has_bounds(record->kind);
}

/* ---- check_report.c ---- */

/* A finding, unless it holds. Returns whether it does. */
__attribute__((format(printf, 3, 4))) bool pts_expect(pts_checker *c, bool holds, const char *format, ...);
/* The store's health: its workers, what is used of it, its counters. */
void pts_check_describe(pts_checker *c, const char *path);

/* ---- check_records.c: C1 to C3, C7 ---- */

void pts_check_counts(pts_checker *c);
void pts_check_record(pts_checker *c, uint32_t number);
bool pts_declaration_is_whole(const pts_attachment *a, const pts_record *family);

/* ---- check_ranges.c: C4, C5, C9. ranges: room for all there can be ---- */

pts_range *pts_ranges_for(pts_checker *c); /* freed by the caller; NULL with a finding */
void pts_check_slots(pts_checker *c, pts_range *ranges);
void pts_check_places(pts_checker *c, pts_range *ranges);
void pts_check_free(pts_checker *c);

/* ---- check_blocks.c: C6, C8, C10, of a record's blocks in one shard ---- */

void pts_check_block(pts_checker *c, uint32_t number, const pts_record *record, uint32_t slot);

/* Of generations that were drawn, whether current or not. */
bool pts_tag_is_past(const pts_attachment *a, const pts_record *record, uint64_t tag);

/* ---- check_mend_counts.c, under the index lock ---- */

void pts_mend_counts(pts_checker *c);
void pts_mend_shard_marks(const pts_attachment *a); /* after what the places take is known */
void pts_mend_hashes(const pts_checker *c);
void pts_mend_generation(const pts_checker *c);
/* A block in a shard, or NULL when it is not in allocated space. */
static inline uint64_t *pts_block_in(const pts_attachment *a, uint32_t slot, uint64_t place, uint32_t words) {
  if (place == 0 || (place + words) * 8 > pts_shard_mark(a, slot)) return NULL;
  return (uint64_t *)(void *)pts_shard(a, slot) + place;
}

/* ---- check_mend.c ---- */

/* Make every invariant hold that can be made to, under the store's locks; says what it drops. */
int32_t pts_mend(pts_attachment *a, pts_message *report);

#endif

/*
 * Every invariant of the metrics section, verified from the file alone. Reads without locks, so it may run
 * beside living workers; what only holds between two steps of a living lock owner is not asked then.
 *
 *   C1  the counts and marks lie within their regions
 *   C2  every record below records_used is whole: kind, words, place, entry, family, mode
 *   C3  every record is found by its own text, and no two have the same
 *   C4  every hash slot names a whole entry
 *   C5  blocks of different records do not overlap, nor do entries, and all lie below the hints
 *   C6  no block's tag is newer than its record's and the store's generations
 *   C7  every owner's mark is whole steps within its shard
 *   C8  a histogram's sequence is odd only under a living owner or a matching redo record
 *   C9  free records are in the list of their kind and size, each once, and counted; families know how many
 *       series they have (asked while nobody holds the index lock, before and after)
 *   C10 what a summary's word P selects is whole: two different frames, sorted centroids of no more
 *       observations than there were, a buffer of numbers
 */
#include <stdlib.h>

#include "checker.h"

/* ---- what living workers move meanwhile ---------------------------------------------------------------- */

typedef struct moment {
  uint64_t changes, lock;
  uint32_t used;
} moment;

static moment moment_of(const pts_checker *c) {
  const pts_metrics *m = c->a->metrics;
  return (moment){pts_load_acquire_u64(&m->changes), pts_load_acquire_u64(&m->index_lock.word),
                  pts_load_acquire_u32(&m->records_used)};
}

/* Nobody who lives has worked on the index since; a dead owner of its lock changes nothing. */
static bool stood_still(pts_checker *c, const moment *before) {
  moment now = moment_of(c);
  if (now.changes != before->changes || now.lock != before->lock || now.used != before->used) return false;
  return now.lock == 0 || !pts_worker_alive(&c->a->session.store, PTS_LOCK_WORD_SLOT(now.lock),
                                            PTS_LOCK_WORD_EPOCH(now.lock));
}

#define STILL_TRIES 16u

/* Ranges are collected one by one: what is found counts only if nothing moved meanwhile. */
static void check_while_still(pts_checker *c, void (*check)(pts_checker *, pts_range *), pts_range *ranges) {
  for (uint32_t i = 0; i < STILL_TRIES; i++) {
    char text[4096];
    pts_checker quiet = *c;
    pts_message unsaid = pts_message_in(text, sizeof text);
    quiet.report = &unsaid;
    moment before = moment_of(c);
    check(&quiet, ranges);
    if (quiet.findings != c->findings && !stood_still(c, &before)) continue;
    c->findings = quiet.findings;
    pts_message_add(c->report, "%s", text);
    return;
  }
}

/* ---- all of it -------------------------------------------------------------------------------------------- */

static void check_blocks(pts_checker *c) {
  uint32_t high = pts_load_acquire_u32(&c->a->metrics->workers_high);
  if (high > c->a->session.store.max_workers + 1) return;
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *record = pts_record_at(c->a, n);
    if (!record || record->words == 0) continue;
    for (uint32_t slot = 0; slot < high; slot++) pts_check_block(c, n, record, slot);
  }
}

static void verify(pts_checker *c) {
  pts_check_counts(c);
  c->used = pts_records_used(c->a);
  for (uint32_t n = 0; n < c->used; n++) pts_check_record(c, n);
  pts_range *ranges = pts_ranges_for(c);
  if (!ranges) return;
  check_while_still(c, pts_check_slots, ranges);
  check_while_still(c, pts_check_places, ranges);
  check_blocks(c);
  pts_check_free(c);
  free(ranges);
}

int32_t pts_check(const char *path, uint32_t flags, char *text, uint32_t size) {
  pts_message report = pts_message_in(text, size);
  pts_options options = {.path = path, .flags = PTS_OPEN_EXISTING};
  pts_attachment a = {0};
  int32_t code = pts_metrics_attach(&a, &options, flags & PTS_CHECK_REPAIR, &report);
  if (code != 0) return code;
  if (flags & PTS_CHECK_REPAIR) code = pts_mend(&a, &report);
  pts_checker c = {.a = &a, .report = &report, .says = "finding"};
  pts_check_describe(&c, path);
  verify(&c);
  pts_metrics_detach(&a);
  return code != 0 ? code : c.findings;
}

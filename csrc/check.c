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
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "atomics.h"
#include "metrics.h"
#include "summary.h"

typedef struct checker {
  pts_attachment *a;
  uint32_t used; /* records there were at the start: living workers may add more meanwhile */
  pts_message *report;
  int32_t findings;
} checker;

typedef struct range {
  uint64_t from, to;
} range;

__attribute__((format(printf, 3, 4))) static void expect(checker *c, bool holds, const char *format,
                                                         ...) {
  if (holds) return;
  c->findings++;
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  pts_message_add(c->report, "finding: %s\n", text);
}

/* ---- C1, C7: counts and marks ------------------------------------------------------------------------ */

static void check_counts(checker *c) {
  const pts_attachment *a = c->a;
  const pts_metrics *m = a->metrics;
  /* What is used before what is ready for it: both grow, in the other order. */
  uint32_t used = pts_load_acquire_u32(&m->records_used);
  uint32_t ready = pts_load_acquire_u32(&m->records_ready);
  expect(c, used <= ready, "C1: %u records are used, %u have space", used, ready);
  expect(c, ready <= a->max_records, "C1: space for %u records of %u", ready, a->max_records);
  uint64_t text = pts_load_acquire_u64(&m->text_used), mark = pts_load_acquire_u64(&m->text_mark);
  expect(c, text >= 8 && (text <= mark || text == 8) && mark <= a->text_size && text % 8 == 0,
         "C1: text used %llu, marked %llu, of %llu", (unsigned long long)text,
         (unsigned long long)mark, (unsigned long long)a->text_size);
  uint64_t cells = pts_load_acquire_u64(&m->cells_used);
  expect(c, cells <= a->shard_size && cells % 16 == 0, "C1: cells used %llu of %llu",
         (unsigned long long)cells, (unsigned long long)a->shard_size);
  uint32_t high = pts_load_acquire_u32(&m->workers_high);
  expect(c, high >= 1 && high <= a->session.store.max_workers + 1,
         "C1: %u worker slots were owned, of %u", high, a->session.store.max_workers);
  for (uint32_t slot = 0; slot <= a->session.store.max_workers; slot++) {
    mark = pts_load_acquire_u64(&a->session.store.workers[slot].mark);
    bool whole = mark <= a->shard_size && (mark % PTS_STEP == 0 || mark == a->shard_size);
    expect(c, whole, "C7: shard %u is marked to %llu of %llu", slot, (unsigned long long)mark,
           (unsigned long long)a->shard_size);
  }
}

/* ---- C2, C3: records ------------------------------------------------------------------------------------ */

/* Somebody is in the middle of changing the index, or was killed there: repair mends that. */
static bool index_locked(const checker *c) {
  return pts_load_acquire_u64(&c->a->metrics->index_lock.word) != 0;
}

static bool mode_holds(const pts_record *record, uint64_t head) {
  uint32_t mode = PTS_HEAD_MODE(head);
  if (record->kind == PTS_KIND_FAMILY) return head <= PTS_FAMILY_OVERFLOWS;
  if (head & PTS_HEAD_FREE) return mode == 0; /* a claimed one still has its mode: only under the lock */
  if (record->kind == PTS_KIND_VALUE) return mode >= PTS_MODE_SHARDED && mode <= PTS_MODE_STAMPED;
  if (record->kind == PTS_KIND_ENUM) return mode == PTS_MODE_SHARED || mode == PTS_MODE_STAMPED;
  return mode == PTS_MODE_SHARDED;
}

static void check_bounds(checker *c, uint32_t n, const pts_record *record) {
  uint32_t count = 0;
  const double *bounds = pts_record_bounds(c->a, record, &count);
  expect(c, bounds != NULL, "C2: %s %u has no bounds",
         record->kind == PTS_KIND_SUMMARY ? "summary" : "histogram", n);
  if (record->kind == PTS_KIND_SUMMARY) return; /* pts_record_bounds has checked them */
  for (uint32_t i = 0; i < count; i++) {
    bool ascend = isfinite(bounds[i]) && (i == 0 || bounds[i] > bounds[i - 1]);
    expect(c, ascend, "C2: bound %u of histogram %u is out of order", i, n);
    if (!ascend) return;
  }
}

static bool is_free(const pts_record *record) {
  return pts_load_acquire_u64(&record->head) & PTS_HEAD_FREE;
}

static bool has_annex(const pts_record *record) {
  return record->kind != PTS_KIND_FAMILY && !pts_kind_has_bounds(record->kind);
}

static void check_kind(checker *c, uint32_t n, const pts_record *record) {
  uint32_t extra = pts_load_acquire_u32(&record->extra);
  if (pts_kind_has_bounds(record->kind)) check_bounds(c, n, record);
  if (record->kind == PTS_KIND_FAMILY && extra) {
    uint32_t parts = pts_family_part_count(c->a, record), length;
    bool whole = parts >= PTS_PART_STATES && pts_family_part(c->a, record, parts - 1, &length) != NULL;
    expect(c, whole, "C2: family %u has a broken declaration", n);
  }
  if (has_annex(record)) expect(c, extra % 2 == 0, "C2: record %u has an annex at an odd place", n);
  const pts_record *family = pts_record_at(c->a, pts_load_relaxed_u32(&record->family));
  bool of_family = family && family->kind == PTS_KIND_FAMILY;
  /* It may have been freed since the caller looked: then that was a link. */
  expect(c, of_family || index_locked(c) || is_free(record), "C2: record %u is of no family", n);
  uint64_t head = pts_load_acquire_u64(&record->head);
  expect(c, mode_holds(record, head) || index_locked(c), "C2: record %u has mode %u", n, PTS_HEAD_MODE(head));
  expect(c, PTS_HEAD_MODE(head) != PTS_MODE_STAMPED || extra || pts_load_acquire_u32(&record->extra),
         "C2: record %u is stamped and has no place for it", n);
  expect(c, PTS_HEAD_GENERATION(head) <= pts_load_relaxed_u32(&record->generations),
         "C2: record %u has a generation that was not drawn", n);
}

/* Whether what was read of the record since its head was this may be of other labels: it is free by now, or has
 * been given away, or somebody is at work on the index. */
static bool moved_on(const checker *c, const pts_record *record, uint64_t head) {
  pts_fence_acquire();
  uint64_t now = pts_load_acquire_u64(&record->head);
  return index_locked(c) || now & PTS_HEAD_FREE || PTS_HEAD_INCARNATION(now) != PTS_HEAD_INCARNATION(head);
}

static void check_record(checker *c, uint32_t n) {
  const pts_record *record = pts_record_at(c->a, n);
  expect(c, record != NULL, "C2: record %u is broken", n);
  if (!record) return;
  uint64_t head = pts_load_acquire_u64(&record->head);
  bool undecided = pts_head_claimed(head) && !index_locked(c) && pts_load_acquire_u64(&record->head) == head;
  expect(c, !undecided, "C2: record %u is claimed by nobody", n);
  if (head & PTS_HEAD_FREE) return;
  uint32_t word = pts_load_relaxed_u32(&record->entry);
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(c->a, word, &entry);
  bool whole = bytes && entry.kind == record->kind && entry.record == n;
  if (!whole && moved_on(c, record, head)) return;
  expect(c, whole, "C2: record %u names an entry that is not its own", n);
  if (!whole) return;
  check_kind(c, n, record);
  pts_wanted wanted = pts_entry_wanted(c->a, &entry, bytes);
  bool hashed = pts_index_hash(c->a, &wanted) == entry.hash;
  expect(c, hashed || moved_on(c, record, head), "C3: record %u has a wrong hash", n);
  bool found = pts_index_find(c->a, &wanted) == word;
  /* Asked again last: a living worker may have published it and freed the lock in between. */
  expect(c, found || moved_on(c, record, head) || pts_index_find(c->a, &wanted) == word,
         "C3: record %u is not found by its text", n);
}

/* ---- C4, C5: slots and ranges -------------------------------------------------------------------------- */

static int compare_ranges(const void *x, const void *y) {
  const range *a = x, *b = y;
  return a->from < b->from ? -1 : a->from > b->from;
}

static void check_ranges(checker *c, range *ranges, uint32_t count, uint64_t end, const char *what) {
  qsort(ranges, count, sizeof *ranges, compare_ranges);
  for (uint32_t i = 0; i < count; i++) {
    uint64_t next = i + 1 < count ? ranges[i + 1].from : end;
    expect(c, ranges[i].to <= next, "C5: %s from %llu to %llu runs into %llu", what,
           (unsigned long long)ranges[i].from, (unsigned long long)ranges[i].to,
           (unsigned long long)next);
  }
}

static uint32_t add_entry(checker *c, range *ranges, uint32_t count, uint32_t word, uint32_t slack) {
  pts_entry entry;
  if (!word || !pts_entry_read(c->a, word, &entry)) return count;
  uint64_t from = (uint64_t)word * 8;
  ranges[count] = (range){from, from + (sizeof entry + pts_entry_size(&entry) + 7) / 8 * 8 + slack * 8};
  return count + 1;
}

/* Entries that records name, free ones' too: their room is theirs. */
static uint32_t add_records(checker *c, range *ranges, uint32_t count) {
  const pts_attachment *a = c->a;
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *record = pts_record_at(a, n);
    if (!record) continue;
    count = add_entry(c, ranges, count, pts_load_relaxed_u32(&record->entry), pts_load_relaxed_u8(&record->slack));
    if (record->kind == PTS_KIND_FAMILY)
      count = add_entry(c, ranges, count, pts_load_acquire_u32(&record->extra), 0);
  }
  return count;
}

static void check_slots(checker *c, range *ranges) {
  const pts_attachment *a = c->a;
  uint32_t count = add_records(c, ranges, 0), bounds = 0;
  for (uint32_t slot = 0; slot < a->slot_count; slot++) {
    uint32_t word = pts_load_acquire_u32(&a->slots[slot]);
    if (word == 0) continue;
    pts_entry entry;
    bool whole = pts_entry_read(a, word, &entry) != NULL && entry.kind < PTS_ENTRY_DECLARATION;
    expect(c, whole, "C4: hash slot %u names no entry", slot);
    if (!whole || entry.kind != PTS_ENTRY_BOUNDS) continue;
    bounds++;
    count = add_entry(c, ranges, count, word, 0);
  }
  uint32_t bounds_used = pts_load_acquire_u32(&a->metrics->bounds_used);
  expect(c, (bounds <= bounds_used && bounds_used <= a->slot_count - a->max_records) || index_locked(c),
         "C1: %u lists of bounds of %u, %u are found", bounds_used, a->slot_count - a->max_records,
         bounds);
  check_ranges(c, ranges, count, pts_load_acquire_u64(&a->metrics->text_used), "an entry");
}

static void check_places(checker *c, range *ranges) {
  const pts_attachment *a = c->a;
  uint32_t count = 0;
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *r = pts_record_at(a, n);
    if (!r || r->words == 0) continue;
    uint64_t extra = pts_load_acquire_u32(&r->extra);
    ranges[count++] = (range){(uint64_t)r->place * 8, ((uint64_t)r->place + r->words) * 8};
    if (extra && has_annex(r)) ranges[count++] = (range){extra * 8, (extra + PTS_WORDS_ANNEX) * 8};
  }
  check_ranges(c, ranges, count, pts_load_acquire_u64(&a->metrics->cells_used), "a block");
}

/* ---- C6, C8: blocks ------------------------------------------------------------------------------------- */

static bool redo_matches(const pts_attachment *a, uint32_t slot, const pts_record *record) {
  const pts_redo *redo = &a->session.store.workers[slot].redo;
  uint64_t where = pts_load_relaxed_u64(&redo->where);
  return PTS_REDO_PLACE(where) == record->place &&
         PTS_REDO_BUCKET(where) < record->words - (uint64_t)PTS_CELL_COUNTS;
}

/* NULL when the block is not in allocated space. */
static const uint64_t *check_tag(checker *c, uint32_t n, const pts_record *record, uint32_t slot,
                                 uint64_t place, uint32_t words) {
  const pts_attachment *a = c->a;
  if (place == 0 || pts_shard_mark(a, slot) < (place + words) * 8) return NULL;
  const uint64_t *block = (const uint64_t *)(const void *)pts_shard(a, slot) + place;
  uint64_t tag = pts_load_acquire_u64(&block[PTS_CELL_TAG]);
  bool past = tag >> 32 <= pts_load_acquire_u64(a->generation) &&
              (uint32_t)tag <= pts_load_acquire_u32(&record->generations);
  expect(c, past, "C6: record %u has a tag from the future in shard %u", n, slot);
  return block;
}

static bool is_current(const pts_attachment *a, const pts_record *record, const uint64_t *block) {
  uint64_t head = pts_load_acquire_u64(&record->head), generation = pts_load_acquire_u64(a->generation);
  return pts_load_acquire_u64(&block[PTS_CELL_TAG]) == PTS_TAG(generation, PTS_HEAD_GENERATION(head));
}

/* A block whose tag is not current may be about to start anew. */
static void check_summary(checker *c, uint32_t n, const pts_record *record, const uint64_t *block,
                          uint32_t slot) {
  if (!is_current(c->a, record, block)) return;
  const char *fault = pts_summary_fault(block, record->words);
  expect(c, fault == NULL || !is_current(c->a, record, block), "C10: summary %u %s in shard %u", n, fault, slot);
}

static void check_block(checker *c, uint32_t n, const pts_record *record, uint32_t slot) {
  const pts_attachment *a = c->a;
  const uint64_t *block = check_tag(c, n, record, slot, record->place, record->words);
  bool histogram = record->kind == PTS_KIND_HISTOGRAM;
  if (slot == 0 && has_annex(record))
    check_tag(c, n, record, slot, pts_load_acquire_u32(&record->extra), PTS_WORDS_ANNEX);
  if (block && record->kind == PTS_KIND_SUMMARY && slot != 0) check_summary(c, n, record, block, slot);
  if (!block || !histogram || slot == 0) return;
  bool odd = pts_load_acquire_u64(&block[PTS_CELL_SEQUENCE]) & 1;
  uint32_t epoch = pts_load_acquire_u32(&a->session.store.workers[slot].epoch);
  expect(c, !odd || redo_matches(a, slot, record) || pts_worker_alive(&c->a->session.store, slot, epoch),
         "C8: histogram %u is half written in shard %u", n, slot);
}

static void check_blocks(checker *c) {
  uint32_t high = pts_load_acquire_u32(&c->a->metrics->workers_high);
  if (high > c->a->session.store.max_workers + 1) return;
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *record = pts_record_at(c->a, n);
    if (!record || record->words == 0) continue;
    for (uint32_t slot = 0; slot < high; slot++) check_block(c, n, record, slot);
  }
}

/* ---- C9: free records ----------------------------------------------------------------------------------- */

/* Which list a free record is found in: walked from every head, each at most as long as there are records. */
static uint32_t walk_lists(checker *c, bool *listed) {
  const pts_attachment *a = c->a;
  uint32_t count = 0;
  for (uint32_t list = 0; list < PTS_FREE_LISTS; list++) {
    uint32_t link = pts_load_acquire_u32(&a->metrics->free_heads[list]);
    for (uint32_t steps = 0; link && steps <= c->used; steps++) {
      const pts_record *record = link - 1 < c->used ? pts_record_at(a, link - 1) : NULL;
      bool holds = record && is_free(record) && !listed[link - 1] &&
                   (record->kind * 7u + record->words) % PTS_FREE_LISTS == list;
      expect(c, holds, "C9: free list %u has record %u, which is not its own", list, link - 1);
      if (!holds) break;
      listed[link - 1] = true;
      count++;
      uint32_t next = pts_load_relaxed_u32(&record->family);
      link = next == link - 1 ? 0 : next + 1;
    }
  }
  return count;
}

static void check_free(checker *c) {
  const pts_attachment *a = c->a;
  if (index_locked(c)) return;
  uint64_t changes = pts_load_acquire_u64(&a->metrics->changes);
  uint32_t used = pts_load_acquire_u32(&a->metrics->records_used);
  bool *listed = calloc((size_t)c->used + 1, sizeof *listed);
  uint32_t *counts = calloc((size_t)c->used + 1, sizeof *counts);
  if (!listed || !counts) {
    expect(c, false, "not enough memory to look at free records");
  } else {
    checker quiet = *c; /* what is found is kept only if nobody worked on the lists meanwhile */
    pts_message unsaid = pts_message_in(NULL, 0);
    quiet.report = &unsaid;
    uint32_t count = walk_lists(&quiet, listed), free_count = 0;
    bool right = quiet.findings == c->findings;
    for (uint32_t n = 0; n < c->used; n++) {
      const pts_record *record = pts_record_at(a, n);
      if (!record || record->kind == PTS_KIND_FAMILY) continue;
      free_count += is_free(record);
      right &= listed[n] == is_free(record);
      uint32_t family = pts_load_relaxed_u32(&record->family);
      if (!is_free(record) && family < c->used) counts[family]++;
    }
    right &= free_count == count && count == pts_load_acquire_u32(&a->metrics->free_records);
    for (uint32_t n = 0; n < c->used; n++)
      right &= a->records[n].kind != PTS_KIND_FAMILY || pts_load_relaxed_u32(&a->records[n].place) == counts[n];
    bool still = !index_locked(c) && pts_load_acquire_u64(&a->metrics->changes) == changes &&
                 pts_load_acquire_u32(&a->metrics->records_used) == used && used == c->used;
    expect(c, right || !still, "C9: %u records are free, %u are listed, %u counted", free_count, count,
           pts_load_acquire_u32(&a->metrics->free_records));
  }
  free(listed);
  free(counts);
}

/* ---- what living workers move meanwhile ---------------------------------------------------------------- */

typedef struct moment {
  uint64_t changes, lock;
  uint32_t used;
} moment;

static moment moment_of(const checker *c) {
  const pts_metrics *m = c->a->metrics;
  return (moment){pts_load_acquire_u64(&m->changes), pts_load_acquire_u64(&m->index_lock.word),
                  pts_load_acquire_u32(&m->records_used)};
}

/* Nobody who lives has worked on the index since; a dead owner of its lock changes nothing. */
static bool stood_still(checker *c, const moment *before) {
  moment now = moment_of(c);
  if (now.changes != before->changes || now.lock != before->lock || now.used != before->used) return false;
  return now.lock == 0 || !pts_worker_alive(&c->a->session.store, PTS_LOCK_WORD_SLOT(now.lock),
                                            PTS_LOCK_WORD_EPOCH(now.lock));
}

#define STILL_TRIES 16u

/* Ranges are collected one by one: what is found counts only if nothing moved meanwhile. */
static void check_while_still(checker *c, void (*check)(checker *, range *), range *ranges) {
  for (uint32_t i = 0; i < STILL_TRIES; i++) {
    char text[4096];
    checker quiet = *c;
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

/* ---- the report ------------------------------------------------------------------------------------------ */

static void describe(checker *c, const char *path) {
  const pts_attachment *a = c->a;
  const pts_metrics *m = a->metrics;
  uint32_t living = 0, high = pts_load_acquire_u32(&m->workers_high);
  if (high > a->session.store.max_workers + 1) high = a->session.store.max_workers + 1;
  for (uint32_t slot = 1; slot < high; slot++) {
    const pts_worker *worker = &a->session.store.workers[slot];
    uint32_t epoch = pts_load_acquire_u32(&worker->epoch);
    if (!pts_worker_alive(&c->a->session.store, slot, epoch)) continue;
    living++;
    pts_message_add(c->report, "worker: slot %u, epoch %u, pid %u\n", slot, epoch,
                    pts_load_relaxed_u32(&worker->pid));
  }
  uint64_t dropped = 0;
  for (uint32_t slot = 1; slot < high; slot++)
    dropped += pts_load_relaxed_u64(&a->session.store.workers[slot].dropped);
  pts_message_add(c->report,
                  "store: %s\n"
                  "workers: %u living, %u slots used, of %u\n"
                  "records: %u of %u (series and families)\n"
                  "text: %llu of %llu bytes\n"
                  "cells: %llu of %llu bytes in each shard\n"
                  "free records: %u\n"
                  "dropped updates: %llu\ndamage: %llu\nrepairs: %llu\ntakeovers: %llu\nlock waits: %llu\n",
                  path, living, high ? high - 1 : 0, a->session.store.max_workers, pts_records_used(a),
                  a->max_records, (unsigned long long)pts_load_relaxed_u64(&m->text_used),
                  (unsigned long long)a->text_size,
                  (unsigned long long)pts_load_relaxed_u64(&m->cells_used),
                  (unsigned long long)a->shard_size, pts_load_relaxed_u32(&m->free_records),
                  (unsigned long long)dropped,
                  (unsigned long long)pts_load_relaxed_u64(&m->damage),
                  (unsigned long long)pts_load_relaxed_u64(&m->repairs),
                  (unsigned long long)pts_load_relaxed_u64(&m->takeovers),
                  (unsigned long long)pts_load_relaxed_u64(&m->lock_waits));
}

static void verify(checker *c) {
  const pts_attachment *a = c->a;
  check_counts(c);
  c->used = pts_records_used(a);
  for (uint32_t n = 0; n < c->used; n++) check_record(c, n);
  uint64_t most = (uint64_t)a->slot_count + 3ull * c->used + 1;
  range *ranges = malloc(most * sizeof *ranges);
  expect(c, ranges != NULL, "not enough memory to compare ranges");
  if (!ranges) return;
  check_while_still(c, check_slots, ranges);
  check_while_still(c, check_places, ranges);
  check_blocks(c);
  check_free(c);
  free(ranges);
}

/* ---- repairing ------------------------------------------------------------------------------------------ */

static void finish_dead_slots(pts_attachment *a) {
  pts_store *store = &a->session.store;
  for (uint32_t slot = 1; slot <= store->max_workers; slot++) {
    uint64_t byte = PTS_LOCK_SLOT(store->kind, slot);
    if (slot == store->slot || pts_os_lock(&store->locks, byte) != 0) continue;
    pts_cell_take_over(a, slot);
    pts_os_unlock(&store->locks, byte);
  }
}

/* Taking a lock of a dead owner repairs what it guards; living owners are waited for. */
static int32_t repair(pts_attachment *a) {
  int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  pts_index_repair(a);
  pts_index_unlock(a);
  for (uint32_t i = 0; i < PTS_SERIES_LOCKS; i++) {
    uint64_t *word = &a->metrics->series_locks[i].word;
    if (pts_lock_take(&a->session.store, word, a->session.store.lock_timeout_ms) >= 0)
      pts_lock_release(&a->session.store, word);
  }
  finish_dead_slots(a);
  return 0;
}

int32_t pts_check(const char *path, uint32_t flags, char *text, uint32_t size) {
  pts_message report = pts_message_in(text, size);
  pts_options options = {.path = path, .flags = PTS_OPEN_EXISTING};
  pts_attachment a = {0};
  int32_t code = pts_metrics_attach(&a, &options, flags & PTS_CHECK_REPAIR, &report);
  if (code != 0) return code;
  if (flags & PTS_CHECK_REPAIR) code = repair(&a);
  checker c = {.a = &a, .report = &report};
  describe(&c, path);
  verify(&c);
  pts_metrics_detach(&a);
  return code != 0 ? code : c.findings;
}

/* The checker on counts, marks and records (check.c: C1, C2, C3, C7). */
#include <math.h>

#include "checker.h"
#include "summary.h"

/* ---- C1, C7: counts and marks ------------------------------------------------------------------------ */

void pts_check_counts(pts_checker *c) {
  const pts_attachment *a = c->a;
  const pts_metrics *m = a->metrics;
  /* What is used before what is ready for it: both grow, in the other order. */
  uint32_t used = pts_load_acquire_u32(&m->records_used);
  uint32_t ready = pts_load_acquire_u32(&m->records_ready);
  pts_expect(c, used <= ready, "C1: %u records are used, %u have space", used, ready);
  pts_expect(c, ready <= a->max_records, "C1: space for %u records of %u", ready, a->max_records);
  uint64_t text = pts_load_acquire_u64(&m->text_used), mark = pts_load_acquire_u64(&m->text_mark);
  pts_expect(c, text >= 8 && (text <= mark || text == 8) && mark <= a->text_size && text % 8 == 0,
         "C1: text used %llu, marked %llu, of %llu", (unsigned long long)text,
         (unsigned long long)mark, (unsigned long long)a->text_size);
  uint64_t cells = pts_load_acquire_u64(&m->cells_used);
  pts_expect(c, cells <= a->shard_size && cells % 16 == 0, "C1: cells used %llu of %llu",
         (unsigned long long)cells, (unsigned long long)a->shard_size);
  uint32_t high = pts_load_acquire_u32(&m->workers_high);
  pts_expect(c, high >= 1 && high <= a->session.store.max_workers + 1,
         "C1: %u worker slots were owned, of %u", high, a->session.store.max_workers);
  for (uint32_t slot = 0; slot <= a->session.store.max_workers; slot++) {
    mark = pts_load_acquire_u64(&a->session.store.workers[slot].mark);
    bool whole = mark <= a->shard_size && (mark % PTS_STEP == 0 || mark == a->shard_size);
    pts_expect(c, whole, "C7: shard %u is marked to %llu of %llu", slot, (unsigned long long)mark,
           (unsigned long long)a->shard_size);
  }
}

/* ---- C2, C3: records ------------------------------------------------------------------------------------ */

static bool mode_holds(const pts_record *record, uint64_t head) {
  uint32_t mode = PTS_HEAD_MODE(head);
  if (record->kind == PTS_KIND_FAMILY) return head <= PTS_FAMILY_OVERFLOWS;
  if (head & PTS_HEAD_FREE) return mode == 0; /* a claimed one still has its mode: only under the lock */
  if (record->kind == PTS_KIND_VALUE) return mode >= PTS_MODE_SHARDED && mode <= PTS_MODE_STAMPED;
  if (record->kind == PTS_KIND_ENUM) return mode == PTS_MODE_SHARED || mode == PTS_MODE_STAMPED;
  return mode == PTS_MODE_SHARDED;
}

static void check_bounds(pts_checker *c, uint32_t n, const pts_record *record) {
  uint32_t count = 0;
  const double *bounds = pts_record_bounds(c->a, record, &count);
  pts_expect(c, bounds != NULL, "C2: %s %u has no bounds",
         record->kind == PTS_KIND_SUMMARY ? "summary" : "histogram", n);
  if (record->kind == PTS_KIND_SUMMARY) return; /* pts_record_bounds has checked them */
  for (uint32_t i = 0; i < count; i++) {
    bool ascend = isfinite(bounds[i]) && (i == 0 || bounds[i] > bounds[i - 1]);
    pts_expect(c, ascend, "C2: bound %u of histogram %u is out of order", i, n);
    if (!ascend) return;
  }
}

bool pts_declaration_is_whole(const pts_attachment *a, const pts_record *family) {
  uint32_t length, parts = pts_family_part_count(a, family);
  return parts >= PTS_PART_STATES && pts_family_part(a, family, parts - 1, &length) != NULL;
}

static void check_kind(pts_checker *c, uint32_t n, const pts_record *record) {
  uint32_t extra = pts_load_acquire_u32(&record->extra);
  if (pts_kind_has_bounds(record->kind)) check_bounds(c, n, record);
  if (record->kind == PTS_KIND_FAMILY && extra)
    pts_expect(c, pts_declaration_is_whole(c->a, record), "C2: family %u has a broken declaration", n);
  if (pts_has_annex(record)) pts_expect(c, extra % 2 == 0, "C2: record %u has an annex at an odd place", n);
  const pts_record *family = pts_record_at(c->a, pts_load_relaxed_u32(&record->family));
  bool of_family = family && family->kind == PTS_KIND_FAMILY;
  if (record->kind == PTS_KIND_FAMILY) of_family = family == record; /* its own */
  /* It may have been freed since the caller looked: then that was a link. */
  pts_expect(c, of_family || pts_index_is_locked(c) || pts_is_free(record), "C2: record %u is of no family", n);
  uint64_t head = pts_load_acquire_u64(&record->head);
  pts_expect(c, mode_holds(record, head) || pts_index_is_locked(c), "C2: record %u has mode %u", n, PTS_HEAD_MODE(head));
  pts_expect(c, PTS_HEAD_MODE(head) != PTS_MODE_STAMPED || extra || pts_load_acquire_u32(&record->extra),
         "C2: record %u is stamped and has no place for it", n);
  pts_expect(c, PTS_HEAD_GENERATION(head) <= pts_load_relaxed_u32(&record->generations),
         "C2: record %u has a generation that was not drawn", n);
}

/* Whether what was read of the record since its head was this may be of other labels: it is free by now, or has
 * been given away, or somebody is at work on the index. */
static bool moved_on(const pts_checker *c, const pts_record *record, uint64_t head) {
  pts_fence_acquire();
  uint64_t now = pts_load_acquire_u64(&record->head);
  return pts_index_is_locked(c) || now & PTS_HEAD_FREE || PTS_HEAD_INCARNATION(now) != PTS_HEAD_INCARNATION(head);
}

void pts_check_record(pts_checker *c, uint32_t n) {
  const pts_record *record = pts_record_at(c->a, n);
  pts_expect(c, record != NULL, "C2: record %u is broken", n);
  if (!record) return;
  uint64_t head = pts_load_acquire_u64(&record->head);
  bool undecided = pts_head_claimed(head) && !pts_index_is_locked(c) && pts_load_acquire_u64(&record->head) == head;
  pts_expect(c, !undecided, "C2: record %u is claimed by nobody", n);
  if (head & PTS_HEAD_FREE) return;
  uint32_t word = pts_load_relaxed_u32(&record->entry);
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(c->a, word, &entry);
  bool whole = bytes && entry.kind == record->kind && entry.record == n;
  if (!whole && moved_on(c, record, head)) return;
  pts_expect(c, whole, "C2: record %u names an entry that is not its own", n);
  if (!whole) return;
  check_kind(c, n, record);
  pts_wanted wanted = pts_entry_wanted(c->a, &entry, bytes);
  bool hashed = pts_index_hash(c->a, &wanted) == entry.hash;
  pts_expect(c, hashed || moved_on(c, record, head), "C3: record %u has a wrong hash", n);
  bool found = pts_index_find(c->a, &wanted) == word;
  /* Asked again last: a living worker may have published it and freed the lock in between. */
  pts_expect(c, found || moved_on(c, record, head) || pts_index_find(c->a, &wanted) == word,
         "C3: record %u is not found by its text", n);
}

/* The checker on what lies where, and on free records (check.c: C4, C5, C9). */
#include <stdlib.h>

#include "checker.h"

/* ---- C4, C5: slots and ranges -------------------------------------------------------------------------- */

static int compare_ranges(const void *x, const void *y) {
  const pts_range *a = x, *b = y;
  return a->from < b->from ? -1 : a->from > b->from;
}

static void runs_into(pts_checker *c, const pts_range *range, const pts_range *next, uint64_t at) {
  static const char *const names[] = {"an entry", "a declaration", "bounds", "a block", "an annex"};
  pts_expect(c, false, "C5: %s from %llu to %llu runs into %llu", names[range->what],
             (unsigned long long)range->from, (unsigned long long)range->to, (unsigned long long)at);
  if (!c->overlapping) return;
  c->overlapping(c, range);
  if (next) c->overlapping(c, next);
}

static void check_ranges(pts_checker *c, pts_range *ranges, uint32_t count, uint64_t end) {
  qsort(ranges, count, sizeof *ranges, compare_ranges);
  const pts_range *furthest = ranges; /* the one that ends last */
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0 && ranges[i].from < furthest->to) runs_into(c, furthest, &ranges[i], ranges[i].from);
    if (ranges[i].to > end) runs_into(c, &ranges[i], NULL, end);
    if (ranges[i].to > furthest->to) furthest = &ranges[i];
  }
}

static void add_entry(pts_checker *c, pts_range **next, uint32_t word, uint32_t slack, pts_range range) {
  pts_entry entry;
  if (!word || !pts_entry_read(c->a, word, &entry)) return;
  range.from = (uint64_t)word * 8;
  range.to = range.from + (sizeof entry + pts_entry_size(&entry) + 7) / 8 * 8 + slack * 8;
  *(*next)++ = range;
}

/* Entries that records name, free ones' too: their room is theirs. */
static void add_records(pts_checker *c, pts_range **next) {
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *record = pts_record_at(c->a, n);
    if (!record) continue;
    add_entry(c, next, pts_load_relaxed_u32(&record->entry), pts_load_relaxed_u8(&record->slack),
              (pts_range){.record = n, .what = PTS_RANGE_ENTRY});
    if (record->kind == PTS_KIND_FAMILY)
      add_entry(c, next, pts_load_acquire_u32(&record->extra), 0,
                (pts_range){.record = n, .what = PTS_RANGE_DECLARATION});
  }
}

pts_range *pts_ranges_for(pts_checker *c) {
  uint64_t most = (uint64_t)c->a->slot_count + 3ull * c->used + 1;
  pts_range *ranges = malloc(most * sizeof *ranges);
  pts_expect(c, ranges != NULL, "not enough memory to compare ranges");
  return ranges;
}

void pts_check_slots(pts_checker *c, pts_range *ranges) {
  const pts_attachment *a = c->a;
  pts_range *next = ranges;
  uint32_t bounds = 0;
  add_records(c, &next);
  for (uint32_t slot = 0; slot < a->slot_count; slot++) {
    uint32_t word = pts_load_acquire_u32(&a->slots[slot]);
    if (word == 0) continue;
    pts_entry entry;
    bool whole = pts_entry_read(a, word, &entry) != NULL && entry.kind < PTS_ENTRY_DECLARATION;
    pts_expect(c, whole, "C4: hash slot %u names no entry", slot);
    if (!whole || entry.kind != PTS_ENTRY_BOUNDS) continue;
    bounds++;
    add_entry(c, &next, word, 0, (pts_range){.what = PTS_RANGE_BOUNDS});
  }
  uint32_t bounds_used = pts_load_acquire_u32(&a->metrics->bounds_used), most = a->slot_count - a->max_records;
  pts_expect(c, (bounds <= bounds_used && bounds_used <= most) || pts_index_is_locked(c),
             "C1: %u lists of bounds of %u, %u are found", bounds_used, most, bounds);
  check_ranges(c, ranges, (uint32_t)(next - ranges), pts_load_acquire_u64(&a->metrics->text_used));
}

void pts_check_places(pts_checker *c, pts_range *ranges) {
  const pts_attachment *a = c->a;
  pts_range *next = ranges;
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *r = pts_record_at(a, n);
    if (!r || r->words == 0) continue;
    uint64_t place = r->place, extra = pts_load_acquire_u32(&r->extra);
    *next++ = (pts_range){place * 8, (place + r->words) * 8, n, PTS_RANGE_BLOCK};
    if (extra && pts_has_annex(r))
      *next++ = (pts_range){extra * 8, (extra + PTS_WORDS_ANNEX) * 8, n, PTS_RANGE_ANNEX};
  }
  check_ranges(c, ranges, (uint32_t)(next - ranges), pts_load_acquire_u64(&a->metrics->cells_used));
}

/* ---- C9: free records ----------------------------------------------------------------------------------- */

/* Which list a free record is found in: walked from every head, each at most as long as there are records. */
static uint32_t walk_lists(pts_checker *c, bool *listed) {
  const pts_attachment *a = c->a;
  uint32_t count = 0;
  for (uint32_t list = 0; list < PTS_FREE_LISTS; list++) {
    uint32_t link = pts_load_acquire_u32(&a->metrics->free_heads[list]);
    for (uint32_t steps = 0; link && steps <= c->used; steps++) {
      const pts_record *record = link - 1 < c->used ? pts_record_at(a, link - 1) : NULL;
      bool holds = record && pts_is_free(record) && !listed[link - 1] &&
                   (record->kind * 7u + record->words) % PTS_FREE_LISTS == list;
      pts_expect(c, holds, "C9: free list %u has record %u, which is not its own", list, link - 1);
      if (!holds) break;
      listed[link - 1] = true;
      count++;
      uint32_t next = pts_load_relaxed_u32(&record->family);
      link = next == link - 1 ? 0 : next + 1;
    }
  }
  return count;
}

void pts_check_free(pts_checker *c) {
  const pts_attachment *a = c->a;
  if (pts_index_is_locked(c)) return;
  uint64_t changes = pts_load_acquire_u64(&a->metrics->changes);
  uint32_t used = pts_load_acquire_u32(&a->metrics->records_used);
  bool *listed = calloc((size_t)c->used + 1, sizeof *listed);
  uint32_t *counts = calloc((size_t)c->used + 1, sizeof *counts);
  if (!listed || !counts) {
    pts_expect(c, false, "not enough memory to look at free records");
  } else {
    pts_checker quiet = *c; /* what is found is kept only if nobody worked on the lists meanwhile */
    pts_message unsaid = pts_message_in(NULL, 0);
    quiet.report = &unsaid;
    uint32_t count = walk_lists(&quiet, listed), free_count = 0;
    bool right = quiet.findings == c->findings;
    for (uint32_t n = 0; n < c->used; n++) {
      const pts_record *record = pts_record_at(a, n);
      if (!record || record->kind == PTS_KIND_FAMILY) continue;
      free_count += pts_is_free(record);
      right &= listed[n] == pts_is_free(record);
      uint32_t family = pts_load_relaxed_u32(&record->family);
      if (!pts_is_free(record) && family < c->used) counts[family]++;
    }
    right &= free_count == count && count == pts_load_acquire_u32(&a->metrics->free_records);
    for (uint32_t n = 0; n < c->used; n++)
      right &= a->records[n].kind != PTS_KIND_FAMILY || pts_load_relaxed_u32(&a->records[n].place) == counts[n];
    bool still = !pts_index_is_locked(c) && pts_load_acquire_u64(&a->metrics->changes) == changes &&
                 pts_load_acquire_u32(&a->metrics->records_used) == used && used == c->used;
    pts_expect(c, right || !still, "C9: %u records are free, %u are listed, %u counted", free_count, count,
           pts_load_acquire_u32(&a->metrics->free_records));
  }
  free(listed);
  free(counts);
}

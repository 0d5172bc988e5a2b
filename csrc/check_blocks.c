/* The checker on blocks (check.c: C6, C8, C10). */
#include "checker.h"
#include "summary.h"

bool pts_tag_is_past(const pts_attachment *a, const pts_record *record, uint64_t tag) {
  return tag >> 32 <= pts_load_acquire_u64(a->generation) &&
         (uint32_t)tag <= pts_load_acquire_u32(&record->generations);
}

/* ---- C6, C8: blocks ------------------------------------------------------------------------------------- */

static bool redo_matches(const pts_attachment *a, uint32_t slot, const pts_record *record) {
  const pts_redo *redo = &a->session.store.workers[slot].redo;
  uint64_t where = pts_load_relaxed_u64(&redo->where);
  return PTS_REDO_PLACE(where) == record->place &&
         PTS_REDO_BUCKET(where) < record->words - (uint64_t)PTS_CELL_COUNTS;
}

/* NULL when the block is not in allocated space. */
static const uint64_t *check_tag(pts_checker *c, uint32_t n, const pts_record *record, uint32_t slot,
                                 uint64_t place, uint32_t words) {
  const pts_attachment *a = c->a;
  const uint64_t *block = pts_block_in(a, slot, place, words);
  if (!block) return NULL;
  uint64_t tag = pts_load_acquire_u64(&block[PTS_CELL_TAG]);
  pts_expect(c, pts_tag_is_past(a, record, tag), "C6: record %u has a tag from the future in shard %u", n, slot);
  return block;
}

static bool is_current(const pts_attachment *a, const pts_record *record, const uint64_t *block) {
  uint64_t head = pts_load_acquire_u64(&record->head), generation = pts_load_acquire_u64(a->generation);
  return pts_load_acquire_u64(&block[PTS_CELL_TAG]) == PTS_TAG(generation, PTS_HEAD_GENERATION(head));
}

/* A block whose tag is not current may be about to start anew. */
static void check_summary(pts_checker *c, uint32_t n, const pts_record *record, const uint64_t *block,
                          uint32_t words, uint32_t slot) {
  if (!is_current(c->a, record, block)) return;
  const char *fault = pts_summary_fault(block, words);
  pts_expect(c, fault == NULL || !is_current(c->a, record, block), "C10: summary %u %s in shard %u", n, fault, slot);
}

void pts_check_block(pts_checker *c, uint32_t n, const pts_record *record, uint32_t slot) {
  const pts_attachment *a = c->a;
  const pts_record copy = pts_record_copy(record); /* place and words are read once: they bound the rest */
  if (copy.words < PTS_WORDS_VALUE) return;
  const uint64_t *block = check_tag(c, n, record, slot, copy.place, copy.words);
  if (slot == 0 && pts_has_annex(record))
    check_tag(c, n, record, slot, pts_load_acquire_u32(&record->extra), PTS_WORDS_ANNEX);
  if (!block || slot == 0) return;
  if (copy.kind == PTS_KIND_SUMMARY) check_summary(c, n, record, block, copy.words, slot);
  if (copy.kind != PTS_KIND_HISTOGRAM) return;
  bool odd = pts_load_acquire_u64(&block[PTS_CELL_SEQUENCE]) & 1;
  uint32_t epoch = pts_load_acquire_u32(&a->session.store.workers[slot].epoch);
  pts_expect(c, !odd || redo_matches(a, slot, &copy) || pts_worker_alive(&c->a->session.store, slot, epoch),
         "C8: histogram %u is half written in shard %u", n, slot);
}

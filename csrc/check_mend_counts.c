/*
 * What the checker can mend of counts, marks and what is of the whole store (check_mend.c).
 *
 * I1: marks are believed less than what lies below them, but never raised without a record or an entry that
 *     lies there: what is not allocated must not be read (store.h). Of a shard's mark that is no mark nothing is
 *     known: it is raised to the last record's place, since a hole there costs space, and its loss values.
 */
#include "checker.h"

static uint64_t whole_steps(uint64_t bytes) { return (bytes + PTS_STEP - 1) / PTS_STEP * PTS_STEP; }

static uint64_t least(uint64_t x, uint64_t y) { return x < y ? x : y; }

/* ---- counts and marks ------------------------------------------------------------------------------ */

/* Whether some record names an entry from here on. */
static bool text_is_named_from(const pts_attachment *a, uint64_t from, uint64_t to) {
  for (uint32_t n = 0; n < pts_records_used(a); n++) {
    uint64_t at = pts_load_relaxed_u32(&a->records[n].entry) * 8ull;
    if (at >= from && at < to) return true;
  }
  return false;
}

static void mend_text_counts(const pts_attachment *a) {
  pts_metrics *m = a->metrics;
  uint64_t used = pts_load_relaxed_u64(&m->text_used), mark = pts_load_relaxed_u64(&m->text_mark);
  if (used < 8 || used % 8 != 0 || used > a->text_size) used = 8; /* raised by what is there (index.c) */
  if (mark > a->text_size) mark = least(whole_steps(used), a->text_size);
  if (mark < a->text_size) mark -= mark % PTS_STEP;
  if (mark < used && text_is_named_from(a, mark, used)) mark = least(whole_steps(used), a->text_size);
  if (mark < used) used = mark > 8 ? mark : 8;
  pts_store_release_u64(&m->text_mark, mark);
  pts_store_relaxed_u64(&m->text_used, used);
}

/* How many records there must be, for slots name the entry of the last. */
static uint32_t records_named(const pts_attachment *a) {
  uint32_t count = 0;
  for (uint32_t slot = 0; slot < a->slot_count; slot++) {
    uint32_t word = pts_load_relaxed_u32(&a->slots[slot]);
    pts_entry entry;
    if (!word || !pts_entry_whole(a, word, &entry) || entry.kind >= PTS_ENTRY_BOUNDS) continue;
    if (entry.record >= count && entry.record < a->max_records) count = entry.record + 1;
  }
  return count;
}

static bool is_blank(const pts_record *record) {
  static const pts_record blank;
  return memcmp(record, &blank, sizeof blank) == 0;
}

static void mend_record_counts(const pts_attachment *a) {
  pts_metrics *m = a->metrics;
  uint32_t used = pts_load_relaxed_u32(&m->records_used), ready = pts_load_relaxed_u32(&m->records_ready);
  uint32_t named = records_named(a);
  if (ready > a->max_records || (used > ready && used <= a->max_records && named > ready && named <= used))
    ready = (uint32_t)least(whole_steps((uint64_t)used * sizeof(pts_record)) / sizeof(pts_record), a->max_records);
  if (used > ready) used = ready;
  if (named > used && named <= ready) used = named;
  while (used > named && is_blank(&a->records[used - 1])) used--;
  pts_store_release_u32(&m->records_ready, ready);
  pts_store_release_u32(&m->records_used, used);
}

static void mend_workers_high(const pts_attachment *a) {
  const pts_store *store = &a->session.store;
  uint32_t owned = 0, high = pts_load_acquire_u32(store->workers_high);
  for (uint32_t slot = 1; slot <= store->max_workers; slot++)
    if (pts_load_acquire_u32(&store->workers[slot].epoch)) owned = slot;
  while ((high <= owned || high > store->max_workers + 1) &&
         !pts_cas_u32(store->workers_high, &high, owned + 1)) {
  }
}

/* As much as the records' places take: what the owner had is in there. Owners raise their marks meanwhile,
 * hence the swap. After cells_used was mended. */
void pts_mend_shard_marks(const pts_attachment *a) {
  uint64_t most = least(whole_steps(pts_load_relaxed_u64(&a->metrics->cells_used)), a->shard_size);
  for (uint32_t slot = 0; slot <= a->session.store.max_workers; slot++) {
    uint64_t *mark = &a->session.store.workers[slot].mark, now = pts_load_acquire_u64(mark);
    while (now > a->shard_size || (now % PTS_STEP != 0 && now != a->shard_size))
      if (pts_cas_u64(mark, &now, most)) break;
  }
}

static bool is_alone(pts_attachment *a) {
  pts_store *store = &a->session.store;
  for (uint32_t slot = 1; slot <= store->max_workers; slot++)
    if (slot != store->slot && pts_os_lock_held(&store->locks, PTS_LOCK_SLOT(store->kind, slot)) != 0) return false;
  return true;
}

void pts_mend_counts(pts_checker *c) {
  pts_attachment *a = c->a;
  pts_check_counts(c); /* says what was broken */
  mend_text_counts(a);
  mend_record_counts(a);
  mend_workers_high(a);
  uint64_t cells = pts_load_relaxed_u64(&a->metrics->cells_used);
  bool broken = cells < 64 || cells % 16 != 0 || cells > a->shard_size;
  if (broken || is_alone(a)) pts_store_relaxed_u64(&a->metrics->cells_used, 64); /* raised, too */
  c->used = pts_records_used(a);
}

/* ---- the store's generation ------------------------------------------------------------------------ */

/* Most tags are of one store generation: a later one than the store's says that this was broken. */
void pts_mend_generation(const pts_checker *c) {
  const pts_attachment *a = c->a;
  uint32_t candidate = 0, high = pts_load_acquire_u32(a->session.store.workers_high);
  if (high > a->session.store.max_workers + 1) return;
  uint64_t lead = 0, tags = 0, votes = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t n = 0; n < c->used; n++) {
      const pts_record *record = pts_record_at(a, n);
      for (uint32_t slot = 0; record && record->words && slot < high; slot++) {
        const uint64_t *block = pts_block_in(a, slot, record->place, record->words);
        uint32_t generation = block ? (uint32_t)(pts_load_acquire_u64(&block[PTS_CELL_TAG]) >> 32) : 0;
        if (generation == 0) continue;
        if (pass == 0 && lead == 0) candidate = generation;
        if (pass == 0) lead += generation == candidate ? 1 : (uint64_t)-1;
        tags += pass;
        votes += pass && generation == candidate;
      }
    }
  }
  if (votes > tags / 2 && candidate > pts_load_acquire_u64(a->generation))
    pts_store_release_u64(a->generation, candidate);
}

/* ---- hashes ------------------------------------------------------------------------------------------ */

static void rehash(const pts_attachment *a, uint32_t word) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, word, &entry);
  if (!bytes) return;
  pts_wanted wanted = pts_entry_wanted(a, &entry, bytes);
  uint32_t *hash = (uint32_t *)(void *)(a->text + (uint64_t)word * 8);
  pts_store_relaxed_u32(hash, pts_index_hash(a, &wanted));
}

/* So many texts are not all broken: where none suits its hash, it is the store's seed that is another. */
#define TEXTS_ENOUGH 4u

void pts_mend_hashes(const pts_checker *c) {
  const pts_attachment *a = c->a;
  uint32_t right = 0, wrong = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (uint32_t n = 0; n < c->used; n++) {
      const pts_record *record = pts_record_at(a, n);
      pts_entry entry;
      uint32_t word = record ? pts_load_relaxed_u32(&record->entry) : 0;
      if (!word || !pts_entry_read(a, word, &entry) || entry.kind != record->kind || entry.record != n) continue;
      bool whole = pts_entry_whole(a, word, &entry) != NULL;
      right += whole;
      wrong += !whole;
      if (pass == 0) continue;
      rehash(a, word);
      if (pts_kind_has_bounds(record->kind)) rehash(a, pts_load_relaxed_u32(&record->extra));
    }
    if (right > 0 || wrong < TEXTS_ENOUGH) return;
  }
}

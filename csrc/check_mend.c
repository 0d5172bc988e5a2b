/*
 * What the checker can mend, under the index lock; living workers go on meanwhile.
 *
 * A killed worker leaves nothing that this is needed for: pts_index_repair, pts_room_repair and
 * pts_cell_take_over finish what it had begun. This is for bytes that somebody else broke. What follows from
 * what is whole is made again: counts, slots, lists, a family's name from its series's. What does not is
 * dropped, and only that: a declaration is not made, a block not started, a series has left for others to
 * take its record.
 *
 * I1: a record that is given up gets its next incarnation first, then (release fence) other fields, like one
 *     that is given away (room.c): its handles are stale, and who read its fields looks at the head again.
 *     It gets a new place, since writers that sleep may still know the old one.
 * I2: a block is only changed by its slot's owner: we own the slot meanwhile. In shard 0 it is done under
 *     the series's lock.
 */
#include <stdlib.h>

#include "checker.h"
#include "order.h"
#include "summary.h"

/* ---- records ----------------------------------------------------------------------------------------- */

/* Says what is wrong with it. */
static bool is_whole(pts_checker *c, uint32_t number) {
  int32_t before = c->findings;
  pts_check_record(c, number);
  return c->findings == before;
}

/* Says nothing, for that was said before something was mended. */
static bool is_whole_now(const pts_checker *c, uint32_t number) {
  pts_checker quiet = *c;
  quiet.report = &(pts_message){0};
  return is_whole(&quiet, number);
}

#define LOCK_TRIES 50u

static bool lock_series(pts_checker *c, const pts_record *record) {
  for (uint32_t i = 0; i < LOCK_TRIES; i++) {
    if (pts_series_try_lock(c->a, record)) return true;
    pts_os_sleep(1);
  }
  return false;
}

/* The record is for new labels (I1). */
static void give_up(pts_checker *c, uint32_t number) {
  pts_attachment *a = c->a;
  pts_record *record = &a->records[number];
  uint32_t place, incarnation = PTS_HEAD_INCARNATION(pts_load_acquire_u64(&record->head));
  incarnation = incarnation < a->max_incarnation ? incarnation + 1 : a->max_incarnation;
  if (pts_place_reserve(a, PTS_WORDS_VALUE, &place) != 0 || !lock_series(c, record)) {
    pts_message_add(c->report, "record %u stays: there is no room, or it is in use\n", number);
    return;
  }
  pts_store_release_u64(&record->head, PTS_HEAD(pts_generation_draw(record), incarnation, PTS_HEAD_FREE));
  pts_fence_release();
  pts_store_relaxed_u32(&record->entry, 0);
  pts_store_relaxed_u32(&record->extra, 0);
  pts_store_relaxed_u32(&record->family, number);
  pts_store_relaxed_u32(&record->place, place);
  record->kind = PTS_KIND_VALUE;
  record->words = PTS_WORDS_VALUE;
  pts_store_relaxed_u8(&record->slack, 0);
  pts_series_unlock(a, record);
  pts_message_add(c->report, "record %u was dropped\n", number);
}

/* The name of a series's family, in name; 0 when its text is broken. */
static uint32_t name_of(const pts_attachment *a, uint32_t number, uint8_t name[PTS_MAX_NAME]) {
  const pts_record *record = pts_record_at(a, number);
  pts_entry entry;
  pts_printed_entry printed;
  if (!record || record->kind == PTS_KIND_FAMILY || pts_is_free(record)) return 0;
  if (!pts_entry_whole(a, pts_load_relaxed_u32(&record->entry), &entry) || entry.record != number) return 0;
  if (!pts_record_entry(a, record, &printed) || printed.name_length > PTS_MAX_NAME) return 0;
  const uint8_t *from = printed.printed.bytes, *end = from + printed.printed.length;
  if (printed.quoted) from += 2; /* {"name" */
  for (uint32_t i = 0; i < printed.name_length; i++) {
    bool escaped = printed.quoted && from < end && *from == '\\';
    from += escaped;
    if (from >= end) return 0;
    name[i] = escaped && *from == 'n' ? '\n' : *from;
    from++;
  }
  return printed.name_length;
}

/* A family again, under the name that its series has. False when another has it, or there is no room. */
static bool name_again(pts_attachment *a, uint32_t number, uint32_t series) {
  uint8_t name[PTS_MAX_NAME];
  uint32_t word, length = name_of(a, series, name);
  pts_wanted wanted = {{.kind = PTS_KIND_FAMILY, .length = (uint16_t)length, .record = number}, name, length, 0};
  if (length == 0 || pts_index_find(a, &wanted)) return false;
  wanted.head.hash = pts_index_hash(a, &wanted);
  if (pts_index_append(a, &wanted, &word) != 0) return false;
  pts_record *record = &a->records[number];
  pts_store_release_u64(&record->head, 0);
  pts_fence_release();
  pts_store_relaxed_u32(&record->entry, word);
  pts_store_relaxed_u32(&record->extra, 0);
  pts_store_relaxed_u32(&record->family, number);
  record->kind = PTS_KIND_FAMILY;
  record->words = 0;
  pts_store_relaxed_u8(&record->slack, 0);
  return pts_index_publish(a, word) == 0;
}

/* What a family has beside its name. */
static void mend_declaration(const pts_attachment *a, pts_record *family, uint32_t number) {
  if (!pts_declaration_is_whole(a, family)) pts_store_release_u32(&family->extra, 0);
  if (pts_load_relaxed_u64(&family->head) > PTS_FAMILY_OVERFLOWS) pts_store_relaxed_u64(&family->head, 0);
  pts_store_relaxed_u32(&family->family, number);
}

static void mend_families(pts_checker *c) {
  pts_attachment *a = c->a;
  uint8_t name[PTS_MAX_NAME];
  uint32_t *series_of = calloc((size_t)c->used + 1, sizeof *series_of); /* number + 1 */
  if (!series_of) return;
  for (uint32_t n = 0; n < c->used; n++) {
    uint32_t family = pts_load_relaxed_u32(&a->records[n].family);
    if (family >= a->max_records) pts_store_relaxed_u32(&a->records[n].family, n); /* the series knows its name */
    if (family < c->used && !series_of[family] && name_of(a, n, name)) series_of[family] = n + 1;
  }
  for (uint32_t n = 0; n < c->used; n++) {
    pts_record *record = pts_record_at(a, n);
    bool is_family = record && record->kind == PTS_KIND_FAMILY;
    if ((record && !is_family) || (!record && !series_of[n])) continue;
    if (is_whole(c, n)) continue;
    if (is_family) mend_declaration(a, record, n);
    if (is_family && is_whole_now(c, n)) continue;
    if (!series_of[n] || !name_again(a, n, series_of[n] - 1)) give_up(c, n);
  }
  free(series_of);
}

/* What is wrong about a series but not with its text. */
static void mend_fields(pts_attachment *a, pts_record *record, const uint8_t *name, uint32_t length) {
  const pts_record *family = pts_record_at(a, pts_load_relaxed_u32(&record->family));
  uint32_t number, drawn = PTS_HEAD_GENERATION(pts_load_acquire_u64(&record->head));
  if ((!family || family->kind != PTS_KIND_FAMILY) && pts_family_for(a, name, length, &number) == 0)
    pts_store_relaxed_u32(&record->family, number);
  if (drawn > pts_load_relaxed_u32(&record->generations) && drawn < UINT32_MAX / 2)
    pts_store_relaxed_u32(&record->generations, drawn);
  pts_index_publish(a, pts_load_relaxed_u32(&record->entry)); /* it may have been too broken for that */
}

static void mend_series(pts_checker *c) {
  pts_attachment *a = c->a;
  uint8_t name[PTS_MAX_NAME];
  for (uint32_t n = 0; n < c->used; n++) {
    pts_record *record = pts_record_at(a, n);
    if (record && (record->kind == PTS_KIND_FAMILY || pts_is_free(record))) continue;
    if (is_whole(c, n)) continue;
    uint32_t length = record ? name_of(a, n, name) : 0;
    if (length) mend_fields(a, record, name, length);
    if (!length || !is_whole_now(c, n)) give_up(c, n);
  }
}

/* ---- ranges ------------------------------------------------------------------------------------------ */

/* What runs into something else. */
typedef struct collisions {
  uint8_t *records; /* of each record, a bit for what there is of it */
  uint64_t *bounds; /* a bit for each word of the text where bounds begin */
  bool *confirmed;  /* of each family, whether a series has its name */
} collisions;

static void note_collision(pts_checker *c, const pts_range *range) {
  collisions *found = c->collisions;
  uint64_t word = range->from / 8;
  if (range->what == PTS_RANGE_BOUNDS)
    found->bounds[word / 64] |= 1ull << word % 64;
  else
    found->records[range->record] |= (uint8_t)(1u << range->what);
}

static void confirm_families(const pts_checker *c, bool *confirmed) {
  const pts_attachment *a = c->a;
  uint8_t name[PTS_MAX_NAME];
  for (uint32_t n = 0; n < c->used; n++) {
    uint32_t length = name_of(a, n, name), number = length ? pts_load_relaxed_u32(&a->records[n].family) : c->used;
    pts_text text;
    if (number >= c->used || confirmed[number] || !pts_family_name(a, &a->records[number], &text)) continue;
    confirmed[number] = pts_text_equal(text, (pts_text){name, length});
  }
}

static bool has_bounds_at(const pts_record *record, const uint64_t *bounds, uint64_t words) {
  uint32_t word = pts_load_relaxed_u32(&record->extra);
  return pts_kind_has_bounds(record->kind) && word < words && bounds[word / 64] >> word % 64 & 1;
}

/* A name that a series has, too, is right: what runs into that is not. */
static void drop_colliding(pts_checker *c, const collisions *found, bool spare_confirmed) {
  const uint8_t entry = 1u << PTS_RANGE_ENTRY, declaration = 1u << PTS_RANGE_DECLARATION;
  for (uint32_t n = 0; n < c->used; n++) {
    pts_record *record = pts_record_at(c->a, n);
    uint8_t what = found->records[n];
    if (!record) continue;
    if (record->kind == PTS_KIND_FAMILY) {
      if (what & declaration) pts_store_release_u32(&record->extra, 0);
      if (what & entry && !(spare_confirmed && found->confirmed[n])) give_up(c, n);
    } else if (pts_is_free(record) && what == entry) {
      pts_store_relaxed_u32(&record->entry, 0);
    } else if (what || has_bounds_at(record, found->bounds, c->a->text_size / 8)) {
      give_up(c, n);
    }
  }
}

static void lose_slack(const pts_checker *c, const collisions *found) {
  for (uint32_t n = 0; n < c->used; n++)
    if (found->records[n] & 1u << PTS_RANGE_ENTRY) pts_store_relaxed_u8(&c->a->records[n].slack, 0);
}

/* First only slack is given up, then what is not confirmed, then everything that runs into something. */
static void mend_ranges_with(pts_checker *c, collisions *found, pts_range *ranges) {
  uint64_t words = c->a->text_size / 8 / 64 + 1;
  confirm_families(c, found->confirmed);
  c->collisions = found;
  c->overlapping = note_collision;
  for (int round = 0; round < 3; round++) {
    int32_t before = c->findings;
    memset(found->records, 0, c->used);
    memset(found->bounds, 0, words * sizeof *found->bounds);
    pts_check_slots(c, ranges);
    if (round > 0) pts_check_places(c, ranges);
    if (c->findings == before && round > 0) break;
    if (round == 0)
      lose_slack(c, found);
    else
      drop_colliding(c, found, round == 1);
    pts_index_repair(c->a); /* without the slots of what was dropped */
  }
  c->overlapping = NULL;
}

static void mend_ranges(pts_checker *c) {
  collisions found = {malloc((size_t)c->used + 1), malloc((c->a->text_size / 8 / 64 + 1) * sizeof *found.bounds),
                      calloc((size_t)c->used + 1, sizeof *found.confirmed)};
  pts_range *ranges = pts_ranges_for(c);
  if (found.records && found.bounds && found.confirmed && ranges) mend_ranges_with(c, &found, ranges);
  free(found.records);
  free(found.bounds);
  free(found.confirmed);
  free(ranges);
}

/* ---- blocks ------------------------------------------------------------------------------------------ */

static void mend_tag(const pts_attachment *a, const pts_record *record, uint64_t *block) {
  uint64_t tag = block ? pts_load_acquire_u64(&block[PTS_CELL_TAG]) : 0;
  if (tag && !pts_tag_is_past(a, record, tag)) pts_cas_u64(&block[PTS_CELL_TAG], &tag, 0);
}

/* We own the slot, or have the series's lock (I2). */
static void mend_block(pts_checker *c, uint32_t number, const pts_record *record, uint32_t slot) {
  pts_attachment *a = c->a;
  int32_t before = c->findings;
  pts_check_block(c, number, record, slot);
  if (c->findings == before) return;
  const pts_record copy = pts_record_copy(record);
  uint64_t *block = copy.words > PTS_CELL_SEQUENCE ? pts_block_in(a, slot, copy.place, copy.words) : NULL;
  mend_tag(a, record, block);
  if (slot == 0 && pts_has_annex(record))
    mend_tag(a, record, pts_block_in(a, 0, pts_load_acquire_u32(&record->extra), PTS_WORDS_ANNEX));
  if (slot == 0 || !block) return;
  if (copy.kind == PTS_KIND_SUMMARY) {
    if (pts_summary_fault(block, copy.words)) pts_store_release_u64(&block[PTS_CELL_TAG], 0);
  } else if (copy.kind == PTS_KIND_HISTOGRAM && pts_load_acquire_u64(&block[PTS_CELL_SEQUENCE]) & 1) {
    pts_fetch_add_u64(&block[PTS_CELL_SEQUENCE], 1);
  }
}

/* Without a word, and without the lock, for which a repair beside a stopped holder would wait at each record. */
static bool shared_block_is_sound(const pts_checker *c, uint32_t number, const pts_record *record) {
  pts_message nobody = {0};
  pts_checker quiet = {.a = c->a, .report = &nobody, .says = ""};
  pts_check_block(&quiet, number, record, 0);
  return quiet.findings == 0;
}

static void mend_shared_blocks(pts_checker *c) {
  for (uint32_t n = 0; n < c->used; n++) {
    const pts_record *record = pts_record_at(c->a, n);
    if (!record || record->words == 0 || shared_block_is_sound(c, n, record)) continue;
    if (!lock_series(c, record)) continue;
    mend_block(c, n, record, 0);
    pts_series_unlock(c->a, record);
  }
}

/* Those of living workers are theirs. */
static void mend_own_blocks(pts_checker *c) {
  pts_store *store = &c->a->session.store;
  for (uint32_t slot = 1; slot <= store->max_workers; slot++) {
    uint64_t byte = PTS_LOCK_SLOT(store->kind, slot);
    bool mine = slot == store->slot;
    if (pts_shard_mark(c->a, slot) == 0) continue;
    if (!mine && pts_os_lock(&store->locks, byte) != 0) continue;
    pts_cell_take_over(c->a, slot);
    for (uint32_t n = 0; n < c->used; n++) {
      const pts_record *record = pts_record_at(c->a, n);
      if (record && record->words) mend_block(c, n, record, slot);
    }
    if (!mine) pts_os_unlock(&store->locks, byte);
  }
}

/* ---- all of it ----------------------------------------------------------------------------------------- */

/* Taking a lock of a dead owner frees it. */
static void free_series_locks(pts_attachment *a) {
  for (uint32_t i = 0; i < PTS_SERIES_LOCKS; i++) {
    uint64_t *word = &a->metrics->series_locks[i].word;
    if (pts_lock_take(&a->session.store, word, a->session.store.lock_timeout_ms) >= 0)
      pts_lock_release(&a->session.store, word);
  }
}

int32_t pts_mend(pts_attachment *a, pts_message *report) {
  pts_checker c = {.a = a, .report = report, .says = "was broken", .index_is_ours = true};
  int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  pts_mend_counts(&c);
  pts_mend_hashes(&c);
  pts_index_repair(a);
  pts_mend_shard_marks(a);
  mend_families(&c);
  mend_series(&c);
  pts_index_repair(a); /* without the slots of what was dropped */
  mend_ranges(&c);
  mend_series(&c); /* such whose family was dropped */
  pts_mend_generation(&c);
  mend_shared_blocks(&c);
  mend_own_blocks(&c);
  pts_index_repair(a);
  pts_index_unlock(a);
  free_series_locks(a);
  return 0;
}

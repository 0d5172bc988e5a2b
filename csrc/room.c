/*
 * The room of series that are gone: records, text, blocks and hash slots that new labels take over.
 *
 *   live  --(claim: head gets `free` and the next incarnation, its mode stays)-->  claimed
 *           which readers take for what it was, and whoever removes waits for the decision (pts_room_wait)
 *   claimed  --(some block is current after all: the old head again)-->  live
 *   claimed  --(a new generation, no mode; taken out of the index, into a free list)-->  free
 *   free  --(entry, family, extra written; new generation and mode in the head)-->  live, with other labels
 *
 * All of it under the index lock; a claim also under the series's lock, so that nobody is in the middle of a
 * set or of starting a shared block.
 *
 * I1: a record is freed only if no block of it is current after it was claimed. A worker that starts its own
 *     block stores the tag, then (full fence) looks at the head again; a claim swaps the head, then (full
 *     fence) looks at the tags. So one of the two sees the other: the claim is taken back, or the
 *     worker takes its tag back and looks its labels up again. tests/models/room_test.ts.
 * I2: whoever updates without a lock does so by a swap of tag and value (a shared cell) or in its own shard. A
 *     tag is never current again (series.c I2), so a writer that slept through all of this changes nothing
 *     of the new series: its swap fails, or it writes into a block of its own that does not count.
 * I3: (record, incarnation) is one set of labels for the store's whole life; handles and orders know it. A
 *     record at its last incarnation is not freed again.
 * I4: a record is in a free list only if its head says `free` and has no mode; a killed holder of the lock
 *     leaves a claimed record and broken lists, which pts_room_repair decides and makes anew.
 * I5: series without labels keep their room: their cells are set by plain stores.
 */
#include "atomics.h"
#include "metrics.h"
#include "order.h"
#include "points.h"

/* ---- is it gone? ---------------------------------------------------------------------------------- */

static bool shared_block_current(const pts_attachment *a, uint64_t place, uint32_t words, uint64_t tag) {
  if (place == 0 || (place + words) * 8 > pts_shard_mark(a, 0)) return false;
  return pts_load_acquire_u64(pts_shared_block(a, (uint32_t)place)) == tag;
}

/* Of a gauge of living workers only: whether the owner of its block is one. */
static bool owner_counts(pts_attachment *a, const pts_record *record, uint32_t slot,
                         const uint64_t *block) {
  if (!pts_kind_is_worker_gauge(record->kind)) return true;
  const pts_record *family = pts_record_at(a, record->family);
  if (!family) return true;
  pts_traits traits = pts_family_traits(a, family);
  if (!pts_only_living(&traits)) return true;
  uint64_t epoch = pts_load_acquire_u64(&block[PTS_CELL_LIVE_EPOCH]);
  return pts_worker_alive(&a->session.store, slot, (uint32_t)epoch);
}

bool pts_series_exists(pts_attachment *a, const pts_record *shown, uint64_t head) {
  const pts_record copy = pts_record_copy(shown), *record = &copy; /* place and words do not change (series.c) */
  uint64_t tag = PTS_TAG(pts_load_acquire_u64(a->generation), PTS_HEAD_GENERATION(head));
  uint32_t mode = PTS_HEAD_MODE(head);
  if (mode == PTS_MODE_SHARED) return shared_block_current(a, record->place, record->words, tag);
  if (mode == PTS_MODE_STAMPED)
    return shared_block_current(a, pts_load_acquire_u32(&record->extra), PTS_WORDS_ANNEX, tag);
  uint32_t high = pts_load_acquire_u32(&a->metrics->workers_high);
  if (high > a->session.store.max_workers + 1) high = a->session.store.max_workers + 1;
  uint64_t end = ((uint64_t)record->place + record->words) * 8;
  for (uint32_t slot = 1; slot < high; slot++) {
    if (pts_shard_mark(a, slot) < end) continue;
    const uint64_t *block = (const uint64_t *)(const void *)pts_shard(a, slot) + record->place;
    if (pts_load_acquire_u64(&block[PTS_CELL_TAG]) == tag && owner_counts(a, record, slot, block))
      return true;
  }
  return false;
}

/* ---- free lists ------------------------------------------------------------------------------------ */

/* A list's head is a record's number + 1, or 0; a free record's link is the next one's number, or its own at
 * the end. Both are looked at as number + 1 here. */
static uint32_t *list_of(const pts_attachment *a, const pts_record *record) {
  return &a->metrics->free_heads[(record->kind * 7u + record->words) % PTS_FREE_LISTS];
}

/* The record behind a link, if it is a free one (I4): nothing in the file is believed. */
static pts_record *free_record(const pts_attachment *a, uint32_t link) {
  pts_record *record = link ? pts_record_at(a, link - 1) : NULL;
  if (!record || record->kind == PTS_KIND_FAMILY) return NULL;
  uint64_t head = pts_load_relaxed_u64(&record->head);
  return head & PTS_HEAD_FREE && !pts_head_claimed(head) ? record : NULL;
}

static uint32_t next_link(const pts_attachment *a, const pts_record *record) {
  uint32_t next = pts_load_relaxed_u32(&record->family);
  return next == (uint32_t)(record - a->records) ? 0 : next + 1;
}

static void set_next(const pts_attachment *a, pts_record *record, uint32_t link) {
  pts_store_relaxed_u32(&record->family, link ? link - 1 : (uint32_t)(record - a->records));
}

static void count_free(pts_attachment *a, int32_t more) {
  uint32_t *count = &a->metrics->free_records, now = pts_load_relaxed_u32(count);
  if (more > 0 || now > 0) pts_store_relaxed_u32(count, now + (uint32_t)more);
}

static void push_free(pts_attachment *a, uint32_t number) {
  pts_record *record = &a->records[number];
  uint32_t *list = list_of(a, record);
  set_next(a, record, pts_load_relaxed_u32(list));
  PTS_POINT();
  pts_store_relaxed_u32(list, number + 1);
  count_free(a, 1);
  PTS_POINT();
}

/* Bytes that a free record's entry may have, within what is used of the text: its slack is not believed. */
static uint64_t text_room(const pts_attachment *a, const pts_record *record, uint32_t word) {
  pts_entry entry;
  if (!pts_entry_read(a, word, &entry)) return 0;
  uint64_t room = (pts_entry_size(&entry) + 7) / 8 * 8 + pts_load_relaxed_u8(&record->slack) * 8u;
  uint64_t from = (uint64_t)word * 8 + sizeof entry;
  uint64_t end = pts_load_relaxed_u64(&a->metrics->text_used);
  uint64_t mark = pts_load_relaxed_u64(&a->metrics->text_mark);
  if (end > mark) end = mark;
  if (end > a->text_size) end = a->text_size;
  return from + room <= end ? room : 0;
}

/* A free record, and the one that links to it (NULL: the list's head). Where its text is and how much room
 * that has, if enough, as it was checked. */
typedef struct found_free {
  pts_record *record, *before;
  uint32_t word;
  uint64_t room;
  bool has_room;
} found_free;

#define LOOK_AT 16u /* free records, for one whose text has room */

static found_free find_free(const pts_attachment *a, const pts_record *template, uint64_t size) {
  found_free found = {NULL, NULL, 0, 0, false};
  pts_record *before = NULL, *record = free_record(a, pts_load_relaxed_u32(list_of(a, template)));
  for (uint32_t i = 0; record && i < LOOK_AT; i++) {
    if (record->kind == template->kind && record->words == template->words) {
      uint32_t word = pts_load_relaxed_u32(&record->entry);
      uint64_t room = text_room(a, record, word);
      bool has_room = room >= size && room - size < 256 * 8;
      /* Where text must be appended, the old room is lost: the smallest. */
      if (has_room || !found.record || room < found.room) found = (found_free){record, before, word, room, has_room};
      if (has_room) break;
    }
    before = record;
    record = free_record(a, next_link(a, record));
  }
  return found;
}

static void unlink_free(pts_attachment *a, const found_free *found) {
  uint32_t next = next_link(a, found->record);
  if (found->before)
    set_next(a, found->before, next);
  else
    pts_store_relaxed_u32(list_of(a, found->record), next);
  count_free(a, -1);
  PTS_POINT();
}

/* ---- freeing --------------------------------------------------------------------------------------- */

static bool has_labels(const pts_attachment *a, const pts_record *record) {
  pts_text labels;
  return pts_record_labels(a, record, &labels) && labels.length > 0;
}

static uint64_t claim_of(uint64_t head) {
  return PTS_HEAD(PTS_HEAD_GENERATION(head), PTS_HEAD_INCARNATION(head) + 1,
                  PTS_HEAD_MODE(head) | PTS_HEAD_FREE);
}

/* The head before the claim. */
static uint64_t unclaimed(uint64_t claim) {
  return PTS_HEAD(PTS_HEAD_GENERATION(claim), PTS_HEAD_INCARNATION(claim) - 1, PTS_HEAD_MODE(claim));
}

/* A claimed record is free, if no block of it is current; else the claim is taken back. */
static bool decide(pts_attachment *a, pts_record *record, uint64_t claimed) {
  /* Without an incarnation before it, it was not claimed by this code. */
  bool exists = PTS_HEAD_INCARNATION(claimed) != 0 && pts_series_exists(a, record, claimed);
  uint64_t next = exists ? unclaimed(claimed)
                         : PTS_HEAD(pts_generation_draw(record), PTS_HEAD_INCARNATION(claimed), PTS_HEAD_FREE);
  pts_store_release_u64(&record->head, next);
  PTS_POINT();
  return !exists;
}

int32_t pts_room_wait(pts_attachment *a, const pts_record *record) {
  /* Its claimer has the lock until then; whoever takes it from a dead one repairs (pts_room_repair). */
  int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  if (pts_head_claimed(pts_load_acquire_u64(&record->head))) { /* by nobody: the head was broken */
    pts_damage_at(a, record);
    pts_index_repair(a);
    /* Nor does a repair decide what it takes for no series: there is no end to wait for. */
    if (pts_head_claimed(pts_load_acquire_u64(&record->head))) code = PTS_E_DAMAGED;
  }
  pts_index_unlock(a);
  return code;
}

/* Claim the record if no block of it is current, under its lock (I1). */
static bool claim(pts_attachment *a, pts_record *record) {
  uint64_t head = pts_load_acquire_u64(&record->head);
  if (head & PTS_HEAD_FREE || PTS_HEAD_INCARNATION(head) >= a->max_incarnation) return false;
  if (pts_series_exists(a, record, head)) return false;
  uint64_t claimed = claim_of(head);
  if (!pts_cas_u64(&record->head, &head, claimed)) return false;
  PTS_POINT();
  pts_fence_full(); /* the claim before the tags; pairs with the fence in pts_start_block */
  return decide(a, record, claimed);
}

static void count_one_less(pts_attachment *a, uint32_t number) {
  pts_record *family = pts_record_at(a, number);
  if (!family || family->kind != PTS_KIND_FAMILY) return;
  uint32_t now = pts_load_relaxed_u32(&family->place);
  if (now) pts_store_relaxed_u32(&family->place, now - 1);
}

static bool reclaim(pts_attachment *a, uint32_t number) {
  pts_record *record = pts_record_at(a, number);
  if (!record || record->kind == PTS_KIND_FAMILY || !has_labels(a, record)) return false;
  uint64_t head = pts_load_acquire_u64(&record->head);
  if (head & PTS_HEAD_FREE || pts_series_exists(a, record, head)) return false;
  if (!pts_series_try_lock(a, record)) return false; /* busy: another time */
  bool claimed = claim(a, record);
  pts_series_unlock(a, record);
  if (!claimed) return false;
  pts_index_take_out(a, pts_load_relaxed_u32(&record->entry));
  PTS_POINT();
  count_one_less(a, pts_load_relaxed_u32(&record->family));
  push_free(a, number);
  pts_fetch_add_u64(&a->metrics->changes, 1);
  PTS_POINT();
  return true;
}

#define SWEEP_STEP 256u       /* records at a time, beside an insertion */
#define SWEEP_AFTER_MOST 1024u /* ... once so many series have left, or an eighth of all */

static uint32_t sweep_range(pts_attachment *a, uint32_t from, uint32_t to) {
  uint32_t freed = 0;
  for (uint32_t n = from; n < to; n++) freed += reclaim(a, n);
  return freed;
}

void pts_room_sweep_some(pts_attachment *a) {
  pts_metrics *m = a->metrics;
  uint32_t used = pts_records_used(a);
  uint32_t at = pts_load_relaxed_u32(&m->sweep_at), end = pts_load_relaxed_u32(&m->sweep_end);
  if (end > used) end = used;
  if (at >= end) {
    uint64_t removals = pts_load_relaxed_u64(&m->removals);
    uint32_t enough = used / 8 < SWEEP_AFTER_MOST ? used / 8 + 32 : SWEEP_AFTER_MOST;
    if (removals - pts_load_relaxed_u64(&m->swept) < enough) return;
    pts_store_relaxed_u64(&m->swept, removals);
    at = 0;
    end = used;
    pts_store_relaxed_u32(&m->sweep_end, end);
  }
  uint32_t to = end - at > SWEEP_STEP ? at + SWEEP_STEP : end;
  sweep_range(a, at, to);
  pts_store_relaxed_u32(&m->sweep_at, to);
}

uint32_t pts_room_sweep(pts_attachment *a) {
  pts_metrics *m = a->metrics;
  pts_store_relaxed_u64(&m->swept, pts_load_relaxed_u64(&m->removals));
  pts_store_relaxed_u32(&m->sweep_at, 0);
  pts_store_relaxed_u32(&m->sweep_end, 0);
  return sweep_range(a, 0, pts_records_used(a));
}

/* ---- giving away ----------------------------------------------------------------------------------- */

/*
 * The record's text: into the room it has, or appended. Its slack says only what is surely its own. The fence
 * is between the head that says `free`, which another may have stored, and the text: a look-up or reader that
 * sees a byte of this text does not find the former labels' head behind its acquire fence.
 */
static int32_t place_text(pts_attachment *a, const found_free *found, const pts_wanted *wanted,
                          uint32_t *word) {
  pts_record *record = found->record;
  if (!found->has_room) {
    int32_t code = pts_index_append(a, wanted, word);
    if (code != 0) return code;
    pts_store_relaxed_u8(&record->slack, 0);
    pts_store_relaxed_u32(&record->entry, *word);
    return 0;
  }
  *word = found->word;
  pts_store_relaxed_u8(&record->slack, 0);
  PTS_POINT();
  pts_fence_release();
  pts_index_write(a, *word, wanted);
  pts_store_relaxed_u8(&record->slack, (uint8_t)((found->room - (wanted->size + 7) / 8 * 8) / 8));
  return 0;
}

int32_t pts_room_take(pts_attachment *a, const pts_wanted *looked_for, const pts_record *template,
                      uint32_t *number, uint32_t *word) {
  pts_wanted wanted = *looked_for;
  found_free found = find_free(a, template, (wanted.size + 7) / 8 * 8);
  pts_record *record = found.record;
  if (!record) return PTS_E_NOT_FOUND;
  *number = (uint32_t)(record - a->records);
  wanted.head.record = *number;
  wanted.head.hash = pts_index_hash(a, &wanted);
  int32_t code = place_text(a, &found, &wanted, word);
  if (code != 0) return code;
  unlink_free(a, &found);
  pts_store_relaxed_u32(&record->family, template->family);
  if (template->extra) pts_store_relaxed_u32(&record->extra, template->extra);
  pts_store_relaxed_u32(&a->times[*number], pts_ticks_now(a));
  PTS_POINT();
  uint32_t incarnation = PTS_HEAD_INCARNATION(pts_load_relaxed_u64(&record->head));
  uint64_t head = PTS_HEAD(pts_generation_draw(record), incarnation, PTS_HEAD_MODE(template->head));
  pts_store_release_u64(&record->head, head);
  PTS_POINT();
  pts_fetch_add_u64(&a->metrics->changes, 1);
  return 0;
}

/* ---- after a killed holder of the lock --------------------------------------------------------------- */

/* Whether the record is free; one that was claimed by somebody who did not come to decide is decided now. */
static bool repair_record(pts_attachment *a, uint32_t number, pts_record *record) {
  uint64_t head = pts_load_acquire_u64(&record->head);
  if (!(head & PTS_HEAD_FREE)) return false;
  pts_fence_full();
  if (pts_head_claimed(head) && !decide(a, record, head)) return false;
  push_free(a, number);
  return true;
}

void pts_room_repair(pts_attachment *a, uint32_t used) {
  pts_metrics *m = a->metrics;
  for (uint32_t i = 0; i < PTS_FREE_LISTS; i++) pts_store_relaxed_u32(&m->free_heads[i], 0);
  pts_store_relaxed_u32(&m->free_records, 0);
  PTS_POINT();
  for (uint32_t n = 0; n < used; n++)
    if (a->records[n].kind == PTS_KIND_FAMILY) pts_store_relaxed_u32(&a->records[n].place, 0);
  for (uint32_t n = 0; n < used; n++) {
    pts_record *record = pts_record_at(a, n);
    if (!record || record->kind == PTS_KIND_FAMILY || repair_record(a, n, record)) continue;
    uint32_t family = pts_load_relaxed_u32(&record->family);
    if (family >= used || a->records[family].kind != PTS_KIND_FAMILY) continue;
    pts_store_relaxed_u32(&a->records[family].place, pts_load_relaxed_u32(&a->records[family].place) + 1);
  }
  /* Orders look again: what they knew may have been decided otherwise. */
  pts_fetch_add_u64(&m->changes, 1);
}

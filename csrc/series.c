/*
 * Families and series: records, look-ups, generations.
 *
 * I1: a record is filled, then counted by records_used (release), then named by a hash slot (release).
 *     kind, words and place never change after that; entry, family and extra only while it is free (room.c).
 * I2: generations of a series come from its own counter by fetch-and-add; none is used twice, so a
 *     block with an old tag can never become current again, also not for other labels.
 * I3: a look-up without the index lock loads the record's head, compares the text, and looks at the head
 *     again: with the same incarnation and not free, the text was that incarnation's.
 */
#include <math.h>

#include "atomics.h"
#include "metrics.h"
#include "points.h"
#include "summary.h"

/* ---- reading records ------------------------------------------------------------------------------ */

uint32_t pts_records_used(const pts_attachment *a) {
  uint32_t used = pts_load_acquire_u32(&a->metrics->records_used);
  uint32_t ready = pts_load_acquire_u32(&a->metrics->records_ready);
  if (used > ready) used = ready;
  return used <= a->max_records ? used : a->max_records;
}

pts_record pts_record_copy(const pts_record *record) {
  const uint64_t *words = (const uint64_t *)(const void *)record;
  uint64_t loaded[sizeof *record / 8];
  pts_record copy;
  for (size_t i = 0; i < sizeof *record / 8; i++) loaded[i] = pts_load_relaxed_u64(&words[i]);
  memcpy(&copy, loaded, sizeof copy);
  return copy;
}

static bool words_hold(const pts_attachment *a, const pts_record *record) {
  switch (record->kind) {
  case PTS_KIND_FAMILY:
    return record->words == 0;
  case PTS_KIND_VALUE:
  case PTS_KIND_ENUM:
    if (record->words != PTS_WORDS_VALUE) return false;
    break;
  case PTS_KIND_LIVE:
    if (record->words != PTS_WORDS_LIVE) return false;
    break;
  case PTS_KIND_RECENT:
    if (record->words != PTS_WORDS_RECENT) return false;
    break;
  case PTS_KIND_HISTOGRAM:
    if (record->words < PTS_WORDS_HISTOGRAM(0) ||
        record->words > PTS_WORDS_HISTOGRAM(PTS_MAX_BOUNDS))
      return false;
    break;
  case PTS_KIND_SUMMARY:
    if (!pts_summary_words_hold(record->words)) return false;
    break;
  default:
    return false;
  }
  return record->place != 0 && record->place % 2 == 0 && ((uint64_t)record->place + record->words) * 8 <= a->shard_size;
}

pts_record *pts_record_at(const pts_attachment *a, uint32_t number) {
  if (number >= pts_records_used(a)) return NULL;
  pts_record copy = pts_record_copy(&a->records[number]);
  return words_hold(a, &copy) && copy.family < a->max_records ? &a->records[number] : NULL;
}

const double *pts_record_bounds(const pts_attachment *a, const pts_record *record,
                                uint32_t *count) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, pts_load_relaxed_u32(&record->extra), &entry);
  if (!bytes || entry.kind != PTS_ENTRY_BOUNDS) return NULL;
  const double *bounds = (const double *)(const void *)bytes;
  bool whole = record->kind == PTS_KIND_SUMMARY
                   ? pts_summary_bounds_hold(bounds, entry.record) && pts_summary_words(bounds) == record->words
                   : PTS_WORDS_HISTOGRAM(entry.record) == record->words;
  if (whole) *count = entry.record;
  return whole ? bounds : NULL;
}

uint64_t *pts_series_lock_of(const pts_attachment *a, const pts_record *record) {
  return &a->metrics->series_locks[(uint64_t)(record - a->records) % PTS_SERIES_LOCKS].word;
}

uint32_t pts_generation_draw(pts_record *record) {
  return pts_fetch_add_u32(&record->generations, 1) + 1;
}

/* ---- making records, under the index lock --------------------------------------------------------- */

int32_t pts_place_reserve(pts_attachment *a, uint32_t words, uint32_t *place) {
  pts_metrics *m = a->metrics;
  uint64_t used = pts_load_relaxed_u64(&m->cells_used);
  uint64_t end = used + (uint64_t)((words + 1) & ~1u) * 8;
  if (used % 16 != 0 || used > a->shard_size) return PTS_E_DAMAGED;
  if (end > a->shard_size) return PTS_E_CELLS_FULL;
  pts_store_relaxed_u64(&m->cells_used, end);
  PTS_POINT();
  *place = (uint32_t)(used / 8);
  return 0;
}

/* Records and their times, in allocated space: as much of both as a step of records has. */
static int32_t ready_record(pts_attachment *a, uint32_t number) {
  pts_metrics *m = a->metrics;
  uint32_t ready = pts_load_relaxed_u32(&m->records_ready);
  if (number >= a->max_records) return PTS_E_SERIES_FULL;
  if (number < ready) return 0;
  uint64_t mark = (uint64_t)ready * sizeof(pts_record);
  uint64_t times_mark = ((uint64_t)ready * sizeof *a->times + PTS_STEP - 1) / PTS_STEP * PTS_STEP;
  uint64_t limit = (uint64_t)a->max_records * sizeof(pts_record);
  const uint8_t *section = a->session.store.section;
  int32_t code = pts_store_extend(&a->session.store, (uint64_t)((uint8_t *)a->records - section), &mark,
                                  (uint64_t)(number + 1) * sizeof(pts_record), limit);
  ready = (uint32_t)(mark / sizeof(pts_record));
  if (code == 0)
    code = pts_store_extend(&a->session.store, (uint64_t)((uint8_t *)a->times - section), &times_mark,
                            (uint64_t)ready * sizeof *a->times, UINT64_MAX / 2);
  if (code != 0) return code;
  pts_store_release_u32(&m->records_ready, ready);
  PTS_POINT();
  return 0;
}

/* Room for the block and the entry; none of it is kept when there is not enough for both. */
static int32_t reserve(pts_attachment *a, const pts_wanted *wanted, uint32_t words, uint32_t *place,
                       uint32_t *word) {
  uint64_t cells_used = pts_load_relaxed_u64(&a->metrics->cells_used);
  *place = 0;
  int32_t code = words ? pts_place_reserve(a, words, place) : 0;
  if (code != 0) return code;
  code = pts_index_append(a, wanted, word);
  if (code != 0) pts_store_relaxed_u64(&a->metrics->cells_used, cells_used);
  return code;
}

/* Append entry and record, then publish the record. template: kind, words, family, extra, head. */
static int32_t append(pts_attachment *a, pts_wanted *wanted, const pts_record *template,
                      uint32_t *number, uint32_t *word) {
  pts_metrics *m = a->metrics;
  *number = pts_load_relaxed_u32(&m->records_used);
  int32_t code = ready_record(a, *number);
  if (code != 0) return code;
  uint32_t place;
  wanted->head.record = *number;
  wanted->head.hash = pts_index_hash(a, wanted);
  code = reserve(a, wanted, template->words, &place, word);
  if (code != 0) return code;

  pts_record *record = &a->records[*number];
  *record = *template;
  record->generations = 1;
  record->place = place;
  record->entry = *word;
  if (template->kind == PTS_KIND_FAMILY) record->family = *number;
  pts_store_relaxed_u32(&a->times[*number], pts_ticks_now(a));
  PTS_POINT();
  pts_store_release_u32(&m->records_used, *number + 1);
  PTS_POINT();
  return 0;
}

/* ---- looking up ----------------------------------------------------------------------------------- */

static pts_wanted family_wanted(const uint8_t *name, uint32_t length) {
  return (pts_wanted){{.kind = PTS_KIND_FAMILY, .length = (uint16_t)length}, name, length, 0};
}

/* The record that an entry names, if it is what was wanted, and its head; PTS_E_DAMAGED. */
static int32_t record_of_entry(const pts_attachment *a, uint32_t word, const pts_wanted *wanted,
                               uint32_t *number, uint64_t *head) {
  pts_entry entry;
  if (!pts_entry_read(a, word, &entry)) return PTS_E_DAMAGED;
  *number = entry.record;
  const pts_record *record = pts_record_at(a, entry.record);
  if (!record || record->kind != wanted->head.kind) return PTS_E_DAMAGED;
  if (pts_load_relaxed_u32(&record->entry) != word) return PTS_E_DAMAGED;
  *head = pts_load_acquire_u64(&record->head);
  return *head & PTS_HEAD_FREE ? PTS_E_DAMAGED : 0;
}

/* Under the index lock: 0, NOT_FOUND, DAMAGED. */
static int32_t find_locked(const pts_attachment *a, const pts_wanted *wanted, uint32_t *number) {
  uint64_t head;
  uint32_t word = pts_index_find(a, wanted);
  return word ? record_of_entry(a, word, wanted, number, &head) : PTS_E_NOT_FOUND;
}

/* Without it: also PTS_INDEX_UNSETTLED. What looks broken may only be under change (I3). */
static int32_t find(const pts_attachment *a, const pts_wanted *wanted, uint32_t *number, uint64_t *found) {
  uint32_t word, again;
  uint64_t head;
  int32_t code = pts_index_look(a, wanted, &word);
  if (code != 0) return code;
  if (record_of_entry(a, word, wanted, number, &head) != 0) return PTS_INDEX_UNSETTLED;
  if (pts_index_look(a, wanted, &again) != 0 || again != word) return PTS_INDEX_UNSETTLED;
  pts_fence_acquire();
  uint64_t now = pts_load_relaxed_u64(&a->records[*number].head);
  bool same = PTS_HEAD_INCARNATION(now) == PTS_HEAD_INCARNATION(head) && !(now & PTS_HEAD_FREE);
  *found = now;
  return same ? 0 : PTS_INDEX_UNSETTLED;
}

int32_t pts_family_find(pts_attachment *a, const uint8_t *name, uint32_t length, uint32_t *number) {
  pts_wanted wanted = family_wanted(name, length);
  uint64_t head;
  int32_t code = find(a, &wanted, number, &head);
  if (code != PTS_INDEX_UNSETTLED) return code;
  code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  code = find_locked(a, &wanted, number);
  pts_index_unlock(a);
  return code;
}

int32_t pts_family_for(pts_attachment *a, const uint8_t *name, uint32_t length, uint32_t *number) {
  pts_wanted wanted = family_wanted(name, length);
  int32_t code = find_locked(a, &wanted, number);
  if (code != PTS_E_NOT_FOUND) return code;
  uint32_t word;
  pts_record template = {.kind = PTS_KIND_FAMILY};
  code = append(a, &wanted, &template, number, &word);
  return code == 0 ? pts_index_publish(a, word) : code;
}

/* ---- what identifies a series ----------------------------------------------------------------------- */

static int32_t check_key(const pts_series_key *key) {
  if (key->kind < PTS_KIND_VALUE || key->kind > PTS_KIND_SUMMARY) return PTS_E_INVALID;
  if (key->name_length == 0) return PTS_E_INVALID;
  if (key->name_length > PTS_MAX_NAME || key->series_length > PTS_MAX_SERIES_TEXT)
    return PTS_E_TOO_LONG;
  if (key->series_length < key->name_length) return PTS_E_INVALID; /* it contains the name */
  if (key->bound_count > PTS_MAX_BOUNDS) return PTS_E_TOO_LONG;
  if (key->bound_count && !pts_kind_has_bounds(key->kind)) return PTS_E_INVALID;
  if ((uint64_t)key->insert_at + key->replaces > key->series_length) return PTS_E_INVALID;
  return 0;
}

static bool bounds_ascend(const double *bounds, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    double below = i ? bounds[i - 1] : -INFINITY;
    if (!(bounds[i] > below && bounds[i] < INFINITY)) return false;
  }
  return true;
}

static bool bounds_hold(const pts_series_key *key, const double *bounds) {
  return key->kind == PTS_KIND_SUMMARY ? pts_summary_bounds_hold(bounds, key->bound_count)
                                       : bounds_ascend(bounds, key->bound_count);
}

static pts_wanted bounds_wanted(const double *bounds, uint32_t count) {
  static const double none[1]; /* bounds may be NULL when there are none, memcpy's argument may not */
  const double *from = count ? bounds : none;
  return (pts_wanted){{.kind = PTS_ENTRY_BOUNDS, .record = count},
                      (const uint8_t *)(const void *)from,
                      (uint64_t)count * 8,
                      0};
}

static int32_t bounds_for(pts_attachment *a, const double *bounds, uint32_t count, uint32_t *word) {
  pts_wanted wanted = bounds_wanted(bounds, count);
  *word = pts_index_find(a, &wanted);
  if (*word) return 0;
  uint32_t used = pts_load_relaxed_u32(&a->metrics->bounds_used);
  if (used >= a->slot_count - a->max_records) return PTS_E_SERIES_FULL;
  wanted.head.hash = pts_index_hash(a, &wanted);
  int32_t code = pts_index_append(a, &wanted, word);
  if (code != 0) return code;
  PTS_POINT();
  pts_store_relaxed_u32(&a->metrics->bounds_used, used + 1);
  PTS_POINT();
  return pts_index_publish(a, *word);
}

static uint16_t words_for(const pts_series_key *key, const double *bounds) {
  switch (key->kind) {
  case PTS_KIND_SUMMARY:
    return (uint16_t)pts_summary_words(bounds);
  case PTS_KIND_HISTOGRAM:
    return (uint16_t)PTS_WORDS_HISTOGRAM(key->bound_count);
  case PTS_KIND_LIVE:
    return PTS_WORDS_LIVE;
  case PTS_KIND_RECENT:
    return PTS_WORDS_RECENT;
  default:
    return PTS_WORDS_VALUE;
  }
}

/* ---- making a series, under the index lock ---------------------------------------------------------- */

static bool is_full(int32_t code) {
  return code == PTS_E_SERIES_FULL || code == PTS_E_TEXT_FULL || code == PTS_E_CELLS_FULL;
}

static int32_t take_or_append(pts_attachment *a, pts_wanted *wanted, const pts_record *template,
                              uint32_t *number, uint32_t *word) {
  int32_t code = pts_room_take(a, wanted, template, number, word);
  return code == 0 ? 0 : append(a, wanted, template, number, word);
}

/* A record for what nobody has yet. When there is no room, series that have left are looked for. */
static int32_t insert(pts_attachment *a, pts_wanted *wanted, const pts_record *template,
                      uint32_t *number) {
  uint32_t word;
  pts_room_sweep_some(a);
  int32_t code = take_or_append(a, wanted, template, number, &word);
  if (is_full(code) && pts_room_sweep(a) > 0) code = take_or_append(a, wanted, template, number, &word);
  if (code != 0) return code;
  uint32_t *count = &a->records[template->family].place;
  pts_store_relaxed_u32(count, pts_load_relaxed_u32(count) + 1);
  PTS_POINT();
  return pts_index_publish(a, word);
}

static int32_t check_count(pts_attachment *a, const pts_series_key *key, uint32_t family) {
  if (key->flags & PTS_SERIES_OVERFLOW) pts_store_relaxed_u64(&a->records[family].head, PTS_FAMILY_OVERFLOWS);
  if (key->max_series == 0 || (key->flags & PTS_SERIES_OVERFLOW)) return 0;
  const uint32_t *count = &a->records[family].place;
  /* The series that takes what goes beyond is none of them. */
  uint64_t most = (uint64_t)key->max_series + pts_load_relaxed_u64(&a->records[family].head);
  if (pts_load_relaxed_u32(count) < most) return 0;
  /* Some of them may have left since: asked only when any has. */
  if (pts_load_relaxed_u64(&a->metrics->removals) == pts_load_relaxed_u64(&a->metrics->swept))
    return PTS_E_FAMILY_FULL;
  pts_room_sweep(a);
  return pts_load_relaxed_u32(count) < most ? 0 : PTS_E_FAMILY_FULL;
}

static int32_t insert_series(pts_attachment *a, const pts_series_key *key, const uint8_t *name,
                             pts_wanted *wanted, const double *bounds, uint32_t *number) {
  pts_record template = {.kind = (uint8_t)key->kind, .words = words_for(key, bounds)};
  template.head = PTS_HEAD(1, 0, key->kind == PTS_KIND_ENUM ? PTS_MODE_SHARED : PTS_MODE_SHARDED);
  int32_t code = pts_family_for(a, name, key->name_length, &template.family);
  if (code == 0 && pts_kind_has_bounds(key->kind)) {
    code = bounds_for(a, bounds, key->bound_count, &wanted->extra);
    template.extra = wanted->extra;
  }
  if (code == 0) code = find_locked(a, wanted, number); /* somebody may have been faster */
  if (code != PTS_E_NOT_FOUND) return code;
  code = check_count(a, key, template.family);
  return code == 0 ? insert(a, wanted, &template, number) : code;
}

static int32_t find_series(const pts_attachment *a, pts_wanted *wanted, const double *bounds,
                           uint32_t bound_count, uint32_t *number, uint64_t *head) {
  if (pts_kind_has_bounds(wanted->head.kind)) {
    pts_wanted b = bounds_wanted(bounds, bound_count);
    int32_t code = pts_index_look(a, &b, &wanted->extra);
    if (code != 0) return code;
  }
  return find(a, wanted, number, head);
}

static int32_t find_series_locked(const pts_attachment *a, pts_wanted *wanted, const double *bounds,
                                  uint32_t bound_count, uint32_t *number) {
  if (pts_kind_has_bounds(wanted->head.kind)) {
    pts_wanted b = bounds_wanted(bounds, bound_count);
    wanted->extra = pts_index_find(a, &b);
    if (!wanted->extra) return PTS_E_NOT_FOUND;
  }
  return find_locked(a, wanted, number);
}

/* ---- handles ---------------------------------------------------------------------------------------- */

bool pts_series_declared(const pts_attachment *a, const pts_record *record) {
  const pts_record *family = pts_record_at(a, pts_load_relaxed_u32(&record->family));
  return family && family->kind == PTS_KIND_FAMILY && pts_load_acquire_u32(&family->extra) != 0;
}

static uint32_t handle_number(const pts_attachment *a, uint32_t record, uint32_t incarnation) {
  return incarnation << a->record_bits | record;
}

static uint8_t handle_flags(const pts_series_key *key, const pts_traits *traits) {
  uint32_t without_labels = key->name_length + (key->flags & PTS_SERIES_QUOTED ? 4 : 2); /* {"name"}, name{} */
  return (uint8_t)((key->series_length > without_labels ? PTS_HANDLE_LABELLED : 0) |
                   (traits->ttl_ms ? PTS_HANDLE_TTL : 0) | (traits->live ? PTS_HANDLE_LIVE : 0));
}

static int32_t fill_handle(pts_attachment *a, pts_handle *h, uint32_t number, const pts_series_key *key,
                           uint64_t head) {
  pts_record copy = pts_record_copy(&a->records[number]); /* looked up: below max_records */
  uint32_t incarnation = PTS_HEAD_INCARNATION(head);
  if (copy.kind != key->kind || !words_hold(a, &copy) || incarnation > a->max_incarnation)
    return PTS_E_DAMAGED;
  const pts_record *family = pts_record_at(a, copy.family);
  if (!family || family->kind != PTS_KIND_FAMILY) return PTS_E_DAMAGED;
  pts_traits traits = pts_family_traits(a, family);
  *h = (pts_handle){.key = handle_number(a, number, incarnation) | PTS_HANDLE_KEY,
                    .kind = copy.kind,
                    .merge = (uint8_t)traits.merge,
                    .flags = handle_flags(key, &traits),
                    .record = &a->records[number],
                    .place = copy.place,
                    .words = copy.words};
  if (pts_kind_has_bounds(copy.kind)) {
    uint32_t count;
    h->bounds = pts_record_bounds(a, &copy, &count);
    if (!h->bounds) return PTS_E_DAMAGED;
    h->bound_count = (uint16_t)count;
    if (copy.kind == PTS_KIND_HISTOGRAM && !pts_series_declared(a, &copy)) h->fast = PTS_FAST_UNDECLARED;
  }
  /* What was copied was of the incarnation that was looked up, if it is still there. */
  pts_fence_acquire();
  return pts_same_series(a, h, pts_load_relaxed_u64(&h->record->head)) ? 0 : PTS_E_DAMAGED;
}

/* A handle that was made before its family was declared: what the declaration says of its updates. */
static void hear_of_declaration(const pts_attachment *a, pts_handle *h) {
  const pts_record copy = pts_record_copy(h->record);
  if ((h->fast & PTS_FAST_UNDECLARED) && pts_series_declared(a, &copy)) h->fast = 0;
  const pts_record *family = pts_record_at(a, copy.family);
  if (h->flags & PTS_HANDLE_TTL || !family || pts_family_traits(a, family).ttl_ms == 0) return;
  h->flags |= PTS_HANDLE_TTL;
  h->fast &= PTS_FAST_UNDECLARED;
}

/* What was looked up, with the head it had then, as a handle. */
static int32_t make_handle(pts_attachment *a, uint32_t number, const pts_series_key *key, uint64_t head) {
  pts_handle *h = &a->handles[number];
  if (h->key && pts_same_series(a, h, head)) {
    hear_of_declaration(a, h);
  } else {
    int32_t code = fill_handle(a, h, number, key, head);
    if (code != 0) h->key = 0;
    if (code != 0) return code;
  }
  return (int32_t)(h->key & ~PTS_HANDLE_KEY);
}

int32_t pts_no_handle(uint32_t attachment, uint32_t number) {
  const pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (number & PTS_HANDLE_KEY || !a->handles[number & a->record_mask].key) return PTS_E_INVALID;
  return PTS_E_STALE;
}

/* Under the index lock nothing is taken out, so the handle is of the labels that were looked up. */
static int32_t look_up_locked(pts_attachment *a, const pts_series_key *key, const uint8_t *text,
                              pts_wanted *wanted, const double *bounds) {
  uint32_t timeout = key->timeout_ms ? key->timeout_ms : a->session.store.lock_timeout_ms;
  uint32_t number;
  int32_t code = pts_index_lock(a, timeout);
  if (code != 0) return code;
  code = key->flags & PTS_SERIES_NO_CREATE
             ? find_series_locked(a, wanted, bounds, key->bound_count, &number)
             : insert_series(a, key, text, wanted, bounds, &number);
  if (code == 0) code = make_handle(a, number, key, pts_load_acquire_u64(&a->records[number].head));
  pts_index_unlock(a);
  return code;
}

static int32_t look_up(pts_attachment *a, const pts_series_key *key, pts_wanted *wanted,
                       const double *bounds) {
  uint32_t number;
  uint64_t head;
  int32_t code = find_series(a, wanted, bounds, key->bound_count, &number, &head);
  if (code != 0) return code;
  code = make_handle(a, number, key, head);
  return code == PTS_E_DAMAGED ? PTS_INDEX_UNSETTLED : code;
}

int32_t pts_series(uint32_t attachment, const pts_series_key *key, const uint8_t *text,
                   const double *bounds) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  int32_t code = check_key(key);
  if (code == 0 && !bounds_hold(key, bounds)) code = PTS_E_INVALID;
  if (code != 0) return code;

  /* What is stored: for histograms and enums two numbers, then the printed text. */
  uint8_t stored[4 + PTS_MAX_SERIES_TEXT];
  uint16_t insertion[2] = {(uint16_t)key->insert_at, (uint16_t)key->replaces};
  uint32_t prefix = pts_kind_has_bounds(key->kind) || key->kind == PTS_KIND_ENUM ? 4 : 0;
  memcpy(stored, insertion, prefix);
  memcpy(stored + prefix, text + key->name_length, key->series_length);
  pts_wanted wanted = {{.kind = (uint16_t)key->kind,
                        .flags = key->flags & PTS_SERIES_QUOTED,
                        .name_length = (uint16_t)key->name_length,
                        .length = (uint16_t)key->series_length},
                       stored,
                       prefix + key->series_length,
                       0};
  code = look_up(a, key, &wanted, bounds);
  bool miss = code == PTS_E_NOT_FOUND && !(key->flags & PTS_SERIES_NO_CREATE);
  if (miss || code == PTS_INDEX_UNSETTLED) code = look_up_locked(a, key, text, &wanted, bounds);
  if (code == PTS_E_DAMAGED) pts_damage(a);
  return code;
}

/* ---- generations ------------------------------------------------------------------------------------ */

uint32_t pts_ticks_now(const pts_attachment *a) {
  const pts_superblock *super = (const pts_superblock *)(const void *)a->session.store.mapping->base;
  uint64_t made = pts_load_relaxed_u64(&super->created_ms), now = pts_os_clock_ms();
  uint64_t ticks = now > made ? (now - made) / PTS_TICK_MS : 0;
  return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

bool pts_created_ms(const pts_attachment *a, const pts_record *record, double *ms) {
  const pts_superblock *super = (const pts_superblock *)(const void *)a->session.store.mapping->base;
  uint64_t since = pts_load_relaxed_u32(&a->times[record - a->records]);
  uint64_t cleared = pts_load_relaxed_u64(&a->metrics->cleared);
  if (cleared > since && cleared <= UINT32_MAX) since = cleared;
  *ms = (double)(pts_load_relaxed_u64(&super->created_ms) + since * PTS_TICK_MS);
  return true;
}

bool pts_series_leave(pts_attachment *a, pts_record *record, uint64_t *head) {
  uint32_t drawn = pts_generation_draw(record);
  uint64_t next = PTS_HEAD(drawn, PTS_HEAD_INCARNATION(*head), PTS_HEAD_MODE(*head));
  pts_store_relaxed_u32(&a->times[record - a->records], pts_ticks_now(a));
  PTS_POINT();
  if (!pts_cas_u64(&record->head, head, next)) return false;
  pts_fetch_add_u64(&a->metrics->removals, 1);
  return true;
}

int32_t pts_remove(uint32_t attachment, uint32_t handle) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (!h) return pts_no_handle(attachment, handle);
  uint64_t head = pts_load_acquire_u64(&h->record->head);
  while (pts_shows_series(a, h, head)) {
    if (pts_head_claimed(head)) {
      int32_t code = pts_room_wait(a, h->record);
      if (code != 0) return code;
      head = pts_load_acquire_u64(&h->record->head);
    } else if (pts_series_leave(a, h->record, &head)) {
      return 0;
    }
  }
  return PTS_E_STALE;
}

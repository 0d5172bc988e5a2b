/*
 * Families and series: records, declarations, generations.
 *
 * I1: a record is filled, then counted by records_used (release), then named by a hash slot (release).
 *     kind, words, place, entry and family never change after that.
 * I2: generations of a series come from its own counter by fetch-and-add; none is used twice, so a
 *     block with an old tag can never become current again.
 * I3: a family's declaration is one 4-byte store; it is set once.
 */
#include <math.h>
#include <stdlib.h>

#include "atomics.h"
#include "metrics.h"
#include "points.h"

/* ---- reading records ------------------------------------------------------------------------------ */

uint32_t pts_records_used(const pts_attachment *a) {
  uint32_t used = pts_load_acquire_u32(&a->metrics->records_used);
  uint32_t ready = pts_load_acquire_u32(&a->metrics->records_ready);
  if (used > ready) used = ready;
  return used <= a->max_records ? used : a->max_records;
}

/* A copy, each word of the file loaded once: what was checked is what is used. */
static pts_record copy_of(const pts_record *record) {
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
  case PTS_KIND_HISTOGRAM:
    if (record->words < PTS_WORDS_HISTOGRAM(0) ||
        record->words > PTS_WORDS_HISTOGRAM(PTS_MAX_BOUNDS))
      return false;
    break;
  default:
    return false;
  }
  return record->place != 0 && ((uint64_t)record->place + record->words) * 8 <= a->shard_size;
}

pts_record *pts_record_at(const pts_attachment *a, uint32_t number) {
  if (number >= pts_records_used(a)) return NULL;
  pts_record copy = copy_of(&a->records[number]);
  return words_hold(a, &copy) && copy.family < a->max_records ? &a->records[number] : NULL;
}

const double *pts_record_bounds(const pts_attachment *a, const pts_record *record,
                                uint32_t *count) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, pts_load_relaxed_u32(&record->extra), &entry);
  if (!bytes || entry.kind != PTS_ENTRY_BOUNDS) return NULL;
  if (PTS_WORDS_HISTOGRAM(entry.record) != record->words) return NULL;
  *count = entry.record;
  return (const double *)(const void *)bytes;
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

static int32_t ready_record(pts_attachment *a, uint32_t number) {
  pts_metrics *m = a->metrics;
  uint32_t ready = pts_load_relaxed_u32(&m->records_ready);
  if (number >= a->max_records) return PTS_E_SERIES_FULL;
  if (number < ready) return 0;
  uint64_t mark = (uint64_t)ready * sizeof(pts_record);
  uint64_t limit = (uint64_t)a->max_records * sizeof(pts_record);
  uint64_t base = (uint64_t)((uint8_t *)a->records - a->session.store.section);
  int32_t code =
      pts_store_extend(&a->session.store, base, &mark, (uint64_t)(number + 1) * sizeof(pts_record), limit);
  if (code != 0) return code;
  pts_store_release_u32(&m->records_ready, (uint32_t)(mark / sizeof(pts_record)));
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

/* Append entry and record, then publish both. template: kind, words, family, extra. */
static int32_t insert(pts_attachment *a, pts_wanted *wanted, const pts_record *template,
                      uint32_t *number) {
  pts_metrics *m = a->metrics;
  *number = pts_load_relaxed_u32(&m->records_used);
  int32_t code = ready_record(a, *number);
  if (code != 0) return code;
  uint32_t place, word;
  wanted->head.record = *number;
  wanted->head.hash = pts_index_hash(a, wanted);
  code = reserve(a, wanted, template->words, &place, &word);
  if (code != 0) return code;

  pts_record *record = &a->records[*number];
  *record = *template;
  record->generations = 1;
  record->place = place;
  record->entry = word;
  if (template->kind == PTS_KIND_FAMILY) record->family = *number;
  PTS_POINT();
  pts_store_release_u32(&m->records_used, *number + 1);
  PTS_POINT();
  return pts_index_publish(a, word);
}

static pts_wanted family_wanted(const uint8_t *name, uint32_t length) {
  return (pts_wanted){{.kind = PTS_KIND_FAMILY, .length = (uint16_t)length}, name, length, 0};
}

/* The record an entry names, PTS_E_NOT_FOUND, or PTS_E_DAMAGED. */
static int32_t record_of(const pts_attachment *a, const pts_wanted *wanted, uint32_t *number) {
  uint32_t word = pts_index_find(a, wanted);
  if (!word) return PTS_E_NOT_FOUND;
  pts_entry entry;
  if (!pts_entry_read(a, word, &entry)) return PTS_E_DAMAGED;
  *number = entry.record;
  const pts_record *record = pts_record_at(a, *number);
  return record && record->kind == wanted->head.kind ? 0 : PTS_E_DAMAGED;
}

static int32_t family_for(pts_attachment *a, const uint8_t *name, uint32_t length,
                          uint32_t *number) {
  pts_wanted wanted = family_wanted(name, length);
  int32_t code = record_of(a, &wanted, number);
  if (code != PTS_E_NOT_FOUND) return code;
  pts_record template = {.kind = PTS_KIND_FAMILY};
  return insert(a, &wanted, &template, number);
}

/* ---- series --------------------------------------------------------------------------------------- */

static int32_t check_key(const pts_series_key *key) {
  if (key->kind < PTS_KIND_VALUE || key->kind > PTS_KIND_LIVE) return PTS_E_INVALID;
  if (key->name_length == 0) return PTS_E_INVALID;
  if (key->name_length > PTS_MAX_NAME || key->series_length > PTS_MAX_SERIES_TEXT)
    return PTS_E_TOO_LONG;
  if (key->series_length < key->name_length) return PTS_E_INVALID; /* it contains the name */
  if (key->bound_count > PTS_MAX_BOUNDS) return PTS_E_TOO_LONG;
  if (key->bound_count && key->kind != PTS_KIND_HISTOGRAM) return PTS_E_INVALID;
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

static uint16_t words_for(const pts_series_key *key) {
  switch (key->kind) {
  case PTS_KIND_HISTOGRAM:
    return (uint16_t)PTS_WORDS_HISTOGRAM(key->bound_count);
  case PTS_KIND_LIVE:
    return PTS_WORDS_LIVE;
  default:
    return PTS_WORDS_VALUE;
  }
}

static int32_t insert_series(pts_attachment *a, const pts_series_key *key, const uint8_t *name,
                             pts_wanted *wanted, const double *bounds, uint32_t *number) {
  pts_record template = {.kind = (uint16_t)key->kind, .words = words_for(key)};
  template.head = PTS_HEAD(1, 0, key->kind == PTS_KIND_ENUM ? PTS_MODE_SHARED : PTS_MODE_SHARDED);
  int32_t code = family_for(a, name, key->name_length, &template.family);
  if (code == 0 && key->kind == PTS_KIND_HISTOGRAM) {
    code = bounds_for(a, bounds, key->bound_count, &wanted->extra);
    template.extra = wanted->extra;
  }
  if (code == 0) code = record_of(a, wanted, number); /* somebody may have been faster */
  return code == PTS_E_NOT_FOUND ? insert(a, wanted, &template, number) : code;
}

static int32_t find_series(const pts_attachment *a, pts_wanted *wanted, const double *bounds,
                           uint32_t bound_count, uint32_t *number) {
  if (wanted->head.kind == PTS_KIND_HISTOGRAM) {
    pts_wanted b = bounds_wanted(bounds, bound_count);
    wanted->extra = pts_index_find(a, &b);
    if (!wanted->extra) return PTS_E_NOT_FOUND;
  }
  return record_of(a, wanted, number);
}

bool pts_series_declared(const pts_attachment *a, const pts_record *record) {
  uint32_t family = pts_load_relaxed_u32(&record->family);
  return family < a->max_records && pts_load_acquire_u32(&a->records[family].extra) != 0;
}

static int32_t make_handle(pts_attachment *a, uint32_t number, uint32_t kind) {
  pts_handle *h = &a->handles[number];
  if (h->record) {
    if ((h->fast & PTS_FAST_UNDECLARED) && pts_series_declared(a, h->record)) h->fast = 0;
    return (int32_t)number;
  }
  pts_record copy = copy_of(&a->records[number]); /* record_of looked it up: below max_records */
  if (copy.kind != kind || !words_hold(a, &copy)) return PTS_E_DAMAGED;
  if (copy.kind == PTS_KIND_HISTOGRAM) {
    uint32_t count;
    h->bounds = pts_record_bounds(a, &copy, &count);
    if (!h->bounds) return PTS_E_DAMAGED;
    h->bound_count = (uint16_t)count;
    if (!pts_series_declared(a, &copy)) h->fast = PTS_FAST_UNDECLARED;
  }
  h->place = copy.place;
  h->words = copy.words;
  h->own = (uint64_t *)(void *)pts_shard(a, a->session.store.slot) + h->place;
  h->kind = copy.kind;
  h->record = &a->records[number];
  return (int32_t)number;
}

int32_t pts_series(uint32_t attachment, const pts_series_key *key, const uint8_t *text,
                   const double *bounds) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  int32_t code = check_key(key);
  if (code == 0 && !bounds_ascend(bounds, key->bound_count)) code = PTS_E_INVALID;
  if (code != 0) return code;

  /* What is stored: for histograms and enums two numbers, then the printed text. */
  uint8_t stored[4 + PTS_MAX_SERIES_TEXT];
  uint16_t insertion[2] = {(uint16_t)key->insert_at, (uint16_t)key->replaces};
  uint32_t prefix = key->kind == PTS_KIND_HISTOGRAM || key->kind == PTS_KIND_ENUM ? 4 : 0;
  memcpy(stored, insertion, prefix);
  memcpy(stored + prefix, text + key->name_length, key->series_length);
  pts_wanted wanted = {{.kind = (uint16_t)key->kind,
                        .flags = key->flags & PTS_SERIES_QUOTED,
                        .name_length = (uint16_t)key->name_length,
                        .length = (uint16_t)key->series_length},
                       stored,
                       prefix + key->series_length,
                       0};
  uint32_t number;
  code = find_series(a, &wanted, bounds, key->bound_count, &number);
  if (code == PTS_E_NOT_FOUND && !(key->flags & PTS_SERIES_NO_CREATE)) {
    code = pts_index_lock(a, key->timeout_ms ? key->timeout_ms : a->session.store.lock_timeout_ms);
    if (code != 0) return code;
    code = insert_series(a, key, text, &wanted, bounds, &number);
    pts_index_unlock(a);
  }
  if (code == PTS_E_DAMAGED) pts_damage(a);
  return code == 0 ? make_handle(a, number, key->kind) : code;
}

int32_t pts_remove(uint32_t attachment, uint32_t handle) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (handle >= a->max_records || !a->handles[handle].record) return PTS_E_INVALID;
  pts_record *record = a->handles[handle].record;
  uint64_t head = pts_load_acquire_u64(&record->head);
  for (;;) {
    uint64_t next = (uint64_t)pts_generation_draw(record) << 32 | (uint32_t)head;
    PTS_POINT();
    if (pts_cas_u64(&record->head, &head, next)) return 0;
  }
}

/* ---- declarations --------------------------------------------------------------------------------- */

static uint32_t load_u32(const uint8_t *p) {
  return pts_load_relaxed_u32((const uint32_t *)(const void *)p);
}

/* A family's declaration: how many parts (0: none, or broken), their lengths, and where it ends. */
typedef struct declaration {
  uint32_t count, size;
  const uint8_t *bytes; /* count, lengths, parts */
} declaration;

static declaration declaration_of(const pts_attachment *a, const pts_record *family) {
  declaration none = {0, 0, NULL}, d;
  pts_entry entry;
  d.bytes = pts_entry_read(a, pts_load_acquire_u32(&family->extra), &entry);
  if (!d.bytes || entry.kind != PTS_ENTRY_DECLARATION || entry.record < 4) return none;
  d.size = entry.record;
  d.count = load_u32(d.bytes);
  return d.count <= PTS_MAX_STATES + 3 && 4 + 4 * d.count <= d.size ? d : none;
}

const uint8_t *pts_family_part(const pts_attachment *a, const pts_record *family, uint32_t part,
                               uint32_t *length) {
  declaration d = declaration_of(a, family);
  if (part >= d.count) return NULL;
  uint32_t at = 4 + 4 * d.count;
  for (uint32_t i = 0;; i++) {
    uint32_t size = load_u32(d.bytes + 4 + 4 * i);
    if (size > d.size - at) return NULL;
    if (i == part) {
      *length = size;
      return d.bytes + at;
    }
    at += size;
  }
}

uint32_t pts_family_part_count(const pts_attachment *a, const pts_record *family) {
  return declaration_of(a, family).count;
}

/* count, lengths, bytes: one text to append; freed by the caller. NULL with *code set. */
static uint8_t *pack_declaration(const uint8_t *parts, const uint32_t *lengths, uint32_t count,
                                 uint64_t *size, int32_t *code) {
  uint64_t bytes = 0;
  *code = count < 3 || count > PTS_MAX_STATES + 3 ? PTS_E_TOO_LONG : 0;
  for (uint32_t i = 0; *code == 0 && i < count; i++) bytes += lengths[i];
  *size = 4 + 4ull * count + bytes;
  if (*size > PTS_MAX_DECLARATION) *code = PTS_E_TOO_LONG;
  uint8_t *packed = *code == 0 ? malloc(*size) : NULL;
  if (!packed) {
    if (*code == 0) *code = PTS_E_NO_MEMORY;
    return NULL;
  }
  memcpy(packed, &count, 4);
  memcpy(packed + 4, lengths, 4ull * count);
  if (bytes) memcpy(packed + 4 + 4ull * count, parts, bytes);
  return packed;
}

static int32_t declare_locked(pts_attachment *a, const uint8_t *name, uint32_t name_length,
                              const uint8_t *packed, uint64_t size, const uint8_t *first,
                              uint32_t first_length) {
  uint32_t number, word;
  int32_t code = family_for(a, name, name_length, &number);
  if (code != 0) return code;
  pts_record *family = &a->records[number];
  if (pts_load_relaxed_u32(&family->extra)) {
    uint32_t length;
    const uint8_t *old = pts_family_part(a, family, 0, &length);
    if (!old) return PTS_E_DAMAGED;
    bool same = length == first_length && (length == 0 || memcmp(old, first, length) == 0);
    return same ? 0 : PTS_E_MISMATCH;
  }
  pts_wanted wanted = {{.kind = PTS_ENTRY_DECLARATION, .record = (uint32_t)size}, packed, size, 0};
  code = pts_index_append(a, &wanted, &word);
  if (code == 0) pts_store_release_u32(&family->extra, word);
  PTS_POINT();
  return code;
}

int32_t pts_declare(uint32_t attachment, const uint8_t *name, uint32_t name_length,
                    const uint8_t *parts, const uint32_t *lengths, uint32_t part_count) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (name_length == 0) return PTS_E_INVALID;
  if (name_length > PTS_MAX_NAME) return PTS_E_TOO_LONG;
  int32_t code;
  uint64_t size;
  uint8_t *packed = pack_declaration(parts, lengths, part_count, &size, &code);
  if (!packed) return code;
  code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code == 0) {
    code = declare_locked(a, name, name_length, packed, size, parts, lengths[0]);
    pts_index_unlock(a);
  }
  free(packed);
  if (code == PTS_E_DAMAGED) pts_damage(a);
  return code;
}

int32_t pts_declared(uint32_t attachment, const uint8_t *name, uint32_t name_length, uint32_t part,
                     uint8_t *out, uint32_t size) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (name_length == 0) return PTS_E_INVALID;
  if (name_length > PTS_MAX_NAME) return PTS_E_TOO_LONG;
  pts_wanted wanted = family_wanted(name, name_length);
  uint32_t number, length;
  int32_t code = record_of(a, &wanted, &number);
  if (code != 0) return code;
  const uint8_t *bytes = pts_family_part(a, &a->records[number], part, &length);
  if (!bytes) return PTS_E_NOT_FOUND;
  if (length && length <= size) memcpy(out, bytes, length);
  return (int32_t)length;
}

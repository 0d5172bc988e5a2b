/*
 * The metric index: one large hash page whose policy is `never`. Entries are appended to the text and
 * found through hash slots with linear probing; nothing is moved, overwritten or evicted.
 *
 *   slots  [ 0 | word | 0 | word | ... ]     word * 8 = where the entry is in the text; 0 is free
 *   text   [ - | entry bytes pad | entry bytes pad | ... free ]
 *
 * I1: an entry is whole before a slot names it (release in pts_index_publish, acquire in probe).
 * I2: a slot changes once, from 0 to a word. So a lookup without a lock that finds is right, and one that
 *     does not find has seen every entry published before it began.
 * I3: text_used, cells_used and records_used never fall below what a record or a slot names. A killed
 *     insertion leaves at most one record that no slot names, the last one; pts_index_repair
 *     publishes it (tests/models/index_test.ts).
 */
#include "atomics.h"
#include "metrics.h"
#include "points.h"

/* ---- entries ------------------------------------------------------------------------------------ */

static uint64_t prefix_of(uint16_t kind) {
  return kind == PTS_KIND_HISTOGRAM || kind == PTS_KIND_ENUM ? 4 : 0;
}

uint64_t pts_entry_size(const pts_entry *head) {
  switch (head->kind) {
  case PTS_KIND_VALUE:
  case PTS_KIND_LIVE:
  case PTS_KIND_HISTOGRAM:
  case PTS_KIND_ENUM:
    if (head->name_length > PTS_MAX_NAME || head->length > PTS_MAX_SERIES_TEXT) return PTS_NO_SIZE;
    return prefix_of(head->kind) + head->length;
  case PTS_KIND_FAMILY:
    return head->length > PTS_MAX_NAME ? PTS_NO_SIZE : head->length;
  case PTS_ENTRY_BOUNDS:
    return head->record > PTS_MAX_BOUNDS ? PTS_NO_SIZE : (uint64_t)head->record * 8;
  case PTS_ENTRY_DECLARATION:
    /* its size is its record field: declarations are named by families, never by slots */
    return head->record > PTS_MAX_DECLARATION ? PTS_NO_SIZE : head->record;
  default:
    return PTS_NO_SIZE;
  }
}

const uint8_t *pts_entry_read(const pts_attachment *a, uint32_t word, pts_entry *head) {
  uint64_t at = (uint64_t)word * 8;
  uint64_t mark = pts_load_acquire_u64(&a->metrics->text_mark);
  if (mark > a->text_size) mark = a->text_size;
  if (word == 0 || at + sizeof *head > mark) return NULL;
  /* Two loads, so that no compiler reads a field twice. */
  const uint64_t *words = (const uint64_t *)(const void *)(a->text + at);
  uint64_t copy[2] = {pts_load_relaxed_u64(&words[0]), pts_load_relaxed_u64(&words[1])};
  memcpy(head, copy, sizeof *head);
  return pts_entry_size(head) <= mark - at - sizeof *head ? a->text + at + sizeof *head : NULL;
}

/* ---- finding ------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9fb21c651e98df25ull;
  return hash ^ hash >> 32;
}

/* Keyed with the store's random number: labels that a stranger chose cannot be made to collide. */
uint32_t pts_index_hash(const pts_attachment *a, const pts_wanted *wanted) {
  uint64_t hash = mix(a->hash_seed, (uint64_t)wanted->head.kind << 32 | wanted->extra);
  hash = mix(hash, wanted->size << 32 | (uint64_t)wanted->head.name_length << 8 | wanted->head.flags);
  const uint8_t *p = wanted->bytes;
  uint64_t left = wanted->size, value;
  for (; left >= 8; p += 8, left -= 8) {
    memcpy(&value, p, 8);
    hash = mix(hash, value);
  }
  value = 0;
  memcpy(&value, p, left);
  hash = mix(hash, value);
  return (uint32_t)(hash >> 17);
}

static uint32_t first_slot(const pts_attachment *a, uint32_t hash) {
  return (uint32_t)((uint64_t)hash * a->slot_count >> 32);
}

static bool equals(const pts_attachment *a, uint32_t word, const pts_wanted *wanted,
                   uint32_t hash) {
  pts_entry entry;
  const pts_entry *head = &wanted->head;
  const uint8_t *bytes = pts_entry_read(a, word, &entry);
  if (!bytes || entry.hash != hash || entry.kind != head->kind || entry.flags != head->flags ||
      entry.name_length != head->name_length || entry.length != head->length)
    return false;
  if (pts_entry_size(&entry) != wanted->size || memcmp(bytes, wanted->bytes, wanted->size) != 0)
    return false;
  if (entry.kind != PTS_KIND_HISTOGRAM) return true;
  const pts_record *record = pts_record_at(a, entry.record);
  return record && pts_load_relaxed_u32(&record->extra) == wanted->extra;
}

/* The slot that names the wanted entry (its word in *word), or the free one where it belongs (*word 0).
 * slot_count when there is neither. */
static uint32_t probe(const pts_attachment *a, const pts_wanted *wanted, uint32_t hash,
                      uint32_t *word) {
  uint32_t slot = first_slot(a, hash);
  for (uint32_t i = 0; i < a->slot_count; i++) {
    *word = pts_load_acquire_u32(&a->slots[slot]);
    if (*word == 0) return slot;
    if (equals(a, *word, wanted, hash)) return slot;
    if (++slot == a->slot_count) slot = 0;
  }
  *word = 0;
  return a->slot_count;
}

uint32_t pts_index_find(const pts_attachment *a, const pts_wanted *wanted) {
  uint32_t word;
  probe(a, wanted, pts_index_hash(a, wanted), &word);
  return word;
}

/* ---- inserting, under the index lock -------------------------------------------------------------- */

int32_t pts_index_append(pts_attachment *a, const pts_wanted *wanted, uint32_t *word) {
  pts_metrics *m = a->metrics;
  uint64_t used = pts_load_relaxed_u64(&m->text_used);
  uint64_t end = (used + sizeof(pts_entry) + wanted->size + 7) / 8 * 8;
  if (used % 8 != 0 || used < 8 || used > a->text_size) return PTS_E_DAMAGED;
  if (end > a->text_size) return PTS_E_TEXT_FULL;
  uint64_t base = (uint64_t)(a->text - a->session.store.section);
  int32_t code = pts_store_extend(&a->session.store, base, &m->text_mark, end, a->text_size);
  if (code != 0) return code;
  pts_entry *entry = (pts_entry *)(a->text + used);
  *entry = wanted->head;
  PTS_POINT();
  if (wanted->size) memcpy(entry + 1, wanted->bytes, wanted->size);
  PTS_POINT();
  pts_store_relaxed_u64(&m->text_used, end);
  PTS_POINT();
  *word = (uint32_t)(used / 8);
  return 0;
}

pts_wanted pts_entry_wanted(const pts_attachment *a, const pts_entry *head, const uint8_t *bytes) {
  pts_wanted wanted = {*head, bytes, pts_entry_size(head), 0};
  const pts_record *record =
      head->kind == PTS_KIND_HISTOGRAM ? pts_record_at(a, head->record) : NULL;
  if (record) wanted.extra = pts_load_relaxed_u32(&record->extra);
  return wanted;
}

int32_t pts_index_publish(pts_attachment *a, uint32_t word) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, word, &entry);
  if (!bytes) return PTS_E_DAMAGED;
  pts_wanted wanted = pts_entry_wanted(a, &entry, bytes);
  uint32_t found;
  uint32_t slot = probe(a, &wanted, entry.hash, &found);
  if (slot == a->slot_count) return PTS_E_SERIES_FULL;
  if (found == 0) pts_store_release_u32(&a->slots[slot], word);
  PTS_POINT();
  return 0;
}

/* ---- repairing, under the index lock ------------------------------------------------------------ */

static void raise_u64(uint64_t *hint, uint64_t end, uint64_t limit) {
  if (end > *hint && end <= limit) pts_store_relaxed_u64(hint, end);
}

static void cover_entry(pts_attachment *a, uint32_t word) {
  pts_entry entry;
  if (!pts_entry_read(a, word, &entry)) return;
  uint64_t end = (uint64_t)word * 8 + (sizeof entry + pts_entry_size(&entry) + 7) / 8 * 8;
  raise_u64(&a->metrics->text_used, end, a->text_size);
}

/* Places are given out in pairs of words (pts_place_reserve). */
static void cover_cells(pts_attachment *a, uint32_t place, uint32_t words) {
  raise_u64(&a->metrics->cells_used, ((uint64_t)place + words + 1) / 2 * 16, a->shard_size);
}

static void cover_record(pts_attachment *a, const pts_record *record) {
  uint32_t extra = pts_load_acquire_u32(&record->extra);
  cover_cells(a, record->place, record->words);
  if (record->kind != PTS_KIND_VALUE && record->kind != PTS_KIND_ENUM)
    cover_entry(a, extra);
  else if (extra)
    cover_cells(a, extra, PTS_WORDS_STAMPED);
}

/*
 * The hints are stored before what they cover is published, so after a kill they can only be too
 * large by one insertion. They are raised here all the same: a damaged one must not let the next insertion
 * overwrite what is there.
 */
void pts_index_repair(pts_attachment *a) {
  uint32_t used = pts_records_used(a);
  for (uint32_t n = 0; n < used; n++) {
    const pts_record *record = pts_record_at(a, n);
    if (!record) continue;
    cover_record(a, record);
    cover_entry(a, record->entry);
  }
  uint32_t bounds = 0;
  for (uint32_t slot = 0; slot < a->slot_count; slot++) {
    uint32_t word = pts_load_relaxed_u32(&a->slots[slot]);
    pts_entry entry;
    if (word) cover_entry(a, word);
    bounds += pts_entry_read(a, word, &entry) && entry.kind == PTS_ENTRY_BOUNDS;
  }
  pts_store_relaxed_u32(&a->metrics->bounds_used, bounds);
  /* A record that was published without its slot can only be the last one. */
  const pts_record *last = used ? pts_record_at(a, used - 1) : NULL;
  if (last) pts_index_publish(a, last->entry);
  PTS_POINT();
}

/*
 * The metric index: one large hash page whose policy is `never`. Entries are appended to the text, or written
 * into the room of a free record (room.c), and found through hash slots with linear probing; nothing is
 * evicted.
 *
 *   slots  [ 0 | word | 0 | word | ... ]     word * 8 = where the entry is in the text; 0 is free
 *   text   [ - | entry bytes pad | entry bytes pad | ... free ]
 *
 * I1: an entry is whole before a slot names it (release in pts_index_publish, acquire in probe).
 * I2: slots from an entry's first one up to its own are never 0. Taking an entry out moves later ones
 *     back, with `moves` odd meanwhile: a look-up without a lock that finds something is right once it has
 *     looked at the record's incarnation; one that finds nothing is right if `moves` was even and
 *     has not changed, and otherwise looks again under the lock.
 * I3: text_used, cells_used and records_used never fall below what a record or a slot names.
 * I4: the slots follow from the records and the bounds they name: pts_index_repair makes them anew.
 */
#include "atomics.h"
#include "metrics.h"
#include "points.h"

/* ---- entries ------------------------------------------------------------------------------------ */

static uint64_t prefix_of(uint16_t kind) {
  return pts_kind_has_bounds(kind) || kind == PTS_KIND_ENUM ? 4 : 0;
}

uint64_t pts_entry_size(const pts_entry *head) {
  switch (head->kind) {
  case PTS_KIND_VALUE:
  case PTS_KIND_LIVE:
  case PTS_KIND_RECENT:
  case PTS_KIND_HISTOGRAM:
  case PTS_KIND_ENUM:
  case PTS_KIND_SUMMARY:
    if (head->name_length > PTS_MAX_NAME || head->length > PTS_MAX_SERIES_TEXT) return PTS_NO_SIZE;
    return prefix_of(head->kind) + head->length;
  case PTS_KIND_FAMILY:
    return head->length > PTS_MAX_NAME ? PTS_NO_SIZE : head->length;
  case PTS_ENTRY_BOUNDS:
    return head->record > PTS_MAX_BOUNDS ? PTS_NO_SIZE : (uint64_t)head->record * 8;
  case PTS_ENTRY_DECLARATION:
    /* its size is its record field: declarations are named by families, never by slots */
    return head->record > PTS_MAX_DECLARATION ? PTS_NO_SIZE : head->record;
  case PTS_ENTRY_EXEMPLAR:
    return head->record > PTS_EXEMPLAR_BYTES(PTS_MAX_EXEMPLAR_TEXT) ? PTS_NO_SIZE : head->record;
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
    pts_racing_copy(&value, p, 8);
    hash = mix(hash, value);
  }
  value = 0;
  pts_racing_copy(&value, p, left);
  hash = mix(hash, value);
  return (uint32_t)(hash >> 17);
}

const uint8_t *pts_entry_whole(const pts_attachment *a, uint32_t word, pts_entry *head) {
  const uint8_t *bytes = pts_entry_read(a, word, head);
  if (!bytes) return NULL;
  pts_wanted wanted = pts_entry_wanted(a, head, bytes);
  return pts_index_hash(a, &wanted) == head->hash ? bytes : NULL;
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
  if (pts_entry_size(&entry) != wanted->size) return false;
  if (pts_racing_compare(bytes, wanted->bytes, wanted->size) != 0) return false;
  if (!pts_kind_has_bounds(entry.kind)) return true;
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

#define MISS_TRIES 256u

int32_t pts_index_look(const pts_attachment *a, const pts_wanted *wanted, uint32_t *word) {
  uint32_t hash = pts_index_hash(a, wanted);
  for (uint32_t i = 0; i < MISS_TRIES; i++) {
    uint32_t moves = pts_load_acquire_u32(&a->metrics->moves);
    probe(a, wanted, hash, word);
    if (*word) return 0;
    pts_fence_acquire(); /* pairs with the release fence in begin_moving */
    if (!(moves & 1) && pts_load_relaxed_u32(&a->metrics->moves) == moves) return PTS_E_NOT_FOUND;
    pts_cpu_relax();
  }
  return PTS_INDEX_UNSETTLED;
}

/* ---- taking out, under the index lock ------------------------------------------------------------- */

static void begin_moving(pts_metrics *m) {
  pts_store_relaxed_u32(&m->moves, pts_load_relaxed_u32(&m->moves) | 1);
  pts_fence_release(); /* odd before any slot changes */
  PTS_POINT();
}

static void end_moving(pts_metrics *m) {
  pts_store_release_u32(&m->moves, pts_load_relaxed_u32(&m->moves) + 1);
  PTS_POINT();
}

static uint32_t next_slot(const pts_attachment *a, uint32_t slot) {
  return slot + 1 == a->slot_count ? 0 : slot + 1;
}

/* Whether an entry whose first slot is `first` may not be moved from `from` back to `hole`. */
static bool lies_between(uint32_t hole, uint32_t first, uint32_t from) {
  return hole <= from ? hole < first && first <= from : hole < first || first <= from;
}

/* Close the hole by moving back what would not be found behind it. */
static void close_hole(pts_attachment *a, uint32_t hole) {
  uint32_t from = hole;
  for (uint32_t i = 0; i < a->slot_count; i++) {
    from = next_slot(a, from);
    uint32_t word = pts_load_relaxed_u32(&a->slots[from]);
    if (word == 0 || from == hole) break;
    pts_entry entry;
    if (!pts_entry_read(a, word, &entry)) continue; /* broken: nobody looks for it */
    if (lies_between(hole, first_slot(a, entry.hash), from)) continue;
    pts_store_release_u32(&a->slots[hole], word);
    PTS_POINT();
    hole = from;
  }
  pts_store_release_u32(&a->slots[hole], 0);
}

void pts_index_take_out(pts_attachment *a, uint32_t word) {
  pts_entry entry;
  if (!pts_entry_read(a, word, &entry)) return;
  uint32_t slot = first_slot(a, entry.hash);
  for (uint32_t i = 0; i < a->slot_count; i++, slot = next_slot(a, slot)) {
    uint32_t found = pts_load_relaxed_u32(&a->slots[slot]);
    if (found == 0) return;
    if (found != word) continue;
    begin_moving(a->metrics);
    close_hole(a, slot);
    end_moving(a->metrics);
    return;
  }
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
  pts_index_write(a, (uint32_t)(used / 8), wanted);
  pts_store_relaxed_u64(&m->text_used, end);
  PTS_POINT();
  *word = (uint32_t)(used / 8);
  return 0;
}

void pts_index_write(pts_attachment *a, uint32_t word, const pts_wanted *wanted) {
  uint64_t head[2];
  uint64_t *entry = (uint64_t *)(void *)(a->text + (uint64_t)word * 8);
  memcpy(head, &wanted->head, sizeof head);
  pts_store_relaxed_u64(&entry[0], head[0]);
  pts_store_relaxed_u64(&entry[1], head[1]);
  PTS_POINT();
  if (wanted->size) pts_racing_write(entry + 2, wanted->bytes, wanted->size);
  PTS_POINT();
}

pts_wanted pts_entry_wanted(const pts_attachment *a, const pts_entry *head, const uint8_t *bytes) {
  pts_wanted wanted = {*head, bytes, pts_entry_size(head), 0};
  const pts_record *record =
      pts_kind_has_bounds(head->kind) ? pts_record_at(a, head->record) : NULL;
  if (record) wanted.extra = pts_load_relaxed_u32(&record->extra);
  return wanted;
}

int32_t pts_index_publish(pts_attachment *a, uint32_t word) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, word, &entry);
  if (!bytes) return PTS_E_DAMAGED;
  pts_wanted wanted = pts_entry_wanted(a, &entry, bytes);
  uint32_t found, slot = probe(a, &wanted, entry.hash, &found);
  if (slot == a->slot_count) return PTS_E_SERIES_FULL;
  if (found == 0) pts_store_release_u32(&a->slots[slot], word);
  PTS_POINT();
  return 0;
}

/* ---- repairing, under the index lock ------------------------------------------------------------ */

static void raise_u64(uint64_t *hint, uint64_t end, uint64_t limit) {
  if (end > *hint && end <= limit) pts_store_relaxed_u64(hint, end);
}

static void cover_entry(pts_attachment *a, uint32_t word, uint32_t slack) {
  pts_entry entry;
  if (!pts_entry_read(a, word, &entry)) return;
  uint64_t end = (uint64_t)word * 8 + (sizeof entry + pts_entry_size(&entry) + 7) / 8 * 8 + slack * 8;
  raise_u64(&a->metrics->text_used, end, a->text_size);
}

/* Places are given out in pairs of words (pts_place_reserve). */
static void cover_cells(pts_attachment *a, uint32_t place, uint32_t words) {
  raise_u64(&a->metrics->cells_used, ((uint64_t)place + words + 1) / 2 * 16, a->shard_size);
}

static void cover_record(pts_attachment *a, const pts_record *record) {
  uint32_t extra = pts_load_acquire_u32(&record->extra);
  cover_entry(a, record->entry, pts_load_relaxed_u8(&record->slack));
  if (record->kind != PTS_KIND_FAMILY) cover_cells(a, record->place, record->words);
  if (record->kind == PTS_KIND_FAMILY || pts_kind_has_bounds(record->kind))
    cover_entry(a, extra, 0);
  else if (extra)
    cover_cells(a, extra, PTS_WORDS_ANNEX);
}

/* Exemplars are named by cells of shard 0 only. */
static void cover_exemplars(pts_attachment *a, const pts_record *record) {
  for (uint32_t i = 0;; i++) {
    const uint64_t *cell = pts_exemplar_cell(a, record, i);
    if (!cell) return;
    cover_entry(a, (uint32_t)pts_load_relaxed_u64(cell), 0);
  }
}

/* The slots from nothing: first what is there is forgotten, then each record and its bounds are published. */
static void fill_slots(pts_attachment *a, uint32_t used) {
  begin_moving(a->metrics);
  for (uint32_t slot = 0; slot < a->slot_count; slot++) pts_store_relaxed_u32(&a->slots[slot], 0);
  PTS_POINT();
  for (uint32_t n = 0; n < used; n++) {
    const pts_record *record = pts_record_at(a, n);
    uint32_t bounds;
    if (!record) continue;
    if (pts_kind_has_bounds(record->kind) && pts_record_bounds(a, record, &bounds))
      pts_index_publish(a, pts_load_relaxed_u32(&record->extra));
    if (!(pts_load_relaxed_u64(&record->head) & PTS_HEAD_FREE)) pts_index_publish(a, record->entry);
    if (n % 64 == 0) PTS_POINT();
  }
  end_moving(a->metrics);
}

static uint32_t count_bounds(const pts_attachment *a) {
  uint32_t bounds = 0;
  for (uint32_t slot = 0; slot < a->slot_count; slot++) {
    pts_entry entry;
    uint32_t word = pts_load_relaxed_u32(&a->slots[slot]);
    bounds += word && pts_entry_read(a, word, &entry) && entry.kind == PTS_ENTRY_BOUNDS;
  }
  return bounds;
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
    cover_exemplars(a, record);
  }
  pts_room_repair(a, used);
  fill_slots(a, used);
  pts_store_relaxed_u32(&a->metrics->bounds_used, count_bounds(a));
  pts_fetch_add_u64(&a->metrics->repairs, 1);
  PTS_POINT();
}

/*
 * What a cache tells of itself: its shape, its statistics, and the checker.
 */
#include "cache.h"

#include <stdlib.h>
#include <time.h>

uint32_t pts_cache_clock(void) { return (uint32_t)time(NULL); }

/* ---- shape ----------------------------------------------------------------------------------- */

int32_t pts_cache_shape_read(uint32_t cache, pts_cache_shape *out) {
  const pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!out) return PTS_E_INVALID;
  const pts_store *store = &c->session.store;
  pts_file_id id;
  int32_t code = pts_os_identify(store->mapping->fd, &id);
  if (code != 0) return code;
  uint32_t capacity = pts_page_capacity(c->page_size, c->start_slots) & ~3u;
  *out = (pts_cache_shape){.file_bytes = id.size,
                           .allocated_bytes = id.allocated,
                           .num_pages = c->num_pages,
                           .page_size = c->page_size,
                           .start_slots = c->start_slots,
                           .max_workers = store->max_workers,
                           .existed = c->existed,
                           .largest = capacity - (uint32_t)sizeof(pts_page_entry),
                           .my_slot = store->slot,
                           .my_epoch = store->epoch};
  return 0;
}

/* ---- statistics ------------------------------------------------------------------------------ */

static uint32_t slots_owned(const pts_cache *c) {
  uint32_t high = pts_load_acquire_u32(&c->header->workers_high);
  return high <= c->session.store.max_workers + 1 ? high : c->session.store.max_workers + 1;
}

static void add_workers(pts_cache *c, uint64_t totals[PTS_COUNTS], uint64_t *live) {
  pts_store *store = &c->session.store;
  uint32_t high = slots_owned(c);
  for (uint32_t slot = 1; slot < high; slot++) {
    const pts_worker *worker = &store->workers[slot];
    for (uint32_t i = 0; i < PTS_COUNTS; i++)
      totals[i] += pts_load_relaxed_u64(&worker->counters[i]);
    *live += pts_worker_alive(store, slot, pts_load_acquire_u32(&worker->epoch)) != 0;
  }
}

/* The pages' hints without their locks: right to within what is being written. */
static void add_pages(const pts_cache *c, pts_cache_statistics *out) {
  for (uint32_t number = 0; number < c->num_pages; number++) {
    uint64_t n = pts_load_acquire_u64(&c->controls[number].n);
    if (n == 0) continue;
    const pts_frame *frame = pts_cache_frame(c, number, n);
    uint32_t used = pts_load_relaxed_u32(&frame->used);
    uint32_t bytes = pts_load_relaxed_u32(&frame->used_bytes);
    out->pages_used++;
    if (used > c->page_size / sizeof(pts_page_entry) || bytes > c->page_size) continue;
    out->entries += used;
    out->bytes += bytes;
  }
}

int32_t pts_cache_statistics_read(uint32_t cache, uint32_t flags, pts_cache_statistics *out) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!out || (flags & ~(uint32_t)PTS_CACHE_CLEAR)) return PTS_E_INVALID;
  int32_t code = pts_store_intact(&c->session.store);
  if (code != 0) return code;
  uint64_t totals[PTS_COUNTS] = {0};
  memset(out, 0, sizeof *out);
  add_workers(c, totals, &out->workers_live);
  add_pages(c, out);
  out->reads = totals[PTS_COUNT_READS] - pts_load_relaxed_u64(&c->header->reads_cleared);
  out->hits = totals[PTS_COUNT_HITS] - pts_load_relaxed_u64(&c->header->hits_cleared);
  out->writes = totals[PTS_COUNT_WRITES];
  out->evictions = totals[PTS_COUNT_EVICTIONS];
  out->expirations = totals[PTS_COUNT_EXPIRATIONS];
  out->refused = totals[PTS_COUNT_REFUSED];
  out->reorganised = totals[PTS_COUNT_REORGANISED];
  out->damage = totals[PTS_COUNT_DAMAGE];
  out->lock_waits = pts_load_relaxed_u64(&c->header->lock_waits);
  out->repairs = pts_load_relaxed_u64(&c->header->repairs);
  if (flags & PTS_CACHE_CLEAR) {
    pts_store_relaxed_u64(&c->header->reads_cleared, totals[PTS_COUNT_READS]);
    pts_store_relaxed_u64(&c->header->hits_cleared, totals[PTS_COUNT_HITS]);
  }
  return 0;
}

/* ---- the checker ----------------------------------------------------------------------------- */

typedef struct extent {
  uint32_t offset, bytes;
} extent;

typedef struct check {
  pts_cache *c;
  pts_message message;
  int32_t findings;
  extent *extents; /* of the page's entries */
  uint32_t used, deleted, used_bytes;
} check;

static void find_fault(check *k, const char *what, uint64_t at, uint64_t found) {
  pts_message_add(&k->message, "page %u: %s (at %llu: %llu)\n", k->c->page.number, what,
                  (unsigned long long)at, (unsigned long long)found);
  k->findings++;
}

static void check_entry(check *k, uint32_t slot, uint32_t offset) {
  const pts_page *page = &k->c->page;
  pts_page_look look, again;
  if (!pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, &look)) {
    find_fault(k, "a slot names no entry", slot, offset);
    return;
  }
  uint32_t bytes = (uint32_t)pts_entry_bytes_for(look.key_length, look.value_length);
  k->extents[k->used++] = (extent){offset, bytes};
  k->used_bytes += bytes;
  if (offset + bytes > page->free_data)
    find_fault(k, "an entry ends behind free_data", slot, offset);
  if ((look.flags & PTS_CACHE_TOMBSTONE) && !(look.flags & PTS_CACHE_MODSEQ))
    find_fault(k, "a tombstone has no modseq", slot, offset);
  const uint8_t *key = pts_look_key(&look);
  if (pts_page_hash(key, look.key_length) / k->c->num_pages != look.hash)
    find_fault(k, "an entry's hash is not its key's", slot, look.hash);
  else if (pts_page_find(page->frame, page->page_size, page->num_slots, look.hash, key,
                         look.key_length, &again) != PTS_FIND_HIT ||
           again.offset != offset)
    find_fault(k, "an entry is not found by its key", slot, offset);
}

static int by_offset(const void *a, const void *b) {
  uint32_t x = ((const extent *)a)->offset, y = ((const extent *)b)->offset;
  return x < y ? -1 : x > y;
}

static void check_overlap(check *k) {
  if (k->used) qsort(k->extents, k->used, sizeof *k->extents, by_offset);
  for (uint32_t i = 1; i < k->used; i++)
    if (k->extents[i].offset < k->extents[i - 1].offset + k->extents[i - 1].bytes)
      find_fault(k, "two entries overlap", k->extents[i - 1].offset, k->extents[i].offset);
}

/* The page was just loaded under its lock, which has checked that the frame can be one. */
static int32_t check_page(check *k) {
  const pts_page *page = &k->c->page;
  if (!page->frame) return 0;
  k->extents = malloc((size_t)page->num_slots * sizeof *k->extents);
  if (!k->extents) return PTS_E_NO_MEMORY;
  k->used = k->deleted = k->used_bytes = 0;
  for (uint32_t i = 0; i < page->num_slots; i++) {
    uint32_t offset = pts_load_relaxed_u32(&pts_frame_slots(page->frame)[i]);
    if (offset == PTS_SLOT_DELETED) k->deleted++;
    if (offset > PTS_SLOT_DELETED) check_entry(k, i, offset);
  }
  check_overlap(k);
  free(k->extents);
  if (k->used != page->used) find_fault(k, "the number of entries is wrong", k->used, page->used);
  if (k->deleted != page->deleted)
    find_fault(k, "the number of deleted slots is wrong", k->deleted, page->deleted);
  if (k->used_bytes != page->used_bytes)
    find_fault(k, "the bytes of entries are wrong", k->used_bytes, page->used_bytes);
  return 0;
}

int32_t pts_cache_page_faults(pts_cache *c) {
  check k = {.c = c, .message = pts_message_in(NULL, 0)};
  int32_t code = check_page(&k);
  return code != 0 ? code : k.findings;
}

static void check_clean(check *k, uint64_t damage, uint32_t number) {
  if (k->c->counters[PTS_COUNT_DAMAGE] == damage) return;
  pts_message_add(&k->message, "page %u: was damaged, and is repaired now\n", number);
  k->findings++;
}

int32_t pts_cache_check(uint32_t cache, char *report, uint32_t report_size) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!report && report_size) return PTS_E_INVALID;
  if (c->held != PTS_CACHE_NO_PAGE) return PTS_E_LOCKED;
  int32_t code = pts_store_intact(&c->session.store);
  if (code != 0) return code;
  check k = {.c = c, .message = pts_message_in(report, report_size)};
  for (uint32_t number = 0; number < c->num_pages; number++) {
    if (pts_load_acquire_u64(&c->controls[number].n) == 0) continue;
    uint64_t damage = c->counters[PTS_COUNT_DAMAGE];
    code = pts_cache_enter(c, number, 0);
    if (code != 0) return code;
    check_clean(&k, damage, number);
    code = check_page(&k);
    pts_cache_leave(c, 0);
    if (code != 0) return code;
  }
  return k.findings;
}

/*
 * One page under its lock: reading its state, inserting, removing, building its other frame,
 * repair.
 *
 * I1: below free_data of the frame that n selects nothing changes but last_access, as long as n
 *     does. free_data is moved behind an entry before a slot names the entry, so this holds
 *     whenever the owner is killed.
 * I2: the other frame belongs to the lock's owner alone. It becomes the frame by one store of n,
 *     with release, when it is whole; a full fence stands between that store and the first byte of
 *     the next use of the old one, so a reader that has copied such a byte sees another n when it
 *     looks again.
 * I3: used, deleted, used_bytes are hints: right whenever the lock is free, recounted after a
 *     takeover.
 * I4: both frames are allocated up to the end of the step in which free_data of the one that n
 *     selects lies. Damage may have moved free_data: who begins a frame allocates what it fills.
 */
#include "cache.h"
#include "points.h"

static void see(pts_cache *c, uint32_t number) {
  pts_page *page = &c->page;
  page->control = &c->controls[number];
  page->number = number;
  page->page_size = c->page_size;
  page->n = pts_load_acquire_u64(&page->control->n);
  page->frame = page->n ? pts_cache_frame(c, number, page->n) : NULL;
  page->num_slots = page->frame ? pts_frame_check(page->frame, c->page_size) : 0;
}

static void load_hints(pts_page *page) {
  page->used = pts_load_relaxed_u32(&page->frame->used);
  page->deleted = pts_load_relaxed_u32(&page->frame->deleted);
  page->free_data = pts_load_relaxed_u32(&page->frame->free_data);
  page->used_bytes = pts_load_relaxed_u32(&page->frame->used_bytes);
}

static bool free_data_can_be(const pts_page *page) {
  return page->free_data % 4 == 0 && page->free_data >= pts_frame_data_at(page->num_slots) &&
         page->free_data <= page->page_size;
}

static bool hints_can_be(const pts_page *page) {
  return free_data_can_be(page) && page->used <= page->num_slots &&
         page->deleted <= page->num_slots - page->used &&
         page->used_bytes <= page->free_data - pts_frame_data_at(page->num_slots);
}

static void store_hints(pts_frame *frame, const pts_page *page) {
  pts_store_relaxed_u32(&frame->used, page->used);
  PTS_POINT();
  pts_store_relaxed_u32(&frame->deleted, page->deleted);
  PTS_POINT();
  pts_store_relaxed_u32(&frame->used_bytes, page->used_bytes);
  PTS_POINT();
}

/* ---- allocating ------------------------------------------------------------------------------ */

/* The end of the step in which byte `end - 1` of a frame lies. */
static uint64_t step_end(const pts_cache *c, uint64_t end) {
  uint64_t rounded = (end + PTS_PAGE_STEP - 1) / PTS_PAGE_STEP * PTS_PAGE_STEP;
  return rounded < c->frame_stride ? rounded : c->frame_stride;
}

/* Bytes of a frame that hold nothing; some systems write zeros for it. */
static int32_t allocate(const pts_cache *c, const pts_frame *frame, uint64_t from,
                        uint64_t length) {
  const pts_store *store = &c->session.store;
  pts_fence_full(); /* I2 */
  uint64_t offset = (uint64_t)((const uint8_t *)frame - store->section) + from;
  return pts_os_allocate(store->mapping->fd, store->section_offset + offset, length);
}

int32_t pts_page_reserve(pts_cache *c, uint32_t end) {
  uint64_t from = step_end(c, c->page.free_data), to = step_end(c, end);
  int32_t code = 0;
  for (uint64_t which = 0; which < 2 && code == 0 && from < to; which++)
    code = allocate(c, pts_cache_frame(c, c->page.number, which), from, to - from);
  return code;
}

/* ---- building the other frame ---------------------------------------------------------------- */

int32_t pts_page_reserve_other(pts_cache *c, uint32_t end) {
  if (c->page_size <= PTS_PAGE_STEP) return 0;
  const pts_frame *other = pts_cache_frame(c, c->page.number, c->page.n + 1);
  return allocate(c, other, 0, step_end(c, end));
}

pts_frame *pts_page_begin(pts_cache *c, uint32_t num_slots) {
  pts_page *page = &c->page;
  pts_frame *frame = pts_cache_frame(c, page->number, page->n + 1);
  pts_fence_full(); /* I2 */
  pts_store_relaxed_u32(&frame->magic, PTS_FRAME_MAGIC);
  pts_store_relaxed_u32(&frame->num_slots, num_slots);
  PTS_POINT();
  uint32_t *slots = pts_frame_slots(frame);
  for (uint32_t i = 0; i < num_slots; i++) pts_store_relaxed_u32(&slots[i], PTS_SLOT_EMPTY);
  PTS_POINT();
  return frame;
}

void pts_page_publish(pts_cache *c, const pts_page *hints) {
  pts_page *page = &c->page;
  pts_frame *frame = pts_cache_frame(c, page->number, page->n + 1);
  pts_store_relaxed_u32(&frame->free_data, hints->free_data);
  PTS_POINT();
  store_hints(frame, hints);
  uint64_t n = page->n + 1;
  pts_store_release_u64(&page->control->n, n); /* pairs with the readers' acquire of n */
  PTS_POINT();
  page->n = n;
  page->frame = frame;
  page->num_slots = hints->num_slots;
  page->used = hints->used;
  page->deleted = hints->deleted;
  page->free_data = hints->free_data;
  page->used_bytes = hints->used_bytes;
}

static void start_empty(pts_cache *c) {
  pts_page_begin(c, c->start_slots);
  pts_page empty = {.num_slots = c->start_slots, .free_data = pts_frame_data_at(c->start_slots)};
  pts_page_publish(c, &empty);
}

int32_t pts_page_make(pts_cache *c) {
  const pts_frame *first = pts_cache_frame(c, c->page.number, 0);
  uint64_t step = step_end(c, pts_frame_data_at(c->start_slots));
  bool whole = step == c->frame_stride; /* then the frames are one piece */
  int32_t code = allocate(c, first, 0, whole ? 2 * step : step);
  if (code == 0 && !whole) code = allocate(c, pts_cache_frame(c, c->page.number, 1), 0, step);
  if (code != 0) return code;
  PTS_POINT();
  start_empty(c);
  return 0;
}

/* ---- repair ---------------------------------------------------------------------------------- */

static void recount(pts_cache *c) {
  pts_page *page = &c->page;
  uint32_t end = pts_frame_data_at(page->num_slots);
  bool known = free_data_can_be(page);
  page->used = page->deleted = page->used_bytes = 0;
  uint32_t *slots = pts_frame_slots(page->frame);
  for (uint32_t i = 0; i < page->num_slots; i++) {
    uint32_t offset = pts_load_relaxed_u32(&slots[i]);
    pts_page_look look;
    if (offset == PTS_SLOT_EMPTY) continue;
    if (offset != PTS_SLOT_DELETED &&
        pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, &look)) {
      uint32_t bytes = (uint32_t)pts_entry_bytes_for(look.key_length, look.value_length);
      page->used++;
      page->used_bytes += bytes;
      if (offset + bytes > end) end = offset + bytes;
      continue;
    }
    page->deleted++;
    if (offset == PTS_SLOT_DELETED) continue;
    pts_cache_count(c, PTS_COUNT_DAMAGE, 1);
    pts_store_release_u32(&slots[i], PTS_SLOT_DELETED);
    PTS_POINT();
  }
  /* Never lower it: a reader may still be copying an entry that was removed (I1). Unknown: no room,
   * so that the next set builds the other frame. */
  uint32_t full = page->page_size & ~3u;
  if (!known) page->free_data = full;
  if (page->free_data < end) page->free_data = end < full ? end : full;
  pts_store_relaxed_u32(&page->frame->free_data, page->free_data);
  PTS_POINT();
  store_hints(page->frame, page);
}

void pts_page_load(pts_cache *c, uint32_t number, bool taken_over) {
  see(c, number);
  pts_page *page = &c->page;
  if (!page->frame) return;
  if (PTS_UNLIKELY(page->num_slots == 0)) {
    pts_cache_count(c, PTS_COUNT_DAMAGE, 1);
    start_empty(c);
    return;
  }
  load_hints(page);
  if (PTS_LIKELY(!taken_over && hints_can_be(page))) return;
  if (!taken_over) pts_cache_count(c, PTS_COUNT_DAMAGE, 1);
  recount(c);
}

/* ---- entries --------------------------------------------------------------------------------- */

static uint32_t bytes_at(const pts_page *page, uint32_t offset) {
  pts_page_look look;
  if (!pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, &look)) return 0;
  return (uint32_t)pts_entry_bytes_for(look.key_length, look.value_length);
}

static void write_entry(pts_page_entry *entry, const pts_page_new *in) {
  uint32_t modseq_bytes = in->modseq ? PTS_MODSEQ_BYTES : 0;
  /* Whoever sees a byte of this sees the n under which the frame came into use (pairs with the
   * fence in the reader's second look): a reader with an older n does not take it for its own. */
  pts_fence_release();
  pts_store_relaxed_u32(&entry->last_access, in->now);
  pts_store_relaxed_u32(&entry->expire_on, in->expire_on);
  pts_store_relaxed_u32(&entry->hash, in->hash);
  pts_store_relaxed_u32(&entry->flags, in->flags);
  pts_store_relaxed_u32(&entry->key_length, in->key_length);
  pts_store_relaxed_u32(&entry->value_length, in->value_length + modseq_bytes);
  PTS_POINT();
  uint8_t *at = (uint8_t *)(entry + 1);
  pts_copy_in(at, in->key, in->key_length);
  pts_copy_in(at + in->key_length, in->modseq, modseq_bytes);
  pts_copy_in(at + in->key_length + modseq_bytes, in->value, in->value_length);
  PTS_POINT();
}

#define EXPECTED_BYTES 512u

/* The page's next entry will be written here, likely as long as the last. Lines that come now keep
 * the next set from waiting: its lock's release is not done before all its stores are. */
static void expect_entry(const pts_page *page, uint32_t bytes) {
  uint32_t at = page->free_data, end = at + (bytes < EXPECTED_BYTES ? bytes : EXPECTED_BYTES);
  if (end > page->page_size) end = page->page_size;
  for (; at < end; at += PTS_CACHE_LINE) PTS_PREFETCH_WRITE((const uint8_t *)page->frame + at);
}

void pts_page_insert(pts_cache *c, uint32_t *slot, const pts_page_new *in) {
  pts_page *page = &c->page;
  uint32_t offset = page->free_data, old = pts_load_relaxed_u32(slot);
  write_entry(pts_frame_entry(page->frame, offset), in);
  page->free_data += in->bytes;
  pts_store_relaxed_u32(&page->frame->free_data, page->free_data);
  PTS_POINT();
  pts_store_release_u32(slot, offset); /* pairs with the acquire in pts_page_find */
  PTS_POINT();
  page->used_bytes += in->bytes;
  if (old > PTS_SLOT_DELETED) {
    page->used_bytes -= bytes_at(page, old);
  } else {
    page->used++;
    if (old == PTS_SLOT_DELETED) page->deleted--;
  }
  store_hints(page->frame, page);
  expect_entry(page, in->bytes + PTS_CACHE_LINE);
}

void pts_page_remove(pts_cache *c, uint32_t *slot) {
  pts_page *page = &c->page;
  uint32_t bytes = bytes_at(page, pts_load_relaxed_u32(slot));
  pts_store_release_u32(slot, PTS_SLOT_DELETED);
  PTS_POINT();
  page->used--;
  page->deleted++;
  page->used_bytes -= bytes;
  store_hints(page->frame, page);
}

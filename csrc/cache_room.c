/*
 * Which entries go when room is wanted, exactly as Cache::FastMmap decides it, and the frame
 * without them.
 *
 * Order: expired entries go first; then by last access, and of one second the highest slot number
 * first. What stays is inserted into the new frame in that same order, oldest first, which settles
 * later ties. Only when everything is to go, or only the expired, nothing is sorted: highest slot
 * number first.
 */
#include <stdlib.h>

#include "cache.h"
#include "points.h"

static void each_free(pts_cache_plan *plan) {
  free(plan->offsets);
  free(plan->keys);
}

void pts_cache_plan_free(pts_cache_plan *plan) {
  each_free(plan);
  memset(plan, 0, sizeof *plan);
}

/* Twice the slots: offsets are collected in one half and sorted into the other. */
static int32_t grow(pts_cache_plan *plan, uint32_t num_slots) {
  if (plan->capacity >= num_slots) return 0;
  each_free(plan);
  plan->offsets = malloc((size_t)num_slots * 2 * sizeof *plan->offsets);
  plan->keys = malloc((size_t)num_slots * sizeof *plan->keys);
  plan->capacity = num_slots;
  if (plan->offsets && plan->keys) return 0;
  pts_cache_plan_free(plan);
  return PTS_E_NO_MEMORY;
}

bool pts_cache_has_room(const pts_page *page, uint32_t need) {
  uint64_t empty = page->num_slots - page->used - page->deleted;
  return empty * 10 > (uint64_t)page->num_slots * 3 && page->page_size - page->free_data >= need;
}

static uint32_t bytes_of(const pts_page_look *look) {
  return (uint32_t)pts_entry_bytes_for(look->key_length, look->value_length);
}

static bool look_at(const pts_page *page, uint32_t offset, pts_page_look *look) {
  return pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, look);
}

/* Fill the plan: what goes in any case first, in the order of slots, the rest in the opposite
 * order. */
static void collect(pts_cache *c, uint32_t what, uint32_t now) {
  const pts_page *page = &c->page;
  pts_cache_plan *plan = &c->plan;
  uint32_t *slots = pts_frame_slots(page->frame);
  uint32_t *keep = plan->offsets + page->num_slots, *end = keep;
  plan->what = what;
  plan->dropped = plan->expired = plan->kept_bytes = 0;
  for (uint32_t i = 0; i < page->num_slots; i++) {
    uint32_t offset = pts_load_relaxed_u32(&slots[i]);
    pts_page_look look;
    if (offset <= PTS_SLOT_DELETED) continue;
    if (!look_at(page, offset, &look)) {
      pts_cache_count(c, PTS_COUNT_DAMAGE, 1);
      continue;
    }
    bool expired = pts_look_expired(&look, now);
    plan->expired += expired;
    if (expired || what == PTS_CACHE_ALL) {
      plan->offsets[plan->dropped++] = offset;
    } else {
      *--keep = offset;
      plan->kept_bytes += bytes_of(&look);
    }
  }
  plan->count = plan->dropped + (uint32_t)(end - keep);
  memmove(plan->offsets + plan->dropped, keep, (size_t)(end - keep) * sizeof *keep);
}

static int by_key(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* By last access; what is equal stays as it is. */
static void sort_kept(pts_cache *c) {
  pts_cache_plan *plan = &c->plan;
  uint32_t *kept = plan->offsets + plan->dropped, count = plan->count - plan->dropped;
  bool sorted = true;
  for (uint32_t i = 0; i < count; i++) {
    pts_page_look look;
    uint64_t access = look_at(&c->page, kept[i], &look) ? look.last_access : 0;
    plan->keys[i] = access << 32 | i;
    if (i && plan->keys[i] < plan->keys[i - 1]) sorted = false;
  }
  if (sorted) return;
  qsort(plan->keys, count, sizeof *plan->keys, by_key);
  uint32_t *copy = plan->offsets + plan->capacity;
  memcpy(copy, kept, count * sizeof *kept);
  for (uint32_t i = 0; i < count; i++) kept[i] = copy[(uint32_t)plan->keys[i]];
}

/* The slots of the new frame: 2n + 1 when many entries stay. Where an entry of `need` bytes would
 * not find room then (the original refuses it), as many of n, (n - 1) / 2, ... as let it in. */
static uint32_t choose_slots(const pts_cache *c, uint32_t what, uint32_t need) {
  const pts_page *page = &c->page;
  uint32_t n = page->num_slots, stay = c->plan.count - c->plan.dropped;
  uint32_t capacity = pts_page_capacity(page->page_size, n);
  bool many = (uint64_t)stay * 10 > (uint64_t)n * 3;
  bool space = what == PTS_CACHE_FOR_ROOM ||
               (uint64_t)capacity - c->plan.kept_bytes > ((uint64_t)n + 1) * 4;
  uint64_t grown = 2 * (uint64_t)n + 1;
  if (many && space && pts_page_capacity(page->page_size, grown) >= (need > 28 ? need : 28))
    return (uint32_t)grown;
  while (n > c->start_slots && pts_page_capacity(page->page_size, n) < need) n = (n - 1) / 2;
  return n > c->start_slots ? n : c->start_slots;
}

/* Drop the oldest until the data is under 60 % of its area, and there is room for `need` bytes. */
static void evict(pts_cache *c, uint32_t need) {
  pts_cache_plan *plan = &c->plan;
  uint32_t capacity = pts_page_capacity(c->page_size, plan->num_slots);
  uint32_t threshold = (uint32_t)(0.6 * capacity);
  while (plan->dropped < plan->count &&
         (plan->kept_bytes >= threshold || (uint64_t)plan->kept_bytes + need > (capacity & ~3u) ||
          plan->count - plan->dropped >= plan->num_slots)) {
    pts_page_look look;
    if (look_at(&c->page, plan->offsets[plan->dropped], &look)) plan->kept_bytes -= bytes_of(&look);
    plan->dropped++;
  }
}

int32_t pts_cache_plan_make(pts_cache *c, uint32_t what, uint32_t now, uint32_t need) {
  int32_t code = grow(&c->plan, c->page.num_slots);
  if (code != 0) return code;
  collect(c, what, now);
  if (what == PTS_CACHE_FOR_ROOM) sort_kept(c);
  c->plan.num_slots = choose_slots(c, what, need);
  if (what == PTS_CACHE_FOR_ROOM) evict(c, need);
  return 0;
}

bool pts_cache_plan_drops_dirty(const pts_cache *c) {
  for (uint32_t i = 0; i < c->plan.dropped; i++) {
    pts_page_look look;
    if (look_at(&c->page, c->plan.offsets[i], &look) &&
        (look.flags & (PTS_CACHE_DIRTY | PTS_CACHE_TOMBSTONE)) == PTS_CACHE_DIRTY)
      return true;
  }
  return false;
}

/* NULL only when somebody else writes into a frame that is nobody's but ours. */
static uint32_t *empty_slot(pts_frame *frame, uint32_t num_slots, uint32_t hash) {
  uint32_t *slots = pts_frame_slots(frame), at = hash % num_slots;
  for (uint32_t i = 0; i < num_slots; i++) {
    if (pts_load_relaxed_u32(&slots[at]) == PTS_SLOT_EMPTY) return &slots[at];
    if (++at == num_slots) at = 0;
  }
  return NULL;
}

/* Where a frame with what stays and `need` bytes more ends, at most. */
static uint32_t frame_end(const pts_cache *c, uint32_t need) {
  uint64_t end = (uint64_t)pts_frame_data_at(c->plan.num_slots) + c->plan.kept_bytes + need;
  return end < c->page_size ? (uint32_t)end : c->page_size;
}

int32_t pts_cache_plan_apply(pts_cache *c, uint32_t need) {
  const pts_cache_plan *plan = &c->plan;
  uint32_t end = frame_end(c, need);
  int32_t code = pts_page_reserve_other(c, end);
  if (code != 0) return code;
  pts_frame *frame = pts_page_begin(c, plan->num_slots);
  uint32_t data_at = pts_frame_data_at(plan->num_slots);
  pts_page hints = {.num_slots = plan->num_slots, .free_data = data_at};
  for (uint32_t i = plan->dropped; i < plan->count; i++) {
    pts_page_look look;
    if (!look_at(&c->page, plan->offsets[i], &look)) continue;
    uint32_t bytes = bytes_of(&look);
    /* Entries that damage made overlap may be more than the page holds: the rest is lost. */
    if (bytes > end - hints.free_data) break;
    uint32_t *slot = empty_slot(frame, plan->num_slots, look.hash);
    if (!slot) break;
    pts_copy_across(pts_frame_entry(frame, hints.free_data), look.entry, bytes);
    pts_store_relaxed_u32(slot, hints.free_data);
    hints.free_data += bytes;
    hints.used++;
    PTS_POINT();
  }
  hints.used_bytes = hints.free_data - data_at;
  pts_page_publish(c, &hints);
  pts_cache_count(c, PTS_COUNT_REORGANISED, 1);
  if (plan->what == PTS_CACHE_ALL) return 0; /* the caller's wish, not the cache's */
  pts_cache_count(c, PTS_COUNT_EXPIRATIONS, plan->expired);
  pts_cache_count(c, PTS_COUNT_EVICTIONS, plan->dropped - plan->expired);
  return 0;
}

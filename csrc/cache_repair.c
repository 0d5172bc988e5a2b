/*
 * Mending a whole cache at once, for `deno task check --repair`. In passing a page is mended where
 * somebody comes by (page.c, pts_page_load); this comes by everywhere, and looks closer.
 */
#include "cache.h"

/* Whether the entry that a slot names is one, its key's, and found by it. */
static bool entry_holds(const pts_cache *c, uint32_t offset) {
  const pts_page *page = &c->page;
  pts_page_look look, again;
  if (!pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, &look)) return false;
  if (offset + pts_entry_bytes_for(look.key_length, look.value_length) > page->free_data)
    return false;
  if ((look.flags & PTS_CACHE_TOMBSTONE) && !(look.flags & PTS_CACHE_MODSEQ)) return false;
  const uint8_t *key = pts_look_key(&look);
  return pts_page_hash(key, look.key_length) / c->num_pages == look.hash &&
         pts_page_find(page->frame, page->page_size, page->num_slots, look.hash, key,
                       look.key_length, &again) == PTS_FIND_HIT &&
         again.offset == offset;
}

static void drop_broken_entries(pts_cache *c) {
  uint32_t *slots = pts_frame_slots(c->page.frame);
  for (uint32_t i = 0; i < c->page.num_slots; i++) {
    uint32_t offset = pts_load_relaxed_u32(&slots[i]);
    if (offset <= PTS_SLOT_DELETED || entry_holds(c, offset)) continue;
    pts_page_remove(c, &slots[i]);
    pts_cache_count(c, PTS_COUNT_DAMAGE, 1);
  }
}

/* Under the page's lock. What is still wrong then (entries that lie in each other) costs the page. */
static int32_t repair_page(pts_cache *c, uint32_t number) {
  pts_page_load(c, number, true);
  if (!c->page.frame) return 0;
  drop_broken_entries(c);
  int32_t faults = pts_cache_page_faults(c);
  if (faults <= 0) return faults;
  int32_t code = pts_cache_plan_make(c, PTS_CACHE_ALL, 0, 0);
  if (code != 0) return code;
  code = pts_cache_plan_apply(c, 0);
  if (code == 0) pts_cache_count(c, PTS_COUNT_DAMAGE, 1);
  return code;
}

int32_t pts_cache_repair(uint32_t cache) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (c->held != PTS_CACHE_NO_PAGE) return PTS_E_LOCKED;
  int32_t code = pts_store_intact(&c->session.store);
  uint64_t before = c->counters[PTS_COUNT_DAMAGE];
  for (uint32_t number = 0; code == 0 && number < c->num_pages; number++) {
    if (pts_load_acquire_u64(&c->controls[number].n) == 0) continue;
    code = pts_cache_enter(c, number, 0);
    if (code != 0) break;
    code = repair_page(c, number);
    pts_cache_leave(c, 0);
  }
  if (code != 0) return code;
  uint64_t mended = c->counters[PTS_COUNT_DAMAGE] - before;
  return mended < INT32_MAX ? (int32_t)mended : INT32_MAX;
}

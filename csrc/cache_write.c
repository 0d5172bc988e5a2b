/*
 * Writing: set, take, remove, expunge. Everything here happens under one page's lock.
 */
#include "cache.h"
#include "points.h"

/* Flags that are kept in the entry. */
#define KEPT_FLAGS ((uint32_t)PTS_CACHE_HELD - 1)

static int find(const pts_cache *c, uint32_t hash, const uint8_t *key, uint32_t key_length,
                pts_page_look *look) {
  const pts_page *page = &c->page;
  look->slot = NULL;
  if (!page->frame) return PTS_FIND_MISS;
  return pts_page_find(page->frame, page->page_size, page->num_slots, hash, key, key_length, look);
}

/* The slot of a broken entry is freed before anything is decided by this page's slots. */
static int find_mended(pts_cache *c, uint32_t hash, const uint8_t *key, uint32_t key_length,
                       pts_page_look *look) {
  int outcome = find(c, hash, key, key_length, look);
  if (PTS_LIKELY(outcome != PTS_FIND_BROKEN)) return outcome;
  pts_page_load(c, c->page.number, true);
  return find(c, hash, key, key_length, look);
}

/* ---- set ------------------------------------------------------------------------------------- */

/* What an old entry's modseq says to a new one: STORED (go on), REFUSED, KEPT. */
static int32_t judge(const pts_page_look *old, const pts_page_new *in) {
  if (!(old->flags & PTS_CACHE_MODSEQ) || pts_look_expired(old, in->now)) return PTS_CACHE_STORED;
  uint64_t old_modseq = pts_look_modseq(old), modseq = in->modseq ? *in->modseq : 0;
  if (in->flags & PTS_CACHE_TOMBSTONE)
    return modseq <= old_modseq ? PTS_CACHE_KEPT : PTS_CACHE_STORED;
  if (in->modseq) return modseq < old_modseq ? PTS_CACHE_REFUSED : PTS_CACHE_STORED;
  return old->flags & PTS_CACHE_TOMBSTONE ? PTS_CACHE_REFUSED : PTS_CACHE_STORED;
}

/* Room for the entry: *look is where it goes afterwards. */
static int32_t make_room(pts_cache *c, const pts_page_new *in, uint32_t call_flags,
                         pts_page_look *look) {
  int32_t code = pts_cache_plan_make(c, PTS_CACHE_FOR_ROOM, in->now, in->bytes);
  if (code != 0) return code;
  if ((call_flags & PTS_CACHE_WRITE_BACK) && pts_cache_plan_drops_dirty(c)) {
    c->wanted = in->bytes;
    return PTS_CACHE_DIRTY_FIRST;
  }
  code = pts_cache_plan_apply(c, in->bytes);
  if (code != 0) return code;
  find(c, in->hash, in->key, in->key_length, look);
  return look->slot ? PTS_CACHE_STORED : PTS_E_DAMAGED;
}

/* Under the lock: a verdict of PTS_CACHE_*, or a failure. */
static int32_t store(pts_cache *c, const pts_page_new *in, uint32_t call_flags) {
  pts_page_look look;
  if (find_mended(c, in->hash, in->key, in->key_length, &look) == PTS_FIND_HIT) {
    int32_t verdict = judge(&look, in);
    if (verdict != PTS_CACHE_STORED) return verdict;
  }
  if (in->bytes > pts_page_capacity(c->page_size, c->start_slots)) return PTS_CACHE_TOO_LARGE;
  if (PTS_UNLIKELY(!c->page.frame)) {
    int32_t code = pts_page_make(c);
    if (code != 0) return code;
    find(c, in->hash, in->key, in->key_length, &look);
  }
  if (PTS_UNLIKELY(!look.slot || !pts_cache_has_room(&c->page, in->bytes))) {
    int32_t code = make_room(c, in, call_flags, &look);
    if (code != PTS_CACHE_STORED) return code;
  }
  if (PTS_UNLIKELY(c->page_size > PTS_PAGE_STEP)) {
    int32_t code = pts_page_reserve(c, c->page.free_data + in->bytes);
    if (code != 0) return code;
  }
  pts_page_insert(c, look.slot, in);
  pts_cache_count(c, PTS_COUNT_WRITES, 1);
  return PTS_CACHE_STORED;
}

static bool refuses(int32_t outcome) {
  return outcome == PTS_CACHE_TOO_LARGE || outcome == PTS_CACHE_REFUSED ||
         outcome == PTS_E_NO_SPACE;
}

/* keep: leave the page locked for PTS_CACHE_DIRTY_FIRST. */
static int32_t set(pts_cache *c, pts_page_new *in, uint32_t call_flags, bool keep) {
  uint64_t bytes = pts_entry_bytes_for(in->key_length, (uint64_t)in->value_length +
                                                           (in->modseq ? PTS_MODSEQ_BYTES : 0));
  in->bytes = bytes <= c->page_size ? (uint32_t)bytes : UINT32_MAX;
  uint32_t hash = pts_page_hash(in->key, in->key_length);
  in->hash = hash / c->num_pages;
  int32_t outcome = pts_cache_enter(c, hash - in->hash * c->num_pages, call_flags);
  if (PTS_UNLIKELY(outcome != 0)) return outcome;
  outcome = store(c, in, call_flags);
  if (PTS_UNLIKELY(refuses(outcome))) pts_cache_count(c, PTS_COUNT_REFUSED, 1);
  if (PTS_UNLIKELY(outcome == PTS_CACHE_DIRTY_FIRST) && keep)
    c->held = c->page.number;
  else
    pts_cache_leave(c, call_flags);
  return outcome;
}

static bool flags_agree(uint32_t flags, bool has_modseq) {
  if (((flags & PTS_CACHE_MODSEQ) != 0) != has_modseq) return false;
  return !(flags & PTS_CACHE_TOMBSTONE) || has_modseq;
}

int32_t pts_cache_set(uint32_t cache, const uint8_t *key, uint32_t key_length, const uint8_t *value,
                      uint32_t value_length, uint32_t now, uint32_t expire_on, uint32_t flags,
                      const uint64_t *modseq) {
  pts_cache *c = pts_cache_of(cache);
  if (PTS_UNLIKELY(!c)) return PTS_E_CLOSED;
  if (PTS_UNLIKELY((!key && key_length) || (!value && value_length) ||
                   !flags_agree(flags, modseq != NULL)))
    return PTS_E_INVALID;
  pts_page_new in = {.key = key,
                     .value = value,
                     .modseq = modseq,
                     .key_length = key_length,
                     .value_length = value_length,
                     .flags = flags & KEPT_FLAGS,
                     .now = now,
                     .expire_on = expire_on};
  return set(c, &in, flags & ~KEPT_FLAGS, true);
}

int32_t pts_cache_set_many(uint32_t cache, const uint8_t *bytes, const pts_cache_item *items,
                           uint32_t count, uint32_t now, uint32_t flags, int8_t *results) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (count && (!items || !results || !bytes)) return PTS_E_INVALID;
  int32_t stored = 0;
  for (uint32_t i = 0; i < count; i++) {
    pts_cache_item item = items[i];
    pts_page_new in = {.key = bytes,
                       .value = bytes + item.key_length,
                       .key_length = item.key_length,
                       .value_length = item.value_length,
                       .flags = item.flags & KEPT_FLAGS,
                       .now = now,
                       .expire_on = item.expire_on};
    int32_t outcome = flags_agree(item.flags, false) ? set(c, &in, flags & ~KEPT_FLAGS, false)
                                                     : PTS_E_INVALID;
    results[i] = (int8_t)outcome;
    stored += outcome == PTS_CACHE_STORED;
    bytes += (uint64_t)item.key_length + item.value_length;
  }
  return stored;
}

/* ---- remove ---------------------------------------------------------------------------------- */

int32_t pts_cache_remove(uint32_t cache, const uint8_t *key, uint32_t key_length,
                         uint32_t call_flags, uint32_t *flags) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!key && key_length) return PTS_E_INVALID;
  uint32_t hash = pts_page_hash(key, key_length);
  int32_t code = pts_cache_enter(c, pts_cache_page_of(c, hash), call_flags);
  if (code != 0) return code;
  pts_page_look look;
  int outcome = find_mended(c, hash / c->num_pages, key, key_length, &look);
  if (outcome == PTS_FIND_HIT) {
    if (flags) *flags = look.flags;
    pts_page_remove(c, look.slot);
  }
  pts_cache_leave(c, call_flags);
  return outcome == PTS_FIND_HIT;
}

int32_t pts_cache_take(uint32_t cache, const uint8_t *key, uint32_t key_length, uint32_t now,
                       uint32_t flags, uint8_t *buffer, uint32_t size, pts_cache_entry *entry) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!key && key_length) return PTS_E_INVALID;
  bool held = (flags & PTS_CACHE_HELD) != 0;
  int32_t code = held ? 0 : pts_cache_lock(cache, key, key_length);
  if (code < 0) return code;
  /* Under the lock nothing changes between the two. */
  int32_t length =
      pts_cache_get(cache, key, key_length, now, flags | PTS_CACHE_HELD, buffer, size, entry);
  if (length >= 0 && (!buffer || (uint32_t)length <= size)) {
    code = pts_cache_remove(cache, key, key_length, PTS_CACHE_HELD, NULL);
    if (code < 0) length = code;
  }
  if (!held) pts_cache_unlock(cache);
  return length;
}

/* ---- expunge --------------------------------------------------------------------------------- */

int32_t pts_cache_victims(uint32_t cache, uint32_t what, uint32_t now, uint8_t *out,
                          uint32_t size) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (what > PTS_CACHE_FOR_ROOM || (!out && size) || c->held == PTS_CACHE_NO_PAGE)
    return PTS_E_INVALID;
  const pts_page *page = &c->page;
  if (!page->frame) return 0;
  int32_t code = pts_cache_plan_make(c, what, now, what == PTS_CACHE_FOR_ROOM ? c->wanted : 0);
  if (code != 0) return code;
  uint64_t at = 0;
  for (uint32_t i = 0; i < c->plan.dropped; i++) {
    pts_page_look look;
    uint32_t offset = c->plan.offsets[i];
    if (pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, &look) &&
        (look.flags & (PTS_CACHE_DIRTY | PTS_CACHE_TOMBSTONE)) == PTS_CACHE_DIRTY)
      pts_cache_pack(&look, out, size, &at);
  }
  return at <= INT32_MAX ? (int32_t)at : PTS_E_TOO_LONG;
}

static int32_t expunge_page(pts_cache *c, uint32_t number, uint32_t what, uint32_t now,
                            uint32_t flags) {
  /* A page that was never used: nothing to lock. */
  if (pts_load_acquire_u64(&c->controls[number].n) == 0) return 0;
  int32_t code = pts_cache_enter(c, number, flags);
  if (code != 0) return code;
  /* Only damage takes a page back to its start; the locked page says so by having no frame. */
  if (c->page.frame) code = pts_cache_plan_make(c, what, now, 0);
  if (c->page.frame && code == 0) code = pts_cache_plan_apply(c, 0);
  if (c->page.frame && code == 0) code = (int32_t)c->plan.dropped;
  pts_cache_leave(c, flags);
  return code;
}

int32_t pts_cache_expunge(uint32_t cache, uint32_t page, uint32_t what, uint32_t now,
                          uint32_t flags) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (what > PTS_CACHE_ALL) return PTS_E_INVALID;
  if ((flags & PTS_CACHE_HELD) && page != c->held) return PTS_E_INVALID;
  if (page < c->num_pages) return expunge_page(c, page, what, now, flags);
  if (page != PTS_CACHE_EVERY_PAGE) return PTS_E_INVALID;
  if (c->held != PTS_CACHE_NO_PAGE) return PTS_E_LOCKED;
  int32_t intact = pts_store_intact(&c->session.store);
  if (intact != 0) return intact;
  int64_t dropped = 0;
  for (uint32_t number = 0; number < c->num_pages; number++) {
    int32_t code = expunge_page(c, number, what, now, flags);
    if (code < 0) return code;
    dropped += code;
  }
  return dropped <= INT32_MAX ? (int32_t)dropped : INT32_MAX;
}

/*
 * Locks of a cache: pages, for a call or for the caller's own callback, and names.
 *
 * I1: c->held is a page exactly while the caller holds that page's lock; then c->page is that page,
 *     loaded.
 */
#include <stdlib.h>

#include "cache.h"
#include "points.h"

/* ---- pages ----------------------------------------------------------------------------------- */

static int32_t take(pts_cache *c, uint32_t number) {
  pts_store *store = &c->session.store;
  int32_t code = pts_lock_take(store, &c->controls[number].lock.word, store->lock_timeout_ms);
  if (PTS_UNLIKELY(code < 0)) return code;
  PTS_POINT();
  pts_page_load(c, number, code == PTS_LOCK_TAKEN_OVER);
  return 0;
}

static void release(pts_cache *c) {
  pts_lock_release(&c->session.store, &c->page.control->lock.word);
  PTS_POINT();
}

int32_t pts_cache_enter(pts_cache *c, uint32_t number, uint32_t flags) {
  if (PTS_LIKELY(c->held == PTS_CACHE_NO_PAGE)) {
    if (flags & PTS_CACHE_HELD) return PTS_E_INVALID;
    return take(c, number);
  }
  return flags & PTS_CACHE_HELD ? 0 : PTS_E_LOCKED;
}

void pts_cache_leave(pts_cache *c, uint32_t flags) {
  if (!(flags & PTS_CACHE_HELD)) release(c);
}

void pts_cache_mend(pts_cache *c, uint32_t number) {
  if (c->held == number) {
    pts_page_load(c, number, true);
  } else if (c->held == PTS_CACHE_NO_PAGE &&
             pts_lock_try(&c->session.store, &c->controls[number].lock.word) == 0) {
    pts_page_load(c, number, true);
    release(c);
  }
}

static int32_t hold(pts_cache *c, uint32_t number) {
  int32_t code = pts_cache_enter(c, number, 0);
  if (code != 0) return code;
  c->held = number;
  return (int32_t)number;
}

int32_t pts_cache_lock(uint32_t cache, const uint8_t *key, uint32_t key_length) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!key && key_length) return PTS_E_INVALID;
  return hold(c, pts_cache_page_of(c, pts_page_hash(key, key_length)));
}

int32_t pts_cache_lock_page(uint32_t cache, uint32_t page) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  return page < c->num_pages ? hold(c, page) : PTS_E_INVALID;
}

int32_t pts_cache_unlock(uint32_t cache) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (c->held == PTS_CACHE_NO_PAGE) return PTS_E_NOT_FOUND;
  c->held = PTS_CACHE_NO_PAGE;
  release(c);
  return 0;
}

int32_t pts_cache_locked(uint32_t cache) {
  const pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  return c->held == PTS_CACHE_NO_PAGE ? PTS_E_NOT_FOUND : (int32_t)c->held;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The kernel's locks of one store do not exclude each other: what this cache holds is listed here. */
typedef struct pts_cache_holder {
  struct pts_cache_holder *next;
  uint64_t byte;
  uint32_t number;
} pts_cache_holder;

/* Spread over the 40 bits that a named lock's byte has: two names in a million share one only by a
 * chance of one in two. FNV-1a, folded. */
static uint64_t byte_of(const uint8_t *name, uint32_t length) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (uint32_t i = 0; i < length; i++) hash = (hash ^ name[i]) * 0x100000001b3ull;
  hash ^= hash >> 40;
  return PTS_LOCK_NAMED(hash & ((1ull << 40) - 1));
}

/* Workers that come later open what the path names: a lock of another file means nothing to them.
 * NOT_FOUND. */
static int32_t still_named(const pts_cache *c) {
  const pts_mapping *mapping = c->session.store.mapping;
  pts_file_id id;
  if (!c->path) return 0;
  int32_t code = pts_os_identify_path(c->path, &id);
  if (code != 0) return code == PTS_E_NO_FOLDER ? PTS_E_NOT_FOUND : code;
  bool same = id.device == mapping->device && id.inode == mapping->inode;
  return same ? 0 : PTS_E_NOT_FOUND;
}

static uint32_t free_number(const pts_cache *c) {
  uint32_t number = 0;
  for (const pts_cache_holder *h = c->holders; h; h = h->next)
    if (h->number >= number) number = h->number + 1;
  return number;
}

int32_t pts_cache_named_try(uint32_t cache, const uint8_t *name, uint32_t length) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (!name && length) return PTS_E_INVALID;
  uint64_t byte = byte_of(name, length);
  for (const pts_cache_holder *h = c->holders; h; h = h->next)
    if (h->byte == byte) return PTS_E_LOCKED;
  int32_t code = still_named(c);
  if (code != 0) return code;
  pts_cache_holder *holder = malloc(sizeof *holder);
  if (!holder) return PTS_E_NO_MEMORY;
  code = pts_os_lock(&c->session.store.locks, byte);
  if (code != 0) {
    free(holder);
    return code;
  }
  *holder = (pts_cache_holder){.next = c->holders, .byte = byte, .number = free_number(c)};
  c->holders = holder;
  return (int32_t)holder->number;
}

static void drop(pts_cache *c, pts_cache_holder **link) {
  pts_cache_holder *holder = *link;
  *link = holder->next;
  pts_os_unlock(&c->session.store.locks, holder->byte);
  free(holder);
}

int32_t pts_cache_named_release(uint32_t cache, uint32_t number) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  for (pts_cache_holder **link = &c->holders; *link; link = &(*link)->next) {
    if ((*link)->number != number) continue;
    drop(c, link);
    return 0;
  }
  return PTS_E_NOT_FOUND;
}

void pts_cache_named_release_all(pts_cache *c) {
  while (c->holders) drop(c, &c->holders);
}

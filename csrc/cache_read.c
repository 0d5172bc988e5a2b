/*
 * Reading: get without a lock, many at once, and copying a page out.
 *
 * A get loads n, finds the entry, copies it, and looks at n again: unchanged, the copy is whole
 * (page.h says why); changed, it begins anew. n only changes when a page is reorganised, so no
 * stopped or dead writer keeps a reader waiting. A reader that meets one reorganisation after the
 * other takes the lock in the end.
 */
#include "cache.h"
#include "points.h"

#define TRIES 64u

/* What a get is about, and what it has found. */
typedef struct get {
  const uint8_t *key;
  uint32_t key_length;
  uint32_t page;
  uint32_t hash;
  uint32_t now;
  uint32_t flags;
  uint8_t *buffer;
  uint32_t size;
  uint64_t n;
  pts_page_look look;
  uint64_t modseq;
  const uint8_t *value;
  uint32_t value_length;
} get;

/* A modseq entry's value begins behind the modseq. */
static inline void split(get *g) {
  g->value = pts_look_value(&g->look);
  g->value_length = g->look.value_length;
  g->modseq = 0;
  if (PTS_LIKELY(!(g->look.flags & PTS_CACHE_MODSEQ))) return;
  g->modseq = pts_look_modseq(&g->look);
  g->value += PTS_MODSEQ_BYTES;
  g->value_length -= PTS_MODSEQ_BYTES;
}

static inline bool visible(const get *g) {
  if (g->flags & PTS_CACHE_EXPIRED_TOO) return !(g->look.flags & PTS_CACHE_TOMBSTONE);
  return !pts_look_expired(&g->look, g->now) && !(g->look.flags & PTS_CACHE_TOMBSTONE);
}

/* One look at the page: PTS_FIND_*. Right if n is still the same afterwards. */
static inline int look_once(const pts_cache *c, get *g) {
  const pts_frame *frame = pts_cache_frame(c, g->page, g->n);
  uint32_t num_slots = pts_frame_check(frame, c->page_size);
  if (PTS_UNLIKELY(num_slots == 0)) return PTS_FIND_BROKEN;
  int outcome =
      pts_page_find(frame, c->page_size, num_slots, g->hash, g->key, g->key_length, &g->look);
  if (outcome != PTS_FIND_HIT) return outcome;
  split(g);
  if (!visible(g)) return PTS_FIND_MISS;
  if (g->value_length <= g->size) pts_copy_out(g->buffer, g->value, g->value_length);
  return PTS_FIND_HIT;
}

static inline bool unchanged(const pts_cache *c, const get *g) {
  pts_fence_acquire(); /* the copy before the second look; pairs with the fence in pts_page_begin */
  return pts_load_relaxed_u64(&c->controls[g->page].n) == g->n;
}

static PTS_COLD int look_locked(pts_cache *c, get *g) {
  int32_t code = pts_cache_enter(c, g->page, 0);
  if (code != 0) return code;
  g->n = c->page.n;
  int outcome = g->n ? look_once(c, g) : PTS_FIND_MISS;
  pts_cache_leave(c, 0);
  return outcome;
}

static inline int look(pts_cache *c, get *g) {
  for (uint32_t tries = 0; PTS_LIKELY(tries < TRIES); tries++) {
    g->n = pts_load_acquire_u64(&c->controls[g->page].n);
    if (g->n == 0) return PTS_FIND_MISS;
    int outcome = look_once(c, g);
    if (PTS_LIKELY(unchanged(c, g))) return outcome;
  }
  return look_locked(c, g);
}

/* The last access, at most once a second for an entry, and only if nobody has to be waited for. */
static PTS_COLD void refresh(pts_cache *c, const get *g) {
  uint32_t *last_access = &g->look.entry->last_access;
  if (g->flags & PTS_CACHE_HELD) {
    pts_store_relaxed_u32(last_access, g->now);
    return;
  }
  pts_store *store = &c->session.store;
  pts_page_control *control = &c->controls[g->page];
  if (pts_lock_try(store, &control->lock.word) != 0) return;
  PTS_POINT();
  if (pts_load_relaxed_u64(&control->n) == g->n) {
    pts_store_relaxed_u32(last_access, g->now);
    PTS_POINT();
  }
  pts_lock_release(store, &control->lock.word);
  PTS_POINT();
}

/* Mending counts what it mends, so that a broken slot is counted once however often it is read before. */
static void broken(pts_cache *c, const get *g) { pts_cache_mend(c, g->page); }

static inline void describe(const get *g, pts_cache_entry *entry) {
  entry->modseq = g->modseq;
  entry->flags = g->look.flags;
  entry->expire_on = g->look.expire_on;
  entry->last_access = g->look.last_access;
  entry->key_length = g->look.key_length;
  entry->value_length = g->value_length;
  entry->bytes = 0;
}

/* The whole of a get but for where its results go. The value's length, or NOT_FOUND. */
static inline int32_t run(pts_cache *c, get *g, bool whatever_size) {
  int outcome = look(c, g);
  if (PTS_UNLIKELY(outcome < PTS_FIND_BROKEN)) return outcome;
  bool counts = c->counts_reads && !(g->flags & PTS_CACHE_PEEK);
  if (outcome != PTS_FIND_HIT) {
    if (outcome == PTS_FIND_BROKEN) broken(c, g);
    if (counts) pts_cache_count(c, PTS_COUNT_READS, 1);
    return PTS_E_NOT_FOUND;
  }
  if (g->value_length > g->size && !whatever_size) return (int32_t)g->value_length;
  if (counts) pts_cache_count(c, PTS_COUNT_READS, 1);
  if (PTS_UNLIKELY(pts_look_expired(&g->look, g->now))) return (int32_t)g->value_length;
  if (counts) pts_cache_count(c, PTS_COUNT_HITS, 1);
  if (PTS_UNLIKELY(g->look.last_access != g->now) && !(g->flags & PTS_CACHE_PEEK)) refresh(c, g);
  return (int32_t)g->value_length;
}

/* LOCKED, INVALID, or 0 and where to look. */
static inline int32_t aim(const pts_cache *c, get *g) {
  uint32_t hash = pts_page_hash(g->key, g->key_length);
  g->hash = hash / c->num_pages;
  if (PTS_LIKELY(c->held == PTS_CACHE_NO_PAGE)) {
    g->page = hash - g->hash * c->num_pages;
    return g->flags & PTS_CACHE_HELD ? PTS_E_INVALID : 0;
  }
  g->page = c->held;
  return g->flags & PTS_CACHE_HELD ? 0 : PTS_E_LOCKED;
}

int32_t pts_cache_get(uint32_t cache, const uint8_t *key, uint32_t key_length, uint32_t now,
                      uint32_t flags, uint8_t *buffer, uint32_t size, pts_cache_entry *entry) {
  pts_cache *c = pts_cache_of(cache);
  if (PTS_UNLIKELY(!c)) return PTS_E_CLOSED;
  if (PTS_UNLIKELY((!key && key_length) || (!buffer && size))) return PTS_E_INVALID;
  get g;
  g.key = key, g.key_length = key_length, g.now = now, g.flags = flags;
  g.buffer = buffer, g.size = size;
  int32_t code = aim(c, &g);
  if (PTS_UNLIKELY(code != 0)) return code;
  code = run(c, &g, !buffer);
  if (entry && code >= 0) describe(&g, entry);
  return code;
}

/* ---- packed entries -------------------------------------------------------------------------- */

static uint64_t packed_bytes(uint64_t key_length, uint64_t value_length) {
  return (sizeof(pts_cache_entry) + key_length + value_length + 7) & ~7ull;
}

void pts_cache_pack(const pts_page_look *look, uint8_t *out, uint32_t size, uint64_t *at) {
  get g = {.look = *look};
  split(&g);
  uint64_t bytes = packed_bytes(look->key_length, g.value_length);
  if (*at + bytes <= size) {
    pts_cache_entry entry;
    describe(&g, &entry);
    entry.bytes = (uint32_t)bytes;
    uint8_t *to = out + *at;
    memcpy(to, &entry, sizeof entry);
    pts_copy_out(to + sizeof entry, pts_look_key(look), look->key_length);
    pts_copy_out(to + sizeof entry + look->key_length, g.value, g.value_length);
  }
  *at += bytes;
}

static void pack_miss(uint8_t *out) {
  pts_cache_entry entry = {.value_length = PTS_CACHE_MISS, .bytes = sizeof entry};
  memcpy(out, &entry, sizeof entry);
}

/* One answer into out, at most `room` bytes: its bytes, or 0 when it does not fit, or a failure. */
static int64_t answer(pts_cache *c, get *g, uint8_t *out, uint32_t room) {
  if (room < sizeof(pts_cache_entry)) return 0;
  g->buffer = out + sizeof(pts_cache_entry);
  g->size = (room - (uint32_t)sizeof(pts_cache_entry)) & ~7u;
  int32_t code = aim(c, g);
  if (code == 0) code = run(c, g, false);
  if (code == PTS_E_NOT_FOUND) {
    pack_miss(out);
    return sizeof(pts_cache_entry);
  }
  if (code < 0) return code;
  if ((uint32_t)code > g->size) return 0;
  pts_cache_entry entry;
  describe(g, &entry);
  entry.key_length = 0;
  entry.bytes = (uint32_t)packed_bytes(0, entry.value_length);
  memcpy(out, &entry, sizeof entry);
  return entry.bytes;
}

int32_t pts_cache_get_many(uint32_t cache, const uint8_t *keys, const uint32_t *key_lengths,
                           uint32_t count, uint32_t now, uint32_t flags, uint8_t *out,
                           uint32_t size) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if ((!key_lengths && count) || (!out && size)) return PTS_E_INVALID;
  uint32_t done = 0, at = 0;
  for (; done < count; done++) {
    if (!keys && key_lengths[done]) return PTS_E_INVALID;
    get g;
    g.key = keys, g.key_length = key_lengths[done], g.now = now, g.flags = flags;
    int64_t bytes = answer(c, &g, out + at, size - at);
    if (bytes < 0) return (int32_t)bytes;
    if (bytes == 0) return done ? (int32_t)done : PTS_E_TOO_SMALL;
    if (keys) keys += key_lengths[done];
    at += (uint32_t)bytes;
  }
  return (int32_t)done;
}

/* ---- a whole page ---------------------------------------------------------------------------- */

static uint64_t pack_page(pts_cache *c, uint32_t now, uint32_t flags, uint8_t *out, uint32_t size) {
  const pts_page *page = &c->page;
  uint64_t at = 0;
  for (uint32_t i = 0; i < page->num_slots; i++) {
    uint32_t offset = pts_load_relaxed_u32(&pts_frame_slots(page->frame)[i]);
    pts_page_look look;
    if (offset <= PTS_SLOT_DELETED ||
        !pts_page_look_at(page->frame, page->page_size, page->num_slots, offset, &look))
      continue;
    bool hidden = pts_look_expired(&look, now) || (look.flags & PTS_CACHE_TOMBSTONE);
    if (hidden && !(flags & PTS_CACHE_EXPIRED_TOO)) continue;
    pts_cache_pack(&look, out, size, &at);
  }
  return at;
}

int32_t pts_cache_page(uint32_t cache, uint32_t page, uint32_t now, uint32_t flags, uint8_t *out,
                       uint32_t size) {
  pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  if (page >= c->num_pages || (!out && size)) return PTS_E_INVALID;
  if ((flags & PTS_CACHE_HELD) && c->held != page) return PTS_E_INVALID;
  int32_t code = pts_store_intact(&c->session.store);
  if (code == 0) code = pts_cache_enter(c, page, flags);
  if (code != 0) return code;
  uint64_t bytes = pack_page(c, now, flags, out, size);
  pts_cache_leave(c, flags);
  return bytes <= INT32_MAX ? (int32_t)bytes : PTS_E_TOO_LONG;
}

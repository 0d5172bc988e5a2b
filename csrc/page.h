/*
 * page.h: one page of a cache.
 *
 *   control (outside the page size)          frame (page_size bytes, twice)
 *   +--------------------+ line 0            +--------------------+ 0
 *   | lock word          |                   | header             |  geometry and hints
 *   +--------------------+ line 1            +--------------------+ 32
 *   | n                  |---- n & 1 ------> | slots              |  0, 1 (deleted), or an offset
 *   +--------------------+                   +--------------------+ 32 + 4 * num_slots
 *                                            | entry              |  24 bytes, key, [modseq,]
 *                                            | entry ...          |  value, rounded up to 4
 *                                            +--------------------+ free_data
 *                                            | free               |
 *                                            +--------------------+ page_size
 *
 * The steps. Set: write the entry behind free_data, move free_data behind it, store its offset in
 * the slot. Remove: store 1 in the slot. No room: build what stays in the other frame, store n + 1.
 * Get: load n, find the slot, copy the entry, load n again; a change means again.
 *
 * Why a reader needs no lock: bytes below free_data never change while n stays (but for
 * last_access, a word of its own), since free_data only grows within a frame, and passes an entry
 * before a slot names it. So whatever a slot ever named is whole until the frame is built anew, and
 * n tells that.
 */
#ifndef PTS_PAGE_H
#define PTS_PAGE_H

#include <stdbool.h>
#include <string.h>

#include "atomics.h"
#include "layout.h"
#include "pts_cache.h"

typedef struct pts_page_control {
  pts_lock_line lock;
  uint64_t n; /* 0: never used, its frames are not allocated. Raised by every reorganisation */
  uint64_t reserved[7];
} pts_page_control;
_Static_assert(offsetof(pts_page_control, n) == 64, "page control.n");
_Static_assert(sizeof(pts_page_control) == 128, "page control");

/* A page that is no larger is allocated at once; of a larger one, so much at a time as it fills. */
#define PTS_PAGE_STEP (1u << 20)

#define PTS_FRAME_MAGIC 0x92f7e3b1u
#define PTS_SLOT_EMPTY 0u   /* a search ends here */
#define PTS_SLOT_DELETED 1u /* a search goes on */
#define PTS_MODSEQ_BYTES 8u

typedef struct pts_frame {
  uint32_t magic;     /* PTS_FRAME_MAGIC */
  uint32_t num_slots; /* fixed, like magic, while n selects this frame */
  uint32_t used;      /* hints from here on: how many slots name an entry */
  uint32_t deleted;
  uint32_t free_data;  /* offset of the first byte that no slot ever named */
  uint32_t used_bytes; /* of entries that slots name, rounded up */
  uint32_t reserved[2];
} pts_frame;
_Static_assert(sizeof(pts_frame) == 32, "frame");

typedef struct pts_page_entry {
  uint32_t last_access;
  uint32_t expire_on;
  uint32_t hash;
  uint32_t flags;
  uint32_t key_length;
  uint32_t value_length; /* with the modseq's 8 bytes, which come before the value */
} pts_page_entry;
_Static_assert(sizeof(pts_page_entry) == 24, "page entry");

/* A locked page as its lock's owner knows it: checked. */
typedef struct pts_page {
  pts_page_control *control;
  pts_frame *frame; /* NULL: the page was never used */
  uint64_t n;
  uint32_t number;
  uint32_t page_size;
  uint32_t num_slots;
  uint32_t used, deleted, free_data, used_bytes;
} pts_page;

/* What is to be inserted. */
typedef struct pts_page_new {
  const uint8_t *key, *value;
  const uint64_t *modseq;
  uint32_t key_length, value_length;
  uint32_t hash, flags, now, expire_on;
  uint32_t bytes; /* in the page */
} pts_page_new;

static inline uint32_t *pts_frame_slots(const pts_frame *frame) { return (uint32_t *)(frame + 1); }
static inline uint32_t pts_frame_data_at(uint32_t num_slots) {
  return (uint32_t)sizeof(pts_frame) + 4 * num_slots;
}
static inline pts_page_entry *pts_frame_entry(const pts_frame *frame, uint32_t offset) {
  return (pts_page_entry *)((uintptr_t)frame + offset);
}
/* Bytes for entries in a page with so many slots; 0 when the slots leave none. */
static inline uint32_t pts_page_capacity(uint32_t page_size, uint64_t num_slots) {
  uint64_t taken = sizeof(pts_frame) + 4 * num_slots;
  return taken < page_size ? (uint32_t)(page_size - taken) : 0;
}
/* What an entry takes; lengths together below 2^63. */
static inline uint64_t pts_entry_bytes_for(uint64_t key_length, uint64_t value_length) {
  return (sizeof(pts_page_entry) + key_length + value_length + 3) & ~3ull;
}

/* ---- bytes in a frame ------------------------------------------------------------------------ */

/*
 * Readers copy bytes that may be overwritten meanwhile, and find out after. A compiler must copy
 * them somehow, so a plain memcpy does; only the thread sanitizer needs to be told, by relaxed
 * words.
 */
#if defined(__SANITIZE_THREAD__)
#define PTS_PAGE_WORDS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PTS_PAGE_WORDS 1
#endif
#endif

#ifdef PTS_PAGE_WORDS
static inline uint32_t *pts_word_of(const void *p) {
  return (uint32_t *)((uintptr_t)p & ~(uintptr_t)3);
}
static inline uint8_t pts_shared_byte(const uint8_t *p) {
  uint32_t word = pts_load_relaxed_u32(pts_word_of(p));
  return ((uint8_t *)&word)[(uintptr_t)p & 3];
}
static inline void pts_copy_out(void *to, const void *from, uint32_t size) {
  for (uint32_t i = 0; i < size; i++)
    ((uint8_t *)to)[i] = pts_shared_byte((const uint8_t *)from + i);
}
static inline void pts_copy_in(void *to, const void *from, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    uint8_t *byte = (uint8_t *)to + i;
    uint32_t word = pts_load_relaxed_u32(pts_word_of(byte));
    ((uint8_t *)&word)[(uintptr_t)byte & 3] = ((const uint8_t *)from)[i];
    pts_store_relaxed_u32(pts_word_of(byte), word);
  }
}
/* Between frames: whole words on both sides. */
static inline void pts_copy_across(void *to, const void *from, uint32_t size) {
  for (uint32_t i = 0; i < size / 4; i++)
    pts_store_relaxed_u32((uint32_t *)to + i, pts_load_relaxed_u32((const uint32_t *)from + i));
}
static inline bool pts_same_bytes(const void *shared, const void *own, uint32_t size) {
  for (uint32_t i = 0; i < size; i++)
    if (pts_shared_byte((const uint8_t *)shared + i) != ((const uint8_t *)own)[i]) return false;
  return true;
}
#else
static inline void pts_copy_out(void *to, const void *from, uint32_t size) {
  if (size) memcpy(to, from, size);
}
static inline void pts_copy_in(void *to, const void *from, uint32_t size) {
  if (size) memcpy(to, from, size);
}
static inline void pts_copy_across(void *to, const void *from, uint32_t size) {
  memcpy(to, from, size);
}
static inline bool pts_same_bytes(const void *shared, const void *own, uint32_t size) {
  return size == 0 || memcmp(shared, own, size) == 0;
}
#endif

/* ---- finding --------------------------------------------------------------------------------- */

static inline uint32_t pts_page_hash(const uint8_t *key, uint32_t length) {
  uint32_t h = PTS_FRAME_MAGIC;
  for (const uint8_t *end = key + length; key != end; key++) h = (h << 4) + (h >> 28) + *key;
  return h;
}

/* The frame's number of slots if the frame can be one, else 0. */
static inline uint32_t pts_frame_check(const pts_frame *frame, uint32_t page_size) {
  uint32_t num_slots = pts_load_relaxed_u32(&frame->num_slots);
  if (PTS_UNLIKELY(pts_load_relaxed_u32(&frame->magic) != PTS_FRAME_MAGIC)) return 0;
  if (PTS_UNLIKELY(num_slots > (page_size - sizeof(pts_frame)) / 4)) return 0;
  return num_slots;
}

/* An entry's fields, each loaded once, and only if the whole entry lies inside the page. */
typedef struct pts_page_look {
  uint32_t *slot;
  pts_page_entry *entry;
  uint32_t offset, hash, flags, expire_on, last_access, key_length, value_length;
} pts_page_look;

/* Look at the entry that a slot's value names. false: it cannot be one. */
static inline bool pts_page_look_at(const pts_frame *frame, uint32_t page_size, uint32_t num_slots,
                                    uint32_t offset, pts_page_look *look) {
  if (PTS_UNLIKELY(offset % 4 != 0 || offset < pts_frame_data_at(num_slots) ||
                   offset > page_size - sizeof(pts_page_entry)))
    return false;
  pts_page_entry *entry = pts_frame_entry(frame, offset);
  uint32_t room = page_size - offset - (uint32_t)sizeof *entry;
  look->offset = offset;
  look->entry = entry;
  look->hash = pts_load_relaxed_u32(&entry->hash);
  look->flags = pts_load_relaxed_u32(&entry->flags);
  look->expire_on = pts_load_relaxed_u32(&entry->expire_on);
  look->last_access = pts_load_relaxed_u32(&entry->last_access);
  look->key_length = pts_load_relaxed_u32(&entry->key_length);
  look->value_length = pts_load_relaxed_u32(&entry->value_length);
  if (PTS_UNLIKELY((look->flags & PTS_CACHE_MODSEQ) && look->value_length < PTS_MODSEQ_BYTES))
    return false;
  return look->key_length <= room && look->value_length <= room - look->key_length;
}

static inline const uint8_t *pts_look_key(const pts_page_look *look) {
  return (const uint8_t *)(look->entry + 1);
}
/* The value's bytes in the page; a modseq comes before the value itself. */
static inline const uint8_t *pts_look_value(const pts_page_look *look) {
  return pts_look_key(look) + look->key_length;
}
/* Of an entry whose flags have PTS_CACHE_MODSEQ. */
static inline uint64_t pts_look_modseq(const pts_page_look *look) {
  uint64_t modseq;
  pts_copy_out(&modseq, pts_look_value(look), PTS_MODSEQ_BYTES);
  return modseq;
}
static inline bool pts_look_expired(const pts_page_look *look, uint32_t now) {
  return look->expire_on != 0 && now >= look->expire_on;
}

enum { PTS_FIND_BROKEN = -1, PTS_FIND_MISS = 0, PTS_FIND_HIT = 1 };

/*
 * Search a frame. A hit fills *look. Otherwise look->slot is where the key may be inserted (the
 * first deleted slot on the way, or the empty one at its end; NULL: none). BROKEN: missed, but a
 * slot on the way named nothing that can be an entry.
 */
static inline int pts_page_find(const pts_frame *frame, uint32_t page_size, uint32_t num_slots,
                                uint32_t hash, const uint8_t *key, uint32_t key_length,
                                pts_page_look *look) {
  uint32_t *slots = pts_frame_slots(frame), *end = slots + num_slots;
  uint32_t *slot = slots + hash % num_slots;
  uint32_t *insert_at = NULL;
  int outcome = PTS_FIND_MISS;
  for (uint32_t left = num_slots; left > 0; left--) {
    uint32_t offset = pts_load_acquire_u32(slot); /* pairs with the release in pts_page_insert */
    if (offset == PTS_SLOT_EMPTY) {
      if (!insert_at) insert_at = slot;
      break;
    }
    if (offset == PTS_SLOT_DELETED) {
      if (!insert_at) insert_at = slot;
    } else if (PTS_UNLIKELY(!pts_page_look_at(frame, page_size, num_slots, offset, look))) {
      outcome = PTS_FIND_BROKEN;
    } else if (look->hash == hash && look->key_length == key_length &&
               pts_same_bytes(pts_look_key(look), key, key_length)) {
      look->slot = slot;
      return PTS_FIND_HIT;
    }
    if (++slot == end) slot = slots;
  }
  look->slot = insert_at;
  return outcome;
}

#endif

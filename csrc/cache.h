/*
 * cache.h: a cache attached to its section, and the calls between the files that work on it.
 *
 *   section   +-----------------------------+ section.offset
 *             | header                      |  geometry, shared counters
 *             | worker slots                |  workers_at: 1 + max_workers, number 0 is nobody's
 *             | page controls               |  controls_at: lock word and n of each page
 *             | page 0: frame 0 | frame 1   |  frames_at: two frames of frame_stride bytes a page
 *             | page 1: ...                 |
 *             +-----------------------------+
 *
 * What a frame looks like is in page.h.
 *
 *   cache.c         the section: geometry, making, recognising; pts_cache_open, pts_cache_close
 *   page.c          one page: frames, slots, entries, repair
 *   cache_room.c    which entries go when a page is full, and building the other frame
 *   cache_read.c    get without a lock, copying a page out
 *   cache_write.c   set, take, remove, expunge
 *   cache_lock.c    page locks for callers, named locks
 *   cache_report.c  statistics, the checker
 */
#ifndef PTS_CACHE_INTERNAL_H
#define PTS_CACHE_INTERNAL_H

#include <stdbool.h>

#include "page.h"
#include "pts_cache.h"
#include "session.h"

typedef struct pts_cache_header {
  /* lines 0, 1: geometry, written once before the section is ready */
  uint64_t layout; /* PTS_CACHE_LAYOUT */
  uint64_t workers_at;
  uint64_t controls_at;
  uint64_t frames_at;
  uint64_t frame_stride;
  uint64_t size; /* of the section */
  uint32_t num_pages;
  uint32_t page_size;
  uint32_t start_slots;
  uint32_t max_workers;
  uint64_t reserved0[8];
  /* line 2: shared */
  uint32_t workers_high; /* slots below it have been owned at least once (1: none) */
  uint32_t reserved1;
  uint64_t lock_waits;
  uint64_t repairs;
  uint64_t reads_cleared; /* what the workers' counters came to when statistics were last cleared */
  uint64_t hits_cleared;
  uint64_t reserved2[3];
} pts_cache_header;
_Static_assert(offsetof(pts_cache_header, num_pages) == 48, "cache header.num_pages");
_Static_assert(offsetof(pts_cache_header, workers_high) == 128, "cache header.workers_high");
_Static_assert(sizeof(pts_cache_header) == 192, "cache header");
#define PTS_CACHE_WORKERS_AT 256u

/* Which of pts_worker.counters counts what. Only the slot's owner writes them. */
enum {
  PTS_COUNT_READS,
  PTS_COUNT_HITS,
  PTS_COUNT_WRITES,
  PTS_COUNT_EVICTIONS,
  PTS_COUNT_EXPIRATIONS,
  PTS_COUNT_REFUSED,
  PTS_COUNT_REORGANISED,
  PTS_COUNT_DAMAGE,
  PTS_COUNTS,
};
_Static_assert(PTS_COUNTS <= 16, "a worker slot has 16 counters");

/* Entries of a page by their offset: those that go, then those that stay, in the order in which
 * they are evicted and inserted again. */
typedef struct pts_cache_plan {
  uint32_t *offsets;
  uint64_t *keys;      /* to sort by */
  uint32_t capacity;   /* of both */
  uint32_t count;      /* of offsets */
  uint32_t dropped;    /* of count */
  uint32_t expired;    /* of dropped */
  uint32_t kept_bytes; /* of what stays */
  uint32_t num_slots;  /* of the new frame */
  uint32_t what;       /* PTS_CACHE_EXPIRED, ALL, FOR_ROOM */
} pts_cache_plan;

struct pts_cache_holder;

#define PTS_CACHE_NO_PAGE 0xffffffffu

typedef struct pts_cache {
  pts_session session; /* first */
  /* The section's regions, and its geometry as checked when attaching. */
  pts_cache_header *header;
  pts_page_control *controls;
  uint8_t *frames;
  uint64_t frame_stride;
  uint32_t num_pages, page_size, start_slots;
  uint32_t counts_reads;
  uint64_t *counters; /* of the own worker slot */
  /* This thread's. */
  uint32_t held;   /* the page that the caller has locked, or PTS_CACHE_NO_PAGE */
  uint32_t wanted; /* the room that the last PTS_CACHE_DIRTY_FIRST was about */
  pts_page page;   /* the locked page, while one is locked */
  pts_cache_plan plan;
  struct pts_cache_holder *holders; /* of named locks */
  char *path;                       /* NULL: private */
  bool existed;
} pts_cache;

static inline pts_cache *pts_cache_of(uint32_t number) {
  return (pts_cache *)pts_session_of(PTS_SECTION_CACHE, number);
}

static inline uint32_t pts_cache_page_of(const pts_cache *c, uint32_t hash) {
  return hash % c->num_pages;
}

static inline void pts_cache_count(pts_cache *c, uint32_t which, uint64_t amount) {
  uint64_t *counter = &c->counters[which];
  pts_store_relaxed_u64(counter, pts_load_relaxed_u64(counter) + amount);
}

/* The frame that the word n selects. */
static inline pts_frame *pts_cache_frame(const pts_cache *c, uint32_t page, uint64_t n) {
  return (pts_frame *)(c->frames + (2 * (uint64_t)page + (n & 1)) * c->frame_stride);
}

/* ---- page.c: under the page's lock, on c->page ---- */

/* Look at page `number`, which this thread has locked; repair it first when its owner died or when
 * what it says of itself cannot be. */
void pts_page_load(pts_cache *c, uint32_t number, bool taken_over);
/* Give a page that was never used its frames and an empty state. NO_SPACE. */
int32_t pts_page_make(pts_cache *c);
/* Allocate the page up to byte `end`, which entries will reach, if it is not. NO_SPACE. */
int32_t pts_page_reserve(pts_cache *c, uint32_t end);
/* Write an entry into free space (there is enough, reserved) and publish it in slot. */
void pts_page_insert(pts_cache *c, uint32_t *slot, const pts_page_new *entry);
void pts_page_remove(pts_cache *c, uint32_t *slot);
/* Allocate the other frame up to byte `end`. NO_SPACE. */
int32_t pts_page_reserve_other(pts_cache *c, uint32_t end);
/* Begin the other frame, empty, with so many slots; nobody sees it before pts_page_publish. */
pts_frame *pts_page_begin(pts_cache *c, uint32_t num_slots);
/* Store the new frame's hints and select it. */
void pts_page_publish(pts_cache *c, const pts_page *hints);

/* ---- cache_room.c ---- */

/* Whether an entry of `need` bytes can be inserted as the page is. */
bool pts_cache_has_room(const pts_page *page, uint32_t need);
/* Decide what goes (PTS_CACHE_EXPIRED, ALL, FOR_ROOM) into c->plan. NO_MEMORY. */
int32_t pts_cache_plan_make(pts_cache *c, uint32_t what, uint32_t now, uint32_t need);
bool pts_cache_plan_drops_dirty(const pts_cache *c);
/* Build the other frame from the plan, allocated for `need` bytes more, and publish it.
 * NO_SPACE. */
int32_t pts_cache_plan_apply(pts_cache *c, uint32_t need);
void pts_cache_plan_free(pts_cache_plan *plan);

/* ---- cache_lock.c ---- */

/* Work in page `number`: lock and load it, or with PTS_CACHE_HELD use the one that is held. */
int32_t pts_cache_enter(pts_cache *c, uint32_t number, uint32_t flags);
void pts_cache_leave(pts_cache *c, uint32_t flags);
/* After a reader met damage: repair the page if its lock is free. */
void pts_cache_mend(pts_cache *c, uint32_t number);
void pts_cache_named_release_all(pts_cache *c);

/* ---- cache_read.c ---- */

/* Append a packed entry at *at (if it still fits in size), and advance *at past it in any case.
 * Under the page's lock. */
void pts_cache_pack(const pts_page_look *look, uint8_t *out, uint32_t size, uint64_t *at);

/* ---- cache_report.c ---- */

/* How many invariants the locked page breaks. NO_MEMORY. */
int32_t pts_cache_page_faults(pts_cache *c);

#endif

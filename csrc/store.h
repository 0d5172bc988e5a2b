/*
 * store.h: one open store file: its mapping, its kernel locks, one section of it, one worker slot.
 *
 * Files: mapping.c shares one mapping of a file between the attachments of a process; store.c finds or
 * makes the file and the section; worker.c owns the slot; lock.c has the lock words.
 */
#ifndef PTS_STORE_H
#define PTS_STORE_H

#include "layout.h"
#include "message.h"
#include "platform.h"
#include "pts.h"

typedef struct pts_mapping {
  struct pts_mapping *next;
  uint64_t device, inode;
  uint64_t size;
  uint8_t *base;
  pts_fd fd; /* never closed before the mapping: allocation and size checks go through it */
  uint32_t references;
} pts_mapping;

/* Take over fd and map the file, or close fd and share the process's mapping of it. */
int32_t pts_mapping_acquire(pts_fd fd, const pts_file_id *id, pts_mapping **out);
void pts_mapping_release(pts_mapping *mapping);

typedef struct pts_store {
  pts_mapping *mapping;
  pts_os_locks locks;
  uint32_t kind; /* PTS_SECTION_* */
  uint8_t *section;
  uint64_t section_size;
  uint64_t section_offset; /* in the file */
  uint32_t lock_timeout_ms;
  /* Set by the section's owner before pts_worker_take: */
  pts_worker *workers; /* 1 + max_workers of them */
  uint32_t max_workers;
  uint32_t *workers_high;
  uint64_t *lock_waits;
  uint64_t *repairs;
  /* Set by pts_worker_take: */
  uint32_t slot;
  uint32_t epoch;
} pts_store;

/* How a section is made and recognised; given by metrics.c and cache.c. */
typedef struct pts_section_maker {
  uint32_t kind;
  uint64_t size; /* a multiple of PTS_ALIGN */
  const void *context;
  /* Fill a section of zeros; allocate what it needs from the start through fd at offset. */
  int32_t (*make)(const struct pts_section_maker *maker, uint8_t *section, pts_fd fd,
                  uint64_t offset, pts_message *message);
} pts_section_maker;

/* Find or make the file and the section and map them. On failure nothing stays open. */
int32_t pts_store_open(pts_store *store, const pts_options *options, const pts_section_maker *maker,
                       pts_message *message);
void pts_store_close(pts_store *store);

/* Whether the file is still as long as its mapping; a shorter one would be a SIGBUS. */
int32_t pts_store_intact(const pts_store *store);

/* Allocate [from, to) of the section's bytes, rounded up to whole steps and cut at limit; *mark becomes
 * the new end. Only the mark's owner (slot owner, or holder of the index lock) may call it. */
int32_t pts_store_extend(pts_store *store, uint64_t base, uint64_t *mark, uint64_t to, uint64_t limit);

uint64_t pts_layout_hash(void);

/* ---- worker.c ---- */

/*
 * Own a slot: lock its byte, raise its epoch, lock the byte of (slot, epoch). From then on lock
 * words with this slot and epoch are alive until the descriptor closes, however that happens.
 */
int32_t pts_worker_take(pts_store *store);
/* Whether the owner (slot, epoch) is alive: 1, 0. Doubt is life: nothing is stolen. */
int pts_worker_alive(pts_store *store, uint32_t slot, uint32_t epoch);
static inline pts_worker *pts_worker_self(const pts_store *store) {
  return &store->workers[store->slot];
}

/* ---- lock.c ---- */

enum { PTS_LOCK_TAKEN_OVER = 1 };

/* Take a lock word. 0, or PTS_LOCK_TAKEN_OVER when its owner died holding it (the caller repairs what
 * it guards first, and may die doing so), or LOCK_TIMEOUT. */
int32_t pts_lock_take(pts_store *store, uint64_t *word, uint32_t timeout_ms);
/* One try, no waiting, no takeover: 0 or LOCK_TIMEOUT. */
int32_t pts_lock_try(pts_store *store, uint64_t *word);
void pts_lock_release(pts_store *store, uint64_t *word);

#endif

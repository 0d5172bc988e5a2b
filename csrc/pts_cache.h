/*
 * pts_cache.h: the exported C interface of the cache, beside pts.h.
 *
 * Use, from one thread:
 *
 *   int32_t c = pts_cache_open(&options, message, sizeof message);      // >= 0: a cache
 *   pts_cache_set(c, key, 3, value, 5, now, now + 60, 0, NULL);         // PTS_CACHE_STORED
 *   n = pts_cache_get(c, key, 3, now, 0, buffer, sizeof buffer, NULL);  // 5
 *   pts_cache_close(c);
 *
 * The recipe for a callback under the page's lock (get_and_set):
 *
 *   pts_cache_lock(c, key, 3);
 *   n = pts_cache_get(c, key, 3, now, PTS_CACHE_HELD, ...);
 *   ...the caller computes; any call without PTS_CACHE_HELD is PTS_E_LOCKED...
 *   pts_cache_set(c, key, 3, ..., PTS_CACHE_HELD, NULL);
 *   pts_cache_unlock(c);
 *
 * and for write-back, where dirty entries must be written elsewhere before they make room:
 *
 *   r = pts_cache_set(c, ..., PTS_CACHE_DIRTY | PTS_CACHE_WRITE_BACK, ...);
 *   if (r == PTS_CACHE_DIRTY_FIRST) {                              // page locked, nothing done
 *     pts_cache_victims(c, PTS_CACHE_FOR_ROOM, now, buffer, size); // the dirty ones that go
 *     ...write each of them...
 *     r = pts_cache_set(c, ..., PTS_CACHE_DIRTY | PTS_CACHE_HELD, ...);  // same set, same now
 *     pts_cache_unlock(c);
 *   }
 *
 * Ownership. A cache's number belongs to the thread that opened it; every call with it comes from
 * that thread. A thread that ends without pts_cache_close has it closed by a thread-exit hook, a
 * process that ends by the kernel; a page lock of a dead owner is taken over and its page repaired.
 * Buffers belong to the caller and are only used during the call. A key or value of length 0 may be
 * NULL.
 *
 * Results. As in pts.h: 0 or a positive number is success, failures are PTS_E_*. Every call may
 * give PTS_E_CLOSED and PTS_E_INVALID; those that lock a page also PTS_E_LOCKED (this cache already
 * holds a page, and the call did not say PTS_CACHE_HELD), PTS_E_LOCK_TIMEOUT, PTS_E_NO_SPACE.
 *
 * Time. now, expire_on and last_access are whole seconds since 1970, and now always comes from the
 * caller. expire_on 0 is never; an entry is expired when now >= expire_on.
 *
 * Ordering. What a set stored is seen by every later get of the same thread, and of other threads
 * and processes as soon as the processor shows it. A get sees one whole entry, old or new, never a
 * mixture.
 */
#ifndef PTS_CACHE_H
#define PTS_CACHE_H

#include "pts.h"

/* Flags of pts_cache_open beside PTS_OPEN_*. */
enum {
  PTS_CACHE_COUNT_READS = 256, /* this cache's reads and hits go into the statistics */
};

typedef struct pts_cache_options {
  const char *path;         /* UTF-8, terminated; may be NULL with PTS_OPEN_PRIVATE */
  uint32_t flags;           /* PTS_OPEN_*, PTS_CACHE_COUNT_READS */
  uint32_t permissions;     /* file mode when created, 0: 0600; platform.h: on Windows */
  uint32_t max_workers;     /* caches open at once, over all processes; 0: the file's own, or 256 */
  uint32_t lock_timeout_ms; /* how long a page's lock is waited for; 0: 2000 */
  uint32_t num_pages;       /* 0: the file's own, or 89 when created */
  uint32_t page_size;       /* bytes; 0: the file's own, or 65536 */
  uint32_t start_slots;     /* of each page; 0: the file's own, or 89 */
  uint32_t reserved;        /* 0 */
} pts_cache_options;

/* Open or make. Returns the cache's number (>= 0) or a failure, of which message (UTF-8,
 * terminated, cut to size) says what, why, and what to do. PTS_E_GEOMETRY when the file has other
 * pages than asked for. */
PTS_EXPORT int32_t pts_cache_open(const pts_cache_options *options, char *message,
                                  uint32_t message_size);

/* Detach; a page lock and named locks it holds become free. */
PTS_EXPORT int32_t pts_cache_close(uint32_t cache);

typedef struct pts_cache_shape {
  uint64_t file_bytes;      /* full, sparse size */
  uint64_t allocated_bytes; /* what the file really takes */
  uint32_t num_pages;
  uint32_t page_size;
  uint32_t start_slots;
  uint32_t max_workers;
  uint32_t existed; /* 1: the file was there before this cache opened it */
  uint32_t largest; /* bytes of key, value (and 8 of a modseq) that an empty page holds at most */
  uint32_t my_slot;
  uint32_t my_epoch;
} pts_cache_shape;

PTS_EXPORT int32_t pts_cache_shape_read(uint32_t cache, pts_cache_shape *out);

/* Remove the file's name if it still names this very file. 1: removed, 0: another's, or gone. */
PTS_EXPORT int32_t pts_cache_unlink(uint32_t cache);

/* ---- entries --------------------------------------------------------------------------------- */

/* One word of flags. Bits 0 to 25 are kept in the entry and come back with it; only DIRTY of them
 * means something here. The upper ones are for the call. */
enum {
  PTS_CACHE_DIRTY = 1, /* not yet written to where write-back writes */
  PTS_CACHE_MODSEQ = 1 << 26, /* the entry has a modseq (kept) */
  PTS_CACHE_TOMBSTONE = 1 << 27, /* the trace of a removal, always with a modseq (kept) */
  PTS_CACHE_HELD = 1 << 28, /* this cache holds a page's lock: work there, whatever the key */
  PTS_CACHE_WRITE_BACK = 1 << 29, /* set: PTS_CACHE_DIRTY_FIRST rather than drop dirty entries */
  PTS_CACHE_EXPIRED_TOO = 1 << 29, /* get, take, page: expired ones too (page: also tombstones) */
  PTS_CACHE_PEEK = 1 << 30, /* get: no count, and the last access stays */
};

/* An entry as it leaves the cache; also the header of each packed entry. */
typedef struct pts_cache_entry {
  uint64_t modseq; /* 0 without PTS_CACHE_MODSEQ */
  uint32_t flags;
  uint32_t expire_on;
  uint32_t last_access;
  uint32_t key_length;   /* packed: bytes of key behind the header (0 from pts_cache_get_many) */
  uint32_t value_length; /* packed: bytes of value behind the key; or PTS_CACHE_MISS */
  uint32_t bytes;        /* packed: of header, key, value and padding to 8: the next one's place */
} pts_cache_entry;

#define PTS_CACHE_MISS 0xffffffffu

/*
 * Copy a value into buffer. Returns its length, or PTS_E_NOT_FOUND (none, expired, or a tombstone).
 * A length larger than size: nothing was copied or counted; ask again with more room (the page size
 * always suffices). buffer NULL with size 0 and a value of any length: counts as a read, copies
 * nothing (exists). entry, unless NULL, is filled in when there is one. No lock in the usual case;
 * a broken entry is a miss and counted as damage. With PTS_CACHE_EXPIRED_TOO look at
 * entry->expire_on; an expired one counts as no hit.
 */
PTS_EXPORT int32_t pts_cache_get(uint32_t cache, const uint8_t *key, uint32_t key_length,
                                 uint32_t now, uint32_t flags, uint8_t *buffer, uint32_t size,
                                 pts_cache_entry *entry);

enum {
  PTS_CACHE_TOO_LARGE = 0,   /* an empty page could not hold it; nothing was evicted */
  PTS_CACHE_STORED = 1,
  PTS_CACHE_REFUSED = 2,     /* by the modseq of a live entry or tombstone; nothing was evicted */
  PTS_CACHE_KEPT = 3,        /* a tombstone that is no news: nothing changed, and that is success */
  PTS_CACHE_DIRTY_FIRST = 4, /* PTS_CACHE_WRITE_BACK: nothing done, this cache holds the page */
};

/*
 * Store an entry, evicting others for it as the page needs. modseq may be NULL; otherwise give
 * PTS_CACHE_MODSEQ. Remove with a modseq is a set with PTS_CACHE_MODSEQ | PTS_CACHE_TOMBSTONE and
 * no value.
 */
PTS_EXPORT int32_t pts_cache_set(uint32_t cache, const uint8_t *key, uint32_t key_length,
                                 const uint8_t *value, uint32_t value_length, uint32_t now,
                                 uint32_t expire_on, uint32_t flags, const uint64_t *modseq);

/* Remove, expired or tombstone or not. Returns 1 and in *flags (unless NULL) what the entry had; 0:
 * none. */
PTS_EXPORT int32_t pts_cache_remove(uint32_t cache, const uint8_t *key, uint32_t key_length,
                                    uint32_t call_flags, uint32_t *flags);

/* Get and remove in one step under the page's lock; as pts_cache_get, and a length larger than size
 * (or buffer NULL with size 0, which copies nothing but removes) likewise. */
PTS_EXPORT int32_t pts_cache_take(uint32_t cache, const uint8_t *key, uint32_t key_length,
                                  uint32_t now, uint32_t flags, uint8_t *buffer, uint32_t size,
                                  pts_cache_entry *entry);

/*
 * Many keys of any pages (with PTS_CACHE_HELD: all in the held page). keys: their bytes one after
 * the other, lengths in key_lengths. out receives packed entries without keys, in order, a header
 * with value_length PTS_CACHE_MISS for a miss. Returns how many were answered: fewer than count
 * when out is full, then call again for the rest; PTS_E_TOO_SMALL when not even the first one fits.
 * out is 8-aligned.
 */
PTS_EXPORT int32_t pts_cache_get_many(uint32_t cache, const uint8_t *keys,
                                      const uint32_t *key_lengths, uint32_t count, uint32_t now,
                                      uint32_t flags, uint8_t *out, uint32_t size);

/* One item of pts_cache_set_many. */
typedef struct pts_cache_item {
  uint32_t key_length;
  uint32_t value_length;
  uint32_t expire_on;
  uint32_t flags; /* as of pts_cache_set, without the call's */
} pts_cache_item;

/*
 * bytes: key, value, key, value... without gaps. flags: PTS_CACHE_HELD, PTS_CACHE_WRITE_BACK.
 * results (count bytes) receives for each item what pts_cache_set would return; with
 * PTS_CACHE_DIRTY_FIRST no lock is kept: store that one by pts_cache_set. An item whose page could
 * not be locked or allocated has a negative result (as int8_t). No modseq. Returns how many were
 * stored.
 */
PTS_EXPORT int32_t pts_cache_set_many(uint32_t cache, const uint8_t *bytes,
                                      const pts_cache_item *items, uint32_t count, uint32_t now,
                                      uint32_t flags, int8_t *results);

/* ---- pages ----------------------------------------------------------------------------------- */

/* Lock the page of a key, or one by number. Returns the page's number. One page at a time:
 * PTS_E_LOCKED. */
PTS_EXPORT int32_t pts_cache_lock(uint32_t cache, const uint8_t *key, uint32_t key_length);
PTS_EXPORT int32_t pts_cache_lock_page(uint32_t cache, uint32_t page);
/* PTS_E_NOT_FOUND when this cache holds none. */
PTS_EXPORT int32_t pts_cache_unlock(uint32_t cache);
/* The number of the page that this cache holds, or PTS_E_NOT_FOUND. */
PTS_EXPORT int32_t pts_cache_locked(uint32_t cache);

/*
 * Copy out a page's entries as they are at one moment, packed with keys and values, in the order of
 * their slots; expired ones and tombstones only with PTS_CACHE_EXPIRED_TOO. Returns the bytes; when
 * that is more than size, out is incomplete: ask again with that much (twice the page size always
 * suffices). Locks the page for the copy, or give PTS_CACHE_HELD. out is 8-aligned.
 */
PTS_EXPORT int32_t pts_cache_page(uint32_t cache, uint32_t page, uint32_t now, uint32_t flags,
                                  uint8_t *out, uint32_t size);

/* What is to go. */
enum {
  PTS_CACHE_EXPIRED = 0,  /* entries and tombstones that have expired */
  PTS_CACHE_ALL = 1,
  PTS_CACHE_FOR_ROOM = 2, /* what the last PTS_CACHE_DIRTY_FIRST wants room from */
};

/* Of what is to go from the held page, the dirty entries (no tombstones), packed; sizes as in
 * pts_cache_page. */
PTS_EXPORT int32_t pts_cache_victims(uint32_t cache, uint32_t what, uint32_t now, uint8_t *out,
                                     uint32_t size);

#define PTS_CACHE_EVERY_PAGE 0xffffffffu

/* Drop PTS_CACHE_EXPIRED or PTS_CACHE_ALL from a page or from every page, one lock at a time
 * (flags: PTS_CACHE_HELD for the held page). Returns how many entries went. */
PTS_EXPORT int32_t pts_cache_expunge(uint32_t cache, uint32_t page, uint32_t what, uint32_t now,
                                     uint32_t flags);

/* ---- named locks ----------------------------------------------------------------------------- */

/* A lock by name over all threads and processes, freed by the kernel when its holder ends; two
 * names may share one. Never waits: PTS_E_LOCKED. Returns a holder's number, for
 * pts_cache_named_release. */
PTS_EXPORT int32_t pts_cache_named_try(uint32_t cache, const uint8_t *name, uint32_t length);
PTS_EXPORT int32_t pts_cache_named_release(uint32_t cache, uint32_t holder);

/* ---- the cache about itself ------------------------------------------------------------------ */

/* The system's cheapest clock, for `now`: seconds since 1970, a few milliseconds late. */
PTS_EXPORT uint32_t pts_cache_clock(void);

typedef struct pts_cache_statistics {
  uint64_t reads, hits;    /* since the last clearing; of caches with PTS_CACHE_COUNT_READS */
  uint64_t writes;         /* entries stored */
  uint64_t entries, bytes; /* there now, expired ones and tombstones too; as pages count them */
  uint64_t pages_used;     /* pages that ever held something */
  uint64_t evictions;      /* entries dropped for room before they expired */
  uint64_t expirations;    /* expired entries dropped */
  uint64_t refused;        /* sets: too large, by modseq, or for lack of space */
  uint64_t reorganised;    /* times a page was rebuilt */
  uint64_t lock_waits, repairs, damage;
  uint64_t workers_live;
} pts_cache_statistics;

enum {
  PTS_CACHE_CLEAR = 1, /* reads and hits count from 0 after this, for everybody */
};

PTS_EXPORT int32_t pts_cache_statistics_read(uint32_t cache, uint32_t flags,
                                             pts_cache_statistics *out);

/* Verify every invariant of every page, each under its lock. The report (UTF-8, terminated, cut to
 * size) has a line for each finding. Returns the number of findings. */
PTS_EXPORT int32_t pts_cache_check(uint32_t cache, char *report, uint32_t report_size);
/* Mend every page, each under its lock: entries that are broken are dropped, and counted as damage.
 * Returns how many things were mended. */
PTS_EXPORT int32_t pts_cache_repair(uint32_t cache);

#endif

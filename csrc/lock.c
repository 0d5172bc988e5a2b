/*
 * Lock words: exclusion between threads and processes alike, freed when their owner dies.
 *
 * I1: the word is 0, or (slot, epoch) of the one owner, with a bit that says somebody may be asleep.
 * I2: only two stores change the owner: from 0 by compare-and-swap, and from exactly the word of a dead
 *     owner by compare-and-swap. A dead owner's (slot, epoch) is never written again (worker.c I2),
 *     so one waiter wins and no living owner loses it.
 * I3: a waiter sleeps only after it has seen the word with the bit set, and whoever takes the word after
 *     waiting keeps the bit: a release with the bit wakes one. A wake-up that is lost all the same
 *     (its receiver was killed) costs one slice, as every sleep is bounded.
 * I4: two threads of one attachment have one (slot, epoch): a scrape beside the event loop lets series leave
 *     (expire.c) while the loop sets some. For each the other is an owner that lives, to be waited for.
 *
 * The release in pts_lock_release pairs with the compare-and-swap in pts_lock_take: what the last owner
 * wrote is seen by the next. tests/models/lock_test.ts explores it with kills.
 */
#include "atomics.h"
#include "points.h"
#include "store.h"

#define SPINS 128u
#define FIRST_SLICE_MS 2u
#define LAST_SLICE_MS 16u

static uint64_t word_of(const pts_store *store) { return PTS_LOCK_WORD(store->slot, store->epoch); }

static bool take_free(uint64_t *word, uint64_t mine) {
  uint64_t expected = 0;
  return pts_cas_u64(word, &expected, mine);
}

static bool spin(uint64_t *word, uint64_t mine) {
  for (uint32_t i = 0; i < SPINS; i++) {
    pts_cpu_relax();
    if (pts_load_relaxed_u64(word) == 0 && take_free(word, mine)) return true;
  }
  return false;
}

static int32_t take_slow(pts_store *store, uint64_t *word, uint32_t timeout_ms) {
  uint64_t mine = word_of(store);
  if (spin(word, mine)) return 0;

  pts_fetch_add_u64(store->lock_waits, 1);
  uint64_t deadline = pts_os_monotonic_ms() + timeout_ms;
  uint32_t slice = FIRST_SLICE_MS;
  for (;;) {
    uint64_t seen = pts_load_acquire_u64(word);
    if (seen == 0) {
      if (take_free(word, mine | PTS_LOCK_WAITERS)) return 0;
      continue;
    }
    if (!(seen & PTS_LOCK_WAITERS)) {
      if (!pts_cas_u64(word, &seen, seen | PTS_LOCK_WAITERS)) continue;
      seen |= PTS_LOCK_WAITERS;
    }
    pts_os_wait(word, (uint32_t)seen, slice);
    if (pts_load_acquire_u64(word) == seen &&
        !pts_worker_alive(store, PTS_LOCK_WORD_SLOT(seen), PTS_LOCK_WORD_EPOCH(seen))) {
      if (!pts_cas_u64(word, &seen, mine | PTS_LOCK_WAITERS)) continue;
      PTS_POINT();
      pts_fetch_add_u64(store->repairs, 1);
      return PTS_LOCK_TAKEN_OVER;
    }
    if (pts_os_monotonic_ms() >= deadline) return PTS_E_LOCK_TIMEOUT;
    if (slice < LAST_SLICE_MS) slice *= 2;
  }
}

int32_t pts_lock_take(pts_store *store, uint64_t *word, uint32_t timeout_ms) {
  int32_t code = 0;
  if (PTS_UNLIKELY(!take_free(word, word_of(store)))) code = take_slow(store, word, timeout_ms);
  PTS_POINT();
  return code;
}

int32_t pts_lock_try(pts_store *store, uint64_t *word) {
  return take_free(word, word_of(store)) ? 0 : PTS_E_LOCK_TIMEOUT;
}

void pts_lock_release(pts_store *store, uint64_t *word) {
  uint64_t expected = word_of(store);
  while ((expected & ~PTS_LOCK_WAITERS) == word_of(store)) {
    if (pts_cas_u64(word, &expected, 0)) {
      PTS_POINT();
      if (expected & PTS_LOCK_WAITERS) pts_os_wake(word);
      return;
    }
  }
  /* The word is not ours: the file was damaged from outside. Leave it to its owner. */
}

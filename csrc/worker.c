/*
 * Worker slots: who is alive, as only the kernel knows it.
 *
 * I1: whoever holds the byte of a slot is the slot's only owner, and the only one who raises its epoch.
 * I2: a pair (slot, epoch) is owned at most once in the store's life; its byte is held exactly while that
 *     owner lives. So a dead owner stays dead although the slot has a new owner.
 * I3: nobody writes a lock word or a live block with (slot, epoch) before that byte is locked.
 */
#include "atomics.h"
#include "points.h"
#include "store.h"

static int32_t own(pts_store *store, uint32_t slot) {
  pts_worker *worker = &store->workers[slot];
  uint32_t epoch = pts_load_acquire_u32(&worker->epoch) + 1;
  if (epoch == 0) epoch = 1;
  pts_store_release_u32(&worker->epoch, epoch);
  PTS_POINT();
  int32_t code = pts_os_lock(&store->locks, PTS_LOCK_OWNER(store->kind, slot, epoch));
  if (code != 0) return code;
  PTS_POINT();
  pts_store_relaxed_u32(&worker->pid, pts_os_pid());
  pts_store_relaxed_u64(&worker->since_ms, pts_os_clock_ms());
  store->slot = slot;
  store->epoch = epoch;

  uint32_t high = pts_load_acquire_u32(store->workers_high);
  while (high <= slot && !pts_cas_u32(store->workers_high, &high, slot + 1)) {
  }
  PTS_POINT();
  return 0;
}

int32_t pts_worker_take(pts_store *store) {
  for (uint32_t slot = 1; slot <= store->max_workers; slot++) {
    int32_t code = pts_os_lock(&store->locks, PTS_LOCK_SLOT(store->kind, slot));
    if (code == PTS_E_LOCKED) continue;
    if (code != 0) return code;
    PTS_POINT();
    return own(store, slot);
  }
  return PTS_E_WORKERS_FULL;
}

int pts_worker_alive(pts_store *store, uint32_t slot, uint32_t epoch) {
  if (slot == 0 || slot > store->max_workers || epoch == 0) return 0;
  if (slot == store->slot && epoch == store->epoch) return 1;
  return pts_os_lock_held(&store->locks, PTS_LOCK_OWNER(store->kind, slot, epoch)) != 0;
}

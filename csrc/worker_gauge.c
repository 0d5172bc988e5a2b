/*
 * Gauges with a value for each worker, of which a scrape makes one: the sum, the smallest, the largest, the
 * last one set, or a line for each.
 *
 * I1: a block counts while its tag is current. In a gauge of living workers, its (slot, epoch) must also be
 *     alive, as the kernel knows it; elsewhere what a dead worker left stays.
 * I2: the next owner of a slot finds its predecessor's value in the block that is now its own. What of it must
 *     go on counting becomes `base`, kept by the handle, and the cell holds base and own value in one: their sum,
 *     the smaller, the larger. So a takeover needs no second cell, and every update is one store. Modes that
 *     show a worker for itself (all, live ones) start anew.
 * I3: a value with its time (most recent) is written into the pair that is not shown, then shown by one store.
 */
#include <math.h>

#include "atomics.h"
#include "metrics.h"
#include "points.h"

static bool keeps_base(const pts_handle *h) {
  pts_traits traits = pts_handle_traits(h);
  return !pts_only_living(&traits) && h->merge != PTS_MERGE_ALL;
}

static uint64_t own_epoch(const pts_attachment *a) { return a->session.store.epoch; }

static uint32_t value_cell(const pts_handle *h) {
  return h->kind == PTS_KIND_RECENT ? PTS_CELL_RECENT_VALUES : PTS_CELL_LIVE_VALUE;
}

static double combine(const pts_handle *h, double own) {
  if (!(h->flags & PTS_HANDLE_HAS_BASE)) return own;
  switch (h->merge) {
  case PTS_MERGE_MIN:
    return h->base < own ? h->base : own;
  case PTS_MERGE_MAX:
    return h->base > own ? h->base : own;
  default:
    return h->base + own;
  }
}

/* With a base, only a sum may be added to without looking at it. */
static uint32_t fast_of(const pts_handle *h) {
  if (h->flags & PTS_HANDLE_TTL || h->kind == PTS_KIND_RECENT) return 0;
  if (!(h->flags & PTS_HANDLE_HAS_BASE)) return PTS_FAST_ADD | PTS_FAST_SET;
  return h->merge == PTS_MERGE_SUM ? PTS_FAST_ADD : 0;
}

/* The pair that is not shown, then shown (I3). */
static void write_recent(uint64_t *block, double value) {
  uint64_t n = pts_load_relaxed_u64(&block[PTS_CELL_RECENT_N]) + 1;
  uint64_t *pair = &block[PTS_CELL_RECENT_VALUES + 2 * (n & 1)];
  pts_fence_release();
  pts_store_relaxed_u64(&pair[0], pts_bits_of(value));
  pts_store_relaxed_u64(&pair[1], pts_bits_of((double)pts_os_clock_us()));
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_RECENT_N], n);
  PTS_POINT();
}

/* What own_part did beside failure. */
enum {
  STARTED = 1,  /* the block is new and holds the value that was given */
  FOLLOWED = 2, /* the block is a predecessor's, whose part is the base now */
};

/* Make the block this worker's own; `first` is what a new one starts with. */
static int32_t own_part(pts_attachment *a, pts_handle *h, double first) {
  uint64_t head;
  int32_t code = pts_head_for_update(a, h, &head);
  if (code == 0) code = pts_own_space(a, h);
  if (code != 0) return code;
  if (PTS_HEAD_MODE(head) != PTS_MODE_SHARDED) return PTS_E_DAMAGED;
  uint64_t generation = pts_load_acquire_u64(a->generation);
  uint64_t tag = PTS_TAG(generation, PTS_HEAD_GENERATION(head)), *own = pts_own_cells(a, h);
  bool current = pts_load_relaxed_u64(&own[PTS_CELL_TAG]) == tag;
  bool mine = current && pts_load_relaxed_u64(&own[PTS_CELL_LIVE_EPOCH]) == own_epoch(a);
  bool follow = current && !mine && keeps_base(h);
  if (follow) {
    h->base = pts_double_of(pts_load_relaxed_u64(&own[value_cell(h)]));
    if (h->kind == PTS_KIND_LIVE) h->flags |= PTS_HANDLE_HAS_BASE;
    h->mine = 0;
  } else if (!mine) {
    h->flags &= (uint8_t)~PTS_HANDLE_HAS_BASE;
    h->mine = 0;
    if (!pts_start_block(a, h, tag, value_cell(h), first)) return PTS_E_STALE;
  }
  pts_remember(h, head, generation, own + value_cell(h), fast_of(h));
  return follow ? FOLLOWED : mine ? 0 : STARTED;
}

/* After the value, so that a predecessor's epoch stands until then: killed before, the next one follows it. */
static void sign(const pts_attachment *a, const pts_handle *h) {
  PTS_POINT();
  pts_store_release_u64(&pts_own_cells(a, h)[PTS_CELL_LIVE_EPOCH], own_epoch(a));
}

int32_t pts_worker_gauge_set(pts_attachment *a, pts_handle *h, double value) {
  int32_t code = own_part(a, h, value);
  if (code < 0) return code;
  h->mine = value;
  if (code == STARTED) return 0;
  if (h->kind == PTS_KIND_RECENT)
    write_recent(pts_own_cells(a, h), value);
  else
    pts_store_release_u64(h->cell, pts_bits_of(combine(h, value)));
  if (code == FOLLOWED) sign(a, h);
  return 0;
}

/* This worker's own part so far. Fast additions and sets go past `mine`: where they may, the cell tells. */
static double own_value(const pts_handle *h, int32_t found) {
  if (found != 0) return 0;
  if (h->kind == PTS_KIND_RECENT) return h->mine;
  double cell = pts_double_of(pts_load_relaxed_u64(h->cell));
  if (!(h->flags & PTS_HANDLE_HAS_BASE)) return cell;
  return h->merge == PTS_MERGE_SUM ? cell - h->base : h->mine;
}

int32_t pts_worker_gauge_add(pts_attachment *a, pts_handle *h, double amount) {
  int32_t code = own_part(a, h, amount);
  if (code < 0) return code;
  if (code == STARTED) {
    h->mine = amount;
    return 0;
  }
  if (h->kind == PTS_KIND_LIVE && h->merge == PTS_MERGE_SUM) {
    /* without a detour over the own part, which could round */
    double cell = pts_double_of(pts_load_relaxed_u64(h->cell));
    pts_store_release_u64(h->cell, pts_bits_of(cell + amount));
  } else {
    double value = own_value(h, code) + amount;
    if (h->kind == PTS_KIND_RECENT)
      write_recent(pts_own_cells(a, h), value);
    else
      pts_store_release_u64(h->cell, pts_bits_of(combine(h, value)));
    h->mine = value;
  }
  if (code == FOLLOWED) sign(a, h);
  return 0;
}

/*
 * Observations: histograms and summaries.
 *
 * I1: an observation of a histogram first writes what it will do into the slot's redo record, then makes the
 *     block's sequence odd, writes, makes it even. Whoever finds it odd, and its owner gone, can finish it.
 *     tests/models/histogram_test.ts.
 * I2: one of a summary is published by one store (summary.c).
 */
#include <math.h>

#include "cell.h"
#include "points.h"
#include "summary.h"

/* ---- histograms ----------------------------------------------------------------------------------- */

/* Into the own block, which is current. */
static inline void observe_own(const pts_attachment *a, const pts_handle *h, double value) {
  uint64_t *block = h->cell;
  uint32_t bucket = pts_bucket_of(h, value);
  uint64_t *cell = &block[PTS_CELL_COUNTS + bucket];
  uint64_t count = pts_load_relaxed_u64(cell) + 1;
  uint64_t sum = pts_bits_of(pts_double_of(pts_load_relaxed_u64(&block[PTS_CELL_SUM])) + value);
  uint64_t odd = pts_load_relaxed_u64(&block[PTS_CELL_SEQUENCE]) | 1;

  pts_redo *redo = a->redo;
  pts_fence_release(); /* the last observation's even sequence before this one's redo record */
  pts_store_relaxed_u64(&redo->where, PTS_REDO(h->place, bucket));
  pts_store_relaxed_u64(&redo->count, count);
  pts_store_relaxed_u64(&redo->sum, sum);
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_SEQUENCE], odd);
  PTS_POINT();
  pts_fence_release(); /* the odd sequence before the cells; pairs with reading.c's acquire fence */
  pts_store_relaxed_u64(cell, count);
  PTS_POINT();
  pts_store_relaxed_u64(&block[PTS_CELL_SUM], sum);
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_SEQUENCE], odd + 1);
}

/* Of a family that nobody has declared, and with a block that is as it was: only that look is to be made. */
static bool only_undeclared(const pts_attachment *a, const pts_handle *h) {
  return (h->fast & PTS_FAST_UNDECLARED) && !(h->flags & PTS_HANDLE_TTL) && h->cell && pts_seen(a, h);
}

static PTS_COLD int32_t observe_slow(pts_attachment *a, pts_handle *h, double value) {
  int32_t code;
  if (h->kind != PTS_KIND_HISTOGRAM) return PTS_E_INVALID;
  do {
    if ((h->fast & PTS_FAST_UNDECLARED) && pts_series_declared(a, h->record)) return PTS_E_MISMATCH;
    code = only_undeclared(a, h) ? 0 : pts_own_block(a, h, 0);
    if (code == PTS_NOT_SHARDED) code = PTS_E_DAMAGED;
    if (code < 0) break;
    observe_own(a, h, value);
    code = h->flags & PTS_HANDLE_TTL ? pts_confirm(a, h) : 0;
  } while (code == PTS_AGAIN);
  return pts_counted(a, h, code);
}

int32_t pts_observe(uint32_t attachment, uint32_t handle, double value) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return pts_no_handle(attachment, handle);
  if (PTS_UNLIKELY(!(h->fast & PTS_FAST_OBSERVE) || !pts_seen(a, h))) return observe_slow(a, h, value);
  observe_own(a, h, value);
  return 0;
}

static PTS_COLD int32_t observe_at_slow(pts_attachment *a, pts_handle *h, double value, double now_ms) {
  int32_t code;
  if (h->kind != PTS_KIND_SUMMARY) return PTS_E_INVALID;
  if (h->bounds[PTS_BOUND_MAX_AGE] > 0 && !isfinite(now_ms)) return PTS_E_INVALID;
  do {
    code = pts_own_block(a, h, 0);
    if (code == PTS_NOT_SHARDED) code = PTS_E_DAMAGED;
    if (code < 0) break;
    code = pts_summary_observe(h->cell, h->words, h->bounds, value, now_ms);
    if (code == 0 && (h->flags & PTS_HANDLE_TTL)) code = pts_confirm(a, h);
  } while (code == PTS_AGAIN);
  return pts_counted(a, h, code);
}

int32_t pts_observe_at(uint32_t attachment, uint32_t handle, double value, double now_ms) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return pts_no_handle(attachment, handle);
  if (PTS_UNLIKELY(!isfinite(value))) return PTS_E_INVALID;
  if (PTS_UNLIKELY(!(h->fast & PTS_FAST_OBSERVE_AT) || !pts_seen(a, h)))
    return observe_at_slow(a, h, value, now_ms);
  return pts_counted(a, h, pts_summary_observe(h->cell, h->words, h->bounds, value, now_ms));
}

/* The redo record describes the one block whose sequence is odd, if any; finishing it twice is the
 * same as once. Everything in it is checked: it comes from the file. */
void pts_cell_take_over(pts_attachment *a, uint32_t slot) {
  const pts_redo *redo = &a->session.store.workers[slot].redo;
  uint64_t where = pts_load_relaxed_u64(&redo->where);
  uint64_t at = (uint64_t)PTS_REDO_PLACE(where) * 8, bucket = PTS_REDO_BUCKET(where);
  uint64_t mark = pts_shard_mark(a, slot);
  if (at == 0 || bucket > PTS_MAX_BOUNDS) return;
  if (at > mark || (PTS_CELL_COUNTS + bucket + 1) * 8 > mark - at) return;
  uint64_t *block = (uint64_t *)(void *)(pts_shard(a, slot) + at);
  uint64_t sequence = pts_load_acquire_u64(&block[PTS_CELL_SEQUENCE]);
  if (!(sequence & 1)) return;
  pts_fence_release(); /* the odd sequence before what is finished now, for readers under way */
  pts_store_relaxed_u64(&block[PTS_CELL_COUNTS + bucket], pts_load_relaxed_u64(&redo->count));
  PTS_POINT();
  pts_store_relaxed_u64(&block[PTS_CELL_SUM], pts_load_relaxed_u64(&redo->sum));
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_SEQUENCE], sequence + 1);
  pts_fetch_add_u64(&a->metrics->repairs, 1);
}

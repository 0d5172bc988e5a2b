/*
 * cell.h: what the files that update cells share (cell.c, observe.c, exemplar.c).
 */
#ifndef PTS_CELL_H
#define PTS_CELL_H

#include "metrics.h"

/* Still what the handle saw? Acquire: what follows must not be done under an older view. */
static inline bool pts_seen(const pts_attachment *a, const pts_handle *h) {
  return pts_load_acquire_u64(&h->record->head) == h->head_seen &&
         pts_load_acquire_u64(a->generation) == h->generation_seen;
}

/* The first bound that is not below value; the last bucket for none and for NaN. Bounds ascend, so that is
 * how many are below: counted without a branch that random values would mispredict. */
static inline uint32_t pts_bucket_of(const pts_handle *h, double value) {
  uint32_t low = 0, high = h->bound_count; /* the answer is in [low, high] */
  while (high - low > 32) {
    uint32_t middle = (low + high) / 2;
    if (value <= h->bounds[middle])
      high = middle;
    else
      low = middle + 1;
  }
  uint32_t below = low;
  for (uint32_t i = low; i < high; i++) below += !(value <= h->bounds[i]);
  return below;
}

/* What pts_own_block did beside success and failure. */
enum {
  PTS_NOT_SHARDED = 1, /* nothing: the series is shared by now */
  PTS_STARTED = 2,     /* the block is new and holds `first` */
};

/* Make the own block of a value, histogram or summary current and the handle fast. */
int32_t pts_own_block(pts_attachment *a, pts_handle *h, double first);

/* Passes what an update returns on; damage is counted. */
static inline int32_t pts_counted(pts_attachment *a, const pts_handle *h, int32_t code) {
  if (PTS_UNLIKELY(code == PTS_E_DAMAGED)) pts_damage_at(a, h->record);
  return code;
}

/* What pts_confirm found beside failure: 0, or that the update must be made again. */
enum { PTS_AGAIN = 1 };

/* After an update of a family with a ttl (cell.c I6): is the series still the one that was updated? */
int32_t pts_confirm(const pts_attachment *a, const pts_handle *h);

#endif

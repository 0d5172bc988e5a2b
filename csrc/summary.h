/*
 * summary.h: summaries, which are count, sum and quantiles of what was observed.
 *
 * layout.h draws a block; summary.c writes it and says why it is right after every single store;
 * summary_read.c asks all shards; summary_block.h is what both know of a block.
 */
#ifndef PTS_SUMMARY_H
#define PTS_SUMMARY_H

#include "points.h"
#include "reading.h"

/* The first two of a summary's bounds; its quantiles follow. */
enum { PTS_BOUND_MAX_AGE = 0, PTS_BOUND_AGE_BUCKETS = 1, PTS_BOUND_QUANTILES = 2 };

bool pts_summary_bounds_hold(const double *bounds, uint32_t count);
/* Of the block, for bounds that hold. */
uint32_t pts_summary_words(const double *bounds);
/* Whether a block may have so many. */
bool pts_summary_words_hold(uint32_t words);

static inline uint32_t pts_summary_newest_at(uint64_t p) {
  return PTS_CELL_SUMMARY_FRAMES + ((uint32_t)(p >> 8) & 0xffu) * PTS_FRAME_WORDS;
}
/* Whether a window that began then is still the newest. Without a window one lasts for ever. */
static inline bool pts_summary_lasts(const double *bounds, double begin, double now_ms) {
  double max_age = bounds[PTS_BOUND_MAX_AGE];
  if (max_age == 0) return true;
  double age = (now_ms - begin) * bounds[PTS_BOUND_AGE_BUCKETS];
  return age < max_age && age >= -max_age;
}

/* Fill a block that starts anew, but for its tag. */
void pts_summary_start(uint64_t *block, uint32_t words);
/* Make room in the buffer, in the window of now. INVALID, DAMAGED. */
int32_t pts_summary_turn(uint64_t *block, uint32_t words, const double *bounds, double now_ms);

/* Into the own block, which is current. One store publishes it: the buffer's count. */
static inline int32_t pts_summary_observe(uint64_t *block, uint32_t words, const double *bounds,
                                          double value, double now_ms) {
  uint64_t p = pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]);
  uint64_t *filled = &block[PTS_CELL_SUMMARY_FILLED + (p & 1)];
  uint64_t count = pts_load_relaxed_u64(filled);
  uint32_t frame = pts_summary_newest_at(p);
  if (PTS_UNLIKELY(frame + PTS_FRAME_WORDS > words)) return PTS_E_DAMAGED;
  double begin = pts_double_of(pts_load_relaxed_u64(&block[frame + PTS_FRAME_BEGIN]));
  if (PTS_UNLIKELY(count >= PTS_SUMMARY_BUFFER || !pts_summary_lasts(bounds, begin, now_ms))) {
    int32_t code = pts_summary_turn(block, words, bounds, now_ms);
    if (code != 0) return code;
    p = pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]);
    filled = &block[PTS_CELL_SUMMARY_FILLED + (p & 1)];
    count = 0;
  }
  uint64_t *buffer = &block[PTS_CELL_SUMMARY_BUFFERS + (p & 1) * PTS_SUMMARY_BUFFER];
  pts_store_relaxed_u64(&buffer[count], pts_bits_of(value));
  PTS_POINT();
  pts_store_release_u64(filled, count + 1);
  return 0;
}

/* ---- summary_read.c ---- */

/* What a summary stands at, over all shards. */
typedef struct pts_summary_reading {
  double count, sum;
  uint32_t quantile_count;
  double quantiles[PTS_MAX_QUANTILES];
  double values[PTS_MAX_QUANTILES]; /* NaN: nothing was observed in the window, or no memory for it */
} pts_summary_reading;

/* False when the series does not exist. */
bool pts_summary_read(pts_attachment *a, pts_view *view, const pts_record *record, double now_ms,
                      pts_summary_reading *out);
/* The same without quantiles, for which nothing is merged. */
bool pts_summary_totals(pts_attachment *a, pts_view *view, const pts_record *record, double *count,
                        double *sum);

/* ---- summary.c, for the checker ---- */

/* What is wrong with a block, or NULL. */
const char *pts_summary_fault(const uint64_t *block, uint32_t words);

#endif

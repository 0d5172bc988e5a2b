/*
 * summary_block.h: a summary's block as its owner, readers and the checker look at it. Nothing in the file is
 * believed: counts are bounded, and what is no number or out of order is left out.
 */
#ifndef PTS_SUMMARY_BLOCK_H
#define PTS_SUMMARY_BLOCK_H

#include <math.h>

#include "digest.h"
#include "summary.h"

/* What P says, and whether that can be. */
typedef struct pts_summary_place {
  uint64_t p;
  uint32_t frames, newest, spare, buffer;
} pts_summary_place;

static inline bool pts_summary_locate(uint64_t p, uint32_t words, pts_summary_place *at) {
  *at = (pts_summary_place){.p = p,
                            .frames = (words - PTS_CELL_SUMMARY_FRAMES) / PTS_FRAME_WORDS,
                            .newest = (uint32_t)(p >> 8) & 0xff,
                            .spare = (uint32_t)(p >> 16) & 0xff,
                            .buffer = p & 1};
  return at->newest < at->frames && at->spare < at->frames && at->newest != at->spare;
}

static inline uint32_t pts_summary_frame_at(uint32_t frame) {
  return PTS_CELL_SUMMARY_FRAMES + frame * PTS_FRAME_WORDS;
}

static inline uint32_t pts_summary_buffer_at(uint32_t buffer) {
  return PTS_CELL_SUMMARY_BUFFERS + buffer * PTS_SUMMARY_BUFFER;
}

static inline double pts_summary_load_double(const uint64_t *word) {
  return pts_double_of(pts_load_relaxed_u64(word));
}

static inline double pts_summary_begin_of(const uint64_t *block, uint32_t frame) {
  return pts_summary_load_double(&block[pts_summary_frame_at(frame) + PTS_FRAME_BEGIN]);
}

/* Whether a window that began then has its part in the quantiles of now. */
static inline bool pts_summary_counts(const double *bounds, double begin, double now_ms) {
  double max_age = bounds[PTS_BOUND_MAX_AGE], age = now_ms - begin;
  return max_age == 0 || (age < max_age && age * bounds[PTS_BOUND_AGE_BUCKETS] >= -max_age);
}

/* ---- loading, each word once -------------------------------------------------------------------------------------- */

static inline uint32_t pts_summary_load_buffer(const uint64_t *block, uint32_t buffer, double *values) {
  uint64_t filled = pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_FILLED + buffer]);
  uint32_t count = filled < PTS_SUMMARY_BUFFER ? (uint32_t)filled : PTS_SUMMARY_BUFFER, kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    double value = pts_summary_load_double(&block[pts_summary_buffer_at(buffer) + i]);
    if (isfinite(value)) values[kept++] = value;
  }
  return kept;
}

static inline uint32_t pts_summary_centroid_count(const uint64_t *frame) {
  uint64_t count = pts_load_relaxed_u64(&frame[PTS_FRAME_CENTROIDS]);
  return count <= PTS_SUMMARY_CENTROIDS ? (uint32_t)count : 0;
}

static inline uint32_t pts_summary_load_frame(const uint64_t *frame, pts_centroid *out) {
  uint32_t count = pts_summary_centroid_count(frame), kept = 0;
  uint64_t pair = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (i % 2 == 0) pair = pts_load_relaxed_u64(&frame[PTS_FRAME_WEIGHTS + i / 2]);
    pts_centroid c = {pts_summary_load_double(&frame[PTS_FRAME_MEANS + i]),
                      (uint32_t)(i % 2 ? pair >> 32 : pair)};
    bool follows = kept == 0 || c.mean > out[kept - 1].mean;
    if (isfinite(c.mean) && c.weight > 0 && follows) out[kept++] = c;
  }
  return kept;
}

/* Values as centroids of one each, ascending; equal ones together. */
static inline uint32_t pts_summary_units(double *values, uint32_t count, pts_centroid *out) {
  pts_digest_sort(values, count);
  for (uint32_t i = 0; i < count; i++) out[i] = (pts_centroid){values[i], 1};
  return pts_digest_unite(out, count);
}

/* ---- by readers --------------------------------------------------------------------------------------- */

/* Whether what was loaded since P was looked at is what that P selects. */
static inline bool pts_summary_still(const uint64_t *block, const pts_summary_place *at) {
  pts_fence_acquire(); /* pairs with the release fence of store_frame (I3) */
  return pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]) == at->p;
}

#endif

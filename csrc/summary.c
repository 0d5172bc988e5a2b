/*
 * Summaries: observations in a buffer, and a t-digest for each window.
 *
 * I1: a block in the own shard is written by its slot's owner only. What counts of it is told by one word, P:
 *     which buffer is in use, which frame is the newest and which one is spare. The count of observations is
 *     the newest frame's and the buffer's together, and so is the sum: one load of P selects both.
 * I2: an observation is published by the store of the buffer's count. A full buffer, or one whose window is
 *     over, is merged with the newest frame into the spare one, the other buffer is emptied, and then
 *     one store of P selects both. A new window is the spare frame without centroids, selected by another
 *     store of P; the oldest frame becomes the spare one. So a kill loses the observation in flight
 *     at most, whose call has not returned, and the next owner goes on with the block as it is.
 * I3: nobody rewrites what P selects, but for the next value of the buffer. A reader loads P (acquire), copies,
 *     and behind an acquire fence looks at P again. A frame is written behind a release fence, so that who
 *     sees a word of it also sees the P that had given it up; a buffer, too: between the P that gave it up
 *     and its next value there is the flush that selects it again, and that one's fence.
 * I4: a version in P grows with each store of it: two equal looks mean that nothing was published between.
 * I5: windows age by the clock, for readers and whoever wrote them alike. Each shard begins its own windows with
 *     its first observation. A window from the future (the clock was put back by more than one) is over.
 *
 * tests/models/summary_test.ts has this as a model.
 */
#include <math.h>

#include "summary_block.h"

_Static_assert(PTS_DIGEST_CENTROIDS == PTS_SUMMARY_CENTROIDS, "a frame holds a digest");
_Static_assert(PTS_DIGEST_SORT == PTS_SUMMARY_BUFFER, "a buffer can be sorted");
_Static_assert(PTS_SUMMARY_MAX_WINDOWS == PTS_MAX_AGE_BUCKETS, "a frame for each window");
_Static_assert(PTS_WORDS_SUMMARY(PTS_SUMMARY_MAX_WINDOWS) <= UINT16_MAX, "a record counts its words");

#define TRIES 64u

/* ---- geometry --------------------------------------------------------------------------------------- */

bool pts_summary_bounds_hold(const double *bounds, uint32_t count) {
  if (count < PTS_BOUND_QUANTILES || count > PTS_BOUND_QUANTILES + PTS_MAX_QUANTILES) return false;
  double max_age = bounds[PTS_BOUND_MAX_AGE], buckets = bounds[PTS_BOUND_AGE_BUCKETS];
  if (!(max_age >= 0 && max_age < INFINITY)) return false;
  if (!(buckets >= 1 && buckets <= PTS_SUMMARY_MAX_WINDOWS) || buckets != floor(buckets)) return false;
  for (uint32_t i = PTS_BOUND_QUANTILES; i < count; i++)
    if (!(bounds[i] >= 0 && bounds[i] <= 1)) return false;
  return true;
}

uint32_t pts_summary_words(const double *bounds) {
  double windows = bounds[PTS_BOUND_MAX_AGE] > 0 ? bounds[PTS_BOUND_AGE_BUCKETS] : 1;
  return PTS_WORDS_SUMMARY((uint32_t)windows);
}

bool pts_summary_words_hold(uint32_t words) {
  return words >= PTS_WORDS_SUMMARY(1) && words <= PTS_WORDS_SUMMARY(PTS_SUMMARY_MAX_WINDOWS) &&
         (words - PTS_CELL_SUMMARY_FRAMES) % PTS_FRAME_WORDS == 0;
}

/* ---- writing the own block -------------------------------------------------------------------------- */

static void publish(uint64_t *block, const pts_summary_place *at, uint32_t newest, uint32_t spare, uint32_t buffer) {
  uint64_t version = (at->p >> 32) + 1;
  uint64_t p = version << 32 | (uint64_t)spare << 16 | newest << 8 | buffer;
  pts_store_release_u64(&block[PTS_CELL_SUMMARY_P], p);
  PTS_POINT();
}

void pts_summary_start(uint64_t *block, uint32_t words) {
  pts_summary_place before = {.p = pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P])};
  pts_store_relaxed_u64(&block[PTS_CELL_SUMMARY_FILLED], 0);
  pts_store_relaxed_u64(&block[PTS_CELL_SUMMARY_FILLED + 1], 0);
  for (uint32_t at = PTS_CELL_SUMMARY_FRAMES; at + PTS_FRAME_WORDS <= words; at += PTS_FRAME_WORDS) {
    /* Begun so long ago that it never counts, and the first observation begins one. */
    pts_store_relaxed_u64(&block[at + PTS_FRAME_BEGIN], pts_bits_of(-INFINITY));
    for (uint32_t i = PTS_FRAME_CENTROIDS; i < PTS_FRAME_MEANS; i++)
      pts_store_relaxed_u64(&block[at + i], 0);
  }
  publish(block, &before, 0, 1, 0);
}

static void store_frame(uint64_t *frame, double begin, uint64_t count, double sum,
                        const pts_centroid *centroids, uint32_t centroid_count) {
  pts_fence_release(); /* the P that gave up this frame, or the buffer to be used next, before it changes (I3) */
  pts_store_relaxed_u64(&frame[PTS_FRAME_BEGIN], pts_bits_of(begin));
  pts_store_relaxed_u64(&frame[PTS_FRAME_CENTROIDS], centroid_count);
  pts_store_relaxed_u64(&frame[PTS_FRAME_COUNT], count);
  pts_store_relaxed_u64(&frame[PTS_FRAME_SUM], pts_bits_of(sum));
  PTS_POINT();
  for (uint32_t i = 0; i < centroid_count; i++)
    pts_store_relaxed_u64(&frame[PTS_FRAME_MEANS + i], pts_bits_of(centroids[i].mean));
  PTS_POINT();
  for (uint32_t i = 0; i < centroid_count; i += 2) {
    uint64_t pair = 0;
    for (uint32_t k = i; k < i + 2 && k < centroid_count; k++) {
      double weight = centroids[k].weight < UINT32_MAX ? centroids[k].weight : UINT32_MAX;
      pair |= (uint64_t)(uint32_t)weight << (k % 2 * 32);
    }
    pts_store_relaxed_u64(&frame[PTS_FRAME_WEIGHTS + i / 2], pair);
  }
  PTS_POINT();
}

/* The buffer and the newest frame into the spare one; the other buffer, emptied, is in use then. */
static void flush(uint64_t *block, const pts_summary_place *at) {
  double values[PTS_SUMMARY_BUFFER];
  pts_centroid old[PTS_SUMMARY_CENTROIDS], added[PTS_SUMMARY_BUFFER];
  pts_centroid all[PTS_SUMMARY_CENTROIDS + PTS_SUMMARY_BUFFER];
  const uint64_t *newest = &block[pts_summary_frame_at(at->newest)];
  uint32_t count = pts_summary_load_buffer(block, at->buffer, values);
  uint64_t total = pts_load_relaxed_u64(&newest[PTS_FRAME_COUNT]) + count;
  double sum = pts_summary_load_double(&newest[PTS_FRAME_SUM]);
  /* One after the other, as a reader adds them up: a sum is the same before and after. */
  for (uint32_t i = 0; i < count; i++) sum += values[i];
  uint32_t old_count = pts_summary_load_frame(newest, old), added_count = pts_summary_units(values, count, added);
  pts_digest_merge(old, old_count, added, added_count, all);
  uint32_t left = pts_digest_compress(all, pts_digest_unite(all, old_count + added_count));
  store_frame(&block[pts_summary_frame_at(at->spare)], pts_summary_begin_of(block, at->newest), total, sum, all, left);
  pts_store_relaxed_u64(&block[PTS_CELL_SUMMARY_FILLED + !at->buffer], 0);
  PTS_POINT();
  publish(block, at, at->spare, at->newest, !at->buffer);
}

/* When the window after the newest one begins: on that one's beat while anything of it still counts. */
static double next_begin(const double *bounds, double newest, double now_ms) {
  double length = bounds[PTS_BOUND_MAX_AGE] / bounds[PTS_BOUND_AGE_BUCKETS];
  double passed = floor((now_ms - newest) / length);
  return passed >= 1 && passed < bounds[PTS_BOUND_AGE_BUCKETS] ? newest + passed * length : now_ms;
}

/* The frame that is to be the next spare one: whose window is over, or else began first. */
static uint32_t oldest(const uint64_t *block, const pts_summary_place *at, const double *bounds, double now_ms) {
  uint32_t found = at->newest;
  double first = INFINITY;
  for (uint32_t frame = 0; frame < at->frames; frame++) {
    double begin = pts_summary_begin_of(block, frame);
    if (!pts_summary_counts(bounds, begin, now_ms)) begin = -INFINITY;
    if (frame == at->spare || !(begin < first)) continue;
    found = frame;
    first = begin;
  }
  return found;
}

static void begin_window(uint64_t *block, const pts_summary_place *at, const double *bounds, double now_ms) {
  const uint64_t *newest = &block[pts_summary_frame_at(at->newest)];
  double begin = next_begin(bounds, pts_summary_begin_of(block, at->newest), now_ms);
  uint32_t spare = oldest(block, at, bounds, now_ms);
  store_frame(&block[pts_summary_frame_at(at->spare)], begin, pts_load_relaxed_u64(&newest[PTS_FRAME_COUNT]),
              pts_summary_load_double(&newest[PTS_FRAME_SUM]), NULL, 0);
  publish(block, at, at->spare, spare, at->buffer);
}

PTS_COLD int32_t pts_summary_turn(uint64_t *block, uint32_t words, const double *bounds,
                                  double now_ms) {
  pts_summary_place at;
  if (bounds[PTS_BOUND_MAX_AGE] > 0 && !isfinite(now_ms)) return PTS_E_INVALID;
  if (!pts_summary_locate(pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]), words, &at)) return PTS_E_DAMAGED;
  if (pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_FILLED + at.buffer]) > 0) {
    flush(block, &at);
    /* What was just stored may be another's bytes by now, where somebody overwrites the file. */
    if (!pts_summary_locate(pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]), words, &at)) return PTS_E_DAMAGED;
  }
  if (!pts_summary_lasts(bounds, pts_summary_begin_of(block, at.newest), now_ms))
    begin_window(block, &at, bounds, now_ms);
  return 0;
}

/* ---- checking ----------------------------------------------------------------------------------------- */

static const char *frame_fault(const uint64_t *frame, uint64_t count) {
  pts_centroid centroids[PTS_SUMMARY_CENTROIDS];
  uint64_t stored = pts_load_relaxed_u64(&frame[PTS_FRAME_CENTROIDS]);
  uint32_t whole = pts_summary_load_frame(frame, centroids);
  double weight = 0;
  if (stored != whole) return "has centroids that are too many, out of order or no numbers";
  for (uint32_t i = 0; i < whole; i++) weight += centroids[i].weight;
  return weight > (double)count ? "holds more observations than were made" : NULL;
}

static const char *fault_of(const uint64_t *block, const pts_summary_place *at) {
  double values[PTS_SUMMARY_BUFFER];
  uint64_t count = pts_load_relaxed_u64(&block[pts_summary_frame_at(at->newest) + PTS_FRAME_COUNT]);
  uint64_t filled = pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_FILLED + at->buffer]);
  if (filled > PTS_SUMMARY_BUFFER) return "has a buffer that is more than full";
  if (pts_summary_load_buffer(block, at->buffer, values) < filled) return "has a buffer with something that is no number";
  for (uint32_t frame = 0; frame < at->frames; frame++) {
    const char *fault = frame == at->spare ? NULL : frame_fault(&block[pts_summary_frame_at(frame)], count);
    if (fault) return fault;
  }
  return NULL;
}

const char *pts_summary_fault(const uint64_t *block, uint32_t words) {
  pts_summary_place at;
  const char *fault = NULL;
  if (!pts_summary_words_hold(words)) return "has a block of another size";
  for (uint32_t i = 0; i < TRIES; i++) {
    if (!pts_summary_locate(pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_P]), words, &at))
      return "names frames that it has not";
    fault = fault_of(block, &at);
    if (!fault || pts_summary_still(block, &at)) break;
  }
  return fault;
}

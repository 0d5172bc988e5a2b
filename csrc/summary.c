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
#include "summary.h"

#include <math.h>
#include <stdlib.h>

#include "digest.h"

_Static_assert(PTS_DIGEST_CENTROIDS == PTS_SUMMARY_CENTROIDS, "a frame holds a digest");
_Static_assert(PTS_DIGEST_SORT == PTS_SUMMARY_BUFFER, "a buffer can be sorted");
_Static_assert(PTS_SUMMARY_MAX_WINDOWS == PTS_MAX_AGE_BUCKETS, "a frame for each window");
_Static_assert(PTS_WORDS_SUMMARY(PTS_SUMMARY_MAX_WINDOWS) <= UINT16_MAX, "a record counts its words");

#define TRIES 64u
#define COPY_TRIES 1000u

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

/* What P says, and whether that can be. */
typedef struct place {
  uint64_t p;
  uint32_t frames, newest, spare, buffer;
} place;

static bool locate(uint64_t p, uint32_t words, place *at) {
  *at = (place){.p = p,
                .frames = (words - PTS_CELL_SUMMARY_FRAMES) / PTS_FRAME_WORDS,
                .newest = (uint32_t)(p >> 8) & 0xff,
                .spare = (uint32_t)(p >> 16) & 0xff,
                .buffer = p & 1};
  return at->newest < at->frames && at->spare < at->frames && at->newest != at->spare;
}

static uint32_t frame_at(uint32_t frame) {
  return PTS_CELL_SUMMARY_FRAMES + frame * PTS_FRAME_WORDS;
}

static uint32_t buffer_at(uint32_t buffer) {
  return PTS_CELL_SUMMARY_BUFFERS + buffer * PTS_SUMMARY_BUFFER;
}

static double load_double(const uint64_t *word) { return pts_double_of(pts_load_relaxed_u64(word)); }

static double begin_of(const uint64_t *block, uint32_t frame) {
  return load_double(&block[frame_at(frame) + PTS_FRAME_BEGIN]);
}

/* Whether a window that began then has its part in the quantiles of now. */
static bool counts(const double *bounds, double begin, double now_ms) {
  double max_age = bounds[PTS_BOUND_MAX_AGE], age = now_ms - begin;
  return max_age == 0 || (age < max_age && age * bounds[PTS_BOUND_AGE_BUCKETS] >= -max_age);
}

/* ---- loading, by the owner and by readers: nothing in the file is believed -------------------------- */

static uint32_t load_buffer(const uint64_t *block, uint32_t buffer, double *values) {
  uint64_t filled = pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_FILLED + buffer]);
  uint32_t count = filled < PTS_SUMMARY_BUFFER ? (uint32_t)filled : PTS_SUMMARY_BUFFER, kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    double value = load_double(&block[buffer_at(buffer) + i]);
    if (isfinite(value)) values[kept++] = value;
  }
  return kept;
}

static uint32_t centroid_count(const uint64_t *frame) {
  uint64_t count = pts_load_relaxed_u64(&frame[PTS_FRAME_CENTROIDS]);
  return count <= PTS_SUMMARY_CENTROIDS ? (uint32_t)count : 0;
}

static uint32_t load_frame(const uint64_t *frame, pts_centroid *out) {
  uint32_t count = centroid_count(frame), kept = 0;
  uint64_t pair = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (i % 2 == 0) pair = pts_load_relaxed_u64(&frame[PTS_FRAME_WEIGHTS + i / 2]);
    pts_centroid c = {load_double(&frame[PTS_FRAME_MEANS + i]), (uint32_t)(i % 2 ? pair >> 32 : pair)};
    bool follows = kept == 0 || c.mean > out[kept - 1].mean;
    if (isfinite(c.mean) && c.weight > 0 && follows) out[kept++] = c;
  }
  return kept;
}

static uint32_t units(double *values, uint32_t count, pts_centroid *out) {
  pts_digest_sort(values, count);
  for (uint32_t i = 0; i < count; i++) out[i] = (pts_centroid){values[i], 1};
  return pts_digest_unite(out, count);
}

/* ---- writing the own block -------------------------------------------------------------------------- */

static void publish(uint64_t *block, const place *at, uint32_t newest, uint32_t spare, uint32_t buffer) {
  uint64_t version = (at->p >> 32) + 1;
  uint64_t p = version << 32 | (uint64_t)spare << 16 | newest << 8 | buffer;
  pts_store_release_u64(&block[PTS_CELL_SUMMARY_P], p);
  PTS_POINT();
}

void pts_summary_start(uint64_t *block, uint32_t words) {
  place before = {.p = pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P])};
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
static void flush(uint64_t *block, const place *at) {
  double values[PTS_SUMMARY_BUFFER];
  pts_centroid old[PTS_SUMMARY_CENTROIDS], added[PTS_SUMMARY_BUFFER];
  pts_centroid all[PTS_SUMMARY_CENTROIDS + PTS_SUMMARY_BUFFER];
  const uint64_t *newest = &block[frame_at(at->newest)];
  uint32_t count = load_buffer(block, at->buffer, values);
  uint64_t total = pts_load_relaxed_u64(&newest[PTS_FRAME_COUNT]) + count;
  double sum = load_double(&newest[PTS_FRAME_SUM]);
  /* One after the other, as a reader adds them up: a sum is the same before and after. */
  for (uint32_t i = 0; i < count; i++) sum += values[i];
  uint32_t old_count = load_frame(newest, old), added_count = units(values, count, added);
  pts_digest_merge(old, old_count, added, added_count, all);
  uint32_t left = pts_digest_compress(all, pts_digest_unite(all, old_count + added_count));
  store_frame(&block[frame_at(at->spare)], begin_of(block, at->newest), total, sum, all, left);
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
static uint32_t oldest(const uint64_t *block, const place *at, const double *bounds, double now_ms) {
  uint32_t found = at->newest;
  double first = INFINITY;
  for (uint32_t frame = 0; frame < at->frames; frame++) {
    double begin = begin_of(block, frame);
    if (!counts(bounds, begin, now_ms)) begin = -INFINITY;
    if (frame == at->spare || !(begin < first)) continue;
    found = frame;
    first = begin;
  }
  return found;
}

static void begin_window(uint64_t *block, const place *at, const double *bounds, double now_ms) {
  const uint64_t *newest = &block[frame_at(at->newest)];
  double begin = next_begin(bounds, begin_of(block, at->newest), now_ms);
  uint32_t spare = oldest(block, at, bounds, now_ms);
  store_frame(&block[frame_at(at->spare)], begin, pts_load_relaxed_u64(&newest[PTS_FRAME_COUNT]),
              load_double(&newest[PTS_FRAME_SUM]), NULL, 0);
  publish(block, at, at->spare, spare, at->buffer);
}

PTS_NOINLINE int32_t pts_summary_turn(uint64_t *block, uint32_t words, const double *bounds,
                                      double now_ms) {
  place at;
  if (bounds[PTS_BOUND_MAX_AGE] > 0 && !isfinite(now_ms)) return PTS_E_INVALID;
  if (!locate(pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]), words, &at)) return PTS_E_DAMAGED;
  if (pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_FILLED + at.buffer]) > 0) {
    flush(block, &at);
    locate(pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]), words, &at);
  }
  if (!pts_summary_lasts(bounds, begin_of(block, at.newest), now_ms))
    begin_window(block, &at, bounds, now_ms);
  return 0;
}

/* ---- reading one block -------------------------------------------------------------------------------- */

typedef struct totals {
  uint64_t count;
  double sum;
} totals;

static void load_totals(const uint64_t *block, const place *at, totals *out) {
  double values[PTS_SUMMARY_BUFFER];
  const uint64_t *newest = &block[frame_at(at->newest)];
  uint32_t count = load_buffer(block, at->buffer, values);
  out->count = pts_load_relaxed_u64(&newest[PTS_FRAME_COUNT]) + count;
  out->sum = load_double(&newest[PTS_FRAME_SUM]);
  for (uint32_t i = 0; i < count; i++) out->sum += values[i];
}

static bool still(const uint64_t *block, const place *at) {
  pts_fence_acquire(); /* pairs with the release fence of store_frame (I3) */
  return pts_load_relaxed_u64(&block[PTS_CELL_SUMMARY_P]) == at->p;
}

/* Centroids of many shards and windows, as ascending runs one behind the other. */
typedef struct gathering {
  pts_centroid *items, *other; /* other: as many, for merging */
  uint32_t *ends;              /* of runs, in items */
  uint32_t count, runs, room, run_room;
} gathering;

static bool make_room(gathering *g, uint32_t items, uint32_t runs) {
  if (g->count + items > g->room) {
    uint32_t room = 2 * g->room + items;
    pts_centroid *larger = realloc(g->items, room * sizeof *larger);
    if (larger) g->items = larger;
    pts_centroid *other = larger ? realloc(g->other, room * sizeof *other) : NULL;
    if (!other) return false;
    g->other = other;
    g->room = room;
  }
  if (g->runs + runs > g->run_room) {
    uint32_t room = 2 * g->run_room + runs;
    uint32_t *ends = realloc(g->ends, room * sizeof *ends);
    if (!ends) return false;
    g->ends = ends;
    g->run_room = room;
  }
  return true;
}

static void end_run(gathering *g, uint32_t count) {
  if (count == 0) return;
  g->count += count;
  g->ends[g->runs++] = g->count;
}

static void add_windows(const uint64_t *block, const place *at, const double *bounds, double now_ms,
                        gathering *g) {
  double values[PTS_SUMMARY_BUFFER];
  for (uint32_t frame = 0; frame < at->frames; frame++) {
    bool used = bounds[PTS_BOUND_MAX_AGE] > 0 ? frame != at->spare : frame == at->newest;
    if (!used || !counts(bounds, begin_of(block, frame), now_ms)) continue;
    end_run(g, load_frame(&block[frame_at(frame)], g->items + g->count));
    if (frame == at->newest)
      end_run(g, units(values, load_buffer(block, at->buffer, values), g->items + g->count));
  }
}

static void free_gathering(gathering *g) {
  free(g->items);
  free(g->other);
  free(g->ends);
}

/* All runs into one, neighbours first. */
static void merge_runs(gathering *g) {
  while (g->runs > 1) {
    uint32_t from = 0, left = 0;
    for (uint32_t i = 0; i < g->runs; i += 2) {
      uint32_t middle = g->ends[i], end = i + 1 < g->runs ? g->ends[i + 1] : middle;
      pts_digest_merge(g->items + from, middle - from, g->items + middle, end - middle, g->other + from);
      g->ends[left++] = from = end;
    }
    pts_centroid *swapped = g->items;
    g->items = g->other;
    g->other = swapped;
    g->runs = left;
  }
  g->count = pts_digest_unite(g->items, g->count);
}

/* One block; into the gathering, too, if that is not NULL. False when it runs out of memory. */
static bool read_block(const uint64_t *block, uint32_t words, const double *bounds, double now_ms,
                       totals *out, gathering *g) {
  place at;
  uint32_t count = g ? g->count : 0, runs = g ? g->runs : 0;
  uint32_t most = words / PTS_FRAME_WORDS * PTS_SUMMARY_CENTROIDS + PTS_SUMMARY_BUFFER;
  if (g && !make_room(g, most, PTS_SUMMARY_MAX_WINDOWS + 2)) return false;
  for (uint32_t i = 0; i < COPY_TRIES; i++) {
    if (!locate(pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_P]), words, &at)) break;
    load_totals(block, &at, out);
    if (g) {
      g->count = count;
      g->runs = runs;
      add_windows(block, &at, bounds, now_ms, g);
    }
    if (still(block, &at)) break;
    pts_cpu_relax();
  }
  return true;
}

/* ---- reading a series --------------------------------------------------------------------------------- */

typedef struct question {
  const double *bounds;
  uint32_t words;
  uint64_t at; /* of the block, in bytes */
  double now_ms;
} question;

/* Every shard once. 1 when the series exists, 0 when not, negative without memory. */
static int32_t read_shards(const pts_attachment *a, const pts_view *view, const question *q, uint64_t tag,
                           totals *out, gathering *g) {
  uint64_t end = q->at + (uint64_t)q->words * 8;
  int32_t found = 0;
  *out = (totals){0, 0};
  if (g) g->count = g->runs = 0;
  for (uint32_t slot = 1; slot < view->high; slot++) {
    totals part = {0, 0};
    if (view->marks[slot] < end) continue;
    const uint64_t *block = (const uint64_t *)(const void *)(pts_shard(a, slot) + q->at);
    if (pts_load_acquire_u64(&block[PTS_CELL_TAG]) != tag) continue;
    if (!read_block(block, q->words, q->bounds, q->now_ms, &part, g)) return PTS_E_NO_MEMORY;
    out->count += part.count;
    out->sum += part.sum;
    found = 1;
  }
  return found;
}

static int32_t read_series(const pts_attachment *a, const pts_view *view, const pts_record *record,
                           const question *q, totals *out, gathering *g) {
  int32_t found = 0;
  for (uint32_t i = 0; i < TRIES; i++) {
    uint64_t head = pts_load_acquire_u64(&record->head);
    uint64_t generation = pts_load_acquire_u64(a->generation);
    found = read_shards(a, view, q, PTS_TAG(generation, PTS_HEAD_GENERATION(head)), out, g);
    pts_fence_acquire();
    if (pts_load_relaxed_u64(&record->head) == head && pts_load_relaxed_u64(a->generation) == generation)
      break;
  }
  return found;
}

static bool ask(const pts_attachment *a, const pts_record *record, double now_ms, question *q,
                uint32_t *bound_count) {
  q->bounds = pts_record_bounds(a, record, bound_count);
  q->words = record->words;
  q->at = (uint64_t)pts_load_relaxed_u32(&record->place) * 8;
  q->now_ms = now_ms;
  return q->bounds && pts_summary_words_hold(q->words);
}

bool pts_summary_totals(pts_attachment *a, pts_view *view, const pts_record *record, double *count,
                        double *sum) {
  question q;
  uint32_t bound_count;
  totals all = {0, 0};
  bool found = ask(a, record, 0, &q, &bound_count) && read_series(a, view, record, &q, &all, NULL) > 0;
  *count = (double)all.count;
  *sum = all.sum;
  return found;
}

bool pts_summary_read(pts_attachment *a, pts_view *view, const pts_record *record, double now_ms,
                      pts_summary_reading *out) {
  question q;
  uint32_t bound_count;
  totals all = {0, 0};
  gathering g = {0};
  if (!ask(a, record, now_ms, &q, &bound_count)) return false;
  int32_t found = read_series(a, view, record, &q, &all, &g);
  if (found < 0) {
    g.count = g.runs = 0;
    found = read_series(a, view, record, &q, &all, NULL);
  }
  merge_runs(&g);
  out->count = (double)all.count;
  out->sum = all.sum;
  out->quantile_count = bound_count - PTS_BOUND_QUANTILES;
  for (uint32_t i = 0; i < out->quantile_count; i++) {
    out->quantiles[i] = q.bounds[PTS_BOUND_QUANTILES + i];
    out->values[i] = pts_digest_quantile(g.items, g.count, out->quantiles[i]);
  }
  free_gathering(&g);
  return found > 0;
}

int32_t pts_quantiles(uint32_t attachment, uint32_t handle, double now_ms, double *out,
                      uint32_t size) {
  pts_attachment *a = pts_attachment_of(attachment);
  const pts_handle *h = pts_handle_of(a, handle);
  if (!h) return pts_no_handle(attachment, handle);
  if (h->kind != PTS_KIND_SUMMARY) return PTS_E_INVALID;
  if (!pts_same_series(a, h, pts_load_acquire_u64(&h->record->head))) return PTS_E_STALE;
  pts_summary_reading reading;
  pts_view view;
  pts_view_take(a, &view);
  if (!pts_summary_read(a, &view, h->record, now_ms, &reading)) return 0;
  if (size < 2 + reading.quantile_count) return PTS_E_TOO_SMALL;
  out[0] = reading.count;
  out[1] = reading.sum;
  memcpy(out + 2, reading.values, reading.quantile_count * sizeof *out);
  return (int32_t)(2 + reading.quantile_count);
}

/* ---- checking ----------------------------------------------------------------------------------------- */

static const char *frame_fault(const uint64_t *frame, uint64_t count) {
  pts_centroid centroids[PTS_SUMMARY_CENTROIDS];
  uint64_t stored = pts_load_relaxed_u64(&frame[PTS_FRAME_CENTROIDS]);
  uint32_t whole = load_frame(frame, centroids);
  double weight = 0;
  if (stored != whole) return "has centroids that are too many, out of order or no numbers";
  for (uint32_t i = 0; i < whole; i++) weight += centroids[i].weight;
  return weight > (double)count ? "holds more observations than were made" : NULL;
}

static const char *fault_of(const uint64_t *block, const place *at) {
  double values[PTS_SUMMARY_BUFFER];
  uint64_t count = pts_load_relaxed_u64(&block[frame_at(at->newest) + PTS_FRAME_COUNT]);
  uint64_t filled = pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_FILLED + at->buffer]);
  if (filled > PTS_SUMMARY_BUFFER) return "has a buffer that is more than full";
  if (load_buffer(block, at->buffer, values) < filled) return "has a buffer with something that is no number";
  for (uint32_t frame = 0; frame < at->frames; frame++) {
    const char *fault = frame == at->spare ? NULL : frame_fault(&block[frame_at(frame)], count);
    if (fault) return fault;
  }
  return NULL;
}

const char *pts_summary_fault(const uint64_t *block, uint32_t words) {
  place at;
  const char *fault = NULL;
  if (!pts_summary_words_hold(words)) return "has a block of another size";
  for (uint32_t i = 0; i < TRIES; i++) {
    if (!locate(pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_P]), words, &at))
      return "names frames that it has not";
    fault = fault_of(block, &at);
    if (!fault || still(block, &at)) break;
  }
  return fault;
}

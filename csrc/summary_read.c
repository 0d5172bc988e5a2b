/*
 * What a summary stands at, over all shards: count and sum, and quantiles of all windows' digests together.
 *
 * Copies are made between two looks at a block's word P (summary.c I3, I4), and all shards between two looks at
 * head and store generation (reading.c I1). Both are bounded: a writer that never pauses makes a reader try
 * again, not for ever.
 */
#include <math.h>
#include <stdlib.h>

#include "summary_block.h"

#define TRIES 64u
#define COPY_TRIES 1000u

/* ---- reading one block -------------------------------------------------------------------------------- */

typedef struct totals {
  uint64_t count;
  double sum;
} totals;

static void load_totals(const uint64_t *block, const pts_summary_place *at, totals *out) {
  double values[PTS_SUMMARY_BUFFER];
  const uint64_t *newest = &block[pts_summary_frame_at(at->newest)];
  uint32_t count = pts_summary_load_buffer(block, at->buffer, values);
  out->count = pts_load_relaxed_u64(&newest[PTS_FRAME_COUNT]) + count;
  out->sum = pts_summary_load_double(&newest[PTS_FRAME_SUM]);
  for (uint32_t i = 0; i < count; i++) out->sum += values[i];
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

static void add_windows(const uint64_t *block, const pts_summary_place *at, const double *bounds, double now_ms,
                        gathering *g) {
  double values[PTS_SUMMARY_BUFFER];
  for (uint32_t frame = 0; frame < at->frames; frame++) {
    bool used = bounds[PTS_BOUND_MAX_AGE] > 0 ? frame != at->spare : frame == at->newest;
    if (!used || !pts_summary_counts(bounds, pts_summary_begin_of(block, frame), now_ms)) continue;
    end_run(g, pts_summary_load_frame(&block[pts_summary_frame_at(frame)], g->items + g->count));
    if (frame == at->newest)
      end_run(g, pts_summary_units(values, pts_summary_load_buffer(block, at->buffer, values), g->items + g->count));
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
  pts_summary_place at;
  uint32_t count = g ? g->count : 0, runs = g ? g->runs : 0;
  uint32_t most = words / PTS_FRAME_WORDS * PTS_SUMMARY_CENTROIDS + PTS_SUMMARY_BUFFER;
  if (g && !make_room(g, most, PTS_SUMMARY_MAX_WINDOWS + 2)) return false;
  for (uint32_t i = 0; i < COPY_TRIES; i++) {
    if (!pts_summary_locate(pts_load_acquire_u64(&block[PTS_CELL_SUMMARY_P]), words, &at)) break;
    load_totals(block, &at, out);
    if (g) {
      g->count = count;
      g->runs = runs;
      add_windows(block, &at, bounds, now_ms, g);
    }
    if (pts_summary_still(block, &at)) break;
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

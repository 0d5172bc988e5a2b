/*
 * Reading a series over all shards while it is written.
 *
 * I1: head and store generation are loaded (acquire), then the blocks, then an acquire fence, then both
 *     again. If they are the same, no block that was summed had been started again for another
 *     generation: its owner would have seen the new head first (cell.c start_block's fence).
 * I2: a histogram's block is copied between two loads of its sequence. Odd means an observation under
 *     way; the redo record was whole before the sequence became odd and stays until it is even, so with the
 *     same odd sequence after the copy, the record completes the copy. Nobody waits for a stopped writer.
 * I3: everything is bounded: a writer that never pauses makes a reader try again, not for ever.
 */
#include "reading.h"

#include <math.h>

#include "atomics.h"
#include "summary.h"

#define TRIES 64u
#define SEQUENCE_TRIES 20000u

void pts_view_take(pts_attachment *a, pts_view *view) {
  uint32_t high = pts_load_acquire_u32(&a->metrics->workers_high);
  if (high > a->session.store.max_workers + 1) high = a->session.store.max_workers + 1;
  view->high = high;
  for (uint32_t slot = 0; slot < high; slot++) {
    view->marks[slot] = pts_shard_mark(a, slot);
    view->epochs[slot] = pts_load_acquire_u32(&a->session.store.workers[slot].epoch);
    view->alive[slot] = -1;
  }
}

void pts_read_soon(const pts_attachment *a, const pts_view *view, const pts_record *record) {
  uint64_t at = (uint64_t)pts_load_relaxed_u32(&record->place) * 8;
  uint64_t text = (uint64_t)pts_load_relaxed_u32(&record->entry) * 8;
  if (text < a->text_size - PTS_CACHE_LINE) {
    PTS_PREFETCH(a->text + text);
    PTS_PREFETCH(a->text + text + PTS_CACHE_LINE);
  }
  for (uint32_t slot = 1; slot < view->high; slot++)
    if (at < view->marks[slot]) PTS_PREFETCH(pts_shard(a, slot) + at);
}

static bool slot_alive(pts_attachment *a, pts_view *view, uint32_t slot, uint64_t epoch) {
  if (epoch != view->epochs[slot]) {
    /* a new owner since the view was taken, or a dead one's block */
    uint32_t now = pts_load_acquire_u32(&a->session.store.workers[slot].epoch);
    if (epoch != now) return false;
    view->epochs[slot] = now;
    view->alive[slot] = -1;
  }
  if (view->alive[slot] < 0)
    view->alive[slot] = (int8_t)pts_worker_alive(&a->session.store, slot, (uint32_t)epoch);
  return view->alive[slot] == 1;
}

static const uint64_t *block_in(const pts_attachment *a, uint32_t slot, uint64_t at) {
  return (const uint64_t *)(const void *)(pts_shard(a, slot) + at);
}

/* ---- values --------------------------------------------------------------------------------------- */

static int sum_shards(const pts_attachment *a, const pts_view *view, uint64_t at, uint64_t tag,
                      pts_reading *out) {
  uint64_t end = at + PTS_WORDS_VALUE * 8;
  double sum = 0;
  int found = 0;
  for (uint32_t slot = 1; slot < view->high; slot++) {
    if (view->marks[slot] < end) continue;
    const uint64_t *block = block_in(a, slot, at);
    if (pts_load_acquire_u64(&block[PTS_CELL_TAG]) != tag) continue;
    sum += pts_double_of(pts_load_relaxed_u64(&block[PTS_CELL_VALUE]));
    found = 1;
  }
  out->value = sum;
  return found;
}

/* The pair of value and time that a block shows by the parity of its n. */
static void read_pair(const uint64_t *n_cell, const uint64_t *pairs, pts_reading *out) {
  for (uint32_t i = 0; i < SEQUENCE_TRIES; i++) {
    uint64_t n = pts_load_acquire_u64(n_cell);
    const uint64_t *pair = &pairs[2 * (n & 1)];
    out->value = pts_double_of(pts_load_relaxed_u64(&pair[0]));
    out->time = pts_double_of(pts_load_relaxed_u64(&pair[1]));
    pts_fence_acquire();
    if (pts_load_relaxed_u64(n_cell) == n) return;
  }
}

/* A worker's part, if its block is current and its owner counts. A value's time is only for comparing. */
static bool read_part(pts_attachment *a, pts_view *view, const pts_record *record, uint32_t slot,
                      uint64_t tag, bool live, pts_reading *out) {
  uint64_t at = (uint64_t)pts_load_relaxed_u32(&record->place) * 8;
  bool recent = record->kind == PTS_KIND_RECENT;
  uint64_t end = at + (recent ? PTS_WORDS_RECENT : PTS_WORDS_LIVE) * 8;
  if (view->marks[slot] < end) return false;
  const uint64_t *block = block_in(a, slot, at);
  if (pts_load_acquire_u64(&block[PTS_CELL_TAG]) != tag) return false;
  uint64_t epoch = pts_load_acquire_u64(&block[PTS_CELL_LIVE_EPOCH]);
  if (live && !slot_alive(a, view, slot, epoch)) return false;
  if (recent) {
    read_pair(&block[PTS_CELL_RECENT_N], &block[PTS_CELL_RECENT_VALUES], out);
  } else {
    out->value = pts_double_of(pts_load_relaxed_u64(&block[PTS_CELL_LIVE_VALUE]));
    out->time = NAN;
  }
  pts_fence_acquire(); /* pairs with the release fence in pts_start_block */
  /* Else the slot's next owner has begun: what was read may be its value, not that of whom we know to live. */
  return !live || pts_load_relaxed_u64(&block[PTS_CELL_LIVE_EPOCH]) == epoch;
}

static void merge_part(pts_merge merge, const pts_reading *part, pts_reading *out) {
  if (merge == PTS_MERGE_SUM || merge == PTS_MERGE_NONE)
    out->value += part->value;
  else if (merge == PTS_MERGE_MIN ? part->value < out->value
           : merge == PTS_MERGE_RECENT ? part->time > out->time
                                       : part->value > out->value)
    *out = *part;
}

static int merge_workers(pts_attachment *a, pts_view *view, const pts_record *record, uint64_t tag,
                         const pts_traits *traits, pts_reading *out) {
  int found = 0;
  for (uint32_t slot = 1; slot < view->high; slot++) {
    pts_reading part;
    if (traits->merge == PTS_MERGE_ALL && slot != a->session.store.slot) continue;
    if (!read_part(a, view, record, slot, tag, pts_only_living(traits), &part)) continue;
    if (found)
      merge_part(traits->merge, &part, out);
    else
      *out = part;
    found = 1;
  }
  out->time = NAN;
  return found;
}

int pts_read_worker(pts_attachment *a, pts_view *view, const pts_record *record, uint32_t slot,
                    const pts_traits *traits, pts_reading *out) {
  uint64_t head = pts_load_acquire_u64(&record->head);
  uint64_t tag = PTS_TAG(pts_load_acquire_u64(a->generation), PTS_HEAD_GENERATION(head));
  bool found = read_part(a, view, record, slot, tag, pts_only_living(traits), out);
  out->time = NAN;
  pts_fence_acquire();
  return found && PTS_HEAD_GENERATION(pts_load_relaxed_u64(&record->head)) == PTS_HEAD_GENERATION(head);
}

/* A block of shard 0, where a series may have moved since the view was taken. NULL: not allocated. */
static const uint64_t *shared_block(const pts_attachment *a, pts_view *view, uint64_t at,
                                    uint32_t words) {
  if (view->marks[0] < at + words * 8) view->marks[0] = pts_shard_mark(a, 0);
  return at == 0 || view->marks[0] < at + words * 8 ? NULL : block_in(a, 0, at);
}

static int read_shared(const pts_attachment *a, pts_view *view, const pts_record *record,
                       uint64_t tag, pts_reading *out) {
  uint64_t at = (uint64_t)pts_load_relaxed_u32(&record->place) * 8;
  const uint64_t *block = shared_block(a, view, at, PTS_WORDS_VALUE);
  if (!block) return 0;
  if (pts_load_acquire_u64(&block[PTS_CELL_TAG]) != tag) return 0;
  out->value = pts_double_of(pts_load_relaxed_u64(&block[PTS_CELL_VALUE]));
  return 1;
}

static int read_stamped(const pts_attachment *a, pts_view *view, const pts_record *record,
                        uint64_t tag, pts_reading *out) {
  uint64_t place = pts_load_acquire_u32(&record->extra);
  const uint64_t *block = shared_block(a, view, place * 8, PTS_WORDS_ANNEX);
  if (!block) return 0;
  if (pts_load_acquire_u64(&block[PTS_CELL_TAG]) != tag) return 0;
  read_pair(&block[PTS_CELL_STAMP_N], &block[PTS_CELL_STAMP_VALUES], out);
  return 1;
}

/* But for the mark, which says nothing about blocks. */
static bool same_head(const pts_record *record, uint64_t head) {
  return ((pts_load_relaxed_u64(&record->head) ^ head) & ~(uint64_t)PTS_HEAD_MARK) == 0;
}

static int read_once(pts_attachment *a, pts_view *view, const pts_record *record, uint64_t head,
                     uint64_t tag, const pts_traits *traits, pts_reading *out) {
  uint64_t at = (uint64_t)pts_load_relaxed_u32(&record->place) * 8;
  switch (PTS_HEAD_MODE(head)) {
  case PTS_MODE_SHARDED:
    return pts_kind_is_worker_gauge(record->kind)
               ? merge_workers(a, view, record, tag, traits, out)
               : sum_shards(a, view, at, tag, out);
  case PTS_MODE_SHARED:
    return read_shared(a, view, record, tag, out);
  case PTS_MODE_STAMPED:
    return read_stamped(a, view, record, tag, out);
  default:
    return 0;
  }
}

int pts_read_value(pts_attachment *a, pts_view *view, const pts_record *record, const pts_traits *traits,
                   pts_reading *out) {
  int found = 0;
  if (pts_kind_has_bounds(record->kind)) return 0; /* no one value */
  for (uint32_t i = 0; i < TRIES; i++) {
    uint64_t head = pts_load_acquire_u64(&record->head);
    uint64_t generation = pts_load_acquire_u64(a->generation);
    out->time = NAN;
    found = read_once(a, view, record, head, PTS_TAG(generation, PTS_HEAD_GENERATION(head)), traits,
                      out);
    pts_fence_acquire();
    if (same_head(record, head) && pts_load_relaxed_u64(a->generation) == generation) return found;
  }
  return found;
}

/* ---- histograms ----------------------------------------------------------------------------------- */

static void complete(const pts_worker *worker, uint64_t at, uint32_t count_count, uint64_t *counts,
                     double *sum) {
  uint64_t where = pts_load_relaxed_u64(&worker->redo.where);
  uint32_t bucket = PTS_REDO_BUCKET(where);
  if ((uint64_t)PTS_REDO_PLACE(where) * 8 != at || bucket >= count_count) return;
  counts[bucket] = pts_load_relaxed_u64(&worker->redo.count);
  *sum = pts_double_of(pts_load_relaxed_u64(&worker->redo.sum));
}

static void read_block(const pts_attachment *a, uint32_t slot, uint64_t at, uint64_t *counts,
                       uint32_t count_count, double *sum) {
  const uint64_t *block = block_in(a, slot, at);
  for (uint32_t i = 0; i < SEQUENCE_TRIES; i++) {
    uint64_t sequence = pts_load_acquire_u64(&block[PTS_CELL_SEQUENCE]);
    *sum = pts_double_of(pts_load_relaxed_u64(&block[PTS_CELL_SUM]));
    for (uint32_t b = 0; b < count_count; b++)
      counts[b] = pts_load_relaxed_u64(&block[PTS_CELL_COUNTS + b]);
    if (sequence & 1) complete(&a->session.store.workers[slot], at, count_count, counts, sum);
    pts_fence_acquire();
    if (pts_load_relaxed_u64(&block[PTS_CELL_SEQUENCE]) == sequence) return;
    pts_cpu_relax();
  }
}

static int sum_histogram(const pts_attachment *a, const pts_view *view, const pts_record *record,
                         uint64_t tag, uint64_t *counts, uint32_t count_count, double *sum) {
  uint64_t at = (uint64_t)pts_load_relaxed_u32(&record->place) * 8;
  uint64_t end = at + (PTS_CELL_COUNTS + count_count) * 8;
  uint64_t part[PTS_MAX_BOUNDS + 1];
  double part_sum;
  int found = 0;
  memset(counts, 0, count_count * sizeof *counts);
  *sum = 0;
  for (uint32_t slot = 1; slot < view->high; slot++) {
    if (view->marks[slot] < end) continue;
    if (pts_load_acquire_u64(&block_in(a, slot, at)[PTS_CELL_TAG]) != tag) continue;
    read_block(a, slot, at, part, count_count, &part_sum);
    for (uint32_t b = 0; b < count_count; b++) counts[b] += part[b];
    *sum += part_sum;
    found = 1;
  }
  return found;
}

int pts_read_histogram(pts_attachment *a, const pts_view *view, const pts_record *record,
                       uint64_t *counts, uint32_t count_count, double *sum) {
  int found = 0;
  for (uint32_t i = 0; i < TRIES; i++) {
    uint64_t head = pts_load_acquire_u64(&record->head);
    uint64_t generation = pts_load_acquire_u64(a->generation);
    uint64_t tag = PTS_TAG(generation, PTS_HEAD_GENERATION(head));
    found = sum_histogram(a, view, record, tag, counts, count_count, sum);
    pts_fence_acquire();
    if (same_head(record, head) && pts_load_relaxed_u64(a->generation) == generation) break;
  }
  return found;
}

/* ---- one series, for a handle ----------------------------------------------------------------------- */

/* Asked before and after: what was read in between is of the handle's labels, not of who has the record now. */
static bool still_shows(const pts_attachment *a, const pts_handle *h) {
  pts_fence_acquire();
  return pts_shows_series(a, h, pts_load_acquire_u64(&h->record->head));
}

int32_t pts_value(uint32_t attachment, uint32_t handle, double *value, double *count) {
  pts_attachment *a = pts_attachment_of(attachment);
  const pts_handle *h = pts_handle_of(a, handle);
  if (!h) return pts_no_handle(attachment, handle);
  if (!still_shows(a, h)) return PTS_E_STALE;
  pts_view view;
  pts_view_take(a, &view);
  if (h->kind == PTS_KIND_SUMMARY) {
    int summed = pts_summary_totals(a, &view, h->record, count, value);
    return still_shows(a, h) ? summed : PTS_E_STALE;
  }
  if (h->kind != PTS_KIND_HISTOGRAM) {
    pts_reading reading;
    pts_traits traits = pts_handle_traits(h);
    int found = pts_read_value(a, &view, h->record, &traits, &reading);
    *value = found ? reading.value : 0;
    *count = 0;
    return still_shows(a, h) ? found : PTS_E_STALE;
  }
  uint64_t counts[PTS_MAX_BOUNDS + 1], total = 0;
  int found = pts_read_histogram(a, &view, h->record, counts, h->bound_count + 1u, value);
  for (uint32_t b = 0; b <= h->bound_count; b++) total += counts[b];
  *count = (double)total;
  return still_shows(a, h) ? found : PTS_E_STALE;
}

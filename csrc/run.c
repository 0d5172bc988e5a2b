/*
 * Histograms as they are printed: cumulative buckets under a list of bounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "render.h"

/* ---- which series belong together ------------------------------------------------------------------ */

static bool same_text(pts_text x, pts_text y) { return pts_text_compare(x, y) == 0; }

static bool same_labels(const pts_parts *x, const pts_parts *y) {
  return same_text(x->before, y->before) && same_text(x->after, y->after);
}

static bool together(const pts_render *r, const pts_parts *first, const pts_parts *next) {
  if (same_labels(first, next)) return true;
  return (r->flags & PTS_RENDER_LEXICAL) && first->after.length && next->after.length &&
         same_text(first->before, next->before);
}

/* ---- room --------------------------------------------------------------------------------------------- */

static bool grow(void **array, uint32_t *room, uint64_t count, size_t size) {
  if (count <= *room) return true;
  uint64_t wanted = count + count / 2;
  if (wanted > UINT32_MAX) return false;
  void *bigger = realloc(*array, wanted * size);
  if (!bigger) return false;
  *array = bigger;
  *room = (uint32_t)wanted;
  return true;
}

static bool label_room(pts_run *run, uint64_t count) {
  if (count <= run->label_room) return true;
  double *bounds = realloc(run->bounds, count * sizeof *bounds);
  if (bounds) run->bounds = bounds;
  char *labels = realloc(run->labels, count * PTS_LE_SIZE);
  if (labels) run->labels = labels;
  uint32_t *lengths = realloc(run->label_lengths, count * sizeof *lengths);
  if (lengths) run->label_lengths = lengths;
  if (!bounds || !labels || !lengths) return false;
  run->label_room = (uint32_t)count;
  return true;
}

void pts_run_free(pts_run *run) {
  free(run->bounds);
  free(run->labels);
  free(run->label_lengths);
  free(run->members);
  free(run->values);
}

/* ---- bounds and their labels -------------------------------------------------------------------------- */

static int compare_bounds(const void *x, const void *y) {
  double a = *(const double *)x, b = *(const double *)y;
  return a < b ? -1 : a > b;
}

static int compare_bound_texts(const void *x, const void *y) {
  char a[PTS_NUMBER_MAX], b[PTS_NUMBER_MAX];
  uint32_t a_length = (uint32_t)pts_number_print(a, *(const double *)x);
  uint32_t b_length = (uint32_t)pts_number_print(b, *(const double *)y);
  return pts_text_compare((pts_text){(uint8_t *)a, a_length}, (pts_text){(uint8_t *)b, b_length});
}

static void make_label(pts_run *run, uint32_t line, double bound) {
  char *label = run->labels + (size_t)line * PTS_LE_SIZE;
  memcpy(label, "le=\"", 4);
  size_t length = 4 + pts_number_print(label + 4, bound);
  label[length] = '"';
  run->label_lengths[line] = (uint32_t)length + 1;
}

static void make_labels(pts_render *r) {
  pts_run *run = &r->run;
  if (r->flags & PTS_RENDER_LEXICAL)
    qsort(run->bounds, run->bound_count, sizeof *run->bounds, compare_bound_texts);
  for (uint32_t i = 0; i < run->bound_count; i++) make_label(run, i, run->bounds[i]);
  make_label(run, run->bound_count, INFINITY);
}

/* All bounds that any series of the run has, each once, in printing order. */
static bool unite_bounds(pts_render *r, const uint32_t *series, uint32_t count) {
  pts_run *run = &r->run;
  uint32_t only = r->a->records[series[0]].extra;
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t n = 0;
    if (r->a->records[series[i]].extra != only) only = 0;
    if (pts_record_bounds(r->a, &r->a->records[series[i]], &n)) total += n;
  }
  if (only && only == run->labels_of) return true;
  run->labels_of = only;
  if (!label_room(run, total + 1)) return false;
  uint32_t filled = 0, distinct = 0, n;
  for (uint32_t i = 0; i < count && filled < total; i++) {
    const double *bounds = pts_record_bounds(r->a, &r->a->records[series[i]], &n);
    if (!bounds || n > total - filled) continue;
    for (uint32_t b = 0; b < n; b++) {
      double bound = bounds[b];
      if (isfinite(bound)) run->bounds[filled++] = bound; /* only damage is not; NaN sorts nowhere */
    }
    if (only) break;
  }
  qsort(run->bounds, filled, sizeof *run->bounds, compare_bounds);
  for (uint32_t i = 0; i < filled; i++)
    if (i == 0 || run->bounds[i] != run->bounds[distinct - 1]) run->bounds[distinct++] = run->bounds[i];
  run->bound_count = distinct;
  make_labels(r);
  return true;
}

/* ---- values ----------------------------------------------------------------------------------------- */

static void add_to_line(double *value, double count) { *value = isnan(*value) ? count : *value + count; }

/* Add one series's cumulative counts to its member's lines. */
static void add_series(pts_run *run, double *values, const double *bounds, const uint64_t *counts,
                       uint32_t bound_count, bool in_order) {
  uint64_t cumulative = 0;
  for (uint32_t b = 0; b < bound_count; b++) {
    cumulative += counts[b];
    uint32_t line = b;
    if (!in_order)
      for (line = 0; line < run->bound_count && run->bounds[line] != bounds[b]; line++) {
      }
    if (line < run->bound_count) add_to_line(&values[line], (double)cumulative);
  }
  add_to_line(&values[run->bound_count], (double)(cumulative + counts[bound_count]));
}

static void read_series(pts_render *r, const pts_record *record, double *values, pts_total *total,
                        bool in_order) {
  uint64_t counts[PTS_MAX_BOUNDS + 1];
  uint32_t n;
  const double *bounds = pts_record_bounds(r->a, record, &n);
  if (!bounds) {
    pts_damage(r->a);
    return;
  }
  if (!pts_read_histogram(r->a, &r->view, record, counts, n + 1, &total->sum)) return;
  total->exists = true;
  for (uint32_t b = 0; b <= n; b++) total->count += counts[b];
  add_series(&r->run, values, bounds, counts, n, in_order);
}

static uint32_t run_length(const pts_render *r, const uint32_t *series, uint32_t available) {
  pts_parts first, next;
  uint32_t count = 1;
  if (!pts_parts_of(r->a, &r->a->records[series[0]], &first)) return 1;
  while (count < available && pts_parts_of(r->a, &r->a->records[series[count]], &next) &&
         together(r, &first, &next))
    count++;
  return count;
}

bool pts_run_begin(pts_render *r, const uint32_t *series, uint32_t available, pts_total *totals) {
  pts_run *run = &r->run;
  uint32_t count = run_length(r, series, available);
  if (!unite_bounds(r, series, count)) return false;
  uint32_t lines = run->bound_count + 1;
  if (!grow((void **)&run->members, &run->member_room, count, sizeof *run->members) ||
      !grow((void **)&run->values, &run->value_room, (uint64_t)count * lines, sizeof *run->values))
    return false;
  bool in_order = run->labels_of && !(r->flags & PTS_RENDER_LEXICAL);
  run->member_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    pts_member next = {.exists = false};
    totals[i] = (pts_total){0};
    if (!pts_parts_of(r->a, &r->a->records[series[i]], &next.parts)) continue;
    pts_member *last = run->member_count ? &run->members[run->member_count - 1] : NULL;
    bool joins = last && same_labels(&last->parts, &next.parts);
    if (joins) {
      totals[i - 1].same_labels = true;
    } else {
      last = &run->members[run->member_count++];
      *last = next;
      double *values = run->values + (size_t)(run->member_count - 1) * lines;
      for (uint32_t l = 0; l < lines; l++) values[l] = NAN;
    }
    read_series(r, &r->a->records[series[i]], run->values + (size_t)(run->member_count - 1) * lines,
                &totals[i], in_order);
    last->exists |= totals[i].exists;
  }
  run->count = count;
  run->line = run->member = 0;
  return true;
}

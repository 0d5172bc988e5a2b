/*
 * One histogram series as it is printed: cumulative counts under its bounds' labels.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "render.h"

void pts_buckets_free(pts_buckets *buckets) {
  free(buckets->labels);
  free(buckets->lengths);
  free(buckets->bounds);
  free(buckets->values);
}

static bool reserve(pts_buckets *buckets, uint32_t lines) {
  if (lines <= buckets->room) return true;
  void *labels = realloc(buckets->labels, (size_t)lines * PTS_LE_SIZE);
  if (labels) buckets->labels = labels;
  void *lengths = realloc(buckets->lengths, lines * sizeof *buckets->lengths);
  if (lengths) buckets->lengths = lengths;
  void *bounds = realloc(buckets->bounds, lines * sizeof *buckets->bounds);
  if (bounds) buckets->bounds = bounds;
  void *values = realloc(buckets->values, lines * sizeof *buckets->values);
  if (values) buckets->values = values;
  if (!labels || !lengths || !bounds || !values) return false;
  buckets->room = lines;
  return true;
}

static void make_label(pts_buckets *buckets, uint32_t line, double bound) {
  char *label = buckets->labels + (size_t)line * PTS_LE_SIZE;
  memcpy(label, "le=\"", 4);
  size_t length = 4 + pts_number_print(label + 4, bound);
  label[length] = '"';
  buckets->lengths[line] = (uint32_t)length + 1;
  buckets->bounds[line] = bound;
}

/* Bounds seldom differ between the series of a family: their labels are kept for the next one. */
static bool make_labels(pts_buckets *buckets, uint32_t entry, const double *bounds, uint32_t count) {
  if (entry == buckets->labels_of) return true;
  buckets->labels_of = 0;
  if (!reserve(buckets, count + 1)) return false;
  for (uint32_t i = 0; i < count; i++) make_label(buckets, i, bounds[i]);
  make_label(buckets, count, INFINITY);
  buckets->line_count = count + 1;
  buckets->labels_of = entry;
  return true;
}

bool pts_buckets_read(pts_render *r, const pts_record *record, pts_total *total) {
  pts_buckets *buckets = &r->buckets;
  *total = (pts_total){0};
  uint32_t count = 0;
  uint32_t entry = pts_load_acquire_u32(&record->extra);
  const double *bounds = pts_record_bounds(r->a, record, &count);
  if (!bounds) {
    pts_damage(r->a);
    return true;
  }
  if (!make_labels(buckets, entry, bounds, count)) return false;
  if (count + 1 != buckets->line_count) return true; /* damaged between two looks */
  uint64_t counts[PTS_MAX_BOUNDS + 1];
  if (!pts_read_histogram(r->a, &r->view, record, counts, count + 1, &total->sum)) return true;
  total->exists = true;
  for (uint32_t i = 0; i <= count; i++) {
    total->count += counts[i];
    buckets->values[i] = total->count;
  }
  return true;
}

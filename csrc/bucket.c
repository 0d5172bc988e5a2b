/*
 * One histogram as it is printed, cumulative counts under its bounds' labels; or one summary, its
 * quantiles under theirs.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "number.h"
#include "render.h"
#include "summary.h"

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

/* ---- labels -------------------------------------------------------------------------------------------- */

/* The digits of a number that pts_number_print wrote, and where its decimal point is among them. */
typedef struct digits {
  char text[PTS_NUMBER_MAX];
  int count, point;
} digits;

static digits digits_of(const char *number, size_t length) {
  digits d = {.point = 0};
  bool behind_point = false, leading = true;
  for (size_t i = 0; i < length && number[i] != 'e'; i++) {
    if (number[i] == '.') behind_point = true;
    if (number[i] < '0' || number[i] > '9') continue;
    leading = leading && number[i] == '0';
    if (leading) {
      d.point -= behind_point; /* 0.001 */
      continue;
    }
    d.text[d.count++] = number[i];
    d.point += !behind_point;
  }
  const char *exponent = memchr(number, 'e', length);
  int e = 0;
  for (const char *p = exponent ? exponent + 2 : NULL; p && p < number + length; p++) e = 10 * e + *p - '0';
  d.point += exponent && exponent[1] == '-' ? -e : e;
  while (d.count > 1 && d.text[d.count - 1] == '0') d.count--;
  return d;
}

static char *put_exponent(char *p, int exponent) {
  *p++ = 'e';
  *p++ = exponent < 0 ? '-' : '+';
  if (exponent < 0) exponent = -exponent;
  if (exponent >= 100) *p++ = (char)('0' + exponent / 100);
  *p++ = (char)('0' + exponent / 10 % 10);
  *p++ = (char)('0' + exponent % 10);
  return p;
}

static char *put_digits(char *p, const digits *d, int from, int to) {
  for (int i = from; i < to; i++) *p++ = i < d->count ? d->text[i] : '0';
  return p;
}

/*
 * A number as OpenMetrics wants it in le and quantile, which is as Go writes floats: 0.0, 0.001, 1.0,
 * 123456.0, 1e+06, 2.5e-07. Returns its length, at most PTS_NUMBER_MAX.
 */
static size_t print_canonical(char *out, double value) {
  char number[PTS_NUMBER_MAX];
  size_t length = pts_number_print(number, value);
  char *p = out;
  if (!isfinite(value)) {
    memcpy(out, number, length);
    return length;
  }
  if (number[0] == '-') *p++ = '-';
  digits d = digits_of(number, length);
  int exponent = d.point - 1;
  if (d.count == 0) {
    p = put_digits(p, &(digits){.text = "0.0", .count = 3}, 0, 3);
  } else if (exponent < -4 || exponent >= 6) {
    *p++ = d.text[0];
    if (d.count > 1) *p++ = '.';
    p = put_exponent(put_digits(p, &d, 1, d.count), exponent);
  } else if (d.point > 0) {
    p = put_digits(p, &d, 0, d.point);
    *p++ = '.';
    p = put_digits(p, &d, d.point, d.count > d.point ? d.count : d.point + 1);
  } else {
    *p++ = '0';
    *p++ = '.';
    for (int zeros = d.point; zeros < 0; zeros++) *p++ = '0';
    p = put_digits(p, &d, 0, d.count);
  }
  return (size_t)(p - out);
}

static void make_label(pts_render *r, uint32_t line, const char *name, double bound) {
  pts_buckets *buckets = &r->buckets;
  char *label = buckets->labels + (size_t)line * PTS_LE_SIZE, *p = label;
  p = memcpy(p, name, strlen(name));
  p += strlen(name);
  *p++ = '=';
  *p++ = '"';
  p += pts_is_openmetrics(r) ? print_canonical(p, bound) : pts_number_print(p, bound);
  *p++ = '"';
  buckets->lengths[line] = (uint32_t)(p - label);
  buckets->bounds[line] = bound;
}

/* Bounds seldom differ between the series of a family: their labels are kept for the next one. */
static bool make_labels(pts_render *r, const pts_record *record, uint32_t entry, const double *bounds,
                        uint32_t count) {
  pts_buckets *buckets = &r->buckets;
  bool quantiles = record->kind == PTS_KIND_SUMMARY;
  if (entry == buckets->labels_of && record->kind == buckets->labels_kind) return true;
  buckets->labels_of = 0;
  uint32_t lines = quantiles ? count : count + 1;
  if (!reserve(buckets, count + 1)) return false;
  for (uint32_t i = 0; i < count; i++) make_label(r, i, quantiles ? "quantile" : "le", bounds[i]);
  if (!quantiles) make_label(r, count, "le", INFINITY);
  buckets->line_count = lines;
  buckets->labels_of = entry;
  buckets->labels_kind = record->kind;
  return true;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

static bool read_histogram(pts_render *r, const pts_record *record, pts_total *total) {
  pts_buckets *buckets = &r->buckets;
  uint32_t count = 0;
  uint32_t entry = pts_load_acquire_u32(&record->extra);
  const double *bounds = pts_record_bounds(r->a, record, &count);
  if (!bounds) {
    pts_damage_at(r->a, record);
    return true;
  }
  if (!make_labels(r, record, entry, bounds, count)) return false;
  if (count + 1 != buckets->line_count) return true; /* damaged between two looks */
  uint64_t counts[PTS_MAX_BOUNDS + 1];
  if (!pts_read_histogram(r->a, &r->view, record, counts, count + 1, &total->sum)) return true;
  total->exists = true;
  for (uint32_t i = 0; i <= count; i++) {
    total->count += counts[i];
    buckets->values[i] = (double)total->count;
  }
  return true;
}

static bool read_summary(pts_render *r, const pts_record *record, pts_total *total) {
  pts_summary_reading reading;
  uint32_t entry = pts_load_acquire_u32(&record->extra);
  if (!pts_summary_read(r->a, &r->view, record, r->now_ms, &reading)) return true;
  if (!make_labels(r, record, entry, reading.quantiles, reading.quantile_count)) return false;
  if (reading.quantile_count != r->buckets.line_count) return true; /* damaged between two looks */
  for (uint32_t i = 0; i < reading.quantile_count; i++) r->buckets.values[i] = reading.values[i];
  *total = (pts_total){(uint64_t)reading.count, reading.sum, true};
  return true;
}

bool pts_buckets_read(pts_render *r, const pts_record *record, pts_total *total) {
  *total = (pts_total){0};
  return record->kind == PTS_KIND_SUMMARY ? read_summary(r, record, total)
                                          : read_histogram(r, record, total);
}

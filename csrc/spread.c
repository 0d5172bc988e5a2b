/*
 * Lines of different series that mix: they are all made first, sorted, and those of the same labels added up.
 *
 * This is the slow way, for
 *   - enums, which are one series and a line for each state, among the family's other lines;
 *   - gauges that show every worker's part;
 *   - buckets in lexical order, where `le` may sort before the labels that tell series apart;
 *   - histograms whose bucket lines coincide (a user's `le`, or other bounds with the same labels);
 *   - plain series that have the name of a histogram's part, or are buckets themselves.
 *
 * Every series is read once, so its lines agree.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"

void pts_spread_free(pts_spread *spread) {
  free(spread->lines);
  free(spread->text.bytes);
  free(spread->name.bytes);
}

/* ---- making lines ----------------------------------------------------------------------------------- */

typedef struct span {
  size_t at; /* in the spread's text, which moves while it grows */
  uint32_t length;
} span;

/* Labels joined by commas. */
static bool join(pts_spread *spread, pts_text x, pts_text y, pts_text z, span *out) {
  const pts_text pieces[3] = {x, y, z};
  pts_growing *text = &spread->text;
  if (!pts_growing_reserve(text, (size_t)x.length + y.length + z.length + 3)) return false;
  size_t start = text->used;
  for (int i = 0; i < 3; i++) {
    if (pieces[i].length == 0) continue;
    if (text->used > start) text->bytes[text->used++] = ',';
    pts_growing_add(text, pieces[i]);
  }
  *out = (span){start, (uint32_t)(text->used - start)};
  return true;
}

static bool add_line(pts_spread *spread, span labels, span key, double le, pts_reading reading) {
  if (spread->count == spread->room) {
    uint32_t room = spread->room ? 2 * spread->room : 64;
    pts_line *lines = realloc(spread->lines, room * sizeof *lines);
    if (!lines) return false;
    spread->lines = lines;
    spread->room = room;
  }
  spread->lines[spread->count++] =
      (pts_line){labels.at, key.at, labels.length, key.length, le, reading};
  return true;
}

/* In place of le="+Inf": behind every number. */
static const pts_text last_label = {(const uint8_t *)"le=\"\xff", 5};

/* A bucket line. What it is sorted by: lexically, its whole text; else first all but its `le`. */
static bool add_bucket(pts_render *r, const pts_parts *parts, pts_text label, double le,
                       double value) {
  pts_spread *spread = &r->spread;
  span labels, key;
  if (!join(spread, parts->before, label, parts->after, &labels)) return false;
  key = labels;
  bool lexical = r->flags & PTS_RENDER_LEXICAL;
  bool joined = true;
  if (!lexical)
    joined = join(spread, parts->before, PTS_NO_TEXT, parts->after, &key);
  else if (isinf(le))
    joined = join(spread, parts->before, last_label, parts->after, &key);
  return joined && add_line(spread, labels, key, lexical ? 0 : le, (pts_reading){value, NAN});
}

/* ---- enums and plain series ---------------------------------------------------------------------------- */

static bool add_enum(pts_render *r, const pts_record *record, const pts_record *family) {
  pts_reading reading;
  pts_parts parts;
  if (!pts_read_value(r->a, &r->view, record, &(pts_traits){0}, &reading)) return true;
  if (!pts_parts_of(r, record, &parts)) return true;
  uint32_t part_count = pts_family_part_count(r->a, family);
  for (uint32_t part = PTS_PART_STATES; part < part_count; part++) {
    pts_text label;
    span labels, key;
    label.bytes = pts_family_part(r->a, family, part, &label.length);
    if (!label.bytes) continue;
    if (!pts_respell_state(r, &parts, &label)) return false;
    pts_reading one = {reading.value == (double)(part - PTS_PART_STATES), reading.time};
    if (!join(&r->spread, parts.before, label, parts.after, &labels)) return false;
    key = labels;
    /* OpenMetrics wants all states of a series together. */
    if (pts_is_openmetrics(r) && !join(&r->spread, parts.before, PTS_NO_TEXT, parts.after, &key))
      return false;
    if (!add_line(&r->spread, labels, key, part, one)) return false;
  }
  return true;
}

static double number_in(pts_text text) {
  char copy[64];
  if (text.length == 0 || text.length >= sizeof copy) return NAN;
  memcpy(copy, text.bytes, text.length);
  copy[text.length] = 0;
  char *end;
  double value = strtod(copy, &end);
  return *end ? NAN : value;
}

/* Take `le` out of labels. NaN when there is none, or it is no number. */
static double split_le(pts_text labels, pts_parts *parts, pts_text *label) {
  parts->before = labels;
  parts->after = *label = PTS_NO_TEXT;
  for (uint32_t at = 0; at < labels.length;) {
    uint32_t name = at;
    if (labels.bytes[at] == '"') at = pts_quoted_end(labels, at);
    while (at < labels.length && labels.bytes[at] != '=') at++;
    uint32_t value = at + 1, end = value < labels.length ? pts_quoted_end(labels, value) : labels.length;
    if (at - name == 2 && memcmp(labels.bytes + name, "le", 2) == 0 && end > value + 1) {
      parts->before.length = name ? name - 1 : 0;
      if (end < labels.length)
        parts->after = (pts_text){labels.bytes + end + 1, labels.length - end - 1};
      *label = (pts_text){labels.bytes + name, end - name};
      return number_in((pts_text){labels.bytes + value + 1, end - value - 2});
    }
    at = end + 1;
  }
  return NAN;
}

static bool add_plain(pts_render *r, const pts_record *record, bool buckets) {
  pts_text label;
  pts_reading reading;
  pts_parts parts;
  span whole;
  if (!pts_read_value(r->a, &r->view, record, &r->traits, &reading)) return true;
  if (!pts_whole_parts_of(r, record, &parts)) return true;
  pts_text labels = parts.before;
  double le = buckets ? split_le(labels, &parts, &label) : NAN;
  if (!isnan(le)) {
    if (!add_bucket(r, &parts, label, le, reading.value)) return false;
    r->spread.lines[r->spread.count - 1].reading.time = reading.time;
    return true;
  }
  if (!join(&r->spread, labels, PTS_NO_TEXT, PTS_NO_TEXT, &whole)) return false;
  return add_line(&r->spread, whole, whole, 0, reading);
}

/* A gauge of which every worker's part is shown: a line for each, with its slot in place of any label `worker`. */
static bool add_workers(pts_render *r, const pts_record *record) {
  pts_parts parts;
  if (!pts_whole_parts_of(r, record, &parts)) return true;
  uint32_t replaced, at = pts_labels_place(parts.before, pts_text_of("worker"), &replaced);
  uint32_t resume = at + replaced;
  if (resume < parts.before.length && parts.before.bytes[resume] == ',') resume++;
  pts_text after = {parts.before.bytes + resume, parts.before.length - resume};
  pts_text before = {parts.before.bytes, at ? at - (parts.before.bytes[at - 1] == ',') : 0};
  uint32_t count = r->spread.count;
  for (uint32_t slot = 1; slot < r->view.high; slot++) {
    pts_reading reading;
    span labels;
    char label[32];
    if (!pts_read_worker(r->a, &r->view, record, slot, &r->traits, &reading)) continue;
    snprintf(label, sizeof label, "worker=\"%u\"", slot);
    if (!join(&r->spread, before, pts_text_of(label), after, &labels)) return false;
    if (!add_line(&r->spread, labels, labels, 0, reading)) return false;
  }
  pts_fence_acquire();
  /* Its room was given away meanwhile. */
  if (!pts_order_holds(r->order, r->a, (uint32_t)(record - r->a->records))) r->spread.count = count;
  return true;
}

static bool add_value(pts_render *r, const pts_record *record, const pts_record *family, bool buckets) {
  if (record->kind == PTS_KIND_ENUM) return add_enum(r, record, family);
  bool workers = r->traits.merge == PTS_MERGE_ALL && pts_kind_is_worker_gauge(record->kind);
  return workers ? add_workers(r, record) : add_plain(r, record, buckets);
}

static bool add_values(pts_render *r, const pts_order_family *family, bool buckets) {
  const uint32_t *series = r->order->series + family->first;
  const pts_record *declared = pts_record_at(r->a, family->record);
  for (uint32_t i = 0; i < family->values; i++) {
    const pts_record *record = pts_record_at(r->a, series[i]);
    if (record && declared && !add_value(r, record, declared, buckets)) return false;
  }
  return true;
}

/* ---- histograms ------------------------------------------------------------------------------------------ */

static bool add_histogram(pts_render *r, const pts_record *record, pts_total *total) {
  pts_parts parts;
  bool quantiles = r->group->part == PTS_PART_QUANTILE;
  if (quantiles != (record->kind == PTS_KIND_SUMMARY)) return true;
  if (!pts_buckets_read(r, record, total)) return false;
  if (!total->exists || !pts_parts_of(r, record, &parts)) return true;
  for (uint32_t line = 0; line < r->buckets.line_count; line++)
    if (!add_bucket(r, &parts, pts_buckets_label(&r->buckets, line), r->buckets.bounds[line],
                    r->buckets.values[line]))
      return false;
  return true;
}

static bool add_total(pts_render *r, const pts_record *record, const pts_total *total, bool sums) {
  pts_parts parts;
  span whole;
  if (!total->exists || !pts_whole_parts_of(r, record, &parts)) return true;
  pts_reading reading = {sums ? total->sum : (double)total->count, NAN};
  return join(&r->spread, parts.before, PTS_NO_TEXT, PTS_NO_TEXT, &whole) &&
         add_line(&r->spread, whole, whole, 0, reading);
}

static bool add_histograms(pts_render *r, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first + family->values;
  pts_part part = r->group->part;
  for (uint32_t i = 0; i < family->histograms; i++) {
    pts_total *total = &r->group->totals[i];
    const pts_record *record = pts_record_at(r->a, series[i]);
    if (!record) continue;
    bool added = part < PTS_PART_COUNT ? add_histogram(r, record, total)
                                         : add_total(r, record, total, part == PTS_PART_SUM);
    if (!added) return false;
  }
  return true;
}

/* ---- sorting and adding up ------------------------------------------------------------------------------- */

static pts_text text_at(const pts_spread *spread, size_t at, uint32_t length) {
  return (pts_text){spread->text.bytes + at, length};
}

pts_text pts_line_labels(const pts_spread *spread, const pts_line *line) {
  return text_at(spread, line->labels_at, line->labels_length);
}

static int compare_lines(const pts_spread *spread, const pts_line *x, const pts_line *y) {
  int c = pts_text_compare(text_at(spread, x->key_at, x->key_length),
                           text_at(spread, y->key_at, y->key_length));
  return c ? c : x->le < y->le ? -1 : x->le > y->le;
}

/* Merge sort: stable, and the comparison needs the spread (qsort has no place for it). */
static void sort_lines(const pts_spread *spread, pts_line *lines, pts_line *other, uint32_t count) {
  if (count < 2) return;
  uint32_t half = count / 2, i = 0, j = half, out = 0;
  sort_lines(spread, lines, other, half);
  sort_lines(spread, lines + half, other, count - half);
  memcpy(other, lines, count * sizeof *lines);
  while (i < half && j < count)
    lines[out++] = compare_lines(spread, &other[j], &other[i]) < 0 ? other[j++] : other[i++];
  while (i < half) lines[out++] = other[i++];
  while (j < count) lines[out++] = other[j++];
}

static void add_up(pts_spread *spread) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < spread->count; i++) {
    const pts_line *line = &spread->lines[i];
    pts_line *last = kept ? &spread->lines[kept - 1] : NULL;
    if (last && compare_lines(spread, last, line) == 0 &&
        pts_text_compare(pts_line_labels(spread, last), pts_line_labels(spread, line)) == 0) {
      last->reading.value += line->reading.value;
      if (isnan(last->reading.time)) last->reading.time = line->reading.time;
    } else {
      spread->lines[kept++] = *line;
    }
  }
  spread->count = kept;
}

static bool finish(pts_spread *spread) {
  pts_line *other = malloc((spread->count + 1) * sizeof *other);
  if (!other) return false;
  sort_lines(spread, spread->lines, other, spread->count);
  free(other);
  add_up(spread);
  return true;
}

/* ---- a group --------------------------------------------------------------------------------------------- */

static bool ends_in_bucket(pts_text name) {
  return name.length > 7 && memcmp(name.bytes + name.length - 7, "_bucket", 7) == 0;
}

static bool is_needed(const pts_render *r, const pts_order_family *family) {
  if (r->group->plain != PTS_NO_FAMILY) return true;
  if (r->group->part == PTS_PART_OWN)
    return family->values && (family->enums || r->traits.merge == PTS_MERGE_ALL ||
                              ends_in_bucket(r->group->name));
  return family->tangled ||
         (r->group->part == PTS_PART_BUCKET && (r->flags & PTS_RENDER_LEXICAL));
}

/* The name as its lines have it. */
static bool find_name(pts_render *r) {
  pts_spread *spread = &r->spread;
  spread->parts = (pts_parts){.quoted = !pts_name_is_legacy(r->group->name, PTS_NAME_OF_METRIC)};
  if (r->title) {
    spread->parts.name = pts_title_text(r, r->title);
    spread->parts.quoted = r->title->quoted;
    return true;
  }
  spread->name.used = 0;
  if (!pts_growing_reserve(&spread->name, 2 * (size_t)r->group->name.length)) return false;
  uint8_t *out = spread->name.bytes;
  uint32_t length = spread->parts.quoted ? pts_name_quote(r->group->name, out) : 0;
  spread->parts.name = length ? (pts_text){out, length} : r->group->name;
  return true;
}

bool pts_spread_begin(pts_render *r) {
  pts_spread *spread = &r->spread;
  const pts_order_family *family = &r->order->families[r->group->family];
  spread->used = r->group->part != PTS_PART_WHOLE && is_needed(r, family);
  spread->count = 0;
  spread->text.used = 0;
  if (!spread->used) return true;
  if (!find_name(r)) return false;
  bool own = r->group->part == PTS_PART_OWN;
  if (own && !add_values(r, family, ends_in_bucket(r->group->name))) return false;
  if (!own && !add_histograms(r, family)) return false;
  if (r->group->plain != PTS_NO_FAMILY &&
      !add_values(r, &r->order->families[r->group->plain], r->group->part == PTS_PART_BUCKET))
    return false;
  return finish(spread);
}

/*
 * Lines of different series that mix: they are all made first, sorted, and those of the same labels added up.
 *
 * This is the slow way, for
 *   - enums, which are one series and a line for each state, among the family's other lines;
 *   - buckets in lexical order, where `le` may sort before the labels that tell series apart;
 *   - histograms whose bucket lines coincide (a user's `le`, or other bounds with the same labels);
 *   - plain series that have the name of a histogram's part, or are buckets themselves.
 *
 * Every series is read once, so its lines agree.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "render.h"

void pts_spread_free(pts_spread *spread) {
  free(spread->lines);
  free(spread->text);
}

/* ---- making lines ----------------------------------------------------------------------------------- */

typedef struct span {
  size_t at; /* in the spread's text, which moves while it grows */
  uint32_t length;
} span;

static bool reserve_text(pts_spread *spread, size_t more) {
  size_t wanted = spread->text_used + more;
  if (wanted <= spread->text_room) return true;
  uint8_t *bigger = realloc(spread->text, 2 * wanted);
  if (!bigger) return false;
  spread->text = bigger;
  spread->text_room = 2 * wanted;
  return true;
}

/* Labels joined by commas. */
static bool join(pts_spread *spread, pts_text x, pts_text y, pts_text z, span *out) {
  const pts_text pieces[3] = {x, y, z};
  if (!reserve_text(spread, (size_t)x.length + y.length + z.length + 3)) return false;
  size_t start = spread->text_used;
  for (int i = 0; i < 3; i++) {
    if (pieces[i].length == 0) continue;
    if (spread->text_used > start) spread->text[spread->text_used++] = ',';
    memcpy(spread->text + spread->text_used, pieces[i].bytes, pieces[i].length);
    spread->text_used += pieces[i].length;
  }
  *out = (span){start, (uint32_t)(spread->text_used - start)};
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

static const pts_text none = {NULL, 0};
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
    joined = join(spread, parts->before, none, parts->after, &key);
  else if (isinf(le))
    joined = join(spread, parts->before, last_label, parts->after, &key);
  return joined && add_line(spread, labels, key, lexical ? 0 : le, (pts_reading){value, NAN});
}

/* ---- enums and plain series ---------------------------------------------------------------------------- */

static bool add_enum(pts_render *r, const pts_record *record, const pts_record *family) {
  pts_reading reading;
  pts_parts parts;
  if (!pts_parts_of(r->a, record, &parts)) return true;
  if (!pts_read_value(r->a, &r->view, record, &(pts_traits){0}, &reading)) return true;
  uint32_t part_count = pts_family_part_count(r->a, family);
  for (uint32_t part = PTS_PART_STATES; part < part_count; part++) {
    pts_text label;
    span labels;
    label.bytes = pts_family_part(r->a, family, part, &label.length);
    if (!label.bytes) continue;
    pts_reading one = {reading.value == (double)(part - PTS_PART_STATES), reading.time};
    if (!join(&r->spread, parts.before, label, parts.after, &labels)) return false;
    if (!add_line(&r->spread, labels, labels, 0, one)) return false;
  }
  return true;
}

/* The end of a quoted text that begins at `at`, or its length when it never ends. */
static uint32_t quoted_end(pts_text text, uint32_t at) {
  for (at++; at < text.length && text.bytes[at] != '"'; at++)
    if (text.bytes[at] == '\\') at++;
  return at + 1 < text.length ? at + 1 : text.length;
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
  parts->after = *label = none;
  for (uint32_t at = 0; at < labels.length;) {
    uint32_t name = at;
    if (labels.bytes[at] == '"') at = quoted_end(labels, at);
    while (at < labels.length && labels.bytes[at] != '=') at++;
    uint32_t value = at + 1, end = value < labels.length ? quoted_end(labels, value) : labels.length;
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
  pts_text labels, label;
  pts_reading reading;
  pts_parts parts;
  span whole;
  if (!pts_record_labels(r->a, record, &labels)) return true;
  if (!pts_read_value(r->a, &r->view, record, &r->traits, &reading)) return true;
  double le = buckets ? split_le(labels, &parts, &label) : NAN;
  if (!isnan(le)) {
    if (!add_bucket(r, &parts, label, le, reading.value)) return false;
    r->spread.lines[r->spread.count - 1].reading.time = reading.time;
    return true;
  }
  if (!join(&r->spread, labels, none, none, &whole)) return false;
  return add_line(&r->spread, whole, whole, 0, reading);
}

static bool add_values(pts_render *r, const pts_order_family *family, bool buckets) {
  const uint32_t *series = r->order->series + family->first;
  const pts_record *declared = pts_record_at(r->a, family->record);
  for (uint32_t i = 0; i < family->values; i++) {
    const pts_record *record = pts_record_at(r->a, series[i]);
    if (!record || !declared) continue;
    bool added = record->kind == PTS_KIND_ENUM ? add_enum(r, record, declared)
                                               : add_plain(r, record, buckets);
    if (!added) return false;
  }
  return true;
}

/* ---- histograms ------------------------------------------------------------------------------------------ */

static bool add_histogram(pts_render *r, const pts_record *record, pts_total *total) {
  pts_parts parts;
  if (!pts_buckets_read(r, record, total)) return false;
  if (!total->exists || !pts_parts_of(r->a, record, &parts)) return true;
  for (uint32_t line = 0; line < r->buckets.line_count; line++)
    if (!add_bucket(r, &parts, pts_buckets_label(&r->buckets, line), r->buckets.bounds[line],
                    (double)r->buckets.values[line]))
      return false;
  return true;
}

static bool add_total(pts_render *r, const pts_record *record, const pts_total *total, bool sums) {
  pts_text labels;
  span whole;
  if (!total->exists || !pts_record_labels(r->a, record, &labels)) return true;
  pts_reading reading = {sums ? total->sum : (double)total->count, NAN};
  return join(&r->spread, labels, none, none, &whole) &&
         add_line(&r->spread, whole, whole, 0, reading);
}

static bool add_histograms(pts_render *r, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first + family->values;
  pts_part part = r->group->part;
  for (uint32_t i = 0; i < family->histograms; i++) {
    pts_total *total = &r->group->totals[i];
    const pts_record *record = pts_record_at(r->a, series[i]);
    if (!record) continue;
    bool added = part == PTS_PART_BUCKET ? add_histogram(r, record, total)
                                         : add_total(r, record, total, part == PTS_PART_SUM);
    if (!added) return false;
  }
  return true;
}

/* ---- sorting and adding up ------------------------------------------------------------------------------- */

static pts_text text_at(const pts_spread *spread, size_t at, uint32_t length) {
  return (pts_text){spread->text + at, length};
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
    return family->values && (family->enums || ends_in_bucket(r->group->name));
  return family->tangled ||
         (r->group->part == PTS_PART_BUCKET && (r->flags & PTS_RENDER_LEXICAL));
}

/* The printed name, from any series of the group. */
static bool find_name(pts_render *r, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first;
  uint32_t first = r->group->part == PTS_PART_OWN ? 0 : family->values;
  const pts_record *record = pts_record_at(r->a, series[first]);
  if (!record || !pts_whole_parts_of(r->a, record, &r->spread.parts)) return false;
  r->spread.parts.before = r->spread.parts.after = none;
  return true;
}

bool pts_spread_begin(pts_render *r) {
  pts_spread *spread = &r->spread;
  const pts_order_family *family = &r->order->families[r->group->family];
  spread->used = is_needed(r, family);
  spread->count = 0;
  spread->text_used = 0;
  if (!spread->used || !find_name(r, family)) return true;
  bool own = r->group->part == PTS_PART_OWN;
  if (own && !add_values(r, family, ends_in_bucket(r->group->name))) return false;
  if (!own && !add_histograms(r, family)) return false;
  if (r->group->plain != PTS_NO_FAMILY &&
      !add_values(r, &r->order->families[r->group->plain], r->group->part == PTS_PART_BUCKET))
    return false;
  return finish(spread);
}

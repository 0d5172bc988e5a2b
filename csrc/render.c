/*
 * The text exposition, in whole lines, into buffers of any size.
 *
 * A render is a list of groups and a position in it. A group is a name under which lines are printed:
 * a family's own series, or one of the three parts of its histograms.
 *
 * I1: a histogram is read once, when its buckets begin; its _count and _sum lines come from that
 *     reading, so they agree with the buckets whatever happens in between.
 * I2: a step writes one line completely or nothing; the position moves only after it.
 */
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "number.h"

/* ---- writing -------------------------------------------------------------------------------------- */

#define NUMBERS (2 * PTS_NUMBER_MAX + 4) /* " value time\n" and what the printer may overwrite */

static inline uint8_t *put(uint8_t *p, const void *bytes, size_t length) {
  if (length) pts_racing_copy(p, bytes, length);
  return p + length;
}

static inline bool room(const pts_sink *sink, size_t length) {
  return (size_t)(sink->end - sink->at) >= length;
}

static bool write_text(pts_sink *sink, const void *bytes, size_t length) {
  if (!room(sink, length)) return false;
  sink->at = put(sink->at, bytes, length);
  return true;
}

/* "printed value[ time]\n" */
static inline bool write_line(pts_sink *sink, pts_text printed, const pts_reading *reading) {
  if (!room(sink, printed.length + NUMBERS)) return false;
  uint8_t *p = put(sink->at, printed.bytes, printed.length);
  *p++ = ' ';
  p += pts_number_print((char *)p, reading->value);
  if (!isnan(reading->time)) {
    *p++ = ' ';
    p += pts_number_print((char *)p, reading->time);
  }
  *p++ = '\n';
  sink->at = p;
  return true;
}

/*
 * The printed series with a suffix behind the name and a label put in:
 * `name{a="b"}` becomes `name_bucket{a="b",le="1"}`; insertion may be empty.
 */
static bool write_derived(pts_sink *sink, const pts_parts *parts, pts_text suffix, pts_text label,
                          const pts_reading *reading) {
  size_t length = parts->name.length + parts->before.length + parts->after.length + suffix.length +
                  label.length + 8;
  if (!room(sink, length + NUMBERS)) return false;
  bool braces = parts->quoted || parts->before.length || parts->after.length || label.length;
  uint8_t *p = sink->at;
  if (parts->quoted) p = put(p, "{\"", 2);
  p = put(p, parts->name.bytes, parts->name.length);
  p = put(p, suffix.bytes, suffix.length);
  if (parts->quoted) *p++ = '"';
  bool more = parts->quoted;
  if (braces && !parts->quoted) *p++ = '{';
  const pts_text pieces[3] = {parts->before, label, parts->after};
  for (int i = 0; i < 3; i++) {
    if (!pieces[i].length) continue;
    if (more) *p++ = ',';
    p = put(p, pieces[i].bytes, pieces[i].length);
    more = true;
  }
  if (braces) *p++ = '}';
  sink->at = p;
  return write_line(sink, (pts_text){NULL, 0}, reading);
}

/* ---- values, live gauges, enums ----------------------------------------------------------------------- */

/* Each returns 1 when it is done, 0 when the sink is full. */
static int value_step(pts_render *r, pts_sink *sink, uint32_t number) {
  pts_record *record = pts_record_at(r->a, number);
  if (!record) return 1;
  if (!pts_order_holds(r->order, r->a, number)) return 1;
  pts_reading reading;
  pts_text printed;
  if (!pts_read_value(r->a, &r->view, record, &r->traits, &reading)) return 1;
  if (!pts_record_printed(r->a, record, &printed)) {
    pts_damage(r->a);
    return 1;
  }
  uint8_t *line = sink->at;
  if (!write_line(sink, printed, &reading)) return 0;
  pts_fence_acquire();
  if (!pts_order_holds(r->order, r->a, number)) sink->at = line; /* its room was given away meanwhile */
  return 1;
}

/* How many series ahead a record is asked for, and what it leads to. */
#define RECORD_AHEAD 24u
#define BLOCKS_AHEAD 8u

/* What is read in the order of labels lies in the order of first use: ask the memory for it early. */
static void read_ahead(const pts_render *r, const uint32_t *series, uint32_t at, uint32_t count) {
  const pts_attachment *a = r->a;
  if (count - at > RECORD_AHEAD && series[at + RECORD_AHEAD] < a->max_records)
    PTS_PREFETCH(&a->records[series[at + RECORD_AHEAD]]);
  if (count - at > BLOCKS_AHEAD && series[at + BLOCKS_AHEAD] < a->max_records)
    pts_read_soon(a, &r->view, &a->records[series[at + BLOCKS_AHEAD]]);
}

static int values_step(pts_render *r, pts_sink *sink, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first;
  for (; r->series < family->values; r->series++) {
    read_ahead(r, series, r->series, family->values);
    if (!value_step(r, sink, series[r->series])) return 0;
  }
  return 1;
}

/* ---- histograms ----------------------------------------------------------------------------------------- */

static const pts_text no_text = {NULL, 0};

static pts_text suffix_of(pts_part part) {
  switch (part) {
  case PTS_PART_BUCKET:
    return (pts_text){(const uint8_t *)"_bucket", 7};
  case PTS_PART_COUNT:
    return (pts_text){(const uint8_t *)"_count", 6};
  case PTS_PART_SUM:
    return (pts_text){(const uint8_t *)"_sum", 4};
  default:
    return no_text;
  }
}

/* The lines of the histogram that was read. */
static int bucket_lines(pts_render *r, pts_sink *sink) {
  for (; r->bucket < r->buckets.line_count; r->bucket++) {
    pts_text label = pts_buckets_label(&r->buckets, r->bucket);
    pts_reading reading = {(double)r->buckets.values[r->bucket], NAN};
    if (!write_derived(sink, &r->parts, suffix_of(PTS_PART_BUCKET), label, &reading)) return 0;
  }
  r->reading_buckets = false;
  return 1;
}

static int buckets_step(pts_render *r, pts_sink *sink, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first + family->values;
  for (; r->series < family->histograms; r->series++) {
    if (!r->reading_buckets) {
      pts_total *total = &r->group->totals[r->series];
      const pts_record *record = pts_record_at(r->a, series[r->series]);
      if (!record) continue;
      if (!pts_buckets_read(r, record, total)) return PTS_E_NO_MEMORY;
      if (!total->exists || !pts_parts_of(r->a, record, &r->parts)) continue;
      r->reading_buckets = true;
      r->bucket = 0;
    }
    if (!bucket_lines(r, sink)) return 0;
  }
  return 1;
}

static int totals_step(pts_render *r, pts_sink *sink, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first + family->values;
  bool sums = r->group->part == PTS_PART_SUM;
  for (; r->series < family->histograms; r->series++) {
    const pts_total *total = &r->group->totals[r->series];
    const pts_record *record = pts_record_at(r->a, series[r->series]);
    pts_parts parts;
    if (!total->exists || !record || !pts_whole_parts_of(r->a, record, &parts)) continue;
    pts_reading reading = {sums ? total->sum : (double)total->count, NAN};
    if (!write_derived(sink, &parts, suffix_of(r->group->part), no_text, &reading)) return 0;
  }
  return 1;
}

/* Lines that were made and sorted before (spread.c). */
static int spread_step(pts_render *r, pts_sink *sink) {
  for (; r->series < r->spread.count; r->series++) {
    const pts_line *line = &r->spread.lines[r->series];
    pts_parts parts = r->spread.parts;
    parts.before = pts_line_labels(&r->spread, line);
    if (!write_derived(sink, &parts, suffix_of(r->group->part), no_text, &line->reading)) return 0;
  }
  return 1;
}

/* ---- groups ------------------------------------------------------------------------------------------- */

static int header_step(pts_render *r, pts_sink *sink, const pts_record *family) {
  uint32_t length;
  const uint8_t *header = pts_family_part(r->a, family, 2, &length);
  return !header || write_text(sink, header, length);
}

/* The store's own counters, only when there is something to say. */
static int own_step(pts_sink *sink, const char *name, const char *help, double value) {
  pts_text n = {(const uint8_t *)name, (uint32_t)strlen(name)};
  size_t help_length = strlen(help);
  if (!room(sink, 3 * (size_t)n.length + help_length + NUMBERS + 32)) return 0;
  write_text(sink, "# HELP ", 7);
  write_text(sink, n.bytes, n.length);
  write_text(sink, " ", 1);
  write_text(sink, help, help_length);
  write_text(sink, "\n# TYPE ", 8);
  write_text(sink, n.bytes, n.length);
  write_text(sink, " counter\n", 9);
  pts_reading reading = {value, NAN};
  return write_line(sink, n, &reading);
}

/* The header of the family whose name the group has, if any has it. */
static int begin_group(pts_render *r, pts_sink *sink) {
  r->group = &r->groups[r->at];
  if (r->group->part > PTS_PART_SUM) return 1;
  bool own = r->group->part == PTS_PART_OWN;
  uint32_t named = own ? r->group->family : r->group->plain;
  const pts_record *record =
      named == PTS_NO_FAMILY ? NULL : pts_record_at(r->a, r->order->families[named].record);
  if (record && !header_step(r, sink, record)) return 0;
  r->traits = record ? pts_family_traits(r->a, record) : (pts_traits){.type = '-'};
  return pts_spread_begin(r) ? 1 : PTS_E_NO_MEMORY;
}

static int group_step(pts_render *r, pts_sink *sink) {
  const pts_order_family *family = &r->order->families[r->group->family];
  if (r->group->part <= PTS_PART_SUM && r->spread.used) return spread_step(r, sink);
  switch (r->group->part) {
  case PTS_PART_OWN:
    return values_step(r, sink, family);
  case PTS_PART_BUCKET:
    return buckets_step(r, sink, family);
  case PTS_PART_COUNT:
  case PTS_PART_SUM:
    return totals_step(r, sink, family);
  case PTS_PART_DAMAGE:
    return own_step(sink, PTS_NAME_DAMAGE, "Broken things met in the store.", (double)r->damage);
  default:
    return own_step(sink, PTS_NAME_DROPPED, "Updates that found no room in the store.",
                    (double)r->dropped);
  }
}

int32_t pts_render_lines(pts_render *r, uint8_t *buffer, uint32_t size) {
  pts_sink sink = {buffer, buffer + size};
  int done = 1;
  while (done == 1 && r->at < r->group_count) {
    if (!r->begun) {
      done = begin_group(r, &sink);
      if (done != 1) break;
      r->begun = true;
    }
    done = group_step(r, &sink);
    if (done != 1) break;
    r->at++;
    r->begun = false;
    r->series = 0;
  }
  if (done < 0) return done;
  if (done == 0 && sink.at == buffer) return PTS_E_TOO_SMALL;
  return (int32_t)(sink.at - buffer);
}

/*
 * OpenMetrics 1.0.0: what differs from the text format's lines.
 *
 * Every series's samples stand together (_total and _created; buckets, _count, _sum and _created),
 * times are in seconds, and counters and buckets carry exemplars.
 */
#include "atomics.h"
#include "exemplar.h"
#include "render.h"

static const double milliseconds_in_a_second = 1000;

static pts_text created_suffix(void) { return (pts_text){(const uint8_t *)"_created", 8}; }

/* ---- exemplars ---------------------------------------------------------------------------------------- */

#define EXEMPLAR_MOST (PTS_MAX_EXEMPLAR_TEXT + 8 + PTS_SINK_NUMBERS)

/* That of the series which the record was when r->head was read. */
static bool find_exemplar(pts_render *r, const pts_record *record, uint32_t bucket,
                          pts_exemplar_reading *exemplar) {
  return pts_exemplar_read(r->a, record, r->head, bucket, exemplar);
}

/* Behind a line that was just written; there is room. */
static void add_exemplar(pts_sink *sink, const pts_exemplar_reading *exemplar) {
  uint8_t *p = sink->at - 1; /* over its newline */
  p = pts_sink_put(p, " # {", 4);
  p = pts_sink_put(p, exemplar->text, exemplar->length);
  *p++ = '}';
  sink->at = p;
  pts_reading reading = {exemplar->value, exemplar->time_ms / milliseconds_in_a_second};
  pts_sink_line(sink, PTS_NO_TEXT, &reading);
}

/* ---- plain values ----------------------------------------------------------------------------------------- */

/* Its line begins as it is stored. */
static int write_stored(pts_render *r, pts_sink *sink, const pts_record *record,
                        const pts_reading *reading, size_t more) {
  pts_text printed;
  if (!pts_record_printed(r->a, record, &printed)) {
    pts_damage_at(r->a, record);
    return 1;
  }
  if (!pts_sink_room(sink, printed.length + PTS_SINK_NUMBERS + more)) return 0;
  uint8_t *line = sink->at;
  pts_sink_line(sink, printed, reading);
  pts_fence_acquire();
  if (!pts_order_holds(r->order, r->a, (uint32_t)(record - r->a->records))) sink->at = line;
  return 1;
}

/* 0: the sink is full. Nothing is written of a series that is gone. */
static int write_value(pts_render *r, pts_sink *sink, const pts_record *record,
                       const pts_reading *reading) {
  pts_exemplar_reading exemplar;
  bool has = r->title->suffix == PTS_SUFFIX_TOTAL && find_exemplar(r, record, 0, &exemplar);
  size_t more = has ? EXEMPLAR_MOST : 0;
  const uint8_t *before = sink->at;
  if (r->as_stored) {
    if (!write_stored(r, sink, record, reading, more)) return 0;
  } else {
    pts_parts parts;
    pts_text suffix = pts_suffix_of_value(r->title->suffix);
    if (!pts_whole_parts_of(r, record, &parts)) return 1;
    if (!pts_sink_room(sink, pts_sink_derived_most(&parts, suffix, PTS_NO_TEXT) + more)) return 0;
    pts_sink_derived(sink, &parts, suffix, PTS_NO_TEXT, reading);
  }
  if (has && sink->at != before) add_exemplar(sink, &exemplar);
  return 1;
}

/* With the time of the sample it belongs to: parsers refuse a mixture. */
static int write_created(pts_render *r, pts_sink *sink, const pts_record *record,
                         const pts_parts *parts, double time) {
  double created;
  if (!pts_created_ms(r->a, record, &created)) return 1;
  pts_reading reading = {created / milliseconds_in_a_second, time};
  return pts_sink_derived(sink, parts, created_suffix(), PTS_NO_TEXT, &reading);
}

int pts_openmetrics_value(pts_render *r, pts_sink *sink, const pts_record *record) {
  if (r->line == 0) {
    pts_reading reading;
    r->head = pts_load_acquire_u64(&record->head);
    if (!pts_read_value(r->a, &r->view, record, &r->traits, &reading)) return 1;
    reading.time /= milliseconds_in_a_second;
    if (!write_value(r, sink, record, &reading)) return 0;
    if (r->title->suffix != PTS_SUFFIX_TOTAL || !(r->flags & PTS_RENDER_CREATED)) return 1;
    r->time = reading.time;
    r->line = 1;
  }
  pts_parts parts;
  if (pts_whole_parts_of(r, record, &parts) && !write_created(r, sink, record, &parts, r->time))
    return 0;
  r->line = 0;
  return 1;
}

/* ---- histograms and summaries ---------------------------------------------------------------------------------- */

static int write_bucket(pts_render *r, pts_sink *sink, const pts_record *record) {
  pts_exemplar_reading exemplar;
  pts_text label = pts_buckets_label(&r->buckets, r->line);
  pts_reading reading = {r->buckets.values[r->line], NAN};
  bool quantile = record->kind == PTS_KIND_SUMMARY;
  if (quantile && reading.value < 0) return 1; /* the format has no negative ones */
  pts_text suffix = quantile ? PTS_NO_TEXT : pts_part_suffix(PTS_PART_BUCKET);
  bool has = !quantile && find_exemplar(r, record, r->line, &exemplar);
  size_t more = has ? EXEMPLAR_MOST : 0;
  if (!pts_sink_room(sink, pts_sink_derived_most(&r->parts, suffix, label) + more)) return 0;
  pts_sink_derived(sink, &r->parts, suffix, label, &reading);
  if (has) add_exemplar(sink, &exemplar);
  return 1;
}

/*
 * The format has no sum that can fall (of negative observations, or NaN), nor one beside buckets with
 * negative bounds; and with a histogram's sum, its count goes.
 */
static bool has_sum(const pts_render *r, const pts_record *record, const pts_total *total) {
  bool negative = record->kind == PTS_KIND_HISTOGRAM && r->buckets.bounds[0] < 0;
  return total->sum >= 0 && !negative;
}

static int write_total(pts_render *r, pts_sink *sink, const pts_record *record, pts_part part) {
  const pts_total *total = &r->group->totals[r->series];
  bool summary = record->kind == PTS_KIND_SUMMARY;
  if (!has_sum(r, record, total) && !(summary && part == PTS_PART_COUNT)) return 1;
  pts_reading reading = {part == PTS_PART_SUM ? total->sum : (double)total->count, NAN};
  return pts_sink_derived(sink, &r->parts, pts_part_suffix(part), PTS_NO_TEXT, &reading);
}

/*
 * One line of the series that was read: buckets or quantiles, then what is behind them. No label of its own
 * stands where `le` belongs (such a family is no whole), so that all have the same parts.
 */
static int write_next(pts_render *r, pts_sink *sink, const pts_record *record) {
  switch (r->line - r->buckets.line_count) {
  case 0:
    return write_total(r, sink, record, PTS_PART_COUNT);
  case 1:
    return write_total(r, sink, record, PTS_PART_SUM);
  case 2:
    if (!(r->flags & PTS_RENDER_CREATED)) return 1;
    return write_created(r, sink, record, &r->parts, NAN);
  default:
    return write_bucket(r, sink, record);
  }
}

static bool is_of_title(const pts_render *r, const pts_record *record) {
  return (record->kind == PTS_KIND_SUMMARY) == (r->title->type == 's');
}

int pts_openmetrics_whole(pts_render *r, pts_sink *sink, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first + family->values;
  for (; r->series < family->histograms; r->series++) {
    const pts_record *record = pts_record_at(r->a, series[r->series]);
    pts_total *total = &r->group->totals[r->series];
    if (!record || !is_of_title(r, record)) continue;
    if (!r->reading_buckets) {
      r->head = pts_load_acquire_u64(&record->head);
      if (!pts_buckets_read(r, record, total)) return PTS_E_NO_MEMORY;
      if (!total->exists || !pts_parts_of(r, record, &r->parts)) continue;
      r->reading_buckets = true;
      r->line = 0;
    }
    for (; r->line < r->buckets.line_count + 3; r->line++)
      if (!write_next(r, sink, record)) return 0;
    r->reading_buckets = false;
    r->line = 0;
  }
  return 1;
}

/*
 * The text exposition, in whole lines, into buffers of any size.
 *
 * A render is a list of groups and a position in it. A group is a name under which lines are printed:
 * a family's own series, or one of the parts of its histograms and summaries.
 *
 * I1: a histogram is read once, when its buckets begin (a summary, when its quantiles do); its _count and
 *     _sum lines come from that reading, so they agree with the buckets whatever happens in between.
 * I2: a step writes one line completely or nothing; the position moves only after it.
 */
#include "render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "atomics.h"

/* ---- values, live gauges, enums ----------------------------------------------------------------------- */

/* Each returns 1 when it is done, 0 when the sink is full. */
static int stored_value(pts_render *r, pts_sink *sink, const pts_record *record, uint32_t number) {
  pts_reading reading;
  pts_text printed;
  if (!pts_order_holds(r->order, r->a, number)) return 1;
  if (!pts_read_value(r->a, &r->view, record, &r->traits, &reading)) return 1;
  if (!pts_record_printed(r->a, record, &printed)) {
    pts_damage_at(r->a, record);
    return 1;
  }
  uint8_t *line = sink->at;
  if (!pts_sink_line(sink, printed, &reading)) return 0;
  pts_fence_acquire();
  if (!pts_order_holds(r->order, r->a, number)) sink->at = line; /* its room was given away meanwhile */
  return 1;
}

/* With a name or labels that are not printed as they are stored. */
static int respelt_value(pts_render *r, pts_sink *sink, const pts_record *record) {
  pts_reading reading;
  pts_parts parts;
  if (!pts_read_value(r->a, &r->view, record, &r->traits, &reading)) return 1;
  if (!pts_whole_parts_of(r, record, &parts)) return 1;
  return pts_sink_derived(sink, &parts, PTS_NO_TEXT, PTS_NO_TEXT, &reading);
}

static int value_step(pts_render *r, pts_sink *sink, uint32_t number) {
  const pts_record *record = pts_record_at(r->a, number);
  if (!record) return 1;
  if (pts_is_openmetrics(r)) return pts_openmetrics_value(r, sink, record);
  return r->as_stored ? stored_value(r, sink, record, number) : respelt_value(r, sink, record);
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

/* A group has buckets or quantiles, or what comes of either. */
static bool is_of_group(const pts_render *r, const pts_record *record) {
  bool quantiles = r->group->part == PTS_PART_QUANTILE;
  return record && quantiles == (record->kind == PTS_KIND_SUMMARY);
}

/* The lines of the histogram or summary that was read. */
static int bucket_lines(pts_render *r, pts_sink *sink) {
  pts_text suffix = pts_part_suffix(r->group->part);
  for (; r->line < r->buckets.line_count; r->line++) {
    pts_text label = pts_buckets_label(&r->buckets, r->line);
    pts_reading reading = {r->buckets.values[r->line], NAN};
    if (!pts_sink_derived(sink, &r->parts, suffix, label, &reading)) return 0;
  }
  r->reading_buckets = false;
  r->line = 0;
  return 1;
}

static int buckets_step(pts_render *r, pts_sink *sink, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first + family->values;
  for (; r->series < family->histograms; r->series++) {
    if (!r->reading_buckets) {
      pts_total *total = &r->group->totals[r->series];
      const pts_record *record = pts_record_at(r->a, series[r->series]);
      if (!is_of_group(r, record)) continue;
      if (!pts_buckets_read(r, record, total)) return PTS_E_NO_MEMORY;
      if (!total->exists || !pts_parts_of(r, record, &r->parts)) continue;
      r->reading_buckets = true;
      r->line = 0;
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
    if (!total->exists || !record || !pts_whole_parts_of(r, record, &parts)) continue;
    pts_reading reading = {sums ? total->sum : (double)total->count, NAN};
    if (!pts_sink_derived(sink, &parts, pts_part_suffix(r->group->part), PTS_NO_TEXT, &reading))
      return 0;
  }
  return 1;
}

/* Lines that were made and sorted before (spread.c). */
static int spread_step(pts_render *r, pts_sink *sink) {
  bool own = r->group->part == PTS_PART_OWN && r->title;
  pts_text suffix =
      own ? pts_suffix_of_value(r->title->suffix) : pts_part_suffix(r->group->part);
  for (; r->series < r->spread.count; r->series++) {
    const pts_line *line = &r->spread.lines[r->series];
    pts_parts parts = r->spread.parts;
    pts_reading reading = line->reading;
    if (pts_is_openmetrics(r)) reading.time /= 1000; /* seconds */
    parts.before = pts_line_labels(&r->spread, line);
    if (!pts_sink_derived(sink, &parts, suffix, PTS_NO_TEXT, &reading)) return 0;
  }
  return 1;
}

/* ---- groups ------------------------------------------------------------------------------------------- */

static const pts_title *title_of(const pts_render *r, uint32_t family) {
  return r->titles ? &r->titles[family] : NULL;
}

/* The header of the family whose name the group has, if any has it. */
static int header_step(pts_render *r, pts_sink *sink, uint32_t family, const pts_record *record) {
  pts_text header;
  bool made = record ? pts_header_of(r, record, title_of(r, family), &header)
                     : pts_part_header_of(r, r->title, r->group->part, &header);
  return made ? pts_sink_text(sink, header) : PTS_E_NO_MEMORY;
}

static int begin_group(pts_render *r, pts_sink *sink) {
  r->group = &r->groups[r->at];
  if (r->group->part == PTS_PART_STORE) return 1;
  r->title = title_of(r, r->group->family);
  r->as_stored =
      !r->title || (r->title->as_stored && !(r->scheme != PTS_SCHEME_NONE && r->order->quoted));
  bool own = r->group->part == PTS_PART_OWN;
  uint32_t named = own ? r->group->family : r->group->plain;
  const pts_record *record =
      named == PTS_NO_FAMILY ? NULL : pts_record_at(r->a, r->order->families[named].record);
  int done = header_step(r, sink, named, record);
  if (done != 1) return done;
  r->traits = record ? pts_family_traits(r->a, record) : (pts_traits){.type = '-'};
  return pts_spread_begin(r) ? 1 : PTS_E_NO_MEMORY;
}

static int group_step(pts_render *r, pts_sink *sink) {
  if (r->group->part == PTS_PART_STORE) return pts_own_step(r, sink, r->group->family);
  if (r->spread.used) return spread_step(r, sink);
  const pts_order_family *family = &r->order->families[r->group->family];
  switch (r->group->part) {
  case PTS_PART_OWN:
    return values_step(r, sink, family);
  case PTS_PART_QUANTILE:
  case PTS_PART_BUCKET:
    return buckets_step(r, sink, family);
  case PTS_PART_WHOLE:
    return pts_openmetrics_whole(r, sink, family);
  default:
    return totals_step(r, sink, family);
  }
}

/* OpenMetrics has a last line, by which a reader knows that nothing is missing. */
static int end_step(pts_render *r, pts_sink *sink) {
  if (!pts_is_openmetrics(r) || r->ended) return 1;
  r->ended = pts_sink_text(sink, pts_text_of("# EOF\n"));
  return r->ended;
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
  if (done == 1) done = end_step(r, &sink);
  if (done < 0) return done;
  if (done == 0 && sink.at == buffer) return PTS_E_TOO_SMALL;
  return (int32_t)(sink.at - buffer);
}

/*
 * A family with enums, line by line: an enum is one series and a line for each state, and all lines of
 * the family, of enums and of plain series, are in the order of their labels.
 *
 * Every enum is read once, so its lines agree: at most one of them is 1.
 */
#include <stdlib.h>
#include <string.h>

#include "render.h"

typedef struct builder {
  pts_render *r;
  pts_spread *spread;
  const pts_record *family;
  uint32_t states;
} builder;

void pts_spread_free(pts_spread *spread) {
  free(spread->lines);
  free(spread->text);
  *spread = (pts_spread){0};
}

static pts_line *add_line(pts_spread *spread) {
  if (spread->count == spread->room) {
    uint32_t room = spread->room ? 2 * spread->room : 64;
    pts_line *lines = realloc(spread->lines, room * sizeof *lines);
    if (!lines) return NULL;
    spread->lines = lines;
    spread->room = room;
  }
  return &spread->lines[spread->count++];
}

static bool add_text(pts_spread *spread, pts_text text) {
  if (text.length == 0) return true;
  bool comma = spread->text_used > spread->line_start;
  size_t wanted = spread->text_used + text.length + 1;
  if (wanted > spread->text_room) {
    uint8_t *bigger = realloc(spread->text, 2 * wanted);
    if (!bigger) return false;
    spread->text = bigger;
    spread->text_room = 2 * wanted;
  }
  if (comma) spread->text[spread->text_used++] = ',';
  memcpy(spread->text + spread->text_used, text.bytes, text.length);
  spread->text_used += text.length;
  return true;
}

/* A line whose labels are these, joined. */
static bool put_line(pts_spread *spread, const pts_text *pieces, uint32_t count, pts_line line) {
  spread->line_start = spread->text_used;
  for (uint32_t i = 0; i < count; i++)
    if (!add_text(spread, pieces[i])) return false;
  pts_line *added = add_line(spread);
  if (!added) return false;
  *added = line;
  added->labels_at = spread->line_start;
  added->labels.length = (uint32_t)(spread->text_used - spread->line_start);
  return true;
}

static bool add_enum(builder *b, uint32_t number, const pts_record *record) {
  pts_reading reading;
  pts_parts parts;
  if (!pts_parts_of(b->r->a, record, &parts)) return true;
  if (!pts_read_value(b->r->a, &b->r->view, record, PTS_MERGE_SUM, &reading)) return true;
  for (uint32_t part = PTS_PART_STATES; part < b->states; part++) {
    pts_text label;
    label.bytes = pts_family_part(b->r->a, b->family, part, &label.length);
    if (!label.bytes) continue;
    pts_text pieces[3] = {parts.before, label, parts.after};
    pts_line line = {.record = number,
                     .state = part,
                     .reading = {reading.value == (double)(part - PTS_PART_STATES), reading.time}};
    if (!put_line(b->spread, pieces, 3, line)) return false;
  }
  return true;
}

static bool add_plain(builder *b, uint32_t number, const pts_record *record) {
  pts_text labels;
  if (!pts_record_labels(b->r->a, record, &labels)) return true;
  return put_line(b->spread, &labels, 1, (pts_line){.record = number});
}

static int compare_lines(const void *x, const void *y) {
  const pts_line *a = x, *b = y;
  int c = pts_text_compare(a->labels, b->labels);
  return c ? c : a->record < b->record ? -1 : a->record > b->record;
}

static bool has_enum(const pts_render *r, const pts_order_family *family) {
  const uint32_t *series = r->order->series + family->first;
  for (uint32_t i = 0; i < family->values; i++) {
    const pts_record *record = pts_record_at(r->a, series[i]);
    if (record && record->kind == PTS_KIND_ENUM) return true;
  }
  return false;
}

bool pts_spread_begin(pts_render *r, const pts_order_family *family) {
  pts_spread *spread = &r->spread;
  spread->used = false;
  spread->count = 0;
  spread->text_used = 0;
  builder b = {r, spread, pts_record_at(r->a, family->record), 0};
  if (b.family) b.states = pts_family_part_count(r->a, b.family);
  if (b.states <= PTS_PART_STATES || !has_enum(r, family)) return true;
  const uint32_t *series = r->order->series + family->first;
  for (uint32_t i = 0; i < family->values; i++) {
    const pts_record *record = pts_record_at(r->a, series[i]);
    if (!record) continue;
    bool added = record->kind == PTS_KIND_ENUM ? add_enum(&b, series[i], record)
                                               : add_plain(&b, series[i], record);
    if (!added) return false;
  }
  for (uint32_t i = 0; i < spread->count; i++)
    spread->lines[i].labels.bytes = spread->text + spread->lines[i].labels_at;
  qsort(spread->lines, spread->count, sizeof *spread->lines, compare_lines);
  spread->used = true;
  return true;
}

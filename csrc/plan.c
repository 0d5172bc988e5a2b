/*
 * What an exposition prints, in which order: the groups of a render.
 *
 * Numeric (default): a histogram's three parts follow its family, as the text format wants one
 * group for each metric. Lexical: every part is a name of its own, all names bytewise, as the Perl
 * original prints them.
 */
#include <stdlib.h>

#include "atomics.h"
#include "render.h"

/* ---- taking a printed series apart ----------------------------------------------------------------- */

static bool take_apart(const pts_printed_entry *entry, pts_parts *parts) {
  pts_text printed = entry->printed;
  parts->before = pts_printed_labels(entry);
  parts->after = (pts_text){NULL, 0};
  parts->quoted = entry->quoted;
  if (!parts->quoted) {
    parts->name = (pts_text){printed.bytes, entry->name_length};
    return true;
  }
  /* `{"name"` or `{"name",labels`, then `}` */
  uint32_t tail = parts->before.length ? parts->before.length + 2 : 1;
  if (printed.length < tail + 3) return false;
  parts->name = (pts_text){printed.bytes + 2, printed.length - tail - 3};
  return true;
}

bool pts_whole_parts_of(const pts_attachment *a, const pts_record *record, pts_parts *parts) {
  pts_printed_entry entry;
  return pts_record_entry(a, record, &entry) && take_apart(&entry, parts);
}

static uint32_t clamp(uint32_t at, uint32_t low, uint32_t high) {
  return at < low ? low : at > high ? high : at;
}

bool pts_parts_of(const pts_attachment *a, const pts_record *record, pts_parts *parts) {
  pts_printed_entry entry;
  if (!pts_record_entry(a, record, &entry) || !take_apart(&entry, parts)) return false;
  if (parts->before.length == 0) return true;
  const uint8_t *text = entry.printed.bytes;
  uint32_t start = (uint32_t)(parts->before.bytes - text), end = start + parts->before.length;
  uint32_t cut = clamp(entry.insertion[0], start, end);
  uint32_t resume = clamp((uint32_t)entry.insertion[0] + entry.insertion[1], cut, end);
  uint32_t before_end = cut > start && text[cut - 1] == ',' ? cut - 1 : cut;
  if (resume < end && text[resume] == ',') resume++;
  parts->before.length = before_end - start;
  parts->after = (pts_text){text + resume, end - resume};
  return true;
}

/* ---- groups ------------------------------------------------------------------------------------------ */

static const char *suffix_of(pts_part part) {
  switch (part) {
  case PTS_PART_BUCKET:
    return "_bucket";
  case PTS_PART_COUNT:
    return "_count";
  case PTS_PART_SUM:
    return "_sum";
  default:
    return "";
  }
}

static pts_text lexical_name(const pts_group *group, uint8_t buffer[PTS_MAX_NAME + 8]) {
  const char *suffix = suffix_of(group->part);
  memcpy(buffer, group->name.bytes, group->name.length);
  memcpy(buffer + group->name.length, suffix, strlen(suffix));
  return (pts_text){buffer, group->name.length + (uint32_t)strlen(suffix)};
}

static int compare_numeric(const void *x, const void *y) {
  const pts_group *g = x, *h = y;
  int c = pts_text_compare(g->name, h->name);
  return c ? c : (int)g->part - (int)h->part;
}

static int compare_lexical(const void *x, const void *y) {
  uint8_t first[PTS_MAX_NAME + 8], second[PTS_MAX_NAME + 8];
  int c = pts_text_compare(lexical_name(x, first), lexical_name(y, second));
  return c ? c : (int)((const pts_group *)x)->part - (int)((const pts_group *)y)->part;
}

static void add_group(pts_render *r, pts_text name, uint32_t family, pts_part part,
                      pts_total *totals) {
  r->groups[r->group_count++] = (pts_group){name, family, part, totals};
}

static bool add_own_counter(pts_render *r, const char *name, pts_part part, uint64_t value) {
  if (value == 0) return false;
  add_group(r, (pts_text){(const uint8_t *)name, (uint32_t)strlen(name)}, 0, part, NULL);
  return true;
}

bool pts_plan_make(pts_render *r) {
  const pts_order *order = r->order;
  r->groups = malloc(((size_t)order->family_count * 4 + 2) * sizeof *r->groups);
  r->totals = calloc((size_t)order->histogram_count + 1, sizeof *r->totals);
  if (!r->groups || !r->totals) return false;
  pts_total *totals = r->totals;
  bool unsorted = (r->flags & PTS_RENDER_LEXICAL) && order->histogram_count;
  for (uint32_t f = 0; f < order->family_count; f++) {
    const pts_record *record = pts_record_at(r->a, order->families[f].record);
    pts_text name;
    if (!record || !pts_family_name(r->a, record, &name)) continue;
    add_group(r, name, f, PTS_PART_OWN, NULL);
    if (order->families[f].histograms == 0) continue;
    add_group(r, name, f, PTS_PART_BUCKET, totals);
    add_group(r, name, f, PTS_PART_COUNT, totals);
    add_group(r, name, f, PTS_PART_SUM, totals);
    totals += order->families[f].histograms;
  }
  unsorted |= add_own_counter(r, PTS_NAME_DROPPED, PTS_PART_DROPPED, r->dropped);
  unsorted |= add_own_counter(r, PTS_NAME_DAMAGE, PTS_PART_DAMAGE, r->damage);
  if (unsorted)
    qsort(r->groups, r->group_count, sizeof *r->groups,
          r->flags & PTS_RENDER_LEXICAL ? compare_lexical : compare_numeric);
  return true;
}

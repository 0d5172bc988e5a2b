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

/* The family's name with the part's suffix, in a buffer of PTS_MAX_NAME + 8 bytes. */
static pts_text part_name(pts_text family, pts_part part, uint8_t *buffer) {
  const char *suffix = suffix_of(part);
  memcpy(buffer, family.bytes, family.length);
  memcpy(buffer + family.length, suffix, strlen(suffix));
  return (pts_text){buffer, family.length + (uint32_t)strlen(suffix)};
}

static int compare_numeric(const void *x, const void *y) {
  const pts_group *g = x, *h = y;
  int c = pts_text_compare(g->name, h->name);
  return c ? c : (int)g->part - (int)h->part;
}

static int compare_lexical(const void *x, const void *y) {
  const pts_group *g = x, *h = y;
  uint8_t first[PTS_MAX_NAME + 8], second[PTS_MAX_NAME + 8];
  int c = pts_text_compare(part_name(g->name, g->part, first), part_name(h->name, h->part, second));
  return c ? c : (int)g->part - (int)h->part;
}

/* A family of exactly this name, behind position `from` of the order. */
static uint32_t find_family(const pts_render *r, uint32_t from, pts_text wanted) {
  uint32_t low = from, high = r->order->family_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    pts_text name = {NULL, 0};
    const pts_record *record = pts_record_at(r->a, r->order->families[middle].record);
    if (record) pts_family_name(r->a, record, &name);
    int c = pts_text_compare(name, wanted);
    if (c == 0) return middle;
    if (c < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return PTS_NO_FAMILY;
}

static void add_group(pts_render *r, pts_group group) { r->groups[r->group_count++] = group; }

/* A part of the family's histograms, together with plain series of the same name. */
static void add_part(pts_render *r, pts_text name, uint32_t family, pts_part part,
                     pts_total *totals, bool *absorbed) {
  uint8_t buffer[PTS_MAX_NAME + 8];
  uint32_t plain = find_family(r, family + 1, part_name(name, part, buffer));
  if (plain != PTS_NO_FAMILY) {
    if (r->order->families[plain].histograms)
      plain = PTS_NO_FAMILY; /* a histogram of that name: it keeps its own group */
    else
      absorbed[plain] = true;
  }
  add_group(r, (pts_group){name, family, plain, part, totals});
}

static bool add_own_counter(pts_render *r, const char *name, pts_part part, uint64_t value) {
  if (value == 0) return false;
  pts_text text = {(const uint8_t *)name, (uint32_t)strlen(name)};
  add_group(r, (pts_group){text, 0, PTS_NO_FAMILY, part, NULL});
  return true;
}

static void add_families(pts_render *r, bool *absorbed) {
  const pts_order *order = r->order;
  pts_total *totals = r->totals;
  for (uint32_t f = 0; f < order->family_count; f++) {
    const pts_record *record = pts_record_at(r->a, order->families[f].record);
    pts_text name;
    if (!record || !pts_family_name(r->a, record, &name)) continue;
    /* Names with a suffix sort behind those without: an absorbed family is known as one by now. */
    if (!absorbed[f]) add_group(r, (pts_group){name, f, PTS_NO_FAMILY, PTS_PART_OWN, NULL});
    if (order->families[f].histograms == 0) continue;
    for (pts_part part = PTS_PART_BUCKET; part <= PTS_PART_SUM; part++)
      add_part(r, name, f, part, totals, absorbed);
    totals += order->families[f].histograms;
  }
}

bool pts_plan_make(pts_render *r) {
  const pts_order *order = r->order;
  r->groups = malloc(((size_t)order->family_count * 4 + 2) * sizeof *r->groups);
  r->totals = calloc((size_t)order->histogram_count + 1, sizeof *r->totals);
  bool *absorbed = calloc((size_t)order->family_count + 1, sizeof *absorbed);
  if (r->groups && r->totals && absorbed) add_families(r, absorbed);
  free(absorbed);
  if (!r->groups || !r->totals || !absorbed) return false;
  bool unsorted = (r->flags & PTS_RENDER_LEXICAL) && order->histogram_count;
  unsorted |= add_own_counter(r, PTS_NAME_DROPPED, PTS_PART_DROPPED, r->dropped);
  unsorted |= add_own_counter(r, PTS_NAME_DAMAGE, PTS_PART_DAMAGE, r->damage);
  if (unsorted)
    qsort(r->groups, r->group_count, sizeof *r->groups,
          r->flags & PTS_RENDER_LEXICAL ? compare_lexical : compare_numeric);
  return true;
}

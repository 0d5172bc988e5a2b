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
  parts->after = PTS_NO_TEXT;
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

static uint32_t clamp(uint32_t at, uint32_t low, uint32_t high) {
  return at < low ? low : at > high ? high : at;
}

/* Cut the labels where one more belongs. */
static void cut(const pts_printed_entry *entry, pts_parts *parts) {
  if (parts->before.length == 0) return;
  const uint8_t *text = entry->printed.bytes;
  uint32_t start = (uint32_t)(parts->before.bytes - text), end = start + parts->before.length;
  uint32_t at = clamp(entry->insertion[0], start, end);
  uint32_t resume = clamp((uint32_t)entry->insertion[0] + entry->insertion[1], at, end);
  uint32_t before_end = at > start && text[at - 1] == ',' ? at - 1 : at;
  if (resume < end && text[resume] == ',') resume++;
  parts->before.length = before_end - start;
  parts->after = (pts_text){text + resume, end - resume};
}

/* A copy in the scratch: a series's text may be written over while it is used. */
static void keep_copy(pts_render *r, pts_text *text) {
  uint8_t *copy = r->scratch.bytes + r->scratch.used;
  if (text->length) pts_racing_copy(copy, text->bytes, text->length);
  r->scratch.used += text->length;
  text->bytes = copy;
}

static void respell(pts_render *r, pts_text *labels) {
  if (r->scheme == PTS_SCHEME_NONE || !r->order->quoted || !pts_labels_quoted(*labels)) return;
  uint8_t *out = r->scratch.bytes + r->scratch.used;
  *labels = (pts_text){out, pts_labels_escape(*labels, r->scheme, out)};
  r->scratch.used += labels->length;
}

bool pts_respell_state(pts_render *r, const pts_parts *parts, pts_text *label) {
  if (r->scheme == PTS_SCHEME_NONE || !pts_labels_quoted(*label)) return true;
  if (!pts_growing_reserve(&r->state, PTS_LABELS_MOST(label->length))) return false;
  uint8_t *out = r->state.bytes;
  pts_text escaped = {out, pts_labels_escape(*label, r->scheme, out)};
  if (pts_labels_have(parts->before, escaped) || pts_labels_have(parts->after, escaped))
    escaped.length = pts_labels_escape(*label, PTS_SCHEME_VALUES, out);
  *label = escaped;
  return true;
}

static bool parts_of(pts_render *r, const pts_record *record, bool whole, pts_parts *parts) {
  pts_printed_entry entry;
  if (!pts_record_entry(r->a, record, &entry)) return false;
  r->scratch.used = 0;
  /* One byte more, so that there is a scratch for a text of none. */
  size_t most = entry.printed.length + PTS_LABELS_MOST(entry.printed.length) + 1;
  if (!pts_growing_reserve(&r->scratch, most))
    return false;
  keep_copy(r, &entry.printed);
  pts_fence_acquire();
  if (!pts_order_holds(r->order, r->a, (uint32_t)(record - r->a->records))) return false;
  if (!take_apart(&entry, parts)) return false;
  if (!whole) cut(&entry, parts);
  if (!r->titles) return true;
  parts->name = pts_title_text(r, r->title);
  parts->quoted = r->title->quoted;
  respell(r, &parts->before);
  respell(r, &parts->after);
  return true;
}

bool pts_whole_parts_of(pts_render *r, const pts_record *record, pts_parts *parts) {
  return parts_of(r, record, true, parts);
}

bool pts_parts_of(pts_render *r, const pts_record *record, pts_parts *parts) {
  return parts_of(r, record, false, parts);
}

/* ---- groups ------------------------------------------------------------------------------------------ */

pts_text pts_part_suffix(pts_part part) {
  switch (part) {
  case PTS_PART_BUCKET:
    return (pts_text){(const uint8_t *)"_bucket", 7};
  case PTS_PART_COUNT:
    return (pts_text){(const uint8_t *)"_count", 6};
  case PTS_PART_SUM:
    return (pts_text){(const uint8_t *)"_sum", 4};
  default:
    return PTS_NO_TEXT;
  }
}

/* The family's name with the part's suffix, in a buffer of PTS_MAX_NAME + 8 bytes. */
static pts_text part_name(pts_text family, pts_part part, uint8_t *buffer) {
  pts_text suffix = pts_part_suffix(part);
  memcpy(buffer, family.bytes, family.length);
  if (suffix.length) memcpy(buffer + family.length, suffix.bytes, suffix.length);
  return (pts_text){buffer, family.length + suffix.length};
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
    if (r->order->families[plain].histograms && !pts_is_openmetrics(r))
      plain = PTS_NO_FAMILY; /* a histogram of that name: it keeps its own group */
    else
      absorbed[plain] = true;
  }
  add_group(r, (pts_group){name, family, plain, part, totals});
}

/* In the text format, and where OpenMetrics cannot have them as one family, each part has a name of its own. */
static void add_parts(pts_render *r, pts_text name, uint32_t f, pts_total *totals, bool *absorbed) {
  const pts_record *record = pts_record_at(r->a, r->order->families[f].record);
  /* Only a declaration makes summaries, so that no other family needs a look at all its series. */
  if (record && pts_family_traits(r->a, record).type == 's')
    add_group(r, (pts_group){name, f, PTS_NO_FAMILY, PTS_PART_QUANTILE, totals});
  for (pts_part part = PTS_PART_BUCKET; part <= PTS_PART_SUM; part++)
    add_part(r, name, f, part, totals, absorbed);
}

static void add_families(pts_render *r, bool *absorbed) {
  const pts_order *order = r->order;
  pts_total *totals = r->totals;
  for (uint32_t f = 0; f < order->family_count; f++) {
    const pts_record *record = pts_record_at(r->a, order->families[f].record);
    pts_text name;
    if (!record || !pts_family_name(r->a, record, &name) || !pts_is_wanted(r, f, name)) continue;
    /* Names with a suffix sort behind those without: an absorbed family is known as one by now. */
    if (!absorbed[f]) add_group(r, (pts_group){name, f, PTS_NO_FAMILY, PTS_PART_OWN, NULL});
    if (order->families[f].histograms == 0) continue;
    if (pts_is_openmetrics(r) && r->titles[f].whole)
      add_group(r, (pts_group){name, f, PTS_NO_FAMILY, PTS_PART_WHOLE, totals});
    else
      add_parts(r, name, f, totals, absorbed);
    totals += order->families[f].histograms;
  }
}

static bool add_own(pts_render *r) {
  bool any = false;
  for (uint32_t i = 0; i < pts_own_count(r); i++) {
    pts_text name = pts_own_name(r, i);
    if (r->only.used && !pts_only_has(&r->only, name, PTS_NO_TEXT)) continue;
    add_group(r, (pts_group){name, i, PTS_NO_FAMILY, PTS_PART_STORE, NULL});
    any = true;
  }
  return any;
}

bool pts_plan_make(pts_render *r) {
  const pts_order *order = r->order;
  if (!pts_own_make(r) || !pts_titles_make(r)) return false;
  r->groups = malloc(((size_t)order->family_count * 5 + pts_own_count(r)) * sizeof *r->groups + 1);
  r->totals = calloc((size_t)order->histogram_count + 1, sizeof *r->totals);
  bool *absorbed = calloc((size_t)order->family_count + 1, sizeof *absorbed);
  if (r->groups && r->totals && absorbed) add_families(r, absorbed);
  free(absorbed);
  if (!r->groups || !r->totals || !absorbed) return false;
  bool unsorted = (r->flags & PTS_RENDER_LEXICAL) && order->histogram_count;
  unsorted |= add_own(r);
  if (unsorted)
    qsort(r->groups, r->group_count, sizeof *r->groups,
          r->flags & PTS_RENDER_LEXICAL ? compare_lexical : compare_numeric);
  return true;
}

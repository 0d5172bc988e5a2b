/*
 * The order of the exposition, kept by each attachment for itself.
 *
 * I1: an order is made under no lock, then swapped in under the process lock if it is newer. Renders
 *     under way keep the one they began with.
 * I2: `series` of a family are sorted by label text; new ones are sorted among themselves and merged in, so that
 *     a scrape after k new series costs k log n comparisons and one copy.
 * I3: a record that was given to other labels leaves the order and comes in anew. Texts may be written over
 *     while they are sorted; who uses an order asks pts_order_holds about each series, and an order during
 *     whose making records were freed is not built on.
 */
#include "order.h"

#include <stdlib.h>

#include "atomics.h"
#include "escape.h"

/* ---- texts ---------------------------------------------------------------------------------------- */

int pts_text_compare(pts_text x, pts_text y) {
  uint32_t common = x.length < y.length ? x.length : y.length;
  int c = common ? pts_racing_compare(x.bytes, y.bytes, common) : 0;
  return c ? c : x.length < y.length ? -1 : x.length > y.length;
}

bool pts_record_entry(const pts_attachment *a, const pts_record *record, pts_printed_entry *out) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, pts_load_relaxed_u32(&record->entry), &entry);
  if (!bytes || entry.kind != record->kind || entry.name_length > entry.length) return false;
  if (entry.kind == PTS_KIND_FAMILY || entry.kind >= PTS_ENTRY_BOUNDS) return false;
  *out = (pts_printed_entry){.name_length = entry.name_length,
                             .quoted = entry.flags & PTS_SERIES_QUOTED};
  if (pts_kind_has_bounds(entry.kind) || entry.kind == PTS_KIND_ENUM) {
    pts_racing_copy(out->insertion, bytes, sizeof out->insertion);
    bytes += sizeof out->insertion;
  }
  out->printed = (pts_text){bytes, entry.length};
  return true;
}

bool pts_record_printed(const pts_attachment *a, const pts_record *record, pts_text *printed) {
  pts_printed_entry entry;
  if (!pts_record_entry(a, record, &entry)) return false;
  *printed = entry.printed;
  return true;
}

/* Behind the quoted name in `{"name",labels}`. */
static uint32_t quoted_name_end(pts_text printed) {
  uint32_t i = 2;
  for (uint8_t c; i < printed.length && (c = pts_racing_byte(printed.bytes + i)) != '"';)
    i += c == '\\' ? 2 : 1;
  return i + 1;
}

pts_text pts_printed_labels(const pts_printed_entry *entry) {
  pts_text printed = entry->printed;
  uint32_t start = entry->quoted ? quoted_name_end(printed) : entry->name_length;
  /* then `{labels}`, `,labels}`, `}` or nothing */
  if (start + 2 > printed.length) return (pts_text){printed.bytes, 0};
  return (pts_text){printed.bytes + start + 1, printed.length - start - 2};
}

bool pts_record_labels(const pts_attachment *a, const pts_record *record, pts_text *labels) {
  pts_printed_entry entry;
  if (!pts_record_entry(a, record, &entry)) return false;
  *labels = pts_printed_labels(&entry);
  return true;
}

bool pts_family_name(const pts_attachment *a, const pts_record *family, pts_text *name) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_read(a, pts_load_relaxed_u32(&family->entry), &entry);
  if (!bytes || entry.kind != PTS_KIND_FAMILY) return false;
  *name = (pts_text){bytes, entry.length};
  return true;
}

/* ---- sorting: multikey quicksort, eight bytes at a time -------------------------------------------- */

typedef struct item {
  uint64_t key; /* the eight bytes at the current depth, big-endian */
  pts_text text;
  uint32_t record;
} item;

static uint64_t key_at(pts_text text, uint32_t depth) {
  uint64_t key = 0;
  for (uint32_t i = 0; i < 8; i++) {
    uint32_t at = depth + i;
    key = key << 8 | (at < text.length ? pts_racing_byte(text.bytes + at) : 0);
  }
  return key;
}

static int compare_items(const item *x, const item *y) {
  int c = pts_text_compare(x->text, y->text);
  return c ? c : x->record < y->record ? -1 : x->record > y->record;
}

static void insertion_sort(item *items, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) {
    item moving = items[i];
    uint32_t j = i;
    for (; j > 0 && compare_items(&moving, &items[j - 1]) < 0; j--) items[j] = items[j - 1];
    items[j] = moving;
  }
}

static void swap_items(item *x, item *y) {
  item t = *x;
  *x = *y;
  *y = t;
}

static uint64_t median_key(const item *items, uint32_t count) {
  uint64_t a = items[0].key, b = items[count / 2].key, c = items[count - 1].key;
  if (a > b) return a < c ? a : b > c ? b : c;
  return b < c ? b : a > c ? a : c;
}

static int compare_any(const void *x, const void *y) { return compare_items(x, y); }

/*
 * All items agree below depth, and their keys are those at depth. Texts usually end in no zero byte, so
 * a key that ends in one means that its texts end here: few and told apart by record, or made up by somebody;
 * those, and partitions that do not shrink (budget), are left to the library's sort.
 */
static void sort_items(item *items, uint32_t count, uint32_t depth, uint32_t budget) {
  while (count > 12) {
    if (budget-- == 0) {
      qsort(items, count, sizeof *items, compare_any);
      return;
    }
    uint64_t pivot = median_key(items, count);
    uint32_t below = 0, i = 0, above = count;
    while (i < above) {
      if (items[i].key < pivot)
        swap_items(&items[i++], &items[below++]);
      else if (items[i].key > pivot)
        swap_items(&items[i], &items[--above]);
      else
        i++;
    }
    sort_items(items, below, depth, budget);
    uint32_t equal = above - below;
    if (equal > 1 && (pivot & 0xff) != 0) {
      for (uint32_t k = below; k < above; k++) items[k].key = key_at(items[k].text, depth + 8);
      sort_items(items + below, equal, depth + 8, budget);
    } else if (equal > 1) {
      qsort(items + below, equal, sizeof *items, compare_any);
    }
    items += above;
    count -= above;
  }
  insertion_sort(items, count);
}

#define SORT_BUDGET 96u

static void sort_texts(item *items, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) items[i].key = key_at(items[i].text, 0);
  sort_items(items, count, 0, SORT_BUDGET);
}

/* ---- making the next order ------------------------------------------------------------------------- */

typedef struct builder {
  pts_attachment *a;
  const pts_order *old;
  uint32_t used;     /* records there are now */
  uint32_t *rank;    /* family record -> its position in the new order + 1 */
  uint32_t *added;   /* records that come in, by number */
  uint32_t added_count;
  bool some_left;    /* series of the old order are not in the new one */
  uint32_t *fresh;   /* per family and class: where its new items begin (family_count * 2 + 1) */
  item *items;       /* new series, grouped by family and class */
  uint32_t item_count;
  bool quoted;       /* some new labels have quoted names */
} builder;

static uint32_t class_of(const pts_record *record) {
  return record->kind == PTS_KIND_HISTOGRAM || record->kind == PTS_KIND_SUMMARY;
}

static uint32_t known_of(const pts_attachment *a, uint32_t n) {
  return pts_head_shows(pts_load_acquire_u64(&a->records[n].head));
}

/*
 * Whether a record's text is what was written: broken bytes could break every line behind them, so a record
 * that does not suit its hash is left out, and counted once. (One that is given away at this moment comes
 * in with its new labels.)
 */
static bool text_holds(pts_attachment *a, const pts_record *record, uint32_t known) {
  pts_entry entry;
  const uint8_t *bytes = pts_entry_whole(a, pts_load_relaxed_u32(&record->entry), &entry);
  if (bytes && entry.kind == record->kind) return true;
  pts_fence_acquire();
  if (known_of(a, (uint32_t)(record - a->records)) == known) pts_damage_at(a, record);
  return false;
}

/* The old families and the new ones in one sorted list. */
static bool order_families(builder *b, pts_order *next) {
  const pts_order *old = b->old;
  uint32_t count = 0, old_count = old ? old->family_count : 0;
  item *fresh = malloc((size_t)(b->used + 1) * sizeof *fresh);
  if (!fresh) return false;
  for (uint32_t n = old ? old->seen : 0; n < b->used; n++) {
    const pts_record *record = pts_record_at(b->a, n);
    pts_text name;
    if (!record || record->kind != PTS_KIND_FAMILY || !text_holds(b->a, record, 1)) continue;
    if (!pts_family_name(b->a, record, &name)) continue;
    fresh[count++] = (item){0, name, n};
  }
  sort_texts(fresh, count);
  next->families = calloc(old_count + count + 1, sizeof *next->families);
  if (!next->families) {
    free(fresh);
    return false;
  }
  uint32_t i = 0, k = 0, out = 0;
  while (i < old_count || k < count) {
    pts_text name;
    bool take_old = k == count;
    if (!take_old && i < old_count && pts_family_name(b->a, &b->a->records[old->families[i].record], &name))
      take_old = pts_text_compare(name, fresh[k].text) < 0;
    next->families[out].record = take_old ? old->families[i++].record : fresh[k++].record;
    b->rank[next->families[out].record] = out + 1;
    out++;
  }
  next->family_count = out;
  free(fresh);
  return true;
}

#define NO_GROUP UINT32_MAX

/* The group (family and class) that a new series belongs to; none for families and broken records. */
static uint32_t group_of(const builder *b, const pts_order *next, uint32_t n) {
  const pts_record *record = pts_record_at(b->a, n);
  if (!record || record->kind == PTS_KIND_FAMILY || !text_holds(b->a, record, next->known[n])) return NO_GROUP;
  uint32_t family = pts_load_relaxed_u32(&record->family);
  if (family >= b->used || b->rank[family] == 0) return NO_GROUP;
  return 2 * (b->rank[family] - 1) + class_of(record);
}

/* Which records come in: new ones; and if any were given away, those that have other labels now. */
static bool find_added(builder *b, pts_order *next) {
  const pts_order *old = b->old;
  uint32_t old_seen = old ? old->seen : 0;
  bool all = !old || old->changes != next->changes;
  next->known = malloc(((size_t)b->used + 1) * sizeof *next->known);
  b->added = malloc(((size_t)b->used + 1) * sizeof *b->added);
  if (!next->known || !b->added) return false;
  if (old_seen) memcpy(next->known, old->known, (size_t)old_seen * sizeof *next->known);
  for (uint32_t n = all ? 0 : old_seen; n < b->used; n++) {
    uint32_t was = n < old_seen ? old->known[n] : 0;
    next->known[n] = known_of(b->a, n);
    if (next->known[n] == was) continue;
    b->some_left |= was != 0;
    if (next->known[n]) b->added[b->added_count++] = n;
  }
  return true;
}

/* Each new series where its group still has room; group: of each, as it was counted. */
static void place_items(builder *b, const uint32_t *group, uint32_t *next) {
  for (uint32_t i = 0; i < b->added_count; i++) {
    if (group[i] == NO_GROUP) continue;
    pts_text labels = {NULL, 0};
    const pts_record *record = &b->a->records[b->added[i]];
    if (!pts_record_labels(b->a, record, &labels)) pts_damage_at(b->a, record);
    if (pts_labels_quoted(labels)) b->quoted = true;
    b->items[next[group[i]]++] = (item){0, labels, b->added[i]};
  }
}

/* New series into `items`, by group (counting sort), then each group sorted. The groups are read from
 * the file once: what is counted is what is placed. */
static bool gather(builder *b, const pts_order *order, uint32_t groups) {
  uint32_t *group = malloc((size_t)(b->added_count + 1) * sizeof *group);
  uint32_t *next = malloc((size_t)(groups + 1) * sizeof *next);
  for (uint32_t i = 0; group && i < b->added_count; i++) {
    group[i] = group_of(b, order, b->added[i]);
    if (group[i] != NO_GROUP) b->fresh[group[i] + 1]++;
  }
  for (uint32_t g = 0; g < groups; g++) b->fresh[g + 1] += b->fresh[g];
  b->item_count = b->fresh[groups];
  b->items = malloc((size_t)(b->item_count + 1) * sizeof *b->items);
  bool made = group && next && b->items;
  if (made) {
    memcpy(next, b->fresh, (size_t)groups * sizeof *next);
    place_items(b, group, next);
  }
  free(group);
  free(next);
  for (uint32_t g = 0; made && g < groups; g++)
    sort_texts(b->items + b->fresh[g], b->fresh[g + 1] - b->fresh[g]);
  return made;
}

/* Of the old order's series those that stay, in place of all of them: in scratch, if any has left. */
static uint32_t keep_old(const builder *b, const pts_order *next, const uint32_t **series, uint32_t count,
                         uint32_t *scratch) {
  if (!b->some_left || count == 0) return count;
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t n = (*series)[i];
    if (next->known[n] == b->old->known[n]) scratch[kept++] = n;
  }
  *series = scratch;
  return kept;
}

/* Where in sorted old series `wanted` goes. */
static uint32_t position(const builder *b, const uint32_t *series, uint32_t count, const item *wanted) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    pts_text labels = {NULL, 0};
    pts_record_labels(b->a, &b->a->records[series[middle]], &labels);
    if (pts_text_compare(labels, wanted->text) <= 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Old and new series of one group, merged to out. Returns how many. old may be NULL when there are
 * none, which memcpy's argument may not. */
static uint32_t merge_group(const builder *b, const uint32_t *old, uint32_t old_count,
                            uint32_t group, uint32_t *out) {
  static const uint32_t none[1];
  uint32_t done = 0, written = 0;
  if (old_count == 0) old = none;
  for (uint32_t i = b->fresh[group]; i < b->fresh[group + 1]; i++) {
    uint32_t at = done + position(b, old + done, old_count - done, &b->items[i]);
    memcpy(out + written, old + done, (size_t)(at - done) * sizeof *out);
    written += at - done;
    out[written++] = b->items[i].record;
    done = at;
  }
  if (old_count > done) memcpy(out + written, old + done, (size_t)(old_count - done) * sizeof *out);
  return written + old_count - done;
}

static const pts_order_family *old_family(const pts_order *old, uint32_t record, uint32_t *cursor) {
  if (!old || *cursor >= old->family_count || old->families[*cursor].record != record) return NULL;
  return &old->families[(*cursor)++];
}

/* Whether new series make the family one whose lines have to be sorted at render. */
static void flag_family(const builder *b, const pts_order *next, pts_order_family *family,
                        const pts_order_family *was, uint32_t f) {
  family->enums = was && was->enums;
  family->tangled = was && was->tangled;
  for (uint32_t i = b->fresh[2 * f]; i < b->fresh[2 * f + 1]; i++)
    family->enums |= b->a->records[b->items[i].record].kind == PTS_KIND_ENUM;
  if (b->fresh[2 * f + 1] == b->fresh[2 * f + 2]) return;
  const uint32_t *series = next->series + family->first + family->values;
  pts_text last = {NULL, 0};
  for (uint32_t i = 0; i < family->histograms; i++) {
    pts_printed_entry entry;
    if (!pts_record_entry(b->a, &b->a->records[series[i]], &entry)) continue;
    pts_text labels = pts_printed_labels(&entry);
    if (entry.insertion[1] || (i && pts_text_compare(last, labels) == 0)) family->tangled = true;
    last = labels;
  }
}

/* One class of a family's series, old and new. Returns how many. */
static uint32_t fill_class(const builder *b, pts_order *next, const uint32_t *old, uint32_t old_count,
                           uint32_t group, uint32_t at, uint32_t *scratch) {
  old_count = keep_old(b, next, &old, old_count, scratch);
  return merge_group(b, old, old_count, group, next->series + at);
}

static bool fill(builder *b, pts_order *next) {
  uint32_t groups = 2 * next->family_count, old_count = b->old ? b->old->series_count : 0;
  b->fresh = calloc(groups + 2, sizeof *b->fresh);
  if (!b->fresh || !find_added(b, next) || !gather(b, next, groups)) return false;
  next->series = malloc(((size_t)b->item_count + old_count + 1) * sizeof *next->series);
  uint32_t *scratch = malloc(((size_t)old_count + 1) * sizeof *scratch);
  bool made = next->series && scratch;
  uint32_t at = 0, cursor = 0;
  for (uint32_t f = 0; made && f < next->family_count; f++) {
    pts_order_family *family = &next->families[f];
    const pts_order_family *was = old_family(b->old, family->record, &cursor);
    const uint32_t *series = was ? b->old->series + was->first : NULL;
    family->first = at;
    family->values = fill_class(b, next, series, was ? was->values : 0, 2 * f, at, scratch);
    at += family->values;
    series = was ? series + was->values : NULL;
    family->histograms = fill_class(b, next, series, was ? was->histograms : 0, 2 * f + 1, at, scratch);
    at += family->histograms;
    next->histogram_count += family->histograms;
    flag_family(b, next, family, was, f);
  }
  free(scratch);
  next->series_count = at;
  next->quoted = b->quoted || (b->old && b->old->quoted);
  return made;
}

static void free_order(pts_order *order) {
  free(order->families);
  free(order->series);
  free(order->known);
  free(order);
}

static pts_order *build(pts_attachment *a, const pts_order *old, uint32_t used) {
  builder b = {.a = a, .old = old, .used = used};
  pts_order *next = calloc(1, sizeof *next);
  if (next) next->changes = pts_load_acquire_u64(&a->metrics->changes);
  b.rank = calloc((size_t)used + 1, sizeof *b.rank);
  bool made = next && b.rank && order_families(&b, next) && fill(&b, next);
  free(b.rank);
  free(b.fresh);
  free(b.items);
  free(b.added);
  if (!made) {
    if (next) free_order(next);
    return NULL;
  }
  next->seen = used;
  next->references = 1;
  pts_fence_acquire();
  next->unsure = pts_load_relaxed_u64(&a->metrics->changes) != next->changes;
  return next;
}

/* ---- sharing --------------------------------------------------------------------------------------- */

static pts_order *hold_current(pts_attachment *a) {
  pts_os_process_lock();
  pts_order *order = a->order;
  if (order) order->references++;
  pts_os_process_unlock();
  return order;
}

void pts_order_release(pts_order *order) {
  pts_os_process_lock();
  bool last = --order->references == 0;
  pts_os_process_unlock();
  if (last) free_order(order);
}

/* Make it the attachment's order, unless another thread came with a newer one. */
static void install(pts_attachment *a, pts_order *next) {
  pts_os_process_lock();
  pts_order *replaced = a->order;
  if (!replaced || replaced->seen < next->seen || replaced->changes < next->changes || replaced->unsure) {
    a->order = next;
    next->references++;
  } else {
    replaced = NULL;
  }
  pts_os_process_unlock();
  if (replaced) pts_order_release(replaced);
}

/* How often an order is made anew because records were freed meanwhile. */
#define BUILD_TRIES 3u

pts_order *pts_order_now(pts_attachment *a) {
  uint32_t used = pts_records_used(a);
  pts_order *order = hold_current(a);
  uint64_t changes = pts_load_acquire_u64(&a->metrics->changes);
  if (order && order->seen >= used && order->changes == changes && !order->unsure) return order;
  /* Fewer records than there were: the count was overwritten. What was known of them is no help then. */
  const pts_order *known = order && !order->unsure && order->seen <= used ? order : NULL;
  pts_order *next = NULL;
  for (uint32_t i = 0; i < BUILD_TRIES && (!next || next->unsure); i++) {
    if (next) free_order(next);
    next = build(a, known, used);
    if (!next) break;
  }
  if (order) pts_order_release(order);
  if (next) install(a, next);
  return next;
}

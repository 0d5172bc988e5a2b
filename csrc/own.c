/*
 * The store's own series: how full it is, who works with it, what went wrong.
 *
 * They are printed when they are asked for (PTS_RENDER_STORE); two of them, updates that were dropped
 * and damage, also without, as soon as there is something to say.
 */
#include <stdio.h>

#include "atomics.h"
#include "cache.h"
#include "render.h"

#define MOST_LINES 2u

typedef struct own_series {
  const char *name, *help;
  const char *labels[MOST_LINES]; /* NULL: a single line without */
  bool counter, always;           /* always: also unasked, when it is not 0 */
} own_series;

enum {
  CACHE_PAGE_BYTES,
  CACHE_PAGES,
  DROPPED_UPDATES,
  LAST_RENDER_BYTES,
  LAST_RENDER_SECONDS,
  ALLOCATED_BYTES,
  DAMAGE,
  FILE_BYTES,
  FREE_BYTES,
  LOCK_WAITS,
  REPAIRS,
  SERIES,
  SERIES_LIMIT,
  TAKEOVERS,
  USED_BYTES,
  WORKER_SLOTS_USED,
  WORKERS,
  WORKERS_LIMIT,
  OWN_SERIES
};

#define PREFIX "prometheus_tiny_"
#define BY_AREA {"area=\"text\"", "area=\"values\""}

static const own_series all_series[OWN_SERIES] = {
    [CACHE_PAGE_BYTES] = {PREFIX "cache_page_bytes", "Size of a page of the store's cache.", {0}, 0, 0},
    [CACHE_PAGES] = {PREFIX "cache_pages", "Pages of the store's cache.", {0}, 0, 0},
    [DROPPED_UPDATES] = {PREFIX "dropped_updates_total", "Updates that found no room in the store.",
                         {0}, 1, 1},
    [LAST_RENDER_BYTES] = {PREFIX "last_render_bytes",
                           "Size of the last exposition that a worker finished.", {0}, 0, 0},
    [LAST_RENDER_SECONDS] = {PREFIX "last_render_seconds",
                             "Time that making the last exposition took.", {0}, 0, 0},
    [ALLOCATED_BYTES] = {PREFIX "store_allocated_bytes", "Space that the store's file really takes.",
                         {0}, 0, 0},
    [DAMAGE] = {PREFIX "store_damage_total", "Broken things met in the store.", {0}, 1, 1},
    [FILE_BYTES] = {PREFIX "store_file_bytes", "Full, sparse size of the store's file.", {0}, 0, 0},
    [FREE_BYTES] = {PREFIX "store_free_bytes",
                    "Room left for names and labels (text), and in each worker's part for values.",
                    BY_AREA, 0, 0},
    [LOCK_WAITS] = {PREFIX "store_lock_waits_total", "Times that a worker waited for a lock.", {0}, 1, 0},
    [REPAIRS] = {PREFIX "store_repairs_total", "Things put right that a worker left half done.",
                 {0}, 1, 0},
    [SERIES] = {PREFIX "store_series", "Series and families that have a place in the store.",
                {0}, 0, 0},
    [SERIES_LIMIT] = {PREFIX "store_series_limit", "Places for series and families.", {0}, 0, 0},
    [USED_BYTES] = {PREFIX "store_used_bytes",
                    "Room taken by names and labels (text), and in each worker's part by values.",
                    BY_AREA, 0, 0},
    [TAKEOVERS] = {PREFIX "store_takeovers_total", "Locks taken over from workers that had died.",
                   {0}, 1, 0},
    [WORKER_SLOTS_USED] = {PREFIX "store_worker_slots_used",
                           "Worker slots that were ever taken: the most workers at any time.",
                           {0}, 0, 0},
    [WORKERS] = {PREFIX "store_workers", "Living workers.", {0}, 0, 0},
    [WORKERS_LIMIT] = {PREFIX "store_workers_limit", "The most workers at any time.", {0}, 0, 0},
};

/* What an exposition prints of them, read when it began to be made. */
typedef struct pts_own {
  uint32_t count;
  uint8_t which[OWN_SERIES];
  double values[OWN_SERIES][MOST_LINES];
} pts_own;

/* ---- taking stock ------------------------------------------------------------------------------------- */

static void read_usage(pts_render *r, pts_own *own) {
  pts_usage usage;
  if (pts_usage_of(r->a, &usage) != 0) memset(&usage, 0, sizeof usage);
  const struct {
    uint32_t which;
    uint64_t values[MOST_LINES];
  } read[] = {
      {ALLOCATED_BYTES, {usage.allocated_bytes}},
      {FILE_BYTES, {usage.file_bytes}},
      {FREE_BYTES,
       {usage.text_capacity - usage.text_used, usage.cells_capacity - usage.cells_used}},
      {LOCK_WAITS, {usage.lock_waits}},
      {REPAIRS, {usage.repairs}},
      {SERIES, {usage.series_used - usage.free_records}},
      {SERIES_LIMIT, {usage.series_capacity}},
      {TAKEOVERS, {usage.takeovers}},
      {USED_BYTES, {usage.text_used, usage.cells_used}},
      {WORKER_SLOTS_USED, {usage.workers_ever}},
      {WORKERS, {usage.workers_live}},
      {WORKERS_LIMIT, {usage.workers_capacity}},
  };
  for (size_t i = 0; i < sizeof read / sizeof *read; i++)
    for (uint32_t line = 0; line < MOST_LINES; line++)
      own->values[read[i].which][line] = (double)read[i].values[line];
}

/* The last exposition that any worker finished. */
static void read_last_render(const pts_render *r, pts_own *own) {
  const pts_worker *workers = r->a->session.store.workers;
  uint64_t last = 0;
  for (uint32_t slot = 1; slot < r->view.high; slot++) {
    const pts_worker *worker = &workers[slot];
    uint64_t at = pts_load_acquire_u64(&worker->counters[PTS_LAST_RENDER_MS]);
    if (at <= last) continue;
    last = at;
    uint64_t nanoseconds = pts_load_relaxed_u64(&worker->counters[PTS_LAST_RENDER_NANOSECONDS]);
    uint64_t bytes = pts_load_relaxed_u64(&worker->counters[PTS_LAST_RENDER_BYTES]);
    own->values[LAST_RENDER_SECONDS][0] = (double)nanoseconds / 1e9;
    own->values[LAST_RENDER_BYTES][0] = (double)bytes;
  }
}

static bool is_within(uint64_t offset, uint64_t size) {
  return offset % PTS_ALIGN == 0 && offset <= size && size - offset >= sizeof(pts_cache_header);
}

static void read_cache_header(const uint8_t *base, uint64_t offset, pts_own *own) {
  const pts_cache_header *cache = (const void *)(base + offset);
  own->values[CACHE_PAGES][0] = pts_load_relaxed_u32(&cache->num_pages);
  own->values[CACHE_PAGE_BYTES][0] = pts_load_relaxed_u32(&cache->page_size);
}

/* The cache's geometry, if the file has one; as it says, for people to read. A cache that was added after
 * this store was opened lies behind our mapping: then the file is mapped for a moment as it is now. */
static bool read_cache(const pts_render *r, pts_own *own) {
  const pts_mapping *mapping = r->a->session.store.mapping;
  const pts_section *section =
      &((const pts_superblock *)(const void *)mapping->base)->sections[PTS_SECTION_CACHE];
  if (pts_load_acquire_u64(&section->ready) != PTS_READY) return false;
  uint64_t offset = pts_load_relaxed_u64(&section->offset);
  if (is_within(offset, mapping->size)) {
    read_cache_header(mapping->base, offset, own);
    return true;
  }
  pts_file_id id;
  void *base;
  if (pts_os_identify(mapping->fd, &id) != 0 || !is_within(offset, id.size)) return false;
  if (pts_os_map(mapping->fd, id.size, &base) != 0) return false;
  read_cache_header(base, offset, own);
  pts_os_unmap(base, id.size);
  return true;
}

static bool is_printed(uint32_t which, const pts_own *own, bool asked, bool cache) {
  if (which == CACHE_PAGES || which == CACHE_PAGE_BYTES) return asked && cache;
  return asked || (all_series[which].always && own->values[which][0] != 0);
}

bool pts_own_make(pts_render *r) {
  bool asked = r->flags & PTS_RENDER_STORE, cache = false;
  double damage = (double)pts_load_relaxed_u64(&r->a->metrics->damage), dropped = 0;
  for (uint32_t slot = 1; slot < r->view.high; slot++)
    dropped += (double)pts_load_relaxed_u64(&r->a->session.store.workers[slot].dropped);
  if (r->own || (!asked && damage == 0 && dropped == 0)) return true;
  pts_own *own = r->own = calloc(1, sizeof *own);
  if (!own) return false;
  own->values[DAMAGE][0] = damage;
  own->values[DROPPED_UPDATES][0] = dropped;
  if (asked) {
    read_usage(r, own);
    read_last_render(r, own);
    cache = read_cache(r, own);
  }
  for (uint32_t which = 0; which < OWN_SERIES; which++)
    if (is_printed(which, own, asked, cache)) own->which[own->count++] = (uint8_t)which;
  return true;
}

uint32_t pts_own_count(const pts_render *r) { return r->own ? r->own->count : 0; }

pts_text pts_own_name(const pts_render *r, uint32_t number) {
  return pts_text_of(all_series[r->own->which[number]].name);
}

/* ---- printing ----------------------------------------------------------------------------------------- */

#define HEADER_MOST 512

/* The header in either format's order. Returns its length. */
static size_t print_header(const pts_render *r, const own_series *series, char *out) {
  int length = (int)strlen(series->name);
  const char *type = series->counter ? "counter" : "gauge";
  if (!pts_is_openmetrics(r))
    return (size_t)snprintf(out, HEADER_MOST, "# HELP %s %s\n# TYPE %s %s\n", series->name,
                            series->help, series->name, type);
  if (series->counter) length -= 6; /* _total */
  static const char *const units[] = {"bytes", "seconds"};
  char unit[64] = "";
  for (int i = 0; i < 2; i++)
    if (pts_text_ends(pts_text_of(series->name), pts_text_of(units[i])))
      snprintf(unit, sizeof unit, "# UNIT %.*s %s\n", length, series->name, units[i]);
  return (size_t)snprintf(out, HEADER_MOST, "# TYPE %.*s %s\n%s# HELP %.*s %s\n", length,
                          series->name, type, unit, length, series->name, series->help);
}

int pts_own_step(pts_render *r, pts_sink *sink, uint32_t number) {
  uint32_t which = r->own->which[number];
  const own_series *series = &all_series[which];
  char header[HEADER_MOST];
  size_t length = print_header(r, series, header);
  pts_parts parts = {.name = pts_text_of(series->name)};
  if (!pts_sink_room(sink, length + MOST_LINES * (parts.name.length + 32 + PTS_SINK_NUMBERS)))
    return 0;
  pts_sink_text(sink, (pts_text){(const uint8_t *)header, (uint32_t)length});
  for (uint32_t line = 0; line < MOST_LINES; line++) {
    if (line > 0 && !series->labels[line]) break;
    parts.before = series->labels[line] ? pts_text_of(series->labels[line]) : PTS_NO_TEXT;
    pts_reading reading = {r->own->values[which][line], NAN};
    pts_sink_derived(sink, &parts, PTS_NO_TEXT, PTS_NO_TEXT, &reading);
  }
  return 1;
}

/* Renders of one attachment may end at once in several threads: the process lock keeps them apart. Other
 * processes may see numbers of two expositions; each is a whole word. */
void pts_own_finished(pts_render *r) {
  uint64_t *counters = pts_worker_self(&r->a->session.store)->counters;
  pts_os_process_lock();
  pts_store_relaxed_u64(&counters[PTS_LAST_RENDER_NANOSECONDS], r->nanoseconds);
  pts_store_relaxed_u64(&counters[PTS_LAST_RENDER_BYTES], r->bytes);
  pts_store_release_u64(&counters[PTS_LAST_RENDER_MS], pts_os_clock_ms());
  pts_os_process_unlock();
}

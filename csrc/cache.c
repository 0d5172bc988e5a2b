/*
 * The cache section: its geometry, making it, recognising it, opening and closing.
 */
#include "cache.h"

#include <stdlib.h>

#include "points.h"

#define DEFAULT_PAGES 89u
#define DEFAULT_PAGE_SIZE 65536u
#define DEFAULT_SLOTS 89u
#define DEFAULT_WORKERS 256u
#define LARGEST_PAGES (1u << 22)
#define SMALLEST_PAGE 256u
#define LARGEST_PAGE (1u << 30)
#define LARGEST_SIZE (1ull << 44)
#define SMALLEST_ENTRY 32u

static uint64_t rounded(uint64_t size, uint64_t to) { return (size + to - 1) / to * to; }

/* ---- geometry -------------------------------------------------------------------------------- */

static uint64_t layout_of_cache(void) {
  static const uint32_t facts[] = {sizeof(pts_cache_header), sizeof(pts_page_control),
                                   sizeof(pts_frame),        sizeof(pts_page_entry),
                                   sizeof(pts_worker),       PTS_CACHE_WORKERS_AT,
                                   PTS_CACHE_MODSEQ,         PTS_CACHE_TOMBSTONE,
                                   PTS_COUNTS};
  uint64_t hash = 1; /* raised when a meaning changes and no number here does */
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
    hash = (hash ^ facts[i]) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

typedef struct shape {
  uint32_t num_pages, page_size, start_slots, max_workers;
} shape;

static void draw_geometry(pts_cache_header *g, const shape *s) {
  memset(g, 0, sizeof *g);
  g->layout = layout_of_cache();
  g->num_pages = s->num_pages;
  g->page_size = s->page_size;
  g->start_slots = s->start_slots;
  g->max_workers = s->max_workers;
  g->workers_at = PTS_CACHE_WORKERS_AT;
  g->controls_at = g->workers_at + ((uint64_t)s->max_workers + 1) * sizeof(pts_worker);
  g->frames_at =
      rounded(g->controls_at + (uint64_t)s->num_pages * sizeof(pts_page_control), PTS_ALIGN);
  g->frame_stride = rounded(s->page_size, PTS_CACHE_LINE);
  g->size = rounded(g->frames_at + 2 * g->frame_stride * s->num_pages, PTS_ALIGN);
}

/* NULL, or why there can be no such cache. */
static const char *shape_fault(const shape *s) {
  if (s->num_pages == 0 || s->num_pages > LARGEST_PAGES) return "numPages must be 1 to 4194304";
  if (s->page_size < SMALLEST_PAGE || s->page_size > LARGEST_PAGE)
    return "pageSize must be 256 bytes to 1 GiB";
  if (s->start_slots == 0) return "startSlots must be at least 1";
  if (pts_page_capacity(s->page_size, s->start_slots) < SMALLEST_ENTRY)
    return "startSlots leaves no room in a page: a slot takes 4 bytes of pageSize, the header 32";
  if (s->max_workers == 0 || s->max_workers > PTS_MAX_WORKERS)
    return "maxWorkers must be 1 to 1024";
  if (2ull * s->page_size * s->num_pages > LARGEST_SIZE) return "the cache is larger than 8 TiB";
  return NULL;
}

/* Everything follows from the shape, so the file's geometry is right exactly if it is what the
 * shape would give. */
static bool geometry_holds(const pts_cache_header *in_file, uint64_t section_size,
                           pts_cache_header *g) {
  shape s = {in_file->num_pages, in_file->page_size, in_file->start_slots, in_file->max_workers};
  if (shape_fault(&s)) return false;
  draw_geometry(g, &s);
  return g->size == section_size &&
         memcmp(in_file, g, offsetof(pts_cache_header, workers_high)) == 0;
}

static int32_t make(const pts_section_maker *maker, uint8_t *section, pts_fd fd, uint64_t offset,
                    pts_message *message) {
  (void)message;
  pts_cache_header g;
  draw_geometry(&g, maker->context);
  int32_t code = pts_os_allocate(fd, offset, g.frames_at);
  if (code != 0) return code;
  PTS_POINT();
  pts_cache_header *header = (pts_cache_header *)section;
  memcpy(header, &g, sizeof g);
  header->workers_high = 1;
  PTS_POINT();
  return 0;
}

/* ---- attaching ------------------------------------------------------------------------------- */

static const char *shown(const char *path) { return path ? path : "(private)"; }

static bool differs(uint32_t asked, uint32_t found) { return asked && asked != found; }

static int32_t compare(const pts_cache_options *asked, const pts_cache_header *g,
                       pts_message *message) {
  if (!differs(asked->num_pages, g->num_pages) && !differs(asked->page_size, g->page_size) &&
      !differs(asked->start_slots, g->start_slots) && !differs(asked->max_workers, g->max_workers))
    return 0;
  pts_message_add(message,
                  "the cache '%s' has %u pages of %u bytes with %u slots and %u workers; asked "
                  "for were",
                  shown(asked->path), g->num_pages, g->page_size, g->start_slots, g->max_workers);
  if (asked->num_pages) pts_message_add(message, " %u pages", asked->num_pages);
  if (asked->page_size) pts_message_add(message, " of %u bytes", asked->page_size);
  if (asked->start_slots) pts_message_add(message, " with %u slots", asked->start_slots);
  if (asked->max_workers) pts_message_add(message, " and %u workers", asked->max_workers);
  pts_message_add(message, "; ask for the same (or nothing), or use initFile to start anew");
  return PTS_E_GEOMETRY;
}

static int32_t recognise(pts_cache *c, const pts_cache_options *asked, pts_message *message) {
  pts_store *store = &c->session.store;
  pts_cache_header *header = (pts_cache_header *)store->section;
  pts_cache_header g;
  if (header->layout != layout_of_cache()) {
    pts_message_add(message,
                    "the cache in '%s' was made by a build with another layout; use the library "
                    "that made it, another path, or initFile to start anew",
                    shown(asked->path));
    return PTS_E_VERSION;
  }
  if (!geometry_holds(header, store->section_size, &g)) {
    pts_message_add(message,
                    "the cache '%s' is damaged: its geometry contradicts itself; use initFile to "
                    "start anew",
                    shown(asked->path));
    return PTS_E_DAMAGED;
  }
  int32_t code = compare(asked, &g, message);
  if (code != 0) return code;
  c->header = header;
  c->controls = (pts_page_control *)(store->section + g.controls_at);
  c->frames = store->section + g.frames_at;
  c->frame_stride = g.frame_stride;
  c->num_pages = g.num_pages;
  c->page_size = g.page_size;
  c->start_slots = g.start_slots;
  store->workers = (pts_worker *)(store->section + g.workers_at);
  store->max_workers = g.max_workers;
  store->workers_high = &header->workers_high;
  store->lock_waits = &header->lock_waits;
  store->repairs = &header->repairs;
  return 0;
}

static int32_t take_slot(pts_cache *c, pts_message *message) {
  int32_t code = pts_worker_take(&c->session.store);
  if (code == PTS_E_WORKERS_FULL)
    pts_message_add(message,
                    "all %u worker slots of the cache are taken by living workers; make the cache "
                    "with a larger maxWorkers (initFile), or close caches that are not used",
                    c->session.store.max_workers);
  else if (code != 0)
    pts_message_os(message, code, "take a worker slot of the cache", shown(c->path));
  else
    c->counters = pts_worker_self(&c->session.store)->counters;
  return code;
}

static shape shape_of(const pts_cache_options *asked) {
  return (shape){asked->num_pages ? asked->num_pages : DEFAULT_PAGES,
                 asked->page_size ? asked->page_size : DEFAULT_PAGE_SIZE,
                 asked->start_slots ? asked->start_slots : DEFAULT_SLOTS,
                 asked->max_workers ? asked->max_workers : DEFAULT_WORKERS};
}

static int32_t open_store(pts_cache *c, const pts_cache_options *asked, const shape *wanted,
                          pts_message *message) {
  pts_options options = {.path = asked->path,
                         .flags = asked->flags & ~(uint32_t)PTS_CACHE_COUNT_READS,
                         .permissions = asked->permissions,
                         .lock_timeout_ms = asked->lock_timeout_ms};
  pts_file_id id;
  bool named = !(asked->flags & PTS_OPEN_PRIVATE) && asked->path;
  c->existed = named && pts_os_identify_path(asked->path, &id) == 0;
  pts_cache_header g;
  draw_geometry(&g, wanted);
  pts_section_maker maker = {PTS_SECTION_CACHE, g.size, wanted, make};
  return pts_store_open(&c->session.store, &options, &maker, message);
}

static int32_t keep_path(pts_cache *c, const pts_cache_options *asked) {
  if ((asked->flags & PTS_OPEN_PRIVATE) || !asked->path) return 0;
  size_t size = strlen(asked->path) + 1;
  c->path = malloc(size);
  if (!c->path) return PTS_E_NO_MEMORY;
  memcpy(c->path, asked->path, size);
  return 0;
}

static int32_t attach(pts_cache *c, const pts_cache_options *asked, pts_message *message) {
  shape wanted = shape_of(asked);
  const char *fault = shape_fault(&wanted);
  if (fault) {
    pts_message_add(message, "%s (asked for: %u pages of %u bytes with %u slots, %u workers)",
                    fault, wanted.num_pages, wanted.page_size, wanted.start_slots,
                    wanted.max_workers);
    return PTS_E_INVALID;
  }
  c->counts_reads = (asked->flags & PTS_CACHE_COUNT_READS) != 0;
  int32_t code = keep_path(c, asked);
  if (code == 0) code = open_store(c, asked, &wanted, message);
  if (code == 0) code = recognise(c, asked, message);
  if (code == 0) code = take_slot(c, message);
  if (code != 0 && message->length == 0)
    pts_message_os(message, code, "attach to the cache", shown(asked->path));
  return code;
}

static void destroy(pts_session *session) {
  pts_cache *c = (pts_cache *)session;
  if (c->held != PTS_CACHE_NO_PAGE)
    pts_lock_release(&session->store, &c->controls[c->held].lock.word);
  pts_cache_named_release_all(c);
  pts_cache_plan_free(&c->plan);
  if (session->store.mapping) pts_store_close(&session->store);
  free(c->path);
  free(c);
}

int32_t pts_cache_open(const pts_cache_options *options, char *text, uint32_t size) {
  pts_message message = pts_message_in(text, size);
  pts_cache *c = calloc(1, sizeof *c);
  if (!c) {
    pts_message_add(&message, "out of memory");
    return PTS_E_NO_MEMORY;
  }
  c->session.destroy = destroy;
  c->held = PTS_CACHE_NO_PAGE;
  int32_t code = attach(c, options, &message);
  if (code == 0) code = pts_session_enter(&c->session, &message);
  if (code == 0) return (int32_t)c->session.number;
  destroy(&c->session);
  return code;
}

int32_t pts_cache_close(uint32_t cache) { return pts_session_close(PTS_SECTION_CACHE, cache); }

int32_t pts_cache_unlink(uint32_t cache) {
  const pts_cache *c = pts_cache_of(cache);
  if (!c) return PTS_E_CLOSED;
  const pts_mapping *mapping = c->session.store.mapping;
  pts_file_id id;
  if (!c->path || pts_os_identify_path(c->path, &id) != 0) return 0;
  if (id.device != mapping->device || id.inode != mapping->inode) return 0;
  pts_os_unlink(c->path);
  return 1;
}

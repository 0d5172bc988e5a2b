/*
 * The metrics section: its geometry, making it, recognising it, and the index lock.
 */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "points.h"

#define DEFAULT_CAPACITY (64ull << 20)
#define SMALLEST_CAPACITY (64ull << 10)
#define LARGEST_CAPACITY (16ull << 30)
#define DEFAULT_WORKERS 64u
#define BYTES_PER_RECORD 512u /* of capacity */
#define SHARD_PART 4u         /* a shard has this part of the capacity */

static uint64_t aligned(uint64_t size) { return (size + PTS_ALIGN - 1) / PTS_ALIGN * PTS_ALIGN; }

/* ---- geometry ----------------------------------------------------------------------------------- */

static void draw_geometry(pts_metrics *g, uint64_t capacity, uint32_t max_workers) {
  memset(g, 0, sizeof *g);
  g->max_workers = max_workers;
  g->max_records = (uint32_t)(capacity / BYTES_PER_RECORD);
  g->slot_count = g->max_records + g->max_records / 2 + 1;
  g->text_size = aligned(capacity);
  g->shard_stride = aligned(capacity / SHARD_PART);
  g->shard_size = g->shard_stride - PTS_SHARD_SKEWS * PTS_CACHE_LINE;
  g->workers_at = PTS_WORKERS_AT;
  g->slots_at = aligned(g->workers_at + (uint64_t)(max_workers + 1) * sizeof(pts_worker));
  g->records_at = aligned(g->slots_at + (uint64_t)g->slot_count * sizeof(uint32_t));
  g->times_at = aligned(g->records_at + (uint64_t)g->max_records * sizeof(pts_record));
  g->text_at = aligned(g->times_at + (uint64_t)g->max_records * sizeof(uint32_t));
  g->shards_at = g->text_at + g->text_size;
  g->size = g->shards_at + (uint64_t)(max_workers + 1) * g->shard_stride;
}

/* Everything follows from two numbers, so the file's geometry is right exactly if it is what these
 * two would give. */
static bool geometry_holds(const pts_metrics *in_file, uint64_t section_size, pts_metrics *g) {
  uint64_t capacity = in_file->text_size;
  uint32_t workers = in_file->max_workers;
  if (workers == 0 || workers > PTS_MAX_WORKERS) return false;
  if (capacity < SMALLEST_CAPACITY || capacity > LARGEST_CAPACITY) return false;
  draw_geometry(g, capacity, workers);
  return g->size == section_size && memcmp(in_file, g, offsetof(pts_metrics, generation)) == 0;
}

typedef struct plan {
  uint64_t capacity;
  uint32_t max_workers;
} plan;

static int32_t make(const pts_section_maker *maker, uint8_t *section, pts_fd fd, uint64_t offset,
                    pts_message *message) {
  (void)message;
  const plan *wanted = maker->context;
  pts_metrics g;
  draw_geometry(&g, wanted->capacity, wanted->max_workers);
  /* Header, worker slots and hash slots are looked at anywhere and any time: all allocated now. */
  int32_t code = pts_os_allocate(fd, offset, g.records_at);
  if (code != 0) return code;
  PTS_POINT();
  pts_metrics *metrics = (pts_metrics *)section;
  memcpy(metrics, &g, offsetof(pts_metrics, generation));
  metrics->generation = 1;
  metrics->text_used = 8;   /* word 0 means none */
  metrics->cells_used = 64; /* likewise, and blocks of two words never straddle a cache line */
  metrics->workers_high = 1;
  PTS_POINT();
  return 0;
}

/* ---- attaching ---------------------------------------------------------------------------------- */

static int32_t recognise(pts_attachment *a, const pts_options *options, pts_message *message) {
  pts_metrics *metrics = (pts_metrics *)a->session.store.section;
  pts_metrics g;
  const char *path = options->path ? options->path : "(private)";
  if (a->session.store.section_size < PTS_ALIGN || !geometry_holds(metrics, a->session.store.section_size, &g)) {
    pts_message_add(message,
                    "the store '%s' is damaged: its geometry contradicts itself; use initFile to start anew",
                    path);
    return PTS_E_DAMAGED;
  }
  bool other_workers = options->max_workers && options->max_workers != g.max_workers;
  bool other_capacity = options->capacity && aligned(options->capacity) != g.text_size;
  if (other_workers || other_capacity) {
    pts_message_add(message,
                    "the store '%s' has %u workers and a capacity of %llu bytes, asked for were %u and "
                    "%llu; ask for the same (or nothing), or use initFile to start anew",
                    path, g.max_workers, (unsigned long long)g.text_size,
                    options->max_workers ? options->max_workers : g.max_workers,
                    (unsigned long long)(options->capacity ? options->capacity : g.text_size));
    return PTS_E_GEOMETRY;
  }
  a->metrics = metrics;
  a->slots = (uint32_t *)(a->session.store.section + g.slots_at);
  a->records = (pts_record *)(a->session.store.section + g.records_at);
  a->times = (uint32_t *)(a->session.store.section + g.times_at);
  a->text = a->session.store.section + g.text_at;
  a->shards = a->session.store.section + g.shards_at;
  a->text_size = g.text_size;
  a->shard_size = g.shard_size;
  a->shard_stride = g.shard_stride;
  a->slot_count = g.slot_count;
  a->max_records = g.max_records;
  while (1u << a->record_bits < g.max_records) a->record_bits++;
  a->record_mask = (1u << a->record_bits) - 1;
  /* One less than fits, so that no handle is all ones. */
  a->max_incarnation = (PTS_HANDLE_KEY >> a->record_bits) - 2;
  if (a->max_incarnation > PTS_MAX_INCARNATION) a->max_incarnation = PTS_MAX_INCARNATION;
  a->generation = &metrics->generation;
  a->hash_seed = ((const pts_superblock *)a->session.store.mapping->base)->store_id;
  a->session.store.workers = (pts_worker *)(a->session.store.section + g.workers_at);
  a->session.store.max_workers = g.max_workers;
  a->session.store.workers_high = &metrics->workers_high;
  a->session.store.lock_waits = &metrics->lock_waits;
  a->session.store.repairs = &metrics->takeovers;
  return 0;
}

static int32_t check_options(const pts_options *options, pts_message *message) {
  if (options->max_workers > PTS_MAX_WORKERS) {
    pts_message_add(message, "maxWorkers is %u; give 1 to %u", options->max_workers, PTS_MAX_WORKERS);
    return PTS_E_INVALID;
  }
  if (options->capacity && (options->capacity < SMALLEST_CAPACITY || options->capacity > LARGEST_CAPACITY)) {
    pts_message_add(message, "the capacity is %llu bytes; give %llu to %llu",
                    (unsigned long long)options->capacity, (unsigned long long)SMALLEST_CAPACITY,
                    (unsigned long long)LARGEST_CAPACITY);
    return PTS_E_INVALID;
  }
  return 0;
}

static int32_t take_slot(pts_attachment *a, pts_message *message) {
  int32_t code = pts_worker_take(&a->session.store);
  if (code == PTS_E_WORKERS_FULL)
    pts_message_add(message,
                    "all %u worker slots of the store are taken by living workers; make the store "
                    "with a larger maxWorkers (initFile), or close stores that are not used",
                    a->session.store.max_workers);
  else if (code != 0)
    pts_message_os(message, code, "take a worker slot of the store", "");
  return code;
}

static int32_t become_worker(pts_attachment *a, pts_message *message) {
  a->handles = calloc((size_t)a->record_mask + 1, sizeof *a->handles);
  if (!a->handles) return PTS_E_NO_MEMORY;
  int32_t code = take_slot(a, message);
  if (code != 0) return code;
  a->own = (uint64_t *)(void *)pts_shard(a, a->session.store.slot);
  a->redo = &pts_worker_self(&a->session.store)->redo;
  a->my_mark = pts_shard_mark(a, a->session.store.slot);
  pts_cell_take_over(a, a->session.store.slot);
  return 0;
}

int32_t pts_metrics_attach(pts_attachment *a, const pts_options *options, bool as_worker,
                           pts_message *message) {
  int32_t code = check_options(options, message);
  if (code != 0) return code;
  plan wanted = {aligned(options->capacity ? options->capacity : DEFAULT_CAPACITY),
                 options->max_workers ? options->max_workers : DEFAULT_WORKERS};
  pts_metrics g;
  draw_geometry(&g, wanted.capacity, wanted.max_workers);
  pts_section_maker maker = {PTS_SECTION_METRICS, g.size, &wanted, make};
  code = pts_store_open(&a->session.store, options, &maker, message);
  if (code != 0) return code;
  code = recognise(a, options, message);
  if (code == 0 && as_worker) code = become_worker(a, message);
  if (code == 0) return 0;
  if (message->length == 0) pts_message_os(message, code, "attach to the store", "");
  pts_metrics_detach(a);
  return code;
}

void pts_metrics_detach(pts_attachment *a) {
  pts_render_free_all(a);
  if (a->order) pts_order_release(a->order);
  free(a->handles);
  free(a->damaged);
  a->handles = NULL;
  a->damaged = NULL;
  pts_store_close(&a->session.store);
}

static void destroy(pts_session *session) {
  pts_metrics_detach((pts_attachment *)session);
  free(session);
}

int32_t pts_open(const pts_options *options, char *text, uint32_t size) {
  pts_message message = pts_message_in(text, size);
  pts_attachment *a = calloc(1, sizeof *a);
  if (!a) {
    pts_message_add(&message, "out of memory");
    return PTS_E_NO_MEMORY;
  }
  a->session.destroy = destroy;
  int32_t code = pts_metrics_attach(a, options, true, &message);
  if (code == 0) {
    code = pts_session_enter(&a->session, &message);
    if (code == 0) return (int32_t)a->session.number;
    pts_metrics_detach(a);
  }
  free(a);
  return code;
}

int32_t pts_close(uint32_t number) { return pts_session_close(PTS_SECTION_METRICS, number); }

/* ---- shared by the files of the section --------------------------------------------------------- */

int32_t pts_index_lock(pts_attachment *a, uint32_t timeout_ms) {
  int32_t code = pts_lock_take(&a->session.store, &a->metrics->index_lock.word, timeout_ms);
  if (code == PTS_LOCK_TAKEN_OVER) {
    pts_index_repair(a);
    code = 0;
  }
  return code;
}

void pts_index_unlock(pts_attachment *a) {
  pts_lock_release(&a->session.store, &a->metrics->index_lock.word);
}

void pts_damage(pts_attachment *a) { pts_fetch_add_u64(&a->metrics->damage, 1); }

void pts_damage_at(pts_attachment *a, const pts_record *record) {
  uint64_t number = (uint64_t)(record - a->records), bit = 1ull << number % 64;
  bool known = false;
  pts_os_process_lock();
  if (!a->damaged) a->damaged = calloc(a->max_records / 64 + 1, sizeof *a->damaged);
  if (a->damaged) {
    known = a->damaged[number / 64] & bit;
    a->damaged[number / 64] |= bit;
  }
  pts_os_process_unlock();
  if (!known) pts_damage(a);
}

uint64_t pts_shard_mark(const pts_attachment *a, uint32_t slot) {
  uint64_t mark = pts_load_acquire_u64(&a->session.store.workers[slot].mark);
  return mark <= a->shard_size ? mark : 0;
}

int32_t pts_clear(uint32_t number) {
  pts_attachment *a = pts_attachment_of(number);
  if (!a) return PTS_E_CLOSED;
  pts_store_relaxed_u64(&a->metrics->cleared, pts_ticks_now(a));
  /* One step for the whole store: no block's tag is current after it. */
  pts_fetch_add_u64(a->generation, 1);
  pts_fetch_add_u64(&a->metrics->removals, pts_records_used(a));
  return 0;
}

int32_t pts_dropped(uint32_t number) {
  pts_attachment *a = pts_attachment_of(number);
  if (!a) return PTS_E_CLOSED;
  uint64_t *dropped = &pts_worker_self(&a->session.store)->dropped;
  pts_store_relaxed_u64(dropped, pts_load_relaxed_u64(dropped) + 1);
  return 0;
}

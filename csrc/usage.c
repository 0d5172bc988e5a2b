/*
 * The store about itself, and where named stores live.
 */
#include <stdio.h>
#include <string.h>

#include "atomics.h"
#include "metrics.h"

#define SHARED_SPACE_WANTED (32ull << 20)

static uint64_t count_living(pts_attachment *a, uint32_t high) {
  uint64_t living = 0;
  for (uint32_t slot = 1; slot < high; slot++) {
    uint32_t epoch = pts_load_acquire_u32(&a->session.store.workers[slot].epoch);
    if (pts_worker_alive(&a->session.store, slot, epoch)) living++;
  }
  return living;
}

int32_t pts_usage_read(uint32_t attachment, pts_usage *out) {
  pts_attachment *a = pts_attachment_of(attachment);
  return a ? pts_usage_of(a, out) : PTS_E_CLOSED;
}

int32_t pts_usage_of(pts_attachment *a, pts_usage *out) {
  const pts_metrics *m = a->metrics;
  uint32_t high = pts_load_acquire_u32(&m->workers_high);
  if (high > a->session.store.max_workers + 1) high = a->session.store.max_workers + 1;
  pts_file_id id;
  int32_t code = pts_os_identify(a->session.store.mapping->fd, &id);
  if (code != 0) return code;
  *out = (pts_usage){
      .series_used = pts_records_used(a),
      .series_capacity = a->max_records,
      .text_used = pts_load_relaxed_u64(&m->text_used),
      .text_capacity = a->text_size,
      .cells_used = pts_load_relaxed_u64(&m->cells_used),
      .cells_capacity = a->shard_size,
      .workers_live = count_living(a, high),
      .workers_ever = high ? high - 1 : 0,
      .workers_capacity = a->session.store.max_workers,
      .damage = pts_load_relaxed_u64(&m->damage),
      .repairs = pts_load_relaxed_u64(&m->repairs),
      .lock_waits = pts_load_relaxed_u64(&m->lock_waits),
      .takeovers = pts_load_relaxed_u64(&m->takeovers),
      .free_records = pts_load_relaxed_u32(&m->free_records),
      .file_bytes = id.size,
      .allocated_bytes = id.allocated,
      .my_slot = a->session.store.slot,
      .my_epoch = a->session.store.epoch,
  };
  for (uint32_t slot = 1; slot < high; slot++)
    out->dropped_updates += pts_load_relaxed_u64(&a->session.store.workers[slot].dropped);
  return 0;
}

static bool name_is_plain(const char *name) {
  size_t length = strlen(name);
  return length > 0 && length <= 128 && name[0] != '.' && !strpbrk(name, "/\\:");
}

/* The name's path in the folder that has `want` bytes free. 1: a file is there already. */
static int32_t path_in(uint64_t want, const char *name, char *path, uint32_t path_size,
                       bool *fell_back) {
  char folder[PTS_PATH_MAX];
  int32_t code = pts_os_private_folder(want, folder, sizeof folder, fell_back);
  if (code != 0) return code;
  int length = snprintf(path, path_size, "%s/%s", folder, name);
  if (length < 0 || (uint32_t)length >= path_size) return PTS_E_TOO_SMALL;
  pts_file_id id;
  return pts_os_identify_path(path, &id) == 0;
}

/*
 * All workers must come to the same path although free space changes: a file that is there already
 * wins, first in memory, then in the folder with the most room, where it was made when memory was short.
 */
int32_t pts_shared_path(const char *name, char *path, uint32_t path_size, char *text,
                        uint32_t text_size) {
  pts_message message = pts_message_in(text, text_size);
  if (!name_is_plain(name)) {
    pts_message_add(&message, "'%s' cannot name a shared store; give 1 to 128 bytes without / \\ : "
                              "that do not begin with a dot", name);
    return PTS_E_INVALID;
  }
  static const uint64_t wanted[] = {0, UINT64_MAX, SHARED_SPACE_WANTED};
  bool fell_back = false;
  int32_t code = 0;
  for (int i = 0; i < 3 && code == 0; i++)
    code = path_in(wanted[i], name, path, path_size, &fell_back);
  if (code < 0) return pts_message_os(&message, code, "make a private folder for", name);
  if (code == 0 && fell_back)
    pts_message_add(&message, "the memory folder has too little space; the store is '%s'", path);
  return (int32_t)strlen(path);
}

/*
 * One mapping of a file for each process, shared by its attachments: less address space and fewer page tables, and
 * tools that watch memory (the thread sanitizer) see one address for one cell.
 *
 * I1: a mapping is in the list exactly while references > 0; both change only under the process lock.
 */
#include <stdlib.h>

#include "store.h"

static pts_mapping *mappings;

static pts_mapping *find(const pts_file_id *id) {
  for (pts_mapping *m = mappings; m; m = m->next)
    if (m->device == id->device && m->inode == id->inode && m->size == id->size) return m;
  return NULL;
}

int32_t pts_mapping_acquire(pts_fd fd, const pts_file_id *id, pts_mapping **out) {
  pts_os_process_lock();
  pts_mapping *mapping = find(id);
  if (mapping) {
    mapping->references++;
    pts_os_process_unlock();
    pts_os_close(fd);
    *out = mapping;
    return 0;
  }
  int32_t code = PTS_E_NO_MEMORY;
  mapping = calloc(1, sizeof *mapping);
  void *base = NULL;
  if (mapping) code = pts_os_map(fd, id->size, &base);
  if (code == 0) {
    *mapping = (pts_mapping){mappings, id->device, id->inode, id->size, base, fd, 1};
    mappings = mapping;
  }
  pts_os_process_unlock();
  if (code != 0) {
    free(mapping);
    pts_os_close(fd);
    return code;
  }
  *out = mapping;
  return 0;
}

void pts_mapping_release(pts_mapping *mapping) {
  pts_os_process_lock();
  bool last = --mapping->references == 0;
  if (last) {
    pts_mapping **link = &mappings;
    while (*link != mapping) link = &(*link)->next;
    *link = mapping->next;
  }
  pts_os_process_unlock();
  if (!last) return;
  pts_os_unmap(mapping->base, mapping->size);
  pts_os_close(mapping->fd);
  free(mapping);
}

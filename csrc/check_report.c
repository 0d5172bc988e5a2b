/* What the checker says (check.c). */
#include <stdarg.h>
#include <stdio.h>

#include "checker.h"

bool pts_expect(pts_checker *c, bool holds, const char *format, ...) {
  if (holds) return true;
  c->findings++;
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  pts_message_add(c->report, "%s: %s\n", c->says, text);
  return false;
}

void pts_check_describe(pts_checker *c, const char *path) {
  const pts_attachment *a = c->a;
  const pts_metrics *m = a->metrics;
  uint32_t living = 0, high = pts_load_acquire_u32(&m->workers_high);
  if (high > a->session.store.max_workers + 1) high = a->session.store.max_workers + 1;
  for (uint32_t slot = 1; slot < high; slot++) {
    const pts_worker *worker = &a->session.store.workers[slot];
    uint32_t epoch = pts_load_acquire_u32(&worker->epoch);
    if (!pts_worker_alive(&c->a->session.store, slot, epoch)) continue;
    living++;
    pts_message_add(c->report, "worker: slot %u, epoch %u, pid %u\n", slot, epoch,
                    pts_load_relaxed_u32(&worker->pid));
  }
  uint64_t dropped = 0;
  for (uint32_t slot = 1; slot < high; slot++)
    dropped += pts_load_relaxed_u64(&a->session.store.workers[slot].dropped);
  pts_message_add(c->report,
                  "store: %s\n"
                  "workers: %u living, %u slots used, of %u\n"
                  "records: %u of %u (series and families)\n"
                  "text: %llu of %llu bytes\n"
                  "cells: %llu of %llu bytes in each shard\n"
                  "free records: %u\n"
                  "dropped updates: %llu\ndamage: %llu\nrepairs: %llu\ntakeovers: %llu\nlock waits: %llu\n",
                  path, living, high ? high - 1 : 0, a->session.store.max_workers, pts_records_used(a),
                  a->max_records, (unsigned long long)pts_load_relaxed_u64(&m->text_used),
                  (unsigned long long)a->text_size,
                  (unsigned long long)pts_load_relaxed_u64(&m->cells_used),
                  (unsigned long long)a->shard_size, pts_load_relaxed_u32(&m->free_records),
                  (unsigned long long)dropped,
                  (unsigned long long)pts_load_relaxed_u64(&m->damage),
                  (unsigned long long)pts_load_relaxed_u64(&m->repairs),
                  (unsigned long long)pts_load_relaxed_u64(&m->takeovers),
                  (unsigned long long)pts_load_relaxed_u64(&m->lock_waits));
}

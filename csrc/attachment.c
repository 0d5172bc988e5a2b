/*
 * Attachments by number: which thread owns one, and when it may go.
 *
 * I1: table[n] changes under the process lock only; the owner's thread may read its own entry without,
 *     since nobody else writes that.
 * I2: an attachment is destroyed when it is closed and its last reference (a render under way in
 *     another thread) is gone: then nobody has a pointer into its mapping.
 * I3: a thread's attachments are closed when the thread ends, whatever ended it.
 */
#include <stdlib.h>

#include "atomics.h"
#include "metrics.h"

#define MOST_ATTACHMENTS 4096u

static pts_attachment *table[MOST_ATTACHMENTS];
static _Thread_local pts_attachment *of_this_thread;

pts_attachment *pts_attachment_of(uint32_t number) {
  return PTS_LIKELY(number < MOST_ATTACHMENTS) ? table[number] : NULL;
}

pts_attachment *pts_attachment_hold(uint32_t number) {
  pts_os_process_lock();
  pts_attachment *a = pts_attachment_of(number);
  if (a) a->references++;
  pts_os_process_unlock();
  return a;
}

void pts_attachment_release(pts_attachment *a) {
  pts_os_process_lock();
  bool last = --a->references == 0 && a->closed;
  pts_os_process_unlock();
  if (!last) return;
  pts_metrics_detach(a);
  free(a);
}

static int32_t enter(pts_attachment *a) {
  pts_os_process_lock();
  for (uint32_t n = 0; n < MOST_ATTACHMENTS; n++) {
    if (table[n]) continue;
    table[n] = a;
    a->number = n;
    a->references = 1; /* the table's */
    pts_os_process_unlock();
    return 0;
  }
  pts_os_process_unlock();
  return PTS_E_TOO_MANY;
}

static void leave(pts_attachment *a) {
  pts_os_process_lock();
  table[a->number] = NULL;
  a->closed = true;
  pts_os_process_unlock();
  pts_attachment_release(a);
}

static void close_all_of_thread(void) {
  while (of_this_thread) {
    pts_attachment *a = of_this_thread;
    of_this_thread = a->next_in_thread;
    leave(a);
  }
}

int32_t pts_open(const pts_options *options, char *text, uint32_t size) {
  pts_message message = pts_message_in(text, size);
  pts_attachment *a = calloc(1, sizeof *a);
  if (!a) {
    pts_message_add(&message, "out of memory");
    return PTS_E_NO_MEMORY;
  }
  int32_t code = pts_metrics_attach(a, options, &message);
  if (code != 0) {
    free(a);
    return code;
  }
  code = enter(a);
  if (code != 0) {
    pts_message_add(&message, "%u stores are open in this process; close some", MOST_ATTACHMENTS);
    pts_metrics_detach(a);
    free(a);
    return code;
  }
  a->next_in_thread = of_this_thread;
  of_this_thread = a;
  pts_os_at_thread_exit(close_all_of_thread);
  return (int32_t)a->number;
}

int32_t pts_close(uint32_t number) {
  pts_attachment **link = &of_this_thread;
  while (*link && (*link)->number != number) link = &(*link)->next_in_thread;
  pts_attachment *a = *link;
  if (!a) return PTS_E_CLOSED;
  *link = a->next_in_thread;
  leave(a);
  return 0;
}

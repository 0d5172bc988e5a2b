/*
 * The exported rendering calls: they may come from any thread, since a large exposition is made beside the
 * event loop.
 *
 * I1: a->renders changes under the process lock only. A render is used by one thread at a time (busy).
 * I2: whoever uses a render holds a reference to its attachment, so closing never unmaps under it.
 */
#include <stdlib.h>
#include <string.h>

#include "atomics.h"
#include "render.h"

static void free_render(pts_render *r) {
  if (r->order) pts_order_release(r->order);
  pts_buckets_free(&r->buckets);
  pts_spread_free(&r->spread);
  free(r->own);
  free(r->only.bytes);
  free(r->only.lengths);
  free(r->groups);
  free(r->totals);
  free(r->titles);
  free(r->titles_text.bytes);
  free(r->scratch.bytes);
  free(r->state.bytes);
  free(r);
}

static pts_scheme scheme_of(uint32_t flags) {
  return flags & PTS_RENDER_ESCAPE_UNDERSCORES ? PTS_SCHEME_UNDERSCORES
         : flags & PTS_RENDER_ESCAPE_DOTS      ? PTS_SCHEME_DOTS
         : flags & PTS_RENDER_ESCAPE_VALUES    ? PTS_SCHEME_VALUES
                                               : PTS_SCHEME_NONE;
}

static pts_render *make_render(pts_attachment *a, uint32_t flags, double now_ms) {
  pts_render *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->a = a;
  /* OpenMetrics has one order only. */
  r->flags = flags & PTS_RENDER_OPENMETRICS ? flags & ~(uint32_t)PTS_RENDER_LEXICAL : flags;
  r->scheme = scheme_of(flags);
  r->now_ms = now_ms;
  r->opened_ms = pts_os_monotonic_ms();
  pts_view_take(a, &r->view);
  return r;
}

/* Series that nobody has updated for their family's ttl leave first. */
static void expire(pts_render *r) {
  double now_ms = r->now_ms + (double)(pts_os_monotonic_ms() - r->opened_ms);
  for (uint32_t f = 0; f < r->order->family_count; f++) {
    const pts_order_family *family = &r->order->families[f];
    const pts_record *record = pts_record_at(r->a, family->record);
    pts_traits traits = record ? pts_family_traits(r->a, record) : (pts_traits){0};
    if (traits.ttl_ms)
      pts_expire(r->a, r->order->series + family->first, family->values + family->histograms,
                 traits.ttl_ms, now_ms);
  }
}

/* The plan is made with the first lines: putting a million new series in order takes long, and only
 * pts_render_next may be called beside the event loop. It sees what was there when the render began:
 * nothing ever leaves the order. */
static bool plan(pts_render *r) {
  if (r->groups) return true;
  if (!r->order) {
    r->order = pts_order_now(r->a);
    if (r->order) expire(r);
  }
  if (r->order && pts_plan_make(r)) return true;
  free(r->groups);
  free(r->totals);
  free(r->titles);
  r->groups = NULL;
  r->totals = NULL;
  r->titles = NULL;
  r->titles_text.used = 0;
  r->group_count = 0;
  return false;
}

static int32_t enter(pts_attachment *a, pts_render *r) {
  int32_t number = PTS_E_TOO_MANY;
  pts_os_process_lock();
  for (int32_t i = 0; i < PTS_RENDERS && number < 0; i++) {
    if (a->renders[i]) continue;
    a->renders[i] = r;
    number = i;
  }
  pts_os_process_unlock();
  return number;
}

#define ALL_FLAGS                                                                                  \
  (PTS_RENDER_LEXICAL | PTS_RENDER_OPENMETRICS | PTS_RENDER_ESCAPES | PTS_RENDER_STORE |           \
   PTS_RENDER_CREATED)

static bool flags_hold(uint32_t flags) {
  uint32_t escapes = flags & PTS_RENDER_ESCAPES;
  return (flags & ~(uint32_t)ALL_FLAGS) == 0 && (escapes & (escapes - 1)) == 0;
}

int32_t pts_render_open(uint32_t attachment, uint32_t flags, double now_ms) {
  if (!flags_hold(flags)) return PTS_E_INVALID;
  pts_attachment *a = pts_attachment_hold(attachment);
  if (!a) return PTS_E_CLOSED;
  int32_t code = pts_store_intact(&a->session.store);
  pts_render *r = code == 0 ? make_render(a, flags, now_ms) : NULL;
  if (code == 0) code = r ? enter(a, r) : PTS_E_NO_MEMORY;
  if (code < 0 && r) free_render(r);
  pts_attachment_release(a);
  return code;
}

/* The render for this thread's use, or NULL. */
static pts_render *take(pts_attachment *a, uint32_t number, bool out) {
  pts_render *r = NULL;
  pts_os_process_lock();
  if (number < PTS_RENDERS && a->renders[number] && !a->renders[number]->busy) {
    r = a->renders[number];
    r->busy = true;
    if (out) a->renders[number] = NULL;
  }
  pts_os_process_unlock();
  return r;
}

static void give_back(pts_render *r) {
  pts_os_process_lock();
  r->busy = false;
  pts_os_process_unlock();
}

static int32_t keep_names(pts_render *r, const uint8_t *names, const uint32_t *lengths,
                          uint32_t count) {
  if (r->groups || r->only.used) return PTS_E_INVALID;
  uint64_t size = 0;
  for (uint32_t i = 0; i < count; i++) size += lengths[i];
  if (size > PTS_MAX_DECLARATION) return PTS_E_TOO_LONG;
  r->only.bytes = malloc(size + 1);
  r->only.lengths = malloc((size_t)count * sizeof *lengths + 1);
  if (!r->only.bytes || !r->only.lengths) return PTS_E_NO_MEMORY;
  if (size) memcpy(r->only.bytes, names, size);
  if (count) memcpy(r->only.lengths, lengths, (size_t)count * sizeof *lengths);
  r->only.count = count;
  r->only.used = true;
  return 0;
}

int32_t pts_render_only(uint32_t attachment, uint32_t number, const uint8_t *names,
                        const uint32_t *lengths, uint32_t count) {
  pts_attachment *a = pts_attachment_hold(attachment);
  if (!a) return PTS_E_CLOSED;
  int32_t code = PTS_E_INVALID;
  pts_render *r = take(a, number, false);
  if (r) {
    code = keep_names(r, names, lengths, count);
    give_back(r);
  }
  pts_attachment_release(a);
  return code;
}

static int32_t next_lines(pts_render *r, uint8_t *buffer, uint32_t size) {
  int32_t code = pts_store_intact(&r->a->session.store);
  if (code != 0) return code;
  uint64_t from = pts_os_monotonic_ns();
  int32_t length = plan(r) ? pts_render_lines(r, buffer, size) : PTS_E_NO_MEMORY;
  r->nanoseconds += pts_os_monotonic_ns() - from;
  if (length > 0) r->bytes += (uint32_t)length;
  if (length == 0) pts_own_finished(r);
  return length;
}

int32_t pts_render_next(uint32_t attachment, uint32_t number, uint8_t *buffer, uint32_t size) {
  pts_attachment *a = pts_attachment_hold(attachment);
  if (!a) return PTS_E_CLOSED;
  int32_t code = PTS_E_INVALID;
  pts_render *r = take(a, number, false);
  if (r) {
    code = pts_store_intact(&a->session.store);
    if (code == 0) code = next_lines(r, buffer, size);
    give_back(r);
  }
  pts_attachment_release(a);
  return code;
}

int32_t pts_render_close(uint32_t attachment, uint32_t number) {
  pts_attachment *a = pts_attachment_hold(attachment);
  if (!a) return PTS_E_CLOSED;
  pts_render *r = take(a, number, true);
  if (r) free_render(r);
  bool damaged = pts_load_relaxed_u64(&a->metrics->damage) > 0;
  pts_attachment_release(a);
  return r ? damaged : PTS_E_INVALID;
}

void pts_render_free_all(pts_attachment *a) {
  for (int i = 0; i < PTS_RENDERS; i++) {
    if (a->renders[i]) free_render(a->renders[i]);
    a->renders[i] = NULL;
  }
}

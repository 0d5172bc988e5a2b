/*
 * Series that nobody updates: those of a family with a ttl leave after it.
 *
 *   current --(a scrape: the mark into the head, then the time into the annex)--> marked
 *   marked  --(an update clears the mark)--> current
 *   marked  --(a scrape, a ttl after the mark was set: a new generation in the head)--> gone
 *
 * I1: setting the mark and leaving are compare-and-swaps from exactly the head that was looked at, under the
 *     series's lock, which keeps the time that belongs to the mark. Clearing it needs no lock.
 * I2: an update that found no mark, and none afterwards either (cell.c confirm), was made before the mark was
 *     set, so a whole ttl passes before the series leaves. One that finds a mark clears it; one that
 *     finds another generation is made again. So no update whose last look is less than the ttl before the
 *     series leaves is lost. tests/models/expire_test.ts.
 *     The time of a mark is asked for when it is set: the scrape's own may be old, and an update that came
 *     in between would seem older than it is. A mark without a time is as good as one of now.
 * I3: a scrape that finds the lock taken goes on: somebody sets the series, or marks it at this time.
 */
#include "metrics.h"
#include "points.h"

/* Where the time of a series's mark is kept, with space. NULL: there is no room for it; it stays. */
static uint64_t *marked_cell(pts_attachment *a, pts_record *record) {
  uint32_t place = record->place;
  if (pts_kind_has_bounds(record->kind)) {
    if (pts_shared_space(a, place, record->words) != 0) return NULL;
    return pts_shared_block(a, place) + PTS_CELL_HISTOGRAM_MARKED;
  }
  if (pts_annex_space(a, record, &place) != 0) return NULL;
  return pts_shared_block(a, place) + PTS_CELL_ANNEX_MARKED;
}

/* Whether the record is of a family with this ttl. It may have been given to another's labels since its number
 * was in the caller's order; under its lock it cannot be (room.c claims under the lock). */
static bool has_ttl(const pts_attachment *a, const pts_record *record, uint64_t ttl_ms) {
  const pts_record *family = pts_record_at(a, pts_load_relaxed_u32(&record->family));
  return family && family->kind == PTS_KIND_FAMILY && pts_family_traits(a, family).ttl_ms == ttl_ms;
}

/* The time by the caller's clock: what it was when the call began, and what has gone by since. */
typedef struct caller_time {
  uint64_t now_ms, began;
} caller_time;

static uint64_t time_of(const caller_time *time) {
  return time->now_ms + (pts_os_monotonic_ms() - time->began);
}

static void expire_locked(pts_attachment *a, pts_record *record, uint64_t *marked, uint64_t ttl_ms,
                          const caller_time *time) {
  uint64_t head = pts_load_acquire_u64(&record->head);
  if (head & PTS_HEAD_FREE || !has_ttl(a, record, ttl_ms)) return;
  if (!(head & PTS_HEAD_MARK)) {
    pts_store_relaxed_u64(marked, UINT64_MAX);
    PTS_POINT();
    bool set = pts_cas_u64(&record->head, &head, head | PTS_HEAD_MARK);
    PTS_POINT();
    if (set) pts_store_relaxed_u64(marked, time_of(time));
    PTS_POINT();
    return;
  }
  uint64_t since = pts_load_relaxed_u64(marked), now_ms = time->now_ms;
  /* Its setter was killed before the time. Or a clock that was set back, which must not keep series for ever. */
  if (since > now_ms) pts_store_relaxed_u64(marked, time_of(time));
  if (since <= now_ms && now_ms - since >= ttl_ms) pts_series_leave(a, record, &head);
  PTS_POINT();
}

void pts_expire(pts_attachment *a, const uint32_t *series, uint32_t count, uint64_t ttl_ms, double now_ms) {
  if (!(now_ms >= 0 && now_ms < 1e15)) return;
  caller_time time = {(uint64_t)now_ms, pts_os_monotonic_ms()};
  for (uint32_t i = 0; i < count; i++) {
    pts_record *record = pts_record_at(a, series[i]);
    if (!record || record->kind == PTS_KIND_FAMILY) continue;
    uint64_t head = pts_load_acquire_u64(&record->head);
    if (head & PTS_HEAD_FREE || !pts_series_exists(a, record, head)) continue;
    uint64_t *marked = marked_cell(a, record);
    if (!marked || !pts_series_try_lock(a, record)) continue;
    expire_locked(a, record, marked, ttl_ms, &time);
    pts_series_unlock(a, record);
  }
}

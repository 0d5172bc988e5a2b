/*
 * Updates of values: the hot path. (Observations are in observe.c, gauges of workers in worker_gauge.c.)
 *
 * I1: a block in the own shard is written by its slot's owner only; plain loads and release stores do.
 * I2: a block counts while its tag equals the store's and the series's generation. It is filled (from
 *     zero) before the tag is stored with release; readers load the tag with acquire.
 * I3: `head_seen` and `generation_seen` of a handle are a head and a store generation under which the
 *     block at `cell` was current. While the file still shows both, it is: a tag is only replaced after
 *     one of them has moved on. So the hot path is two loads, two compares and an addition.
 * I4: SHARDED becomes SHARED becomes STAMPED, never back for the same labels, under the series's lock: value
 *     and tag with a new generation, then the head by one compare-and-swap. A kill before the head leaves the
 *     old state.
 * I5: a shared cell and its tag are swapped together: an addition or a set that slept finds another tag and
 *     looks again. A block with an old tag is only started again under the series's lock. Stamped values
 *     change under that lock only. (A series without labels keeps its room, so a set of it is a plain store.)
 * I6: of a family with a ttl, every update looks at the head afterwards: a mark that came meanwhile is
 *     cleared, and one that came too late for a series that left is made again (expire.c).
 *
 * tests/models has each as a model: heads_test, first_set_test, stamped_test, room_test, expire_test.
 */
#include <math.h>

#include "cell.h"
#include "points.h"
#include "summary.h"

static inline void add_plain(uint64_t *cell, double amount) {
  double value = pts_double_of(pts_load_relaxed_u64(cell)) + amount;
  pts_store_release_u64(cell, pts_bits_of(value));
}

/* ---- space ---------------------------------------------------------------------------------------- */

int32_t pts_own_space(pts_attachment *a, const pts_handle *h) {
  uint64_t end = ((uint64_t)h->place + h->words) * 8;
  if (PTS_LIKELY(end <= a->my_mark)) return 0;
  uint8_t *shard = pts_shard(a, a->session.store.slot);
  int32_t code = pts_store_extend(&a->session.store, (uint64_t)(shard - a->session.store.section),
                                  &pts_worker_self(&a->session.store)->mark, end, a->shard_size);
  a->my_mark = pts_shard_mark(a, a->session.store.slot);
  return code;
}

int32_t pts_shared_space(pts_attachment *a, uint32_t place, uint32_t words) {
  uint64_t end = ((uint64_t)place + words) * 8;
  if (end <= pts_shard_mark(a, 0)) return 0;
  int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  code = pts_store_extend(&a->session.store, (uint64_t)(a->shards - a->session.store.section),
                          &a->session.store.workers[0].mark, end, a->shard_size);
  pts_index_unlock(a);
  return code;
}

/* ---- the own block -------------------------------------------------------------------------------- */

int32_t pts_head_for_update(const pts_attachment *a, const pts_handle *h, uint64_t *head) {
  *head = pts_load_acquire_u64(&h->record->head);
  for (;;) {
    if (!pts_same_series(a, h, *head)) return PTS_E_STALE;
    if (!(*head & PTS_HEAD_MARK)) return 0;
    if (pts_cas_u64(&h->record->head, head, *head & ~(uint64_t)PTS_HEAD_MARK))
      *head &= ~(uint64_t)PTS_HEAD_MARK;
  }
}

/*
 * Start anew: the cells, then the tag. A value starts as what its first update makes of it, so that
 * update is all or nothing: nobody sees, and no kill leaves, a 0 that was never reported. (Its cell is
 * not even 0 in between: a block may be started twice under one tag, after a claim that was taken back, or
 * by the next owner of a slot, and a reader may have seen that tag.) The release fence
 * pairs with the reader's (reading.c): whoever has read one of these cells also sees the head or
 * generation that made us write it. The full fence pairs with the one in room.c's claim.
 */
bool pts_start_block(pts_attachment *a, const pts_handle *h, uint64_t tag, uint32_t value_cell,
                     double first) {
  uint64_t *block = pts_own_cells(a, h);
  pts_fence_release();
  if (h->kind == PTS_KIND_SUMMARY)
    pts_summary_start(block, h->words);
  else
    for (uint32_t i = 1; i < h->words; i++)
      if (i != value_cell) pts_store_relaxed_u64(&block[i], 0);
  if (h->kind == PTS_KIND_RECENT)
    pts_store_relaxed_u64(&block[value_cell + 1], pts_bits_of((double)pts_os_clock_us()));
  if (value_cell) pts_store_release_u64(&block[value_cell], pts_bits_of(first));
  /* The value before the epoch: whoever sees this epoch sees no value of a former owner. */
  if (pts_kind_is_worker_gauge(h->kind))
    pts_store_release_u64(&block[PTS_CELL_LIVE_EPOCH], a->session.store.epoch);
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_TAG], tag);
  PTS_POINT();
  pts_fence_full();
  if (PTS_LIKELY(pts_same_series(a, h, pts_load_relaxed_u64(&h->record->head)))) return true;
  pts_store_release_u64(&block[PTS_CELL_TAG], 0);
  return false;
}

int32_t pts_own_block(pts_attachment *a, pts_handle *h, double first) {
  uint64_t head;
  int32_t code = pts_head_for_update(a, h, &head);
  if (code != 0) return code;
  uint64_t generation = pts_load_acquire_u64(a->generation);
  if (PTS_HEAD_MODE(head) != PTS_MODE_SHARDED) return PTS_NOT_SHARDED;
  code = pts_own_space(a, h);
  if (code != 0) return code;
  bool observed = pts_kind_has_bounds(h->kind);
  uint64_t tag = PTS_TAG(generation, PTS_HEAD_GENERATION(head)), *own = pts_own_cells(a, h);
  bool current = pts_load_relaxed_u64(&own[PTS_CELL_TAG]) == tag;
  if (!current && !pts_start_block(a, h, tag, observed ? 0 : PTS_CELL_VALUE, first)) return PTS_E_STALE;
  uint32_t fast = h->kind == PTS_KIND_SUMMARY ? PTS_FAST_OBSERVE_AT
                  : observed                  ? PTS_FAST_OBSERVE
                                              : PTS_FAST_ADD;
  if (h->fast & PTS_FAST_UNDECLARED) fast = PTS_FAST_UNDECLARED;
  if (h->flags & PTS_HANDLE_TTL) fast &= PTS_FAST_UNDECLARED;
  pts_remember(h, head, generation, observed ? own : own + PTS_CELL_VALUE, fast);
  return current ? 0 : PTS_STARTED;
}

/* ---- series that may leave ------------------------------------------------------------------------- */

/*
 * After an update of a family with a ttl (I6): is the series still the one that was updated? The look is
 * behind the update in program order only; but a series leaves a ttl after it was marked, and by then every
 * processor has shown the update.
 */
int32_t pts_confirm(const pts_attachment *a, const pts_handle *h) {
  uint64_t head = pts_load_acquire_u64(&h->record->head);
  for (;;) {
    if (head == h->head_seen) return 0;
    if (!pts_same_series(a, h, head)) return PTS_E_STALE;
    /* In another mode a set came after this update, which must not be made again; else the series left. */
    bool left = PTS_HEAD_GENERATION(head) != PTS_HEAD_GENERATION(h->head_seen);
    if (left && PTS_HEAD_MODE(head) == PTS_HEAD_MODE(h->head_seen)) return PTS_AGAIN;
    if (!(head & PTS_HEAD_MARK)) return 0;
    if (pts_cas_u64(&h->record->head, &head, head & ~(uint64_t)PTS_HEAD_MARK)) return 0;
  }
}

/* ---- the shared cell ------------------------------------------------------------------------------ */

typedef struct shared_view {
  uint64_t head, generation, tag;
  uint64_t *block;
  bool current;
} shared_view;

static int32_t look(const pts_attachment *a, const pts_handle *h, shared_view *view) {
  const pts_record *record = h->record;
  int32_t code = pts_head_for_update(a, h, &view->head);
  if (code != 0) return code;
  view->generation = pts_load_acquire_u64(a->generation);
  view->tag = PTS_TAG(view->generation, PTS_HEAD_GENERATION(view->head));
  bool stamped = PTS_HEAD_MODE(view->head) == PTS_MODE_STAMPED;
  uint32_t place = stamped ? pts_load_acquire_u32(&record->extra) : h->place;
  uint32_t words = stamped ? PTS_WORDS_ANNEX : h->words;
  if (place == 0 || place % 2 != 0 || ((uint64_t)place + words) * 8 > pts_shard_mark(a, 0)) return PTS_E_DAMAGED;
  view->block = pts_shared_block(a, place);
  view->current = pts_load_acquire_u64(&view->block[PTS_CELL_TAG]) == view->tag;
  return 0;
}

/* The pair that a stamped block shows: value and time. */
static const uint64_t *stamped_pair(const uint64_t *block) {
  uint64_t n = pts_load_acquire_u64(&block[PTS_CELL_STAMP_N]);
  return &block[PTS_CELL_STAMP_VALUES + 2 * (n & 1)];
}

/* Into the pair that is not shown, then show it by one store. Under the series's lock. */
static void write_stamped(uint64_t *block, double value, double time) {
  uint64_t n = pts_load_relaxed_u64(&block[PTS_CELL_STAMP_N]) + 1;
  uint64_t *pair = &block[PTS_CELL_STAMP_VALUES + 2 * (n & 1)];
  pts_fence_release();
  pts_store_relaxed_u64(&pair[0], pts_bits_of(value));
  pts_store_relaxed_u64(&pair[1], pts_bits_of(time));
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_STAMP_N], n);
  PTS_POINT();
}

/* Value and tag of a shared cell, together (I5). */
static void start_shared(uint64_t *block, uint64_t tag, double value) {
  for (;;) {
    uint64_t old_tag = pts_load_relaxed_u64(&block[PTS_CELL_TAG]);
    uint64_t old = pts_load_relaxed_u64(&block[PTS_CELL_VALUE]);
    if (pts_cas_pair(block, old_tag, old, tag, pts_bits_of(value))) break;
  }
  PTS_POINT();
}

static void start_stamped(uint64_t *block, uint64_t tag, double value, double time) {
  write_stamped(block, value, time);
  pts_store_release_u64(&block[PTS_CELL_TAG], tag);
  PTS_POINT();
}

/* Set the cell if its tag is still this one. */
static inline bool swap_value(uint64_t *block, uint64_t tag, double value) {
  for (;;) {
    uint64_t old = pts_load_relaxed_u64(&block[PTS_CELL_VALUE]);
    if (PTS_LIKELY(pts_cas_pair(block, tag, old, tag, pts_bits_of(value)))) return true;
    if (pts_load_relaxed_u64(&block[PTS_CELL_TAG]) != tag) return false;
  }
}

int32_t pts_series_lock(pts_attachment *a, const pts_record *record) {
  int32_t code = pts_lock_take(&a->session.store, pts_series_lock_of(a, record), a->session.store.lock_timeout_ms);
  /* What a dead holder was writing is not published yet, or complete: nothing to repair (I4). */
  return code == PTS_LOCK_TAKEN_OVER ? 0 : code;
}

void pts_series_unlock(pts_attachment *a, const pts_record *record) {
  pts_lock_release(&a->session.store, pts_series_lock_of(a, record));
}

bool pts_series_try_lock(pts_attachment *a, const pts_record *record) {
  uint64_t *word = pts_series_lock_of(a, record);
  if (pts_lock_try(&a->session.store, word) == 0) return true;
  uint64_t seen = pts_load_acquire_u64(word);
  if (pts_worker_alive(&a->session.store, PTS_LOCK_WORD_SLOT(seen), PTS_LOCK_WORD_EPOCH(seen))) return false;
  return pts_lock_take(&a->session.store, word, 1) >= 0;
}

/* The series becomes of `mode` with this value, in the block at place, whose space is there. Under its
 * lock (I4), with the handle's labels, which cannot change then (room.c claims under the lock). */
static void convert(pts_attachment *a, pts_record *record, uint32_t mode, uint32_t place,
                    double value, double time) {
  uint64_t *block = pts_shared_block(a, place);
  uint64_t head = pts_load_acquire_u64(&record->head);
  for (;;) {
    uint32_t drawn = pts_generation_draw(record);
    uint64_t tag = PTS_TAG(pts_load_acquire_u64(a->generation), drawn);
    if (mode == PTS_MODE_STAMPED)
      start_stamped(block, tag, value, time);
    else
      start_shared(block, tag, value);
    uint64_t next = PTS_HEAD(drawn, PTS_HEAD_INCARNATION(head), mode);
    if (pts_cas_u64(&record->head, &head, next)) return;
    PTS_POINT();
  }
}

/* Set under the series's lock; the space is there, at place for a new mode. */
static int32_t set_locked(pts_attachment *a, const pts_handle *h, uint32_t mode, uint32_t place,
                          double value, double time) {
  uint64_t head;
  int32_t code = pts_head_for_update(a, h, &head);
  if (code != 0) return code;
  if (PTS_HEAD_MODE(head) < mode) {
    convert(a, h->record, mode, place, value, time);
    return 0;
  }
  shared_view view;
  code = look(a, h, &view);
  if (code != 0) return code;
  if (PTS_HEAD_MODE(view.head) == PTS_MODE_SHARED)
    start_shared(view.block, view.tag, value);
  else if (view.current)
    write_stamped(view.block, value, time);
  else
    start_stamped(view.block, view.tag, value, time);
  return 0;
}

int32_t pts_annex_space(pts_attachment *a, pts_record *record, uint32_t *place) {
  *place = pts_load_acquire_u32(&record->extra);
  if (*place == 0) {
    int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
    if (code != 0) return code;
    *place = pts_load_relaxed_u32(&record->extra);
    if (*place == 0) code = pts_place_reserve(a, PTS_WORDS_ANNEX, place);
    if (code == 0) pts_store_release_u32(&record->extra, *place);
    PTS_POINT();
    pts_index_unlock(a);
    if (code != 0) return code;
  }
  if (*place % 2 != 0 || ((uint64_t)*place + PTS_WORDS_ANNEX) * 8 > a->shard_size) return PTS_E_DAMAGED;
  return pts_shared_space(a, *place, PTS_WORDS_ANNEX);
}

static uint32_t fast_set(const pts_handle *h) {
  return h->flags & PTS_HANDLE_TTL ? 0 : h->flags & PTS_HANDLE_LABELLED ? PTS_FAST_SWAP : PTS_FAST_SET;
}

static int32_t set_value(pts_attachment *a, pts_handle *h, double value, double time) {
  pts_record *record = h->record;
  uint32_t mode = isnan(time) ? PTS_MODE_SHARED : PTS_MODE_STAMPED;
  uint32_t place = h->place;
  int32_t code = pts_shared_space(a, place, h->words);
  if (code == 0 && mode == PTS_MODE_STAMPED) code = pts_annex_space(a, record, &place);
  if (code == 0) code = pts_series_lock(a, record);
  if (code != 0) return code;
  code = set_locked(a, h, mode, place, value, time);
  shared_view view;
  if (code == 0 && look(a, h, &view) == 0 && view.current) {
    bool shared = PTS_HEAD_MODE(view.head) == PTS_MODE_SHARED;
    pts_remember(h, view.head, view.generation, &view.block[PTS_CELL_VALUE], shared ? fast_set(h) : 0);
  }
  pts_series_unlock(a, record);
  return code;
}

static PTS_COLD int32_t set_slow(pts_attachment *a, pts_handle *h, double value, double time) {
  bool worker = pts_kind_is_worker_gauge(h->kind);
  if (!worker && h->kind != PTS_KIND_VALUE && h->kind != PTS_KIND_ENUM) return PTS_E_INVALID;
  if (worker && !isnan(time)) return PTS_E_INVALID;
  int32_t code;
  do {
    code = worker ? pts_worker_gauge_set(a, h, value) : set_value(a, h, value, time);
    if (code == 0 && (h->flags & PTS_HANDLE_TTL)) code = pts_confirm(a, h);
  } while (code == PTS_AGAIN);
  return pts_counted(a, h, code);
}

/* What add_locked did beside failure: 0, or the addition is for compare-and-swap. */
enum { NOT_NEEDED = 1 };

/*
 * Under the series's lock: start a block with an old tag as this amount, or add to a stamped one like a
 * set, with the time it has. (Compare-and-swap on a stamped pair loses additions: between the look at n and
 * the swap, two sets may have come back to that pair. tests/models/stamped_test.ts.)
 */
static int32_t add_locked(pts_attachment *a, pts_handle *h, double amount) {
  int32_t code = pts_series_lock(a, h->record);
  if (code != 0) return code;
  shared_view view;
  code = look(a, h, &view);
  bool stamped = code == 0 && PTS_HEAD_MODE(view.head) == PTS_MODE_STAMPED;
  if (code == 0 && !view.current) {
    if (stamped)
      start_stamped(view.block, view.tag, amount, NAN);
    else
      start_shared(view.block, view.tag, amount);
  } else if (stamped) {
    const uint64_t *pair = stamped_pair(view.block);
    double value = pts_double_of(pts_load_relaxed_u64(&pair[0]));
    write_stamped(view.block, value + amount, pts_double_of(pts_load_relaxed_u64(&pair[1])));
  } else if (code == 0) {
    code = NOT_NEEDED;
  }
  if (code == 0) pts_remember(h, view.head, view.generation, &view.block[PTS_CELL_VALUE], 0);
  pts_series_unlock(a, h->record);
  return code;
}

static int32_t add_shared(pts_attachment *a, pts_handle *h, double amount) {
  for (;;) {
    shared_view view;
    int32_t code = pts_shared_space(a, h->place, h->words);
    if (code == 0) code = look(a, h, &view);
    if (code == 0 && (!view.current || PTS_HEAD_MODE(view.head) == PTS_MODE_STAMPED)) {
      code = add_locked(a, h, amount);
      if (code == NOT_NEEDED) continue;
      if (code == 0) return 0;
    }
    if (code != 0) return code;
    uint64_t old = pts_load_relaxed_u64(&view.block[PTS_CELL_VALUE]);
    uint64_t sum = pts_bits_of(pts_double_of(old) + amount);
    if (pts_cas_pair(view.block, view.tag, old, view.tag, sum)) {
      pts_remember(h, view.head, view.generation, &view.block[PTS_CELL_VALUE], fast_set(h));
      return 0;
    }
  }
}

static int32_t add_value(pts_attachment *a, pts_handle *h, double amount) {
  int32_t code = pts_own_block(a, h, amount);
  if (code == PTS_NOT_SHARDED) return add_shared(a, h, amount);
  if (code == 0) add_plain(h->cell, amount);
  return code < 0 ? code : 0;
}

static PTS_COLD int32_t add_slow(pts_attachment *a, pts_handle *h, double amount) {
  bool worker = pts_kind_is_worker_gauge(h->kind);
  if (!worker && h->kind != PTS_KIND_VALUE) return PTS_E_INVALID;
  int32_t code;
  do {
    code = worker ? pts_worker_gauge_add(a, h, amount) : add_value(a, h, amount);
    if (code == 0 && (h->flags & PTS_HANDLE_TTL)) code = pts_confirm(a, h);
  } while (code == PTS_AGAIN);
  return pts_counted(a, h, code);
}

/* Into a shared cell, as add_shared does it, while it is what the handle has seen. */
static bool add_seen(const pts_attachment *a, const pts_handle *h, double amount) {
  uint64_t tag = PTS_TAG(h->generation_seen, PTS_HEAD_GENERATION(h->head_seen));
  uint64_t *block = h->cell - PTS_CELL_VALUE;
  while (pts_seen(a, h)) {
    uint64_t old = pts_load_relaxed_u64(h->cell);
    uint64_t sum = pts_bits_of(pts_double_of(old) + amount);
    if (PTS_LIKELY(pts_cas_pair(block, tag, old, tag, sum))) return true;
    if (pts_load_relaxed_u64(&block[PTS_CELL_TAG]) != tag) return false;
  }
  return false;
}

int32_t pts_add(uint32_t attachment, uint32_t handle, double amount) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return pts_no_handle(attachment, handle);
  if (PTS_LIKELY((h->fast & PTS_FAST_ADD) && pts_seen(a, h))) {
    add_plain(h->cell, amount);
    return 0;
  }
  bool shared = h->kind == PTS_KIND_VALUE && (h->fast & (PTS_FAST_SET | PTS_FAST_SWAP));
  if (shared && add_seen(a, h, amount)) return 0;
  return add_slow(a, h, amount);
}

/* A cell behind its tag, as a handle remembers it. */
static inline bool swap_seen(const pts_handle *h, double value) {
  uint64_t tag = PTS_TAG(h->generation_seen, PTS_HEAD_GENERATION(h->head_seen));
  return swap_value(h->cell - PTS_CELL_VALUE, tag, value);
}

int32_t pts_set(uint32_t attachment, uint32_t handle, double value) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return pts_no_handle(attachment, handle);
  if (PTS_LIKELY((h->fast & (PTS_FAST_SET | PTS_FAST_SWAP)) && pts_seen(a, h))) {
    if (h->fast & PTS_FAST_SET)
      pts_store_release_u64(h->cell, pts_bits_of(value));
    else if (!swap_seen(h, value))
      return set_slow(a, h, value, NAN);
    return 0;
  }
  return set_slow(a, h, value, NAN);
}

int32_t pts_set_at(uint32_t attachment, uint32_t handle, double value, double timestamp_ms) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return pts_no_handle(attachment, handle);
  if (isnan(timestamp_ms)) return PTS_E_INVALID;
  return set_slow(a, h, value, timestamp_ms);
}

int32_t pts_touch(uint32_t attachment, uint32_t handle) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (!h) return pts_no_handle(attachment, handle);
  if (h->kind == PTS_KIND_ENUM) return PTS_E_INVALID;
  if (!pts_kind_has_bounds(h->kind)) return add_slow(a, h, 0);
  int32_t code = pts_own_block(a, h, 0);
  if (code == PTS_NOT_SHARDED) return PTS_E_DAMAGED;
  return code < 0 ? code : 0;
}

/*
 * Updates: the hot path.
 *
 * I1: a block in the own shard is written by its slot's owner only; plain loads and release stores do.
 * I2: a block counts while its tag equals the store's and the series's generation. It is filled (from
 *     zero) before the tag is stored with release; readers load the tag with acquire.
 * I3: `head_seen` and `generation_seen` of a handle are a head and a store generation under which the
 *     block at `cell` was current. While the file still shows both, it is: a tag is only replaced after
 *     one of them has moved on. So the hot path is two loads, two compares and an addition.
 * I4: SHARDED becomes SHARED becomes STAMPED, never back, under the series's lock: value, then tag with a
 *     new generation, then the head by one compare-and-swap. A kill before the head leaves the old state.
 * I5: on a shared cell, additions are compare-and-swap and look at head and tag again each turn; a block
 *     with an old tag is only started again under the series's lock, with the tag looked at again. Stamped
 *     values change under that lock only.
 * I6: an observation first writes what it will do into the slot's redo record, then makes the block's
 *     sequence odd, writes, makes it even. Whoever finds it odd, and its owner gone, can finish it.
 *
 * tests/models has each as a model: heads_test, first_set_test, stamped_test, histogram_test.
 */
#include <math.h>

#include "atomics.h"
#include "metrics.h"
#include "points.h"

static pts_handle *handle_of(const pts_attachment *a, uint32_t handle) {
  if (PTS_UNLIKELY(!a || handle >= a->max_records)) return NULL;
  pts_handle *h = &a->handles[handle];
  return PTS_LIKELY(h->record != NULL) ? h : NULL;
}

static int32_t no_handle(uint32_t attachment) {
  return pts_attachment_of(attachment) ? PTS_E_INVALID : PTS_E_CLOSED;
}

/* Still what the handle saw? Acquire: what follows must not be done under an older view. */
static inline bool seen(const pts_attachment *a, const pts_handle *h) {
  return pts_load_acquire_u64(&h->record->head) == h->head_seen &&
         pts_load_acquire_u64(a->generation) == h->generation_seen;
}

static inline void add_plain(uint64_t *cell, double amount) {
  double value = pts_double_of(pts_load_relaxed_u64(cell)) + amount;
  pts_store_release_u64(cell, pts_bits_of(value));
}

static void remember(pts_handle *h, uint64_t head, uint64_t generation, uint64_t *cell,
                     uint32_t fast) {
  h->head_seen = head;
  h->generation_seen = generation;
  h->cell = cell;
  h->fast = fast;
}

/* ---- space ---------------------------------------------------------------------------------------- */

static int32_t own_space(pts_attachment *a, const pts_handle *h) {
  uint64_t end = ((uint64_t)h->place + h->words) * 8;
  if (PTS_LIKELY(end <= a->my_mark)) return 0;
  uint8_t *shard = pts_shard(a, a->session.store.slot);
  int32_t code = pts_store_extend(&a->session.store, (uint64_t)(shard - a->session.store.section),
                                  &pts_worker_self(&a->session.store)->mark, end, a->shard_size);
  a->my_mark = pts_shard_mark(a, a->session.store.slot);
  return code;
}

/* Shard 0 is everybody's: its mark moves under the index lock. */
static int32_t shared_space(pts_attachment *a, uint32_t place, uint32_t words) {
  uint64_t end = ((uint64_t)place + words) * 8;
  if (end <= pts_shard_mark(a, 0)) return 0;
  int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  code = pts_store_extend(&a->session.store, (uint64_t)(a->shards - a->session.store.section),
                          &a->session.store.workers[0].mark, end, a->shard_size);
  pts_index_unlock(a);
  return code;
}

static uint64_t *shared_block(const pts_attachment *a, uint32_t place) {
  return (uint64_t *)(void *)a->shards + place;
}

/* ---- the own block -------------------------------------------------------------------------------- */

static uint32_t value_cell(const pts_handle *h) {
  return h->kind == PTS_KIND_LIVE ? PTS_CELL_LIVE_VALUE : PTS_CELL_VALUE;
}

/*
 * Start anew: the cells, then the tag. A value starts as what its first update makes of it, so that
 * update is all or nothing: nobody sees, and no kill leaves, a 0 that was never reported. The fence
 * pairs with the reader's (reading.c): whoever has read one of these cells also sees the head or
 * generation that made us write it.
 */
static void start_block(const pts_attachment *a, const pts_handle *h, uint64_t tag, double first) {
  uint64_t *block = h->own;
  pts_fence_release();
  for (uint32_t i = 1; i < h->words; i++) pts_store_relaxed_u64(&block[i], 0);
  if (h->kind != PTS_KIND_HISTOGRAM)
    pts_store_release_u64(&block[value_cell(h)], pts_bits_of(first));
  /* The value before the epoch: whoever sees this epoch sees no value of a former owner. */
  if (h->kind == PTS_KIND_LIVE)
    pts_store_release_u64(&block[PTS_CELL_LIVE_EPOCH], a->session.store.epoch);
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_TAG], tag);
  PTS_POINT();
}

static bool block_is_current(const pts_attachment *a, const pts_handle *h, uint64_t tag) {
  if (pts_load_relaxed_u64(&h->own[PTS_CELL_TAG]) != tag) return false;
  return h->kind != PTS_KIND_LIVE ||
         pts_load_relaxed_u64(&h->own[PTS_CELL_LIVE_EPOCH]) == a->session.store.epoch;
}

/* What own_block did beside success and failure. */
enum {
  NOT_SHARDED = 1, /* nothing: the series is shared by now */
  STARTED = 2,     /* the block is new and holds `first` */
};

/* Make the own block current and the handle fast. */
static int32_t own_block(pts_attachment *a, pts_handle *h, double first) {
  uint64_t head = pts_load_acquire_u64(&h->record->head);
  uint64_t generation = pts_load_acquire_u64(a->generation);
  if (PTS_HEAD_MODE(head) != PTS_MODE_SHARDED) return NOT_SHARDED;
  int32_t code = own_space(a, h);
  if (code != 0) return code;
  uint64_t tag = PTS_TAG(generation, PTS_HEAD_GENERATION(head));
  bool current = block_is_current(a, h, tag);
  if (!current) start_block(a, h, tag, first);
  if (h->kind == PTS_KIND_HISTOGRAM)
    remember(h, head, generation, h->own,
             h->fast & PTS_FAST_UNDECLARED ? PTS_FAST_UNDECLARED : PTS_FAST_OBSERVE);
  else
    remember(h, head, generation, h->own + value_cell(h),
             h->kind == PTS_KIND_LIVE ? PTS_FAST_ADD | PTS_FAST_SET : PTS_FAST_ADD);
  return current ? 0 : STARTED;
}

/* ---- the shared cell ------------------------------------------------------------------------------ */

typedef struct shared_view {
  uint64_t head, generation, tag;
  uint64_t *block;
  bool current;
} shared_view;

static int32_t look(const pts_attachment *a, const pts_handle *h, shared_view *view) {
  const pts_record *record = h->record;
  view->head = pts_load_acquire_u64(&record->head);
  view->generation = pts_load_acquire_u64(a->generation);
  view->tag = PTS_TAG(view->generation, PTS_HEAD_GENERATION(view->head));
  bool stamped = PTS_HEAD_MODE(view->head) == PTS_MODE_STAMPED;
  uint32_t place = stamped ? pts_load_acquire_u32(&record->extra) : h->place;
  uint32_t words = stamped ? PTS_WORDS_STAMPED : h->words;
  if (place == 0 || ((uint64_t)place + words) * 8 > pts_shard_mark(a, 0)) return PTS_E_DAMAGED;
  view->block = shared_block(a, place);
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

static void write_shared(uint64_t *block, bool stamped, double value, double time) {
  if (stamped) {
    write_stamped(block, value, time);
  } else {
    pts_fence_release();
    pts_store_relaxed_u64(&block[PTS_CELL_VALUE], pts_bits_of(value));
    PTS_POINT();
  }
}

static int32_t lock_series(pts_attachment *a, const pts_record *record) {
  int32_t code = pts_lock_take(&a->session.store, pts_series_lock_of(a, record), a->session.store.lock_timeout_ms);
  /* What a dead holder was writing is not published yet, or complete: nothing to repair (I4). */
  return code == PTS_LOCK_TAKEN_OVER ? 0 : code;
}

static void unlock_series(pts_attachment *a, const pts_record *record) {
  pts_lock_release(&a->session.store, pts_series_lock_of(a, record));
}

/* The series becomes (or is) of `mode` with this value, in the block at place, whose space is there.
 * Under the series's lock (I4). */
static void convert(pts_attachment *a, pts_record *record, uint32_t mode, uint32_t place,
                    double value, double time) {
  bool stamped = mode == PTS_MODE_STAMPED;
  uint64_t *block = shared_block(a, place);
  uint64_t head = pts_load_acquire_u64(&record->head);
  for (;;) {
    uint32_t drawn = pts_generation_draw(record);
    uint64_t generation = pts_load_acquire_u64(a->generation);
    write_shared(block, stamped, value, time);
    pts_store_release_u64(&block[PTS_CELL_TAG], PTS_TAG(generation, drawn));
    PTS_POINT();
    uint64_t next = PTS_HEAD(drawn, 0, mode) | (head & 0xffffff00ull);
    if (pts_cas_u64(&record->head, &head, next)) return;
    PTS_POINT();
  }
}

/* Set under the series's lock; the space is there, at place for a new mode. */
static int32_t set_locked(pts_attachment *a, const pts_handle *h, uint32_t mode, uint32_t place,
                          double value, double time) {
  uint32_t now = PTS_HEAD_MODE(pts_load_acquire_u64(&h->record->head));
  if (now < mode) {
    convert(a, h->record, mode, place, value, time);
    return 0;
  }
  shared_view view;
  int32_t code = look(a, h, &view);
  if (code != 0) return code;
  write_shared(view.block, now == PTS_MODE_STAMPED, value, time);
  if (!view.current) pts_store_release_u64(&view.block[PTS_CELL_TAG], view.tag);
  PTS_POINT();
  return 0;
}

/* A stamped block for a series that has none: its place is kept in the record for good. */
static int32_t stamped_space(pts_attachment *a, pts_record *record, uint32_t *place) {
  *place = pts_load_acquire_u32(&record->extra);
  if (*place == 0) {
    int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
    if (code != 0) return code;
    *place = pts_load_relaxed_u32(&record->extra);
    if (*place == 0) code = pts_place_reserve(a, PTS_WORDS_STAMPED, place);
    if (code == 0) pts_store_release_u32(&record->extra, *place);
    PTS_POINT();
    pts_index_unlock(a);
    if (code != 0) return code;
  }
  if (((uint64_t)*place + PTS_WORDS_STAMPED) * 8 > a->shard_size) return PTS_E_DAMAGED;
  return shared_space(a, *place, PTS_WORDS_STAMPED);
}

static PTS_NOINLINE int32_t set_slow(pts_attachment *a, pts_handle *h, double value, double time) {
  pts_record *record = h->record;
  if (h->kind == PTS_KIND_HISTOGRAM) return PTS_E_INVALID;
  if (h->kind == PTS_KIND_LIVE) {
    if (!isnan(time)) return PTS_E_INVALID;
    int32_t code = own_block(a, h, value);
    if (code == 0) pts_store_release_u64(h->cell, pts_bits_of(value));
    return code == NOT_SHARDED ? PTS_E_DAMAGED : code < 0 ? code : 0;
  }
  uint32_t mode = isnan(time) ? PTS_MODE_SHARED : PTS_MODE_STAMPED;
  uint32_t place = h->place;
  int32_t code = shared_space(a, place, h->words);
  if (code == 0 && mode == PTS_MODE_STAMPED) code = stamped_space(a, record, &place);
  if (code == 0) code = lock_series(a, record);
  if (code == PTS_E_DAMAGED) pts_damage(a);
  if (code != 0) return code;
  code = set_locked(a, h, mode, place, value, time);
  shared_view view;
  if (code == 0 && look(a, h, &view) == 0 && view.current &&
      PTS_HEAD_MODE(view.head) == PTS_MODE_SHARED)
    remember(h, view.head, view.generation, &view.block[PTS_CELL_VALUE], PTS_FAST_SET);
  unlock_series(a, record);
  if (code == PTS_E_DAMAGED) pts_damage(a);
  return code;
}

/* What add_locked did beside failure: 0, or the addition is for compare-and-swap. */
enum { NOT_NEEDED = 1 };

/*
 * Under the series's lock: start a block with an old tag as this amount, or add to a stamped one like a
 * set, with the time it has. (Compare-and-swap on a stamped pair loses additions: between the look at n and
 * the swap, two sets may have come back to that pair. tests/models/stamped_test.ts.)
 */
static int32_t add_locked(pts_attachment *a, const pts_handle *h, double amount) {
  int32_t code = lock_series(a, h->record);
  if (code != 0) return code;
  shared_view view;
  code = look(a, h, &view);
  bool stamped = code == 0 && PTS_HEAD_MODE(view.head) == PTS_MODE_STAMPED;
  if (code == 0 && !view.current) {
    write_shared(view.block, stamped, amount, NAN);
    pts_store_release_u64(&view.block[PTS_CELL_TAG], view.tag);
    PTS_POINT();
  } else if (stamped) {
    const uint64_t *pair = stamped_pair(view.block);
    double value = pts_double_of(pts_load_relaxed_u64(&pair[0]));
    write_stamped(view.block, value + amount, pts_double_of(pts_load_relaxed_u64(&pair[1])));
  } else if (code == 0) {
    code = NOT_NEEDED;
  }
  unlock_series(a, h->record);
  return code;
}

static int32_t add_shared(pts_attachment *a, pts_handle *h, double amount) {
  for (;;) {
    shared_view view;
    int32_t code = shared_space(a, h->place, h->words);
    if (code == 0) code = look(a, h, &view);
    if (code == 0 && (!view.current || PTS_HEAD_MODE(view.head) == PTS_MODE_STAMPED)) {
      code = add_locked(a, h, amount);
      if (code == NOT_NEEDED) continue;
      if (code == 0) return 0;
    }
    if (code == PTS_E_DAMAGED) pts_damage(a);
    if (code != 0) return code;
    uint64_t *cell = &view.block[PTS_CELL_VALUE];
    uint64_t old = pts_load_relaxed_u64(cell);
    if (pts_cas_u64(cell, &old, pts_bits_of(pts_double_of(old) + amount))) {
      remember(h, view.head, view.generation, cell, PTS_FAST_SET);
      return 0;
    }
  }
}

static PTS_NOINLINE int32_t add_slow(pts_attachment *a, pts_handle *h, double amount) {
  if (h->kind == PTS_KIND_HISTOGRAM || h->kind == PTS_KIND_ENUM) return PTS_E_INVALID;
  int32_t code = own_block(a, h, amount);
  if (code == NOT_SHARDED) return add_shared(a, h, amount);
  if (code == 0) add_plain(h->cell, amount);
  return code < 0 ? code : 0;
}

int32_t pts_add(uint32_t attachment, uint32_t handle, double amount) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return no_handle(attachment);
  if (PTS_LIKELY((h->fast & PTS_FAST_ADD) && seen(a, h))) {
    add_plain(h->cell, amount);
    return 0;
  }
  return add_slow(a, h, amount);
}

int32_t pts_set(uint32_t attachment, uint32_t handle, double value) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return no_handle(attachment);
  if (PTS_LIKELY((h->fast & PTS_FAST_SET) && seen(a, h))) {
    pts_store_release_u64(h->cell, pts_bits_of(value));
    return 0;
  }
  return set_slow(a, h, value, NAN);
}

int32_t pts_set_at(uint32_t attachment, uint32_t handle, double value, double timestamp_ms) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return no_handle(attachment);
  if (isnan(timestamp_ms)) return PTS_E_INVALID;
  return set_slow(a, h, value, timestamp_ms);
}

/* ---- histograms ----------------------------------------------------------------------------------- */

/* The first bound that is not below value; the last bucket for none and for NaN. Bounds ascend, so that is
 * how many are below: counted without a branch that random values would mispredict. */
static inline uint32_t bucket_of(const pts_handle *h, double value) {
  uint32_t low = 0, high = h->bound_count; /* the answer is in [low, high] */
  while (high - low > 32) {
    uint32_t middle = (low + high) / 2;
    if (value <= h->bounds[middle])
      high = middle;
    else
      low = middle + 1;
  }
  uint32_t below = low;
  for (uint32_t i = low; i < high; i++) below += !(value <= h->bounds[i]);
  return below;
}

int32_t pts_observe(uint32_t attachment, uint32_t handle, double value) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = handle_of(a, handle);
  if (PTS_UNLIKELY(!h)) return no_handle(attachment);
  if (PTS_UNLIKELY(h->kind != PTS_KIND_HISTOGRAM)) return PTS_E_INVALID;
  if (PTS_UNLIKELY(!(h->fast & PTS_FAST_OBSERVE) || !seen(a, h))) {
    if ((h->fast & PTS_FAST_UNDECLARED) && pts_series_declared(a, h->record)) return PTS_E_MISMATCH;
    int32_t code = own_block(a, h, 0);
    if (code < 0 || code == NOT_SHARDED) return code < 0 ? code : PTS_E_DAMAGED;
  }
  uint64_t *block = h->cell;
  uint32_t bucket = bucket_of(h, value);
  uint64_t *cell = &block[PTS_CELL_COUNTS + bucket];
  uint64_t count = pts_load_relaxed_u64(cell) + 1;
  uint64_t sum = pts_bits_of(pts_double_of(pts_load_relaxed_u64(&block[PTS_CELL_SUM])) + value);
  uint64_t odd = pts_load_relaxed_u64(&block[PTS_CELL_SEQUENCE]) | 1;

  pts_redo *redo = &pts_worker_self(&a->session.store)->redo;
  pts_fence_release(); /* the last observation's even sequence before this one's redo record */
  pts_store_relaxed_u64(&redo->block, (uint64_t)h->place * 8);
  pts_store_relaxed_u64(&redo->bucket, bucket);
  pts_store_relaxed_u64(&redo->count, count);
  pts_store_relaxed_u64(&redo->sum, sum);
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_SEQUENCE], odd);
  PTS_POINT();
  pts_fence_release(); /* the odd sequence before the cells; pairs with reading.c's acquire fence */
  pts_store_relaxed_u64(cell, count);
  PTS_POINT();
  pts_store_relaxed_u64(&block[PTS_CELL_SUM], sum);
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_SEQUENCE], odd + 1);
  return 0;
}

int32_t pts_touch(uint32_t attachment, uint32_t handle) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = handle_of(a, handle);
  if (!h) return no_handle(attachment);
  if (h->kind == PTS_KIND_ENUM) return PTS_E_INVALID;
  int32_t code = own_block(a, h, 0);
  if (code == NOT_SHARDED) return add_shared(a, h, 0);
  return code < 0 ? code : 0;
}

/* The redo record describes the one block whose sequence is odd, if any; finishing it twice is the
 * same as once. Everything in it is checked: it comes from the file. */
void pts_cell_take_over(pts_attachment *a, uint32_t slot) {
  const pts_redo *redo = &a->session.store.workers[slot].redo;
  uint64_t at = pts_load_relaxed_u64(&redo->block), bucket = pts_load_relaxed_u64(&redo->bucket);
  uint64_t mark = pts_shard_mark(a, slot);
  if (at == 0 || at % 8 != 0 || bucket > PTS_MAX_BOUNDS) return;
  if (at > mark || (PTS_CELL_COUNTS + bucket + 1) * 8 > mark - at) return;
  uint64_t *block = (uint64_t *)(void *)(pts_shard(a, slot) + at);
  uint64_t sequence = pts_load_acquire_u64(&block[PTS_CELL_SEQUENCE]);
  if (!(sequence & 1)) return;
  pts_fence_release(); /* the odd sequence before what is finished now, for readers under way */
  pts_store_relaxed_u64(&block[PTS_CELL_COUNTS + bucket], pts_load_relaxed_u64(&redo->count));
  PTS_POINT();
  pts_store_relaxed_u64(&block[PTS_CELL_SUM], pts_load_relaxed_u64(&redo->sum));
  PTS_POINT();
  pts_store_release_u64(&block[PTS_CELL_SEQUENCE], sequence + 1);
}

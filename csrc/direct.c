/*
 * Additions that the caller makes itself, where a call costs more than what it does (pts.h: pts_direct).
 *
 * I1: what is given away is what pts_add itself uses: a cell of the own shard, and the two generations of its
 *     block's tag. Whatever ends that use draws a new one first: remove and clear, a first set, and room that is
 *     given to other labels (a claimed record may still be added to: the block is current, so the claim is taken
 *     back, room.c I1). None is used twice, so a caller that compares both before each addition needs nobody
 *     to tell it when to stop.
 * I2: a handle with more to do at an addition than to add (a ttl, a shared cell, a worker gauge with a base that is
 *     no sum) is not `fast` for additions and is not given. It must have been looked up after its family was
 *     declared: of a ttl declared later its marks would not be seen, which are no new generation.
 * I3: the addresses stay mapped until pts_close: mappings never move.
 *
 * tests/models/heads_test.ts has a worker whose look is older than its addition.
 */
#include "atomics.h"
#include "metrics.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "where the halves of words are");

static uint64_t offset_of(const pts_attachment *a, const void *place) {
  return (uint64_t)((const uint8_t *)place - a->session.store.mapping->base);
}

int32_t pts_direct_read(uint32_t attachment, uint32_t handle, pts_direct *out) {
  const pts_attachment *a = pts_attachment_of(attachment);
  const pts_handle *h = pts_handle_of(a, handle);
  if (!h) return pts_no_handle(attachment, handle);
  if (!(h->fast & PTS_FAST_ADD)) return PTS_E_UNSUPPORTED;
  const pts_mapping *mapping = a->session.store.mapping;
  *out = (pts_direct){
      .base = (uint64_t)(uintptr_t)mapping->base,
      .size = mapping->size,
      .series_at = offset_of(a, &h->record->head) + 4,
      .store_at = offset_of(a, a->generation),
      .cell_at = offset_of(a, h->cell),
      .series_generation = PTS_HEAD_GENERATION(h->head_seen),
      .store_generation = (uint32_t)h->generation_seen,
  };
  return 0;
}

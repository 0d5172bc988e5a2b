/*
 * A hash table of names.
 */
#include "claims.h"

bool pts_claims_make(pts_claims *claims, uint32_t expected) {
  claims->slot_count = 64;
  while (claims->slot_count < 2 * (uint64_t)expected && claims->slot_count < 1u << 30)
    claims->slot_count *= 2;
  claims->slots = calloc(claims->slot_count, sizeof *claims->slots);
  return claims->slots != NULL;
}

void pts_claims_free(pts_claims *claims) {
  free(claims->slots);
  free(claims->text.bytes);
}

static uint64_t hash_on(uint64_t hash, pts_text text) {
  for (uint32_t i = 0; i < text.length; i++) hash = (hash ^ text.bytes[i]) * 0x100000001b3ull;
  return hash;
}

static uint64_t hash_of(pts_text name, pts_text suffix) {
  uint64_t hash = hash_on(hash_on(0xcbf29ce484222325ull, name), suffix);
  return hash ^ hash >> 32;
}

static bool is_name(const pts_claims *claims, const pts_claim *claim, pts_text name, pts_text suffix) {
  if (claim->length != name.length + suffix.length) return false;
  const uint8_t *bytes = claims->text.bytes + claim->at;
  return pts_text_equal((pts_text){bytes, name.length}, name) &&
         pts_text_equal((pts_text){bytes + name.length, suffix.length}, suffix);
}

/* Its slot, or the free one where it would be. Names are never empty: length 0 is a free slot. */
static pts_claim *find(const pts_claims *claims, pts_text name, pts_text suffix) {
  uint32_t mask = claims->slot_count - 1;
  for (uint32_t i = (uint32_t)hash_of(name, suffix) & mask;; i = (i + 1) & mask) {
    pts_claim *claim = &claims->slots[i];
    if (claim->length == 0 || is_name(claims, claim, name, suffix)) return claim;
  }
}

uint32_t pts_claims_owner(const pts_claims *claims, pts_text name, pts_text suffix) {
  const pts_claim *claim = find(claims, name, suffix);
  return claim->length ? claim->owner : PTS_CLAIM_NOBODY;
}

static bool grow(pts_claims *claims) {
  pts_claims larger = {.text = claims->text};
  if (!pts_claims_make(&larger, claims->slot_count)) return false;
  larger.used = claims->used;
  for (uint32_t i = 0; i < claims->slot_count; i++) {
    const pts_claim *claim = &claims->slots[i];
    if (claim->length == 0) continue;
    *find(&larger, (pts_text){claims->text.bytes + claim->at, claim->length}, PTS_NO_TEXT) = *claim;
  }
  free(claims->slots);
  *claims = larger;
  return true;
}

void pts_claims_add(pts_claims *claims, pts_text name, pts_text suffix, uint32_t family) {
  if (name.length + suffix.length == 0) return;
  pts_claim *claim = find(claims, name, suffix);
  if (claim->length) {
    if (claim->owner != family) claim->owner = PTS_CLAIM_SEVERAL;
    return;
  }
  bool full = claims->used >= claims->slot_count / 4 * 3;
  if ((full && !grow(claims)) ||
      !pts_growing_reserve(&claims->text, (size_t)name.length + suffix.length)) {
    claims->out_of_memory = true;
    return;
  }
  *find(claims, name, suffix) =
      (pts_claim){claims->text.used, name.length + suffix.length, family};
  claims->used++;
  pts_growing_add(&claims->text, name);
  pts_growing_add(&claims->text, suffix);
}

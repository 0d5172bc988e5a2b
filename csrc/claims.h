/*
 * claims.h: which family an exposition's names belong to, so that none has two owners.
 */
#ifndef PTS_CLAIMS_H
#define PTS_CLAIMS_H

#include "text.h"

#define PTS_CLAIM_NOBODY UINT32_MAX
#define PTS_CLAIM_SEVERAL (UINT32_MAX - 1)

typedef struct pts_claim {
  uint64_t at; /* in the text */
  uint32_t length;
  uint32_t owner;
} pts_claim;

typedef struct pts_claims {
  pts_claim *slots; /* open addressing; a power of two of them */
  uint32_t slot_count, used;
  pts_growing text;
  bool out_of_memory; /* a claim was lost */
} pts_claims;

bool pts_claims_make(pts_claims *claims, uint32_t expected); /* false: no memory */
void pts_claims_free(pts_claims *claims);
/* Whose name + suffix is: a family, PTS_CLAIM_NOBODY or PTS_CLAIM_SEVERAL. */
uint32_t pts_claims_owner(const pts_claims *claims, pts_text name, pts_text suffix);
/* It is this family's, too. */
void pts_claims_add(pts_claims *claims, pts_text name, pts_text suffix, uint32_t family);

#endif

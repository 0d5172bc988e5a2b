/*
 * Declarations of families.
 *
 * I1: a family's declaration is named by one 4-byte store into its record; it is set once and never changes.
 */
#include <stdlib.h>

#include "atomics.h"
#include "metrics.h"
#include "points.h"

static uint32_t load_u32(const uint8_t *p) {
  return pts_load_relaxed_u32((const uint32_t *)(const void *)p);
}

/* A family's declaration: how many parts (0: none, or broken), their lengths, and where it ends. */
typedef struct declaration {
  uint32_t count, size;
  const uint8_t *bytes; /* count, lengths, parts */
} declaration;

static declaration declaration_of(const pts_attachment *a, const pts_record *family) {
  declaration none = {0, 0, NULL}, d;
  pts_entry entry;
  d.bytes = pts_entry_read(a, pts_load_acquire_u32(&family->extra), &entry);
  if (!d.bytes || entry.kind != PTS_ENTRY_DECLARATION || entry.record < 4) return none;
  d.size = entry.record;
  d.count = load_u32(d.bytes);
  return d.count <= PTS_MAX_STATES + PTS_PART_STATES && 4 + 4 * d.count <= d.size ? d : none;
}

const uint8_t *pts_family_part(const pts_attachment *a, const pts_record *family, uint32_t part,
                               uint32_t *length) {
  declaration d = declaration_of(a, family);
  if (part >= d.count) return NULL;
  uint32_t at = 4 + 4 * d.count;
  for (uint32_t i = 0;; i++) {
    uint32_t size = load_u32(d.bytes + 4 + 4 * i);
    if (size > d.size - at) return NULL;
    if (i == part) {
      *length = size;
      return d.bytes + at;
    }
    at += size;
  }
}

uint32_t pts_family_part_count(const pts_attachment *a, const pts_record *family) {
  return declaration_of(a, family).count;
}

static pts_merge merge_of(uint8_t c) {
  switch (c) {
  case 's':
    return PTS_MERGE_SUM;
  case 'm':
    return PTS_MERGE_MIN;
  case 'M':
    return PTS_MERGE_MAX;
  case 'r':
    return PTS_MERGE_RECENT;
  case 'a':
    return PTS_MERGE_ALL;
  default:
    return PTS_MERGE_NONE;
  }
}

pts_traits pts_family_traits(const pts_attachment *a, const pts_record *family) {
  pts_traits traits = {.merge = PTS_MERGE_NONE, .type = '-'};
  uint32_t length;
  const uint8_t *part = pts_family_part(a, family, 1, &length);
  if (!part || length < 3) return traits;
  traits.merge = merge_of(part[0]);
  traits.live = part[1] == 'l';
  traits.type = (char)part[2];
  for (uint32_t i = 3; i < length && i < 18 && part[i] >= '0' && part[i] <= '9'; i++)
    traits.ttl_ms = traits.ttl_ms * 10 + (part[i] - '0');
  return traits;
}

/* count, lengths, bytes: one text to append; freed by the caller. NULL with *code set. */
static uint8_t *pack_declaration(const uint8_t *parts, const uint32_t *lengths, uint32_t count,
                                 uint64_t *size, int32_t *code) {
  uint64_t bytes = 0;
  *code = count < PTS_PART_STATES || count > PTS_MAX_STATES + PTS_PART_STATES ? PTS_E_TOO_LONG : 0;
  for (uint32_t i = 0; *code == 0 && i < count; i++) bytes += lengths[i];
  *size = 4 + 4ull * count + bytes;
  if (*size > PTS_MAX_DECLARATION) *code = PTS_E_TOO_LONG;
  uint8_t *packed = *code == 0 ? malloc(*size) : NULL;
  if (!packed) {
    if (*code == 0) *code = PTS_E_NO_MEMORY;
    return NULL;
  }
  memcpy(packed, &count, 4);
  memcpy(packed + 4, lengths, 4ull * count);
  if (bytes) memcpy(packed + 4 + 4ull * count, parts, bytes);
  return packed;
}

static int32_t declare_locked(pts_attachment *a, const uint8_t *name, uint32_t name_length,
                              const uint8_t *packed, uint64_t size, const uint8_t *first,
                              uint32_t first_length) {
  uint32_t number, word;
  int32_t code = pts_family_for(a, name, name_length, &number);
  if (code != 0) return code;
  pts_record *family = &a->records[number];
  if (pts_load_relaxed_u32(&family->extra)) {
    uint32_t length;
    const uint8_t *old = pts_family_part(a, family, 0, &length);
    if (!old) return PTS_E_DAMAGED;
    bool same = length == first_length && (length == 0 || memcmp(old, first, length) == 0);
    return same ? 0 : PTS_E_MISMATCH;
  }
  pts_wanted wanted = {{.kind = PTS_ENTRY_DECLARATION, .record = (uint32_t)size}, packed, size, 0};
  code = pts_index_append(a, &wanted, &word);
  if (code == 0) pts_store_release_u32(&family->extra, word);
  PTS_POINT();
  return code;
}

int32_t pts_declare(uint32_t attachment, const uint8_t *name, uint32_t name_length,
                    const uint8_t *parts, const uint32_t *lengths, uint32_t part_count) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (name_length == 0) return PTS_E_INVALID;
  if (name_length > PTS_MAX_NAME) return PTS_E_TOO_LONG;
  int32_t code;
  uint64_t size;
  uint8_t *packed = pack_declaration(parts, lengths, part_count, &size, &code);
  if (!packed) return code;
  code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code == 0) {
    code = declare_locked(a, name, name_length, packed, size, parts, lengths[0]);
    pts_index_unlock(a);
  }
  free(packed);
  if (code == PTS_E_DAMAGED) pts_damage(a);
  return code;
}

int32_t pts_declared(uint32_t attachment, const uint8_t *name, uint32_t name_length, uint32_t part,
                     uint8_t *out, uint32_t size) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (name_length == 0) return PTS_E_INVALID;
  if (name_length > PTS_MAX_NAME) return PTS_E_TOO_LONG;
  uint32_t number, length;
  int32_t code = pts_family_find(a, name, name_length, &number);
  if (code != 0) return code;
  const uint8_t *bytes = pts_family_part(a, &a->records[number], part, &length);
  if (!bytes) return PTS_E_NOT_FOUND;
  if (length && length <= size) memcpy(out, bytes, length);
  return (int32_t)length;
}

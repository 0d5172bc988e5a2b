/*
 * Removing all series of a family that have certain labels.
 */
#include "metrics.h"
#include "order.h"

/* The end of the label that begins at `at`: the comma behind it, or the end. Quoted text may hold commas. */
static uint32_t label_end(pts_text labels, uint32_t at) {
  bool quoted = false;
  for (; at < labels.length; at++) {
    uint8_t c = pts_racing_byte(labels.bytes + at);
    if (c == '\\' && quoted)
      at++;
    else if (c == '"')
      quoted = !quoted;
    else if (c == ',' && !quoted)
      break;
  }
  return at < labels.length ? at : labels.length;
}

static bool has_label(pts_text labels, const uint8_t *label, uint32_t length) {
  for (uint32_t at = 0; at < labels.length;) {
    uint32_t end = label_end(labels, at);
    if (end - at == length && pts_racing_compare(labels.bytes + at, label, length) == 0) return true;
    at = end + 1;
  }
  return false;
}

static bool has_all(pts_text text, const uint8_t *labels, const uint32_t *lengths, uint32_t count) {
  for (uint32_t i = 0; i < count; labels += lengths[i++])
    if (!has_label(text, labels, lengths[i])) return false;
  return true;
}

/* What series have in common that are to leave. */
typedef struct common {
  uint32_t family;
  const uint8_t *labels;
  const uint32_t *lengths;
  uint32_t count;
} common;

/* Family and text are of the incarnation that the head shows, before and after: leaving is a swap from that
 * head. 1: it left. What is claimed may exist after all: that is waited for. */
static int32_t leave_if_matching(pts_attachment *a, pts_record *record, const common *wanted) {
  for (;;) {
    uint64_t head = pts_load_acquire_u64(&record->head);
    pts_text text;
    if (pts_head_shows(head) == 0 || pts_load_relaxed_u32(&record->family) != wanted->family) return 0;
    if (!pts_record_labels(a, record, &text)) return 0;
    if (!has_all(text, wanted->labels, wanted->lengths, wanted->count)) return 0;
    if (!pts_series_exists(a, record, head)) return 0;
    if (!pts_head_claimed(head)) {
      if (pts_series_leave(a, record, &head)) return 1;
      continue;
    }
    int32_t code = pts_room_wait(a, record);
    if (code != 0) return code;
  }
}

int32_t pts_remove_matching(uint32_t attachment, const uint8_t *name, uint32_t name_length,
                            const uint8_t *labels, const uint32_t *lengths, uint32_t label_count) {
  pts_attachment *a = pts_attachment_of(attachment);
  if (!a) return PTS_E_CLOSED;
  if (name_length == 0) return PTS_E_INVALID;
  if (name_length > PTS_MAX_NAME) return PTS_E_TOO_LONG;
  uint32_t family, removed = 0;
  int32_t code = pts_family_find(a, name, name_length, &family);
  if (code == PTS_E_NOT_FOUND) return 0;
  if (code != 0) return code;
  uint32_t used = pts_records_used(a);
  common wanted = {family, labels, lengths, label_count};
  for (uint32_t n = 0; n < used; n++) {
    pts_record *record = pts_record_at(a, n);
    if (!record || record->kind == PTS_KIND_FAMILY) continue;
    int32_t left = leave_if_matching(a, record, &wanted);
    if (left < 0) return left;
    removed += (uint32_t)left;
  }
  return (int32_t)removed;
}

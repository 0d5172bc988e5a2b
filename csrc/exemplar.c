/*
 * Exemplars: shared by all workers, the last one wins.
 *
 *   cell of shard 0 --> entry in the text:  n | line 0, text | line 1, text
 *
 * A counter's cell is in its annex; a histogram's are where shard 0 would have the counts of its block, which
 * nobody uses there. An entry that is too small for a text is left for a larger one: sizes double, so
 * that all that was left is less than what is used.
 *
 * I1: an entry is written under the series's lock, into the line that is not shown, which n then shows; a
 *     larger entry has its first line before the cell names it. A kill in between leaves the other one; a
 *     reader that finds n changed reads again. tests/models/exemplar_test.ts.
 * I2: a line has the tag of the series when it was written: exemplars of a removed one do not count, whoever
 *     has the record by now.
 * I3: whoever finds the lock taken leaves it at that: somebody else is writing an exemplar (or setting the
 *     series) at this very time, and of two at the same time either is the last.
 */
#include "exemplar.h"

#include "cell.h"
#include "points.h"

#define SMALLEST_TEXT 64u
#define READ_TRIES 64u

/* ---- cells ---------------------------------------------------------------------------------------- */

static uint64_t *cell_of(const pts_attachment *a, const pts_record *record, uint32_t at) {
  uint64_t place;
  if (record->kind == PTS_KIND_HISTOGRAM) {
    place = (uint64_t)record->place + PTS_CELL_COUNTS + at;
    if (PTS_CELL_COUNTS + at >= record->words) return NULL;
  } else {
    uint64_t annex = pts_load_acquire_u32(&record->extra);
    if (record->kind != PTS_KIND_VALUE || annex == 0 || at != 0) return NULL;
    place = annex + PTS_CELL_ANNEX_EXEMPLAR;
  }
  if ((place + 1) * 8 > pts_shard_mark(a, 0)) return NULL;
  return pts_shared_block(a, (uint32_t)place);
}

const uint64_t *pts_exemplar_cell(const pts_attachment *a, const pts_record *record, uint32_t at) {
  return cell_of(a, record, at);
}

/* The lines of an entry; room: bytes of text of each. NULL when the cell names none. */
static uint64_t *lines_of(const pts_attachment *a, const uint64_t *cell, uint32_t *room) {
  pts_entry entry;
  uint64_t word = pts_load_acquire_u64(cell);
  const uint8_t *bytes = word <= UINT32_MAX ? pts_entry_read(a, (uint32_t)word, &entry) : NULL;
  if (!bytes || entry.kind != PTS_ENTRY_EXEMPLAR || entry.record < PTS_EXEMPLAR_BYTES(SMALLEST_TEXT))
    return NULL;
  *room = ((entry.record - 8) / 2 - (uint32_t)sizeof(pts_exemplar_line)) / 8 * 8;
  return (uint64_t *)(uintptr_t)bytes;
}

static uint64_t *line_at(uint64_t *lines, uint32_t room, uint64_t n) {
  return lines + 1 + (n & 1) * (sizeof(pts_exemplar_line) + room) / 8;
}

/* ---- writing, under the series's lock --------------------------------------------------------------- */

/* A new entry that shows this line: whole before the cell names it instead of a smaller one. */
static int32_t make_lines(pts_attachment *a, uint64_t *cell, const pts_exemplar_line *line,
                          const uint8_t *text) {
  uint32_t room = SMALLEST_TEXT;
  while (room < line->length) room *= 2;
  uint8_t bytes[PTS_EXEMPLAR_BYTES(PTS_MAX_EXEMPLAR_TEXT)] = {0}; /* n is 0 */
  memcpy(bytes + 8, line, sizeof *line);
  if (line->length) memcpy(bytes + 8 + sizeof *line, text, line->length);
  pts_wanted wanted = {{.kind = PTS_ENTRY_EXEMPLAR, .record = PTS_EXEMPLAR_BYTES(room)},
                       bytes,
                       PTS_EXEMPLAR_BYTES(room),
                       0};
  uint32_t word;
  int32_t code = pts_index_lock(a, a->session.store.lock_timeout_ms);
  if (code != 0) return code;
  code = pts_index_append(a, &wanted, &word);
  PTS_POINT();
  if (code == 0) pts_store_release_u64(cell, word);
  PTS_POINT();
  pts_index_unlock(a);
  return code;
}

static void write_line(uint64_t *lines, uint32_t room, const pts_exemplar_line *line, const uint8_t *text) {
  uint64_t n = pts_load_relaxed_u64(&lines[0]) + 1, words[sizeof *line / 8];
  uint64_t *to = line_at(lines, room, n);
  memcpy(words, line, sizeof words);
  pts_fence_release();
  for (uint32_t i = 0; i < sizeof *line / 8; i++) pts_store_relaxed_u64(&to[i], words[i]);
  PTS_POINT();
  for (uint32_t at = 0; at < line->length; at += 8) {
    uint64_t part = 0;
    memcpy(&part, text + at, line->length - at < 8 ? line->length - at : 8);
    pts_store_relaxed_u64(&to[sizeof *line / 8 + at / 8], part);
  }
  PTS_POINT();
  pts_store_release_u64(&lines[0], n);
  PTS_POINT();
}

static int32_t write_locked(pts_attachment *a, pts_handle *h, uint32_t at, pts_exemplar_line *line,
                            const uint8_t *text) {
  uint64_t head = pts_load_acquire_u64(&h->record->head);
  if (!pts_same_series(a, h, head)) return PTS_E_STALE;
  uint64_t *cell = cell_of(a, h->record, at);
  if (!cell) return PTS_E_DAMAGED;
  line->tag = PTS_TAG(pts_load_acquire_u64(a->generation), PTS_HEAD_GENERATION(head));
  uint32_t room = 0;
  uint64_t *lines = lines_of(a, cell, &room);
  if (!lines || room < line->length) return make_lines(a, cell, line, text);
  write_line(lines, room, line, text);
  return 0;
}

static int32_t cell_space(pts_attachment *a, pts_handle *h) {
  uint32_t place;
  return h->kind == PTS_KIND_HISTOGRAM ? pts_shared_space(a, h->place, h->words)
                                       : pts_annex_space(a, h->record, &place);
}

int32_t pts_exemplar(uint32_t attachment, uint32_t handle, double value, double timestamp_ms,
                     const uint8_t *text, uint32_t length) {
  pts_attachment *a = pts_attachment_of(attachment);
  pts_handle *h = pts_handle_of(a, handle);
  if (!h) return pts_no_handle(attachment, handle);
  if (h->kind != PTS_KIND_HISTOGRAM && h->kind != PTS_KIND_VALUE) return PTS_E_INVALID;
  if (length > PTS_MAX_EXEMPLAR_TEXT) return PTS_E_TOO_LONG;
  int32_t code = cell_space(a, h);
  if (code == 0 && pts_series_try_lock(a, h->record)) {
    pts_exemplar_line line = {0, pts_bits_of(value), pts_bits_of(timestamp_ms), length};
    uint32_t at = h->kind == PTS_KIND_HISTOGRAM ? pts_bucket_of(h, value) : 0;
    code = write_locked(a, h, at, &line, text);
    pts_series_unlock(a, h->record);
  }
  return pts_counted(a, h, code);
}

/* ---- reading ---------------------------------------------------------------------------------------- */

static bool read_line(uint64_t *lines, uint32_t room, uint64_t tag, pts_exemplar_reading *out) {
  uint64_t n = pts_load_acquire_u64(&lines[0]);
  const uint64_t *line = line_at(lines, room, n);
  uint64_t found = pts_load_relaxed_u64(&line[0]), length = pts_load_relaxed_u64(&line[3]);
  out->value = pts_double_of(pts_load_relaxed_u64(&line[1]));
  out->time_ms = pts_double_of(pts_load_relaxed_u64(&line[2]));
  out->length = length <= room ? (uint32_t)length : 0;
  for (uint32_t at = 0; at < out->length; at += 8) {
    uint64_t part = pts_load_relaxed_u64(&line[sizeof(pts_exemplar_line) / 8 + at / 8]);
    memcpy(out->text + at, &part, out->length - at < 8 ? out->length - at : 8);
  }
  pts_fence_acquire(); /* pairs with the release fence in write_line */
  if (pts_load_relaxed_u64(&lines[0]) != n) return false;
  if (found != tag || length > room) out->length = UINT32_MAX;
  return true;
}

bool pts_exemplar_read(const pts_attachment *a, const pts_record *record, uint64_t head, uint32_t at,
                       pts_exemplar_reading *out) {
  uint32_t room;
  const uint64_t *cell = cell_of(a, record, at);
  uint64_t *lines = cell && pts_load_relaxed_u64(cell) ? lines_of(a, cell, &room) : NULL;
  if (!lines || room > PTS_MAX_EXEMPLAR_TEXT) return false;
  uint64_t tag = PTS_TAG(pts_load_acquire_u64(a->generation), PTS_HEAD_GENERATION(head));
  for (uint32_t i = 0; i < READ_TRIES; i++)
    if (read_line(lines, room, tag, out)) return out->length != UINT32_MAX;
  return false;
}

/*
 * fuzz_labels.c: names, labels and declarations of any bytes through the C interface, and back.
 *
 * Input: operations, each a byte that says what, lengths, then bytes. Whatever was accepted is found
 * again under the same handle, is rendered byte for byte as it was given, with the value that a
 * model has, and the checker agrees. C knows no grammar of names: text is what the caller made.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "image.h"
#include "layout.h"
#include "pts.h"
#include "pts_check.h"

#define MOST_SERIES 24u
#define MOST_TEXT 120u

/* What the store should hold. Only values are compared: the model of a histogram is test_metrics.c's. */
typedef struct model_series {
  uint8_t text[2 * MOST_TEXT];
  uint32_t kind, name_length, length; /* of name, of name and printed series */
  int32_t handle;
  double value;
  bool exists;
} model_series;

static model_series model[MOST_SERIES];
static uint32_t model_count;
static bool raw_series; /* some that may print the same text as others */
static bool raw_header; /* some before the first line of a name */
static char words[8192];
static uint8_t exposition[1 << 21];

static int32_t attach(void) {
  pts_options options = {
      .path = fuzz_image_path(), .max_workers = 2, .lock_timeout_ms = 20, .capacity = 64 << 10};
  return pts_open(&options, words, sizeof words);
}

static uint32_t take(fuzz_input *input, uint8_t *to, uint32_t most) {
  uint32_t length = fuzz_byte(input) % (most + 1);
  for (uint32_t i = 0; i < length; i++) to[i] = fuzz_byte(input);
  return length;
}

/* ---- series ----------------------------------------------------------------------------------------- */

static model_series *model_find(const model_series *wanted) {
  for (uint32_t i = 0; i < model_count; i++) {
    model_series *s = &model[i];
    if (s->kind == wanted->kind && s->name_length == wanted->name_length &&
        s->length == wanted->length && memcmp(s->text, wanted->text, s->length) == 0)
      return s;
  }
  return NULL;
}

/* What the header promises to refuse is refused, and nothing else but for lack of room. */
static bool must_refuse(const pts_series_key *key) {
  bool bounded = key->kind == PTS_KIND_HISTOGRAM || key->kind == PTS_KIND_SUMMARY;
  bool unknown = key->kind < PTS_KIND_VALUE || key->kind > PTS_KIND_SUMMARY;
  return unknown || key->name_length == 0 || key->series_length < key->name_length ||
         (uint64_t)key->insert_at + key->replaces > key->series_length ||
         (key->bound_count && !bounded);
}

static bool is_room(int32_t code) {
  return code == PTS_E_SERIES_FULL || code == PTS_E_TEXT_FULL || code == PTS_E_CELLS_FULL;
}

static void add(uint32_t a, model_series *s, double amount) {
  int32_t code = pts_add(a, (uint32_t)s->handle, amount);
  MUST(code == 0);
  s->value = s->exists ? s->value + amount : amount;
  s->exists = true;
}

static void put(model_series *s, const char *text) {
  size_t length = strlen(text);
  memcpy(s->text + s->length, text, length);
  s->length += (uint32_t)length;
}

/* name, then name{label="value"} with any bytes in the value, escaped as the format wants it. */
static void make_well_formed(fuzz_input *input, model_series *s) {
  static const char letters[] = "abcdefgh_:ABCDEFGHIJKLMNOPQRSTUV";
  uint32_t length = fuzz_byte(input) % 12 + 1;
  for (uint32_t i = 0; i < length; i++) s->text[i] = (uint8_t)letters[fuzz_byte(input) % 32];
  memcpy(s->text + length, s->text, length);
  s->name_length = length;
  s->length = 2 * length;
  put(s, "{l=\"");
  for (uint32_t left = fuzz_byte(input) % 60; left > 0; left--) {
    uint8_t byte = fuzz_byte(input);
    bool escaped = byte == '\n' || byte == '"' || byte == '\\';
    if (escaped) s->text[s->length++] = '\\';
    s->text[s->length++] = byte == '\n' ? 'n' : byte;
  }
  put(s, "\"}");
}

static void keep_in_model(uint32_t a, const model_series *s, double amount) {
  model_series *known = model_find(s);
  if (known && known->exists) MUST(known->handle == s->handle);
  if (!known && model_count == MOST_SERIES) return;
  if (!known) {
    known = &model[model_count++];
    *known = *s;
  }
  known->handle = s->handle;
  add(a, known, amount);
}

static int32_t look_up(uint32_t a, const model_series *s) {
  pts_series_key key = {.kind = s->kind,
                        .name_length = s->name_length,
                        .series_length = s->length - s->name_length};
  int32_t handle = pts_series(a, &key, s->text, NULL);
  MUST(handle >= 0 || is_room(handle));
  return handle;
}

static void do_series(uint32_t a, fuzz_input *input) {
  model_series s = {.kind = PTS_KIND_VALUE};
  make_well_formed(input, &s);
  s.handle = look_up(a, &s);
  if (s.handle >= 0) keep_in_model(a, &s, fuzz_byte(input));
}

/* Any bytes, any numbers in the key. */
static void do_raw_series(uint32_t a, fuzz_input *input) {
  static const double bounds[] = {1, 2};
  uint8_t text[2 * MOST_TEXT];
  uint32_t name_length = take(input, text, MOST_TEXT);
  uint32_t series_length = take(input, text + name_length, MOST_TEXT);
  pts_series_key key = {.kind = fuzz_byte(input) % 8u,
                        .name_length = name_length,
                        .series_length = series_length,
                        .insert_at = fuzz_byte(input),
                        .replaces = (uint32_t)fuzz_byte(input) << fuzz_byte(input) % 25,
                        .flags = fuzz_byte(input) & PTS_SERIES_QUOTED};
  bool histogram = key.kind == PTS_KIND_HISTOGRAM, summary = key.kind == PTS_KIND_SUMMARY;
  if (histogram || summary) key.bound_count = 2; /* of a summary: a window, in two parts */
  int32_t h = pts_series(a, &key, text, bounds);
  if (must_refuse(&key)) {
    MUST(h == PTS_E_INVALID);
    return;
  }
  MUST(h >= 0 || is_room(h));
  if (h < 0) return;
  raw_series = true;
  MUST(pts_series(a, &key, text, bounds) == h);
  if (summary) MUST(pts_observe_at(a, (uint32_t)h, 1.5, 1e12) == 0);
  else MUST((histogram ? pts_observe(a, (uint32_t)h, 1.5) : pts_set(a, (uint32_t)h, 1)) == 0);
}

static void do_known(uint32_t a, fuzz_input *input) {
  uint8_t what = fuzz_byte(input);
  if (model_count == 0) return;
  model_series *s = &model[what % model_count];
  int32_t handle = s->exists ? s->handle : look_up(a, s); /* its room may have been given away */
  if (handle < 0) return;
  s->handle = handle;
  if (what >> 6 == 0) {
    MUST(pts_remove(a, (uint32_t)s->handle) == 0);
    s->exists = false;
  } else if (what >> 6 == 1) {
    MUST(pts_set(a, (uint32_t)s->handle, what) == 0);
    s->value = what;
    s->exists = true;
  } else {
    add(a, s, 0.5);
  }
}

/* ---- declarations --------------------------------------------------------------------------------- */

static void do_declare(uint32_t a, fuzz_input *input) {
  uint8_t name[MOST_TEXT] = {0}, parts[8 * MOST_TEXT], out[MOST_TEXT];
  uint32_t lengths[8], at = 0, count = fuzz_byte(input) % 8;
  uint32_t name_length = take(input, name, MOST_TEXT);
  for (uint32_t i = 0; i < count; i++) at += lengths[i] = take(input, parts + at, MOST_TEXT);
  int32_t before = pts_declared(a, name, name_length, 0, out, sizeof out);
  int32_t code = pts_declare(a, name, name_length, parts, lengths, count);
  if (name_length == 0) {
    MUST(code == PTS_E_INVALID);
  } else if (count < PTS_PART_STATES) {
    MUST(code == PTS_E_TOO_LONG);
  } else if (before >= 0) {
    bool same = (uint32_t)before == lengths[0] && memcmp(out, parts, lengths[0]) == 0;
    MUST(code == (same ? 0 : PTS_E_MISMATCH));
  } else if (code == 0) {
    raw_header |= lengths[2] > 0; /* which need not end where a line ends */
    at = 0;
    for (uint32_t i = 0; i < count; at += lengths[i++]) {
      MUST(pts_declared(a, name, name_length, i, out, sizeof out) == (int32_t)lengths[i]);
      MUST(memcmp(out, parts + at, lengths[i]) == 0);
    }
    MUST(pts_declared(a, name, name_length, count, out, sizeof out) == PTS_E_NOT_FOUND);
  } else {
    MUST(is_room(code));
  }
}

/* ---- reading it back -------------------------------------------------------------------------------- */

static uint32_t render(uint32_t a, uint32_t flags, uint32_t chunk) {
  int32_t r = pts_render_open(a, flags, 0);
  MUST(r >= 0);
  uint32_t length = 0;
  for (;;) {
    MUST(length + chunk <= sizeof exposition);
    int32_t n = pts_render_next(a, (uint32_t)r, exposition + length, chunk);
    MUST(n >= 0);
    if (n == 0) break;
    length += (uint32_t)n;
  }
  MUST(pts_render_close(a, (uint32_t)r) == 0);
  return length;
}

static bool in_exposition(const uint8_t *line, uint32_t line_length, uint32_t length) {
  for (const uint8_t *at = exposition; at;) {
    at = memmem(at, length - (size_t)(at - exposition), line, line_length);
    if (!at || at == exposition || at[-1] == '\n') return at != NULL;
    at++;
  }
  return false;
}

/* A series's line, unless others print the same text: then the line has their sum. */
static void find_line(const model_series *s, uint32_t length) {
  uint8_t line[MOST_TEXT + 64];
  uint32_t text = s->length - s->name_length;
  memcpy(line, s->text + s->name_length, text);
  int number = snprintf((char *)line + text, 64, " %.17g\n", s->value);
  char shown[64];
  snprintf(shown, sizeof shown, " %g\n", s->value);
  MUST(strcmp((char *)line + text, shown) == 0); /* small numbers print the same either way */
  MUST(in_exposition(line, text + (uint32_t)number, length));
}

static bool is_alone(const model_series *s) {
  for (uint32_t i = 0; i < model_count; i++) {
    const model_series *other = &model[i];
    uint32_t text = s->length - s->name_length;
    if (other != s && other->length - other->name_length == text &&
        memcmp(other->text + other->name_length, s->text + s->name_length, text) == 0)
      return false;
  }
  return true;
}

static void compare(uint32_t a) {
  for (uint32_t i = 0; i < model_count; i++) {
    double value, count;
    int32_t found = pts_value(a, (uint32_t)model[i].handle, &value, &count);
    MUST(model[i].exists ? found == 1 : found == 0 || found == PTS_E_STALE);
    MUST(!model[i].exists || value == model[i].value);
  }
  uint32_t lexical = render(a, PTS_RENDER_LEXICAL, 4096);
  /* Names are as odd as they can be here. */
  render(a, PTS_RENDER_ESCAPE_UNDERSCORES, 8192);
  render(a, PTS_RENDER_ESCAPE_DOTS | PTS_RENDER_OPENMETRICS, 8192);
  render(a, PTS_RENDER_ESCAPE_VALUES | PTS_RENDER_OPENMETRICS | PTS_RENDER_CREATED, 8192);
  uint32_t length = render(a, 0, 2048);
  MUST(raw_series || (lexical == 0) == (length == 0));
  /* Where only values were made, nothing else can print a line of the same text. */
  for (uint32_t i = 0; !raw_series && !raw_header && i < model_count; i++)
    if (model[i].exists && is_alone(&model[i])) find_line(&model[i], length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool made;
  if (!made) {
    int32_t a = attach();
    MUST(a >= 0 && pts_close((uint32_t)a) == 0);
    fuzz_image_keep();
    made = true;
  }
  fuzz_input input = {data, data + size};
  model_count = 0;
  raw_series = raw_header = false;
  int32_t a = attach();
  MUST(a >= 0);
  while (input.at < input.end) {
    uint8_t what = fuzz_byte(&input);
    if (what % 4 == 0)
      do_declare((uint32_t)a, &input);
    else if (what % 4 == 1)
      do_known((uint32_t)a, &input);
    else if (what % 8 == 2)
      do_raw_series((uint32_t)a, &input);
    else
      do_series((uint32_t)a, &input);
  }
  compare((uint32_t)a);
  MUST(pts_check(fuzz_image_path(), 0, words, sizeof words) == 0);
  MUST(pts_close((uint32_t)a) == 0);
  fuzz_image_restore();
  return 0;
}

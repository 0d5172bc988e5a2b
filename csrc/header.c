/*
 * HELP, TYPE and UNIT: as they were declared, or with the name and type that this exposition gives.
 */
#include "render.h"

static const char *type_word(char type) {
  switch (type) {
  case 'c':
    return "counter";
  case 'g':
    return "gauge";
  case 'h':
    return "histogram";
  case 's':
    return "summary";
  case 'i':
    return "info";
  case 'e':
    return "stateset";
  default:
    return "unknown";
  }
}

static void add(pts_growing *out, const char *text) { pts_growing_add(out, pts_text_of(text)); }

static void add_title(pts_growing *out, pts_text name, bool quoted) {
  if (quoted) add(out, "\"");
  pts_growing_add(out, name);
  if (quoted) add(out, "\"");
}

/* "# TYPE ", "# UNIT " and "# HELP " */
#define KEYWORD 7u

/* Where the name ends that begins behind the keyword. */
static uint32_t name_end(pts_text line) {
  uint32_t at = KEYWORD;
  if (at < line.length && line.bytes[at] == '"') return pts_quoted_end(line, at);
  while (at < line.length && line.bytes[at] != ' ' && line.bytes[at] != '\n') at++;
  return at;
}

/* Whether OpenMetrics lets the family say its unit, which is the rest of the line: " unit\n". */
static bool has_unit(const pts_title *title, pts_text name, pts_text rest) {
  if (title->type == 'u' || title->type == 'i' || title->type == 'e' || rest.length < 3) return false;
  pts_text unit = {rest.bytes + 1, rest.length - 2};
  return name.length > unit.length && pts_text_ends(name, unit) &&
         name.bytes[name.length - unit.length - 1] == '_';
}

/* A header line with this exposition's name and type; room for it was made. */
static void rewrite(pts_render *r, pts_growing *out, pts_text line, const pts_title *title) {
  if (line.length < KEYWORD) return;
  pts_text name = pts_title_text(r, title);
  uint32_t end = name_end(line);
  pts_text rest = {line.bytes + end, line.length - end};
  bool openmetrics = pts_is_openmetrics(r);
  if (line.bytes[2] == 'U' && !has_unit(title, name, rest)) return;
  pts_growing_add(out, (pts_text){line.bytes, KEYWORD});
  add_title(out, name, title->quoted);
  if (openmetrics && line.bytes[2] == 'T') {
    add(out, " ");
    add(out, type_word(title->type));
    add(out, "\n");
  } else {
    pts_growing_add(out, rest);
  }
}

static bool rewrite_all(pts_render *r, pts_text declared, const pts_title *title, pts_text *out) {
  pts_growing *text = &r->scratch;
  uint32_t lines = 1;
  for (uint32_t i = 0; i < declared.length; i++) lines += declared.bytes[i] == '\n';
  text->used = 0;
  if (!pts_growing_reserve(text, declared.length + (size_t)lines * (title->length + 32))) return false;
  for (uint32_t at = 0; at < declared.length;) {
    const uint8_t *newline = memchr(declared.bytes + at, '\n', declared.length - at);
    uint32_t end = newline ? (uint32_t)(newline - declared.bytes) + 1 : declared.length;
    rewrite(r, text, (pts_text){declared.bytes + at, end - at}, title);
    at = end;
  }
  *out = (pts_text){text->bytes, (uint32_t)text->used};
  return true;
}

static bool type_line(pts_render *r, const pts_title *title, pts_text suffix, char type,
                      pts_text *out) {
  pts_growing *text = &r->scratch;
  text->used = 0;
  if (!pts_growing_reserve(text, (size_t)title->length + suffix.length + 40)) return false;
  add(text, "# TYPE ");
  if (title->quoted) add(text, "\"");
  pts_growing_add(text, pts_title_text(r, title));
  pts_growing_add(text, suffix);
  if (title->quoted) add(text, "\"");
  add(text, " ");
  add(text, type_word(type));
  add(text, "\n");
  *out = (pts_text){text->bytes, (uint32_t)text->used};
  return true;
}

/* What nobody declared needs no header; but some parsers take no quoted name without. */
static bool undeclared(pts_render *r, const pts_title *title, pts_text suffix, pts_text *out) {
  bool known = suffix.length == 0 && (title->type == 'h' || title->type == 's');
  if (!known && !title->quoted) return true;
  return type_line(r, title, suffix, known ? title->type : 'u', out);
}

bool pts_part_header_of(pts_render *r, const pts_title *title, pts_part part, pts_text *out) {
  *out = PTS_NO_TEXT;
  pts_text suffix = pts_part_suffix(part);
  return !pts_is_openmetrics(r) || suffix.length == 0 || undeclared(r, title, suffix, out);
}

bool pts_header_of(pts_render *r, const pts_record *family, const pts_title *title, pts_text *out) {
  bool openmetrics = pts_is_openmetrics(r);
  uint32_t part = openmetrics ? PTS_PART_OPENMETRICS : PTS_PART_HEADER;
  *out = PTS_NO_TEXT;
  pts_text declared = PTS_NO_TEXT;
  declared.bytes = pts_family_part(r->a, family, part, &declared.length);
  if (!declared.bytes) declared.length = 0;
  if (openmetrics && (title->type == 0 || declared.length == 0))
    return undeclared(r, title, PTS_NO_TEXT, out);
  if (!title || title->as_declared) {
    *out = declared;
    return true;
  }
  return rewrite_all(r, declared, title, out);
}

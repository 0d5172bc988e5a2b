/*
 * Names and labels in one of Prometheus's escaping schemes.
 */
#include "escape.h"

#include "atomics.h"

/* ---- names ---------------------------------------------------------------------------------------- */

static bool is_legacy(uint32_t rune, bool first, pts_name_of what) {
  if ((rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || rune == '_') return true;
  if (rune >= '0' && rune <= '9') return !first;
  return rune == ':' && what == PTS_NAME_OF_METRIC;
}

bool pts_name_is_legacy(pts_text name, pts_name_of what) {
  for (uint32_t i = 0; i < name.length; i++)
    if (!is_legacy(name.bytes[i], i == 0, what)) return false;
  return name.length > 0;
}

#define REPLACEMENT 0xfffdu

/* The code point at *at, which moves behind it; U+FFFD and one byte for what is no UTF-8. */
static uint32_t next_rune(pts_text text, uint32_t *at) {
  static const uint32_t least[4] = {0, 0x80, 0x800, 0x10000};
  uint8_t byte = text.bytes[(*at)++];
  if (byte < 0x80) return byte;
  uint32_t more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc2 ? 1 : 0;
  if (more == 0 || byte > 0xf4 || more > text.length - *at) return REPLACEMENT;
  uint32_t rune = byte & (0x3fu >> more);
  for (uint32_t i = 0; i < more; i++) {
    uint8_t next = text.bytes[*at + i];
    if ((next & 0xc0) != 0x80) return REPLACEMENT;
    rune = rune << 6 | (next & 0x3f);
  }
  if (rune < least[more] || rune > 0x10ffff || (rune >= 0xd800 && rune < 0xe000)) return REPLACEMENT;
  *at += more;
  return rune;
}

static uint8_t *put_text(uint8_t *p, const char *text) {
  size_t length = strlen(text);
  memcpy(p, text, length);
  return p + length;
}

static uint8_t *put_hex(uint8_t *p, uint32_t rune) {
  int shift = 28;
  while (shift > 0 && rune >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) *p++ = (uint8_t)"0123456789abcdef"[rune >> shift & 15];
  return p;
}

static uint8_t *put_rune(uint8_t *p, uint32_t rune, bool legacy, pts_scheme scheme) {
  if (scheme == PTS_SCHEME_UNDERSCORES) {
    *p++ = legacy ? (uint8_t)rune : '_';
  } else if (rune == '_') {
    p = put_text(p, "__");
  } else if (scheme == PTS_SCHEME_DOTS && rune == '.') {
    p = put_text(p, "_dot_");
  } else if (legacy) {
    *p++ = (uint8_t)rune;
  } else if (scheme == PTS_SCHEME_DOTS) {
    p = put_text(p, "__");
  } else {
    *p++ = '_';
    p = put_hex(p, rune);
    *p++ = '_';
  }
  return p;
}

uint32_t pts_name_escape(pts_text name, pts_scheme scheme, pts_name_of what, uint8_t *out) {
  uint8_t *p = out;
  if (scheme == PTS_SCHEME_NONE || pts_name_is_legacy(name, what)) {
    if (name.length) memcpy(out, name.bytes, name.length);
    return name.length;
  }
  if (scheme == PTS_SCHEME_VALUES) p = put_text(p, "U__");
  for (uint32_t at = 0; at < name.length;) {
    bool first = at == 0;
    uint32_t rune = next_rune(name, &at);
    p = put_rune(p, rune, is_legacy(rune, first, what), scheme);
  }
  return (uint32_t)(p - out);
}

uint32_t pts_name_quote(pts_text name, uint8_t *out) {
  uint8_t *p = out;
  for (uint32_t i = 0; i < name.length; i++) {
    uint8_t byte = name.bytes[i];
    if (byte == '\\' || byte == '"' || byte == '\n') *p++ = '\\';
    *p++ = byte == '\n' ? 'n' : byte;
  }
  return (uint32_t)(p - out);
}

/* The other way round; never longer. */
static uint32_t unquote(pts_text quoted, uint8_t *out) {
  uint8_t *p = out;
  for (uint32_t i = 0; i < quoted.length; i++) {
    uint8_t byte = quoted.bytes[i];
    if (byte == '\\' && i + 1 < quoted.length) {
      byte = quoted.bytes[++i];
      if (byte == 'n') byte = '\n';
    }
    *p++ = byte;
  }
  return (uint32_t)(p - out);
}

/* ---- labels --------------------------------------------------------------------------------------- */

uint32_t pts_quoted_end(pts_text text, uint32_t at) {
  for (at++; at < text.length && text.bytes[at] != '"'; at++)
    if (text.bytes[at] == '\\') at++;
  return at + 1 < text.length ? at + 1 : text.length;
}

bool pts_labels_quoted(pts_text labels) {
  if (labels.length == 0) return false;
  const uint8_t *at = labels.bytes, *end = at + labels.length;
  if (pts_racing_byte(at) == '"') return true;
  /* A quote behind a comma begins a name, or ends a value with a comma at its end. */
  while (at < end && (at = pts_racing_find(at, ',', (size_t)(end - at))) != NULL)
    if (++at < end && pts_racing_byte(at) == '"') return true;
  return false;
}

typedef struct label {
  pts_text name; /* as printed, quotes included */
  pts_text value; /* "..." */
  uint32_t next;
} label;

static label label_at(pts_text labels, uint32_t at) {
  uint32_t name = at;
  if (labels.bytes[at] == '"') at = pts_quoted_end(labels, at);
  while (at < labels.length && labels.bytes[at] != '=') at++;
  uint32_t value = at < labels.length ? at + 1 : at;
  uint32_t end = value < labels.length ? pts_quoted_end(labels, value) : value;
  return (label){{labels.bytes + name, at - name},
                 {labels.bytes + value, end - value},
                 end < labels.length ? end + 1 : end};
}

static bool has_name(pts_text labels, pts_text name) {
  for (uint32_t at = 0; at < labels.length;) {
    label each = label_at(labels, at);
    if (pts_text_equal(each.name, name)) return true;
    at = each.next;
  }
  return false;
}

/* A quoted name in the scheme, behind the labels that are done (in `out`, `used` bytes). */
static uint32_t escape_label_name(pts_text all, pts_text quoted, pts_scheme scheme, uint8_t *out,
                                  uint32_t used) {
  uint8_t *raw = out + 6 * (size_t)all.length; /* behind the most that there can be */
  pts_text inside = {quoted.bytes + 1, quoted.length >= 2 ? quoted.length - 2 : 0};
  pts_text name = {raw, unquote(inside, raw)};
  uint32_t length = pts_name_escape(name, scheme, PTS_NAME_OF_LABEL, out + used);
  pts_text escaped = {out + used, length}, done = {out, used ? used - 1 : 0};
  if (scheme != PTS_SCHEME_VALUES && (has_name(all, escaped) || has_name(done, escaped)))
    length = pts_name_escape(name, PTS_SCHEME_VALUES, PTS_NAME_OF_LABEL, out + used);
  return length;
}

uint32_t pts_labels_escape(pts_text labels, pts_scheme scheme, uint8_t *out) {
  uint32_t used = 0;
  for (uint32_t at = 0; at < labels.length;) {
    label each = label_at(labels, at);
    if (used) out[used++] = ',';
    if (each.name.length && each.name.bytes[0] == '"') {
      used += escape_label_name(labels, each.name, scheme, out, used);
    } else {
      memcpy(out + used, each.name.bytes, each.name.length);
      used += each.name.length;
    }
    out[used++] = '=';
    memcpy(out + used, each.value.bytes, each.value.length);
    used += each.value.length;
    at = each.next;
  }
  return used;
}

uint32_t pts_labels_place(pts_text labels, pts_text name, uint32_t *length) {
  *length = 0;
  for (uint32_t at = 0; at < labels.length;) {
    label each = label_at(labels, at);
    pts_text bare = each.name;
    if (bare.length >= 2 && bare.bytes[0] == '"')
      bare = (pts_text){bare.bytes + 1, bare.length - 2};
    uint32_t common = bare.length < name.length ? bare.length : name.length;
    int c = common ? memcmp(bare.bytes, name.bytes, common) : 0;
    if (c == 0 && bare.length == name.length)
      *length = (uint32_t)(each.value.bytes + each.value.length - each.name.bytes);
    if (c > 0 || (c == 0 && bare.length >= name.length)) return at;
    at = each.next;
  }
  return labels.length;
}

bool pts_labels_have(pts_text labels, pts_text like) {
  return like.length > 0 && has_name(labels, label_at(like, 0).name);
}

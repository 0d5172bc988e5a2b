/*
 * text.h: pieces of text that something else keeps, and text that grows.
 */
#ifndef PTS_TEXT_H
#define PTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct pts_text {
  const uint8_t *bytes;
  uint32_t length;
} pts_text;

#define PTS_NO_TEXT ((pts_text){NULL, 0})

static inline pts_text pts_text_of(const char *terminated) {
  return (pts_text){(const uint8_t *)terminated, (uint32_t)strlen(terminated)};
}

static inline bool pts_text_equal(pts_text x, pts_text y) {
  return x.length == y.length && (x.length == 0 || memcmp(x.bytes, y.bytes, x.length) == 0);
}

static inline bool pts_text_ends(pts_text text, pts_text end) {
  return text.length >= end.length &&
         memcmp(text.bytes + text.length - end.length, end.bytes, end.length) == 0;
}

/* Text that moves while it grows: whoever keeps a place in it keeps an offset. */
typedef struct pts_growing {
  uint8_t *bytes;
  size_t used, room;
} pts_growing;

/* Room for `more` bytes behind what is used. false: no memory, nothing has changed. */
static inline bool pts_growing_reserve(pts_growing *text, size_t more) {
  size_t wanted = text->used + more;
  if (wanted <= text->room) return true;
  uint8_t *bigger = (uint8_t *)realloc(text->bytes, 2 * wanted);
  if (!bigger) return false;
  text->bytes = bigger;
  text->room = 2 * wanted;
  return true;
}

/* Behind a pts_growing_reserve that has made room for it. */
static inline void pts_growing_add(pts_growing *text, pts_text more) {
  if (more.length) memcpy(text->bytes + text->used, more.bytes, more.length);
  text->used += more.length;
}

#endif

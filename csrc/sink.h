/*
 * sink.h: writing whole lines into the caller's buffer. Each function writes all of its line, or
 * nothing and returns false.
 */
#ifndef PTS_SINK_H
#define PTS_SINK_H

#include <math.h>

#include "atomics.h"
#include "number.h"
#include "reading.h"
#include "text.h"

typedef struct pts_sink {
  uint8_t *at, *end;
} pts_sink;

/* A printed series taken apart around the place where a label is put in. */
typedef struct pts_parts {
  pts_text name;
  pts_text before, after; /* labels, without the commas at the cut */
  bool quoted;
} pts_parts;

#define PTS_SINK_NUMBERS (2 * PTS_NUMBER_MAX + 4) /* " value time\n" and what the printer may overwrite */

static inline uint8_t *pts_sink_put(uint8_t *p, const void *bytes, size_t length) {
  if (length) pts_racing_copy(p, bytes, length);
  return p + length;
}

static inline bool pts_sink_room(const pts_sink *sink, size_t length) {
  return (size_t)(sink->end - sink->at) >= length;
}

static inline bool pts_sink_text(pts_sink *sink, pts_text text) {
  if (!pts_sink_room(sink, text.length)) return false;
  sink->at = pts_sink_put(sink->at, text.bytes, text.length);
  return true;
}

/* "printed value[ time]\n" */
static inline bool pts_sink_line(pts_sink *sink, pts_text printed, const pts_reading *reading) {
  if (!pts_sink_room(sink, printed.length + PTS_SINK_NUMBERS)) return false;
  uint8_t *p = pts_sink_put(sink->at, printed.bytes, printed.length);
  *p++ = ' ';
  p += pts_number_print((char *)p, reading->value);
  if (!isnan(reading->time)) {
    *p++ = ' ';
    p += pts_number_print((char *)p, reading->time);
  }
  *p++ = '\n';
  sink->at = p;
  return true;
}

/*
 * The printed series with a suffix behind the name and a label put in:
 * `name{a="b"}` becomes `name_bucket{a="b",le="1"}`; suffix and label may be empty.
 */
bool pts_sink_derived(pts_sink *sink, const pts_parts *parts, pts_text suffix, pts_text label,
                      const pts_reading *reading);
/* An upper bound of that line's length, for who wants to add to it. */
static inline size_t pts_sink_derived_most(const pts_parts *parts, pts_text suffix, pts_text label) {
  return (size_t)parts->name.length + parts->before.length + parts->after.length + suffix.length +
         label.length + 8 + PTS_SINK_NUMBERS;
}

#endif

/*
 * Lines that are put together from the parts of a series.
 */
#include "sink.h"

bool pts_sink_derived(pts_sink *sink, const pts_parts *parts, pts_text suffix, pts_text label,
                      const pts_reading *reading) {
  if (!pts_sink_room(sink, pts_sink_derived_most(parts, suffix, label))) return false;
  bool braces = parts->quoted || parts->before.length || parts->after.length || label.length;
  uint8_t *p = sink->at;
  if (parts->quoted) p = pts_sink_put(p, "{\"", 2);
  p = pts_sink_put(p, parts->name.bytes, parts->name.length);
  p = pts_sink_put(p, suffix.bytes, suffix.length);
  if (parts->quoted) *p++ = '"';
  bool more = parts->quoted;
  if (braces && !parts->quoted) *p++ = '{';
  const pts_text pieces[3] = {parts->before, label, parts->after};
  for (int i = 0; i < 3; i++) {
    if (!pieces[i].length) continue;
    if (more) *p++ = ',';
    p = pts_sink_put(p, pieces[i].bytes, pieces[i].length);
    more = true;
  }
  if (braces) *p++ = '}';
  sink->at = p;
  return pts_sink_line(sink, PTS_NO_TEXT, reading);
}

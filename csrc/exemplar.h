/*
 * exemplar.h: what a trace is to a number: one for each counter, and for each bucket of a histogram.
 */
#ifndef PTS_EXEMPLAR_H
#define PTS_EXEMPLAR_H

#include "reading.h"

typedef struct pts_exemplar_reading {
  double value, time_ms;
  uint32_t length;
  char text[PTS_MAX_EXEMPLAR_TEXT]; /* printed labels, without braces */
} pts_exemplar_reading;

/* The exemplar number `at` of a series with this head (a histogram's bucket, else 0). False: none. */
bool pts_exemplar_read(const pts_attachment *a, const pts_record *record, uint64_t head, uint32_t at,
                       pts_exemplar_reading *out);

#endif

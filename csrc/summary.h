/*
 * summary.h: what a summary is worth.
 */
#ifndef PTS_SUMMARY_H
#define PTS_SUMMARY_H

#include "reading.h"

typedef struct pts_summary_reading {
  double count, sum;
  uint32_t quantile_count;
  const double *quantiles; /* which, from 0 to 1 */
  double *values;          /* of each; NaN when its window is empty */
} pts_summary_reading;

/* false: it does not exist. */
bool pts_summary_read(pts_attachment *a, const pts_view *view, const pts_record *record,
                      double now_ms, pts_summary_reading *out);

#endif

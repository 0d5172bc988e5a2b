/*
 * reading.h: what a series is worth, summed over all shards, without a lock.
 */
#ifndef PTS_READING_H
#define PTS_READING_H

#include "metrics.h"

/* What one scrape asks once and not again for every series. */
typedef struct pts_view {
  uint32_t high;                       /* slots below it were owned at least once */
  uint64_t marks[PTS_MAX_WORKERS + 1]; /* how far each shard may be read */
  uint32_t epochs[PTS_MAX_WORKERS + 1];
  int8_t alive[PTS_MAX_WORKERS + 1];   /* of that epoch: -1 not asked yet */
} pts_view;

void pts_view_take(pts_attachment *a, pts_view *view);

/* This series will be read soon: its text and blocks are wanted in the processor's caches. */
void pts_read_soon(const pts_attachment *a, const pts_view *view, const pts_record *record);

typedef struct pts_reading {
  double value;
  double time; /* NaN: none */
} pts_reading;

/* A value, worker gauge or enum series: 1, or 0 when it does not exist. */
int pts_read_value(pts_attachment *a, pts_view *view, const pts_record *record, const pts_traits *traits,
                   pts_reading *out);
/* What one worker's part of a worker gauge is: 1, or 0 when there is none that counts. */
int pts_read_worker(pts_attachment *a, pts_view *view, const pts_record *record, uint32_t slot,
                    const pts_traits *traits, pts_reading *out);
/* A histogram: counts[0 .. bounds] each for itself (not cumulative), whole observations only. */
int pts_read_histogram(pts_attachment *a, const pts_view *view, const pts_record *record,
                       uint64_t *counts, uint32_t count_count, double *sum);

#endif

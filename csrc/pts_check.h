/*
 * pts_check.h: the checker of a store's metrics. It is no part of the library that is published, but of
 * another one, with all of its sources, that `deno task check` builds and opens. (The cache checks itself:
 * pts_cache.h.)
 */
#ifndef PTS_CHECK_H
#define PTS_CHECK_H

#include "pts.h"

enum {
  PTS_CHECK_REPAIR = 1, /* first mend what can be mended, under the store's locks, and drop what cannot */
};

/* Verify every invariant of the metrics in the store at path (check.c says which). The report (UTF-8,
 * terminated, cut to size) describes the store and has a line for each thing mended and each finding. Returns
 * the number of findings, or a failure. */
PTS_EXPORT int32_t pts_check(const char *path, uint32_t flags, char *report, uint32_t report_size);

#endif

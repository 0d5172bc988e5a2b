/*
 * digest.h: a merging t-digest on plain arrays: the shape of many values, kept in few centroids.
 *
 * A centroid is the mean of some neighbouring values and how many they are. Centroids are small where q, the
 * share of values below them, is near 0 or 1, and larger in the middle, so that extreme quantiles are the
 * most exact. Nothing here knows of files or locks.
 *
 * Size. With n values, a centroid of more than one distinct value holds at most
 *
 *     n * pi / PTS_DIGEST_CELLS * sqrt(q * (1 - q))        q at its worse end
 *
 * of them: the scale function k1 of Dunning and Ertl ("Computing extremely accurate quantiles using
 * t-digests") as a limit of weight, which needs no sine for each centroid. The limit is 0 at both ends, so the
 * smallest and the largest value are always centroids of their own, and as long as there is room
 * nothing is merged at all.
 *
 * Error. A quantile is interpolated between the middles of two centroids, so its rank is wrong by half a
 * centroid at most where those do not overlap: 0.38 % of n at the median, 0.08 % at .99 and .01, 0.03 % at
 * .999. Nothing is merged across a wide gap, whose two sides one centroid would mix up: a bimodal
 * distribution's median would be wrong by three halves of one otherwise.
 */
#ifndef PTS_DIGEST_H
#define PTS_DIGEST_H

#include <stdint.h>

typedef struct pts_centroid {
  double mean, weight;
} pts_centroid;

/* The most centroids that pts_digest_compress leaves; and how many there would be if each were as large as
 * it may be, which is fewer: two neighbours that are just too large to be merged stay two. */
#define PTS_DIGEST_CENTROIDS 320u
#define PTS_DIGEST_CELLS 205.0

/* Ascending, in place; at most PTS_DIGEST_SORT of them. */
#define PTS_DIGEST_SORT 128u
void pts_digest_sort(double *values, uint32_t count);

/* Two ascending runs into one at out, which is neither. */
void pts_digest_merge(const pts_centroid *a, uint32_t a_count, const pts_centroid *b,
                      uint32_t b_count, pts_centroid *out);

/* Centroids of equal mean become one; ascending, in place. Returns how many are left. */
uint32_t pts_digest_unite(pts_centroid *centroids, uint32_t count);

/* Down to at most PTS_DIGEST_CENTROIDS, if there are more; ascending, no two of equal mean, in place, and at
 * most PTS_DIGEST_CENTROIDS + PTS_DIGEST_SORT of them. Returns how many are left. */
uint32_t pts_digest_compress(pts_centroid *centroids, uint32_t count);

/* The value below which the share q of all values lies, interpolated between the middles of neighbouring
 * centroids; the first and the last mean are its limits. NaN when there are none. */
double pts_digest_quantile(const pts_centroid *centroids, uint32_t count, double q);

#endif

#include "digest.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define SQUARE(x) ((x) * (x))
#define PI 3.14159265358979323846

/* ---- sorting and merging ---------------------------------------------------------------------------- */

/* Sorted by a network of compare and exchange, which is free of branches. */
#define RUN 8u

static inline void exchange(double *a, double *b) {
  double low = *a < *b ? *a : *b, high = *a < *b ? *b : *a;
  *a = low;
  *b = high;
}

static inline void sort_run(double *v) {
  static const uint8_t network[19][2] = {{0, 1}, {2, 3}, {4, 5}, {6, 7}, {0, 2}, {1, 3}, {4, 6},
                                         {5, 7}, {1, 2}, {5, 6}, {0, 4}, {3, 7}, {1, 5}, {2, 6},
                                         {1, 4}, {3, 6}, {2, 4}, {3, 5}, {3, 4}};
  for (uint32_t i = 0; i < 19; i++) exchange(&v[network[i][0]], &v[network[i][1]]);
}

/* Two runs of that length into one, from both ends at once: neither end can run out of values before the
 * middle, so there is nothing to check, and no branch to be mispredicted every other time. */
static void merge_values(const double *a, uint32_t length, double *out) {
  const double *b = a + length, *a_end = b - 1, *b_end = b + length - 1;
  double *out_end = out + 2 * length - 1;
  for (uint32_t i = 0; i < length; i++) {
    bool second = *b < *a, first = *b_end < *a_end;
    *out++ = second ? *b : *a;
    *out_end-- = first ? *a_end : *b_end;
    b += second;
    a += !second;
    a_end -= first;
    b_end -= !first;
  }
}

void pts_digest_sort(double *values, uint32_t count) {
  double one[PTS_DIGEST_SORT], other[PTS_DIGEST_SORT];
  double *from = one, *to = other;
  uint32_t size = RUN;
  while (size < count) size *= 2;
  memcpy(one, values, count * sizeof *one);
  for (uint32_t i = count; i < size; i++) one[i] = INFINITY;
  for (uint32_t at = 0; at < size; at += RUN) sort_run(one + at);
  for (uint32_t run = RUN; run < size; run *= 2) {
    for (uint32_t at = 0; at < size; at += 2 * run) merge_values(from + at, run, to + at);
    double *swapped = from;
    from = to;
    to = swapped;
  }
  memcpy(values, from, count * sizeof *values);
}

/* As long as neither run can run out, from both ends at once. Each step takes at most two of a run. */
void pts_digest_merge(const pts_centroid *a, uint32_t a_count, const pts_centroid *b,
                      uint32_t b_count, pts_centroid *out) {
  const pts_centroid *a_end = a + a_count, *b_end = b + b_count;
  pts_centroid *out_end = out + a_count + b_count;
  for (;;) {
    size_t a_left = (size_t)(a_end - a), b_left = (size_t)(b_end - b);
    size_t steps = (a_left < b_left ? a_left : b_left) / 2;
    if (steps == 0) break;
    for (; steps; steps--) {
      bool second = b->mean < a->mean, first = b_end[-1].mean < a_end[-1].mean;
      const pts_centroid *low = second ? b : a, *high = first ? a_end : b_end;
      *out++ = *low;
      *--out_end = high[-1];
      b += second;
      a += !second;
      a_end -= first;
      b_end -= !first;
    }
  }
  while (a < a_end && b < b_end) *out++ = b->mean < a->mean ? *b++ : *a++;
  if (a < a_end) memcpy(out, a, (size_t)(a_end - a) * sizeof *a);
  if (b < b_end) memcpy(out, b, (size_t)(b_end - b) * sizeof *b);
}

uint32_t pts_digest_unite(pts_centroid *c, uint32_t count) {
  uint32_t last = 0;
  for (uint32_t i = 1; i < count; i++) {
    if (c[i].mean == c[last].mean)
      c[last].weight += c[i].weight;
    else
      c[++last] = c[i];
  }
  return count ? last + 1 : 0;
}

/* ---- compressing ------------------------------------------------------------------------------------ */

/* Between two numbers, `share` of the way; also where their difference is no double. */
static double between(double low, double high, double share) {
  double step = high - low;
  return isfinite(step) ? low + step * share : low * (1 - share) + high * share;
}

/* The first takes the second, which is above it, in. The mean stays between both, whatever is rounded, so
 * that means ascend as before. */
static void absorb(pts_centroid *first, const pts_centroid *second) {
  double weight = first->weight + second->weight;
  double mean = between(first->mean, second->mean, second->weight / weight);
  if (mean > first->mean) first->mean = mean < second->mean ? mean : second->mean;
  first->weight = weight;
}

/* How many times wider than what lies on either side a gap is that nothing is merged across. */
#define WIDE 16

static bool gap_before(const pts_centroid *c, uint32_t count, uint32_t i) {
  if (i < 3 || i + 2 >= count) return false;
  double left = c[i - 1].mean - c[i - 3].mean, right = c[i + 2].mean - c[i].mean;
  return c[i].mean - c[i - 1].mean > WIDE * (left > right ? left : right);
}

/* One pass from the left: a centroid takes its right neighbour in while both together are small enough for
 * where they are. limit is the square of the factor before n * sqrt(q * (1 - q)). */
static uint32_t pass(const pts_centroid *from, uint32_t count, double limit, bool keep_gaps,
                     pts_centroid *to) {
  double total = 0;
  for (uint32_t i = 0; i < count; i++) total += from[i].weight;
  pts_centroid current = from[0];
  double after = current.weight, left = 0; /* of and at the end of `current`; at its begin */
  uint32_t last = 0;
  for (uint32_t i = 1; i < count; i++) {
    double weight = current.weight + from[i].weight, begin = limit * after * (total - after);
    after += from[i].weight;
    double right = limit * after * (total - after);
    bool small = SQUARE(weight) <= (left < right ? left : right);
    if (small && !(keep_gaps && gap_before(from, count, i))) {
      absorb(&current, &from[i]);
    } else {
      to[last++] = current;
      current = from[i];
      left = begin;
    }
  }
  to[last] = current;
  return last + 1;
}

uint32_t pts_digest_compress(pts_centroid *c, uint32_t count) {
  pts_centroid from[PTS_DIGEST_CENTROIDS + PTS_DIGEST_SORT];
  double limit = SQUARE(PI / PTS_DIGEST_CELLS);
  /* More than there is room for is rare: then gaps do not count, and the limit grows until, at last,
   * everything between both ends would be one. */
  for (bool first = true; count > PTS_DIGEST_CENTROIDS; first = false, limit *= SQUARE(1.1)) {
    memcpy(from, c, count * sizeof *c);
    count = pass(from, count, limit, first, c);
  }
  return count;
}

/* ---- asking ----------------------------------------------------------------------------------------- */

double pts_digest_quantile(const pts_centroid *c, uint32_t count, double q) {
  double total = 0, before = 0;
  if (count == 0) return NAN;
  for (uint32_t i = 0; i < count; i++) total += c[i].weight;
  double wanted = total * q, middle = c[0].weight / 2;
  if (wanted <= middle) return c[0].mean;
  for (uint32_t i = 1; i < count; i++) {
    before += c[i - 1].weight;
    double next = before + c[i].weight / 2;
    if (wanted < next) {
      /* In this order of operations, so that the digits are those of the usual implementation. */
      double mean = c[i - 1].mean + (wanted - middle) * (c[i].mean - c[i - 1].mean) / (next - middle);
      return isfinite(mean) ? mean : between(c[i - 1].mean, c[i].mean, (wanted - middle) / (next - middle));
    }
    middle = next;
  }
  return c[count - 1].mean;
}

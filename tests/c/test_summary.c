/* test_summary.c: summaries over several workers: what they count, how their windows slide, how exact their
 * quantiles are, and what readers see of writers that are at it. */

#include "test_store.h"

#include <pthread.h>

#include "digest.h"

static const double forever[] = {0, 1, 0, 0.5, 0.9, 1};
static const double sliding[] = {4000, 4, 0, 0.5, 0.9, 1};
enum { COUNT, SUM, MIN, MEDIAN, NINETY, MAX, NUMBERS };

/* A pair of workers (test_store.h) and the one summary of both. */
typedef struct summaries {
  const char *path;
  int32_t a, b;
  uint32_t h, k;
} summaries;

static summaries open_summaries(const double *bounds) {
  pair two = open_pair("summary");
  int32_t h = help_summary(two.a, "s{a=\"1\"}", bounds, 6), k = help_summary(two.b, "s{a=\"1\"}", bounds, 6);
  CHECK(h >= 0 && k >= 0);
  return (summaries){two.path, two.a, two.b, (uint32_t)h, (uint32_t)k};
}

static void close_summaries(const summaries *p) { close_pair(&(pair){p->path, p->a, p->b}); }

#define OBSERVE(a, h, value, now) CHECK_EQUAL(pts_observe_at((uint32_t)(a), h, value, now), 0)

typedef struct numbers {
  double at[NUMBERS];
} numbers;

static numbers read_at(const summaries *p, double now) {
  numbers n;
  CHECK_EQUAL(pts_quantiles((uint32_t)p->a, p->h, now, n.at, NUMBERS), NUMBERS);
  CHECK(help_count(p->a, (int32_t)p->h) == n.at[COUNT] && help_value(p->a, (int32_t)p->h) == n.at[SUM]);
  return n;
}

/* ---- what it counts ----------------------------------------------------------------------------------- */

static void quantiles_are_interpolated_over_workers(void) {
  summaries p = open_summaries(forever);
  double out[NUMBERS];
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, p.h, 0, out, NUMBERS), 0); /* looking it up does not make it exist */
  OBSERVE(p.a, p.h, 100, 0);
  OBSERVE(p.b, p.k, 100, 0);
  OBSERVE(p.a, p.h, 50, 0);
  OBSERVE(p.b, p.k, 100, 0);
  OBSERVE(p.b, p.k, 50, 0);
  numbers n = read_at(&p, 0);
  CHECK(n.at[COUNT] == 5 && n.at[SUM] == 400);
  CHECK(n.at[MIN] == 50 && n.at[MEDIAN] == 80 && n.at[NINETY] == 100 && n.at[MAX] == 100);
  close_summaries(&p);
}

/* Sums and counts are exact at every step, across full buffers too; both ends are kept for good. */
static void nothing_is_lost_when_buffers_are_merged(void) {
  summaries p = open_summaries(forever);
  double sum = 0, low = INFINITY, high = -INFINITY;
  uint64_t state = 7;
  for (int i = 1; i <= 5000; i++) {
    double value = (double)(help_random(&state) % 2000001) - 1000000;
    OBSERVE(i % 3 ? p.a : p.b, p.h, value, 0);
    sum += value;
    low = fmin(low, value);
    high = fmax(high, value);
    if (i % 61) continue;
    numbers n = read_at(&p, 0);
    CHECK(n.at[COUNT] == i && n.at[SUM] == sum && n.at[MIN] == low && n.at[MAX] == high);
    if (check_failures) break;
  }
  close_summaries(&p);
}

/* While there is room for all distinct values, nothing is merged: as exact as a sorted list. */
static void few_distinct_values_are_kept_as_they_are(void) {
  summaries p = open_summaries(forever);
  for (int i = 0; i < 20000; i++) OBSERVE(i % 2 ? p.a : p.b, p.h, i * 7919 % 200, 0);
  numbers n = read_at(&p, 0);
  CHECK(n.at[MIN] == 0 && n.at[MEDIAN] == 99.5 && n.at[NINETY] == 179.5 && n.at[MAX] == 199);
  close_summaries(&p);
}

static void it_begins_again_after_remove_and_clear(void) {
  summaries p = open_summaries(sliding);
  for (int i = 0; i < 300; i++) OBSERVE(p.a, p.h, 1, 5000);
  OBSERVE(p.b, p.k, 1, 5000);
  CHECK_EQUAL(pts_remove((uint32_t)p.b, p.k), 0);
  double out[NUMBERS];
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, p.h, 5000, out, NUMBERS), 0);
  OBSERVE(p.a, p.h, 9, 5000);
  numbers n = read_at(&p, 5000);
  CHECK(n.at[COUNT] == 1 && n.at[SUM] == 9 && n.at[MIN] == 9 && n.at[MAX] == 9);
  CHECK_EQUAL(pts_clear((uint32_t)p.a), 0);
  CHECK_EQUAL(pts_touch((uint32_t)p.b, p.k), 0);
  n = read_at(&p, 5000);
  CHECK(n.at[COUNT] == 0 && n.at[SUM] == 0 && isnan(n.at[MEDIAN]));
  close_summaries(&p);
}

static void the_next_owner_of_a_slot_goes_on(void) {
  summaries p = open_summaries(forever);
  for (int i = 0; i < 200; i++) OBSERVE(p.b, p.k, i, 0);
  pts_close((uint32_t)p.b);
  CHECK(read_at(&p, 0).at[COUNT] == 200);
  p.b = help_open(p.path, 0);
  p.k = (uint32_t)help_summary(p.b, "s{a=\"1\"}", forever, 6);
  for (int i = 200; i < 301; i++) OBSERVE(p.b, p.k, i, 0);
  numbers n = read_at(&p, 0);
  CHECK(n.at[COUNT] == 301 && n.at[SUM] == 300 * 301 / 2 && n.at[MEDIAN] == 150 && n.at[MAX] == 300);
  close_summaries(&p);
}

/* A store has room for three such series; forty come and go. */
static void the_room_of_removed_labels_is_given_to_others(void) {
  summaries p = open_summaries(sliding);
  int32_t first = -1;
  for (int i = 0; i < 40; i++) {
    char printed[32];
    snprintf(printed, sizeof printed, "s{a=\"%d\"}", 100 + i);
    int32_t h = help_summary(p.a, printed, sliding, 6);
    CHECK(h >= 0);
    if (h < 0) break;
    double out[NUMBERS];
    CHECK_EQUAL(pts_quantiles((uint32_t)p.a, (uint32_t)h, 0, out, NUMBERS), 0);
    for (int k = 0; k < 200; k++) OBSERVE(p.a, (uint32_t)h, i, k * 20);
    CHECK_EQUAL(pts_quantiles((uint32_t)p.a, (uint32_t)h, 3999, out, NUMBERS), NUMBERS);
    CHECK(out[COUNT] == 200 && out[MIN] == i && out[MAX] == i);
    CHECK_EQUAL(pts_remove((uint32_t)p.a, (uint32_t)h), 0);
    if (i == 0) first = h;
  }
  double out[NUMBERS];
  CHECK_EQUAL(pts_observe_at((uint32_t)p.a, (uint32_t)first, 1, 0), PTS_E_STALE);
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, (uint32_t)first, 0, out, NUMBERS), PTS_E_STALE);
  close_summaries(&p);
}

static void it_leaves_when_nobody_observes_for_its_ttl(void) {
  summaries p = open_summaries(sliding);
  pts_close((uint32_t)p.b);
  p.b = -1;
  CHECK_EQUAL(help_declare(p.a, "t", "{}", "-.s1000;{}", ""), 0);
  uint32_t h = (uint32_t)help_summary(p.a, "t{a=\"1\"}", forever, 6);
  pts_attachment *a = pts_attachment_of((uint32_t)p.a);
  uint32_t record = (uint32_t)(pts_handle_of(a, h)->record - a->records);
  double out[NUMBERS];
  OBSERVE(p.a, h, 1, 0);
  pts_expire(a, &record, 1, 1000, 5000);
  OBSERVE(p.a, h, 2, 0);
  pts_expire(a, &record, 1, 1000, 6500);
  pts_expire(a, &record, 1, 1000, 7499);
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, h, 0, out, NUMBERS), NUMBERS);
  CHECK(out[COUNT] == 2);
  pts_expire(a, &record, 1, 1000, 7600); /* marked at 6500, and what the call took until then */
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, h, 0, out, NUMBERS), 0);
  OBSERVE(p.a, h, 3, 0);
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, h, 0, out, NUMBERS), NUMBERS);
  CHECK(out[COUNT] == 1 && out[SUM] == 3);
  close_summaries(&p);
}

/* ---- windows ---------------------------------------------------------------------------------------------- */

/* A worker observes its window's number in each of ten; at any time the last four windows are seen. */
static void windows_slide_and_count_and_sum_stay(void) {
  summaries p = open_summaries(sliding);
  for (int window = 0; window < 10; window++) {
    for (int i = 0; i < 150; i++) OBSERVE(p.a, p.h, window, 1000 * window + 6 * i);
    numbers n = read_at(&p, 1000 * window + 900);
    CHECK(n.at[COUNT] == 150 * (window + 1) && n.at[MAX] == window);
    CHECK(n.at[MIN] == (window < 3 ? 0 : window - 3));
  }
  numbers n = read_at(&p, 12000);
  CHECK(n.at[MIN] == 9 && n.at[MAX] == 9);
  n = read_at(&p, 13000);
  CHECK(n.at[COUNT] == 1500 && isnan(n.at[MIN]) && isnan(n.at[MAX]));
  close_summaries(&p);
}

static void windows_begin_with_the_first_observation(void) {
  summaries p = open_summaries(sliding);
  OBSERVE(p.a, p.h, 1, 700);
  OBSERVE(p.a, p.h, 2, 1699); /* still in the first window */
  CHECK(read_at(&p, 4699).at[MIN] == 1);
  CHECK(isnan(read_at(&p, 4700).at[MIN]));
  OBSERVE(p.a, p.h, 3, 2750); /* in the third, on the first one's beat */
  CHECK(read_at(&p, 6699).at[MIN] == 3);
  CHECK(isnan(read_at(&p, 6700).at[MIN]));
  close_summaries(&p);
}

static void windows_of_ended_workers_age_alike(void) {
  summaries p = open_summaries(sliding);
  OBSERVE(p.b, p.k, 1, 1000);
  OBSERVE(p.a, p.h, 5, 3500);
  pts_close((uint32_t)p.b);
  p.b = -1;
  CHECK(read_at(&p, 4999).at[MIN] == 1);
  numbers n = read_at(&p, 5000);
  CHECK(n.at[MIN] == 5 && n.at[COUNT] == 2 && n.at[SUM] == 6);
  close_summaries(&p);
}

static void a_clock_that_is_put_back_does_not_freeze_a_window(void) {
  summaries p = open_summaries(sliding);
  OBSERVE(p.a, p.h, 1, 1e9);
  OBSERVE(p.a, p.h, 2, 1e9 - 500); /* a little: the same window */
  CHECK(read_at(&p, 1e9 - 500).at[COUNT] == 2 && read_at(&p, 1e9 - 500).at[MAX] == 2);
  OBSERVE(p.a, p.h, 3, 5000); /* by far: what was is over */
  numbers n = read_at(&p, 5000);
  CHECK(n.at[COUNT] == 3 && n.at[MIN] == 3 && n.at[MAX] == 3);
  CHECK(isnan(read_at(&p, 9000).at[MIN]));
  close_summaries(&p);
}

static void numbers_that_are_none_are_refused(void) {
  summaries p = open_summaries(sliding);
  const double bad[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 3; i++) {
    CHECK_EQUAL(pts_observe_at((uint32_t)p.a, p.h, bad[i], 1000), PTS_E_INVALID);
    CHECK_EQUAL(pts_observe_at((uint32_t)p.a, p.h, 1, bad[i]), PTS_E_INVALID);
  }
  CHECK(isnan(help_count(p.a, (int32_t)p.h)));
  OBSERVE(p.a, p.h, 1, 1000);
  for (int i = 0; i < 3; i++)
    CHECK_EQUAL(pts_observe_at((uint32_t)p.a, p.h, 1, bad[i]), PTS_E_INVALID);
  CHECK_EQUAL(pts_add((uint32_t)p.a, p.h, 1), PTS_E_INVALID);
  CHECK_EQUAL(pts_set((uint32_t)p.a, p.h, 1), PTS_E_INVALID);
  CHECK_EQUAL(pts_observe((uint32_t)p.a, p.h, 1), PTS_E_INVALID);
  double out[NUMBERS];
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, p.h, 1000, out, NUMBERS - 1), PTS_E_TOO_SMALL);
  CHECK(read_at(&p, 1000).at[COUNT] == 1);
  int32_t value = help_series(p.a, PTS_KIND_VALUE, "v");
  CHECK_EQUAL(pts_observe_at((uint32_t)p.a, (uint32_t)value, 1, 1), PTS_E_INVALID);
  CHECK_EQUAL(pts_quantiles((uint32_t)p.a, (uint32_t)value, 1, out, NUMBERS), PTS_E_INVALID);
  close_summaries(&p);
}

static void bounds_are_part_of_the_series_and_checked(void) {
  summaries p = open_summaries(forever);
  CHECK(help_summary(p.a, "s{a=\"1\"}", forever, 5) != (int32_t)p.h /* a quantile less */);
  CHECK(help_summary(p.a, "u", forever, 2) >= 0); /* without quantiles */
  double many[PTS_MAX_QUANTILES + 3] = {0, 1};
  CHECK(help_summary(p.a, "t", many, PTS_MAX_QUANTILES + 2) >= 0);
  CHECK_EQUAL(help_summary(p.a, "t", many, PTS_MAX_QUANTILES + 3), PTS_E_INVALID);
  const double wrong[][3] = {{-1, 1, 0}, {NAN, 1, 0}, {INFINITY, 1, 0}, {1, 0, 0},    {1, 1.5, 0},
                             {1, 17, 0}, {1, NAN, 0}, {0, 1, 1.01},     {0, 1, -0.1}, {0, 1, NAN}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_EQUAL(help_summary(p.a, "t", wrong[i], 3), PTS_E_INVALID);
  CHECK_EQUAL(help_summary(p.a, "t", forever, 1), PTS_E_INVALID);
  close_summaries(&p);
}

/* ---- how exact it is -------------------------------------------------------------------------------------- */

static double uniform(uint64_t *state) { return (double)(help_random(state) >> 11) * 0x1p-53; }
static double normal(uint64_t *state) {
  double u = 1 - uniform(state);
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * uniform(state));
}
static double log_normal(uint64_t *state) { return exp(normal(state)); }
static double bimodal(uint64_t *state) { return uniform(state) < 0.5 ? normal(state) : 100 + normal(state); }
static double uneven(uint64_t *state) { return uniform(state) < 0.497 ? normal(state) : 20 + normal(state); }
static double heavy(uint64_t *state) { return pow(1 - uniform(state), -1.5); }

static int compare(const void *x, const void *y) {
  double a = *(const double *)x, b = *(const double *)y;
  return (a > b) - (a < b);
}

/* By how much the rank of value misses q: none where it lies between neighbours of the right rank. */
static double rank_error(const double *sorted, uint32_t count, double value, double q) {
  uint32_t below = 0, up_to = 0;
  for (uint32_t i = 0; i < count; i++) {
    below += sorted[i] < value;
    up_to += sorted[i] <= value;
  }
  double wanted = q * count;
  double miss = wanted < below ? below - wanted : wanted > up_to ? wanted - up_to : 0;
  return miss / count;
}

enum { MOST = 100000, WORKERS = 4, ASCENDING = 1, DESCENDING = 2, FROM_BOTH_ENDS = 3, ORDERS = 4 };
static double drawn[MOST], sorted[MOST];
static const double asked[] = {0, 1, 0.01, 0.5, 0.99, 0.999};
static const double allowed[] = {0.001, 0.005, 0.001, 0.0005};
static double worst[4];

static double in_order(uint32_t i, uint32_t count, int order) {
  return order == ASCENDING    ? sorted[i]
         : order == DESCENDING ? sorted[count - 1 - i]
         : order               ? sorted[i % 2 ? i / 2 : count - 1 - i / 2]
                               : drawn[i];
}

static void draw(double (*distribution)(uint64_t *), uint32_t count, uint64_t seed) {
  for (uint32_t i = 0; i < count; i++) drawn[i] = sorted[i] = distribution(&seed);
  qsort(sorted, count, sizeof *sorted, compare);
}

/* count values in that order, dealt out to four workers; another window's values are in their way. */
static void observe_all(const char *name, const double *bounds, uint32_t count, int order) {
  const char *path = in_folder("accuracy");
  unlink(path);
  int32_t workers[WORKERS], h = -1;
  for (int w = 0; w < WORKERS; w++) {
    workers[w] = help_open(path, 0);
    h = help_summary(workers[w], "s", bounds, 6);
    for (int i = 0; bounds[0] > 0 && i < 1000; i++) OBSERVE(workers[w], (uint32_t)h, 1e6 + i, i);
  }
  for (uint32_t i = 0; i < count; i++)
    OBSERVE(workers[i % WORKERS], (uint32_t)h, in_order(i, count, order), 4000 + 3999.0 * i / count);
  double numbers[6];
  CHECK_EQUAL(pts_quantiles((uint32_t)workers[0], (uint32_t)h, 7999, numbers, 6), 6);
  for (int q = 0; q < 4; q++) {
    double error = rank_error(sorted, count, numbers[2 + q], asked[2 + q]);
    worst[q] = fmax(worst[q], error);
    /* A rank between two observations is met by either. */
    CHECK(error <= allowed[q] + 1.0 / count);
    if (error > allowed[q] + 1.0 / count)
      fprintf(stderr, "%s, %u in order %d: quantile %g misses by %g\n", name, count, order, asked[2 + q], error);
  }
  for (int w = 0; w < WORKERS; w++) pts_close((uint32_t)workers[w]);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void quantiles_of_four_workers_are_within_the_stated_error(void) {
  static const struct {
    const char *name;
    double (*draw)(uint64_t *);
  } distributions[] = {{"uniform", uniform}, {"log-normal", log_normal}, {"bimodal", bimodal},
                       {"uneven bimodal", uneven}, {"heavy-tailed", heavy}};
  static const uint32_t sizes[] = {1000, 5000, 20000, MOST};
  double windowed[6];
  memcpy(windowed, asked, sizeof windowed);
  windowed[0] = 4000;
  windowed[1] = 4;
  for (size_t d = 0; d < sizeof distributions / sizeof *distributions; d++) {
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
      draw(distributions[d].draw, sizes[s], 1 + 10 * d + s);
      for (int order = 0; order < ORDERS; order++) {
        observe_all(distributions[d].name, asked, sizes[s], order);
        if (order < DESCENDING) observe_all(distributions[d].name, windowed, sizes[s], order);
      }
    }
  }
  printf("errors in rank of .01, .5, .99, .999: %.5f %.5f %.5f %.5f\n", worst[0], worst[1], worst[2], worst[3]);
}

static void the_digest_never_outgrows_its_room(void) {
  pts_centroid all[PTS_DIGEST_CENTROIDS + PTS_DIGEST_SORT], kept[PTS_DIGEST_CENTROIDS];
  double values[PTS_DIGEST_SORT];
  uint32_t count = 0;
  uint64_t state = 3;
  double total = 0;
  for (int round = 0; round < 3000; round++) {
    uint32_t added = 1 + (uint32_t)(help_random(&state) % PTS_DIGEST_SORT);
    int kind = round / 500;
    for (uint32_t i = 0; i < added; i++)
      values[i] = kind == 0   ? uniform(&state)
                  : kind == 1 ? round * 128.0 + i
                  : kind == 2 ? -(round * 128.0 + i)
                  : kind == 3 ? ldexp(1, (int)(help_random(&state) % 2000) - 1000) /* gaps everywhere */
                  : kind == 4 ? (2 * uniform(&state) - 1) * 1.7e308 /* differences are no doubles */
                              : floor(heavy(&state));
    pts_centroid units[PTS_DIGEST_SORT];
    pts_digest_sort(values, added);
    for (uint32_t i = 0; i < added; i++) units[i] = (pts_centroid){values[i], 1};
    pts_digest_merge(kept, count, units, added, all);
    count = pts_digest_compress(all, pts_digest_unite(all, count + added));
    CHECK(count <= PTS_DIGEST_CENTROIDS);
    if (count > PTS_DIGEST_CENTROIDS) return;
    memcpy(kept, all, count * sizeof *all);
    total += added;
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
      CHECK(isfinite(kept[i].mean) && (i == 0 || kept[i].mean > kept[i - 1].mean));
      sum += kept[i].weight;
    }
    CHECK(sum == total);
    CHECK(isfinite(pts_digest_quantile(kept, count, 0.3)));
    if (check_failures) return;
  }
}

/* ---- beside writers ------------------------------------------------------------------------------------- */

static const char *shared_path;
static uint32_t writers_left;

/* Every observation is 2, in ever new windows. */
static void *write_on(void *context) {
  (void)context;
  int32_t a = help_open(shared_path, 0);
  int32_t h = help_summary(a, "s", sliding, 6);
  for (int i = 0; i < 40000; i++) pts_observe_at((uint32_t)a, (uint32_t)h, 2, i / 50);
  pts_close((uint32_t)a);
  pts_fetch_add_u32(&writers_left, UINT32_MAX);
  return NULL;
}

static void readers_see_whole_observations_only(void) {
  pthread_t threads[2];
  shared_path = in_folder("threads");
  int32_t a = help_open(shared_path, 0), h = help_summary(a, "s", sliding, 6);
  CHECK_EQUAL(pts_touch((uint32_t)a, (uint32_t)h), 0);
  writers_left = 2;
  for (int i = 0; i < 2; i++) CHECK_EQUAL(pthread_create(&threads[i], NULL, write_on, NULL), 0);
  double before = 0, numbers[NUMBERS];
  while (pts_load_acquire_u32(&writers_left) > 0 && check_failures == 0) {
    CHECK_EQUAL(pts_quantiles((uint32_t)a, (uint32_t)h, 800, numbers, NUMBERS), NUMBERS);
    CHECK(numbers[SUM] == 2 * numbers[COUNT]);
    CHECK(numbers[COUNT] >= before);
    for (int q = MIN; q <= MAX; q++) CHECK(isnan(numbers[q]) || numbers[q] == 2);
    before = numbers[COUNT];
    CHECK_EQUAL(help_check(shared_path, 0, 0), 0);
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  CHECK_EQUAL(pts_quantiles((uint32_t)a, (uint32_t)h, 800, numbers, NUMBERS), NUMBERS);
  CHECK(numbers[COUNT] == 80000 && numbers[SUM] == 160000);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(shared_path, 0, 0), 0);
}

/* ---- damage ------------------------------------------------------------------------------------------------ */

static void a_broken_block_is_found_and_harms_nobody(void) {
  summaries p = open_summaries(sliding);
  for (int i = 0; i < 500; i++) OBSERVE(p.a, p.h, i, 10 * i);
  help_image image;
  CHECK(help_map(p.path, &image));
  const pts_handle *handle = pts_handle_of(pts_attachment_of((uint32_t)p.a), p.h);
  uint64_t *block = pts_own_cells(pts_attachment_of((uint32_t)p.a), handle);
  uint32_t words = handle->words;
  uint64_t *whole = malloc(words * 8), state = 5;
  memcpy(whole, block, words * 8);
  for (int round = 0; round < 3000; round++) {
    /* Any words but the tag, with bits of any kind. */
    for (uint64_t changes = 1 + help_random(&state) % 40; changes; changes--)
      block[1 + help_random(&state) % (round % 2 ? words - 1 : 3)] = help_random(&state) >> help_random(&state) % 64;
    double out[NUMBERS], value;
    pts_quantiles((uint32_t)p.b, p.k, 4000, out, NUMBERS);
    pts_value((uint32_t)p.b, p.k, &value, out);
    int32_t code = pts_observe_at((uint32_t)p.a, p.h, 1, 5000 + round);
    CHECK(code == 0 || code == PTS_E_DAMAGED);
    memcpy(block, whole, words * 8);
  }
  block[PTS_CELL_SUMMARY_P] |= 0xff00;
  CHECK_EQUAL(help_check(p.path, 0, 1), 1);
  CHECK_EQUAL(pts_observe_at((uint32_t)p.a, p.h, 1, 5000), PTS_E_DAMAGED);
  /* Removing it mends it. */
  CHECK_EQUAL(pts_remove((uint32_t)p.a, p.h), 0);
  OBSERVE(p.a, p.h, 1, 5000);
  CHECK(read_at(&p, 5000).at[COUNT] == 1);
  free(whole);
  help_unmap(&image);
  close_summaries(&p);
}

static const test_case tests[] = {
    {"quantiles are interpolated over workers", quantiles_are_interpolated_over_workers},
    {"nothing is lost when buffers are merged", nothing_is_lost_when_buffers_are_merged},
    {"few distinct values are kept as they are", few_distinct_values_are_kept_as_they_are},
    {"it begins again after remove and clear", it_begins_again_after_remove_and_clear},
    {"the next owner of a slot goes on", the_next_owner_of_a_slot_goes_on},
    {"the room of removed labels is given to others", the_room_of_removed_labels_is_given_to_others},
    {"it leaves when nobody observes for its ttl", it_leaves_when_nobody_observes_for_its_ttl},
    {"windows slide, and count and sum stay", windows_slide_and_count_and_sum_stay},
    {"windows begin with the first observation", windows_begin_with_the_first_observation},
    {"windows of ended workers age alike", windows_of_ended_workers_age_alike},
    {"a clock that is put back does not freeze a window", a_clock_that_is_put_back_does_not_freeze_a_window},
    {"numbers that are none are refused", numbers_that_are_none_are_refused},
    {"bounds are part of the series, and checked", bounds_are_part_of_the_series_and_checked},
    {"quantiles of four workers are within the stated error", quantiles_of_four_workers_are_within_the_stated_error},
    {"the digest never outgrows its room", the_digest_never_outgrows_its_room},
    {"readers see whole observations only", readers_see_whole_observations_only},
    {"a broken block is found and harms nobody", a_broken_block_is_found_and_harms_nobody},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

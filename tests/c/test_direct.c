/* test_direct.c: additions that the caller makes itself (pts_direct): as pts_add would, until anything ends it. */

#include "test_store.h"

static int32_t direct_of(int32_t a, int32_t h, pts_direct *direct) {
  return pts_direct_read((uint32_t)a, (uint32_t)h, direct);
}

/* What a caller does, as pts.h asks for it. */
static bool add_directly(const pts_direct *d, double amount) {
  uint8_t *base = (uint8_t *)(uintptr_t)d->base;
  uint64_t last = d->size - 8;
  CHECK(d->series_at <= last && d->store_at <= last && d->cell_at <= last);
  CHECK(d->series_at % 4 == 0 && d->store_at % 4 == 0 && d->cell_at % 8 == 0);
  if (pts_load_acquire_u32((const uint32_t *)(void *)(base + d->series_at)) != d->series_generation) return false;
  if (pts_load_acquire_u32((const uint32_t *)(void *)(base + d->store_at)) != d->store_generation) return false;
  uint64_t *cell = (uint64_t *)(void *)(base + d->cell_at);
  pts_store_release_u64(cell, pts_bits_of(pts_double_of(pts_load_relaxed_u64(cell)) + amount));
  return true;
}

static void it_adds_as_pts_add_does(void) {
  pair p = open_pair("direct");
  const uint32_t kinds[] = {PTS_KIND_VALUE, PTS_KIND_LIVE};
  for (int i = 0; i < 2; i++) {
    int32_t h = help_series(p.a, kinds[i], i == 0 ? "v" : "live"), k = help_series(p.b, kinds[i], i == 0 ? "v" : "live");
    pts_direct mine, other;
    ADD(p.a, h, 1);
    ADD(p.b, k, 10);
    CHECK_EQUAL(direct_of(p.a, h, &mine), 0);
    CHECK_EQUAL(direct_of(p.b, k, &other), 0);
    CHECK(mine.cell_at != other.cell_at && mine.series_at == other.series_at);
    CHECK(add_directly(&mine, 0.5) && add_directly(&other, 20) && add_directly(&mine, -3));
    ADD(p.a, h, 100);
    CHECK(add_directly(&mine, 1));
    CHECK(help_value(p.a, h) == 1 + 10 + 0.5 + 20 - 3 + 100 + 1);
  }
  close_pair(&p);
}

/* What ends the use of a cell; by the worker itself and by another. */
static void ended_by_remove(int32_t a, int32_t h) { REMOVE(a, h); }
static void ended_by_clear(int32_t a, int32_t h) {
  (void)h;
  CHECK_EQUAL(pts_clear((uint32_t)a), 0);
}
static void ended_by_set(int32_t a, int32_t h) { SET(a, h, 7); }
static void ended_by_stamp(int32_t a, int32_t h) {
  CHECK_EQUAL(pts_set_at((uint32_t)a, (uint32_t)h, 7, 1000), 0);
}

static void it_ends_with_either_generation(void) {
  static const struct {
    void (*end)(int32_t a, int32_t h);
    double left; /* NaN: the series is gone, and an addition is direct again afterwards */
  } endings[] = {{ended_by_remove, NAN}, {ended_by_clear, NAN}, {ended_by_set, 7}, {ended_by_stamp, 7}};
  for (int i = 0; i < 8; i++) {
    pair p = open_pair("direct");
    int32_t h = help_series(p.a, PTS_KIND_VALUE, "v{a=\"1\"}"), k = help_series(p.b, PTS_KIND_VALUE, "v{a=\"1\"}");
    pts_direct direct;
    ADD(p.a, h, 1);
    CHECK_EQUAL(direct_of(p.a, h, &direct), 0);
    CHECK(add_directly(&direct, 2));
    double left = endings[i / 2].left;
    endings[i / 2].end(i % 2 ? p.b : p.a, i % 2 ? k : h);
    CHECK(!add_directly(&direct, 4));
    double value = help_value(p.a, h);
    CHECK(isnan(left) ? isnan(value) : value == left);
    ADD(p.a, h, 8);
    CHECK(!add_directly(&direct, 16));
    CHECK_EQUAL(direct_of(p.a, h, &direct), isnan(left) ? 0 : PTS_E_UNSUPPORTED);
    if (isnan(left)) CHECK(add_directly(&direct, 32));
    CHECK(help_value(p.a, h) == (isnan(left) ? 8 + 32 : 7 + 8));
    close_pair(&p);
  }
}

static void more_than_an_addition_is_refused(void) {
  pair p = open_pair("direct");
  static const double bounds[] = {1, 2};
  pts_direct direct;
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v");
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_UNSUPPORTED); /* nobody has added */
  h = help_histogram(p.a, "h", bounds, 2);
  CHECK_EQUAL(pts_observe((uint32_t)p.a, (uint32_t)h, 1), 0);
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_UNSUPPORTED);
  h = help_series(p.a, PTS_KIND_RECENT, "r");
  ADD(p.a, h, 1);
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_UNSUPPORTED);
  CHECK_EQUAL(help_declare(p.a, "t", "{}", "-.c1000;{}", ""), 0);
  h = help_series(p.a, PTS_KIND_VALUE, "t{a=\"1\"}");
  ADD(p.a, h, 1);
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_UNSUPPORTED); /* each update clears a mark */
  h = help_series(p.a, PTS_KIND_VALUE, "late{a=\"1\"}");
  ADD(p.a, h, 1);
  CHECK_EQUAL(help_declare(p.a, "late", "{}", "-.c1000;{}", ""), 0);
  CHECK_EQUAL(help_series(p.a, PTS_KIND_VALUE, "late{a=\"1\"}"), h);
  ADD(p.a, h, 1);
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_UNSUPPORTED);
  close_pair(&p);
}

/* The largest over all workers that ever were: the next owner of a slot adds beside what the last one left. */
static void a_base_that_is_no_sum_is_refused(void) {
  pair p = open_pair("direct");
  pts_direct direct;
  CHECK_EQUAL(help_declare(p.a, "m", "{}", "M.g;{}", ""), 0);
  int32_t h = help_series(p.a, PTS_KIND_LIVE, "m");
  ADD(p.a, h, 5);
  CHECK_EQUAL(direct_of(p.a, h, &direct), 0);
  CHECK(add_directly(&direct, 1));
  pts_close((uint32_t)p.a);
  p.a = help_open(p.path, 0);
  h = help_series(p.a, PTS_KIND_LIVE, "m");
  ADD(p.a, h, 2);
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_UNSUPPORTED);
  ADD(p.a, h, 2);
  CHECK(help_value(p.a, h) == 6);
  close_pair(&p);
}

enum { MANY = 40 };

static void it_reaches_no_other_labels(void) {
  pair p = open_pair("direct");
  int32_t old[MANY], new[MANY];
  pts_direct direct[MANY];
  char printed[32];
  for (int n = 0; n < MANY; n++) {
    snprintf(printed, sizeof printed, "v{n=\"%d\"}", n);
    old[n] = help_series(p.a, PTS_KIND_VALUE, printed);
    ADD(p.a, old[n], 1);
    CHECK_EQUAL(direct_of(p.a, old[n], &direct[n]), 0);
  }
  for (int n = 0; n < MANY; n++) REMOVE(p.a, old[n]);
  int given = 0;
  for (int round = 0; round < 200; round++)
    for (int n = 0; n < MANY; n++) {
      snprintf(printed, sizeof printed, "v{n=\"%d\"}", 1000 + round * MANY + n);
      new[n] = help_series(p.a, PTS_KIND_VALUE, printed);
      CHECK(new[n] >= 0);
      ADD(p.a, new[n], 1);
      for (int o = 0; o < MANY; o++) CHECK(!add_directly(&direct[o], 1));
      CHECK(help_value(p.a, new[n]) == 1);
      REMOVE(p.a, new[n]);
    }
  for (int n = 0; n < MANY; n++) given += direct_of(p.a, old[n], &direct[n]) == PTS_E_STALE;
  CHECK(given > 0);
  close_pair(&p);
}

static void what_is_no_handle_is_refused(void) {
  pair p = open_pair("direct");
  pts_direct direct;
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v");
  ADD(p.a, h, 1);
  CHECK_EQUAL(direct_of(p.a, h + 1, &direct), PTS_E_INVALID);
  CHECK_EQUAL(direct_of(p.a, -1, &direct), PTS_E_INVALID);
  CHECK_EQUAL(direct_of(-1, h, &direct), PTS_E_CLOSED);
  close_pair(&p);
  CHECK_EQUAL(direct_of(p.a, h, &direct), PTS_E_CLOSED);
}

static const test_case tests[] = {
    {"it adds as pts_add does", it_adds_as_pts_add_does},
    {"it ends with either generation", it_ends_with_either_generation},
    {"more than an addition is refused", more_than_an_addition_is_refused},
    {"a base that is no sum is refused", a_base_that_is_no_sum_is_refused},
    {"it reaches no other labels", it_reaches_no_other_labels},
    {"what is no handle is refused", what_is_no_handle_is_refused},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

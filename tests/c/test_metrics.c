/* test_metrics.c: what series are worth: values, shared and stamped ones, enums, live gauges,
 * histograms; remove and clear; declarations; limits. */

#include "test_store.h"

static const double two_bounds[] = {1, 2};

/* Frees text. */
static void exposes_flags(int32_t a, uint32_t flags, const char *expected, const char *file, int line) {
  int32_t code;
  char *text = help_render(a, flags, 4096, &code);
  if (!text || strcmp(text, expected) != 0) {
    fprintf(stderr, "%s:%d: the exposition (%d) is\n%s\nnot\n%s\n", file, line, code, text ? text : "",
            expected);
    check_failures++;
  }
  free(text);
}
#define EXPOSES(a, expected) exposes_flags(a, 0, expected, __FILE__, __LINE__)
#define EXPOSES_LEXICALLY(a, expected) exposes_flags(a, PTS_RENDER_LEXICAL, expected, __FILE__, __LINE__)

#define SET_AT(a, h, value, time) CHECK_EQUAL(pts_set_at((uint32_t)(a), (uint32_t)(h), value, time), 0)
#define OBSERVE(a, h, value) CHECK_EQUAL(pts_observe((uint32_t)(a), (uint32_t)(h), value), 0)

/* ---- values -------------------------------------------------------------------------------------------- */

static void additions_of_workers_add_up(void) {
  pair p = open_pair("metrics");
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v{a=\"1\"}"), k = help_series(p.b, PTS_KIND_VALUE, "v{a=\"1\"}");
  CHECK(isnan(help_value(p.a, h))); /* looking it up does not make it exist */
  EXPOSES(p.a, "");
  ADD(p.a, h, 1.5);
  ADD(p.b, k, 2);
  ADD(p.b, k, -0.25);
  CHECK(help_value(p.a, h) == 3.25);
  EXPOSES(p.b, "v{a=\"1\"} 3.25\n");
  CHECK_EQUAL(pts_touch((uint32_t)p.a, (uint32_t)h), 0);
  CHECK(help_value(p.a, h) == 3.25);
  int32_t touched = help_series(p.a, PTS_KIND_VALUE, "touched");
  CHECK_EQUAL(pts_touch((uint32_t)p.a, (uint32_t)touched), 0);
  CHECK(help_value(p.b, help_series(p.b, PTS_KIND_VALUE, "touched")) == 0);
  close_pair(&p);
}

static void a_set_value_is_shared_for_good(void) {
  pair p = open_pair("metrics");
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v"), k = help_series(p.b, PTS_KIND_VALUE, "v");
  ADD(p.a, h, 5);
  ADD(p.b, k, 5);
  SET(p.b, k, 3); /* replaces what both had added */
  CHECK(help_value(p.a, h) == 3);
  ADD(p.a, h, 1);
  ADD(p.b, k, 1);
  CHECK(help_value(p.a, h) == 5);
  SET(p.a, h, -1);
  SET(p.b, k, 8);
  SET(p.a, h, 9);
  CHECK(help_value(p.b, k) == 9);
  REMOVE(p.a, h);
  CHECK(isnan(help_value(p.b, k)));
  ADD(p.b, k, 2); /* from zero, still shared */
  ADD(p.a, h, 2);
  CHECK(help_value(p.b, k) == 4);
  EXPOSES(p.a, "v 4\n");
  close_pair(&p);
}

static void a_timestamp_stays_until_a_set_without_one(void) {
  pair p = open_pair("metrics");
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v"), k = help_series(p.b, PTS_KIND_VALUE, "v");
  ADD(p.a, h, 5);
  SET_AT(p.b, k, 3, 1234567890123.0);
  EXPOSES(p.a, "v 3 1234567890123\n");
  ADD(p.a, h, 1);
  EXPOSES(p.b, "v 4 1234567890123\n");
  SET(p.a, h, 7);
  EXPOSES(p.b, "v 7\n");
  SET_AT(p.a, h, 8, 5);
  SET_AT(p.b, k, 9, 6);
  EXPOSES(p.a, "v 9 6\n");
  REMOVE(p.b, k);
  EXPOSES(p.a, "");
  ADD(p.a, h, 2);
  EXPOSES(p.a, "v 2\n");
  CHECK_EQUAL(pts_set_at((uint32_t)p.a, (uint32_t)h, 1, NAN), PTS_E_INVALID);
  int32_t shared = help_series(p.a, PTS_KIND_VALUE, "w"); /* shared first, then stamped */
  SET(p.a, shared, 1);
  SET_AT(p.a, shared, 2, 3);
  EXPOSES(p.b, "v 2\nw 2 3\n");
  close_pair(&p);
}

static void numbers_print_as_prometheus_prints_them(void) {
  pair p = open_pair("metrics");
  static const struct {
    double value;
    const char *line;
  } cases[] = {{NAN, "v NaN\n"},   {INFINITY, "v +Inf\n"}, {-INFINITY, "v -Inf\n"}, {0.1, "v 0.1\n"},
               {-0.0, "v -0\n"},   {1e15, "v 1000000000000000\n"}, {2251799813685249.5, "v 2251799813685249.5\n"}};
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    SET(p.a, h, cases[i].value);
    EXPOSES(p.b, cases[i].line);
  }
  close_pair(&p);
}

/* ---- enums and live gauges ------------------------------------------------------------------------------- */

static void an_enum_shows_one_state(void) {
  pair p = open_pair("metrics");
  CHECK_EQUAL(help_declare_enum(p.a, "e", "# TYPE e gauge\n", "s=\"off\"\ns=\"on\""), 0);
  int32_t h = help_series(p.a, PTS_KIND_ENUM, "e{a=\"1\"}"), k = help_series(p.b, PTS_KIND_ENUM, "e{a=\"1\"}");
  EXPOSES(p.a, "# TYPE e gauge\n");
  SET(p.a, h, 1);
  EXPOSES(p.b, "# TYPE e gauge\ne{a=\"1\",s=\"off\"} 0\ne{a=\"1\",s=\"on\"} 1\n");
  SET(p.b, k, 0);
  EXPOSES(p.a, "# TYPE e gauge\ne{a=\"1\",s=\"off\"} 1\ne{a=\"1\",s=\"on\"} 0\n");
  CHECK_EQUAL(pts_add((uint32_t)p.b, (uint32_t)k, 1), PTS_E_INVALID);
  SET(p.b, k, -1); /* none of them */
  EXPOSES(p.a, "# TYPE e gauge\ne{a=\"1\",s=\"off\"} 0\ne{a=\"1\",s=\"on\"} 0\n");
  SET_AT(p.b, k, 1, 17);
  EXPOSES(p.a, "# TYPE e gauge\ne{a=\"1\",s=\"off\"} 0 17\ne{a=\"1\",s=\"on\"} 1 17\n");
  CHECK_EQUAL(pts_add((uint32_t)p.a, (uint32_t)h, 1), PTS_E_INVALID);
  CHECK_EQUAL(pts_touch((uint32_t)p.a, (uint32_t)h), PTS_E_INVALID);
  REMOVE(p.a, h);
  EXPOSES(p.a, "# TYPE e gauge\n");
  SET(p.b, k, 0);
  EXPOSES(p.a, "# TYPE e gauge\ne{a=\"1\",s=\"off\"} 1\ne{a=\"1\",s=\"on\"} 0\n");
  close_pair(&p);
}

static void live_parts_merge_and_leave_with_their_worker(void) {
  pair p = open_pair("metrics");
  static const char *const names[] = {"sum", "min", "Max"};
  static const double merged[] = {12, 5, 7};
  int32_t h[3], k[3];
  for (int i = 0; i < 3; i++) {
    char traits[] = "?lg;";
    traits[0] = names[i][0];
    CHECK_EQUAL(help_declare(p.a, names[i], "{}", traits, ""), 0);
    h[i] = help_series(p.a, PTS_KIND_LIVE, names[i]);
    k[i] = help_series(p.b, PTS_KIND_LIVE, names[i]);
    ADD(p.a, h[i], 5);
    SET(p.b, k[i], 9);
    ADD(p.b, k[i], -2);
    CHECK(help_value(p.a, h[i]) == merged[i]);
  }
  EXPOSES(p.b, "Max 7\nmin 5\nsum 12\n");
  CHECK_EQUAL(pts_set_at((uint32_t)p.a, (uint32_t)h[0], 1, 1), PTS_E_INVALID);
  pts_close((uint32_t)p.b);
  for (int i = 0; i < 3; i++) CHECK(help_value(p.a, h[i]) == 5);
  p.b = help_open(p.path, 0); /* the same slot, nobody's value */
  EXPOSES(p.b, "Max 5\nmin 5\nsum 5\n");
  k[0] = help_series(p.b, PTS_KIND_LIVE, "sum");
  ADD(p.b, k[0], 1);
  CHECK(help_value(p.a, h[0]) == 6);
  close_pair(&p);
}

#if TEST_HAS_FORK
static void set_live_and_die(void *path) {
  int32_t a = help_open(path, 0);
  int32_t h = help_series(a, PTS_KIND_LIVE, "live");
  if (pts_set((uint32_t)a, (uint32_t)h, 100) != 0 || help_value(a, h) != 101) _exit(1);
  raise(SIGKILL);
}

static void a_killed_workers_part_leaves(void) {
  pair p = open_pair("metrics");
  int32_t h = help_series(p.a, PTS_KIND_LIVE, "live");
  SET(p.a, h, 1);
  CHECK_EQUAL(help_in_child(set_live_and_die, (void *)(uintptr_t)p.path), SIGKILL);
  CHECK(help_value(p.a, h) == 1);
  close_pair(&p);
}
#endif

/* ---- histograms ------------------------------------------------------------------------------------------ */

static void observations_of_workers_add_up(void) {
  pair p = open_pair("metrics");
  int32_t h = help_histogram(p.a, "h{a=\"1\"}", two_bounds, 2), k = help_histogram(p.b, "h{a=\"1\"}", two_bounds, 2);
  OBSERVE(p.a, h, 1); /* on the bound is within */
  OBSERVE(p.b, k, 1.5);
  OBSERVE(p.b, k, 100);
  CHECK(help_value(p.a, h) == 102.5);
  CHECK(help_count(p.a, h) == 3);
  EXPOSES(p.b, "h_bucket{a=\"1\",le=\"1\"} 1\nh_bucket{a=\"1\",le=\"2\"} 2\nh_bucket{a=\"1\",le=\"+Inf\"} 3\n"
               "h_count{a=\"1\"} 3\nh_sum{a=\"1\"} 102.5\n");
  OBSERVE(p.a, h, NAN); /* in the last bucket only */
  CHECK(help_count(p.b, k) == 4);
  CHECK(isnan(help_value(p.b, k)));
  CHECK_EQUAL(pts_add((uint32_t)p.a, (uint32_t)h, 1), PTS_E_INVALID);
  CHECK_EQUAL(pts_set((uint32_t)p.a, (uint32_t)h, 1), PTS_E_INVALID);
  REMOVE(p.a, h);
  EXPOSES(p.b, "");
  CHECK_EQUAL(pts_touch((uint32_t)p.b, (uint32_t)k), 0);
  EXPOSES(p.b, "h_bucket{a=\"1\",le=\"1\"} 0\nh_bucket{a=\"1\",le=\"2\"} 0\nh_bucket{a=\"1\",le=\"+Inf\"} 0\n"
               "h_count{a=\"1\"} 0\nh_sum{a=\"1\"} 0\n");
  close_pair(&p);
}

static void every_bound_is_found(void) {
  pair p = open_pair("metrics");
  static double bounds[PTS_MAX_BOUNDS];
  for (int i = 0; i < (int)PTS_MAX_BOUNDS; i++) bounds[i] = i;
  for (uint32_t count = 0; count <= PTS_MAX_BOUNDS; count += count < 40 ? 1 : 41) {
    char printed[32];
    snprintf(printed, sizeof printed, "h%u", count);
    int32_t h = help_histogram(p.a, printed, bounds, count), wrong = 0;
    pts_handle *handle = h < 0 ? NULL : &pts_attachment_of((uint32_t)p.a)->handles[h & 0x1ffff];
    if (h == PTS_E_CELLS_FULL || h == PTS_E_TEXT_FULL) break;
    CHECK(handle != NULL && handle->bound_count == count);
    for (uint32_t i = 0; i <= count; i++) {
      uint64_t before = 0;
      OBSERVE(p.a, h, (double)i - 0.5);
      if (i < count) OBSERVE(p.a, h, (double)i);
      memcpy(&before, &pts_own_cells(pts_attachment_of((uint32_t)p.a), handle)[PTS_CELL_COUNTS + i], 8);
      wrong += before != (i < count ? 2 : 1);
    }
    CHECK_EQUAL(wrong, 0);
  }
  close_pair(&p);
}

static void other_bounds_with_the_same_labels_unite(void) {
  pair p = open_pair("metrics");
  static const double others[] = {1, 3};
  int32_t h = help_histogram(p.a, "h", two_bounds, 2), k = help_histogram(p.b, "h", others, 2);
  CHECK(h >= 0 && k >= 0 && h != k);
  OBSERVE(p.a, h, 2);
  OBSERVE(p.b, k, 1);
  OBSERVE(p.b, k, 2.5);
  int32_t first = help_histogram(p.a, "g{a=\"1\"}", two_bounds, 2);
  int32_t last = help_histogram(p.a, "h{z=\"1\"}", two_bounds, 2);
  OBSERVE(p.a, first, 1);
  OBSERVE(p.a, last, 1);
  EXPOSES(p.a, "g_bucket{a=\"1\",le=\"1\"} 1\ng_bucket{a=\"1\",le=\"2\"} 1\ng_bucket{a=\"1\",le=\"+Inf\"} 1\n"
               "g_count{a=\"1\"} 1\ng_sum{a=\"1\"} 1\n"
               "h_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"3\"} 2\nh_bucket{le=\"+Inf\"} 3\n"
               "h_bucket{z=\"1\",le=\"1\"} 1\nh_bucket{z=\"1\",le=\"2\"} 1\nh_bucket{z=\"1\",le=\"+Inf\"} 1\n"
               "h_count 3\nh_count{z=\"1\"} 1\nh_sum 5.5\nh_sum{z=\"1\"} 1\n");
  CHECK_EQUAL(help_histogram(p.a, "h", two_bounds, 2), h);
  close_pair(&p);
}

static void bounds_in_disorder_are_refused(void) {
  pair p = open_pair("metrics");
  static const double bad[][2] = {{2, 1}, {1, 1}, {NAN, 1}, {1, NAN}, {1, INFINITY}, {-INFINITY, 1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    CHECK_EQUAL(help_histogram(p.a, "h", bad[i], 2), PTS_E_INVALID);
  CHECK(help_histogram(p.a, "h", NULL, 0) >= 0); /* only +Inf */
  close_pair(&p);
}

static void orders_of_buckets(void) {
  pair p = open_pair("metrics");
  static const double bounds[] = {2.5, 10};
  int32_t h = help_histogram(p.a, "h", bounds, 2), k = help_histogram(p.b, "h{a=\"1\"}", bounds, 2);
  OBSERVE(p.a, h, 1);
  OBSERVE(p.b, k, 1);
  int32_t v = help_series(p.a, PTS_KIND_VALUE, "h_d");
  ADD(p.a, v, 1);
  EXPOSES(p.a, "h_bucket{le=\"2.5\"} 1\nh_bucket{le=\"10\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
               "h_bucket{a=\"1\",le=\"2.5\"} 1\nh_bucket{a=\"1\",le=\"10\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 1\n"
               "h_count 1\nh_count{a=\"1\"} 1\nh_sum 1\nh_sum{a=\"1\"} 1\nh_d 1\n");
  EXPOSES_LEXICALLY(p.a, "h_bucket{a=\"1\",le=\"10\"} 1\nh_bucket{a=\"1\",le=\"2.5\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 1\n"
                         "h_bucket{le=\"10\"} 1\nh_bucket{le=\"2.5\"} 1\nh_bucket{le=\"+Inf\"} 1\n"
                         "h_count 1\nh_count{a=\"1\"} 1\nh_d 1\nh_sum 1\nh_sum{a=\"1\"} 1\n");
  close_pair(&p);
}

/* ---- clear, handles, declarations --------------------------------------------------------------------------- */

static void clear_drops_values_and_keeps_declarations(void) {
  pair p = open_pair("metrics");
  CHECK_EQUAL(help_declare(p.a, "v", "{}", "", "# TYPE v counter\n"), 0);
  CHECK_EQUAL(help_declare_enum(p.a, "e", "", "s=\"x\""), 0);
  int32_t h[5];
  for (int round = 0; round < 3; round++) {
    int32_t att = round % 2 ? p.b : p.a;
    h[0] = help_series(att, PTS_KIND_VALUE, "v");
    h[1] = help_series(att, PTS_KIND_VALUE, "w");
    h[2] = help_histogram(att, "h", NULL, 0);
    h[3] = help_series(att, PTS_KIND_LIVE, "l");
    h[4] = help_series(att, PTS_KIND_ENUM, "e");
    ADD(att, h[0], 1);
    SET_AT(att, h[1], 2, 3);
    OBSERVE(att, h[2], 4);
    SET(att, h[3], 5);
    SET(att, h[4], 0);
    EXPOSES(p.b, "e{s=\"x\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_count 1\nh_sum 4\nl 5\n# TYPE v counter\nv 1\nw 2 3\n");
    CHECK_EQUAL(pts_clear((uint32_t)p.b), 0);
    EXPOSES(p.a, "# TYPE v counter\n");
    for (int i = 0; i < 5; i++) CHECK(isnan(help_value(att, h[i])));
  }
  close_pair(&p);
}

static void what_is_no_handle_is_refused(void) {
  pair p = open_pair("metrics");
  int32_t h = help_series(p.a, PTS_KIND_VALUE, "v");
  double value, count;
  uint32_t wrong[] = {(uint32_t)h + 1, 1u << 20, UINT32_MAX};
  for (size_t i = 0; i < 3; i++) {
    CHECK_EQUAL(pts_add((uint32_t)p.a, wrong[i], 1), PTS_E_INVALID);
    CHECK_EQUAL(pts_set((uint32_t)p.a, wrong[i], 1), PTS_E_INVALID);
    CHECK_EQUAL(pts_observe((uint32_t)p.a, wrong[i], 1), PTS_E_INVALID);
    CHECK_EQUAL(pts_remove((uint32_t)p.a, wrong[i]), PTS_E_INVALID);
    CHECK_EQUAL(pts_value((uint32_t)p.a, wrong[i], &value, &count), PTS_E_INVALID);
  }
  CHECK_EQUAL(pts_observe((uint32_t)p.a, (uint32_t)h, 1), PTS_E_INVALID);
  CHECK_EQUAL(pts_add(UINT32_MAX, (uint32_t)h, 1), PTS_E_CLOSED);
  CHECK_EQUAL(pts_render_next((uint32_t)p.a, 3, NULL, 0), PTS_E_INVALID);
  CHECK_EQUAL(pts_render_close((uint32_t)p.a, UINT32_MAX), PTS_E_INVALID);
  close_pair(&p);
  CHECK_EQUAL(pts_add((uint32_t)p.a, (uint32_t)h, 1), PTS_E_CLOSED);
  CHECK_EQUAL(pts_render_open((uint32_t)p.a, 0, 0), PTS_E_CLOSED);
}

static void a_declaration_is_made_once(void) {
  pair p = open_pair("metrics");
  uint8_t part[64];
  CHECK_EQUAL(pts_declared((uint32_t)p.a, (const uint8_t *)"v", 1, 0, part, sizeof part), PTS_E_NOT_FOUND);
  CHECK_EQUAL(help_declare(p.a, "v", "{\"type\":1}", "first", "# TYPE v gauge\n"), 0);
  CHECK_EQUAL(help_declare(p.b, "v", "{\"type\":1}", "second", "# other\n"), 0);
  CHECK_EQUAL(help_declare(p.b, "v", "{\"type\":2}", "first", "# TYPE v gauge\n"), PTS_E_MISMATCH);
  CHECK_EQUAL(help_declare(p.b, "v", "", "first", "# TYPE v gauge\n"), PTS_E_MISMATCH);
  CHECK_EQUAL(pts_declared((uint32_t)p.b, (const uint8_t *)"v", 1, 1, part, sizeof part), 5);
  CHECK_EQUAL(memcmp(part, "first", 5), 0);
  CHECK_EQUAL(pts_declared((uint32_t)p.b, (const uint8_t *)"v", 1, 0, part, 3), 10); /* longer */
  CHECK_EQUAL(pts_declared((uint32_t)p.b, (const uint8_t *)"v", 1, 4, part, 3), PTS_E_NOT_FOUND);
  CHECK_EQUAL(help_declare(p.a, "empty", "", "", ""), 0);
  CHECK_EQUAL(help_declare(p.b, "empty", "", "", ""), 0);
  EXPOSES(p.a, "# TYPE v gauge\n");
  close_pair(&p);
}

/* ---- limits ---------------------------------------------------------------------------------------------- */

static int32_t open_smallest(const char *path) {
  char message[1024];
  pts_options options = {.path = path, .max_workers = 2, .capacity = 64 << 10};
  unlink(path);
  return pts_open(&options, message, sizeof message);
}

static void a_full_table_refuses_new_series_only(void) {
  const char *path = in_folder("series_full");
  int32_t a = open_smallest(path), h = 0, n = 0;
  for (;; n++) {
    char printed[32];
    snprintf(printed, sizeof printed, "v{n=\"%d\"}", n);
    h = help_series(a, PTS_KIND_VALUE, printed);
    if (h < 0) break;
    ADD(a, h, n);
  }
  CHECK_EQUAL(h, PTS_E_SERIES_FULL);
  CHECK_EQUAL(n, 127); /* and their family */
  CHECK_EQUAL(help_declare(a, "other", "{}", "", ""), PTS_E_SERIES_FULL);
  h = help_series(a, PTS_KIND_VALUE, "v{n=\"7\"}");
  ADD(a, h, 1);
  CHECK(help_value(a, h) == 8);
  CHECK_EQUAL(pts_dropped((uint32_t)a), 0);
  int32_t code;
  char *text = help_render(a, 0, 4096, &code);
  CHECK(text && strstr(text, "prometheus_tiny_dropped_updates_total 1\n") != NULL);
  free(text);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void a_full_text_leaks_no_cells(void) {
  const char *path = in_folder("text_full");
  int32_t a = open_smallest(path), h = 0;
  char printed[8200];
  for (int n = 0; h >= 0; n++) {
    snprintf(printed, sizeof printed, "v{n=\"%d%08000d\"}", n, 0);
    h = help_series(a, PTS_KIND_VALUE, printed);
  }
  CHECK_EQUAL(h, PTS_E_TEXT_FULL);
  pts_usage before = usage_of(a);
  for (int i = 0; i < 100; i++) CHECK_EQUAL(help_series(a, PTS_KIND_VALUE, printed), PTS_E_TEXT_FULL);
  CHECK_EQUAL(usage_of(a).cells_used, before.cells_used);
  CHECK_EQUAL(usage_of(a).series_used, before.series_used);
  h = help_series(a, PTS_KIND_VALUE, "short"); /* what fits still goes in */
  ADD(a, h, 1);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void full_cells_leave_room_for_small_ones(void) {
  const char *path = in_folder("cells_full");
  static double bounds[PTS_MAX_BOUNDS];
  for (int i = 0; i < (int)PTS_MAX_BOUNDS; i++) bounds[i] = i;
  int32_t a = open_smallest(path), h = 0;
  for (int n = 0; h >= 0; n++) {
    char printed[32];
    snprintf(printed, sizeof printed, "h%d", n);
    h = help_histogram(a, printed, bounds, PTS_MAX_BOUNDS);
    if (h >= 0) OBSERVE(a, h, 3);
  }
  CHECK_EQUAL(h, PTS_E_CELLS_FULL);
  h = help_series(a, PTS_KIND_VALUE, "v");
  ADD(a, h, 1);
  SET_AT(a, h, 2, 3);
  CHECK(help_value(a, h) == 2);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static int32_t series_of(int32_t a, uint32_t kind, uint32_t name, uint32_t series, uint32_t bounds) {
  static uint8_t text[PTS_MAX_NAME + PTS_MAX_SERIES_TEXT + 2];
  static double some[PTS_MAX_BOUNDS + 1];
  for (uint32_t i = 0; i <= PTS_MAX_BOUNDS; i++) some[i] = i;
  memset(text, 'x', sizeof text);
  pts_series_key key = {.kind = kind, .name_length = name, .series_length = series, .bound_count = bounds};
  return pts_series((uint32_t)a, &key, text, some);
}

static void what_is_too_long_is_refused(void) {
  pair p = open_pair("metrics");
  CHECK_EQUAL(series_of(p.a, PTS_KIND_VALUE, PTS_MAX_NAME + 1, 2000, 0), PTS_E_TOO_LONG);
  CHECK_EQUAL(series_of(p.a, PTS_KIND_VALUE, 1, PTS_MAX_SERIES_TEXT + 1, 0), PTS_E_TOO_LONG);
  CHECK_EQUAL(series_of(p.a, PTS_KIND_HISTOGRAM, 1, 1, PTS_MAX_BOUNDS + 1), PTS_E_TOO_LONG);
  CHECK_EQUAL(series_of(p.a, PTS_KIND_VALUE, 0, 1, 0), PTS_E_INVALID);
  CHECK_EQUAL(series_of(p.a, PTS_KIND_VALUE, 5, 4, 0), PTS_E_INVALID); /* the name is in it */
  CHECK_EQUAL(series_of(p.a, PTS_KIND_VALUE, 1, 1, 1), PTS_E_INVALID);
  CHECK_EQUAL(series_of(p.a, 0, 1, 1, 0), PTS_E_INVALID);
  CHECK_EQUAL(series_of(p.a, PTS_KIND_FAMILY, 1, 1, 0), PTS_E_INVALID);
  pts_series_key key = {.kind = PTS_KIND_ENUM, .name_length = 1, .series_length = 1, .insert_at = UINT32_MAX, .replaces = 2};
  CHECK_EQUAL(pts_series((uint32_t)p.a, &key, (const uint8_t *)"xx", NULL), PTS_E_INVALID);
  key = (pts_series_key){.kind = PTS_KIND_VALUE, .name_length = 1, .series_length = 1, .flags = PTS_SERIES_NO_CREATE};
  CHECK_EQUAL(pts_series((uint32_t)p.a, &key, (const uint8_t *)"xx", NULL), PTS_E_NOT_FOUND);
  CHECK_EQUAL(usage_of(p.a).series_used, 0); /* none of it left anything */
  CHECK(series_of(p.a, PTS_KIND_VALUE, PTS_MAX_NAME, PTS_MAX_SERIES_TEXT, 0) >= 0);
  uint32_t lengths[PTS_PART_STATES] = {PTS_MAX_DECLARATION};
  uint8_t *parts = calloc(1, PTS_MAX_DECLARATION);
  CHECK_EQUAL(pts_declare((uint32_t)p.a, parts, 1, parts, lengths, PTS_PART_STATES), PTS_E_TOO_LONG);
  CHECK_EQUAL(pts_declare((uint32_t)p.a, parts, 1, parts, lengths, PTS_PART_STATES - 1), PTS_E_TOO_LONG);
  CHECK_EQUAL(pts_declare((uint32_t)p.a, parts, 0, parts, lengths, PTS_PART_STATES), PTS_E_INVALID);
  free(parts);
  close_pair(&p);
}

static const test_case tests[] = {
    {"additions of workers add up", additions_of_workers_add_up},
    {"a set value is shared for good", a_set_value_is_shared_for_good},
    {"a timestamp stays until a set without one", a_timestamp_stays_until_a_set_without_one},
    {"numbers print as Prometheus prints them", numbers_print_as_prometheus_prints_them},
    {"an enum shows one state", an_enum_shows_one_state},
    {"live parts merge and leave with their worker", live_parts_merge_and_leave_with_their_worker},
#if TEST_HAS_FORK
    {"a killed worker's part leaves", a_killed_workers_part_leaves},
#endif
    {"observations of workers add up", observations_of_workers_add_up},
    {"every bound is found", every_bound_is_found},
    {"other bounds with the same labels unite", other_bounds_with_the_same_labels_unite},
    {"bounds in disorder are refused", bounds_in_disorder_are_refused},
    {"orders of buckets", orders_of_buckets},
    {"clear drops values and keeps declarations", clear_drops_values_and_keeps_declarations},
    {"what is no handle is refused", what_is_no_handle_is_refused},
    {"a declaration is made once", a_declaration_is_made_once},
    {"a full table refuses new series only", a_full_table_refuses_new_series_only},
    {"a full text leaks no cells", a_full_text_leaks_no_cells},
    {"full cells leave room for small ones", full_cells_leave_room_for_small_ones},
    {"what is too long is refused", what_is_too_long_is_refused},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

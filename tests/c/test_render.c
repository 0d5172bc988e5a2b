/* test_render.c: the order of the exposition against a stupid model, and buffers of any size. */

#include "test_store.h"

typedef struct model_line {
  char name[64], labels[64], printed[160];
  double value;
} model_line;

enum { MOST_LINES = 3000 };
static model_line model[MOST_LINES];
static int model_count;

static int compare_bytes(const char *x, const char *y) {
  size_t a = strlen(x), b = strlen(y);
  int c = memcmp(x, y, a < b ? a : b);
  return c ? c : (a > b) - (a < b);
}

static int compare_model(const void *x, const void *y) {
  const model_line *a = x, *b = y;
  int c = compare_bytes(a->name, b->name);
  return c ? c : compare_bytes(a->labels, b->labels);
}

static void random_word(uint64_t *random, char *word, uint32_t most) {
  static const char letters[] = "aAb_B";
  uint32_t length = 1 + (uint32_t)(help_random(random) % most);
  for (uint32_t i = 0; i < length; i++) word[i] = letters[help_random(random) % 5];
  word[length] = 0;
}

/* A series that the model has not got yet. */
static bool add_random(int32_t a, uint64_t *random) {
  model_line line = {.value = (double)(help_random(random) % 1000)};
  char word[32];
  random_word(random, line.name, 24);
  if (help_random(random) % 4) {
    random_word(random, word, 12);
    snprintf(line.labels, sizeof line.labels, "%s=\"%llx\"", word,
             (unsigned long long)help_random(random) % 100);
  }
  for (int i = 0; i < model_count; i++)
    if (compare_model(&model[i], &line) == 0) return true;
  snprintf(line.printed, sizeof line.printed, line.labels[0] ? "%s{%s}" : "%s%s", line.name, line.labels);
  int32_t h = help_series(a, PTS_KIND_VALUE, line.printed);
  if (h < 0) return false;
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, line.value), 0);
  model[model_count++] = line;
  return true;
}

static void agrees_with_the_model(int32_t a, uint32_t flags) {
  int32_t code;
  char *text = help_render(a, flags, 65536, &code), *at = text;
  qsort(model, (size_t)model_count, sizeof *model, compare_model);
  CHECK(text != NULL);
  for (int i = 0; text && i < model_count; i++) {
    char line[256];
    int length = snprintf(line, sizeof line, "%s %g\n", model[i].printed, model[i].value);
    if (strncmp(at, line, (size_t)length) != 0) {
      fprintf(stderr, "line %d is %.60s..., not %s", i, at, line);
      check_failures++;
      break;
    }
    at += length;
  }
  CHECK(!text || check_failures || *at == 0);
  free(text);
}

/* Series come in rounds, so that orders are made from orders. Two attachments: one looks each time. */
static void series_come_in_order(void) {
  const char *path = in_folder("order");
  uint64_t random = 1;
  int32_t a = help_open(path, 0), b = help_open(path, 0);
  model_count = 0;
  static const int rounds[] = {1, 2, 20, 1, 200, 30, 1};
  for (size_t round = 0; round < sizeof rounds / sizeof *rounds; round++) {
    for (int i = 0; i < rounds[round]; i++) CHECK(add_random(a, &random));
    agrees_with_the_model(a, 0);
    agrees_with_the_model(a, PTS_RENDER_LEXICAL);
  }
  agrees_with_the_model(b, 0);
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void many_series_of_one_family_come_in_order(void) {
  const char *path = in_folder("order");
  char message[1024];
  pts_options options = {.path = path, .max_workers = 2, .capacity = 4 << 20};
  int32_t a = pts_open(&options, message, sizeof message);
  uint64_t random = 2;
  model_count = 0;
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 900; i++) {
      model_line line = {.name = "family", .value = 1};
      snprintf(line.labels, sizeof line.labels, "common_prefix=\"%llu\"",
               (unsigned long long)help_random(&random) % (i % 2 ? 1000 : UINT64_MAX));
      snprintf(line.printed, sizeof line.printed, "family{%s}", line.labels);
      int32_t h = help_series(a, PTS_KIND_VALUE, line.printed);
      if (!isnan(help_value(a, h))) continue;
      CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), 0);
      model[model_count++] = line;
    }
    agrees_with_the_model(a, 0);
  }
  CHECK(model_count > 2000);
  pts_close((uint32_t)a);
  unlink(path);
}

static int32_t quoted_series(int32_t a, const char *name, const char *printed) {
  char text[256];
  snprintf(text, sizeof text, "%s%s", name, printed);
  pts_series_key key = {.kind = PTS_KIND_VALUE,
                        .name_length = (uint32_t)strlen(name),
                        .series_length = (uint32_t)strlen(printed),
                        .flags = PTS_SERIES_QUOTED};
  return pts_series((uint32_t)a, &key, (const uint8_t *)text, NULL);
}

/* One of everything, in a store with room for it. */
static void fill_with_everything(int32_t a) {
  static const double bounds[] = {0.1, 1, 2.5, 10};
  char printed[256];
  help_declare(a, "hist", "{}", "", "# HELP hist Long enough to matter.\n# TYPE hist histogram\n");
  help_declare_enum(a, "state", "# TYPE state gauge\n", "s=\"on\"\ns=\"off\"\ns=\"between\"");
  help_declare(a, "unused", "{}", "", "# TYPE unused counter\n");
  help_declare_type(a, "jobs_total", 'c', "# TYPE jobs_total counter\n", "# TYPE jobs counter\n");
  help_declare_type(a, "runs", 'c', "# HELP runs R.\n", "# TYPE runs counter\n# HELP runs R.\n");
  static const double window[] = {0, 5, 0.5, 0.99};
  help_declare_type(a, "took", 's', "# TYPE took summary\n", "# TYPE took summary\n");
  for (int i = 0; i < 2; i++) {
    snprintf(printed, sizeof printed, "took{n=\"%d\"}", i);
    int32_t h = help_summary(a, printed, window, 4);
    CHECK_EQUAL(pts_observe_at((uint32_t)a, (uint32_t)h, i, 1000), 0);
  }
  for (int i = 0; i < 20; i++) {
    snprintf(printed, sizeof printed, "hist{path=\"/%d\"}", i % 10);
    int32_t h = help_histogram(a, printed, bounds, i % 2 ? 4 : 3);
    CHECK_EQUAL(pts_observe((uint32_t)a, (uint32_t)h, i), 0);
    snprintf(printed, sizeof printed, "value{label_%d=\"%0*d\"}", i, i * 5, 0);
    h = help_series(a, PTS_KIND_VALUE, printed);
    CHECK_EQUAL(i % 3 ? pts_set_at((uint32_t)a, (uint32_t)h, i / 7.0, 1e12 + i) : pts_add((uint32_t)a, (uint32_t)h, i), 0);
    snprintf(printed, sizeof printed, "%s{n=\"%d\"}", i % 2 ? "jobs_total" : "runs", i);
    h = help_series(a, PTS_KIND_VALUE, printed);
    CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, i), 0);
    snprintf(printed, sizeof printed, "{\"q.%d\",\"l l\"=\"%d\",m=\"1\"}", i % 3, i);
    h = quoted_series(a, i % 3 == 0 ? "q.0" : i % 3 == 1 ? "q.1" : "q.2", printed);
    CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, i), 0);
    snprintf(printed, sizeof printed, "state{n=\"%d\"}", i);
    h = help_series(a, PTS_KIND_ENUM, printed);
    CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)h, i % 4 - 1), 0);
  }
  pts_dropped((uint32_t)a);
}

static void small_buffers_make_the_same_text(void) {
  const char *path = in_folder("chunks");
  int32_t a = help_open(path, 0), code;
  fill_with_everything(a);
  static const uint32_t all_flags[] = {
      0,
      PTS_RENDER_LEXICAL,
      PTS_RENDER_ESCAPE_UNDERSCORES,
      PTS_RENDER_ESCAPE_DOTS | PTS_RENDER_LEXICAL,
      PTS_RENDER_OPENMETRICS,
      PTS_RENDER_OPENMETRICS | PTS_RENDER_CREATED | PTS_RENDER_ESCAPE_VALUES};
  for (size_t f = 0; f < sizeof all_flags / sizeof *all_flags; f++) {
    uint32_t flags = all_flags[f];
    char *whole = help_render(a, flags, 1 << 20, &code);
    bool ends = flags & PTS_RENDER_OPENMETRICS;
    CHECK_EQUAL(whole && strstr(whole, "\n# EOF\n") != NULL, ends);
    CHECK(whole && strlen(whole) > 5000);
    uint32_t sizes = 0;
    for (uint32_t chunk = 1; chunk < 700; chunk += 1 + chunk / 40) {
      char *text = help_render(a, flags, chunk, &code);
      if (!text) CHECK_EQUAL(code, PTS_E_TOO_SMALL);
      if (!text) continue;
      CHECK(whole && strcmp(text, whole) == 0);
      sizes++;
      free(text);
    }
    CHECK(sizes > 5);
    free(whole);
  }
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* Whoever was told TOO_SMALL goes on with a larger buffer, and no line is lost or comes twice. */
static void too_small_a_buffer_can_grow(void) {
  const char *path = in_folder("grow");
  int32_t a = help_open(path, 0), code;
  fill_with_everything(a);
  char *whole = help_render(a, 0, 1 << 20, &code), *text = calloc(1, strlen(whole) + 1000);
  uint8_t buffer[2000];
  uint32_t size = 1, length = 0, refusals = 0;
  int32_t render = pts_render_open((uint32_t)a, 0, 0), n;
  while ((n = pts_render_next((uint32_t)a, (uint32_t)render, buffer, size)) != 0) {
    if (n < 0) {
      CHECK_EQUAL(n, PTS_E_TOO_SMALL);
      if (n != PTS_E_TOO_SMALL || size == sizeof buffer) break;
      size++;
      refusals++;
      continue;
    }
    CHECK(buffer[n - 1] == '\n'); /* whole lines */
    memcpy(text + length, buffer, (size_t)n);
    length += (uint32_t)n;
  }
  CHECK(refusals > 50);
  CHECK_EQUAL(strcmp(text, whole), 0);
  CHECK_EQUAL(pts_render_close((uint32_t)a, (uint32_t)render), 0);
  free(text);
  free(whole);
  pts_close((uint32_t)a);
  unlink(path);
}

static void quoted_names_are_printed_in_braces(void) {
  const char *path = in_folder("quoted");
  static const double bounds[] = {1};
  int32_t a = help_open(path, 0), code;
  static const char *const series[][2] = {{"a.b", "{\"a.b\"}"},
                                          {"a.b", "{\"a.b\",x=\"1\"}"},
                                          {"a\"b", "{\"a\\\"b\",x=\"}\"}"},
                                          {"a\"b", "{\"a\\\"b\"}"}};
  for (int i = 3; i >= 0; i--) {
    int32_t h = quoted_series(a, series[i][0], series[i][1]);
    CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, i), 0);
  }
  pts_series_key key = {.kind = PTS_KIND_HISTOGRAM,
                        .name_length = 3,
                        .series_length = 12,
                        .insert_at = 11,
                        .bound_count = 1,
                        .flags = PTS_SERIES_QUOTED};
  int32_t h = pts_series((uint32_t)a, &key, (const uint8_t *)"h.h{\"h.h\",y=\"\"}", bounds);
  CHECK_EQUAL(pts_observe((uint32_t)a, (uint32_t)h, 1), 0);
  char *text = help_render(a, 0, 4096, &code);
  CHECK(text && strcmp(text, "{\"a\\\"b\"} 3\n{\"a\\\"b\",x=\"}\"} 2\n{\"a.b\"} 0\n{\"a.b\",x=\"1\"} 1\n"
                             "{\"h.h_bucket\",y=\"\",le=\"1\"} 1\n{\"h.h_bucket\",y=\"\",le=\"+Inf\"} 1\n"
                             "{\"h.h_count\",y=\"\"} 1\n{\"h.h_sum\",y=\"\"} 1\n") == 0);
  if (check_failures) fprintf(stderr, "%s\n", text);
  free(text);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void flags_that_exclude_each_other_are_refused(void) {
  const char *path = in_folder("flags");
  int32_t a = help_open(path, 0);
  static const uint32_t wrong[] = {PTS_RENDER_ESCAPE_UNDERSCORES | PTS_RENDER_ESCAPE_DOTS,
                                   PTS_RENDER_ESCAPE_VALUES | PTS_RENDER_ESCAPE_DOTS,
                                   PTS_RENDER_ESCAPES, 128, 1u << 31};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    CHECK_EQUAL(pts_render_open((uint32_t)a, wrong[i], 0), PTS_E_INVALID);
  pts_close((uint32_t)a);
  unlink(path);
}

static void only_wanted_names_are_printed(void) {
  const char *path = in_folder("only");
  int32_t a = help_open(path, 0);
  fill_with_everything(a);
  static const uint32_t lengths[] = {6, 10, 1};
  const uint8_t *names = (const uint8_t *)"unusedhist_counts";
  uint8_t buffer[65536];
  int32_t r = pts_render_open((uint32_t)a, 0, 0);
  CHECK_EQUAL(pts_render_only((uint32_t)a, (uint32_t)r + 1, names, lengths, 3), PTS_E_INVALID);
  CHECK_EQUAL(pts_render_only((uint32_t)a, (uint32_t)r, names, lengths, 3), 0);
  CHECK_EQUAL(pts_render_only((uint32_t)a, (uint32_t)r, names, lengths, 3), PTS_E_INVALID);
  int32_t n = pts_render_next((uint32_t)a, (uint32_t)r, buffer, sizeof buffer - 1);
  CHECK(n > 0);
  buffer[n > 0 ? n : 0] = 0;
  CHECK(strstr((char *)buffer, "# TYPE unused counter\n"));
  CHECK(strstr((char *)buffer, "\nhist_count{"));
  CHECK(strstr((char *)buffer, "\nhist_bucket{"));
  CHECK(!strstr((char *)buffer, "state") && !strstr((char *)buffer, "value"));
  CHECK_EQUAL(pts_render_only((uint32_t)a, (uint32_t)r, names, lengths, 3), PTS_E_INVALID);
  pts_render_close((uint32_t)a, (uint32_t)r);
  r = pts_render_open((uint32_t)a, 0, 0);
  CHECK_EQUAL(pts_render_only((uint32_t)a, (uint32_t)r, names, lengths, 0), 0);
  CHECK_EQUAL(pts_render_next((uint32_t)a, (uint32_t)r, buffer, sizeof buffer), 0);
  pts_close((uint32_t)a);
  CHECK_EQUAL(pts_render_only((uint32_t)a, (uint32_t)r, names, lengths, 0), PTS_E_CLOSED);
  unlink(path);
}

static void renders_are_limited_and_given_back(void) {
  const char *path = in_folder("renders");
  int32_t a = help_open(path, 0), opened[PTS_RENDERS];
  for (int i = 0; i < PTS_RENDERS; i++) CHECK((opened[i] = pts_render_open((uint32_t)a, 0, 0)) >= 0);
  CHECK_EQUAL(pts_render_open((uint32_t)a, 0, 0), PTS_E_TOO_MANY);
  CHECK_EQUAL(pts_render_close((uint32_t)a, (uint32_t)opened[3]), 0);
  CHECK_EQUAL(pts_render_close((uint32_t)a, (uint32_t)opened[3]), PTS_E_INVALID);
  CHECK_EQUAL(pts_render_open((uint32_t)a, 0, 0), opened[3]);
  pts_close((uint32_t)a); /* frees what is open */
  unlink(path);
}

static const test_case tests[] = {
    {"series come in order", series_come_in_order},
    {"many series of one family come in order", many_series_of_one_family_come_in_order},
    {"small buffers make the same text", small_buffers_make_the_same_text},
    {"too small a buffer can grow", too_small_a_buffer_can_grow},
    {"quoted names are printed in braces", quoted_names_are_printed_in_braces},
    {"flags that exclude each other are refused", flags_that_exclude_each_other_are_refused},
    {"only wanted names are printed", only_wanted_names_are_printed},
    {"renders are limited and given back", renders_are_limited_and_given_back},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

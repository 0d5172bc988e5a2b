/* test_cache.h: what the tests of the cache share. Each program includes it once. */
#ifndef TEST_CACHE_H
#define TEST_CACHE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "points.h"
#include "process.h"
#include "store_help.h"

#if TEST_HAS_FORK
#include <sys/wait.h>
#endif

#define NOW 1700000000u

static int check_failures; /* of the test that runs */

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                    \
      check_failures++;                                                                            \
    }                                                                                              \
  } while (0)

#define CHECK_EQUAL(actual, expected)                                                              \
  do {                                                                                             \
    long long a_ = (long long)(actual), e_ = (long long)(expected);                                \
    if (a_ != e_) {                                                                                \
      fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #actual, a_, e_);       \
      check_failures++;                                                                            \
    }                                                                                              \
  } while (0)

typedef struct test_case {
  const char *name;
  void (*run)(void);
} test_case;

static char test_folder[256];

static inline const char *in_folder(const char *name) {
  static _Thread_local char paths[4][512];
  static _Thread_local unsigned next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", test_folder, name);
  return path;
}

/* Returns main's result. Every test's files live in one folder, which is gone afterwards. */
static inline int run_tests(const test_case *tests, size_t count) {
  if (!help_make_folder(test_folder, sizeof test_folder)) return 1;
  int failed = 0;
  for (size_t i = 0; i < count; i++) {
    check_failures = 0;
    tests[i].run();
    if (check_failures == 0) continue;
    fprintf(stderr, "FAILED: %s\n", tests[i].name);
    failed++;
  }
  help_remove_folder(test_folder);
  printf("%d passed, %d failed\n", (int)count - failed, failed);
  return failed == 0 ? 0 : 1;
}

/* A cache of that shape; the test ends the program if there can be none. */
static inline uint32_t open_cache(const char *name, uint32_t flags, uint32_t num_pages,
                                  uint32_t page_size, uint32_t start_slots) {
  char message[1024];
  pts_cache_options options = {.path = in_folder(name),
                               .flags = flags | PTS_CACHE_COUNT_READS,
                               .num_pages = num_pages,
                               .page_size = page_size,
                               .start_slots = start_slots};
  int32_t c = pts_cache_open(&options, message, sizeof message);
  if (c < 0) {
    fprintf(stderr, "cannot open %s: %d %s\n", name, c, message);
    exit(1);
  }
  return (uint32_t)c;
}

static inline const uint8_t *bytes(const char *text) { return (const uint8_t *)text; }

static inline int32_t set_text(uint32_t c, const char *key, const char *value, uint32_t now) {
  return pts_cache_set(c, bytes(key), (uint32_t)strlen(key), bytes(value), (uint32_t)strlen(value),
                       now, 0, 0, NULL);
}

/* The value as text, or NULL. */
static inline const char *get_text(uint32_t c, const char *key, uint32_t now) {
  static char value[4096];
  int32_t n = pts_cache_get(c, bytes(key), (uint32_t)strlen(key), now, 0, (uint8_t *)value,
                            sizeof value - 1, NULL);
  if (n < 0 || n >= (int32_t)sizeof value) return NULL;
  value[n] = 0;
  return value;
}

static inline bool same_text(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

#define CHECK_TEXT(actual, expected)                                                               \
  do {                                                                                             \
    const char *a_ = (actual), *e_ = (expected);                                                   \
    if (!same_text(a_, e_)) {                                                                      \
      fprintf(stderr, "%s:%d: %s is %s, not %s\n", __FILE__, __LINE__, #actual, a_ ? a_ : "none",  \
              e_ ? e_ : "none");                                                                   \
      check_failures++;                                                                            \
    }                                                                                              \
  } while (0)

/* Every invariant of every page. */
static inline int32_t findings(uint32_t c) {
  char report[1024];
  int32_t n = pts_cache_check(c, report, sizeof report);
  if (n > 0) fprintf(stderr, "%s", report);
  return n;
}

static inline pts_cache_statistics statistics(uint32_t c) {
  pts_cache_statistics s;
  CHECK_EQUAL(pts_cache_statistics_read(c, 0, &s), 0);
  return s;
}

/* Numbers that are the same in every run. */
static uint64_t random_state;
static inline uint32_t random_below(uint32_t limit) {
  random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)((random_state >> 33) % limit);
}

#endif

/* test_platform.h: what the tests of platform.h share. Each program includes it once. */
#ifndef TEST_PLATFORM_H
#define TEST_PLATFORM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform.h"
#include "pts.h"

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
      char words_[128];                                                                            \
      pts_os_detail(words_, sizeof words_);                                                        \
      fprintf(stderr, "%s:%d: %s is %lld, not %lld (last failure: %s)\n", __FILE__, __LINE__,      \
              #actual, a_, e_, words_);                                                            \
      check_failures++;                                                                            \
    }                                                                                              \
  } while (0)

typedef struct test_case {
  const char *name;
  void (*run)(void);
} test_case;

/* Returns main's result. */
static int run_tests(const test_case *tests, size_t count) {
  int failed = 0;
  for (size_t i = 0; i < count; i++) {
    check_failures = 0;
    tests[i].run();
    if (check_failures == 0) continue;
    fprintf(stderr, "FAILED: %s\n", tests[i].name);
    failed++;
  }
  printf("%d passed, %d failed\n", (int)count - failed, failed);
  return failed == 0 ? 0 : 1;
}

/* A path in the test's own folder, in one of a few buffers that are used in turn. */
static char test_folder[PTS_PATH_MAX - 256];

static const char *in_folder(const char *name) {
  static char paths[8][PTS_PATH_MAX];
  static unsigned next;
  char *path = paths[next++ % 8];
  snprintf(path, PTS_PATH_MAX, "%s/%s", test_folder, name);
  return path;
}

/* An empty file of that name, open: by its name, as some systems no longer tell the device of what was
 * opened by another. */
static inline pts_fd make_file(const char *path) {
  char temp[PTS_PATH_MAX];
  pts_fd fd = PTS_NO_FD;
  CHECK_EQUAL(pts_os_create(path, 0600, &fd, temp), 0);
  CHECK_EQUAL(pts_os_publish(fd, temp, path, false), 0);
  pts_os_close(fd);
  CHECK_EQUAL(pts_os_open(path, &fd), 0);
  return fd;
}

/* In the folder that TEST_FOLDER names, or the private one. */
static inline int run_tests_in_folder(const test_case *tests, size_t count) {
  const char *chosen = getenv("TEST_FOLDER");
  bool fell_back;
  if (chosen != NULL) {
    snprintf(test_folder, sizeof test_folder, "%s", chosen);
  } else if (pts_os_private_folder(0, test_folder, sizeof test_folder, &fell_back) != 0) {
    fprintf(stderr, "no private folder\n");
    return 1;
  }
  return run_tests(tests, count);
}

#endif

/* test_store.h: checks that several programs of the store's tests make. Each includes it once. */
#ifndef TEST_STORE_H
#define TEST_STORE_H

#define _GNU_SOURCE
#include "test_platform.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "atomics.h"
#include "metrics.h"
#include "process.h"
#include "store_help.h"

#if TEST_HAS_FORK
#include <sys/wait.h>
#endif

static inline pts_usage usage_of(int32_t attachment) {
  pts_usage usage = {0};
  CHECK_EQUAL(pts_usage_read((uint32_t)attachment, &usage), 0);
  return usage;
}

#define ADD(a, h, amount) CHECK_EQUAL(pts_add((uint32_t)(a), (uint32_t)(h), amount), 0)
#define SET(a, h, value) CHECK_EQUAL(pts_set((uint32_t)(a), (uint32_t)(h), value), 0)
#define REMOVE(a, h) CHECK_EQUAL(pts_remove((uint32_t)(a), (uint32_t)(h)), 0)

/* Two workers of one new store; b is negative once it was closed. */
typedef struct pair {
  const char *path;
  int32_t a, b;
} pair;

static inline pair open_pair(const char *name) {
  pair p = {.path = in_folder(name)};
  unlink(p.path);
  p.a = help_open(p.path, 0);
  p.b = help_open(p.path, 0);
  CHECK(p.a >= 0 && p.b >= 0);
  return p;
}

static inline void close_pair(const pair *p) {
  CHECK_EQUAL(help_check(p->path, 0, 0), 0); /* beside the living */
  pts_close((uint32_t)p->a);
  if (p->b >= 0) pts_close((uint32_t)p->b);
  CHECK_EQUAL(help_check(p->path, 0, 0), 0);
  unlink(p->path);
}

static inline int open_descriptors(void) {
  int count = 0;
  DIR *entries = opendir("/proc/self/fd");
  if (!entries) return -1;
  while (readdir(entries)) count++;
  closedir(entries);
  return count;
}

static inline uint64_t inode_of(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static inline void refused(const char *path, int32_t code, const char *word) {
  char message[1024] = "";
  int descriptors = open_descriptors();
  CHECK_EQUAL(help_open_quietly(path, 0, message, sizeof message), code);
  CHECK(strstr(message, word) && strstr(message, path));
  if (!strstr(message, word)) fprintf(stderr, "the message is: %s\n", message);
  CHECK_EQUAL(open_descriptors(), descriptors);
}

static inline void write_file(const char *path, const void *bytes, size_t length) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(fd >= 0 && write(fd, bytes, length) == (ssize_t)length);
  close(fd);
}

static inline void make_closed(const char *path) {
  int32_t a = help_open(path, PTS_OPEN_INIT);
  int32_t h = help_series(a, PTS_KIND_VALUE, "kept");
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), 0);
  pts_close((uint32_t)a);
}

/* A folder of this run's own, the tests, and nothing left. Returns main's result. */
static inline int run_store_tests(const test_case *tests, size_t count) {
  if (!help_make_folder(test_folder, sizeof test_folder)) return 1;
  int result = run_tests(tests, count);
  help_remove_folder(test_folder);
  return result;
}

#endif

/*
 * What a cache takes of the file system, and what happens when that has no more.
 */
#define _GNU_SOURCE /* unshare */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>

#include "test_cache.h"

enum { SKIPPED = 77 };

static uint8_t buffer[1 << 18];

static uint64_t allocated(uint32_t c) {
  pts_cache_shape shape;
  CHECK_EQUAL(pts_cache_shape_read(c, &shape), 0);
  return shape.allocated_bytes;
}

/* Every kind of look at pages that were never used. */
static void look_everywhere(uint32_t c) {
  for (uint32_t page = 0; page < 89; page++)
    CHECK(pts_cache_page(c, page, NOW, PTS_CACHE_EXPIRED_TOO, buffer, sizeof buffer) >= 0);
  for (uint32_t i = 0; i < 200; i++) {
    char key[16];
    uint32_t length = (uint32_t)snprintf(key, sizeof key, "nowhere%u", i);
    CHECK_EQUAL(pts_cache_get(c, bytes(key), length, NOW, 0, buffer, 100, NULL), PTS_E_NOT_FOUND);
    CHECK_EQUAL(pts_cache_remove(c, bytes(key), length, 0, NULL), 0);
    CHECK_EQUAL(pts_cache_take(c, bytes(key), length, NOW, 0, buffer, 100, NULL), PTS_E_NOT_FOUND);
    CHECK(pts_cache_lock(c, bytes(key), length) >= 0);
    CHECK_EQUAL(pts_cache_victims(c, PTS_CACHE_ALL, NOW, buffer, sizeof buffer), 0);
    CHECK_EQUAL(pts_cache_unlock(c), 0);
  }
  statistics(c);
  CHECK_EQUAL(findings(c), 0);
}

static void only_used_pages_are_allocated(void) {
  uint32_t c = open_cache("lazy", 0, 89, 65536, 0);
  uint64_t empty = allocated(c);
  CHECK(empty <= 256 << 10);
  look_everywhere(c);
  CHECK_EQUAL(pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_ALL, NOW, 0), 0);
  CHECK_EQUAL(allocated(c), empty);
  memset(buffer, 'x', 70000);
  CHECK_EQUAL(pts_cache_set(c, bytes("k"), 1, buffer, 70000, NOW, 0, 0, NULL), PTS_CACHE_TOO_LARGE);
  CHECK_EQUAL(allocated(c), empty);
  CHECK_EQUAL(set_text(c, "k", "v", NOW), PTS_CACHE_STORED);
  CHECK(allocated(c) <= empty + (128 << 10) + 8192);
  pts_cache_close(c);
}

/* Sets of 100 KB under so many keys in turn, so that pages are reorganised; how many are stored. */
static uint32_t set_large(uint32_t c, uint32_t keys, uint32_t count) {
  uint32_t stored = 0;
  memset(buffer, 'x', 100000);
  for (uint32_t i = 0; i < count; i++) {
    char key[16];
    uint32_t length = (uint32_t)snprintf(key, sizeof key, "large%u", i % keys);
    int32_t r = pts_cache_set(c, bytes(key), length, buffer, 100000, NOW, 0, 0, NULL);
    CHECK(r == PTS_CACHE_STORED || r == PTS_E_NO_SPACE);
    stored += r == PTS_CACHE_STORED;
  }
  return stored;
}

static void a_large_page_is_allocated_as_it_fills(void) {
  uint32_t c = open_cache("steps", 0, 1, 1 << 30, 0);
  CHECK_EQUAL(set_text(c, "k", "v", NOW), PTS_CACHE_STORED);
  CHECK(allocated(c) <= 3 << 20);
  CHECK_EQUAL(set_large(c, 50, 50), 50);
  CHECK(allocated(c) >= 10 << 20 && allocated(c) <= 13 << 20);
  CHECK_EQUAL(pts_cache_expunge(c, 0, PTS_CACHE_ALL, NOW, 0), 51);
  CHECK_EQUAL(set_large(c, 20, 40), 40);
  CHECK(allocated(c) <= 13 << 20);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
  c = open_cache("turns", 0, 1, 3 << 20, 0);
  CHECK_EQUAL(set_large(c, 20, 500), 500);
  CHECK(statistics(c).reorganised > 10);
  CHECK(allocated(c) <= 7 << 20);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

/* ---- a file system that is full -------------------------------------------------------------- */

/* A tmpfs of the child's own on the test folder; it goes with the child. */
static void in_tmpfs(const char *what, const char *how, void (*run)(void)) {
  pid_t pid = fork();
  if (pid == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", test_folder, "tmpfs", 0, how) != 0)
      _exit(SKIPPED);
    run();
    _exit(check_failures == 0 ? 0 : 1);
  }
  int status;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
    printf("skipped, this user may not mount: %s\n", what);
  else
    CHECK_EQUAL(status, 0); /* and no SIGBUS */
}

static void take_all_space(const char *path) {
  static const char block[4096];
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  while (write(fd, block, sizeof block) > 0) continue;
  close(fd);
}

static void fill_until_no_space(void) {
  uint32_t c = open_cache("full", 0, 89, 65536, 0), other = open_cache("full", 0, 0, 0, 0);
  char key[200][12];
  bool stored[200] = {false};
  uint32_t refused = 0;
  for (uint32_t i = 0; i < 200; i++) {
    snprintf(key[i], sizeof key[i], "key%u", i);
    int32_t r = set_text(c, key[i], "value", NOW);
    CHECK(r == PTS_CACHE_STORED || r == PTS_E_NO_SPACE);
    stored[i] = r == PTS_CACHE_STORED;
    refused += !stored[i];
  }
  CHECK(refused > 0 && refused < 200);
  CHECK_EQUAL(statistics(c).refused, refused);
  take_all_space(in_folder("ballast"));
  for (uint32_t i = 0; i < 200; i++)
    CHECK_TEXT(get_text(other, key[i], NOW), stored[i] ? "value" : NULL);
  look_everywhere(other);
  /* Pages that are there go on, through reorganisations. */
  memset(buffer, 'x', 500);
  for (uint32_t round = 0; round < 30000; round++) {
    uint32_t i = round % 200;
    int32_t r = pts_cache_set(c, bytes(key[i]), (uint32_t)strlen(key[i]), buffer, 500, NOW, 0, 0,
                              NULL);
    CHECK(r == PTS_CACHE_STORED || !stored[i]);
  }
  CHECK(statistics(c).reorganised > 0);
  unlink(in_folder("ballast"));
  for (uint32_t i = 0; i < 200 && stored[i]; i++)
    CHECK_EQUAL(set_text(c, key[i], "again", NOW), PTS_CACHE_STORED);
  CHECK_EQUAL(findings(c), 0);
}

static void a_full_file_system_refuses_new_pages(void) {
  in_tmpfs("full", "size=2m", fill_until_no_space);
}

static void fill_a_large_page(void) {
  uint32_t c = open_cache("large", 0, 1, 16 << 20, 0);
  uint32_t stored = set_large(c, 1000, 200);
  CHECK(stored > 10 && stored < 100);
  CHECK_EQUAL(statistics(c).entries, stored);
  /* Nothing more is allocated than what entries are in. */
  CHECK_EQUAL(set_text(c, "small", "value", NOW), PTS_CACHE_STORED);
  CHECK_TEXT(get_text(c, "small", NOW), "value");
  take_all_space(in_folder("ballast"));
  CHECK(pts_cache_expunge(c, 0, PTS_CACHE_EXPIRED, NOW, 0) >= 0);
  CHECK(pts_cache_expunge(c, 0, PTS_CACHE_ALL, NOW, 0) > 10);
  CHECK(set_large(c, 1000, 10) == 10);
  CHECK_EQUAL(findings(c), 0);
}

static void a_full_file_system_stops_a_large_page(void) {
  in_tmpfs("large", "size=6m", fill_a_large_page);
}

static void open_without_space(void) {
  char message[1024];
  take_all_space(in_folder("ballast"));
  pts_cache_options options = {.path = in_folder("none")};
  CHECK_EQUAL(pts_cache_open(&options, message, sizeof message), PTS_E_NO_SPACE);
  CHECK(strstr(message, "none") && strstr(message, "free some space"));
  CHECK(access(in_folder("none"), F_OK) != 0);
  unlink(in_folder("ballast"));
  CHECK(pts_cache_open(&options, message, sizeof message) >= 0);
}

static void no_space_for_a_new_file_is_told(void) {
  in_tmpfs("none", "size=1m", open_without_space);
}

int main(void) {
#define TEST(name) {#name, name}
  static const test_case tests[] = {
      TEST(only_used_pages_are_allocated),
      TEST(a_large_page_is_allocated_as_it_fills),
      TEST(a_full_file_system_refuses_new_pages),
      TEST(a_full_file_system_stops_a_large_page),
      TEST(no_space_for_a_new_file_is_told),
  };
  return run_tests(tests, sizeof tests / sizeof *tests);
}

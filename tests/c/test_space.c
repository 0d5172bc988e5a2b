/* test_space.c: space and descriptors: what is allocated when, and what happens when there is none. */

#include "test_store.h"

#include <sys/resource.h>

/* ---- space ---------------------------------------------------------------------------------------------- */

static void only_what_is_used_is_allocated(void) {
  const char *path = in_folder("space");
  int32_t a = help_open(path, 0);
  uint64_t empty = help_allocated(path);
  CHECK(empty <= 8 * PTS_STEP);
  int32_t h = help_series(a, PTS_KIND_VALUE, "one");
  uint64_t declared = help_allocated(path);
  CHECK(declared <= empty + 3 * PTS_STEP + 8192); /* records, their times, text */
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), 0);
  CHECK(help_allocated(path) <= declared + PTS_STEP + 4096);
  pts_close((uint32_t)a);
  unlink(path);
}

/* Every kind of look at a store, also at what is not there. */
static void reading_allocates_nothing(void) {
  const char *path = in_folder("reading");
  int32_t a = help_open(path, 0), b = help_open(path, 0), code;
  static const double bounds[] = {1, 2};
  int32_t added = help_series(a, PTS_KIND_VALUE, "added");
  int32_t untouched[3] = {help_series(b, PTS_KIND_VALUE, "v"), help_series(b, PTS_KIND_LIVE, "l"),
                          help_histogram(b, "h", bounds, 2)};
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)added, 1), 0);
  uint64_t before = help_allocated(path);
  for (int i = 0; i < 3; i++) CHECK(isnan(help_value(b, untouched[i])));
  CHECK(help_value(b, help_series(b, PTS_KIND_VALUE, "added")) == 1);
  free(help_render(b, 0, 4096, &code));
  free(help_render(b, PTS_RENDER_LEXICAL, 4096, &code));
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  CHECK_EQUAL(help_allocated(path), before);
  for (int i = 0; i < 3; i++) CHECK_EQUAL(pts_remove((uint32_t)b, (uint32_t)untouched[i]), 0);
  CHECK_EQUAL(pts_clear((uint32_t)b), 0);
  CHECK_EQUAL(help_allocated(path), before);
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
  CHECK_EQUAL(help_check(path, PTS_CHECK_REPAIR, 0), 0);
  CHECK_EQUAL(help_allocated(path), before);
  unlink(path);
}

static void limit_and_open(void *path) {
  struct rlimit limit = {256 << 10, 256 << 10};
  setrlimit(RLIMIT_FSIZE, &limit);
  refused(path, PTS_E_FILE_LIMIT, "ulimit -f");
  CHECK_EQUAL(inode_of(path), 0);
  _exit(check_failures == 0 ? 0 : 1);
}

static void limit_and_update(void *path) {
  struct rlimit limit = {256 << 10, 256 << 10};
  setrlimit(RLIMIT_FSIZE, &limit);
  int32_t a = help_open(path, 0);
  int32_t h = help_series(a, PTS_KIND_VALUE, "added");
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), 0);
  CHECK(help_value(a, h) == 1);
  _exit(check_failures == 0 ? 0 : 1);
}

static void a_file_limit_raises_no_signal(void) {
  const char *path = in_folder("limited");
  CHECK_EQUAL(help_in_child(limit_and_open, (void *)(uintptr_t)path), 0);
  make_closed(path); /* within its size the file may be used all the same */
  CHECK_EQUAL(help_in_child(limit_and_update, (void *)(uintptr_t)path), 0);
  unlink(path);
}

static void open_without_descriptors(void *path) {
  make_closed(path);
  struct rlimit limit;
  int used = open_descriptors(), failures = 0;
  int lowest = dup(0);
  close(lowest);
  for (rlim_t more = 0; more < 3; more++) {
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t)lowest + more;
    setrlimit(RLIMIT_NOFILE, &limit);
    char message[1024] = "";
    int32_t code = help_open_quietly(path, 0, message, sizeof message);
    if (code >= 0) {
      pts_close((uint32_t)code);
    } else {
      failures++;
      CHECK_EQUAL(code, PTS_E_NO_DESCRIPTORS);
      CHECK(strstr(message, "ulimit -n") != NULL);
    }
  }
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  CHECK_EQUAL(open_descriptors(), used);
  CHECK(failures > 0);
  _exit(check_failures == 0 ? 0 : 1);
}

static void too_few_descriptors_are_told(void) {
  const char *path = in_folder("descriptors");
  CHECK_EQUAL(help_in_child(open_without_descriptors, (void *)(uintptr_t)path), 0);
  unlink(path);
}

/* ---- file systems that are full, read-only, or somebody else's ------------------------------------------- */

enum { SKIPPED = 77 };

/* A tmpfs of this process's own on the test folder; it goes with the process. */
static void mount_tmpfs(const char *how) {
  if (!help_mount_tmpfs(test_folder, how)) _exit(SKIPPED);
}

static void in_tmpfs(const char *what, void (*run)(void *context)) {
  int status = help_in_child(run, NULL);
  if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
    printf("skipped, this user may not mount: %s\n", what);
  else
    CHECK_EQUAL(status, 0); /* no SIGBUS */
}

static int32_t open_large(const char *path, char *message) {
  pts_options options = {.path = path, .max_workers = 4, .capacity = 1 << 20};
  return pts_open(&options, message, 1024);
}

enum { MOST_SERIES = 4096 };

static int32_t filler(int32_t a, int n) {
  char printed[500];
  snprintf(printed, sizeof printed, "filler{n=\"%04d%0*d\"}", n, 400, 0);
  return help_series(a, PTS_KIND_VALUE, printed);
}

/* New series with one update each, until there is no room. Returns how many were acknowledged. */
static int fill_store(int32_t a, int32_t *handles, int from, int32_t *code) {
  int n = from;
  for (*code = 0; n < MOST_SERIES; n++) {
    handles[n] = filler(a, n);
    *code = handles[n] < 0 ? handles[n] : pts_add((uint32_t)a, (uint32_t)handles[n], n);
    if (*code != 0) break;
  }
  return n;
}

static void nothing_is_lost(int32_t a, const int32_t *handles, int count, double more) {
  int wrong = 0;
  for (int n = 0; n < count; n++) wrong += help_value(a, handles[n]) != n + more;
  CHECK_EQUAL(wrong, 0);
}

static int lines_in(int32_t a) {
  int32_t code;
  char *text = help_render(a, 0, 4096, &code);
  int lines = 0;
  CHECK_EQUAL(code, 0);
  for (const char *p = text; p && *p; p++) lines += *p == '\n';
  free(text);
  return lines;
}

/* Takes all that is left; unlinking gives it back. */
static void take_all_space(const char *path) {
  static const char bytes[4096];
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  while (write(fd, bytes, sizeof bytes) > 0) continue;
  close(fd);
}

static void overflow(void *context) {
  (void)context;
  static int32_t handles[MOST_SERIES];
  char message[1024];
  int32_t code;
  mount_tmpfs("size=1m");
  const char *path = in_folder("full"), *ballast = in_folder("ballast");
  int32_t a = open_large(path, message);
  CHECK(a >= 0);
  take_all_space(ballast);
  int none = fill_store(a, handles, 0, &code);
  CHECK_EQUAL(code, PTS_E_NO_SPACE);
  CHECK_EQUAL(none, 0);
  CHECK_EQUAL(lines_in(a), 0);
  unlink(ballast);

  int count = fill_store(a, handles, 0, &code);
  CHECK_EQUAL(code, PTS_E_NO_SPACE);
  CHECK(count > 500);
  take_all_space(ballast); /* what is left of the last step, too */
  CHECK_EQUAL(fill_store(a, handles, count, &code), count);
  nothing_is_lost(a, handles, count, 0);
  CHECK_EQUAL(lines_in(a), count);
  for (int n = 0; n < count; n++) CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)handles[n], 1), 0);
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)handles[1], 9), PTS_E_NO_SPACE); /* of shard 0 */
  CHECK_EQUAL(pts_set_at((uint32_t)a, (uint32_t)handles[1], 9, 1), PTS_E_NO_SPACE);
  nothing_is_lost(a, handles, count, 1);

  int32_t b = open_large(path, message); /* another worker: no room for a shard of its own */
  CHECK(b >= 0);
  CHECK_EQUAL(filler(b, MOST_SERIES), PTS_E_NO_SPACE);
  int32_t h = filler(b, 3);
  CHECK_EQUAL(h, handles[3]);
  CHECK_EQUAL(pts_add((uint32_t)b, (uint32_t)h, 1), PTS_E_NO_SPACE);
  CHECK_EQUAL(pts_dropped((uint32_t)b), 0);
  CHECK_EQUAL(usage_of(a).dropped_updates, 1);
  CHECK(help_value(b, h) == 4);
  CHECK_EQUAL(lines_in(b), count + 3);
  CHECK_EQUAL(help_check(path, 0, 0), 0);

  unlink(ballast); /* room again: everything goes on */
  CHECK(help_remount(test_folder, false, "size=2m"));
  CHECK_EQUAL(pts_add((uint32_t)b, (uint32_t)h, -1), 0);
  CHECK(help_value(a, h) == 3);
  CHECK_EQUAL(pts_add((uint32_t)b, (uint32_t)h, 1), 0);
  nothing_is_lost(a, handles, count, 1);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
  unlink(path);
  take_all_space(ballast);
  CHECK_EQUAL(open_large(path, message), PTS_E_NO_SPACE);
  CHECK(strstr(message, "free some space") != NULL);
  CHECK_EQUAL(inode_of(path), 0);
  _exit(check_failures == 0 ? 0 : 1);
}

static void a_full_file_system_loses_nothing(void) {
  in_tmpfs("a file system of 1 MiB that overflows", overflow);
}

static void open_read_only(void *context) {
  (void)context;
  mount_tmpfs("size=4m");
  const char *path = in_folder("kept");
  make_closed(path);
  CHECK(help_remount(test_folder, true, NULL));
  refused(path, PTS_E_READ_ONLY, "writable file system");
  refused(in_folder("new"), PTS_E_READ_ONLY, "writable file system");
  _exit(check_failures == 0 ? 0 : 1);
}

static void a_read_only_file_system_is_told(void) {
  in_tmpfs("a read-only file system", open_read_only);
}

static void open_without_inodes(void *context) {
  (void)context;
  mount_tmpfs("size=4m,nr_inodes=1"); /* the folder's own */
  refused(in_folder("new"), PTS_E_NO_SPACE, "free some space");
  _exit(check_failures == 0 ? 0 : 1);
}

static void no_inodes_are_told(void) { in_tmpfs("a file system without inodes", open_without_inodes); }

static void open_as_nobody(void *path) {
  if (geteuid() != 0 || setgid(65534) != 0 || setuid(65534) != 0) _exit(SKIPPED);
  refused(path, PTS_E_PERMISSION, "this user may write");
  _exit(check_failures == 0 ? 0 : 1);
}

static void missing_permission_is_told(void) {
  const char *path = in_folder("theirs");
  make_closed(path);
  int status = help_in_child(open_as_nobody, (void *)(uintptr_t)path);
  if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
    printf("skipped, this user cannot become another: missing permission\n");
  else
    CHECK_EQUAL(status, 0);
  unlink(path);
}

static const test_case tests[] = {
    {"only what is used is allocated", only_what_is_used_is_allocated},
    {"reading allocates nothing", reading_allocates_nothing},
    {"a file limit raises no signal", a_file_limit_raises_no_signal},
    {"too few descriptors are told", too_few_descriptors_are_told},
    {"a full file system loses nothing", a_full_file_system_loses_nothing},
    {"a read-only file system is told", a_read_only_file_system_is_told},
    {"no inodes are told", no_inodes_are_told},
    {"missing permission is told", missing_permission_is_told},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

/*
 * test_churn.c: many processes attach, update and detach, while others clear the store, replace it (initFile) and
 * scrape it; and workers of different pid namespaces share one.
 *
 * PTS_CHURN_PROCESSES and PTS_CHURN_MS make it longer.
 */

#include "test_store.h"

static const char *path;
static uint64_t end_ms;

static int32_t open_store(uint32_t flags) {
  char message[1024];
  pts_options options = {.path = path, .flags = flags, .max_workers = 128, .capacity = 256 << 10, .lock_timeout_ms = 10000};
  int32_t a = pts_open(&options, message, sizeof message);
  if (a < 0) fprintf(stderr, "pts_open: %d: %s\n", a, message);
  return a;
}

/* STALE: everything was cleared, and the series's room given away, since it was looked up. */
static void expect_code(int32_t code) {
  if (code >= 0 || code == PTS_E_STALE) return;
  fprintf(stderr, "a call failed: %d\n", code);
  _exit(1);
}

/* Attach, update and detach; every third time end without detaching, as a process may. */
static void come_and_go(void *context) {
  static const double bounds[] = {1, 2};
  uint64_t random = (uint64_t)(uintptr_t)context;
  while (pts_os_monotonic_ms() < end_ms) {
    int32_t a = open_store(0);
    expect_code(a);
    for (int i = 0; i < 20; i++) {
      char printed[32];
      uint64_t n = help_random(&random);
      snprintf(printed, sizeof printed, "churn{n=\"%u\"}", (unsigned)n % 50);
      int32_t h = help_series(a, PTS_KIND_VALUE, printed);
      expect_code(h);
      expect_code(n & 1 << 20 ? pts_add((uint32_t)a, (uint32_t)h, 1) : pts_set((uint32_t)a, (uint32_t)h, 1));
      h = help_histogram(a, "churned", bounds, 2);
      expect_code(h);
      expect_code(pts_observe((uint32_t)a, (uint32_t)h, 1));
    }
    if (help_random(&random) % 3 == 0) _exit(0);
    expect_code(pts_close((uint32_t)a));
  }
}

/* One that stays attached to whatever the path names, and disturbs the others. */
static void disturb(void *context) {
  uint64_t random = (uint64_t)(uintptr_t)context;
  int32_t a = open_store(0), code;
  expect_code(a);
  while (pts_os_monotonic_ms() < end_ms) {
    uint64_t n = help_random(&random) % 8;
    if (n == 0) {
      expect_code(pts_close((uint32_t)a));
      a = open_store(PTS_OPEN_INIT);
      expect_code(a);
    } else if (n < 4) {
      expect_code(pts_clear((uint32_t)a));
    } else {
      char *text = help_render(a, n & 1, 4096, &code);
      expect_code(code);
      free(text);
    }
    pts_os_sleep(1);
  }
}

/* Whoever ends early is started again until the time is over. */
static void many_come_and_go(void) {
  enum { MOST = 64, DISTURBERS = 2 };
  uint64_t count = help_setting("PTS_CHURN_PROCESSES", 10), seed = 1000;
  pid_t children[MOST];
  if (count > MOST) count = MOST;
  path = in_folder("churn");
  end_ms = pts_os_monotonic_ms() + help_setting("PTS_CHURN_MS", 1500);
  for (uint64_t i = 0; i < count; i++)
    children[i] = help_spawn(i < DISTURBERS ? disturb : come_and_go, (void *)(uintptr_t)seed++);
  for (uint64_t running = count; running > 0;) {
    int status;
    pid_t ended = wait(&status);
    CHECK_EQUAL(status, 0); /* no crash, and no call failed */
    running--;
    if (status != 0 || pts_os_monotonic_ms() >= end_ms) continue;
    for (uint64_t i = 0; i < count; i++) {
      if (children[i] != ended) continue;
      children[i] = help_spawn(i < DISTURBERS ? disturb : come_and_go, (void *)(uintptr_t)seed++);
      running++;
    }
  }
  CHECK(pts_os_monotonic_ms() < end_ms + 60000); /* no hang */
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  int32_t a = open_store(0);
  pts_usage usage = usage_of(a);
  CHECK_EQUAL(usage.workers_live, 1);
  CHECK_EQUAL(usage.damage, 0);
  pts_close((uint32_t)a);
  unlink(path);
}

/* ---- pid namespaces ----------------------------------------------------------------------------------- */

enum { SKIPPED = 77 };

static void hold_the_lock(void *context) {
  (void)context;
  int32_t number = open_store(0);
  int32_t live = help_series(number, PTS_KIND_LIVE, "live");
  expect_code(pts_set((uint32_t)number, (uint32_t)live, 1));
  pts_attachment *a = pts_attachment_of((uint32_t)number);
  expect_code(pts_index_lock(a, 1000));
  for (;;) pause();
}

/* Its child is pid 1 of a namespace of its own, and holds the index's lock until a byte comes. */
static void be_a_container(void *context) {
  int *done = context;
  if (!help_new_pid_namespace()) _exit(SKIPPED);
  pid_t child = help_spawn(hold_the_lock, NULL);
  char byte;
  if (read(done[0], &byte, 1) != 1) _exit(1);
  kill(child, SIGKILL);
  if (help_wait(child) != SIGKILL) _exit(1);
}

static double live_value(int32_t a) { return help_value(a, help_series(a, PTS_KIND_LIVE, "live")); }

static void containers_see_who_lives(void) {
  int done[2];
  path = in_folder("container");
  int32_t a = open_store(0);
  int32_t h = help_series(a, PTS_KIND_LIVE, "live");
  CHECK_EQUAL(pipe(done), 0);
  pid_t container = help_spawn(be_a_container, done);
  uint64_t deadline = pts_os_monotonic_ms() + 30000;
  const uint64_t *word = &pts_attachment_of((uint32_t)a)->metrics->index_lock.word;
  int status = 0;
  while (pts_load_acquire_u64(word) == 0 && pts_os_monotonic_ms() < deadline) {
    if (waitpid(container, &status, WNOHANG) == container) break;
    pts_os_sleep(1);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
    printf("skipped, this user may not make a pid namespace\n");
  } else {
    pts_series_key key = {.kind = PTS_KIND_VALUE, .name_length = 1, .series_length = 1, .timeout_ms = 50};
    CHECK(help_value(a, h) == 1); /* its part counts: it lives */
    CHECK_EQUAL(pts_series((uint32_t)a, &key, (const uint8_t *)"vv", NULL), PTS_E_LOCK_TIMEOUT);
    CHECK_EQUAL(write(done[1], "x", 1), 1);
    CHECK_EQUAL(help_wait(container), 0);
    CHECK(isnan(live_value(a)));
    key.timeout_ms = 30000;
    CHECK(pts_series((uint32_t)a, &key, (const uint8_t *)"vv", NULL) >= 0);
    CHECK_EQUAL(usage_of(a).repairs, 1);
  }
  close(done[0]);
  close(done[1]);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static const test_case tests[] = {
    {"many come and go", many_come_and_go},
    {"containers see who lives", containers_see_who_lives},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

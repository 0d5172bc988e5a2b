/*
 * test_processes.c: processes that share a store and a cache, are killed, and are succeeded, on every
 * system this library is for. Each is this program again (process.h); a board in a file of its own
 * tells them when to go.
 */

#include "test_platform.h"

#include "atomics.h"
#include "layout.h"
#include "metrics.h"
#include "points.h"
#include "process.h"
#include "pts_cache.h"
#include "store_help.h"

#define PROCESSES 6
#define ADDITIONS 20000u
#define PATIENCE_MS 60000u

/* ---- the board ------------------------------------------------------------------------------- */

typedef struct board {
  uint64_t ready; /* how many have done what comes before waiting */
  uint64_t go;    /* what they wait for */
  uint64_t word;  /* to be waited for, or to be added to under a lock */
  uint64_t other;
} board;

static void board_path(const char *path, char *out) {
  snprintf(out, PTS_PATH_MAX, "%s.board", path);
}

static board *open_board(const char *path) {
  char name[PTS_PATH_MAX];
  pts_fd fd;
  void *map = NULL;
  board_path(path, name);
  if (pts_os_open(name, &fd) != 0 || pts_os_map(fd, PTS_STEP, &map) != 0) exit(20);
  pts_os_close(fd);
  return map;
}

static board *make_board(const char *path) {
  char name[PTS_PATH_MAX];
  board_path(path, name);
  pts_fd fd = make_file(name);
  CHECK_EQUAL(pts_os_resize(fd, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_allocate(fd, 0, PTS_STEP), 0);
  pts_os_close(fd);
  return open_board(path);
}

static void remove_board(const char *path, board *b) {
  char name[PTS_PATH_MAX];
  board_path(path, name);
  pts_os_unmap(b, PTS_STEP);
  pts_os_unlink(name);
}

/* Whether the word got there in time. */
static bool reaches(uint64_t *word, uint64_t value) {
  uint64_t deadline = pts_os_monotonic_ms() + PATIENCE_MS;
  while (pts_load_acquire_u64(word) < value) {
    if (pts_os_monotonic_ms() > deadline) return false;
    pts_os_sleep(1);
  }
  return true;
}

static void be_ready_and_wait(board *b, uint64_t go) {
  pts_fetch_add_u64(&b->ready, 1);
  if (!reaches(&b->go, go)) exit(21);
}

static void start_all(const char *role, const char *path, process *children, int count) {
  for (int i = 0; i < count; i++) CHECK(process_start(role, path, (uint32_t)i, &children[i]));
}

static void wait_for_all(process *children, int count, int expected) {
  for (int i = 0; i < count; i++) CHECK_EQUAL(process_wait(&children[i]), expected);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static const double bounds[] = {1, 2, 3};

static int add_all(const char *path, uint32_t number) {
  board *b = open_board(path);
  int32_t a = help_open(path, 0);
  if (a < 0) return 1;
  int32_t counter = help_series(a, PTS_KIND_VALUE, "added_total");
  int32_t histogram = help_histogram(a, "observed", bounds, 3);
  be_ready_and_wait(b, 1);
  for (uint32_t i = 0; i < ADDITIONS; i++) {
    if (pts_add((uint32_t)a, (uint32_t)counter, 1) != 0) return 2;
    if (pts_observe((uint32_t)a, (uint32_t)histogram, (number + i) % 4 + 0.5) != 0) return 3;
  }
  pts_close((uint32_t)a);
  return 0;
}

static void additions_of_all_processes_count(void) {
  const char *path = in_folder("added");
  process children[PROCESSES];
  board *b = make_board(path);
  start_all("add", path, children, PROCESSES);
  CHECK(reaches(&b->ready, PROCESSES));
  pts_store_release_u64(&b->go, 1);
  wait_for_all(children, PROCESSES, 0);
  int32_t a = help_open(path, PTS_OPEN_EXISTING);
  CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "added_total")) == PROCESSES * ADDITIONS);
  int32_t histogram = help_histogram(a, "observed", bounds, 3);
  CHECK(help_count(a, histogram) == PROCESSES * ADDITIONS);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  remove_board(path, b);
  pts_os_unlink(path);
}

static int add_and_stay(const char *path, uint32_t number) {
  board *b = open_board(path);
  int32_t a = help_open(path, 0);
  if (a < 0) return 1;
  int32_t handle = help_series(a, PTS_KIND_VALUE, "kept_total");
  if (pts_add((uint32_t)a, (uint32_t)handle, number + 1) != 0) return 2;
  be_ready_and_wait(b, 1);
  return 3;
}

/* Their slots are free again, so as many can come as before; what they had added still counts. */
static void killed_processes_lose_nothing(void) {
  const char *path = in_folder("killed");
  process children[HELP_WORKERS - 1];
  const int count = HELP_WORKERS - 1;
  board *b = make_board(path);
  int32_t a = help_open(path, 0);
  for (uint64_t round = 1; round <= 3; round++) {
    start_all("stay", path, children, count);
    CHECK(reaches(&b->ready, round * (uint64_t)count));
    for (int i = 0; i < count; i++) process_kill(&children[i]);
    wait_for_all(children, count, PROCESS_KILLED);
    double sum = (double)(round * (uint64_t)(count * (count + 1) / 2));
    CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "kept_total")) == sum);
  }
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  remove_board(path, b);
  pts_os_unlink(path);
}

static int lock_and_stay(const char *path, uint32_t number) {
  (void)number;
  board *b = open_board(path);
  int32_t a = help_open(path, 0);
  if (a < 0 || pts_index_lock(pts_attachment_of((uint32_t)a), 1000) != 0) return 1;
  be_ready_and_wait(b, 1);
  return 2;
}

static void a_killed_holders_lock_is_taken_over(void) {
  const char *path = in_folder("locked");
  process holder;
  board *b = make_board(path);
  int32_t a = help_open(path, 0);
  CHECK(process_start("lock", path, 0, &holder));
  CHECK(reaches(&b->ready, 1));
  /* The holder lives: a new series needs its lock, and waits only for milliseconds. */
  CHECK_EQUAL(pts_index_lock(pts_attachment_of((uint32_t)a), 20), PTS_E_LOCK_TIMEOUT);
  process_kill(&holder);
  CHECK_EQUAL(process_wait(&holder), PROCESS_KILLED);
  int32_t handle = help_series(a, PTS_KIND_VALUE, "after_total");
  CHECK(handle >= 0);
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)handle, 1), 0);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  remove_board(path, b);
  pts_os_unlink(path);
}

/* Ends after so many steps of its updates, in the middle of one. */
static int end_in_the_middle(const char *path, uint32_t number) {
  int32_t a = help_open(path, 0);
  if (a < 0) return 1;
  int32_t counter = help_series(a, PTS_KIND_VALUE, "stepped_total");
  int32_t histogram = help_histogram(a, "stepped", bounds, 3);
  pts_points_left = number;
  for (;;) {
    pts_add((uint32_t)a, (uint32_t)counter, 1);
    pts_observe((uint32_t)a, (uint32_t)histogram, 1.5);
  }
}

static void a_process_may_end_at_any_step(void) {
  const char *path = in_folder("stepped");
  int32_t a = help_open(path, 0);
  int32_t counter = help_series(a, PTS_KIND_VALUE, "stepped_total");
  int32_t histogram = help_histogram(a, "stepped", bounds, 3);
  double before = 0, ahead = 0;
  for (uint32_t steps = 1; steps <= 16; steps++) {
    process child;
    CHECK(process_start("step", path, steps, &child));
    CHECK_EQUAL(process_wait(&child), 99);
    double value = help_value(a, counter), count = help_count(a, histogram);
    if (value != value || count != count) continue; /* it ended before its first update */
    CHECK(value >= before);
    /* Each may have added and not observed any more, but neither half of it nor both. */
    CHECK(value - count == ahead || value - count == ahead + 1);
    ahead = value - count;
    before = value;
    CHECK_EQUAL(help_check(path, 0, 0), 0);
  }
  CHECK(before > 1);
  pts_close((uint32_t)a);
  pts_os_unlink(path);
}

static int open_together(const char *path, uint32_t number) {
  (void)number;
  board *b = open_board(path);
  be_ready_and_wait(b, 1);
  int32_t a = help_open(path, 0);
  if (a < 0) return 1;
  int32_t handle = help_series(a, PTS_KIND_VALUE, "opened");
  if (pts_add((uint32_t)a, (uint32_t)handle, 1) != 0) return 2;
  be_ready_and_wait(b, 2);
  return 0;
}

static void processes_make_one_store_together(void) {
  const char *path = in_folder("together");
  for (int round = 0; round < 3; round++) {
    process children[PROCESSES];
    board *b = make_board(path);
    start_all("open", path, children, PROCESSES);
    CHECK(reaches(&b->ready, PROCESSES));
    pts_store_release_u64(&b->go, 1);
    CHECK(reaches(&b->ready, 2 * PROCESSES));
    int32_t a = help_open(path, PTS_OPEN_EXISTING);
    CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "opened")) == PROCESSES);
    pts_close((uint32_t)a);
    pts_store_release_u64(&b->go, 2);
    wait_for_all(children, PROCESSES, 0);
    remove_board(path, b);
    pts_os_unlink(path);
  }
}

static int use_the_old_store(const char *path, uint32_t number) {
  (void)number;
  board *b = open_board(path);
  int32_t a = help_open(path, 0);
  if (a < 0) return 1;
  int32_t handle = help_series(a, PTS_KIND_VALUE, "old_total");
  pts_add((uint32_t)a, (uint32_t)handle, 1);
  be_ready_and_wait(b, 1); /* the file is replaced */
  pts_add((uint32_t)a, (uint32_t)handle, 1);
  double value = help_value(a, handle);
  pts_close((uint32_t)a);
  if (value != 2) return 2;
  a = help_open(path, PTS_OPEN_EXISTING);
  if (a < 0) return 3;
  value = help_value(a, help_series(a, PTS_KIND_VALUE, "new_total"));
  return value == 5 ? 0 : 4;
}

static void a_store_in_use_can_be_replaced(void) {
  const char *path = in_folder("replaced store");
  process child;
  board *b = make_board(path);
  CHECK(process_start("old", path, 0, &child));
  CHECK(reaches(&b->ready, 1));
  int32_t a = help_open(path, PTS_OPEN_INIT);
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "new_total"), 5), 0);
  pts_store_release_u64(&b->go, 1);
  CHECK_EQUAL(process_wait(&child), 0);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  remove_board(path, b);
  pts_os_unlink(path);
}

/* ---- the cache ------------------------------------------------------------------------------- */

#define TURNS 200u

static int32_t open_cache(const char *path) {
  char message[1024];
  pts_cache_options options = {.path = path, .num_pages = 3, .page_size = 4096, .max_workers = 16};
  int32_t cache = pts_cache_open(&options, message, sizeof message);
  if (cache < 0) fprintf(stderr, "pts_cache_open: %d: %s\n", cache, message);
  return cache;
}

static uint64_t cached_number(int32_t cache, const char *key) {
  uint64_t number = 0;
  pts_cache_get((uint32_t)cache, (const uint8_t *)key, (uint32_t)strlen(key), 1, 0,
                (uint8_t *)&number, sizeof number, NULL);
  return number;
}

static bool cache_number(int32_t cache, const char *key, uint64_t number) {
  return pts_cache_set((uint32_t)cache, (const uint8_t *)key, (uint32_t)strlen(key),
                       (const uint8_t *)&number, sizeof number, 1, 0, 0, NULL) == PTS_CACHE_STORED;
}

static int add_under_a_named_lock(const char *path, uint32_t number) {
  (void)number;
  board *b = open_board(path);
  int32_t cache = open_cache(path);
  if (cache < 0) return 1;
  be_ready_and_wait(b, 1);
  for (uint32_t turn = 0; turn < TURNS;) {
    int32_t holder = pts_cache_named_try((uint32_t)cache, (const uint8_t *)"sum", 3);
    if (holder == PTS_E_LOCKED) {
      pts_os_sleep(0);
      continue;
    }
    if (holder < 0) return 2;
    /* Two values in two places: without exclusion one of them would miss an addition. */
    b->word++;
    if (!cache_number(cache, "sum", cached_number(cache, "sum") + 1)) return 3;
    pts_cache_named_release((uint32_t)cache, (uint32_t)holder);
    turn++;
  }
  pts_cache_close((uint32_t)cache);
  return 0;
}

static void a_named_lock_excludes_processes(void) {
  const char *path = in_folder("named");
  process children[PROCESSES];
  board *b = make_board(path);
  int32_t cache = open_cache(path);
  start_all("named", path, children, PROCESSES);
  CHECK(reaches(&b->ready, PROCESSES));
  pts_store_release_u64(&b->go, 1);
  wait_for_all(children, PROCESSES, 0);
  CHECK_EQUAL(b->word, PROCESSES * TURNS);
  CHECK_EQUAL(cached_number(cache, "sum"), PROCESSES * TURNS);
  pts_cache_close((uint32_t)cache);
  remove_board(path, b);
  pts_os_unlink(path);
}

static int lock_a_page_and_stay(const char *path, uint32_t number) {
  board *b = open_board(path);
  int32_t cache = open_cache(path);
  if (cache < 0 || pts_cache_lock_page((uint32_t)cache, number) < 0) return 1;
  be_ready_and_wait(b, 1);
  return 2;
}

static void a_killed_holders_page_can_be_written(void) {
  const char *path = in_folder("pages");
  process children[3];
  board *b = make_board(path);
  int32_t cache = open_cache(path);
  CHECK(cache_number(cache, "before", 7));
  start_all("page", path, children, 3); /* every page */
  CHECK(reaches(&b->ready, 3));
  CHECK_EQUAL(cached_number(cache, "before"), 7); /* readers need no lock */
  for (int i = 0; i < 3; i++) process_kill(&children[i]);
  wait_for_all(children, 3, PROCESS_KILLED);
  CHECK(cache_number(cache, "before", 8));
  CHECK_EQUAL(cached_number(cache, "before"), 8);
  char report[4096];
  CHECK_EQUAL(pts_cache_check((uint32_t)cache, report, sizeof report), 0);
  pts_cache_close((uint32_t)cache);
  remove_board(path, b);
  pts_os_unlink(path);
}

/* Writes until it is killed: values whose every byte is the same, of a length that tells which. */
static int write_until_killed(const char *path, uint32_t number) {
  board *b = open_board(path);
  int32_t cache = open_cache(path);
  if (cache < 0) return 1;
  pts_fetch_add_u64(&b->ready, 1);
  uint8_t value[512];
  for (uint32_t turn = number;; turn++) {
    char key[16];
    uint32_t length = 1 + turn * 37 % 511;
    memset(value, (int)(length & 0xff), length);
    snprintf(key, sizeof key, "k%u", turn % 40);
    int32_t stored = pts_cache_set((uint32_t)cache, (const uint8_t *)key, (uint32_t)strlen(key), value,
                                   length, 1, 0, 0, NULL);
    if (stored != PTS_CACHE_STORED) return 2;
  }
}

static void read_every_key(int32_t cache) {
  uint8_t value[512];
  for (uint32_t k = 0; k < 40; k++) {
    char key[16];
    snprintf(key, sizeof key, "k%u", k);
    int32_t length = pts_cache_get((uint32_t)cache, (const uint8_t *)key, (uint32_t)strlen(key), 1, 0,
                                   value, sizeof value, NULL);
    if (length == PTS_E_NOT_FOUND) continue;
    CHECK(length > 0 && length <= 511);
    for (int32_t i = 0; i < length; i++) {
      if (value[i] == (uint8_t)length) continue;
      CHECK(!"a value is torn");
      return;
    }
  }
}

static void a_cache_survives_killed_writers(void) {
  const char *path = in_folder("written");
  process children[3];
  board *b = make_board(path);
  int32_t cache = open_cache(path);
  for (uint64_t round = 1; round <= 8; round++) {
    start_all("write", path, children, 3);
    CHECK(reaches(&b->ready, 3 * round));
    for (uint32_t turn = 0; turn < 20 * round; turn++) read_every_key(cache);
    for (int i = 0; i < 3; i++) process_kill(&children[i]);
    wait_for_all(children, 3, PROCESS_KILLED);
    read_every_key(cache);
    CHECK(cache_number(cache, "after", round));
    CHECK_EQUAL(cached_number(cache, "after"), round);
  }
  char report[4096];
  CHECK_EQUAL(pts_cache_check((uint32_t)cache, report, sizeof report), 0);
  pts_cache_close((uint32_t)cache);
  remove_board(path, b);
  pts_os_unlink(path);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int wait_for_the_word(const char *path, uint32_t number) {
  (void)number;
  board *b = open_board(path);
  pts_fetch_add_u64(&b->ready, 1);
  uint64_t deadline = pts_os_monotonic_ms() + PATIENCE_MS;
  while (pts_load_acquire_u64(&b->word) == 0) {
    if (pts_os_monotonic_ms() > deadline) return 1;
    pts_os_wait(&b->word, 0, 1000);
  }
  pts_fetch_add_u64(&b->other, 1);
  return 0;
}

static void a_waiter_of_another_process_goes_on(void) {
  const char *path = in_folder("waited");
  process child;
  board *b = make_board(path);
  CHECK(process_start("wait", path, 0, &child));
  CHECK(reaches(&b->ready, 1));
  pts_store_release_u64(&b->word, 1);
  pts_os_wake(&b->word);
  CHECK_EQUAL(process_wait(&child), 0);
  CHECK_EQUAL(b->other, 1);
  remove_board(path, b);
}

static const process_role roles[] = {
    {"add", add_all},           {"stay", add_and_stay},         {"lock", lock_and_stay},
    {"step", end_in_the_middle}, {"open", open_together},        {"old", use_the_old_store},
    {"named", add_under_a_named_lock}, {"page", lock_a_page_and_stay}, {"write", write_until_killed},
    {"wait", wait_for_the_word},
};

static const test_case tests[] = {
    {"additions of all processes count", additions_of_all_processes_count},
    {"killed processes lose nothing", killed_processes_lose_nothing},
    {"a killed holder's lock is taken over", a_killed_holders_lock_is_taken_over},
    {"a process may end at any step", a_process_may_end_at_any_step},
    {"processes make one store together", processes_make_one_store_together},
    {"a store in use can be replaced", a_store_in_use_can_be_replaced},
    {"a named lock excludes processes", a_named_lock_excludes_processes},
    {"a killed holder's page can be written", a_killed_holders_page_can_be_written},
    {"a cache survives killed writers", a_cache_survives_killed_writers},
    {"a waiter of another process goes on", a_waiter_of_another_process_goes_on},
};

int main(int argc, char **argv) {
  process_main(argc, argv, roles, sizeof roles / sizeof *roles);
  if (!help_make_folder(test_folder, sizeof test_folder)) return 1;
  int result = run_tests(tests, sizeof tests / sizeof *tests);
  help_remove_folder(test_folder);
  return result;
}

/*
 * Threads and processes on the same few pages: every value that is read is one that somebody wrote,
 * whole; a counter under a page's lock loses nothing; processes that are killed anywhere leave
 * sound pages.
 */
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "test_cache.h"

#define THREADS 4u
#define KEYS 30u
#define LONGEST 90u

static uint32_t turns(void) {
#ifdef PTS_PAGE_WORDS /* the thread sanitizer is slow */
  return 4000;
#else
  return 40000;
#endif
}

/* A value tells its key and its own length, and has one byte all over: a mixture of two shows. */
static uint32_t compose(uint8_t *value, uint32_t key, uint32_t *random) {
  *random = *random * 1664525u + 1013904223u;
  uint32_t length = 3 + (*random >> 8) % LONGEST;
  value[0] = (uint8_t)key;
  value[1] = (uint8_t)length;
  memset(value + 2, (int)(*random >> 24), length - 2);
  return length;
}

static bool is_whole(const uint8_t *value, int32_t length, uint32_t key) {
  if (length < 3 || value[0] != key || value[1] != length) return false;
  for (int32_t i = 3; i < length; i++)
    if (value[i] != value[2]) return false;
  return true;
}

typedef struct work {
  uint32_t number;
  uint32_t broken, failed, found;
} work;

static void one_turn(uint32_t c, work *w, uint32_t *random, uint32_t now) {
  uint8_t value[128], key[1];
  *random = *random * 1664525u + 1013904223u;
  uint32_t what = (*random >> 20) % 100;
  key[0] = (uint8_t)((*random >> 10) % KEYS);
  if (what < 40) {
    uint32_t length = compose(value, key[0], random);
    int32_t r = pts_cache_set(c, key, 1, value, length, now, 0, 0, NULL);
    w->failed += r != PTS_CACHE_STORED;
  } else if (what < 95) {
    int32_t n = pts_cache_get(c, key, 1, now, 0, value, sizeof value, NULL);
    if (n >= 0) w->found++;
    if (n >= 0 && !is_whole(value, n, key[0])) w->broken++;
    w->failed += n < 0 && n != PTS_E_NOT_FOUND;
  } else if (what < 99) {
    w->failed += pts_cache_remove(c, key, 1, 0, NULL) < 0;
  } else {
    w->failed += pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_EXPIRED, now, 0) < 0;
  }
}

static void *run_thread(void *argument) {
  work *w = argument;
  uint32_t c = open_cache("threads", 0, 0, 0, 0), random = w->number * 77 + 1;
  for (uint32_t i = 0; i < turns(); i++) one_turn(c, w, &random, NOW + i / 1000);
  pts_cache_close(c);
  return NULL;
}

static void threads_read_whole_values(void) {
  uint32_t c = open_cache("threads", 0, 2, 1024, 20);
  pthread_t threads[THREADS];
  work works[THREADS] = {{0}};
  for (uint32_t i = 0; i < THREADS; i++) {
    works[i].number = i;
    pthread_create(&threads[i], NULL, run_thread, &works[i]);
  }
  for (uint32_t i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK_EQUAL(works[i].broken, 0);
    CHECK_EQUAL(works[i].failed, 0);
    CHECK(works[i].found > turns() / 100);
  }
  pts_cache_statistics s = statistics(c);
  CHECK(s.reorganised > 10);
  CHECK_EQUAL(s.damage, 0);
  CHECK_EQUAL(s.repairs, 0);
  CHECK_EQUAL(s.workers_live, 1);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void *count_up(void *argument) {
  uint32_t c = open_cache("counter", 0, 0, 0, 0);
  uint32_t *failed = argument, value;
  for (uint32_t i = 0; i < turns() / 4; i++) {
    *failed += pts_cache_lock(c, bytes("n"), 1) < 0;
    value = 0;
    pts_cache_get(c, bytes("n"), 1, NOW, PTS_CACHE_HELD, (uint8_t *)&value, sizeof value, NULL);
    value++;
    *failed += pts_cache_set(c, bytes("n"), 1, (uint8_t *)&value, sizeof value, NOW, 0,
                             PTS_CACHE_HELD, NULL) != PTS_CACHE_STORED;
    *failed += pts_cache_unlock(c) != 0;
  }
  pts_cache_close(c);
  return NULL;
}

static void a_locked_page_loses_no_update(void) {
  uint32_t c = open_cache("counter", 0, 1, 1024, 0), value = 0;
  pthread_t threads[THREADS];
  uint32_t failed[THREADS] = {0};
  for (uint32_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, count_up, &failed[i]);
  for (uint32_t i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    CHECK_EQUAL(failed[i], 0);
  }
  pts_cache_get(c, bytes("n"), 1, NOW, 0, (uint8_t *)&value, sizeof value, NULL);
  CHECK_EQUAL(value, THREADS * (turns() / 4));
  pts_cache_close(c);
}

static void *leave_open(void *argument) {
  (void)argument;
  uint32_t c = open_cache("left", 0, 0, 0, 0);
  CHECK(pts_cache_lock_page(c, 0) == 0);
  CHECK(pts_cache_named_try(c, bytes("n"), 1) >= 0);
  return NULL;
}

static void a_thread_that_ends_leaves_nothing_locked(void) {
  uint32_t c = open_cache("left", 0, 1, 1024, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, leave_open, NULL);
  pthread_join(thread, NULL);
  CHECK_EQUAL(set_text(c, "k", "v", NOW), PTS_CACHE_STORED);
  CHECK(pts_cache_named_try(c, bytes("n"), 1) >= 0);
  CHECK_EQUAL(statistics(c).workers_live, 1);
  CHECK_EQUAL(statistics(c).repairs, 0);
  pts_cache_close(c);
}

/* ---- processes ------------------------------------------------------------------------------- */

#if TEST_HAS_FORK
static pid_t start_child(uint32_t number) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  work w = {.number = number};
  uint32_t c = open_cache("storm", 0, 0, 0, 0), random = number * 99 + 7;
  for (uint32_t i = 0; w.broken == 0 && w.failed == 0; i++)
    one_turn(c, &w, &random, NOW + i / 1000);
  fprintf(stderr, "child %u: %u broken, %u failed\n", number, w.broken, w.failed);
  _exit(1);
}

static void sleep_ms(uint32_t ms) {
  struct timespec t = {0, (long)ms * 1000000};
  nanosleep(&t, NULL);
}

static void killed_processes_leave_sound_pages(void) {
#if defined(PTS_PAGE_WORDS)
  return; /* threads and processes of one run are too much for that sanitizer */
#endif
  uint32_t c = open_cache("storm", 0, 2, 1024, 20), random = 3;
  work mine = {0};
  pid_t children[3];
  for (uint32_t i = 0; i < 3; i++) children[i] = start_child(i);
  for (uint32_t kill_number = 3; kill_number < 120; kill_number++) {
    for (int i = 0; i < 300; i++) one_turn(c, &mine, &random, NOW);
    sleep_ms(2);
    pid_t *victim = &children[kill_number % 3];
    int status;
    kill(*victim, SIGKILL);
    waitpid(*victim, &status, 0);
    CHECK(WIFSIGNALED(status)); /* or it had met something broken */
    *victim = start_child(kill_number);
  }
  for (uint32_t i = 0; i < 3; i++) {
    kill(children[i], SIGKILL);
    waitpid(children[i], NULL, 0);
  }
  CHECK_EQUAL(mine.broken, 0);
  CHECK_EQUAL(mine.failed, 0);
  CHECK_EQUAL(findings(c), 0);
  CHECK_EQUAL(statistics(c).damage, 0);
  pts_cache_close(c);
}
#endif

int main(void) {
#define TEST(name) {#name, name}
  static const test_case tests[] = {
      TEST(threads_read_whole_values),
      TEST(a_locked_page_loses_no_update),
      TEST(a_thread_that_ends_leaves_nothing_locked),
#if TEST_HAS_FORK
      TEST(killed_processes_leave_sound_pages),
#endif
  };
  return run_tests(tests, sizeof tests / sizeof *tests);
}

/*
 * test_threads.c: eight threads do everything at once on one store: add, set, observe, touch, remove, clear, render,
 * check, new series, open and close. What must be exact is compared at the end.
 *
 * Run under the thread sanitizer, too (tools/sanitize.ts). There, the attachments of a process share one
 * mapping, so it sees one address for one cell. gcc's and clang's do not model fences: no fence is needed to
 * make an access of ours race-free, since all that is written while others may read is atomic; the order
 * that fences give is proved by tests/models.
 */

#include "test_store.h"

#include <pthread.h>

enum { THREADS = 8 };

typedef struct worker {
  const char *path;
  int number;
  uint64_t rounds;
  double added;      /* to "exact", by this thread */
  double observed;   /* in "exact_histogram" */
  uint64_t torn;     /* scrapes in which something did not agree */
  int32_t failure;   /* the first code that was none of the expected ones */
} worker;

static const double exact_bounds[] = {1, 2, 5};

/* STALE: the store is full, and the room of a series that was just looked up went to another thread's. */
static void expect(worker *w, int32_t code) {
  if (code == PTS_E_STALE) return;
  if (code < 0 && w->failure == 0) w->failure = code;
}

/* In one scrape count, sum and +Inf bucket agree, since every observation is 1. */
static void look_at_scrape(worker *w, int32_t a) {
  static const uint32_t flags[] = {
      0, PTS_RENDER_LEXICAL,
      PTS_RENDER_OPENMETRICS | PTS_RENDER_CREATED | PTS_RENDER_ESCAPE_UNDERSCORES};
  int32_t code;
  char *text = help_render(a, flags[w->number % 3], 256, &code);
  expect(w, code);
  if (!text) return;
  const char *bucket = strstr(text, "exact_histogram_bucket{le=\"+Inf\"} ");
  const char *count = strstr(text, "exact_histogram_count "), *sum = strstr(text, "exact_histogram_sum ");
  if (bucket && count && sum) {
    double in_bucket = strtod(bucket + 34, NULL);
    w->torn += in_bucket != strtod(count + 22, NULL) || in_bucket != strtod(sum + 20, NULL);
  } else {
    w->torn += bucket || count || sum;
  }
  free(text);
}

/* Series that everybody sets, removes and makes again; nothing of them is exact. */
static void stir(worker *w, int32_t a, uint64_t *random) {
  char printed[64];
  uint64_t n = help_random(random);
  snprintf(printed, sizeof printed, "stirred{n=\"%u\"}", (unsigned)(n % 20));
  int32_t h = help_series(a, PTS_KIND_VALUE, printed);
  expect(w, h);
  if (h < 0) return;
  switch (n >> 16 & 7) {
  case 0:
    expect(w, pts_set((uint32_t)a, (uint32_t)h, 1));
    break;
  case 1:
    expect(w, pts_set_at((uint32_t)a, (uint32_t)h, 1, 2));
    break;
  case 2:
    expect(w, pts_remove((uint32_t)a, (uint32_t)h));
    break;
  case 3:
    expect(w, pts_touch((uint32_t)a, (uint32_t)h));
    break;
  default:
    expect(w, pts_add((uint32_t)a, (uint32_t)h, 1));
  }
  snprintf(printed, sizeof printed, "stirred_histogram{n=\"%u\"}", (unsigned)(n % 5));
  h = help_histogram(a, printed, exact_bounds, 1 + (uint32_t)(n % 3));
  expect(w, h);
  if (h >= 0) expect(w, pts_observe((uint32_t)a, (uint32_t)h, 1));
  if (h >= 0 && (n >> 24) % 16 == 0) expect(w, pts_remove((uint32_t)a, (uint32_t)h));
  h = help_series(a, PTS_KIND_LIVE, "stirred_live");
  expect(w, h);
  if (h >= 0) expect(w, n & 1 ? pts_set((uint32_t)a, (uint32_t)h, 3) : pts_add((uint32_t)a, (uint32_t)h, 1));
  double value, count;
  if (h >= 0) expect(w, pts_value((uint32_t)a, (uint32_t)h, &value, &count));
  h = help_series(a, PTS_KIND_ENUM, "stirred_enum");
  expect(w, h);
  if (h >= 0) expect(w, pts_set((uint32_t)a, (uint32_t)h, (double)(n % 2)));
}

static int32_t open_many(const char *path) {
  char message[1024];
  pts_options options = {.path = path, .max_workers = 2 * THREADS, .capacity = 1 << 20, .lock_timeout_ms = 20000};
  int32_t a = pts_open(&options, message, sizeof message);
  if (a < 0) fprintf(stderr, "pts_open: %d: %s\n", a, message);
  return a;
}

static void *work(void *context) {
  worker *w = context;
  uint64_t random = (uint64_t)w->number + 100;
  for (uint64_t round = 0; round < w->rounds; round++) {
    int32_t a = open_many(w->path);
    expect(w, a);
    if (a < 0) return NULL;
    int32_t h = help_series(a, PTS_KIND_VALUE, "exact"), k = help_histogram(a, "exact_histogram", exact_bounds, 3);
    expect(w, h < 0 ? h : k);
    for (int i = 0; i < 300; i++) {
      w->added += pts_add((uint32_t)a, (uint32_t)h, 1) == 0;
      w->observed += pts_observe((uint32_t)a, (uint32_t)k, 1) == 0;
      if (i % 3 == 0) stir(w, a, &random);
      char printed[64];
      snprintf(printed, sizeof printed, "new{thread=\"%d\",n=\"%llu\"}", w->number, (unsigned long long)round % 40);
      if (i == 10) expect(w, pts_add((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, printed), 1));
      if (i % 100 == 50) look_at_scrape(w, a);
    }
    pts_usage usage;
    expect(w, pts_usage_read((uint32_t)a, &usage));
    if (round % 4 == 1) {
      char report[4096];
      int32_t findings = pts_check(w->path, 0, report, sizeof report);
      if (findings != 0) fprintf(stderr, "%s\n", report);
      if (findings != 0) w->failure = findings < 0 ? findings : -1000;
    }
    if (round + 1 < w->rounds) expect(w, pts_close((uint32_t)a)); /* the last one: the thread's end */
  }
  return NULL;
}

static void run_workers(worker *workers, void *(*run)(void *)) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK_EQUAL(pthread_create(&threads[i], NULL, run, &workers[i]), 0);
  for (int i = 0; i < THREADS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

static void everything_at_once(void) {
  const char *path = in_folder("threads");
  worker workers[THREADS] = {0};
  int32_t a = open_many(path);
  help_declare_enum(a, "stirred_enum", "# TYPE stirred_enum gauge\n", "s=\"0\"\ns=\"1\"");
  for (int i = 0; i < THREADS; i++)
    workers[i] = (worker){.path = path, .number = i, .rounds = help_setting("PTS_THREAD_ROUNDS", 24)};
  run_workers(workers, work);
  double added = 0, observed = 0;
  for (int i = 0; i < THREADS; i++) {
    added += workers[i].added;
    observed += workers[i].observed;
    CHECK_EQUAL(workers[i].failure, 0);
    CHECK_EQUAL(workers[i].torn, 0);
  }
  CHECK(added == 300.0 * THREADS * (double)workers[0].rounds);
  CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "exact")) == added);
  CHECK(help_count(a, help_histogram(a, "exact_histogram", exact_bounds, 3)) == observed);
  CHECK(help_value(a, help_histogram(a, "exact_histogram", exact_bounds, 3)) == observed);
  pts_usage usage = usage_of(a);
  CHECK_EQUAL(usage.damage, 0);
  CHECK_EQUAL(usage.dropped_updates, 0);
  CHECK_EQUAL(usage.repairs, 0);
  CHECK_EQUAL(usage.workers_live, 1);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* ---- exact in each mode of a value ----------------------------------------------------------------------- */

/* All add to a value that was set (shared), and to one with a time (stamped). */
static void *add_to_shared(void *context) {
  worker *w = context;
  int32_t a = open_many(w->path);
  int32_t shared = help_series(a, PTS_KIND_VALUE, "shared"), stamped = help_series(a, PTS_KIND_VALUE, "stamped");
  for (uint64_t i = 0; i < w->rounds; i++) {
    expect(w, pts_add((uint32_t)a, (uint32_t)shared, 1));
    expect(w, pts_add((uint32_t)a, (uint32_t)stamped, 1));
  }
  return NULL; /* the thread's end closes it */
}

static void additions_to_shared_values_are_exact(void) {
  const char *path = in_folder("shared");
  worker workers[THREADS] = {0};
  int32_t a = open_many(path);
  int32_t shared = help_series(a, PTS_KIND_VALUE, "shared"), stamped = help_series(a, PTS_KIND_VALUE, "stamped");
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)shared, 100), 0);
  CHECK_EQUAL(pts_set_at((uint32_t)a, (uint32_t)stamped, 100, 5), 0);
  for (int i = 0; i < THREADS; i++) workers[i] = (worker){.path = path, .rounds = 3000};
  run_workers(workers, add_to_shared);
  for (int i = 0; i < THREADS; i++) CHECK_EQUAL(workers[i].failure, 0);
  CHECK(help_value(a, shared) == 100 + 3000 * THREADS);
  CHECK(help_value(a, stamped) == 100 + 3000 * THREADS);
  CHECK_EQUAL(usage_of(a).workers_live, 1);
  pts_close((uint32_t)a);
  unlink(path);
}

/* All race to restart a removed shared value; every addition after the remove counts. */
typedef struct meeting {
  pthread_mutex_t mutex;
  pthread_cond_t all_here;
  unsigned here, round;
} meeting;
static meeting barrier = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

/* Until all threads are here. (Not every system has pthread_barrier_t.) */
static void meet(meeting *m) {
  pthread_mutex_lock(&m->mutex);
  unsigned round = m->round;
  if (++m->here == THREADS) {
    m->here = 0;
    m->round++;
    pthread_cond_broadcast(&m->all_here);
  }
  while (m->round == round) pthread_cond_wait(&m->all_here, &m->mutex);
  pthread_mutex_unlock(&m->mutex);
}

static void *restart_shared(void *context) {
  worker *w = context;
  int32_t a = open_many(w->path);
  int32_t h = help_series(a, PTS_KIND_VALUE, "restarted"), k = help_series(a, PTS_KIND_VALUE, "timed");
  for (uint64_t round = 0; round < w->rounds; round++) {
    meet(&barrier);
    if (w->number == 0) expect(w, pts_remove((uint32_t)a, (uint32_t)h));
    if (w->number == 1) expect(w, pts_clear((uint32_t)a));
    meet(&barrier);
    expect(w, pts_add((uint32_t)a, (uint32_t)h, 1));
    expect(w, pts_add((uint32_t)a, (uint32_t)k, 1));
    meet(&barrier);
    w->torn += help_value(a, h) != THREADS || help_value(a, k) != THREADS;
  }
  return NULL;
}

static void restarts_lose_no_addition(void) {
  const char *path = in_folder("restarts");
  worker workers[THREADS] = {0};
  int32_t a = open_many(path);
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "restarted"), 1), 0);
  CHECK_EQUAL(pts_set_at((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "timed"), 1, 1), 0);
  for (int i = 0; i < THREADS; i++) workers[i] = (worker){.path = path, .number = i, .rounds = 300};
  run_workers(workers, restart_shared);
  for (int i = 0; i < THREADS; i++) CHECK_EQUAL(workers[i].failure, 0);
  for (int i = 0; i < THREADS; i++) CHECK_EQUAL(workers[i].torn, 0);
  pts_close((uint32_t)a);
  unlink(path);
}

/* ---- rendering from other threads ------------------------------------------------------------------------ */

static volatile int32_t rendered; /* the attachment of the main thread */

static void *render_again_and_again(void *context) {
  worker *w = context;
  uint64_t done = 0;
  for (;; done++) {
    int32_t code;
    char *text = help_render(rendered, 0, 512, &code);
    free(text);
    if (text == NULL) break;
  }
  w->rounds = done;
  return NULL;
}

/* The owner closes while others render: they end with CLOSED, and nothing is unmapped under them. */
static void closing_waits_for_renders(void) {
  const char *path = in_folder("closing");
  for (int round = 0; round < 20; round++) {
    pthread_t threads[THREADS];
    worker workers[THREADS] = {0};
    rendered = open_many(path);
    for (int i = 0; i < 200; i++) {
      char printed[64];
      snprintf(printed, sizeof printed, "v{n=\"%d\"}", i);
      CHECK_EQUAL(pts_add((uint32_t)rendered, (uint32_t)help_series(rendered, PTS_KIND_VALUE, printed), 1), 0);
    }
    for (int i = 0; i < THREADS; i++)
      CHECK_EQUAL(pthread_create(&threads[i], NULL, render_again_and_again, &workers[i]), 0);
    pts_os_sleep(2);
    CHECK_EQUAL(pts_close((uint32_t)rendered), 0);
    for (int i = 0; i < THREADS; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  }
  int32_t a = open_many(path);
  CHECK_EQUAL(usage_of(a).workers_live, 1);
  pts_close((uint32_t)a);
  unlink(path);
}

static const test_case tests[] = {
    {"everything at once", everything_at_once},
    {"additions to shared values are exact", additions_to_shared_values_are_exact},
    {"restarts lose no addition", restarts_lose_no_addition},
    {"closing waits for renders", closing_waits_for_renders},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

/*
 * test_kill_storm.c: eight workers update one store and are killed, again and again.
 *
 * A worker writes a byte into its pipe after each update that the library has acknowledged. At the end, every value
 * is at least what was acknowledged, and at most one update in flight for each kill more. Meanwhile the
 * parent scrapes: no counter falls, no observation is torn.
 *
 * PTS_STORM_KILLS says how many; the soak has thousands.
 */

#include "test_store.h"

#include <poll.h>
#include <sys/mman.h>
#include <time.h>

enum { WORKERS = 8, FRESH_SERIES = 200 };

/* What a byte acknowledges. */
enum kind { COUNTER, OBSERVATION, SHARED, STAMPED, GAUGE, FRESH, KINDS };

typedef struct worker {
  pid_t pid;
  int acks; /* the pipe's reading end */
  uint64_t acknowledged[KINDS];
} worker;

static const char *path;
static worker workers[WORKERS];
static uint64_t *longest_ns; /* that an update took, of each worker; shared with them */
static const double bounds[] = {0.5, 1, 2};

static int32_t open_store(void) {
  char message[1024];
  pts_options options = {.path = path, .max_workers = 2 * WORKERS, .capacity = 1 << 20, .lock_timeout_ms = 10000};
  int32_t a = pts_open(&options, message, sizeof message);
  if (a < 0) fprintf(stderr, "pts_open: %d: %s\n", a, message);
  return a;
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int32_t fresh_series(int32_t a, int number, uint64_t n) {
  char printed[64];
  snprintf(printed, sizeof printed, "fresh{worker=\"%d\",n=\"%llu\"}", number, (unsigned long long)n % FRESH_SERIES);
  return help_series(a, PTS_KIND_VALUE, printed);
}

/* ---- a worker ------------------------------------------------------------------------------------------- */

typedef struct job {
  int number, acks;
  int32_t att, handles[KINDS];
  uint64_t done[KINDS]; /* as the parent knows it */
} job;

static int32_t look_up(job *j) {
  static const char *const names[] = {"counter", NULL, "shared", "stamped", NULL, NULL};
  char gauge[32];
  snprintf(gauge, sizeof gauge, "gauge{worker=\"%d\"}", j->number);
  for (int kind = 0; kind < KINDS; kind++) {
    if (kind == OBSERVATION)
      j->handles[kind] = help_histogram(j->att, "histogram", bounds, 3);
    else if (kind != FRESH)
      j->handles[kind] = help_series(j->att, PTS_KIND_VALUE, kind == GAUGE ? gauge : names[kind]);
    if (j->handles[kind] < 0) return j->handles[kind];
  }
  int32_t live = help_series(j->att, PTS_KIND_LIVE, "live");
  return live < 0 ? live : pts_set((uint32_t)j->att, (uint32_t)live, 1);
}

static int32_t update(job *j, enum kind kind) {
  uint32_t a = (uint32_t)j->att, h = (uint32_t)j->handles[kind];
  switch (kind) {
  case OBSERVATION:
    return pts_observe(a, h, 1);
  case GAUGE:
    return pts_set(a, h, (double)j->done[GAUGE] + 1);
  case FRESH:
    j->handles[FRESH] = fresh_series(j->att, j->number, j->done[FRESH]);
    return j->handles[FRESH] < 0 ? j->handles[FRESH] : pts_add(a, (uint32_t)j->handles[FRESH], 1);
  default:
    return pts_add(a, h, 1);
  }
}

/* Until it is killed. Its end by itself is a failure. */
static void work(void *context) {
  job *j = context;
  uint64_t random = help_random(&j->done[COUNTER]) + (uint64_t)j->number;
  j->att = open_store();
  int32_t code = j->att < 0 ? j->att : look_up(j);
  while (code == 0) {
    /* Mostly cheap ones; a new series every now and then. */
    uint64_t n = help_random(&random) % 100;
    enum kind kind = n < 3 ? FRESH : (enum kind)(n % (KINDS - 1));
    uint64_t before = now_ns();
    code = update(j, kind);
    uint64_t took = now_ns() - before;
    if (took > longest_ns[j->number]) longest_ns[j->number] = took;
    j->done[kind]++;
    uint8_t byte = (uint8_t)kind;
    if (code == 0 && write(j->acks, &byte, 1) != 1) code = -1000;
  }
  fprintf(stderr, "worker %d failed: %d\n", j->number, code);
  _exit(1);
}

static void start(int number) {
  int acks[2];
  CHECK_EQUAL(pipe(acks), 0);
  job j = {.number = number, .acks = acks[1]};
  memcpy(j.done, workers[number].acknowledged, sizeof j.done);
  workers[number].pid = help_spawn(work, &j);
  workers[number].acks = acks[0];
  close(acks[1]);
}

/* ---- the parent ------------------------------------------------------------------------------------------- */

static bool read_acks(worker *w) {
  uint8_t bytes[4096];
  ssize_t n = read(w->acks, bytes, sizeof bytes);
  for (ssize_t i = 0; i < n; i++) w->acknowledged[bytes[i]]++;
  return n > 0;
}

/* Workers must not wait for us: their pipes hold 64 KiB. */
static void read_acks_for(int milliseconds) {
  uint64_t end = now_ns() + (uint64_t)milliseconds * 1000000u;
  while (now_ns() < end) {
    struct pollfd polled[WORKERS];
    for (int i = 0; i < WORKERS; i++) polled[i] = (struct pollfd){workers[i].acks, POLLIN, 0};
    poll(polled, WORKERS, 1);
    for (int i = 0; i < WORKERS; i++)
      if (polled[i].revents & POLLIN) read_acks(&workers[i]);
  }
}

static void stop(worker *w) {
  kill(w->pid, SIGKILL);
  CHECK_EQUAL(help_wait(w->pid), SIGKILL); /* it did not end by itself */
  while (read_acks(w)) continue;           /* to the end of the pipe: no child of ours has its other one */
  close(w->acks);
}

static double total_of(enum kind kind) {
  double total = 0;
  for (int i = 0; i < WORKERS; i++) total += (double)workers[i].acknowledged[kind];
  return total;
}

static double number_after(const char *text, const char *name) {
  const char *line = text ? strstr(text, name) : NULL;
  return line ? strtod(line + strlen(name), NULL) : 0;
}

/* Counters never fall, observations are whole. */
static void scrape(int32_t a) {
  static double last;
  int32_t code;
  char *text = help_render(a, 0, 65536, &code);
  CHECK(text != NULL);
  double counter = number_after(text, "\ncounter ");
  if (strncmp(text, "counter ", 8) == 0) counter = strtod(text + 8, NULL);
  CHECK(counter >= last);
  last = counter;
  CHECK(number_after(text, "\nhistogram_count ") == number_after(text, "\nhistogram_sum "));
  CHECK(number_after(text, "\nlive ") <= WORKERS);
  free(text);
}

static void between(const char *what, double value, double least, double most) {
  if (value >= least && value <= most) return;
  fprintf(stderr, "%s: %.0f is not from %.0f to %.0f\n", what, value, least, most);
  check_failures++;
}

static void compare(int32_t a, double kills) {
  static const char *const names[] = {"counter", NULL, "shared", "stamped"};
  for (int kind = COUNTER; kind <= STAMPED; kind++) {
    double acknowledged = total_of((enum kind)kind);
    if (kind == OBSERVATION) continue;
    between(names[kind], help_value(a, help_series(a, PTS_KIND_VALUE, names[kind])), acknowledged, acknowledged + kills);
  }
  int32_t histogram = help_histogram(a, "histogram", bounds, 3);
  double observed = total_of(OBSERVATION);
  between("histogram", help_count(a, histogram), observed, observed + kills);
  CHECK(help_count(a, histogram) == help_value(a, histogram));
  double fresh = 0;
  for (int i = 0; i < WORKERS; i++) {
    char printed[32];
    snprintf(printed, sizeof printed, "gauge{worker=\"%d\"}", i);
    double set = (double)workers[i].acknowledged[GAUGE];
    if (set > 0) between(printed, help_value(a, help_series(a, PTS_KIND_VALUE, printed)), set, set + 1);
    for (uint64_t n = 0; n < FRESH_SERIES && n < workers[i].acknowledged[FRESH]; n++) {
      double value = help_value(a, fresh_series(a, i, n));
      CHECK(value >= 1);
      fresh += isnan(value) ? 0 : value;
    }
  }
  /* One in flight may be of a series whose first update was not acknowledged. */
  between("fresh", fresh, total_of(FRESH), total_of(FRESH) + kills);
  CHECK(isnan(help_value(a, help_series(a, PTS_KIND_LIVE, "live")))); /* nobody is alive */
}

static void a_storm_of_kills_loses_nothing(void) {
  uint64_t kills = help_setting("PTS_STORM_KILLS", 150), random = help_setting("PTS_STORM_SEED", 1);
  path = in_folder("storm");
  longest_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int32_t a = open_store();
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "shared"), 0), 0);
  CHECK_EQUAL(pts_set_at((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "stamped"), 0, 1), 0);
  CHECK_EQUAL(pts_touch((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "counter")), 0);
  pts_close((uint32_t)a); /* children must not inherit an attachment */
  memset(workers, 0, sizeof workers);
  for (int i = 0; i < WORKERS; i++) start(i);
  for (uint64_t n = 0; n < kills && check_failures == 0; n++) {
    int victim = (int)(help_random(&random) % WORKERS);
    read_acks_for((int)(help_random(&random) % 4));
    stop(&workers[victim]);
    if (n % 8 == 0) {
      a = open_store();
      scrape(a);
      CHECK_EQUAL(help_check(path, 0, 0), 0); /* beside the living */
      pts_close((uint32_t)a);
    }
    start(victim);
  }
  read_acks_for(20);
  for (int i = 0; i < WORKERS; i++) stop(&workers[i]);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  a = open_store();
  compare(a, (double)kills + WORKERS);
  pts_usage usage = usage_of(a);
  CHECK_EQUAL(usage.damage, 0);
  CHECK_EQUAL(usage.workers_live, 1);
  uint64_t longest = 0;
  for (int i = 0; i < WORKERS; i++) longest = longest_ns[i] > longest ? longest_ns[i] : longest;
  double all = 0;
  for (int kind = 0; kind < KINDS; kind++) all += total_of((enum kind)kind);
  printf("%llu kills, %.0f acknowledged updates, %llu locks taken over, longest update %.1f ms\n",
         (unsigned long long)kills + WORKERS, all, (unsigned long long)usage.repairs, (double)longest / 1e6);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, PTS_CHECK_REPAIR, 0), 0);
  munmap(longest_ns, 4096);
  unlink(path);
}

static const test_case tests[] = {
    {"a storm of kills loses nothing", a_storm_of_kills_loses_nothing},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

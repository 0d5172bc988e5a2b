/*
 * test_kill_points.c: every operation, killed at every numbered step (points.h), then looked at, then
 * repeated; and the repetition killed at every step, too.
 *
 * An operation takes a store from a state `old` to a state `new`, both a number that `measure` reads
 * from it. After a kill a living worker and a new one must see the same one of the two, the checker must be
 * clean, and the repeated operation must give what it gives to a store in that state.
 */

#include "test_store.h"

#include "points.h"

#define MISSING (-1.0)
#define KILLED 99 /* the exit code of a point */

static const char *path;
static int32_t att, h; /* of whoever is about to act */

typedef struct operation {
  const char *name;
  void (*prepare)(void); /* makes the store as it is before */
  void (*ready)(void);   /* attaches (att) and looks up (h): not part of the operation */
  void (*act)(void);
  double (*measure)(int32_t attachment);
  double old, new;
  bool adds;    /* twice is new + (new - old), not new */
  bool creates; /* there may be no store before */
  /* What somebody else does in the middle of it, at each of its first points in turn; it removes. */
  void (*beside)(void);
} operation;

/* ---- looking ------------------------------------------------------------------------------------------ */

static double value_of(int32_t a, const char *printed) {
  double value = help_value(a, help_series(a, PTS_KIND_VALUE, printed));
  return isnan(value) ? MISSING : value;
}

static double measure_kept(int32_t a) { return value_of(a, "kept"); }
static double measure_value(int32_t a) { return value_of(a, "value"); }

static double measure_enum(int32_t a) {
  double value = help_value(a, help_series(a, PTS_KIND_ENUM, "enum"));
  return isnan(value) ? MISSING : value;
}

static double measure_live(int32_t a) {
  double value = help_value(a, help_series(a, PTS_KIND_LIVE, "live"));
  return isnan(value) ? MISSING : value;
}

static const double bounds[] = {1, 2};

/* Each observation is 2, so that a torn one shows. */
static double measure_histogram(int32_t a) {
  int32_t histogram = help_histogram(a, "histogram", bounds, 2);
  double count = help_count(a, histogram), sum = help_value(a, histogram);
  if (isnan(count)) return MISSING;
  CHECK(sum == 2 * count);
  return count;
}

/* Whether a lookup finds it; the value that is there already must stay. */
static double measure_lookup(int32_t a) {
  pts_series_key key = {.kind = PTS_KIND_VALUE, .name_length = 3, .series_length = 3, .flags = PTS_SERIES_NO_CREATE};
  int32_t found = pts_series((uint32_t)a, &key, (const uint8_t *)"newnew", NULL);
  CHECK(found >= 0 || found == PTS_E_NOT_FOUND);
  CHECK(measure_kept(a) == 5);
  return found >= 0 ? 1 : MISSING;
}

static double measure_histogram_lookup(int32_t a) {
  static const double others[] = {3, 4};
  pts_series_key key = {.kind = PTS_KIND_HISTOGRAM, .name_length = 3, .series_length = 3, .insert_at = 3,
                        .bound_count = 2, .flags = PTS_SERIES_NO_CREATE};
  int32_t found = pts_series((uint32_t)a, &key, (const uint8_t *)"newnew", others);
  CHECK(found >= 0 || found == PTS_E_NOT_FOUND);
  return found >= 0 ? 1 : MISSING;
}

static double measure_declaration(int32_t a) {
  int32_t length = pts_declared((uint32_t)a, (const uint8_t *)"declared", 8, 2, NULL, 0);
  return length == PTS_E_NOT_FOUND ? MISSING : length;
}

/* ---- before ------------------------------------------------------------------------------------------- */

static void prepare_nothing(void) { unlink(path); }

static void prepare_empty_file(void) { write_file(path, "", 0); }

/* A value that two workers added to, an observation of each, and the slots free again. */
static void prepare_store(void) {
  unlink(path);
  int32_t a = help_open(path, 0), b = help_open(path, 0);
  for (int i = 0; i < 2; i++) {
    int32_t worker = i ? b : a;
    CHECK_EQUAL(pts_add((uint32_t)worker, (uint32_t)help_series(worker, PTS_KIND_VALUE, "kept"), i ? 3 : 2), 0);
    CHECK_EQUAL(pts_add((uint32_t)worker, (uint32_t)help_series(worker, PTS_KIND_VALUE, "value"), i ? 3 : 2), 0);
    CHECK_EQUAL(pts_observe((uint32_t)worker, (uint32_t)help_histogram(worker, "histogram", bounds, 2), 2), 0);
  }
  help_declare_enum(a, "enum", "", "s=\"0\"\ns=\"1\"");
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_ENUM, "enum"), 0), 0);
  help_series(a, PTS_KIND_LIVE, "live");
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
}

static void with_value(int32_t (*change)(uint32_t, uint32_t)) {
  int32_t a = help_open(path, 0);
  CHECK_EQUAL(change((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "value")), 0);
  pts_close((uint32_t)a);
}

static int32_t set_5(uint32_t a, uint32_t handle) { return pts_set(a, handle, 5); }
static int32_t stamp_5(uint32_t a, uint32_t handle) { return pts_set_at(a, handle, 5, 1); }

static void prepare_shared(void) {
  prepare_store();
  with_value(set_5);
}

static void prepare_stamped(void) {
  prepare_store();
  with_value(stamp_5);
}

static void prepare_removed(void) {
  prepare_store();
  with_value(pts_remove);
}

static void prepare_removed_shared(void) {
  prepare_shared();
  with_value(pts_remove);
}

static void prepare_removed_stamped(void) {
  prepare_stamped();
  with_value(pts_remove);
}

static void prepare_removed_histogram(void) {
  prepare_store();
  int32_t a = help_open(path, 0);
  pts_remove((uint32_t)a, (uint32_t)help_histogram(a, "histogram", bounds, 2));
  pts_close((uint32_t)a);
}

static void prepare_other(void) {
  pts_store other;
  unlink(path);
  CHECK_EQUAL(help_open_other(path, &other), 0);
  pts_store_close(&other);
}

/* A worker in slot 1 that was killed between the cells of an observation. */
static void observe_half(void *context) {
  (void)context;
  int32_t a = help_open(path, 0);
  int32_t histogram = help_histogram(a, "histogram", bounds, 2);
  pts_points_left = 3;
  pts_observe((uint32_t)a, (uint32_t)histogram, 2);
}

static void prepare_half_observed(void) {
  prepare_store();
  int status = help_in_child(observe_half, NULL);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == KILLED);
}

/* ---- the operations --------------------------------------------------------------------------------------- */

static void ready_nothing(void) { att = h = -1; }
static void ready_attached(void) { att = help_open(path, 0); }
static void ready_value(void) {
  att = help_open(path, 0);
  h = help_series(att, PTS_KIND_VALUE, "value");
}
static void ready_histogram(void) {
  att = help_open(path, 0);
  h = help_histogram(att, "histogram", bounds, 2);
}
static void ready_enum(void) {
  att = help_open(path, 0);
  h = help_series(att, PTS_KIND_ENUM, "enum");
}
static void ready_live(void) {
  att = help_open(path, 0);
  h = help_series(att, PTS_KIND_LIVE, "live");
}

static int32_t other, other_h; /* of somebody else */
static void ready_value_of_two(void) {
  ready_value();
  other = help_open(path, 0);
  other_h = help_series(other, PTS_KIND_VALUE, "value");
}

#define DONE(call) CHECK_EQUAL(call, 0)

static void act_open(void) { att = help_open(path, 0); }
static void act_init(void) { att = help_open(path, PTS_OPEN_INIT); }
static void act_insert(void) { CHECK(help_series(att, PTS_KIND_VALUE, "new") >= 0); }
static void act_insert_histogram(void) {
  static const double others[] = {3, 4};
  CHECK(help_histogram(att, "new", others, 2) >= 0);
}
static void act_declare(void) { DONE(help_declare(att, "declared", "{}", "", "header\n")); }
static void act_add(void) { DONE(pts_add((uint32_t)att, (uint32_t)h, 1)); }
static void act_set(void) { DONE(pts_set((uint32_t)att, (uint32_t)h, 1)); }
static void act_stamp(void) { DONE(pts_set_at((uint32_t)att, (uint32_t)h, 1, 7)); }
static void act_observe(void) { DONE(pts_observe((uint32_t)att, (uint32_t)h, 2)); }
static void act_touch(void) { DONE(pts_touch((uint32_t)att, (uint32_t)h)); }
static void act_remove(void) { DONE(pts_remove((uint32_t)att, (uint32_t)h)); }
static void act_clear(void) { DONE(pts_clear((uint32_t)att)); }
static void remove_by_other(void) { DONE(pts_remove((uint32_t)other, (uint32_t)other_h)); }
static void act_repair(void) { help_check(path, PTS_CHECK_REPAIR, 0); }
static void act_close(void) {
  DONE(pts_close((uint32_t)att));
  att = -1;
}
static void act_add_section(void) {
  pts_store other;
  DONE(help_open_other(path, &other));
  CHECK_EQUAL(other.section[63], 'c');
  CHECK_EQUAL(other.section[64], 0);
  pts_store_close(&other);
}

static const operation operations[] = {
    {"create", prepare_nothing, ready_nothing, act_open, measure_kept, MISSING, MISSING, false, true, NULL},
    {"replace an empty file", prepare_empty_file, ready_nothing, act_open, measure_kept, MISSING, MISSING, false, true, NULL},
    {"initFile", prepare_store, ready_nothing, act_init, measure_kept, 5, MISSING, false, true, NULL},
    {"attach", prepare_store, ready_nothing, act_open, measure_kept, 5, 5, false, false, NULL},
    {"take a slot over", prepare_half_observed, ready_nothing, act_open, measure_histogram, 3, 3, false, false, NULL},
    {"repair", prepare_half_observed, ready_nothing, act_repair, measure_histogram, 3, 3, false, false, NULL},
    {"close", prepare_store, ready_value, act_close, measure_value, 5, 5, false, false, NULL},
    {"add the other section", prepare_store, ready_nothing, act_add_section, measure_kept, 5, 5, false, false, NULL},
    {"add the metrics section", prepare_other, ready_nothing, act_open, measure_kept, MISSING, MISSING, false, true, NULL},
    {"declare", prepare_store, ready_attached, act_declare, measure_declaration, MISSING, 7, false, false, NULL},
    {"insert a series", prepare_store, ready_attached, act_insert, measure_lookup, MISSING, 1, false, false, NULL},
    {"insert a histogram", prepare_store, ready_attached, act_insert_histogram, measure_histogram_lookup, MISSING, 1, false, false, NULL},
    {"add to own cells", prepare_store, ready_value, act_add, measure_value, 5, 6, true, false, NULL},
    {"add after remove", prepare_removed, ready_value, act_add, measure_value, MISSING, 1, true, false, NULL},
    {"add to a shared value", prepare_shared, ready_value, act_add, measure_value, 5, 6, true, false, NULL},
    {"add to a removed shared value", prepare_removed_shared, ready_value, act_add, measure_value, MISSING, 1, true, false, NULL},
    {"add to a stamped value", prepare_stamped, ready_value, act_add, measure_value, 5, 6, true, false, NULL},
    {"add to a removed stamped value", prepare_removed_stamped, ready_value, act_add, measure_value, MISSING, 1, true, false, NULL},
    {"first set", prepare_store, ready_value, act_set, measure_value, 5, 1, false, false, NULL},
    {"first set beside a remove", prepare_store, ready_value_of_two, act_set, measure_value, 5, 1, false, false, remove_by_other},
    {"first set with a time beside a remove", prepare_store, ready_value_of_two, act_stamp, measure_value, 5, 1, false, false, remove_by_other},
    {"set", prepare_shared, ready_value, act_set, measure_value, 5, 1, false, false, NULL},
    {"set after remove", prepare_removed_shared, ready_value, act_set, measure_value, MISSING, 1, false, false, NULL},
    {"set a stamped value", prepare_stamped, ready_value, act_set, measure_value, 5, 1, false, false, NULL},
    {"first set with a time", prepare_store, ready_value, act_stamp, measure_value, 5, 1, false, false, NULL},
    {"set a shared value with a time", prepare_shared, ready_value, act_stamp, measure_value, 5, 1, false, false, NULL},
    {"set with a time", prepare_stamped, ready_value, act_stamp, measure_value, 5, 1, false, false, NULL},
    {"set with a time after remove", prepare_removed_stamped, ready_value, act_stamp, measure_value, MISSING, 1, false, false, NULL},
    {"set an enum", prepare_store, ready_enum, act_set, measure_enum, 0, 1, false, false, NULL},
    {"observe", prepare_store, ready_histogram, act_observe, measure_histogram, 2, 3, true, false, NULL},
    {"observe after remove", prepare_removed_histogram, ready_histogram, act_observe, measure_histogram, MISSING, 1, true, false, NULL},
    {"touch", prepare_removed, ready_value, act_touch, measure_value, MISSING, 0, false, false, NULL},
    {"remove", prepare_store, ready_value, act_remove, measure_value, 5, MISSING, false, false, NULL},
    {"remove a shared value", prepare_shared, ready_value, act_remove, measure_value, 5, MISSING, false, false, NULL},
    {"clear", prepare_store, ready_attached, act_clear, measure_kept, 5, MISSING, false, false, NULL},
    /* A live part leaves with its killed owner, so that only the repetition shows. */
    {"set a live value", prepare_store, ready_live, act_set, measure_live, MISSING, 1, false, false, NULL},
    {"add to a live value", prepare_store, ready_live, act_add, measure_live, MISSING, 1, false, false, NULL},
};

/* ---- walking ------------------------------------------------------------------------------------------------ */

#define MOST_BESIDE 12u

static uint64_t points_walked;
static uint32_t beside_at; /* at which point somebody else does something; 0: at none */
static const operation *disturbed;

static void disturb(const char *file, int line) {
  help_points_see(file, line);
  if (beside_at == 0 || --beside_at > 0) return;
  disturbed->beside();
}

static void act_armed(void *context) {
  check_failures = 0;
  const operation *o = ((const operation **)context)[0];
  o->ready();
  pts_points_left = *((uint64_t **)context)[1];
  disturbed = o;
  pts_points_watch = disturb;
  o->act();
  pts_points_left = 0;
  fflush(NULL);
  _exit(check_failures == 0 ? 0 : 1);
}

/* In a process of its own, killed at that point. False when it has no so many. */
static bool act_and_die(const operation *o, uint64_t point) {
  const void *context[] = {o, &point};
  int status = help_in_child(act_armed, (void *)(uintptr_t)context);
  CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == KILLED));
  return WIFEXITED(status) && WEXITSTATUS(status) == KILLED;
}

static double twice(const operation *o, double state) {
  if (!o->adds) return o->new;
  double delta = o->new - (o->old == MISSING ? 0 : o->old);
  return (state == MISSING ? 0 : state) + delta;
}

/* One of the states that `kills` attempts can have left. A first observation has two steps that show: the
 * series begins, as pts_touch would have it, and then has one. */
static bool is_reachable(const operation *o, double state, int kills) {
  if (o->act == act_observe && o->old == MISSING && state == 0) return true;
  if (o->beside && state == MISSING) return true;
  double reached = o->old;
  for (int i = 0; i <= kills; i++, reached = twice(o, reached))
    if (state == reached) return true;
  return false;
}

/* What a living worker sees at once, what a new one sees, and whether the checker is content. */
static double look_after_kill(const operation *o, int32_t observer, int kills) {
  char report[4096];
  int32_t findings = pts_check(path, 0, report, sizeof report);
  bool none = o->creates && (findings == PTS_E_NOT_FOUND || findings == PTS_E_NOT_A_STORE);
  if (findings != 0 && !none) {
    fprintf(stderr, "%s\n", report);
    CHECK_EQUAL(findings, 0);
  }
  double seen = MISSING, state = MISSING;
  if (observer >= 0) seen = o->measure(observer);
  if (!none) {
    int32_t next = help_open(path, PTS_OPEN_EXISTING);
    CHECK(next >= 0);
    state = o->measure(next);
    pts_close((uint32_t)next);
    CHECK(is_reachable(o, state, kills));
    CHECK(observer < 0 || seen == state);
  }
  return state;
}

static void repeat(const operation *o, int32_t observer, double state) {
  o->ready();
  o->act(); /* undisturbed */
  double expected = twice(o, state);
  if (observer >= 0) CHECK(o->measure(observer) == expected);
  if (att >= 0) {
    CHECK(o->measure(att) == expected);
    pts_close((uint32_t)att);
  }
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  CHECK_EQUAL(help_check(path, PTS_CHECK_REPAIR, 0), 0);
}

/* Kill it there, and the repetition at `second` if that is not 0. How many of the two points there were. */
static int walk_point(const operation *o, uint64_t first, uint64_t second) {
  int kills = 0;
  o->prepare();
  int32_t observer = o->creates ? -1 : help_open(path, 0);
  if (act_and_die(o, first)) {
    points_walked++;
    kills = 1;
    double state = look_after_kill(o, observer, kills);
    if (second && act_and_die(o, second)) {
      points_walked++;
      kills = 2;
    }
    if (second) state = look_after_kill(o, observer, 2);
    repeat(o, observer, state);
  }
  if (observer >= 0) pts_close((uint32_t)observer);
  unlink(path);
  return kills;
}

/* Every point, and for each so many of a repetition. */
static void walk_operation(const operation *o, uint64_t stride) {
  uint64_t first = 1, most = 0;
  int failures = check_failures;
  for (; walk_point(o, first, 0) && check_failures == failures; first++) {
    for (uint64_t second = 1 + first % stride; check_failures == failures; second += stride) {
      if (second > most) most = second;
      if (walk_point(o, first, second) < 2) break;
    }
  }
  if (check_failures != failures)
    fprintf(stderr, "FAILED: %s, killed at point %llu (and then at up to %llu), disturbed at %u\n", o->name,
            (unsigned long long)first, (unsigned long long)most, beside_at);
  /* None: the operation is one store (clear, the hot paths). */
  if (beside_at <= 1) printf("%3llu points: %s\n", (unsigned long long)first - 1, o->name);
}

static void walk_every_point_of_every_operation(void) {
  path = in_folder("store");
  uint64_t stride = help_setting("PTS_SECOND_KILL_STRIDE", 20); /* 1: every pair */
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    const operation *o = &operations[i];
    for (beside_at = o->beside ? 1 : 0; beside_at <= (o->beside ? MOST_BESIDE : 0); beside_at++)
      walk_operation(o, stride);
  }
  beside_at = 0;
  printf("%llu kills\n", (unsigned long long)points_walked);
  CHECK(points_walked > 500);
}

/* A step that no operation above comes by would be one at which nobody was ever killed. */
static void no_point_is_left_out(void) {
  static const char *const sources[] = {"cell.c", "index.c", "lock.c", "metrics.c", "platform_linux.c",
                                        "series.c", "store.c", "worker.c"};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) CHECK(help_points_left_out(sources[i]) <= 0);
}

static const test_case tests[] = {
    {"every point of every operation", walk_every_point_of_every_operation},
    {"no point is left out", no_point_is_left_out},
};

int main(void) {
  help_points_watch();
  return run_store_tests(tests, sizeof tests / sizeof *tests);
}

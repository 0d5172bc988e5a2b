/* kill_walk.h: kills an operation at each of its numbered steps (points.h), looks at what is left, repeats the
 * operation, and kills the repetition, too. For test_kill_points.c, which has the operations. */
#ifndef KILL_WALK_H
#define KILL_WALK_H

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
  bool begins; /* has two steps that show: the series begins, as pts_touch would have it, then has a value */
} operation;

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

/* One of the states that `kills` attempts can have left. */
static bool is_reachable(const operation *o, double state, int kills) {
  if (o->begins && state == 0) return true;
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
  uint64_t first = 1, most = 0, step = help_setting("PTS_FIRST_KILL_STRIDE", 1);
  int failures = check_failures;
  for (; walk_point(o, first, 0) && check_failures == failures; first += step) {
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

static void walk_operations(const operation *operations, size_t count) {
  path = in_folder("store");
  uint64_t stride = help_setting("PTS_SECOND_KILL_STRIDE", 40); /* 1: every pair */
  for (size_t i = 0; i < count; i++) {
    const operation *o = &operations[i];
    for (beside_at = o->beside ? 1 : 0; beside_at <= (o->beside ? MOST_BESIDE : 0); beside_at++)
      walk_operation(o, stride);
  }
  beside_at = 0;
  printf("%llu kills\n", (unsigned long long)points_walked);
  CHECK(points_walked > 500);
}

/* A step that no operation above comes by would be one at which nobody was ever killed. */
#endif

/*
 * test_kill_points.c: every operation, killed at every numbered step (points.h), then looked at, then
 * repeated; and the repetition killed at every step, too.
 *
 * An operation takes a store from a state `old` to a state `new`, both a number that `measure` reads
 * from it. After a kill a living worker and a new one must see the same one of the two, the checker must be
 * clean, and the repeated operation must give what it gives to a store in that state.
 */

#include "kill_walk.h"

#include "exemplar.h"

/* ---- looking ------------------------------------------------------------------------------------------ */

static double value_of(int32_t a, const char *printed) {
  double value = help_value(a, help_series(a, PTS_KIND_VALUE, printed));
  return isnan(value) ? MISSING : value;
}

static double measure_kept(int32_t a) { return value_of(a, "kept"); }
static double measure_value(int32_t a) { return value_of(a, "value"); }
static double measure_fading(int32_t a) { return value_of(a, "fading"); }

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

/* A buffer with room, a full one, and windows: the observations that are there and one more. */
static const double forever[] = {0, 1, 0.5}, windows[] = {2000, 2, 0.5};

/* As measure_histogram; and where the window of 1500 has something, its median is 2, too. */
static double measure_summary_of(int32_t a, const char *name, const double *its_bounds) {
  double numbers[3];
  int32_t summary = help_summary(a, name, its_bounds, 3);
  double count = help_count(a, summary), sum = help_value(a, summary);
  if (isnan(count)) return MISSING;
  CHECK(sum == 2 * count);
  CHECK_EQUAL(pts_quantiles((uint32_t)a, (uint32_t)summary, 1500, numbers, 3), 3);
  CHECK(numbers[0] == count && numbers[1] == sum);
  CHECK(count == 0 ? isnan(numbers[2]) : numbers[2] == 2);
  return count;
}
static double measure_summary(int32_t a) { return measure_summary_of(a, "summary", forever); }
static double measure_windows(int32_t a) { return measure_summary_of(a, "windows", windows); }

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
  CHECK_EQUAL(help_declare(a, "fading", "{}", "-.c1000;", ""), 0);
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, "fading"), 5), 0);
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

static void prepare_summary(int32_t count, bool removed) {
  prepare_store();
  /* In the second slot, which is the one that acts: the observer has the first. */
  int32_t first = help_open(path, 0), a = help_open(path, 0);
  uint32_t summary = (uint32_t)help_summary(a, "summary", forever, 3);
  uint32_t windowed = (uint32_t)help_summary(a, "windows", windows, 3);
  for (int32_t i = 0; i < count; i++) {
    CHECK_EQUAL(pts_observe_at((uint32_t)a, summary, 2, 0), 0);
    CHECK_EQUAL(pts_observe_at((uint32_t)a, windowed, 2, 10), 0);
  }
  if (removed) CHECK_EQUAL(pts_remove((uint32_t)a, summary), 0);
  pts_close((uint32_t)a);
  pts_close((uint32_t)first);
}
static void prepare_some_observed(void) { prepare_summary(5, false); }
static void prepare_full_buffer(void) { prepare_summary(PTS_SUMMARY_BUFFER, false); }
static void prepare_removed_summary(void) { prepare_summary(5, true); }

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
static void ready_summary(void) {
  att = help_open(path, 0);
  h = help_summary(att, "summary", forever, 3);
}
static void ready_windows(void) {
  att = help_open(path, 0);
  h = help_summary(att, "windows", windows, 3);
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
static void act_observe_at(void) { DONE(pts_observe_at((uint32_t)att, (uint32_t)h, 2, 1500)); }
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

/* ---- room of removed series ------------------------------------------------------------------------------- */

#define NEIGHBOURS 400 /* of 512 records: so many that the hash slots are crowded */
#define REMOVALS 120   /* more than an eighth of all */

static void come_and_go(int32_t a, int times) {
  char printed[64];
  for (int i = 0; i < times; i++) {
    snprintf(printed, sizeof printed, "gone{i=\"%d\"}", i % 3);
    uint32_t gone = (uint32_t)help_series(a, PTS_KIND_VALUE, printed);
    CHECK_EQUAL(pts_add((uint32_t)a, gone, 1), 0);
    CHECK_EQUAL(pts_remove((uint32_t)a, gone), 0);
  }
}

/* Three series with labels left, so often that the next insertion looks for room among the first records; some
 * are in the way of others in the hash slots. */
static void prepare_gone(void) {
  prepare_store();
  int32_t a = help_open(path, 0);
  char printed[64];
  come_and_go(a, 3);
  for (int i = 0; i < NEIGHBOURS; i++) {
    snprintf(printed, sizeof printed, "neighbour{i=\"%d\"}", i);
    CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)help_series(a, PTS_KIND_VALUE, printed), i), 0);
  }
  come_and_go(a, REMOVALS);
  pts_close((uint32_t)a);
}

#define SHORT_LABELS "new{i=\"x\"}"
#define LONG_LABELS "new{i=\"x\",and=\"a text that has no room where a shorter one was\"}"

static double measure_labels(int32_t a, const char *printed) {
  char text[256];
  uint32_t length = (uint32_t)strlen(printed);
  snprintf(text, sizeof text, "new%s", printed);
  pts_series_key key = {.kind = PTS_KIND_VALUE, .name_length = 3, .series_length = length, .insert_at = length - 1,
                        .flags = PTS_SERIES_NO_CREATE};
  int32_t found = pts_series((uint32_t)a, &key, (const uint8_t *)text, NULL);
  CHECK(found >= 0 || found == PTS_E_NOT_FOUND);
  CHECK(measure_kept(a) == 5);
  CHECK(value_of(a, "neighbour{i=\"7\"}") == 7);
  /* Nothing of whoever had the room before: it does not exist until its first update. */
  if (found >= 0) CHECK(isnan(help_value(a, found)));
  return found >= 0 ? 1 : MISSING;
}

static double measure_short(int32_t a) { return measure_labels(a, SHORT_LABELS); }
static double measure_long(int32_t a) { return measure_labels(a, LONG_LABELS); }
static void act_insert_short(void) { CHECK(help_series(att, PTS_KIND_VALUE, SHORT_LABELS) >= 0); }
static void act_insert_long(void) { CHECK(help_series(att, PTS_KIND_VALUE, LONG_LABELS) >= 0); }

/* ---- series that leave by themselves ------------------------------------------------------------------------ */

#define TTL_MS 1000

static double now_ms(void) { return (double)pts_os_clock_ms(); }

static void expire_at(int32_t number, uint32_t handle, double when_ms) {
  pts_attachment *a = pts_attachment_of((uint32_t)number);
  uint32_t record = (uint32_t)(pts_handle_of(a, handle)->record - a->records);
  pts_expire(a, &record, 1, TTL_MS, when_ms);
}

static void prepare_marked(void) {
  prepare_store();
  int32_t a = help_open(path, 0);
  expire_at(a, (uint32_t)help_series(a, PTS_KIND_VALUE, "fading"), now_ms());
  pts_close((uint32_t)a);
}

static void ready_fading(void) {
  att = help_open(path, 0);
  h = help_series(att, PTS_KIND_VALUE, "fading");
}

static void act_mark(void) { expire_at(att, (uint32_t)h, now_ms()); }
static void act_expire(void) { expire_at(att, (uint32_t)h, now_ms() + 2 * TTL_MS); }

/* ---- exemplars ------------------------------------------------------------------------------------------------ */

static int32_t exemplar_1(uint32_t a, uint32_t handle) {
  return pts_exemplar(a, handle, 1, 7, (const uint8_t *)"n=\"one\"", 7);
}

static void prepare_exemplar(void) {
  prepare_store();
  with_value(exemplar_1);
}

/* Its value; the text belongs to it. */
static double measure_exemplar(int32_t number) {
  static pts_exemplar_reading out;
  pts_attachment *a = pts_attachment_of((uint32_t)number);
  int32_t handle = help_series(number, PTS_KIND_VALUE, "value");
  CHECK(measure_value(number) == 5);
  const pts_record *record = pts_handle_of(a, (uint32_t)handle)->record;
  if (!pts_exemplar_read(a, record, pts_load_acquire_u64(&record->head), 0, &out)) return MISSING;
  CHECK(out.length == 7 && memcmp(out.text, out.value == 1 ? "n=\"one\"" : "n=\"two\"", 7) == 0);
  return out.value;
}

static void act_exemplar(void) {
  DONE(pts_exemplar((uint32_t)att, (uint32_t)h, 2, 7, (const uint8_t *)"n=\"two\"", 7));
}

/* ---- gauges with a value for each worker ------------------------------------------------------------------------ */

/* In the slot that the next worker takes beside an observer, somebody has left 5. */
static void prepare_left(uint32_t kind, const char *traits) {
  prepare_store();
  int32_t beside = help_open(path, 0), a = help_open(path, 0);
  CHECK_EQUAL(help_declare(a, "gauge", "{}", traits, ""), 0);
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)help_series(a, kind, "gauge"), 5), 0);
  pts_close((uint32_t)a);
  pts_close((uint32_t)beside);
}

static void prepare_sum(void) { prepare_left(PTS_KIND_LIVE, "s.g;"); }
static void prepare_most(void) { prepare_left(PTS_KIND_LIVE, "M.g;"); }
static void prepare_recent(void) { prepare_left(PTS_KIND_RECENT, "r.g;"); }

static void ready_gauge(void) {
  att = help_open(path, 0);
  h = help_series(att, PTS_KIND_LIVE, "gauge");
}
static void ready_recent(void) {
  att = help_open(path, 0);
  h = help_series(att, PTS_KIND_RECENT, "gauge");
}

static double measure_gauge_of(int32_t a, uint32_t kind) {
  double value = help_value(a, help_series(a, kind, "gauge"));
  return isnan(value) ? MISSING : value;
}
static double measure_gauge(int32_t a) { return measure_gauge_of(a, PTS_KIND_LIVE); }
static double measure_recent(int32_t a) { return measure_gauge_of(a, PTS_KIND_RECENT); }
static void act_set_7(void) { DONE(pts_set((uint32_t)att, (uint32_t)h, 7)); }

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static const operation operations[] = {
    {"create", prepare_nothing, ready_nothing, act_open, measure_kept, MISSING, MISSING, false, true, NULL, false},
    {"replace an empty file", prepare_empty_file, ready_nothing, act_open, measure_kept, MISSING, MISSING, false, true, NULL, false},
    {"initFile", prepare_store, ready_nothing, act_init, measure_kept, 5, MISSING, false, true, NULL, false},
    {"attach", prepare_store, ready_nothing, act_open, measure_kept, 5, 5, false, false, NULL, false},
    {"take a slot over", prepare_half_observed, ready_nothing, act_open, measure_histogram, 3, 3, false, false, NULL, false},
    {"repair", prepare_half_observed, ready_nothing, act_repair, measure_histogram, 3, 3, false, false, NULL, false},
    {"close", prepare_store, ready_value, act_close, measure_value, 5, 5, false, false, NULL, false},
    {"add the other section", prepare_store, ready_nothing, act_add_section, measure_kept, 5, 5, false, false, NULL, false},
    {"add the metrics section", prepare_other, ready_nothing, act_open, measure_kept, MISSING, MISSING, false, true, NULL, false},
    {"declare", prepare_store, ready_attached, act_declare, measure_declaration, MISSING, 7, false, false, NULL, false},
    {"insert a series", prepare_store, ready_attached, act_insert, measure_lookup, MISSING, 1, false, false, NULL, false},
    {"insert a histogram", prepare_store, ready_attached, act_insert_histogram, measure_histogram_lookup, MISSING, 1, false, false, NULL, false},
    {"add to own cells", prepare_store, ready_value, act_add, measure_value, 5, 6, true, false, NULL, false},
    {"add after remove", prepare_removed, ready_value, act_add, measure_value, MISSING, 1, true, false, NULL, false},
    {"add to a shared value", prepare_shared, ready_value, act_add, measure_value, 5, 6, true, false, NULL, false},
    {"add to a removed shared value", prepare_removed_shared, ready_value, act_add, measure_value, MISSING, 1, true, false, NULL, false},
    {"add to a stamped value", prepare_stamped, ready_value, act_add, measure_value, 5, 6, true, false, NULL, false},
    {"add to a removed stamped value", prepare_removed_stamped, ready_value, act_add, measure_value, MISSING, 1, true, false, NULL, false},
    {"first set", prepare_store, ready_value, act_set, measure_value, 5, 1, false, false, NULL, false},
    {"first set beside a remove", prepare_store, ready_value_of_two, act_set, measure_value, 5, 1, false, false, remove_by_other, false},
    {"first set with a time beside a remove", prepare_store, ready_value_of_two, act_stamp, measure_value, 5, 1, false, false, remove_by_other, false},
    {"set", prepare_shared, ready_value, act_set, measure_value, 5, 1, false, false, NULL, false},
    {"set after remove", prepare_removed_shared, ready_value, act_set, measure_value, MISSING, 1, false, false, NULL, false},
    {"set a stamped value", prepare_stamped, ready_value, act_set, measure_value, 5, 1, false, false, NULL, false},
    {"first set with a time", prepare_store, ready_value, act_stamp, measure_value, 5, 1, false, false, NULL, false},
    {"set a shared value with a time", prepare_shared, ready_value, act_stamp, measure_value, 5, 1, false, false, NULL, false},
    {"set with a time", prepare_stamped, ready_value, act_stamp, measure_value, 5, 1, false, false, NULL, false},
    {"set with a time after remove", prepare_removed_stamped, ready_value, act_stamp, measure_value, MISSING, 1, false, false, NULL, false},
    {"set an enum", prepare_store, ready_enum, act_set, measure_enum, 0, 1, false, false, NULL, false},
    {"observe", prepare_store, ready_histogram, act_observe, measure_histogram, 2, 3, true, false, NULL, false},
    {"observe after remove", prepare_removed_histogram, ready_histogram, act_observe, measure_histogram, MISSING, 1, true, false, NULL, true},
    {"observe into a summary", prepare_some_observed, ready_summary, act_observe_at, measure_summary, 5, 6, true, false, NULL, false},
    {"observe into a full summary", prepare_full_buffer, ready_summary, act_observe_at, measure_summary, 128, 129, true, false, NULL, false},
    {"observe into a removed summary", prepare_removed_summary, ready_summary, act_observe_at, measure_summary, MISSING, 1, true, false, NULL, true},
    {"observe in a new window", prepare_some_observed, ready_windows, act_observe_at, measure_windows, 5, 6, true, false, NULL, false},
    {"touch a summary", prepare_removed_summary, ready_summary, act_touch, measure_summary, MISSING, 0, false, false, NULL, false},
    {"remove a summary", prepare_some_observed, ready_summary, act_remove, measure_summary, 5, MISSING, false, false, NULL, false},
    {"touch", prepare_removed, ready_value, act_touch, measure_value, MISSING, 0, false, false, NULL, false},
    {"remove", prepare_store, ready_value, act_remove, measure_value, 5, MISSING, false, false, NULL, false},
    {"remove a shared value", prepare_shared, ready_value, act_remove, measure_value, 5, MISSING, false, false, NULL, false},
    {"clear", prepare_store, ready_attached, act_clear, measure_kept, 5, MISSING, false, false, NULL, false},
    {"insert into the room of another", prepare_gone, ready_attached, act_insert_short, measure_short, MISSING, 1, false, false, NULL, false},
    {"insert into room with too little for the text", prepare_gone, ready_attached, act_insert_long, measure_long, MISSING, 1, false, false, NULL, false},
    {"mark a series that nobody updates", prepare_store, ready_fading, act_mark, measure_fading, 5, 5, false, false, NULL, false},
    {"let it leave", prepare_marked, ready_fading, act_expire, measure_fading, 5, MISSING, false, false, NULL, false},
    {"first exemplar", prepare_store, ready_value, act_exemplar, measure_exemplar, MISSING, 2, false, false, NULL, false},
    {"exemplar", prepare_exemplar, ready_value, act_exemplar, measure_exemplar, 1, 2, false, false, NULL, false},
    {"add to a sum that a dead worker left", prepare_sum, ready_gauge, act_add, measure_gauge, 5, 6, true, false, NULL, false},
    {"set a maximum that a dead worker left", prepare_most, ready_gauge, act_set_7, measure_gauge, 5, 7, false, false, NULL, false},
    {"set the most recent value after a dead worker", prepare_recent, ready_recent, act_set_7, measure_recent, 5, 7, false, false, NULL, false},
    /* A live part leaves with its killed owner, so that only the repetition shows. */
    {"set a live value", prepare_store, ready_live, act_set, measure_live, MISSING, 1, false, false, NULL, false},
    {"add to a live value", prepare_store, ready_live, act_add, measure_live, MISSING, 1, false, false, NULL, false},
};

static bool is_walked_here(const char *source) {
  size_t length = strlen(source);
  if (length < 3 || strcmp(source + length - 2, ".c") != 0) return false;
  if (strncmp(source, "platform_", 9) == 0) return strcmp(source, "platform_linux.c") == 0;
  return strncmp(source, "cache", 5) != 0 && strcmp(source, "page.c") != 0; /* test_cache_kill.c */
}

static void no_point_is_left_out(void) {
  if (help_setting("PTS_FIRST_KILL_STRIDE", 1) > 1) return; /* only some are walked */
  DIR *sources = opendir("csrc");
  if (!sources) return; /* run from elsewhere */
  for (struct dirent *entry = readdir(sources); entry; entry = readdir(sources))
    if (is_walked_here(entry->d_name)) CHECK(help_points_left_out(entry->d_name) <= 0);
  closedir(sources);
}

static void walk_every_point_of_every_operation(void) {
  walk_operations(operations, sizeof operations / sizeof *operations);
}

static const test_case tests[] = {
    {"every point of every operation", walk_every_point_of_every_operation},
    {"no point is left out", no_point_is_left_out},
};

int main(void) {
  help_points_watch();
  return run_store_tests(tests, sizeof tests / sizeof *tests);
}

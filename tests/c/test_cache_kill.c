/*
 * Ends the process at every single step of every operation, and looks at what it leaves: readers
 * see the old state or the new one without waiting, the next writer repairs what hints are wrong,
 * and nothing else changed.
 *
 * The child attaches by itself and dies at its n-th point after that; n grows until it survives.
 */
#include "test_cache.h"

#include "store_help.h"

#define KEY "subject"

typedef struct state {
  uint8_t bytes[1 << 15];
  int32_t size;
} state;

static uint32_t now = NOW;

/* Every entry but the subject, in the order of pages and slots; with no last access, which may
 * differ. */
static void snapshot(uint32_t c, state *s) {
  static uint8_t page[1 << 15];
  s->size = 0;
  for (uint32_t number = 0; number < pts_cache_of(c)->num_pages; number++) {
    int32_t size = pts_cache_page(c, number, now, PTS_CACHE_EXPIRED_TOO, page, sizeof page);
    CHECK(size >= 0 && size <= (int32_t)sizeof page);
    pts_cache_entry entry;
    for (int32_t at = 0; at < size; at += (int32_t)entry.bytes) {
      memcpy(&entry, page + at, sizeof entry);
      if (entry.key_length == 7 && memcmp(page + at + sizeof entry, KEY, 7) == 0) continue;
      entry.last_access = 0;
      memcpy(s->bytes + s->size, &entry, sizeof entry);
      s->size += (int32_t)sizeof entry;
      uint32_t length = entry.key_length + entry.value_length; /* without the padding */
      memcpy(s->bytes + s->size, page + at + sizeof entry, length);
      s->size += (int32_t)length;
    }
  }
}

static bool same(const state *a, const state *b) {
  return a->size == b->size && memcmp(a->bytes, b->bytes, (size_t)a->size) == 0;
}

/* ---- what the caches are filled with --------------------------------------------------------- */

static void fill_with(uint32_t c, uint32_t count, uint32_t length) {
  uint8_t value[400];
  for (uint32_t i = 0; i < count; i++) {
    char key[16];
    int n = snprintf(key, sizeof key, "key%u", i);
    memset(value, (int)(i + 1), sizeof value);
    CHECK_EQUAL(pts_cache_set(c, bytes(key), (uint32_t)n, value, length, now + i % 7,
                              i % 5 == 0 ? now + 100 : 0, 0, NULL),
                PTS_CACHE_STORED);
  }
}

static void nothing(uint32_t c) { (void)c; }
static void a_few(uint32_t c) { fill_with(c, 6, 20); }
static void a_few_and_the_subject(uint32_t c) {
  fill_with(c, 6, 20);
  set_text(c, KEY, "old", now);
}
static void full(uint32_t c) {
  set_text(c, KEY, "old", now + 50);
  fill_with(c, 8, 50);
}
static void full_without_the_subject(uint32_t c) { fill_with(c, 8, 50); }
static void crowded(uint32_t c) { fill_with(c, 14, 1); }
static void subject_with_modseq(uint32_t c) {
  uint64_t modseq = 5;
  fill_with(c, 3, 20);
  pts_cache_set(c, bytes(KEY), 7, bytes("old"), 3, now, 0, PTS_CACHE_MODSEQ, &modseq);
}

/* ---- what is done ---------------------------------------------------------------------------- */

static void do_set(uint32_t c) { set_text(c, KEY, "new", now + 200); }
static void do_large_set(uint32_t c) {
  uint8_t value[600];
  memset(value, 'n', sizeof value);
  pts_cache_set(c, bytes(KEY), 7, value, sizeof value, now + 200, 0, 0, NULL);
}
static void do_remove(uint32_t c) { pts_cache_remove(c, bytes(KEY), 7, 0, NULL); }
static void do_bury(uint32_t c) {
  uint64_t modseq = 9;
  pts_cache_set(c, bytes(KEY), 7, NULL, 0, now, 0, PTS_CACHE_MODSEQ | PTS_CACHE_TOMBSTONE, &modseq);
}
static void do_get(uint32_t c) { get_text(c, KEY, now + 3); }
static void do_take(uint32_t c) {
  uint8_t value[16];
  pts_cache_take(c, bytes(KEY), 7, now, 0, value, sizeof value, NULL);
}
static void do_purge(uint32_t c) {
  pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_EXPIRED, now + 150, 0);
}
static void do_clear(uint32_t c) {
  pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_ALL, now, 0);
}
static void do_hold(uint32_t c) {
  pts_cache_lock(c, bytes(KEY), 7);
  pts_cache_set(c, bytes(KEY), 7, bytes("new"), 3, now, 0, PTS_CACHE_HELD, NULL);
  pts_cache_unlock(c);
}
static void do_twice(uint32_t c) {
  do_purge(c);
  set_text(c, KEY, "new", now);
}

typedef struct scene {
  const char *name;
  void (*before)(uint32_t c);
  void (*act)(uint32_t c);
  const char *may_be[3]; /* the subject's values; "" for none */
  uint32_t slots;
} scene;

/* ---- one kill -------------------------------------------------------------------------------- */

static bool allowed(const scene *s, const char *value) {
  char large[601];
  memset(large, 'n', 600);
  large[600] = 0;
  for (int i = 0; i < 3 && s->may_be[i]; i++) {
    const char *may = strcmp(s->may_be[i], "large") == 0 ? large : s->may_be[i];
    if (strcmp(may, value ? value : "") == 0) return true;
  }
  return false;
}

/* false: the child survived. */
static bool child_dies_at(const scene *s, long point) {
  pid_t pid = fork();
  if (pid == 0) {
    uint32_t c = open_cache("kill", 0, 0, 0, 0);
    pts_points_left = point;
    s->act(c);
    _exit(0);
  }
  int status;
  waitpid(pid, &status, 0);
  CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 99));
  return WEXITSTATUS(status) == 99;
}

static uint32_t make(const scene *s) {
  uint32_t c = open_cache("kill", PTS_OPEN_INIT, 1, 1024, s->slots);
  s->before(c);
  return c;
}

/* What a reader sees while the dead owner's lock is still taken. */
static void look_without_lock(uint32_t c, const scene *s) {
  uint64_t waits = statistics(c).lock_waits;
  const char *value = get_text(c, KEY, now);
  if (!allowed(s, value))
    fprintf(stderr, "%s: the subject is %s\n", s->name, value ? value : "gone");
  CHECK(allowed(s, value));
  CHECK_EQUAL(statistics(c).lock_waits, waits);
}

static bool kill_at(const scene *s, long point, const state *before, const state *after) {
  static state left;
  int failures = check_failures;
  uint32_t c = make(s);
  bool died = child_dies_at(s, point);
  look_without_lock(c, s);
  snapshot(c, &left);
  CHECK(same(&left, before) || same(&left, after));
  CHECK_EQUAL(findings(c), 0);
  CHECK_EQUAL(statistics(c).damage, 0);
  /* Life goes on. */
  CHECK_EQUAL(set_text(c, KEY, "later", now + 300), PTS_CACHE_STORED);
  CHECK_TEXT(get_text(c, KEY, now + 300), "later");
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
  if (check_failures > failures) fprintf(stderr, "%s, point %ld\n", s->name, point);
  return died;
}

static void play(const scene *s) {
  static state before, after;
  uint32_t c = make(s);
  snapshot(c, &before);
  s->act(c);
  snapshot(c, &after);
  pts_cache_close(c);
  long point = 1;
  while (kill_at(s, point, &before, &after) && check_failures == 0) point++;
  CHECK(point > 3);
}

static void killed_at_any_step_an_operation_is_done_or_not(void) {
  static const scene scenes[] = {
      {"first set", nothing, do_set, {"", "new"}, 20},
      {"insert", a_few, do_set, {"", "new"}, 20},
      {"replace", a_few_and_the_subject, do_set, {"old", "new"}, 20},
      {"remove", a_few_and_the_subject, do_remove, {"old", ""}, 20},
      {"get", a_few_and_the_subject, do_get, {"old"}, 20},
      {"take", a_few_and_the_subject, do_take, {"old", ""}, 20},
      {"tombstone", a_few, do_twice, {"", "new"}, 20},
      {"set while held", a_few_and_the_subject, do_hold, {"old", "new"}, 20},
      {"set that evicts", full_without_the_subject, do_large_set, {"", "large"}, 20},
      {"replace that evicts", full, do_large_set, {"old", "", "large"}, 20},
      {"set that grows the slots", crowded, do_set, {"", "new"}, 20},
      {"set over a modseq", subject_with_modseq, do_set, {"old", "new"}, 20},
      {"purge", full, do_purge, {"old"}, 20},
      {"clear", full, do_clear, {"old", ""}, 20},
  };
  for (size_t i = 0; i < sizeof scenes / sizeof *scenes; i++) play(&scenes[i]);
}

/* A tombstone is stored whole or not at all; it has no value by which a reader could tell. */
static void killed_while_burying(void) {
  for (long point = 1;; point++) {
    uint32_t c = open_cache("kill", PTS_OPEN_INIT, 1, 1024, 20);
    subject_with_modseq(c);
    static const scene bury = {"bury", subject_with_modseq, do_bury, {"old", ""}, 20};
    bool died = child_dies_at(&bury, point);
    bool buried = get_text(c, KEY, now) == NULL;
    uint64_t modseq = 8;
    CHECK_EQUAL(pts_cache_set(c, bytes(KEY), 7, bytes("x"), 1, now, 0, PTS_CACHE_MODSEQ, &modseq),
                buried ? PTS_CACHE_REFUSED : PTS_CACHE_STORED);
    CHECK_EQUAL(findings(c), 0);
    pts_cache_close(c);
    if (!died) break;
  }
}

/* The page has many lives: a kill, a takeover and a kill during the repair, on and on. */
static void killed_again_during_the_repair(void) {
  random_state = 5;
  uint32_t c = open_cache("kill", PTS_OPEN_INIT, 1, 1024, 20);
  fill_with(c, 6, 20);
  static const scene sets = {"set", a_few, do_large_set, {"", "large"}, 20};
  static const scene clears = {"purge", a_few, do_twice, {"", "new"}, 20};
  for (int i = 0; i < 200; i++) {
    child_dies_at(i % 2 ? &sets : &clears, 1 + random_below(60));
    const char *value = get_text(c, KEY, now);
    CHECK(allowed(&sets, value) || allowed(&clears, value));
  }
  CHECK_EQUAL(findings(c), 0);
  CHECK(statistics(c).repairs > 0);
  CHECK_EQUAL(statistics(c).damage, 0);
  pts_cache_close(c);
}

/* A slot that names nothing is mended by whoever comes by with the lock, and may be killed doing so. */
static void break_the_subjects_slot(uint32_t cache) {
  pts_cache *c = pts_cache_of(cache);
  uint32_t hash = pts_page_hash(bytes(KEY), 7);
  const pts_frame *frame = pts_cache_frame(c, 0, pts_load_acquire_u64(&c->controls[0].n));
  pts_page_look look;
  CHECK_EQUAL(pts_page_find(frame, c->page_size, frame->num_slots, hash / c->num_pages, bytes(KEY),
                            7, &look),
              PTS_FIND_HIT);
  *look.slot = 6;
}

static void do_repair(uint32_t c) { CHECK_EQUAL(pts_cache_repair(c), 1); }

static void mend_and_die(const scene *mend) {
  static state before, left;
  for (long point = 1;; point++) {
    uint32_t c = make(mend);
    snapshot(c, &before);
    break_the_subjects_slot(c);
    bool died = child_dies_at(mend, point);
    look_without_lock(c, mend);
    snapshot(c, &left);
    CHECK(same(&left, &before)); /* the others' */
    CHECK_EQUAL(set_text(c, KEY, "later", now + 300), PTS_CACHE_STORED);
    CHECK_TEXT(get_text(c, KEY, now + 300), "later");
    CHECK_EQUAL(findings(c), 0);
    CHECK_EQUAL(statistics(c).damage, 1);
    pts_cache_close(c);
    if (!died || check_failures > 0) break;
  }
}

static void killed_while_mending_damage(void) {
  mend_and_die(&(scene){"set", a_few_and_the_subject, do_set, {"", "new"}, 20});
  mend_and_die(&(scene){"repair", a_few_and_the_subject, do_repair, {""}, 20});
}

/* Killed while the file, the section or the worker slot is made: the next one just opens it. */
static void killed_while_opening(void) {
  for (long point = 1;; point++) {
    unlink(in_folder("opening"));
    pid_t pid = fork();
    if (pid == 0) {
      pts_points_left = point;
      open_cache("opening", 0, 2, 1024, 0);
      _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    uint32_t c = open_cache("opening", 0, 2, 1024, 0);
    CHECK_EQUAL(set_text(c, KEY, "v", now), PTS_CACHE_STORED);
    CHECK_EQUAL(findings(c), 0);
    pts_cache_close(c);
    if (WEXITSTATUS(status) != 99) break;
  }
}

static void no_point_is_left_out(void) {
  static const char *const sources[] = {"cache.c",      "cache_lock.c", "cache_read.c",
                                        "cache_room.c", "cache_write.c", "page.c"};
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
    CHECK(help_points_left_out(sources[i]) <= 0);
}

int main(void) {
  help_points_watch();
#define TEST(name) {#name, name}
  static const test_case tests[] = {
      TEST(killed_at_any_step_an_operation_is_done_or_not),
      TEST(killed_while_burying),
      TEST(killed_again_during_the_repair),
      TEST(killed_while_mending_damage),
      TEST(killed_while_opening),
      TEST(no_point_is_left_out),
  };
  return run_tests(tests, sizeof tests / sizeof *tests);
}

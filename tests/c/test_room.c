/* test_room.c: the room of series that left, and who has it next: kept handles, claims that nobody decided, broken
 * free lists, threads that churn labels. (Kills at every step: test_kill_points.c.) */

#include "test_store.h"

#include <pthread.h>

enum { FITS = 127 }; /* series in the smallest store, beside their family */

static int32_t open_small(const char *path) {
  char message[1024] = "";
  pts_options options = {.path = path, .max_workers = 8, .capacity = 64 << 10, .lock_timeout_ms = 20000};
  int32_t a = pts_open(&options, message, sizeof message);
  if (a < 0) fprintf(stderr, "%s\n", message);
  return a;
}

static int32_t numbered(int32_t a, const char *name, int n) {
  char printed[64];
  snprintf(printed, sizeof printed, "%s{n=\"%d\"}", name, n);
  return help_series(a, PTS_KIND_VALUE, printed);
}

static pts_record *record_of(int32_t a, int32_t h) {
  return pts_handle_of(pts_attachment_of((uint32_t)a), (uint32_t)h)->record;
}

/* ---- reuse ------------------------------------------------------------------------------------------------ */

static void room_is_given_to_new_labels(void) {
  const char *path = in_folder("reuse");
  int32_t a = open_small(path), handles[FITS];
  for (int round = 0; round < 5; round++) {
    for (int n = 0; n < FITS; n++) {
      handles[n] = numbered(a, "v", round * 1000 + n);
      CHECK(handles[n] >= 0);
      CHECK(isnan(help_value(a, handles[n]))); /* nothing of whoever was there before */
      if (n % 3 == round % 3)
        SET(a, handles[n], n);
      else
        ADD(a, handles[n], n);
    }
    CHECK_EQUAL(numbered(a, "v", -1), PTS_E_SERIES_FULL);
    for (int n = 0; n < FITS; n++) CHECK(help_value(a, handles[n]) == n);
    CHECK_EQUAL(help_check(path, 0, 0), 0);
    for (int n = 0; n < FITS; n++) CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)handles[n]), 0);
  }
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void expect_stale(int32_t a, int32_t h) {
  double value, count;
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), PTS_E_STALE);
  CHECK_EQUAL(pts_set((uint32_t)a, (uint32_t)h, 1), PTS_E_STALE);
  CHECK_EQUAL(pts_set_at((uint32_t)a, (uint32_t)h, 1, 2), PTS_E_STALE);
  CHECK_EQUAL(pts_touch((uint32_t)a, (uint32_t)h), PTS_E_STALE);
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)h), PTS_E_STALE);
  CHECK_EQUAL(pts_value((uint32_t)a, (uint32_t)h, &value, &count), PTS_E_STALE);
  CHECK_EQUAL(pts_exemplar((uint32_t)a, (uint32_t)h, 1, 2, (const uint8_t *)"n=\"x\"", 5), PTS_E_STALE);
}

static void a_kept_handle_reaches_nobody_else(void) {
  const char *path = in_folder("kept");
  int32_t a = open_small(path), b = open_small(path), kept[FITS];
  for (int n = 0; n < FITS; n++) {
    kept[n] = numbered(b, "v", n);
    CHECK_EQUAL(n % 2 ? pts_set((uint32_t)b, (uint32_t)kept[n], 7) : pts_add((uint32_t)b, (uint32_t)kept[n], 7), 0);
    if (n > 0) CHECK_EQUAL(pts_remove((uint32_t)b, (uint32_t)kept[n]), 0);
  }
  for (int n = 1; n < FITS; n++) SET(a, numbered(a, "v", 1000 + n), n);
  for (int n = 1; n < FITS; n++) expect_stale(b, kept[n]);
  CHECK(help_value(b, kept[0]) == 7);
  ADD(b, kept[0], 1);
  for (int n = 1; n < FITS; n++) CHECK(help_value(b, numbered(b, "v", 1000 + n)) == n);
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void series_without_labels_keep_their_room(void) {
  const char *path = in_folder("unlabelled");
  int32_t a = open_small(path), h = help_series(a, PTS_KIND_VALUE, "plain");
  SET(a, h, 1);
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)h), 0);
  for (int n = 0; n < 2 * FITS; n++) {
    int32_t other = numbered(a, "v", n);
    if (other < 0) break;
    ADD(a, other, 1);
    if (n % 2) CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)other), 0);
  }
  SET(a, h, 2); /* by a plain store */
  CHECK(help_value(a, h) == 2);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* ---- a claim that nobody decided ------------------------------------------------------------------------------ */

static uint64_t claimed(uint64_t head) {
  return PTS_HEAD(PTS_HEAD_GENERATION(head), PTS_HEAD_INCARNATION(head) + 1, PTS_HEAD_MODE(head) | PTS_HEAD_FREE);
}

/* As a killed worker leaves it: the lock is somebody's who is dead, so the next one repairs. */
static void kill_the_claimer(int32_t a) {
  pts_attachment *attachment = pts_attachment_of((uint32_t)a);
  pts_store_release_u64(&attachment->metrics->index_lock.word, PTS_LOCK_WORD(8, 77));
}

/* A small store with a 5 and a 6. */
static int32_t open_with_two(const char *path, int32_t *five, int32_t *six) {
  int32_t a = open_small(path);
  *five = numbered(a, "v", 1);
  *six = numbered(a, "v", 2);
  ADD(a, *five, 5);
  ADD(a, *six, 6);
  return a;
}

static void what_is_claimed_shows_until_it_is_decided(void) {
  const char *path = in_folder("claimed");
  int32_t used, gone, a = open_with_two(path, &used, &gone), code;
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)gone), 0);
  pts_record *record = record_of(a, used), *other = record_of(a, gone);
  uint64_t before = record->head;
  record->head = claimed(before);
  other->head = claimed(other->head);
  kill_the_claimer(a);
  CHECK(help_value(a, used) == 5);
  char *text = help_render(a, 0, 4096, &code);
  CHECK(text && strcmp(text, "v{n=\"1\"} 5\n") == 0);
  free(text);
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)gone), PTS_E_STALE); /* waits for the decision */
  CHECK_EQUAL(record->head, before);
  CHECK(other->head & PTS_HEAD_FREE && PTS_HEAD_MODE(other->head) == 0);
  ADD(a, used, 1);
  CHECK(help_value(a, used) == 6);
  CHECK_EQUAL(help_check(path, 0, 0), 0);

  record->head = claimed(record->head);
  kill_the_claimer(a);
  CHECK_EQUAL(pts_remove_matching((uint32_t)a, (const uint8_t *)"v", 1, NULL, NULL, 0), 1);
  CHECK(isnan(help_value(a, used)));
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* Nobody died with the lock: somebody else's bytes say that it is claimed, and there is no end to wait for. */
static void what_nobody_claimed_is_decided_by_whoever_waits(void) {
  const char *path = in_folder("unclaimed");
  int32_t used, other, a = open_with_two(path, &used, &other);
  pts_record *record = record_of(a, used);
  record->head = claimed(record->head);
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)used), 0);
  CHECK(isnan(help_value(a, used)));
  record = record_of(a, other);
  record->head = claimed(record->head);
  CHECK_EQUAL(pts_remove_matching((uint32_t)a, (const uint8_t *)"v", 1, NULL, NULL, 0), 1);
  CHECK_EQUAL(usage_of(a).damage, 2);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* Of a record that is also broken otherwise, so that even a repair leaves it: nobody waits for ever. */
static void what_nobody_can_decide_is_damage(void) {
  const char *path = in_folder("undecided");
  int32_t used, other, a = open_with_two(path, &used, &other);
  pts_record *record = record_of(a, used);
  record->head = claimed(record->head);
  uint16_t words = record->words;
  record->words = 0xffff;
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)used), PTS_E_DAMAGED);
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)other), 0);
  record->words = words;
  CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)used), 0);
  pts_close((uint32_t)a);
  unlink(path);
}

/* ---- broken free lists ------------------------------------------------------------------------------------------ */

typedef void breaking(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list);

static void loop(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)list;
  uint32_t next = free_one->family;
  if (next != number) image->records[next].family = number;
}
static void name_a_series(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)free_one;
  (void)number;
  for (uint32_t n = 0; n < image->metrics->records_used; n++)
    if (image->records[n].kind == PTS_KIND_VALUE && !(image->records[n].head & PTS_HEAD_FREE)) *list = n + 1;
}
static void name_a_family(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)number;
  (void)free_one;
  (void)image;
  *list = 1; /* the first record is always one */
}
static void name_nothing(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)image;
  (void)number;
  (void)free_one;
  *list = UINT32_MAX;
}
static void lose_a_list(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)image;
  (void)number;
  (void)free_one;
  *list = 0;
}
static void miscount(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)number;
  (void)free_one;
  (void)list;
  image->metrics->free_records = 0;
  image->records[0].place = 1u << 30;
}
static void miscount_a_family(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)number;
  (void)free_one;
  (void)list;
  image->records[0].place = 0;
}
static void claim_one(help_image *image, pts_record *free_one, uint32_t number, uint32_t *list) {
  (void)image;
  (void)number;
  (void)list;
  free_one->head = (free_one->head & ~(uint64_t)(0xffffffu << 8)) | PTS_MODE_SHARDED; /* without an incarnation, too */
}

static uint32_t *list_with(help_image *image, uint32_t number) {
  for (uint32_t i = 0; i < PTS_FREE_LISTS; i++)
    if (image->metrics->free_heads[i] == number + 1) return &image->metrics->free_heads[i];
  return NULL;
}

/* Twelve free records in one list, and ten series. */
static void make_free_ones(const char *path) {
  unlink(path);
  int32_t a = open_small(path), handles[22];
  for (int n = 0; n < 22; n++) ADD(a, handles[n] = numbered(a, "v", n), n);
  for (int n = 10; n < 22; n++) CHECK_EQUAL(pts_remove((uint32_t)a, (uint32_t)handles[n]), 0);
  int32_t code = pts_index_lock(pts_attachment_of((uint32_t)a), 1000);
  CHECK_EQUAL(code, 0);
  CHECK_EQUAL(pts_room_sweep(pts_attachment_of((uint32_t)a)), 12);
  pts_index_unlock(pts_attachment_of((uint32_t)a));
  pts_close((uint32_t)a);
}

static void break_lists(const char *path, breaking *how) {
  help_image image;
  CHECK(help_map(path, &image));
  pts_record *first = NULL;
  uint32_t *list = NULL;
  for (uint32_t n = 0; n < image.metrics->records_used && !list; n++) {
    first = &image.records[n];
    list = list_with(&image, n);
  }
  CHECK(list != NULL);
  if (list) how(&image, first, (uint32_t)(first - image.records), list);
  help_unmap(&image);
}

/* Series that are there keep what they have, whatever the lists say; new ones get room or are refused. */
static void use_broken_lists(const char *path) {
  int32_t a = open_small(path);
  for (int n = 100; n < 160; n++) {
    int32_t h = numbered(a, "v", n);
    CHECK(h >= 0 || h == PTS_E_SERIES_FULL);
    if (h >= 0) ADD(a, h, n);
    if (h >= 0) CHECK(help_value(a, h) == n);
  }
  for (int n = 0; n < 10; n++) CHECK(help_value(a, numbered(a, "v", n)) == n);
  pts_close((uint32_t)a);
}

static void broken_free_lists_lose_nothing_and_are_mended(void) {
  static breaking *const ways[] = {loop,        name_a_series,     name_a_family, name_nothing,
                                   lose_a_list, miscount_a_family, miscount,      claim_one};
  const char *path = in_folder("lists");
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
    make_free_ones(path);
    break_lists(path, ways[i]);
    char report[4096];
    CHECK(pts_check(path, 0, report, sizeof report) > 0);
    CHECK_EQUAL(help_check(path, PTS_CHECK_REPAIR, 0), 0);
    use_broken_lists(path);
    CHECK_EQUAL(help_check(path, 0, 0), 0);

    make_free_ones(path); /* used as they are, then mended */
    break_lists(path, ways[i]);
    use_broken_lists(path);
    CHECK_EQUAL(help_check(path, PTS_CHECK_REPAIR, 0), 0);
  }
  unlink(path);
}

/* What a free record says of its text is not believed: nothing behind what is used is written. */
static void a_slack_that_is_too_large_gives_no_room(void) {
  const char *path = in_folder("slack");
  make_free_ones(path);
  help_image image;
  CHECK(help_map(path, &image));
  for (uint32_t n = 0; n < image.metrics->records_used; n++) {
    pts_record *record = &image.records[n];
    if (record->head & PTS_HEAD_FREE) record->slack = UINT8_MAX;
  }
  help_unmap(&image);
  int32_t a = open_small(path);
  char printed[1200];
  snprintf(printed, sizeof printed, "v{n=\"%01000d\"}", 7);
  int32_t h = help_series(a, PTS_KIND_VALUE, printed);
  CHECK(h >= 0);
  ADD(a, h, 1);
  for (int n = 0; n < 10; n++) CHECK(help_value(a, numbered(a, "v", n)) == n);
  pts_close((uint32_t)a);
  unlink(path);
}

/* ---- threads -------------------------------------------------------------------------------------------------- */

enum { CHURNERS = 4, LABELS = 40, STEP = 16 };

typedef struct churner {
  const char *path;
  int number;
  uint64_t rounds;
  int32_t failure;
  uint64_t wrong; /* values that are not this thread's, or not what it made of them */
} churner;

static void note(churner *w, int32_t code) {
  bool expected = code >= 0 || code == PTS_E_STALE || code == PTS_E_SERIES_FULL;
  if (!expected && w->failure == 0) w->failure = code;
}

static int32_t own_series(const churner *w, int32_t a, int n) {
  char printed[64];
  snprintf(printed, sizeof printed, "churned{thread=\"%d\",n=\"%d\"}", w->number, n);
  return help_series(a, PTS_KIND_VALUE, printed);
}

/* Each value of a thread's series is its number modulo STEP: what lands elsewhere shows. */
static int32_t change(churner *w, int32_t a, int32_t h, double *value, uint64_t random) {
  bool fresh = isnan(*value);
  int32_t code;
  if (random % 5 == 0) {
    code = pts_remove((uint32_t)a, (uint32_t)h);
    if (code == 0) *value = NAN;
  } else if (random % 5 < 3) {
    code = pts_set((uint32_t)a, (uint32_t)h, w->number + STEP * 3);
    if (code == 0) *value = w->number + STEP * 3;
  } else {
    code = pts_add((uint32_t)a, (uint32_t)h, fresh ? w->number + STEP : STEP);
    if (code == 0) *value = fresh ? w->number + STEP : *value + STEP;
  }
  return code;
}

static void look_for_strangers(churner *w, int32_t a) {
  int32_t code;
  char *text = help_render(a, 0, 512, &code);
  note(w, code);
  for (const char *line = text; line && (line = strstr(line, "thread=\"")); line++) {
    const char *value = strchr(line, ' ');
    w->wrong += value == NULL || (long)strtod(value, NULL) % STEP != atoi(line + 8);
  }
  free(text);
}

static void *churn(void *context) {
  churner *w = context;
  int32_t a = open_small(w->path), handles[LABELS];
  double values[LABELS];
  uint64_t random = (uint64_t)w->number + 7;
  note(w, a);
  for (int n = 0; n < LABELS; n++) {
    values[n] = NAN;
    handles[n] = -1;
  }
  for (uint64_t i = 0; a >= 0 && i < w->rounds; i++) {
    uint64_t r = help_random(&random);
    int n = (int)(r % LABELS);
    /* The kept handle first, whatever has become of its record. */
    int32_t code = handles[n] < 0 ? PTS_E_STALE : change(w, a, handles[n], &values[n], r >> 20);
    note(w, code);
    if (code == PTS_E_STALE) {
      w->wrong += !isnan(values[n]); /* what exists keeps its room, though a claim may come in between */
      handles[n] = own_series(w, a, n);
      note(w, handles[n]);
      if (handles[n] >= 0 && !isnan(values[n])) w->wrong -= help_value(a, handles[n]) == values[n];
    }
    if (i % 200 == 199) look_for_strangers(w, a);
  }
  for (int n = 0; a >= 0 && n < LABELS; n++) {
    if (isnan(values[n])) continue;
    double value = help_value(a, own_series(w, a, n));
    w->wrong += value != values[n];
  }
  return NULL;
}

/* More labels than records: room changes hands all the time. */
static void threads_churn_labels_with_kept_handles(void) {
  const char *path = in_folder("churned");
  pthread_t threads[CHURNERS];
  churner churners[CHURNERS];
  int32_t a = open_small(path);
  for (int i = 0; i < CHURNERS; i++) {
    churners[i] = (churner){.path = path, .number = i + 1, .rounds = help_setting("PTS_ROOM_ROUNDS", 100000)};
    CHECK_EQUAL(pthread_create(&threads[i], NULL, churn, &churners[i]), 0);
  }
  for (int i = 0; i < CHURNERS; i++) {
    CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    CHECK_EQUAL(churners[i].failure, 0);
    CHECK_EQUAL(churners[i].wrong, 0);
  }
  CHECK_EQUAL(usage_of(a).damage, 0);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

typedef struct scraper {
  int32_t attachment, failure;
  uint32_t done;
} scraper;

/* As a render beside the event loop does: another thread, the same attachment. */
static void *scrape(void *context) {
  scraper *s = context;
  uint8_t buffer[4096];
  while (!pts_load_acquire_u32(&s->done)) {
    int32_t render = pts_render_open((uint32_t)s->attachment, 0, (double)pts_os_clock_ms()), n = render;
    while (n >= 0 && (n = pts_render_next((uint32_t)s->attachment, (uint32_t)render, buffer, sizeof buffer)) > 0) {
    }
    if (n < 0) s->failure = n;
    if (render >= 0) pts_render_close((uint32_t)s->attachment, (uint32_t)render);
  }
  return NULL;
}

static void a_scrape_beside_its_own_worker_locks_like_another(void) {
  const char *path = in_folder("beside");
  int32_t a = open_small(path);
  CHECK_EQUAL(help_declare(a, "fading", "{}", "-.g60000;", ""), 0);
  scraper s = {.attachment = a};
  pthread_t thread;
  CHECK_EQUAL(pthread_create(&thread, NULL, scrape, &s), 0);
  int32_t h = numbered(a, "fading", 1), failed = 0;
  for (int i = 0; i < 1000000 && failed == 0; i++) failed = pts_set((uint32_t)a, (uint32_t)h, i);
  CHECK_EQUAL(failed, 0);
  pts_store_release_u32(&s.done, 1);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
  CHECK_EQUAL(s.failure, 0);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static const test_case tests[] = {
    {"room is given to new labels", room_is_given_to_new_labels},
    {"a kept handle reaches nobody else", a_kept_handle_reaches_nobody_else},
    {"series without labels keep their room", series_without_labels_keep_their_room},
    {"what is claimed shows until it is decided", what_is_claimed_shows_until_it_is_decided},
    {"what nobody claimed is decided by whoever waits", what_nobody_claimed_is_decided_by_whoever_waits},
    {"what nobody can decide is damage", what_nobody_can_decide_is_damage},
    {"broken free lists lose nothing and are mended", broken_free_lists_lose_nothing_and_are_mended},
    {"a slack that is too large gives no room", a_slack_that_is_too_large_gives_no_room},
    {"threads churn labels with kept handles", threads_churn_labels_with_kept_handles},
    {"a scrape beside its own worker locks like another", a_scrape_beside_its_own_worker_locks_like_another},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

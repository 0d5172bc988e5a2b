/* test_check.c: the checker finds planted damage of every kind, and nobody crashes over any bytes. */

#include "test_store.h"

/* What there is one of in the damaged store. */
typedef struct planted {
  const char *path;
  help_image image;
  pts_record *value, *stamped, *histogram, *live, *family;
  uint8_t *whole; /* as it was made */
  uint32_t lines;
} planted;

static const double some_bounds[] = {1, 2, 3};

static void declare_both(int32_t a) {
  CHECK_EQUAL(help_declare(a, "value", "{}", "", "# TYPE value counter\n"), 0);
  CHECK_EQUAL(help_declare_enum(a, "enum", "# TYPE enum gauge\n", "s=\"on\"\ns=\"off\""), 0);
}

static void make_everything(const char *path) {
  int32_t a = help_open(path, PTS_OPEN_INIT), b = help_open(path, 0);
  static const char *const kinds[] = {"value", "shared", "stamped", "live"};
  declare_both(a);
  for (int i = 0; i < 40; i++) {
    char printed[64];
    snprintf(printed, sizeof printed, "%s{n=\"%d\"}", kinds[i % 4], i);
    int32_t h = help_series(a, i % 4 == 3 ? PTS_KIND_LIVE : PTS_KIND_VALUE, printed);
    pts_add((uint32_t)a, (uint32_t)h, 1);
    h = help_series(b, i % 4 == 3 ? PTS_KIND_LIVE : PTS_KIND_VALUE, printed);
    pts_add((uint32_t)b, (uint32_t)h, 1);
    if (i % 4 == 1) pts_set((uint32_t)b, (uint32_t)h, 5);
    if (i % 4 == 2) pts_set_at((uint32_t)b, (uint32_t)h, 5, 6);
    snprintf(printed, sizeof printed, "histogram{n=\"%d\"}", i);
    h = help_histogram(a, printed, some_bounds, i % 2 ? 3 : 2);
    pts_observe((uint32_t)a, (uint32_t)h, 2);
    snprintf(printed, sizeof printed, "enum{n=\"%d\"}", i);
    h = help_series(a, PTS_KIND_ENUM, printed);
    pts_set((uint32_t)a, (uint32_t)h, i % 2);
  }
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
}

/* Lines of the exposition for a worker that has just come. */
static uint32_t lines_of(const char *path) {
  int32_t a = help_open(path, 0), code;
  declare_both(a);
  char *text = help_render(a, 0, 1 << 16, &code);
  uint32_t lines = 0;
  for (const char *at = text; at && (at = strchr(at, '\n')) != NULL; at++) lines++;
  free(text);
  pts_close((uint32_t)a);
  return lines;
}

static planted make_planted(const char *name) {
  planted p = {.path = in_folder(name)};
  make_everything(p.path);
  CHECK(help_map(p.path, &p.image));
  for (uint32_t n = 0; n < p.image.metrics->records_used; n++) {
    pts_record *record = &p.image.records[n];
    if (record->kind == PTS_KIND_FAMILY && record->extra) p.family = record;
    if (record->kind == PTS_KIND_HISTOGRAM) p.histogram = record;
    if (record->kind == PTS_KIND_LIVE) p.live = record;
    if (record->kind != PTS_KIND_VALUE) continue;
    *(PTS_HEAD_MODE(record->head) == PTS_MODE_STAMPED ? &p.stamped : &p.value) = record;
  }
  CHECK(p.value && p.stamped && p.histogram && p.live && p.family);
  CHECK_EQUAL(help_check(p.path, 0, 0), 0);
  p.lines = lines_of(p.path);
  p.whole = malloc(p.image.size);
  memcpy(p.whole, p.image.base, p.image.size);
  return p;
}

static void unmake(planted *p) {
  help_unmap(&p->image);
  unlink(p->path);
  free(p->whole);
}

/* Everything one does with a store, over whatever is in it. */
static void use(const char *path) {
  char message[1024];
  pts_options options = {.path = path, .lock_timeout_ms = 20};
  int32_t a = pts_open(&options, message, sizeof message), code;
  if (a < 0) return;
  static const char *const names[] = {"value{n=\"0\"}", "shared{n=\"1\"}", "stamped{n=\"2\"}", "new{n=\"1\"}"};
  double value, count;
  for (int i = 0; i < 4; i++) {
    int32_t h = help_series(a, PTS_KIND_VALUE, names[i]);
    if (h < 0) continue;
    pts_add((uint32_t)a, (uint32_t)h, 1);
    pts_value((uint32_t)a, (uint32_t)h, &value, &count);
    pts_set((uint32_t)a, (uint32_t)h, 1);
    pts_set_at((uint32_t)a, (uint32_t)h, 1, 2);
    pts_remove((uint32_t)a, (uint32_t)h);
    pts_add((uint32_t)a, (uint32_t)h, 1);
  }
  for (int i = 0; i < 4; i++) {
    char printed[64];
    snprintf(printed, sizeof printed, "histogram{n=\"%d\"}", i);
    int32_t h = help_histogram(a, printed, some_bounds, i % 2 ? 3 : 2);
    if (h >= 0) pts_observe((uint32_t)a, (uint32_t)h, 2);
    if (h >= 0) pts_value((uint32_t)a, (uint32_t)h, &value, &count);
    snprintf(printed, sizeof printed, "enum{n=\"%d\"}", i);
    h = help_series(a, PTS_KIND_ENUM, printed);
    if (h >= 0) pts_set((uint32_t)a, (uint32_t)h, 1);
  }
  int32_t h = help_series(a, PTS_KIND_LIVE, "live{n=\"3\"}");
  if (h >= 0) pts_set((uint32_t)a, (uint32_t)h, 1);
  if (h >= 0) pts_value((uint32_t)a, (uint32_t)h, &value, &count);
  help_declare(a, "value", "{\"other\":1}", "", "");
  help_declare(a, "newer", "{}", "", "# TYPE newer gauge\n");
  pts_usage usage;
  pts_usage_read((uint32_t)a, &usage);
  for (uint32_t flags = 0; flags < 2; flags++) free(help_render(a, flags, 1 << 16, &code));
  pts_clear((uint32_t)a);
  pts_close((uint32_t)a);
}

/* ---- each kind of damage is found -------------------------------------------------------------------- */

static int32_t findings(const char *path, char *report, uint32_t size) {
  return pts_check(path, 0, report, size);
}

static void found(const planted *p, const char *what, const char *word) {
  char report[8192];
  int32_t count = findings(p->path, report, sizeof report);
  if (count > 0 && strstr(report, word)) return;
  fprintf(stderr, "%s: %d findings, none of %s:\n%s\n", what, count, word, report);
  check_failures++;
}

/* After a repair every invariant holds, and not more lines than these are gone. */
static void mended(const planted *p, const char *what, uint32_t lost_at_most) {
  char report[8192];
  int32_t left = pts_check(p->path, PTS_CHECK_REPAIR, report, sizeof report);
  uint32_t lines = lines_of(p->path);
  if (left == 0 && lines + lost_at_most >= p->lines) return;
  fprintf(stderr, "%s: %d findings after the repair, %u lines of %u:\n%s\n", what, left, lines, p->lines, report);
  check_failures++;
}

/* Store the value, let it be found, then mended, and put everything back. */
#define FOUND_LOSING(lost, p, place, value, word)                                                  \
  do {                                                                                             \
    (place) = (value);                                                                             \
    found(p, #place " = " #value, word);                                                           \
    mended(p, #place " = " #value, lost);                                                          \
    memcpy((p)->image.base, (p)->whole, (p)->image.size);                                          \
  } while (0)
#define FOUND(p, place, value, word) FOUND_LOSING(0, p, place, value, word)

enum {
  A_SERIES = 8,               /* at most a histogram with four buckets */
  BOTH_SERIES = 2 * A_SERIES, /* of two at one place nobody knows whose it was */
  SAME_BOUNDS = 20 * A_SERIES, /* half of the histograms */
};

static void damaged_counts_are_found(void) {
  planted p = make_planted("counts");
  pts_metrics *m = p.image.metrics;
  FOUND(&p, m->records_used, m->records_ready + 1, "C1");
  FOUND(&p, m->records_ready, UINT32_MAX, "C1");
  FOUND(&p, m->text_used, m->text_mark + 8, "C1");
  FOUND(&p, m->text_used, 8, "C5");
  FOUND(&p, m->text_mark, UINT64_MAX, "C1");
  FOUND(&p, m->text_mark, 0, "C1");
  FOUND(&p, m->cells_used, 8, "C1");
  FOUND(&p, m->cells_used, 16, "C5");
  FOUND(&p, m->bounds_used, 0, "C1");
  FOUND(&p, m->bounds_used, UINT32_MAX, "C1");
  FOUND(&p, m->workers_high, 0, "C1");
  FOUND(&p, m->workers_high, 1000, "C1");
  FOUND(&p, p.image.workers[1].mark, UINT64_MAX, "C7");
  FOUND(&p, p.image.workers[0].mark, 17, "C7");
  FOUND(&p, m->generation, 0, "C6");
  CHECK_EQUAL(help_check(p.path, 0, 0), 0);
  unmake(&p);
}

static void damaged_records_are_found(void) {
  planted p = make_planted("records");
  FOUND_LOSING(A_SERIES, &p, p.value->kind, 77, "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->kind, PTS_KIND_ENUM, "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->words, 3, "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->place, 0, "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->place, UINT32_MAX, "C2");
  FOUND_LOSING(BOTH_SERIES, &p, p.value->place, p.live->place, "C5");
  FOUND_LOSING(A_SERIES, &p, p.value->entry, 0, "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->entry, UINT32_MAX, "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->entry, p.live->entry, "C2");
  FOUND(&p, p.value->family, UINT32_MAX, "C2");
  FOUND(&p, p.value->family, (uint32_t)(p.live - p.image.records), "C2");
  FOUND_LOSING(BOTH_SERIES, &p, p.value->extra, p.live->place, "C5");
  FOUND_LOSING(A_SERIES, &p, p.value->head, PTS_HEAD(1, 0, 9), "C2");
  FOUND_LOSING(A_SERIES, &p, p.value->head, PTS_HEAD(9, 0, PTS_MODE_SHARED), "C2");
  FOUND_LOSING(A_SERIES, &p, p.stamped->extra, 0, "C2");
  FOUND(&p, p.stamped->generations, 0, "C2");
  FOUND_LOSING(A_SERIES, &p, p.live->extra, 1, "C2");
  FOUND_LOSING(A_SERIES, &p, p.live->head, PTS_HEAD(1, 0, PTS_MODE_SHARED), "C2");
  FOUND_LOSING(A_SERIES, &p, p.histogram->extra, 0, "C2");
  FOUND_LOSING(A_SERIES, &p, p.histogram->extra, p.value->entry, "C2");
  FOUND(&p, p.family->entry, 0, "C2");
  FOUND(&p, p.family->kind, PTS_KIND_VALUE, "C2");
  FOUND(&p, p.family->extra, p.value->entry, "C2");
  FOUND(&p, p.family->head, 2, "C2");
  CHECK_EQUAL(help_check(p.path, 0, 0), 0);
  unmake(&p);
}

static pts_entry *entry_of(const planted *p, uint32_t word) {
  return (pts_entry *)(void *)(p->image.text + (uint64_t)word * 8);
}

static void damaged_texts_are_found(void) {
  planted p = make_planted("texts");
  pts_entry *entry = entry_of(&p, p.value->entry), *family = entry_of(&p, p.family->entry);
  pts_entry *bounds = entry_of(&p, p.histogram->extra);
  uint8_t *bytes = (uint8_t *)(entry + 1);
  double *numbers = (double *)(void *)(bounds + 1);
  FOUND_LOSING(A_SERIES, &p, entry->hash, entry->hash + 1, "C3");
  FOUND_LOSING(A_SERIES, &p, entry->record, entry->record + 1, "C2");
  FOUND_LOSING(A_SERIES, &p, entry->kind, 99, "C2");
  FOUND_LOSING(A_SERIES, &p, entry->length, 65535, "C2");
  FOUND_LOSING(A_SERIES, &p, entry->length, 4, "C3");
  FOUND_LOSING(A_SERIES, &p, entry->name_length, 65535, "C2");
  FOUND_LOSING(A_SERIES, &p, bytes[1], bytes[1] ^ 1, "C3");
  FOUND(&p, family->length, 65535, "C2");
  FOUND_LOSING(SAME_BOUNDS, &p, bounds->record, UINT32_MAX, "C2");
  FOUND_LOSING(SAME_BOUNDS, &p, bounds->record, 1, "C2");
  FOUND_LOSING(SAME_BOUNDS, &p, numbers[1], NAN, "C2");
  FOUND_LOSING(SAME_BOUNDS, &p, numbers[1], -5, "C2");
  pts_entry *declared = entry_of(&p, p.family->extra);
  uint32_t *lengths = (uint32_t *)(void *)(declared + 1);
  FOUND(&p, lengths[0], 1u << 30, "C2"); /* how many parts */
  FOUND(&p, lengths[2], UINT32_MAX, "C2");
  FOUND(&p, declared->record, 3, "C2");
  CHECK_EQUAL(help_check(p.path, 0, 0), 0);
  unmake(&p);
}

static uint32_t slot_of(const planted *p, const pts_record *record) {
  for (uint32_t slot = 0; slot < p->image.metrics->slot_count; slot++)
    if (p->image.slots[slot] == record->entry) return slot;
  return UINT32_MAX;
}

static uint64_t *block_of(const planted *p, uint32_t shard, uint32_t place) {
  uint64_t at = PTS_SHARD_AT(0, p->image.metrics->shard_stride, shard);
  return (uint64_t *)(void *)(p->image.shards + at) + place;
}

static void damaged_slots_and_blocks_are_found(void) {
  planted p = make_planted("slots");
  uint32_t slot = slot_of(&p, p.value), free_slot = 0;
  CHECK(slot != UINT32_MAX);
  while (p.image.slots[free_slot]) free_slot++;
  FOUND(&p, p.image.slots[slot], 0, "C3");
  FOUND(&p, p.image.slots[slot], UINT32_MAX, "C4");
  FOUND(&p, p.image.slots[slot], p.live->entry, "C3");
  FOUND(&p, p.image.slots[free_slot], p.family->extra, "C4");
  FOUND(&p, p.image.slots[free_slot], p.value->entry + 1, "C");
  FOUND_LOSING(A_SERIES, &p, block_of(&p, 1, p.value->place)[PTS_CELL_TAG], UINT64_MAX, "C6");
  FOUND_LOSING(A_SERIES, &p, block_of(&p, 2, p.live->place)[PTS_CELL_TAG], 1ull << 32 | 900, "C6");
  FOUND_LOSING(A_SERIES, &p, block_of(&p, 0, p.stamped->extra)[PTS_CELL_TAG], UINT64_MAX, "C6");
  p.image.workers[1].redo.where = 0;
  FOUND_LOSING(A_SERIES, &p, block_of(&p, 1, p.histogram->place)[PTS_CELL_SEQUENCE], 3, "C8");
  CHECK_EQUAL(help_check(p.path, 0, 0), 0);
  unmake(&p);
}

/* ---- what repair mends ----------------------------------------------------------------------------------- */

/* Hints that were broken are counted again from what is there. */
static void broken_hints_are_mended(void) {
  planted p = make_planted("hints");
  pts_metrics *m = p.image.metrics;
  uint64_t text = m->text_used, cells = m->cells_used;
  uint32_t bounds = m->bounds_used, last = p.image.records[m->records_used - 1].entry;
  uint32_t slot = 0;
  while (p.image.slots[slot] != last) slot++;
  m->text_used = 8;
  m->cells_used = 64;
  m->bounds_used = UINT32_MAX;
  p.image.slots[slot] = 0; /* as a killed insertion leaves it */
  CHECK_EQUAL(help_check(p.path, PTS_CHECK_REPAIR, 0), 0);
  CHECK_EQUAL(m->text_used, text);
  CHECK(m->cells_used <= cells && m->cells_used + 64 >= cells);
  CHECK_EQUAL(m->bounds_used, bounds);
  CHECK_EQUAL(p.image.slots[slot], last);
  unmake(&p);
}

/* ---- and is counted ------------------------------------------------------------------------------------ */

static uint64_t damage_seen_by(int32_t a, uint32_t scrapes) {
  pts_usage usage;
  int32_t code;
  for (uint32_t i = 0; i < scrapes; i++) free(help_render(a, i % 2, 1 << 16, &code));
  CHECK_EQUAL(pts_usage_read((uint32_t)a, &usage), 0);
  return usage.damage;
}

static void a_broken_record_is_counted_once_by_each_worker(void) {
  planted p = make_planted("counted");
  int32_t a = help_open(p.path, 0), b = help_open(p.path, 0);
  CHECK_EQUAL(damage_seen_by(a, 2), 0);
  p.value->entry = UINT32_MAX; /* in the order that a has, and not in any that b makes */
  CHECK_EQUAL(damage_seen_by(a, 5), 1);
  CHECK_EQUAL(damage_seen_by(b, 5), 2);
  int32_t h = help_series(b, PTS_KIND_LIVE, "live{n=\"3\"}");
  CHECK(h >= 0);
  p.live = &p.image.records[(uint32_t)h & pts_attachment_of((uint32_t)b)->record_mask];
  p.live->head = PTS_HEAD(PTS_HEAD_GENERATION(p.live->head), 0, PTS_MODE_SHARED);
  for (int i = 0; i < 5; i++) CHECK_EQUAL(pts_add((uint32_t)b, (uint32_t)h, 1), PTS_E_DAMAGED);
  CHECK_EQUAL(damage_seen_by(b, 1), 3);
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
  CHECK_EQUAL(help_check(p.path, PTS_CHECK_REPAIR, 0), 0);
  unmake(&p);
}

/* ---- and whatever it is, nobody crashes --------------------------------------------------------------- */

/* The words that a random one replaces: the small regions often, shards seldom. */
static uint64_t random_place(const planted *p, uint64_t *random) {
  const pts_metrics *m = p->image.metrics;
  uint64_t section = (uint64_t)((const uint8_t *)m - p->image.base), within = help_random(random);
  switch (help_random(random) % 8) {
  case 0:
    return section + 128 + within % 192; /* generation, lock, hints; not the geometry */
  case 1:
    return section + PTS_WORKERS_AT + within % (3 * sizeof(pts_worker));
  case 2:
    return (uint64_t)((uint8_t *)p->image.slots - p->image.base) + within % (m->slot_count * 4);
  case 3:
  case 4:
    return (uint64_t)((uint8_t *)p->image.records - p->image.base) +
           within % (m->records_used % 300 * sizeof(pts_record) + 8);
  case 5:
  case 6:
    return (uint64_t)(p->image.text - p->image.base) + within % (m->text_used % 20000 + 8);
  default:
    return (uint64_t)(p->image.shards - p->image.base) +
           within % 3 * m->shard_stride % (p->image.size / 2) + within % 5000;
  }
}

static uint64_t random_word(uint64_t *random) {
  uint64_t word = help_random(random);
  switch (word % 4) {
  case 0:
    return 0;
  case 1:
    return UINT64_MAX;
  case 2:
    return word >> 8 & 0xff;
  default:
    return word;
  }
}

static void flip_and_use(void *context) {
  planted *p = context;
  uint64_t random = help_setting("PTS_FLIP_SEED", 1);
  char report[2048];
  uint64_t rounds = help_setting("PTS_FLIP_ROUNDS", 400);
  for (uint64_t round = 0; round < rounds; round++) {
    memcpy(p->image.base, p->whole, p->image.size);
    for (uint64_t i = help_random(&random) % 4; i < 5; i++) {
      uint64_t place = random_place(p, &random), word = random_word(&random);
      uint32_t width = 1u << help_random(&random) % 4;
      if (place + width <= p->image.size) memcpy(p->image.base + place, &word, width);
    }
    CHECK(findings(p->path, report, sizeof report) >= PTS_E_TOO_MANY);
    use(p->path);
    if (pts_check(p->path, PTS_CHECK_REPAIR, report, sizeof report) > 0) {
      fprintf(stderr, "round %llu: not mended:\n%s\n", (unsigned long long)round, report);
      check_failures++;
    }
    if (check_failures) _exit(1);
  }
}

static void no_bytes_crash_anybody(void) {
  planted p = make_planted("flips");
  CHECK_EQUAL(help_in_child(flip_and_use, &p), 0);
  unmake(&p);
}

static const test_case tests[] = {
    {"damaged counts are found", damaged_counts_are_found},
    {"damaged records are found", damaged_records_are_found},
    {"damaged texts are found", damaged_texts_are_found},
    {"damaged slots and blocks are found", damaged_slots_and_blocks_are_found},
    {"broken hints are mended", broken_hints_are_mended},
    {"a broken record is counted once by each worker", a_broken_record_is_counted_once_by_each_worker},
    {"no bytes crash anybody", no_bytes_crash_anybody},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

/* test_together.c: many processes that open one file at one moment; two sections in one file. */

#include "test_store.h"

/* ---- many at once ---------------------------------------------------------------------------------------- */

enum { OPENERS = 32 };
typedef struct start {
  const char *path;
  int gate[2], results[2];
  uint32_t flags;
} start;

typedef struct opened {
  uint64_t store_id;
  uint32_t slot;
  int32_t code;
} opened;

static void open_at_the_gate(void *context) {
  start *s = context;
  char byte;
  close(s->gate[1]);
  if (read(s->gate[0], &byte, 1) != 0) _exit(1); /* its end is the signal */
  char message[1024] = "";
  pts_options options = {.path = s->path, .flags = s->flags, .max_workers = 64, .capacity = HELP_CAPACITY};
  opened result = {.code = pts_open(&options, message, sizeof message)};
  if (result.code >= 0) {
    pts_attachment *a = pts_attachment_of((uint32_t)result.code);
    int32_t h = help_series(result.code, PTS_KIND_VALUE, "opened");
    if (pts_add((uint32_t)result.code, (uint32_t)h, 1) != 0) result.code = -1;
    result.store_id = ((const pts_superblock *)a->session.store.mapping->base)->store_id;
    result.slot = a->session.store.slot;
  } else {
    fprintf(stderr, "%d: %s\n", result.code, message);
  }
  if (write(s->results[1], &result, sizeof result) != sizeof result) _exit(1);
  pause();
}

/* All open the path at one moment: one store, a slot for each. */
static void open_together(const char *path, uint32_t flags) {
  start s = {.path = path, .flags = flags};
  pid_t children[OPENERS];
  CHECK_EQUAL(pipe(s.gate), 0);
  CHECK_EQUAL(pipe(s.results), 0);
  for (int i = 0; i < OPENERS; i++) children[i] = help_spawn(open_at_the_gate, &s);
  close(s.gate[0]);
  close(s.gate[1]);
  opened results[OPENERS];
  uint64_t slots = 0;
  for (int i = 0; i < OPENERS; i++) {
    CHECK_EQUAL(read(s.results[0], &results[i], sizeof results[i]), (long long)sizeof results[i]);
    CHECK(results[i].code >= 0);
    CHECK_EQUAL(results[i].store_id, results[0].store_id);
    CHECK(!(slots >> results[i].slot & 1));
    slots |= 1ull << results[i].slot;
  }
  char message[1024];
  pts_options options = {.path = path};
  int32_t a = pts_open(&options, message, sizeof message);
  CHECK(a >= 0 && help_value(a, help_series(a, PTS_KIND_VALUE, "opened")) == OPENERS);
  CHECK_EQUAL(usage_of(a).workers_live, OPENERS + 1);
  CHECK_EQUAL(help_check(path, 0, 0), 0); /* beside the living */
  pts_close((uint32_t)a);
  for (int i = 0; i < OPENERS; i++) kill(children[i], SIGKILL);
  for (int i = 0; i < OPENERS; i++) CHECK_EQUAL(help_wait(children[i]), SIGKILL);
  close(s.results[0]);
  close(s.results[1]);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
}

static void many_make_one_store(void) {
  const char *path = in_folder("many");
  for (int round = 0; round < 3; round++) {
    open_together(path, 0);
    unlink(path);
  }
}

static void many_replace_an_empty_file_by_one_store(void) {
  const char *path = in_folder("many");
  for (int round = 0; round < 3; round++) {
    write_file(path, "", 0);
    open_together(path, 0);
    unlink(path);
  }
}

/* ---- sections -------------------------------------------------------------------------------------------- */

static void sections_are_added_in_either_order(void) {
  const char *path = in_folder("sections");
  for (int other_first = 0; other_first < 2; other_first++) {
    pts_store other;
    if (other_first) CHECK_EQUAL(help_open_other(path, &other), 0);
    int32_t a = help_open(path, 0);
    int32_t h = help_series(a, PTS_KIND_VALUE, "kept");
    CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 7), 0);
    if (!other_first) CHECK_EQUAL(help_open_other(path, &other), 0);
    CHECK_EQUAL(other.section[0], 'c');
    CHECK_EQUAL(other.section[64], 0);
    CHECK(help_value(a, h) == 7);
    CHECK_EQUAL(help_check(path, 0, 0), 0);
    pts_store_close(&other);
    pts_close((uint32_t)a);
    a = help_open(path, 0);
    CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "kept")) == 7);
    pts_close((uint32_t)a);
    unlink(path);
  }
}

static void many_add_one_section(void) {
  const char *path = in_folder("many");
  for (int round = 0; round < 3; round++) {
    pts_store other;
    CHECK_EQUAL(help_open_other(path, &other), 0);
    pts_store_close(&other);
    open_together(path, 0);
    unlink(path);
  }
}

/* The file must not be cut at the end that a broken section claims. */
static void a_broken_section_stops_another_from_being_added(void) {
  const char *path = in_folder("broken");
  pts_store other;
  CHECK_EQUAL(help_open_other(path, &other), 0);
  pts_superblock *super = (pts_superblock *)(void *)other.mapping->base;
  uint64_t good = super->sections[PTS_SECTION_CACHE].size;
  static const uint64_t sizes[] = {0, 8, UINT64_MAX - PTS_ALIGN + 1, 1ull << 40};
  struct stat before, after;
  CHECK_EQUAL(stat(path, &before), 0);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    super->sections[PTS_SECTION_CACHE].size = sizes[i];
    refused(path, PTS_E_DAMAGED, "damaged");
    CHECK(stat(path, &after) == 0 && after.st_size == before.st_size);
  }
  super->sections[PTS_SECTION_CACHE].size = good;
  pts_store_close(&other);
  int32_t a = help_open(path, 0);
  CHECK(a >= 0);
  pts_close((uint32_t)a);
  unlink(path);
}

/* Whoever adds it again would have to cut it off first, which would be a SIGBUS for those who use it. */
static void a_section_in_use_that_seems_to_be_gone_is_not_cut_off(void) {
  const char *path = in_folder("gone");
  pts_store other;
  int32_t a = help_open(path, 0), h = help_series(a, PTS_KIND_VALUE, "kept");
  CHECK_EQUAL(help_open_other(path, &other), 0);
  pts_section *section = &((pts_superblock *)(void *)other.mapping->base)->sections[PTS_SECTION_METRICS];
  pts_section good = *section;
  pts_section *cache = &section[PTS_SECTION_CACHE - PTS_SECTION_METRICS], kept = *cache;
  struct stat before, after;
  CHECK_EQUAL(stat(path, &before), 0);
  /* Nothing, half of a number, and what a killed maker would leave: at the file's end or before it. */
  uint64_t making = 0x474e494b414d2d50ull;
  const uint64_t words[] = {0, PTS_READY & 0xffffffffu, making, making};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    section->ready = words[i];
    if (i == 3) cache->ready = 0;
    refused(path, PTS_E_DAMAGED, "directory of sections");
    CHECK(stat(path, &after) == 0 && after.st_size == before.st_size);
    CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), 0);
  }
  *section = good;
  *cache = kept;
  CHECK(help_value(a, h) == 4);
  pts_store_close(&other);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static const test_case tests[] = {
    {"many make one store", many_make_one_store},
    {"many replace an empty file by one store", many_replace_an_empty_file_by_one_store},
    {"sections are added in either order", sections_are_added_in_either_order},
    {"many add one section", many_add_one_section},
    {"a broken section stops another from being added",
     a_broken_section_stops_another_from_being_added},
    {"a section in use that seems to be gone is not cut off",
     a_section_in_use_that_seems_to_be_gone_is_not_cut_off},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

/* test_store.c: making, recognising and replacing store files; worker slots and their locks. */

#include "test_store.h"

#include <pthread.h>

/* ---- making ------------------------------------------------------------------------------------------- */

static void a_new_store_is_whole(void) {
  const char *path = in_folder("new");
  struct stat st;
  int32_t a = help_open(path, 0);
  CHECK(a >= 0);
  CHECK_EQUAL(stat(path, &st), 0);
  CHECK_EQUAL(st.st_mode & 0777, 0600);
  pts_usage usage = usage_of(a);
  CHECK_EQUAL(usage.file_bytes, st.st_size);
  CHECK(usage.allocated_bytes < usage.file_bytes);
  CHECK_EQUAL(usage.workers_live, 1);
  CHECK_EQUAL(usage.workers_capacity, HELP_WORKERS);
  CHECK_EQUAL(usage.my_slot, 1);
  CHECK_EQUAL(usage.my_epoch, 1);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  CHECK_EQUAL(pts_close((uint32_t)a), 0);
  CHECK_EQUAL(pts_close((uint32_t)a), PTS_E_CLOSED);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void attachments_of_one_file_share(void) {
  const char *path = in_folder("shared");
  int32_t a = help_open(path, 0), b = help_open(path, 0);
  int32_t first = help_series(a, PTS_KIND_VALUE, "hits"), second = help_series(b, PTS_KIND_VALUE, "hits");
  CHECK_EQUAL(first, second);
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)first, 2), 0);
  CHECK_EQUAL(pts_add((uint32_t)b, (uint32_t)second, 3), 0);
  CHECK(help_value(a, first) == 5);
  CHECK(help_value(b, second) == 5);
  CHECK_EQUAL(usage_of(b).my_slot, 2);
  pts_close((uint32_t)a);
  CHECK(help_value(b, second) == 5);
  pts_close((uint32_t)b);
  b = help_open(path, PTS_OPEN_EXISTING);
  CHECK(help_value(b, help_series(b, PTS_KIND_VALUE, "hits")) == 5);
  pts_close((uint32_t)b);
  unlink(path);
}

static void another_geometry_is_refused(void) {
  const char *path = in_folder("geometry");
  char message[1024];
  int32_t a = help_open(path, 0);
  pts_options options = {.path = path, .max_workers = HELP_WORKERS + 1};
  CHECK_EQUAL(pts_open(&options, message, sizeof message), PTS_E_GEOMETRY);
  CHECK(strstr(message, "8 workers") && strstr(message, path) && strstr(message, "initFile"));
  options = (pts_options){.path = path, .capacity = 2 * HELP_CAPACITY};
  CHECK_EQUAL(pts_open(&options, message, sizeof message), PTS_E_GEOMETRY);
  options = (pts_options){.path = path}; /* no wish */
  int32_t b = pts_open(&options, message, sizeof message);
  CHECK(b >= 0);
  pts_close((uint32_t)b);
  options = (pts_options){.path = path, .max_workers = PTS_MAX_WORKERS + 1};
  CHECK_EQUAL(pts_open(&options, message, sizeof message), PTS_E_INVALID);
  options = (pts_options){.path = path, .capacity = 1};
  CHECK_EQUAL(pts_open(&options, message, sizeof message), PTS_E_INVALID);
  pts_close((uint32_t)a);
  unlink(path);
}

/* ---- refusing ------------------------------------------------------------------------------------------ */

static void strangers_are_refused(void) {
  const char *path = in_folder("stranger");
  static char bytes[3 * PTS_ALIGN];
  memset(bytes, 'x', sizeof bytes);
  write_file(path, bytes, 10);
  refused(path, PTS_E_NOT_A_STORE, "too short");
  write_file(path, bytes, sizeof bytes);
  refused(path, PTS_E_NOT_A_STORE, "first bytes");
  memset(bytes, 0, sizeof bytes);
  write_file(path, bytes, sizeof bytes);
  refused(path, PTS_E_NOT_A_STORE, "first bytes");
  struct stat st;
  CHECK(stat(path, &st) == 0 && st.st_size == sizeof bytes); /* as it was */
  unlink(path);
}

static void other_builds_are_refused(void) {
  const char *path = in_folder("build");
  help_image image;
  make_closed(path);
  CHECK(help_map(path, &image));
  pts_superblock *super = image.super;
#define REFUSED_WITH(member, value, code, word)                                                    \
  do {                                                                                             \
    __typeof__(super->member) was_ = super->member;                                                \
    super->member = (value);                                                                       \
    refused(path, code, word);                                                                     \
    super->member = was_;                                                                          \
  } while (0)
  REFUSED_WITH(version, 99, PTS_E_VERSION, "format version 99");
  REFUSED_WITH(byte_order, 0x04030201u, PTS_E_NOT_A_STORE, "byte order");
  REFUSED_WITH(layout_hash, 1, PTS_E_VERSION, "another layout");
  REFUSED_WITH(ready, 0, PTS_E_NOT_A_STORE, "never finished");
  REFUSED_WITH(sections[0].offset, 8, PTS_E_DAMAGED, "damaged");
  REFUSED_WITH(sections[0].offset, UINT64_MAX - PTS_ALIGN + 1, PTS_E_DAMAGED, "damaged");
  REFUSED_WITH(sections[0].size, UINT64_MAX - PTS_ALIGN + 1, PTS_E_DAMAGED, "damaged");
  REFUSED_WITH(sections[0].size, PTS_ALIGN, PTS_E_DAMAGED, "geometry");
#undef REFUSED_WITH
  pts_metrics *m = image.metrics;
  uint64_t was = m->text_size;
  m->text_size = UINT64_MAX;
  refused(path, PTS_E_DAMAGED, "geometry");
  m->text_size = was;
  m->max_workers = 0;
  refused(path, PTS_E_DAMAGED, "geometry");
  m->max_workers = HELP_WORKERS;
  help_unmap(&image);
  int32_t a = help_open(path, 0); /* none of this changed it */
  CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "kept")) == 1);
  pts_close((uint32_t)a);
  unlink(path);
}

static void a_shortened_file_is_refused(void) {
  const char *path = in_folder("shortened");
  make_closed(path);
  CHECK_EQUAL(truncate(path, 2 * (off_t)PTS_ALIGN), 0);
  refused(path, PTS_E_DAMAGED, "shortened");
  struct stat st;
  CHECK(stat(path, &st) == 0 && st.st_size == 2 * (off_t)PTS_ALIGN);
  unlink(path);

  int32_t a = help_open(path, 0); /* and found before rendering */
  CHECK_EQUAL(truncate(path, 2 * (off_t)PTS_ALIGN), 0);
  CHECK_EQUAL(pts_render_open((uint32_t)a, 0, 0), PTS_E_DAMAGED);
  pts_close((uint32_t)a);
  unlink(path);
}

static void paths_that_lead_elsewhere_are_refused(void) {
  const char *path = in_folder("link"), *target = in_folder("target");
  make_closed(target);
  CHECK_EQUAL(symlink(target, path), 0);
  refused(path, PTS_E_SYMLINK, "link");
  char message[1024];
  CHECK_EQUAL(help_open_quietly(path, PTS_OPEN_EXISTING, message, sizeof message), PTS_E_SYMLINK);
  unlink(path);
  refused(test_folder, PTS_E_NOT_A_FILE, "regular file");
  refused(in_folder("no/such"), PTS_E_NO_FOLDER, "folder");
  CHECK_EQUAL(help_open_quietly(in_folder("none"), PTS_OPEN_EXISTING, message, sizeof message),
              PTS_E_NOT_FOUND);
  CHECK_EQUAL(inode_of(in_folder("none")), 0);
  CHECK_EQUAL(help_open_quietly("", 0, message, sizeof message), PTS_E_INVALID);
  CHECK_EQUAL(chmod(target, 0602), 0);
  refused(target, PTS_E_OWNER, "others may write");
  unlink(target);
}

/* ---- replacing ----------------------------------------------------------------------------------------- */

static void an_empty_file_is_replaced(void) {
  const char *path = in_folder("empty");
  write_file(path, "", 0);
  char message[1024]; /* but not by whoever only wants to look */
  CHECK_EQUAL(help_open_quietly(path, PTS_OPEN_EXISTING, message, sizeof message), PTS_E_NOT_A_STORE);
  CHECK(strstr(message, "it is empty") != NULL);
  CHECK_EQUAL(pts_check(path, 0, message, sizeof message), PTS_E_NOT_A_STORE);
  CHECK_EQUAL(help_allocated(path), 0);
  int32_t a = help_open(path, 0);
  CHECK(a >= 0);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void init_gives_a_new_file(void) {
  const char *path = in_folder("init");
  int32_t old = help_open(path, 0);
  int32_t h = help_series(old, PTS_KIND_VALUE, "kept");
  CHECK_EQUAL(pts_add((uint32_t)old, (uint32_t)h, 4), 0);
  uint64_t inode = inode_of(path);
  int32_t new = help_open(path, PTS_OPEN_INIT);
  CHECK(inode_of(path) != inode);
  int32_t code;
  char *text = help_render(new, 0, 4096, &code);
  CHECK(text && strcmp(text, "") == 0);
  free(text);
  /* The old attachment goes on, by itself. */
  CHECK_EQUAL(pts_add((uint32_t)old, (uint32_t)h, 1), 0);
  CHECK(help_series(old, PTS_KIND_VALUE, "more") >= 0);
  text = help_render(old, 0, 4096, &code);
  CHECK(text && strcmp(text, "kept 5\n") == 0);
  free(text);
  pts_close((uint32_t)old);
  pts_close((uint32_t)new);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void a_private_store_has_no_name(void) {
  char folder[PTS_PATH_MAX];
  bool fell_back;
  CHECK_EQUAL(pts_os_private_folder(0, folder, sizeof folder, &fell_back), 0);
  int descriptors = open_descriptors();
  int32_t a = help_open(NULL, PTS_OPEN_PRIVATE), b = help_open(NULL, PTS_OPEN_PRIVATE);
  int32_t h = help_series(a, PTS_KIND_VALUE, "mine");
  CHECK_EQUAL(pts_add((uint32_t)a, (uint32_t)h, 1), 0);
  CHECK(isnan(help_value(b, help_series(b, PTS_KIND_VALUE, "mine"))));
  char path[PTS_PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/private", folder);
  CHECK_EQUAL(inode_of(path), 0);
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
  CHECK_EQUAL(open_descriptors(), descriptors);
}

/* ---- worker slots --------------------------------------------------------------------------------------- */

static void the_lowest_free_slot_is_taken(void) {
  const char *path = in_folder("slots");
  int32_t open[HELP_WORKERS];
  char message[1024];
  for (uint32_t i = 0; i < HELP_WORKERS; i++) {
    open[i] = help_open(path, 0);
    CHECK_EQUAL(usage_of(open[i]).my_slot, i + 1);
  }
  int descriptors = open_descriptors();
  CHECK_EQUAL(help_open_quietly(path, 0, message, sizeof message), PTS_E_WORKERS_FULL);
  CHECK(strstr(message, "all 8 worker slots") && strstr(message, "maxWorkers"));
  CHECK_EQUAL(open_descriptors(), descriptors);
  pts_close((uint32_t)open[4]);
  pts_close((uint32_t)open[2]);
  for (uint64_t round = 2; round < 5; round++) {
    open[2] = help_open(path, 0);
    CHECK_EQUAL(usage_of(open[2]).my_slot, 3);
    CHECK_EQUAL(usage_of(open[2]).my_epoch, round);
    if (round < 4) pts_close((uint32_t)open[2]);
  }
  open[4] = help_open(path, 0);
  CHECK_EQUAL(usage_of(open[4]).my_slot, 5);
  for (uint32_t i = 0; i < HELP_WORKERS; i++) pts_close((uint32_t)open[i]);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void *open_and_leave(void *path) {
  int32_t a = help_open(path, 0);
  int32_t h = help_series(a, PTS_KIND_VALUE, "of_threads");
  if (pts_add((uint32_t)a, (uint32_t)h, 1) != 0) a = -1;
  return (void *)(intptr_t)usage_of(a).my_slot;
}

static void a_thread_that_ends_frees_its_slot(void) {
  const char *path = in_folder("thread");
  int descriptors = open_descriptors();
  for (int i = 0; i < 20; i++) {
    pthread_t thread;
    void *slot;
    CHECK_EQUAL(pthread_create(&thread, NULL, open_and_leave, (void *)(uintptr_t)path), 0);
    CHECK_EQUAL(pthread_join(thread, &slot), 0);
    CHECK_EQUAL((intptr_t)slot, 1);
  }
  CHECK_EQUAL(open_descriptors(), descriptors);
  int32_t a = help_open(path, 0);
  CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "of_threads")) == 20);
  CHECK_EQUAL(usage_of(a).my_epoch, 21);
  pts_close((uint32_t)a);
  unlink(path);
}

static void add_and_wait(void *path) {
  int32_t a = help_open(path, 0);
  int32_t h = help_series(a, PTS_KIND_VALUE, "of_children");
  if (pts_add((uint32_t)a, (uint32_t)h, 1) != 0) _exit(1);
  kill(getpid(), SIGKILL);
}

static void a_killed_child_frees_its_slot(void) {
  const char *path = in_folder("child");
  for (int i = 0; i < 20; i++)
    CHECK_EQUAL(help_in_child(add_and_wait, (void *)(uintptr_t)path), SIGKILL);
  int32_t a = help_open(path, 0);
  CHECK(help_value(a, help_series(a, PTS_KIND_VALUE, "of_children")) == 20);
  CHECK_EQUAL(usage_of(a).my_slot, 1);
  CHECK_EQUAL(usage_of(a).my_epoch, 21);
  CHECK_EQUAL(usage_of(a).workers_live, 1);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static void hold_the_index_lock(void *path) {
  int32_t number = help_open(path, 0);
  pts_attachment *a = pts_attachment_of((uint32_t)number);
  if (pts_index_lock(a, 1000) != 0) _exit(1);
  raise(SIGSTOP);
}

static int32_t insert_in(int32_t a, const char *name, uint32_t timeout_ms) {
  uint32_t length = (uint32_t)strlen(name);
  char text[128];
  snprintf(text, sizeof text, "%s%s", name, name);
  pts_series_key key = {.kind = PTS_KIND_VALUE,
                        .name_length = length,
                        .series_length = length,
                        .timeout_ms = timeout_ms};
  return pts_series((uint32_t)a, &key, (const uint8_t *)text, NULL);
}

static void a_stopped_owner_keeps_its_lock_and_a_dead_one_not(void) {
  const char *path = in_folder("stopped");
  pid_t child = help_spawn(hold_the_index_lock, (void *)(uintptr_t)path);
  int status;
  CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
  int32_t a = help_open(path, 0);
  CHECK_EQUAL(insert_in(a, "later", 50), PTS_E_LOCK_TIMEOUT);
  int32_t code;
  char *text = help_render(a, 0, 4096, &code); /* readers never wait */
  CHECK(text != NULL);
  free(text);
  kill(child, SIGKILL);
  CHECK_EQUAL(help_wait(child), SIGKILL);
  CHECK(insert_in(a, "later", 30000) >= 0);
  CHECK_EQUAL(usage_of(a).repairs, 1);
  CHECK(usage_of(a).lock_waits >= 2);
  pts_close((uint32_t)a);
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* Its slot has an owner, who lives; its (slot, epoch) is dead all the same. */
static void a_dead_owner_is_dead_although_its_slot_is_taken_at_once(void) {
  const char *path = in_folder("successor");
  make_closed(path);
  for (int by_successor = 0; by_successor < 2; by_successor++) {
    pid_t child = help_spawn(hold_the_index_lock, (void *)(uintptr_t)path);
    int status;
    CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    int32_t beside = help_open(path, 0);
    CHECK_EQUAL(usage_of(beside).my_slot, 2);
    kill(child, SIGKILL);
    CHECK_EQUAL(help_wait(child), SIGKILL);
    int32_t successor = help_open(path, 0);
    CHECK_EQUAL(usage_of(successor).my_slot, 1);
    uint64_t repairs = usage_of(beside).repairs;
    CHECK(insert_in(by_successor ? successor : beside, by_successor ? "one" : "other", 30000) >= 0);
    CHECK_EQUAL(usage_of(beside).repairs, repairs + 1);
    CHECK(help_value(successor, help_series(successor, PTS_KIND_VALUE, "kept")) == 1);
    pts_close((uint32_t)successor);
    pts_close((uint32_t)beside);
  }
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

/* A thread that holds the lock when it ends: its process lives on, and is not its owner. */
static void *end_with_the_index_lock(void *path) {
  int32_t number = help_open(path, 0);
  return (void *)(intptr_t)pts_index_lock(pts_attachment_of((uint32_t)number), 1000);
}

static void a_thread_that_ends_with_a_lock_is_dead(void) {
  const char *path = in_folder("thread-lock");
  make_closed(path);
  for (int successor = 0; successor < 2; successor++) {
    pthread_t thread;
    void *code;
    int32_t a = successor ? -1 : help_open(path, 0);
    CHECK_EQUAL(pthread_create(&thread, NULL, end_with_the_index_lock, (void *)(uintptr_t)path), 0);
    CHECK_EQUAL(pthread_join(thread, &code), 0);
    CHECK_EQUAL((intptr_t)code, 0);
    if (successor) a = help_open(path, 0); /* takes the slot of the thread that ended */
    CHECK(insert_in(a, successor ? "one" : "other", 30000) >= 0);
    CHECK_EQUAL(usage_of(a).repairs, (uint64_t)successor + 1);
    pts_close((uint32_t)a);
  }
  CHECK_EQUAL(help_check(path, 0, 0), 0);
  unlink(path);
}

static const test_case tests[] = {
    {"a new store is whole", a_new_store_is_whole},
    {"attachments of one file share", attachments_of_one_file_share},
    {"another geometry is refused", another_geometry_is_refused},
    {"strangers are refused", strangers_are_refused},
    {"other builds are refused", other_builds_are_refused},
    {"a shortened file is refused", a_shortened_file_is_refused},
    {"paths that lead elsewhere are refused", paths_that_lead_elsewhere_are_refused},
    {"an empty file is replaced", an_empty_file_is_replaced},
    {"init gives a new file", init_gives_a_new_file},
    {"a private store has no name", a_private_store_has_no_name},
    {"the lowest free slot is taken", the_lowest_free_slot_is_taken},
    {"a thread that ends frees its slot", a_thread_that_ends_frees_its_slot},
    {"a killed child frees its slot", a_killed_child_frees_its_slot},
    {"a stopped owner keeps its lock, a dead one not",
     a_stopped_owner_keeps_its_lock_and_a_dead_one_not},
    {"a dead owner is dead although its slot is taken at once",
     a_dead_owner_is_dead_although_its_slot_is_taken_at_once},
    {"a thread that ends with a lock is dead", a_thread_that_ends_with_a_lock_is_dead},
};

int main(void) { return run_store_tests(tests, sizeof tests / sizeof *tests); }

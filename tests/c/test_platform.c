/* test_platform.c: platform.h as every system has to keep it. Run in a memory folder where there is
 * one; TEST_FOLDER names another. */

#include "test_platform.h"

#include <pthread.h>

#include "layout.h"

#define MIB (1024u * 1024u)

/* ---- files ----------------------------------------------------------------------------------- */

static void open_reports_what_is_missing(void) {
  pts_fd fd = 0;
  CHECK_EQUAL(pts_os_open(in_folder("none"), &fd), PTS_E_NOT_FOUND);
  CHECK_EQUAL(fd, PTS_NO_FD);
  CHECK_EQUAL(pts_os_open(in_folder("none/file"), &fd), PTS_E_NO_FOLDER);
  CHECK_EQUAL(pts_os_open(test_folder, &fd), PTS_E_NOT_A_FILE);
  pts_file_id id;
  CHECK_EQUAL(pts_os_identify_path(in_folder("none"), &id), PTS_E_NOT_FOUND);
  CHECK_EQUAL(pts_os_identify_path(in_folder("none/file"), &id), PTS_E_NO_FOLDER);
  char temp[PTS_PATH_MAX];
  CHECK_EQUAL(pts_os_create(in_folder("none/file"), 0600, &fd, temp), PTS_E_NO_FOLDER);
  CHECK_EQUAL(fd, PTS_NO_FD);
  CHECK_EQUAL(strlen(temp), 0);
}

static void a_failure_has_words(void) {
  pts_fd fd;
  char words[128] = "", cut[4];
  CHECK_EQUAL(pts_os_open(in_folder("none"), &fd), PTS_E_NOT_FOUND);
  pts_os_detail(words, sizeof words);
  CHECK(strlen(words) > 5);
  pts_os_detail(cut, sizeof cut);
  CHECK(strlen(cut) < sizeof cut);
}

static void a_new_file_has_no_name_until_published(void) {
  const char *path = in_folder("new");
  char temp[PTS_PATH_MAX];
  pts_fd fd;
  pts_file_id id, by_name;
  CHECK_EQUAL(pts_os_create(path, 0600, &fd, temp), 0);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), PTS_E_NOT_FOUND);
  CHECK_EQUAL(pts_os_publish(fd, temp, path, false), 0);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), 0);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.inode == by_name.inode && (id.device == by_name.device || id.device == 0));
  CHECK(id.is_regular && id.is_ours && id.size == 0);
  if (*temp != '\0') CHECK_EQUAL(pts_os_identify_path(temp, &by_name), PTS_E_NOT_FOUND);
  pts_os_close(fd);
  pts_os_unlink(path);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), PTS_E_NOT_FOUND);
}

static void the_second_to_publish_is_told(void) {
  const char *path = in_folder("race");
  char temp[PTS_PATH_MAX];
  pts_fd first = make_file(path), second;
  pts_file_id first_id, by_name;
  CHECK_EQUAL(pts_os_create(path, 0600, &second, temp), 0);
  CHECK_EQUAL(pts_os_publish(second, temp, path, false), PTS_E_LOCKED);
  pts_os_close(second);
  if (*temp != '\0') CHECK_EQUAL(pts_os_identify_path(temp, &by_name), PTS_E_NOT_FOUND);
  CHECK_EQUAL(pts_os_identify(first, &first_id), 0);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), 0);
  CHECK(first_id.inode == by_name.inode);
  pts_os_close(first);
  pts_os_unlink(path);
}

static void replacing_gives_a_new_file(void) {
  const char *path = in_folder("replaced");
  char temp[PTS_PATH_MAX];
  pts_fd old = make_file(path), new;
  pts_file_id old_id, new_id, by_name;
  CHECK_EQUAL(pts_os_resize(old, 4096), 0);
  CHECK_EQUAL(pts_os_create(path, 0600, &new, temp), 0);
  CHECK_EQUAL(pts_os_publish(new, temp, path, true), 0);
  CHECK_EQUAL(pts_os_identify(old, &old_id), 0);
  CHECK_EQUAL(pts_os_identify(new, &new_id), 0);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), 0);
  CHECK(by_name.inode == new_id.inode && by_name.inode != old_id.inode);
  CHECK_EQUAL(old_id.size, 4096); /* whoever has the old one keeps it */
  CHECK_EQUAL(by_name.size, 0);
  pts_os_locks locks;
  CHECK_EQUAL(pts_os_locks_open(path, old, &locks), PTS_E_NOT_FOUND);
  pts_os_close(old);
  pts_os_close(new);
  pts_os_unlink(path);
}

/* Whoever still has the old store mapped goes on with it. */
static void a_mapped_file_can_be_replaced(void) {
  const char *path = in_folder("in use");
  char temp[PTS_PATH_MAX];
  pts_fd old = make_file(path), new;
  pts_file_id old_id, by_name;
  void *map;
  CHECK_EQUAL(pts_os_resize(old, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_allocate(old, 0, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_map(old, PTS_STEP, &map), 0);
  memset(map, 5, PTS_STEP);
  CHECK_EQUAL(pts_os_create(path, 0600, &new, temp), 0);
  CHECK_EQUAL(pts_os_publish(new, temp, path, true), 0);
  CHECK_EQUAL(pts_os_identify(old, &old_id), 0);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), 0);
  CHECK(by_name.inode != old_id.inode);
  CHECK_EQUAL(by_name.size, 0);
  memset(map, 6, PTS_STEP);
  CHECK_EQUAL(((unsigned char *)map)[PTS_STEP - 1], 6);
  pts_os_unmap(map, PTS_STEP);
  pts_os_close(old);
  pts_os_close(new);
  pts_os_unlink(path);
}

static void replacing_needs_nothing_to_replace(void) {
  const char *path = in_folder("fresh");
  char temp[PTS_PATH_MAX];
  pts_fd fd;
  pts_file_id by_name;
  CHECK_EQUAL(pts_os_create(path, 0600, &fd, temp), 0);
  CHECK_EQUAL(pts_os_publish(fd, temp, path, true), 0);
  CHECK_EQUAL(pts_os_identify_path(path, &by_name), 0);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void long_names_can_be_created(void) {
  char name[256];
  memset(name, 'n', 240);
  name[240] = '\0';
  const char *path = in_folder(name);
  pts_file_id id;
  pts_os_close(make_file(path));
  CHECK_EQUAL(pts_os_identify_path(path, &id), 0);
  pts_os_unlink(path);
}

/* ---- space ----------------------------------------------------------------------------------- */

static void allocated(pts_fd fd, uint64_t *bytes) {
  pts_file_id id;
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  *bytes = id.allocated;
}

static void space_is_taken_by_allocating_only(void) {
  const char *path = in_folder("sparse");
  pts_fd fd = make_file(path);
  uint64_t before, after;
  CHECK_EQUAL(pts_os_resize(fd, 64 * MIB), 0);
  allocated(fd, &before);
  CHECK(before < MIB);
  CHECK_EQUAL(pts_os_allocate(fd, 5 * MIB, 2 * MIB), 0);
  allocated(fd, &after);
  CHECK(after >= before + 2 * MIB);
  CHECK(after < 16 * MIB);
  pts_file_id id;
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK_EQUAL(id.size, 64 * MIB);
  CHECK_EQUAL(pts_os_resize(fd, 1 * MIB), 0);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK_EQUAL(id.size, 1 * MIB);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void allocating_keeps_what_is_there(void) {
  const char *path = in_folder("kept");
  pts_fd fd = make_file(path);
  void *map;
  CHECK_EQUAL(pts_os_resize(fd, 2 * PTS_STEP), 0);
  CHECK_EQUAL(pts_os_allocate(fd, 0, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_map(fd, 2 * PTS_STEP, &map), 0);
  unsigned char *bytes = map;
  bytes[PTS_STEP - 1] = 7;
  CHECK_EQUAL(pts_os_allocate(fd, PTS_STEP, PTS_STEP), 0);
  CHECK_EQUAL(bytes[PTS_STEP - 1], 7);
  CHECK_EQUAL(bytes[PTS_STEP], 0);
  CHECK_EQUAL(bytes[2 * PTS_STEP - 1], 0);
  pts_os_unmap(map, 2 * PTS_STEP);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void mappings_of_one_file_share(void) {
  const char *path = in_folder("mapped");
  pts_fd fd = make_file(path), again;
  void *one, *two;
  uint64_t free_bytes = 0;
  CHECK_EQUAL(pts_os_space(fd, &free_bytes), 0);
  CHECK(free_bytes > 0);
  CHECK_EQUAL(pts_os_resize(fd, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_allocate(fd, 0, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_open(path, &again), 0);
  CHECK_EQUAL(pts_os_map(fd, PTS_STEP, &one), 0);
  CHECK_EQUAL(pts_os_map(again, PTS_STEP, &two), 0);
  CHECK(one != two);
  ((volatile uint64_t *)one)[100] = 0x1234;
  CHECK_EQUAL(((volatile uint64_t *)two)[100], 0x1234);
  pts_os_unmap(one, PTS_STEP);
  pts_os_close(fd); /* a mapping outlives its descriptor */
  CHECK_EQUAL(((volatile uint64_t *)two)[100], 0x1234);
  pts_os_unmap(two, PTS_STEP);
  pts_os_close(again);
  pts_os_unlink(path);
}

static void a_private_folder_is_made(void) {
  char folder[PTS_PATH_MAX] = "", again[PTS_PATH_MAX] = "";
  bool fell_back = true;
  pts_file_id id;
  CHECK_EQUAL(pts_os_private_folder(0, folder, sizeof folder, &fell_back), 0);
  CHECK(strstr(folder, "prometheus-tiny-shared") != NULL);
  CHECK_EQUAL(pts_os_identify_path(folder, &id), 0);
  CHECK(id.is_ours && !id.is_regular);
  CHECK_EQUAL(pts_os_private_folder(0, again, sizeof again, &fell_back), 0);
  CHECK(strcmp(folder, again) == 0);
  CHECK(pts_os_private_folder(0, again, 8, &fell_back) < 0);
  /* More than any folder has: the one with most, whichever that is. */
  CHECK_EQUAL(pts_os_private_folder(UINT64_MAX, again, sizeof again, &fell_back), 0);
  CHECK_EQUAL(fell_back, strcmp(folder, again) != 0);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void locks_exclude_each_other(void) {
  const char *path = in_folder("locks");
  const uint64_t bytes[] = {PTS_LOCK_CREATE, PTS_LOCK_SLOT(0, 1), PTS_LOCK_OWNER(0, 1, 1),
                            PTS_LOCK_OWNER(1, PTS_MAX_WORKERS, UINT32_MAX),
                            PTS_LOCK_NAMED(0xffffffffffull)};
  pts_fd fd = make_file(path);
  pts_os_locks one, two;
  CHECK_EQUAL(pts_os_locks_open(path, fd, &one), 0);
  CHECK_EQUAL(pts_os_locks_open(path, fd, &two), 0);
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    CHECK_EQUAL(pts_os_lock_held(&two, bytes[i]), 0);
    CHECK_EQUAL(pts_os_lock(&one, bytes[i]), 0);
    CHECK_EQUAL(pts_os_lock(&two, bytes[i]), PTS_E_LOCKED);
    CHECK_EQUAL(pts_os_lock_held(&two, bytes[i]), 1);
  }
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
    pts_os_unlock(&one, bytes[i]);
    CHECK_EQUAL(pts_os_lock_held(&two, bytes[i]), 0);
    CHECK_EQUAL(pts_os_lock(&two, bytes[i]), 0);
    CHECK_EQUAL(pts_os_lock_held(&one, bytes[i]), 1);
  }
  pts_os_locks_close(&one);
  pts_os_locks_close(&two);
  pts_os_close(fd);
  pts_os_unlink(path);
}

/* A worker that follows another in its slot must not make the one before it look alive. */
static void owners_differ_by_their_epoch(void) {
  const char *path = in_folder("owners");
  pts_fd fd = make_file(path);
  pts_os_locks one, two;
  CHECK_EQUAL(pts_os_locks_open(path, fd, &one), 0);
  CHECK_EQUAL(pts_os_locks_open(path, fd, &two), 0);
  CHECK_EQUAL(pts_os_lock(&one, PTS_LOCK_SLOT(0, 5)), 0);
  CHECK_EQUAL(pts_os_lock(&one, PTS_LOCK_OWNER(0, 5, 9)), 0);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_OWNER(0, 5, 8)), 0);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_OWNER(0, 5, 9)), 1);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_OWNER(0, 5, 10)), 0);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_OWNER(0, 4, 9)), 0);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_OWNER(1, 5, 9)), 0);
  pts_os_locks_close(&one);
  pts_os_locks_close(&two);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void closing_frees_locks_though_the_file_is_mapped(void) {
  const char *path = in_folder("freed");
  pts_fd fd = make_file(path);
  pts_os_locks one, two;
  void *map;
  CHECK_EQUAL(pts_os_resize(fd, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_map(fd, PTS_STEP, &map), 0);
  CHECK_EQUAL(pts_os_locks_open(path, fd, &one), 0);
  CHECK_EQUAL(pts_os_locks_open(path, fd, &two), 0);
  CHECK_EQUAL(pts_os_lock(&one, PTS_LOCK_SLOT(0, 3)), 0);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_SLOT(0, 3)), 1);
  pts_os_locks_close(&one);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_SLOT(0, 3)), 0);
  CHECK_EQUAL(pts_os_lock(&two, PTS_LOCK_SLOT(0, 3)), 0);
  pts_os_locks_close(&two);
  pts_os_unmap(map, PTS_STEP);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void a_file_without_a_name_has_locks(void) {
  const char *path = in_folder("nameless");
  char temp[PTS_PATH_MAX];
  pts_fd fd;
  pts_os_locks locks;
  CHECK_EQUAL(pts_os_create(path, 0600, &fd, temp), 0);
  CHECK_EQUAL(pts_os_locks_open(NULL, fd, &locks), 0);
  CHECK_EQUAL(pts_os_lock(&locks, PTS_LOCK_SLOT(0, 1)), 0);
  CHECK_EQUAL(pts_os_lock(&locks, PTS_LOCK_OWNER(0, 1, 1)), 0);
  CHECK_EQUAL(pts_os_lock_held(&locks, PTS_LOCK_SLOT(0, 2)), 0);
  pts_os_locks_close(&locks);
  pts_os_close(fd);
  if (*temp != '\0') pts_os_unlink(temp);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static uint64_t wait_word;
static uint32_t waits_over;

static void *wait_for_change(void *unused) {
  (void)unused;
  while ((uint32_t)__atomic_load_n(&wait_word, __ATOMIC_ACQUIRE) == 1) {
    pts_os_wait(&wait_word, 1, 10000);
  }
  __atomic_store_n(&waits_over, 1, __ATOMIC_RELEASE);
  return NULL;
}

static void a_waiter_is_woken(void) {
  pthread_t thread;
  wait_word = 0xabcdull << 32 | 1; /* only the low half is looked at */
  CHECK_EQUAL(pthread_create(&thread, NULL, wait_for_change, NULL), 0);
  pts_os_sleep(30);
  CHECK_EQUAL(__atomic_load_n(&waits_over, __ATOMIC_ACQUIRE), 0);
  uint64_t start = pts_os_monotonic_ms();
  __atomic_store_n(&wait_word, 0xabcdull << 32 | 2, __ATOMIC_RELEASE);
  pts_os_wake(&wait_word);
  CHECK_EQUAL(pthread_join(thread, NULL), 0);
  CHECK(pts_os_monotonic_ms() - start < 9000); /* it would sleep for 10 s */
  CHECK_EQUAL(waits_over, 1);
}

static void a_wait_ends(void) {
  uint64_t word = 7;
  uint64_t start = pts_os_monotonic_ms();
  pts_os_wait(&word, 8, 20000); /* another value: not at all */
  pts_os_wait(&word, 7, 20);    /* the time over */
  CHECK(pts_os_monotonic_ms() - start < 15000);
}

static void clocks_go(void) {
  uint64_t start = pts_os_monotonic_ms();
  pts_os_sleep(20);
  CHECK(pts_os_monotonic_ms() - start >= 19);
  CHECK(pts_os_clock_ms() > 1700000000000ull);
}

/* ---- processes and threads ------------------------------------------------------------------- */

static uint32_t hooks_run;
static uint32_t hooks_before_exit;

static void count_hook(void) { __atomic_fetch_add(&hooks_run, 1, __ATOMIC_SEQ_CST); }

static void *ask_for_hook(void *times) {
  for (int i = 0; i < *(int *)times; i++) pts_os_at_thread_exit(count_hook);
  hooks_before_exit = __atomic_load_n(&hooks_run, __ATOMIC_SEQ_CST);
  return NULL;
}

static void a_thread_runs_its_hook_when_it_ends(void) {
  for (int times = 0; times < 3; times++) {
    pthread_t thread;
    hooks_run = 0;
    CHECK_EQUAL(pthread_create(&thread, NULL, ask_for_hook, &times), 0);
    CHECK_EQUAL(pthread_join(thread, NULL), 0);
    CHECK_EQUAL(hooks_before_exit, 0);
    CHECK_EQUAL(hooks_run, times > 0 ? 1 : 0);
  }
}

static pts_os_mutex *counter_mutex;
static int counters[2];

static void *count_up(void *unused) {
  (void)unused;
  for (int i = 0; i < 20000; i++) {
    pts_os_mutex_lock(counter_mutex);
    counters[0]++;
    pts_os_mutex_unlock(counter_mutex);
    pts_os_process_lock();
    counters[1]++;
    pts_os_process_unlock();
  }
  return NULL;
}

static void mutexes_exclude(void) {
  pthread_t threads[2];
  counter_mutex = pts_os_mutex_new();
  CHECK(counter_mutex != NULL);
  for (int i = 0; i < 2; i++) CHECK_EQUAL(pthread_create(&threads[i], NULL, count_up, NULL), 0);
  for (int i = 0; i < 2; i++) CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
  CHECK_EQUAL(counters[0], 40000);
  CHECK_EQUAL(counters[1], 40000);
  pts_os_mutex_free(counter_mutex);
  pts_os_mutex_free(NULL);
}

static void numbers_are_random(void) {
  uint64_t a = pts_os_random(), b = pts_os_random(), c = pts_os_random();
  CHECK(a != b && b != c && a != c);
  CHECK((a | b | c) >> 32 != 0);
  CHECK(pts_os_pid() > 0);
}

static const test_case tests[] = {
    {"open reports what is missing", open_reports_what_is_missing},
    {"a failure has words", a_failure_has_words},
    {"a new file has no name until published", a_new_file_has_no_name_until_published},
    {"the second to publish is told", the_second_to_publish_is_told},
    {"replacing gives a new file", replacing_gives_a_new_file},
    {"a mapped file can be replaced", a_mapped_file_can_be_replaced},
    {"replacing needs nothing to replace", replacing_needs_nothing_to_replace},
    {"long names can be created", long_names_can_be_created},
    {"space is taken by allocating only", space_is_taken_by_allocating_only},
    {"allocating keeps what is there", allocating_keeps_what_is_there},
    {"mappings of one file share", mappings_of_one_file_share},
    {"a private folder is made", a_private_folder_is_made},
    {"locks exclude each other", locks_exclude_each_other},
    {"owners differ by their epoch", owners_differ_by_their_epoch},
    {"closing frees locks", closing_frees_locks_though_the_file_is_mapped},
    {"a file without a name has locks", a_file_without_a_name_has_locks},
    {"a waiter is woken", a_waiter_is_woken},
    {"a wait ends", a_wait_ends},
    {"clocks go", clocks_go},
    {"a thread runs its hook when it ends", a_thread_runs_its_hook_when_it_ends},
    {"mutexes exclude", mutexes_exclude},
    {"numbers are random", numbers_are_random},
};

int main(void) { return run_tests_in_folder(tests, sizeof tests / sizeof *tests); }

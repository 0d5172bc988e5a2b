/* test_platform_flock.c: the locks and the waiting that platform_macos.c falls back to, on any Unix
 * system. */

#define _GNU_SOURCE
#include "test_platform.h"

#include <dirent.h>
#include <signal.h>
#include <sys/wait.h>

#include "platform_flock.h"
#include "platform_poll.h"

/* What the tests work on: two that share the locks of one store. */
static pts_fd store;
static pts_flock *one, *two;

static void open_store(void) {
  const char *path = in_folder("store");
  store = make_file(path);
  CHECK_EQUAL(pts_flock_open(path, store, &one), 0);
  CHECK_EQUAL(pts_flock_open(path, store, &two), 0);
}

static int files_in_lock_folder(bool remove_them) {
  int count = 0;
  const char *folder = in_folder("store.locks");
  DIR *files = opendir(folder);
  CHECK(files != NULL);
  for (struct dirent *entry; files != NULL && (entry = readdir(files)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    count++;
    if (remove_them) CHECK_EQUAL(unlinkat(dirfd(files), entry->d_name, 0), 0);
  }
  if (files != NULL) closedir(files);
  return count;
}

static void close_store(void) {
  pts_flock_close(one);
  pts_flock_close(two);
  pts_os_close(store);
  pts_os_unlink(in_folder("store"));
  files_in_lock_folder(true);
  CHECK_EQUAL(rmdir(in_folder("store.locks")), 0);
}

static void locks_exclude_each_other(void) {
  const uint64_t bytes[] = {PTS_LOCK_CREATE, PTS_LOCK_SLOT(0, 1), PTS_LOCK_SLOT(1, 1),
                            PTS_LOCK_SLOT(0, PTS_MAX_WORKERS), PTS_LOCK_NAMED(0),
                            PTS_LOCK_NAMED(0xffffffffffull)};
  const size_t count = sizeof bytes / sizeof *bytes;
  open_store();
  for (size_t i = 0; i < count; i++) {
    CHECK_EQUAL(pts_flock_is_held(two, bytes[i]), 0);
    CHECK_EQUAL(pts_flock_lock(one, bytes[i]), 0);
    CHECK_EQUAL(pts_flock_is_held(two, bytes[i]), 1);
    CHECK_EQUAL(pts_flock_lock(two, bytes[i]), PTS_E_LOCKED);
  }
  for (size_t i = 0; i < count; i++) {
    pts_flock_unlock(one, bytes[i]);
    CHECK_EQUAL(pts_flock_is_held(two, bytes[i]), 0);
    CHECK_EQUAL(pts_flock_lock(two, bytes[i]), 0);
    CHECK_EQUAL(pts_flock_is_held(one, bytes[i]), 1);
  }
  close_store();
}

static void an_owner_is_its_slot_and_epoch(void) {
  open_store();
  CHECK_EQUAL(pts_flock_lock(one, PTS_LOCK_OWNER(1, 5, 9)), PTS_E_INVALID);
  CHECK_EQUAL(pts_flock_lock(one, PTS_LOCK_SLOT(1, 5)), 0);
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_OWNER(1, 5, 9)), 0);
  CHECK_EQUAL(pts_flock_lock(one, PTS_LOCK_OWNER(1, 5, 9)), 0);
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_OWNER(1, 5, 8)), 0);
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_OWNER(1, 5, 9)), 1);
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_OWNER(0, 5, 9)), 0);
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_OWNER(1, 4, 9)), 0);
  pts_flock_unlock(one, PTS_LOCK_OWNER(1, 5, 9));
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_OWNER(1, 5, 9)), 0);
  CHECK_EQUAL(pts_flock_is_held(two, PTS_LOCK_SLOT(1, 5)), 1);
  close_store();
}

static void the_next_owner_does_not_revive_the_last(void) {
  const uint64_t slot = PTS_LOCK_SLOT(0, 3), last = PTS_LOCK_OWNER(0, 3, UINT32_MAX);
  open_store();
  CHECK_EQUAL(pts_flock_lock(one, slot), 0);
  CHECK_EQUAL(pts_flock_lock(one, last), 0);
  pts_flock_close(one); /* without an unlock of the owner's byte, as a kill does it */
  CHECK_EQUAL(pts_flock_is_held(two, last), 0);
  CHECK_EQUAL(pts_flock_open(in_folder("store"), store, &one), 0);
  CHECK_EQUAL(pts_flock_lock(one, slot), 0);
  CHECK_EQUAL(pts_flock_is_held(two, last), 0);
  close_store();
}

static void the_dead_hold_no_lock(void) {
  const uint64_t slot = PTS_LOCK_SLOT(0, 3), owner = PTS_LOCK_OWNER(0, 3, 4);
  int ready[2];
  char byte;
  open_store();
  CHECK_EQUAL(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    pts_flock *own;
    bool held = pts_flock_open(in_folder("store"), store, &own) == 0 &&
                pts_flock_lock(own, slot) == 0 && pts_flock_lock(own, owner) == 0;
    if (held && write(ready[1], "x", 1) == 1) pause();
    _exit(1);
  }
  close(ready[1]);
  CHECK_EQUAL(read(ready[0], &byte, 1), 1);
  CHECK_EQUAL(pts_flock_is_held(one, owner), 1);
  CHECK_EQUAL(pts_flock_lock(one, slot), PTS_E_LOCKED);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(waitpid(child, NULL, 0), child);
  CHECK_EQUAL(pts_flock_is_held(one, owner), 0);
  CHECK_EQUAL(pts_flock_is_held(one, slot), 0);
  CHECK_EQUAL(pts_flock_lock(one, slot), 0);
  close(ready[0]);
  close_store();
}

static void another_file_of_the_path_has_other_locks(void) {
  const char *path = in_folder("store");
  char temp[PTS_PATH_MAX];
  pts_fd new;
  pts_flock *newer;
  open_store();
  CHECK_EQUAL(pts_flock_lock(one, PTS_LOCK_SLOT(0, 1)), 0);
  CHECK_EQUAL(pts_os_create(path, 0600, &new, temp), 0);
  CHECK_EQUAL(pts_os_publish(new, temp, path, true), 0);
  CHECK_EQUAL(pts_flock_open(path, new, &newer), 0);
  CHECK_EQUAL(pts_flock_lock(newer, PTS_LOCK_SLOT(0, 1)), 0);
  pts_flock_close(newer);
  pts_os_close(new);
  close_store();
}

static void named_locks_leave_no_files(void) {
  open_store();
  for (uint64_t name = 0; name < 50; name++) {
    CHECK_EQUAL(pts_flock_lock(one, PTS_LOCK_NAMED(name)), 0);
  }
  CHECK_EQUAL(files_in_lock_folder(false), 50);
  for (uint64_t name = 0; name < 50; name += 2) pts_flock_unlock(one, PTS_LOCK_NAMED(name));
  CHECK_EQUAL(files_in_lock_folder(false), 25);
  pts_flock_close(one);
  CHECK_EQUAL(files_in_lock_folder(false), 0);
  CHECK_EQUAL(pts_flock_open(in_folder("store"), store, &one), 0);
  close_store();
}

/* Several processes take one named lock in turn; its file comes and goes all the while. */
#define TURNS 300
#define PROCESSES 3

static void count_under_lock(uint64_t *counter) {
  pts_flock *own;
  if (pts_flock_open(in_folder("store"), store, &own) != 0) _exit(1);
  for (int turn = 0; turn < TURNS;) {
    if (pts_flock_lock(own, PTS_LOCK_NAMED(1)) != 0) continue;
    uint64_t seen = *(volatile uint64_t *)counter;
    if (turn % 10 == 0) usleep(50);
    *(volatile uint64_t *)counter = seen + 1;
    pts_flock_unlock(own, PTS_LOCK_NAMED(1));
    turn++;
  }
  _exit(0);
}

static void removed_files_let_nobody_in(void) {
  void *counter;
  pid_t children[PROCESSES];
  open_store();
  CHECK_EQUAL(pts_os_resize(store, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_allocate(store, 0, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_map(store, PTS_STEP, &counter), 0);
  for (int i = 0; i < PROCESSES; i++) {
    children[i] = fork();
    if (children[i] == 0) count_under_lock(counter);
  }
  for (int i = 0; i < PROCESSES; i++) {
    int status = -1;
    CHECK_EQUAL(waitpid(children[i], &status, 0), children[i]);
    CHECK_EQUAL(status, 0);
  }
  CHECK_EQUAL(*(uint64_t *)counter, PROCESSES * TURNS);
  pts_os_unmap(counter, PTS_STEP);
  close_store();
}

/* ---- waiting without a futex ----------------------------------------------------------------- */

static void a_poll_sees_what_another_process_stores(void) {
  void *map;
  open_store();
  CHECK_EQUAL(pts_os_resize(store, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_allocate(store, 0, PTS_STEP), 0);
  CHECK_EQUAL(pts_os_map(store, PTS_STEP, &map), 0);
  uint64_t *word = map;
  pid_t child = fork();
  if (child == 0) {
    pts_os_sleep(30);
    pts_store_release_u64(word, 7);
    _exit(0); /* and wakes nobody */
  }
  uint64_t start = pts_os_monotonic_ms();
  pts_poll_wait(word, 0, 20000);
  CHECK_EQUAL(pts_load_acquire_u64(word), 7);
  CHECK(pts_os_monotonic_ms() - start < 20000);
  CHECK_EQUAL(waitpid(child, NULL, 0), child);
  pts_os_unmap(map, PTS_STEP);
  close_store();
}

static void a_poll_ends(void) {
  uint64_t word = 1ull << 32 | 5;
  pts_poll_wait(&word, 4, 20000); /* only the low half counts, and it differs */
  uint64_t start = pts_os_monotonic_ms();
  pts_poll_wait(&word, 5, 20);
  CHECK(pts_os_monotonic_ms() - start >= 20);
}

static const test_case tests[] = {
    {"locks exclude each other", locks_exclude_each_other},
    {"an owner is its slot and epoch", an_owner_is_its_slot_and_epoch},
    {"the next owner does not revive the last", the_next_owner_does_not_revive_the_last},
    {"the dead hold no lock", the_dead_hold_no_lock},
    {"another file of the path has other locks", another_file_of_the_path_has_other_locks},
    {"named locks leave no files", named_locks_leave_no_files},
    {"removed files let nobody in", removed_files_let_nobody_in},
    {"a poll sees what another process stores", a_poll_sees_what_another_process_stores},
    {"a poll ends", a_poll_ends},
};

int main(void) {
  const char *chosen = getenv("TEST_FOLDER");
  if (chosen == NULL) chosen = "/tmp";
  snprintf(test_folder, sizeof test_folder, "%s/pts-test-%ld", chosen, (long)getpid());
  if (mkdir(test_folder, 0700) != 0) {
    perror(test_folder);
    return 1;
  }
  int result = run_tests(tests, sizeof tests / sizeof *tests);
  if (rmdir(test_folder) != 0) perror(test_folder); /* a test left a file */
  return result;
}

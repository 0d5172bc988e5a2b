/* test_platform_posix.c: what only Unix systems can be asked: links, FIFOs, owners, limits, and
 * what the kernel does for a process that is killed. */

#define _GNU_SOURCE
#include "test_platform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "layout.h"
#include "platform_posix.h"

#define NOBODY 65534u

/* Run in a process of its own, which the test may then spoil. Its failures are the parent's. */
static void in_child(void (*run)(void)) {
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    check_failures = 0;
    run();
    fflush(NULL);
    _exit(check_failures == 0 ? 0 : 1);
  }
  int status = -1;
  CHECK_EQUAL(waitpid(child, &status, 0), child);
  CHECK(WIFEXITED(status)); /* no SIGXFSZ, no SIGBUS */
  CHECK_EQUAL(status, 0);
}

/* ---- what is refused ------------------------------------------------------------------------- */

static void links_are_refused(void) {
  const char *path = in_folder("link"), *target = in_folder("target");
  pts_fd fd = make_file(target), opened;
  pts_file_id id;
  CHECK_EQUAL(symlink(target, path), 0);
  CHECK_EQUAL(pts_os_open(path, &opened), PTS_E_SYMLINK);
  CHECK_EQUAL(pts_os_identify_path(path, &id), 0);
  CHECK(!id.is_regular);
  char temp[PTS_PATH_MAX];
  pts_fd new;
  CHECK_EQUAL(pts_os_create(path, 0600, &new, temp), 0);
  CHECK_EQUAL(pts_os_publish(new, temp, path, false), PTS_E_LOCKED);
  pts_os_close(new);
  pts_os_locks locks;
  CHECK_EQUAL(pts_os_locks_open(path, fd, &locks), PTS_E_SYMLINK);
  CHECK_EQUAL(locks.fd, PTS_NO_FD);
  pts_os_close(fd);
  pts_os_unlink(path);
  pts_os_unlink(target);
}

static void a_fifo_is_refused_at_once(void) {
  const char *path = in_folder("fifo");
  pts_fd fd;
  CHECK_EQUAL(mkfifo(path, 0600), 0);
  uint64_t start = pts_os_monotonic_ms();
  CHECK_EQUAL(pts_os_open(path, &fd), PTS_E_NOT_A_FILE);
  CHECK(pts_os_monotonic_ms() - start < 10000);
  pts_os_unlink(path);
}

static void a_file_as_folder_is_refused(void) {
  const char *path = in_folder("plain");
  pts_fd fd, inner;
  char temp[PTS_PATH_MAX];
  fd = make_file(path);
  CHECK_EQUAL(pts_os_open(in_folder("plain/inner"), &inner), PTS_E_NO_FOLDER);
  CHECK_EQUAL(pts_os_create(in_folder("plain/inner"), 0600, &inner, temp), PTS_E_NO_FOLDER);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void publishing_over_a_folder_is_refused(void) {
  const char *path = in_folder("folder");
  char temp[PTS_PATH_MAX];
  pts_fd fd;
  CHECK_EQUAL(mkdir(path, 0700), 0);
  CHECK_EQUAL(pts_os_create(path, 0600, &fd, temp), 0);
  CHECK_EQUAL(pts_os_publish(fd, temp, path, true), PTS_E_NOT_A_FILE);
  pts_os_close(fd);
  CHECK_EQUAL(pts_os_create(in_folder("folder/"), 0600, &fd, temp), PTS_E_INVALID);
  CHECK_EQUAL(pts_os_create("", 0600, &fd, temp), PTS_E_INVALID);
  CHECK_EQUAL(rmdir(path), 0);
}

static void owners_and_modes_are_told(void) {
  const char *path = in_folder("owned");
  pts_fd fd = make_file(path);
  pts_file_id id;
  CHECK_EQUAL(fchmod((int)fd, 0660), 0);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.is_ours && !id.is_open);
  CHECK_EQUAL(fchmod((int)fd, 0602), 0);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.is_ours && id.is_open);
  CHECK_EQUAL(fchmod((int)fd, 0600), 0);
  if (geteuid() == 0) {
    CHECK_EQUAL(fchown((int)fd, NOBODY, NOBODY), 0);
    CHECK_EQUAL(pts_os_identify(fd, &id), 0);
    CHECK(!id.is_ours); /* not even for root */
  }
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void drop_root(void) {
  if (geteuid() == 0) CHECK_EQUAL(setuid(NOBODY), 0);
}

static void try_without_permission(void) {
  drop_root();
  pts_fd fd;
  char temp[PTS_PATH_MAX];
  CHECK_EQUAL(pts_os_open(in_folder("closed"), &fd), PTS_E_PERMISSION);
  CHECK_EQUAL(pts_os_create(in_folder("shut/new"), 0600, &fd, temp), PTS_E_PERMISSION);
  CHECK_EQUAL(strlen(temp), 0);
}

static void missing_permission_is_told(void) {
  const char *path = in_folder("closed"), *shut = in_folder("shut");
  pts_fd fd = make_file(path);
  CHECK_EQUAL(fchmod((int)fd, 0400), 0);
  CHECK_EQUAL(mkdir(shut, 0500), 0);
  in_child(try_without_permission);
  pts_os_close(fd);
  pts_os_unlink(path);
  CHECK_EQUAL(rmdir(shut), 0);
}

/* ---- new files with a name ------------------------------------------------------------------- */

static void named_temporary_files_are_published(void) {
  const char *path = in_folder("named");
  for (int replace = 0; replace < 2; replace++) {
    char temp[PTS_PATH_MAX];
    pts_fd fd;
    pts_file_id id, by_name;
    CHECK_EQUAL(pts_posix_create_named(path, 0640, &fd, temp), 0);
    CHECK(strstr(temp, "/.named.") != NULL);
    CHECK_EQUAL(pts_os_identify_path(temp, &by_name), 0);
    CHECK_EQUAL(pts_os_publish(fd, temp, path, replace), 0);
    CHECK_EQUAL(pts_os_identify_path(temp, &by_name), PTS_E_NOT_FOUND);
    CHECK_EQUAL(pts_os_identify_path(path, &by_name), 0);
    CHECK_EQUAL(pts_os_identify(fd, &id), 0);
    CHECK(id.inode == by_name.inode);
    pts_os_close(fd);
  }
  char temp[PTS_PATH_MAX];
  pts_fd fd;
  pts_file_id by_name;
  CHECK_EQUAL(pts_posix_create_named(path, 0600, &fd, temp), 0);
  CHECK_EQUAL(pts_os_publish(fd, temp, path, false), PTS_E_LOCKED);
  CHECK_EQUAL(pts_os_identify_path(temp, &by_name), PTS_E_NOT_FOUND);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void age(const char *path, time_t seconds) {
  struct timespec times[2] = {{time(NULL) - seconds, 0}, {time(NULL) - seconds, 0}};
  pts_os_close(make_file(path));
  CHECK_EQUAL(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void what_killed_makers_left_is_removed(void) {
  static const struct {
    const char *name;
    time_t age;
    bool stays;
  } left[] = {
      {".left.0123456789abcdef.tmp", 7200, false},
      {".left.0123456789abcdee.tmp", 60, true}, /* of a maker at work */
      {".left.0123456789abcdeX.tmp", 7200, true},
      {".lest.0123456789abcdef.tmp", 7200, true},
      {".left.0123456789abcdef.txt", 7200, true},
      {"left", 7200, true},
  };
  pts_file_id id;
  char temp[PTS_PATH_MAX];
  for (size_t i = 0; i < sizeof left / sizeof *left; i++) age(in_folder(left[i].name), left[i].age);
  CHECK_EQUAL(pts_posix_temp_name(in_folder("left"), temp), 0);
  for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
    const char *path = in_folder(left[i].name);
    CHECK_EQUAL(pts_os_identify_path(path, &id), left[i].stays ? 0 : PTS_E_NOT_FOUND);
    pts_os_unlink(path);
  }
}

static void permissions_are_those_asked_for(void) {
  const char *path = in_folder("mode");
  char temp[PTS_PATH_MAX];
  pts_fd fd;
  struct stat st;
  mode_t mask = umask(022);
  CHECK_EQUAL(pts_os_create(path, 0660, &fd, temp), 0);
  umask(mask);
  CHECK_EQUAL(pts_os_publish(fd, temp, path, false), 0);
  CHECK_EQUAL(stat(path, &st), 0);
  CHECK_EQUAL(st.st_mode & 0777, 0640);
  pts_os_close(fd);
  pts_os_unlink(path);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void children_inherit_no_descriptor(void) {
  const char *path = in_folder("inherited");
  pts_fd fd = make_file(path), again;
  pts_os_locks locks;
  CHECK_EQUAL(pts_os_open(path, &again), 0);
  CHECK_EQUAL(pts_os_locks_open(path, fd, &locks), 0);
  CHECK(fcntl((int)fd, F_GETFD) & FD_CLOEXEC);
  CHECK(fcntl((int)again, F_GETFD) & FD_CLOEXEC);
  CHECK(fcntl((int)locks.fd, F_GETFD) & FD_CLOEXEC);
  pts_os_locks_close(&locks);
  pts_os_close(again);
  pts_os_close(fd);
  pts_os_unlink(path);
}

static void open_with_closed_output(void) {
  pts_fd fd, again;
  char temp[PTS_PATH_MAX];
  close(STDOUT_FILENO);
  CHECK_EQUAL(pts_os_create(in_folder("output"), 0600, &fd, temp), 0);
  CHECK(fd > STDERR_FILENO);
  CHECK_EQUAL(pts_os_publish(fd, temp, in_folder("output"), false), 0);
  CHECK_EQUAL(pts_os_open(in_folder("output"), &again), 0);
  CHECK(again > STDERR_FILENO);
  CHECK(fcntl((int)again, F_GETFD) & FD_CLOEXEC);
  pts_os_unlink(in_folder("output"));
}

static void what_is_printed_lands_in_no_store(void) { in_child(open_with_closed_output); }

static void open_without_descriptors(void) {
  struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
  pts_fd fd;
  char temp[PTS_PATH_MAX];
  CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
  CHECK_EQUAL(pts_os_open(in_folder("any"), &fd), PTS_E_NO_DESCRIPTORS);
  CHECK_EQUAL(pts_os_create(in_folder("any"), 0600, &fd, temp), PTS_E_NO_DESCRIPTORS);
}

static void too_few_descriptors_are_told(void) { in_child(open_without_descriptors); }

/* ---- limits ---------------------------------------------------------------------------------- */

static void grow_over_the_limit(void) {
  const char *path = in_folder("limited");
  pts_fd fd = make_file(path);
  struct rlimit limit = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
  CHECK_EQUAL(pts_os_resize(fd, 2 << 20), 0);
  CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
  CHECK_EQUAL(pts_os_resize(fd, 3 << 20), PTS_E_FILE_LIMIT);
  CHECK_EQUAL(pts_os_allocate(fd, 2 << 20, PTS_STEP), PTS_E_FILE_LIMIT);
  CHECK_EQUAL(pts_posix_write_zeros(fd, 1 << 20, PTS_STEP), PTS_E_FILE_LIMIT);
  char words[128];
  pts_os_detail(words, sizeof words);
  CHECK(strstr(words, "RLIMIT_FSIZE") != NULL);
  CHECK_EQUAL(pts_os_resize(fd, 1 << 20), 0); /* smaller is not growing */
  CHECK_EQUAL(pts_os_allocate(fd, 0, PTS_STEP), 0);
  pts_os_close(fd);
}

static void the_file_limit_raises_no_signal(void) {
  in_child(grow_over_the_limit);
  pts_os_unlink(in_folder("limited"));
}

static void zeros_allocate_too(void) {
  const char *path = in_folder("zeros");
  pts_fd fd = make_file(path);
  pts_file_id id;
  CHECK_EQUAL(pts_os_resize(fd, 1 << 20), 0);
  CHECK_EQUAL(pts_posix_write_zeros(fd, PTS_STEP, PTS_STEP + 100), 0);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.allocated >= PTS_STEP && id.allocated < (1 << 19));
  CHECK_EQUAL(id.size, 1 << 20);
  pts_os_close(fd);
  pts_os_unlink(path);
}

/* ---- locks of processes ---------------------------------------------------------------------- */

static pts_os_locks parent_locks;

static void the_dead_hold_no_lock(void) {
  const char *path = in_folder("dead");
  pts_fd fd = make_file(path);
  int ready[2];
  char byte;
  CHECK_EQUAL(pts_os_locks_open(path, fd, &parent_locks), 0);
  CHECK_EQUAL(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    pts_os_locks locks;
    bool held = pts_os_locks_open(path, fd, &locks) == 0 &&
                pts_os_lock(&locks, PTS_LOCK_SLOT(0, 1)) == 0 &&
                pts_os_lock(&locks, PTS_LOCK_OWNER(0, 1, 7)) == 0;
    if (held && write(ready[1], "x", 1) == 1) pause();
    _exit(1);
  }
  close(ready[1]);
  CHECK_EQUAL(read(ready[0], &byte, 1), 1);
  CHECK_EQUAL(pts_os_lock_held(&parent_locks, PTS_LOCK_OWNER(0, 1, 7)), 1);
  CHECK_EQUAL(pts_os_lock(&parent_locks, PTS_LOCK_SLOT(0, 1)), PTS_E_LOCKED);
  CHECK_EQUAL(kill(child, SIGKILL), 0);
  CHECK_EQUAL(waitpid(child, NULL, 0), child);
  CHECK_EQUAL(pts_os_lock_held(&parent_locks, PTS_LOCK_OWNER(0, 1, 7)), 0);
  CHECK_EQUAL(pts_os_lock(&parent_locks, PTS_LOCK_SLOT(0, 1)), 0);
  pts_os_locks_close(&parent_locks);
  close(ready[0]);
  pts_os_close(fd);
  pts_os_unlink(path);
}

/* Closing any other descriptor of the file frees the locks of plain POSIX record locks. */
static void other_descriptors_free_no_lock(void) {
  const char *path = in_folder("others");
  pts_fd fd = make_file(path), again;
  pts_os_locks one, two;
  CHECK_EQUAL(pts_os_locks_open(path, fd, &one), 0);
  CHECK_EQUAL(pts_os_locks_open(path, fd, &two), 0);
  CHECK_EQUAL(pts_os_lock(&one, PTS_LOCK_CREATE), 0);
  CHECK_EQUAL(pts_os_open(path, &again), 0);
  pts_os_close(again);
  pts_os_close(fd);
  CHECK_EQUAL(pts_os_lock_held(&two, PTS_LOCK_CREATE), 1);
  pts_os_locks_close(&two);
  pts_os_locks_close(&one);
  pts_os_unlink(path);
}

/* ---- the private folder ---------------------------------------------------------------------- */

/* The first folder as the user nobody would get it, spoiled by spoil before. */
static char nobodys[PTS_PATH_MAX];

static void expect_another_folder(void) {
  drop_root();
  char folder[PTS_PATH_MAX];
  bool fell_back = false;
  CHECK_EQUAL(pts_os_private_folder(0, folder, sizeof folder, &fell_back), 0);
  CHECK(strcmp(folder, nobodys) != 0);
  CHECK(fell_back);
}

static void spoiled_private_folders_are_refused(void) {
  if (geteuid() != 0) return; /* needs a second user */
  struct stat st;
  char base[PTS_PATH_MAX];
  CHECK(pts_posix_base_folder(0, base));
  int n = snprintf(nobodys, sizeof nobodys, "%s/prometheus-tiny-shared-%u", base, NOBODY);
  CHECK(n > 0 && n < (int)sizeof nobodys);
  if (lstat(nobodys, &st) == 0) return; /* somebody uses it */
  CHECK_EQUAL(symlink(test_folder, nobodys), 0);
  in_child(expect_another_folder);
  pts_os_unlink(nobodys);
  CHECK_EQUAL(mkdir(nobodys, 0700), 0); /* root's */
  in_child(expect_another_folder);
  CHECK_EQUAL(chown(nobodys, NOBODY, NOBODY), 0);
  CHECK_EQUAL(chmod(nobodys, 0750), 0);
  in_child(expect_another_folder);
  CHECK_EQUAL(rmdir(nobodys), 0);
}

static const test_case tests[] = {
    {"links are refused", links_are_refused},
    {"a FIFO is refused at once", a_fifo_is_refused_at_once},
    {"a file as folder is refused", a_file_as_folder_is_refused},
    {"publishing over a folder is refused", publishing_over_a_folder_is_refused},
    {"owners and modes are told", owners_and_modes_are_told},
    {"missing permission is told", missing_permission_is_told},
    {"named temporary files are published", named_temporary_files_are_published},
    {"what killed makers left is removed", what_killed_makers_left_is_removed},
    {"permissions are those asked for", permissions_are_those_asked_for},
    {"children inherit no descriptor", children_inherit_no_descriptor},
    {"what is printed lands in no store", what_is_printed_lands_in_no_store},
    {"too few descriptors are told", too_few_descriptors_are_told},
    {"the file limit raises no signal", the_file_limit_raises_no_signal},
    {"zeros allocate too", zeros_allocate_too},
    {"the dead hold no lock", the_dead_hold_no_lock},
    {"other descriptors free no lock", other_descriptors_free_no_lock},
    {"spoiled private folders are refused", spoiled_private_folders_are_refused},
};

/* A folder of this run's own, which every user may enter: nobody is one of the users here. */
int main(void) {
  const char *chosen = getenv("TEST_FOLDER");
  if (chosen == NULL) chosen = "/tmp";
  snprintf(test_folder, sizeof test_folder, "%s/pts-test-%ld", chosen, (long)getpid());
  if (mkdir(test_folder, 0755) != 0) {
    perror(test_folder);
    return 1;
  }
  int result = run_tests(tests, sizeof tests / sizeof *tests);
  if (rmdir(test_folder) != 0) perror(test_folder); /* a test left a file */
  return result;
}

/* platform_macos.c: macOS's own part of platform.h. */

#include "platform_posix.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/param.h>
#include <unistd.h>

#include "atomics.h"
#include "layout.h"
#include "platform_flock.h"
#include "platform_poll.h"
#include "pts.h"

/* ---- new files ------------------------------------------------------------------------------- */

int32_t pts_os_create(const char *path, uint32_t permissions, pts_fd *out, char *temp) {
  *out = PTS_NO_FD;
  return pts_posix_create_named(path, permissions, out, temp);
}

int pts_posix_rename_new(const char *from, const char *to) {
  return renamex_np(from, to, RENAME_EXCL);
}

int32_t pts_os_publish(pts_fd fd, const char *temp, const char *path, bool replace) {
  (void)fd;
  return pts_posix_publish_named(temp, path, replace);
}

/* ---- space ----------------------------------------------------------------------------------- */

/* F_PREALLOCATE only takes space behind the end of a file, and a store has its size at once. */
int32_t pts_os_allocate(pts_fd fd, uint64_t offset, uint64_t length) {
  return pts_posix_write_zeros(fd, offset, length);
}

int32_t pts_os_space(pts_fd fd, uint64_t *free_bytes) {
  struct statfs fs;
  while (fstatfs((int)fd, &fs) != 0) {
    if (errno != EINTR) return pts_posix_failed(errno);
  }
  if ((fs.f_flags & MNT_LOCAL) == 0) {
    return pts_posix_refused(PTS_E_NETWORK, "processes of other machines could not share it");
  }
  *free_bytes = (uint64_t)fs.f_bavail * fs.f_bsize;
  return 0;
}

/* There is no folder in memory. The cache folder is first: the one for temporary files loses what
 * nobody opened for three days. */
bool pts_posix_base_folder(unsigned number, char *base) {
  static const int names[] = {_CS_DARWIN_USER_CACHE_DIR, _CS_DARWIN_USER_TEMP_DIR};
  *base = '\0';
  if (number < sizeof names / sizeof *names) {
    size_t length = confstr(names[number], base, PTS_PATH_MAX);
    if (length == 0 || length > PTS_PATH_MAX) *base = '\0';
    return true;
  }
  const char *folder = number == 2 ? getenv("TMPDIR") : "/tmp";
  if (folder != NULL && strlen(folder) < PTS_PATH_MAX) strcpy(base, folder);
  return number <= 3;
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* Whether the kernel and the file system have locks of open file descriptions. */
static bool has_ofd_locks(pts_fd fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
  return fcntl((int)fd, F_OFD_GETLK, &lock) == 0 || errno == EINTR;
}

/* A file without a name has no second description (/dev/fd duplicates), and needs none: nobody else
 * can open it, so its locks only have to say yes. They go with the last descriptor. */
static int32_t open_nameless(pts_fd data, pts_os_locks *out) {
  int fd = fcntl((int)data, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (fd < 0) return pts_posix_failed(errno);
  out->fd = fd;
  return 0;
}

int32_t pts_os_locks_open(const char *path, pts_fd data, pts_os_locks *out) {
  *out = (pts_os_locks){.fd = PTS_NO_FD};
  if (path == NULL) return open_nameless(data, out);
  int32_t result = pts_posix_open_again(path, data, &out->fd);
  if (result != 0 || has_ofd_locks(out->fd)) return result;
  pts_flock *files = NULL;
  result = pts_flock_open(path, data, &files);
  if (result == 0) {
    out->more = files;
    return 0;
  }
  pts_os_close(out->fd);
  out->fd = PTS_NO_FD;
  return result;
}

void pts_os_locks_close(pts_os_locks *locks) {
  if (locks->more != NULL) pts_flock_close(locks->more);
  pts_os_close(locks->fd);
  *locks = (pts_os_locks){.fd = PTS_NO_FD};
}

static int32_t set_lock(pts_os_locks *locks, short type, uint64_t byte) {
  int32_t result = pts_posix_ofd_set(locks->fd, F_OFD_SETLK, type, byte);
  /* Only a nameless file gets here without such locks. */
  return result == 0 || result == PTS_E_LOCKED || has_ofd_locks(locks->fd) ? result : 0;
}

int32_t pts_os_lock(pts_os_locks *locks, uint64_t byte) {
  if (locks->more != NULL) return pts_flock_lock(locks->more, byte);
  return set_lock(locks, F_WRLCK, byte);
}

void pts_os_unlock(pts_os_locks *locks, uint64_t byte) {
  if (locks->more != NULL) {
    pts_flock_unlock(locks->more, byte);
  } else {
    set_lock(locks, F_UNLCK, byte);
  }
}

int32_t pts_os_lock_held(pts_os_locks *locks, uint64_t byte) {
  if (locks->more != NULL) return pts_flock_is_held(locks->more, byte);
  int32_t result = pts_posix_ofd_held(locks->fd, F_OFD_GETLK, byte);
  return result >= 0 || has_ofd_locks(locks->fd) ? result : 0;
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Waiting for a word in shared memory is public only since macOS 14.4. */
void pts_os_wait(uint64_t *word, uint32_t value, uint32_t timeout_ms) {
  pts_poll_wait(word, value, timeout_ms);
}

void pts_os_wake(uint64_t *word) { (void)word; }

/* ---- processes and threads ------------------------------------------------------------------- */

uint64_t pts_os_random(void) {
  uint64_t number;
  arc4random_buf(&number, sizeof number);
  return number;
}

/* A user who unloads the library must not take the code away that a thread's end will run. */
static void pin_library(void) {
  Dl_info info;
  if (dladdr((const void *)(uintptr_t)&pin_library, &info) == 0) return;
  /* Never closed; a program that is linked with the library has no need of it. */
  (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* What C++ and Rust use for destructors of thread-local variables. Those of a pthread key run when
 * the variables are gone already, and a hook would find them empty. */
extern void _tlv_atexit(void (*function)(void *), void *argument);

static pthread_once_t pin_once = PTHREAD_ONCE_INIT;
static _Thread_local void (*exit_hook)(void);

static void run_exit_hook(void *unused) {
  (void)unused;
  void (*hook)(void) = exit_hook;
  exit_hook = NULL;
  if (hook != NULL) hook();
}

void pts_os_at_thread_exit(void (*hook)(void)) {
  pthread_once(&pin_once, pin_library);
  if (exit_hook == NULL) _tlv_atexit(run_exit_hook, NULL);
  exit_hook = hook;
}

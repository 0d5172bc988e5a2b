/* platform_linux.c: Linux's own part of platform.h. */

#define _GNU_SOURCE
#include "platform_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "points.h"
#include "pts.h"

/* Newer than the oldest headers this may be built with. */
#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif
#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* ---- new files ------------------------------------------------------------------------------- */

#define PROC_FD_SIZE 32

static void proc_fd_name(pts_fd fd, char *name) {
  snprintf(name, PROC_FD_SIZE, "/proc/self/fd/%d", (int)fd);
}

/* A file without a name, if it could be given one later: that needs /proc. -1 with errno. */
static int create_unnamed(const char *folder, uint32_t permissions) {
  int fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, (mode_t)permissions);
  fd = pts_posix_keep_off_stdio(fd);
  if (fd < 0) return -1;
  char name[PROC_FD_SIZE];
  proc_fd_name(fd, name);
  struct stat by_name, by_fd;
  if (stat(name, &by_name) == 0 && fstat(fd, &by_fd) == 0 && by_name.st_dev == by_fd.st_dev &&
      by_name.st_ino == by_fd.st_ino) {
    return fd;
  }
  close(fd);
  errno = EOPNOTSUPP;
  return -1;
}

int32_t pts_os_create(const char *path, uint32_t permissions, pts_fd *out, char *temp) {
  char parent[PTS_PATH_MAX];
  *out = PTS_NO_FD;
  *temp = '\0';
  int32_t result = pts_posix_parent(path, parent);
  if (result != 0) return result;
  int fd = create_unnamed(parent, permissions);
  if (fd >= 0) {
    *out = fd;
    return 0;
  }
  /* Whatever the reason was: a system without O_TMPFILE has many ways to say so, and a real
   * obstacle stops the named file, too. */
  return pts_posix_create_named(path, permissions, out, temp);
}

int pts_posix_rename_new(const char *from, const char *to) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

static int32_t name_unnamed(pts_fd fd, const char *path) {
  char name[PROC_FD_SIZE];
  proc_fd_name(fd, name);
  if (linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) return 0;
  int error = errno;
  int32_t code = pts_posix_path_failed(error, path);
  return error == EEXIST ? PTS_E_LOCKED : code;
}

int32_t pts_os_publish(pts_fd fd, const char *temp, const char *path, bool replace) {
  if (*temp != '\0') return pts_posix_publish_named(temp, path, replace);
  if (!replace) return name_unnamed(fd, path);
  char made[PTS_PATH_MAX]; /* only a name can be renamed */
  int32_t result = pts_posix_temp_name(path, made);
  if (result == 0) result = name_unnamed(fd, made);
  if (result != 0) return result == PTS_E_LOCKED ? PTS_E_IO : result;
  PTS_POINT();
  return pts_posix_publish_named(made, path, true);
}

/* ---- space ----------------------------------------------------------------------------------- */

int32_t pts_os_allocate(pts_fd fd, uint64_t offset, uint64_t length) {
  int32_t result = pts_posix_may_grow(fd, offset + length);
  if (result != 0) return result;
  /* The system call: posix_fallocate would write to a file that others are using. */
  while (syscall(SYS_fallocate, (int)fd, 0, (off_t)offset, (off_t)length) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM) {
      return pts_posix_write_zeros(fd, offset, length);
    }
    return pts_posix_failed(errno);
  }
  return 0;
}

/*
 * File systems on which a mapping or a lock of one machine means nothing to another.
 * FUSE is not among them: sshfs looks like ntfs-3g. One that cannot share a mapping fails in mmap.
 */
static bool is_network(const struct statfs *fs) {
  switch ((uint32_t)fs->f_type) {
    case 0x00006969u: /* NFS */
    case 0x0000517bu: /* SMB */
    case 0xff534d42u: /* CIFS */
    case 0xfe534d42u: /* SMB2 */
    case 0x0000564cu: /* NCP */
    case 0x01021997u: /* 9p */
    case 0x5346414fu: /* AFS */
    case 0x6b414653u: /* AFS, the kernel's own */
    case 0x73757245u: /* Coda */
    case 0x00c36400u: /* Ceph */
    case 0x0bd00bd0u: /* Lustre */
    case 0x47504653u: /* GPFS */
    case 0x01161970u: /* GFS2 */
    case 0x7461636fu: /* OCFS2 */
    case 0x786f4256u: /* VirtualBox shared folder */
      return true;
    default:
      return false;
  }
}

int32_t pts_os_space(pts_fd fd, uint64_t *free_bytes) {
  struct statfs fs;
  while (fstatfs((int)fd, &fs) != 0) {
    if (errno != EINTR) return pts_posix_failed(errno);
  }
  if (is_network(&fs)) {
    return pts_posix_refused(PTS_E_NETWORK, "processes of other machines could not share it");
  }
  uint64_t unit = fs.f_frsize != 0 ? (uint64_t)fs.f_frsize : (uint64_t)fs.f_bsize;
  /* A tmpfs without a limit reports no blocks at all. */
  *free_bytes = fs.f_blocks == 0 ? UINT64_MAX : (uint64_t)fs.f_bavail * unit;
  return 0;
}

bool pts_posix_base_folder(unsigned number, char *base) {
  static const char *const variables[] = {NULL, "XDG_RUNTIME_DIR", "TMPDIR", NULL, NULL};
  static const char *const folders[] = {"/dev/shm", NULL, NULL, "/var/tmp", "/tmp"};
  if (number >= sizeof folders / sizeof *folders) return false;
  const char *folder = variables[number] != NULL ? getenv(variables[number]) : folders[number];
  int n = snprintf(base, PTS_PATH_MAX, "%s", folder != NULL ? folder : "");
  if (n >= PTS_PATH_MAX) *base = '\0';
  return true;
}

/* ---- locks ----------------------------------------------------------------------------------- */

int32_t pts_os_locks_open(const char *path, pts_fd data, pts_os_locks *out) {
  *out = (pts_os_locks){.fd = PTS_NO_FD};
  if (path != NULL) return pts_posix_open_again(path, data, &out->fd);
  char name[PROC_FD_SIZE];
  proc_fd_name(data, name);
  int fd = pts_posix_keep_off_stdio(open(name, O_RDWR | O_CLOEXEC));
  if (fd < 0 && errno == ENOENT) {
    return pts_posix_refused(PTS_E_UNSUPPORTED, "a store without a name needs /proc");
  }
  if (fd < 0) return pts_posix_failed(errno);
  out->fd = fd;
  return 0;
}

void pts_os_locks_close(pts_os_locks *locks) {
  pts_os_close(locks->fd);
  locks->fd = PTS_NO_FD;
}

int32_t pts_os_lock(pts_os_locks *locks, uint64_t byte) {
  return pts_posix_ofd_set(locks->fd, F_OFD_SETLK, F_WRLCK, byte);
}

void pts_os_unlock(pts_os_locks *locks, uint64_t byte) {
  pts_posix_ofd_set(locks->fd, F_OFD_SETLK, F_UNLCK, byte);
}

int32_t pts_os_lock_held(pts_os_locks *locks, uint64_t byte) {
  return pts_posix_ofd_held(locks->fd, F_OFD_GETLK, byte);
}

/* ---- waiting --------------------------------------------------------------------------------- */

/* Both without FUTEX_PRIVATE_FLAG: the waiter may be in another process. The low half of a word is
 * its first half on every processor this is built for. */
void pts_os_wait(uint64_t *word, uint32_t value, uint32_t timeout_ms) {
  struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                             .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
  syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0);
}

void pts_os_wake(uint64_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }

/* ---- processes and threads ------------------------------------------------------------------- */

/* Before Linux 3.17, or in a sandbox that forbids the system call. */
static bool random_from_device(uint64_t *out) {
  int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool done = read(fd, out, sizeof *out) == (ssize_t)sizeof *out;
  close(fd);
  return done;
}

uint64_t pts_os_random(void) {
  uint64_t number;
  if (syscall(SYS_getrandom, &number, sizeof number, 0) == (long)sizeof number) return number;
  if (random_from_device(&number)) return number;
  /* Unique will do: names are made with O_EXCL, and an id only tells stores apart. */
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  return (seed ^ (uint64_t)(uintptr_t)&number ^ (uint64_t)getpid() << 40) * 0x9e3779b97f4a7c15u;
}

/* One key for the process; a thread's value is its hook. Our code is still there when the
 * destructor runs, because the library is linked with -z nodelete (build.zig). */
static pthread_once_t exit_once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool exit_key_made;

static void run_exit_hook(void *hook) { ((void (*)(void))hook)(); }

static void make_exit_key(void) {
  exit_key_made = pthread_key_create(&exit_key, run_exit_hook) == 0;
}

void pts_os_at_thread_exit(void (*hook)(void)) {
  pthread_once(&exit_once, make_exit_key);
  /* Without a key (a process has 1024) attachments stay until the process ends. */
  if (exit_key_made) pthread_setspecific(exit_key, (void *)hook);
}

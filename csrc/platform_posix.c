/* platform_posix.c: the part of platform.h that is the same on every Unix system. */

/* Not _GNU_SOURCE: strerror_r below is the one of POSIX. */
#include "platform_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pts.h"

/* ---- failures -------------------------------------------------------------------------------- */

/* The last failure of this thread: our words, or else an errno. */
static _Thread_local const char *failure_words;
static _Thread_local int failure_errno;

static int32_t code_of(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return PTS_E_PERMISSION;
    case EROFS:
      return PTS_E_READ_ONLY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: /* the file system's limit; that of the process is PTS_E_FILE_LIMIT */
      return PTS_E_NO_SPACE;
    case EMFILE:
    case ENFILE:
      return PTS_E_NO_DESCRIPTORS;
    case ELOOP:
      return PTS_E_SYMLINK;
    case ENOENT:
      return PTS_E_NOT_FOUND;
    case ENOTDIR:
      return PTS_E_NO_FOLDER;
    case EISDIR:
    case ENXIO: /* a socket, or a device without its driver */
      return PTS_E_NOT_A_FILE;
    case ENOMEM:
      return PTS_E_NO_MEMORY;
    case ENAMETOOLONG:
      return PTS_E_INVALID;
    case ENODEV: /* mmap: the file system has no shared mappings */
    case ENOSYS:
    case EOPNOTSUPP:
      return PTS_E_UNSUPPORTED;
    default:
      return PTS_E_IO;
  }
}

int32_t pts_posix_failed(int error) {
  failure_words = NULL;
  failure_errno = error;
  return code_of(error);
}

int32_t pts_posix_refused(int32_t code, const char *words) {
  failure_words = words;
  return code;
}

int32_t pts_posix_path_failed(int error, const char *path) {
  char parent[PTS_PATH_MAX];
  struct stat st;
  bool no_folder = error == ENOENT && pts_posix_parent(path, parent) == 0 &&
                   stat(parent, &st) != 0 && (errno == ENOENT || errno == ENOTDIR);
  errno = error;
  int32_t code = pts_posix_failed(error);
  return no_folder ? PTS_E_NO_FOLDER : code;
}

void pts_os_detail(char *text, size_t size) {
  if (size == 0) return;
  if (failure_words != NULL) {
    snprintf(text, size, "%s", failure_words);
  } else if (strerror_r(failure_errno, text, size) != 0) {
    snprintf(text, size, "error %d", failure_errno);
  }
}

/* ---- names ----------------------------------------------------------------------------------- */

static int32_t too_long(void) { return pts_posix_failed(ENAMETOOLONG); }

static int32_t no_file_name(void) {
  return pts_posix_refused(PTS_E_INVALID, "the path does not end in a file name");
}

int32_t pts_posix_parent(const char *path, char *parent) {
  const char *slash = strrchr(path, '/');
  if ((slash == NULL ? path : slash + 1)[0] == '\0') return no_file_name();
  if (slash == NULL) {
    strcpy(parent, ".");
    return 0;
  }
  size_t length = slash == path ? 1 : (size_t)(slash - path); /* "/file" is in "/" */
  if (length >= PTS_PATH_MAX) return too_long();
  memcpy(parent, path, length);
  parent[length] = '\0';
  return 0;
}

/* So much of a name that the rest of a temporary one fits into the 255 bytes there are. */
#define TEMP_BASE_MAX 200

/* Temporary names last for moments; one of so many seconds is of a maker that was killed. */
#define LEFT_OVER_S 3600

/* Whether a name is a temporary one of the same file: equal but for the 16 digits before ".tmp". */
static bool is_sibling(const char *name, const char *temp_base) {
  size_t length = strlen(temp_base), digits = length - 20;
  return strlen(name) == length && memcmp(name, temp_base, digits) == 0 &&
         strspn(name + digits, "0123456789abcdef") == 16 &&
         strcmp(name + digits + 16, temp_base + digits + 16) == 0;
}

/* Whoever makes such a name removes what killed ones left under theirs. */
static void remove_left_over(const char *temp, size_t folder_length) {
  char folder[PTS_PATH_MAX] = ".";
  if (folder_length > 0) {
    memcpy(folder, temp, folder_length);
    folder[folder_length] = '\0';
  }
  DIR *entries = opendir(folder);
  if (entries == NULL) return; /* what the caller does next says why */
  time_t now = time(NULL);
  for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
    struct stat st;
    if (is_sibling(entry->d_name, temp + folder_length) &&
        fstatat(dirfd(entries), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(st.st_mode) && st.st_uid == geteuid() && now - st.st_mtime > LEFT_OVER_S) {
      unlinkat(dirfd(entries), entry->d_name, 0);
    }
  }
  closedir(entries);
}

int32_t pts_posix_temp_name(const char *path, char *temp) {
  const char *slash = strrchr(path, '/');
  const char *base = slash == NULL ? path : slash + 1;
  size_t folder = (size_t)(base - path);
  size_t length = strlen(base);
  if (length == 0) return no_file_name();
  if (length > TEMP_BASE_MAX) {
    length = TEMP_BASE_MAX;
    /* Not in the middle of a character: some file systems only take whole UTF-8. */
    while (length > 0 && ((unsigned char)base[length] & 0xc0u) == 0x80u) length--;
  }
  if (folder >= PTS_PATH_MAX) return too_long();
  int n = snprintf(temp, PTS_PATH_MAX, "%.*s.%.*s.%016llx.tmp", (int)folder, path, (int)length,
                   base, (unsigned long long)pts_os_random());
  if (n < 0 || n >= PTS_PATH_MAX) return too_long();
  remove_left_over(temp, folder);
  return 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

int pts_posix_keep_off_stdio(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  int error = errno;
  close(fd);
  errno = error;
  return higher;
}

int pts_posix_open_raw(const char *path) {
  int fd;
  do {
    /* O_NONBLOCK: opening somebody's FIFO must not wait for its other end. */
    fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (fd < 0 && errno == EINTR);
  return pts_posix_keep_off_stdio(fd);
}

static int32_t check_regular(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return pts_posix_failed(errno);
  if (S_ISREG(st.st_mode)) return 0;
  return pts_posix_refused(PTS_E_NOT_A_FILE, "it is a FIFO, a device or something else");
}

int32_t pts_os_open(const char *path, pts_fd *out) {
  *out = PTS_NO_FD;
  int fd = pts_posix_open_raw(path);
  if (fd < 0) return pts_posix_path_failed(errno, path);
  int32_t result = check_regular(fd);
  if (result != 0) {
    close(fd);
    return result;
  }
  *out = fd;
  return 0;
}

/* EEXIST when the random name is taken. */
static int create_exclusive(const char *temp, uint32_t permissions) {
  int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)permissions);
  if (fd < 0) return -1;
  fd = pts_posix_keep_off_stdio(fd);
  if (fd < 0) {
    int error = errno;
    unlink(temp);
    errno = error;
  }
  return fd;
}

#define CREATE_ATTEMPTS 16

int32_t pts_posix_create_named(const char *path, uint32_t permissions, pts_fd *out, char *temp) {
  int32_t result = 0;
  for (int attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
    result = pts_posix_temp_name(path, temp);
    if (result != 0) break;
    int fd = create_exclusive(temp, permissions);
    if (fd >= 0) {
      *out = fd;
      return 0;
    }
    result = pts_posix_path_failed(errno, temp);
    if (errno != EEXIST && errno != EINTR) break;
  }
  *temp = '\0';
  return result;
}

static int32_t publish_new(const char *temp, const char *path) {
  int failed = link(temp, path);
  if (failed == 0) {
    unlink(temp);
    return 0;
  }
  /* Some file systems have no hard links; EMLINK: or not that many. */
  bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK;
  if (no_links) failed = pts_posix_rename_new(temp, path);
  if (failed == 0) return 0;
  int error = errno;
  unlink(temp);
  int32_t code = pts_posix_path_failed(error, path);
  return error == EEXIST ? PTS_E_LOCKED : code;
}

int32_t pts_posix_publish_named(const char *temp, const char *path, bool replace) {
  if (!replace) return publish_new(temp, path);
  if (rename(temp, path) == 0) return 0;
  int error = errno;
  unlink(temp);
  return pts_posix_path_failed(error, path);
}

void pts_os_close(pts_fd fd) {
  if (fd != PTS_NO_FD) close((int)fd);
}

void pts_os_unlink(const char *path) { unlink(path); }

static void identify(const struct stat *st, pts_file_id *out) {
  *out = (pts_file_id){
      .device = (uint64_t)st->st_dev,
      .inode = (uint64_t)st->st_ino,
      .size = (uint64_t)st->st_size,
      .allocated = (uint64_t)st->st_blocks * 512,
      .is_regular = S_ISREG(st->st_mode),
      .is_ours = st->st_uid == geteuid(),
      .is_open = (st->st_mode & S_IWOTH) != 0,
  };
}

int32_t pts_os_identify(pts_fd fd, pts_file_id *out) {
  struct stat st;
  if (fstat((int)fd, &st) != 0) return pts_posix_failed(errno);
  identify(&st, out);
  return 0;
}

int32_t pts_os_identify_path(const char *path, pts_file_id *out) {
  struct stat st;
  if (lstat(path, &st) != 0) return pts_posix_path_failed(errno, path);
  identify(&st, out);
  return 0;
}

/* ---- space ----------------------------------------------------------------------------------- */

static int32_t over_limit(void) {
  return pts_posix_refused(PTS_E_FILE_LIMIT, "RLIMIT_FSIZE (ulimit -f) is smaller than the file");
}

static bool limit_allows(uint64_t size) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
         size <= (uint64_t)limit.rlim_cur;
}

int32_t pts_posix_may_grow(pts_fd fd, uint64_t size) {
  if (limit_allows(size)) return 0;
  struct stat st; /* within its size a file may be used whatever the limit is */
  if (fstat((int)fd, &st) != 0) return pts_posix_failed(errno);
  return size <= (uint64_t)st.st_size ? 0 : over_limit();
}

int32_t pts_os_resize(pts_fd fd, uint64_t size) {
  int32_t result = pts_posix_may_grow(fd, size);
  if (result != 0) return result;
  while (ftruncate((int)fd, (off_t)size) != 0) {
    if (errno != EINTR) return pts_posix_failed(errno);
  }
  return 0;
}

int32_t pts_posix_write_zeros(pts_fd fd, uint64_t offset, uint64_t length) {
  /* Unlike allocating, writing raises SIGXFSZ beyond the limit also inside the file. */
  if (!limit_allows(offset + length)) return over_limit();
  char zeros[16384];
  memset(zeros, 0, sizeof zeros);
  while (length > 0) {
    size_t part = length < sizeof zeros ? (size_t)length : sizeof zeros;
    ssize_t n = pwrite((int)fd, zeros, part, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return pts_posix_failed(errno);
    if (n == 0) return pts_posix_failed(ENOSPC);
    offset += (uint64_t)n;
    length -= (uint64_t)n;
  }
  return 0;
}

int32_t pts_os_map(pts_fd fd, uint64_t size, void **out) {
  void *address = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
  *out = address == MAP_FAILED ? NULL : address;
  return address == MAP_FAILED ? pts_posix_failed(errno) : 0;
}

void pts_os_unmap(void *address, uint64_t size) {
  if (address != NULL) munmap(address, (size_t)size);
}

/* ---- the private folder ---------------------------------------------------------------------- */

/*
 * Only a real directory of our own that nobody else may enter. In a base that everybody may write,
 * the sticky bit is what keeps others from moving it away and putting their own in its place.
 */
static int32_t open_private_folder(const char *base, const char *path, pts_fd *out) {
  struct stat st;
  if (stat(base, &st) != 0) {
    int32_t code = pts_posix_failed(errno);
    return errno == ENOENT ? PTS_E_NO_FOLDER : code;
  }
  if ((st.st_mode & S_IWOTH) != 0 && (st.st_mode & S_ISVTX) == 0) {
    return pts_posix_refused(PTS_E_OWNER, "everybody may rename what is in the folder around it");
  }
  if (mkdir(path, 0700) != 0 && errno != EEXIST) return pts_posix_failed(errno);
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    bool is_link = lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
    return is_link ? pts_posix_failed(ELOOP) : pts_posix_failed(errno);
  }
  int32_t result = 0;
  if (fstat(fd, &st) != 0) {
    result = pts_posix_failed(errno);
  } else if (st.st_uid != geteuid()) {
    result = pts_posix_refused(PTS_E_OWNER, "the folder belongs to another user");
  } else if ((st.st_mode & 077) != 0) {
    result = pts_posix_refused(PTS_E_OWNER, "others may enter the folder (its mode is not 0700)");
  } else if ((st.st_mode & 0700) != 0700) {
    result = pts_posix_refused(PTS_E_PERMISSION, "the folder's mode is not 0700");
  }
  if (result != 0) {
    close(fd);
    return result;
  }
  *out = fd;
  return 0;
}

static int32_t try_folder(const char *base, char *path, size_t size, uint64_t *free_bytes) {
  /* Relative, from a broken environment: it would be another folder for each worker. */
  if (base[0] != '/') return pts_posix_refused(PTS_E_NO_FOLDER, "no folder for temporary files");
  size_t length = strlen(base);
  while (length > 1 && base[length - 1] == '/') length--;
  int n = snprintf(path, size, "%.*s/prometheus-tiny-shared-%lu", (int)length, base,
                   (unsigned long)geteuid());
  if (n < 0 || (size_t)n >= size) return too_long();
  pts_fd fd = PTS_NO_FD;
  int32_t result = open_private_folder(base, path, &fd);
  if (result != 0) return result;
  result = pts_os_space(fd, free_bytes);
  pts_os_close(fd);
  return result;
}

int32_t pts_os_private_folder(uint64_t want, char *path, size_t size, bool *fell_back) {
  char candidate[PTS_PATH_MAX];
  int32_t first_failure = 0;
  uint64_t most = 0;
  bool found = false;
  char base[PTS_PATH_MAX];
  for (unsigned number = 0; pts_posix_base_folder(number, base); number++) {
    uint64_t free_bytes = 0;
    int32_t result = try_folder(base, candidate, sizeof candidate, &free_bytes);
    if (result != 0) {
      if (first_failure == 0 || first_failure == PTS_E_NO_FOLDER) first_failure = result;
      continue;
    }
    /* When none has enough, the one that has most: the store may never grow to its capacity. */
    if (found && free_bytes <= most) continue;
    if (strlen(candidate) >= size) return too_long();
    strcpy(path, candidate);
    *fell_back = number > 0;
    found = true;
    most = free_bytes;
    if (free_bytes >= want) return 0;
  }
  return found ? 0 : first_failure;
}

/* ---- locks ----------------------------------------------------------------------------------- */

static struct flock one_byte(short type, uint64_t byte) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
}

int32_t pts_posix_ofd_set(pts_fd fd, int command, short type, uint64_t byte) {
  struct flock lock = one_byte(type, byte);
  while (fcntl((int)fd, command, &lock) != 0) {
    if (errno == EINTR) continue;
    int32_t code = pts_posix_failed(errno);
    return errno == EAGAIN || errno == EACCES ? PTS_E_LOCKED : code;
  }
  return 0;
}

int32_t pts_posix_ofd_held(pts_fd fd, int command, uint64_t byte) {
  struct flock lock = one_byte(F_WRLCK, byte);
  while (fcntl((int)fd, command, &lock) != 0) {
    if (errno != EINTR) return pts_posix_failed(errno);
  }
  return lock.l_type == F_UNLCK ? 0 : 1;
}

int32_t pts_posix_open_again(const char *path, pts_fd data, pts_fd *out) {
  struct stat named, mapped;
  int fd = pts_posix_open_raw(path);
  if (fd < 0) return pts_posix_path_failed(errno, path);
  int32_t result = 0;
  if (fstat(fd, &named) != 0 || fstat((int)data, &mapped) != 0) {
    result = pts_posix_failed(errno);
  } else if (named.st_dev != mapped.st_dev || named.st_ino != mapped.st_ino) {
    result = pts_posix_refused(PTS_E_NOT_FOUND, "the path names another file by now");
  }
  if (result != 0) {
    close(fd);
    return result;
  }
  *out = fd;
  return 0;
}

/* ---- time ------------------------------------------------------------------------------------ */

static uint64_t clock_ms(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t pts_os_monotonic_ms(void) { return clock_ms(CLOCK_MONOTONIC); }

uint64_t pts_os_monotonic_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t pts_os_clock_ms(void) { return clock_ms(CLOCK_REALTIME); }

uint64_t pts_os_clock_us(void) {
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return 0;
  return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void pts_os_sleep(uint32_t milliseconds) {
  struct timespec left = {.tv_sec = milliseconds / 1000,
                          .tv_nsec = (long)(milliseconds % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* ---- processes and threads ------------------------------------------------------------------- */

uint32_t pts_os_pid(void) { return (uint32_t)getpid(); }

struct pts_os_mutex {
  pthread_mutex_t mutex;
};

pts_os_mutex *pts_os_mutex_new(void) {
  pts_os_mutex *mutex = malloc(sizeof *mutex);
  if (mutex != NULL && pthread_mutex_init(&mutex->mutex, NULL) != 0) {
    free(mutex);
    return NULL;
  }
  return mutex;
}

void pts_os_mutex_free(pts_os_mutex *mutex) {
  if (mutex == NULL) return;
  pthread_mutex_destroy(&mutex->mutex);
  free(mutex);
}

void pts_os_mutex_lock(pts_os_mutex *mutex) { pthread_mutex_lock(&mutex->mutex); }

void pts_os_mutex_unlock(pts_os_mutex *mutex) { pthread_mutex_unlock(&mutex->mutex); }

static pthread_mutex_t process_mutex = PTHREAD_MUTEX_INITIALIZER;

void pts_os_process_lock(void) { pthread_mutex_lock(&process_mutex); }

void pts_os_process_unlock(void) { pthread_mutex_unlock(&process_mutex); }

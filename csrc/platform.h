/*
 * platform.h: all that the library asks of the operating system.
 *
 * platform_posix.c has what Unix systems share, platform_linux.c and platform_macos.c the rest, and
 * platform_windows*.c all of it. The build chooses the files; there is no #ifdef of a platform elsewhere.
 *
 * Results are PTS_E_* codes or 0. After a failure pts_os_detail gives the system's own words.
 * Paths are UTF-8 and terminated.
 */
#ifndef PTS_PLATFORM_H
#define PTS_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PTS_PATH_MAX 4096

typedef intptr_t pts_fd;
#define PTS_NO_FD ((pts_fd)-1)

typedef struct pts_file_id {
  uint64_t device, inode; /* together one file, whatever its name; device 0: not told */
  uint64_t size;
  uint64_t allocated; /* bytes it really takes */
  bool is_regular;
  /* Owned by the effective user; on Windows also by the administrators, as what the user makes in an
   * elevated process is, or on a file system without owners. */
  bool is_ours;
  bool is_open; /* writable by everybody; on Windows Everyone, Authenticated Users or Users */
} pts_file_id;

/* ---- files ---- */

/* Open for reading and writing: no links followed, not inherited by children, never blocking.
 * NOT_FOUND, NO_FOLDER, SYMLINK, PERMISSION, READ_ONLY, NO_DESCRIPTORS, NOT_A_FILE, IO. */
int32_t pts_os_open(const char *path, pts_fd *out);
/* A new file beside path for the same file system, private until pts_os_publish. Its name, in
 * temp (PTS_PATH_MAX bytes), is empty where the system can make a file without one.
 * permissions: its mode, under the umask. On Windows an access list of its own with an entry for
 * the user, the user's primary group and Everyone each, as far as the mode gives them something. */
int32_t pts_os_create(const char *path, uint32_t permissions, pts_fd *out, char *temp);
/* Give the new file its name. replace: over whatever is there (atomically); else PTS_E_LOCKED when
 * the name exists (somebody was faster). */
int32_t pts_os_publish(pts_fd fd, const char *temp, const char *path, bool replace);
void pts_os_close(pts_fd fd);
void pts_os_unlink(const char *path);
int32_t pts_os_identify(pts_fd fd, pts_file_id *out);
int32_t pts_os_identify_path(const char *path, pts_file_id *out); /* the link itself, not its target */
/* Grow (sparse) or shrink. FILE_LIMIT when RLIMIT_FSIZE forbids it (no signal is raised), NO_SPACE. */
int32_t pts_os_resize(pts_fd fd, uint64_t size);
/* Make [offset, offset + length) really allocated and zero where it was not. The range may only
 * be one that nobody has used yet: some systems can only write zeros. */
int32_t pts_os_allocate(pts_fd fd, uint64_t offset, uint64_t length);
/* Refuses network file systems (NETWORK); tells the bytes that a user may still allocate. */
int32_t pts_os_space(pts_fd fd, uint64_t *free_bytes);
int32_t pts_os_map(pts_fd fd, uint64_t size, void **out); /* shared, read and write */
void pts_os_unmap(void *address, uint64_t size);

/* A folder of this user (0700, made if missing, verified to be the user's and closed to others; on
 * Windows one that is there already only to their writing), in memory where there is one.
 * want: bytes that should be free in it, else the next candidate (a disk folder) is taken and
 * *fell_back is set. */
int32_t pts_os_private_folder(uint64_t want, char *path, size_t size, bool *fell_back);

/* ---- locks held by the kernel, freed by it when the holder ends ---- */

typedef struct pts_os_locks {
  pts_fd fd; /* an open file description that is never mapped */
  void *more; /* of the platform's own */
} pts_os_locks;

/* data: the same file, already open. PTS_E_NOT_FOUND when path names another file by now.
 * path may be NULL for a file without a name. */
int32_t pts_os_locks_open(const char *path, pts_fd data, pts_os_locks *out);
void pts_os_locks_close(pts_os_locks *locks); /* frees every lock taken through it */
int32_t pts_os_lock(pts_os_locks *locks, uint64_t byte);   /* never waits: PTS_E_LOCKED */
void pts_os_unlock(pts_os_locks *locks, uint64_t byte);
/* 1: somebody else holds it, 0: nobody, or a failure (treat as held). Never asks about own locks. */
int32_t pts_os_lock_held(pts_os_locks *locks, uint64_t byte);

/* ---- waiting ---- */

/* Sleep while the low 32 bits of *word equal value, at most timeout_ms; may return early. */
void pts_os_wait(uint64_t *word, uint32_t value, uint32_t timeout_ms);
void pts_os_wake(uint64_t *word); /* one waiter */
void pts_os_sleep(uint32_t milliseconds);
uint64_t pts_os_monotonic_ms(void);
uint64_t pts_os_monotonic_ns(void);
uint64_t pts_os_clock_ms(void); /* since 1970 */
uint64_t pts_os_clock_us(void);

/* ---- processes and threads ---- */

uint32_t pts_os_pid(void);
uint64_t pts_os_random(void);
void pts_os_detail(char *text, size_t size); /* the last failure of this thread, in words */

typedef struct pts_os_mutex pts_os_mutex;
pts_os_mutex *pts_os_mutex_new(void); /* NULL: no memory */
void pts_os_mutex_free(pts_os_mutex *mutex);
void pts_os_mutex_lock(pts_os_mutex *mutex);
void pts_os_mutex_unlock(pts_os_mutex *mutex);
/* The one mutex of the process, there from the start. */
void pts_os_process_lock(void);
void pts_os_process_unlock(void);
/* hook runs in this thread when it ends (and never twice for one call). The library stays mapped
 * until then, also where its user unloads it. */
void pts_os_at_thread_exit(void (*hook)(void));

#endif

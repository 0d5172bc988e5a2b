/*
 * platform_flock.h: the locks of platform.h with one flock()ed file for each, for a Unix system
 * whose kernel has no locks of open file descriptions. platform_macos.c includes it, and the tests,
 * which can so run it on another system.
 *
 *   <store>.locks/<inode>-create            locked: PTS_LOCK_CREATE is held
 *   <store>.locks/<inode>-<section>-<slot>  locked: the slot is held; and its owner's byte if the
 *                                           epoch written in the file is that of the byte
 *   <store>.locks/<inode>-named-<hash>      locked: that named lock is held
 *
 * The inode keeps apart the stores that one path named in turn. Files of slots stay, at most one
 * for each slot; those of named locks go with the lock.
 */
#ifndef PTS_PLATFORM_FLOCK_H
#define PTS_PLATFORM_FLOCK_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layout.h"
#include "platform_posix.h"
#include "pts.h"

#define PTS_FLOCK_NAME_SIZE 64

typedef struct pts_flock_held {
  struct pts_flock_held *next;
  uint64_t byte; /* never an owner's: that belongs to the slot's */
  int fd;
} pts_flock_held;

typedef struct pts_flock {
  int folder;
  mode_t mode; /* of the files, as the store's */
  uint64_t inode;
  pts_flock_held *held;
} pts_flock;

/* ---- which file a byte is -------------------------------------------------------------------- */

#define PTS_FLOCK_OWNER_BIT (1ull << 55)
#define PTS_FLOCK_NAMED_BIT (1ull << 54)

static inline bool pts_flock_is_owner(uint64_t byte) {
  return byte != PTS_LOCK_CREATE && (byte & PTS_FLOCK_OWNER_BIT) != 0;
}

static inline bool pts_flock_is_named(uint64_t byte) {
  return byte != PTS_LOCK_CREATE && (byte & PTS_FLOCK_NAMED_BIT) != 0;
}

/* The slot's byte of an owner's. */
static inline uint64_t pts_flock_slot_of(uint64_t owner) {
  return PTS_LOCK_SLOT(owner >> 56 & 0x3f, owner >> 32 & 0x3fffff);
}

static inline void pts_flock_name(const pts_flock *f, uint64_t byte, char *name) {
  unsigned long long inode = f->inode;
  if (byte == PTS_LOCK_CREATE) {
    snprintf(name, PTS_FLOCK_NAME_SIZE, "%llx-create", inode);
  } else if (pts_flock_is_named(byte)) {
    unsigned long long hash = byte & (PTS_FLOCK_NAMED_BIT - 1);
    snprintf(name, PTS_FLOCK_NAME_SIZE, "%llx-named-%llx", inode, hash);
  } else {
    snprintf(name, PTS_FLOCK_NAME_SIZE, "%llx-%u-%u", inode, (unsigned)(byte >> 56 & 0x3f),
             (unsigned)byte);
  }
}

static inline pts_flock_held **pts_flock_find(pts_flock *f, uint64_t byte) {
  pts_flock_held **link = &f->held;
  while (*link != NULL && (*link)->byte != byte) link = &(*link)->next;
  return link;
}

/* ---- one file -------------------------------------------------------------------------------- */

/* How often a lock is tried: somebody's question about it holds it for a moment. */
#define PTS_FLOCK_TRIES 5

static inline int pts_flock_try(int fd) {
  for (int i = 0; i < PTS_FLOCK_TRIES; i++) {
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    if (i + 1 < PTS_FLOCK_TRIES) usleep(200);
  }
  return -1;
}

/* A named lock's file may have been removed by its last holder before it was locked here. */
static inline bool pts_flock_still_there(const pts_flock *f, int fd, const char *name) {
  struct stat opened, named;
  return fstat(fd, &opened) == 0 && fstatat(f->folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

static inline int32_t pts_flock_take(const pts_flock *f, const char *name, int *out) {
  for (;;) {
    int fd = openat(f->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                    f->mode);
    fd = pts_posix_keep_off_stdio(fd);
    if (fd < 0) return pts_posix_failed(errno);
    if (pts_flock_try(fd) != 0) {
      int error = errno;
      close(fd);
      int32_t code = pts_posix_failed(error);
      return error == EWOULDBLOCK ? PTS_E_LOCKED : code;
    }
    if (pts_flock_still_there(f, fd, name)) {
      *out = fd;
      return 0;
    }
    close(fd);
  }
}

static inline int32_t pts_flock_write_epoch(int fd, uint32_t epoch) {
  ssize_t n = pwrite(fd, &epoch, sizeof epoch, 0);
  return n == (ssize_t)sizeof epoch ? 0 : pts_posix_failed(n < 0 ? errno : ENOSPC);
}

static inline uint32_t pts_flock_read_epoch(int fd) {
  uint32_t epoch = 0;
  return pread(fd, &epoch, sizeof epoch, 0) == (ssize_t)sizeof epoch ? epoch : 0;
}

/* ---- the interface --------------------------------------------------------------------------- */

static inline int32_t pts_flock_open(const char *path, pts_fd data, pts_flock **out) {
  char folder[PTS_PATH_MAX];
  struct stat st;
  if (snprintf(folder, sizeof folder, "%s.locks", path) >= (int)sizeof folder) {
    return pts_posix_failed(ENAMETOOLONG);
  }
  if (fstat((int)data, &st) != 0) return pts_posix_failed(errno);
  mode_t files = st.st_mode & 0666;
  /* Whoever may read the store may enter. */
  if (mkdir(folder, files | (files & 0444) >> 2) != 0 && errno != EEXIST) {
    return pts_posix_path_failed(errno, folder);
  }
  pts_flock *f = malloc(sizeof *f);
  if (f == NULL) return pts_posix_failed(ENOMEM);
  *f = (pts_flock){.mode = files, .inode = (uint64_t)st.st_ino};
  f->folder = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  f->folder = pts_posix_keep_off_stdio(f->folder);
  if (f->folder < 0) {
    int32_t code = pts_posix_failed(errno);
    free(f);
    return code;
  }
  *out = f;
  return 0;
}

static inline int32_t pts_flock_lock_owner(pts_flock *f, uint64_t byte) {
  pts_flock_held *slot = *pts_flock_find(f, pts_flock_slot_of(byte));
  if (slot == NULL) return pts_posix_refused(PTS_E_INVALID, "its slot has to be locked before");
  return pts_flock_write_epoch(slot->fd, (uint32_t)byte);
}

static inline int32_t pts_flock_lock(pts_flock *f, uint64_t byte) {
  if (pts_flock_is_owner(byte)) return pts_flock_lock_owner(f, byte);
  if (*pts_flock_find(f, byte) != NULL) return 0; /* as the kernel has it for a second time */
  char name[PTS_FLOCK_NAME_SIZE];
  pts_flock_name(f, byte, name);
  pts_flock_held *held = malloc(sizeof *held);
  if (held == NULL) return pts_posix_failed(ENOMEM);
  *held = (pts_flock_held){.next = f->held, .byte = byte};
  int32_t result = pts_flock_take(f, name, &held->fd);
  /* The owner before must not look alive until this one has an epoch. */
  if (result == 0) {
    result = pts_flock_write_epoch(held->fd, 0);
    if (result != 0) close(held->fd);
  }
  if (result != 0) {
    free(held);
    return result;
  }
  f->held = held;
  return 0;
}

static inline void pts_flock_unlock(pts_flock *f, uint64_t byte) {
  if (pts_flock_is_owner(byte)) {
    pts_flock_held *slot = *pts_flock_find(f, pts_flock_slot_of(byte));
    if (slot != NULL) pts_flock_write_epoch(slot->fd, 0);
    return;
  }
  pts_flock_held **link = pts_flock_find(f, byte), *held = *link;
  if (held == NULL) return;
  if (pts_flock_is_named(byte)) {
    char name[PTS_FLOCK_NAME_SIZE];
    pts_flock_name(f, byte, name);
    unlinkat(f->folder, name, 0);
  }
  *link = held->next;
  close(held->fd);
  free(held);
}

static inline int32_t pts_flock_is_held(pts_flock *f, uint64_t byte) {
  bool owner = pts_flock_is_owner(byte);
  char name[PTS_FLOCK_NAME_SIZE];
  pts_flock_name(f, owner ? pts_flock_slot_of(byte) : byte, name);
  int fd = openat(f->folder, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return errno == ENOENT ? 0 : pts_posix_failed(errno);
  int32_t result = 0;
  /* Shared, so that two questions do not answer each other. */
  if (owner && pts_flock_read_epoch(fd) != (uint32_t)byte) {
    result = 0;
  } else if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
    result = 0;
  } else if (errno != EWOULDBLOCK) {
    result = pts_posix_failed(errno);
  } else {
    /* Locked, though perhaps by the next owner since the epoch was read. */
    result = !owner || pts_flock_read_epoch(fd) == (uint32_t)byte;
  }
  close(fd);
  return result;
}

static inline void pts_flock_close(pts_flock *f) {
  while (f->held != NULL) pts_flock_unlock(f, f->held->byte);
  close(f->folder);
  free(f);
}

#endif

/*
 * platform_posix.h: what platform_posix.c and the file of one Unix system ask of each other.
 * Nothing else includes it.
 */
#ifndef PTS_PLATFORM_POSIX_H
#define PTS_PLATFORM_POSIX_H

#include "platform.h"

/* ---- platform_posix.c for the system's file -------------------------------------------------- */

/* Remember errno for pts_os_detail and return its code. */
int32_t pts_posix_failed(int error);
/* Likewise for a refusal of our own; words must be a literal. */
int32_t pts_posix_refused(int32_t code, const char *words);
/* Likewise, where ENOENT may be about path or about the folder it should be in. errno is error
 * afterwards. */
int32_t pts_posix_path_failed(int error, const char *path);

/* The folder of path, "." where it names none. INVALID when path ends in no file name. */
int32_t pts_posix_parent(const char *path, char *parent);
/* A hidden random name beside path. */
int32_t pts_posix_temp_name(const char *path, char *temp);
/* A new file with such a name. */
int32_t pts_posix_create_named(const char *path, uint32_t permissions, pts_fd *out, char *temp);
/* pts_os_publish of such a file. The temporary name is gone afterwards, whatever the result. */
int32_t pts_posix_publish_named(const char *temp, const char *path, bool replace);
/* The descriptor, or a copy of it that is none of 0, 1, 2: what a program prints to a closed and
 * reused standard output must not land in a store. Takes fd; -1 with errno. */
int pts_posix_keep_off_stdio(int fd);
/* As pts_os_open, without any look at what was opened. */
int pts_posix_open_raw(const char *path);

/* 0, or FILE_LIMIT where growing the file to size would raise SIGXFSZ. */
int32_t pts_posix_may_grow(pts_fd fd, uint64_t size);
/* The portable way to allocate. */
int32_t pts_posix_write_zeros(pts_fd fd, uint64_t offset, uint64_t length);

/* Lock files of one open file description, by the system's command numbers for them. Each is a
 * result as of pts_os_lock, pts_os_lock_held. */
int32_t pts_posix_ofd_set(pts_fd fd, int command, short type, uint64_t byte);
int32_t pts_posix_ofd_held(pts_fd fd, int command, uint64_t byte);
/* A second description of the file at path; PTS_E_NOT_FOUND when it is not the one of data. */
int32_t pts_posix_open_again(const char *path, pts_fd data, pts_fd *out);

/* ---- the system's file for platform_posix.c -------------------------------------------------- */

/* Where a private folder may be made, best first: number 0 is in memory where there is such a
 * folder. base has PTS_PATH_MAX bytes and is empty for one that is not there now. False after the
 * last. */
bool pts_posix_base_folder(unsigned number, char *base);
/* rename, but EEXIST instead of replacing. */
int pts_posix_rename_new(const char *from, const char *to);

#endif

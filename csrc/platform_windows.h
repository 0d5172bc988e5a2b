/*
 * platform_windows.h: what the files of platform_windows*.c ask of each other. Nothing else includes it
 * but their test.
 */
#ifndef PTS_PLATFORM_WINDOWS_H
#define PTS_PLATFORM_WINDOWS_H

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#include "platform.h"

#define PTS_WIDE_MAX (PTS_PATH_MAX + 16) /* no UTF-8 has fewer bytes than it has UTF-16 units */

static inline HANDLE pts_windows_handle(pts_fd fd) { return (HANDLE)fd; }

static inline OVERLAPPED pts_windows_at(uint64_t offset) {
  return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

/* ---- platform_windows.c ---------------------------------------------------------------------- */

/* Remember the error for pts_os_detail and return its code. */
int32_t pts_windows_failed(DWORD error);
/* Likewise for a refusal of our own; words must be a literal. */
int32_t pts_windows_refused(int32_t code, const char *words);

/* The path in UTF-16, absolute, in the form that may be longer than 260 where it has to be.
 * out: PTS_WIDE_MAX units. */
int32_t pts_windows_widen(const char *path, wchar_t *out);
int32_t pts_windows_narrow(const wchar_t *wide, char *out, size_t size); /* size: bytes */

/* ---- platform_windows_access.c --------------------------------------------------------------- */

/* Room for what a token tells of a user or a group. It begins with a pointer into itself. */
typedef union pts_windows_account {
  PSID sid;
  BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
} pts_windows_account;

/* Who may use a new file or folder. It points into itself: it cannot be copied. */
typedef struct pts_windows_access {
  SECURITY_ATTRIBUTES attributes; /* for CreateFile, CreateDirectory */
  SECURITY_DESCRIPTOR descriptor;
  DWORD list[64]; /* an ACL with three entries of the longest identifiers */
  pts_windows_account user, group;
} pts_windows_access;

/* The access list of a mode, as platform.h says. inherited: flags of AddAccessAllowedAceEx, for what a
 * folder hands its entries down to; 0 for a file. */
int32_t pts_windows_access_for(uint32_t permissions, DWORD inherited, pts_windows_access *out);
/* Fill in is_ours and is_open; neither where the file may not be asked. */
void pts_windows_inspect(HANDLE file, pts_file_id *out);
/* The two answers, by a file's owner and its access list, either of which may be NULL. */
bool pts_windows_is_ours(PSID owner);
bool pts_windows_is_open(PACL list);

#endif

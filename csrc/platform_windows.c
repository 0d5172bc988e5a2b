/*
 * platform_windows.c: all of platform.h on Windows.
 *
 * What is different here: a file that somebody has mapped can be renamed but not replaced or
 * removed, so that replacing gives it a hidden name, ".<name>.<random>.old", which goes with the last
 * user of the old file, or at the latest when the file is replaced again (a pointer file would have
 * to be read by everybody at each opening, this by nobody); locks are mandatory, which is why lock bytes lie beyond any data; they may be
 * freed a moment after their holder's end; there is no owner to check, access is by the folder's
 * access list.
 */

#define WIN32_LEAN_AND_MEAN
#define _CRT_RAND_S
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>
#include <winioctl.h>

#include "atomics.h"
#include "platform.h"
#include "pts.h"

#define WIDE_MAX (PTS_PATH_MAX + 16) /* no UTF-8 has fewer bytes than it has UTF-16 units */

/* ---- failures -------------------------------------------------------------------------------- */

static _Thread_local const char *failure_words; /* ours, or else an error number */
static _Thread_local DWORD failure_number;

static int32_t code_of(DWORD error) {
  switch (error) {
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
      return PTS_E_PERMISSION;
    case ERROR_WRITE_PROTECT:
      return PTS_E_READ_ONLY;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
    case ERROR_DISK_QUOTA_EXCEEDED:
    case ERROR_FILE_TOO_LARGE:
      return PTS_E_NO_SPACE;
    case ERROR_TOO_MANY_OPEN_FILES:
      return PTS_E_NO_DESCRIPTORS;
    case ERROR_CANT_RESOLVE_FILENAME:
      return PTS_E_SYMLINK;
    case ERROR_FILE_NOT_FOUND:
      return PTS_E_NOT_FOUND;
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_DRIVE:
    case ERROR_DIRECTORY:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
      return PTS_E_NO_FOLDER;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_NO_SYSTEM_RESOURCES:
      return PTS_E_NO_MEMORY;
    case ERROR_INVALID_NAME:
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_NO_UNICODE_TRANSLATION:
      return PTS_E_INVALID;
    case ERROR_NOT_SUPPORTED:
    case ERROR_INVALID_FUNCTION:
    case ERROR_CALL_NOT_IMPLEMENTED:
      return PTS_E_UNSUPPORTED;
    case ERROR_LOCK_VIOLATION:
      return PTS_E_LOCKED;
    default:
      return PTS_E_IO;
  }
}

static int32_t failed(DWORD error) {
  failure_words = NULL;
  failure_number = error;
  return code_of(error);
}

static int32_t refused(int32_t code, const char *words) {
  failure_words = words;
  return code;
}

void pts_os_detail(char *text, size_t size) {
  if (size == 0) return;
  if (failure_words != NULL) {
    snprintf(text, size, "%s", failure_words);
    return;
  }
  wchar_t wide[256];
  char words[sizeof wide * 2];
  DWORD flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  DWORD n = FormatMessageW(flags, NULL, failure_number, 0, wide, 256, NULL);
  while (n > 0 && wide[n - 1] <= L' ') n--; /* it ends in a line break */
  int length = WideCharToMultiByte(CP_UTF8, 0, wide, (int)n, words, sizeof words, NULL, NULL);
  if (n == 0 || length <= 0) {
    snprintf(text, size, "error %lu", failure_number);
  } else {
    snprintf(text, size, "%.*s", length, words);
  }
}

/* ---- names ----------------------------------------------------------------------------------- */

/* The path in UTF-16, absolute, in the form that may be longer than 260 where it has to be. */
static int32_t widen(const char *path, wchar_t *out) {
  static const wchar_t prefix[] = L"\\\\?\\";
  const DWORD prefix_length = 4, short_enough = MAX_PATH - 12;
  wchar_t given[WIDE_MAX];
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, given, PTS_PATH_MAX) == 0) {
    DWORD error = GetLastError();
    return failed(error == ERROR_INSUFFICIENT_BUFFER ? ERROR_FILENAME_EXCED_RANGE : error);
  }
  DWORD n = GetFullPathNameW(given, PTS_PATH_MAX, out + prefix_length, NULL);
  if (n == 0) return failed(ERROR_INVALID_NAME);
  if (n >= PTS_PATH_MAX) return failed(ERROR_FILENAME_EXCED_RANGE);
  const wchar_t *full = out + prefix_length;
  if (n > short_enough && full[0] != L'\\') {
    memcpy(out, prefix, prefix_length * sizeof *out);
  } else {
    memmove(out, full, (n + 1) * sizeof *out);
  }
  return 0;
}

static int32_t narrow(const wchar_t *wide, char *out, size_t size) {
  if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)size, NULL, NULL) != 0) return 0;
  return failed(ERROR_FILENAME_EXCED_RANGE);
}

/* So much of a name that a temporary one fits into the 255 units there are. */
#define TEMP_BASE_MAX 200

/* Where in a path its last name begins. */
static size_t base_of(const char *path) {
  size_t base = 0;
  for (size_t i = 0; path[i] != '\0'; i++) {
    if (path[i] == '/' || path[i] == '\\' || path[i] == ':') base = i + 1;
  }
  return base;
}

static int32_t temp_name(const char *path, const char *extension, char *temp) {
  const char *base = path + base_of(path);
  size_t length = strlen(base);
  if (length == 0) return refused(PTS_E_INVALID, "the path does not end in a file name");
  if (length > TEMP_BASE_MAX) {
    length = TEMP_BASE_MAX; /* not in the middle of a character */
    while (length > 0 && ((unsigned char)base[length] & 0xc0u) == 0x80u) length--;
  }
  int n = snprintf(temp, PTS_PATH_MAX, "%.*s.%.*s.%016llx.%s", (int)(base - path), path,
                   (int)length, base, (unsigned long long)pts_os_random(), extension);
  return n < 0 || n >= PTS_PATH_MAX ? failed(ERROR_FILENAME_EXCED_RANGE) : 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

static HANDLE handle_of(pts_fd fd) { return (HANDLE)fd; }

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define READ_WRITE (GENERIC_READ | GENERIC_WRITE)

static int32_t identify(HANDLE file, pts_file_id *out) {
  BY_HANDLE_FILE_INFORMATION info;
  FILE_COMPRESSION_INFO taken;
  FILE_STANDARD_INFO standard;
  if (!GetFileInformationByHandle(file, &info)) return failed(GetLastError());
  const DWORD special = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
  *out = (pts_file_id){
      .device = info.dwVolumeSerialNumber,
      .inode = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow,
      .size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow,
      .is_regular = (info.dwFileAttributes & special) == 0 && GetFileType(file) == FILE_TYPE_DISK,
      .is_ours = true,
  };
  if (GetFileInformationByHandleEx(file, FileCompressionInfo, &taken, sizeof taken)) {
    out->allocated = (uint64_t)taken.CompressedFileSize.QuadPart; /* the only one to know holes */
  } else if (GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof standard)) {
    out->allocated = (uint64_t)standard.AllocationSize.QuadPart;
  }
  return 0;
}

int32_t pts_os_identify(pts_fd fd, pts_file_id *out) { return identify(handle_of(fd), out); }

int32_t pts_os_identify_path(const char *path, pts_file_id *out) {
  wchar_t wide[WIDE_MAX];
  int32_t result = widen(path, wide);
  if (result != 0) return result;
  HANDLE file = CreateFileW(wide, FILE_READ_ATTRIBUTES, SHARE_ALL, NULL, OPEN_EXISTING,
                            FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
  if (file == INVALID_HANDLE_VALUE) return failed(GetLastError());
  result = identify(file, out);
  CloseHandle(file);
  return result;
}

static int32_t check_regular(HANDLE file) {
  FILE_ATTRIBUTE_TAG_INFO tag = {0};
  if (GetFileType(file) != FILE_TYPE_DISK) {
    return refused(PTS_E_NOT_A_FILE, "it is a device or a pipe");
  }
  if (GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof tag) &&
      (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    return refused(PTS_E_SYMLINK, "it is a symbolic link or another reparse point");
  }
  return 0;
}

int32_t pts_os_open(const char *path, pts_fd *out) {
  wchar_t wide[WIDE_MAX];
  *out = PTS_NO_FD;
  int32_t result = widen(path, wide);
  if (result != 0) return result;
  HANDLE file = CreateFileW(wide, READ_WRITE, SHARE_ALL, NULL, OPEN_EXISTING,
                            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  if (file == INVALID_HANDLE_VALUE) {
    DWORD error = GetLastError();
    DWORD attributes = GetFileAttributesW(wide);
    result = failed(error);
    bool folder = attributes != INVALID_FILE_ATTRIBUTES &&
                  (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0; /* "access denied" */
    return folder ? refused(PTS_E_NOT_A_FILE, "it is a folder") : result;
  }
  result = check_regular(file);
  if (result != 0) {
    CloseHandle(file);
    return result;
  }
  *out = (pts_fd)file;
  return 0;
}

#define CREATE_ATTEMPTS 16

int32_t pts_os_create(const char *path, uint32_t permissions, pts_fd *out, char *temp) {
  (void)permissions; /* the folder's access list is inherited */
  wchar_t wide[WIDE_MAX];
  int32_t result = 0;
  *out = PTS_NO_FD;
  for (int attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
    result = temp_name(path, "tmp", temp);
    if (result == 0) result = widen(temp, wide);
    if (result != 0) break;
    HANDLE file = CreateFileW(wide, READ_WRITE | DELETE, SHARE_ALL, NULL, CREATE_NEW,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file != INVALID_HANDLE_VALUE) {
      DWORD unused; /* without sparse files a store takes all its space at once, no more */
      DeviceIoControl(file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &unused, NULL);
      *out = (pts_fd)file;
      return 0;
    }
    DWORD error = GetLastError();
    result = failed(error);
    if (error != ERROR_FILE_EXISTS && error != ERROR_ALREADY_EXISTS) break;
  }
  *temp = '\0';
  return result;
}

void pts_os_close(pts_fd fd) {
  if (fd != PTS_NO_FD) CloseHandle(handle_of(fd));
}

/* As unlink of Unix: the name goes at once, the file with its last handle. False before Windows 10 and
 * on file systems that cannot do that. */
static bool delete_at_once(const wchar_t *wide) {
  /* What FILE_DISPOSITION_INFO_EX is. */
  DWORD gone = FILE_DISPOSITION_FLAG_DELETE | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS;
  HANDLE file = CreateFileW(wide, DELETE, SHARE_ALL, NULL, OPEN_EXISTING,
                            FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  if (file == INVALID_HANDLE_VALUE) return false;
  bool done = SetFileInformationByHandle(file, FileDispositionInfoEx, &gone, sizeof gone);
  CloseHandle(file);
  return done;
}

static void remove_name(const wchar_t *wide) {
  if (!delete_at_once(wide)) DeleteFileW(wide); /* with the last handle */
}

/* Elsewhere the name would stay with the last handle, and nobody could make a new file: so the file
 * gets another name first. */
void pts_os_unlink(const char *path) {
  wchar_t wide[WIDE_MAX], old_wide[WIDE_MAX];
  char old[PTS_PATH_MAX];
  if (widen(path, wide) != 0 || delete_at_once(wide)) return;
  bool moved = temp_name(path, "old", old) == 0 && widen(old, old_wide) == 0 &&
               MoveFileExW(wide, old_wide, 0);
  DeleteFileW(moved ? old_wide : wide);
}

/* ---- publishing ------------------------------------------------------------------------------ */

/* As rename of Unix; fails where the old file is mapped, and before Windows 10. */
static bool rename_over(pts_fd fd, const wchar_t *to) {
  struct { /* FILE_RENAME_INFO, with the flags that older headers have no member for */
    DWORD flags;
    HANDLE root;
    DWORD length;
    wchar_t name[WIDE_MAX];
  } info = {.flags = FILE_RENAME_FLAG_REPLACE_IF_EXISTS | FILE_RENAME_FLAG_POSIX_SEMANTICS};
  size_t bytes = wcslen(to) * sizeof *to;
  info.length = (DWORD)bytes;
  memcpy(info.name, to, bytes);
  return SetFileInformationByHandle(handle_of(fd), FileRenameInfoEx, &info, sizeof info);
}

static bool is_taken(DWORD error) {
  return error == ERROR_ALREADY_EXISTS || error == ERROR_FILE_EXISTS;
}

/* What earlier replacements had to leave, because it was mapped. Whoever is mapped still stays. */
static void sweep_aside(const char *path) {
  char pattern[PTS_PATH_MAX];
  wchar_t wide[WIDE_MAX];
  size_t folder = base_of(path);
  int n = snprintf(pattern, sizeof pattern, "%.*s.%.*s.*.old", (int)folder, path, TEMP_BASE_MAX,
                   path + folder);
  if (n < 0 || n >= PTS_PATH_MAX || widen(pattern, wide) != 0) return;
  WIN32_FIND_DATAW entry;
  HANDLE entries = FindFirstFileW(wide, &entry);
  if (entries == INVALID_HANDLE_VALUE) return;
  wchar_t *name = wcsrchr(wide, L'\\') + 1;
  do {
    if (wcslen(entry.cFileName) >= (size_t)(wide + WIDE_MAX - name)) continue;
    wcscpy(name, entry.cFileName);
    remove_name(wide);
  } while (FindNextFileW(entries, &entry));
  FindClose(entries);
}

#define REPLACE_ATTEMPTS 32

/*
 * The old file first gets another name, which a mapping does not forbid. For a moment the path
 * names nothing; whoever makes a file there in that moment has it replaced, too.
 */
static DWORD rename_aside(const char *path, const wchar_t *from, const wchar_t *to) {
  DWORD error = ERROR_ALREADY_EXISTS;
  for (int attempt = 0; attempt < REPLACE_ATTEMPTS; attempt++) {
    char old[PTS_PATH_MAX];
    wchar_t old_wide[WIDE_MAX];
    if (temp_name(path, "old", old) != 0 || widen(old, old_wide) != 0) return ERROR_INVALID_NAME;
    bool moved = MoveFileExW(to, old_wide, 0);
    error = moved ? 0 : GetLastError();
    if (!moved && error != ERROR_FILE_NOT_FOUND) return error;
    error = MoveFileExW(from, to, 0) ? 0 : GetLastError();
    if (moved) {
      SetFileAttributesW(old_wide, FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_NOT_CONTENT_INDEXED);
      sweep_aside(path);
    }
    if (!is_taken(error)) return error;
  }
  return error;
}

static int32_t publish(pts_fd fd, const wchar_t *from, const char *path, bool replace) {
  wchar_t to[WIDE_MAX];
  int32_t result = widen(path, to);
  if (result != 0) return result;
  if (!replace) {
    if (MoveFileExW(from, to, 0)) return 0;
    DWORD error = GetLastError();
    result = failed(error);
    return is_taken(error) ? PTS_E_LOCKED : result;
  }
  DWORD attributes = GetFileAttributesW(to);
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
    return refused(PTS_E_NOT_A_FILE, "it is a folder");
  }
  if (rename_over(fd, to)) return 0;
  DWORD error = rename_aside(path, from, to);
  if (error == 0) return 0;
  result = failed(error); /* LOCKED would say that somebody was faster */
  return result == PTS_E_LOCKED ? PTS_E_IO : result;
}

int32_t pts_os_publish(pts_fd fd, const char *temp, const char *path, bool replace) {
  wchar_t from[WIDE_MAX];
  int32_t result = widen(temp, from);
  if (result != 0) return result;
  result = publish(fd, from, path, replace);
  if (result != 0) remove_name(from);
  return result;
}

/* ---- space ----------------------------------------------------------------------------------- */

int32_t pts_os_resize(pts_fd fd, uint64_t size) {
  FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)size};
  if (SetFileInformationByHandle(handle_of(fd), FileEndOfFileInfo, &end, sizeof end)) return 0;
  return failed(GetLastError());
}

static OVERLAPPED at(uint64_t offset) {
  return (OVERLAPPED){.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
}

/* In a sparse file only what was written is allocated. */
int32_t pts_os_allocate(pts_fd fd, uint64_t offset, uint64_t length) {
  char zeros[16384];
  memset(zeros, 0, sizeof zeros);
  while (length > 0) {
    DWORD part = length < sizeof zeros ? (DWORD)length : (DWORD)sizeof zeros, written = 0;
    OVERLAPPED where = at(offset);
    if (!WriteFile(handle_of(fd), zeros, part, &written, &where)) return failed(GetLastError());
    if (written == 0) return failed(ERROR_DISK_FULL);
    offset += written;
    length -= written;
  }
  return 0;
}

static int32_t folder_space(const wchar_t *folder, uint64_t *free_bytes) {
  ULARGE_INTEGER mine;
  if (!GetDiskFreeSpaceExW(folder, &mine, NULL, NULL)) return failed(GetLastError());
  *free_bytes = mine.QuadPart;
  return 0;
}

int32_t pts_os_space(pts_fd fd, uint64_t *free_bytes) {
  FILE_REMOTE_PROTOCOL_INFO remote;
  wchar_t path[WIDE_MAX];
  HANDLE file = handle_of(fd);
  /* Only a file of another machine has an answer to this. */
  if (GetFileInformationByHandleEx(file, FileRemoteProtocolInfo, &remote, sizeof remote)) {
    return refused(PTS_E_NETWORK, "processes of other machines could not share it");
  }
  DWORD n = GetFinalPathNameByHandleW(file, path, WIDE_MAX, FILE_NAME_NORMALIZED);
  if (n == 0) return failed(GetLastError());
  if (n >= WIDE_MAX) return failed(ERROR_FILENAME_EXCED_RANGE);
  wchar_t *last = wcsrchr(path, L'\\');
  if (last != NULL) last[1] = L'\0';
  return folder_space(path, free_bytes);
}

int32_t pts_os_map(pts_fd fd, uint64_t size, void **out) {
  HANDLE section = CreateFileMappingW(handle_of(fd), NULL, PAGE_READWRITE, (DWORD)(size >> 32),
                                      (DWORD)size, NULL);
  *out = NULL;
  if (section == NULL) return failed(GetLastError());
  void *address = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size);
  int32_t result = address == NULL ? failed(GetLastError()) : 0;
  CloseHandle(section); /* the view keeps it */
  *out = address;
  return result;
}

void pts_os_unmap(void *address, uint64_t size) {
  (void)size;
  if (address != NULL) UnmapViewOfFile(address);
}

/* ---- the private folder ---------------------------------------------------------------------- */

/* %LOCALAPPDATA%, then the folder for temporary files: this user's by their access lists. */
static bool base_folder(unsigned number, wchar_t *base) {
  DWORD n = 0;
  if (number == 0) n = GetEnvironmentVariableW(L"LOCALAPPDATA", base, MAX_PATH);
  if (number == 1) n = GetTempPathW(MAX_PATH, base);
  if (n == 0 || n >= MAX_PATH) n = 0;
  while (n > 0 && (base[n - 1] == L'\\' || base[n - 1] == L'/')) n--;
  base[n] = L'\0';
  return number < 2;
}

static int32_t try_folder(const wchar_t *base, wchar_t *folder, uint64_t *free_bytes) {
  if (base[0] == L'\0') return refused(PTS_E_NO_FOLDER, "LOCALAPPDATA and TEMP are not set");
  wcscpy(folder, base);
  wcscat(folder, L"\\prometheus-tiny-shared");
  if (!CreateDirectoryW(folder, NULL) && GetLastError() != ERROR_ALREADY_EXISTS) {
    return failed(GetLastError());
  }
  DWORD attributes = GetFileAttributesW(folder);
  if (attributes == INVALID_FILE_ATTRIBUTES) return failed(GetLastError());
  if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) return failed(ERROR_DIRECTORY);
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    return refused(PTS_E_SYMLINK, "the private folder is a link");
  }
  return folder_space(folder, free_bytes);
}

int32_t pts_os_private_folder(uint64_t want, char *path, size_t size, bool *fell_back) {
  wchar_t base[MAX_PATH], candidate[MAX_PATH + 32];
  int32_t first_failure = 0;
  uint64_t most = 0;
  bool found = false;
  for (unsigned number = 0; base_folder(number, base); number++) {
    uint64_t free_bytes = 0;
    int32_t result = try_folder(base, candidate, &free_bytes);
    if (result != 0) {
      if (first_failure == 0) first_failure = result;
      continue;
    }
    /* When none has enough, the one that has most: the store may never grow to its capacity. */
    if (found && free_bytes <= most) continue;
    result = narrow(candidate, path, size);
    if (result != 0) return result;
    *fell_back = number > 0;
    found = true;
    most = free_bytes;
    if (free_bytes >= want) return 0;
  }
  return found ? 0 : first_failure;
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* A file without a name cannot be opened again, by anybody: its locks have no descriptor and only
 * have to say yes. */
int32_t pts_os_locks_open(const char *path, pts_fd data, pts_os_locks *out) {
  pts_file_id named, mapped;
  *out = (pts_os_locks){.fd = PTS_NO_FD};
  if (path == NULL) return 0;
  pts_fd fd;
  int32_t result = pts_os_open(path, &fd);
  if (result != 0) return result;
  result = pts_os_identify(fd, &named);
  if (result == 0) result = pts_os_identify(data, &mapped);
  if (result == 0 && (named.device != mapped.device || named.inode != mapped.inode)) {
    result = refused(PTS_E_NOT_FOUND, "the path names another file by now");
  }
  if (result != 0) {
    pts_os_close(fd);
    return result;
  }
  out->fd = fd;
  return 0;
}

void pts_os_locks_close(pts_os_locks *locks) {
  if (locks->fd != PTS_NO_FD) pts_os_close(locks->fd);
  locks->fd = PTS_NO_FD;
}

static int32_t try_lock(pts_os_locks *locks, uint64_t byte, DWORD kind) {
  OVERLAPPED where = at(byte);
  if (LockFileEx(handle_of(locks->fd), kind | LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &where)) return 0;
  DWORD error = GetLastError();
  return failed(error == ERROR_IO_PENDING ? ERROR_LOCK_VIOLATION : error);
}

/* How often a lock is tried: somebody's question about it holds it for a moment. */
#define LOCK_TRIES 5

int32_t pts_os_lock(pts_os_locks *locks, uint64_t byte) {
  int32_t result = 0;
  if (locks->fd == PTS_NO_FD) return 0;
  for (int i = 0; i < LOCK_TRIES; i++) {
    result = try_lock(locks, byte, LOCKFILE_EXCLUSIVE_LOCK);
    if (result != PTS_E_LOCKED) break;
    SwitchToThread();
  }
  return result;
}

void pts_os_unlock(pts_os_locks *locks, uint64_t byte) {
  OVERLAPPED where = at(byte);
  if (locks->fd != PTS_NO_FD) UnlockFileEx(handle_of(locks->fd), 0, 1, 0, &where);
}

/* There is no way to ask but to try; shared, so that two questions do not answer each other. */
int32_t pts_os_lock_held(pts_os_locks *locks, uint64_t byte) {
  if (locks->fd == PTS_NO_FD) return 0;
  int32_t result = try_lock(locks, byte, 0);
  if (result == 0) pts_os_unlock(locks, byte);
  return result == PTS_E_LOCKED ? 1 : result;
}

/* ---- waiting --------------------------------------------------------------------------------- */

#define WAIT_SPINS 64

/* WaitOnAddress only knows threads of one process: look at the word now and then. */
void pts_os_wait(uint64_t *word, uint32_t value, uint32_t timeout_ms) {
  uint64_t deadline = pts_os_monotonic_ms() + timeout_ms;
  for (uint32_t turn = 0; (uint32_t)pts_load_acquire_u64(word) == value; turn++) {
    if (pts_os_monotonic_ms() >= deadline) return;
    if (turn < WAIT_SPINS) {
      SwitchToThread();
    } else {
      Sleep(1);
    }
  }
}

void pts_os_wake(uint64_t *word) { (void)word; }

void pts_os_sleep(uint32_t milliseconds) { Sleep(milliseconds); }

static uint64_t monotonic(uint64_t units_in_a_second) {
  LARGE_INTEGER now, frequency;
  QueryPerformanceFrequency(&frequency);
  QueryPerformanceCounter(&now);
  uint64_t ticks = (uint64_t)now.QuadPart, second = (uint64_t)frequency.QuadPart;
  return ticks / second * units_in_a_second + ticks % second * units_in_a_second / second;
}

uint64_t pts_os_monotonic_ms(void) { return monotonic(1000); }

uint64_t pts_os_monotonic_ns(void) { return monotonic(1000000000); }

uint64_t pts_os_clock_us(void) {
  const uint64_t from_1601_to_1970_us = 11644473600000000u;
  FILETIME now; /* in steps of 100 nanoseconds */
  GetSystemTimePreciseAsFileTime(&now);
  uint64_t steps = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
  return steps / 10 - from_1601_to_1970_us;
}

uint64_t pts_os_clock_ms(void) { return pts_os_clock_us() / 1000; }

/* ---- processes and threads ------------------------------------------------------------------- */

uint32_t pts_os_pid(void) { return (uint32_t)GetCurrentProcessId(); }

uint64_t pts_os_random(void) {
  unsigned int low, high;
  if (rand_s(&low) == 0 && rand_s(&high) == 0) return (uint64_t)high << 32 | low;
  /* Unique will do: names are made with CREATE_NEW, and an id only tells stores apart. */
  LARGE_INTEGER now;
  QueryPerformanceCounter(&now);
  uint64_t seed = (uint64_t)now.QuadPart ^ (uint64_t)GetCurrentThreadId() << 40;
  return seed * 0x9e3779b97f4a7c15u;
}

struct pts_os_mutex {
  SRWLOCK lock;
};

pts_os_mutex *pts_os_mutex_new(void) {
  pts_os_mutex *mutex = malloc(sizeof *mutex);
  if (mutex != NULL) InitializeSRWLock(&mutex->lock);
  return mutex;
}

void pts_os_mutex_free(pts_os_mutex *mutex) { free(mutex); }

void pts_os_mutex_lock(pts_os_mutex *mutex) { AcquireSRWLockExclusive(&mutex->lock); }

void pts_os_mutex_unlock(pts_os_mutex *mutex) { ReleaseSRWLockExclusive(&mutex->lock); }

static SRWLOCK process_mutex = SRWLOCK_INIT;

void pts_os_process_lock(void) { AcquireSRWLockExclusive(&process_mutex); }

void pts_os_process_unlock(void) { ReleaseSRWLockExclusive(&process_mutex); }

static _Thread_local void (*exit_hook)(void);

/*
 * Called by the loader for every thread that ends, as destructors of C++ thread-local variables
 * are: such variables of ours are still there, of which a callback of FlsAlloc cannot be sure.
 */
static void NTAPI on_thread(void *module, DWORD reason, void *reserved) {
  (void)module;
  (void)reserved;
  if (reason != DLL_THREAD_DETACH) return;
  void (*hook)(void) = exit_hook;
  exit_hook = NULL;
  if (hook != NULL) hook();
}

/* The linker collects these sections, in the order of their names, into the list of callbacks. */
__attribute__((section(".CRT$XLM"), used)) static const PIMAGE_TLS_CALLBACK thread_callback =
    on_thread;

void pts_os_at_thread_exit(void (*hook)(void)) {
  /* A user who unloads the library must not take the code away that a thread's end will run. */
  HMODULE self;
  const DWORD flags = GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS;
  GetModuleHandleExW(flags, (LPCWSTR)(uintptr_t)&process_mutex, &self);
  exit_hook = hook;
}

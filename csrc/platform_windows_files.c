/*
 * platform_windows_files.c: the files of platform.h on Windows.
 *
 * A file that somebody has mapped can be renamed but not replaced or removed, so that replacing gives
 * it a hidden name, ".<name>.<random>.old", which goes with the last user of the old file, or at the
 * latest when the file is replaced again. (A pointer file would have to be read by everybody at each
 * opening, this by nobody.)
 */

#include <stdio.h>
#include <string.h>

#include "platform_windows.h"

#include <winioctl.h>

#include "pts.h"

/* ---- temporary names ------------------------------------------------------------------------- */

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
  if (length == 0) {
    return pts_windows_refused(PTS_E_INVALID, "the path does not end in a file name");
  }
  if (length > TEMP_BASE_MAX) {
    length = TEMP_BASE_MAX; /* not in the middle of a character */
    while (length > 0 && ((unsigned char)base[length] & 0xc0u) == 0x80u) length--;
  }
  int n = snprintf(temp, PTS_PATH_MAX, "%.*s.%.*s.%016llx.%s", (int)(base - path), path,
                   (int)length, base, (unsigned long long)pts_os_random(), extension);
  return n < 0 || n >= PTS_PATH_MAX ? pts_windows_failed(ERROR_FILENAME_EXCED_RANGE) : 0;
}

/* ---- files ----------------------------------------------------------------------------------- */

#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define READ_WRITE (GENERIC_READ | GENERIC_WRITE)

static int32_t identify(HANDLE file, pts_file_id *out) {
  BY_HANDLE_FILE_INFORMATION info;
  FILE_COMPRESSION_INFO taken;
  FILE_STANDARD_INFO standard;
  if (!GetFileInformationByHandle(file, &info)) return pts_windows_failed(GetLastError());
  const DWORD special = FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT;
  *out = (pts_file_id){
      .device = info.dwVolumeSerialNumber,
      .inode = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow,
      .size = (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow,
      .is_regular = (info.dwFileAttributes & special) == 0 && GetFileType(file) == FILE_TYPE_DISK,
  };
  pts_windows_inspect(file, out);
  if (GetFileInformationByHandleEx(file, FileCompressionInfo, &taken, sizeof taken)) {
    out->allocated = (uint64_t)taken.CompressedFileSize.QuadPart; /* the only one to know holes */
  } else if (GetFileInformationByHandleEx(file, FileStandardInfo, &standard, sizeof standard)) {
    out->allocated = (uint64_t)standard.AllocationSize.QuadPart;
  }
  return 0;
}

int32_t pts_os_identify(pts_fd fd, pts_file_id *out) {
  return identify(pts_windows_handle(fd), out);
}

static HANDLE open_to_look(const wchar_t *wide, DWORD more) {
  return CreateFileW(wide, FILE_READ_ATTRIBUTES | more, SHARE_ALL, NULL, OPEN_EXISTING,
                     FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
}

int32_t pts_os_identify_path(const char *path, pts_file_id *out) {
  wchar_t wide[PTS_WIDE_MAX];
  int32_t result = pts_windows_widen(path, wide);
  if (result != 0) return result;
  HANDLE file = open_to_look(wide, READ_CONTROL); /* an owner may always */
  if (file == INVALID_HANDLE_VALUE) file = open_to_look(wide, 0);
  if (file == INVALID_HANDLE_VALUE) return pts_windows_failed(GetLastError());
  result = identify(file, out);
  CloseHandle(file);
  return result;
}

static int32_t check_regular(HANDLE file) {
  FILE_ATTRIBUTE_TAG_INFO tag = {0};
  if (GetFileType(file) != FILE_TYPE_DISK) {
    return pts_windows_refused(PTS_E_NOT_A_FILE, "it is a device or a pipe");
  }
  if (GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof tag) &&
      (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    return pts_windows_refused(PTS_E_SYMLINK, "it is a symbolic link or another reparse point");
  }
  return 0;
}

int32_t pts_os_open(const char *path, pts_fd *out) {
  wchar_t wide[PTS_WIDE_MAX];
  *out = PTS_NO_FD;
  int32_t result = pts_windows_widen(path, wide);
  if (result != 0) return result;
  HANDLE file = CreateFileW(wide, READ_WRITE, SHARE_ALL, NULL, OPEN_EXISTING,
                            FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
  if (file == INVALID_HANDLE_VALUE) {
    DWORD error = GetLastError();
    DWORD attributes = GetFileAttributesW(wide);
    result = pts_windows_failed(error);
    bool folder = attributes != INVALID_FILE_ATTRIBUTES &&
                  (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0; /* "access denied" */
    return folder ? pts_windows_refused(PTS_E_NOT_A_FILE, "it is a folder") : result;
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
  wchar_t wide[PTS_WIDE_MAX];
  pts_windows_access access;
  *out = PTS_NO_FD;
  int32_t result = pts_windows_access_for(permissions, 0, &access);
  for (int attempt = 0; result == 0 && attempt < CREATE_ATTEMPTS; attempt++) {
    result = temp_name(path, "tmp", temp);
    if (result == 0) result = pts_windows_widen(temp, wide);
    if (result != 0) break;
    HANDLE file = CreateFileW(wide, READ_WRITE | DELETE, SHARE_ALL, &access.attributes, CREATE_NEW,
                              FILE_ATTRIBUTE_NORMAL, NULL);
    if (file != INVALID_HANDLE_VALUE) {
      DWORD unused; /* without sparse files a store takes all its space at once, no more */
      DeviceIoControl(file, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &unused, NULL);
      *out = (pts_fd)file;
      return 0;
    }
    DWORD error = GetLastError();
    result = pts_windows_failed(error);
    if (error != ERROR_FILE_EXISTS && error != ERROR_ALREADY_EXISTS) break;
  }
  *temp = '\0';
  return result;
}

void pts_os_close(pts_fd fd) {
  if (fd != PTS_NO_FD) CloseHandle(pts_windows_handle(fd));
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
  wchar_t wide[PTS_WIDE_MAX], old_wide[PTS_WIDE_MAX];
  char old[PTS_PATH_MAX];
  if (pts_windows_widen(path, wide) != 0 || delete_at_once(wide)) return;
  bool moved = temp_name(path, "old", old) == 0 && pts_windows_widen(old, old_wide) == 0 &&
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
    wchar_t name[PTS_WIDE_MAX];
  } info = {.flags = FILE_RENAME_FLAG_REPLACE_IF_EXISTS | FILE_RENAME_FLAG_POSIX_SEMANTICS};
  size_t bytes = wcslen(to) * sizeof *to;
  info.length = (DWORD)bytes;
  memcpy(info.name, to, bytes);
  return SetFileInformationByHandle(pts_windows_handle(fd), FileRenameInfoEx, &info, sizeof info);
}

static bool is_taken(DWORD error) {
  return error == ERROR_ALREADY_EXISTS || error == ERROR_FILE_EXISTS;
}

/* What earlier replacements had to leave, because it was mapped. Whoever is mapped still stays. */
static void sweep_aside(const char *path) {
  char pattern[PTS_PATH_MAX];
  wchar_t wide[PTS_WIDE_MAX];
  size_t folder = base_of(path);
  int n = snprintf(pattern, sizeof pattern, "%.*s.%.*s.*.old", (int)folder, path, TEMP_BASE_MAX,
                   path + folder);
  if (n < 0 || n >= PTS_PATH_MAX || pts_windows_widen(pattern, wide) != 0) return;
  WIN32_FIND_DATAW entry;
  HANDLE entries = FindFirstFileW(wide, &entry);
  if (entries == INVALID_HANDLE_VALUE) return;
  wchar_t *name = wcsrchr(wide, L'\\') + 1;
  do {
    if (wcslen(entry.cFileName) >= (size_t)(wide + PTS_WIDE_MAX - name)) continue;
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
    wchar_t old_wide[PTS_WIDE_MAX];
    if (temp_name(path, "old", old) != 0 || pts_windows_widen(old, old_wide) != 0) {
      return ERROR_INVALID_NAME;
    }
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
  wchar_t to[PTS_WIDE_MAX];
  int32_t result = pts_windows_widen(path, to);
  if (result != 0) return result;
  if (!replace) {
    if (MoveFileExW(from, to, 0)) return 0;
    DWORD error = GetLastError();
    result = pts_windows_failed(error);
    return is_taken(error) ? PTS_E_LOCKED : result;
  }
  DWORD attributes = GetFileAttributesW(to);
  if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
    return pts_windows_refused(PTS_E_NOT_A_FILE, "it is a folder");
  }
  if (rename_over(fd, to)) return 0;
  DWORD error = rename_aside(path, from, to);
  if (error == 0) return 0;
  result = pts_windows_failed(error); /* LOCKED would say that somebody was faster */
  return result == PTS_E_LOCKED ? PTS_E_IO : result;
}

int32_t pts_os_publish(pts_fd fd, const char *temp, const char *path, bool replace) {
  wchar_t from[PTS_WIDE_MAX];
  int32_t result = pts_windows_widen(temp, from);
  if (result != 0) return result;
  result = publish(fd, from, path, replace);
  if (result != 0) remove_name(from);
  return result;
}

/* ---- space ----------------------------------------------------------------------------------- */

int32_t pts_os_resize(pts_fd fd, uint64_t size) {
  FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = (LONGLONG)size};
  HANDLE file = pts_windows_handle(fd);
  if (SetFileInformationByHandle(file, FileEndOfFileInfo, &end, sizeof end)) return 0;
  return pts_windows_failed(GetLastError());
}

/* In a sparse file only what was written is allocated. */
int32_t pts_os_allocate(pts_fd fd, uint64_t offset, uint64_t length) {
  char zeros[16384];
  memset(zeros, 0, sizeof zeros);
  while (length > 0) {
    DWORD part = length < sizeof zeros ? (DWORD)length : (DWORD)sizeof zeros, written = 0;
    OVERLAPPED where = pts_windows_at(offset);
    if (!WriteFile(pts_windows_handle(fd), zeros, part, &written, &where)) {
      return pts_windows_failed(GetLastError());
    }
    if (written == 0) return pts_windows_failed(ERROR_DISK_FULL);
    offset += written;
    length -= written;
  }
  return 0;
}

static int32_t folder_space(const wchar_t *folder, uint64_t *free_bytes) {
  ULARGE_INTEGER mine;
  if (!GetDiskFreeSpaceExW(folder, &mine, NULL, NULL)) return pts_windows_failed(GetLastError());
  *free_bytes = mine.QuadPart;
  return 0;
}

int32_t pts_os_space(pts_fd fd, uint64_t *free_bytes) {
  FILE_REMOTE_PROTOCOL_INFO remote;
  wchar_t path[PTS_WIDE_MAX];
  HANDLE file = pts_windows_handle(fd);
  /* Only a file of another machine has an answer to this. */
  if (GetFileInformationByHandleEx(file, FileRemoteProtocolInfo, &remote, sizeof remote)) {
    return pts_windows_refused(PTS_E_NETWORK, "processes of other machines could not share it");
  }
  DWORD n = GetFinalPathNameByHandleW(file, path, PTS_WIDE_MAX, FILE_NAME_NORMALIZED);
  if (n == 0) return pts_windows_failed(GetLastError());
  if (n >= PTS_WIDE_MAX) return pts_windows_failed(ERROR_FILENAME_EXCED_RANGE);
  wchar_t *last = wcsrchr(path, L'\\');
  if (last != NULL) last[1] = L'\0';
  return folder_space(path, free_bytes);
}

int32_t pts_os_map(pts_fd fd, uint64_t size, void **out) {
  HANDLE section = CreateFileMappingW(pts_windows_handle(fd), NULL, PAGE_READWRITE,
                                      (DWORD)(size >> 32), (DWORD)size, NULL);
  *out = NULL;
  if (section == NULL) return pts_windows_failed(GetLastError());
  void *address = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, (SIZE_T)size);
  int32_t result = address == NULL ? pts_windows_failed(GetLastError()) : 0;
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

/* Only a real folder of our own that not everybody may write. Others may be let in to look by a list
 * that it was given before: every file in it has its own. */
static int32_t check_folder(HANDLE folder) {
  FILE_ATTRIBUTE_TAG_INFO tag;
  pts_file_id id = {0};
  if (!GetFileInformationByHandleEx(folder, FileAttributeTagInfo, &tag, sizeof tag)) {
    return pts_windows_failed(GetLastError());
  }
  if ((tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0) {
    return pts_windows_refused(PTS_E_SYMLINK, "the private folder is a link");
  }
  if ((tag.FileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
    return pts_windows_failed(ERROR_DIRECTORY);
  }
  pts_windows_inspect(folder, &id);
  if (!id.is_ours || id.is_open) {
    return pts_windows_refused(PTS_E_OWNER, "the folder is another user's, or others may write it");
  }
  return 0;
}

static int32_t try_folder(const wchar_t *base, wchar_t *folder, uint64_t *free_bytes) {
  if (base[0] == L'\0') {
    return pts_windows_refused(PTS_E_NO_FOLDER, "LOCALAPPDATA and TEMP are not set");
  }
  wcscpy(folder, base);
  wcscat(folder, L"\\prometheus-tiny-shared");
  pts_windows_access access;
  const DWORD inherited = CONTAINER_INHERIT_ACE | OBJECT_INHERIT_ACE;
  int32_t result = pts_windows_access_for(0700, inherited, &access);
  if (result != 0) return result;
  if (!CreateDirectoryW(folder, &access.attributes) && GetLastError() != ERROR_ALREADY_EXISTS) {
    return pts_windows_failed(GetLastError());
  }
  HANDLE opened = open_to_look(folder, READ_CONTROL);
  if (opened == INVALID_HANDLE_VALUE) return pts_windows_failed(GetLastError());
  result = check_folder(opened);
  CloseHandle(opened);
  return result == 0 ? folder_space(folder, free_bytes) : result;
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
    result = pts_windows_narrow(candidate, path, size);
    if (result != 0) return result;
    *fell_back = number > 0;
    found = true;
    most = free_bytes;
    if (free_bytes >= want) return 0;
  }
  return found ? 0 : first_failure;
}

/*
 * platform_windows.c: platform.h on Windows; platform_windows_files.c has the files,
 * platform_windows_access.c their owners and permissions, platform_windows_crt.c what the C library
 * would bring along.
 *
 * What is different here: locks are mandatory, which is why lock bytes lie beyond any data, and they
 * may be freed a moment after their holder's end; nobody can wait for another process's word.
 */

#define _CRT_RAND_S
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform_windows.h"

#include "atomics.h"
#include "pts.h"

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

int32_t pts_windows_failed(DWORD error) {
  failure_words = NULL;
  failure_number = error;
  return code_of(error);
}

int32_t pts_windows_refused(int32_t code, const char *words) {
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

int32_t pts_windows_widen(const char *path, wchar_t *out) {
  static const wchar_t prefix[] = L"\\\\?\\";
  const DWORD prefix_length = 4, short_enough = MAX_PATH - 12;
  wchar_t given[PTS_WIDE_MAX];
  if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, given, PTS_PATH_MAX) == 0) {
    DWORD error = GetLastError();
    if (error == ERROR_INSUFFICIENT_BUFFER) error = ERROR_FILENAME_EXCED_RANGE;
    return pts_windows_failed(error);
  }
  DWORD n = GetFullPathNameW(given, PTS_PATH_MAX, out + prefix_length, NULL);
  if (n == 0) return pts_windows_failed(ERROR_INVALID_NAME);
  if (n >= PTS_PATH_MAX) return pts_windows_failed(ERROR_FILENAME_EXCED_RANGE);
  const wchar_t *full = out + prefix_length;
  if (n > short_enough && full[0] != L'\\') {
    memcpy(out, prefix, prefix_length * sizeof *out);
  } else {
    memmove(out, full, (n + 1) * sizeof *out);
  }
  return 0;
}

int32_t pts_windows_narrow(const wchar_t *wide, char *out, size_t size) {
  if (WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)size, NULL, NULL) != 0) return 0;
  return pts_windows_failed(ERROR_FILENAME_EXCED_RANGE);
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
    result = pts_windows_refused(PTS_E_NOT_FOUND, "the path names another file by now");
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
  OVERLAPPED where = pts_windows_at(byte);
  kind |= LOCKFILE_FAIL_IMMEDIATELY;
  if (LockFileEx(pts_windows_handle(locks->fd), kind, 0, 1, 0, &where)) return 0;
  DWORD error = GetLastError();
  return pts_windows_failed(error == ERROR_IO_PENDING ? ERROR_LOCK_VIOLATION : error);
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
  OVERLAPPED where = pts_windows_at(byte);
  if (locks->fd != PTS_NO_FD) UnlockFileEx(pts_windows_handle(locks->fd), 0, 1, 0, &where);
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

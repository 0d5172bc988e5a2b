/* host_windows.c: what the tests ask of Windows. Nothing here is written for fork. */

#define WIN32_LEAN_AND_MEAN
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "platform.h"
#include "process.h"
#include "store_help.h"

/* ---- folders --------------------------------------------------------------------------------- */

bool help_make_folder(char *folder, size_t size) {
  char base[MAX_PATH];
  const char *chosen = getenv("TEST_FOLDER");
  if (chosen) {
    snprintf(base, sizeof base, "%s\\", chosen);
  } else if (GetTempPathA(sizeof base, base) == 0) {
    return false;
  }
  snprintf(folder, size, "%spts-test-%08llx", base, (unsigned long long)pts_os_random() >> 32);
  if (CreateDirectoryA(folder, NULL)) return true;
  fprintf(stderr, "%s: error %lu\n", folder, GetLastError());
  return false;
}

void help_remove_folder(const char *folder) {
  char path[PTS_PATH_MAX];
  WIN32_FIND_DATAA entry;
  snprintf(path, sizeof path, "%s\\*", folder);
  HANDLE entries = FindFirstFileA(path, &entry);
  if (entries == INVALID_HANDLE_VALUE) return;
  do {
    snprintf(path, sizeof path, "%s\\%s", folder, entry.cFileName);
    DeleteFileA(path);
  } while (FindNextFileA(entries, &entry));
  FindClose(entries);
  RemoveDirectoryA(folder);
}

/* ---- processes ------------------------------------------------------------------------------- */

/* There is no fork: what a test would only shield itself from runs in its own process. */
int help_in_child(void (*run)(void *context), void *context) {
  run(context);
  return 0;
}

/* ---- processes that run the program again ---------------------------------------------------- */

#define KILLED_CODE 9009u

void process_main(int argc, char **argv, const process_role *roles, int count) {
  for (int i = 0; argc == 4 && i < count; i++) {
    if (strcmp(argv[1], roles[i].name) != 0) continue;
    exit(roles[i].run(argv[2], (uint32_t)strtoul(argv[3], NULL, 10)));
  }
}

/* Whatever ends this process ends its children: the last handle of the job is this one. */
static HANDLE children_job(void) {
  static HANDLE job;
  if (job != NULL) return job;
  JOBOBJECT_EXTENDED_LIMIT_INFORMATION limit = {
      .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
  job = CreateJobObjectA(NULL, NULL);
  SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limit, sizeof limit);
  return job;
}

bool process_start(const char *role, const char *path, uint32_t number, process *out) {
  char program[MAX_PATH], command[PTS_PATH_MAX + MAX_PATH];
  STARTUPINFOA start = {.cb = sizeof start};
  PROCESS_INFORMATION made;
  GetModuleFileNameA(NULL, program, sizeof program);
  snprintf(command, sizeof command, "\"%s\" %s \"%s\" %u", program, role, path, number);
  fflush(NULL);
  if (!CreateProcessA(program, command, NULL, NULL, FALSE, 0, NULL, NULL, &start, &made)) {
    fprintf(stderr, "%s: error %lu\n", command, GetLastError());
    return false;
  }
  AssignProcessToJobObject(children_job(), made.hProcess);
  CloseHandle(made.hThread);
  out->id = (intptr_t)made.hProcess;
  return true;
}

void process_kill(process *child) { TerminateProcess((HANDLE)child->id, KILLED_CODE); }

int process_wait(process *child) {
  DWORD code = 0;
  HANDLE handle = (HANDLE)child->id;
  WaitForSingleObject(handle, INFINITE);
  GetExitCodeProcess(handle, &code);
  CloseHandle(handle);
  return code == KILLED_CODE ? PROCESS_KILLED : (int)code;
}

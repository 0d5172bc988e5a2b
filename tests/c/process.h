/*
 * process.h: processes of a test on every system. Each runs the test's own program again, with the
 * name of a role in it, so that systems without fork have them, too. What they share is in files.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* For tests whose processes go on from where the test is: Windows has no such thing. */
#if __has_include(<sys/wait.h>)
#define TEST_HAS_FORK 1
#else
#define TEST_HAS_FORK 0
#endif

typedef struct process {
  intptr_t id;
} process;

/* What process_wait tells of one that process_kill ended. */
#define PROCESS_KILLED (-9)

typedef struct process_role {
  const char *name;
  int (*run)(const char *path, uint32_t number); /* returns the exit code */
} process_role;

/* Begin of main: runs a role and never returns where this is such a process, else remembers how to
 * start one. */
void process_main(int argc, char **argv, const process_role *roles, int count);
/* The program again, as this role with these arguments. */
bool process_start(const char *role, const char *path, uint32_t number, process *out);
void process_kill(process *child);
/* Its exit code, or PROCESS_KILLED. */
int process_wait(process *child);

#endif

/* host_posix.c: what the tests ask of a Unix system. */

#define _GNU_SOURCE
#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#endif
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "points.h"
#include "process.h"
#include "store_help.h"

/* ---- folders and files ------------------------------------------------------------------------------ */

bool help_make_folder(char *folder, size_t size) {
  struct stat st;
  const char *base = getenv("TEST_FOLDER");
  if (!base) base = stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) ? "/dev/shm" : "/tmp";
  snprintf(folder, size, "%s/pts-test-XXXXXX", base);
  if (mkdtemp(folder)) return true;
  perror(folder);
  return false;
}

void help_remove_folder(const char *folder) {
  DIR *entries = opendir(folder);
  if (!entries) return;
  for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
    char path[4096];
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    unlink(path);
  }
  closedir(entries);
  rmdir(folder);
}

/* ---- processes ------------------------------------------------------------------------------------------ */

/* A test that crashes must not leave children that wait for it, or work, for ever. */
static void die_with_parent(pid_t parent) {
#ifdef __linux__
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent && getppid() != 0) _exit(1); /* 0: in another pid namespace */
#else
  (void)parent;
#endif
}

pid_t help_spawn(void (*run)(void *context), void *context) {
  fflush(NULL);
  pid_t parent = getpid(), child = fork();
  if (child != 0) return child;
  die_with_parent(parent);
  run(context);
  fflush(NULL);
  _exit(0);
}

int help_wait(pid_t child) {
  int status = -1;
  return waitpid(child, &status, 0) == child ? status : -1;
}

int help_in_child(void (*run)(void *context), void *context) {
  return help_wait(help_spawn(run, context));
}

#ifdef __linux__
bool help_mount_tmpfs(const char *folder, const char *options) {
  return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount("none", folder, "tmpfs", 0, options) == 0;
}

bool help_remount(const char *folder, bool read_only, const char *options) {
  return mount(NULL, folder, NULL, MS_REMOUNT | (read_only ? MS_RDONLY : 0), options) == 0;
}

bool help_new_pid_namespace(void) { return unshare(CLONE_NEWPID) == 0; }
#else
bool help_mount_tmpfs(const char *folder, const char *options) { return !folder && !options; }
bool help_remount(const char *folder, bool read_only, const char *options) {
  return !folder && !read_only && !options;
}
bool help_new_pid_namespace(void) { return false; }
#endif

/* ---- points --------------------------------------------------------------------------------------------- */

#define MOST_LINES 2048u
#define MOST_SOURCES 64u

/* Shared with children: which lines of which sources had a point that was passed. */
typedef struct points_seen {
  char source[MOST_SOURCES][32];
  uint8_t line[MOST_SOURCES][MOST_LINES];
} points_seen;
static points_seen *seen;

static const char *base_of(const char *file) {
  const char *slash = strrchr(file, '/');
  return slash ? slash + 1 : file;
}

static unsigned number_of_source(const char *name) {
  unsigned i = 0;
  while (i < MOST_SOURCES - 1 && seen->source[i][0] && strcmp(seen->source[i], name) != 0) i++;
  if (!seen->source[i][0]) snprintf(seen->source[i], sizeof seen->source[i], "%s", name);
  return i;
}

void help_points_see(const char *file, int line) {
  if ((unsigned)line < MOST_LINES) seen->line[number_of_source(base_of(file))][line] = 1;
}

void help_points_watch(void) {
  seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (seen == MAP_FAILED) abort();
  pts_points_watch = help_points_see;
}

static bool is_point(const char *text) { return strstr(text, "PTS_POINT();") != NULL; }

/* Lines are numbers: those of a source that was changed since say nothing of this program. */
static bool is_built_from(FILE *file, const uint8_t *passed) {
  char text[1024];
  bool same = true;
  for (unsigned line = 1; line < MOST_LINES && fgets(text, sizeof text, file); line++)
    if (passed[line] && !is_point(text)) same = false;
  rewind(file);
  return same;
}

int help_points_left_out(const char *source) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "csrc/%s", source);
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  int left_out = 0;
  const uint8_t *passed = seen->line[number_of_source(source)];
  if (!is_built_from(file, passed)) {
    fprintf(stderr, "%s was changed since this program was built: build it again\n", path);
    fclose(file);
    return 1;
  }
  for (unsigned line = 1; line < MOST_LINES && fgets(text, sizeof text, file); line++) {
    if (!is_point(text) || passed[line]) continue;
    fprintf(stderr, "%s:%u: no test passes this point\n", path, line);
    left_out++;
  }
  fclose(file);
  return left_out;
}

/* ---- processes that run the program again ------------------------------------------------------------------- */

static const char *program;

void process_main(int argc, char **argv, const process_role *roles, int count) {
  program = argv[0];
  for (int i = 0; argc == 4 && i < count; i++) {
    if (strcmp(argv[1], roles[i].name) != 0) continue;
    die_with_parent(getppid());
    exit(roles[i].run(argv[2], (uint32_t)strtoul(argv[3], NULL, 10)));
  }
}

bool process_start(const char *role, const char *path, uint32_t number, process *out) {
  char text[16];
  snprintf(text, sizeof text, "%u", number);
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    execl(program, program, role, path, text, (char *)NULL);
    perror(program);
    _exit(127);
  }
  out->id = child;
  return child > 0;
}

void process_kill(process *child) { kill((pid_t)child->id, SIGKILL); }

int process_wait(process *child) {
  int status = help_wait((pid_t)child->id);
  if (WIFSIGNALED(status)) return -WTERMSIG(status);
  return WEXITSTATUS(status);
}

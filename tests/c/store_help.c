#define _GNU_SOURCE
#include "store_help.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "points.h"

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

uint64_t help_allocated(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

bool help_map(const char *path, help_image *image) {
  memset(image, 0, sizeof *image);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return false;
  void *base = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (base == MAP_FAILED) return false;
  image->base = base;
  image->size = (uint64_t)st.st_size;
  image->super = base;
  uint8_t *section = image->base + image->super->sections[PTS_SECTION_METRICS].offset;
  image->metrics = (pts_metrics *)(void *)section;
  image->workers = (pts_worker *)(void *)(section + image->metrics->workers_at);
  image->slots = (uint32_t *)(void *)(section + image->metrics->slots_at);
  image->records = (pts_record *)(void *)(section + image->metrics->records_at);
  image->text = section + image->metrics->text_at;
  image->shards = section + image->metrics->shards_at;
  return true;
}

void help_unmap(help_image *image) { munmap(image->base, (size_t)image->size); }

/* ---- stores ------------------------------------------------------------------------------------------- */

int32_t help_open_quietly(const char *path, uint32_t flags, char *message, uint32_t size) {
  char unused[1024];
  pts_options options = {.path = path,
                         .flags = flags,
                         .max_workers = HELP_WORKERS,
                         .capacity = HELP_CAPACITY};
  return pts_open(&options, message ? message : unused, message ? size : sizeof unused);
}

int32_t help_open(const char *path, uint32_t flags) {
  char message[1024];
  int32_t attachment = help_open_quietly(path, flags, message, sizeof message);
  if (attachment < 0) fprintf(stderr, "pts_open: %d: %s\n", attachment, message);
  return attachment;
}

static int32_t make_other(const pts_section_maker *maker, uint8_t *section, pts_fd fd,
                          uint64_t offset, pts_message *message) {
  (void)maker;
  (void)message;
  int32_t code = pts_os_allocate(fd, offset, PTS_ALIGN);
  if (code == 0) memset(section, 'c', 64);
  return code;
}

int32_t help_open_other(const char *path, pts_store *store) {
  char text[1024];
  pts_message message = pts_message_in(text, sizeof text);
  pts_options options = {.path = path};
  pts_section_maker maker = {PTS_SECTION_CACHE, 4 * PTS_ALIGN, NULL, make_other};
  int32_t code = pts_store_open(store, &options, &maker, &message);
  if (code != 0) fprintf(stderr, "pts_store_open: %d: %s\n", code, text);
  return code;
}

static int32_t series_with_bounds(int32_t attachment, uint32_t kind, const char *printed,
                                  const double *bounds, uint32_t bound_count) {
  char text[8192];
  const char *brace = strchr(printed, '{');
  uint32_t length = (uint32_t)strlen(printed);
  uint32_t name = brace ? (uint32_t)(brace - printed) : length;
  snprintf(text, sizeof text, "%.*s%s", (int)name, printed, printed);
  /* The label of a bucket or quantile goes last, as a caller with no label after it would say. */
  pts_series_key key = {.kind = kind,
                        .name_length = name,
                        .series_length = length,
                        .insert_at = brace ? length - 1 : length,
                        .bound_count = bound_count};
  return pts_series((uint32_t)attachment, &key, (const uint8_t *)text, bounds);
}

int32_t help_histogram(int32_t attachment, const char *printed, const double *bounds,
                       uint32_t bound_count) {
  return series_with_bounds(attachment, PTS_KIND_HISTOGRAM, printed, bounds, bound_count);
}

int32_t help_summary(int32_t attachment, const char *printed, const double *bounds,
                     uint32_t bound_count) {
  return series_with_bounds(attachment, PTS_KIND_SUMMARY, printed, bounds, bound_count);
}

int32_t help_series(int32_t attachment, uint32_t kind, const char *printed) {
  char text[8192];
  const char *brace = strchr(printed, '{');
  uint32_t length = (uint32_t)strlen(printed);
  uint32_t name = brace ? (uint32_t)(brace - printed) : length;
  snprintf(text, sizeof text, "%.*s%s", (int)name, printed, printed);
  pts_series_key key = {.kind = kind,
                        .name_length = name,
                        .series_length = length,
                        .insert_at = brace ? length - 1 : length};
  return pts_series((uint32_t)attachment, &key, (const uint8_t *)text, NULL);
}

int32_t help_declare(int32_t attachment, const char *name, const char *first, const char *second,
                     const char *header) {
  char parts[4096];
  uint32_t lengths[4] = {(uint32_t)strlen(first), (uint32_t)strlen(second), (uint32_t)strlen(header), 0};
  snprintf(parts, sizeof parts, "%s%s%s", first, second, header);
  return pts_declare((uint32_t)attachment, (const uint8_t *)name, (uint32_t)strlen(name),
                     (const uint8_t *)parts, lengths, 4);
}

int32_t help_declare_type(int32_t attachment, const char *name, char type, const char *header,
                          const char *openmetrics) {
  char parts[4096];
  uint32_t lengths[4] = {2, 4, (uint32_t)strlen(header), (uint32_t)strlen(openmetrics)};
  snprintf(parts, sizeof parts, "{}-.%c;%s%s", type, header, openmetrics);
  return pts_declare((uint32_t)attachment, (const uint8_t *)name, (uint32_t)strlen(name),
                     (const uint8_t *)parts, lengths, 4);
}

int32_t help_declare_enum(int32_t attachment, const char *name, const char *header,
                          const char *states) {
  char parts[4096];
  uint32_t lengths[64] = {2, 0, (uint32_t)strlen(header), 0}, count = PTS_PART_STATES;
  size_t used = (size_t)snprintf(parts, sizeof parts, "{}%s", header);
  for (const char *state = states; *state && count < 64; count++) {
    size_t length = strcspn(state, "\n");
    memcpy(parts + used, state, length);
    used += length;
    lengths[count] = (uint32_t)length;
    state += length + (state[length] == '\n');
  }
  return pts_declare((uint32_t)attachment, (const uint8_t *)name, (uint32_t)strlen(name),
                     (const uint8_t *)parts, lengths, count);
}

double help_value(int32_t attachment, int32_t handle) {
  double value, count;
  int32_t found = pts_value((uint32_t)attachment, (uint32_t)handle, &value, &count);
  return found == 1 ? value : NAN;
}

double help_count(int32_t attachment, int32_t handle) {
  double value, count;
  int32_t found = pts_value((uint32_t)attachment, (uint32_t)handle, &value, &count);
  return found == 1 ? count : NAN;
}

char *help_render(int32_t attachment, uint32_t flags, uint32_t chunk, int32_t *code) {
  uint8_t *buffer = malloc(chunk);
  char *text = calloc(1, 1);
  size_t length = 0;
  int32_t render = pts_render_open((uint32_t)attachment, flags, 0), n = render;
  while (render >= 0) {
    n = pts_render_next((uint32_t)attachment, (uint32_t)render, buffer, chunk);
    if (n <= 0) break;
    text = realloc(text, length + (size_t)n + 1);
    memcpy(text + length, buffer, (size_t)n);
    length += (size_t)n;
    text[length] = 0;
  }
  if (render >= 0) pts_render_close((uint32_t)attachment, (uint32_t)render);
  free(buffer);
  *code = n;
  if (n == 0) return text;
  free(text);
  return NULL;
}

int32_t help_check(const char *path, uint32_t flags, int32_t expected) {
  static char report[65536];
  int32_t findings = pts_check(path, flags, report, sizeof report);
  if (findings != expected)
    fprintf(stderr, "pts_check: %d findings, not %d:\n%s\n", findings, expected, report);
  return findings;
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

int help_points_left_out(const char *source) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "csrc/%s", source);
  FILE *file = fopen(path, "r");
  if (!file) return -1;
  int left_out = 0;
  const uint8_t *passed = seen->line[number_of_source(source)];
  for (unsigned line = 1; line < MOST_LINES && fgets(text, sizeof text, file); line++) {
    if (!strstr(text, "PTS_POINT();") || passed[line]) continue;
    fprintf(stderr, "%s:%u: no test passes this point\n", path, line);
    left_out++;
  }
  fclose(file);
  return left_out;
}

#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>

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

/* ---- numbers -------------------------------------------------------------------------------------------- */

uint64_t help_random(uint64_t *state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15ull);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

uint64_t help_setting(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  return text && *text ? strtoull(text, NULL, 10) : otherwise;
}

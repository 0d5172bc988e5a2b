#include "store_help.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- files ------------------------------------------------------------------------------------------ */

uint64_t help_allocated(const char *path) {
  pts_file_id id;
  return pts_os_identify_path(path, &id) == 0 ? id.allocated : 0;
}

bool help_map(const char *path, help_image *image) {
  memset(image, 0, sizeof *image);
  pts_fd fd;
  pts_file_id id;
  void *base;
  if (pts_os_open(path, &fd) != 0) return false;
  bool mapped = pts_os_identify(fd, &id) == 0 && pts_os_map(fd, id.size, &base) == 0;
  pts_os_close(fd);
  if (!mapped) return false;
  image->base = base;
  image->size = id.size;
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

void help_unmap(help_image *image) { pts_os_unmap(image->base, image->size); }

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

/* store_help.h: what the tests of the store share: small stores, series, expositions, children. */
#ifndef STORE_HELP_H
#define STORE_HELP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layout.h"
#include "pts.h"
#include "pts_check.h"
#include "store.h"

#define HELP_CAPACITY (256u << 10)
#define HELP_WORKERS 8u

/* An empty folder of this run, in memory where there is one. False, with words on stderr, if not. */
bool help_make_folder(char *folder, size_t size);
/* With everything that is left in it, one level deep. */
void help_remove_folder(const char *folder);

/* A small store, quick to make and to check. Says why on stderr when it cannot be opened. */
int32_t help_open(const char *path, uint32_t flags);
/* The same without a word: a test expects the failure. message may be NULL. */
int32_t help_open_quietly(const char *path, uint32_t flags, char *message, uint32_t size);

/* The file with a section of another kind: what a store looks like that began as a cache. Its bytes
 * are 64 times 'c', then zeros. */
int32_t help_open_other(const char *path, pts_store *store);

/* A series by its printed text, `name{labels}` or `name`. */
int32_t help_series(int32_t attachment, uint32_t kind, const char *printed);
int32_t help_histogram(int32_t attachment, const char *printed, const double *bounds,
                       uint32_t bound_count);
/* bounds: the window in ms, its parts, quantiles. */
int32_t help_summary(int32_t attachment, const char *printed, const double *bounds,
                     uint32_t bound_count);
int32_t help_declare(int32_t attachment, const char *name, const char *first, const char *second,
                     const char *header);
/* With a type, as in part 1, and a header for OpenMetrics. */
int32_t help_declare_type(int32_t attachment, const char *name, char type, const char *header,
                          const char *openmetrics);
/* With states, separated by newlines. */
int32_t help_declare_enum(int32_t attachment, const char *name, const char *header,
                          const char *states);

/* The value, or NaN when the series does not exist. */
double help_value(int32_t attachment, int32_t handle);
double help_count(int32_t attachment, int32_t handle);

/* The whole exposition, terminated, for free(); NULL after a failure, with its code in *code. */
char *help_render(int32_t attachment, uint32_t flags, uint32_t chunk, int32_t *code);

/* How many findings pts_check has, printed on stderr if `expected` is another number. */
int32_t help_check(const char *path, uint32_t flags, int32_t expected);

/* Run it in a process of its own and wait; the wait status. */
int help_in_child(void (*run)(void *context), void *context);
/* Begin it there; help_wait tells the status. run's return ends the process with 0. */
pid_t help_spawn(void (*run)(void *context), void *context);
int help_wait(pid_t child);

/* Remember from now on which points (points.h) this process and its children pass. */
void help_points_watch(void);
void help_points_see(const char *file, int line); /* for a pts_points_watch of a test's own */
/* How many points in a source of csrc nobody passed, or -1 when its text is not there to be read. Each is
 * printed on stderr. */
int help_points_left_out(const char *source);

/* For what only Linux has, and only some users may do: false when it cannot be done here. A tmpfs in a
 * mount namespace of this process's own, changing it, and a pid namespace for children to come. */
bool help_mount_tmpfs(const char *folder, const char *options);
bool help_remount(const char *folder, bool read_only, const char *options);
bool help_new_pid_namespace(void);

/* The file as bytes, mapped, and its metrics section; help_unmap closes it. */
typedef struct help_image {
  uint8_t *base;
  uint64_t size;
  pts_superblock *super;
  pts_metrics *metrics;
  pts_worker *workers;
  uint32_t *slots;
  pts_record *records;
  uint8_t *text;
  uint8_t *shards;
} help_image;
bool help_map(const char *path, help_image *image);
void help_unmap(help_image *image);

uint64_t help_random(uint64_t *state);
uint64_t help_allocated(const char *path);
/* From the environment, or otherwise. */
uint64_t help_setting(const char *name, uint64_t otherwise);

#endif

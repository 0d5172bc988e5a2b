/* load_library.c: opens a library of this package by its path, as Deno does, and uses a store. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct options { /* pts_options of csrc/pts.h */
  const char *path;
  uint32_t flags, permissions, max_workers, lock_timeout_ms;
  uint64_t capacity;
};

int main(int argc, char **argv) {
  void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int32_t (*open)(const struct options *, char *, uint32_t) =
      (int32_t(*)(const struct options *, char *, uint32_t))dlsym(library, "pts_open");
  int32_t (*close)(uint32_t) = (int32_t(*)(uint32_t))dlsym(library, "pts_close");
  if (open == NULL || close == NULL) return 2;
  char message[1024] = "";
  struct options options = {.flags = 2 /* PTS_OPEN_PRIVATE */};
  int32_t attachment = open(&options, message, sizeof message);
  if (attachment < 0) {
    fprintf(stderr, "pts_open: %d: %s\n", attachment, message);
    return 3;
  }
  if (close((uint32_t)attachment) != 0) return 4;
  dlclose(library);
  printf("1 passed, 0 failed\n");
  return 0;
}

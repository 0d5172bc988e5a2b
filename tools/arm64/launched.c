/*
 * launched.c: preloaded into the emulated Deno, which must not start itself as the kernel sees it.
 *
 * The kernel cannot run a program for another processor, unless the machine's administrator has set
 * that up. A program under emulation that runs its own executable again, as tests with more than one
 * process do with Deno.execPath(), has to be given the launcher instead (tools/emulate.ts), which
 * starts the emulator.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *launcher;

/* Out of the environment: children are not all for this processor. */
__attribute__((constructor)) static void remember_launcher(void) {
  const char *path = getenv("ARM64_LAUNCHER");
  if (path != NULL) launcher = strdup(path);
  unsetenv("ARM64_LAUNCHER");
  unsetenv("LD_PRELOAD");
}

ssize_t readlink(const char *restrict path, char *restrict buffer, size_t size) {
  if (launcher != NULL && strcmp(path, "/proc/self/exe") == 0) {
    size_t length = strlen(launcher);
    if (length > size) length = size;
    memcpy(buffer, launcher, length);
    return (ssize_t)length;
  }
  ssize_t (*next)(const char *, char *, size_t) =
      (ssize_t (*)(const char *, char *, size_t))dlsym(RTLD_NEXT, "readlink");
  return next(path, buffer, size);
}

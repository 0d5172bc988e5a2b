/*
 * replay_main.c: runs a fuzz target over files, each once, with any compiler: what was found before
 * stays fixed where there is no libFuzzer. Arguments are folders; every file in them is an input.
 *
 * With FUZZ_MUTATIONS=n in the environment, n inputs more, made of these at random from FUZZ_SEED (1): the same
 * ones in every run. An input that ends the program is printed in hexadecimal digits, for `xxd -r -p`.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LONGEST 256u
#define MOST_SEEDS 512u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
  uint8_t bytes[LONGEST];
  size_t size;
} seeds[MOST_SEEDS];
static size_t seed_count;

/* ---- what ended it ---------------------------------------------------------------------------------- */

static const uint8_t *input; /* under way */
static size_t input_size;

static void print_input(void) {
  static const char digits[] = "0123456789abcdef";
  char line[2 * LONGEST + 2];
  size_t used = 0;
  for (size_t i = 0; i < input_size && i < LONGEST; i++) {
    line[used++] = digits[input[i] >> 4];
    line[used++] = digits[input[i] & 15];
  }
  line[used++] = '\n';
  static const char words[] = "the input was:\n";
  if (write(2, words, sizeof words - 1) < 0 || write(2, line, used) < 0) return;
}

static void on_signal(int number) {
  print_input();
  signal(number, SIG_DFL);
  raise(number);
}

/* There with the sanitizers of gcc and clang, which report a bad access themselves, and call back then. */
__attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)(void));

static void tell_what_ends_it(void) {
  signal(SIGABRT, on_signal);
  signal(SIGILL, on_signal);
  signal(SIGTRAP, on_signal);
  if (__sanitizer_set_death_callback) {
    __sanitizer_set_death_callback(print_input);
  } else {
    signal(SIGSEGV, on_signal);
    signal(SIGBUS, on_signal);
  }
}

static void run(const uint8_t *bytes, size_t size) {
  input = bytes;
  input_size = size;
  LLVMFuzzerTestOneInput(bytes, size);
}

/* ---- mutations -------------------------------------------------------------------------------------- */

static uint64_t random_state;

static uint32_t below(size_t limit) {
  random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
  return (uint32_t)((random_state >> 33) % limit);
}

static size_t insert_byte(uint8_t *bytes, size_t size) {
  if (size == LONGEST) return size;
  size_t at = below(size + 1);
  memmove(bytes + at + 1, bytes + at, size - at);
  bytes[at] = (uint8_t)below(256);
  return size + 1;
}

static size_t erase_some(uint8_t *bytes, size_t size) {
  size_t at = below(size), count = 1 + below(size - at < 8 ? size - at : 8);
  memmove(bytes + at, bytes + at + count, size - at - count);
  return size - count;
}

/* The beginning of one and a part of another. */
static size_t splice(uint8_t *bytes, size_t size) {
  size_t other = below(seed_count), keep = below(size + 1);
  if (seeds[other].size == 0) return size;
  size_t from = below(seeds[other].size), count = seeds[other].size - from;
  if (count > LONGEST - keep) count = LONGEST - keep;
  memcpy(bytes + keep, seeds[other].bytes + from, count);
  return keep + count;
}

static size_t mutate(uint8_t *bytes, size_t size) {
  static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff};
  if (size == 0) return insert_byte(bytes, size);
  switch (below(6)) {
  case 0:
    bytes[below(size)] ^= (uint8_t)(1u << below(8));
    return size;
  case 1:
    bytes[below(size)] = (uint8_t)below(256);
    return size;
  case 2:
    bytes[below(size)] = edges[below(sizeof edges)];
    return size;
  case 3:
    return insert_byte(bytes, size);
  case 4:
    return erase_some(bytes, size);
  default:
    return splice(bytes, size);
  }
}

static unsigned run_mutations(unsigned count) {
  const char *seed = getenv("FUZZ_SEED");
  random_state = seed ? strtoull(seed, NULL, 10) : 1;
  for (unsigned i = 0; i < count; i++) {
    static uint8_t bytes[LONGEST];
    size_t from = below(seed_count), size = seeds[from].size;
    memcpy(bytes, seeds[from].bytes, size);
    for (unsigned n = 1 + below(5); n > 0; n--) size = mutate(bytes, size);
    run(bytes, size);
  }
  return count;
}

/* ---- files ------------------------------------------------------------------------------------------ */

static int run_file(const char *folder, const char *name) {
  static uint8_t bytes[1 << 16];
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    return 1;
  }
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  fprintf(stderr, "%s\n", path); /* the last one is the culprit, should the next line crash */
  run(bytes, size);
  if (size <= LONGEST && seed_count < MOST_SEEDS) {
    memcpy(seeds[seed_count].bytes, bytes, size);
    seeds[seed_count++].size = size;
  }
  return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

int main(int count, char **folders) {
  unsigned passed = 0, failed = 0;
  tell_what_ends_it();
  LLVMFuzzerTestOneInput(NULL, 0);
  for (int i = 1; i < count; i++) {
    struct dirent **entries;
    int found = scandir(folders[i], &entries, NULL, by_name);
    if (found < 0) {
      perror(folders[i]);
      failed++;
      continue;
    }
    for (int n = 0; n < found; n++) {
      if (entries[n]->d_name[0] != '.') {
        if (run_file(folders[i], entries[n]->d_name) == 0) passed++;
        else failed++;
      }
      free(entries[n]);
    }
    free(entries);
  }
  const char *mutations = getenv("FUZZ_MUTATIONS");
  unsigned more = mutations && seed_count > 0 ? run_mutations((unsigned)strtoul(mutations, NULL, 10)) : 0;
  if (more > 0) printf("%u mutations\n", more);
  printf("%u passed, %u failed\n", passed, failed);
  return failed > 0 || passed == 0;
}

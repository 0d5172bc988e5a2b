/*
 * image.h: a store file that a fuzzer breaks, uses, and gets back whole, thousands of times a second.
 *
 * The file and its mapping stay; after a run only the pages that differ are restored. The library
 * is linked with six of its system calls replaced (see image.c): mappings lie between pages that
 * nobody may touch, so that one byte too far is a crash; time is a number, so that no lock takes
 * any; and the library's kill points are moments at which somebody else may write into the file.
 */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong must stop the fuzzer, in every build. */
#define MUST(condition)                                                                            \
  do {                                                                                             \
    if (!(condition)) fuzz_fail(__FILE__, __LINE__, #condition);                                   \
  } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/* The file's path; make it with the library, then call fuzz_image_keep. */
const char *fuzz_image_path(void);
/* What is in the file now is what every run begins with. */
void fuzz_image_keep(void);
void fuzz_image_restore(void);

/* A part of the file that is used, as patches name it. */
typedef struct fuzz_region {
  uint64_t offset, size;
} fuzz_region;
#define FUZZ_REGIONS 24u
extern fuzz_region fuzz_regions[FUZZ_REGIONS];
extern uint32_t fuzz_region_count;
/* Where the library's structs are, found by the library's own rules. */
void fuzz_regions_find(void);

/* The input, from which everything takes what it needs. */
typedef struct fuzz_input {
  const uint8_t *at, *end;
} fuzz_input;
static inline uint8_t fuzz_byte(fuzz_input *input) {
  return input->at < input->end ? *input->at++ : 0;
}

/* Apply one patch of the input to the file. */
void fuzz_patch(fuzz_input *input);
/* From now on, at every `every`th point of the library, apply a patch; 0: never. */
void fuzz_patch_later(fuzz_input *input, uint32_t every);

#endif

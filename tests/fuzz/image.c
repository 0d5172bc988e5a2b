#define _GNU_SOURCE
#include "image.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "metrics.h"
#include "points.h"

#define PIECE 4096u
#define GUARD (256ull << 20)

static char folder[4096], path[4200];
static int image_fd = -1;
static uint8_t *image, *kept;
static uint64_t image_size, file_size; /* as kept, as it is now */

void fuzz_fail(const char *file, int line, const char *what) {
  fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
  abort();
}

/* ---- in the place of the library's system calls -------------------------------------------------- */

/* The platform's own, renamed by the build. */
int32_t fuzz_real_resize(pts_fd fd, uint64_t size);

static void *map_guarded(int fd, uint64_t size) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  uint8_t *all = mmap(NULL, size + 2 * GUARD, PROT_NONE, flags, -1, 0);
  if (all == MAP_FAILED) return NULL;
  void *base = mmap(all + GUARD, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  if (base != MAP_FAILED) return base;
  munmap(all, size + 2 * GUARD);
  return NULL;
}

int32_t pts_os_map(pts_fd fd, uint64_t size, void **out) {
  *out = image && size == image_size ? image : map_guarded((int)fd, size);
  return *out ? 0 : PTS_E_NO_MEMORY;
}

void pts_os_unmap(void *address, uint64_t size) {
  if (address != image) munmap((uint8_t *)address - GUARD, size + 2 * GUARD);
}

/* Files come and go only before the image is kept: this is the image. */
int32_t pts_os_resize(pts_fd fd, uint64_t size) {
  int32_t code = fuzz_real_resize(fd, size);
  if (code == 0) file_size = size;
  return code;
}

static uint64_t now_ms;
uint64_t pts_os_monotonic_ms(void) { return now_ms++; }
void pts_os_sleep(uint32_t milliseconds) { now_ms += milliseconds; }
void pts_os_wait(uint64_t *word, uint32_t value, uint32_t timeout_ms) {
  (void)word, (void)value;
  now_ms += timeout_ms;
}

static fuzz_input *later;
static uint32_t later_every, later_left;

void pts_point(const char *file, int line) {
  (void)file, (void)line;
  if (later_every == 0 || --later_left > 0) return;
  later_left = later_every;
  fuzz_patch(later);
}

void fuzz_patch_later(fuzz_input *input, uint32_t every) {
  later = input;
  later_every = later_left = every;
}

/* ---- the file -------------------------------------------------------------------------------------- */

static void remove_image(void) {
  unlink(path);
  rmdir(folder);
}

const char *fuzz_image_path(void) {
  if (path[0]) return path;
  const char *base = getenv("FUZZ_FOLDER"); /* libFuzzer's end runs no exit hook: its caller tidies */
  if (!base) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(folder, sizeof folder, "%s/pts-fuzz-XXXXXX", base);
  MUST(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/store", folder);
  atexit(remove_image);
  return path;
}

void fuzz_image_keep(void) {
  image_fd = open(path, O_RDWR | O_CLOEXEC);
  struct stat st;
  MUST(image_fd >= 0 && fstat(image_fd, &st) == 0);
  image = map_guarded(image_fd, (uint64_t)st.st_size);
  image_size = file_size = (uint64_t)st.st_size;
  kept = malloc(image_size);
  MUST(image != NULL && kept != NULL);
  memcpy(kept, image, image_size);
}

void fuzz_image_restore(void) {
  if (file_size != image_size) MUST(ftruncate(image_fd, (off_t)image_size) == 0);
  file_size = image_size;
  for (uint64_t at = 0; at < image_size; at += PIECE)
    if (memcmp(image + at, kept + at, PIECE) != 0) memcpy(image + at, kept + at, PIECE);
}

/* ---- what patches can name ------------------------------------------------------------------------ */

fuzz_region fuzz_regions[FUZZ_REGIONS];
uint32_t fuzz_region_count;

static void add_region(uint64_t offset, uint64_t size) {
  MUST(fuzz_region_count < FUZZ_REGIONS && offset + size <= image_size);
  fuzz_regions[fuzz_region_count++] = (fuzz_region){offset, size};
}

static void find_metrics(void) {
  uint64_t at = ((pts_superblock *)(void *)kept)->sections[PTS_SECTION_METRICS].offset;
  const pts_metrics *m = (const pts_metrics *)(const void *)(kept + at);
  add_region(at, offsetof(pts_metrics, series_locks) + 4 * sizeof(pts_lock_line));
  add_region(at + m->workers_at, ((uint64_t)m->max_workers + 1) * sizeof(pts_worker));
  add_region(at + m->slots_at, (uint64_t)m->slot_count * 4);
  add_region(at + m->records_at, ((uint64_t)m->records_used + 2) * sizeof(pts_record));
  add_region(at + m->text_at, m->text_used + 64);
  for (uint32_t slot = 0; slot <= m->max_workers; slot++)
    add_region(at + PTS_SHARD_AT(m->shards_at, m->shard_stride, slot), m->cells_used + 64);
}

static void find_cache(void) {
  uint64_t at = ((pts_superblock *)(void *)kept)->sections[PTS_SECTION_CACHE].offset;
  const pts_cache_header *h = (const pts_cache_header *)(const void *)(kept + at);
  add_region(at, sizeof *h);
  add_region(at + h->workers_at, ((uint64_t)h->max_workers + 1) * sizeof(pts_worker));
  for (uint32_t page = 0; page < h->num_pages; page++) {
    add_region(at + h->controls_at + page * sizeof(pts_page_control), sizeof(pts_page_control));
    add_region(at + h->frames_at + 2 * page * h->frame_stride, 2 * h->frame_stride);
  }
}

void fuzz_regions_find(void) {
  add_region(0, sizeof(pts_superblock));
  find_metrics();
  find_cache();
}

/* ---- patches ---------------------------------------------------------------------------------------- */

static const uint64_t interesting[] = {0,
                                       1,
                                       2,
                                       7,
                                       8,
                                       0x7f,
                                       0xff,
                                       0xffff,
                                       0x10000,
                                       0x7fffffff,
                                       0x80000000u,
                                       0xffffffffu,
                                       0x100000000ull,
                                       0x7fffffffffffffffull,
                                       0x8000000000000000ull,
                                       UINT64_MAX};

/* Where a patch goes: a byte for the region, two for the offset in it. */
static uint8_t *place_of(fuzz_input *input, uint64_t room) {
  uint32_t number = fuzz_byte(input) % fuzz_region_count;
  uint64_t offset = fuzz_byte(input);
  offset |= (uint64_t)fuzz_byte(input) << 8;
  const fuzz_region *region = &fuzz_regions[number];
  return image + region->offset + offset % (region->size - room + 1);
}

void fuzz_patch(fuzz_input *input) {
  /* It is shorter between two steps of whoever adds a section where a killed maker seems to have died. */
  if (input->at >= input->end || file_size < image_size) return;
  uint8_t how = fuzz_byte(input);
  uint32_t length = (how >> 2 & 15) + 1;
  uint8_t *to = place_of(input, 16);
  switch (how & 3) {
  case 0:
    for (uint32_t i = 0; i < length; i++) to[i] = fuzz_byte(input);
    break;
  case 1: { /* a number that is a little wrong */
    uint32_t *word = (uint32_t *)(uintptr_t)((uintptr_t)to & ~(uintptr_t)3);
    *word += (uint32_t)(int32_t)(int8_t)fuzz_byte(input);
    break;
  }
  case 2: {
    uint8_t *aligned = (uint8_t *)((uintptr_t)to & ~(uintptr_t)(length & 1 ? 7 : 3));
    memcpy(aligned, &interesting[fuzz_byte(input) % 16], length & 1 ? 8 : 4);
    break;
  }
  default: { /* something whole in the wrong place */
    uint8_t *from = place_of(input, 16);
    to = (uint8_t *)((uintptr_t)to & ~(uintptr_t)3);
    from = (uint8_t *)((uintptr_t)from & ~(uintptr_t)3);
    memmove(to, from, 2 * length <= 16 ? 2 * length : 16);
  }
  }
}

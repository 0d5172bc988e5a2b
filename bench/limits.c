/*
 * The limits: what the machine itself takes for the work of an update, with nothing around it.
 *
 * The same additions as csrc/cell.c: the series's head and the store's generation are compared with what
 * was seen before, then one's own cell is loaded, added to and stored. Called once for many.
 */
#include <stdint.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* A cache line each, as in the file: nobody else's stores disturb. */
typedef struct line {
  _Alignas(64) uint64_t word;
  uint64_t pad[7];
} line;

#define MEMBERS 64
static line head, generation;
static line values[MEMBERS];
static line cells[2 + 16];

static inline uint64_t load_acquire(const uint64_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }

static inline void add(uint64_t *cell, double amount) {
  uint64_t bits = __atomic_load_n(cell, __ATOMIC_RELAXED);
  double value;
  memcpy(&value, &bits, sizeof value);
  value += amount;
  memcpy(&bits, &value, sizeof bits);
  __atomic_store_n(cell, bits, __ATOMIC_RELEASE);
}

/* Into the cell of one of the threads. Returns how many additions were made: all. */
EXPORT uint32_t limit_add(uint32_t member, uint32_t times) {
  uint64_t *cell = &values[member % MEMBERS].word;
  uint64_t head_seen = load_acquire(&head.word), generation_seen = load_acquire(&generation.word);
  uint32_t i = 0;
  for (; i < times; i++) {
    if (load_acquire(&head.word) != head_seen) break;
    if (load_acquire(&generation.word) != generation_seen) break;
    add(cell, 1);
  }
  return i;
}

static uint32_t bucket_of(const double *bounds, uint32_t count, double value) {
  uint32_t bucket = 0;
  while (bucket < count && !(value <= bounds[bucket])) bucket++;
  return bucket;
}

/* Observations into up to 15 buckets: a search, a count, a sum, between two stores of a sequence. */
EXPORT uint32_t limit_observe(uint32_t times, const double *bounds, uint32_t count, double value) {
  uint64_t head_seen = load_acquire(&head.word), generation_seen = load_acquire(&generation.word);
  uint64_t *sequence = &cells[0].word, *sum = &cells[1].word;
  uint32_t i = 0;
  if (count > 15) return 0;
  for (; i < times; i++) {
    if (load_acquire(&head.word) != head_seen) break;
    if (load_acquire(&generation.word) != generation_seen) break;
    uint64_t odd = __atomic_load_n(sequence, __ATOMIC_RELAXED) | 1;
    uint32_t bucket = bucket_of(bounds, count, value);
    __atomic_store_n(sequence, odd, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    uint64_t *cell = &cells[2 + bucket].word;
    __atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + 1, __ATOMIC_RELAXED);
    add(sum, value);
    __atomic_store_n(sequence, odd + 1, __ATOMIC_RELEASE);
  }
  return i;
}

/*
 * atomics.h: every atomic access of the library, with its order in its name.
 *
 * The mapped file is shared by processes, so these are used on plain fixed-width members, always
 * naturally aligned. No other file uses a compiler builtin.
 */
#ifndef PTS_ATOMICS_H
#define PTS_ATOMICS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PTS_LIKELY(x) __builtin_expect(!!(x), 1)
#define PTS_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PTS_PREFETCH(p) __builtin_prefetch(p)
#define PTS_PREFETCH_WRITE(p) __builtin_prefetch(p, 1)
/* Of a slow way: kept out of the fast one, and compiled to be small. */
#define PTS_COLD __attribute__((noinline, cold))

static inline uint8_t pts_load_relaxed_u8(const uint8_t *p) {
  return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline void pts_store_relaxed_u8(uint8_t *p, uint8_t v) {
  __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
static inline uint32_t pts_load_acquire_u32(const uint32_t *p) {
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline uint64_t pts_load_acquire_u64(const uint64_t *p) {
  return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}
static inline uint32_t pts_load_relaxed_u32(const uint32_t *p) {
  return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline uint64_t pts_load_relaxed_u64(const uint64_t *p) {
  return __atomic_load_n(p, __ATOMIC_RELAXED);
}
static inline void pts_store_release_u32(uint32_t *p, uint32_t v) {
  __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline void pts_store_release_u64(uint64_t *p, uint64_t v) {
  __atomic_store_n(p, v, __ATOMIC_RELEASE);
}
static inline void pts_store_relaxed_u32(uint32_t *p, uint32_t v) {
  __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
static inline void pts_store_relaxed_u64(uint64_t *p, uint64_t v) {
  __atomic_store_n(p, v, __ATOMIC_RELAXED);
}

/* Compare and swap, full order; *expected is refreshed when it fails. */
static inline bool pts_cas_u32(uint32_t *p, uint32_t *expected, uint32_t desired) {
  return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
static inline bool pts_cas_u64(uint64_t *p, uint64_t *expected, uint64_t desired) {
  return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
/*
 * Two words at once, 16-byte aligned: swapped if both are what they are expected to be. Full order.
 * Needs -mcx16 on x86_64 (every processor that Deno runs on has it).
 */
static inline bool pts_cas_pair(uint64_t *p, uint64_t first, uint64_t second, uint64_t new_first,
                                uint64_t new_second) {
  unsigned __int128 old = (unsigned __int128)second << 64 | first;
  unsigned __int128 new = (unsigned __int128)new_second << 64 | new_first;
  return __sync_bool_compare_and_swap((unsigned __int128 *)(void *)p, old, new);
}
static inline uint32_t pts_fetch_add_u32(uint32_t *p, uint32_t v) {
  return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}
static inline uint64_t pts_fetch_add_u64(uint64_t *p, uint64_t v) {
  return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST);
}

/* Fences: stores before stay before stores after; loads likewise; everything. */
static inline void pts_fence_release(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
static inline void pts_fence_acquire(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
static inline void pts_fence_full(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* Doubles live in the file as their bits, so that a cell is one 8-byte access and nothing tears. */
static inline double pts_double_of(uint64_t bits) {
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}
static inline uint64_t pts_bits_of(double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

/*
 * Bytes that may be written over meanwhile: whoever uses these looks afterwards whether they were, and
 * throws the result away. The thread sanitizer is shown single loads, since it cannot know that.
 */
#if defined(__SANITIZE_THREAD__)
static inline uint8_t pts_racing_byte(const uint8_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static inline void pts_racing_copy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++) ((uint8_t *)to)[i] = pts_racing_byte((const uint8_t *)from + i);
}
static inline int pts_racing_compare(const void *x, const void *y, size_t size) {
  for (size_t i = 0; i < size; i++) {
    int c = pts_racing_byte((const uint8_t *)x + i) - pts_racing_byte((const uint8_t *)y + i);
    if (c) return c;
  }
  return 0;
}
static inline const uint8_t *pts_racing_find(const uint8_t *p, uint8_t wanted, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (pts_racing_byte(p + i) == wanted) return p + i;
  return NULL;
}
static inline void pts_racing_write(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++)
    __atomic_store_n((uint8_t *)to + i, ((const uint8_t *)from)[i], __ATOMIC_RELAXED);
}
#else
static inline uint8_t pts_racing_byte(const uint8_t *p) { return *p; }
static inline void pts_racing_copy(void *to, const void *from, size_t size) { memcpy(to, from, size); }
static inline int pts_racing_compare(const void *x, const void *y, size_t size) {
  return memcmp(x, y, size);
}
static inline const uint8_t *pts_racing_find(const uint8_t *p, uint8_t wanted, size_t size) {
  return (const uint8_t *)memchr(p, wanted, size);
}
static inline void pts_racing_write(void *to, const void *from, size_t size) { memcpy(to, from, size); }
#endif

static inline void pts_cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif

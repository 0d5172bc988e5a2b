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
#define PTS_NOINLINE __attribute__((noinline))

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

static inline void pts_cpu_relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif

/*
 * platform_poll.h: waiting for a word of shared memory on a Unix system without futexes. platform_macos.c
 * includes it, and the tests, which can so run it on another system.
 */
#ifndef PTS_PLATFORM_POLL_H
#define PTS_PLATFORM_POLL_H

#include <unistd.h>

#include "atomics.h"
#include "platform.h"

#define PTS_POLL_FIRST_US 20u
#define PTS_POLL_LONGEST_US 1000u

/* As pts_os_wait: looks at the word now and then, less and less often. Nobody has to be woken. */
static inline void pts_poll_wait(uint64_t *word, uint32_t value, uint32_t timeout_ms) {
  uint64_t deadline = pts_os_monotonic_ms() + timeout_ms;
  uint32_t nap = PTS_POLL_FIRST_US;
  while ((uint32_t)pts_load_acquire_u64(word) == value && pts_os_monotonic_ms() < deadline) {
    usleep(nap);
    if (nap < PTS_POLL_LONGEST_US) nap *= 2;
  }
}

#endif

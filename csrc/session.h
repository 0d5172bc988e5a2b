/*
 * session.h: an attachment of either section, by number: which thread owns it, and when it may go.
 */
#ifndef PTS_SESSION_H
#define PTS_SESSION_H

#include "atomics.h"
#include "store.h"

#define PTS_MOST_SESSIONS 4096u

typedef struct pts_session {
  pts_store store;
  void (*destroy)(struct pts_session *session); /* frees it and all it has */
  uint32_t number;
  uint32_t references;
  bool closed;
  struct pts_session *next_in_thread;
} pts_session;

/* Hidden already where it is declared: else each call would ask for its address through a table, of which Zig's
 * linker leaves four bytes of macOS's symbols to chance when that names something of the library itself. */
extern __attribute__((visibility("hidden"))) pts_session *pts_sessions[PTS_SECTIONS][PTS_MOST_SESSIONS];

/* NULL when there is none of that number. For the owner's thread: no lock, no reference. */
static inline pts_session *pts_session_of(uint32_t kind, uint32_t number) {
  return PTS_LIKELY(number < PTS_MOST_SESSIONS) ? pts_sessions[kind][number] : NULL;
}
/* For any thread: with a reference, until pts_session_release. */
pts_session *pts_session_hold(uint32_t kind, uint32_t number);
void pts_session_release(pts_session *session);

/* Give it a number and to this thread. TOO_MANY, with message; the caller still owns it then. */
int32_t pts_session_enter(pts_session *session, pts_message *message);
/* CLOSED when this thread has none of that number. */
int32_t pts_session_close(uint32_t kind, uint32_t number);

#endif

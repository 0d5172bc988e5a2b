/*
 * I1: pts_sessions[k][n] changes under the process lock only; the owner's thread may read its own entry without,
 *     since nobody else writes that.
 * I2: a session is destroyed when it is closed and its last reference (a call under way in another
 *     thread) is gone: then nobody has a pointer into its mapping.
 * I3: a thread's sessions are closed when the thread ends, whatever ended it.
 */
#include "session.h"

pts_session *pts_sessions[PTS_SECTIONS][PTS_MOST_SESSIONS];
static _Thread_local pts_session *of_this_thread;

pts_session *pts_session_hold(uint32_t kind, uint32_t number) {
  pts_os_process_lock();
  pts_session *session = pts_session_of(kind, number);
  if (session) session->references++;
  pts_os_process_unlock();
  return session;
}

void pts_session_release(pts_session *session) {
  pts_os_process_lock();
  bool last = --session->references == 0 && session->closed;
  pts_os_process_unlock();
  if (last) session->destroy(session);
}

static void leave(pts_session *session) {
  pts_os_process_lock();
  pts_sessions[session->store.kind][session->number] = NULL;
  session->closed = true;
  pts_os_process_unlock();
  pts_session_release(session);
}

static void close_all_of_thread(void) {
  while (of_this_thread) {
    pts_session *session = of_this_thread;
    of_this_thread = session->next_in_thread;
    leave(session);
  }
}

static bool number_it(pts_session *session) {
  pts_session **table = pts_sessions[session->store.kind];
  uint32_t n = 0;
  pts_os_process_lock();
  while (n < PTS_MOST_SESSIONS && table[n]) n++;
  bool found = n < PTS_MOST_SESSIONS;
  if (found) {
    table[n] = session;
    session->number = n;
    session->references = 1; /* the table's */
  }
  pts_os_process_unlock();
  return found;
}

int32_t pts_session_enter(pts_session *session, pts_message *message) {
  if (!number_it(session)) {
    pts_message_add(message, "%u stores are open in this process; close some", PTS_MOST_SESSIONS);
    return PTS_E_TOO_MANY;
  }
  session->next_in_thread = of_this_thread;
  of_this_thread = session;
  pts_os_at_thread_exit(close_all_of_thread);
  return 0;
}

int32_t pts_session_close(uint32_t kind, uint32_t number) {
  pts_session **link = &of_this_thread;
  while (*link && ((*link)->number != number || (*link)->store.kind != kind))
    link = &(*link)->next_in_thread;
  pts_session *session = *link;
  if (!session) return PTS_E_CLOSED;
  *link = session->next_in_thread;
  leave(session);
  return 0;
}

/*
 * points.h: numbered steps at which a test build can end the process, as a SIGKILL would.
 *
 * PTS_POINT() stands after every store that another process could see half of an operation through.
 * Compiled out unless PTS_TEST_KILL_POINTS is defined.
 */
#ifndef PTS_POINTS_H
#define PTS_POINTS_H

#ifdef PTS_TEST_KILL_POINTS
#include <stdint.h>

/* Counts down; the process ends at the call that reaches 0. 0: only counts calls. Not exact where
 * several threads pass points, which must not order their other memory accesses for a sanitizer. */
extern uint64_t pts_points_left;
extern uint64_t pts_points_passed;
/* Told of every point that is passed, if there is one: a test asks whether it has walked them all. */
extern void (*pts_points_watch)(const char *file, int line);
void pts_point(const char *file, int line);
#define PTS_POINT() pts_point(__FILE__, __LINE__)
#else
#define PTS_POINT() ((void)0)
#endif

#endif

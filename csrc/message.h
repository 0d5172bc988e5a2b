/* message.h: texts for people, written into the caller's buffer. */
#ifndef PTS_MESSAGE_H
#define PTS_MESSAGE_H

#include <stdint.h>

typedef struct pts_message {
  char *text; /* terminated; may be NULL with size 0 */
  uint32_t size;
  uint32_t length;
} pts_message;

pts_message pts_message_in(char *text, uint32_t size);

/* Append; what does not fit is cut. */
__attribute__((format(printf, 2, 3))) void pts_message_add(pts_message *message, const char *format,
                                                           ...);

/* "cannot <what> '<path>': <why>; <what to do>", for a failure of the operating system. Returns code. */
int32_t pts_message_os(pts_message *message, int32_t code, const char *what, const char *path);

#endif

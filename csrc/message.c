#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "pts.h"

pts_message pts_message_in(char *text, uint32_t size) {
  pts_message message = {text, size, 0};
  if (size > 0) text[0] = 0;
  return message;
}

void pts_message_add(pts_message *message, const char *format, ...) {
  if (message->length + 1 >= message->size) return;
  va_list arguments;
  va_start(arguments, format);
  uint32_t room = message->size - message->length;
  int n = vsnprintf(message->text + message->length, room, format, arguments);
  va_end(arguments);
  if (n > 0) message->length += (uint32_t)n < room ? (uint32_t)n : room - 1;
}

static const char *text_of(int32_t code) {
  switch (code) {
#define PTS_ERROR_TEXT(value, name, text)                                                          \
  case value:                                                                                      \
    return text;
    PTS_ERRORS(PTS_ERROR_TEXT)
#undef PTS_ERROR_TEXT
  default:
    return "unknown failure";
  }
}

static const char *advice_for(int32_t code) {
  switch (code) {
  case PTS_E_NOT_FOUND:
  case PTS_E_NO_FOLDER:
    return "create the folder first, or choose another path";
  case PTS_E_PERMISSION:
    return "choose a folder that this user may write";
  case PTS_E_READ_ONLY:
    return "choose a folder on a writable file system";
  case PTS_E_NO_SPACE:
    return "free some space, choose another folder, or ask for a smaller capacity";
  case PTS_E_NO_DESCRIPTORS:
    return "close files, or raise the limit (ulimit -n)";
  case PTS_E_FILE_LIMIT:
    return "raise the limit (ulimit -f), or ask for a smaller capacity";
  case PTS_E_SYMLINK:
    return "give the path of the file itself: links are not followed";
  case PTS_E_OWNER:
    return "use a file of this user that others may not write";
  case PTS_E_NOT_A_FILE:
    return "give the path of a regular file, or of one that does not exist yet";
  case PTS_E_NETWORK:
    return "choose a folder on a local file system: locks and mappings need one kernel";
  default:
    return NULL;
  }
}

int32_t pts_message_os(pts_message *message, int32_t code, const char *what, const char *path) {
  pts_message_add(message, "cannot %s '%s': %s", what, path, text_of(code));
  if (code == PTS_E_IO) {
    char detail[128];
    pts_os_detail(detail, sizeof detail);
    pts_message_add(message, " (%s)", detail);
  }
  const char *advice = advice_for(code);
  if (advice) pts_message_add(message, "; %s", advice);
  return code;
}

int32_t pts_error_text(int32_t code, char *text, uint32_t size) {
  pts_message message = pts_message_in(text, size);
  pts_message_add(&message, "%s", text_of(code));
  return (int32_t)message.length;
}

/*
 * escape.h: names for readers that know only Prometheus's own set of names, letters, digits, `_` and
 * (in names of metrics) `:`, no digit first. What is outside of it is escaped as Prometheus 3's
 * libraries do it, by the scheme that the reader asked for:
 *
 *   underscores  `http.status` is `http_status`
 *   dots         `http.status` is `http_dot_status`; `_` becomes `__`, and so does all else
 *   values       `http.status` is `U__http_2e_status`: it can be read back
 *
 * A name of the set stays as it is, in every scheme.
 */
#ifndef PTS_ESCAPE_H
#define PTS_ESCAPE_H

#include "text.h"

typedef enum pts_scheme {
  PTS_SCHEME_NONE,
  PTS_SCHEME_UNDERSCORES,
  PTS_SCHEME_DOTS,
  PTS_SCHEME_VALUES,
} pts_scheme;

typedef enum pts_name_of { PTS_NAME_OF_METRIC, PTS_NAME_OF_LABEL } pts_name_of;

bool pts_name_is_legacy(pts_text name, pts_name_of what);

/* What an escaped name of so many bytes may need: bytes that are no UTF-8 become `_fffd_`. */
#define PTS_ESCAPED_MOST(length) (6 * (size_t)(length) + 3)
/* The name in the scheme. Returns its length. */
uint32_t pts_name_escape(pts_text name, pts_scheme scheme, pts_name_of what, uint8_t *out);

/* The name as it stands between quotes, in at most 2 * length bytes. Returns its length. */
uint32_t pts_name_quote(pts_text name, uint8_t *out);

/* Where the quoted text that begins at `at` ends: behind its last quote, or its length without one. */
uint32_t pts_quoted_end(pts_text text, uint32_t at);

#define PTS_LABELS_MOST(length) (7 * (size_t)(length))
/* Whether some label's name in printed labels is quoted; now and then one too many. The text may change
 * meanwhile (I3 of order.c). */
bool pts_labels_quoted(pts_text labels);
/* Printed labels with their names in the scheme; `out` has PTS_LABELS_MOST(length) bytes, and what is behind
 * the result is overwritten. Two names of a series that would become one are told apart by the values scheme.
 * Returns the length. */
uint32_t pts_labels_escape(pts_text labels, pts_scheme scheme, uint8_t *out);
/* Where among printed labels one of this name belongs, or is: then with its length, else 0. */
uint32_t pts_labels_place(pts_text labels, pts_text name, uint32_t *length);
/* Whether printed labels have one of the name that the first of `like` has. */
bool pts_labels_have(pts_text labels, pts_text like);

#endif

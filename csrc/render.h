/*
 * render.h: one exposition under way.
 *
 *   titles.c       what each family is called and which type it is given
 *   plan.c         what is printed in which order
 *   header.c       HELP, TYPE and UNIT
 *   bucket.c       a histogram or summary, read and ready to be printed
 *   spread.c       lines that mix
 *   render.c       the text format's lines
 *   openmetrics.c  OpenMetrics's lines
 *   own.c          the store's own series
 *   scrape.c       the exported calls
 */
#ifndef PTS_RENDER_H
#define PTS_RENDER_H

#include "escape.h"
#include "order.h"
#include "sink.h"

typedef enum pts_part {
  PTS_PART_OWN, /* the family's header and its own series */
  PTS_PART_QUANTILE,
  PTS_PART_BUCKET,
  PTS_PART_COUNT,
  PTS_PART_SUM,
  PTS_PART_WHOLE, /* OpenMetrics: histograms and summaries, one series after the other */
  PTS_PART_STORE, /* a series of the store's own: group.family says which */
} pts_part;

/* What the buckets' or quantiles' reading found, for _count and _sum. */
typedef struct pts_total {
  uint64_t count;
  double sum;
  bool exists;
} pts_total;

#define PTS_NO_FAMILY UINT32_MAX

/* What plain values have behind the title. */
typedef enum pts_suffix { PTS_SUFFIX_NONE, PTS_SUFFIX_TOTAL, PTS_SUFFIX_INFO } pts_suffix;

/* What a family is called in this exposition: `type` as in a declaration's part 1, 0 for no header. */
typedef struct pts_title {
  size_t at; /* in the render's titles_text: as printed, without quotes */
  uint32_t length;
  pts_suffix suffix;
  char type;
  bool quoted;
  bool as_stored;   /* lines of plain values begin as they are stored */
  bool as_declared; /* the header is printed as it was declared */
  bool whole;       /* histograms and summaries are what their header says, series by series */
} pts_title;

typedef struct pts_group {
  pts_text name;   /* of the family */
  uint32_t family; /* in the order */
  uint32_t plain;  /* another family that has the name of this part; PTS_NO_FAMILY */
  pts_part part;
  pts_total *totals; /* for each histogram and summary of the family */
} pts_group;

/* A histogram or summary that was read, as lines: buckets of which the last is +Inf, or quantiles. */
typedef struct pts_buckets {
  uint32_t line_count, room;
  uint32_t labels_of; /* the bounds entry that the labels were made for */
  uint32_t labels_kind;
  char *labels; /* PTS_LE_SIZE bytes each */
  uint32_t *lengths;
  double *bounds;
  double *values; /* buckets are cumulative */
} pts_buckets;
#define PTS_LE_SIZE 48u

/* A line that was made and sorted before it is printed. */
typedef struct pts_line {
  size_t labels_at, key_at; /* in the spread's text: what is printed, and sorted by */
  uint32_t labels_length, key_length;
  double le; /* sorted by next */
  pts_reading reading;
} pts_line;

typedef struct pts_spread {
  bool used;       /* for the group at the position */
  pts_parts parts; /* the name under which its lines are printed */
  pts_line *lines;
  uint32_t count, room;
  pts_growing text, name;
} pts_spread;
#define PTS_PART_HEADER 2u
#define PTS_PART_OPENMETRICS 3u

/* Names that are wanted; no others are printed. */
typedef struct pts_only {
  bool used;
  uint32_t count;
  uint8_t *bytes;
  uint32_t *lengths;
} pts_only;

struct pts_own;

typedef struct pts_render {
  pts_attachment *a;
  pts_order *order;
  uint32_t flags;
  pts_scheme scheme;
  double now_ms;
  uint64_t opened_ms; /* when it was that, by the monotonic clock */
  pts_only only;
  pts_view view;
  struct pts_own *own;
  pts_group *groups;
  pts_total *totals;
  pts_title *titles; /* of all families; NULL: everything is printed as it is stored */
  pts_growing titles_text;
  uint32_t group_count;
  /* the position */
  uint32_t at;
  bool begun;
  bool ended; /* `# EOF` is written */
  uint32_t series;
  /* of the group and series at the position */
  pts_group *group;
  const pts_title *title;
  bool as_stored; /* lines of plain values begin as they are stored */
  pts_traits traits;
  pts_parts parts; /* of the histogram or summary whose lines are being printed */
  pts_buckets buckets;
  bool reading_buckets; /* it was read, and `line` is its next line */
  uint32_t line;
  uint64_t head; /* of the record when the series was read; exemplars of it count */
  double time;   /* OpenMetrics: of the sample before a _created line */
  pts_growing scratch; /* a series's text and what became of it, or a header */
  pts_growing state;   /* the label of a state that was escaped */
  pts_spread spread;
  /* measured */
  uint64_t nanoseconds, bytes;
  bool busy; /* a thread is inside pts_render_next */
} pts_render;

static inline bool pts_is_openmetrics(const pts_render *r) {
  return (r->flags & PTS_RENDER_OPENMETRICS) != 0;
}

/* ---- titles.c ---- */

bool pts_titles_make(pts_render *r); /* false: no memory */
static inline pts_text pts_title_text(const pts_render *r, const pts_title *title) {
  if (title->length == 0) return PTS_NO_TEXT; /* of a broken family */
  return (pts_text){r->titles_text.bytes + title->at, title->length};
}
pts_text pts_suffix_of_value(pts_suffix suffix);
/* Whether the exposition is of everything, or this family or one of its samples is among what is wanted. */
bool pts_is_wanted(const pts_render *r, uint32_t family, pts_text name);
bool pts_only_has(const pts_only *only, pts_text name, pts_text suffix);

/* ---- plan.c ---- */

bool pts_plan_make(pts_render *r); /* false: no memory */
pts_text pts_part_suffix(pts_part part);
/*
 * A printed series taken apart where a label belongs; or with all labels in before and nothing left out. Both
 * as this exposition spells it, in a copy that stays until the next one. Call it when the series has been
 * read: false when its record has other labels by now, is damaged, or there is no memory.
 */
bool pts_parts_of(pts_render *r, const pts_record *record, pts_parts *parts);
bool pts_whole_parts_of(pts_render *r, const pts_record *record, pts_parts *parts);
/* A state's label as this exposition spells it, beside those of its series. false: no memory. */
bool pts_respell_state(pts_render *r, const pts_parts *parts, pts_text *label);

/* ---- header.c ---- */

/* The header of the family in its title's words, or nothing; and of a part that has no family of its name.
 * false: no memory. */
bool pts_header_of(pts_render *r, const pts_record *family, const pts_title *title, pts_text *out);
bool pts_part_header_of(pts_render *r, const pts_title *title, pts_part part, pts_text *out);

/* ---- bucket.c ---- */

/* Read a histogram or summary into r->buckets and *total (exists tells whether there is one). false: no
 * memory. */
bool pts_buckets_read(pts_render *r, const pts_record *record, pts_total *total);
void pts_buckets_free(pts_buckets *buckets);
static inline pts_text pts_buckets_label(const pts_buckets *buckets, uint32_t line) {
  return (pts_text){(const uint8_t *)buckets->labels + (size_t)line * PTS_LE_SIZE,
                    buckets->lengths[line]};
}

/* ---- spread.c ---- */

/* Make the lines of the group at the position, if they must be made at once. false: no memory. */
bool pts_spread_begin(pts_render *r);
pts_text pts_line_labels(const pts_spread *spread, const pts_line *line);
void pts_spread_free(pts_spread *spread);

/* ---- openmetrics.c ---- */

/* Each returns 1 when it is done, 0 when the sink is full, or a failure. */
int pts_openmetrics_value(pts_render *r, pts_sink *sink, const pts_record *record);
int pts_openmetrics_whole(pts_render *r, pts_sink *sink, const pts_order_family *family);

/* ---- own.c ---- */

/* Take stock of the store, if its series are wanted or have something to say. false: no memory. */
bool pts_own_make(pts_render *r);
/* The number of its series to print, and each one's name. */
uint32_t pts_own_count(const pts_render *r);
pts_text pts_own_name(const pts_render *r, uint32_t number);
int pts_own_step(pts_render *r, pts_sink *sink, uint32_t number);
/* Note for all workers what this exposition took. */
void pts_own_finished(pts_render *r);

/* ---- render.c ---- */

int32_t pts_render_lines(pts_render *r, uint8_t *buffer, uint32_t size);

#endif

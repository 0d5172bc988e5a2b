/*
 * render.h: one exposition under way. plan.c decides what is printed in which order, bucket.c reads a
 * histogram, spread.c makes lines that mix, render.c writes, scrape.c has the exported calls.
 */
#ifndef PTS_RENDER_H
#define PTS_RENDER_H

#include "order.h"
#include "reading.h"

#define PTS_NAME_DROPPED "prometheus_tiny_dropped_updates_total"
#define PTS_NAME_DAMAGE "prometheus_tiny_store_damage_total"

typedef struct pts_sink {
  uint8_t *at, *end;
} pts_sink;

/* A printed series taken apart around the place where a label is put in. */
typedef struct pts_parts {
  pts_text name;
  pts_text before, after; /* labels, without the commas at the cut */
  bool quoted;
} pts_parts;

typedef enum pts_part {
  PTS_PART_OWN, /* the family's header and its own series */
  PTS_PART_BUCKET,
  PTS_PART_COUNT,
  PTS_PART_SUM,
  PTS_PART_DAMAGE,
  PTS_PART_DROPPED,
} pts_part;

/* What the buckets' reading found, for _count and _sum. */
typedef struct pts_total {
  uint64_t count;
  double sum;
  bool exists;
} pts_total;

#define PTS_NO_FAMILY UINT32_MAX

typedef struct pts_group {
  pts_text name;   /* of the family */
  uint32_t family; /* in the order */
  uint32_t plain;  /* another family that has the name of this part; PTS_NO_FAMILY */
  pts_part part;
  pts_total *totals; /* for each histogram of the family */
} pts_group;

/* A histogram series that was read, as lines; the last is +Inf. */
typedef struct pts_buckets {
  uint32_t line_count, room;
  uint32_t labels_of; /* the bounds entry that the labels were made for */
  char *labels;       /* PTS_LE_SIZE bytes each */
  uint32_t *lengths;
  double *bounds;
  uint64_t *values; /* cumulative */
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
  bool used; /* for the group at the position */
  pts_parts parts; /* the name under which its lines are printed */
  pts_line *lines;
  uint32_t count, room;
  uint8_t *text;
  size_t text_used, text_room;
} pts_spread;

typedef struct pts_render {
  pts_attachment *a;
  pts_order *order;
  uint32_t flags;
  pts_view view;
  uint64_t dropped, damage;
  pts_group *groups;
  pts_total *totals;
  uint32_t group_count;
  /* the position */
  uint32_t at;
  bool begun;
  uint32_t series;
  /* of the group and series at the position */
  pts_group *group;
  pts_traits traits;
  pts_parts parts; /* of the histogram series whose buckets are being printed */
  pts_buckets buckets;
  bool reading_buckets; /* it was read, and `bucket` is its next line */
  uint32_t bucket;
  pts_spread spread;
  bool busy; /* a thread is inside pts_render_next */
} pts_render;

/* ---- plan.c ---- */

bool pts_plan_make(pts_render *r); /* false: no memory */
bool pts_parts_of(const pts_attachment *a, const pts_record *record, pts_parts *parts);
/* With all labels in before and nothing left out. */
bool pts_whole_parts_of(const pts_attachment *a, const pts_record *record, pts_parts *parts);

/* ---- bucket.c ---- */

/* Read a histogram into r->buckets and *total (exists tells whether there is one). false: no memory. */
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

/* ---- render.c ---- */

int32_t pts_render_lines(pts_render *r, uint8_t *buffer, uint32_t size);

#endif

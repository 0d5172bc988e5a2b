/*
 * render.h: one exposition under way. plan.c decides what is printed in which order, run.c reads the
 * histograms, spread.c the enums, render.c writes lines, scrape.c has the exported calls.
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
  bool same_labels; /* as the next series: only the bounds differ */
} pts_total;

typedef struct pts_group {
  pts_text name; /* of the family */
  uint32_t family;
  pts_part part;
  pts_total *totals;
} pts_group;

/*
 * Consecutive histogram series whose bucket lines are printed together: usually one. Several when they have
 * the same labels but other bounds (one set of lines), or, in lexical order, when `le` sorts
 * before the labels that tell them apart (their lines interleave: several members).
 */
typedef struct pts_member {
  pts_parts parts;
  bool exists;
} pts_member;

typedef struct pts_run {
  uint32_t count; /* series; 0: none begun */
  uint32_t line, member;
  uint32_t bound_count, member_count;
  /* lines in printing order; the last is +Inf */
  double *bounds;
  char *labels; /* PTS_LE_SIZE bytes each */
  uint32_t *label_lengths;
  uint32_t label_room;
  uint32_t labels_of; /* the bounds entry that they were made for; 0: for a mixture */
  pts_member *members;
  double *values; /* cumulative; NaN: this member has no such line */
  uint32_t member_room, value_room;
} pts_run;
#define PTS_LE_SIZE 48u

/* A line of a family with enums: of a plain series, or of one state of an enum. */
typedef struct pts_line {
  pts_text labels;
  size_t labels_at; /* in the spread's text */
  uint32_t record;
  uint32_t state; /* the part of the declaration; 0: a plain series, read when it is printed */
  pts_reading reading;
} pts_line;
#define PTS_PART_STATES 3u /* the first part of a declaration that is a state */

typedef struct pts_spread {
  bool used; /* for the group at the position */
  pts_line *lines;
  uint32_t count, room;
  uint8_t *text;
  size_t text_used, text_room, line_start;
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
  pts_merge merge;
  pts_spread spread;
  pts_run run;
  bool busy; /* a thread is inside pts_render_next */
} pts_render;

/* ---- plan.c ---- */

bool pts_plan_make(pts_render *r); /* false: no memory */
bool pts_parts_of(const pts_attachment *a, const pts_record *record, pts_parts *parts);
/* With all labels in before and nothing left out. */
bool pts_whole_parts_of(const pts_attachment *a, const pts_record *record, pts_parts *parts);

/* ---- run.c ---- */

/* Read the run that begins at series[0]; totals has a place for each. false: no memory. */
bool pts_run_begin(pts_render *r, const uint32_t *series, uint32_t available, pts_total *totals);
void pts_run_free(pts_run *run);
static inline pts_text pts_run_label(const pts_run *run, uint32_t line) {
  return (pts_text){(const uint8_t *)run->labels + (size_t)line * PTS_LE_SIZE,
                    run->label_lengths[line]};
}
static inline double pts_run_value(const pts_run *run, uint32_t member, uint32_t line) {
  return run->values[(size_t)member * (run->bound_count + 1) + line];
}

/* ---- spread.c ---- */

/* The lines of a family, if it has enums (r->spread.used). false: no memory. */
bool pts_spread_begin(pts_render *r, const pts_order_family *family);
void pts_spread_free(pts_spread *spread);

/* ---- render.c ---- */

int32_t pts_render_lines(pts_render *r, uint8_t *buffer, uint32_t size);

#endif

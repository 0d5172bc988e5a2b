/*
 * order.h: families and series in the order of the exposition: names bytewise, then series by the
 * text of their labels, the one without labels first. Built once, then only added to.
 */
#ifndef PTS_ORDER_H
#define PTS_ORDER_H

#include "metrics.h"
#include "text.h"

int pts_text_compare(pts_text x, pts_text y); /* bytewise, a prefix first */

/* A series's entry taken apart, its header read from the file once. */
typedef struct pts_printed_entry {
  pts_text printed;
  uint32_t name_length;
  bool quoted;
  uint16_t insertion[2]; /* histograms, summaries and enums: where a label goes, and how many bytes it replaces */
} pts_printed_entry;

/* The texts of records; false when the file is damaged there. */
bool pts_record_entry(const pts_attachment *a, const pts_record *record, pts_printed_entry *out);
pts_text pts_printed_labels(const pts_printed_entry *entry);
bool pts_record_printed(const pts_attachment *a, const pts_record *record, pts_text *printed);
bool pts_record_labels(const pts_attachment *a, const pts_record *record, pts_text *labels);
bool pts_family_name(const pts_attachment *a, const pts_record *family, pts_text *name);

typedef struct pts_order_family {
  uint32_t record;
  uint32_t first; /* in series: first the values, then the histograms, each in order */
  uint32_t values;
  uint32_t histograms; /* and summaries */
  bool enums;   /* some of the values are */
  bool tangled; /* bucket lines of some histograms have the same labels */
} pts_order_family;

/* Never changed once it is made; shared by renders that hold a reference. */
typedef struct pts_order {
  uint32_t references;
  uint32_t seen; /* records below it are in */
  uint32_t family_count;
  uint32_t series_count;
  uint32_t histogram_count;
  bool quoted; /* some labels have quoted names */
  pts_order_family *families;
  uint32_t *series;
  uint32_t *known;   /* of each record below seen: the incarnation that is in, plus 1; 0: none */
  uint64_t changes; /* the store's when it was made */
  bool unsure;       /* records were given away meanwhile: the next order does not build on this one */
} pts_order;

/* Whether the record still has the labels by which it is in the order. Asked before and after its text is
 * used: acquire, and behind an acquire fence. */
static inline bool pts_order_holds(const pts_order *order, const pts_attachment *a, uint32_t number) {
  uint32_t shows = pts_head_shows(pts_load_acquire_u64(&a->records[number].head));
  return shows != 0 && shows == order->known[number];
}

/* The order of all records there are now, with a reference for the caller; NULL: no memory. */
pts_order *pts_order_now(pts_attachment *a);

#endif

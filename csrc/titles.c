/*
 * What each family is called in an exposition, and which type it is given.
 *
 * The text format prints names as they are stored. Two things change them:
 *   - a reader that does not know all names gets them escaped (escape.h);
 *   - OpenMetrics's families have names of their own: a counter's samples have _total behind it, and
 *     parsers refuse names that two families lay claim to.
 *
 * I1: with escaping, no two families get the same name: the one that is of Prometheus's own set keeps
 *     it, any other falls back to the values scheme.
 * I2: in OpenMetrics, a family gets its declared type only if the samples it has are of that type and
 *     no other family has, or may be given, one of the names that the type takes. Else it is of type
 *     unknown and every sample keeps the name it has in the text format, which nobody else claims: so
 *     nothing is lost, and nothing is refused.
 */
#include "claims.h"
#include "render.h"

typedef struct builder {
  pts_render *r;
  pts_claims claims;
  uint8_t quoted[2 * PTS_ESCAPED_MOST(PTS_MAX_NAME)];
} builder;

static bool name_of(const pts_render *r, uint32_t family, pts_text *name) {
  const pts_record *record = pts_record_at(r->a, r->order->families[family].record);
  return record && pts_family_name(r->a, record, name) && name->length <= PTS_MAX_NAME;
}

/* ---- names ---------------------------------------------------------------------------------------- */

/* Keep a title that is the family's whole name, unquoted, in the scheme. */
static bool keep_name(builder *b, uint32_t family, pts_text name, pts_scheme scheme) {
  pts_growing *text = &b->r->titles_text;
  pts_title *title = &b->r->titles[family];
  if (!pts_growing_reserve(text, PTS_ESCAPED_MOST(name.length))) return false;
  title->at = text->used;
  title->length = pts_name_escape(name, scheme, PTS_NAME_OF_METRIC, text->bytes + text->used);
  title->as_stored = pts_text_equal(name, pts_title_text(b->r, title));
  title->as_declared = title->as_stored;
  text->used += title->length;
  return true;
}

/* Names of Prometheus's own set come first, so that those which are escaped give way. */
static bool keep_names(builder *b, bool legacy) {
  pts_render *r = b->r;
  for (uint32_t f = 0; f < r->order->family_count; f++) {
    pts_text name;
    if (!name_of(r, f, &name) || pts_name_is_legacy(name, PTS_NAME_OF_METRIC) != legacy) continue;
    if (!keep_name(b, f, name, r->scheme)) return false;
    pts_text title = pts_title_text(r, &r->titles[f]);
    if (!legacy && pts_claims_owner(&b->claims, title, PTS_NO_TEXT) != PTS_CLAIM_NOBODY) {
      if (!keep_name(b, f, name, PTS_SCHEME_VALUES)) return false;
      title = pts_title_text(r, &r->titles[f]);
    }
    pts_claims_add(&b->claims, title, PTS_NO_TEXT, f);
  }
  return !b->claims.out_of_memory;
}

/* What lines begin with: a name that is not of Prometheus's own set is quoted. */
static bool quote_names(builder *b) {
  pts_render *r = b->r;
  for (uint32_t f = 0; f < r->order->family_count; f++) {
    pts_title *title = &r->titles[f];
    pts_text name = pts_title_text(r, title);
    if (title->length == 0 || pts_name_is_legacy(name, PTS_NAME_OF_METRIC)) continue;
    title->quoted = true;
    title->length = pts_name_quote(name, b->quoted);
    if (!pts_growing_reserve(&r->titles_text, title->length)) return false;
    title->at = r->titles_text.used;
    pts_growing_add(&r->titles_text, (pts_text){b->quoted, title->length});
  }
  return true;
}

/* ---- OpenMetrics ----------------------------------------------------------------------------------- */

#define MOST_SUFFIXES 5

/* What a type puts behind its family's name, and what of it its values carry. */
typedef struct type {
  char letter;
  pts_suffix suffix;
  const char *suffixes[MOST_SUFFIXES];
} type;

static const type types[] = {
    {'c', PTS_SUFFIX_TOTAL, {"", "_total", "_created"}},
    {'h', PTS_SUFFIX_NONE, {"", "_bucket", "_count", "_sum", "_created"}},
    {'s', PTS_SUFFIX_NONE, {"", "_count", "_sum", "_created"}},
    {'i', PTS_SUFFIX_INFO, {"", "_info"}},
    {0, PTS_SUFFIX_NONE, {""}},
};

static const type *type_of(char letter) {
  const type *type = types;
  while (type->letter && type->letter != letter) type++;
  return type;
}

pts_text pts_suffix_of_value(pts_suffix suffix) {
  static const char *const texts[] = {"", "_total", "_info"};
  return pts_text_of(texts[suffix]);
}

static uint32_t kind_at(const pts_render *r, const pts_order_family *family, uint32_t at) {
  const pts_record *record = pts_record_at(r->a, r->order->series[family->first + at]);
  return record ? record->kind : 0;
}

/* Whether all series from one place of the family's to another are of a kind. */
static bool only(const pts_render *r, const pts_order_family *family, uint32_t from, uint32_t to,
                 uint32_t kind) {
  for (uint32_t i = from; i < to; i++)
    if (kind_at(r, family, i) != kind) return false;
  return true;
}

/* The type that suits the series there are: the declared one, or 'u' if they are of another. */
static char suitable_type(const pts_render *r, uint32_t f, char declared) {
  const pts_order_family *family = &r->order->families[f];
  if (family->histograms == 0) {
    if (declared == 'e') return only(r, family, 0, family->values, PTS_KIND_ENUM) ? 'e' : 'g';
    return (declared == 'h' || declared == 's') && family->values ? 'u' : declared;
  }
  char found = kind_at(r, family, family->values) == PTS_KIND_SUMMARY ? 's' : 'h';
  bool pure = family->values == 0 && !family->tangled;
  if (declared == '-') return pure ? found : '-';
  /* Only a declaration makes summaries, and their family may have had histograms before it. */
  if (declared == 's')
    pure = pure && only(r, family, 0, family->histograms, PTS_KIND_SUMMARY);
  if (declared == 'h' || declared == 's') return pure && declared == found ? found : 'u';
  return declared == 'g' ? 'g' : 'u'; /* values beside histograms */
}

/* The names that its samples have in the text format. */
static void reserve(builder *b, uint32_t f) {
  const pts_order_family *family = &b->r->order->families[f];
  pts_text name = pts_title_text(b->r, &b->r->titles[f]);
  if (family->histograms == 0) return;
  for (pts_part part = PTS_PART_BUCKET; part <= PTS_PART_SUM; part++)
    pts_claims_add(&b->claims, name, pts_part_suffix(part), f);
}

static bool is_free(const builder *b, pts_text name, const char *suffix, uint32_t f) {
  uint32_t owner = pts_claims_owner(&b->claims, name, pts_text_of(suffix));
  return owner == PTS_CLAIM_NOBODY || owner == f;
}

/* Take all names of the type, or none. */
static bool claim(builder *b, const type *type, pts_text stem, uint32_t f) {
  for (int i = 0; i < MOST_SUFFIXES && type->suffixes[i]; i++)
    if (!is_free(b, stem, type->suffixes[i], f)) return false;
  for (int i = 0; i < MOST_SUFFIXES && type->suffixes[i]; i++)
    pts_claims_add(&b->claims, stem, pts_text_of(type->suffixes[i]), f);
  return true;
}

/* A state set's label must be called as it is; escaping may part them. */
static bool label_has_its_name(builder *b, uint32_t f) {
  pts_text name;
  if (b->r->scheme == PTS_SCHEME_NONE) return true;
  if (!name_of(b->r, f, &name)) return false;
  pts_text label = {b->quoted, pts_name_escape(name, b->r->scheme, PTS_NAME_OF_LABEL, b->quoted)};
  return pts_text_equal(label, pts_title_text(b->r, &b->r->titles[f]));
}

static void give_type(builder *b, uint32_t f, char declared) {
  pts_title *title = &b->r->titles[f];
  pts_text name = pts_title_text(b->r, title), stem = name;
  const type *type = type_of(title->type);
  pts_text suffix = pts_suffix_of_value(type->suffix);
  bool has_it = suffix.length && name.length > suffix.length && pts_text_ends(name, suffix);
  if (has_it) stem.length -= suffix.length;
  if (claim(b, type, stem, f)) {
    title->length = stem.length;
    title->suffix = type->suffix;
    title->whole = title->type == 'h' || title->type == 's';
    if (suffix.length && !has_it) title->as_stored = false;
  } else if (title->type != '-') {
    title->type = 'u';
  }
  if (title->type == 'e' && !label_has_its_name(b, f)) title->type = 'g';
  if (title->type != declared) title->as_declared = false;
  if (title->type == '-') title->type = 0;
}

static bool give_types(builder *b) {
  pts_render *r = b->r;
  for (uint32_t f = 0; f < r->order->family_count; f++)
    if (r->titles[f].length) reserve(b, f);
  for (uint32_t f = 0; f < r->order->family_count; f++) {
    const pts_record *record = pts_record_at(r->a, r->order->families[f].record);
    if (!record || r->titles[f].length == 0) continue;
    char declared = pts_family_traits(r->a, record).type;
    r->titles[f].type = suitable_type(r, f, declared);
    give_type(b, f, declared);
  }
  return !b->claims.out_of_memory;
}

/* ---- all of them ------------------------------------------------------------------------------------- */

static bool needs_titles(const pts_render *r) {
  if (pts_is_openmetrics(r)) return true;
  if (r->scheme == PTS_SCHEME_NONE) return false;
  if (r->order->quoted) return true;
  for (uint32_t f = 0; f < r->order->family_count; f++) {
    pts_text name;
    if (name_of(r, f, &name) && !pts_name_is_legacy(name, PTS_NAME_OF_METRIC)) return true;
  }
  return false;
}

bool pts_titles_make(pts_render *r) {
  if (!needs_titles(r)) return true;
  uint32_t count = r->order->family_count;
  r->titles = calloc((size_t)count + 1, sizeof *r->titles);
  builder *b = calloc(1, sizeof *b);
  bool made = r->titles && b;
  if (made) {
    b->r = r;
    made = pts_claims_make(&b->claims, 2 * count) && keep_names(b, true) && keep_names(b, false) &&
           (!pts_is_openmetrics(r) || give_types(b)) && quote_names(b);
    pts_claims_free(&b->claims);
  }
  free(b);
  return made;
}

/* ---- what is wanted ------------------------------------------------------------------------------------ */

bool pts_only_has(const pts_only *only, pts_text name, pts_text suffix) {
  const uint8_t *at = only->bytes;
  for (uint32_t i = 0; i < only->count; at += only->lengths[i++]) {
    if (only->lengths[i] != name.length + suffix.length) continue;
    if (pts_text_equal((pts_text){at, name.length}, name) &&
        pts_text_equal((pts_text){at + name.length, suffix.length}, suffix))
      return true;
  }
  return false;
}

/* The name with anything behind it that its type may put there. */
static bool has_any(const pts_only *only, pts_text name, const type *type) {
  pts_text suffix = pts_suffix_of_value(type->suffix);
  if (pts_only_has(only, name, PTS_NO_TEXT)) return true;
  if (suffix.length && pts_text_ends(name, suffix)) name.length -= suffix.length;
  for (int i = 0; i < MOST_SUFFIXES && type->suffixes[i]; i++)
    if (pts_only_has(only, name, pts_text_of(type->suffixes[i]))) return true;
  return false;
}

bool pts_is_wanted(const pts_render *r, uint32_t f, pts_text name) {
  if (!r->only.used) return true;
  const pts_order_family *family = &r->order->families[f];
  const pts_record *record = pts_record_at(r->a, family->record);
  char letter = family->histograms ? 'h' : record ? pts_family_traits(r->a, record).type : '-';
  if (has_any(&r->only, name, type_of(letter))) return true;
  if (!r->titles) return false;
  const pts_title *title = &r->titles[f];
  return has_any(&r->only, pts_title_text(r, title), type_of(letter));
}

/*
 * fuzz_store.c: any bytes in a store's file, and every call of the library on it.
 *
 * Input: three bytes that say what is done, then patches (image.h). Nothing may crash, hang, read or
 * write beyond the mapping, or behave in an undefined way; what the calls return is free.
 */
#include <stdio.h>
#include <string.h>

#include "image.h"
#include "layout.h"
#include "pts.h"
#include "pts_check.h"
#include "pts_cache.h"

#define NOW 1700000000u
#define MOST_CHUNKS 64u /* a hostile file may ask for gigabytes of text; who reads, decides */

enum {
  TWO_WORKERS = 1,
  NO_METRICS = 2,
  NO_CACHE = 4,
  CLEAR = 8,
  REPAIR_FIRST = 16,
  PATCHES_AT_POINTS = 32, /* somebody writes into the file in the middle of our calls */
  PATCHES_WHILE_READING = 64,
  LEXICAL = 128,
};

static char words[1 << 16];
static uint8_t buffer[4096];
static uint64_t aligned_buffer[1024];

static const uint8_t *bytes(const char *text) { return (const uint8_t *)text; }

/* ---- metrics -------------------------------------------------------------------------------------- */

/* A histogram's; a summary's window in milliseconds, its parts and a quantile. */
static const double bounds[] = {0.5, 1, 2.5}, windows[] = {2000, 2, 0.5};

static int32_t attach(uint32_t flags) {
  pts_options options = {.path = fuzz_image_path(),
                         .flags = flags,
                         .max_workers = 2,
                         .lock_timeout_ms = 20,
                         .capacity = 64 << 10};
  return pts_open(&options, words, sizeof words);
}

static int32_t series(int32_t a, uint32_t kind, const char *printed) {
  char text[256];
  const char *brace = strchr(printed, '{');
  uint32_t length = (uint32_t)strlen(printed);
  uint32_t name = brace ? (uint32_t)(brace - printed) : length;
  snprintf(text, sizeof text, "%.*s%s", (int)name, printed, printed);
  pts_series_key key = {.kind = kind,
                        .name_length = name,
                        .series_length = length,
                        .insert_at = brace ? length - 1 : length,
                        .bound_count = kind == PTS_KIND_HISTOGRAM || kind == PTS_KIND_SUMMARY ? 3 : 0};
  return pts_series((uint32_t)a, &key, (const uint8_t *)text, kind == PTS_KIND_SUMMARY ? windows : bounds);
}

/* traits: what the library reads of a declaration (pts.h). */
static void declare(int32_t a, const char *name, const char *traits, const char *header,
                    bool states) {
  char parts[256];
  uint32_t lengths[] = {2, (uint32_t)strlen(traits), (uint32_t)strlen(header), 0, 7, 7};
  snprintf(parts, sizeof parts, "{}%s%ss=\"one\"s=\"two\"", traits, header);
  pts_declare((uint32_t)a, bytes(name), (uint32_t)strlen(name), bytes(parts), lengths,
              states ? 6 : 4);
}

static const struct {
  uint32_t kind;
  const char *printed;
} known[] = {
    {PTS_KIND_VALUE, "requests{m=\"GET\"}"}, {PTS_KIND_VALUE, "requests{m=\"PUT\"}"},
    {PTS_KIND_VALUE, "level"},               {PTS_KIND_VALUE, "stamped"},
    {PTS_KIND_VALUE, "removed"},             {PTS_KIND_HISTOGRAM, "took"},
    {PTS_KIND_HISTOGRAM, "took{m=\"GET\"}"}, {PTS_KIND_ENUM, "state"},
    {PTS_KIND_LIVE, "alive"},                {PTS_KIND_VALUE, "took_sum"},
    {PTS_KIND_SUMMARY, "size{m=\"GET\"}"},
    {PTS_KIND_LIVE, "most"},                 {PTS_KIND_RECENT, "recent"},
    {PTS_KIND_VALUE, "short{a=\"1\"}"},
};
#define KNOWN (sizeof known / sizeof *known)

/* A full buffer, then two windows more. */
static void update_summary(uint32_t a, uint32_t h) {
  double numbers[3];
  for (uint32_t i = 0; i < 131; i++) pts_observe_at(a, h, i % 50, i < 129 ? 1000 : 1000.0 * i);
  pts_quantiles(a, h, 130000, numbers, 3);
}

static void leave_exemplars(uint32_t number, uint32_t h) {
  static const char text[] = "trace=\"0123456789abcdef0123456789abcdef\",and=\"more of it than fits\"";
  pts_exemplar(number, h, 0.75, 1e12, bytes(text), 40);
  pts_exemplar(number, h, 100, 1e12, bytes(text), sizeof text - 1);
}

/* Series that come and leave: an insertion after enough of them looks for their room. */
static void come_and_go(int32_t a, uint32_t times) {
  for (uint32_t i = 0; i < times; i++) {
    char printed[32];
    snprintf(printed, sizeof printed, "gone{i=\"%u\"}", i % 4);
    int32_t h = series(a, i % 4 == 3 ? PTS_KIND_HISTOGRAM : PTS_KIND_VALUE, printed);
    if (h < 0) continue;
    i % 4 == 3 ? pts_observe((uint32_t)a, (uint32_t)h, 1) : pts_add((uint32_t)a, (uint32_t)h, 1);
    pts_remove((uint32_t)a, (uint32_t)h);
  }
}

/* What pts_direct_read says must be in the mapping, whatever the file says. */
static void add_directly(uint32_t number, uint32_t h) {
  pts_direct direct;
  if (pts_direct_read(number, h, &direct) != 0) return;
  uint8_t *base = (uint8_t *)(uintptr_t)direct.base;
  if (*(uint32_t *)(void *)(base + direct.series_at) != direct.series_generation) return;
  if (*(uint32_t *)(void *)(base + direct.store_at) != direct.store_generation) return;
  *(double *)(void *)(base + direct.cell_at) += 1;
}

static void update_known(int32_t a) {
  for (size_t i = 0; i < KNOWN; i++) {
    uint32_t number = (uint32_t)a;
    int32_t handle = series(a, known[i].kind, known[i].printed);
    if (handle < 0) continue;
    uint32_t h = (uint32_t)handle;
    switch (known[i].kind) {
    case PTS_KIND_HISTOGRAM:
      pts_observe(number, h, 0.75);
      pts_observe(number, h, 100);
      leave_exemplars(number, h);
      break;
    case PTS_KIND_SUMMARY:
      update_summary(number, h);
      break;
    case PTS_KIND_ENUM:
      pts_set(number, h, 1);
      break;
    default:
      pts_add(number, h, 2);
      if (i == 2) pts_set(number, h, 5);
      if (i == 3) pts_set_at(number, h, 5, 1e12);
      if (i == 4) pts_remove(number, h);
      if (i == 0) leave_exemplars(number, h);
      pts_add(number, h, 1);
      add_directly(number, h);
      pts_add(number, h, 1);
    }
    double value, count;
    pts_value(number, h, &value, &count);
  }
}

static void make_metrics(void) {
  int32_t a = attach(0), b = attach(0);
  MUST(a >= 0 && b >= 0);
  declare(a, "requests", "-.c;", "# HELP requests All.\n# TYPE requests counter\n", false);
  declare(a, "took", "-.h;", "# TYPE took histogram\n", false);
  declare(a, "state", "-.e;", "# TYPE state gauge\n", true);
  declare(a, "most", "M.g;", "# TYPE most gauge\n", false);
  declare(a, "recent", "rlg;", "# TYPE recent gauge\n", false);
  declare(a, "short", "-.c1;", "# TYPE short counter\n", false);
  update_known(a);
  update_known(b);
  come_and_go(a, 100);
  MUST(series(a, PTS_KIND_VALUE, "finds{room=\"1\"}") >= 0); /* and leaves some free */
  int32_t removed = series(a, PTS_KIND_VALUE, "removed");
  MUST(removed >= 0 && pts_remove((uint32_t)a, (uint32_t)removed) == 0);
  pts_usage usage;
  MUST(pts_usage_read((uint32_t)a, &usage) == 0 && usage.free_records > 0);
  come_and_go(b, 100); /* so that the next insertion looks for more */
  pts_close((uint32_t)a);
  pts_close((uint32_t)b);
}

static uint32_t render(int32_t a, uint32_t flags, uint32_t size, fuzz_input *input, bool patches) {
  int32_t r = pts_render_open((uint32_t)a, flags, 0);
  if (r < 0) return 0;
  uint32_t total = 0;
  for (uint32_t i = 0; i < MOST_CHUNKS; i++) {
    int32_t n = pts_render_next((uint32_t)a, (uint32_t)r, buffer, size);
    if (n <= 0) break;
    MUST((uint32_t)n <= size);
    total += (uint32_t)n;
    if (patches) fuzz_patch(input);
  }
  pts_render_close((uint32_t)a, (uint32_t)r);
  return total;
}

/* Flags of the other formats. */
static uint32_t flags_of(uint8_t what) {
  static const uint32_t schemes[] = {0, PTS_RENDER_ESCAPE_UNDERSCORES, PTS_RENDER_ESCAPE_DOTS,
                                     PTS_RENDER_ESCAPE_VALUES};
  return schemes[what % 4] | (what & 4 ? PTS_RENDER_OPENMETRICS | PTS_RENDER_CREATED : 0) |
         (what & 8 ? PTS_RENDER_STORE : 0);
}

static void touch_new(int32_t a) {
  static const char *const printed[] = {"new", "new{a=\"b\"}", "requests{m=\"NEW\"}"};
  for (size_t i = 0; i < 3; i++) {
    int32_t h = series(a, PTS_KIND_VALUE, printed[i]);
    if (h < 0) continue;
    pts_touch((uint32_t)a, (uint32_t)h);
    pts_set_at((uint32_t)a, (uint32_t)h, 3, 1e12 + i);
  }
  uint32_t length = 7;
  pts_remove_matching((uint32_t)a, bytes("requests"), 8, bytes("m=\"NEW\""), &length, 1);
  declare(a, "new", "sl-;", "# TYPE new gauge\n", true);
  pts_declared((uint32_t)a, bytes("state"), 5, 3, buffer, 4);
}

static uint32_t use_metrics(uint8_t what, fuzz_input *input) {
  int32_t a = attach(0), b = what & TWO_WORKERS ? attach(PTS_OPEN_EXISTING) : -1;
  uint32_t total = 0;
  if (a >= 0) {
    bool patches = what & PATCHES_WHILE_READING;
    total = render(a, what & LEXICAL ? PTS_RENDER_LEXICAL : 0, 512, input, patches);
    update_known(a);
    if (what & CLEAR) pts_clear((uint32_t)a);
    come_and_go(a, 8);
    touch_new(a);
    if (b >= 0) update_known(b);
    update_known(a);
    render(a, what & LEXICAL ? 0 : PTS_RENDER_LEXICAL, sizeof buffer, input, patches);
    render(a, flags_of(what), 2048, input, patches);
    pts_usage usage;
    pts_usage_read((uint32_t)a, &usage);
  }
  if (a >= 0) pts_close((uint32_t)a);
  if (b >= 0) pts_close((uint32_t)b);
  return total;
}

/* ---- the cache ------------------------------------------------------------------------------------- */

static int32_t open_cache(void) {
  pts_cache_options options = {.path = fuzz_image_path(),
                               .flags = PTS_CACHE_COUNT_READS,
                               .max_workers = 2,
                               .lock_timeout_ms = 20,
                               .num_pages = 2,
                               .page_size = 512,
                               .start_slots = 7};
  return pts_cache_open(&options, words, sizeof words);
}

static void set_some(uint32_t c, uint32_t first, uint32_t count, uint32_t length) {
  for (uint32_t i = first; i < first + count; i++) {
    char key[8];
    uint64_t modseq = i;
    uint32_t flags = (i % 3 == 0 ? (uint32_t)PTS_CACHE_DIRTY : 0u) |
                     (i % 4 == 0 ? (uint32_t)PTS_CACHE_MODSEQ : 0u);
    uint32_t n = (uint32_t)snprintf(key, sizeof key, "k%u", i);
    pts_cache_set(c, bytes(key), n, buffer, length, NOW, i % 5 == 0 ? NOW + i : 0, flags,
                  i % 4 == 0 ? &modseq : NULL);
  }
}

static void make_cache(void) {
  int32_t c = open_cache();
  MUST(c >= 0);
  memset(buffer, 'v', sizeof buffer);
  set_some((uint32_t)c, 0, 30, 20);
  MUST(pts_cache_get((uint32_t)c, bytes("k29"), 3, NOW, 0, buffer, sizeof buffer, NULL) == 20);
  MUST(pts_cache_check((uint32_t)c, words, sizeof words) == 0);
  pts_cache_close((uint32_t)c);
}

static void read_cache(uint32_t c, uint8_t what, fuzz_input *input) {
  pts_cache_entry entry;
  for (uint32_t i = 0; i < 32; i += 3) {
    char key[8];
    uint32_t n = (uint32_t)snprintf(key, sizeof key, "k%u", i);
    pts_cache_get(c, bytes(key), n, NOW + i, 0, buffer, i % 2 ? 8 : sizeof buffer, &entry);
    if (what & PATCHES_WHILE_READING && i % 9 == 0) fuzz_patch(input);
  }
  const uint32_t lengths[] = {2, 3, 3, 2};
  pts_cache_get_many(c, bytes("k1k25k28xx"), lengths, 4, NOW, 0, (uint8_t *)aligned_buffer, 512);
  for (uint32_t page = 0; page < 2; page++)
    pts_cache_page(c, page, NOW, page ? (uint32_t)PTS_CACHE_EXPIRED_TOO : 0u,
                   (uint8_t *)aligned_buffer, page ? 700 : sizeof aligned_buffer);
}

static void write_cache(uint32_t c, uint8_t what) {
  set_some(c, 20, 14, 30);
  pts_cache_take(c, bytes("k25"), 3, NOW, 0, buffer, 16, NULL);
  pts_cache_remove(c, bytes("k26"), 3, 0, NULL);
  int32_t r = pts_cache_set(c, bytes("big"), 3, buffer, 300, NOW, 0,
                            PTS_CACHE_DIRTY | PTS_CACHE_WRITE_BACK, NULL);
  if (r == PTS_CACHE_DIRTY_FIRST) {
    pts_cache_victims(c, PTS_CACHE_FOR_ROOM, NOW, (uint8_t *)aligned_buffer, 2048);
    pts_cache_set(c, bytes("big"), 3, buffer, 300, NOW, 0, PTS_CACHE_HELD, NULL);
    pts_cache_unlock(c);
  }
  if (pts_cache_lock_page(c, 1) >= 0) pts_cache_unlock(c);
  pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, what & CLEAR ? PTS_CACHE_ALL : PTS_CACHE_EXPIRED,
                    NOW + 17, 0);
}

static void use_cache(uint8_t what, fuzz_input *input) {
  int32_t c = open_cache(), d = what & TWO_WORKERS ? open_cache() : -1;
  if (c >= 0) {
    pts_cache_statistics statistics;
    read_cache((uint32_t)c, what, input);
    write_cache((uint32_t)c, what);
    if (d >= 0) write_cache((uint32_t)d, what);
    read_cache((uint32_t)c, what, input);
    pts_cache_statistics_read((uint32_t)c, what & CLEAR ? PTS_CACHE_CLEAR : 0, &statistics);
    pts_cache_check((uint32_t)c, words, what & LEXICAL ? 64 : sizeof words);
  }
  if (c >= 0) pts_cache_close((uint32_t)c);
  if (d >= 0) pts_cache_close((uint32_t)d);
}

/* With nobody who breaks it again, all of it is whole after a repair. */
static void repair_cache(void) {
  int32_t c = open_cache();
  if (c < 0) return;
  if (pts_cache_repair((uint32_t)c) >= 0)
    MUST(pts_cache_check((uint32_t)c, words, sizeof words) == 0);
  pts_cache_close((uint32_t)c);
}

static void repair_metrics(void) {
  int32_t findings = pts_check(fuzz_image_path(), PTS_CHECK_REPAIR, words, sizeof words);
  bool full = strstr(words, "stays: there is no room") != NULL;
  if (findings > 0 && !full) fprintf(stderr, "%s\n", words);
  MUST(findings <= 0 || full);
}

/* ---- one run ---------------------------------------------------------------------------------------- */

static uint32_t use(uint8_t what, uint32_t every, fuzz_input *input) {
  uint32_t total = 0;
  fuzz_patch_later(input, what & PATCHES_AT_POINTS ? every + 1 : 0);
  if (what & REPAIR_FIRST)
    pts_check(fuzz_image_path(), PTS_CHECK_REPAIR, words, what & LEXICAL ? 100 : sizeof words);
  if (!(what & NO_METRICS)) total = use_metrics(what, input);
  if (!(what & NO_CACHE)) use_cache(what, input);
  pts_check(fuzz_image_path(), 0, words, sizeof words);
  pts_check(fuzz_image_path(), PTS_CHECK_REPAIR, words, sizeof words);
  fuzz_patch_later(input, 0);
  repair_metrics();
  if (!(what & NO_CACHE)) repair_cache();
  return total;
}

static void make_image(void) {
  make_metrics();
  make_cache();
  fuzz_image_keep();
  fuzz_regions_find();
  /* Unbroken, all of it works, and leaves a whole store: otherwise the runs would show nothing. */
  fuzz_input none = {NULL, NULL};
  MUST(use(TWO_WORKERS, 0, &none) > 400);
  MUST(pts_check(fuzz_image_path(), 0, words, sizeof words) == 0);
  fuzz_image_restore();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool made;
  if (!made) make_image();
  made = true;
  fuzz_input input = {data, data + size};
  uint8_t what = fuzz_byte(&input), count = fuzz_byte(&input), every = fuzz_byte(&input);
  for (uint32_t i = 0; i < count % 32u; i++) fuzz_patch(&input);
  use(what, every % 64u, &input);
  fuzz_image_restore();
  return 0;
}

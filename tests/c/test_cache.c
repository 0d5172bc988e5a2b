/*
 * What each call of pts_cache.h does, one rule a test.
 */
#include "test_cache.h"

static uint8_t buffer[1 << 18];

static int32_t set_flags(uint32_t c, const char *key, const char *value, uint32_t expire_on,
                         uint32_t flags) {
  return pts_cache_set(c, bytes(key), (uint32_t)strlen(key), bytes(value), (uint32_t)strlen(value),
                       NOW, expire_on, flags, NULL);
}

static int32_t set_modseq(uint32_t c, const char *key, const char *value, uint64_t modseq,
                          uint32_t expire_on, uint32_t flags) {
  return pts_cache_set(c, bytes(key), (uint32_t)strlen(key), bytes(value), (uint32_t)strlen(value),
                       NOW, expire_on, flags | PTS_CACHE_MODSEQ, &modseq);
}

static int32_t bury(uint32_t c, const char *key, uint64_t modseq, uint32_t expire_on) {
  return set_modseq(c, key, "", modseq, expire_on, PTS_CACHE_TOMBSTONE);
}

static int32_t get_entry(uint32_t c, const char *key, uint32_t now, uint32_t flags,
                         pts_cache_entry *entry) {
  return pts_cache_get(c, bytes(key), (uint32_t)strlen(key), now, flags, buffer, sizeof buffer,
                       entry);
}

static int32_t remove_key(uint32_t c, const char *key) {
  return pts_cache_remove(c, bytes(key), (uint32_t)strlen(key), 0, NULL);
}

/* Fill a page with values of that length until one must have been evicted. */
static void fill(uint32_t c, uint32_t length, uint32_t flags, uint32_t now) {
  uint64_t before = statistics(c).evictions;
  for (uint32_t i = 0; statistics(c).evictions == before && i < 10000; i++) {
    char key[16];
    snprintf(key, sizeof key, "fill%u", i);
    memset(buffer, 'f', length);
    CHECK_EQUAL(pts_cache_set(c, bytes(key), (uint32_t)strlen(key), buffer, length, now, 0, flags,
                              NULL),
                PTS_CACHE_STORED);
  }
}

/* ---- opening --------------------------------------------------------------------------------- */

static int32_t open_shape(const char *name, pts_cache_options options, char *message) {
  options.path = in_folder(name);
  return pts_cache_open(&options, message, 1024);
}

static void attach_adopts_the_geometry(void) {
  uint32_t a = open_cache("adopt", 0, 3, 2048, 50), b = open_cache("adopt", 0, 0, 0, 0);
  pts_cache_shape shape;
  CHECK_EQUAL(pts_cache_shape_read(a, &shape), 0);
  CHECK_EQUAL(shape.existed, 0);
  CHECK_EQUAL(pts_cache_shape_read(b, &shape), 0);
  CHECK_EQUAL(shape.existed, 1);
  CHECK_EQUAL(shape.num_pages, 3);
  CHECK_EQUAL(shape.page_size, 2048);
  CHECK_EQUAL(shape.start_slots, 50);
  CHECK_EQUAL(shape.max_workers, 256);
  CHECK_EQUAL(shape.largest, 2048 - 32 - 200 - 24);
  CHECK_EQUAL(set_text(a, "k", "v", NOW), PTS_CACHE_STORED);
  CHECK_TEXT(get_text(b, "k", NOW), "v");
  pts_cache_close(a);
  CHECK_TEXT(get_text(b, "k", NOW), "v");
  pts_cache_close(b);
  CHECK_EQUAL(set_text(b, "k", "v", NOW), PTS_E_CLOSED);
}

static void another_geometry_is_refused(void) {
  char message[1024];
  uint32_t a = open_cache("other", 0, 3, 2048, 50);
  CHECK_EQUAL(open_shape("other", (pts_cache_options){.num_pages = 4}, message), PTS_E_GEOMETRY);
  CHECK(strstr(message, "3 pages of 2048 bytes") && strstr(message, "4 pages"));
  CHECK_EQUAL(open_shape("other", (pts_cache_options){.page_size = 4096}, message), PTS_E_GEOMETRY);
  CHECK_EQUAL(open_shape("other", (pts_cache_options){.start_slots = 89}, message), PTS_E_GEOMETRY);
  CHECK_EQUAL(open_shape("other", (pts_cache_options){.max_workers = 2}, message), PTS_E_GEOMETRY);
  int32_t b = open_shape("other", (pts_cache_options){.num_pages = 3, .page_size = 2048}, message);
  CHECK(b >= 0);
  pts_cache_close((uint32_t)b);
  pts_cache_close(a);
}

static void impossible_geometry_is_refused(void) {
  char message[1024];
  CHECK_EQUAL(open_shape("bad", (pts_cache_options){.page_size = 100}, message), PTS_E_INVALID);
  CHECK(strstr(message, "pageSize"));
  pts_cache_options no_room = {.page_size = 1024, .start_slots = 248};
  CHECK_EQUAL(open_shape("bad", no_room, message), PTS_E_INVALID);
  CHECK(strstr(message, "startSlots"));
  pts_cache_options too_many = {.num_pages = 1u << 23};
  CHECK_EQUAL(open_shape("bad", too_many, message), PTS_E_INVALID);
  CHECK(access(in_folder("bad"), F_OK) != 0);
}

static void every_worker_slot_taken(void) {
  char message[1024];
  pts_cache_options options = {.max_workers = 2};
  int32_t a = open_shape("few", options, message), b = open_shape("few", options, message);
  CHECK(a >= 0 && b >= 0);
  CHECK_EQUAL(open_shape("few", options, message), PTS_E_WORKERS_FULL);
  CHECK(strstr(message, "maxWorkers"));
  pts_cache_close((uint32_t)a);
  a = open_shape("few", options, message);
  CHECK(a >= 0);
  pts_cache_close((uint32_t)a);
  pts_cache_close((uint32_t)b);
}

static void init_file_leaves_the_old_one_to_its_users(void) {
  uint32_t a = open_cache("init", 0, 1, 1024, 0);
  set_text(a, "k", "old", NOW);
  uint32_t b = open_cache("init", PTS_OPEN_INIT, 2, 2048, 0);
  CHECK_TEXT(get_text(b, "k", NOW), NULL);
  CHECK_TEXT(get_text(a, "k", NOW), "old");
  CHECK_EQUAL(pts_cache_unlink(a), 0); /* the name is another file's now */
  CHECK_EQUAL(pts_cache_unlink(b), 1);
  CHECK_EQUAL(pts_cache_unlink(b), 0);
  pts_cache_close(a);
  pts_cache_close(b);
}

static void a_private_cache_has_no_name(void) {
  char message[1024];
  pts_cache_options options = {.flags = PTS_OPEN_PRIVATE, .num_pages = 1};
  int32_t c = pts_cache_open(&options, message, sizeof message);
  CHECK(c >= 0);
  set_text((uint32_t)c, "k", "v", NOW);
  CHECK_TEXT(get_text((uint32_t)c, "k", NOW), "v");
  CHECK(pts_cache_named_try((uint32_t)c, bytes("n"), 1) >= 0);
  CHECK_EQUAL(pts_cache_unlink((uint32_t)c), 0);
  pts_cache_close((uint32_t)c);
}

static int32_t open_metrics(const char *name) {
  char message[1024];
  pts_options options = {.path = in_folder(name), .capacity = 64 << 10, .max_workers = 2};
  return pts_open(&options, message, sizeof message);
}

static void metrics_and_a_cache_share_a_file_in_either_order(void) {
  uint32_t c = open_cache("both", 0, 1, 1024, 0);
  int32_t m = open_metrics("both");
  CHECK(m >= 0);
  set_text(c, "k", "v", NOW);
  CHECK_TEXT(get_text(c, "k", NOW), "v");
  pts_cache_close(c);
  pts_close((uint32_t)m);

  m = open_metrics("both2");
  CHECK(m >= 0);
  c = open_cache("both2", 0, 1, 1024, 0);
  uint32_t again = open_cache("both2", 0, 0, 0, 0);
  set_text(c, "k", "v", NOW);
  CHECK_TEXT(get_text(again, "k", NOW), "v");
  pts_close((uint32_t)m);
  CHECK_TEXT(get_text(again, "k", NOW), "v");
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
  pts_cache_close(again);
}

/* ---- get and set ----------------------------------------------------------------------------- */

static void any_bytes_are_keys_and_values(void) {
  uint32_t c = open_cache("bytes", 0, 3, 0, 0);
  CHECK_EQUAL(pts_cache_set(c, NULL, 0, NULL, 0, NOW, 0, 0, NULL), PTS_CACHE_STORED);
  CHECK_EQUAL(pts_cache_get(c, NULL, 0, NOW, 0, buffer, 10, NULL), 0);
  uint8_t key[300];
  for (int i = 0; i < 300; i++) key[i] = (uint8_t)i;
  CHECK_EQUAL(pts_cache_set(c, key, 300, key, 256, NOW, 0, 0, NULL), PTS_CACHE_STORED);
  CHECK_EQUAL(pts_cache_get(c, key, 300, NOW, 0, buffer, 300, NULL), 256);
  CHECK(memcmp(buffer, key, 256) == 0);
  CHECK_EQUAL(pts_cache_get(c, key, 299, NOW, 0, buffer, 300, NULL), PTS_E_NOT_FOUND);
  CHECK_EQUAL(pts_cache_set(c, NULL, 1, NULL, 0, NOW, 0, 0, NULL), PTS_E_INVALID);
  CHECK_EQUAL(pts_cache_set(c, key, 1, NULL, 1, NOW, 0, 0, NULL), PTS_E_INVALID);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void a_small_buffer_copies_and_counts_nothing(void) {
  uint32_t c = open_cache("small", 0, 1, 0, 0);
  set_text(c, "k", "value", NOW);
  pts_cache_entry entry = {0};
  memset(buffer, 0, 8);
  CHECK_EQUAL(pts_cache_get(c, bytes("k"), 1, NOW + 5, 0, buffer, 4, &entry), 5);
  CHECK_EQUAL(buffer[0], 0);
  CHECK_EQUAL(statistics(c).reads, 0);
  CHECK_EQUAL(get_entry(c, "k", NOW + 5, 0, &entry), 5);
  CHECK_EQUAL(entry.last_access, NOW); /* as it was before this read */
  CHECK_EQUAL(pts_cache_get(c, bytes("k"), 1, NOW + 6, 0, NULL, 0, NULL), 5); /* exists */
  CHECK_EQUAL(statistics(c).reads, 2);
  CHECK_EQUAL(statistics(c).hits, 2);
  CHECK_EQUAL(get_entry(c, "k", NOW + 9, PTS_CACHE_PEEK, &entry), 5);
  CHECK_EQUAL(entry.last_access, NOW + 6);
  CHECK_EQUAL(get_entry(c, "k", NOW + 9, PTS_CACHE_PEEK, &entry), 5);
  CHECK_EQUAL(entry.last_access, NOW + 6);
  CHECK_EQUAL(statistics(c).reads, 2);
  pts_cache_close(c);
}

static void entries_expire_to_the_second(void) {
  uint32_t c = open_cache("expire", 0, 1, 0, 0);
  pts_cache_entry entry;
  CHECK_EQUAL(set_flags(c, "k", "v", NOW + 10, 1 << 20), PTS_CACHE_STORED);
  CHECK_EQUAL(get_entry(c, "k", NOW + 9, 0, &entry), 1);
  CHECK_EQUAL(entry.expire_on, NOW + 10);
  CHECK_EQUAL(entry.flags, 1 << 20);
  CHECK_EQUAL(get_entry(c, "k", NOW + 10, 0, &entry), PTS_E_NOT_FOUND);
  CHECK_EQUAL(get_entry(c, "k", NOW + 10, PTS_CACHE_EXPIRED_TOO, &entry), 1);
  CHECK_EQUAL(statistics(c).reads, 3);
  CHECK_EQUAL(statistics(c).hits, 1);
  CHECK_EQUAL(pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_EXPIRED, NOW + 10, 0), 1);
  CHECK_EQUAL(statistics(c).expirations, 1);
  CHECK_EQUAL(get_entry(c, "k", NOW + 10, PTS_CACHE_EXPIRED_TOO, &entry), PTS_E_NOT_FOUND);
  /* remove finds the expired too */
  set_flags(c, "old", "v", NOW - 1, PTS_CACHE_DIRTY);
  uint32_t flags = 0;
  CHECK_EQUAL(pts_cache_remove(c, bytes("old"), 3, 0, &flags), 1);
  CHECK_EQUAL(flags, PTS_CACHE_DIRTY);
  CHECK_EQUAL(remove_key(c, "old"), 0);
  pts_cache_close(c);
}

static void take_gets_and_removes(void) {
  uint32_t c = open_cache("take", 0, 1, 0, 0);
  set_text(c, "k", "value", NOW);
  CHECK_EQUAL(pts_cache_take(c, bytes("k"), 1, NOW, 0, buffer, 2, NULL), 5); /* too small: stays */
  CHECK_TEXT(get_text(c, "k", NOW), "value");
  CHECK_EQUAL(pts_cache_take(c, bytes("k"), 1, NOW, 0, buffer, 9, NULL), 5);
  CHECK(memcmp(buffer, "value", 5) == 0);
  CHECK_EQUAL(pts_cache_take(c, bytes("k"), 1, NOW, 0, buffer, 9, NULL), PTS_E_NOT_FOUND);
  set_flags(c, "old", "v", NOW - 1, 0);
  CHECK_EQUAL(pts_cache_take(c, bytes("old"), 3, NOW, 0, buffer, 9, NULL), PTS_E_NOT_FOUND);
  CHECK_EQUAL(remove_key(c, "old"), 1);
  CHECK_EQUAL(pts_cache_locked(c), PTS_E_NOT_FOUND);
  pts_cache_close(c);
}

/* So many bytes of `buffer`. */
static int32_t set_long(uint32_t c, const char *key, uint32_t length) {
  return pts_cache_set(c, bytes(key), (uint32_t)strlen(key), buffer, length, NOW, 0, 0, NULL);
}

static void the_largest_value_fits_and_a_larger_one_evicts_nothing(void) {
  uint32_t c = open_cache("large", 0, 1, 1024, 89);
  set_text(c, "a", "1", NOW);
  set_text(c, "b", "2", NOW);
  uint32_t largest = 1024 - 32 - 4 * 89 - 24;
  memset(buffer, 'x', sizeof buffer);
  CHECK_EQUAL(set_long(c, "k", largest), PTS_CACHE_TOO_LARGE);
  CHECK_EQUAL(set_long(c, "k", 1u << 31), PTS_CACHE_TOO_LARGE);
  CHECK_TEXT(get_text(c, "a", NOW), "1");
  CHECK_EQUAL(statistics(c).evictions, 0);
  CHECK_EQUAL(statistics(c).refused, 2);
  CHECK_EQUAL(set_long(c, "k", largest - 1), PTS_CACHE_STORED);
  CHECK_EQUAL(statistics(c).evictions, 2);
  CHECK_EQUAL(pts_cache_get(c, bytes("k"), 1, NOW, 0, buffer, sizeof buffer, NULL), largest - 1);
  /* Replacing it by another as large needs the old one gone first. */
  CHECK_EQUAL(set_long(c, "k", largest - 2), PTS_CACHE_STORED);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void a_page_with_many_slots_still_takes_the_largest_value(void) {
  uint32_t c = open_cache("grown", 0, 1, 4096, 10);
  for (uint32_t i = 0; i < 120; i++) {
    char key[12];
    snprintf(key, sizeof key, "%u", i);
    set_text(c, key, "", NOW);
  }
  pts_cache_shape shape;
  pts_cache_shape_read(c, &shape);
  memset(buffer, 'x', shape.largest);
  CHECK_EQUAL(pts_cache_set(c, bytes("k"), 1, buffer, shape.largest - 1, NOW, 0, 0, NULL),
              PTS_CACHE_STORED);
  CHECK_EQUAL(pts_cache_get(c, bytes("k"), 1, NOW, 0, buffer, sizeof buffer, NULL),
              shape.largest - 1);
  CHECK_EQUAL(set_text(c, "next", "v", NOW + 1), PTS_CACHE_STORED);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void half_a_page_is_stored(void) {
  uint32_t c = open_cache("half", 0, 1, 65536, 89);
  memset(buffer, 'h', 40000);
  for (int i = 0; i < 8; i++) {
    char key[12];
    snprintf(key, sizeof key, "%d", i);
    CHECK_EQUAL(pts_cache_set(c, bytes(key), 1, buffer, 33000, NOW, 0, 0, NULL), PTS_CACHE_STORED);
    CHECK_EQUAL(get_entry(c, key, NOW, 0, NULL), 33000);
  }
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

/* ---- modseq and tombstones ------------------------------------------------------------------- */

static void modseq_orders_sets(void) {
  uint32_t c = open_cache("modseq", 0, 1, 0, 0);
  pts_cache_entry entry;
  CHECK_EQUAL(set_modseq(c, "k", "five", 5, 0, 0), PTS_CACHE_STORED);
  CHECK_EQUAL(get_entry(c, "k", NOW, 0, &entry), 4);
  CHECK_EQUAL(entry.modseq, 5);
  CHECK_EQUAL(entry.flags, PTS_CACHE_MODSEQ);
  CHECK_EQUAL(set_modseq(c, "k", "four", 4, 0, 0), PTS_CACHE_REFUSED);
  CHECK_TEXT(get_text(c, "k", NOW), "five");
  CHECK_EQUAL(set_modseq(c, "k", "again", 5, 0, 0), PTS_CACHE_STORED);
  CHECK_EQUAL(set_modseq(c, "k", "huge", UINT64_MAX, 0, 0), PTS_CACHE_STORED);
  get_entry(c, "k", NOW, 0, &entry);
  CHECK(entry.modseq == UINT64_MAX);
  CHECK_EQUAL(set_text(c, "k", "plain", NOW), PTS_CACHE_STORED); /* and clears it */
  CHECK_EQUAL(get_entry(c, "k", NOW, 0, &entry), 5);
  CHECK_EQUAL(entry.flags, 0);
  CHECK_EQUAL(entry.modseq, 0);
  CHECK_EQUAL(set_modseq(c, "k", "one", 1, 0, 0), PTS_CACHE_STORED);
  /* The modseq and the flag come together. */
  uint64_t modseq = 1;
  CHECK_EQUAL(pts_cache_set(c, bytes("k"), 1, NULL, 0, NOW, 0, 0, &modseq), PTS_E_INVALID);
  CHECK_EQUAL(set_flags(c, "k", "v", 0, PTS_CACHE_MODSEQ), PTS_E_INVALID);
  CHECK_EQUAL(set_flags(c, "k", "v", 0, PTS_CACHE_TOMBSTONE), PTS_E_INVALID);
  pts_cache_close(c);
}

static void tombstones_refuse_what_is_older(void) {
  uint32_t c = open_cache("tomb", 0, 1, 0, 0);
  CHECK_EQUAL(bury(c, "k", 7, NOW + 10), PTS_CACHE_STORED); /* of a key that was never there */
  CHECK_TEXT(get_text(c, "k", NOW), NULL);
  CHECK_EQUAL(get_entry(c, "k", NOW, PTS_CACHE_EXPIRED_TOO, NULL), PTS_E_NOT_FOUND);
  CHECK_EQUAL(set_text(c, "k", "plain", NOW), PTS_CACHE_REFUSED);
  CHECK_EQUAL(set_modseq(c, "k", "six", 6, 0, 0), PTS_CACHE_REFUSED);
  CHECK_EQUAL(bury(c, "k", 7, NOW + 99), PTS_CACHE_KEPT);
  CHECK_EQUAL(pts_cache_page(c, 0, NOW, 0, buffer, sizeof buffer), 0);
  pts_cache_entry entry = {0};
  CHECK(pts_cache_page(c, 0, NOW, PTS_CACHE_EXPIRED_TOO, buffer, sizeof buffer) > 0);
  memcpy(&entry, buffer, sizeof entry);
  CHECK_EQUAL(entry.expire_on, NOW + 10); /* not renewed */
  CHECK_EQUAL(entry.modseq, 7);
  CHECK_EQUAL(entry.value_length, 0);
  CHECK_EQUAL(set_modseq(c, "k", "seven", 7, 0, 0), PTS_CACHE_STORED);
  CHECK_EQUAL(bury(c, "k", 7, 0), PTS_CACHE_KEPT); /* the live value is as new */
  CHECK_TEXT(get_text(c, "k", NOW), "seven");
  CHECK_EQUAL(bury(c, "k", 8, NOW + 1), PTS_CACHE_STORED);
  CHECK_EQUAL(set_text(c, "k", "v", NOW + 1), PTS_CACHE_STORED); /* it has expired */
  CHECK_EQUAL(bury(c, "x", 1, 0), PTS_CACHE_STORED);
  CHECK_EQUAL(remove_key(c, "x"), 1);
  CHECK_EQUAL(set_text(c, "x", "v", NOW), PTS_CACHE_STORED);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void a_refused_set_evicts_nothing(void) {
  uint32_t c = open_cache("refused", 0, 1, 1024, 0);
  CHECK_EQUAL(bury(c, "k", 7, 0), PTS_CACHE_STORED);
  for (char i = 'a'; i < 'h'; i++) {
    char key[2] = {i, 0};
    memset(buffer, i, 50);
    pts_cache_set(c, bytes(key), 1, buffer, 50, NOW, 0, 0, NULL);
  }
  uint64_t entries = statistics(c).entries;
  memset(buffer, 'r', 500);
  uint64_t old = 3;
  CHECK_EQUAL(pts_cache_set(c, bytes("k"), 1, buffer, 500, NOW, 0, 0, NULL), PTS_CACHE_REFUSED);
  CHECK_EQUAL(pts_cache_set(c, bytes("k"), 1, buffer, 500, NOW, 0, PTS_CACHE_MODSEQ, &old),
              PTS_CACHE_REFUSED);
  CHECK_EQUAL(statistics(c).entries, entries);
  CHECK_EQUAL(statistics(c).reorganised, 0);
  CHECK_EQUAL(statistics(c).refused, 2);
  pts_cache_close(c);
}

/* ---- many ------------------------------------------------------------------------------------ */

static void many_keys_in_one_call(void) {
  uint32_t c = open_cache("many", 0, 5, 0, 0);
  pts_cache_item items[3] = {{1, 2, 0, 1 << 3}, {2, 0, NOW + 1, 0}, {0, 4, 0, 0}};
  int8_t results[3];
  CHECK_EQUAL(pts_cache_set_many(c, bytes("aAAbbCCCC"), items, 3, NOW, 0, results), 3);
  CHECK(results[0] == 1 && results[1] == 1 && results[2] == 1);
  uint32_t lengths[4] = {1, 2, 1, 0};
  CHECK_EQUAL(pts_cache_get_many(c, bytes("abbx"), lengths, 4, NOW, 0, buffer, sizeof buffer), 4);
  pts_cache_entry e[4];
  uint8_t *at = buffer;
  for (int i = 0; i < 4; i++) {
    memcpy(&e[i], at, sizeof e[i]);
    if (i == 0) CHECK(memcmp(at + sizeof e[i], "AA", 2) == 0);
    if (i == 3) CHECK(memcmp(at + sizeof e[i], "CCCC", 4) == 0);
    at += e[i].bytes;
  }
  CHECK_EQUAL(e[0].value_length, 2);
  CHECK_EQUAL(e[0].flags, 1 << 3);
  CHECK_EQUAL(e[1].value_length, 0);
  CHECK_EQUAL(e[1].expire_on, NOW + 1);
  CHECK_EQUAL(e[2].value_length, PTS_CACHE_MISS);
  CHECK_EQUAL(e[3].value_length, 4);
  CHECK_EQUAL(statistics(c).reads, 4);
  CHECK_EQUAL(statistics(c).hits, 3);
  /* Only as many as fit. */
  CHECK_EQUAL(pts_cache_get_many(c, bytes("abbx"), lengths, 4, NOW, 0, buffer, 80), 2);
  CHECK_EQUAL(pts_cache_get_many(c, bytes("abbx"), lengths, 4, NOW, 0, buffer, 33),
              PTS_E_TOO_SMALL);
  /* One that is too large stops none of the others. */
  items[0].value_length = 70000;
  CHECK_EQUAL(pts_cache_set_many(c, buffer, items, 3, NOW, 0, results), 2);
  CHECK_EQUAL(results[0], PTS_CACHE_TOO_LARGE);
  pts_cache_close(c);
}

static void a_held_page_takes_any_key(void) {
  uint32_t c = open_cache("held", 0, 31, 0, 0);
  CHECK(pts_cache_lock(c, bytes("page"), 4) >= 0);
  int32_t page = pts_cache_locked(c);
  for (int i = 0; i < 20; i++) {
    char key[16];
    int n = snprintf(key, sizeof key, "page-%d", i);
    CHECK_EQUAL(pts_cache_set(c, bytes(key), (uint32_t)n, bytes(key), (uint32_t)n, NOW, 0,
                              PTS_CACHE_HELD, NULL),
                PTS_CACHE_STORED);
  }
  uint32_t lengths[2] = {6, 7};
  CHECK_EQUAL(pts_cache_get_many(c, bytes("page-3page-13"), lengths, 2, NOW, PTS_CACHE_HELD, buffer,
                                 sizeof buffer),
              2);
  CHECK(memcmp(buffer + sizeof(pts_cache_entry), "page-3", 6) == 0);
  CHECK_EQUAL(pts_cache_unlock(c), 0);
  CHECK(pts_cache_page(c, (uint32_t)page, NOW, 0, buffer, sizeof buffer) > 20 * 32);
  CHECK_EQUAL(statistics(c).pages_used, 1);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void one_page_at_a_time(void) {
  uint32_t c = open_cache("lock", 0, 3, 0, 0), other = open_cache("lock", 0, 0, 0, 0);
  set_text(c, "k", "v", NOW);
  CHECK_EQUAL(pts_cache_unlock(c), PTS_E_NOT_FOUND);
  CHECK_EQUAL(set_flags(c, "k", "v", 0, PTS_CACHE_HELD), PTS_E_INVALID);
  int32_t page = pts_cache_lock(c, bytes("k"), 1);
  CHECK(page >= 0 && page < 3);
  CHECK_EQUAL(pts_cache_locked(c), page);
  CHECK_EQUAL(pts_cache_lock(c, bytes("k"), 1), PTS_E_LOCKED);
  CHECK_EQUAL(pts_cache_lock_page(c, 0), PTS_E_LOCKED);
  CHECK_EQUAL(set_text(c, "k", "w", NOW), PTS_E_LOCKED);
  CHECK_EQUAL(get_entry(c, "k", NOW, 0, NULL), PTS_E_LOCKED);
  CHECK_EQUAL(remove_key(c, "k"), PTS_E_LOCKED);
  CHECK_EQUAL(pts_cache_page(c, 0, NOW, 0, buffer, sizeof buffer), PTS_E_LOCKED);
  CHECK_EQUAL(pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_ALL, NOW, 0), PTS_E_LOCKED);
  CHECK_EQUAL(pts_cache_check(c, NULL, 0), PTS_E_LOCKED);
  CHECK_EQUAL(get_entry(c, "k", NOW, PTS_CACHE_HELD, NULL), 1);
  CHECK_EQUAL(set_flags(c, "k", "held", 0, PTS_CACHE_HELD), PTS_CACHE_STORED);
  /* Readers of the other need no lock; it sees what is stored under it. */
  CHECK_TEXT(get_text(other, "k", NOW + 1), "held");
  CHECK_EQUAL(pts_cache_unlock(c), 0);
  CHECK_EQUAL(set_text(other, "k", "w", NOW), PTS_CACHE_STORED);
  pts_cache_close(c);
  pts_cache_close(other);
}

static void a_lock_has_a_deadline(void) {
  char message[256];
  uint32_t c = open_cache("deadline", 0, 1, 0, 0);
  pts_cache_options options = {.path = in_folder("deadline"), .lock_timeout_ms = 20};
  uint32_t other = (uint32_t)pts_cache_open(&options, message, sizeof message);
  set_text(c, "k", "v", NOW);
  CHECK_EQUAL(pts_cache_lock(c, bytes("k"), 1), 0);
  CHECK_EQUAL(set_text(other, "k", "w", NOW), PTS_E_LOCK_TIMEOUT);
  CHECK_TEXT(get_text(other, "k", NOW), "v");
  CHECK(statistics(c).lock_waits >= 1);
  pts_cache_close(c); /* frees it */
  CHECK_EQUAL(set_text(other, "k", "w", NOW), PTS_CACHE_STORED);
  pts_cache_close(other);
}

static void names_exclude_each_other(void) {
  uint32_t c = open_cache("names", 0, 1, 0, 0), other = open_cache("names", 0, 0, 0, 0);
  int32_t a = pts_cache_named_try(c, bytes("job"), 3), b = pts_cache_named_try(c, bytes("b"), 1);
  CHECK(a >= 0 && b >= 0 && a != b);
  CHECK_EQUAL(pts_cache_named_try(c, bytes("job"), 3), PTS_E_LOCKED);
  CHECK_EQUAL(pts_cache_named_try(other, bytes("job"), 3), PTS_E_LOCKED);
  CHECK_EQUAL(pts_cache_named_release(c, (uint32_t)a), 0);
  CHECK_EQUAL(pts_cache_named_release(c, (uint32_t)a), PTS_E_NOT_FOUND);
  int32_t theirs = pts_cache_named_try(other, bytes("job"), 3);
  CHECK(theirs >= 0);
  CHECK_EQUAL(pts_cache_named_try(c, bytes("job"), 3), PTS_E_LOCKED);
  pts_cache_close(other); /* frees it */
  CHECK(pts_cache_named_try(c, bytes("job"), 3) >= 0);
  pts_cache_close(c);
}

#if TEST_HAS_FORK
static void a_killed_holder_frees_its_name(void) {
  uint32_t c = open_cache("killed", 0, 1, 0, 0);
  pid_t pid = fork();
  if (pid == 0) {
    uint32_t mine = open_cache("killed", 0, 0, 0, 0);
    _exit(pts_cache_named_try(mine, bytes("job"), 3) >= 0 ? 0 : 1);
  }
  int status;
  waitpid(pid, &status, 0);
  CHECK_EQUAL(status, 0);
  CHECK(pts_cache_named_try(c, bytes("job"), 3) >= 0);
  pts_cache_close(c);
}
#endif

/* ---- write-back ------------------------------------------------------------------------------ */

static int count_packed(const uint8_t *at, int32_t size, const char *all_with) {
  int n = 0;
  for (const uint8_t *end = at + size; at < end; n++) {
    pts_cache_entry entry;
    memcpy(&entry, at, sizeof entry);
    CHECK(entry.flags & PTS_CACHE_DIRTY);
    CHECK(entry.key_length >= 4 && memcmp(at + sizeof entry, all_with, 4) == 0);
    at += entry.bytes;
  }
  return n;
}

static void dirty_entries_are_shown_before_they_go(void) {
  uint32_t c = open_cache("back", 0, 1, 1024, 0);
  int32_t r = PTS_CACHE_STORED;
  memset(buffer, 'd', 40);
  uint32_t flags = PTS_CACHE_DIRTY | PTS_CACHE_WRITE_BACK;
  char key[16];
  uint32_t stored = 0;
  while (stored < 100) {
    snprintf(key, sizeof key, "fill%u", stored);
    r = pts_cache_set(c, bytes(key), (uint32_t)strlen(key), buffer, 40, NOW + stored, 0, flags,
                      NULL);
    if (r != PTS_CACHE_STORED) break;
    stored++;
  }
  CHECK_EQUAL(r, PTS_CACHE_DIRTY_FIRST);
  CHECK_EQUAL(pts_cache_locked(c), 0);
  CHECK_EQUAL(statistics(c).entries, stored); /* nothing was done */
  static uint8_t out[4096];
  int32_t size = pts_cache_victims(c, PTS_CACHE_FOR_ROOM, NOW + stored, out, sizeof out);
  int victims = count_packed(out, size, "fill");
  CHECK(victims > 0);
  CHECK_EQUAL(pts_cache_victims(c, PTS_CACHE_FOR_ROOM, NOW + stored, NULL, 0), size);
  r = pts_cache_set(c, bytes(key), (uint32_t)strlen(key), buffer, 40, NOW + stored, 0,
                    PTS_CACHE_DIRTY | PTS_CACHE_HELD, NULL);
  CHECK_EQUAL(r, PTS_CACHE_STORED);
  CHECK_EQUAL(pts_cache_unlock(c), 0);
  CHECK_EQUAL(statistics(c).evictions, victims);
  CHECK_EQUAL(statistics(c).entries, stored + 1 - (uint32_t)victims);
  /* The oldest went. */
  CHECK_TEXT(get_text(c, "fill0", NOW), NULL);
  snprintf(key, sizeof key, "fill%u", stored - 1);
  CHECK(get_text(c, key, NOW + stored) != NULL);
  /* empty(): everything dirty is shown first. */
  CHECK_EQUAL(pts_cache_lock_page(c, 0), 0);
  size = pts_cache_victims(c, PTS_CACHE_ALL, NOW, out, sizeof out);
  CHECK_EQUAL(count_packed(out, size, "fill"), stored + 1 - (uint32_t)victims);
  CHECK_EQUAL(pts_cache_expunge(c, 0, PTS_CACHE_ALL, NOW, PTS_CACHE_HELD),
              stored + 1 - (uint32_t)victims);
  pts_cache_unlock(c);
  CHECK_EQUAL(statistics(c).entries, 0);
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void many_sets_leave_dirty_ones_to_the_caller(void) {
  uint32_t c = open_cache("backmany", 0, 1, 1024, 0);
  memset(buffer, 'd', 600);
  CHECK_EQUAL(pts_cache_set(c, bytes("d"), 1, buffer, 500, NOW, 0, PTS_CACHE_DIRTY, NULL),
              PTS_CACHE_STORED);
  pts_cache_item items[2] = {{1, 200, 0, PTS_CACHE_DIRTY}, {1, 2, 0, PTS_CACHE_DIRTY}};
  int8_t results[2];
  CHECK_EQUAL(pts_cache_set_many(c, buffer, items, 2, NOW, PTS_CACHE_WRITE_BACK, results), 1);
  CHECK_EQUAL(results[0], PTS_CACHE_DIRTY_FIRST);
  CHECK_EQUAL(results[1], PTS_CACHE_STORED);
  CHECK_EQUAL(pts_cache_locked(c), PTS_E_NOT_FOUND);
  CHECK_EQUAL(statistics(c).entries, 1); /* both are "d" */
  pts_cache_close(c);
}

/* ---- room, clearing, statistics -------------------------------------------------------------- */

static void clear_keeps_counters_and_purge_keeps_the_living(void) {
  uint32_t c = open_cache("clear", 0, 2, 1024, 0);
  set_flags(c, "short", "v", NOW + 1, 0);
  set_flags(c, "long", "v", NOW + 100, 0);
  get_text(c, "long", NOW);
  get_text(c, "none", NOW);
  CHECK_EQUAL(pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_EXPIRED, NOW + 1, 0), 1);
  CHECK_TEXT(get_text(c, "long", NOW + 1), "v");
  CHECK_EQUAL(pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_ALL, NOW + 1, 0), 1);
  pts_cache_statistics s = statistics(c);
  CHECK_EQUAL(s.entries, 0);
  CHECK_EQUAL(s.bytes, 0);
  CHECK_EQUAL(s.reads, 3);
  CHECK_EQUAL(s.hits, 2);
  CHECK_EQUAL(s.writes, 2);
  CHECK_EQUAL(s.evictions, 0);
  CHECK_EQUAL(s.workers_live, 1);
  CHECK_EQUAL(pts_cache_statistics_read(c, PTS_CACHE_CLEAR, &s), 0);
  CHECK_EQUAL(s.reads, 3);
  CHECK_EQUAL(statistics(c).reads, 0);
  CHECK_EQUAL(statistics(c).hits, 0);
  get_text(c, "none", NOW);
  CHECK_EQUAL(statistics(c).reads, 1);
  pts_cache_close(c);
}

static void counters_outlive_their_worker(void) {
  uint32_t a = open_cache("outlive", 0, 1, 1024, 0), keep = open_cache("outlive", 0, 0, 0, 0);
  set_text(a, "k", "v", NOW);
  get_text(a, "k", NOW);
  pts_cache_close(a);
  a = open_cache("outlive", 0, 0, 0, 0);
  get_text(a, "k", NOW);
  CHECK_EQUAL(statistics(keep).reads, 2);
  CHECK_EQUAL(statistics(keep).workers_live, 2);
  pts_cache_close(a);
  pts_cache_close(keep);
}

static void the_least_recently_used_go_first(void) {
  uint32_t c = open_cache("lru", 0, 1, 4096, 89);
  set_text(c, "a", "1", NOW);
  set_text(c, "b", "2", NOW);
  CHECK_TEXT(get_text(c, "a", NOW + 50), "1");
  fill(c, 100, 0, NOW + 10);
  CHECK_TEXT(get_text(c, "b", NOW + 50), NULL);
  CHECK_TEXT(get_text(c, "a", NOW + 50), "1");
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

/* ---- damage ---------------------------------------------------------------------------------- */

static pts_cache *inside(uint32_t c) { return pts_cache_of(c); }

static pts_frame *frame_of(uint32_t c, uint32_t page) {
  return pts_cache_frame(inside(c), page, inside(c)->controls[page].n);
}

/* Break one thing; every other entry stays, and the page is sound again afterwards. */
static void break_one_slot(uint32_t value) {
  uint32_t c = open_cache("slot", PTS_OPEN_INIT, 1, 4096, 89);
  for (char i = 'a'; i < 'z'; i++) set_text(c, (char[]){i, 0}, "v", NOW);
  pts_page_look look;
  const pts_frame *frame = frame_of(c, 0);
  CHECK(pts_page_find(frame, 4096, 89, pts_page_hash(bytes("m"), 1), bytes("m"), 1, &look) ==
        PTS_FIND_HIT);
  *look.slot = value;
  CHECK_TEXT(get_text(c, "m", NOW), NULL);
  CHECK_EQUAL(statistics(c).damage > 0, 1);
  for (char i = 'a'; i < 'z'; i++)
    if (i != 'm') CHECK_TEXT(get_text(c, (char[]){i, 0}, NOW), "v");
  CHECK_EQUAL(findings(c), 0);
  CHECK_EQUAL(set_text(c, "m", "new", NOW), PTS_CACHE_STORED);
  CHECK_TEXT(get_text(c, "m", NOW), "new");
  pts_cache_close(c);
}

static void a_broken_slot_costs_one_entry(void) {
  break_one_slot(4096);
  break_one_slot(2);
  break_one_slot(0xfffffffc);
  break_one_slot(40); /* inside the slots */
  break_one_slot(4092);
}

static void a_broken_header_costs_one_page(void) {
  uint32_t c = open_cache("header", 0, 2, 1024, 0);
  for (char i = 'a'; i < 'f'; i++) set_text(c, (char[]){i, 0}, "v", NOW);
  frame_of(c, 0)->num_slots = 1 << 30;
  for (char i = 'a'; i < 'f'; i++)
    CHECK_TEXT(get_text(c, (char[]){i, 0}, NOW),
               pts_page_hash((uint8_t[]){(uint8_t)i}, 1) % 2 ? "v" : NULL);
  CHECK(statistics(c).damage > 0);
  for (char i = 'a'; i < 'f'; i++) CHECK_EQUAL(set_text(c, (char[]){i, 0}, "w", NOW), 1);
  CHECK_EQUAL(findings(c), 0);
  frame_of(c, 0)->free_data = 3;
  for (char i = 'a'; i < 'f'; i++) CHECK_EQUAL(set_text(c, (char[]){i, 0}, "x", NOW), 1);
  for (char i = 'a'; i < 'f'; i++) CHECK_TEXT(get_text(c, (char[]){i, 0}, NOW), "x");
  CHECK_EQUAL(findings(c), 0);
  pts_cache_close(c);
}

static void broken_geometry_is_refused(void) {
  char message[512];
  uint32_t c = open_cache("geometry", 0, 2, 1024, 0);
  inside(c)->header->page_size = 1 << 20;
  CHECK_EQUAL(open_shape("geometry", (pts_cache_options){0}, message), PTS_E_DAMAGED);
  CHECK(strstr(message, "contradicts"));
  inside(c)->header->page_size = 1024;
  inside(c)->header->layout++;
  CHECK_EQUAL(open_shape("geometry", (pts_cache_options){0}, message), PTS_E_VERSION);
  pts_cache_close(c);
}

static void random_operation(uint32_t c) {
  char key[12];
  snprintf(key, sizeof key, "%u", random_below(40));
  uint32_t length = (uint32_t)strlen(key);
  switch (random_below(6)) {
  case 0:
    pts_cache_remove(c, bytes(key), length, 0, NULL);
    break;
  case 1:
    pts_cache_page(c, random_below(2), NOW, PTS_CACHE_EXPIRED_TOO, buffer, sizeof buffer);
    break;
  case 2:
  case 3:
    pts_cache_set(c, bytes(key), length, buffer, random_below(60), NOW, 0, 0, NULL);
    break;
  default:
    pts_cache_get(c, bytes(key), length, NOW + random_below(2), 0, buffer, 100, NULL);
  }
}

static void no_damage_crashes(void) {
  random_state = 11;
  for (int round = 0; round < 300; round++) {
    uint32_t c = open_cache("fuzz", PTS_OPEN_INIT, 2, 1024, 30);
    for (int i = 0; i < 60; i++) random_operation(c);
    for (int broken = 0; broken < 5; broken++) {
      uint8_t *frame = (uint8_t *)frame_of(c, random_below(2));
      uint32_t at = random_below(random_below(2) ? 160 : 1024) & ~3u;
      uint32_t value = random_below(2) ? random_below(1100) : random_below(UINT32_MAX);
      memcpy(frame + at, &value, sizeof value);
      for (int i = 0; i < 20; i++) random_operation(c);
    }
    pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_EXPIRED, NOW, 0);
    pts_cache_check(c, (char *)buffer, sizeof buffer);
    pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, PTS_CACHE_ALL, NOW, 0);
    CHECK_EQUAL(findings(c), 0);
    for (int i = 0; i < 60; i++) random_operation(c);
    CHECK_EQUAL(findings(c), 0);
    pts_cache_close(c);
  }
}

int main(void) {
#define TEST(name) {#name, name}
  static const test_case tests[] = {
      TEST(attach_adopts_the_geometry),
      TEST(another_geometry_is_refused),
      TEST(impossible_geometry_is_refused),
      TEST(every_worker_slot_taken),
      TEST(init_file_leaves_the_old_one_to_its_users),
      TEST(a_private_cache_has_no_name),
      TEST(metrics_and_a_cache_share_a_file_in_either_order),
      TEST(any_bytes_are_keys_and_values),
      TEST(a_small_buffer_copies_and_counts_nothing),
      TEST(entries_expire_to_the_second),
      TEST(take_gets_and_removes),
      TEST(the_largest_value_fits_and_a_larger_one_evicts_nothing),
      TEST(a_page_with_many_slots_still_takes_the_largest_value),
      TEST(half_a_page_is_stored),
      TEST(modseq_orders_sets),
      TEST(tombstones_refuse_what_is_older),
      TEST(a_refused_set_evicts_nothing),
      TEST(many_keys_in_one_call),
      TEST(a_held_page_takes_any_key),
      TEST(one_page_at_a_time),
      TEST(a_lock_has_a_deadline),
      TEST(names_exclude_each_other),
#if TEST_HAS_FORK
      TEST(a_killed_holder_frees_its_name),
#endif
      TEST(dirty_entries_are_shown_before_they_go),
      TEST(many_sets_leave_dirty_ones_to_the_caller),
      TEST(clear_keeps_counters_and_purge_keeps_the_living),
      TEST(counters_outlive_their_worker),
      TEST(the_least_recently_used_go_first),
      TEST(a_broken_slot_costs_one_entry),
      TEST(a_broken_header_costs_one_page),
      TEST(broken_geometry_is_refused),
      TEST(no_damage_crashes),
  };
  return run_tests(tests, sizeof tests / sizeof *tests);
}

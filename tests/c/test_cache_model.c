/*
 * Random operations against a stupid model of Cache::FastMmap: an array of slots for each page,
 * each with a pointer to a whole entry, and the original's rules for room, written down once more.
 * Keys, values, their order and what was evicted must be the same.
 */
#include "test_cache.h"

typedef struct model_entry {
  char key[32];
  uint32_t value_length, access, expire_on, hash;
  uint8_t fill;
} model_entry;

typedef struct model_page {
  model_entry **slots; /* NULL: empty */
  uint32_t num_slots, data_used;
} model_page;

static model_entry deleted;
static model_page model[16];
static uint32_t model_pages, model_page_size;

static uint32_t hash_of(const char *key) {
  uint32_t h = 0x92f7e3b1u;
  for (; *key; key++) h = (h << 4) + (h >> 28) + (uint8_t)*key;
  return h;
}

static uint32_t size_of(const model_entry *e) {
  uint32_t size = 24 + (uint32_t)strlen(e->key) + e->value_length;
  while (size % 4) size++;
  return size;
}

static bool is_entry(const model_entry *e) { return e && e != &deleted; }

static void model_start(uint32_t pages, uint32_t page_size, uint32_t slots) {
  model_pages = pages;
  model_page_size = page_size;
  for (uint32_t i = 0; i < pages; i++)
    model[i] = (model_page){calloc(slots, sizeof(model_entry *)), slots, 0};
}

static void model_end(void) {
  for (uint32_t i = 0; i < model_pages; i++) {
    for (uint32_t s = 0; s < model[i].num_slots; s++)
      if (is_entry(model[i].slots[s])) free(model[i].slots[s]);
    free(model[i].slots);
  }
}

static model_entry **model_find(model_page *page, const char *key, bool to_insert) {
  model_entry **first = NULL;
  uint32_t at = hash_of(key) / model_pages % page->num_slots;
  for (uint32_t i = 0; i < page->num_slots; i++, at = (at + 1) % page->num_slots) {
    model_entry **slot = &page->slots[at];
    if (!*slot) return first ? first : to_insert ? slot : NULL;
    if (*slot == &deleted) {
      if (to_insert && !first) first = slot;
    } else if (strcmp((*slot)->key, key) == 0) {
      return slot;
    }
  }
  return first;
}

static void rebuild(model_page *page, model_entry **kept, uint32_t count, uint32_t num_slots) {
  model_entry **slots = calloc(num_slots, sizeof *slots);
  page->data_used = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = kept[i]->hash / model_pages % num_slots;
    while (slots[at]) at = (at + 1) % num_slots;
    slots[at] = kept[i];
    page->data_used += size_of(kept[i]);
  }
  free(page->slots);
  page->slots = slots;
  page->num_slots = num_slots;
}

static bool is_expired(const model_entry *e, uint32_t now) {
  return e->expire_on && now >= e->expire_on;
}

/* mode 0: the expired, 1: all, 2: for room. */
static void model_expunge(model_page *page, int mode, uint32_t now) {
  uint32_t n = page->num_slots, count = 0, used = 0;
  model_entry **kept = calloc(n, sizeof *kept);
  for (uint32_t s = n; s-- > 0;) { /* highest slot first */
    model_entry *e = page->slots[s];
    if (!is_entry(e)) continue;
    if (mode == 1 || is_expired(e, now)) {
      free(e);
    } else {
      kept[count++] = e;
      used += size_of(e);
    }
  }
  uint32_t area = model_page_size - 32 - 4 * n;
  if ((double)count / n > 0.3 && (mode == 2 || area - used > (n + 1) * 4)) n = 2 * n + 1;
  uint32_t first = 0;
  if (mode == 2) {
    /* Insertion sort, stable: the first of equals stays the first. */
    for (uint32_t i = 1; i < count; i++)
      for (uint32_t j = i; j > 0 && kept[j - 1]->access > kept[j]->access; j--) {
        model_entry *swap = kept[j];
        kept[j] = kept[j - 1];
        kept[j - 1] = swap;
      }
    uint32_t threshold = (uint32_t)(0.6 * (model_page_size - 32 - 4 * n));
    while (first < count && used >= threshold) {
      used -= size_of(kept[first]);
      free(kept[first++]);
    }
  }
  rebuild(page, kept + first, count - first, n);
  free(kept);
}

static void model_set(const model_entry *in) {
  model_page *page = &model[hash_of(in->key) % model_pages];
  uint32_t empty = 0, need = size_of(in);
  for (uint32_t s = 0; s < page->num_slots; s++) empty += !page->slots[s];
  if (!((double)empty / page->num_slots > 0.3) ||
      model_page_size - 32 - 4 * page->num_slots - page->data_used < need)
    model_expunge(page, 2, in->access);
  model_entry **slot = model_find(page, in->key, true);
  if (!is_entry(*slot)) *slot = malloc(sizeof **slot);
  **slot = *in;
  page->data_used += need;
}

static model_entry *model_get(const char *key, uint32_t now) {
  model_entry **slot = model_find(&model[hash_of(key) % model_pages], key, false);
  if (!slot || !is_entry(*slot) || is_expired(*slot, now)) return NULL;
  (*slot)->access = now;
  return *slot;
}

static bool model_remove(const char *key) {
  model_entry **slot = model_find(&model[hash_of(key) % model_pages], key, false);
  if (!slot || !is_entry(*slot)) return false;
  free(*slot);
  *slot = &deleted;
  return true;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static uint8_t buffer[1 << 17];

static void compare_page(uint32_t c, uint32_t number) {
  int32_t size = pts_cache_page(c, number, 0, PTS_CACHE_EXPIRED_TOO, buffer, sizeof buffer);
  CHECK(size >= 0 && (uint32_t)size <= sizeof buffer);
  uint8_t *at = buffer, *end = buffer + size;
  for (uint32_t s = 0; s < model[number].num_slots; s++) {
    const model_entry *e = model[number].slots[s];
    pts_cache_entry entry;
    if (!is_entry(e)) continue;
    if (at == end) {
      CHECK(!"an entry is missing");
      return;
    }
    memcpy(&entry, at, sizeof entry);
    CHECK_EQUAL(entry.key_length, strlen(e->key));
    CHECK(memcmp(at + sizeof entry, e->key, entry.key_length) == 0);
    CHECK_EQUAL(entry.value_length, e->value_length);
    CHECK_EQUAL(entry.last_access, e->access);
    CHECK_EQUAL(entry.expire_on, e->expire_on);
    at += entry.bytes;
  }
  CHECK(at == end);
}

static void one_operation(uint32_t c, uint32_t now, uint32_t keys, uint32_t longest) {
  model_entry in = {.access = now, .fill = (uint8_t)random_below(256)};
  snprintf(in.key, sizeof in.key, random_below(3) ? "k%u" : "a rather longer key %u",
           random_below(keys));
  in.hash = hash_of(in.key);
  in.value_length = random_below(longest);
  uint32_t what = random_below(100), length = (uint32_t)strlen(in.key);
  static uint8_t value[4096];
  if (what < 50) {
    if (random_below(3) == 0) in.expire_on = now - 3 + random_below(20);
    memset(value, in.fill, in.value_length);
    CHECK_EQUAL(pts_cache_set(c, bytes(in.key), length, value, in.value_length, now, in.expire_on,
                              0, NULL),
                PTS_CACHE_STORED);
    model_set(&in);
  } else if (what < 85) {
    const model_entry *e = model_get(in.key, now);
    int32_t n = pts_cache_get(c, bytes(in.key), length, now, 0, value, sizeof value, NULL);
    CHECK_EQUAL(n, e ? (int32_t)e->value_length : PTS_E_NOT_FOUND);
    for (int32_t i = 0; e && i < n; i++) CHECK(value[i] == e->fill);
  } else if (what < 97) {
    CHECK_EQUAL(pts_cache_remove(c, bytes(in.key), length, 0, NULL), model_remove(in.key));
  } else {
    int mode = what == 99 && random_below(5) == 0;
    pts_cache_expunge(c, PTS_CACHE_EVERY_PAGE, (uint32_t)mode, now, 0);
    for (uint32_t i = 0; i < model_pages; i++) model_expunge(&model[i], mode, now);
  }
}

static void many_operations(uint32_t seed, uint32_t pages, uint32_t page_size, uint32_t slots) {
  random_state = seed * 7919 + 1;
  uint32_t now = NOW, pace = 1 + random_below(30);
  uint32_t keys = 10 + random_below(page_size / 16 * pages);
  uint32_t longest = page_size / (8 + random_below(60));
  uint32_t c = open_cache("model", PTS_OPEN_INIT, pages, page_size, slots);
  model_start(pages, page_size, slots);
  for (int i = 0; i < 4000 && check_failures == 0; i++) {
    if (random_below(pace) == 0) now += 1 + random_below(3);
    one_operation(c, now, keys, longest);
    if (i % 50 == 0) compare_page(c, random_below(pages));
  }
  for (uint32_t number = 0; number < pages; number++) compare_page(c, number);
  CHECK_EQUAL(findings(c), 0);
  if (check_failures) fprintf(stderr, "seed %u, %u pages of %u\n", seed, pages, page_size);
  model_end();
  pts_cache_close(c);
}

static void pages_behave_as_the_model(void) {
  static const uint32_t shapes[][3] = {{1, 1024, 89}, {3, 1024, 89},   {7, 1024, 20},
                                       {1, 4096, 89}, {3, 4096, 10},   {13, 2048, 120},
                                       {5, 5000, 89}, {1, 65536, 89}, {2, 999, 30}};
  for (uint32_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (uint32_t seed = 1; seed <= 4 && check_failures == 0; seed++)
      many_operations(seed + 10 * i, shapes[i][0], shapes[i][1], shapes[i][2]);
}

int main(void) {
  static const test_case tests[] = {
      {"pages_behave_as_the_model", pages_behave_as_the_model},
  };
  return run_tests(tests, sizeof tests / sizeof *tests);
}

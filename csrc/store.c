/*
 * Finding, making and recognising a store file.
 *
 * I1: a name only ever leads to a whole store: a new one is filled under no name (or a temporary one)
 *     and gets its name by one link or rename.
 * I2: before an attachment uses a file it holds a lock descriptor on that very file, and the path
 *     named that file after the descriptor was opened. A replaced file is left, and the new one opened.
 * I3: a section is published by its ready word, stored last with release (pairs with section_ready's
 *     acquire). Before the file grows for it the word says MAKING, so that the bytes which a killed maker
 *     leaves are known as such: whoever holds PTS_LOCK_CREATE next cuts them off.
 * I4: nothing else is ever cut off, and nothing while a worker of that section lives. Bytes that the directory
 *     does not explain may be a section in use whose ready word somebody broke, and cutting that would be a
 *     SIGBUS for its users; they are DAMAGED.
 */
#include "store.h"

#include <string.h>

#include "atomics.h"
#include "points.h"

#define OPEN_DEADLINE_MS 10000u
#define HEADER_SIZE PTS_ALIGN
/* In the place of PTS_READY: the section's bytes are of a maker under way, or of one that was killed. */
#define MAKING 0x474e494b414d2d50ull

/* ---- recognising -------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

uint64_t pts_layout_hash(void) {
  static const uint32_t facts[] = {
      sizeof(pts_superblock), sizeof(pts_section), sizeof(pts_worker),  sizeof(pts_metrics),
      sizeof(pts_record),     sizeof(pts_entry),   PTS_WORKERS_AT,      PTS_SERIES_LOCKS,
      PTS_CELL_COUNTS,        PTS_WORDS_ANNEX,     PTS_WORDS_LIVE,      PTS_ALIGN,
      PTS_FRAME_WORDS, PTS_CELL_SUMMARY_FRAMES, PTS_SHARD_SKEWS,        PTS_WORDS_RECENT,    PTS_FREE_LISTS,      PTS_TICK_MS,
      sizeof(pts_exemplar_line),
      offsetof(pts_metrics, index_lock), offsetof(pts_metrics, records_used),
      offsetof(pts_worker, redo),        offsetof(pts_worker, counters)};
  uint64_t hash = PTS_FORMAT_VERSION;
  for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) hash = mix(hash, facts[i]);
  return hash;
}

static int32_t not_a_store(pts_message *message, const char *path, const char *why) {
  pts_message_add(message,
                  "'%s' is not a store: %s; give another path, or initFile to replace the file", path,
                  why);
  return PTS_E_NOT_A_STORE;
}

static int32_t recognise(const pts_mapping *mapping, const char *path, pts_message *message) {
  const pts_superblock *super = (const pts_superblock *)mapping->base;
  if (super->magic != PTS_MAGIC) return not_a_store(message, path, "its first bytes are not a store's");
  if (super->byte_order != PTS_BYTE_ORDER)
    return not_a_store(message, path, "it was made on a machine of another byte order");
  if (super->version != PTS_FORMAT_VERSION) {
    pts_message_add(message,
                    "the store '%s' has format version %u, this library reads version %u; use the "
                    "library that made it, another path, or initFile to start anew",
                    path, super->version, PTS_FORMAT_VERSION);
    return PTS_E_VERSION;
  }
  if (super->layout_hash != pts_layout_hash()) {
    pts_message_add(message,
                    "the store '%s' was made by a build with another layout (%016llx, this library has "
                    "%016llx); use the library that made it, another path, or initFile to start anew",
                    path, (unsigned long long)super->layout_hash,
                    (unsigned long long)pts_layout_hash());
    return PTS_E_VERSION;
  }
  if (pts_load_acquire_u64(&super->ready) != PTS_READY)
    return not_a_store(message, path, "its making was never finished");
  return 0;
}

/* ---- sections ----------------------------------------------------------------------------------- */

static pts_superblock *super_of(const pts_mapping *mapping) {
  return (pts_superblock *)mapping->base;
}

static bool section_ready(const pts_mapping *mapping, uint32_t kind) {
  return pts_load_acquire_u64(&super_of(mapping)->sections[kind].ready) == PTS_READY;
}

static bool section_in(const pts_section *section, uint64_t file_size) {
  return section->offset >= HEADER_SIZE && section->offset % PTS_ALIGN == 0 &&
         section->size % PTS_ALIGN == 0 && section->size > 0 && section->offset <= file_size &&
         section->size <= file_size - section->offset;
}

static pts_section section_of(const pts_mapping *mapping, uint32_t kind) {
  const pts_section *section = &super_of(mapping)->sections[kind];
  return (pts_section){.offset = pts_load_relaxed_u64(&section->offset),
                       .size = pts_load_relaxed_u64(&section->size)};
}

/* A section that is not ready has no workers, unless somebody broke its ready word. */
static bool has_workers(pts_store *store, uint32_t kind) {
  for (uint32_t slot = 1; slot <= PTS_MAX_WORKERS; slot++)
    if (pts_os_lock_held(&store->locks, PTS_LOCK_SLOT(kind, slot))) return true;
  return false;
}

/* Where a section of that kind may be added: the file's end, but for what a killed maker of that kind
 * left there. DAMAGED when the directory does not say what is in the file. */
static int32_t room_for_section(pts_store *store, uint32_t kind, uint64_t *at) {
  const pts_mapping *mapping = store->mapping;
  pts_file_id now; /* others may have added a section since the file was mapped */
  int32_t code = pts_os_identify(mapping->fd, &now);
  uint64_t end = HEADER_SIZE, explained = HEADER_SIZE; /* equal, as sections leave no gaps */
  for (uint32_t other = 0; code == 0 && other < PTS_SECTIONS; other++) {
    if (!section_ready(mapping, other)) continue;
    pts_section section = section_of(mapping, other);
    if (!section_in(&section, now.size)) return PTS_E_DAMAGED;
    explained += section.size;
    if (section.offset + section.size > end) end = section.offset + section.size;
  }
  if (code != 0) return code;
  if (explained != end) return PTS_E_DAMAGED;
  bool left = pts_load_acquire_u64(&super_of(mapping)->sections[kind].ready) == MAKING &&
              section_of(mapping, kind).offset == end;
  if (now.size != end && (!left || has_workers(store, kind))) return PTS_E_DAMAGED;
  *at = end;
  return 0;
}

static void announce_section(pts_superblock *super, uint32_t kind, uint64_t offset, uint64_t size) {
  pts_section *section = &super->sections[kind];
  pts_store_relaxed_u64(&section->offset, offset);
  pts_store_relaxed_u64(&section->size, size);
  PTS_POINT();
  pts_store_release_u64(&section->ready, MAKING);
  PTS_POINT();
}

/* Map the file with the new section's bytes at its end, let the maker fill them, and publish. The caller
 * holds PTS_LOCK_CREATE, or is the only one who knows the file, and has announced the section. */
static int32_t make_section(pts_fd fd, pts_superblock *super, uint64_t offset,
                            const pts_section_maker *maker, pts_message *message) {
  void *base;
  uint64_t size = offset + maker->size;
  int32_t code = pts_os_map(fd, size, &base);
  if (code != 0) return code;
  code = maker->make(maker, (uint8_t *)base + offset, fd, offset, message);
  PTS_POINT();
  if (code == 0) pts_store_release_u64(&super->sections[maker->kind].ready, PTS_READY);
  PTS_POINT();
  pts_os_unmap(base, size);
  return code;
}

/* ---- making a file ------------------------------------------------------------------------------ */

static int32_t fill(pts_fd fd, const pts_section_maker *maker, pts_message *message) {
  uint64_t size = HEADER_SIZE + maker->size;
  int32_t code = pts_os_resize(fd, size);
  if (code == 0) code = pts_os_allocate(fd, 0, HEADER_SIZE);
  void *base;
  if (code == 0) code = pts_os_map(fd, HEADER_SIZE, &base);
  if (code != 0) return code;
  PTS_POINT();
  pts_superblock *super = base;
  super->magic = PTS_MAGIC;
  super->version = PTS_FORMAT_VERSION;
  super->byte_order = PTS_BYTE_ORDER;
  super->layout_hash = pts_layout_hash();
  super->store_id = pts_os_random();
  super->created_ms = pts_os_clock_ms();
  announce_section(super, maker->kind, HEADER_SIZE, maker->size);
  code = make_section(fd, super, HEADER_SIZE, maker, message);
  if (code == 0) pts_store_release_u64(&super->ready, PTS_READY);
  PTS_POINT();
  pts_os_unmap(base, HEADER_SIZE);
  return code;
}

/* A whole new store: named (replacing what is there, or not), or private when publish is false. */
static int32_t create(const char *path, const pts_options *options, const pts_section_maker *maker,
                      bool publish, bool replace, pts_fd *out, pts_message *message) {
  char temp[PTS_PATH_MAX];
  uint32_t said = message->length;
  uint32_t permissions = options->permissions ? options->permissions : 0600;
  int32_t code = pts_os_create(path, permissions, out, temp);
  if (code != 0) return pts_message_os(message, code, "create the store", path);
  uint64_t space;
  code = pts_os_space(*out, &space);
  if (code == 0) code = fill(*out, maker, message);
  if (code == 0 && publish) {
    code = pts_os_publish(*out, temp, path, replace);
    if (code == PTS_E_LOCKED) goto discard; /* somebody was faster: no failure, no message */
  }
  if (code == 0) {
    if (!publish && temp[0]) pts_os_unlink(temp);
    PTS_POINT();
    return 0;
  }
  if (message->length == said) pts_message_os(message, code, "create the store", path);
discard:
  if (temp[0]) pts_os_unlink(temp);
  pts_os_close(*out);
  return code;
}

/* ---- opening ------------------------------------------------------------------------------------ */

/* Outcomes of one attempt beside success and failure. */
enum {
  AGAIN = 1,    /* the path may name another file by now */
  REPLACED = 2, /* it names a new store; open that */
};

/* A file of this user; one that everybody may write only for who would have made it so. */
static bool may_use(const pts_file_id *id, const pts_options *options) {
  return id->is_ours && (!id->is_open || (options->permissions & 02) != 0);
}

static int32_t inspect(pts_fd fd, const char *path, const pts_options *options, pts_file_id *id,
                       pts_message *message) {
  int32_t code = pts_os_identify(fd, id);
  uint64_t space;
  if (code == 0 && !id->is_regular) code = PTS_E_NOT_A_FILE;
  if (code == 0) code = pts_os_space(fd, &space); /* first: owners have other names elsewhere */
  if (code == 0 && !may_use(id, options)) code = PTS_E_OWNER;
  return code == 0 ? 0 : pts_message_os(message, code, "open the store", path);
}

static bool still_named(const char *path, const pts_file_id *id) {
  pts_file_id named;
  return pts_os_identify_path(path, &named) == 0 && named.device == id->device &&
         named.inode == id->inode;
}

/*
 * Put a new store in the place of the file that fd is: an empty one (as makeTempFile leaves it), or any
 * for initFile. One at a time, by the lock of that very file, so that none of two new stores
 * is replaced unseen. REPLACED, AGAIN when the path names another file by now, or a failure.
 */
static int32_t replace_file(pts_fd fd, const pts_file_id *id, const char *path,
                            const pts_options *options, const pts_section_maker *maker,
                            pts_message *message) {
  pts_os_locks locks;
  int32_t code = pts_os_locks_open(path, fd, &locks);
  if (code == PTS_E_NOT_FOUND) return AGAIN;
  if (code != 0) return pts_message_os(message, code, "lock the file", path);
  code = pts_os_lock(&locks, PTS_LOCK_CREATE);
  bool named = code == 0 && still_named(path, id);
  if (named) {
    pts_fd made;
    code = create(path, options, maker, true, true, &made, message);
    if (code == 0) pts_os_close(made);
  }
  pts_os_locks_close(&locks);
  if (code == PTS_E_LOCKED) pts_os_sleep(1);
  if (code == 0 && named) return REPLACED;
  if (code == 0 || code == PTS_E_LOCKED) return AGAIN;
  if (message->length == 0) pts_message_os(message, code, "lock the file", path);
  return code;
}

/* The file's end grows by the section, and is put back when the section cannot be made. */
static int32_t append_section(pts_store *store, const char *path, const pts_section_maker *maker,
                              pts_message *message) {
  const pts_mapping *mapping = store->mapping;
  pts_superblock *super = super_of(mapping);
  uint64_t end;
  int32_t code = room_for_section(store, maker->kind, &end);
  if (code == PTS_E_DAMAGED)
    pts_message_add(message,
                    "the store '%s' is damaged: its directory of sections does not say what is in "
                    "the file, so that nothing can be added; use another path, or initFile to start "
                    "anew", path);
  if (code != 0) return code;
  code = pts_os_resize(mapping->fd, end);
  PTS_POINT();
  if (code != 0) return code;
  announce_section(super, maker->kind, end, maker->size);
  code = pts_os_resize(mapping->fd, end + maker->size);
  PTS_POINT();
  if (code == 0) code = make_section(mapping->fd, super, end, maker, message);
  if (code != 0) pts_os_resize(mapping->fd, end);
  return code;
}

/* Make the section in an existing file, unless somebody else just did. */
static int32_t add_section(pts_store *store, const char *path, const pts_section_maker *maker,
                           pts_message *message) {
  int32_t code = pts_os_lock(&store->locks, PTS_LOCK_CREATE);
  if (code == PTS_E_LOCKED) {
    pts_os_sleep(1);
    return AGAIN;
  }
  if (code != 0) return pts_message_os(message, code, "lock the store", path);
  if (!section_ready(store->mapping, maker->kind))
    code = append_section(store, path, maker, message);
  if (code != 0 && message->length == 0)
    pts_message_os(message, code, "add a section to the store", path);
  pts_os_unlock(&store->locks, PTS_LOCK_CREATE);
  return code == 0 ? AGAIN : code;
}

static int32_t adopt_section(pts_store *store, const char *path, bool may_add,
                             const pts_section_maker *maker, pts_message *message) {
  if (!section_ready(store->mapping, maker->kind)) {
    if (may_add) return add_section(store, path, maker, message);
    pts_message_add(message, "the store '%s' has no such section", path);
    return PTS_E_NOT_FOUND;
  }
  pts_section copy = section_of(store->mapping, maker->kind);
  if (!section_in(&copy, store->mapping->size)) {
    /* Somebody added it after we had looked at the size: map all of the file. */
    pts_file_id now;
    if (pts_os_identify(store->mapping->fd, &now) == 0 && section_in(&copy, now.size)) return AGAIN;
    pts_message_add(message,
                    "the store '%s' is damaged: a section ends beyond the file (%llu bytes), which "
                    "somebody may have shortened; restore it, or use initFile to start anew",
                    path, (unsigned long long)store->mapping->size);
    return PTS_E_DAMAGED;
  }
  store->kind = maker->kind;
  store->section = store->mapping->base + copy.offset;
  store->section_offset = copy.offset;
  store->section_size = copy.size;
  return 0;
}

/* fd is taken over whatever happens. path NULL: a private file. */
static int32_t adopt(pts_store *store, pts_fd fd, const char *path, const pts_options *options,
                     const pts_section_maker *maker, pts_message *message) {
  const char *shown = path ? path : "(private)";
  pts_file_id id;
  int32_t code = inspect(fd, shown, options, &id, message);
  bool may_add = !(options->flags & PTS_OPEN_EXISTING);
  if (code == 0 && path && id.size == 0 && may_add) {
    code = replace_file(fd, &id, path, options, maker, message);
  } else if (code == 0 && id.size < HEADER_SIZE) {
    code = not_a_store(message, shown, id.size == 0 ? "it is empty" : "it is too short");
  }
  if (code != 0) {
    pts_os_close(fd);
    return code;
  }
  code = pts_os_locks_open(path, fd, &store->locks);
  if (code != 0) {
    pts_os_close(fd);
    if (code == PTS_E_NOT_FOUND) return AGAIN;
    return pts_message_os(message, code, "lock the store", shown);
  }
  code = pts_mapping_acquire(fd, &id, &store->mapping);
  if (code != 0) {
    pts_os_locks_close(&store->locks);
    return pts_message_os(message, code, "map the store", shown);
  }
  code = recognise(store->mapping, shown, message);
  if (code == 0) code = adopt_section(store, shown, may_add, maker, message);
  if (code != 0) pts_store_close(store);
  return code;
}

static int32_t open_private(pts_store *store, const pts_options *options,
                            const pts_section_maker *maker, pts_message *message) {
  char path[PTS_PATH_MAX];
  bool fell_back;
  int32_t code = pts_os_private_folder(maker->size / 16, path, sizeof path - 16, &fell_back);
  if (code != 0) return pts_message_os(message, code, "make a private folder", path);
  if (fell_back)
    pts_message_add(message, "the memory folder has too little space; the private store is in '%s'",
                    path);
  strcat(path, "/private");
  pts_fd fd;
  code = create(path, options, maker, false, false, &fd, message);
  return code == 0 ? adopt(store, fd, NULL, options, maker, message) : code;
}

static int32_t open_new(pts_store *store, const char *path, const pts_options *options,
                        const pts_section_maker *maker, bool replace, pts_message *message) {
  pts_fd fd;
  int32_t code = create(path, options, maker, true, replace, &fd, message);
  if (code == PTS_E_LOCKED) return AGAIN;
  return code == 0 ? adopt(store, fd, path, options, maker, message) : code;
}

/* initFile: in the place of a regular file of this user, whatever is in it, or of none. */
static int32_t open_init(pts_store *store, const char *path, const pts_options *options,
                         const pts_section_maker *maker, pts_message *message) {
  pts_fd fd;
  pts_file_id id;
  int32_t code = pts_os_open(path, &fd);
  if (code == PTS_E_NOT_FOUND) return open_new(store, path, options, maker, true, message);
  if (code != 0) return pts_message_os(message, code, "replace the file", path);
  code = inspect(fd, path, options, &id, message);
  if (code == 0) code = replace_file(fd, &id, path, options, maker, message);
  pts_os_close(fd);
  return code;
}

static int32_t open_once(pts_store *store, const char *path, const pts_options *options,
                         const pts_section_maker *maker, pts_message *message) {
  pts_fd fd;
  int32_t code = pts_os_open(path, &fd);
  if (code == PTS_E_NOT_FOUND && !(options->flags & PTS_OPEN_EXISTING))
    return open_new(store, path, options, maker, false, message);
  if (code != 0) return pts_message_os(message, code, "open the store", path);
  return adopt(store, fd, path, options, maker, message);
}

int32_t pts_store_open(pts_store *store, const pts_options *options, const pts_section_maker *maker,
                       pts_message *message) {
  memset(store, 0, sizeof *store);
  store->lock_timeout_ms = options->lock_timeout_ms ? options->lock_timeout_ms : 2000;
  if (options->flags & PTS_OPEN_PRIVATE) return open_private(store, options, maker, message);
  if (!options->path || !options->path[0] || strlen(options->path) >= PTS_PATH_MAX - 64) {
    pts_message_add(message, "the store's path is empty or too long; give one below %d bytes",
                    PTS_PATH_MAX - 64);
    return PTS_E_INVALID;
  }
  uint64_t deadline = pts_os_monotonic_ms() + OPEN_DEADLINE_MS;
  bool init = (options->flags & PTS_OPEN_INIT) != 0;
  for (;;) {
    int32_t code = init ? open_init(store, options->path, options, maker, message)
                        : open_once(store, options->path, options, maker, message);
    if (code != AGAIN && code != REPLACED) return code;
    if (code == REPLACED) init = false;
    if (pts_os_monotonic_ms() >= deadline) {
      pts_message_add(message, "the store '%s' kept being made and replaced for %u ms; try again",
                      options->path, OPEN_DEADLINE_MS);
      return PTS_E_LOCK_TIMEOUT;
    }
  }
}

void pts_store_close(pts_store *store) {
  pts_os_locks_close(&store->locks);
  if (store->mapping) pts_mapping_release(store->mapping);
  store->mapping = NULL;
}

int32_t pts_store_intact(const pts_store *store) {
  pts_file_id id;
  int32_t code = pts_os_identify(store->mapping->fd, &id);
  if (code != 0) return code;
  return id.size < store->section_offset + store->section_size ? PTS_E_DAMAGED : 0;
}

int32_t pts_store_extend(pts_store *store, uint64_t base, uint64_t *mark, uint64_t to,
                         uint64_t limit) {
  uint64_t from = pts_load_relaxed_u64(mark);
  if (from > limit || from % 8 != 0) return PTS_E_DAMAGED;
  if (to <= from) return 0;
  uint64_t end = (to + PTS_STEP - 1) / PTS_STEP * PTS_STEP;
  if (end > limit) end = limit;
  if (to > end) return PTS_E_NO_SPACE;
  int32_t code =
      pts_os_allocate(store->mapping->fd, store->section_offset + base + from, end - from);
  if (code != 0) return code;
  PTS_POINT();
  pts_store_release_u64(mark, end);
  PTS_POINT();
  return 0;
}

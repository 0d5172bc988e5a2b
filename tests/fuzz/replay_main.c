/*
 * replay_main.c: runs a fuzz target over files, each once, with any compiler: what was found before
 * stays fixed where there is no libFuzzer. Arguments are folders; every file in them is an input.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *folder, const char *name) {
  static uint8_t bytes[1 << 16];
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    return 1;
  }
  size_t size = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  fprintf(stderr, "%s\n", path); /* the last one is the culprit, should the next line crash */
  LLVMFuzzerTestOneInput(bytes, size);
  return 0;
}

int main(int count, char **folders) {
  unsigned passed = 0, failed = 0;
  LLVMFuzzerTestOneInput(NULL, 0);
  for (int i = 1; i < count; i++) {
    DIR *entries = opendir(folders[i]);
    if (!entries) {
      perror(folders[i]);
      failed++;
      continue;
    }
    for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
      if (entry->d_name[0] == '.') continue;
      if (run_file(folders[i], entry->d_name) == 0) passed++;
      else failed++;
    }
    closedir(entries);
  }
  printf("%u passed, %u failed\n", passed, failed);
  return failed > 0 || passed == 0;
}

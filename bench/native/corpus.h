/* Reads the corpus that run.js wrote (for each message its length in four bytes, little-endian, and its bytes) and times
 * a parser over it: slices of one pass each, best and median, one line of JSON. */

#ifndef CORPUS_H
#define CORPUS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct corpus {
  size_t count;
  const char **text; /* each followed by a NUL */
  size_t *length;
};

static inline struct corpus read_corpus(const char *path) {
  struct corpus corpus = {0, NULL, NULL};
  FILE *file = fopen(path, "rb");
  uint8_t head[4];
  if (!file) {
    perror(path);
    exit(2);
  }
  while (fread(head, 1, 4, file) == 4) {
    size_t length = head[0] | head[1] << 8 | head[2] << 16 | (size_t)head[3] << 24;
    char *text = malloc(length + 1);
    corpus.text = realloc(corpus.text, (corpus.count + 1) * sizeof *corpus.text);
    corpus.length = realloc(corpus.length, (corpus.count + 1) * sizeof *corpus.length);
    if (!text || !corpus.text || !corpus.length || fread(text, 1, length, file) != length) exit(2);
    text[length] = 0;
    corpus.text[corpus.count] = text;
    corpus.length[corpus.count++] = length;
  }
  fclose(file);
  if (corpus.count == 0) exit(2);
  return corpus;
}

static inline double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* `parse` returns 0 for a message that it took. */
static inline int time_parser(int argc, char **argv, int (*parse)(const char *text, size_t length)) {
  enum { SLICES_MAX = 100000 };
  static double slices[SLICES_MAX];
  if (argc != 3) {
    fprintf(stderr, "usage: %s CORPUS SECONDS\n", argv[0]);
    return 2;
  }
  struct corpus corpus = read_corpus(argv[1]);
  size_t count = 0, refused = 0, passes = 1 + 1023 / corpus.count;
  for (size_t i = 0; i < corpus.count; i++) refused += parse(corpus.text[i], corpus.length[i]) != 0;
  double until = now_ns() + atof(argv[2]) * 1e9;
  do {
    double started = now_ns();
    for (size_t pass = 0; pass < passes; pass++)
      for (size_t i = 0; i < corpus.count; i++) parse(corpus.text[i], corpus.length[i]);
    slices[count++] = (now_ns() - started) / (double)(passes * corpus.count);
  } while (count < SLICES_MAX && (count < 5 || now_ns() < until));
  qsort(slices, count, sizeof *slices, ascending);
  printf("{\"best\":%.1f,\"median\":%.1f,\"refused\":%zu}\n", slices[0], slices[count / 2], refused);
  return 0;
}

#endif

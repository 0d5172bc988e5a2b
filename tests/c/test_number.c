/*
 * test_number.c: tests of csrc/number.c.
 *
 *   test_number            the tests
 *   test_number --bench    nanoseconds a number, beside snprintf
 *
 * Three judges: a table of what JavaScript prints; slow_print() below, which knows nothing of
 * Schubfach and asks strtod which digits are enough; and a digest over numbers that JavaScript
 * printed too (tests/number_test.ts).
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "number.h"

static unsigned failures; /* of the test that runs */

/* Says what is wrong, the first few times. */
static void fail(const char *what, double value, const char *actual, const char *expected) {
  if (++failures > 10) return;
  fprintf(stderr, "%s: %a (%.17g) prints %s, not %s\n", what, value, value, actual, expected);
}

static uint64_t bits_of(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static double double_of(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* splitmix32; tests/number_test.ts has the same. */
static uint32_t next_u32(uint32_t *state) {
  uint32_t z = *state += 0x9e3779b9u;
  z = (z ^ z >> 16) * 0x21f0aaadu;
  z = (z ^ z >> 15) * 0x735a2d97u;
  return z ^ z >> 15;
}

static uint64_t next_u64(uint32_t *state) {
  uint64_t high = next_u32(state);
  return high << 32 | next_u32(state);
}

/* Prints with a terminator, and fails when bytes beyond PTS_NUMBER_MAX change. */
static size_t print(char text[PTS_NUMBER_MAX + 8], double value) {
  memset(text, '#', PTS_NUMBER_MAX + 8);
  size_t length = pts_number_print(text, value);
  if (length > 25 || memcmp(text + PTS_NUMBER_MAX, "########", 8) != 0) {
    fail("room", value, "too much", "at most PTS_NUMBER_MAX bytes");
  }
  text[length] = 0;
  return length;
}

static void check_text(const char *what, double value, const char *expected) {
  char text[PTS_NUMBER_MAX + 8];
  size_t length = print(text, value);
  if (length != strlen(expected) || strcmp(text, expected) != 0) {
    fail(what, value, text, expected);
  }
}

/* ---- The slow way ---------------------------------------------------------------------------- */

/* JavaScript's form of 0.d1d2... * 10^point. */
static void slow_form(char *out, size_t size, const char *digits, int point) {
  int count = (int)strlen(digits);
  if (count <= point && point <= 21) {
    snprintf(out, size, "%s%.*s", digits, point - count, "000000000000000000000");
  } else if (0 < point && point <= 21) {
    snprintf(out, size, "%.*s.%s", point, digits, digits + point);
  } else if (-6 < point && point <= 0) {
    snprintf(out, size, "0.%.*s%s", -point, "00000", digits);
  } else {
    snprintf(out, size, "%c%s%se%+d", digits[0], count > 1 ? "." : "", digits + 1, point - 1);
  }
}

/* Whether digits * 10^exponent reads back to value. */
static int reads_back(uint64_t digits, int exponent, double value) {
  char text[64];
  snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
  return bits_of(strtod(text, NULL)) == bits_of(value);
}

/*
 * The best `count` digits for value whose exact digits are given: those below or above it that read
 * back, of two the closer, of a tie the even. 0 when neither reads back.
 */
static uint64_t best_digits(const char *exact, int count, int point, double value) {
  char head[24];
  snprintf(head, sizeof head, "%.*s", count, exact);
  uint64_t below = strtoull(head, NULL, 10);
  int below_reads = reads_back(below, point - count, value);
  int above_reads = reads_back(below + 1, point - count, value);
  if (!below_reads && !above_reads) return 0;
  if (below_reads != above_reads) return below_reads ? below : below + 1;
  const char *tail = exact + count;
  int is_tie = tail[0] == '5' && strspn(tail + 1, "0") == strlen(tail + 1);
  return is_tie ? below + (below & 1) : below + (tail[0] >= '5');
}

/* value is finite and not zero. */
static void slow_print(char *out, size_t size, double value) {
  /* 767 digits are exact for every double: d.ddd...e-ddd */
  char exact[800];
  snprintf(exact, sizeof exact, "%.766e", fabs(value));
  int point = atoi(strchr(exact, 'e') + 1) + 1;
  *strchr(exact, 'e') = 0;
  memmove(exact + 1, exact + 2, strlen(exact + 2) + 1);

  /* fewer digits read back only if more do, since zeros may follow them */
  uint64_t digits = 0;
  int count = 17;
  for (; count > 0; count--) {
    uint64_t fewer = best_digits(exact, count, point, fabs(value));
    if (fewer == 0) break;
    digits = fewer;
  }
  char text[24];
  int exponent = point - (count + 1);
  for (; digits % 10 == 0; digits /= 10) exponent++;
  int length = snprintf(text, sizeof text, "%" PRIu64, digits);
  if (value < 0) *out++ = '-', size--;
  slow_form(out, size, text, exponent + length);
}

static void check_slowly(const char *what, double value) {
  char expected[64];
  slow_print(expected, sizeof expected, value);
  check_text(what, value, expected);
}

static void check_around(const char *what, double value) {
  for (uint64_t i = 0; i <= 8; i++) {
    double near = double_of(bits_of(value) - 4 + i);
    if (!isfinite(near) || near == 0) continue;
    check_slowly(what, near);
    check_slowly(what, -near);
  }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void prints_what_javascript_prints(void) {
  static const struct {
    double value;
    const char *text;
  } table[] = {
    {0.1, "0.1"}, {0.2, "0.2"}, {0.3, "0.3"}, {0.5, "0.5"}, {1.5, "1.5"}, {-1.5, "-1.5"},
    {0.25, "0.25"}, {12.5, "12.5"}, {99.9, "99.9"}, {100.25, "100.25"},
    {0.123456789, "0.123456789"}, {123456.789, "123456.789"}, {12345678.5, "12345678.5"},
    {123456789.5, "123456789.5"}, {1234567890.5, "1234567890.5"},
    {1234567890123456.7, "1234567890123456.8"}, {2251799813685248.5, "2251799813685248.5"},
    {4503599627370495.5, "4503599627370495.5"}, {4503599627370497.5, "4503599627370498"},
    {0.00001, "0.00001"}, {0.000001, "0.000001"}, {0.0000011, "0.0000011"},
    {0.0000012345678901234567, "0.0000012345678901234567"}, {9.999999999999999e-7, "0.000001"},
    {1e-7, "1e-7"}, {1.5e-7, "1.5e-7"}, {1.2345e-9, "1.2345e-9"}, {1e-10, "1e-10"},
    {1e-100, "1e-100"}, {1.7976931348623157e308, "1.7976931348623157e+308"},
    {-1.7976931348623157e308, "-1.7976931348623157e+308"},
    {1.7976931348623155e308, "1.7976931348623155e+308"}, {5e-324, "5e-324"}, {-5e-324, "-5e-324"},
    {1e-323, "1e-323"}, {1.5e-323, "1.5e-323"}, {2e-323, "2e-323"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {2.225073858507201e-308, "2.225073858507201e-308"},
    {1.1125369292536007e-308, "1.1125369292536007e-308"}, {4.45e-308, "4.45e-308"},
    {9007199254740991.0, "9007199254740991"}, {9007199254740992.0, "9007199254740992"},
    {9007199254740993.0, "9007199254740992"}, {9007199254740994.0, "9007199254740994"},
    {9007199254740996.0, "9007199254740996"}, {18014398509481984.0, "18014398509481984"},
    {18014398509481988.0, "18014398509481988"}, {1152921504606846976.0, "1152921504606847000"},
    {9223372036854775807.0, "9223372036854776000"},
    {18446744073709551615.0, "18446744073709552000"},
    {123456789012345680000.0, "123456789012345680000"},
    {100000000000000000000.0, "100000000000000000000"},
    {999999999999999900000.0, "999999999999999900000"}, {999999999999999934464.0, "1e+21"},
    {1e21, "1e+21"}, {1.0000000000000001e21, "1.0000000000000001e+21"}, {1.5e21, "1.5e+21"},
    {1e22, "1e+22"}, {1e23, "1e+23"}, {9.999999999999999e22, "1e+23"},
    {1.0000000000000001e23, "1.0000000000000001e+23"}, {1.5e300, "1.5e+300"}, {1e100, "1e+100"},
    {1.2345678901234567e100, "1.2345678901234567e+100"}, {1e15, "1000000000000000"},
    {1e16, "10000000000000000"}, {12345678901234567890.0, "12345678901234567000"}, {0.1e1, "1"},
    {2.5e-3, "0.0025"}, {7.5e-1, "0.75"}, {0.30000000000000004, "0.30000000000000004"},
    {3.141592653589793, "3.141592653589793"}, {2.718281828459045, "2.718281828459045"},
    {1.4142135623730951, "1.4142135623730951"}, {6.02214076e23, "6.02214076e+23"},
    {1.602176634e-19, "1.602176634e-19"}, {299792458.5, "299792458.5"},
    {1700000000.123, "1700000000.123"}, {1700000000123.25, "1700000000123.25"}, {0.005, "0.005"},
    {0.01, "0.01"}, {0.025, "0.025"}, {0.05, "0.05"}, {0.075, "0.075"}, {2.5, "2.5"}, {7.5, "7.5"},
    {9.5367431640625e-7, "9.5367431640625e-7"}, {2.9802322387695312e-8, "2.9802322387695312e-8"},
    {5.684341886080802e-14, "5.684341886080802e-14"},
    {5.684341886080801e-14, "5.684341886080801e-14"}, {9007199254740993.5, "9007199254740994"},
    {6.631236846766476e-316, "6.63123685e-316"}, {3.9443045261050599e-31, "3.94430452610506e-31"},
    {2.98023223876953125e-8, "2.9802322387695312e-8"}, {8.41e21, "8.41e+21"},
    {2.0919495182368195e19, "20919495182368195000"}, {9.409340012568248e18, "9409340012568248000"},
    {1.7800590868057611e-307, "1.7800590868057611e-307"},
    {2.8480945388892178e-306, "2.848094538889218e-306"},
    {2.446494580089078e-296, "2.446494580089078e-296"}, {4.8726570057e288, "4.8726570057e+288"},
    {9.5e-7, "9.5e-7"}, {12e20, "1.2e+21"}, {9.355950000000000e+08, "935595000"},
  };
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    check_text("table", table[i].value, table[i].text);
  }
}

static void prints_what_is_no_ordinary_number(void) {
  check_text("zero", 0.0, "0");
  check_text("zero", -0.0, "-0");
  check_text("infinity", INFINITY, "+Inf");
  check_text("infinity", -INFINITY, "-Inf");
  const uint64_t infinity = (uint64_t)0x7ff << 52, sign = (uint64_t)1 << 63;
  const uint64_t nans[] = {1, 2, (uint64_t)1 << 51, ((uint64_t)1 << 52) - 1};
  for (size_t i = 0; i < sizeof nans / sizeof *nans; i++) {
    check_text("nan", double_of(infinity | nans[i]), "NaN");
    check_text("nan", double_of(infinity | nans[i] | sign), "NaN");
  }
}

static void prints_powers_of_two_and_their_neighbours(void) {
  for (int e = -1074; e <= 1023; e++) check_around("power of two", ldexp(1, e));
}

static void prints_powers_of_ten_and_their_neighbours(void) {
  for (int e = -323; e <= 308; e++) {
    char text[16];
    snprintf(text, sizeof text, "1e%d", e);
    check_around("power of ten", strtod(text, NULL));
  }
}

static void prints_the_first_and_last_of_each_kind(void) {
  for (uint64_t bits = 1; bits <= 3000; bits++) check_slowly("subnormal", double_of(bits));
  for (uint64_t i = 0; i < 3000; i++) {
    check_slowly("near the smallest normal", double_of(bits_of(DBL_MIN) - 1500 + i));
    check_slowly("near the largest", double_of(bits_of(DBL_MAX) - i));
    check_slowly("near 2^53", double_of(bits_of(9007199254740992.0) - 1500 + i));
    check_slowly("near 1e21", double_of(bits_of(1e21) - 1500 + i));
    check_slowly("near 1e-6", double_of(bits_of(1e-6) - 1500 + i));
  }
}

static void prints_halves_of_large_numbers(void) {
  uint32_t random = 5;
  for (int i = 0; i < 20000; i++) {
    double fraction = (double)(i % 16) / 16;
    check_slowly("half", ldexp((double)(next_u64(&random) >> 11), -1 - i % 53) + fraction + 0.5);
  }
}

static void prints_short_decimals(void) {
  uint32_t random = 4;
  for (int i = 0; i < 100000; i++) {
    char text[40];
    uint32_t digits = next_u32(&random) >> (next_u32(&random) & 31);
    snprintf(text, sizeof text, "%" PRIu32 "e%d", digits | 1, (int)(next_u32(&random) % 40) - 25);
    check_slowly("short decimal", strtod(text, NULL));
  }
}

static void prints_the_closest_of_the_shortest_digits(void) {
  uint32_t random = 1;
  for (int i = 0; i < 300000; i++) {
    double value = double_of(next_u64(&random));
    if (isfinite(value) && value != 0) check_slowly("random bits", value);
  }
}

static void prints_what_reads_back(void) {
  uint32_t random = 2;
  for (int i = 0; i < 5000000; i++) {
    double value = double_of(next_u64(&random));
    if (!isfinite(value)) continue;
    char text[PTS_NUMBER_MAX + 8];
    print(text, value);
    double again = strtod(text, NULL);
    if (bits_of(again) != bits_of(value)) fail("random bits", value, text, "what reads back");
  }
}

/* One value in all the ways that integers are printed. */
static void check_integer(uint64_t value) {
  char expected[24];
  char text[PTS_NUMBER_MAX];
  snprintf(expected, sizeof expected, "%" PRIu64, value);
  text[pts_number_print_u64(text, value)] = 0;
  if (strcmp(text, expected) != 0) fail("u64", (double)value, text, expected);
  if (value < (uint64_t)1 << 53) check_text("integer", (double)value, expected);

  int64_t negative = (int64_t)(0 - value);
  snprintf(expected, sizeof expected, "%" PRId64, negative);
  text[pts_number_print_i64(text, negative)] = 0;
  if (strcmp(text, expected) != 0) fail("i64", (double)negative, text, expected);
  if (value > 0 && value < (uint64_t)1 << 53) check_text("integer", -(double)value, expected);
}

static void prints_integers(void) {
  for (uint64_t i = 0; i < 20000; i++) check_integer(i);
  for (uint64_t power = 10; power <= UINT64_MAX / 10; power *= 10) {
    for (uint64_t i = 0; i < 7; i++) check_integer(power - 3 + i);
  }
  for (int e = 3; e < 64; e++) {
    for (uint64_t i = 0; i < 7; i++) check_integer(((uint64_t)1 << e) - 3 + i);
  }
  for (uint64_t i = 0; i < 3; i++) check_integer(10000000000000000000u - 1 + i);
  for (uint64_t i = 0; i < 3; i++) check_integer(UINT64_MAX - i);
  uint32_t random = 3;
  for (int i = 0; i < 1000000; i++) {
    uint64_t value = next_u64(&random);
    check_integer(value >> (next_u32(&random) & 63));
  }
}

/* What tests/number_test.ts found when it printed the same numbers with String(value). */
#define JAVASCRIPT_COUNT 200000
#define JAVASCRIPT_DIGEST 0x5d105540u

/* Any bits; m / 10^n; an integer, often above 2^53; a number below 1. */
static double javascript_value(int i, uint32_t a, uint32_t b) {
  static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  switch (i % 4) {
    case 0: return double_of((uint64_t)a << 32 | b);
    case 1: return a / tens[b % 23];
    case 2: return (double)a * b;
    default: return ((double)(a >> 5) * 67108864 + (b >> 6)) / 9007199254740992;
  }
}

static void agrees_with_javascript(void) {
  uint32_t random = 7;
  uint32_t digest = 0x811c9dc5u; /* FNV-1a */
  for (int i = 0; i < JAVASCRIPT_COUNT; i++) {
    uint32_t a = next_u32(&random);
    uint32_t b = next_u32(&random);
    char text[PTS_NUMBER_MAX + 8];
    size_t length = print(text, javascript_value(i, a, b));
    text[length++] = '\n';
    for (size_t at = 0; at < length; at++) digest = (digest ^ (uint8_t)text[at]) * 0x01000193u;
  }
  if (digest == JAVASCRIPT_DIGEST) return;
  failures++;
  fprintf(stderr, "the digest is 0x%08" PRIx32 "; JavaScript's is 0x%08" PRIx32 "\n", digest,
          (uint32_t)JAVASCRIPT_DIGEST);
}

/* ---- How fast -------------------------------------------------------------------------------- */

#define BENCH_COUNT 65536
static double bench_values[BENCH_COUNT];

/* Any bits; 0.123456789; 1.23; an integer of at most six digits; one of any size below 2^53. */
static double bench_value(int kind, uint64_t random) {
  switch (kind) {
    case 0: return double_of(random % bits_of(DBL_MAX));
    case 1: return (double)(random % 1000000000) / 1e9;
    case 2: return (double)(random % 1000) / 100;
    case 3: return (double)(random % 1000000);
    default: return (double)(random >> 11 >> random % 53);
  }
}

static double bench_once(int with_snprintf, size_t *length) {
  char text[64];
  clock_t start = clock();
  int rounds = with_snprintf ? 8 : 64;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < BENCH_COUNT; i++) {
      *length += with_snprintf ? (size_t)snprintf(text, sizeof text, "%.17g", bench_values[i])
                               : pts_number_print(text, bench_values[i]);
    }
  }
  return (double)(clock() - start) / CLOCKS_PER_SEC * 1e9 / rounds / BENCH_COUNT;
}

static int bench(void) {
  static const char *const names[] = {"random bits", "0.123456789", "1.23", "below 1e6",
                                      "below 2^53"};
  size_t length = 0; /* is used, so that no print is left out */
  for (int kind = 0; kind < 5; kind++) {
    uint32_t random = 6;
    for (int i = 0; i < BENCH_COUNT; i++) bench_values[i] = bench_value(kind, next_u64(&random));
    double ours = 1e9, theirs = 1e9;
    for (int i = 0; i < 5; i++) {
      ours = fmin(ours, bench_once(0, &length));
      theirs = fmin(theirs, bench_once(1, &length));
    }
    printf("%-12s %6.1f ns, snprintf(\"%%.17g\") %6.1f ns: %.1f times as fast\n", names[kind], ours,
           theirs, theirs / ours);
  }
  return length > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    void (*run)(void);
  } tests[] = {
#define TEST(name) {#name, name}
      TEST(prints_what_javascript_prints),
      TEST(prints_what_is_no_ordinary_number),
      TEST(prints_powers_of_two_and_their_neighbours),
      TEST(prints_powers_of_ten_and_their_neighbours),
      TEST(prints_the_first_and_last_of_each_kind),
      TEST(prints_halves_of_large_numbers),
      TEST(prints_short_decimals),
      TEST(prints_the_closest_of_the_shortest_digits),
      TEST(prints_what_reads_back),
      TEST(prints_integers),
      TEST(agrees_with_javascript),
  };
  if (argc > 1 && strcmp(argv[1], "--bench") == 0) return bench();
  int count = (int)(sizeof tests / sizeof *tests), failed = 0;
  for (int i = 0; i < count; i++) {
    failures = 0;
    tests[i].run();
    if (failures == 0) continue;
    fprintf(stderr, "FAILED: %s (%u wrong)\n", tests[i].name, failures);
    failed++;
  }
  printf("%d passed, %d failed\n", count - failed, failed);
  return failed == 0 ? 0 : 1;
}

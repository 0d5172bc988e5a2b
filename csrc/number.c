/*
 * number.c: printing numbers; see number.h for the form.
 *
 * Rendering a scrape of a million series is mostly this file. So it works on words of eight digits
 * instead of single characters, and has no branch that depends on digits: for numbers as they come,
 * the processor could only guess such a branch, and a wrong guess costs as much as half a print.
 *
 * The shortest digits are found by Schubfach (Raffaello Giulietti, "The Schubfach way to render
 * doubles"). In short: a double v = c * 2^q is what every real number in an interval around it
 * reads back to. Let 10^k be the largest power of ten that is not wider than the interval. Then a
 * multiple of 10^k lies in the interval, and at most one multiple of 10^(k+1). If there is one of
 * the latter, it is the shortest text, once its zeros at the end are dropped; if not, the multiple
 * of 10^k that is closest to v is. It takes v and both ends of the interval in units of 10^k: three
 * products with a power of ten of 128 bits. tools/number_tables.ts proves that these bits decide
 * every comparison for every double.
 */
#include "number.h"

#include <string.h>

#include "number_tables.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "number.c keeps the first of eight characters in a word's lowest byte: adapt store8()"
#endif

#define TEN_TO_8 100000000u
#define TEN_TO_16 10000000000000000u

#define FRACTION_BITS 52
#define HIDDEN_BIT ((uint64_t)1 << FRACTION_BITS)
#define SIGN_BIT ((uint64_t)1 << 63)
#define INFINITY_BITS ((uint64_t)0x7ff << FRACTION_BITS)
/* An integer below this needs all its digits; from here on zeros may take the place of the last. */
#define EXACT_INTEGER_LIMIT 9007199254740992.0

/* Digits of the longest shortest text. */
#define DIGITS_MAX 17
/* As in JavaScript, 0.d1d2... * 10^point has an exponent unless point is in this range. */
#define POINT_MIN (-5)
#define POINT_MAX 21

#define ASCII_ZEROS 0x3030303030303030u

__extension__ typedef unsigned __int128 u128;

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

static void store8(char *out, uint64_t characters) {
  memcpy(out, &characters, sizeof characters);
}

/* condition, which is 0 or 1, ? yes : no; for conditions that are as good as random. */
static uint64_t choose(int condition, uint64_t yes, uint64_t no) {
  return no ^ ((no ^ yes) & (0 - (uint64_t)condition));
}

/* ---- Words of digits ------------------------------------------------------------------------- */

/*
 * The eight decimal digits of value < 10^8, one a byte, the first digit in the lowest byte.
 *
 * All lanes of a word are divided at once, by multiplying with a reciprocal that is rounded up:
 * 10486 / 2^20 divides every n < 10^4 by 100, and 103 / 2^10 every n < 100 by 10. The masks drop
 * what comes down from the lane above.
 */
static uint64_t digits8(uint32_t value) {
  uint64_t high = value / 10000;
  uint64_t fours = high | (uint64_t)(value - (uint32_t)high * 10000) << 32;
  uint64_t hundreds = (fours * 10486 >> 20) & 0x0000007f0000007fu;
  uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
  uint64_t tens = (twos * 103 >> 10) & 0x000f000f000f000fu;
  return tens | (twos - tens * 10) << 8;
}

/* floor(log2(value)), as the exponent of a double; value must not round up to a power of two. */
static uint32_t floor_log2(uint64_t value) {
  return (uint32_t)(bits_of((double)(int64_t)value) >> FRACTION_BITS) - 1023;
}

/* How many of eight digits are left when zeros at the end are dropped. */
static uint32_t used_digits(uint64_t digits) {
  /* no byte is above 9, so the word does not round up to a power of two */
  return digits == 0 ? 0 : floor_log2(digits) / 8 + 1;
}

/* ---- Integers -------------------------------------------------------------------------------- */

static const uint64_t powers_of_ten[17] = {
    1u,
    10u,
    100u,
    1000u,
    10000u,
    100000u,
    1000000u,
    10000000u,
    100000000u,
    1000000000u,
    10000000000u,
    100000000000u,
    1000000000000u,
    10000000000000u,
    100000000000000u,
    1000000000000000u,
    10000000000000000u,
};

/* How many decimal digits value < 10^16 has; zero has one. */
static uint32_t count_digits(uint64_t value) {
  value |= 1; /* never adds a digit, and zero has a logarithm */
  /* the digits of the next power of two, less one; 1233 / 4096 is close enough to log10(2) */
  uint32_t guess = (floor_log2(value) + 1) * 1233 >> 12;
  return guess + (value >= powers_of_ten[guess]);
}

static size_t print_below_ten_to_16(char *out, uint64_t value) {
  uint32_t count = count_digits(value);
  if (value < TEN_TO_8) {
    store8(out, (digits8((uint32_t)value) | ASCII_ZEROS) >> (64 - 8 * count));
    return count;
  }
  uint32_t high = (uint32_t)(value / TEN_TO_8);
  uint32_t low = (uint32_t)(value - (uint64_t)high * TEN_TO_8);
  store8(out, (digits8(high) | ASCII_ZEROS) >> (128 - 8 * count));
  store8(out + count - 8, digits8(low) | ASCII_ZEROS);
  return count;
}

size_t pts_number_print_u64(char *out, uint64_t value) {
  if (value < TEN_TO_16) {
    return print_below_ten_to_16(out, value);
  }
  uint64_t top = value / TEN_TO_16;
  uint64_t rest = value - top * TEN_TO_16;
  size_t length = print_below_ten_to_16(out, top);
  store8(out + length, digits8((uint32_t)(rest / TEN_TO_8)) | ASCII_ZEROS);
  store8(out + length + 8, digits8((uint32_t)(rest % TEN_TO_8)) | ASCII_ZEROS);
  return length + 16;
}

size_t pts_number_print_i64(char *out, int64_t value) {
  if (value >= 0) {
    return pts_number_print_u64(out, (uint64_t)value);
  }
  *out = '-';
  return 1 + pts_number_print_u64(out + 1, 0 - (uint64_t)value);
}

/* ---- The shortest digits --------------------------------------------------------------------- */

/* digits * 10^exponent */
struct decimal {
  uint64_t digits;
  int32_t exponent;
};

/* 128 bits; the highest one is set. */
struct power {
  uint64_t high;
  uint64_t low;
};

/*
 * 10^e scaled to 128 bits: not below it, and less than PTS_NUMBER_POWER_ERROR units of the lowest bit
 * above. The first powers, which every number between 10^-10 and 10^16 takes, are exact and lie in a
 * table; a table of them all would be most of what this library keeps beside its code, so the others
 * are the product of one of them and of every 27th power. tools/number_tables.ts goes through all.
 */
static struct power power_of_ten(int32_t e) {
  if ((uint32_t)e < PTS_NUMBER_POWER_STEP) {
    return (struct power){pts_number_first_powers[e], 0};
  }
  uint32_t index = (uint32_t)(e - PTS_NUMBER_POWER_FIRST);
  uint32_t step = index / PTS_NUMBER_POWER_STEP;
  const uint64_t *every = pts_number_every_27th_power[step];
  uint64_t factor = pts_number_first_powers[index - step * PTS_NUMBER_POWER_STEP];
  u128 low = (u128)every[1] * factor;
  u128 high = (u128)every[0] * factor + (uint64_t)(low >> 64);
  /* the highest bit of both is set, so that of the product is, or the next one */
  uint32_t unset = !(high >> 127);
  high = (high << unset | (uint64_t)low >> 63 >> !unset) + 1;
  return (struct power){(uint64_t)(high >> 64), (uint64_t)high};
}

/*
 * The integer part of multiplier * power / 2^128, with its lowest bit set if there is any fraction
 * too. That is "rounded to odd": comparing it with an even integer gives what comparing the exact
 * product would give.
 */
static uint64_t multiply_to_odd(struct power power, uint64_t multiplier) {
  u128 low = (u128)power.low * multiplier;
  u128 high = (u128)power.high * multiplier + (uint64_t)(low >> 64);
  return (uint64_t)(high >> 64) | ((uint64_t)high != 0);
}

/* The shortest digits of the positive finite double with these bits, or those and zeros behind. */
static struct decimal shortest_decimal(uint64_t bits) {
  uint64_t fraction = bits & (HIDDEN_BIT - 1);
  int32_t biased = (int32_t)(bits >> FRACTION_BITS);
  uint64_t c = biased == 0 ? fraction : fraction | HIDDEN_BIT;
  int32_t q = (biased == 0 ? 1 : biased) - 1075;
  /* below a power of two doubles lie twice as close: its interval ends a quarter of 2^q below */
  uint32_t narrow = fraction == 0 && biased > 1;
  /* ties go to even, so the ends of the interval belong to it only if c is even */
  uint64_t ends_outside = c & 1;

  /* k = floor(log10(2^q)), or of 3/4 * 2^q; shift = q + floor(log2(10^-k)) + 1, which is 1 to 4 */
  int32_t k = (q * 1262611 - (narrow ? 524031 : 0)) >> 22;
  int32_t shift = q + ((-k * 1741647) >> 19) + 1;
  struct power power = power_of_ten(-k);

  /* all in quarters of 10^k */
  uint64_t value = multiply_to_odd(power, (4 * c) << shift);
  uint64_t lower = multiply_to_odd(power, (4 * c - 2 + narrow) << shift) + ends_outside;
  uint64_t upper = multiply_to_odd(power, (4 * c + 2) << shift) - ends_outside;

  /* the multiples of 10^(k+1) on both sides of v: at most one is inside */
  uint64_t ones = value / 4;
  uint64_t tens = ones / 10 * 10;
  int tens_inside = lower <= 4 * tens;
  int next_tens_inside = 4 * tens + 40 <= upper;

  /* those of 10^k: one or both are, and of both it is the closer one, or the even one of a tie */
  int ones_inside = lower <= 4 * ones;
  int next_ones_inside = 4 * ones + 4 <= upper;
  uint64_t middle = 4 * ones + 2;
  int next_closer = (value > middle) | ((value == middle) & (int)(ones & 1));
  int next = next_ones_inside & (next_closer | !ones_inside);

  tens += choose(next_tens_inside, 10, 0);
  ones += (uint64_t)next;
  return (struct decimal){choose(tens_inside | next_tens_inside, tens, ones), k};
}

/* The same with exactly 17 digits. */
static struct decimal shortest_decimal_17(uint64_t bits) {
  struct decimal decimal = shortest_decimal(bits);
  /* a normal double has 16 or 17, as good as at random */
  int is_short = decimal.digits < TEN_TO_16;
  decimal.digits *= choose(is_short, 10, 1);
  decimal.exponent -= is_short;
  /* a subnormal one may have fewer */
  while (decimal.digits < TEN_TO_16) {
    decimal.digits *= 10;
    decimal.exponent--;
  }
  return decimal;
}

/* ---- Doubles --------------------------------------------------------------------------------- */

/* 17 digits as text, and how many there are without zeros at the end. */
struct text {
  char first;
  uint64_t middle;
  uint64_t last;
  int32_t count;
};

static struct text split_digits(uint64_t digits) {
  uint64_t first = digits / TEN_TO_16;
  uint64_t rest = digits - first * TEN_TO_16;
  uint64_t middle = digits8((uint32_t)(rest / TEN_TO_8));
  uint64_t last = digits8((uint32_t)(rest % TEN_TO_8));
  return (struct text){
      .first = (char)('0' + first),
      .middle = middle | ASCII_ZEROS,
      .last = last | ASCII_ZEROS,
      .count = (int32_t)(last == 0 ? 1 + used_digits(middle) : 9 + used_digits(last)),
  };
}

static void store_text(char *out, const struct text *text) {
  *out = text->first;
  store8(out + 1, text->middle);
  store8(out + 9, text->last);
}

/* Nine bytes: the eight characters with a point after the first `before` of them, 0 to 7. */
static void store8_with_point(char *out, uint64_t characters, int32_t before) {
  uint64_t mask = ((uint64_t)1 << 8 * before) - 1;
  store8(out + 1, characters);
  store8(out, (characters & mask) | (uint64_t)'.' << 8 * before | (characters & ~mask) << 8);
}

/* The point stands after the first `point` digits, 1 to 16, and digits follow it. */
static size_t print_point_inside(char *out, const struct text *text, int32_t point) {
  *out = text->first;
  if (point <= 8) {
    store8_with_point(out + 1, text->middle, point - 1);
    store8(out + 10, text->last);
  } else {
    store8(out + 1, text->middle);
    store8_with_point(out + 9, text->last, point - 9);
  }
  return (size_t)text->count + 1;
}

static size_t print_with_exponent(char *out, const struct text *text, int32_t exponent) {
  store_text(out + 1, text);
  out[0] = text->first;
  out[1] = '.';
  size_t length = (size_t)text->count + (text->count > 1);
  out[length++] = 'e';
  out[length++] = exponent < 0 ? '-' : '+';
  uint64_t magnitude = (uint64_t)(exponent < 0 ? -exponent : exponent);
  return length + print_below_ten_to_16(out + length, magnitude);
}

/* The positive finite double with these bits, which is not an integer below 2^53. */
static size_t print_positive(char *out, uint64_t bits) {
  struct decimal decimal = shortest_decimal_17(bits);
  struct text text = split_digits(decimal.digits);
  int32_t point = decimal.exponent + DIGITS_MAX;
  if (point < POINT_MIN || point > POINT_MAX) {
    return print_with_exponent(out, &text, point - 1);
  }
  if (point <= 0) {
    store8(out, ASCII_ZEROS);
    out[1] = '.';
    store_text(out + 2 - point, &text);
    return (size_t)(2 - point + text.count);
  }
  if (point < text.count) {
    return print_point_inside(out, &text, point);
  }
  store_text(out, &text);
  store8(out + DIGITS_MAX, ASCII_ZEROS);
  return (size_t)point;
}

static size_t print_not_finite(char *out, uint64_t bits) {
  int is_nan = (bits & ~SIGN_BIT) > INFINITY_BITS;
  const char *text = is_nan ? "NaN" : bits & SIGN_BIT ? "-Inf" : "+Inf";
  size_t length = strlen(text);
  memcpy(out, text, length);
  return length;
}

size_t pts_number_print(char *out, double value) {
  uint64_t bits = bits_of(value);
  uint64_t magnitude_bits = bits & ~SIGN_BIT;
  if (magnitude_bits >= INFINITY_BITS) {
    return print_not_finite(out, bits);
  }
  size_t sign = bits >> 63;
  *out = '-';
  out += sign;
  double magnitude = double_of(magnitude_bits);
  if (magnitude < EXACT_INTEGER_LIMIT) {
    int64_t integer = (int64_t)magnitude;
    if ((double)integer == magnitude) {
      return sign + print_below_ten_to_16(out, (uint64_t)integer);
    }
  }
  return sign + print_positive(out, magnitude_bits);
}

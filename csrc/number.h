/*
 * number.h: numbers as text for the exposition.
 *
 * A double prints as the shortest decimal text that reads back to the same double and, among the
 * texts of that length, the one closest to it. The form is that of JavaScript's String(value):
 * plain decimals from 1e-6 up to 1e21, otherwise an exponent as in 1e-7, 1e+21 and 1.5e+300. Four
 * values differ from JavaScript: NaN is `NaN` with any sign bit, the infinities are `+Inf` and
 * `-Inf` as the text format wants them, and negative zero keeps its sign as `-0`.
 *
 * Each function writes the text at `out`, without a terminator, and returns its length. It may also
 * overwrite bytes behind the text, up to PTS_NUMBER_MAX from `out`: it stores whole words where
 * only a part is needed.
 */
#ifndef PTS_NUMBER_H
#define PTS_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that must be writable at `out`. The longest text has 25: -0.0000012345678901234567 */
#define PTS_NUMBER_MAX 32

size_t pts_number_print(char *out, double value);
size_t pts_number_print_u64(char *out, uint64_t value);
size_t pts_number_print_i64(char *out, int64_t value);

#endif

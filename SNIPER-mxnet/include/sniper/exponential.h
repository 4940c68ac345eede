// exp for decoding boxes: the same bits on every machine and vector width, and fit for vector code.
#ifndef SNIPER_EXPONENTIAL_H_
#define SNIPER_EXPONENTIAL_H_

#include <cmath>
#include <cstdint>
#include <cstring>

#include "sniper/common.h"

namespace sniper {

// e to the power of `x`, within 2 units of the last place of a double; x below -100 counts as -100, above 100 as 100,
// which a box of float32 coordinates cannot tell apart from the truth. NaN gives some number.
//
// x = k ln 2 + r with |r| <= ln 2 / 2; e^r by its series, and 2^k added into the exponent's bits.
SNIPER_HD double bounded_exp(double x) {
  // One comparison and not two, with which compilers would make branches instead of vector code.
  const double bounded = fabs(x) < 100.0 ? x : copysign(100.0, x);
  // Adding 1.5 * 2^52 rounds to a whole number, which then stands in the low bits.
  const double shift = 6755399441055744.0;
  const double shifted = bounded * 1.4426950408889634 + shift;
  const double k = shifted - shift;
  const double r = (bounded - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10;
  double sum = 1.0 / 6227020800.0;
  sum = sum * r + 1.0 / 479001600.0;
  sum = sum * r + 1.0 / 39916800.0;
  sum = sum * r + 1.0 / 3628800.0;
  sum = sum * r + 1.0 / 362880.0;
  sum = sum * r + 1.0 / 40320.0;
  sum = sum * r + 1.0 / 5040.0;
  sum = sum * r + 1.0 / 720.0;
  sum = sum * r + 1.0 / 120.0;
  sum = sum * r + 1.0 / 24.0;
  sum = sum * r + 1.0 / 6.0;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  uint64_t bits, exponent;
  memcpy(&bits, &sum, sizeof bits);
  memcpy(&exponent, &shifted, sizeof exponent);
  bits += exponent << 52;
  double result;
  memcpy(&result, &bits, sizeof result);
  return result;
}

}  // namespace sniper

#endif  // SNIPER_EXPONENTIAL_H_

#include "cpu/log_sums.h"

#include <cmath>
#include <cstring>

#include "sniper/common.h"

namespace sniper {
namespace {

const int kLanes = 16;  // partial sums of a row, so that the loop over classes becomes vector code

// Sums of exponentials between these are right without the largest logit taken out first: no term was bounded from
// above, and what was bounded from below is nothing beside the rest.
const float kLeastSum = 1e-26f, kGreatestSum = 1e38f;

// e to the power of x, within 2e-7 and what x is rounded by; x is bounded by -87 and 88. NaN stays NaN.
//
// 2^(k + f) with |f| <= 1/2: adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits, here with
// the bias of the exponent. The polynomial of 2^f has the least relative error of its degree, 8e-8.
SNIPER_INLINE float bounded_power(float x) {
  const float above = x < -87.0f ? -87.0f : x, bounded = above > 88.0f ? 88.0f : above;
  const float shift = 12582912.0f + 127.0f;
  const float power = bounded * 1.44269504f, shifted = power + shift;
  const float f = power - (shifted - shift);
  float sum = 0.00132764718f;
  sum = sum * f + 0.00967554133f;
  sum = sum * f + 0.0555071327f;
  sum = sum * f + 0.240221197f;
  sum = sum * f + 0.693146967f;
  sum = sum * f + 1.00000007f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, sizeof bits);
  bits <<= 23;
  float whole;
  std::memcpy(&whole, &bits, sizeof whole);
  return sum * whole;
}

// The logarithm of a positive number that is not denormal: 2 artanh((m - 1) / (m + 1)) by its series for the mantissa m
// between sqrt(1/2) and sqrt(2).
SNIPER_INLINE float natural_log(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const int32_t exponent = (bits - 0x3f3504f3) >> 23;
  bits -= exponent * (1 << 23);
  float mantissa;
  std::memcpy(&mantissa, &bits, sizeof mantissa);
  const float s = (mantissa - 1.0f) / (mantissa + 1.0f), z = s * s;
  const float series = (((z / 9.0f + 1.0f / 7.0f) * z + 1.0f / 5.0f) * z + 1.0f / 3.0f) * z;
  return static_cast<float>(exponent) * 0.693147181f + (2.0f * s + 2.0f * s * series);
}

SNIPER_INLINE float sum_of_lanes(float* sums) {
  for (int i = 0; i < 8; ++i) sums[i] += sums[i + 8];
  for (int i = 0; i < 4; ++i) sums[i] += sums[i + 4];
  return (sums[0] + sums[2]) + (sums[1] + sums[3]);
}

// The way for all numbers: the largest is taken out first.
float careful_log_sum(const float* logits, int classes) {
  float largest = -INFINITY, sum = 0.0f;
  for (int c = 0; c < classes; ++c) largest = logits[c] > largest ? logits[c] : largest;
  for (int c = 0; c < classes; ++c) sum += std::exp(logits[c] - largest);
  return std::log(sum) + largest;
}

// NaN for rows that need the careful way.
SNIPER_CLONES void usual_log_sums(const float* logits, int64_t rows, int classes, float* out) {
  const int whole = classes / kLanes * kLanes;
  for (int64_t row = 0; row < rows; ++row, logits += classes) {
    float sums[kLanes] = {0.0f}, rest = 0.0f;
    for (int c = 0; c < whole; c += kLanes) {
      for (int i = 0; i < kLanes; ++i) sums[i] += bounded_power(logits[c + i]);
    }
    for (int c = whole; c < classes; ++c) rest += bounded_power(logits[c]);
    out[row] = sum_of_lanes(sums) + rest;
  }
  for (int64_t row = 0; row < rows; ++row) {
    const float sum = out[row], result = natural_log(sum);
    const float low = sum > kLeastSum ? result : NAN;
    out[row] = sum < kGreatestSum ? low : NAN;
  }
}

}  // namespace

void log_sums(const float* logits, int64_t rows, int classes, float* out) {
  usual_log_sums(logits, rows, classes, out);
  for (int64_t row = 0; row < rows; ++row) {
    if (std::isnan(out[row])) out[row] = careful_log_sum(logits + row * classes, classes);
  }
}

}  // namespace sniper

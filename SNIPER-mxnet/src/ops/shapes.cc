#include "ops/shapes.h"

#include <stdexcept>

namespace sniper {
namespace {

// MXNet passes an unknown size as the largest number.
const unsigned int kMaxSize = 0x7fffffffu;

}  // namespace

std::string text(const Shape& shape) {
  if (shape.empty()) return "an unknown shape";
  std::string result = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    result += (i ? ", " : "") + (shape[i] > kMaxSize ? "?" : std::to_string(shape[i]));
  }
  return result + (shape.size() == 1 ? ",)" : ")");
}

void check_shape(const char* input, const Shape& shape, const Shape& expected, const std::string& layout) {
  if (shape == expected) return;
  throw std::invalid_argument(std::string(input) + " must be " + layout + " = " + text(expected) + ", got " +
                              text(shape));
}

void check_rank(const char* input, const Shape& shape, size_t rank, const std::string& layout) {
  bool known = shape.size() == rank;
  for (const unsigned int size : shape) known = known && size <= kMaxSize;
  if (known) return;
  throw std::invalid_argument(std::string(input) + " must be " + layout + " with " + std::to_string(rank) +
                              " known sizes, got " + text(shape));
}

void check_maps(const char* input, const Shape& shape) {
  check_rank(input, shape, 4, "(N, C, H, W)");
  for (const unsigned int size : shape) {
    if (size > 0) continue;
    throw std::invalid_argument(std::string(input) + " must be (N, C, H, W) with sizes above 0, got " + text(shape));
  }
  if (static_cast<int64_t>(shape[2]) * shape[3] <= kMaxSize) return;
  throw std::invalid_argument(std::string(input) + " must have at most " + std::to_string(kMaxSize) +
                              " cells a map, got " + text(shape));
}

unsigned int checked_size(const char* what, std::initializer_list<int64_t> factors) {
  int64_t product = 1;
  for (const int64_t factor : factors) {
    product *= factor;  // of two numbers below 2^31: it cannot overflow
    if (product > kMaxSize) throw std::invalid_argument(std::string(what) + " would be more than MXNet can count");
  }
  return static_cast<unsigned int>(product);
}

unsigned int num_rows(unsigned int images, int64_t rows_per_image) {
  const int64_t rows = images * rows_per_image;
  if (rows <= kMaxSize) return static_cast<unsigned int>(rows);
  throw std::invalid_argument("the output would have " + std::to_string(rows) + " rows");
}

}  // namespace sniper

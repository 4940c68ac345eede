// Shapes as MXNet infers them, and the checks that shape rules are made of.
#ifndef SNIPER_OPS_SHAPES_H_
#define SNIPER_OPS_SHAPES_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace sniper {

// A size may be 0 under MXNet's NumPy semantics: no rule may divide by one that it has not tested.
typedef std::vector<unsigned int> Shape;

// "(2, 84, 32, 32)"
std::string text(const Shape& shape);

// Throws std::invalid_argument unless the shapes agree. `layout` names the expected axes, for the message.
void check_shape(const char* input, const Shape& shape, const Shape& expected, const std::string& layout);

// Throws std::invalid_argument unless `shape` has `rank` known sizes.
void check_rank(const char* input, const Shape& shape, size_t rank, const std::string& layout);

// Throws std::invalid_argument unless `shape` is (N, C, H, W) with sizes above 0 and at most 2147483647 cells a map.
void check_maps(const char* input, const Shape& shape);

// The product of counts from attributes, which one by one fit an int; throws if MXNet's shapes cannot hold it.
unsigned int checked_size(const char* what, std::initializer_list<int64_t> factors);

// Rows of an output with `rows_per_image` rows an image; throws if there are too many for MXNet's shapes.
unsigned int num_rows(unsigned int images, int64_t rows_per_image);

}  // namespace sniper

#endif  // SNIPER_OPS_SHAPES_H_

// What the bindings to MXNet's extension interface (lib_api.h) share: errors, shape checks, types.
#ifndef SNIPER_OPS_BINDING_H_
#define SNIPER_OPS_BINDING_H_

#include <cstdint>
#include <string>
#include <vector>

#include "mxnet/lib_api.h"
#include "ops/attributes.h"

namespace sniper {

using mxnet::ext::MXReturnValue;
using mxnet::ext::MXTensor;
using mxnet::ext::OpResource;

typedef std::vector<unsigned int> Shape;

void report_error(const char* op, const std::string& message);

// Runs `body`; an exception becomes an MXNetError in Python with the exception's message.
template <typename Body>
MXReturnValue guarded(const char* op, const Body& body) {
  try {
    body();
    return mxnet::ext::MX_SUCCESS;
  } catch (const std::exception& error) {
    report_error(op, error.what());
    return mxnet::ext::MX_FAIL;
  }
}

// "(2, 84, 32, 32)"
std::string text(const Shape& shape);

// Throws std::invalid_argument unless the shapes agree. `layout` names the expected axes, for the message.
void check_shape(const char* input, const Shape& shape, const Shape& expected, const std::string& layout);

// Throws std::invalid_argument unless `shape` has `rank` known sizes.
void check_rank(const char* input, const Shape& shape, size_t rank, const std::string& layout);

// Throws std::invalid_argument unless `shape` is (N, C, H, W) with sizes above 0 and at most 2147483647 cells a map.
void check_maps(const char* input, const Shape& shape);

// Rows of an output with `rows_per_image` rows an image; throws if there are too many for MXNet's shapes.
unsigned int num_rows(unsigned int images, int64_t rows_per_image);

// "float16"; `type` is one of MXNet's numbers for types.
std::string type_name(int type);

// All inputs and outputs are float32; unknown types become it. Throws if an input is something else.
void infer_float32(const std::vector<std::string>& input_names, std::vector<int>* in_types,
                   std::vector<int>* out_types);

void fill_zero(std::vector<MXTensor>* tensors);

// The backward of an operator that passes no gradient: zeros to all inputs.
MXReturnValue zero_gradients(const AttributeMap&, std::vector<MXTensor>*, std::vector<MXTensor>* out,
                             const OpResource&);

}  // namespace sniper

#endif  // SNIPER_OPS_BINDING_H_

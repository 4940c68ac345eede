#include "ops/binding.h"

#include <cstring>
#include <mutex>
#include <sstream>
#include <stdexcept>

namespace sniper {
namespace {

// MXNet passes an unknown size as the largest number.
const unsigned int kMaxSize = 0x7fffffffu;

}  // namespace

void report_error(const char* op, const std::string& message) {
  // MXNet never clears its list and prints all of it with every error: keep one entry and overwrite it.
  static std::mutex lock;
  static std::stringstream& entry = MX_ERROR_MSG;
  std::lock_guard<std::mutex> hold(lock);
  entry.str("");
  entry << (message.compare(0, std::strlen(op), op) == 0 ? "" : std::string(op) + ": ") << message;
}

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

unsigned int num_rows(unsigned int images, int64_t rows_per_image) {
  const int64_t rows = images * rows_per_image;
  if (rows <= kMaxSize) return static_cast<unsigned int>(rows);
  throw std::invalid_argument("the output would have " + std::to_string(rows) + " rows");
}

std::string type_name(int type) {
  switch (type) {
    case mxnet::ext::kFloat32: return "float32";
    case mxnet::ext::kFloat64: return "float64";
    case mxnet::ext::kFloat16: return "float16";
    case mxnet::ext::kUint8: return "uint8";
    case mxnet::ext::kInt32: return "int32";
    case mxnet::ext::kInt8: return "int8";
    case mxnet::ext::kInt64: return "int64";
    default: return "MXNet's type number " + std::to_string(type);
  }
}

void infer_float32(const std::vector<std::string>& input_names, std::vector<int>* in_types,
                   std::vector<int>* out_types) {
  for (size_t i = 0; i < in_types->size(); ++i) {
    int& type = (*in_types)[i];
    if (type == -1 || type == mxnet::ext::kUNSET) type = mxnet::ext::kFloat32;
    if (type == mxnet::ext::kFloat32) continue;
    throw std::invalid_argument(input_names[i] + " must be float32, got " + type_name(type) + ": cast it first");
  }
  for (int& type : *out_types) type = mxnet::ext::kFloat32;
}

void fill_zero(std::vector<MXTensor>* tensors) {
  for (MXTensor& tensor : *tensors) std::memset(tensor.data_ptr, 0, tensor.size() * sizeof(float));
}

MXReturnValue zero_gradients(const AttributeMap&, std::vector<MXTensor>*, std::vector<MXTensor>* out,
                             const OpResource&) {
  fill_zero(out);
  return mxnet::ext::MX_SUCCESS;
}

}  // namespace sniper

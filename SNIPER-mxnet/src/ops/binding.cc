#include "ops/binding.h"

#include <cstring>
#include <mutex>
#include <stdexcept>

namespace sniper {

void report_error(const char* op, const std::string& message) {
  static std::mutex lock;  // MXNet's list of messages is one for all threads
  std::lock_guard<std::mutex> hold(lock);
  MX_ERROR_MSG << (message.compare(0, std::strlen(op), op) == 0 ? "" : std::string(op) + ": ") << message;
}

std::string text(const Shape& shape) {
  std::string result = "(";
  for (size_t i = 0; i < shape.size(); ++i) result += (i ? ", " : "") + std::to_string(shape[i]);
  return result + (shape.size() == 1 ? ",)" : ")");
}

void check_shape(const char* input, const Shape& shape, const Shape& expected, const std::string& layout) {
  if (shape == expected) return;
  throw std::invalid_argument(std::string(input) + " must be " + layout + " = " + text(expected) + ", got " +
                              text(shape));
}

void check_rank(const char* input, const Shape& shape, size_t rank, const std::string& layout) {
  if (shape.size() == rank) return;
  throw std::invalid_argument(std::string(input) + " must be " + layout + " with " + std::to_string(rank) +
                              " axes, got " + text(shape));
}

void infer_float32(const std::vector<std::string>& input_names, std::vector<int>* in_types,
                   std::vector<int>* out_types) {
  for (size_t i = 0; i < in_types->size(); ++i) {
    int& type = (*in_types)[i];
    if (type == -1 || type == mxnet::ext::kUNSET) type = mxnet::ext::kFloat32;
    if (type != mxnet::ext::kFloat32) throw std::invalid_argument(input_names[i] + " must be float32: cast it first");
  }
  for (int& type : *out_types) type = mxnet::ext::kFloat32;
}

void fill_zero(std::vector<MXTensor>* tensors) {
  for (MXTensor& tensor : *tensors) std::memset(tensor.data_ptr, 0, tensor.size() * sizeof(float));
}

}  // namespace sniper

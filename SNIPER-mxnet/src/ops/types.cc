#include "ops/types.h"

#include <stdexcept>

#include "mxnet/lib_api.h"

namespace sniper {
namespace {

bool is_unknown(int type) { return type == -1 || type == mxnet::ext::kUNSET; }

}  // namespace

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

void check_float32(const std::string& input, int type) {
  if (type == mxnet::ext::kFloat32) return;
  throw std::invalid_argument(input + " must be float32, got " + type_name(type) + ": cast it first");
}

void infer_float32(const std::vector<std::string>& inputs, std::vector<int>* in_types, std::vector<int>* out_types) {
  for (size_t i = 0; i < in_types->size(); ++i) {
    int& type = (*in_types)[i];
    if (is_unknown(type)) type = mxnet::ext::kFloat32;
    check_float32(inputs[i], type);
  }
  for (int& type : *out_types) type = mxnet::ext::kFloat32;
}

void infer_float32_or_float16(const std::vector<std::string>& inputs, std::vector<int>* in_types,
                              std::vector<int>* out_types) {
  const int half = mxnet::ext::kFloat16;
  if ((*in_types)[0] != half) return infer_float32(inputs, in_types, out_types);
  for (size_t i = 0; i < in_types->size(); ++i) {
    int& type = (*in_types)[i];
    if (is_unknown(type)) type = half;
    if (type == half) continue;
    throw std::invalid_argument(inputs[i] + " must be float16 as " + inputs[0] + " is, got " +
                                (type == mxnet::ext::kFloat32 ? "float32" : "another type") + ": cast one of them");
  }
  for (int& type : *out_types) type = half;
}

}  // namespace sniper

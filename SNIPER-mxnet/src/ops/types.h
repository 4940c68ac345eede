// Types as MXNet infers them. Kernels compute in float32, and in nothing else.
#ifndef SNIPER_OPS_TYPES_H_
#define SNIPER_OPS_TYPES_H_

#include <string>
#include <vector>

namespace sniper {

// Fills in the types of inputs and outputs, MXNet's numbers, as far as they are unknown; throws std::invalid_argument,
// with the input's name from `inputs`, for one that the operator does not take.
typedef void (*TypeRule)(const std::vector<std::string>& inputs, std::vector<int>* in_types,
                         std::vector<int>* out_types);

// All inputs and outputs are float32.
void infer_float32(const std::vector<std::string>& inputs, std::vector<int>* in_types, std::vector<int>* out_types);

// All inputs and outputs are of the first input's type. A graph in half precision, which another build or machine will
// compute, has to be inferred here as well: float16 passes, and only a call in it is refused (check_float32).
void infer_float32_or_float16(const std::vector<std::string>& inputs, std::vector<int>* in_types,
                              std::vector<int>* out_types);

// Throws std::invalid_argument unless `type` is float32.
void check_float32(const std::string& input, int type);

}  // namespace sniper

#endif  // SNIPER_OPS_TYPES_H_

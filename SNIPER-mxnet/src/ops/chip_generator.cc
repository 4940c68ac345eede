// ChipGenerator: chips that cover the boxes of every image of a batch, those of lib.chips.generate_chips. No gradient.
#include <vector>

#include "cpu/chip_generator.h"
#include "cuda/chip_generator.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "ops/device.h"

namespace sniper {
namespace {

const char kName[] = "ChipGenerator";
enum Input { kBoxes, kImInfo, kNumInputs };
enum Output { kChips, kNumChips, kNumOutputs };

ChipOptions read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names({"chip_size", "stride", "max_chips", "seed"});
  const auto positive = [&](const char* name, int64_t fallback) {
    const int64_t value = attributes.integer(name, fallback);
    attributes.require(value > 0, name, "above 0");
    return value;
  };
  ChipOptions options;
  options.chip_size = static_cast<int>(positive("chip_size", 512));
  options.stride = static_cast<int>(positive("stride", 56));
  options.max_chips = positive("max_chips", 100);
  const int64_t seed = attributes.integer("seed", 0);
  attributes.require(seed >= 0, "seed", "0 or above");
  options.seed = static_cast<uint64_t>(seed);
  return options;
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    read_options(values);
    *num_inputs = kNumInputs;
    *num_outputs = kNumOutputs;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32({"boxes", "im_info"}, in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const ChipOptions options = read_options(values);
    const Shape& boxes = (*in)[kBoxes];
    check_rank("boxes", boxes, 3, "(N, boxes, 4)");
    check_shape("boxes", boxes, {boxes[0], boxes[1], 4}, "(N, boxes, 4)");
    check_shape("im_info", (*in)[kImInfo], {boxes[0], 3}, "(N, 3)");
    num_rows(boxes[0], options.max_chips);
    (*out)[kChips] = {boxes[0], static_cast<unsigned int>(options.max_chips), 4};
    (*out)[kNumChips] = {boxes[0]};
  });
}

ChipBatch chip_batch(std::vector<MXTensor>* in) {
  const MXTensor& boxes = (*in)[kBoxes];
  return ChipBatch{(*in)[kBoxes].data<float>(), (*in)[kImInfo].data<float>(), boxes.shape[0], boxes.shape[1]};
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    chip_generator_cpu(chip_batch(in), read_options(values), (*out)[kChips].data<float>(),
                       (*out)[kNumChips].data<float>());
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    chip_generator_cuda(chip_batch(in), read_options(values), cuda_context(resource), (*out)[kChips].data<float>(),
                        (*out)[kNumChips].data<float>());
  });
}

#endif

}  // namespace

REGISTER_OP(ChipGenerator)
    .setParseAttrs(parse_attributes)
    .setInferType(infer_type)
    .setInferShape(infer_shape)
    .setForward(forward, "cpu")
    .setBackward(zero_gradients, "cpu")
#if SNIPER_WITH_CUDA
    .setForward(forward_gpu, "gpu")
    .setBackward(zero_gradients_gpu, "gpu")
#endif
    ;

}  // namespace sniper

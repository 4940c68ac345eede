// MaskRcnnTarget: polygons of objects -> their masks within rois (reference/operators.md, section 8). No gradient.
#include <cmath>

#include "cpu/mask_targets.h"
#include "cuda/mask_targets.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "ops/device.h"

namespace sniper {
namespace {

const char kName[] = "MaskRcnnTarget";
enum Input { kRois, kMaskPolys, kMaskIds, kNumInputs };
enum Output { kMaskTargets, kMaskCls, kNumOutputs };

MaskOptions read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names({"batch_size", "num_proposals", "mask_size", "max_num_gts", "max_polygon_len", "ignore_label",
                          "num_classes", "workspace"});
  MaskOptions options;
  const int64_t mask_size = attributes.integer("mask_size", options.mask_size);
  attributes.require(mask_size >= 1 && mask_size <= 4096, "mask_size", "from 1 to 4096");
  options.mask_size = static_cast<int>(mask_size);
  options.ignore_label = static_cast<float>(attributes.number("ignore_label", options.ignore_label));
  attributes.require(std::isfinite(options.ignore_label), "ignore_label", "a finite number");
  for (const char* name : {"batch_size", "num_proposals", "max_num_gts", "max_polygon_len"}) {
    attributes.require(attributes.integer(name, 1) > 0, name, "above 0");
  }
  attributes.number("num_classes", 80);  // unused, as in the original
  attributes.number("workspace", 512);
  return options;
}

// Sizes come from the shapes; an attribute that says otherwise is an error.
void check_sizes(const AttributeMap& values, const Shape& rois, const Shape& mask_polys) {
  const Attributes attributes(kName, values);
  const auto check = [&](const char* name, int64_t actual, const char* source) {
    attributes.require(attributes.integer(name, actual) == actual, name,
                       std::to_string(actual) + ", " + source + ", or left out");
  };
  check("batch_size", mask_polys[0], "the images of mask_polys");
  check("max_num_gts", mask_polys[1], "the records an image of mask_polys");
  check("max_polygon_len", mask_polys[2], "the numbers a record of mask_polys");
  const int64_t rows = mask_polys[0] * attributes.integer("num_proposals", rois[0] / mask_polys[0]);
  attributes.require(values.count("num_proposals") == 0 || rows == rois[0], "num_proposals",
                     "the rows of rois, " + std::to_string(rois[0]) + ", over the images of mask_polys, " +
                         std::to_string(mask_polys[0]) + ", or left out");
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    read_options(values);
    *num_inputs = kNumInputs;
    *num_outputs = kNumOutputs;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32({"rois", "mask_polys", "mask_ids"}, in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap& values, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const MaskOptions options = read_options(values);
    const Shape &rois = (*in)[kRois], &mask_polys = (*in)[kMaskPolys];
    check_rank("rois", rois, 2, "(rows, 5)");
    check_shape("rois", rois, {rois[0], 5}, "(rows, 5)");
    check_rank("mask_polys", mask_polys, 3, "(N, objects, numbers)");
    check_shape("mask_ids", (*in)[kMaskIds], {rois[0], 1}, "(rows, 1)");
    check_sizes(values, rois, mask_polys);
    const unsigned int size = options.mask_size;
    num_rows(rois[0], static_cast<int64_t>(size) * size);  // more pixels than MXNet can count are an error
    for (int i = 0; i < kNumOutputs; ++i) (*out)[i] = {rois[0], size, size};
  });
}

MaskInputs mask_inputs(std::vector<MXTensor>* in) {
  const std::vector<int64_t>& polys = (*in)[kMaskPolys].shape;
  return MaskInputs{(*in)[kRois].data<float>(), (*in)[kMaskPolys].data<float>(), (*in)[kMaskIds].data<float>(),
                    (*in)[kRois].shape[0], PolygonShape{polys[0], polys[1], polys[2]}};
}

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    mask_rcnn_target_cpu(mask_inputs(in), read_options(values), (*out)[kMaskTargets].data<float>(),
                         (*out)[kMaskCls].data<float>());
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    mask_rcnn_target_cuda(cuda_context(resource), mask_inputs(in), read_options(values),
                          (*out)[kMaskTargets].data<float>(), (*out)[kMaskCls].data<float>());
  });
}

#endif

}  // namespace

REGISTER_OP(MaskRcnnTarget)
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

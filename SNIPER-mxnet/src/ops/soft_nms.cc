// SoftNMS: soft non-maximum suppression of independent sets of detections, the rows of lib.bbox.soft_nms. No gradient.
#include <vector>

#include "cpu/soft_nms.h"
#include "cuda/soft_nms.h"
#include "ops/attributes.h"
#include "ops/binding.h"
#include "ops/device.h"

namespace sniper {
namespace {

const char kName[] = "SoftNMS";
const char kLayout[] = "(sets, N, 5) or (N, 5)";
enum Input { kDets, kNumInputs };
enum Output { kOutput, kCount, kNumOutputs };

SoftNmsParam read_options(const AttributeMap& values) {
  const Attributes attributes(kName, values);
  attributes.check_names({"sigma", "iou_thresh", "score_thresh", "method"});
  SoftNmsParam param;
  param.method = static_cast<SoftNmsMethod>(attributes.choice("method", {"hard", "linear", "gaussian"}, 2));
  param.sigma = static_cast<float>(attributes.number("sigma", 0.5));
  attributes.require(param.sigma > 0.0f || param.method != SoftNmsMethod::kGaussian, "sigma", "above 0");
  param.iou_thresh = static_cast<float>(attributes.number("iou_thresh", 0.3));
  attributes.require(param.iou_thresh >= 0.0f && param.iou_thresh <= 1.0f, "iou_thresh", "from 0 to 1");
  param.score_thresh = static_cast<float>(attributes.number("score_thresh", 0.001));
  param.min_score = param.score_thresh;
  return param;
}

MXReturnValue parse_attributes(const AttributeMap& values, int* num_inputs, int* num_outputs) {
  return guarded(kName, [&] {
    read_options(values);
    *num_inputs = kNumInputs;
    *num_outputs = kNumOutputs;
  });
}

MXReturnValue infer_type(const AttributeMap&, std::vector<int>* in_types, std::vector<int>* out_types) {
  return guarded(kName, [&] { infer_float32({"dets"}, in_types, out_types); });
}

MXReturnValue infer_shape(const AttributeMap&, std::vector<Shape>* in, std::vector<Shape>* out) {
  return guarded(kName, [&] {
    const Shape& dets = (*in)[kDets];
    check_rank("dets", dets, dets.size() == 2 ? 2 : 3, kLayout);
    Shape expected = dets;
    expected.back() = 5;
    check_shape("dets", dets, expected, kLayout);
    (*out)[kOutput] = dets;
    (*out)[kCount] = {dets.size() == 2 ? 1 : dets[0]};
  });
}

// The sets of (sets, N, 5); (N, 5) is one.
int64_t num_sets(const MXTensor& dets) { return dets.shape.size() == 2 ? 1 : dets.shape[0]; }

int64_t rows_of_set(const MXTensor& dets) { return dets.shape[dets.shape.size() - 2]; }

MXReturnValue forward(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                      const OpResource&) {
  return guarded(kName, [&] {
    MXTensor& dets = (*in)[kDets];
    soft_nms_cpu(dets.data<float>(), num_sets(dets), rows_of_set(dets), read_options(values),
                 (*out)[kOutput].data<float>(), (*out)[kCount].data<float>());
  });
}

#if SNIPER_WITH_CUDA

MXReturnValue forward_gpu(const AttributeMap& values, std::vector<MXTensor>* in, std::vector<MXTensor>* out,
                          const OpResource& resource) {
  return guarded(kName, [&] {
    MXTensor& dets = (*in)[kDets];
    soft_nms_cuda(dets.data<float>(), num_sets(dets), rows_of_set(dets), read_options(values), cuda_context(resource),
                  (*out)[kOutput].data<float>(), (*out)[kCount].data<float>());
  });
}

#endif

}  // namespace

REGISTER_OP(SoftNMS)
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

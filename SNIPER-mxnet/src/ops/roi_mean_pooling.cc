// RoIMeanPooling: stock ROIPooling and the mean of its bins. Gradients flow to data.
#include <cmath>
#include <stdexcept>

#include "cpu/roi_mean_pooling.h"
#include "cuda/roi_mean_pooling.h"
#include "ops/operator.h"

namespace sniper {
namespace {

struct RoIMeanPooling {
  typedef RoiMeanOptions Options;
  enum Input { kData, kRois };
  enum Output { kOutput };

  static Signature signature() {
    return Signature("RoIMeanPooling")
        .inputs({"data", "rois"})
        .outputs({"output"})
        .attributes({"pooled_size", "spatial_scale"})
        .required({"pooled_size", "spatial_scale"});
  }

  static Options read_options(const Attributes& attributes) {
    const char* const kBins = "one or two whole numbers from 1 to 256 (bins along height and width)";
    Options options;
    const std::vector<float> bins = attributes.numbers("pooled_size", {1});
    attributes.require(bins.size() == 1 || bins.size() == 2, "pooled_size", kBins);
    for (const float count : bins) {
      attributes.require(count >= 1.0f && count <= 256.0f && count == std::floor(count), "pooled_size", kBins);
    }
    options.bin_rows = static_cast<int>(bins.front());
    options.bin_columns = static_cast<int>(bins.back());
    options.spatial_scale = static_cast<float>(attributes.number("spatial_scale", 1.0));
    attributes.require(options.spatial_scale > 0.0f && options.spatial_scale <= 1.0f, "spatial_scale",
                       "above 0 and at most 1 (feature cells a pixel)");
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options&, const std::vector<Shape>& in) {
    const Shape &data = in[kData], &rois = in[kRois];
    check_rank("data", data, 4, "(N, C, H, W)");
    checked_size("the cells of data", {data[2], data[3]});
    check_rank("rois", rois, 2, "(R, 5)");
    check_shape("rois", rois, {rois[0], 5}, "(R, 5)");
    return {{rois[0], data[1]}};
  }

  static RoiMeanInputs inputs(const Tensors& in) {
    return RoiMeanInputs{in.data(kData),
                         in.data(kRois),
                         in.size(kData, 0),
                         in.size(kRois, 0),
                         static_cast<int>(in.size(kData, 1)),
                         static_cast<int>(in.size(kData, 2)),
                         static_cast<int>(in.size(kData, 3))};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    roi_mean_forward_cpu(inputs(in), options, out.data(kOutput));
  }

  static void backward_cpu(const Options& options, const Tensors& out_grads, const Tensors& in, const Tensors&,
                           const Tensors& in_grads, Workspace*) {
    roi_mean_backward_cpu(inputs(in), options, out_grads.data(kOutput), in_grads.data(kData));
    in_grads.fill_zero(kRois);
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    roi_mean_forward_cuda(context, inputs(in), options, out.data(kOutput));
  }

  static void backward_gpu(const Options& options, const Tensors& out_grads, const Tensors& in, const Tensors&,
                           const Tensors& in_grads, const CudaContext& context) {
    roi_mean_backward_cuda(context, inputs(in), options, out_grads.data(kOutput), in_grads.data(kData));
    fill_zero_cuda(context, in_grads.data(kRois), in_grads.bytes(kRois));
  }
};

const Operator<RoIMeanPooling> registration = Operator<RoIMeanPooling>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper

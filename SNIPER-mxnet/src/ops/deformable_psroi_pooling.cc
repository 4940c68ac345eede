// DeformablePSROIPooling: the stock operator's arguments and values, without its second output, at a fraction of the
// time (reference/operators.md, section 9). Gradients flow to data and trans.
#include <algorithm>
#include <stdexcept>

#include "cpu/psroi_pooling.h"
#include "cpu/roi_images.h"
#include "cuda/psroi_pooling.h"
#include "ops/operator.h"

namespace sniper {
namespace {

void check_data(const Shape& data, const PoolingOptions& options) {
  const std::string layout = "(N, output_dim*group_size*group_size, H, W)";
  check_rank("data", data, 4, layout);
  const unsigned int channels =
      checked_size("output_dim*group_size*group_size", {options.output_dim, options.group_size, options.group_size});
  check_shape("data", data, {data[0], channels, data[2], data[3]}, layout);
  // Samples beyond the map read the cells at its edge, which an empty map has not.
  if (data[2] > 0 && data[3] > 0) return;
  throw std::invalid_argument("data must be " + layout + " with H and W above 0, got " + text(data));
}

void check_trans(const Shape& trans, unsigned int rois, const PoolingOptions& options) {
  const unsigned int part = options.part_size;
  const std::string layout = "(rois, 2*classes, part_size, part_size)";
  check_rank("trans", trans, 4, layout);
  const unsigned int classes = std::max(trans[1] / 2, 1u);
  check_shape("trans", trans, {rois, 2 * classes, part, part}, layout);
  if (options.output_dim % classes == 0) return;
  throw std::invalid_argument("trans has offsets for " + std::to_string(classes) + " classes, which do not divide " +
                              "the " + std::to_string(options.output_dim) + " channels of output_dim");
}

struct DeformablePSROIPooling {
  typedef PoolingOptions Options;
  enum Input { kData, kRois, kTrans };

  static Signature signature() {
    return Signature("DeformablePSROIPooling")
        .inputs({"data", "rois", "trans"})
        .last_input_unless("no_trans")
        .outputs({"output"})
        .attributes({"spatial_scale", "output_dim", "group_size", "pooled_size", "part_size", "sample_per_part",
                     "trans_std", "no_trans"})
        .required({"spatial_scale", "output_dim", "group_size", "pooled_size"});
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    options.spatial_scale = static_cast<float>(attributes.number("spatial_scale", 1.0));
    attributes.require(options.spatial_scale > 0.0f && options.spatial_scale <= 1.0f, "spatial_scale",
                       "above 0 and at most 1 (feature cells a pixel)");
    options.output_dim = static_cast<int>(attributes.positive("output_dim", 1));
    options.group_size = static_cast<int>(attributes.positive("group_size", 1));
    options.pooled_size = static_cast<int>(attributes.positive("pooled_size", 1));
    options.sample_per_part = static_cast<int>(attributes.positive("sample_per_part", 1));
    options.no_trans = attributes.boolean("no_trans", false);
    // As in the stock operator, 0 means the pooled size.
    const int64_t part_size = attributes.integer("part_size", 0);
    attributes.require(part_size >= 0, "part_size", "0 (the pooled size) or above");
    options.part_size = part_size > 0 ? static_cast<int>(part_size) : options.pooled_size;
    options.trans_std = static_cast<float>(attributes.number("trans_std", 0.0));
    attributes.require(options.trans_std >= 0.0f && options.trans_std <= 1.0f, "trans_std", "from 0 to 1");
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    const Shape& rois = in[kRois];
    check_data(in[kData], options);
    check_rank("rois", rois, 2, "(rois, 5)");
    check_shape("rois", rois, {rois[0], 5}, "(rois, 5)");
    if (!options.no_trans) check_trans(in[kTrans], rois[0], options);
    const unsigned int pooled = options.pooled_size;
    return {{rois[0], static_cast<unsigned int>(options.output_dim), pooled, pooled}};
  }

  static PoolingInputs pooling_inputs(const Tensors& in) {
    PoolingInputs inputs;
    inputs.data = in.data(kData);
    inputs.images = in.size(kData, 0);
    inputs.height = static_cast<int>(in.size(kData, 2));
    inputs.width = static_cast<int>(in.size(kData, 3));
    inputs.rois = in.data(kRois);
    inputs.num_rois = in.size(kRois, 0);
    inputs.trans = in.data(kTrans);
    inputs.classes = in.count() > kTrans ? static_cast<int>(in.size(kTrans, 1) / 2) : 1;
    return inputs;
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace* workspace) {
    const PoolingInputs inputs = pooling_inputs(in);
    check_roi_images(inputs.rois, inputs.num_rois, inputs.images);
    psroi_forward_cpu(inputs, options, workspace->take(psroi_workspace(inputs, options)), out.data(0));
  }

  static void backward_cpu(const Options& options, const Tensors& out_grads, const Tensors& in, const Tensors&,
                           const Tensors& in_grads, Workspace* workspace) {
    const PoolingInputs inputs = pooling_inputs(in);
    check_roi_images(inputs.rois, inputs.num_rois, inputs.images);
    float* working = workspace->take(options.no_trans ? 0 : psroi_workspace(inputs, options));
    psroi_backward_cpu(inputs, options, out_grads.data(0), working, in_grads.data(kData), in_grads.data(kTrans));
    in_grads.fill_zero(kRois);
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    psroi_forward_cuda(pooling_inputs(in), options, context, out.data(0));
  }

  static void backward_gpu(const Options& options, const Tensors& out_grads, const Tensors& in, const Tensors&,
                           const Tensors& in_grads, const CudaContext& context) {
    psroi_backward_cuda(pooling_inputs(in), options, context, out_grads.data(0), in_grads.data(kData),
                        in_grads.data(kTrans));
    fill_zero_cuda(context, in_grads.data(kRois), in_grads.bytes(kRois));
  }
};

const Operator<DeformablePSROIPooling> registration = Operator<DeformablePSROIPooling>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper

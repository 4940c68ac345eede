// MaskRcnnTarget: polygons of objects -> their masks within rois (reference/operators.md, section 8). No gradient.
#include <cmath>
#include <stdexcept>

#include "cpu/mask_targets.h"
#include "cuda/mask_targets.h"
#include "ops/operator.h"

namespace sniper {
namespace {

// Every record begins with the category of its object.
void check_polygons(const Shape& mask_polys) {
  const std::string layout = "(N, objects, numbers)";
  check_rank("mask_polys", mask_polys, 3, layout);
  if (mask_polys[2] > 0) return;
  throw std::invalid_argument("mask_polys must be " + layout + " with a number at least, got " + text(mask_polys));
}

// Sizes come from the shapes; an attribute that says otherwise is an error.
void check_sizes(const Attributes& attributes, const Shape& rois, const Shape& mask_polys) {
  const auto check = [&](const char* name, int64_t actual, const char* source) {
    attributes.require(attributes.integer(name, actual) == actual, name,
                       std::to_string(actual) + ", " + source + ", or left out");
  };
  check("batch_size", mask_polys[0], "the images of mask_polys");
  check("max_num_gts", mask_polys[1], "the records an image of mask_polys");
  check("max_polygon_len", mask_polys[2], "the numbers a record of mask_polys");
  const int64_t rows = mask_polys[0] * attributes.integer("num_proposals", 0);
  attributes.require(!attributes.given("num_proposals") || rows == rois[0], "num_proposals",
                     "the rows of rois, " + std::to_string(rois[0]) + ", over the images of mask_polys, " +
                         std::to_string(mask_polys[0]) + ", or left out");
}

struct MaskRcnnTarget : NoGradient {
  typedef MaskOptions Options;
  enum Input { kRois, kMaskPolys, kMaskIds };
  enum Output { kMaskTargets, kMaskCls };

  static Signature signature() {
    return Signature("MaskRcnnTarget")
        .inputs({"rois", "mask_polys", "mask_ids"})
        .outputs({"mask_targets", "mask_cls"})
        .attributes({"batch_size", "num_proposals", "mask_size", "max_num_gts", "max_polygon_len", "ignore_label",
                     "num_classes", "workspace"});
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    const int64_t mask_size = attributes.integer("mask_size", options.mask_size);
    attributes.require(mask_size >= 1 && mask_size <= 4096, "mask_size", "from 1 to 4096");
    options.mask_size = static_cast<int>(mask_size);
    options.ignore_label = static_cast<float>(attributes.number("ignore_label", options.ignore_label));
    attributes.require(std::isfinite(options.ignore_label), "ignore_label", "a finite number");
    for (const char* name : {"batch_size", "num_proposals", "max_num_gts", "max_polygon_len"}) {
      attributes.positive(name, 1);
    }
    attributes.number("num_classes", 80);  // unused, as in the original
    attributes.number("workspace", 512);
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes& attributes, const Options& options,
                                          const std::vector<Shape>& in) {
    const Shape &rois = in[kRois], &mask_polys = in[kMaskPolys];
    check_rank("rois", rois, 2, "(rows, 5)");
    check_shape("rois", rois, {rois[0], 5}, "(rows, 5)");
    check_polygons(mask_polys);
    check_shape("mask_ids", in[kMaskIds], {rois[0], 1}, "(rows, 1)");
    check_sizes(attributes, rois, mask_polys);
    const unsigned int size = options.mask_size;
    num_rows(rois[0], static_cast<int64_t>(size) * size);  // more pixels than MXNet can count are an error
    return {{rois[0], size, size}, {rois[0], size, size}};
  }

  static MaskInputs mask_inputs(const Tensors& in) {
    return MaskInputs{in.data(kRois), in.data(kMaskPolys), in.data(kMaskIds), in.size(kRois, 0),
                      PolygonShape{in.size(kMaskPolys, 0), in.size(kMaskPolys, 1), in.size(kMaskPolys, 2)}};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    mask_rcnn_target_cpu(mask_inputs(in), options, out.data(kMaskTargets), out.data(kMaskCls));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    mask_rcnn_target_cuda(context, mask_inputs(in), options, out.data(kMaskTargets), out.data(kMaskCls));
  }
};

const Operator<MaskRcnnTarget> registration = Operator<MaskRcnnTarget>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper

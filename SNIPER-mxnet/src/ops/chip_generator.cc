// ChipGenerator: chips that cover the boxes of every image of a batch, those of lib.chips.generate_chips. No gradient.
#include "cpu/chip_generator.h"
#include "cuda/chip_generator.h"
#include "ops/operator.h"

namespace sniper {
namespace {

struct ChipGenerator : NoGradient {
  typedef ChipOptions Options;
  enum Input { kBoxes, kImInfo };
  enum Output { kChips, kNumChips };

  static Signature signature() {
    return Signature("ChipGenerator")
        .inputs({"boxes", "im_info"})
        .outputs({"chips", "num_chips"})
        .attributes({"chip_size", "stride", "max_chips", "seed"});
  }

  static Options read_options(const Attributes& attributes) {
    Options options;
    options.chip_size = static_cast<int>(attributes.positive("chip_size", 512));
    options.stride = static_cast<int>(attributes.positive("stride", 56));
    options.max_chips = attributes.positive("max_chips", 100);
    const int64_t seed = attributes.integer("seed", 0);
    attributes.require(seed >= 0, "seed", "0 or above");
    options.seed = static_cast<uint64_t>(seed);
    return options;
  }

  static std::vector<Shape> output_shapes(const Attributes&, const Options& options, const std::vector<Shape>& in) {
    const Shape& boxes = in[kBoxes];
    check_rank("boxes", boxes, 3, "(N, boxes, 4)");
    check_shape("boxes", boxes, {boxes[0], boxes[1], 4}, "(N, boxes, 4)");
    check_shape("im_info", in[kImInfo], {boxes[0], 3}, "(N, 3)");
    num_rows(boxes[0], options.max_chips);  // more chips than MXNet can count are an error
    return {{boxes[0], static_cast<unsigned int>(options.max_chips), 4}, {boxes[0]}};
  }

  static ChipBatch chip_batch(const Tensors& in) {
    return ChipBatch{in.data(kBoxes), in.data(kImInfo), in.size(kBoxes, 0), in.size(kBoxes, 1)};
  }

  static void forward_cpu(const Options& options, const Tensors& in, const Tensors& out, Workspace*) {
    chip_generator_cpu(chip_batch(in), options, out.data(kChips), out.data(kNumChips));
  }

  static void forward_gpu(const Options& options, const Tensors& in, const Tensors& out, const CudaContext& context) {
    chip_generator_cuda(chip_batch(in), options, context, out.data(kChips), out.data(kNumChips));
  }
};

const Operator<ChipGenerator> registration = Operator<ChipGenerator>().on_cpu().on_gpu();

}  // namespace
}  // namespace sniper

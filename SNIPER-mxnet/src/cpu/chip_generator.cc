#include "cpu/chip_generator.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/parallel.h"
#include "sniper/chips.h"

namespace sniper {
namespace {

struct Scratch {
  std::vector<float> boxes;
  ChipCover<float> cover;
};

// The candidates of an image, of which there may be none. Throws if there are too many.
ChipGrid grid_of(const ChipBatch& batch, int64_t image, const ChipOptions& options) {
  const float* info = batch.im_info + 3 * image;
  bool too_many;
  const ChipGrid grid = GridOfImage(info, options, &too_many);
  if (!too_many) return grid;
  throw std::invalid_argument("row " + std::to_string(image) + " of im_info is an image of " + std::to_string(info[1]) +
                              " x " + std::to_string(info[0]) + " pixels, expected one with at most " +
                              std::to_string(kMaxChipCandidates) + " candidate chips at stride " +
                              std::to_string(options.stride));
}

}  // namespace

void chip_generator_cpu(const ChipBatch& batch, const ChipOptions& options, float* chips, float* num_chips) {
  for (int64_t n = 0; n < batch.num_images; ++n) grid_of(batch, n, options);
  parallel_for<Scratch>(batch.num_images, [&](int64_t n, Scratch* scratch) {
    const ChipGrid grid = grid_of(batch, n, options);
    scratch->boxes.clear();
    for (int64_t i = 0; i < batch.boxes_per_image && grid.width() > 0; ++i) {
      const float* box = batch.boxes + 4 * (n * batch.boxes_per_image + i);
      if (!IsChipPadding(box)) scratch->boxes.insert(scratch->boxes.end(), box, box + 4);
    }
    const std::vector<int> chosen = scratch->cover.Smallest(
        grid, scratch->boxes.data(), static_cast<int>(scratch->boxes.size() / 4), options.seed, kChipTrials);
    float* out = chips + 4 * n * options.max_chips;
    const int64_t written = std::min(options.max_chips, static_cast<int64_t>(chosen.size()));
    for (int64_t i = 0; i < written; ++i) {
      const ChipWindow window = grid.Window(chosen[i]);
      const int corners[4] = {window.x1, window.y1, window.x2, window.y2};
      for (int c = 0; c < 4; ++c) out[4 * i + c] = static_cast<float>(corners[c]);
    }
    std::fill(out + 4 * written, out + 4 * options.max_chips, -1.0f);
    num_chips[n] = static_cast<float>(chosen.size());
  });
}

}  // namespace sniper

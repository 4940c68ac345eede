#include "cpu/winograd_convolution.h"

#include <algorithm>

#include "cpu/aligned_buffer.h"
#include "cpu/channel_last.h"
#include "cpu/gemm.h"
#include "cpu/parallel.h"
#include "cpu/winograd_transforms.h"

namespace sniper {
namespace {

// The most channels that one product sums over, so that its rows and a panel of weights fit into a part of the L2
// cache.
const int kMostDepth = 512;

// How many floats the transformed numbers of a block of tiles should take, for the same reason.
const int64_t kBlockFloats = 1 << 18;

// The fewest tiles of a block. All transformed weights are read once a block: smaller blocks would read them too often.
const int kLeastTiles = 56;

// The fewest tiles of a slice. Products with fewer rows are too short to keep the multipliers busy.
const int kSliceTiles = 16;

// `floats` rounded up to an odd number of cache lines: arrays at such distances do not compete for the same sets of the
// caches.
int64_t odd_lines(int64_t floats) { return whole_lines(floats) | kLineFloats; }

struct Scratch {
  AlignedBuffer cells;  // of a row of tiles, kLanes channels
};

// How the loops of a block of tiles run: divided among all threads...
struct Shared {
  template <typename Body>
  static void loop(int64_t count, const Body& body) {
    parallel_for<Scratch>(count, body);
  }
};

// ...or in the one thread that has the block for itself.
struct Alone {
  template <typename Body>
  static void loop(int64_t count, const Body& body) {
    Scratch scratch;
    for (int64_t i = 0; i < count; ++i) body(i, &scratch);
  }
};

class Convolution {
 public:
  Convolution(const WinogradConvolutionInputs& in, float* workspace)
      : in_(in), panels_(winograd_panels(in.filters)), parts_((in.channels + kMostDepth - 1) / kMostDepth),
        row_(padded_to_lanes((in.channels + parts_ - 1) / parts_)),
        tiles_x_((in.width - 1) / kWinogradTile + 1), tiles_y_((in.height - 1) / kWinogradTile + 1),
        slices_(count_slices()), block_rows_(rows_of_a_block()), data_stride_(odd_lines(kWinogradPoints * row_)),
        product_stride_(odd_lines(block_tiles() * panels_ * kPanel)), workspace_(workspace) {}

  size_t workspace() const { return slices_ * slice_floats(); }

  void run(float* out) const {
    if (slices_ == 1) return compute<Shared>(0, tile_rows(), workspace_, out);
    parallel_for<Scratch>(slices_, [&](int64_t slice, Scratch*) {
      compute<Alone>(tile_rows() * slice / slices_, tile_rows() * (slice + 1) / slices_,
                     workspace_ + slice * slice_floats(), out);
    });
  }

 private:
  int64_t tile_rows() const { return in_.images * tiles_y_; }
  int64_t block_tiles() const { return static_cast<int64_t>(block_rows_) * tiles_x_; }
  int64_t slice_floats() const { return block_tiles() * data_stride_ + kWinogradPoints * product_stride_; }

  // How many slices the output is divided into, each computed by one thread alone. Every thread then reads all weights,
  // but none has to wait for numbers from another one's cache, which would take longer (with two cores, 256 channels
  // and filters and 32x32 cells: 1.5 ms in slices, 1.9 ms without). With too few tiles it is one slice, and the threads
  // share the work on each block of it.
  int count_slices() const {
    const int64_t threads = max_threads(), tiles = tile_rows() * tiles_x_;
    return static_cast<int>(tile_rows() >= threads && tiles >= threads * kSliceTiles ? threads : 1);
  }

  // Rows of tiles [begin, end) of all images.
  template <typename Loop>
  void compute(int64_t begin, int64_t end, float* workspace, float* out) const {
    float* products = workspace + block_tiles() * data_stride_;
    for (; begin < end; begin += block_rows_) {
      const int count = static_cast<int>(std::min<int64_t>(block_rows_, end - begin));
      for (int part = 0; part < parts_; ++part) {
        transform_data<Loop>(begin, count, part, workspace);
        multiply<Loop>(count * tiles_x_, part, workspace, products);
      }
      transform_products<Loop>(begin, count, products, out);
    }
  }

  // Rows of tiles, of all images, that are computed together.
  int rows_of_a_block() const {
    const int64_t floats = kWinogradPoints * (row_ + static_cast<int64_t>(panels_) * kPanel);
    const int64_t tiles = std::max<int64_t>(kBlockFloats / floats, kLeastTiles);
    return static_cast<int>(std::min<int64_t>(std::max<int64_t>(tiles / tiles_x_, 1),
                                              (tile_rows() + slices_ - 1) / slices_));
  }

  int first_channel(int part) const { return static_cast<int>(static_cast<int64_t>(in_.channels) * part / parts_); }

  // Transforms the channels of the part in the rows of tiles [begin, begin + count). `transformed` is (tiles, points,
  // row_), tiles lie data_stride_ floats apart.
  template <typename Loop>
  void transform_data(int64_t begin, int count, int part, float* transformed) const {
    const int first = first_channel(part), end = first_channel(part + 1);
    const int groups = (end - first + kLanes - 1) / kLanes;
    const int64_t columns = static_cast<int64_t>(tiles_x_) * kWinogradTile + kWinogradPatch - kWinogradTile;
    Loop::loop(static_cast<int64_t>(count) * groups, [&](int64_t task, Scratch* scratch) {
      const int64_t row = task / groups;
      const int channel = first + static_cast<int>(task % groups) * kLanes;
      float* cells = scratch->cells.reserve(kWinogradPatch * columns * kLanes);
      read_cells(begin + row, channel, std::min<int>(kLanes, end - channel), columns, cells);
      winograd_data_transform(cells, columns, tiles_x_, transformed + row * tiles_x_ * data_stride_ + channel - first,
                              row_, data_stride_);
    });
  }

  // The data around a row of tiles, with zeros around the map and in missing channels.
  void read_cells(int64_t tile_row, int channel, int channels, int64_t columns, float* cells) const {
    const float* map = in_.data + (tile_row / tiles_y_ * in_.channels + channel) * in_.cells();
    const int top = static_cast<int>(tile_row % tiles_y_) * kWinogradTile - 1;
    if (channels < kLanes) std::fill(cells, cells + kWinogradPatch * columns * kLanes, 0.0f);
    for (int y = 0; y < kWinogradPatch; ++y) {
      float* row = cells + y * columns * kLanes;
      if (top + y < 0 || top + y >= in_.height) {
        std::fill(row, row + columns * kLanes, 0.0f);
        continue;
      }
      std::fill(row, row + kLanes, 0.0f);
      transpose(map + static_cast<int64_t>(top + y) * in_.width, channels, in_.width, in_.cells(), row + kLanes,
                kLanes);
      std::fill(row + (static_cast<int64_t>(in_.width) + 1) * kLanes, row + columns * kLanes, 0.0f);
    }
  }

  // Multiplies `transformed` by the weights of the part's channels. `products` is (points, panels, tiles, kPanel),
  // points lie product_stride_ floats apart; the first part overwrites it, the others add to it.
  template <typename Loop>
  void multiply(int tiles, int part, const float* transformed, float* products) const {
    const int first = first_channel(part), depth = first_channel(part + 1) - first;
    const int splits = std::min(panels_, (3 * max_threads() + kWinogradPoints - 1) / kWinogradPoints);
    Loop::loop(static_cast<int64_t>(kWinogradPoints) * splits, [&](int64_t task, Scratch*) {
      const int64_t point = task / splits;
      const int begin = static_cast<int>(task % splits * panels_ / splits);
      const int end = static_cast<int>((task % splits + 1) * panels_ / splits);
      for (int p = begin; p < end; ++p) {
        const float* weights = in_.weight + ((point * panels_ + p) * in_.channels + first) * kPanel;
        const float* next = p + 1 < end ? weights + static_cast<int64_t>(in_.channels) * kPanel : nullptr;
        multiply_panel(
            Panel{weights, kPanel, depth, next}, Rows{transformed + point * row_, data_stride_, tiles, nullptr, false},
            Product{products + point * product_stride_ + static_cast<int64_t>(p) * tiles * kPanel, kPanel, nullptr,
                    part > 0});
      }
    });
  }

  template <typename Loop>
  void transform_products(int64_t begin, int count, const float* products, float* out) const {
    const int groups = (in_.filters + kLanes - 1) / kLanes, tiles = count * tiles_x_;
    const int64_t columns = static_cast<int64_t>(tiles_x_) * kWinogradTile;
    Loop::loop(static_cast<int64_t>(count) * groups, [&](int64_t task, Scratch* scratch) {
      const int64_t row = task / groups;
      const int filter = static_cast<int>(task % groups) * kLanes;
      const int filters = std::min<int>(kLanes, in_.filters - filter);
      float* cells = scratch->cells.reserve(kWinogradTile * columns * kLanes);
      float bias[kLanes] = {};
      if (in_.bias != nullptr) std::copy(in_.bias + filter, in_.bias + filter + filters, bias);
      const float* first = products + (filter / kPanel * static_cast<int64_t>(tiles) + row * tiles_x_) * kPanel
                              + filter % kPanel;
      winograd_output_transform(first, product_stride_, kPanel, tiles_x_, bias, in_.relu, cells);
      write_cells(begin + row, filter, filters, cells, out);
    });
  }

  void write_cells(int64_t tile_row, int filter, int filters, const float* cells, float* out) const {
    float* map = out + (tile_row / tiles_y_ * in_.filters + filter) * in_.cells();
    const int top = static_cast<int>(tile_row % tiles_y_) * kWinogradTile;
    for (int y = 0; y < std::min<int>(kWinogradTile, in_.height - top); ++y) {
      transpose(cells + static_cast<int64_t>(y) * tiles_x_ * kWinogradTile * kLanes, in_.width, filters, kLanes,
                map + static_cast<int64_t>(top + y) * in_.width, in_.cells());
    }
  }

  const WinogradConvolutionInputs& in_;
  const int panels_, parts_;  // of the filters; of the channels, whose products are summed
  const int64_t row_;         // floats of a tile's transformed numbers of one point
  const int tiles_x_, tiles_y_, slices_, block_rows_;
  const int64_t data_stride_, product_stride_;  // between tiles; between points
  float* workspace_;
};

}  // namespace

int winograd_panels(int filters) { return (filters + kPanel - 1) / kPanel; }

size_t winograd_convolution_workspace(const WinogradConvolutionInputs& in) {
  return Convolution(in, nullptr).workspace();
}

void winograd_convolution_cpu(const WinogradConvolutionInputs& in, float* workspace, float* out) {
  Convolution(in, workspace).run(out);
}

}  // namespace sniper

#include "cpu/psroi_pooling.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/channel_last.h"
#include "cpu/parallel.h"
#include "cpu/psroi_kernels.h"
#include "cpu/roi_images.h"

namespace sniper {
namespace {

// The most channels of one task of the data gradient, so that its part of the map stays in the L2 cache.
const int kMaxTaskChannels = 128;

ChannelSplit channel_split(const PoolingInputs& in, const PoolingOptions& options) {
  return ChannelSplit{in.classes, options.output_dim / in.classes, options.group_size * options.group_size};
}

// The sampling of one roi, bin after bin, and a thread's buffers.
class BinSampler {
 public:
  void bind(const PoolingInputs* in, const PoolingOptions* options, int64_t roi) {
    in_ = in;
    options_ = options;
    roi_ = roi;
    frame_ = roi_frame(in->rois + 5 * roi, options->spatial_scale);
    rows_.resize(2 * options->sample_per_part);
    columns_.resize(2 * options->sample_per_part);
  }

  const RoiFrame& frame() const { return frame_; }

  int group(int ph, int pw) const {
    const int size = options_->group_size, pooled = options_->pooled_size;
    return group_of_bin(ph, pooled, size) * size + group_of_bin(pw, pooled, size);
  }

  // Where the x offset of the bin lies in trans; the y offset is one part_size x part_size plane further.
  int64_t offset_place(int k, int ph, int pw) const {
    const int64_t size = options_->part_size;
    const int64_t row = part_of_bin(ph, options_->pooled_size, options_->part_size);
    const int64_t column = part_of_bin(pw, options_->pooled_size, options_->part_size);
    return ((roi_ * in_->classes + k) * 2 * size + row) * size + column;
  }

  // Valid until the next call.
  BinTaps taps(int k, int ph, int pw) {
    const int samples = options_->sample_per_part;
    float shift_x = 0.0f, shift_y = 0.0f;
    if (in_->trans != nullptr) {
      const int64_t place = offset_place(k, ph, pw);
      shift_x = in_->trans[place] * options_->trans_std;
      shift_y = in_->trans[place + options_->part_size * options_->part_size] * options_->trans_std;
    }
    const float bin_width = frame_.width / options_->pooled_size, bin_height = frame_.height / options_->pooled_size;
    int valid_rows, valid_columns;
    BinTaps taps;
    taps.num_rows = axis_taps(ph * bin_height + frame_.start_y + shift_y * frame_.height, bin_height / samples, 0,
                              samples, in_->height, rows_.data(), &valid_rows);
    taps.num_columns = axis_taps(pw * bin_width + frame_.start_x + shift_x * frame_.width, bin_width / samples,
                                 0, samples, in_->width, columns_.data(), &valid_columns);
    taps.rows = rows_.data();
    taps.columns = columns_.data();
    const int count = valid_rows * valid_columns;
    taps.scale = count > 0 ? 1.0f / count : 0.0f;
    return taps;
  }

 private:
  const PoolingInputs* in_ = nullptr;
  const PoolingOptions* options_ = nullptr;
  int64_t roi_ = 0;
  RoiFrame frame_;
  std::vector<Tap> rows_, columns_;
};

struct Scratch {
  BinSampler sampler;
  std::vector<float> bins;  // (pooled_size^2, channels)
  std::vector<float> map;   // channel-last gradient of one task
};

// The roi's image; rois are checked before any loop.
int64_t image_of(const PoolingInputs& in, int64_t roi) { return image_of_roi(in.rois + 5 * roi, in.images); }

// Part of the data gradient: channels [first, first + channels) of class k in one group of one image.
struct GradTask {
  int64_t image;
  int group, k, first, channels;
};

// Enough tasks for all threads, none with more than kMaxTaskChannels. The split cannot change a result: each element of
// the gradient is summed by one task, in the order of the rois.
std::vector<GradTask> grad_tasks(const PoolingInputs& in, const ChannelSplit& split) {
  const int64_t units = std::max<int64_t>(in.images * split.groups * split.classes, 1);
  const int pieces = static_cast<int>(std::min<int64_t>((max_threads() + units - 1) / units, split.padded()));
  const int width = std::min(padded_to_lanes((split.channels + pieces - 1) / pieces), int(kMaxTaskChannels));
  std::vector<GradTask> tasks;
  for (int64_t image = 0; image < in.images; ++image) {
    for (int group = 0; group < split.groups; ++group) {
      for (int k = 0; k < split.classes; ++k) {
        for (int first = 0; first < split.channels; first += width) {
          tasks.push_back(GradTask{image, group, k, first, std::min(width, split.channels - first)});
        }
      }
    }
  }
  return tasks;
}

void data_gradient_task(const PoolingInputs& in, const PoolingOptions& options, const ChannelSplit& split,
                        const GradTask& task, const std::vector<int64_t>& rois, const float* out_grad,
                        Scratch* scratch, float* data_grad) {
  const int64_t cells = static_cast<int64_t>(in.height) * in.width;
  const int pooled = options.pooled_size, num_bins = pooled * pooled;
  const int padded = padded_to_lanes(task.channels);
  scratch->map.assign(cells * padded, 0.0f);
  scratch->bins.assign(static_cast<size_t>(num_bins) * padded, 0.0f);
  const MapLayout layout = {in.width, padded};
  for (const int64_t roi : rois) {
    scratch->sampler.bind(&in, &options, roi);
    const int64_t channel = task.k * split.channels + task.first;
    transpose(out_grad + (roi * options.output_dim + channel) * num_bins, task.channels, num_bins, num_bins,
              scratch->bins.data(), padded);
    for (int bin = 0; bin < num_bins; ++bin) {
      const int ph = bin / pooled, pw = bin % pooled;
      if (scratch->sampler.group(ph, pw) != task.group) continue;
      scatter_bin(scratch->bins.data() + static_cast<size_t>(bin) * padded, layout,
                  scratch->sampler.taps(task.k, ph, pw), padded, scratch->map.data());
    }
  }
  float* target = data_grad + (task.image * split.total() + split.source(task.k, task.first, task.group)) * cells;
  for (int c = 0; c < task.channels; ++c) {
    float* plane = target + c * split.groups * cells;
    for (int64_t cell = 0; cell < cells; ++cell) plane[cell] = scratch->map[cell * padded + c];
  }
}

void trans_gradient_of_roi(const PoolingInputs& in, const PoolingOptions& options, const ChannelSplit& split,
                           int64_t roi, const float* map, const float* out_grad, Scratch* scratch,
                           float* trans_grad) {
  const int64_t cells = static_cast<int64_t>(in.height) * in.width;
  const int pooled = options.pooled_size, num_bins = pooled * pooled, padded = split.padded();
  const int64_t plane = static_cast<int64_t>(options.part_size) * options.part_size;
  const MapLayout layout = {in.width, split.width()};
  BinSampler& sampler = scratch->sampler;
  sampler.bind(&in, &options, roi);
  scratch->bins.assign(static_cast<size_t>(num_bins) * padded, 0.0f);
  for (int k = 0; k < split.classes; ++k) {
    transpose(out_grad + (roi * options.output_dim + k * split.channels) * num_bins, split.channels, num_bins,
              num_bins, scratch->bins.data(), padded);
    for (int bin = 0; bin < num_bins; ++bin) {
      const int ph = bin / pooled, pw = bin % pooled;
      const float* group_map = map + (image_of(in, roi) * split.groups + sampler.group(ph, pw)) * cells * split.width();
      float slopes[2];
      bin_slopes(group_map + k * padded, scratch->bins.data() + static_cast<size_t>(bin) * padded, layout,
                 sampler.taps(k, ph, pw), padded, slopes);
      float* target = trans_grad + sampler.offset_place(k, ph, pw);
      target[0] += slopes[0] * options.trans_std * sampler.frame().width;
      target[plane] += slopes[1] * options.trans_std * sampler.frame().height;
    }
  }
}

}  // namespace

size_t psroi_workspace(const PoolingInputs& in, const PoolingOptions& options) {
  const ChannelSplit split = channel_split(in, options);
  return static_cast<size_t>(in.images) * split.groups * in.height * in.width * split.width();
}

void psroi_forward_cpu(const PoolingInputs& in, const PoolingOptions& options, float* workspace, float* out) {
  const ChannelSplit split = channel_split(in, options);
  const int64_t cells = static_cast<int64_t>(in.height) * in.width;
  const int pooled = options.pooled_size, num_bins = pooled * pooled, padded = split.padded();
  const MapLayout layout = {in.width, split.width()};
  to_channel_last(in.data, in.images, cells, split, workspace);
  parallel_for<Scratch>(in.num_rois, [&](int64_t roi, Scratch* scratch) {
    scratch->bins.resize(static_cast<size_t>(num_bins) * padded);
    scratch->sampler.bind(&in, &options, roi);
    for (int k = 0; k < split.classes; ++k) {
      for (int bin = 0; bin < num_bins; ++bin) {
        const int ph = bin / pooled, pw = bin % pooled;
        const int64_t map = image_of(in, roi) * split.groups + scratch->sampler.group(ph, pw);
        gather_bin(workspace + map * cells * split.width() + k * padded, layout, scratch->sampler.taps(k, ph, pw),
                   padded, scratch->bins.data() + static_cast<size_t>(bin) * padded);
      }
      transpose(scratch->bins.data(), num_bins, split.channels, padded,
                out + (roi * options.output_dim + k * split.channels) * num_bins, num_bins);
    }
  });
}

void psroi_backward_cpu(const PoolingInputs& in, const PoolingOptions& options, const float* out_grad,
                        float* workspace, float* data_grad, float* trans_grad) {
  const ChannelSplit split = channel_split(in, options);
  const std::vector<GradTask> tasks = grad_tasks(in, split);
  const std::vector<std::vector<int64_t>> rois = rois_by_image(in.rois, in.num_rois, in.images);
  parallel_for<Scratch>(static_cast<int64_t>(tasks.size()), [&](int64_t i, Scratch* scratch) {
    data_gradient_task(in, options, split, tasks[i], rois[tasks[i].image], out_grad, scratch, data_grad);
  });
  if (trans_grad == nullptr) return;
  const int64_t offsets = in.num_rois * in.classes * 2 * options.part_size * options.part_size;
  std::memset(trans_grad, 0, offsets * sizeof(float));
  to_channel_last(in.data, in.images, static_cast<int64_t>(in.height) * in.width, split, workspace);
  parallel_for<Scratch>(in.num_rois, [&](int64_t roi, Scratch* scratch) {
    trans_gradient_of_roi(in, options, split, roi, workspace, out_grad, scratch, trans_grad);
  });
}

}  // namespace sniper

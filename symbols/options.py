"""The configuration keys that reach a graph, as small records with explicit fields.

Only this module and `symbols.detectors` know the configuration tree; backbones, necks and heads take these records.
"""
from typing import NamedTuple, Optional, Tuple

from configs.derived import loss_factor
from lib.utils.errors import SniperError
from sniper_mxnet import mx


class TrunkOptions(NamedTuple):
    """How a backbone is built.

    half_precision: run the trunk behind its first convolution in float16 (`TRAIN.fp16`, at test too).
    bn_momentum: momentum of the moving averages (`network.BN_MOMENTUM`); None: there are none, all BatchNorms use the
        file's statistics and never move (`network.FIX_BN`).
    pretrained: weights come from a file (`network.pretrained` is not empty). Then early BatchNorms use the file's
        statistics and never move, as the original has it. From scratch there are no such statistics, so **all**
        BatchNorms use batch statistics and are learnt. Names, shapes and test-mode results are the same either way.
    stride_in_1x1: resnet_v1 only, where a stage's first unit has its stride (`network.STRIDE_IN_1X1`).
    on_gpu: the graph will run on GPUs (`gpus`).
    """
    half_precision: bool
    bn_momentum: Optional[float]
    pretrained: bool
    stride_in_1x1: bool = False
    on_gpu: bool = False

    @classmethod
    def from_config(cls, config):
        pretrained = bool(config.network.pretrained)
        fixed = pretrained and bool(config.network.FIX_BN)
        return cls(half_precision=bool(config.TRAIN.fp16), pretrained=pretrained,
                   bn_momentum=None if fixed else float(config.network.BN_MOMENTUM),
                   stride_in_1x1=bool(config.network.STRIDE_IN_1X1), on_gpu=runs_on_gpu(config))


class AnchorOptions(NamedTuple):
    """Anchors of a cell: every ratio (height / width) with every scale (in units of the stride)."""
    stride: int
    scales: Tuple[float, ...]
    ratios: Tuple[float, ...]

    @property
    def count(self):
        return len(self.scales) * len(self.ratios)

    @classmethod
    def from_config(cls, config, feature_stride):
        """Anchors of `network.ANCHOR_*` on a feature map of that stride."""
        network = config.network
        return cls(int(feature_stride), tuple(network.ANCHOR_SCALES), tuple(network.ANCHOR_RATIOS))


class ProposalOptions(NamedTuple):
    """How anchors become proposals: `<mode>.RPN_*`, mode TRAIN or TEST."""
    pre_nms_top_n: int      # -1 = all
    post_nms_top_n: int     # P, rois an image; always exactly so many
    nms_threshold: float
    min_size: float         # input pixels
    batch_images: int       # largest batch a device gets

    @classmethod
    def from_config(cls, config, mode):
        keys = config[mode]
        images = keys.BATCH_IMAGES
        return cls(pre_nms_top_n=int(keys.RPN_PRE_NMS_TOP_N), post_nms_top_n=int(keys.RPN_POST_NMS_TOP_N),
                   nms_threshold=float(keys.RPN_NMS_THRESH), min_size=float(keys.RPN_MIN_SIZE),
                   batch_images=int(max(images) if isinstance(images, (list, tuple)) else images))


class MiningOptions(NamedTuple):
    """Which anchors of an image a loss sees, chosen by the network's own probabilities (lib.tasks.ssh).

    base_size: pixels of an anchor of scale 1, whatever the stride. border: how far anchors may reach out of the
    picture, pixels. positive_overlap, negative_overlap: IoU; batch_size: anchors an image; positive_fraction: largest
    share of positives. hard: those that the network gets wrong; else any. force_best: the best anchors of an object are
    positive too.
    """
    base_size: int
    border: float
    positive_overlap: float
    negative_overlap: float
    batch_size: int
    positive_fraction: float
    hard: bool
    force_best: bool = False

    @classmethod
    def from_config(cls, config, module):
        """module: its position, 0 = finest."""
        train, keys = config.TRAIN, config.SSH
        return cls(int(keys.anchor_base), float(keys.allowed_border[module]), float(train.RPN_POSITIVE_OVERLAP),
                   float(train.RPN_NEGATIVE_OVERLAP), int(train.RPN_BATCH_SIZE), float(train.RPN_FG_FRACTION),
                   bool(keys.hard_mining), bool(keys.force_best))


class SoftSampling(NamedTuple):
    """The weight of a roi (or anchor) of overlap o with the nearest object: 1 from 0.5 on, else
    a + (1 - a) * exp(-b * exp(-c * o)) (SNIPER-mxnet/include/sniper/soft_sampling.h).

    a: weight far from all objects, 0 to 1; b: how late the weight rises; c: how steeply.
    """
    a: float = 0.25
    b: float = 50.0
    c: float = 20.0

    @classmethod
    def from_config(cls, config):
        train = config.TRAIN
        return cls(float(train.SOFT_SAMPLING_A), float(train.SOFT_SAMPLING_B), float(train.SOFT_SAMPLING_C))


class LossOptions(NamedTuple):
    """Factors of the losses.

    scale: loss scale g, `TRAIN.scale` with `TRAIN.fp16`, else 1.
    batch_images: chips a device, B.
    rpn_batch: anchors sampled a chip for the RPN's losses.
    bbox_count: what the R-CNN's box loss is divided by, `TRAIN.BBOX_LOSS_ROIS` x `TRAIN.BBOX_LOSS_IMAGES`
        (0 images = B).
    constant: losses are sums divided by constants and B, so that a mean over devices does not depend on how chips are
        split over them (`TRAIN.LOSS_MEAN` 'update'); else, as in the original, means over the labels that count.
    images: chips that losses over rois are divided for, `TRAIN.BBOX_LOSS_IMAGES`, or B where that is 0 or `constant`.
    cells, anchors, masks: feature cells of a chip, anchors of a cell, rois with a mask of a chip.
    sampling: SoftSampling of the rois, `TRAIN.SOFT_SAMPLING`, or None. weigh_anchors: `TRAIN.SOFT_SAMPLING_RPN`.
    bbox_stds: the R-CNN's box targets are divided by these.
    aligned: the R-CNN's box targets are without the half-pixel offset of released weights.
    """
    scale: float
    batch_images: int
    rpn_batch: int
    bbox_count: float
    bbox_stds: Tuple[float, ...]
    aligned: bool
    constant: bool = False
    cells: int = 0
    anchors: int = 0
    masks: int = 0
    images: int = 0
    sampling: Optional[SoftSampling] = None
    weigh_anchors: bool = False

    def of_labels(self, labels, places=1):
        """Arguments of a SoftmaxOutput that say what its sum is divided by.

        labels: so many of a chip count, at most. places: labels of a row with multi_output, as MXNet divides by them
        unless it counts those that are valid.
        """
        if self.constant:
            return dict(grad_scale=self.scale * places / (labels * self.batch_images))
        return dict(grad_scale=self.scale, normalization='valid')

    @classmethod
    def from_config(cls, config, stride):
        """stride: of the feature map that the labels are for."""
        train, network = config.TRAIN, config.network
        constant = train.LOSS_MEAN == 'update'
        images = _images_of_losses(train)
        return cls(scale=loss_factor(train), batch_images=int(train.BATCH_IMAGES),
                   rpn_batch=int(train.RPN_BATCH_SIZE), bbox_count=float(train.BBOX_LOSS_ROIS * images),
                   bbox_stds=tuple(float(value) for value in train.BBOX_STDS), aligned=bool(train.ALIGNED_TARGETS),
                   constant=constant, cells=(train.CHIP_SIZE // stride) ** 2,
                   anchors=len(network.ANCHOR_SCALES) * len(network.ANCHOR_RATIOS), masks=int(train.MAX_MASKS),
                   images=int(images), sampling=SoftSampling.from_config(config) if train.SOFT_SAMPLING else None,
                   weigh_anchors=bool(train.SOFT_SAMPLING_RPN))


class RfcnOptions(NamedTuple):
    """Sizes of R-FCN-3K's head.

    classes: N, without background; super_classes: K; fine_rois: rois a chip that fine classes are trained on, on
    average over a device's batch; cls_count, fine_count: what the losses over all rois, and over those, are divided by.
    """
    classes: int
    super_classes: int
    fine_rois: int
    cls_count: float
    fine_count: float

    @classmethod
    def from_config(cls, config):
        train, keys = config.TRAIN, config.RFCN
        images = _images_of_losses(train)
        return cls(class_count(config) - 1, int(keys.num_super_classes), int(keys.fine_rois),
                   float(train.RPN_POST_NMS_TOP_N * images), float(keys.fine_loss_rois * images))


class MaskOptions(NamedTuple):
    """Sizes of what masks are trained on."""
    classes: int        # K, without background
    max_masks: int      # rois with a mask a chip, on average over a device's batch
    half_precision: bool
    on_gpu: bool

    @classmethod
    def from_config(cls, config):
        return cls(classes=class_count(config) - 1, max_masks=int(config.TRAIN.MAX_MASKS),
                   half_precision=bool(config.TRAIN.fp16), on_gpu=runs_on_gpu(config))


def _images_of_losses(train):
    """Chips that sums over rois are divided for."""
    return train.BATCH_IMAGES if train.LOSS_MEAN == 'update' else train.BBOX_LOSS_IMAGES or train.BATCH_IMAGES


def class_count(config):
    """`dataset.NUM_CLASSES`, background included; SniperError if it has not been settled yet."""
    count = int(config.dataset.NUM_CLASSES)
    if count < 2:
        raise SniperError(f'dataset.NUM_CLASSES is {count}: a network needs the number of classes + 1 (background)')
    return count


def runs_on_gpu(config):
    """Whether the devices of the run are GPUs (`gpus`): 'auto' takes those there are; a machine's GPUs that the run
    leaves alone do not matter."""
    words = str(config.gpus).strip().lower()
    if words == 'auto':
        try:
            return mx.context.num_gpus() > 0
        except mx.MXNetError:  # a CUDA build on a machine without a usable driver
            return False
    return words != '' and {word.strip() for word in words.split(',')} != {'cpu'}

"""M2Det: a single-shot detector on priors of a multi-level pyramid (Zhao et al. 2019), of which a box and a class each.

The network sees a whole picture, both sides resized to M2DET.input_size on their own, in the order blue, green, red.
Letters: S input side, P priors, C classes with background. Sources: reference/m2det.md sections 4 to 8 and 10.
"""
from typing import Optional, Sequence

import numpy as np

from configs.m2det_keys import PRIORS_A_CELL, Pyramid, check_m2det, own_size
from configs.m2det_scales import check_scales, scale_config, scale_side
from lib.bbox.detections import Detections
from lib.bbox.priors import ssd_priors
from lib.bbox.ssd_detections import ssd_rows
from lib.chips.samplers import RandomCrops, WholeImages
from lib.chips.window import Window
from lib.dataset.roidb import make_record, with_regions
from lib.targets.prior_matching import PriorTargets
from lib.targets.ssd_augmentation import IGNORED, SsdAugmentation
from lib.tasks.base import FeatureGraph, Input, Metric, TargetReport, Task, refuse_switches, require
from lib.tasks.prior_fit import flat_warnings, prior_warnings
from lib.utils.draws import Draws
from symbols.registry import feature_stride

METRICS = [Metric('ConfLoss', 'l1', 'conf_loss_output', ''), Metric('LocLoss', 'l1', 'loc_loss_output', '')]

NOT_HERE = {'TRAIN': ('ONLY_PROPOSAL', 'WITH_MASK', 'AUTO_FOCUS', 'USE_NEG_CHIPS', 'SOFT_SAMPLING',
                      'SOFT_SAMPLING_RPN'),
            'TEST': ('ONLY_PROPOSAL', 'EXTRACT_PROPOSALS', 'WITH_MASK', 'AUTO_FOCUS')}
UNUSED = ('network.ANCHOR_*', 'network.RPN_CHANNELS', 'network.ROIS', 'network.STRIDE_IN_1X1', 'CLASS_AGNOSTIC',
          'TRAIN.MAX_MASKS', 'TRAIN.MAX_POLYGON_LEN', 'TRAIN.MAX_GT', 'TRAIN.MIN_OBJECT_SIDE', 'TRAIN.AUTO_FOCUS_*',
          'TRAIN.SCALES', 'TRAIN.VALID_*', 'TRAIN.CHIP_*', 'TRAIN.CPP_CHIPS', 'TRAIN.NEG_CHIP*', 'TRAIN.RPN_*',
          'TRAIN.BBOX_*', 'TRAIN.ALIGNED_TARGETS', 'TEST.RPN_*', 'TEST.N_PROPOSAL_PER_SCALE', 'TEST.DO_PRUNING',
          'TEST.PRUNING_BORDER', 'TEST.CHIP_*', 'TEST.SLICE*')


class M2DetTask(Task):
    """Whole pictures in, a class and offsets for each prior."""

    name = 'm2det'
    exact_sizes = True
    whole_corners = False
    largest_batch = 32
    size_keys = 'M2DET.input_size, M2DET.planes or M2DET.num_levels'
    unused_keys = UNUSED

    def __init__(self, config):
        super().__init__(config)
        self._prior_targets: Optional[PriorTargets] = None

    @property
    def prior_targets(self) -> PriorTargets:
        """Made when first asked for: it holds scratch memory."""
        if self._prior_targets is None:
            pyramid = Pyramid.from_config(self.config)
            self._prior_targets = PriorTargets(ssd_priors(pyramid.size, pyramid.steps, pyramid.sizes),
                                               self.config.M2DET.variance)
        return self._prior_targets

    @property
    def side(self) -> int:
        """S."""
        return self.config.M2DET.input_size

    @property
    def input_size(self):
        """(S, S)."""
        return self.side, self.side

    def sampler(self):
        """Whole pictures, or with TRAIN.SAMPLER 'crops' random pieces; both fill the input."""
        if self.config.TRAIN.SAMPLER == 'crops':
            return RandomCrops(self.side, self.side)
        return WholeImages(self.side, self.side, fill=True)

    def inputs(self):
        """data; cls_target (P,), 0 = background, -1 = not used; loc_target (P, 4), offsets."""
        priors = Pyramid.from_config(self.config).priors
        return [Input('data', (3, self.side, self.side)), Input('cls_target', (priors,), 'label'),
                Input('loc_target', (priors, 4), 'label')]

    @property
    def draws_pictures(self):
        """By M2DET.augment."""
        return self.config.M2DET.augment

    def drawn_picture(self, pixels, record, window, rng):
        """SSD's augmentation: crop, colours, larger canvas, mirror, resizing by one of five methods."""
        augmentation = SsdAugmentation(self.side, self.pixels.means, self.config.M2DET.expand)
        pixels, truths = augmentation.picture(pixels, *_objects(record, window), Draws(rng), _regions(record, window))
        regions, truths = truths[truths[:, 4] == IGNORED], truths[truths[:, 4] > 0]
        record = make_record(record['image'], record['image_id'], self.side, self.side, truths[:, :4] * self.side,
                             truths[:, 4])
        record = with_regions(record, regions[:, :4] * self.side)
        return pixels, record, WholeImages(self.side, self.side, fill=True).windows(record, rng)[0]

    def targets(self, record, window, rng, out):
        """Objects of the window, cut at its border, matched to the priors.

        Corners are divided by the window's sides as they are, without the + 1 of inclusive ones, as in the original.
        """
        boxes, labels = _objects(record, window)
        sides = np.tile(np.subtract(window.box[2:], window.box[:2]), 2)
        truths = np.column_stack([np.clip(boxes / sides, 0, 1), labels])
        out['cls_target'][:], out['loc_target'][:] = self.prior_targets.match(
            truths, self.config.M2DET.overlap_thresh)
        regions = np.clip(_regions(record, window) / sides, 0, 1)
        if len(regions):
            background = np.flatnonzero(out['cls_target'] == 0)
            out['cls_target'][background[self.prior_targets.covered(regions, background)]] = IGNORED
        return TargetReport()

    def told(self, out):
        """How many priors learn a box."""
        return [f'{np.count_nonzero(out["cls_target"] > 0)} priors']

    def metrics(self):
        """Both losses: of the classes, and of the boxes."""
        return list(METRICS)

    def output_rows(self, classes):
        """On every map a score a prior of the cell and class; boxes are the same for all classes."""
        rows = [(prior, name) for prior in range(PRIORS_A_CELL) for name in classes]
        return {f'conf.{number}.{kind}': rows for number in range(self.config.M2DET.num_scales)
                for kind in ('weight', 'bias')}

    def decode(self, outputs, windows):
        """See `decode_priors`."""
        priors = self.prior_targets
        return decode_priors(outputs['loc_output'], outputs['conf_output'], windows, priors.priors, priors.variances,
                             self.config.TEST.SCORE_THRESH)

    @property
    def feature(self):
        """The base of the pyramid."""
        return FeatureGraph('feature', 'feature_map_output', feature_stride(self.config.symbol))

    def at_scale(self, index):
        """Maps and priors follow from the side."""
        config = scale_config(self.config, index)
        return self if config is self.config else type(self)(config)

    def test_scales(self, index, width, height):
        """Both sides become that of the scale."""
        side = scale_side(self.config, index)
        return side / width, side / height

    def float32_layers(self, names):
        """The heads."""
        return {name for name in names if name.startswith(('loc.', 'conf.'))}

    @property
    def pixels(self):
        """Blue, green, red."""
        return super().pixels._replace(order='BGR')

    def size_warnings(self, scales, sizes):
        """Objects without area; priors far from those that there are; an input that was never published."""
        return (flat_warnings(scales, sizes) + prior_warnings(scales, sizes, Pyramid.from_config(self.config))
                + self.test_size_warnings(scales, sizes))

    def test_size_warnings(self, scales, sizes):
        """An input that was never published."""
        own = own_size(self.config)
        return [own] if own else []

    def remarks(self, purpose):
        """Of keys without effect, and of what happens twice."""
        found = super().remarks(purpose)
        if purpose == 'train' and self.config.TRAIN.FLIP and self.config.M2DET.augment:
            found.append('TRAIN.FLIP is True and M2DET.augment mirrors too: an epoch has every picture twice, which '
                         'makes it longer and no richer; set FLIP to False')
        return found

    def check(self, purpose):
        """Keys of the section M2DET, and switches of other families."""
        check_m2det(self.config)
        refuse_switches(self.config, purpose, NOT_HERE)
        if purpose != 'train':
            check_scales(self.config)
            require(not any(self.config.TEST.DO_PRUNING), f'TEST.DO_PRUNING is {self.config.TEST.DO_PRUNING}, but '
                    f'{self.config.symbol} has no FocusPixels to make chips of: leave it out')
            require(not any(self.config.TEST.SLICES), f'TEST.SLICES is {self.config.TEST.SLICES}, but '
                    f'{self.config.symbol} looks at whole images: leave it out')
        require(purpose != 'train' or self.config.TRAIN.SAMPLER != 'chips', "TRAIN.SAMPLER is 'chips', but "
                f"{self.config.symbol} looks at whole images: set it to 'images', or to 'crops'")


def _objects(record, window):
    """-> boxes (n, 4) float64 from the window's corner on, pixels of the image, and labels (n,), of its rows."""
    rows = window.rows[np.asarray(record['max_overlaps'])[window.rows] == 1]
    boxes = np.asarray(record['boxes'], np.float64)[rows] - np.tile(window.box[:2], 2)
    return boxes, np.asarray(record['gt_classes'])[rows]


def _regions(record, window):
    """(r, 4) float64, as _objects: what of the window nothing is learnt of."""
    boxes = np.asarray(record['boxes'], np.float64)[np.asarray(record['ignored'])]
    return boxes - np.tile(window.box[:2], 2)


def decode_priors(loc, conf, windows: Sequence[Window], priors, variance, score_thresh: float) -> Detections:
    """Offsets (B, P, 4) and scores (B, P, C) -> detections of score > score_thresh, see Task.decode.

    In a class, detections come in the order of the priors. Boxes are not clipped, as in the original.
    """
    found = [Detections.empty()]
    for number, window in enumerate(windows):
        rows = ssd_rows(conf[number], loc[number], priors, score_thresh, variance)
        corner, end = (np.asarray(part, np.float32) for part in (window.box[:2], window.box[2:]))
        found.append(Detections(np.full(len(rows.label), number), rows.label,
                                rows.box * np.tile(end - corner, 2) + np.tile(corner, 2), rows.score))
    return Detections.concatenate(found)

"""Everything that a chip's training tensors need besides pixels, behind one object a worker holds."""
from typing import NamedTuple, Tuple

import numpy as np

from lib.bbox.anchors import anchor_base
from lib.bbox.boxes import as_boxes, bbox_overlaps, covered
from lib.chips.window import Window
from lib.targets.anchor_targets_ext import Labeller
from lib.targets.chip_boxes import (
    MIN_SIDE,
    ChipBoxes,
    chip_boxes,
    objects_with_row,
    write_gt_boxes,
)
from lib.targets.polygons import to_window, write_polygons
from lib.targets.soft_sampling import soft_sampling_weight

BORDER = 32     # chip pixels


class TargetSettings(NamedTuple):
    """Sizes in chip pixels, overlaps as IoU; (low, high) of valid_ranges in original pixels, or shares of a chip."""

    valid_ranges: Tuple
    chip_size: int = 512
    feat_stride: int = 16
    anchor_ratios: Tuple[float, ...] = (0.5, 1, 2)
    anchor_scales: Tuple[float, ...] = (2, 4, 7, 10, 13, 16, 24)
    positive_overlap: float = 0.5
    negative_overlap: float = 0.4
    ignore_overlap: float = 0.3   # with an object out of range: such an anchor is not used
    border: float = BORDER        # how far anchors may reach out of the chip
    batch_size: int = 256         # anchors that stay labelled; all of them if large enough
    positive_fraction: float = 0.5
    min_side: int = MIN_SIDE      # of what a chip shows of an object, +1 convention
    soft_sampling: Tuple[float, ...] = (0.25, 50.0, 20.0)   # A, B, C of lib.targets.soft_sampling
    valid_overlap: float = 1.0    # with an object that belongs to the chip, from which on one is trained
    ranges_in_chip: bool = False  # valid_ranges are shares of chip_size

    @classmethod
    def from_config(cls, config, stride):
        """The settings that a configuration (EasyDict of configs.load_config) holds; stride: of the feature map."""
        train, network = config.TRAIN, config.network
        # Valid ranges are those of chips: windows of the other samplers train objects of every size.
        ranges = tuple(train.VALID_RANGES) if train.SAMPLER == 'chips' else ((-1, -1),)
        return cls(valid_ranges=ranges, chip_size=train.CHIP_SIZE,
                   feat_stride=stride, anchor_ratios=tuple(network.ANCHOR_RATIOS),
                   anchor_scales=tuple(network.ANCHOR_SCALES), positive_overlap=train.RPN_POSITIVE_OVERLAP,
                   negative_overlap=train.RPN_NEGATIVE_OVERLAP, batch_size=train.RPN_BATCH_SIZE,
                   positive_fraction=train.RPN_FG_FRACTION, min_side=train.MIN_OBJECT_SIDE,
                   soft_sampling=(train.SOFT_SAMPLING_A, train.SOFT_SAMPLING_B, train.SOFT_SAMPLING_C),
                   valid_overlap=train.VALID_OVERLAP,
                   ranges_in_chip=train.SAMPLER == 'chips' and train.VALID_RANGES_IN == 'chip')


class ChipTargets:
    """Targets of chips. A = anchors a cell, F = cells a side. Holds scratch memory: one a thread."""

    def __init__(self, settings, base_anchors=None):
        """settings: TargetSettings. base_anchors: (A, 4) boxes of the first cell; by default those of the proposal
        operators."""
        self.settings = settings
        if base_anchors is None:
            base_anchors = anchor_base(settings.feat_stride, settings.anchor_ratios, settings.anchor_scales)
        base = as_boxes(base_anchors, np.float64, name='base_anchors')
        self.num_anchors = len(base)
        self.cells = settings.chip_size // settings.feat_stride
        self._base, self._all_anchors = base, None
        self._labeller = Labeller(base, self.cells, settings.feat_stride,
                                  settings.chip_size, settings.border)

    def boxes(self, entry, chip: Window) -> ChipBoxes:
        """The objects of roidb `entry` that `chip` shows -> ChipBoxes."""
        settings = self.settings
        return chip_boxes(entry, chip, settings.chip_size, settings.min_side, settings.valid_overlap)

    def anchors(self, chip_boxes: ChipBoxes, rng, label_out, target_out, weight_out) -> None:
        """Write RPN labels of a chip: label (A*F*F,), bbox_target and bbox_weight (4A, F, F), float32, C order.

        Labels are 1, 0 or -1, anchor-major; targets are un-normalised deltas of the remaining positives, whose
        weight is 1. rng: numpy Generator that chooses the anchors that stay (lib.targets.chip_targets).
        """
        label, match, valid = self.label_anchors(chip_boxes)
        subsample(label, self.settings.batch_size, self.settings.positive_fraction, rng)
        self._labeller.write(label, match, valid, label_out, target_out, weight_out)

    def label_weights(self, chip_boxes: ChipBoxes, label, out) -> None:
        """Write the weights of Soft Sampling into out (A*F*F,) float32, for the anchors whose label (A*F*F,) counts; 1
        elsewhere. Objects of every size make them, in the valid range or not."""
        out[:] = 1
        used = np.flatnonzero(np.asarray(label) == 0)
        base, cell = np.divmod(used, self.cells ** 2)
        anchors = self._anchors()[cell * self.num_anchors + base]
        overlaps = bbox_overlaps(anchors, chip_boxes.boxes.astype(np.float64))
        out[used] = soft_sampling_weight(overlaps.max(axis=1, initial=0), *self.settings.soft_sampling)

    def label_anchors(self, chip_boxes):
        """Labels before subsampling (reference/pipeline.md 10.6); background that a region covers is not used.

        Returns (label (K,) int8, match (K,) int32, valid boxes (v, 4)).

        K = A*F*F anchors, cell by cell, base anchor fastest; match is the row of the valid boxes to regress to.
        """
        settings = self.settings
        boxes = chip_boxes.boxes.astype(np.float64)
        valid = np.ascontiguousarray(boxes[chip_boxes.valid])
        regions = chip_boxes.regions.astype(np.float64)
        invalid = np.ascontiguousarray(np.concatenate([boxes[~chip_boxes.valid], regions]))
        label, match = self._labeller.label(valid, invalid, settings.positive_overlap, settings.negative_overlap,
                                            settings.ignore_overlap)
        if len(regions):
            background = np.flatnonzero(label == 0)
            label[background[covered(self._anchors()[background], regions)]] = -1
        return label, match, valid

    def _anchors(self):
        """(K, 4) all anchors, in the order of the labels; made when first asked for."""
        if self._all_anchors is None:
            corner = np.arange(self.cells) * self.settings.feat_stride
            y, x = (grid.reshape(-1, 1) for grid in np.meshgrid(corner, corner, indexing='ij'))
            self._all_anchors = (np.concatenate([x, y, x, y], axis=1)[:, None] + self._base[None]).reshape(-1, 4)
        return self._all_anchors

    def gt_array(self, chip_boxes: ChipBoxes, out) -> int:
        """Write the objects into out (MAX_GT, 5) float32; returns how many did not fit."""
        return write_gt_boxes(chip_boxes, out)

    def polygons(self, entry, chip: Window, chip_boxes: ChipBoxes, out) -> int:
        """Write outlines into out (MAX_GT, L) float32, in the rows of gt_array; returns how many were simplified."""
        order = objects_with_row(chip_boxes, len(out))
        outlines = ([to_window(ring, chip) for ring in entry['gt_masks'][row]]
                    for row in chip_boxes.rows[order].tolist())
        return write_polygons(outlines, chip_boxes.labels[order].tolist(), out)

    def valid_range(self, chip: Window) -> Tuple[float, float]:
        """(low, high) of the chip's scale in chip pixels: the row of the valid_ranges tensor."""
        (low, high), chip_size = self.settings.valid_ranges[chip.level], self.settings.chip_size
        if self.settings.ranges_in_chip:
            return low * chip_size, high * chip_size
        return 0.0 if low < 0 else low * chip.scale, float(chip_size) if high < 0 else high * chip.scale


def subsample(label, batch_size: int, positive_fraction: float, rng) -> None:
    """Random choice of the anchors that a chip's loss sees (reference/pipeline.md 10.7).

    Sets surplus labels of (K,) int8 `label` to -1 in place: 1 object, 0 background, -1 not used.

    At most int(batch_size * positive_fraction) positives stay, and negatives up to batch_size together. Which
    ones is uniform. rng: numpy Generator, or anything else with a `choice(a, size, replace)` method (a legacy
    RandomState makes the original's draws), with which the surplus is drawn, positives first.
    """
    positives = np.nonzero(label == 1)[0]
    limit = int(batch_size * positive_fraction)
    _drop_surplus(label, positives, limit, rng)
    negatives = np.nonzero(label == 0)[0]
    _drop_surplus(label, negatives, batch_size - min(len(positives), limit), rng)


def _drop_surplus(label, members, limit, rng):
    surplus = len(members) - limit
    if surplus <= 0:
        return
    if isinstance(rng, np.random.Generator):
        # Few of many stay: drawing those is far cheaper than drawing the surplus, and as uniform.
        kept = rng.choice(members, size=limit, replace=False, shuffle=False)
        value = label[members[0]]
        label[members] = -1
        label[kept] = value
    else:
        label[rng.choice(members, size=surplus, replace=False)] = -1

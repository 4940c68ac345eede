"""Are there anchors as large as the network sees objects in training, and proposals for as many as there are?"""
from typing import List, Sequence

import numpy as np

from lib.bbox.anchors import anchor_base
from lib.chips.seen_sizes import SeenScale, number, quantiles
from lib.dataset.object_sizes import ObjectSizes

POOR_IOU = 0.4   # of an object's best anchor, below which the network hardly learns to propose it
MANY = 0.2       # share of such objects from which on it is worth a line
LARGEST_STEP = 1.7  # between two anchor scales that are proposed
LOOKED_AT = 20000   # objects
PROPOSALS = 3      # that an object wants: several lie on the same one
CROWDED = 0.05     # share of the objects that may be beyond


def anchor_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes, stride: int, ratios, anchor_scales) -> List[str]:
    """A sentence with figure and mend if many objects of a training have no anchor of about their size and shape."""
    shown = shown_in_training(scales, sizes)
    poor = _poor(shown, stride, ratios, anchor_scales)
    return poor_warning(shown, poor, stride * min(anchor_scales), stride * max(anchor_scales),
                        _mend(shown, poor, stride, ratios, anchor_scales) if poor.any() else '')


def poor_warning(shown: np.ndarray, poor: np.ndarray, smallest: float, largest: float, mend: str) -> List[str]:
    """The sentence, if there are MANY. shown: (k, 2) widths and heights in network pixels; poor: (k,) bool, whether the
    best anchor is below POOR_IOU; smallest, largest: sides of anchors, pixels; mend: ends the sentence."""
    if not len(poor) or poor.mean() <= MANY:
        return []
    low, high = quantiles(np.sqrt(shown.prod(axis=1)))[[1, 19]]
    return [f'{100 * poor.mean():.0f} % of the objects in training have no anchor that overlaps them by {POOR_IOU}: '
            f'the network sees sides of {number(low)} to {number(high)} pixels, anchors have {number(smallest)} to '
            f'{number(largest)}{mend}']


def shown_in_training(scales: Sequence[SeenScale], sizes: ObjectSizes) -> np.ndarray:
    """(k, 2) widths and heights in network pixels, of each object at each scale that takes it."""
    found = [np.zeros((0, 2))] + [sizes.objects[scale.taken] * scale.factor[sizes.image[scale.taken], None] + 1
                                  for scale in scales]
    shown = np.concatenate(found)
    return shown[:: -(-len(shown) // LOOKED_AT)] if len(shown) > LOOKED_AT else shown


def best_overlaps(shown: np.ndarray, stride: int, ratios, anchor_scales, unit: float = 0) -> np.ndarray:
    """(k,) IoU of the best anchor of each of (k, 2) widths and heights in network pixels, a quarter of a stride away on
    both axes: the middling distance to a cell. unit: pixels of a scale of 1, 0 = the stride."""
    base = anchor_base(unit or stride, ratios, anchor_scales)
    anchors = base[:, 2:] - base[:, :2] + 1
    smaller = np.minimum(shown[:, None], anchors[None])
    shared = np.minimum(smaller, (shown[:, None] + anchors[None]) / 2 - stride / 4)
    overlap = np.maximum(shared, 0).prod(axis=2)
    union = shown.prod(axis=1)[:, None] + anchors.prod(axis=1)[None] - overlap
    return (overlap / union).max(axis=1, initial=0)


def _poor(shown, stride, ratios, anchor_scales) -> np.ndarray:
    """(k,) bool: whether the best anchor has an IoU below POOR_IOU."""
    return best_overlaps(shown, stride, ratios, anchor_scales) < POOR_IOU


def _mend(shown, poor, stride, ratios, anchor_scales):
    """': --set ...' of anchor scales, and ratios where scales alone do not help; '' if neither does."""
    low, high = np.quantile(np.sqrt(shown.prod(axis=1)), (0.02, 0.98)) / stride
    steps = max(len(anchor_scales), 1 + int(np.ceil(np.log(high / low) / np.log(LARGEST_STEP))))
    fitting = sorted({float(f'{scale:.2g}') for scale in np.geomspace(low, high, steps)})
    shapes = sorted({float(f'{ratio:.2g}') for ratio in np.quantile(shown[:, 1] / shown[:, 0], (0.1, 0.5, 0.9))})
    for new_ratios, new_scales in ((ratios, fitting), (shapes, anchor_scales), (shapes, fitting)):
        if _poor(shown, stride, new_ratios, new_scales).mean() < 0.5 * poor.mean():
            words = [f"network.{name} '[{', '.join(f'{value:g}' for value in new)}]'" for name, new, old in (
                ('ANCHOR_RATIOS', new_ratios, ratios), ('ANCHOR_SCALES', new_scales, anchor_scales)) if new is not old]
            return ': --set ' + ' '.join(words)
    return (': show them larger, by TRAIN.SCALES or TRAIN.CHIP_SIZE' if np.median(shown[poor]) < 2 * stride else
            ': show them smaller, by TRAIN.SCALES or TRAIN.VALID_RANGES')


def proposal_warnings(scales: Sequence[SeenScale], sizes: ObjectSizes, proposals: int) -> List[str]:
    """A sentence if pictures hold more objects at one scale of a test than TEST.RPN_POST_NMS_TOP_N is for."""
    counts = [np.bincount(sizes.image[scale.taken], minlength=1) for scale in scales]
    beyond = [np.maximum(count - proposals / PROPOSALS, 0).sum() / max(1, count.sum()) for count in counts]
    if max(beyond) <= CROWDED:
        return []
    most = max(count.max() for count in counts)
    return [f'pictures hold up to {most} objects at one scale, but TEST.RPN_POST_NMS_TOP_N is {proposals} proposals: '
            f'--set TEST.RPN_POST_NMS_TOP_N {100 * int(np.ceil(most * PROPOSALS / 100))}']

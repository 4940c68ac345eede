"""Faster R-CNN for Open Images: boxes around groups are an input of their own, and the proposals' targets weigh
background by its distance from objects (Wu et al. 2019, "Soft sampling for robust object detection").

Source: reference/other_detectors.md part B, more_openimages.md.
"""
import numpy as np

from lib.bbox.boxes import large_enough
from lib.targets.chip_boxes import LEAST_REGION, REGION, to_window
from lib.tasks.base import Input, refuse_switches
from lib.tasks.faster_rcnn import FasterRcnnTask

GROUP, NO_GROUP = 0, -1     # the fifth column of crowd_boxes
NOT_HERE = {'TRAIN': ('AUTO_FOCUS', 'WITH_MASK'), 'TEST': ('AUTO_FOCUS', 'WITH_MASK')}


class OpenImagesTask(FasterRcnnTask):
    """A proposal inside of a group box that matches no object is neither object nor background."""

    name = 'openimages'

    def inputs(self):
        """Those of Faster R-CNN, and crowd_boxes (x1, y1, x2, y2, 0; -1 = none)."""
        return [*super().inputs(), Input('crowd_boxes', (self.config.TRAIN.MAX_GROUPS, 5), 'label')]

    def targets(self, record, window, rng, out):
        """Also the groups; what does not fit among them is a region of gt_boxes, of which nothing is learnt either."""
        report = super().targets(record, window, rng, out)
        rest = write_groups(groups_on_chip(record, window, self.config.TRAIN.CHIP_SIZE), out['crowd_boxes'])
        free = np.flatnonzero(out['gt_boxes'][:, 4] == -1)[:len(rest)]
        out['gt_boxes'][free, :4], out['gt_boxes'][free, 4] = rest[:len(free)], REGION
        return report

    @property
    def masks(self):
        """There are none."""
        return None

    def check(self, purpose):
        """Also switches of other families."""
        super().check(purpose)
        refuse_switches(self.config, purpose, NOT_HERE)


def groups_on_chip(record, window, chip_size: int) -> np.ndarray:
    """(g, 4) float32 chip pixels: all boxes around groups of a record that are no objects; what the chip does not show
    collapses onto its border."""
    group = record.get('group_of')
    if group is None:
        return np.zeros((0, 4), np.float32)
    rows = np.asarray(group, bool) & (np.asarray(record['max_overlaps']) != 1)
    return to_window(np.asarray(record['boxes'], np.float32).reshape(-1, 4)[rows], window, chip_size)


def write_groups(boxes: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Fill out (G, 5) with the boxes (g, 4) -> those shown that did not fit, (r, 4).

    If all fit they stand as they come, shown or not, as in the original; else those that are shown come first.
    """
    order, shown = np.arange(len(boxes)), large_enough(boxes, LEAST_REGION)
    if len(boxes) > len(out):
        order = shown
    kept = order[:len(out)]
    out[:] = NO_GROUP
    out[:len(kept), :4], out[:len(kept), 4] = boxes[kept], GROUP
    return boxes[order[len(out):]]

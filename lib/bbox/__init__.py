"""Box geometry: overlaps, coding, clipping, anchors and non-maximum suppression.

Boxes are (N, 4) x1, y1, x2, y2 with inclusive pixel corners: width = x2 - x1 + 1. No function
here changes its arguments.
"""
from lib.bbox.anchors import anchor_base, generate_anchors
from lib.bbox.clip import clip_boxes
from lib.bbox.nms import nms
from lib.bbox.overlaps import bbox_overlaps, ignore_overlaps
from lib.bbox.small import large_enough
from lib.bbox.soft_nms import soft_nms
from lib.bbox.transform import bbox_pred, bbox_transform

__all__ = ['anchor_base', 'bbox_overlaps', 'bbox_pred', 'bbox_transform', 'clip_boxes', 'generate_anchors',
           'ignore_overlaps', 'large_enough', 'nms', 'soft_nms']

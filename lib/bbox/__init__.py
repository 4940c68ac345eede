"""Box geometry: overlaps, coding, clipping, anchors and non-maximum suppression.

Boxes are (N, 4) x1, y1, x2, y2 with inclusive pixel corners: width = x2 - x1 + 1; priors and ssd_coding have shares of
the image. No function here changes its arguments.
"""
from lib.bbox.anchors import anchor_base, generate_anchors
from lib.bbox.boxes import bbox_overlaps, clip_boxes, ignore_overlaps, large_enough
from lib.bbox.nms import nms, soft_nms
from lib.bbox.priors import ssd_priors
from lib.bbox.ssd_coding import decode_ssd, encode_ssd
from lib.bbox.ssd_detections import SsdRows, ssd_rows
from lib.bbox.transform import bbox_pred, bbox_transform

__all__ = ['SsdRows', 'anchor_base', 'bbox_overlaps', 'bbox_pred', 'bbox_transform', 'clip_boxes', 'decode_ssd',
           'encode_ssd', 'generate_anchors', 'ignore_overlaps', 'large_enough', 'nms', 'soft_nms', 'ssd_priors',
           'ssd_rows']

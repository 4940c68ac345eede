"""Steps from loaded records to the training roidb: mirrored copies and filtering.

Each step returns new records; labels and overlaps are shared with the originals.
"""
import logging

from lib.dataset.compact import CompactRoidb, select
from lib.dataset.mirroring import mirrored_boxes, mirrored_points

logger = logging.getLogger(__name__)


def mirrored(record, horizontal=True, vertical=False):
    """Copy of a record as seen in a mirror (reference/pipeline.md 4.3).

    With inclusive pixel corners, column x of a W wide image becomes W - x - 1. Applied twice, it is the identity.
    """
    copy = dict(record, boxes=mirrored_boxes(record['boxes'], record['width'], record['height'], horizontal, vertical))
    polygons = record.get('gt_masks')
    if horizontal:
        copy['flipped'] = not record['flipped']
    if vertical:
        copy['flipped_vertical'] = not record.get('flipped_vertical', False)
    if polygons is not None:
        copy['gt_masks'] = [[mirrored_points(ring, record['width'], record['height'], horizontal, vertical)
                             for ring in rings] for rings in polygons]
    return copy


def with_mirrored_copies(roidb, horizontal=True, vertical=False):
    """The records, followed by their mirrored copies in the same order.

    Both directions asked for: originals, left-right, top-bottom, and both at once (four times the records).
    """
    directions = [(True, False)] * horizontal + [(False, True)] * vertical + [(True, True)] * (horizontal and vertical)
    if isinstance(roidb, CompactRoidb):
        return CompactRoidb.concatenate([roidb] + [roidb.mirrored(*direction) for direction in directions])
    result = list(roidb)
    for left_right, top_bottom in directions:
        result.extend(mirrored(record, left_right, top_bottom) for record in roidb)
    return result


def usable_for_training(roidb, fg_thresh, bg_thresh_hi, bg_thresh_lo):
    """Leave out images with neither a foreground nor a background row (reference/pipeline.md 4.6), and log how many."""
    def usable(overlaps):
        return (overlaps >= fg_thresh) | ((overlaps >= bg_thresh_lo + 0.0001) & (overlaps < bg_thresh_hi))

    if isinstance(roidb, CompactRoidb):
        kept = roidb[roidb.any_row(usable)]
    else:
        kept = select(roidb, [bool(usable(record['max_overlaps']).any()) for record in roidb])
    logger.info('training images: %d of %d records hold objects, %d without are left out',
                len(kept), len(roidb), len(roidb) - len(kept))
    return kept

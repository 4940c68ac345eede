"""Steps from loaded records to the training roidb: mirrored copies and filtering.

Each step returns new records; labels and overlaps are shared with the originals.
"""
import logging

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
        copy['gt_masks'] = [[_mirrored_polygon(p, record, horizontal, vertical) for p in parts] for parts in polygons]
    return copy


def mirrored_boxes(boxes, width, height, horizontal, vertical):
    """(n, 4) boxes of a width x height image -> a copy, as seen in a mirror."""
    boxes = boxes.copy()
    if horizontal:
        boxes[:, 0::2] = width - boxes[:, 2::-2] - 1
    if vertical:
        boxes[:, 1::2] = height - boxes[:, 3::-2] - 1
    return boxes


def _mirrored_polygon(polygon, record, horizontal, vertical):
    polygon = polygon.copy()
    if horizontal:
        polygon[0::2] = record['width'] - polygon[0::2] - 1
    if vertical:
        polygon[1::2] = record['height'] - polygon[1::2] - 1
    return polygon


def with_mirrored_copies(roidb, horizontal=True, vertical=False):
    """The records, followed by their mirrored copies in the same order.

    Both directions asked for: originals, left-right, top-bottom, and both at once (four times the records).
    """
    directions = [(True, False)] * horizontal + [(False, True)] * vertical + [(True, True)] * (horizontal and vertical)
    result = list(roidb)
    for left_right, top_bottom in directions:
        result.extend(mirrored(record, left_right, top_bottom) for record in roidb)
    return result


def usable_for_training(roidb, fg_thresh, bg_thresh_hi, bg_thresh_lo):
    """Leave out images with neither a foreground nor a background row (reference/pipeline.md 4.6), and log how many."""
    def usable(record):
        overlaps = record['max_overlaps']
        foreground = overlaps >= fg_thresh
        background = (overlaps >= bg_thresh_lo + 0.0001) & (overlaps < bg_thresh_hi)
        return bool((foreground | background).any())

    kept = [record for record in roidb if usable(record)]
    logger.info('training images: %d of %d records hold objects, %d without are left out',
                len(kept), len(roidb), len(roidb) - len(kept))
    return kept

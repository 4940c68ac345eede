"""Proposals in the training roidb: boxes where a proposal network sees something, object or not.

A record keeps them apart from its objects, under

    proposals   (k, 4) float32, x1 y1 x2 y2 in pixels of the unmirrored image, best first

one array for an image and its mirrored copies. `with_proposals` makes the rows of reference/pipeline.md section 5 of
it, which chips are sampled from; at 300 proposals an image, doing so when an image's turn comes needs a third of the
memory of rows that are all there at once.
"""
import numpy as np

from lib.bbox import bbox_overlaps
from lib.dataset.compact import CompactRoidb
from lib.dataset.mirroring import mirrored_boxes
from lib.utils.errors import SniperError


def attach_proposals(roidb, proposals, name):
    """New records with the field `proposals`; `proposals`: ProposalSet; name: of their file, for errors.

    SniperError if an image has no entry there: the file is of another set.
    """
    number = {image_id: index for index, image_id in enumerate(proposals.image_ids)}
    compact = isinstance(roidb, CompactRoidb)
    ids = roidb.image_ids() if compact else [record['image_id'] for record in roidb]
    rows = [number.get(str(image_id), -1) for image_id in ids]
    if -1 in rows:
        raise SniperError(f'{name} has no entry for {rows.count(-1)} of {len(roidb)} images (such as image '
                           f'{ids[rows.index(-1)]}): it was made for another data set; '
                          'extract proposals for this one, or set proposal_path')
    if compact:
        return roidb.with_proposals(proposals.boxes,
                                    np.stack([proposals.start[rows], proposals.start[1:][rows]], axis=1))
    return [dict(record, proposals=proposals.of_image(row)) for record, row in zip(roidb, rows)]


def with_proposals(record):
    """Record with its proposals as rows after the objects, mirrored if the record is; without proposals, itself.

    gt_classes of such a row is 0, max_overlaps its best IoU with an object and max_classes that object's class
    (0 if the IoU is 0). A proposal that coincides with an object has max_overlaps 1 and counts as an object.
    """
    proposals = record.get('proposals')
    if proposals is None or len(proposals) == 0:
        return record
    rows = mirrored_boxes(proposals, record['width'], record['height'], record['flipped'],
                          record.get('flipped_vertical', False))
    objects = record['boxes']
    best = np.zeros(len(rows), np.float32)
    classes = np.zeros(len(rows), np.int64)
    if len(objects):
        overlaps = bbox_overlaps(rows, objects)
        nearest = overlaps.argmax(axis=1)
        best[:] = overlaps[np.arange(len(rows)), nearest]
        classes = np.where(best > 0, record['max_classes'][nearest], 0)
    return dict(record,
                boxes=np.concatenate([objects, rows]),
                gt_classes=np.concatenate([record['gt_classes'], np.zeros(len(rows), np.int32)]),
                max_classes=np.concatenate([record['max_classes'], classes]),
                max_overlaps=np.concatenate([record['max_overlaps'], best]))

"""Proposals of a whole data set: their files, and the boxes that they add to a training roidb.

A file holds boxes with scores, by image id. Ours is an .npz file with provenance (lib.utils.npz), read without pickle:

    boxes           (N, 4) float32, x1 y1 x2 y2 in original pixels, inclusive corners; the images one after another
    scores          (N,) float32
    rows_per_image  (M,) int64
    image_ids       (M,) text, str(id) of the annotation file
    origin          () text: JSON of what the file was made from (weights, scales, set)

The original's is a pickle: a list with one (n, 5) float32 array an image, in an order that only its data set loader
knows. Source: reference/pipeline.md 5.

A record keeps its proposals apart from its objects, under

    proposals   (k, 4) float32, x1 y1 x2 y2 in pixels of the unmirrored image, best first

one array for an image and its mirrored copies. `with_proposals` makes rows of it, which chips are sampled from; at 300
proposals an image, doing so when an image's turn comes needs a third of the memory of rows that are all there at once.
"""
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, List, NamedTuple

import numpy as np

from lib.bbox import bbox_overlaps, nms
from lib.bbox.boxes import covered
from lib.dataset.compact import CompactRoidb
from lib.dataset.roidb import ROW_COLUMNS, default_rows, mirrored_boxes
from lib.utils.errors import SniperError
from lib.utils.npz import DamagedFile, StaleFile, read_npz, read_origin, write_npz
from lib.utils.processes import num_cores
from lib.utils.reachable import MISSING, why_unreadable
from lib.utils.restricted_pickle import read_plain_pickle

logger = logging.getLogger(__name__)

FORMAT = 1            # raise it when the meaning of a file changes
NMS_THRESH = 0.7      # IoU above which a better proposal removes another, when a file is read for training
MEND = 'extract the proposals again'
IMAGES_A_TASK = 256
AND = '_and_'         # between the names of sets that are tested as one (lib.dataset.joined)
ENDINGS = ('_%s.npz', '_%s.pkl', '_%s_after_nms.pkl')  # in the order of preference; %s: dataset.proposal


def joined_id(name: str, image_id: Any) -> str:
    """What an image of the set `name` is called among those of several sets (lib.dataset.joined)."""
    return f'{name}/{image_id}'


class ProposalSet(NamedTuple):
    """Proposals of M images."""

    boxes: np.ndarray     # (N, 4) float32
    scores: np.ndarray    # (N,) float32
    start: np.ndarray     # (M + 1,) int64: rows of image i are start[i]..start[i + 1] - 1
    image_ids: List[str]
    origin: Any           # dict, {} for files of the original

    @classmethod
    def from_images(cls, rows, image_ids, origin=None):
        """rows: one (n, 5) array an image, x1 y1 x2 y2 score."""
        start = np.cumsum([0] + [len(image) for image in rows], dtype=np.int64)
        boxes, scores = np.empty((start[-1], 4), np.float32), np.empty(start[-1], np.float32)
        for first, image in zip(start, rows):
            boxes[first:first + len(image)], scores[first:first + len(image)] = image[:, :4], image[:, 4]
        return cls(boxes, scores, start, [str(image_id) for image_id in image_ids], origin or {})

    def of_image(self, index):
        """(n, 4) boxes of image number `index`, a view."""
        return self.boxes[self.start[index]:self.start[index + 1]]

    def rows(self, index):
        """(n, 5) boxes and scores of image number `index`."""
        part = slice(self.start[index], self.start[index + 1])
        return np.column_stack([self.boxes[part], self.scores[part]])


def write_proposals(path: str, proposals: ProposalSet) -> None:
    """Write a ProposalSet to `path` (.npz); the file is complete or absent. SniperError if the disk refuses."""
    write_npz(path, {'boxes': proposals.boxes, 'scores': proposals.scores, 'rows_per_image': np.diff(proposals.start),
                     'image_ids': np.array(proposals.image_ids, dtype=np.str_)}, dict(proposals.origin, format=FORMAT))


def read_proposals(path: str, mend: str = MEND) -> ProposalSet:
    """File of ours -> ProposalSet. SniperError, one line, which ends in `mend`: missing, damaged, of another format."""
    try:
        arrays, origin = read_npz(path, mend=mend)
        boxes, scores, counts, ids = (arrays[name] for name in ('boxes', 'scores', 'rows_per_image', 'image_ids'))
    except OSError as error:
        raise SniperError(f'{path} cannot be read: {error.strerror or error}') from error
    except KeyError as error:
        raise DamagedFile(path, f'it lacks the array {error}', mend) from error
    if origin.get('format') != FORMAT:
        raise StaleFile(path, {'format': origin.get('format')}, {'format': FORMAT}, mend)
    fits = (boxes.ndim == 2 and boxes.shape[1] == 4 and boxes.dtype == np.float32 and scores.dtype == np.float32
            and scores.shape == boxes.shape[:1] and counts.ndim == 1 and counts.dtype == np.int64
            and ids.shape == counts.shape and ids.dtype.kind == 'U' and (counts >= 0).all()
            and counts.sum() == len(boxes))
    if not fits:
        raise DamagedFile(path, 'the sizes of its arrays do not fit together', mend)
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return _finite(path, ProposalSet(boxes, scores, start, ids.tolist(), origin))


def read_original(path: str, image_ids: list) -> ProposalSet:
    """Pickle of the original -> ProposalSet; image_ids: of the data set, in the original's order.

    Both of its files are read: `_rpn.pkl` and, with its extra list around, `_rpn_after_nms.pkl`.
    SniperError, one line: not plain data, cut short, another number of images, arrays of another shape.
    """
    content = read_plain_pickle(path)
    if isinstance(content, list) and len(content) == 2 and isinstance(content[0], list) and content[1] == []:
        content = content[0]
    if not isinstance(content, (list, tuple)):
        raise SniperError(f'{path} holds no list of proposals, one array an image')
    if len(content) != len(image_ids):
        raise SniperError(f'{path} holds proposals of {len(content)} images, but the data set has {len(image_ids)}: it '
                          'was made for another set')
    for number, rows in enumerate(content):
        if not isinstance(rows, np.ndarray) or rows.ndim != 2 or rows.shape[1] != 5:
            shape = rows.shape if isinstance(rows, np.ndarray) else type(rows).__name__
            raise SniperError(f'{path}: entry {number} is no array of shape (n, 5) but {shape}; an image without '
                              'proposals has (0, 5)')
    return _finite(path, ProposalSet.from_images(content, image_ids))


def after_nms(proposals: ProposalSet, thresh: float = NMS_THRESH) -> ProposalSet:
    """Proposals that hard NMS leaves, best first in each image, on all cores."""
    def kept(first):
        images = [proposals.rows(index) for index in range(first, min(first + IMAGES_A_TASK, len(proposals.image_ids)))]
        return [rows[nms(rows, thresh)] for rows in images]

    with ThreadPoolExecutor(num_cores()) as pool:  # the kernel releases the interpreter lock
        parts = list(pool.map(kept, range(0, len(proposals.image_ids), IMAGES_A_TASK)))
    return ProposalSet.from_images([rows for part in parts for rows in part], proposals.image_ids, proposals.origin)


def _finite(path, proposals):
    """`proposals` without rows that are not finite, which are counted in a warning."""
    broken = ~(np.isfinite(proposals.boxes).all(axis=1) & np.isfinite(proposals.scores))
    if not broken.any():
        return proposals
    logger.warning('%s: %d of %d proposals are not finite and are left out', path, broken.sum(), len(broken))
    start = np.concatenate([[0], np.cumsum(~broken)])[proposals.start]
    return proposals._replace(boxes=proposals.boxes[~broken], scores=proposals.scores[~broken], start=start)


def find_proposal_file(config, dataset_name: str) -> str:
    """Path of the file in proposal_path for a data set, else of one for several of which it is one.

    SniperError with the ways to get one if there is none.
    """
    paths = [os.path.join(config.proposal_path, dataset_name + ending % config.dataset.proposal) for ending in ENDINGS]
    for path in paths:
        reason = why_unreadable(path)
        if not reason:
            return path
        if reason != MISSING:
            raise SniperError(f'proposal file {path} {reason}')
    joined = _file_of_several(config.proposal_path, dataset_name)
    if joined:
        return joined
    raise SniperError(
        f'there is no proposal file {paths[0]} (or .pkl), which negative chips are made of: (1) let bash '
        'scripts/train_neg_props_and_sniper.sh --cfg FILE make it and train, (2) extract it with main_test.py --set '
        'TEST.EXTRACT_PROPOSALS True and a trained network, or (3) put a file of the original, '
        f'{os.path.basename(paths[1])}, into {config.proposal_path}; '
        'or train without negative chips: --set TRAIN.USE_NEG_CHIPS False')


def _file_of_several(folder, name):
    """Path of a file of the proposals of several sets, of which `name` is one (lib.dataset.joined), or ''."""
    ending = '_rpn.npz'
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return next((os.path.join(folder, file) for file in names if file.endswith(ending) and
                 f'{AND}{name}{AND}' in f'{AND}{file[:-len(ending)]}{AND}'), '')


def add_proposals(config, dataset, roidb):
    """New records of `dataset` with proposals from its file, after hard NMS at IoU 0.7.

    What NMS leaves is kept beside the file for the next run, with a fingerprint of the file it was made from.
    """
    path = find_proposal_file(config, dataset.name)
    cache = _without_ending(os.path.splitext(path)[0], '_after_nms') + '_after_nms.npz'
    origin = {'source': _fingerprint(path), 'nms': NMS_THRESH}
    if read_origin(cache) == dict(origin, format=FORMAT):
        proposals = _cached(cache)
    else:
        proposals = None
    if proposals is None:
        proposals = after_nms(read_file(path, dataset))._replace(origin=origin)
        try:
            write_proposals(cache, proposals)
        except SniperError as error:
            logger.warning('%s: NMS of the proposals is done anew every time', error)
    logger.info('%s: %d proposals of %d images from %s', dataset.name, len(proposals.boxes), len(proposals.image_ids),
                path)
    own = os.path.basename(path) in [dataset.name + ending % config.dataset.proposal for ending in ENDINGS]
    return attach_proposals(roidb, proposals, path, '' if own else dataset.name)


def _cached(path):
    """What NMS left in an earlier run, or None if that file is damaged; a line says so."""
    try:
        return read_proposals(path, 'NMS of the proposals is done anew')
    except SniperError as error:
        logger.warning('%s', error)
        return None


def _without_ending(text, ending):
    return text[:-len(ending)] if text.endswith(ending) else text


def read_file(path: str, dataset) -> ProposalSet:
    """A file of ours, or of the original for a data set. SniperError, one line, if it is neither, or of another set."""
    if path.endswith('.npz'):
        return read_proposals(path)
    try:
        image_ids = dataset.original_image_ids()
    except ValueError as error:
        raise SniperError(f'{path} cannot be matched with the images of {dataset.name} ({error}): extract proposals '
                          'with main_test.py') from error
    return read_original(path, image_ids)


def _fingerprint(path):
    """Changes when the file is written anew."""
    status = os.stat(path)
    return [os.path.basename(path), status.st_size, status.st_mtime_ns]


def attach_proposals(roidb, proposals: ProposalSet, name: str, of_set: str = ''):
    """New records with the field `proposals`; `proposals`: ProposalSet; name: of their file, for errors; of_set: which
    of the sets of a file of several the roidb is.

    SniperError if an image has no entry there: the file is of another set.
    """
    number = {image_id: index for index, image_id in enumerate(proposals.image_ids)}
    compact = isinstance(roidb, CompactRoidb)
    ids = roidb.image_ids() if compact else [record['image_id'] for record in roidb]
    rows = [number.get(joined_id(of_set, image_id) if of_set else str(image_id), -1) for image_id in ids]
    if -1 in rows:
        raise SniperError(f'{name} has no entry for {rows.count(-1)} of {len(roidb)} images (such as image '
                          f'{ids[rows.index(-1)]}): it was made for another data set; '
                          'extract proposals for this one, or set proposal_path')
    if compact:
        return roidb.with_proposals(proposals.boxes,
                                    np.stack([proposals.start[rows], proposals.start[1:][rows]], axis=1))
    return [dict(record, proposals=proposals.of_image(row)) for record, row in zip(roidb, rows)]


def with_proposals(record: dict) -> dict:
    """Record with its proposals as rows after the objects, mirrored if the record is; without proposals, itself.

    gt_classes of such a row is 0, max_overlaps its best IoU with an object and max_classes that object's class
    (0 if the IoU is 0). A proposal that coincides with an object has max_overlaps 1 and counts as an object. Those that
    a region of which nothing is learnt covers are left out.
    """
    proposals = record.get('proposals')
    if proposals is None or len(proposals) == 0:
        return record
    rows = mirrored_boxes(proposals, record['width'], record['height'], record['flipped'],
                          record.get('flipped_vertical', False))
    objects, classes_of = record['boxes'], record['max_classes']
    if 'ignored' in record and record['ignored'].any():
        rows = rows[~covered(rows, objects[record['ignored']])]
    real = record['max_overlaps'] == 1
    objects, classes_of = objects[real], classes_of[real]
    best = np.zeros(len(rows), np.float32)
    classes = np.zeros(len(rows), np.int64)
    if len(objects):
        overlaps = bbox_overlaps(rows, objects)
        nearest = overlaps.argmax(axis=1)
        best[:] = overlaps[np.arange(len(rows)), nearest]
        classes = np.where(best > 0, classes_of[nearest], 0)
    added = {'boxes': rows, 'gt_classes': np.zeros(len(rows), np.int32), 'max_classes': classes, 'max_overlaps': best}
    return dict(record, **{name: np.concatenate([record[name], added[name] if name in added
                                                 else default_rows(name, len(rows), added)])
                           for name in ROW_COLUMNS if name in record})

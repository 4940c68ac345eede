"""The data set `openimages` (lib.dataset.openimages.layout says which files)."""
import collections
import copy
import logging
import os
import time
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np

from lib.bbox.detections import check_range
from lib.dataset.base import NAMED_IN_WARNING, OBJECTS, Dataset, shortened
from lib.dataset.class_list import IGNORE
from lib.dataset.compact import CompactRoidb
from lib.dataset.metrics_file import write_metrics
from lib.dataset.openimages.boxes import Rows, no_boxes, read_boxes
from lib.dataset.openimages.classes import read_classes
from lib.dataset.openimages.evaluation import Scores, curves_of, metrics_of, report, score
from lib.dataset.openimages.hierarchy import Hierarchy, read_hierarchy
from lib.dataset.openimages.labels import VerifiedLabels, labelled_pictures, read_labels
from lib.dataset.openimages.layout import Layout
from lib.dataset.openimages.predictions import Pictures, read_predictions, write_predictions
from lib.dataset.openimages.records import stored, view
from lib.dataset.openimages.sizes import ENDING, SizeCache, pictures_in, places_of, sizes_in_file, still_right
from lib.dataset.roidb_cache import RoidbCache
from lib.dataset.truth import Truth
from lib.utils.counted import counted
from lib.utils.errors import SniperError, printable
from lib.utils.processes import peak_memory

logger = logging.getLogger(__name__)

GROUPS = 'boxes around groups (IsGroupOf)'


class OpenImagesDataset(Dataset):
    """One set of Open Images. Pictures are in the order of their ids, which are names of files without ending.

    mids             code of each class ('/m/0k4j'), position by position as `classes`; '' for the background and for a
                     class that dataset.CLASSES puts together of several
    hierarchy_path   file of the hierarchy of classes, '' if there is none
    has_annotations  whether the set has boxes; one without is all pictures of its folder

    Records have the columns `group_of`, `attributes` and `source` (place in boxes.SOURCES); a box around a group is no
    object, unless asked for (records.view).
    """

    own_scores = {'mAP': 'Open Images V2, IoU 0.50', 'challenge_mAP': 'Open Images Challenge, IoU 0.50'}

    def __init__(self, image_set, root_path, dataset_path, masks=False, choice=None):
        if masks:
            raise SniperError("TRAIN.WITH_MASK is True, but boxes of Open Images have no masks: set it to False")
        self.name = f'OpenImages_{image_set}'
        self.image_set = image_set
        self._files = Layout(dataset_path).files(image_set)
        self._classes = read_classes(self._files.classes, choice)
        if self._classes.line:
            logger.info('%s', self._classes.line)
        self.classes, self.mids = self._classes.names, self._classes.mids
        self.hierarchy_path = self._files.hierarchy
        self._sizes = SizeCache(root_path, self.name, self._files.pictures)
        self.has_annotations = bool(self._files.boxes)
        self._cache = RoidbCache(root_path, self.name, self._files.boxes, [
            *self._files, self._classes.listed, self._classes.labels.tolist(), self.classes, _changed(self._files)
        ]) if self.has_annotations else None
        self._columns: Optional[Dict[str, np.ndarray]] = None
        self._ids: List[str] = []
        self._numbers: Optional[Sequence[int]] = None     # of the pictures, if this is a part of a set
        self._labels: Optional[VerifiedLabels] = None

    def roidb(self, ignored: str = '') -> CompactRoidb:
        """See Dataset.roidb and records.view. SniperError: a file cannot be used, or half of the pictures are not
        there."""
        roidb = CompactRoidb(view(self._stored(), ignored, self.whole_pixels))
        self.not_trained = self._not_trained(ignored)
        return roidb if self._numbers is None else roidb[np.asarray(self._numbers, np.int64)]

    @property
    def image_ids(self):
        if not self._ids:
            roidb = CompactRoidb(self._stored())
            self._ids = (roidb if self._numbers is None else roidb[np.asarray(self._numbers, np.int64)]).image_ids()
        return self._ids

    def verified_labels(self) -> Optional[VerifiedLabels]:
        """Which classes were looked for in which picture; None if no file of image labels is there.

        SniperError: the file cannot be used.
        """
        if self._labels is None and self._files.labels:
            self._labels = read_labels(self._files.labels, np.array(self.image_ids, 'S'), self._classes)
        return self._labels

    def truth(self) -> Truth:
        """All boxes, not truncated to whole pixels; those around groups are `crowd`, and `ignored`, as are regions of
        dataset.CLASSES, which are so of each class."""
        roidb = CompactRoidb(view(self._stored(), OBJECTS, False))
        if self._numbers is not None:
            roidb = CompactRoidb.from_records(roidb[np.asarray(self._numbers, np.int64)])
        columns = roidb.columns
        image = np.repeat(np.arange(len(roidb)), roidb.row_counts())
        label = columns['gt_classes'].astype(np.int64)
        crowd = columns.get('crowd', np.zeros(len(label), bool))
        region = np.flatnonzero(label == 0)
        every = np.tile(np.arange(1, self.num_classes), len(region))
        region = np.repeat(region, self.num_classes - 1)
        rows = np.concatenate([np.flatnonzero(label > 0), region])
        return Truth.of(image[rows], np.concatenate([label[label > 0], every]), columns['boxes'][rows],
                        crowd=crowd[rows] | (label[rows] == 0))

    def part(self, numbers) -> 'OpenImagesDataset':
        """See lib.dataset.base."""
        part = copy.copy(self)
        part._numbers = (np.asarray(numbers, np.int64) if self._numbers is None
                         else np.asarray(self._numbers, np.int64)[np.asarray(numbers, np.int64)])
        part._ids, part._labels = [], None
        return part

    def score_by(self, lists: str) -> None:
        """See lib.dataset.base. What is wrong with image labels or hierarchy is said before anything is detected."""
        super().score_by(lists)
        if self.has_annotations:
            self.verified_labels()
            self._hierarchy()

    def evaluate(self, detections, results_dir):
        """Write predictions_<set>.csv, the official form, and score what it holds by the official rules
        (evaluation.py), also into predictions_<set>_metrics.json; None without boxes."""
        check_range(detections, self.num_classes, len(self.image_ids))
        path = os.path.join(results_dir, f'predictions_{self.image_set}.csv')
        os.makedirs(results_dir, exist_ok=True)
        detections = write_predictions(path, detections, self._pictures(), self._codes())
        logger.info('%d detections of %d images written to %s', len(detections), len(self.image_ids), path)
        if not self.has_annotations:
            return None
        if self.verified_labels() is None:
            logger.info('%s has no file of image labels: every class counts in every picture', self.name)
        scores = self.scores(detections)
        self.curves, metrics = curves_of(scores), metrics_of(scores, self.classes)
        path = path[:-len('.csv')] + '_metrics.json'
        write_metrics(path, metrics)
        for line in report(metrics, path):
            logger.info('%s', line)
        return metrics

    def scores(self, detections, expand_detections: bool = True) -> Scores:
        """By the official rules, see evaluation.score. SniperError: labels or hierarchy cannot be used."""
        return score(self.truth(), detections, self.verified_labels(), self._hierarchy(), expand_detections)

    def _hierarchy(self) -> Optional[Hierarchy]:
        return (read_hierarchy(self.hierarchy_path, self.mids, self._classes.listed) if self.hierarchy_path else None)

    def read_predictions(self, path: str):
        """Detections of an official CSV. SniperError: it cannot be used."""
        return read_predictions(path, self._pictures(), self._codes())

    def _pictures(self) -> Pictures:
        roidb = self.roidb()
        sizes = np.array([(record['width'], record['height']) for record in roidb], np.int64) if (
            self._numbers is not None) else np.asarray(roidb.columns['size'], np.int64)
        return Pictures(np.array(self.image_ids, 'S'), sizes.reshape(-1, 2))

    def _codes(self) -> List[str]:
        """What each label is called in files of predictions, in ASCII; a class put together of several by its name."""
        return ['', *(mid or name.encode('ascii', 'backslashreplace').decode()
                      for mid, name in zip(self.mids[1:], self.classes[1:]))]

    def _stored(self) -> Dict[str, np.ndarray]:
        """Columns of all pictures, from the cache or from the files."""
        if self._columns is None:
            self._columns = self._from_cache() or self._parse()
        return self._columns

    def _from_cache(self):
        if self._cache is None or not self._cache.load():
            return None
        columns = self._cache.roidb.columns
        paths = self._cache.roidb
        chosen = np.unique(np.linspace(0, len(paths) - 1, 64).astype(np.int64))
        names = np.array([os.path.basename(paths.path(place))[:-len(ENDING)] for place in chosen], 'S')
        if not self._files.sizes and not still_right(self._files.pictures, names, columns['size'][chosen]):
            logger.warning('%s: pictures of %s are of other sizes now: it is made anew', self._cache.path,
                           self._files.pictures)
            return None
        for note in self._cache.notes:
            logger.warning('%s', note)
        return columns

    def _parse(self) -> Dict[str, np.ndarray]:
        started = time.monotonic()
        rows = (read_boxes(self._files.boxes, self._classes.listed, self._files.converted) if self.has_annotations
                else no_boxes(pictures_in(self._files.pictures)))
        notes = list(rows.notes)
        rows = self._with_labelled(rows)
        sizes = self._sizes_of(rows)
        rows, sizes = self._with_pictures(rows, sizes, notes)
        of_rows = self._chosen(rows)
        columns = stored(self._files.pictures, rows.names, sizes, of_rows.pop('image'), of_rows)
        for note in notes:
            logger.warning('%s', note)
        if self._cache is None:
            return columns
        logger.info('%s: %d boxes of %d pictures read in %.1f s, at most %.2f GB of memory', self._files.boxes,
                    len(columns['boxes']), len(rows.names), time.monotonic() - started, peak_memory() / 1e9)
        self._cache.store(self.classes, CompactRoidb(columns), notes, {})
        return columns

    def _with_labelled(self, rows: Rows) -> Rows:
        """With the pictures that have labels but no box: what is found there may be wrong."""
        if not os.path.basename(self._files.labels).endswith('-boxable.csv'):
            return rows
        names = np.union1d(rows.names, labelled_pictures(self._files.labels))
        place, _ = places_of(rows.names, names)
        sizes = None
        if rows.sizes is not None:
            sizes = np.zeros((len(names), 2), np.int32)
            sizes[place] = rows.sizes
        return rows._replace(names=names, image=place.astype(np.int32)[rows.image], sizes=sizes)

    def _sizes_of(self, rows: Rows) -> np.ndarray:
        """(m, 2) int32, 0 for a picture that is not there."""
        sizes = np.zeros((len(rows.names), 2), np.int32) if rows.sizes is None else rows.sizes
        if self._files.sizes:
            told = sizes_in_file(self._files.sizes, rows.names)
            sizes = np.where(sizes > 0, sizes, told)
        asked = np.flatnonzero((sizes == 0).any(axis=1))
        if len(asked):
            sizes[asked] = self._sizes.find(rows.names[asked])
        return sizes

    def _with_pictures(self, rows: Rows, sizes: np.ndarray, notes: List[str]):
        """Rows of the pictures whose size is known."""
        known = (sizes > 0).all(axis=1)
        absent = np.flatnonzero(~known)
        if not len(absent):
            return rows, sizes
        named = shortened([os.path.join(self._files.pictures, rows.names[place].decode() + ENDING)
                           for place in absent[:NAMED_IN_WARNING + 1]])
        pictures = f'of {counted(len(known), "picture", "pictures")}'
        if 2 * len(absent) >= len(known):
            missing = counted(len(absent), f'{pictures} of {self.name} is', f'{pictures} of {self.name} are')
            raise SniperError(f'{missing} missing or cannot be read ({named}): check dataset.dataset_path; for a part '
                              'of the pictures, keep only its rows in the files of '
                              f'{self._files.boxes} and image labels')
        missing = counted(len(absent), f'{pictures} is missing or cannot be read and is left out, with its boxes',
                          f'{pictures} are missing or cannot be read and are left out, with their boxes')
        notes.append(printable(f'{self.name}: {missing}: {named}'))
        kept = known[rows.image]
        image = (np.cumsum(known) - 1).astype(np.int32)[rows.image[kept]]
        return rows._replace(names=rows.names[known], image=image, code=rows.code[kept], corners=rows.corners[kept],
                             group=rows.group[kept], attributes=rows.attributes[kept],
                             source=rows.source[kept]), sizes[known]

    def _chosen(self, rows: Rows) -> Dict[str, np.ndarray]:
        """Columns of the rows whose class is chosen, with labels of the data set."""
        label = self._classes.labels[rows.code]
        columns = {'image': rows.image, 'boxes': rows.corners, 'gt_classes': label, 'group_of': rows.group,
                   'attributes': rows.attributes, 'source': rows.source}
        kept = label >= 0
        return columns if kept.all() else {name: values[kept] for name, values in columns.items()}

    def _not_trained(self, ignored) -> Mapping[str, Mapping[str, int]]:
        columns = self._stored()
        none = np.zeros(len(columns['boxes']), bool)
        group, region = columns.get('group_of', none), columns.get('ignored', none)
        counts = collections.Counter({} if ignored == OBJECTS else {
            self.classes[label]: int(count) for label, count in enumerate(np.bincount(
                columns['gt_classes'][group & ~region], minlength=self.num_classes)) if count})
        regions = int(region.sum())
        return {GROUPS: counts, 'regions to be ignored': {IGNORE: regions} if regions else {}}


def _changed(files) -> List[int]:
    """What differs when pictures come or go, or another file changes than that of the boxes, which is read whole."""
    return [os.stat(path).st_mtime_ns if os.path.exists(path) else 0
            for path in (files.pictures, files.labels, files.sizes)]

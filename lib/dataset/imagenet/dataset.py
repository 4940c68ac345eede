"""The data set `imagenet`: ImageNet's folders with R-FCN-3K's development kit, or anybody's folder a class.

With the kit (lib.dataset.imagenet.devkit), as the original lays it out:
    <dataset_path>/fall11_whole/<wnid>/<wnid>_<number>.JPEG, fall11_whole_bbox/<the same>.xml
    <dataset_path>/ILSVRC2013_DET_val/<name>.JPEG, ILSVRC2013_DET_val_bbox/<name>.xml
Without it:
    <dataset_path>/<set>/<class>/<any picture>      or <dataset_path>/<class>/<any picture> for the set `all`
    <dataset_path>/<set>/<class>/<stem>.xml         or <set>_bbox/<class>/<stem>.xml; pictures may be without boxes
    <dataset_path>/<set>.txt            optional: the pictures of a set, '<class>/<stem>' a line
    <dataset_path>/classes.txt          optional: the classes in their order; else names of folders, sorted
    <dataset_path>/superclasses.json    optional, with the kit too: lib.dataset.imagenet.super_classes
"""
import copy
import logging
import os
from typing import Dict, Iterator, Sequence, Tuple

import numpy as np

from lib.bbox.detections import check_range
from lib.dataset.base import AnnotationWarnings, Dataset, shortened
from lib.dataset.class_list import BACKGROUND, class_key, class_list_path, read_class_list
from lib.dataset.compact import CompactRoidb
from lib.dataset.imagenet import devkit
from lib.dataset.imagenet.devkit import DET_PREFIX
from lib.dataset.imagenet.evaluation import evaluate
from lib.dataset.imagenet.layout import sets_in
from lib.dataset.imagenet.listing import BOXES, Listing, class_folders, list_set
from lib.dataset.imagenet.reading import read_boxes
from lib.dataset.imagenet.super_classes import FILE_NAME, SuperClasses, super_classes_of
from lib.dataset.roidb import make_record, validate
from lib.dataset.roidb_cache import RoidbCache
from lib.dataset.set_choice import ALL
from lib.dataset.truth import Truth, truth_of_records
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

logger = logging.getLogger(__name__)

WORTHWHILE = 5000   # pictures; XML files of fewer are read in a second
MEND = ('label them, or learn their classes without boxes: python -m lib.fewshot')


class ImageNetDataset(Dataset):
    """One set. Labels are from 1, so that the fine class of the label k is k - 1.

    wnids           of each label, '' of the background; where there is no kit, the names of the classes
    super_classes   lib.dataset.imagenet.super_classes.SuperClasses
    """

    own_scores = {'mAP': 'ILSVRC DET, IoU 0.50 or less'}

    def __init__(self, image_set, root_path, dataset_path, masks=False, choice=None):
        if masks:
            raise SniperError('TRAIN.WITH_MASK is True, but the data set imagenet has no masks: set it to False')
        reason = why_unreadable(dataset_path, folder=True)
        if reason:
            raise SniperError(f'{dataset_path} {reason}; check dataset.dataset_path')
        self.image_set, self.root_path, self.dataset_path = image_set, root_path, dataset_path
        self.name = 'ImageNet_' + image_set
        self._kit = devkit.find_devkit(dataset_path)
        self.classes, self.wnids, self.super_classes = self._find_classes()
        self._labels = _spellings(self.classes, self.wnids)
        self._kit_classes = self.num_classes - 1
        self._chosen = np.arange(self._kit_classes)     # the class that each of all that there are became, or -1
        if choice:
            self._choose(choice)
        self._listing = self._list()
        self._roidb = None      # CompactRoidb of all pictures, once it was read
        self._numbers = np.arange(0)    # of each picture in the list, from 0

    @property
    def image_ids(self):
        """Names of the pictures without ending."""
        return self._all().image_ids()

    def roidb(self, ignored: str = ''):
        """-> CompactRoidb. To train on (ignored is not ''): the pictures that have boxes; else all."""
        roidb = self._all()
        if not ignored:
            return roidb
        kept = roidb[roidb.row_counts() > 0]
        if len(kept) < len(roidb):
            logger.warning('%s: %s no box of its classes and %s not trained on: %s', self.name, counted(
                len(roidb) - len(kept), 'picture has', 'pictures have'),
                'is' if len(roidb) - len(kept) == 1 else 'are', MEND)
        if not len(kept):
            raise SniperError(f'no picture of {self.name} in {self.dataset_path} has a box of its classes: {MEND}')
        self._say_rare(kept)
        return kept

    def truth(self) -> Truth:
        """The boxes of all pictures; none of them is a crowd or difficult."""
        return truth_of_records(self._all())

    def part(self, numbers):
        """See lib.dataset.base."""
        part = copy.copy(self)
        numbers = np.asarray(numbers, np.int64)
        part._roidb, part._numbers = self._all()[numbers], self._numbers[numbers]
        return part

    def evaluate(self, detections, results_dir):
        """Write det_<set>_pred.txt, and modified_det_<set>_pred.txt with the classes of DET where the kit says which
        these are, and score them by the rule of ILSVRC DET (lib.dataset.imagenet.evaluation)."""
        roidb = self._all()
        check_range(detections, self.num_classes, len(roidb))
        if detections.mask is not None:
            logger.info('%s: masks are not scored, ILSVRC DET has no measure of them', self.name)
        truth = self.truth()
        if not len(truth.label):
            logger.info('%s has no boxes: nothing to score against', self.name)
        name = self.image_set[len(DET_PREFIX):] if self.image_set.startswith(DET_PREFIX) else self.image_set
        return evaluate(results_dir, name, self.classes, detections, self._numbers + 1,
                        truth if len(truth.label) else None, self._det_classes())

    def _det_classes(self) -> np.ndarray:
        """(N,) class of DET, from 1, of each class; 0 for one that it has not, or of several that it tells apart."""
        ids = devkit.read_matching(self._kit, self._kit_classes) if self._kit else np.zeros(self._kit_classes, np.int64)
        of_class = [set(ids[self._chosen == place].tolist()) for place in range(self.num_classes - 1)]
        return np.array([found.pop() if len(found) == 1 else 0 for found in of_class], np.int64)

    def _find_classes(self) -> Tuple[Tuple[str, ...], Tuple[str, ...], SuperClasses]:
        if self._kit:
            kit = devkit.read_devkit(self._kit)
            own = os.path.lexists(os.path.join(self.dataset_path, FILE_NAME))
            supers = super_classes_of(self.dataset_path, kit.words, kit.wnids) if own else kit.super_classes
            return (BACKGROUND, *kit.words), ('', *kit.wnids), supers
        path = class_list_path(self.dataset_path)
        names = read_class_list(path, {}) if path else self._folder_classes()
        return (BACKGROUND, *names), ('', *names), super_classes_of(self.dataset_path, names)

    def _folder_classes(self) -> Tuple[str, ...]:
        """Names of the folders of all sets, sorted."""
        sets = sets_in(self.dataset_path)
        folders = [os.path.join(self.dataset_path, name) for name in sets] or [self.dataset_path]
        names = sorted({name for folder in folders for name in class_folders(folder)})
        if not names:
            raise SniperError(f'{self.dataset_path} holds no folders of classes, neither itself nor in its sets: '
                              '<set>/<class>/<picture> is wanted; check dataset.dataset_path')
        return tuple(names)

    def _choose(self, choice):
        """Leave only the classes of a ClassChoice."""
        known = self.classes[1:]
        labels, line = choice.labels(known, f'{self.name} of {self.dataset_path}')
        if 0 in labels:
            raise SniperError('dataset.CLASSES ignores classes, which the data set imagenet cannot: leave them out')
        logger.info('%s', line)
        first = [labels.index(label) for label in range(1, len(choice.names) + 1) if label in labels]
        if len(first) < len(choice.names):
            absent = [name for label, name in enumerate(choice.names, 1) if label not in labels]
            raise SniperError(f'dataset.CLASSES names {shortened(absent)}, which {self.dataset_path} has not')
        self.classes = (BACKGROUND, *choice.names)
        self._chosen = np.array([-1 if label is None else label - 1 for label in labels])
        self._labels = {spelling: labels[label - 1] for spelling, label in self._labels.items() if labels[label - 1]}
        self.wnids = ('', *(self.wnids[place + 1] for place in first))
        used = self.super_classes.of_class[first]
        kinds, of_class = np.unique(used, return_inverse=True)
        self.super_classes = SuperClasses(tuple(self.super_classes.names[kind] for kind in kinds), of_class)

    def _list(self) -> Listing:
        folder = os.path.join(self.dataset_path, self.image_set)
        path = os.path.join(self.dataset_path, self.image_set + '.txt')
        path = path if os.path.isfile(path) else devkit.list_path(self._kit, self.image_set) if self._kit else ''
        if not os.path.isdir(folder):
            if not path and self.image_set != ALL:
                raise SniperError(f'{self.dataset_path} has no image set {self.image_set!r:.80}: sets there: '
                                  f'{shortened(sets_in(self.dataset_path) or [ALL], 15)}')
            folder = self.dataset_path
        listing = list_set(folder, os.path.join(self.dataset_path, self.image_set + BOXES),
                           devkit.read_list(path, bool(self._kit)) if path else None, path)
        for line in listing.remarks:
            logger.warning('%s', line)
        return listing

    def _all(self) -> CompactRoidb:
        """Records of all pictures, read or from the cache."""
        if self._roidb is None:
            labels = sorted(self._labels.items())
            cache = RoidbCache(self.root_path, self.name, self.dataset_path, [labels, self.whole_pixels],
                               self._listing.state) if len(self._listing.names) >= WORTHWHILE else None
            if cache is not None and cache.load():
                self._roidb = cache.roidb
                for line in cache.notes:
                    logger.warning('%s', line)
            else:
                self._roidb = self._read(cache)
            place = {name: number for number, name in enumerate(map(self._name, range(len(self._listing.names))))}
            self._numbers = np.array([place[name] for name in self._roidb.image_ids()], np.int64)
        return self._roidb

    def _read(self, cache) -> CompactRoidb:
        warnings = AnnotationWarnings(f'{self.name} of {self.dataset_path}', 'such as')
        roidb = CompactRoidb.from_records(self._records(warnings))
        if not len(roidb):
            raise SniperError(f'none of the {len(self._listing.names)} pictures of {self.name} is there and readable '
                              f'(first: {self._listing.image_path(0)}): check dataset.dataset_path')
        warnings.log()
        if cache is not None:
            cache.store(self.classes, roidb, warnings.lines(), {})
        return roidb

    def _records(self, warnings) -> Iterator[dict]:
        for first, boxes in read_boxes(self._listing, self._labels, warnings):
            ends = np.cumsum(boxes.count)
            sizes = boxes.size.tolist()
            for place, (end, count) in enumerate(zip(ends.tolist(), boxes.count.tolist())):
                width, height = sizes[place]
                if not width:
                    continue
                rows = self.in_pixels(boxes.box[end - count:end])
                rows[:, 2:] = np.minimum(rows[:, 2:], (width - 1, height - 1))  # pixels from 0, and inside
                record = make_record(self._listing.image_path(first + place), self._name(first + place), width, height,
                                     rows, boxes.label[end - count:end])
                validate([record], self.num_classes)
                yield record

    def _name(self, number):
        return os.path.splitext(self._listing.names[number])[0]

    def _say_rare(self, roidb):
        """A line on the classes without any box, or with one."""
        counts = np.bincount(roidb.columns['gt_classes'], minlength=self.num_classes)[1:]
        for times, words in ((0, 'without a box cannot be learnt'), (1, 'with one box')):
            names = [self.classes[1 + place] for place in np.flatnonzero(counts == times)]
            if names:
                logger.warning('%s: %s %s: %s', self.name, counted(len(names), 'class', 'classes'), words,
                               shortened(names))


def _spellings(classes: Sequence[str], wnids: Sequence[str]) -> Dict[str, int]:
    """{what an XML file may call a class: its label}."""
    labels: Dict[str, int] = {}
    for names in (wnids, classes, list(map(class_key, wnids)), list(map(class_key, classes))):
        for label, name in enumerate(names):
            if label:
                labels.setdefault(name, label)
    return labels

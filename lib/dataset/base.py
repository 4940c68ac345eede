"""What all data sets share: the interface, warnings about single annotations, and what evaluators print."""
import abc
import collections
import logging
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np

from lib.dataset.truth import Truth, truth_of_records
from lib.utils.counted import counted
from lib.utils.errors import SniperError, printable

logger = logging.getLogger(__name__)

NAMED_IN_WARNING = 5  # how many annotations a warning names
OBJECTS, REGIONS, LEFT_OUT = 'objects', 'ignore', 'background'  # values of TRAIN.IGNORED_OBJECTS
LARGEST = 1e9  # no size, coordinate or area of an image is larger


class PrecisionRecall(NamedTuple):
    """A curve of a data set's own evaluation: name; recall, ascending, and precision (n,); the area under it."""

    name: str
    recall: np.ndarray
    precision: np.ndarray
    ap: float


class Dataset(abc.ABC):
    """One split of a data set: it loads its records and scores detections on them.

    A subclass takes (image_set, root_path, dataset_path, masks, choice), see lib.dataset.registry, and sets
    name      str, unique: data set and split (original: 'COCO_val2014')
    classes   tuple of str, '__background__' first; a label is a position in it
    image_ids list, ids of the images in the order of roidb()

    own_scores   {name in what `evaluate` gives: by which rules}, what the data set is compared by; {} where these are
                 COCO's. A report shows them first; one that an evaluation does not give is passed over

    whole_pixels: bool; boxes of records are truncated to whole pixels, as in the original; may be set before roidb()

    and `roidb()` sets
    not_trained  dict of kind ('crowd regions (iscrowd)', said of several objects) -> {class name: objects that the
                 annotations have, but that are not among the rows for that reason}
    and `evaluate()` sets
    curves       list of PrecisionRecall, which a test draws; empty for most data sets
    """

    name: str = ''
    classes: Tuple[str, ...] = ('__background__',)
    image_ids: Sequence[Any] = ()
    not_trained: Mapping[str, Mapping[str, int]] = {}
    curves: Sequence[PrecisionRecall] = ()
    own_scores: Mapping[str, str] = {}
    whole_pixels: bool = True

    @property
    def num_classes(self):
        """Number of classes, background included."""
        return len(self.classes)

    @abc.abstractmethod
    def roidb(self, ignored: str = ''):
        """-> sequence of records (lib.dataset.roidb), one an image, in a fixed order.

        ignored: what becomes of crowd regions and difficult objects, which do not count when detections are scored.
        OBJECTS: rows as those of others, the columns `crowd` and `difficult` say which; REGIONS: rows of which nothing
        is learnt (column `ignored`); LEFT_OUT, '': none. With any but '', what is called 'ignore' is such a row too.
        """

    def in_pixels(self, boxes) -> np.ndarray:
        """List of boxes of an image -> (n, 4) float64; with `whole_pixels` truncated towards zero, for the original
        stored whole numbers."""
        array = np.array(boxes, np.float64).reshape(-1, 4)
        return np.trunc(array) if self.whole_pixels else array

    def original_image_ids(self):
        """Image ids in the order in which the original went through them, which its proposal files go by.

        ValueError if that is not known.
        """
        return list(self.image_ids)

    def truth(self) -> Truth:
        """The objects as `evaluate` takes them, what does not count included; none for a split without annotations.

        A data set that scores other boxes than those of its records has its own.
        """
        return truth_of_records(self.roidb(OBJECTS))

    def part(self, numbers: Sequence[int]) -> 'Dataset':
        """The images at these places of roidb(), ascending, as a data set that scores detections on them alone.

        To be called after roidb(). SniperError for a data set that cannot.
        """
        raise SniperError(f'{self.name} cannot be scored on a part of its images: set TRAIN.VALIDATE_IMAGES to 0')

    def score_by(self, lists: str) -> None:
        """Settle what detections are scored by: called after roidb(), before anything is detected.

        lists: dataset.WIDER_LISTS, '' for what lies with the data. SniperError: they cannot be used, or not here.
        """
        if lists:
            raise SniperError(f"dataset.WIDER_LISTS is {lists}, but {self.name} is not scored by lists: they are for "
                              "one set of dataset.dataset wider; set it to ''")

    @abc.abstractmethod
    def evaluate(self, detections, results_dir):
        """Write `detections` to files in `results_dir` and score them.

        detections: lib.bbox.detections.Detections, boxes in original pixels, `image` in the order of roidb(), in any
        order; those of class 0 are ignored, a data set may not use the masks. ValueError for a class or image that
        there is not.
        Returns a dict of metrics, or None for a split without ground truth.
        """


class Kind(NamedTuple):
    """What is wrong with annotations, said of one ('box is empty') and of several ('boxes are empty')."""

    one: str
    many: str


NO_NUMBERS = Kind('box is not four finite numbers and is left out',
                  'boxes are not four finite numbers and are left out')
OUTSIDE = Kind('box lies outside its image or has no area and is left out',
               'boxes lie outside their image or have no area and are left out')


class AnnotationWarnings:
    """Counts what is wrong with single annotations (or images, by `noun`); one line a kind, naming the file. Of each
    kind it keeps the first few."""

    def __init__(self, path, noun='annotation'):
        self.path = path
        self.noun = noun
        self.kinds: Dict[Union[Kind, str], int] = collections.OrderedDict()
        self._first: Dict[Union[Kind, str], List[Any]] = {}

    def add(self, kind: Union[Kind, str], identity) -> None:
        """kind: what is wrong; a text is said of several ("boxes are ..."). identity: which annotation it is."""
        self.add_many(kind, 1, [identity])

    def add_many(self, kind: Union[Kind, str], count: int, first: Sequence) -> None:
        """As often `add` as `count` says; first: which annotations these are, as many as NAMED_IN_WARNING + 1."""
        if count:
            self.kinds[kind] = self.kinds.get(kind, 0) + count
            of_kind = self._first.setdefault(kind, [])
            of_kind += first[:NAMED_IN_WARNING + 1 - len(of_kind)]

    def refuse_most(self, of: int, causes: Mapping[Any, str]) -> None:
        """SniperError if more than half of `of` annotations are of the kinds that `causes` names; it says the likely
        cause of the most frequent of them."""
        counts = {kind: self.kinds[kind] for kind in causes if kind in self.kinds}
        if 2 * sum(counts.values()) > of:
            kind = max(counts, key=lambda kind: counts[kind])
            many = kind.many if isinstance(kind, Kind) else kind
            raise SniperError(f'{self.path}: {counts[kind]} of {of} {many} ({self._named(kind)}): {causes[kind]}')

    def lines(self) -> List[str]:
        """A line a kind."""
        return [printable(f'{self.path}: {_said(kind, count)} ({self._named(kind)})')
                for kind, count in self.kinds.items()]

    def log(self) -> None:
        """The lines, as warnings."""
        for line in self.lines():
            logger.warning('%s', line)

    def _named(self, kind):
        return f'{self.noun} {shortened([f"{identity!s:.80}" for identity in self._first[kind]])}'


def _said(kind, count):
    return counted(count, *kind) if isinstance(kind, Kind) else f'{count} {kind}'


def is_number(value) -> bool:
    """A number of sensible size: not NaN, not infinite (true and false are no numbers)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def shortened(values: Sequence, limit: int = NAMED_IN_WARNING) -> str:
    """The first few, joined by commas."""
    return ', '.join(map(str, values[:limit])) + (', ...' if len(values) > limit else '')


def per_class_table(per_class: dict, title='AP per class', columns=3):
    """Lines of an aligned table: class, AP; '-' for a class without annotations."""
    width = max(len(name) for name in per_class)
    cells = [f'{name:<{width}} {"-" if ap < 0 else f"{ap:.3f}":>6}' for name, ap in per_class.items()]
    rows = -(-len(cells) // columns)
    return [title] + ['   '.join(cells[row::rows]) for row in range(rows)]

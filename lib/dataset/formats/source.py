"""What a format of a labelling tool yields, and how a set and its classes come of it.

A source reads pictures with objects out of a folder; `read` makes of those of one set (lib.dataset.formats.sets) what a
COCO file would hold.
"""
import abc
import collections
import os
from typing import Callable, Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple

from lib.dataset.base import LARGEST, AnnotationWarnings, shortened
from lib.dataset.box_units import EDGES, BoxFormat
from lib.dataset.class_list import class_key, usual_spellings
from lib.dataset.formats.pictures import PictureIndex
from lib.dataset.formats.sets import Chosen, sets_of
from lib.dataset.picture_split import TRAIN as SPLIT_TRAIN, VAL as SPLIT_VAL, validation_part
from lib.dataset.said_once import say_once
from lib.dataset.set_choice import ALL, has_purpose, is_to_test_on
from lib.utils.errors import SniperError

_SETS_NAMED = 15


class Thing(NamedTuple):
    """An object of a picture."""
    name: str                           # of its class
    box: Tuple[float, float, float, float]     # x, y, width, height, pixels of the picture
    rings: Sequence[Sequence[float]] = ()      # outlines x y x y ..., maybe none
    crowd: bool = False                 # a region that does not count


class Picture(NamedTuple):
    """A picture, or a place in the files that tells of one."""
    name: str                           # below the folder, with / between folders; need not exist
    width: Optional[float]              # pixels; None: the picture has to tell
    height: Optional[float]
    things: List[Thing]
    sets: Tuple[str, ...] = ()          # sets that the files say it belongs to


class Source(abc.ABC):
    """A folder in one format.

    kind         what messages call the format
    looked_for   how it is recognised, in words
    box_format   how its files write boxes
    warnings     what is wrong with single annotations
    """

    kind = ''
    looked_for = ''
    box_format: BoxFormat = EDGES

    def __init__(self, folder: str):
        self.folder = folder
        self.index = PictureIndex(folder)
        self.warnings = AnnotationWarnings(folder)
        self.failures: Dict[str, str] = {}  # {file: why it cannot be used}
        self.files = 0

    @classmethod
    @abc.abstractmethod
    def found_in(cls, folder: str) -> str:
        """What of the format lies in a folder, for example 'data.yaml'; '' if nothing does."""

    @abc.abstractmethod
    def pictures(self, chosen: Chosen) -> Iterable[Picture]:
        """All pictures; those that are not `chosen` may be left out where the classes are known without them."""

    def memberships(self, chosen: Chosen) -> Iterable[Tuple[str, Sequence[str]]]:
        """(name, sets that the files name) of all pictures."""
        return ((picture.name, picture.sets) for picture in self.pictures(chosen))

    def sets(self) -> List[str]:
        """Names of the sets there are (sets_of), or those of the split where none is there to test on.

        SniperError: most of the files cannot be used.
        """
        found, pictures = self._own_sets()
        return [SPLIT_TRAIN, SPLIT_VAL] if self._can_split(found, pictures) else found

    def _own_sets(self):
        """-> (names of the sets that files and folders name, names of all pictures that files tell of)."""
        pictures = list(self.memberships(Chosen(self.folder, self.index, ALL)))
        found = sets_of(self.folder, self.index, pictures)
        self._refuse_most_files()
        return found, {name for name, _ in pictures}

    def _can_split(self, own_sets, pictures) -> bool:
        return len(pictures) > 1 and not any(map(is_to_test_on, own_sets))

    def class_names(self, pictures: Sequence[Picture]) -> List[str]:
        """Classes in their order, of all pictures: by their usual spelling, sorted, if files do not list them."""
        counts = collections.Counter(thing.name for picture in pictures for thing in picture.things)
        spellings = usual_spellings(counts)
        return [spellings[key] for key in sorted(spellings)]

    def read(self, image_set: str, masks: bool = False, cache: str = '') -> dict:
        """Content of a COCO file (https://cocodataset.org/#format-data) of one set; the names of pictures are the ids.

        cache: file for lib.dataset.picture_split. SniperError: there is no such set, nothing usable in it, or most of
        the files cannot be used.
        """
        whole = self._to_split() if image_set in (SPLIT_TRAIN, SPLIT_VAL) else image_set
        chosen = Chosen(self.folder, self.index, whole)
        pictures = list(self.pictures(chosen))
        self._refuse_most_files()
        names = self.class_names(pictures)
        if not names:
            found = ''.join(f'; {line}' for line in self.warnings.lines())
            raise SniperError(f'no object in {self.folder} ({self.kind}) has a class: check dataset.dataset_path, or '
                              f'write the classes into {os.path.join(self.folder, "classes.txt")}, one a line{found}')
        pictures = _joined([picture for picture in pictures if (picture.name, picture.sets) in chosen])
        if not pictures and not chosen.seen and image_set == ALL:
            raise SniperError(f'{self.folder} ({self.kind}) has no picture in its annotation files: are they empty?')
        if not pictures:
            sets = shortened([ALL] + sorted(chosen.seen), _SETS_NAMED)
            raise SniperError(f'{self.folder} ({self.kind}) has no image set {image_set!r:.80}: sets there: {sets}; '
                              f'{image_set:.80}.txt in it would list the names of pictures, one a line')
        if whole != image_set:
            pictures = self._part(pictures, image_set, cache)
        return self._document(pictures, names, masks)

    def _to_split(self) -> str:
        """The set that split_train and split_val are parts of. SniperError: it needs no split, or has one picture."""
        own, pictures = type(self)(self.folder)._own_sets()     # so that nothing is counted twice
        if not self._can_split(own, pictures):
            raise SniperError(f'{self.folder} ({self.kind}) is not split: its sets are {shortened(own, _SETS_NAMED)}')
        return next((name for name in own if has_purpose(name)), ALL)

    def _part(self, pictures, image_set, cache):
        """Those of one side of the split; a line says how many there are."""
        paths = {self.index.path(picture.name): picture for picture in pictures}
        sizes = {path: (picture.width or 1, picture.height or 1) for path, picture in paths.items()}
        if len(paths) < 2:
            raise SniperError(f'{self.folder} ({self.kind}) has one picture: it cannot be split')
        chosen = validation_part(sizes, cache)
        if not chosen:
            raise SniperError(f'{self.folder} ({self.kind}) cannot be split: its {len(paths)} pictures all show the '
                              f'same; list those to test on in {os.path.join(self.folder, "val.txt")}, one a line, and '
                              'the others in train.txt')
        say_once(f'{self.folder} has no set to test on: {len(chosen)} of {len(paths)} pictures, chosen by what they '
                 f'show, are {SPLIT_VAL}, the others {SPLIT_TRAIN}')
        return [picture for path, picture in paths.items() if (path in chosen) == (image_set == SPLIT_VAL)]

    def left_out(self, file: str, error: Exception) -> None:
        """Count a file that cannot be used."""
        self.failures[file] = str(error)

    def _refuse_most_files(self):
        if not self.failures:
            return
        first, *others = self.failures
        if 2 * len(self.failures) > self.files:
            raise SniperError(f'{self.failures[first]} ({len(self.failures)} of {self.files} annotation files cannot '
                              'be used)')
        others = f'; the others: {shortened(others)}' if others else ''
        self.warnings.add(f'annotation files cannot be used and are left out with their pictures, such as: '
                          f'{self.failures[first]}{others}', first)

    def _document(self, pictures, names, masks):
        label: Dict[str, int] = {}
        for number, name in enumerate(names, 1):
            label.setdefault(name, number)
        for number, name in enumerate(names, 1):
            label.setdefault(class_key(name), number)
        images, annotations = [], []
        for picture in pictures:
            image = {'id': picture.name, 'file_name': picture.name}
            if picture.width is not None and picture.height is not None:
                image.update(width=picture.width, height=picture.height)
            images.append(image)
            for number, thing in enumerate(picture.things, 1):
                annotation = {'id': f'{picture.name} object {number}', 'image_id': picture.name,
                              'category_id': label.get(thing.name) or label[class_key(thing.name)],
                              'bbox': list(thing.box), 'iscrowd': int(thing.crowd)}
                if min(thing.box[2:]) > 0:
                    annotation['area'] = thing.box[2] * thing.box[3]
                if masks:
                    annotation['segmentation'] = [list(ring) for ring in thing.rings]
                annotations.append(annotation)
        return {'images': images, 'annotations': annotations,
                'categories': [{'id': number, 'name': name} for number, name in enumerate(names, 1)]}


def first_of_format(folder: str, paths: Sequence[str], has_form: Callable[[bytes], object],
                    beginning: int = 4096) -> str:
    """Name below `folder` of the first of `paths` whose first `beginning` bytes have the form; '' if none has.

    Files that cannot be read are passed over: reading the set names them.
    """
    for path in paths:
        try:
            with open(path, 'rb') as stream:
                if has_form(stream.read(beginning)):
                    return below(folder, path)
        except OSError:
            continue
    return ''


def box_around(points: Sequence[float]) -> Tuple[float, float, float, float]:
    """Points x y x y ... -> x, y, width, height of the box around them."""
    xs, ys = points[0::2], points[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def sensible(numbers: Sequence[float]) -> bool:
    """Whether all are finite and of a size that a coordinate can have."""
    return all(-LARGEST < number < LARGEST for number in numbers)


def below(folder: str, path: str) -> str:
    """Path of a file in a folder -> its name below it, with / between folders."""
    return os.path.relpath(path, folder).replace(os.sep, '/')


def _joined(pictures):
    """One entry a picture, sorted by name: several files may tell of one."""
    by_name: Dict[str, Picture] = {}
    for picture in pictures:
        known = by_name.get(picture.name)
        by_name[picture.name] = picture if known is None else known._replace(things=known.things + picture.things)
    return [by_name[name] for name in sorted(by_name)]

"""Class folders: <folder>/<class>/<picture>, which of their pictures are learnt from, and which say how well."""
import logging
import os
import random
from typing import Dict, List, NamedTuple, Sequence, Tuple

from lib.dataset.class_list import BACKGROUND
from lib.dataset.class_names import named
from lib.image.formats import picture_files
from lib.utils.counted import counted
from lib.utils.errors import SniperError, printable
from lib.utils.reachable import why_unreadable

logger = logging.getLogger(__name__)

LEAST_CLASSES = 2


class ClassPictures(NamedTuple):
    """classes: names, sorted; paths: of pictures, class by class, sorted; labels: of each, from 0."""
    classes: Tuple[str, ...]
    paths: List[str]
    labels: List[int]

    def take(self, numbers: Sequence[int]) -> 'ClassPictures':
        """Some of the pictures."""
        return self._replace(paths=[self.paths[number] for number in numbers],
                             labels=[self.labels[number] for number in numbers])


def read_class_folder(folder: str, least: int = LEAST_CLASSES) -> ClassPictures:
    """A folder of class folders. Files beside these, and hidden folders, are passed over. SniperError: there is none,
    fewer than `least` classes, a class without pictures."""
    reason = why_unreadable(folder, folder=True)
    if reason:
        raise SniperError(f'{folder} {reason}: name a folder that holds one folder of pictures a class')
    try:
        classes = sorted(entry.name for entry in os.scandir(folder)
                         if entry.is_dir() and not entry.name.startswith('.'))
    except OSError as error:
        raise SniperError(f'folder {folder} cannot be read: {error.strerror or error}') from None
    wanted = 'a class is a folder of pictures in it, called as the class is'
    if not classes:
        raise SniperError(f'{folder} holds no folders: {wanted}')
    if len(classes) < least:
        raise SniperError(f'{folder} holds one class alone, {classes[0]}, and there is nothing to tell it from: '
                          f'add a second folder, of other things or of none of these; {wanted}')
    if BACKGROUND in classes:
        raise SniperError(f'{folder}: no class can be called {BACKGROUND}, which is the name of none: rename '
                          'the folder')
    paths: List[str] = []
    labels: List[int] = []
    for label, name in enumerate(classes):
        found = _pictures(os.path.join(folder, name))
        paths += found
        labels += [label] * len(found)
    return ClassPictures(tuple(classes), paths, labels)


def _pictures(folder):
    try:
        return picture_files(folder)
    except SniperError as error:
        raise SniperError(f'class {os.path.basename(folder)}: {error}: put pictures there, or take the folder away'
                          ) from None


def hold_out(pictures: ClassPictures, count: int, seed: int = 0) -> Tuple[List[int], List[int]]:
    """(numbers of the pictures to learn from, numbers of `count` others of each class), both ascending.

    Drawn class by class from the sorted pictures by `seed` and the class' name: what a class gives does not depend on
    the others. A class keeps one picture at least to learn from; one that cannot spare as many is named in a warning.
    """
    kept: List[int] = []
    held: List[int] = []
    short: List[str] = []
    for label, name in enumerate(pictures.classes):
        numbers = [number for number, of in enumerate(pictures.labels) if of == label]
        spared = min(count, len(numbers) - 1)
        if spared < count and numbers:
            short.append(f'{printable(name)} ({len(numbers)})')
        random.Random(f'{seed} {name}').shuffle(numbers)
        held += numbers[:max(spared, 0)]
        kept += numbers[max(spared, 0):]
    if short:
        logger.warning('%s too few pictures to hold %d out: %s; one of each is learnt from at least',
                       counted(len(short), 'class has', 'classes have'), count, named(short))
    return sorted(kept), sorted(held)


def same_pictures(pictures: ClassPictures, digests: Sequence[str]) -> List[int]:
    """Numbers of the pictures without the copies of a class; '' is the digest of what cannot be read, which is left
    out too. Warns of pictures that are in two classes."""
    first: Dict[str, int] = {}
    seen, kept, twice = set(), [], []
    for number, (label, digest) in enumerate(zip(pictures.labels, digests)):
        if not digest or (digest, label) in seen:
            continue
        if digest in first:
            twice.append(f'{printable(pictures.paths[first[digest]])} is {printable(pictures.paths[number])} too')
        first.setdefault(digest, number)
        seen.add((digest, label))
        kept.append(number)
    if twice:
        logger.warning('%s in two classes, which cannot be told apart by it: %s',
                       counted(len(twice), 'picture is', 'pictures are'), named(twice, 3))
    copies = sum(bool(digest) for digest in digests) - len(kept)
    if copies:
        logger.info('%s left out', counted(copies, 'copy of a picture in its class is', 'copies of pictures are'))
    return kept

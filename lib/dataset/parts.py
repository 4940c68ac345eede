"""The parts that data are joined of: sets of one folder, or of several folders in whatever formats.

dataset.dataset_path holds one folder, or several joined by '+' (a list in a file). dataset.image_set then holds the
sets of all of them, or one entry a folder, with commas between. dataset.test_dataset_path is the same for
test_image_set.
"""
import collections
import logging
import os
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.base import Dataset, shortened
from lib.dataset.class_choice import class_choice
from lib.dataset.registry import get_dataset
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.user_path import user_path

logger = logging.getLogger(__name__)


class Part(NamedTuple):
    """One set. source: number of its folder."""

    source: int
    path: str
    image_set: str


def parts_of(keys, key: str) -> List[Part]:
    """Parts that dataset.<key> ('image_set' or 'test_image_set') names; keys: section `dataset` of the configuration.

    SniperError: a name is empty, or the commas do not fit the folders.
    """
    name = 'test_dataset_path' if key == 'test_image_set' and keys.test_dataset_path else 'dataset_path'
    paths, names = source_paths(keys[name]), keys[key]
    of_source = names.split(',') if len(paths) > 1 else [names]
    if len(of_source) not in (1, len(paths)):
        raise SniperError(f'dataset.{key} {names!r} has {len(of_source)} entries between commas, and {name} '
                          f'{len(paths)} folders: write one entry for all, or one for each')
    of_source = of_source * len(paths) if len(of_source) == 1 else of_source
    parts = [Part(number, path, name.strip()) for number, (path, of_path) in enumerate(zip(paths, of_source))
             for name in of_path.split('+')]
    if not all(part.image_set for part in parts):
        raise SniperError(f'dataset.{key} {names!r} has an empty part: write names joined by single "+"')
    return _said_of_repeated(parts, key)


def path_of_tests(keys) -> str:
    """Folder, or folders, of the sets to test on: text as dataset.dataset_path; keys: as for parts_of."""
    return keys.test_dataset_path or keys.dataset_path


def _said_of_repeated(parts, key) -> List[Part]:
    """The parts, to test on each once: ids of pictures would not tell them apart. A warning names those repeated."""
    same: Dict[Tuple[str, str], List[Part]] = collections.defaultdict(list)
    for part in parts:
        same[os.path.realpath(part.path), part.image_set].append(part)
    repeated = [os.path.join(*place) for place, those in same.items() if len(those) > 1]
    tested = key == 'test_image_set'
    if repeated:
        logger.warning('dataset.%s names a set more than once, and its pictures %s: %s', key,
                       'are tested once' if tested else 'are trained on as often', shortened(repeated))
    return [those[0] for those in same.values()] if tested else parts


def source_paths(dataset_path: str) -> List[str]:
    """Folders out of dataset.dataset_path. A folder whose name holds a '+' is one, if it is there."""
    paths, rest = [], dataset_path
    while '+' in rest and not os.path.exists(rest):
        pieces = rest.split('+')
        ends = [end for end in range(1, len(pieces)) if os.path.exists(user_path('+'.join(pieces[:end])))]
        end = ends[-1] if ends else 1
        paths.append(user_path('+'.join(pieces[:end])))
        rest = '+'.join(pieces[end:])
    paths.append(user_path(rest) if paths else rest)
    if len(paths) > 1 and not all(path.strip() for path in paths):
        raise SniperError(f'dataset.dataset_path {dataset_path!r} has an empty part: join folders by single "+"')
    return paths


def open_parts(keys, parts: Sequence[Part], masks: bool = False) -> List[Dataset]:
    """Data sets of the parts. Where there are several folders, their names go before those of their sets."""
    choice = class_choice(keys)
    several, opened = len({part.path for part in parts}) > 1, []
    for part in parts:
        dataset = get_dataset(keys.dataset, part.image_set, keys.root_path, part.path, bool(masks), choice)
        if several:
            dataset.name = f'{os.path.basename(os.path.normpath(part.path))}_{dataset.name}'
        opened.append(dataset)
    names = [dataset.name for dataset in opened]
    for dataset, part in zip(opened, parts):
        if names.count(dataset.name) > 1:
            dataset.name = f'{part.source + 1}_{dataset.name}'
    return opened


def one_sided_lines(parts: Sequence[Part], counts: np.ndarray, classes: Sequence[str]) -> List[str]:
    """Warnings about classes that only one of several folders labels. counts: (parts, classes) objects."""
    paths = {part.source: part.path for part in parts}
    of_source = np.stack([counts[[part.source == source for part in parts]].sum(axis=0) for source in paths])
    alone = (of_source > 0).sum(axis=0) == 1
    alone[0] = False
    lines = []
    for path, objects in zip(paths.values(), of_source):
        names = [name for name, its_own, count in zip(classes, alone, objects) if its_own and count]
        if names and len(paths) > 1:
            lines.append(f'only {path} labels {shortened(names)}: where the pictures of the other folders show these, '
                         'they are trained as background and count as wrong detections; label them there too, or '
                         'leave the classes out (dataset.CLASSES)')
    return lines


def joined_line(parts: Sequence[Part], pictures: Sequence[int], classes: Sequence[str]) -> str:
    """What several folders were joined to."""
    said = ', '.join(f'{part.path} ({part.image_set}, {counted(count, "picture", "pictures")})'
                     for part, count in zip(parts, pictures))
    return (f'joined by the names of their classes: {said}; {counted(len(classes) - 1, "class", "classes")}: '
            f'{shortened(classes[1:], 10)}')

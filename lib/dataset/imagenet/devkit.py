"""R-FCN-3K's development kit: classes, words, lists of pictures, and which class is which of ILSVRC DET.

    ILSVRC2014_devkit/data/3kcls_cluster_result1.txt    pickle {super-class: [wnids]}: the classes, in its order
                          /wnid_name_dict.txt           pickle {wnid: words}
                          /3kcls_1C_words.txt           pickle {class from 0: words}
                          /3kcls_index.txt              pictures to train on, '<wnid>/<wnid>_<number>', between blanks
                          /det_lists/<set>.txt          pictures to test on, '<name> <number>' a line
    ILSVRC2014_devkit/evaluation/3k_1C_pred/3k_1C_matching.txt  pickle {class from 0: class of DET from 1}

Despite their ending the pickles are pickles, of Python 2. The kit lies in the folder of the data set or beside it.
Source: reference/other_detectors.md A.
"""
import collections
import os
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.imagenet.super_classes import SuperClasses, read_clusters, text_of
from lib.dataset.said_once import say_once
from lib.dataset.text_list import read_lines
from lib.utils.errors import SniperError
from lib.utils.restricted_pickle import read_plain_pickle

NAME = 'ILSVRC2014_devkit'
DET_PREFIX = 'ILSVRC2013_DET_'
LAST_DET_CLASS = 201    # what the matching file gives beyond it is no class of DET
_CLUSTERS, _CLUSTER_NAMES = '3kcls_cluster_result1.txt', '_cluster_result'
_MATCHING = os.path.join('evaluation', '3k_1C_pred', '3k_1C_matching.txt')


class Devkit(NamedTuple):
    """folder of the kit; wnids and words of the N classes; super_classes of the file that orders them."""

    folder: str
    wnids: Tuple[str, ...]
    words: Tuple[str, ...]
    super_classes: SuperClasses


def find_devkit(dataset_path: str) -> str:
    """Folder of the kit: in the data set's or, as R-FCN-3K's demo has it, beside it; '' if there is none."""
    root = os.path.normpath(dataset_path)
    places = [place for place in (os.path.join(root, NAME), os.path.join(os.path.dirname(root), NAME))
              if os.path.isdir(os.path.join(place, 'data'))]
    if len(places) > 1 and os.path.realpath(places[0]) != os.path.realpath(places[1]):
        say_once(f'the development kit is taken from {places[0]}, not from {places[1]}')
    return places[0] if places else ''


def read_devkit(folder: str) -> Devkit:
    """SniperError: a file that is needed is missing, damaged, hostile, or names a class twice or by no wnid."""
    path = _cluster_file(os.path.join(folder, 'data'))
    groups = read_clusters(path)
    wnids = tuple(wnid for _, members in groups for wnid in members)
    for wnid in wnids:
        if not is_folder_name(wnid):
            raise SniperError(f'{path}: the class {wnid!r:.60} is no name of a folder, as a wnid is')
    of_class = np.repeat(np.arange(len(groups)), [len(members) for _, members in groups])
    return Devkit(folder, wnids, _words(folder, wnids), SuperClasses(tuple(name for name, _ in groups), of_class))


def wnids_beside(path: str, names: Sequence[str]) -> List[str]:
    """wnids of classes by their names, '' for others, if the file `path` lies in a kit's folder of data; else []."""
    data = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(data) or not any(_CLUSTER_NAMES in name for name in os.listdir(data)):
        return []
    kit = read_devkit(os.path.dirname(data))
    wnids = dict(zip(kit.words, kit.wnids))
    return [wnids.get(name, '') for name in names]


def is_folder_name(name: str) -> bool:
    """Of one folder, which leads nowhere else."""
    return bool(name) and not name.startswith('.') and not set(name) & set('/\\\0')


def list_path(folder: str, image_set: str) -> str:
    """The list of a set's pictures; '' if the kit has none."""
    data = os.path.join(folder, 'data')
    if image_set.startswith(DET_PREFIX):
        path = os.path.join(data, 'det_lists', image_set[len(DET_PREFIX):] + '.txt')
    else:
        path = os.path.join(data, '3kcls_index.txt') if image_set.startswith('fall11') else ''
    return path if path and os.path.isfile(path) else ''


def read_list(path: str, of_kit: bool = True) -> List[str]:
    """Names of pictures without ending. A line is one name, which may hold blanks; in lists of the kit, whose names
    have none, also a name and its number, or, as in 3kcls_index.txt, several names. SniperError: a name leads out of
    the folder."""
    names: List[str] = []
    for number, line in read_lines(path, 'image list'):
        words = line.split() if of_kit else [line.strip()]
        found = words[:1] if len(words) == 2 and words[1].isdigit() else words
        for name in found:
            if not all(map(is_folder_name, name.split('/'))):
                raise SniperError(f'image list {path} line {number}: {name!r:.60} is no name of a picture below the '
                                  'folder of the set')
        names += found
    if not names:
        raise SniperError(f'image list {path} names no picture')
    return names


def read_matching(folder: str, count: int) -> np.ndarray:
    """(count,) int64: the class of DET, from 1, of each class of the kit; 0 for one that DET has not, or all where the
    kit has no such file. SniperError: it is damaged, or of other classes."""
    path = os.path.join(folder, _MATCHING)
    ids = np.zeros(count, np.int64)
    if not os.path.isfile(path):
        return ids
    content = read_plain_pickle(path)
    pairs = list(content.items()) if isinstance(content, dict) else []
    whole = pairs and all(type(number) is int for pair in pairs for number in pair)
    if not whole or not all(0 <= index < count for index, _ in pairs):
        raise SniperError(f'{path} is wanted as a pickle of {{class from 0: class of DET}} for {count} classes: is it '
                          'of another kit?')
    for index, det_class in pairs:
        ids[index] = det_class if 1 <= det_class <= LAST_DET_CLASS else 0
    return ids


def _cluster_file(data) -> str:
    path = os.path.join(data, _CLUSTERS)
    if os.path.isfile(path):
        return path
    others = sorted(name for name in os.listdir(data) if _CLUSTER_NAMES in name)
    if not others:
        raise SniperError(f'{data} has no {_CLUSTERS}, which says which classes there are')
    return os.path.join(data, others[0])


def _words(folder, wnids: Sequence[str]) -> Tuple[str, ...]:
    """A name for each class: its words, or its wnid where there are none; what would be equal gets its wnid too."""
    by_index, by_wnid = (_texts(os.path.join(folder, 'data', name)) for name in ('3kcls_1C_words.txt',
                                                                                 'wnid_name_dict.txt'))
    names = [by_index.get(str(index)) or by_wnid.get(wnid) or wnid for index, wnid in enumerate(wnids)]
    counts = collections.Counter(names)
    return tuple(name if counts[name] == 1 else f'{name} ({wnid})' for name, wnid in zip(names, wnids))


def _texts(path) -> Dict[str, str]:
    """{key as text: text}; {} without the file."""
    if not os.path.isfile(path):
        return {}
    content = read_plain_pickle(path)
    if not isinstance(content, dict):
        raise SniperError(f'{path} is wanted as a pickle of a dict of names, got {type(content).__name__}')
    return {text_of(key) or str(key): text_of(value) for key, value in content.items()}

"""Which faces count: the lists of WIDER FACE's evaluation, files of MATLAB's.

    wider_<setting>_<set>.mat     setting: easy, medium, hard. For each event and picture in it
        event_list, file_list     what they are called; a picture without its ending
        face_bbx_list             all faces, a row each: x, y, width, height
        gt_list                   numbers, from 1, of the faces that count in this setting; the others are ignored
    wider_face_<set>.mat          the same without gt_list; it need not be there

All files tell of the same pictures and faces. Source: reference/other_detectors.md C.
"""
import collections
import os
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.base import LARGEST, shortened
from lib.utils.counted import counted
from lib.utils.errors import SniperError
from lib.utils.mat_file import read_mat

SETTINGS = ('easy', 'medium', 'hard')
USUAL_SET = 'val'
PLACES = ('', 'eval', 'wider_face_split', os.path.join('eval_tools', 'ground_truth'), 'ground_truth')
_PICTURES = ('event_list', 'file_list', 'face_bbx_list')
_COUNTED = 'gt_list'
_NAMED = 3


class FaceLists(NamedTuple):
    """names: '<event>/<picture without ending>'; starts (pictures + 1,) int64: the faces of picture i are rows
    starts[i] to starts[i + 1] of faces (n, 4) float64 x, y, width, height; counted: {setting: (n,) bool}."""

    place: str
    names: Tuple[str, ...]
    starts: np.ndarray
    faces: np.ndarray
    counted: Dict[str, np.ndarray]

    def part(self, numbers: Sequence[int]) -> 'FaceLists':
        """The pictures of these numbers, in this order."""
        numbers = np.asarray(numbers, np.int64)
        counts = np.diff(self.starts)[numbers]
        ends = np.cumsum(counts)
        rows = np.repeat(self.starts[numbers] - ends + counts, counts) + np.arange(counts.sum())
        return self._replace(names=tuple(self.names[number] for number in numbers),
                             starts=np.concatenate([[0], ends]).astype(np.int64), faces=self.faces[rows],
                             counted={setting: marks[rows] for setting, marks in self.counted.items()})

    def remarks(self) -> List[str]:
        """What is odd about faces, a line a kind."""
        flat = np.flatnonzero((self.faces[:, 2:] <= 0).any(axis=1))
        if not len(flat):
            return []
        pictures = np.unique(np.searchsorted(self.starts, flat, side='right') - 1)
        return [f'{counted(len(flat), "face has", "faces have")} no width or height in the lists of {self.place}, '
                f'taken as one pixel, as officially: {named([self.names[number] for number in pictures])}']


def find_lists(folder: str, image_set: str = USUAL_SET) -> Tuple[str, str]:
    """(folder, set) of the lists in one of PLACES of a folder: those of the set, else of `val`; ('', '') without."""
    for name in dict.fromkeys((image_set, USUAL_SET)):
        for place in PLACES:
            there = os.path.join(folder, place) if place else folder
            if any(os.path.isfile(_path(there, setting, name)) for setting in SETTINGS):
                return there, name
    return '', ''


def read_lists(folder: str, image_set: str = USUAL_SET) -> FaceLists:
    """The lists of a set in this folder. SniperError: one is missing, damaged, of another form or of other pictures."""
    paths = {setting: _path(folder, setting, image_set) for setting in SETTINGS}
    missing = [path for path in paths.values() if not os.path.isfile(path)]
    if missing:
        raise SniperError(f'there is no {missing[0]}: the lists of WIDER FACE are three files, '
                          f'wider_<setting>_{image_set:.80}.mat, in its folder eval_tools/ground_truth')
    first, lists, marks = '', None, {}
    for setting, path in [('', _path(folder, 'face', image_set)), *paths.items()]:
        if not setting and not os.path.isfile(path):
            continue
        content = _fields(path, _PICTURES + (_COUNTED,) * bool(setting))
        names, faces = _pictures(path, content)
        if lists is None:
            first, lists = path, _joined(folder, names, faces)
        elif not _same(lists, _joined(folder, names, faces)):
            raise SniperError(f'{path} tells of other pictures or faces than {first}: take all lists from one place')
        if setting:
            marks[setting] = _marks(path, content[_COUNTED], names, faces)
    return lists._replace(counted=marks)


def _path(folder, setting, image_set):
    return os.path.join(folder, f'wider_{setting}_{image_set}.mat')


def _fields(path, names) -> Dict[str, List[Any]]:
    """{field: for each event what it holds}."""
    content = read_mat(path, names)
    missing = [name for name in names if name not in content]
    if missing:
        raise SniperError(f'{path} has no {missing[0]}: it is no list of WIDER FACE, or of another setting')
    events = content[names[0]]
    for name in names:
        if not isinstance(content[name], list) or len(content[name]) != len(events):
            raise SniperError(f'{path} is no list of WIDER FACE: {name} is no array of cells, one an event')
    return content


def _pictures(path, content) -> Tuple[List[str], List[np.ndarray]]:
    """Names and faces of all pictures."""
    names: List[str] = []
    faces: List[np.ndarray] = []
    for event, files, of_event in zip(*(content[name] for name in _PICTURES)):
        if not _is_name(event):
            raise SniperError(f'{path} is no list of WIDER FACE: an entry of event_list is no name of a folder '
                              f'({_words(event)})')
        if not isinstance(files, list) or not isinstance(of_event, list) or len(files) != len(of_event):
            if _is_empty(files) and _is_empty(of_event):
                continue
            raise SniperError(f'{path} is no list of WIDER FACE: file_list and face_bbx_list of event {event!r:.60} '
                              'are no arrays of cells, one a picture')
        for name, boxes in zip(files, of_event):
            if not _is_name(name):
                raise SniperError(f'{path} is no list of WIDER FACE: an entry of file_list of event {event!r:.60} is '
                                  f'no name of a picture ({_words(name)})')
            names.append(f'{event}/{name}')
            faces.append(_boxes(path, names[-1], boxes))
    if not names:
        raise SniperError(f'{path} names no picture')
    if len(set(names)) < len(names):
        twice = collections.Counter(names).most_common(1)[0][0]
        raise SniperError(f'{path} names the picture {twice!r:.80} twice')
    return names, faces


def _boxes(path, name, boxes) -> np.ndarray:
    if _is_empty(boxes):
        return np.zeros((0, 4))
    if isinstance(boxes, np.ndarray) and boxes.ndim == 2 and boxes.shape[1] == 4 and (abs(boxes) < LARGEST).all():
        return boxes
    raise SniperError(f'{path} is no list of WIDER FACE: the faces of {name!r:.80} are no rows of x, y, width, height '
                      f'({_words(boxes)})')


def _marks(path, of_events, names, faces) -> np.ndarray:
    """(n,) bool: the faces that are counted."""
    pictures = [of_picture for of_event in of_events for of_picture in (of_event if isinstance(of_event, list) else [])]
    if len(pictures) != len(names):
        raise SniperError(f'{path} is no list of WIDER FACE: gt_list is of {len(pictures)} pictures, file_list of '
                          f'{len(names)}')
    marks = []
    for name, numbers, of_picture in zip(names, pictures, faces):
        marked = np.zeros(len(of_picture), bool)
        if not _is_empty(numbers):
            if not isinstance(numbers, np.ndarray) or (numbers != np.floor(numbers)).any():
                raise SniperError(f'{path} is no list of WIDER FACE: gt_list of {name!r:.80} holds no whole numbers '
                                  f'({_words(numbers)})')
            if not ((numbers >= 1) & (numbers <= len(of_picture))).all():
                wrong = numbers[(numbers < 1) | (numbers > len(of_picture))][0]
                raise SniperError(f'{path}: gt_list of {name!r:.80} names face {wrong:g}, and it has '
                                  f'{len(of_picture)} faces, from 1')
            marked[numbers.astype(np.int64).ravel() - 1] = True
        marks.append(marked)
    return np.concatenate(marks)


def _joined(folder, names, faces) -> FaceLists:
    starts = np.concatenate([[0], np.cumsum([len(of_picture) for of_picture in faces])]).astype(np.int64)
    return FaceLists(folder, tuple(names), starts, np.concatenate(faces), {})


def _same(one, other) -> bool:
    return one.names == other.names and np.array_equal(one.starts, other.starts) and np.array_equal(
        one.faces, other.faces)


def _is_name(value) -> bool:
    """Of one folder or file, which leads nowhere else."""
    return isinstance(value, str) and value not in ('', '.', '..') and not set(value) & set('/\\\0')


def _is_empty(value) -> bool:
    """[] in MATLAB is empty, whatever it is of."""
    return not isinstance(value, str) and not np.size(value)


def _words(value) -> str:
    """What stands in the place of something else."""
    if isinstance(value, np.ndarray):
        return f'numbers of shape {"x".join(map(str, value.shape))}'
    return f'{len(value)} cells' if isinstance(value, list) else f'{value!r:.40}'


def named(names: Sequence[str]) -> str:
    """The first of some pictures, for a line."""
    return shortened([f'{name:.80}' for name in names[:_NAMED + 1]], _NAMED)

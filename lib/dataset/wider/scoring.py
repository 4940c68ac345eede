"""Detections against the faces of WIDER FACE: curves and average precision as the official evaluation has them.

Source: reference/other_detectors.md C ("Official AP"), more_ssh.md ("Evaluator remarks").
"""
from typing import Dict, NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.voc_eval import area_ap
from lib.dataset.wider.lists import FaceLists

THRESHOLDS = 1.0 - np.arange(1, 1001) / 1000    # of scores, once the lowest is 0 and the highest 1
OVERLAP = 0.5           # IoU from which a face is hit
PAIRS = 1 << 20         # of detections and faces that are compared at a time
NO_FACES = -1.0         # AP where no face counts


class Found(NamedTuple):
    """Detections. picture (n,) int64: number in FaceLists.names; box (n, 4) float64 x, y, width, height; score (n,)
    float64. In any order: of equal scores in a picture the first comes first."""

    picture: np.ndarray
    box: np.ndarray
    score: np.ndarray


class Scores(NamedTuple):
    """One setting. faces: that count; kept, right (1000,) int64: detections from each of THRESHOLDS on, without those
    of ignored faces, and the faces that these find; ap: area under the curve, NO_FACES without any."""

    faces: int
    kept: np.ndarray
    right: np.ndarray
    ap: float

    @property
    def recall(self) -> np.ndarray:
        """(1000,) float64, 0 without faces."""
        return self.right / max(self.faces, 1)

    @property
    def precision(self) -> np.ndarray:
        """(1000,) float64; 0 where nothing is kept."""
        return self.right / np.maximum(self.kept, 1)


def score(lists: FaceLists, found: Found) -> Dict[str, Scores]:
    """{setting: Scores}. Detections in pictures that have no face at all do not count."""
    level = np.searchsorted(-THRESHOLDS, -normalised(found.score))  # the first threshold that each one reaches
    order = np.lexsort([-found.score, found.picture])
    picture, level = found.picture[order], level[order]
    face = hit_faces(lists, picture, found.box[order])
    among_faces = np.diff(lists.starts)[picture] > 0
    return {setting: _of_setting(counted, face, among_faces, level) for setting, counted in lists.counted.items()}


def wider_ap(faces: Sequence, counted: Sequence, detections: Sequence) -> Tuple[float, np.ndarray]:
    """Average precision of one setting -> (AP, NO_FACES where no face counts; curve (1000, 2) int64: detections from
    each of THRESHOLDS on, and the faces that these find).

    An entry a picture: faces (F, 4) x, y, width, height; counted: those that count, (F,) bool or their numbers from 1
    as the official lists have them, the others are ignored; detections (D, 5) x, y, width, height, score. ValueError:
    they do not fit each other.
    """
    faces = [np.asarray(rows, np.float64).reshape(-1, 4) for rows in faces]
    rows = [np.asarray(found, np.float64).reshape(-1, 5) for found in detections]
    if not len(faces) == len(counted) == len(rows):
        raise ValueError(f'faces are given of {len(faces)} pictures, those that count of {len(counted)}, detections of '
                         f'{len(rows)}')
    marks = [_marks(of_picture, len(boxes)) for of_picture, boxes in zip(counted, faces)]
    lists = FaceLists('', tuple(map(str, range(len(faces)))), np.cumsum([0] + [len(boxes) for boxes in faces]),
                      np.concatenate([np.zeros((0, 4))] + faces), {'': np.concatenate([np.zeros(0, bool)] + marks)})
    stacked = np.concatenate([np.zeros((0, 5))] + rows)
    picture = np.repeat(np.arange(len(rows)), [len(found) for found in rows])
    scores = score(lists, Found(picture, stacked[:, :4], stacked[:, 4]))['']
    return scores.ap, np.column_stack([scores.kept, scores.right])


def _marks(counted, number) -> np.ndarray:
    """(number,) bool: which faces of a picture count."""
    counted = np.asarray(counted).reshape(-1)
    if counted.dtype == bool:
        if len(counted) != number:
            raise ValueError(f'{len(counted)} marks for {number} faces')
        return counted
    places = counted.astype(np.int64)
    if len(places) and not 1 <= places.min() <= places.max() <= number:
        raise ValueError(f'faces that count have the numbers {places.min()} to {places.max()}, there are 1 to {number}')
    marks = np.zeros(number, bool)
    marks[places - 1] = True
    return marks


def normalised(scores: np.ndarray) -> np.ndarray:
    """Scores (n,) of the whole set -> from 0 to 1; where all are equal, 1: the official division by zero has none."""
    if not len(scores):
        return scores
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.ones(len(scores))


def hit_faces(lists: FaceLists, picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Detections picture by picture -> (n,) row of the face that each overlaps most, -1 below OVERLAP.

    Of faces that it overlaps as much, the first. Ignored faces are among them.
    """
    face = np.full(len(picture), -1, np.int64)
    pictures, starts = np.unique(picture, return_index=True)
    for number, start, end in zip(pictures.tolist(), starts, np.append(starts[1:], len(picture))):
        first, last = lists.starts[number:number + 2]
        step = max(PAIRS // max(last - first, 1), 1)
        for begin in range(start, end if last > first else start, step):
            rows = slice(begin, min(begin + step, end))
            best, overlap = _best(box[rows], lists.faces[first:last])
            face[rows] = np.where(overlap >= OVERLAP, first + best, -1)
    return face


def _best(boxes, faces) -> Tuple[np.ndarray, np.ndarray]:
    """(place of the face with the highest IoU, that IoU) of each box. A side is one pixel longer than it says."""
    wide, high = (np.minimum.outer(boxes[:, axis] + boxes[:, axis + 2], faces[:, axis] + faces[:, axis + 2])
                  - np.maximum.outer(boxes[:, axis], faces[:, axis]) + 1 for axis in (0, 1))
    common = np.maximum(wide, 0) * np.maximum(high, 0)
    own, of_faces = ((rows[:, 2] + 1) * (rows[:, 3] + 1) for rows in (boxes, faces))
    all_in_all = np.add.outer(own, of_faces) - common
    overlap = np.divide(common, all_in_all, out=np.zeros_like(common), where=common > 0)
    best = overlap.argmax(axis=1)
    return best, overlap[np.arange(len(boxes)), best]


def _of_setting(counted, face, among_faces, level) -> Scores:
    """face, among_faces, level (n,): of detections picture by picture, the highest score first."""
    hit = face >= 0
    ignored = np.zeros(len(face), bool)
    ignored[hit] = ~counted[face[hit]]
    candidates = np.flatnonzero(hit & ~ignored)
    _, first = np.unique(face[candidates], return_index=True)   # a second detection of a face is wrong
    kept, right = (np.cumsum(np.bincount(level[rows], minlength=len(THRESHOLDS)))
                   for rows in (among_faces & ~ignored, candidates[first]))
    faces = int(np.count_nonzero(counted))
    scores = Scores(faces, kept, right, NO_FACES)
    return scores._replace(ap=area_ap(scores.recall, scores.precision)) if faces else scores

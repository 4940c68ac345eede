"""The objects of a data set as flat arrays, for whatever compares detections with them."""
from typing import NamedTuple, Sequence

import numpy as np


class Truth(NamedTuple):
    """n objects, image by image.

    image (n,) int64    position in roidb(), ascending
    label (n,) int64    position in Dataset.classes, from 1
    box (n, 4) float64  x1, y1, x2, y2, inclusive corners, pixels from 0, not cut at the border
    area (n,) float64   pixels, by which an object is small or large; of the outline where the annotation says it
    ignored (n,) bool   crowd regions and difficult objects: found or not, and how often, does not count
    crowd (n,) bool     those of them that are regions: a detection counts as inside by the share of it that lies there
    """

    image: np.ndarray
    label: np.ndarray
    box: np.ndarray
    area: np.ndarray
    ignored: np.ndarray
    crowd: np.ndarray

    @classmethod
    def of(cls, image, label, box, area=None, ignored=None, crowd=None) -> 'Truth':
        """From lists or arrays in any order; areas are those of the boxes where none are given."""
        image, label = (np.asarray(values, np.int64).reshape(-1) for values in (image, label))
        box = np.asarray(box, np.float64).reshape(-1, 4)
        sides = box[:, 2:] - box[:, :2] + 1
        area = sides.prod(axis=1) if area is None else np.asarray(area, np.float64).reshape(-1)
        none = np.zeros(len(image), bool)
        crowd = none if crowd is None else np.asarray(crowd, bool).reshape(-1)
        ignored = none if ignored is None else np.asarray(ignored, bool).reshape(-1)
        order = np.argsort(image, kind='stable')
        return cls(image[order], label[order], box[order], area[order], (ignored | crowd)[order], crowd[order])

    def take(self, index) -> 'Truth':
        """The objects of an index, (n,) bool or positions in ascending order."""
        return Truth(*(array[index] for array in self))


def truth_of_records(roidb: Sequence) -> Truth:
    """The objects of a roidb that was read with ignored objects (lib.dataset.base.OBJECTS)."""
    rows = [(number, record, record['max_overlaps'] == 1) for number, record in enumerate(roidb)]

    def joined(name: str, dtype, tail=()) -> np.ndarray:
        return np.concatenate([np.zeros((0,) + tail, dtype)] + [record[name][real] for _, record, real in rows])
    images = np.concatenate([np.zeros(0, np.int64)] + [np.full(int(real.sum()), number) for number, _, real in rows])
    crowd = joined('crowd', bool)
    return Truth.of(images, joined('max_classes', np.int64), joined('boxes', np.float64, (4,)),
                    ignored=crowd | joined('difficult', bool), crowd=crowd)

"""Detections as flat arrays, one row each: from the decoding of a network's outputs to the result files.

Nothing here grows with the number of classes or images, only with the detections: grouping by class and image is for
the result files that need it.
"""
from typing import Iterator, Optional, Sequence, Tuple

import numpy as np

NO_MASK = b''


class Detections:
    """n detections.

    image (n,) int32    which image, or window of an image, by its position; the giver says of what
    label (n,) int32    class, a position in `classes`; 0 is background, and what class-less proposals have
    box (n, 4) float32  x1, y1, x2, y2, inclusive pixel corners, original pixels unless the giver says otherwise
    score (n,) float32
    mask                n run-length codes of the whole image (lib.masks) as bytes, NO_MASK where there is none; or None
    classes             names, '__background__' first; () where the giver does not know them
    sizes               (width, height) of every image, which masks need; () where the giver does not tell

    Rows keep the order in which they are given. Raises ValueError if lengths differ.
    """

    __slots__ = ('image', 'label', 'box', 'score', 'mask', 'classes', 'sizes')

    def __init__(self, image, label, box, score, mask: Optional[Sequence[bytes]] = None, classes: Sequence[str] = (),
                 sizes: Sequence[Tuple[int, int]] = ()):
        self.image = np.asarray(image, np.int32).reshape(-1)
        self.label = np.asarray(label, np.int32).reshape(-1)
        self.box = np.asarray(box, np.float32).reshape(-1, 4)
        self.score = np.asarray(score, np.float32).reshape(-1)
        self.mask = None if mask is None else list(mask)
        self.classes = tuple(classes)
        self.sizes = tuple(sizes)
        lengths = [len(self.image), len(self.label), len(self.box), len(self.score)]
        lengths += [] if self.mask is None else [len(self.mask)]
        if len(set(lengths)) > 1:
            raise ValueError(f'images, labels, boxes, scores and masks of detections differ in number: {lengths}')

    @classmethod
    def empty(cls, masks: bool = False) -> 'Detections':
        """No detection; masks: with an empty list of masks instead of None."""
        return cls((), (), (), (), [] if masks else None)

    @classmethod
    def from_rows(cls, image, rows, label=None, mask=None) -> 'Detections':
        """rows (n, 5) x1, y1, x2, y2, score, with `label`, or (n, 6) with the class as the last column.

        image, label: a number for all or (n,).
        """
        rows = np.asarray(rows, np.float32)
        rows = rows.reshape(-1, rows.shape[1] if rows.ndim == 2 else 5)
        label = rows[:, 5] if label is None else label
        image, label = (np.broadcast_to(np.asarray(value), len(rows)) for value in (image, label))
        return cls(image, label, rows[:, :4], rows[:, 4], mask)

    @classmethod
    def concatenate(cls, parts: Sequence['Detections']) -> 'Detections':
        """The rows of all parts, part by part. Masks are kept if any part has them, a part without gives NO_MASK. The
        arrays of a single part are shared."""
        parts = list(parts)
        if not parts:
            return cls.empty()
        if len(parts) == 1:
            return parts[0].replace(sizes=())
        mask = None
        if any(part.mask is not None for part in parts):
            mask = [code for part in parts for code in ([NO_MASK] * len(part) if part.mask is None else part.mask)]
        image, label, box, score = (np.concatenate([getattr(part, name) for part in parts])
                                    for name in ('image', 'label', 'box', 'score'))
        return cls(image, label, box, score, mask, parts[0].classes)

    def __len__(self) -> int:
        return len(self.score)

    def __repr__(self) -> str:
        return f'Detections({len(self)} of {len(np.unique(self.image))} images)'

    def replace(self, **fields) -> 'Detections':
        """A copy with other fields, by name; arrays that stay are shared. TypeError for a field that there is not."""
        return Detections(**{**{name: getattr(self, name) for name in self.__slots__}, **fields})

    def take(self, index) -> 'Detections':
        """The rows of an index: positions (m,) in any order, or (n,) bool."""
        index = np.asarray(index)
        index = np.flatnonzero(index) if index.dtype == bool else index.astype(np.intp)
        mask = None if self.mask is None else [self.mask[row] for row in index]
        return Detections(self.image[index], self.label[index], self.box[index], self.score[index], mask, self.classes,
                          self.sizes)

    def of_image(self, image: int) -> 'Detections':
        """Those of one image. For all images, by_image is faster."""
        return self.take(self.image == image)

    def of_class(self, label: int) -> 'Detections':
        """Those of one class. For all classes, by_class is faster."""
        return self.take(self.label == label)

    def rows(self) -> np.ndarray:
        """(n, 5) float32 x1, y1, x2, y2, score."""
        return np.column_stack([self.box, self.score]) if len(self) else np.zeros((0, 5), np.float32)

    def by_image(self) -> Iterator[Tuple[int, 'Detections']]:
        """(image, its detections) for the images that have some, ascending; rows keep their order."""
        return self._groups(self.image)

    def by_class(self) -> Iterator[Tuple[int, 'Detections']]:
        """(label, its detections) for the classes that have some, ascending; rows keep their order."""
        return self._groups(self.label)

    def in_image_order(self) -> 'Detections':
        """Image by image, within an image class by class; rows of both keep their order."""
        return self.take(np.lexsort([self.label, self.image]))

    def in_class_order(self) -> 'Detections':
        """Class by class, within a class image by image, as result files have it; rows of both keep their order."""
        return self.take(np.lexsort([self.image, self.label]))

    def _groups(self, keys):
        order = np.argsort(keys, kind='stable')
        values, starts = np.unique(keys[order], return_index=True)
        ends = np.append(starts[1:], len(order))
        for value, start, end in zip(values.tolist(), starts, ends):
            yield value, self.take(order[start:end])


def check_range(detections: Detections, num_classes: int, num_images: int) -> None:
    """ValueError unless all labels are in 0..num_classes - 1 and all images in 0..num_images - 1."""
    for name, limit in (('label', num_classes), ('image', num_images)):
        values = getattr(detections, name)
        if len(values) and not 0 <= values.min() <= values.max() < limit:
            raise ValueError(f'detections have {name} numbers from {values.min()} to {values.max()}, but there are '
                             f'only 0 to {limit - 1}')

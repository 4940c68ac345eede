"""The plan of an epoch: its windows, their order, and what stands in for a broken image."""
from typing import NamedTuple, Sequence

import numpy as np

from lib.chips import Window
from lib.utils.errors import SniperError


class WindowTable(NamedTuple):
    """All windows of an epoch as flat arrays: a million Window tuples would need a gigabyte. Row i is one window:
    `image[i]` indexes the roidb, the others are the fields of lib.chips.Window."""

    image: np.ndarray       # (n,) int32
    box: np.ndarray         # (n, 4) float64, original pixels
    scale: np.ndarray       # (n, 2) float64 horizontal, vertical
    size: np.ndarray        # (n, 2) int32 height, width
    level: np.ndarray       # (n,) int16
    negative: np.ndarray    # (n,) bool
    rows: np.ndarray        # (m,) int32 row indices of all windows, one after another
    rows_start: np.ndarray  # (n + 1,) int64

    @classmethod
    def from_windows(cls, images: Sequence[int], windows: Sequence[Window]) -> 'WindowTable':
        """Table of `windows`, window i lying in image `images[i]`."""
        rows = [np.asarray(window.rows, np.int32).reshape(-1) for window in windows]
        return cls(image=np.array(images, np.int32).reshape(-1),
                   box=np.array([window.box for window in windows], np.float64).reshape(-1, 4),
                   scale=np.array([(window.scale_x, window.scale_y) for window in windows], np.float64).reshape(-1, 2),
                   size=np.array([(window.height, window.width) for window in windows], np.int32).reshape(-1, 2),
                   level=np.array([window.level for window in windows], np.int16),
                   negative=np.array([window.negative for window in windows], np.bool_),
                   rows=np.concatenate([np.empty(0, np.int32)] + rows),
                   rows_start=np.cumsum([0] + [len(of_window) for of_window in rows], dtype=np.int64))

    @classmethod
    def concatenate(cls, tables: Sequence['WindowTable']) -> 'WindowTable':
        """Tables one below the other."""
        joined = {name: np.concatenate([getattr(table, name) for table in tables])
                  for name in cls._fields if name != 'rows_start'}
        counts = np.concatenate([np.diff(table.rows_start) for table in tables])
        return cls(rows_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), **joined)

    def take(self, kept: np.ndarray) -> 'WindowTable':
        """The rows for which `kept` (n,) bool holds."""
        counts = np.diff(self.rows_start)
        chosen = {name: getattr(self, name)[kept] for name in self._fields if name not in ('rows', 'rows_start')}
        return self._replace(rows=self.rows[np.repeat(kept, counts)],
                             rows_start=np.cumsum([0] + counts[kept].tolist(), dtype=np.int64), **chosen)

    @property
    def num_windows(self) -> int:
        """Number of windows."""
        return len(self.image)

    def window(self, index: int) -> Window:
        """Row `index` as a Window."""
        box, scale, size = (column[index].tolist() for column in (self.box, self.scale, self.size))
        return Window(tuple(box), scale[0], scale[1], size[0], size[1],
                      level=int(self.level[index]), negative=bool(self.negative[index]),
                      rows=self.rows[self.rows_start[index]:self.rows_start[index + 1]])


def draw_order(image, batch_size: int, rng) -> np.ndarray:
    """Order in which an epoch visits its chips (reference/pipeline.md 9.1, 9.2).

    `image` (n,) is the image of each chip, ascending. Every chip comes once; to fill the last batch, the first
    images give more chips, from the beginning again if need be. Returns int64 chip indices, a multiple of
    batch_size long.
    """
    count = len(image)
    shuffled_in_image = np.lexsort((rng.random(count), image))
    padded = -(-count // batch_size) * batch_size
    return shuffled_in_image[np.arange(padded) % count][rng.permutation(padded)]


class EpochPlan:
    """Chips and order of one epoch, and which chip stands in where an image is broken.

    `broken` is the set of image paths known to be unreadable; it is read, not written. Whether a path is already
    known does not change which chip ends up at a position: it would be found broken, and rejected, anyway.
    """

    def __init__(self, table, order, roidb, broken):
        self.table = table
        self.order = order
        self._roidb = roidb
        self._broken = broken
        self._skipped = {}  # position -> number of chips passed over, for positions in the making

    def chip_at(self, position: int):
        """(image index, Window) at a position of the epoch, as if no image was broken."""
        index = self.order[position]
        return int(self.table.image[index]), self.table.window(index)

    def assign(self, position: int) -> None:
        """Choose the chip for `position`: its own, or the first later one of the order whose image is not broken."""
        for skipped in range(self._skipped.get(position, 0), len(self.order)):
            self._skipped[position] = skipped
            if not self._broken or self.path(position) not in self._broken:
                return
        raise SniperError(f'no image of the training set can be read ({len(self._broken)} tried), for example '
                          f'{min(self._broken, default=self._roidb.path(0))}; check the image folder')

    def reject(self, position: int) -> None:
        """The chip assigned to `position` cannot be used: assign a later one."""
        self._skipped[position] += 1
        self.assign(position)

    def chip_index(self, position: int) -> int:
        """Table row of the chip assigned to `position`."""
        return int(self.order[(position + self._skipped[position]) % len(self.order)])

    def path(self, position: int) -> str:
        """Image file of the chip assigned to `position`."""
        return self._roidb.path(self.table.image[self.chip_index(position)])

    def release(self, position: int) -> bool:
        """Forget the assignment of a delivered position -> True if its own chip was replaced."""
        return self._skipped.pop(position) > 0


def summarise(slices, table: WindowTable, num_levels: int, num_images: int) -> dict:
    """Facts of an epoch's chips: dict with chips, chips_per_scale, chips_per_image, negative_chips, background_chips
    (of images without objects), objects, uncovered_boxes."""
    background = sum(int(part.background.sum()) for part in slices)
    drawn = sum(part.table.num_windows for part in slices) - table.num_windows  # left out, all of them background
    return {'chips': table.num_windows,
            'chips_per_scale': np.bincount(table.level, minlength=num_levels).tolist(),
            'chips_per_image': table.num_windows / max(1, num_images),
            'negative_chips': int(table.negative.sum()),
            'background_chips': background - drawn,
            'objects': sum(part.objects for part in slices),
            'uncovered_boxes': sum(part.uncovered for part in slices)}

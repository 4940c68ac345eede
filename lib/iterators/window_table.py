"""All windows of an epoch as flat arrays: a million Window tuples would need a gigabyte."""
from typing import NamedTuple, Sequence

import numpy as np

from lib.chips import Window


class WindowTable(NamedTuple):
    """Row i is one window: `image[i]` indexes the roidb, the others are the fields of lib.chips.Window."""

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

    @property
    def num_windows(self) -> int:
        """Number of windows."""
        return len(self.image)

    def window(self, index: int) -> Window:
        """Row `index` as a Window."""
        return Window(tuple(self.box[index].tolist()), *self.scale[index].tolist(), *self.size[index].tolist(),
                      level=int(self.level[index]), negative=bool(self.negative[index]),
                      rows=self.rows[self.rows_start[index]:self.rows_start[index + 1]])

"""All chips of an epoch as flat arrays: a million Chip tuples would need a gigabyte."""
from typing import NamedTuple

import numpy as np

from lib.chips import Chip


class ChipTable(NamedTuple):
    """Row i is one chip: `image[i]` indexes the roidb, the rest are the fields of lib.chips.Chip."""

    image: np.ndarray        # (n,) int32
    box: np.ndarray          # (n, 4) float64, original pixels
    scale: np.ndarray        # (n,) float64
    size: np.ndarray         # (n, 2) int32 height, width
    scale_index: np.ndarray  # (n,) int16
    negative: np.ndarray     # (n,) bool
    props: np.ndarray        # (m,) int32 row indices of all chips, one after another
    props_start: np.ndarray  # (n + 1,) int64

    @classmethod
    def from_chips(cls, images, chips):
        """Table of `chips`, chip i lying in image `images[i]`."""
        props = [np.asarray(chip.props, np.int32).reshape(-1) for chip in chips]
        return cls(image=np.array(images, np.int32).reshape(-1),
                   box=np.array([chip.box for chip in chips], np.float64).reshape(-1, 4),
                   scale=np.array([chip.scale for chip in chips], np.float64),
                   size=np.array([(chip.height, chip.width) for chip in chips], np.int32).reshape(-1, 2),
                   scale_index=np.array([chip.scale_index for chip in chips], np.int16),
                   negative=np.array([chip.negative for chip in chips], np.bool_),
                   props=np.concatenate([np.empty(0, np.int32)] + props),
                   props_start=np.cumsum([0] + [len(rows) for rows in props], dtype=np.int64))

    @classmethod
    def concatenate(cls, tables):
        """Tables one below the other."""
        joined = {name: np.concatenate([getattr(table, name) for table in tables])
                  for name in cls._fields if name != 'props_start'}
        counts = np.concatenate([np.diff(table.props_start) for table in tables])
        return cls(props_start=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), **joined)

    @property
    def num_chips(self):
        """Number of chips."""
        return len(self.image)

    def chip(self, index):
        """Row `index` as a Chip."""
        height, width = self.size[index].tolist()
        return Chip(box=tuple(self.box[index].tolist()), scale=self.scale[index].item(), height=height, width=width,
                    scale_index=int(self.scale_index[index]),
                    props=self.props[self.props_start[index]:self.props_start[index + 1]],
                    negative=bool(self.negative[index]))

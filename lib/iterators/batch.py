"""The record that iterators yield."""
from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np

from lib.chips import Window


class Batch(NamedTuple):
    """One batch. Arrays are views of shared memory, valid until the next batch is asked for.

    data, label: tensor name -> float32 array, in the order of the network's inputs
    images: file of each sample
    index: number of the batch in the epoch
    stats: counts; training: dropped_boxes (objects beyond TRAIN.MAX_GT), replaced (samples without an image)
    windows: at test, the Window that each sample shows; its height and width are those in the network's input
    """

    data: Dict[str, np.ndarray]
    label: Dict[str, np.ndarray]
    images: List[str]
    index: int
    stats: Dict[str, Any]
    windows: Sequence[Window] = ()

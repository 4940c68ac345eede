"""Does a runtime give what the exporter's gave? A small picture, the same everywhere, is run when a file is loaded, and
a few numbers of every output are compared with those that stand in the file.

It finds a runtime that computes something else and weights that were damaged, not the last bit: the numbers are means,
so that two proposals with the same score may change places.
"""
import math
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np

HEIGHT, WIDTH = 96, 128
# Share by which a number may differ, by what the products are computed in. Boxes of random weights overlap, and others
# survive suppression in another runtime: 0.024 was seen in float32; with trained weights 0.006 in bfloat16.
TOLERANCES = {'fp32': 0.1, 'fp16': 0.1, 'bf16': 0.2, 'int8': 0.2}
_ROIS = 8


def proof_inputs(shapes: Mapping[str, Sequence[Any]]) -> Dict[str, np.ndarray]:
    """Inputs of one image by name, for a network whose inputs have `shapes`; sides that are no numbers are free.

    The first input of four sides (N, C, H, W) is the picture, others of four sides are maps; (N, 3) is im_info of all
    of the picture, rows of five are rois.
    """
    inputs = {}
    height, width = HEIGHT, WIDTH
    for name, shape in shapes.items():
        if len(shape) == 4:
            channels, height, width = (side if isinstance(side, int) and side > 0 else free
                                       for side, free in zip(shape[1:], (3, HEIGHT, WIDTH)))
            inputs[name] = _picture(channels, height, width)
    for name, shape in shapes.items():
        if len(shape) == 2 and shape[1] == 3:
            inputs[name] = np.array([[height, width, 1]], np.float32)
        elif len(shape) < 4:
            inputs[name] = _rois(height, width).reshape((1,) * (len(shape) - 2) + (_ROIS, 5))
    return inputs


def summary(outputs: Mapping[str, np.ndarray]) -> Dict[str, List[float]]:
    """{name: [mean of absolutes, root of the mean of squares]} of outputs."""
    return {name: [float(np.abs(array).mean(dtype=np.float64)), math.sqrt(np.square(array, dtype=np.float64).mean())]
            for name, array in outputs.items() if array.size}


def differences(wanted: Mapping[str, Sequence[float]], outputs: Mapping[str, np.ndarray], precision: str) -> List[str]:
    """Outputs, in words, whose summary is another than the one that was `wanted`. precision: of the products."""
    tolerance, found = TOLERANCES[precision], summary(outputs)
    return [f'{name} is {found[name][0]:.4g} on average and was {numbers[0]:.4g}'
            for name, numbers in wanted.items() if name in found and not all(
                abs(now - before) <= tolerance * max(abs(before), 1e-6)
                for now, before in zip(found[name], numbers))]


def _picture(channels, height, width):
    """(1, channels, height, width): waves of several lengths and a few sharp corners, from -120 to 120."""
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    planes = [60 * np.sin(rows / (5 + plane)) * np.cos(columns / (7 + 2 * plane)) +
              60 * (((rows // 24 + columns // 32 + plane) % 2) * 2 - 1) for plane in range(channels)]
    return np.stack(planes)[None].astype(np.float32)


def _rois(height, width):
    """(_ROIS, 5) rois of the first image, of all sizes."""
    share = np.arange(1, _ROIS + 1) / (_ROIS + 1)
    return np.stack([0 * share, width * share / 4, height * share / 3, width * (0.3 + 0.6 * share),
                     height * (0.4 + 0.5 * share)], axis=1).astype(np.float32)

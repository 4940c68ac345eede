"""Does an ONNX model give what MXNet gives? Both run on a picture, and their outputs are compared.

Rounding differs between runtimes, and where two proposals have nearly the same score they may change places, or a roi
round to the next cell. So rows of proposals are compared with those of the nearest roi, and a few of them may differ
more. What may differ how much says Tolerance.
"""
import logging
import os
import tempfile
from typing import Dict, List, NamedTuple

import cv2
import numpy as np

from lib.image import read_image
from lib.iterators import TestIterator
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

ROIS = ('rois_output', 'rois_reshape_output')
DRAWN_SIZE = (240, 320)


class Tolerance(NamedTuple):
    """difference: largest of a number, in parts of the output's largest; rows: share of rows that keep it; pixels: how
    far corners of a roi may move."""
    difference: float
    rows: float
    pixels: float


# In fewer bits other proposals of low scores survive NMS, so fewer have to have their like.
TOLERANCES = {'fp32': Tolerance(1e-3, 0.97, 0.5), 'fp16': Tolerance(0.05, 0.6, 2.0), 'int8': Tolerance(0.3, 0.5, 12.0)}


class Difference(NamedTuple):
    """Of an output: the largest in parts of the largest value, the same of all rows but the worst few, and the share of
    rows that keep within the tolerance."""
    name: str
    largest: float
    usual: float
    within: float


def picture_batch(config, picture: str = ''):
    """A batch of one image at the first scale of TEST.SCALES: of the file `picture`, or of one that is drawn here."""
    with tempfile.TemporaryDirectory(prefix='sniper_') as folder:
        path = picture or os.path.join(folder, 'drawn.bmp')
        pixels = picture_pixels(picture)
        if not picture:
            cv2.imwrite(path, pixels)
        height, width = pixels.shape[:2]
        record = {'image': path, 'image_id': 0, 'width': width, 'height': height, 'flipped': False}
        with TestIterator([record], config, 0, 1, num_workers=0) as batches:
            for batch in batches:
                return batch
    raise SniperError(f'the picture {path} gives nothing that the network could look at')


def picture_pixels(picture: str = '') -> np.ndarray:
    """(H, W, 3) uint8 B, G, R of the picture of picture_batch."""
    return read_image(picture) if picture else drawn_picture(*DRAWN_SIZE)


def drawn_picture(height: int, width: int, seed: int = 7) -> np.ndarray:
    """(height, width, 3) uint8: shapes of all sizes on a soft ground."""
    random = np.random.RandomState(seed)
    ground = cv2.resize(random.randint(40, 216, (6, 8, 3)).astype(np.uint8), (width, height),
                        interpolation=cv2.INTER_CUBIC)
    for _ in range(40):
        centre = int(random.randint(width)), int(random.randint(height))
        size, colour = int(4 + random.exponential(14)), tuple(int(value) for value in random.randint(0, 256, 3))
        if random.rand() < 0.5:
            cv2.circle(ground, centre, size, colour, -1)
        else:
            cv2.rectangle(ground, centre, (centre[0] + 2 * size, centre[1] + size), colour, -1)
    return ground


def run_onnx(model: bytes, inputs: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Outputs of a model in ONNX Runtime on the CPU. SniperError where that refuses it."""
    import onnxruntime
    try:
        session = onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {node.name: inputs[node.name] for node in session.get_inputs()})))
    except Exception as error:      # its errors share no other class
        raise SniperError(f'ONNX Runtime {onnxruntime.__version__} does not run the exported network: '
                          f'{str(error).strip().splitlines()[0]}') from error


def differences(wanted: Dict[str, np.ndarray], found: Dict[str, np.ndarray], tolerance: Tolerance) -> List[Difference]:
    """Of each output of `found`, by name, from that of `wanted`. SniperError for another shape, or no number."""
    for name, array in found.items():
        if array.shape != wanted[name].shape or not np.isfinite(array).all():
            raise SniperError(f'the output {name} of the exported network is {array.shape} '
                              f'{"with" if not np.isfinite(array).all() else "without"} numbers that are not finite, '
                              f'and MXNet gives {wanted[name].shape}: it is not written')
    rois = next((name for name in ROIS if name in found), None)
    places, near = (None, None) if rois is None else nearest_rows(wanted[rois], found[rois], tolerance.pixels)
    return [_difference(name, wanted[name], array, tolerance, len(places) if rois else 0, places, near)
            for name, array in found.items()]


def nearest_rows(wanted: np.ndarray, found: np.ndarray, pixels: float):
    """(R,) place of the row of `found` (R, 5) whose roi is nearest to each of `wanted`, (R,) whether that is near: all
    corners within `pixels`. Of rows as near as another the one at the same place."""
    distance = np.abs(wanted[:, None] - found[None]).max(2) + (wanted[:, None, 0] != found[None, :, 0]) * 1e9
    places = distance.argmin(1)
    own = np.arange(len(wanted))
    best = distance[own, places]
    places = np.where(distance[own, own] <= np.maximum(best, pixels / 100), own, places)
    return places, best <= pixels


def _difference(name, wanted, found, tolerance, rows, places, near):
    scale = max(float(np.abs(wanted).max()), 1e-12)
    if rows and wanted.size % rows == 0 and (wanted.shape[0] == rows or np.prod(wanted.shape[:2]) == rows):
        wanted, found = wanted.reshape(rows, -1), found.reshape(rows, -1)[places]
        by_row = np.where(near, np.abs(wanted - found).max(1) / scale, np.inf)
        within = float((by_row <= tolerance.difference).mean())
        finite = by_row[np.isfinite(by_row)]
        return Difference(name, float(finite.max(initial=0)), float(np.quantile(by_row, tolerance.rows,
                                                                                method='lower')), within)
    apart = np.abs(wanted - found).ravel() / scale
    return Difference(name, float(apart.max()), float(np.quantile(apart, tolerance.rows, method='lower')),
                      float((apart <= tolerance.difference).mean()))


def prove(what: str, found: List[Difference], tolerance: Tolerance) -> None:
    """Log the differences; SniperError if more rows than `tolerance` allows differ."""
    for item in found:
        logger.info('%s: %s differs by %.1e of its largest value at most, %.1e in %.0f %% of its rows', what, item.name,
                    item.largest, item.usual, 100 * tolerance.rows)
    bad = [item for item in found if item.within < tolerance.rows]
    if bad:
        raise SniperError(f'{what} does not agree with MXNet, so it is not written: ' + '; '.join(
            f'{item.name} differs by more than {tolerance.difference:.0e} of its largest value in '
            f'{100 * (1 - item.within):.0f} % of its rows' for item in bad))

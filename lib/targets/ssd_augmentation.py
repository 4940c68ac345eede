"""A training picture and its boxes to what the network reads and should say: SSD's augmentation, as M2Det has it.

Steps and draws in the order of reference/m2det.md 8.2: crop, colours, canvas, mirror, resize. Pixels are blue, green,
red, 0 to 255, minus their means. Boxes are in pixels without the + 1 of inclusive corners (width = x2 - x1).
"""
from typing import NamedTuple, Sequence, Tuple

import cv2
import numpy as np

from lib.bbox.boxes import as_boxes
from lib.image.photometric import distort_colors
from lib.targets.ssd_geometry import Scene, crop_scene, expand_scene, mirror_scene
from lib.utils.draws import Draws

IGNORED = -1            # class of a region of which nothing is learnt
SMALLEST_SIDE = 0.01    # share of the picture; an object whose shorter side is not above it is left out
METHODS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_NEAREST, cv2.INTER_LANCZOS4)


class SsdAugmentation(NamedTuple):
    """side: of the network's input, pixels; means: (3,) blue, green, red; expand: chance of a larger canvas."""

    side: int
    means: Sequence[float] = (104, 117, 123)
    expand: float = 0.6

    def __call__(self, pixels: np.ndarray, boxes, labels, draws: Draws) -> Tuple[np.ndarray, np.ndarray]:
        """What `picture` makes, as planes (3, side, side) float32, and its truths."""
        resized, truths = self.picture(pixels, boxes, labels, draws)
        return _planes(resized, self.means), truths

    def picture(self, pixels: np.ndarray, boxes, labels, draws: Draws, regions=()) -> Tuple[np.ndarray, np.ndarray]:
        """pixels (H, W, 3) uint8, boxes (G, 4), labels (G,) from 1 on -> (pixels (side, side, 3) uint8, truths).
        regions (R, 4): of which nothing is learnt; they are further truths of the class IGNORED.

        truths (K, 5) float32 x1, y1, x2, y2 in shares of the picture, label. If no
        object is left, the picture comes as it was, with all its boxes that have an area: the original kept those
        without, and then learnt from an infinite loss. Without any there is one row of zeros.
        """
        whole = Scene(pixels, as_boxes(boxes, np.float64, name='boxes'), np.asarray(labels, np.float64).reshape(-1),
                      as_boxes(regions, np.float64, name='regions'))
        if not len(whole.boxes):
            return self._resized(whole, draws), _with_regions(_NO_TRUTH, whole)
        scene = crop_scene(whole, draws)
        scene = scene._replace(pixels=distort_colors(scene.pixels, draws))
        scene = mirror_scene(expand_scene(scene, self.expand, self.means, draws), draws)
        resized, truths = self._resized(scene, draws), _truths(scene, SMALLEST_SIDE)
        if not len(truths):
            scene = whole
            resized, truths = self._resized(whole, draws), _truths(whole, 0)
        return resized, _with_regions(truths if len(truths) else _NO_TRUTH, scene)

    def _resized(self, scene, draws):
        return _square(scene.pixels, self.side, draws.choice(METHODS))


def to_planes(pixels: np.ndarray, side: int, means: Sequence[float], method: int = cv2.INTER_LINEAR) -> np.ndarray:
    """(H, W, 3) uint8 B, G, R -> (3, side, side) float32 B, G, R minus means; both sides are resized on their own.

    With the bilinear method, this is all that is done to the pictures of a test.
    """
    return _planes(_square(pixels, side, method), means)


def _square(pixels, side, method):
    return cv2.resize(np.ascontiguousarray(pixels), (side, side), interpolation=method)


def _planes(pixels, means):
    return np.ascontiguousarray((pixels.astype(np.float32) - np.asarray(means, np.float32)).transpose(2, 0, 1))


_NO_TRUTH = np.zeros((1, 5), np.float32)


def _truths(scene, smallest):
    """(K, 5) float32: boxes whose shorter side, as a share of the picture, is above `smallest`."""
    shares = scene.boxes / np.tile(scene.size, 2)
    large = (shares[:, 2:] - shares[:, :2]).min(axis=1, initial=np.inf) > smallest
    return np.column_stack([shares, scene.labels])[large].astype(np.float32)


def _with_regions(truths, scene):
    """A copy of the truths, those of the scene's regions after them."""
    shares = scene.regions / np.tile(scene.size, 2)
    return np.concatenate([truths, np.column_stack([shares, np.full(len(shares), IGNORED)]).astype(np.float32)])

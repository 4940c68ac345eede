"""Random crops, larger canvases and mirrored pictures, with their boxes: SSD's, as M2Det has them.

Source: reference/m2det.md 8.2, steps 1, 3 and 4; draws are taken in the order documented there. Boxes are (G, 4)
float64 x1, y1, x2, y2 in pixels without the + 1 of inclusive corners (width = x2 - x1).
"""
import math
from typing import NamedTuple, Optional, Tuple

import cv2
import numpy as np

from lib.utils.draws import Draws

TRIES = 50
SLACK = 1e-9    # of rounding
SMALLEST_CROP = 0.3             # share of the picture, along a side
LARGEST_CANVAS = 4              # factor along a side
MOST_PIXELS = 1 << 25           # of a canvas: 100 MB; above this, picture and canvas are shrunk alike
# Ways to crop: the smallest IoU that all boxes must have with the window; 0 = any; None = the picture as it is.
CROPS: Tuple[Optional[float], ...] = (None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0)


class Scene(NamedTuple):
    """A picture (H, W, 3) uint8 with its objects: boxes (G, 4), labels (G,). regions (R, 4): of which nothing is
    learnt; no draw depends on them."""

    pixels: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    regions: np.ndarray = np.zeros((0, 4))

    @property
    def size(self) -> Tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]


def crop_scene(scene: Scene, draws: Draws) -> Scene:
    """Cut a random window out; objects whose centre lies in it stay, cut at its border.

    One of seven ways is chosen, CROPS; if 50 windows fail its condition, a way is chosen again. At least one centre
    lies in the window. A picture without objects stays as it is, without a draw.
    """
    if not len(scene.boxes):
        return scene
    areas = (scene.boxes[:, 2:] - scene.boxes[:, :2]).prod(axis=1)
    while True:
        smallest = draws.choice(CROPS)
        if smallest is None:
            return scene
        for _ in range(TRIES):
            window = _draw_window(scene.size, draws)
            if _hopeless(window, areas, smallest):
                continue
            x1, y1, width, height = window
            window = np.array([x1, y1, x1 + width, y1 + height])
            inside = _centres_inside(scene.boxes, window)
            if inside.any() and (_overlaps(scene.boxes, areas, window) >= smallest).all():
                return _cut(scene, window, inside)


def _draw_window(size, draws):
    """(left, top, width, height), whole pixels. The original raised where it is as wide or as high as the picture."""
    width, height = size
    scale = draws.uniform(SMALLEST_CROP, 1.0)
    aspect = math.sqrt(draws.uniform(max(0.5, scale ** 2), min(2, scale ** -2)))
    window = max(1, int(scale * aspect * width)), max(1, int(scale / aspect * height))
    left, top = (draws.below(whole - part) if whole > part else 0 for whole, part in zip(size, window))
    return left, top, *window


def _hopeless(window, areas, smallest):
    """Whether the areas alone say that a box cannot have an IoU of `smallest` with the window: most tries end here."""
    area = window[2] * window[3]
    return smallest > 0 and (smallest * area > areas.min() * (1 + SLACK) or smallest * areas.max() > area * (1 + SLACK))


def _centres_inside(boxes, window):
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((window[:2] < centres) & (centres < window[2:])).all(axis=1)


def _overlaps(boxes, areas, window):
    """IoU of each box with the window."""
    sides = np.minimum(boxes[:, 2:], window[2:]) - np.maximum(boxes[:, :2], window[:2])
    shared = np.where((sides > 0).all(axis=1), sides.prod(axis=1), 0)
    return shared / (areas + (window[2:] - window[:2]).prod() - shared)


def _cut(scene, window, inside):
    boxes = np.hstack([np.maximum(scene.boxes[inside, :2], window[:2]),
                       np.minimum(scene.boxes[inside, 2:], window[2:])]) - np.tile(window[:2], 2)
    regions = np.hstack([np.maximum(scene.regions[:, :2], window[:2]), np.minimum(scene.regions[:, 2:], window[2:])])
    regions = regions[(regions[:, 2:] > regions[:, :2]).all(axis=1)] - np.tile(window[:2], 2)
    x1, y1, x2, y2 = window
    return Scene(scene.pixels[y1:y2, x1:x2], boxes, scene.labels[inside], regions)


def expand_scene(scene: Scene, chance: float, means: np.ndarray, draws: Draws) -> Scene:
    """With this chance, put the picture on a random place of a canvas of up to four times its sides.

    means: (3,) blue, green, red of the canvas, truncated to uint8.
    """
    if draws.share() > chance:
        return scene
    width, height = scene.size
    for _ in range(TRIES):
        scale = draws.uniform(1, LARGEST_CANVAS)
        aspect = math.sqrt(draws.uniform(max(0.5, scale ** -2), min(2, scale ** 2)))
        if min(scale * aspect, scale / aspect) < 1:
            continue
        canvas: Tuple[int, ...] = int(scale * aspect * width), int(scale / aspect * height)
        place: Tuple[int, ...] = draws.between(0, canvas[0] - width), draws.between(0, canvas[1] - height)
        shrink = np.sqrt(MOST_PIXELS / (canvas[0] * canvas[1]))
        if shrink < 1:
            scene = _shrunk(scene, shrink)
            canvas, place = (tuple(int(value * shrink) for value in pair) for pair in (canvas, place))
        return _on_canvas(scene, canvas, place, means)
    return scene


def _shrunk(scene, factor):
    size = tuple(max(1, int(side * factor)) for side in scene.size)
    return Scene(cv2.resize(np.ascontiguousarray(scene.pixels), size, interpolation=cv2.INTER_AREA),
                 scene.boxes * np.tile(np.divide(size, scene.size), 2), scene.labels,
                 scene.regions * np.tile(np.divide(size, scene.size), 2))


def _on_canvas(scene, size, place, means):
    """size, place: (width, height) of the canvas, (left, top) of the picture on it."""
    (width, height), (left, top) = scene.size, place
    right, bottom = max(0, size[0] - left - width), max(0, size[1] - top - height)
    canvas = cv2.copyMakeBorder(np.ascontiguousarray(scene.pixels), top, bottom, left, right, cv2.BORDER_CONSTANT,
                                value=[int(mean) for mean in means])
    return Scene(canvas, scene.boxes + np.tile(place, 2), scene.labels, scene.regions + np.tile(place, 2))


def mirror_scene(scene: Scene, draws: Draws) -> Scene:
    """With a chance of one half, swap left and right."""
    if not draws.coin():
        return scene
    boxes, regions = scene.boxes.copy(), scene.regions.copy()
    boxes[:, [0, 2]] = scene.size[0] - scene.boxes[:, [2, 0]]
    regions[:, [0, 2]] = scene.size[0] - scene.regions[:, [2, 0]]
    return Scene(cv2.flip(np.ascontiguousarray(scene.pixels), 1), boxes, scene.labels, regions)

"""One synthetic scene: what lies where, drawn and annotated.

A scene depends on its random generator alone, so scenes can be drawn in any order and in any process.
"""
import cv2
import numpy as np

from lib.dataset.scenes.background import background
from lib.dataset.scenes.painting import coverage, paint
from lib.dataset.scenes.shapes import CLASSES, random_outline

SIZES = (8, 400)  # pixels: smallest and largest side of a box
WIDTHS = (640, 900)
HEIGHTS = (480, 700)
OBJECTS = (3, 25)  # an image
CROWD_SHARE = 0.08  # of the images hold a crowd region
CROWD_MEMBERS = (12, 32)
CROWD_SIZES = (5, 8)  # pixels, of one member
PLACING_TRIES = 12
RESIZINGS = 6  # how often a shape without room is tried smaller
OVERLAPPING_SHARE = 0.2  # of the objects may lie on or over others
MIN_VISIBLE = 0.75  # share of a partly covered object that must stay visible
NOBODY, CROWD = -1, -2  # in the map of owners


def draw_scene(rng):
    """-> (image uint8 (H, W, 3) BGR, list of COCO annotations without ids).

    Boxes are whole pixels, tight to the drawn shape, and stay tight where another shape covers a part. Polygons are
    the whole outline, also where it is covered; of a ring, the outer border.
    """
    width, height = int(rng.integers(WIDTHS[0], WIDTHS[1] + 1)), int(rng.integers(HEIGHTS[0], HEIGHTS[1] + 1))
    image = background(rng, width, height)
    owners = np.full((height, width), NOBODY, np.int16)
    annotations = []
    if rng.random() < CROWD_SHARE:
        annotations.append(_draw_crowd(rng, image, owners))
    objects = []  # (x, y, width, height, pixels) of each placed shape
    sizes = np.exp(rng.uniform(np.log(SIZES[0]), np.log(SIZES[1]), rng.integers(OBJECTS[0], OBJECTS[1] + 1)))
    for size in sorted(sizes, reverse=True):  # small ones on top
        for _ in range(RESIZINGS):
            placed = _place_object(rng, image, owners, objects, size)
            if placed:
                annotations.append(placed)
                break
            size = np.exp(rng.uniform(np.log(SIZES[0]), np.log(size)))  # no room: a smaller one
    return _photographed(rng, image), annotations


def _place_object(rng, image, owners, objects, size):
    """Draw one shape of about `size` pixels where there is room; -> its annotation, or None without room."""
    label = int(rng.integers(len(CLASSES)))
    rings, w, h = random_outline(rng, CLASSES[label], size, *SIZES)
    alpha = coverage(rings, w, h)
    place = _find_place(rng, owners, objects, alpha)
    if place is None:
        return None
    x, y = place
    paint(rng, image, alpha, x, y)
    owners[y:y + h, x:x + w][alpha > 0.5] = len(objects)
    objects.append((x, y, w, h, int((alpha > 0.5).sum())))
    return _annotation(label + 1, rings[0] + [x, y], (x, y, w, h))


def _find_place(rng, owners, objects, alpha):
    """Corner (x, y) for a new shape, or None: free ground, or for some shapes partly over others."""
    h, w = alpha.shape
    height, width = owners.shape
    if w > width or h > height:
        return None
    may_overlap = rng.random() < OVERLAPPING_SHARE
    for _ in range(PLACING_TRIES):
        x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
        beneath = owners[y:y + h, x:x + w]
        if beneath.min() == CROWD:
            continue
        if beneath.max() == NOBODY:
            return x, y
        if may_overlap and all(_stays_recognisable(owners, objects, index, alpha, x, y)
                               for index in np.unique(beneath[beneath != NOBODY])):
            return x, y
    return None


def _stays_recognisable(owners, objects, index, alpha, x, y):
    """Whether object `index` keeps its tight box and most of its pixels under a shape at (x, y)."""
    ox, oy, ow, oh, pixels = objects[index]
    h, w = alpha.shape
    visible = owners[oy:oy + oh, ox:ox + ow] == index
    x1, y1, x2, y2 = max(x, ox), max(y, oy), min(x + w, ox + ow), min(y + h, oy + oh)
    before = np.flatnonzero(visible.any(axis=0))[[0, -1]], np.flatnonzero(visible.any(axis=1))[[0, -1]]
    visible[y1 - oy:y2 - oy, x1 - ox:x2 - ox] &= alpha[y1 - y:y2 - y, x1 - x:x2 - x] <= 0.5
    if visible.sum() < MIN_VISIBLE * pixels:
        return False
    after = np.flatnonzero(visible.any(axis=0))[[0, -1]], np.flatnonzero(visible.any(axis=1))[[0, -1]]
    return np.array_equal(before, after)


def _annotation(category_id, outline, box):
    """COCO annotation of one shape; area is that of the polygon."""
    x, y = outline.T
    area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
    return {'category_id': category_id, 'bbox': list(box), 'area': round(area, 2), 'iscrowd': 0,
            'segmentation': [np.round(outline, 2).reshape(-1).tolist()]}


def _draw_crowd(rng, image, owners):
    """A cluster of tiny shapes of one class, too many to annotate singly: iscrowd with a run-length mask."""
    height, width = owners.shape
    label = int(rng.integers(len(CLASSES)))
    count = int(rng.integers(CROWD_MEMBERS[0], CROWD_MEMBERS[1] + 1))
    spread = rng.uniform(12, 26, 2)
    centre = rng.uniform([90, 90], [width - 90, height - 90])
    mask = np.zeros((height, width), np.uint8)
    for x, y in np.round(np.clip(rng.normal(centre, spread, (count, 2)), centre - 75, centre + 75)).astype(int):
        rings, w, h = random_outline(rng, CLASSES[label], rng.uniform(*CROWD_SIZES), *CROWD_SIZES)
        alpha = coverage(rings, w, h)
        paint(rng, image, alpha, x, y)
        mask[y:y + h, x:x + w] |= alpha > 0.5
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y, w, h = int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1
    owners[y:y + h, x:x + w] = CROWD  # nothing else is put there
    return {'category_id': label + 1, 'bbox': [x, y, w, h], 'area': int(mask.sum()), 'iscrowd': 1,
            'segmentation': {'size': [height, width], 'counts': run_lengths(mask)}}


def run_lengths(mask):
    """COCO's uncompressed run-length code of a 0/1 mask: column by column, zeros first."""
    flat = mask.T.reshape(-1)
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return runs if flat[0] == 0 else [0] + runs


def _photographed(rng, image):
    """Exposure, sometimes a slightly soft lens, and sensor noise; -> uint8."""
    gain, shift = rng.uniform(0.85, 1.1), rng.uniform(-18, 18)
    image *= np.float32(gain)
    image += np.float32(128 * (1 - gain) + shift)
    if rng.random() < 0.3:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.3, 0.6))
    noise = rng.standard_normal(image.shape[:2], dtype=np.float32) * np.float32(rng.uniform(1, 5))
    image = cv2.add(image, cv2.merge([noise, noise, noise]))
    return cv2.convertScaleAbs(np.maximum(image, 0, out=image))  # rounds, and cuts at 255

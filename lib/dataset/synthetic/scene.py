"""One synthetic scene: outlines of the classes, what lies where, drawn, annotated and written.

A scene depends on its random generator alone, so scenes can be drawn in any order and in any process.

An outline is a list of rings, each float64 (k, 2) x y; the first is the outer border, others are holes.
Continuous coordinates: pixel i covers [i, i + 1).
"""
import os

import cv2
import numpy as np

from lib.dataset.synthetic.painting import background, coverage, paint

CLASSES = ('disc', 'box', 'triangle', 'ring', 'cross', 'star')

# Below this size a form stands nearly upright: a turned square of 8 pixels cannot be told from a disc.
UPRIGHT_BELOW = 28
UPRIGHT_TURN = np.radians(7)

CURVE_POINTS = 48  # corners of the polygon that stands for a circle
RING_HOLE = 0.52  # inner radius of a ring / outer radius
CROSS_ARM = 0.34  # width of a cross's arm / its length
STAR_WAIST = 0.40  # inner radius of a star / outer radius


def unit_outline(name):
    """Outline of class `name` around the origin, within the circle of radius 1, not turned."""
    if name == 'disc':
        return [_circle(1.0)]
    if name == 'box':
        return [np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])]
    if name == 'triangle':
        return [_regular(np.radians([-90, 30, 150]), 1.0)]
    if name == 'ring':
        return [_circle(1.0), _circle(RING_HOLE)]
    if name == 'cross':
        arm = CROSS_ARM
        corner = np.array([[arm, -1.0], [arm, -arm], [1.0, -arm]])
        quarter = np.array([[0.0, -1.0], [1.0, 0.0]])  # turns x y by 90 degrees
        turned = [corner]
        for _ in range(3):
            turned.append(turned[-1] @ quarter.T)
        return [np.concatenate(turned)]
    if name == 'star':
        angles = np.radians(-90 + 36 * np.arange(10))
        return [_regular(angles, np.where(np.arange(10) % 2, STAR_WAIST, 1.0)[:, None])]
    raise ValueError(f'unknown shape {name!r}')


def random_outline(rng, name, size, low, high):
    """Outline of class `name` with a random turn and stretch, with the corner of its tight box at the origin.

    size is the wanted root of the box area in pixels; both sides of the box are whole numbers from low to high.
    Returns (rings, width, height).
    """
    largest_turn = UPRIGHT_TURN if size < UPRIGHT_BELOW else np.pi
    turn = rng.uniform(-largest_turn, largest_turn)
    stretch = rng.uniform(1.0, 1.12 if size < UPRIGHT_BELOW else 1.35)
    if rng.random() < 0.5:
        stretch = 1 / stretch
    cos, sin = np.cos(turn), np.sin(turn)
    rings = [ring * [stretch, 1.0] @ np.array([[cos, sin], [-sin, cos]]) for ring in unit_outline(name)]
    lowest, highest = rings[0].min(axis=0), rings[0].max(axis=0)
    extent = highest - lowest
    extent_pixels = np.clip(np.round(extent * size / np.sqrt(extent.prod())), low, high)
    rings = [(ring - lowest) / extent * extent_pixels for ring in rings]
    return rings, int(extent_pixels[0]), int(extent_pixels[1])


def _circle(radius):
    return _regular(2 * np.pi * np.arange(CURVE_POINTS) / CURVE_POINTS, radius)


def _regular(angles, radius):
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radius


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


JPEG_QUALITY = 95


def draw_to_file(task):
    """Draw one scene and write it as JPEG.

    task: (path, image id, seed), the seed a tuple of whole numbers.
    Returns (COCO image entry, list of COCO annotations without ids). OSError if the file cannot be written.
    """
    path, image_id, seed = task
    image, annotations = draw_scene(np.random.default_rng(seed))
    _, encoded = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    with open(path, 'wb') as stream:  # the folder as a whole is under a temporary name
        stream.write(encoded.tobytes())
    height, width = image.shape[:2]
    return {'id': image_id, 'file_name': os.path.basename(path), 'width': width, 'height': height}, annotations


def one_thread():
    """Start of a worker process: the processes share the cores already."""
    cv2.setNumThreads(1)

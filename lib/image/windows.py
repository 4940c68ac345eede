"""Pixels of an image to the planes that a network reads.

Pixels are (H, W, 3) uint8 in B, G, R order; network input is float32 (3, h, w), planes R, G, B, each
minus its mean, zeros where the picture does not reach.
Geometry: reference/pipeline.md sections 10.1 (training chips) and 12.3 (test crops).
"""
import cv2
import numpy as np


def chip_reduction(scale: float) -> int:
    """Largest reduction, 1, 2, 4 or 8, after which an image is still no smaller than `scale` makes it.

    It changes pixels: bilinear resizing by less than a half skips some, the reduced decode averages all. Means over 53
    images of COCO, at scales 0.5, 0.4, 0.25 and 0.15: 52, 32, 31 and 27 dB between the two; to an exact average of the
    area, reduced 52, 38, 52 and 37 dB, whole and bilinear 99, 35, 31 and 27 dB.
    """
    reduction = 1
    while reduction < 8 and scale * reduction * 2 <= 1:
        reduction *= 2
    return reduction


def resized_window(picture, box, scale, flipped=False, flipped_vertical=False, scale_y=None):
    """Window of a Picture (see `window_of`) resized by `scale` -> (h, w, 3) uint8; h and w are 0 if it is empty.

    scale_y: the vertical factor, if it is another one.
    """
    if picture.reduction > 1:
        return _resized_from_reduced(picture, box, (scale, scale_y or scale), flipped, flipped_vertical)
    window = cut_window(picture.pixels, box, flipped, flipped_vertical)
    return resize_by(window, scale, scale_y) if window.size else window


def window_of(box, width, height):
    """Whole pixels of a float box x1, y1, x2, y2, clipped to the image -> first column, first row, end column, end row.

    Corners are truncated and the end is exclusive, as in the original.
    """
    return max(int(box[0]), 0), max(int(box[1]), 0), min(int(box[2]), width), min(int(box[3]), height)


def cut_window(pixels, box, flipped=False, flipped_vertical=False):
    """Window of an image: rows int(y1)..int(y2)-1, columns int(x1)..int(x2)-1, inside the image.

    `box` = x1, y1, x2, y2 in pixels of the image after mirroring; only the window is mirrored.
    Returns (h, w, 3), a view unless mirrored; h and w are 0 if the box misses the image.
    """
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = window_of(box, width, height)
    if x2 <= x1 or y2 <= y1:
        return pixels[:0, :0]
    if flipped:
        x1, x2 = width - x2, width - x1
    if flipped_vertical:
        y1, y2 = height - y2, height - y1
    window = pixels[y1:y2, x1:x2]
    if flipped or flipped_vertical:
        window = cv2.flip(window, -1 if flipped and flipped_vertical else 1 if flipped else 0)
    return window


def resize_by(window, scale, scale_y=None):
    """(h, w, 3) uint8 -> bilinearly resized by `scale`, vertically by `scale_y` if given; OpenCV rounds the size."""
    height, width = window.shape[:2]
    scales = scale, scale_y or scale
    if min(width * scales[0], height * scales[1]) < 1:  # a side would round to nothing: keep one pixel
        return cv2.resize(window, _resized_size(width, height, scales), interpolation=cv2.INTER_LINEAR)
    return cv2.resize(window, None, fx=scales[0], fy=scales[1], interpolation=cv2.INTER_LINEAR)


def _resized_size(width, height, scales):
    """(width, height) after cv2.resize by `scales` (x, y), at least one pixel: both round half to even."""
    return max(1, int(round(width * scales[0]))), max(1, int(round(height * scales[1])))


def _resized_from_reduced(picture, box, scales, flipped, flipped_vertical):
    """The window sampled where it lies among the reduced pixels, whose centres cover `reduction` pixels each."""
    x1, y1, x2, y2 = window_of(box, picture.width, picture.height)
    if x2 <= x1 or y2 <= y1:
        return picture.pixels[:0, :0]
    columns = _sampling(x1, picture.width, scales[0], picture.reduction, flipped)
    rows = _sampling(y1, picture.height, scales[1], picture.reduction, flipped_vertical)
    transform = np.array([[columns[0], 0, columns[1]], [0, rows[0], rows[1]]])
    return cv2.warpAffine(picture.pixels, transform, _resized_size(x2 - x1, y2 - y1, scales),
                          flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _sampling(first, length, scale, reduction, mirrored):
    """(slope, offset): output pixel i of a window from `first` on lies at slope * i + offset among reduced pixels."""
    step, start = 1 / scale, first + 0.5 / scale  # edges of pixel 0 are at 0 and 1, centres at halves
    if mirrored:
        step, start = -step, length - start
    return step / reduction, start / reduction - 0.5


def jitter_colors(pixels: np.ndarray, amount: float, rng: np.random.Generator) -> np.ndarray:
    """uint8 B, G, R pixels -> a copy with brightness, contrast and saturation changed at random.

    Each factor is uniform in [1 - amount, 1 + amount], drawn from `rng` (numpy Generator) in that order.
    """
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3).astype(np.float32)
    colors = pixels.astype(np.float32) * brightness
    colors = (colors - colors.mean()) * contrast + colors.mean()
    grey = cv2.cvtColor(colors, cv2.COLOR_BGR2GRAY)[:, :, None]
    colors = (colors - grey) * saturation + grey
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)

"""Images: files to pixels, and pixels to the planes that a network reads.

Pixels are (H, W, 3) uint8 in B, G, R order, as OpenCV gives them; network input is float32
(3, h, w), planes R, G, B, each minus its mean, zeros where the picture does not reach.
Geometry: reference/pipeline.md sections 10.1 (training chips) and 12.3 (test crops).
"""
import cv2
import numpy as np

from lib.errors import SniperError

# Sizes in annotation files are those of the stored pixels, so the orientation that a camera
# wrote into EXIF must not turn them (reference/pipeline.md, D23).
_READ_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_MEND = 'replace it, or leave it out'

# JPEG markers (ITU-T T.81, table B.1) that are followed by no length field.
_JPEG_BARE_MARKERS = frozenset([0x01] + list(range(0xD0, 0xD9)))
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END_OF_IMAGE = b'\xff\xd9'


def read_image(path):
    """Image file -> (H, W, 3) uint8 B, G, R pixels; EXIF orientation is ignored.

    Raises SniperError naming the file if it is missing, empty, cut short or not an image.
    """
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except OSError as error:
        raise SniperError('image %s cannot be read (%s); %s' % (path, error.strerror or error, _MEND))
    if not content:
        raise SniperError('image %s is empty; %s' % (path, _MEND))
    if not _is_complete(content):
        raise SniperError('image %s is cut short (its end is missing); %s' % (path, _MEND))
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), _READ_FLAGS)
    except cv2.error as error:
        raise SniperError('image %s cannot be decoded (%s); %s' % (path, error.err or error.code, _MEND))
    if pixels is None:
        raise SniperError('image %s is damaged or not an image; %s' % (path, _MEND))
    return pixels


def _is_complete(content):
    """False if a JPEG or PNG file ends too early: OpenCV would fill the rest with grey, silently."""
    if content[:2] == b'\xff\xd8':
        return content.rfind(_JPEG_END_OF_IMAGE, _first_scan(content)) >= 0
    if content[:8] == b'\x89PNG\r\n\x1a\n':
        return content.rfind(b'IEND') >= 0
    return True


def _first_scan(content):
    """Offset of a JPEG's first scan. An end marker before it belongs to an embedded preview."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == _JPEG_START_OF_SCAN:
            return at
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _JPEG_BARE_MARKERS:
            at += 2
        else:
            at += 2 + int.from_bytes(content[at + 2:at + 4], 'big')
    return min(at, len(content))


def size_mismatch(pixels, path, width, height):
    """A line that warns if the image at `path` is not of the size its annotation says, else None."""
    if (pixels.shape[1], pixels.shape[0]) == (int(width), int(height)):
        return None
    return ('image %s is %d x %d pixels but its annotation says %d x %d; its boxes are used as they are: check the '
            'annotation file' % (path, pixels.shape[1], pixels.shape[0], width, height))


def cut_window(pixels, box, flipped=False, flipped_vertical=False):
    """Window of an image: rows int(y1)..int(y2)-1, columns int(x1)..int(x2)-1, inside the image.

    `box` = x1, y1, x2, y2 in pixels of the image after mirroring; only the window is mirrored.
    Returns (h, w, 3), a view unless mirrored; h and w are 0 if the box misses the image.
    """
    height, width = pixels.shape[:2]
    x1, x2 = max(int(box[0]), 0), min(int(box[2]), width)
    y1, y2 = max(int(box[1]), 0), min(int(box[3]), height)
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


def resize_by(window, scale):
    """(h, w, 3) uint8 -> bilinearly resized by `scale` in both directions; OpenCV rounds the size."""
    height, width = window.shape[:2]
    if min(height, width) * scale < 1:  # a side would round to nothing: keep one pixel
        size = (max(1, int(round(width * scale))), max(1, int(round(height * scale))))
        return cv2.resize(window, size, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(window, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)


def write_planes(pixels, means, out):
    """Write uint8 B, G, R `pixels` to the top left of `out` (3, H, W) float32 as R, G, B minus means.

    `means` are B, G, R. What does not fit is cut off, what is not reached is zero.
    Returns the written (height, width).
    """
    height = min(pixels.shape[0], out.shape[1])
    width = min(pixels.shape[1], out.shape[2])
    channels = cv2.split(pixels[:height, :width])  # numpy is slow on interleaved channels
    for plane, channel in enumerate((2, 1, 0)):
        np.subtract(channels[channel], np.float32(means[channel]), out=out[plane, :height, :width])
    out[:, height:] = 0
    out[:, :height, width:] = 0
    return height, width


def jitter_colors(pixels, amount, rng):
    """uint8 B, G, R pixels -> a copy with brightness, contrast and saturation changed at random.

    Each factor is uniform in [1 - amount, 1 + amount], drawn from `rng` (numpy Generator) in that order.
    """
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3).astype(np.float32)
    colors = pixels.astype(np.float32) * brightness
    colors = (colors - colors.mean()) * contrast + colors.mean()
    grey = cv2.cvtColor(colors, cv2.COLOR_BGR2GRAY)[:, :, None]
    colors = (colors - grey) * saturation + grey
    return np.clip(np.rint(colors), 0, 255).astype(np.uint8)

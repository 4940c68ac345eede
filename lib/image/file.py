"""Image files to pixels: (H, W, 3) uint8, B, G, R, as OpenCV gives them.

Grey, 16-bit, CMYK and palette files become three 8-bit channels; transparency is dropped.
"""
from typing import NamedTuple

import cv2
import numpy as np

from lib.image import jpeg
from lib.utils.errors import SniperError

_MEND = 'replace it, or leave it out'
_REDUCED_FLAGS = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
                  8: cv2.IMREAD_REDUCED_COLOR_8}
_LONGEST_WARPED = 32766  # pixels of a side that cv2.warpAffine, which samples reduced pictures, takes


class Picture(NamedTuple):
    """A decoded image; `width` and `height` are those of the image at full size, whatever the reduction."""

    pixels: np.ndarray  # (ceil(height / reduction), ceil(width / reduction), 3) uint8
    width: int
    height: int
    reduction: int = 1  # 1, 2, 4 or 8


class ImageFile:
    """An image file in memory, to be decoded once a reduction.

    Which way up? Boxes refer either to the stored pixels, or to the picture that viewers show after they turned it
    as the camera's EXIF entry asks. The size in the annotation file (`width`, `height`, if given) decides: pixels
    are turned only if they fit that size turned and do not fit it as stored (reference/pipeline.md, D23).
    A size cannot tell a picture from itself upside down or mirrored: such entries are ignored; see `doubt`.
    """

    def __init__(self, path, width=None, height=None):
        """Raises SniperError naming the file if it is missing, empty or cut short."""
        self.path = path
        self._annotated = None if width is None or height is None else (int(width), int(height))
        self._content = _read_file(path)
        self._header = jpeg.read_header(self._content) if jpeg.is_jpeg(self._content) else None
        self._pictures = {}
        if not self._is_complete():
            raise SniperError(f'image {path} is cut short (its end is missing); {_MEND}')

    def decode(self, reduction=1):
        """-> Picture. JPEG files are decoded at 1/2, 1/4 or 1/8 of their size if `reduction` asks for it, which
        averages blocks of pixels in the frequency domain; other formats always whole. SniperError if damaged."""
        reduction = self._possible(reduction)
        if reduction not in self._pictures:
            self._pictures[reduction] = self._decode(reduction)
        return self._pictures[reduction]

    @property
    def doubt(self):
        """A line that warns if an EXIF entry was ignored although the annotations may follow it, else None."""
        if self._annotated is None or self._header is None or self._header.orientation == 1:
            return None
        turned = self._header.orientation >= 5  # by a quarter: width and height change places
        if turned and self._annotated[0] != self._annotated[1]:
            return None
        return (f'image {self.path} is to be shown turned or mirrored (EXIF orientation {self._header.orientation}), '
                 'which its annotated size does not '
                'tell: its boxes are taken to lie on the pixels as stored')

    def _possible(self, reduction):
        size = self._header.size if self._header else None
        if size is None or max(size) > _LONGEST_WARPED * reduction:
            return 1
        return reduction

    def _decode(self, reduction):
        pixels = self._imdecode(_REDUCED_FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION)
        width, height = self._header.size if reduction > 1 else (pixels.shape[1], pixels.shape[0])
        if width != height and self._annotated == (height, width):
            upright = self._imdecode(_REDUCED_FLAGS[reduction])
            if upright.shape != pixels.shape:
                return Picture(upright, height, width, reduction)
        return Picture(pixels, width, height, reduction)

    def _imdecode(self, flags):
        try:
            pixels = cv2.imdecode(np.frombuffer(self._content, np.uint8), flags)
        except cv2.error as error:
            raise SniperError(f'image {self.path} cannot be decoded ({error.err or error.code}){_pixel_limit(error)}; '
                              f'{_MEND}')
        except MemoryError:
            raise SniperError(f'image {self.path} is too large for the memory; {_MEND}')
        if pixels is None:
            raise SniperError(f'image {self.path} is damaged or not an image; {_MEND}')
        return pixels

    def _is_complete(self):
        """False if a JPEG or PNG file ends too early: OpenCV would fill the rest with grey, silently."""
        if self._header is not None:
            return jpeg.is_complete(self._content, self._header)
        if self._content[:8] == b'\x89PNG\r\n\x1a\n':
            return self._content.rfind(b'IEND') >= 0
        return True


def _read_file(path):
    try:
        with open(path, 'rb') as file:
            content = file.read()
    except OSError as error:
        raise SniperError(f'image {path} cannot be read ({error.strerror or error}); {_MEND}')
    if not content:
        raise SniperError(f'image {path} is empty; {_MEND}')
    return content


def _pixel_limit(error):
    """What to do if OpenCV refused an image for its size."""
    if 'CV_IO_MAX_IMAGE' not in str(error):
        return ''
    return ': OpenCV reads 2^30 pixels and 2^20 a side; set OPENCV_IO_MAX_IMAGE_PIXELS, _WIDTH, _HEIGHT to read more'


def read_image(path, width=None, height=None):
    """Image file -> (H, W, 3) uint8 B, G, R pixels: as stored, or turned if only so they have the annotated size.

    Raises SniperError naming the file if it is missing, empty, cut short or not an image.
    """
    return ImageFile(path, width, height).decode().pixels

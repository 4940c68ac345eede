"""Image files to pixels: (H, W, 3) uint8, B, G, R, as OpenCV gives them.

Grey, 16-bit, CMYK and palette files become three 8-bit channels; transparency is dropped.
"""
import io
import threading
import warnings
from typing import NamedTuple, Optional, Tuple

import cv2
import numpy as np
from PIL import ExifTags, Image, JpegImagePlugin

from lib.utils.errors import SniperError

_MEND = 'replace it, or leave it out'
_REDUCED_FLAGS = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
                  8: cv2.IMREAD_REDUCED_COLOR_8}
_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
_PNG_START, _PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND'
_LONGEST_WARPED = 32766  # pixels of a side that cv2.warpAffine, which samples reduced pictures, takes


class Picture(NamedTuple):
    """A decoded image; `width` and `height` are those of the image at full size, whatever the reduction."""

    pixels: np.ndarray  # (ceil(height / reduction), ceil(width / reduction), 3) uint8
    width: int
    height: int
    reduction: int = 1  # 1, 2, 4 or 8


class JpegHeader(NamedTuple):
    """What a JPEG file says before its pixels begin."""

    size: Optional[Tuple[int, int]]     # (width, height) of the stored pixels; None if Pillow does not understand it
    orientation: int                    # Exif's 1 to 8; 1 if not told
    scan: int                           # offset from which on the compressed pixels lie


_silence = threading.Lock()     # warnings.catch_warnings is not made for threads


def read_jpeg_header(content: bytes) -> JpegHeader:
    """Bytes of a JPEG file, whole or not -> JpegHeader, by Pillow; nothing is decoded.

    Never fails; what Pillow does not read, OpenCV may, and it has the last word. Takes 25 us, decoding some thousands.
    """
    stream, size, orientation = io.BytesIO(content), None, 1
    with _silence, warnings.catch_warnings():
        warnings.simplefilter('ignore')     # Pillow's on damaged Exif entries name no file
        try:
            header = JpegImagePlugin.JpegImageFile(stream)
            size = header.size
            if 'exif' in header.info:
                exif = Image.Exif()     # not header.getexif(): that believes XMP too, which OpenCV does not
                exif.load(header.info['exif'])
                orientation = exif.get(ExifTags.Base.Orientation, 1)
        except Exception:  # a damaged header ends in whatever error Pillow runs into first
            pass
    known = isinstance(orientation, int) and 1 <= orientation <= 8
    return JpegHeader(size, orientation if known else 1, stream.tell())


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
        self._header = read_jpeg_header(self._content) if self._content.startswith(_JPEG_START) else None
        self._pictures = {}
        if not self._is_complete():
            raise SniperError(f'image {path} is cut short (its end is missing); {_MEND}')

    def decode(self, reduction: int = 1) -> Picture:
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
                'which its annotated size does not tell: its boxes are taken to lie on the pixels as stored')

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
            return self._content.rfind(_JPEG_END, self._header.scan) >= 0     # one before is that of a preview
        if self._content.startswith(_PNG_START):
            return self._content.rfind(_PNG_END) >= 0
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


def read_image(path: str, width: Optional[float] = None, height: Optional[float] = None) -> np.ndarray:
    """Image file -> (H, W, 3) uint8 B, G, R pixels: as stored, or turned if only so they have the annotated size.

    Raises SniperError naming the file if it is missing, empty, cut short or not an image.
    """
    return ImageFile(path, width, height).decode().pixels

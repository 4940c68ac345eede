"""Image files to pixels: (H, W, 3) uint8, B, G, R, as OpenCV gives them.

Grey, 16-bit, CMYK and palette files become three 8-bit channels; transparency is dropped.
"""
import io
import os
import stat
from typing import List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from PIL import JpegImagePlugin

from lib.image.formats import unreadable_kind
from lib.image.header import (
    JPEG,
    JPEG_END,
    PNG,
    PNG_END,
    TIFF,
    has_all_scans,
    is_animated_webp,
    read_header,
    whole_png_without_end,
)
from lib.image.notices import DEPTH, END, ORIENTATION, SIZE, Notice
from lib.utils.errors import SniperError

# Its lines on files name none; what ends a decode is said by this module. OpenCV 4 and 5 name the function differently.
(cv2.setLogLevel if hasattr(cv2, 'setLogLevel') else cv2.utils.logging.setLogLevel)(0)

_MEND = 'replace it, or leave it out'
_REDUCED_FLAGS = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4,
                  8: cv2.IMREAD_REDUCED_COLOR_8}
_FEW_ZEROS = 16          # bytes that may be compressed pixels
_PIXELS_A_BYTE = 512     # of a JPEG at most: a bit for a block of 8 x 8
_LONGEST_WARPED = 32766  # pixels of a side that cv2.warpAffine, which samples reduced pictures, takes
_DEPTHS = (8, 10, 12, 14, 16)   # bits that cameras, scanners and detectors give
_CONTRAST = 0.001, 16           # share of pixels left out at either end, levels of 256 that the others span at least
# Stand where compressed pixels may be missing. None has 0xFF, which begins a marker; zeros alone would end blocks, as
# decoders do where nothing follows.
_FILLINGS = (b'', bytes((181 + 73 * place) % 255 for place in range(256)), b'\x6d\xb6\xdb' * 64)
# What undoes Exif's orientations: (transposed first, then cv2.flip's code or None)
_TURNS = {2: (False, 1), 3: (False, -1), 4: (False, 0), 5: (True, None), 6: (True, 1), 7: (True, -1), 8: (True, 0)}


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
    A size cannot tell a picture from itself upside down or mirrored: such entries are ignored, but those of TIFF
    files, which every reader obeys; see `notices`. Without an annotation the picture is what viewers show.
    """

    def __init__(self, path, width=None, height=None):
        """Raises SniperError naming the file if it is missing, empty, cut short or of samples that make no picture."""
        self.path = path
        self._annotated = None if width is None or height is None else (int(width), int(height))
        self._content = _read_file(path)
        self._header = read_header(self._content)
        self._pictures = {}
        self._notices = {}  # kind -> Notice
        if self._header.refused:
            raise SniperError(f'image {path} {self._header.refused}')
        if is_animated_webp(self._content):
            raise self._refusal()
        self._complete()

    @property
    def orientation(self) -> int:
        """Exif's 1 to 8: how viewers turn the stored pixels; 1 = not at all."""
        return self._header.orientation

    @property
    def viewed_size(self) -> Optional[Tuple[int, int]]:
        """(width, height) of a JPEG file as viewers show it, known before it is decoded; None of other files."""
        size = self._header.size
        return size[::-1] if size and self.orientation >= 5 else size

    @property
    def deep(self) -> bool:
        """Whether a sample may have more than 8 bits."""
        return self._header.deep

    def decode(self, reduction: int = 1) -> Picture:
        """-> Picture. JPEG files are decoded at 1/2, 1/4 or 1/8 of their size if `reduction` asks for it, which
        averages blocks of pixels in the frequency domain; other formats always whole. SniperError if damaged."""
        reduction = self._possible(reduction)
        if reduction not in self._pictures:
            self._pictures[reduction] = self._decode(reduction)
        return self._pictures[reduction]

    @property
    def notices(self) -> List[Notice]:
        """What is to be said of the file, once it is decoded: that it is not of the annotated size, that an entry on
        its orientation was ignored though the annotations may follow it, how its 16 bits were read, ..."""
        return list(self._notices.values())

    def _possible(self, reduction):
        size = self._header.size
        if size is None or max(size) > _LONGEST_WARPED * reduction:
            return 1
        return reduction

    def _decode(self, reduction):
        ignore = cv2.IMREAD_IGNORE_ORIENTATION
        pixels = self._deep(ignore) if self._header.deep else self._imdecode(_REDUCED_FLAGS[reduction] | ignore)
        width, height = self._header.size if reduction > 1 else (pixels.shape[1], pixels.shape[0])
        turned, across = self.orientation > 1, self.orientation >= 5
        if self._header.kind == TIFF and turned:    # OpenCV has turned it, whatever it is asked for
            if across and width != height and self._annotated == (height, width):
                pixels, width, height = _stored(pixels, self.orientation), height, width
        elif turned and (self._annotated is None or
                         across and width != height and self._annotated == (height, width)):
            pixels = upright(pixels, self.orientation)
            width, height = (height, width) if across else (width, height)
        if self._annotated is not None:
            self._compare(width, height)
        return Picture(pixels, width, height, reduction)

    def _compare(self, width, height):
        """Note what the annotated size does not fit or does not tell."""
        if (width, height) != self._annotated:
            self._note(SIZE, f'image {self.path} is {width} x {height} pixels but its annotation says '
                       f'{self._annotated[0]} x {self._annotated[1]}; its boxes are used as they are: check the '
                       'annotation file', f'{width} x {height}, not {self._annotated[0]} x {self._annotated[1]}')
        elif self.orientation > 1 and (self.orientation < 5 or width == height):
            taken = 'as viewers show them' if self._header.kind == TIFF else 'as stored'
            self._note(ORIENTATION, f'image {self.path} is to be shown turned or mirrored (EXIF orientation '
                       f'{self.orientation}), which its annotated size does not tell: its boxes are taken to lie on '
                       f'the pixels {taken}', f'orientation {self.orientation}')

    def _note(self, kind, text, detail=''):
        self._notices[kind] = Notice(kind, self.path, text, detail)

    def _deep(self, flags):
        """Pixels of a file that may have 16 bits a sample, scaled by the 8, 10, 12, 14 or 16 bits that hold its highest
        value. Its high byte alone would leave next to nothing of 10 or 12 bits."""
        samples = self._imdecode(flags | cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
        pixels = self._eight_bits(samples, flags) if samples.dtype != np.uint8 else samples
        if samples.dtype != np.uint8 or self._header.kind == TIFF:
            self._note_contrast(samples, pixels)
        return pixels

    def _eight_bits(self, samples, flags):
        """(H, W, 3) of more bits -> uint8."""
        if samples.dtype != np.uint16:
            raise SniperError(f'image {self.path} holds samples of type {samples.dtype}; convert it to 8 bits')
        if self._header.packed:
            return (samples >> 8).astype(np.uint8)
        highest = int(samples.max())
        bits = next(bits for bits in _DEPTHS if highest < 1 << bits)
        if bits == 16:
            return (samples >> 8).astype(np.uint8) if self._header.kind != TIFF else self._imdecode(flags |
                                                                                                 cv2.IMREAD_COLOR)
        pixels = (samples >> (bits - 8)).astype(np.uint8)
        if highest:
            share = 100 * highest / 65535
            detail = f'highest value {highest}, {f"{share:.1g}" if share < 1 else f"{share:.0f}"} %'
            self._note(DEPTH, f'16-bit image {self.path}: {detail} of the range; it is read as one of {bits} bits, not '
                       'almost black: convert such images to 8 bits to settle their brightness yourself', detail)
        return 255 - pixels if self._header.white_is_zero else pixels

    def _note_contrast(self, samples, pixels):
        """Note a picture that loses nearly all its contrast: one bright pixel, or warmth of 280 to 300 K in a range of
        655. samples: as the file has them, of which `pixels` were made."""
        low, high = _range_of_most(pixels)
        if high - low >= _CONTRAST[1] or len(set(_range_of_most(samples))) == 1:    # a blank page has none
            return
        detail = f'{100 * (1 - 2 * _CONTRAST[0]):.1f} % of it within {100 * (high - low + 1) / 256:.0f} % of the range'
        self._note(DEPTH, f'16-bit image {self.path} has next to no contrast in 8 bits ({detail}): stretch such images '
                   'to the whole range and save them with 8 bits', detail)

    def _imdecode(self, flags):
        try:
            pixels = cv2.imdecode(np.frombuffer(self._content, np.uint8), flags)
        except cv2.error as error:
            raise SniperError(f'image {self.path} cannot be decoded ({error.err or error.code}){_pixel_limit(error)}; '
                              f'{_MEND}')
        except MemoryError:
            raise SniperError(f'image {self.path} is too large for the memory; {_MEND}')
        if pixels is None:
            raise self._refusal()
        return pixels

    def _refusal(self):
        kind = unreadable_kind(self._content)
        return SniperError(f'image {self.path} is {kind}' if kind else
                           f'image {self.path} is damaged or not an image; {_MEND}')

    def _complete(self):
        """SniperError if a JPEG or PNG file ends too early: OpenCV would fill the rest with grey, silently.

        If it is the mark of the end alone that is missing, it is put there and noted.
        """
        header, content, whole = self._header, self._content, None
        if header.kind == JPEG and content.rfind(JPEG_END, header.scan) < 0:    # one before is that of a preview
            end, whole = JPEG_END, _whole_jpeg_without_end(content, header.size)
        elif header.kind == PNG and content.rfind(PNG_END) < 0:
            end, whole = PNG_END, whole_png_without_end(content)
        else:
            return
        if whole is None and PNG_END[4:8] in content:    # it has some end: the decoder may know what to make of it
            return
        if whole is None:
            raise SniperError(f'image {self.path} is cut short (its end is missing); {_MEND}')
        self._content = whole + end
        self._note(END, f'image {self.path} lacks the mark of its end, but all its pixels are there: they are used; '
                   'save it anew to be rid of this line')


def _range_of_most(values):
    """Lowest and highest of whole numbers (any shape), but for a small share at either end."""
    counts = np.cumsum(np.bincount(values.ravel()))
    return np.searchsorted(counts, [_CONTRAST[0] * counts[-1], (1 - _CONTRAST[0]) * counts[-1]])


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels (H, W, 3) -> as viewers show them by Exif's orientation 1 to 8."""
    if orientation == 1:
        return pixels
    transposed, flip = _TURNS[orientation]
    pixels = cv2.transpose(pixels) if transposed else pixels
    return pixels if flip is None else cv2.flip(pixels, flip)


def _stored(pixels, orientation):
    """What `upright` was given."""
    return upright(pixels, {6: 8, 8: 6}.get(orientation, orientation))


def _whole_jpeg_without_end(content, size):
    """A JPEG file of (width, height) `size` whose end is missing -> what is there of it; None if pixels are missing
    too: these would depend on what follows."""
    written = content.rstrip(b'\0')
    if len(content) - len(written) > _FEW_ZEROS:    # room that a download kept for the rest, or padding
        content = written + b'\0' * written.endswith(b'\xff')   # which is a byte of pixels only with a zero
    content, first = content.rstrip(b'\xff'), None
    if size is None or size[0] * size[1] > _PIXELS_A_BYTE * len(content) or not has_all_scans(content):
        return None
    for filling in _FILLINGS:
        try:
            pixels = np.asarray(JpegImagePlugin.JpegImageFile(io.BytesIO(content + filling + JPEG_END)))
        except Exception:  # Pillow ends in many kinds of errors
            return None
        if first is None:
            first = pixels
        elif not np.array_equal(pixels, first):
            return None
    return content


def _read_file(path):
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):     # a pipe would be waited for
            kind = 'it is a folder' if os.path.isdir(path) else 'it is no file'
            raise SniperError(f'image {path} cannot be read ({kind}); {_MEND}')
        with open(path, 'rb') as file:
            content = file.read()
    except OSError as error:
        raise SniperError(f'image {path} cannot be read ({error.strerror or error}); {_MEND}')
    except ValueError as error:     # a zero byte in the name
        raise SniperError(f'image {path} cannot be read ({error}); {_MEND}')
    except MemoryError:
        raise SniperError(f'image {path} is too large for the memory; {_MEND}')
    if not content:
        raise SniperError(f'image {path} is empty; {_MEND}')
    return content


def _pixel_limit(error):
    """What to do if OpenCV refused an image for its size."""
    if 'CV_IO_MAX_IMAGE' not in str(error):
        return ''
    return ': OpenCV reads 2^30 pixels and 2^20 a side; set OPENCV_IO_MAX_IMAGE_PIXELS, _WIDTH, _HEIGHT to read more'


def read_image(path: str, width: Optional[float] = None, height: Optional[float] = None) -> np.ndarray:
    """Image file -> (H, W, 3) uint8 B, G, R pixels. With an annotated size as stored, or turned if only so they have
    that size; without as viewers show them.

    Raises SniperError naming the file if it is missing, empty, cut short or not an image.
    """
    return ImageFile(path, width, height).decode().pixels

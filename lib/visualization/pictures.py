"""Picture files: names and safe writing."""
import logging
import os

import cv2
import numpy as np

from lib.utils.errors import SniperError
from lib.utils.files import write_file

logger = logging.getLogger(__name__)

ENDINGS = ('.jpg', '.jpeg', '.png')
JPEG_QUALITY = 92
LONGEST_NAME = 150  # bytes of an image's name that its picture's name keeps; a file system takes 255
LONGEST_JPEG, LONGEST_PNG = 65500, 1000000  # pixels of a side that OpenCV and libpng write


def write_picture(path: str, pixels: np.ndarray) -> None:
    """Write (H, W, 3) uint8 B, G, R to `path`; its ending, .jpg or .png, says how. The file is complete or absent.

    The folder is made if needed. A picture larger than its format allows is made smaller, which is logged.
    SniperError if it cannot be written.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        raise SniperError(f'picture {path} must end in one of {", ".join(ENDINGS)}')
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if ending != '.png' else []
    try:
        _, content = cv2.imencode(ending, _fitting(path, pixels, LONGEST_PNG if ending == '.png' else LONGEST_JPEG),
                                  options)
    except cv2.error as error:
        raise SniperError(f'picture {path} of {pixels.shape[1]} x {pixels.shape[0]} pixels cannot be written: '
                          f'{error.err or error.code}') from None
    except MemoryError:
        raise SniperError(f'picture {path} of {pixels.shape[1]} x {pixels.shape[0]} pixels is too large for the '
                          'memory') from None
    write_file(path, content.tobytes())


def _fitting(path, pixels, longest):
    """The picture itself, or a smaller one with `longest` pixels of its longer side."""
    height, width = pixels.shape[:2]
    if max(height, width) <= longest:
        return pixels
    factor = longest / max(height, width)
    size = max(1, int(width * factor + 0.5)), max(1, int(height * factor + 0.5))
    logger.warning('picture %s is drawn smaller, %d x %d instead of %d x %d pixels: its format takes no side beyond %d',
                   path, *size, width, height, longest)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def picture_names(roidb):
    """A distinct file name an image: the image's own base name + '.jpg', with the image id where two would be equal,
    and no longer than file systems take."""
    names, taken = [], set()
    for entry in roidb:
        base = os.fsencode(os.path.splitext(os.path.basename(entry['image']))[0])[:LONGEST_NAME]
        base = base.decode('utf-8', 'replace')
        name = base if base not in taken else f'{base}_{entry["image_id"]}'.replace(os.sep, '_')
        while name in taken:
            name += '_'
        taken.add(name)
        names.append(name + '.jpg')
    return names

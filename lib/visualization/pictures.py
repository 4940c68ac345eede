"""Picture files: names and safe writing."""
import os

import cv2

from lib.utils.errors import SniperError
from lib.utils.files import write_file

ENDINGS = ('.jpg', '.jpeg', '.png')
JPEG_QUALITY = 92


def write_picture(path, pixels):
    """Write (H, W, 3) uint8 B, G, R to `path`; its ending, .jpg or .png, says how. The file is complete or absent.

    The folder is made if needed. SniperError if it cannot be written.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending not in ENDINGS:
        raise SniperError(f'picture {path} must end in one of {", ".join(ENDINGS)}')
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if ending != '.png' else []
    _, content = cv2.imencode(ending, pixels, options)
    write_file(path, content.tobytes())


def picture_names(roidb):
    """A distinct file name an image: the image's own base name + '.jpg', with the image id where two would be equal."""
    names, taken = [], set()
    for entry in roidb:
        base = os.path.splitext(os.path.basename(entry['image']))[0]
        name = base if base not in taken else f'{base}_{entry["image_id"]}'
        while name in taken:
            name += '_'
        taken.add(name)
        names.append(name + '.jpg')
    return names

"""Objects cut out of their pictures."""
import os
import re
from typing import Sequence

import numpy as np

from lib.bbox.detections import Detections
from lib.image import cut_window
from lib.image.sources import Frame
from lib.outputs.boxes import edges
from lib.utils.errors import printable
from lib.utils.files import check_writable
from lib.visualization import class_name, write_picture

LONGEST_FOLDER = 100    # letters of a class's name, at most two bytes each in most scripts


class CropFolder:
    """<class>/<name>_<number>.jpg, whole pixels around the box, best first in each class."""

    def __init__(self, folder: str, classes: Sequence[str]):
        """classes: '__background__' first. SniperError if the folder cannot be written to."""
        check_writable(folder, folder=True)
        self._folder = folder
        self._classes = [folder_name(name) for name in classes]

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs."""
        boxes = edges(found.box, (frame.pixels.shape[1], frame.pixels.shape[0]))
        for row, (label, box) in enumerate(zip(found.label.tolist(), boxes.tolist()), 1):
            window = cut_window(frame.pixels, np.concatenate([np.floor(box[:2]), np.ceil(box[2:])]))
            if window.size:
                place = os.path.join(self._folder, folder_name(class_name(self._classes, label)))
                write_picture(os.path.join(place, f'{frame.name}_{row}.jpg'), window)

    def close(self) -> None:
        """Nothing is left to write."""


def folder_name(name: str) -> str:
    """A class's name as one that any file system takes, and that stays inside its folder."""
    plain = re.sub(r'[\\/:*?"<>|]', '_', printable(name)).strip(' .')
    return plain[:LONGEST_FOLDER] or '_'

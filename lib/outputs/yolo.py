"""YOLO's text files: https://docs.ultralytics.com/datasets/detect/."""
import os
from typing import List, Sequence

import yaml

from lib.bbox.detections import Detections
from lib.image.sources import Frame
from lib.outputs.boxes import edges
from lib.utils.errors import printable
from lib.utils.files import check_writable, write_file
from lib.visualization import write_picture


class YoloFolder:
    """labels/<name>.txt, a line an object: class from 0, centre, width and height as shares of the picture; without
    scores, which labelling tools do not take. Empty where nothing was found. data.yaml and classes.txt name the
    classes. Frames of videos, which are no files, are written to images/."""

    def __init__(self, folder: str, classes: Sequence[str]):
        """classes: '__background__' first. SniperError if the folder cannot be written to."""
        check_writable(folder, folder=True)
        self._folder = folder
        names = [printable(name) for name in classes[1:]]
        about = {'path': '.', 'train': 'images', 'val': 'images', 'names': dict(enumerate(names))}
        self._files: List[tuple] = [
            ('data.yaml', yaml.safe_dump(about, allow_unicode=True, sort_keys=False).encode('utf-8')),
            ('classes.txt', ''.join(f'{name}\n' for name in names).encode('utf-8'))]

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs."""
        size = frame.pixels.shape[1], frame.pixels.shape[0]
        boxes = edges(found.box, size) / (size * 2)
        lines = [f'{label - 1} {(x1 + x2) / 2:.6f} {(y1 + y2) / 2:.6f} {x2 - x1:.6f} {y2 - y1:.6f}\n'
                 for label, (x1, y1, x2, y2) in zip(found.label.tolist(), boxes.tolist())]
        write_file(os.path.join(self._folder, 'labels', f'{frame.name}.txt'), ''.join(lines).encode('ascii'))
        if frame.source.video is not None:
            write_picture(os.path.join(self._folder, 'images', f'{frame.name}.jpg'), frame.pixels)

    def close(self) -> None:
        """Write the names of the classes."""
        for name, content in self._files:
            write_file(os.path.join(self._folder, name), content)

"""labelme's JSON files, one a picture: https://github.com/wkentaro/labelme."""
import json
import os
from typing import Sequence

from lib.bbox.detections import Detections
from lib.dataset.coco_masks import mask_outlines
from lib.image.sources import Frame
from lib.masks import unpack
from lib.outputs.boxes import edges
from lib.utils.files import check_writable, write_file
from lib.visualization import class_name, write_picture

VERSION = '5.5.0'   # of labelme, whose fields these are


class LabelmeFolder:
    """<name>.json with a rectangle an object, or the outlines of its mask, which share a group; `description` has the
    score. It refers to the picture where it lies; frames of videos are written beside it."""

    def __init__(self, folder: str, classes: Sequence[str]):
        """classes: '__background__' first. SniperError if the folder cannot be written to."""
        check_writable(folder, folder=True)
        self._folder, self._classes = folder, classes

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs."""
        height, width = frame.pixels.shape[:2]
        picture = f'{frame.name}.jpg'
        if frame.source.video is None:
            picture = os.path.relpath(os.path.abspath(frame.source.path), os.path.abspath(self._folder))
        else:
            write_picture(os.path.join(self._folder, picture), frame.pixels)
        shapes = [shape for row in range(len(found)) for shape in self._shapes(found, row, width, height)]
        content = {'version': VERSION, 'flags': {}, 'shapes': shapes, 'imagePath': picture, 'imageData': None,
                   'imageHeight': height, 'imageWidth': width}
        write_file(os.path.join(self._folder, f'{frame.name}.json'), json.dumps(content, indent=1).encode('ascii'))

    def _shapes(self, found, row, width, height):
        """One, or one a part of a mask."""
        outlines = []
        if found.mask is not None and found.mask[row]:
            outlines = [ring.reshape(-1, 2).tolist() for ring in
                        mask_outlines(unpack(found.mask[row], width, height).astype('uint8'))]
        kind = 'polygon' if outlines else 'rectangle'
        x1, y1, x2, y2 = edges(found.box[row], (width, height))[0].tolist()
        return [{'label': class_name(self._classes, int(found.label[row])),
                 'points': [[round(x, 2), round(y, 2)] for x, y in points],
                 'group_id': row if len(outlines) > 1 else None, 'description': f'score {found.score[row]:.3f}',
                 'shape_type': kind, 'flags': {}} for points in outlines or [[(x1, y1), (x2, y2)]]]

    def close(self) -> None:
        """Nothing is left to write."""

"""COCO's JSON: https://cocodataset.org/#format-data and #format-results."""
import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

from lib.bbox.detections import Detections
from lib.image.sources import Frame
from lib.outputs.boxes import edges
from lib.utils.files import check_writable, write_file


def to_coco(found: Detections, image_ids: Optional[Sequence] = None,
            category_ids: Optional[Mapping[int, int]] = None) -> List[Dict[str, Any]]:
    """Detections -> what pycocotools' `COCO.loadRes` takes: a dict a detection, with image_id, category_id, bbox x, y,
    width, height, score, and segmentation where there are masks.

    image_ids: id of each image by its position, by default the position. category_ids: label -> id, by default the
    label itself, 1 for the first class. ValueError for masks of images whose size the detections do not know.
    """
    if found.mask is not None and len(found) and not found.sizes:
        raise ValueError('masks need the sizes of their images: Detections(..., sizes=[(width, height), ...])')
    rows = []
    boxes = edges(found.box)
    boxes[:, 2:] -= boxes[:, :2]
    for row, (image, label, score) in enumerate(zip(found.image.tolist(), found.label.tolist(), found.score.tolist())):
        entry = {'image_id': image if image_ids is None else image_ids[image],
                 'category_id': label if category_ids is None else category_ids[label],
                 'bbox': [round(value, 2) for value in boxes[row].tolist()], 'score': round(score, 5)}
        if found.mask is not None and found.mask[row]:
            width, height = found.sizes[image]
            entry['segmentation'] = {'size': [int(height), int(width)], 'counts': found.mask[row].decode('ascii')}
        rows.append(entry)
    return rows


class CocoFile:
    """A data set as COCO has it, so that labelling tools take it too, with the score of every object; images without
    one are there as well. pycocotools' loadRes takes its list `annotations`."""

    def __init__(self, path: str, classes: Sequence[str]):
        """classes: '__background__' first. SniperError if `path` cannot be written."""
        check_writable(path)
        self._path, self._classes = path, classes
        self._images: List[str] = []        # JSON already, which is smaller than what it is made of
        self._annotations: List[str] = []

    def add(self, frame: Frame, found: Detections) -> None:
        """See lib.outputs."""
        height, width = frame.pixels.shape[:2]
        identity = len(self._images) + 1
        image = {'id': identity, 'file_name': frame.file_name, 'width': width, 'height': height}
        if frame.source.video is not None:
            image.update(video=frame.source.path, frame=frame.number, seconds=round(frame.seconds, 3))
        self._images.append(json.dumps(image))
        for entry in to_coco(found.replace(image=found.image * 0, sizes=[(width, height)]), [identity]):
            area = round(entry['bbox'][2] * entry['bbox'][3], 2)
            entry = {'id': len(self._annotations) + 1, **entry, 'area': area, 'iscrowd': 0}
            entry.setdefault('segmentation', [])
            self._annotations.append(json.dumps(entry))

    def close(self) -> None:
        """Write the file."""
        categories = [json.dumps({'id': label, 'name': name}) for label, name in enumerate(self._classes) if label]
        lists = {'images': self._images, 'annotations': self._annotations, 'categories': categories}
        parts = [f'"{name}": [\n' + ',\n'.join(entries) + '\n]' for name, entries in lists.items()]
        write_file(self._path, ('{\n' + ',\n'.join(parts) + '\n}\n').encode('ascii'))

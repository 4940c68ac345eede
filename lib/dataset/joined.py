"""Several data sets tested as one: classes are united by name, and the score is COCO's over all pictures."""
import copy
from typing import List, Optional, Sequence

import numpy as np

from lib.dataset.base import Dataset
from lib.dataset.class_list import unite
from lib.dataset.coco_eval import evaluate
from lib.dataset.coco_file import CocoFile
from lib.dataset.compact import CompactRoidb, relabelled
from lib.dataset.proposals import AND, joined_id
from lib.dataset.truth import Truth


class JoinedDataset(Dataset):
    """Ids of pictures are '<data set>/<id>', and pictures are in the order of these, as a COCO file has them."""

    def __init__(self, datasets: Sequence[Dataset]):
        """datasets: opened, with names of their own."""
        self.name = AND.join(dataset.name for dataset in datasets)
        self._datasets = list(datasets)
        self.classes, matches = unite([tuple(dataset.classes) for dataset in datasets])
        self._labels = [np.array(match.labels) for match in matches]
        self._roidbs = [dataset.roidb() for dataset in datasets]    # which settles what their image_ids are
        ids = [joined_id(dataset.name, image_id) for dataset in datasets for image_id in dataset.image_ids]
        order = sorted(range(len(ids)), key=ids.__getitem__)
        self.image_ids = [ids[place] for place in order]
        self._order = np.array(order, np.int64)     # place among the pictures of all, one data set after another
        self._file: Optional[CocoFile] = None

    def roidb(self, ignored: str = '') -> CompactRoidb:
        """Records of all, with labels of the united classes."""
        records: List[dict] = []
        roidbs = [dataset.roidb(ignored) for dataset in self._datasets] if ignored else self._roidbs
        for roidb, labels in zip(roidbs, self._labels):
            records += relabelled(roidb, labels)
        return CompactRoidb.from_records(dict(records[place], image_id=image_id)
                                         for place, image_id in zip(self._order, self.image_ids))

    def parts(self) -> List[Sequence[dict]]:
        """Records of each data set, with labels of the united classes."""
        return [relabelled(roidb, labels) for roidb, labels in zip(self._roidbs, self._labels)]

    def truth(self) -> Truth:
        """Of all."""
        place = np.argsort(self._order)     # of a picture in the order of the ids
        truths, first = [], 0
        for dataset, labels in zip(self._datasets, self._labels):
            truth = dataset.truth()
            truths.append(truth._replace(image=place[truth.image + first], label=labels[truth.label]))
            first += len(dataset.image_ids)
        return Truth.of(*(np.concatenate(arrays) for arrays in zip(*truths)))

    def evaluate(self, detections, results_dir):
        """Write detections_joined_results.json and score it by COCO's rules (lib.dataset.coco_eval)."""
        return evaluate(self.file, 'joined', self.classes, detections, results_dir)

    @property
    def file(self) -> CocoFile:
        """What scores all."""
        if self._file is None:
            self._file = CocoFile(self.name, content=self._content())
        return self._file

    def part(self, numbers):
        """See lib.dataset.base."""
        part = copy.copy(self)
        part._file, part.image_ids = self.file.part(numbers), [self.image_ids[number] for number in numbers]
        return part

    def _content(self) -> dict:
        """What a COCO file of all pictures and objects would hold."""
        truth = self.truth()
        sides = truth.box[:, 2:] - truth.box[:, :2] + 1
        images = [{'id': record['image_id'], 'file_name': record['image'], 'width': record['width'],
                   'height': record['height']} for record in self.roidb()]
        annotations = [{'id': number, 'image_id': self.image_ids[image], 'category_id': label, 'iscrowd': int(ignored),
                        'bbox': [*corner, *size], 'area': area} for number, (image, label, corner, size, area, ignored)
                       in enumerate(zip(truth.image.tolist(), truth.label.tolist(), truth.box[:, :2].tolist(),
                                        sides.tolist(), truth.area.tolist(), truth.ignored.tolist()), 1)]
        return {'images': images, 'annotations': annotations,
                'categories': [{'id': label, 'name': name} for label, name in enumerate(self.classes) if label]}

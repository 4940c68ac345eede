"""A data set in the format of a labelling tool: read by a source, then checked, recorded and scored as COCO's are."""
import hashlib
import os
from typing import Type

from lib.dataset.coco import CocoDataset
from lib.dataset.coco_file import CocoFile
from lib.dataset.formats.pictures import upright_size
from lib.dataset.formats.source import Source
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable


class ConvertedDataset(CocoDataset):
    """One set of a folder that a `source_class` reads. Images are in the order of their names, which are their ids."""

    source_class: Type[Source]

    def __init__(self, image_set, root_path, dataset_path, masks=False, choice=None):
        self.name_prefix = self.source_class.kind.replace(' ', '') + '_'
        self.box_format = self.source_class.box_format
        super().__init__(image_set, root_path, dataset_path, masks, choice)

    def _place(self):
        reason = why_unreadable(self.dataset_path, folder=True)
        if reason:
            raise SniperError(f'{self.dataset_path} {reason}; check dataset.dataset_path')
        return self.dataset_path, self.dataset_path

    def _parse(self, masks):
        source = self.source_class(self.dataset_path)
        place = hashlib.sha256(os.path.abspath(self.dataset_path).encode('utf-8', 'surrogateescape')).hexdigest()[:8]
        content = source.read(self.image_set, masks, os.path.join(self.root_path, 'cache', f'{place}_split.json'))
        file = CocoFile(self.dataset_path, masks, self._class_list,
                        lambda image: upright_size(self._finder.path(image)), self._finder.expect, content,
                        self._choice)
        file.notes = source.warnings.lines() + file.notes
        return file

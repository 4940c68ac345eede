"""The data sets there are, by name. A new one is one module (see base.py) and one line of DATASETS."""
import importlib
from typing import Optional

from lib.dataset.base import Dataset
from lib.dataset.class_choice import ClassChoice
from lib.utils.errors import SniperError

# Imported when asked for, so that reading one format needs no library of another.
DATASETS = {
    'coco': 'lib.dataset.coco:CocoDataset',
    'PascalVOC': 'lib.dataset.pascal_voc:PascalVocDataset',
    'auto': 'lib.dataset.formats.auto:open_any',   # whichever of the others the folder is in
    'csv': 'lib.dataset.formats.csv_table:CsvDataset',
    'cvat': 'lib.dataset.formats.cvat:CvatDataset',
    'deepv': 'lib.dataset.deepv:DeepvDataset',
    'imagenet': 'lib.dataset.imagenet.dataset:ImageNetDataset',
    'labelme': 'lib.dataset.formats.labelme:LabelmeDataset',
    'openimages': 'lib.dataset.openimages.dataset:OpenImagesDataset',
    'wider': 'lib.dataset.formats.wider:WiderDataset',
    'wider_face': 'lib.dataset.formats.wider:WiderDataset',     # its whole name
    'yolo': 'lib.dataset.formats.yolo:YoloDataset',
    'synthetic': 'lib.dataset.synthetic:SyntheticDataset',
}


def get_dataset(name: str, image_set: str, root_path: str, dataset_path: str, masks: bool = False,
                choice: Optional[ClassChoice] = None) -> Dataset:
    """Open one split of a data set.

    name          a key of DATASETS (configuration: dataset.dataset)
    image_set     name of the split, for example 'train2017' (no '+')
    root_path     folder for files made by the program (configuration: dataset.root_path)
    dataset_path  folder of the data set (configuration: dataset.dataset_path)
    masks         also load polygons into the records (gt_masks)
    choice        which classes, and as what (configuration: dataset.CLASSES); None: all

    Returns a lib.dataset.base.Dataset. SniperError: unknown name, or unusable annotation file.
    """
    if name not in DATASETS:
        raise SniperError(f'dataset.dataset {name!r} is unknown; known data sets: {", ".join(sorted(DATASETS))}')
    module, attribute = DATASETS[name].split(':')
    return getattr(importlib.import_module(module), attribute)(
        image_set, root_path, dataset_path, masks=masks, choice=choice)

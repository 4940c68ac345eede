"""The data set `deepv` of street scenes, in PASCAL VOC's layout with four classes of its own.

    <dataset_path>/Annotations/<id>.xml, JPEGImages/<id>.jpg, ImageSets/Main/<set>.txt
    <dataset_path>/classes.txt      optional: other classes than CLASSES, one name a line

Everything else is as in any folder of PASCAL VOC's format (lib.dataset.pascal_voc), but for two things: the classes do
not depend on what the annotations hold, and AP is by the rule of 11 points, as in the original. The original gave
objects of unknown classes boxes of zeros; here such a name is an error. Source: reference/other_detectors.md D.
"""
from lib.dataset.class_list import BACKGROUND, class_list_path, read_class_list
from lib.dataset.pascal_voc import PascalVocDataset

CLASSES = ('person', 'car', 'bicycle', 'tricycle')


class DeepvDataset(PascalVocDataset):
    """One set. SniperError: a class in an annotation file that is not among the classes."""

    name_prefix = 'deepv_'
    rule = '11point'

    def _find_classes(self):
        path = class_list_path(self.dataset_path)
        return (BACKGROUND, *(read_class_list(path, {}) if path else CLASSES))

"""Which sets a folder in ImageNet's layouts holds, and whether it is one."""
import os
from typing import List

from lib.dataset.formats.source import below
from lib.dataset.imagenet.devkit import DET_PREFIX, find_devkit
from lib.dataset.imagenet.listing import BOXES, class_folders, holds_pictures
from lib.dataset.voc_layout import folder_content

LOOKED_FOR = '<set>/<class>/ with pictures and .xml files of their names, ILSVRC2014_devkit'


def sets_in(folder: str) -> List[str]:
    """Folders of a folder that are sets: they hold folders of pictures, and no pictures themselves, or are called as
    sets of ILSVRC DET."""
    return [name for name in class_folders(folder) if name.startswith(DET_PREFIX)
            or not holds_pictures(os.path.join(folder, name)) and _classes_with_pictures(os.path.join(folder, name))]


def annotated_sets(folder: str) -> List[str]:
    """Those of them that have boxes. A folder of classes without sets is none: as often its folders are sets."""
    return [name for name in sets_in(folder) if _annotation(folder, name)]


def found_in(folder: str) -> str:
    """An annotation file of this layout below a folder, or the development kit in it; '' if there is nothing of it."""
    kit = find_devkit(folder)
    if kit and os.path.dirname(kit) == os.path.normpath(folder):
        return below(folder, kit)
    return next((below(folder, _annotation(folder, name)) for name in annotated_sets(folder)), '')


def _annotation(folder, image_set) -> str:
    """The first XML file of a set; '' if it has none."""
    own, apart = os.path.join(folder, image_set), os.path.join(folder, image_set + BOXES)
    places = [(apart, True)] + [(os.path.join(apart, name), True) for name in class_folders(apart)] + [
        (place, holds_pictures(place)) for place in [own] + [os.path.join(own, name) for name in class_folders(own)]]
    for place, counts in places:
        names = [name for name in folder_content(place)[1] if name.lower().endswith('.xml')] if counts else []
        if names:
            return os.path.join(place, names[0])
    return ''


def _classes_with_pictures(folder) -> bool:
    return any(holds_pictures(os.path.join(folder, name)) for name in class_folders(folder))

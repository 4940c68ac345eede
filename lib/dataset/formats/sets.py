"""Sets of a folder whose format has none of its own: what files, folders and lists say of pictures.

A picture is in the sets that the annotation files name; where they name none, in those of the folders that it lies in.
`<set>.txt` in the folder, or in ImageSets/Main, lists the pictures of a set, one a line. `all` is everything.
"""
import collections
import os
import posixpath
from typing import Dict, Iterable, List, Optional, Sequence, Set, Tuple

from lib.dataset.formats.pictures import PictureIndex
from lib.dataset.set_choice import ALL, has_purpose
from lib.dataset.text_list import read_lines
from lib.dataset.voc_layout import folder_content
from lib.utils.errors import SniperError

# Folders of these names tell what is in them, not which set it is.
_NO_SETS = {'images', 'labels', 'annotations', 'data', 'jpegimages', 'obj_train_data', 'json', 'labelme'}
_LISTS = (('ImageSets', 'Main'), ())


class Chosen:
    """Which pictures are in a set. It remembers the sets of all that it is asked about."""

    def __init__(self, folder: str, index: PictureIndex, image_set: str):
        self.image_set = image_set
        self.seen: Set[str] = set()
        self._listed = _listed(folder, index, image_set)

    def __contains__(self, picture: Tuple[str, Sequence[str]]) -> bool:
        """(name, sets that the files name)"""
        name, sets = picture
        own = _own_sets(name, sets)
        self.seen |= own
        if self._listed is not None:
            return name in self._listed
        return self.image_set == ALL or self.image_set in own


def sets_of(folder: str, index: PictureIndex, pictures: Iterable[Tuple[str, Sequence[str]]]) -> List[str]:
    """Names of the sets that the pictures (name, sets that the files name) are in, as few as tell them apart.

    Of sets of the same pictures one counts. Sets that are called as what they are for stand alone, with others that
    share no picture with them; else those that hold no other. None at all: ['all'].
    """
    members: Dict[str, Set[str]] = collections.defaultdict(set)
    for name, sets in pictures:
        for own in _own_sets(name, sets):
            members[own].add(name)
    for image_set in _lists(folder, index):
        members[image_set] = _listed(folder, index, image_set) or set()
    distinct: Dict[frozenset, str] = {}
    for image_set in sorted(members, key=lambda one: (not has_purpose(one), one)):
        distinct.setdefault(frozenset(members[image_set]), image_set)
    named = {name: content for content, name in distinct.items() if has_purpose(name)}
    if named:
        known = set().union(*named.values())
        kept = [*named, *(name for content, name in distinct.items() if not content & known)]
    else:
        kept = [name for content, name in distinct.items() if not any(other < content for other in distinct)]
    return sorted(kept) or [ALL]


def _own_sets(name, sets) -> Set[str]:
    return set(sets) or {part for part in posixpath.dirname(name).split('/') if part.lower() not in _NO_SETS} - {''}


def _listed(folder, index, image_set) -> Optional[Set[str]]:
    """Names of pictures that a set's list has; None if there is no list."""
    if not image_set or '/' in image_set or '\0' in image_set or image_set.startswith('.'):
        return None
    for place in _LISTS:
        path = os.path.join(folder, *place, image_set + '.txt')
        if os.path.isfile(path):
            lines = [' '.join(line.split()) for _, line in read_lines(path, 'image list')]
            return {index.find(line) or index.find_stem(line) or line for line in lines}
    return None


def _lists(folder, index) -> Iterable[str]:
    """Names of the lists of pictures that are there; other texts, such as labels of one picture, are none."""
    for place in _LISTS:
        for name in folder_content(os.path.join(folder, *place))[1]:
            stem, ending = os.path.splitext(name)
            if ending == '.txt' and not name.startswith('.') and not index.find_stem(stem) and _is_list(
                    os.path.join(folder, *place, name), index):
                yield stem


def _is_list(path, index) -> bool:
    """Whether the first line of a file is a picture."""
    try:
        lines = read_lines(path, 'image list')
    except SniperError:
        return False
    first = ' '.join(lines[0][1].split()) if lines else ''
    return bool(first and (index.find(first) or index.find_stem(first)))

"""Which format the data in a folder has, which sets are there, and which of them to train and to test on by name."""
import os
import re
from typing import List, NamedTuple, Tuple

from lib.dataset.base import shortened
from lib.dataset.coco import annotated_sets
from lib.dataset.voc_folder import ALL, set_names
from lib.utils.errors import SniperError
from lib.utils.reachable import why_unreadable

_TEST, _VALIDATION = re.compile('test|eval|holdout', re.IGNORECASE), re.compile('val|dev', re.IGNORECASE)
_TRAINING = re.compile('train', re.IGNORECASE)
_BOTH = re.compile('train.?val', re.IGNORECASE)


class ImageSets(NamedTuple):
    """What a folder holds. format: for dataset.dataset; names: all sets with annotations; training: to train on;
    test: to test on, one of the training sets where there is no other."""

    format: str
    names: Tuple[str, ...]
    training: Tuple[str, ...]
    test: str

    @property
    def shared(self) -> bool:
        """Whether the test set is trained on too, for there is no other."""
        return self.test in self.training


def find_image_sets(folder: str) -> ImageSets:
    """SniperError, with what was looked for, if the folder is none of the formats."""
    reason = why_unreadable(folder, folder=True)
    if reason:
        raise SniperError(f'{folder} {reason}: give the folder of a data set')
    found = [('coco', annotated_sets(folder)), ('PascalVOC', _voc_sets(folder))]
    for name, sets in found:
        if sets:
            return ImageSets(name, tuple(sets), *choose_sets(sets))
    raise SniperError(f'{folder} holds no data set that is known here: neither '
                      f'{os.path.join("annotations", "instances_<set>.json")} (COCO) nor VOC<year> or Annotations with '
                      'XML files (PASCAL VOC)')


def _voc_sets(folder) -> List[str]:
    try:
        return set_names(folder)
    except SniperError:
        return []


def choose_sets(names) -> Tuple[Tuple[str, ...], str]:
    """Names of sets -> (those to train on, the one to test on).

    Tested is on a set called test, else on one called val; what else is called train or val is trained on. A union of
    both ('trainval') stands back where its parts are there.
    """
    names = list(names)
    tests = [name for name in names if _TEST.search(name)]
    training = [name for name in names if _TRAINING.search(name) and not _BOTH.search(name)]
    validation = [name for name in names if _VALIDATION.search(name) and not _BOTH.search(name) and name not in tests]
    unions = [name for name in names if _BOTH.search(name)]
    test = (tests or validation or names[-1:])[0]
    if tests and not training and unions:
        chosen = unions
    else:
        chosen = training + (validation if tests else [])
    chosen = [name for name in chosen if name != test] or [name for name in names if name != test
                                                            and name not in tests + unions][:1] or [test]
    return tuple(chosen), test


def checked_sets(found: ImageSets, training: str, test: str) -> ImageSets:
    """The same with sets that a person named, training sets joined by '+'; '' leaves what was found."""
    chosen = tuple(name.strip() for name in training.split('+')) if training else found.training
    unknown = [name for name in (*chosen, test or found.test) if name not in found.names]
    if unknown:
        raise SniperError(f'there is no annotated set {unknown[0]!r}; sets: {shortened(found.names, 15)}')
    if training and not test and found.test in chosen:
        rest = [name for name in found.names if name not in chosen]
        test = rest[0] if rest else chosen[-1]
    elif test and not training:
        chosen = tuple(name for name in chosen if name != test) or (test,)
    return found._replace(training=chosen, test=test or found.test)


def is_union(name: str) -> bool:
    """Whether a set's name says that it holds others."""
    return name == ALL or bool(_BOTH.search(name))

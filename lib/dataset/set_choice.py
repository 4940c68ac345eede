"""Which sets are trained and tested on, by their names alone."""
import re
from typing import Iterable, Tuple

ALL = 'all'     # what everything is called where no set is named
_TEST, _VALIDATION = re.compile('test|eval|holdout', re.IGNORECASE), re.compile('val|dev', re.IGNORECASE)
_TRAINING = re.compile('train', re.IGNORECASE)
_BOTH = re.compile('train.?val', re.IGNORECASE)


def choose_sets(names: Iterable[str]) -> Tuple[Tuple[str, ...], str]:
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


def is_union(name: str) -> bool:
    """Whether a set's name says that it holds others."""
    return name == ALL or bool(_BOTH.search(name))


def has_purpose(name: str) -> bool:
    """Whether a set's name says what it is for: training, validation or test."""
    return any(purpose.search(name) for purpose in (_TRAINING, _VALIDATION, _TEST))


def is_to_test_on(name: str) -> bool:
    """Whether a set's name says that it is for validation or test."""
    return bool(_TEST.search(name) or _VALIDATION.search(name) and not _BOTH.search(name))

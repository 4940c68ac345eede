"""Which outputs of a network keep the weights that it begins with: those of classes and anchors that both have.

A row of a head's last layers belongs to a class or an anchor, as its task says (Task.output_rows). Weights of other
classes, or of another number of them, lend the rows that mean the same; the others are initialised.
"""
import copy
from typing import Any, Dict, List, NamedTuple, Sequence

import numpy as np

from configs.keys import declared_keys, plain_value, value_of
from lib.dataset.class_list import BACKGROUND
from lib.dataset.class_names import NOWHERE, match_classes, named
from lib.tasks import get_task
from lib.utils.errors import SniperError
from lib.weights.initial import InitialWeights
from lib.weights.parameter_matching import shortened

LISTED = 6      # layers in one line


class KeptRows(NamedTuple):
    """sources: array name -> (rows,) int64, for each row of the network's array that of the file's, NOWHERE where it is
    new, of arrays that are not taken over as they are. kept, new, left: classes that both have, that only the data set
    has, and that only the file has."""

    sources: Dict[str, np.ndarray]
    kept: Sequence[str] = ()
    new: Sequence[str] = ()
    left: Sequence[str] = ()

    def lines(self) -> List[str]:
        """What to say of it."""
        said = []
        if self.sources:
            rows = [f'{(source != NOWHERE).sum()} of {len(source)} of {name}' for name, source in self.sources.items()]
            said.append(f'Rows of outputs that are kept: {shortened(rows, listed=LISTED)}; the others are new')
        if self.new or self.left:
            said.append(f'Classes: {named(self.kept) or "none"} kept; {named(self.new) or "none"} new; '
                        f'{named(self.left) or "none"} of the weights given up')
        return said


def kept_rows(config, classes: Sequence[str], start: InitialWeights, shapes: Dict[str, tuple],
              given: Dict[str, tuple], counted: int = 0) -> KeptRows:
    """classes: of the training, background first, () if nobody knows them; shapes, given: {name: shape} of the
    network's arrays and of the file's; counted: classes that these tell, where the side file does not name them."""
    classes = tuple(classes) or (BACKGROUND, *(f'class {label}' for label in range(1, config.dataset.NUM_CLASSES)))
    ours, theirs, match = _labels(classes, start.classes, counted)
    now = get_task(config).output_rows(ours)
    then = get_task(_as_trained(config, start.sidecar.get('config'))).output_rows(theirs)
    sources = {}
    for name, rows in now.items():
        before = then.get(name, [])
        if not (name in shapes and name in given and len(before) == given[name][0] and len(rows) == shapes[name][0]):
            continue
        place = {label: row for row, label in enumerate(before)}
        source = np.array([place.get(label, NOWHERE) for label in rows], np.int64)
        if given[name][1:] == shapes[name][1:] and (len(source) != len(before)
                                                    or (source != np.arange(len(source))).any()):
            sources[name] = source
    return KeptRows(sources, *match)


def _labels(classes, known, counted):
    """What the network's classes and the file's are called, so that equal ones are called alike; (kept, new, left)."""
    if not known:
        if counted in (0, len(classes)):
            return classes, classes, ((), (), ())
        nameless = tuple(f'class {label} of the weights' for label in range(1, counted))
        return tuple((name, 'new') if label else name for label, name in enumerate(classes)), \
            classes[:1] + nameless, ((), classes[1:], nameless)
    match = match_classes(classes, known)
    ours = tuple((name, 'new') if label == NOWHERE else known[label] for name, label in zip(classes, match.labels))
    kept = [name for name, label in zip(classes[1:], match.labels[1:]) if label != NOWHERE]
    return ours, known, (kept, match.unknown, match.absent)


def _as_trained(config, before: Any):
    """A copy of the configuration in which the task's row_keys are those of the training of the weights."""
    task = get_task(config)
    earlier, keys = copy.deepcopy(config), declared_keys()
    for name in task.row_keys if isinstance(before, dict) else ():
        if name in before and before[name] != plain_value(value_of(config, name)):
            section, _, last = name.rpartition('.')
            try:
                earlier[section][last] = keys[name].kind.convert(before[name])
            except (ValueError, OverflowError, SniperError):
                pass    # a side file is not trusted: what it says wrongly counts as not said
    return earlier


def with_kept_rows(array: np.ndarray, given: np.ndarray, source: np.ndarray) -> np.ndarray:
    """A copy of the network's first values in which kept rows are those of the file. source: of KeptRows."""
    found, kept = array.copy(), source != NOWHERE
    found[kept] = given[source[kept]]
    return found

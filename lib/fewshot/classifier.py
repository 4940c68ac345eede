"""Classes learnt from whole pictures: a linear classifier, the features it was learnt from, and its file.

The file keeps these features, so that classes are added later without the old pictures, and what they depend on
(weights, configuration), so that it is used with no other network. It is lib.utils.npz: nothing in it is executed or
believed.
"""
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np

from lib.dataset.class_list import BACKGROUND
from lib.dataset.class_names import named
from lib.fewshot.linear import PENALTY, Linear, fit, log_softmax
from lib.utils.errors import SniperError
from lib.utils.npz import DamagedFile, differences, read_npz, write_npz

FORMAT = 'classifier format'
MEND = 'learn its classes anew, by python -m lib.fewshot FOLDER'


class Examples(NamedTuple):
    """Pictures of known class. features: (n, V, D) float32, V views of each; labels: (n,) from 0; digests: of the
    files."""
    features: np.ndarray
    labels: np.ndarray
    digests: Tuple[str, ...]


class FewShotClassifier:
    """classes: K names, in the order of the labels. examples: what was learnt from. origin: what features depend on
    (FeatureNetwork.origin). penalty: see lib.fewshot.linear. linear: what was learnt; None = learn it."""

    def __init__(self, classes: Sequence[str], examples: Examples, origin: dict, penalty: float = PENALTY, linear=None):
        """SniperError: fewer than two classes, a class without an example."""
        self.classes, self.examples, self.origin, self.penalty = tuple(classes), examples, dict(origin), penalty
        without = sorted(set(range(len(self.classes))) - set(examples.labels.tolist()))
        if without:
            raise SniperError(f'nothing can be learnt of {named([self.classes[label] for label in without])}: none of '
                              'the pictures can be read')
        if len(self.classes) < 2:
            raise SniperError('one class alone cannot be told from anything: give two at least')
        self.linear = linear if linear is not None else self._fit()

    def _fit(self):
        features = self.examples.features
        views = features.shape[1]
        return fit(features.reshape(-1, features.shape[2]), np.repeat(self.examples.labels, views), len(self.classes),
                   self.penalty)

    @property
    def settings(self) -> dict:
        """How a FeatureNetwork is made that gives such features: kind, scales, mirrored."""
        return {name: self.origin[name] for name in ('kind', 'scales', 'mirrored')}

    def of_pictures(self, features: np.ndarray) -> np.ndarray:
        """(n, V, D) of whole pictures -> (n, K) probabilities: the views' geometric mean."""
        return np.exp(log_softmax(self.linear.log_probabilities(features).mean(axis=1)))

    def of_objects(self, features: np.ndarray) -> np.ndarray:
        """(n, D) of boxes -> (n, K) probabilities."""
        return np.exp(self.linear.log_probabilities(features.reshape(-1, len(self.linear.weight))))

    def extended(self, classes: Sequence[str], examples: Examples) -> 'FewShotClassifier':
        """Another one that knows these classes too; labels of `examples` are places in `classes`. Old classes keep
        their names, order and examples; what is new of them joins. Pictures that are known of a class are not taken
        twice."""
        names = list(self.classes) + [name for name in classes if name not in self.classes]
        labels = np.array([names.index(name) for name in classes], np.int64)[examples.labels]
        known = set(zip(self.examples.digests, self.examples.labels.tolist()))
        new = [number for number, pair in enumerate(zip(examples.digests, labels.tolist())) if pair not in known]
        old = self.examples
        return FewShotClassifier(names, Examples(
            np.concatenate([old.features, examples.features[new]]), np.concatenate([old.labels, labels[new]]),
            old.digests + tuple(examples.digests[number] for number in new)), self.origin, self.penalty)

    def check_network(self, origin: dict, name: str = 'the classifier') -> None:
        """SniperError unless features of a network with this origin are those that it was learnt from."""
        others = differences(self.origin, origin)
        if others:
            raise SniperError(f'{name} was learnt with other {named(others)} than the network has now: give the --cfg, '
                              f'weights and --set of then, or {MEND}')

    def save(self, path: str) -> None:
        """Write the file. SniperError if the disk refuses."""
        write_npz(path, {'classes': np.array(self.classes, np.str_), 'features': self.examples.features,
                         'labels': self.examples.labels.astype(np.int64),
                         'digests': np.array(self.examples.digests, np.str_), 'weight': self.linear.weight,
                         'bias': self.linear.bias}, {FORMAT: 1, 'penalty': self.penalty, 'features': self.origin})

    @classmethod
    def load(cls, path: str) -> 'FewShotClassifier':
        """Of a file that `save` wrote. SniperError: there is none, it is damaged or another file."""
        try:
            arrays, origin = read_npz(path, mend=MEND)
        except OSError as error:
            raise SniperError(f'classifier {path} cannot be read: {error.strerror or error}') from None
        wrong = '' if origin.get(FORMAT) == 1 else 'it is no classifier of this program'
        wrong = wrong or _misfit(arrays, origin)
        if wrong:
            raise DamagedFile(path, wrong, MEND)
        examples = Examples(arrays['features'], arrays['labels'], tuple(arrays['digests'].tolist()))
        return cls(arrays['classes'].tolist(), examples, origin['features'], float(origin['penalty']),
                   Linear(arrays['weight'], arrays['bias']))


_KINDS = {'classes': ('U', 1), 'features': ('f', 3), 'labels': ('i', 1), 'digests': ('U', 1), 'weight': ('f', 2),
          'bias': ('f', 1)}


def _misfit(arrays, origin) -> str:
    """What is wrong with the arrays of a classifier; ''."""
    wrong = [name for name, (kind, axes) in _KINDS.items()
             if name not in arrays or arrays[name].dtype.kind != kind or arrays[name].ndim != axes]
    if wrong:
        return f'its array {wrong[0]} is missing or of another kind'
    classes, (count, views, dimensions) = arrays['classes'].tolist(), arrays['features'].shape
    facts: List[Tuple[bool, str]] = [
        (arrays['weight'].shape == (dimensions, len(classes)) and arrays['bias'].shape == (len(classes),) and views > 0,
         'its arrays do not fit each other'),
        (arrays['labels'].shape == arrays['digests'].shape == (count,), 'its examples do not fit each other'),
        (len(set(classes)) == len(classes) and all(classes) and BACKGROUND not in classes, 'its classes have no names'),
        (bool(count) and 0 <= arrays['labels'].min() <= arrays['labels'].max() < len(classes),
         'its labels are of no class'),
        (1 < len(classes) == len(set(arrays['labels'].tolist())), 'it has classes without examples, or one alone'),
        (all(np.isfinite(arrays[name]).all() for name in ('features', 'weight', 'bias')), 'it holds no numbers'),
        (_are_settings(origin.get('features')) and isinstance(origin.get('penalty'), (int, float)),
         'it does not say what it was learnt with')]
    return next((why for fine, why in facts if not fine), '')


def _are_settings(origin) -> bool:
    scales = origin.get('scales') if isinstance(origin, dict) else None
    return (isinstance(scales, list) and all(isinstance(index, int) for index in scales)
            and isinstance(origin.get('kind'), str) and isinstance(origin.get('mirrored'), bool))

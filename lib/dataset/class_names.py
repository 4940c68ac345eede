"""Which class of one list is which of another: by name, never by position.

Exports of the same data differ in the order of classes, leave out those that do not occur, and spell names anew. Equal
names are the same class. Of what remains, two names are taken for one class only if they differ in how they are
written (case, blanks, underscores, hyphens, dots, Unicode's composed and compatible letters, or a plural's ending) and
if nothing else on either side could be meant. Everything else has no partner.
"""
import collections
import re
import unicodedata
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple

SHOWN = 10  # names in a message
NOWHERE = -1
SHORTEST = 3        # letters of a word that has a plural
_ANOTHER_THING = ('glass', 'short', 'good')     # glasses are worn, shorts too

# Between letters or digits: 'traffic_light', 'traffic-light', 'traffic light'. Not in front: -1 is not 1.
_SEPARATORS = re.compile(r'(?<=[^\W_])[\s_./\-\u2010-\u2015]+(?=[^\W_])')
_NOT_BETWEEN_DIGITS = re.compile(r'(?<!\d) | (?!\d)')  # '1-0' is not '10'


class ClassMatch(NamedTuple):
    """A list of class names beside another one.

    labels: for every name of the one, its position in the other, NOWHERE where it has none; respelt: pairs (name of
    the one, name of the other) that are written differently; unknown: names of the one without a partner; absent: names
    of the other without one.
    """
    labels: Tuple[int, ...]
    respelt: List[Tuple[str, str]]
    unknown: List[str]
    absent: List[str]

    @property
    def exact(self) -> bool:
        """Whether both lists are the same, in the same order."""
        return not self.absent and not self.respelt and self.labels == tuple(range(len(self.labels)))

    def respelt_text(self) -> str:
        """'Star is star, Box is box'."""
        return named([f'{name} is {known}' for name, known in self.respelt])


def match_classes(names: Sequence[str], known: Sequence[str]) -> ClassMatch:
    """Partners of `names` among `known`; both with the background, or both without."""
    labels = [NOWHERE] * len(names)
    free: Dict[str, list] = collections.defaultdict(list)
    for label, name in reversed(list(enumerate(known))):
        free[name].append(label)
    for index, name in enumerate(names):
        if free[name]:
            labels[index] = free[name].pop()
    equal = list(labels)
    for form in (_plain, _closed):
        _pair_by_form(names, known, labels, form)
    _pair_plurals(names, known, labels)
    taken = set(labels)
    return ClassMatch(tuple(labels),
                      [(name, known[label]) for name, label, before in zip(names, labels, equal) if label != before],
                      [name for name, label in zip(names, labels) if label == NOWHERE],
                      [name for label, name in enumerate(known) if label not in taken])


def named(items: Sequence[str], shown: int = SHOWN) -> str:
    """The first few, joined by commas, and how many more there are."""
    more = len(items) - shown
    return ', '.join(items[:shown]) + (f' and {more} more' if more > 0 else '')


def _open_by_form(names, known, labels, form: Callable[[str], str]):
    """({form: positions}, the same of `known`) of the names on both sides that have no partner yet."""
    taken = set(labels)
    of_one, of_other = collections.defaultdict(list), collections.defaultdict(list)
    for index, label in enumerate(labels):
        if label == NOWHERE:
            of_one[form(names[index])].append(index)
    for label in range(len(known)):
        if label not in taken:
            of_other[form(known[label])].append(label)
    return of_one, of_other


def _pair_by_form(names, known, labels, form: Callable[[str], str]):
    """Pair those whose `form` only one name has on either side."""
    of_one, of_other = _open_by_form(names, known, labels, form)
    for written, indices in of_one.items():
        if written and len(indices) == len(of_other[written]) == 1:
            labels[indices[0]] = of_other[written][0]


def _pair_plurals(names, known, labels):
    """Pair those of which one is the other's plural, and nobody else's."""
    of_one, of_other = _open_by_form(names, known, labels, _closed)
    pairs = {(index, label) for text, indices in of_one.items() for many in _plurals(text)
             for label in of_other.get(many, ()) for index in indices}
    pairs |= {(index, label) for text, labels_of_text in of_other.items() for many in _plurals(text)
              for index in of_one.get(many, ()) for label in labels_of_text}
    times = collections.Counter(('one', index) for index, _ in pairs)
    times.update(('other', label) for _, label in pairs)
    for index, label in pairs:
        if times['one', index] == times['other', label] == 1:
            labels[index] = label


def _plain(name):
    """Case, compatible letters, invisible ones and the kind of separators do not count."""
    text = ''.join(letter for letter in unicodedata.normalize('NFKC', name) if unicodedata.category(letter) != 'Cf')
    text = unicodedata.normalize('NFKC', text.casefold())
    return _SEPARATORS.sub(' ', text.strip(' _\t\r\n'))


def _closed(name):
    """Separators do not count at all, but for those between digits."""
    return _NOT_BETWEEN_DIGITS.sub('', _plain(name))


def _plurals(one):
    """'boxes' of 'box', 'cars' of 'car', 'berries' of 'berry'. Codes of one or two letters have none, nor have words
    whose plural is another thing."""
    if len(one) < SHORTEST or not one[-1].isalpha() or one.endswith(_ANOTHER_THING):
        return ()
    hissing = one.endswith(('s', 'x', 'z', 'ch', 'sh'))
    return (() if hissing else (one + 's',)) + ((one + 'es',) if hissing or one[-1] == 'o' else ()) + (
        (one[:-1] + 'ies',) if one[-1] == 'y' else ())

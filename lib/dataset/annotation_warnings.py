"""Counting what is wrong with single annotations, so that a warning is one line a kind."""
import collections
import logging

logger = logging.getLogger(__name__)

NAMED_IN_WARNING = 5  # how many annotations a warning names
LARGEST = 1e9  # no size, coordinate or area of an image is larger


class Oddities:
    """Counts what is wrong with single annotations; one warning line a kind, naming the file."""

    def __init__(self, path):
        self.path = path
        self.kinds = collections.OrderedDict()

    def add(self, kind, identity):
        self.kinds.setdefault(kind, []).append(identity)

    def log(self):
        for kind, identities in self.kinds.items():
            logger.warning('%s: %d %s (annotation %s)', self.path, len(identities), kind, shortened(identities))


def is_number(value):
    """A number of sensible size: not NaN, not infinite (true and false are no numbers)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def shortened(values, limit=NAMED_IN_WARNING):
    """The first few, joined by commas."""
    return ', '.join(map(str, values[:limit])) + (', ...' if len(values) > limit else '')

"""Draws that come from a recording of the original: a list of [function, arguments, result]."""
import json

import numpy as np

from lib.utils.draws import Draws


class RecordedDraws(Draws):
    """Gives recorded results in their order, and asserts that they are asked for with the recorded arguments.

    ways: what a recorded result of `choice` means, by its text; what is chosen with a number is recorded as randrange.
    """

    def __init__(self, recording, ways=()):
        super().__init__(np.random.default_rng(0))
        self.left = json.loads(str(recording))
        self._ways = dict(ways)

    def _next(self, name, *arguments):
        function, expected, result = self.left.pop(0)
        assert function == name
        np.testing.assert_allclose(arguments, expected, rtol=1e-12)
        return result

    def choice(self, options):
        if self.left[0][0] == 'randrange':
            return options[self.below(len(options))]
        function, _, result = self.left.pop(0)
        assert function == 'choice'
        found = self._ways[json.dumps(result)]
        assert found in options
        return found

    def uniform(self, low, high):
        return self._next('uniform', low, high)

    def share(self):
        return self._next('random')

    def below(self, count):
        return self._next('randrange', count)

    def between(self, low, high):
        return self._next('randint', low, high)

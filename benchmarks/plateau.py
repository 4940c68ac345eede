"""Training until it stops improving: in parts, with a test after each. A run that was ended goes on where it was.

What was measured stands in FOLDER/curve.json. The learning rate stays as configured until the test has not improved
for some parts; then come parts at a tenth of it, whose last gives the figures. So each training takes as long as it
needs, and none is judged in the middle of a high rate.
"""
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, NamedTuple, Sequence

from benchmarks.accuracy import ROOT, read_metrics, run
from lib.utils.errors import SniperError
from lib.utils.files import text_writer

LEAST_GAIN = 0.002  # of AP; less is no improvement
FINAL = 0.1         # share of the learning rate in the last parts


class Stopping(NamedTuple):
    """When a training ends."""

    patience: int   # parts without a better AP, after which the rate falls
    most: int       # parts before the rate falls, whatever AP does
    final: int = 1  # parts at the low rate


def words(keys: dict) -> List[str]:
    """{configuration key: value} -> list for --set."""
    return [str(word) for pair in keys.items() for word in pair]


def parts_at_full_rate(scores: List[float], stopping: Stopping) -> int:
    """AP after each part so far -> number of parts after which the rate falls; 0 while nobody knows."""
    best, best_at = float('-inf'), 0
    for number, score in enumerate(scores[:stopping.most], start=1):
        if score > best + LEAST_GAIN:
            best, best_at = score, number
        if number - best_at >= stopping.patience or number == stopping.most:
            return number
    return 0


class PlateauTraining:
    """One training in a folder of its own.

    keys: configuration of training and test, an epoch being a part; test_keys: of the tests after the parts. More
    tests of the finished training are measured by `test`. given: list for --set that comes before these keys; program:
    runs a program of the repository and returns its seconds. All is kept, so that nothing is computed twice.
    """

    def __init__(self, cfg: str, folder: str, keys: dict, test_keys: dict, stopping: Stopping, given=(), program=run):
        self.cfg, self.folder, self.keys, self.test_keys = cfg, folder, dict(keys), dict(test_keys)
        self.stopping, self.given, self.program = stopping, list(given), program
        self.state = self._read()

    @property
    def curve(self) -> List[dict]:
        """Metrics after each part."""
        return self.state['curve']

    @property
    def fell_after(self) -> int:
        """Parts at the full rate; 0 while nobody knows."""
        return parts_at_full_rate([metrics['AP'] for metrics in self.curve], self.stopping)

    @property
    def finished(self) -> bool:
        """Whether no part is left."""
        return self.fell_after > 0 and len(self.curve) >= self.fell_after + self.stopping.final

    def run_part(self) -> None:
        """Train the next part and test."""
        done, fell = len(self.curve), self.fell_after
        keys = dict(self.keys, **{'TRAIN.end_epoch': done + 1, 'TRAIN.LR_POLICY': 'step'})  # a cosine knows its end
        if fell:
            keys.update({'TRAIN.lr_step': fell, 'TRAIN.lr_factor': FINAL})
        seconds = self.program('main_train.py', '--cfg', self.cfg, '--resume', '--set', *self._words(keys))
        metrics = self._measure(done + 1, self.test_keys)
        self.curve.append(dict(metrics, low_rate=bool(fell), seconds=round(seconds)))
        self._write()

    def test(self, name: str, test_keys: dict) -> Dict[str, float]:
        """Metrics of the last checkpoint with other keys of the test."""
        if name not in self.state['tests']:
            self.state['tests'][name] = self._measure(len(self.curve), test_keys)
            self._write()
        return self.state['tests'][name]

    def _measure(self, epoch, test_keys):
        keys = dict(self.keys, **{'TEST.TEST_EPOCH': epoch}, **test_keys)
        self.program('main_test.py', '--cfg', self.cfg, '--set', *self._words(keys))
        return {name: round(value, 4) for name, value in read_metrics(self.folder).items()
                if isinstance(value, float)}

    def _words(self, keys):
        return self.given + words(dict(keys, output_path=self.folder))

    @property
    def _path(self):
        return os.path.join(ROOT, self.folder, 'curve.json')

    def _read(self):
        told = {'cfg': self.cfg, 'keys': self.given + words(self.keys), 'test_keys': words(self.test_keys)}
        if not os.path.exists(self._path):
            return dict(told, curve=[], tests={})
        with open(self._path, encoding='utf-8') as stream:
            state = json.load(stream)
        if {name: state[name] for name in told} != told:
            raise SniperError(f'{self.folder} holds a training with other settings: give another --out')
        return state

    def _write(self):
        with text_writer(self._path) as stream:
            json.dump(self.state, stream, indent=1)


def run_all(trainings: Sequence[PlateauTraining], jobs: int = 1) -> None:
    """Train all until they stop, `jobs` at a time: the next part is one of the training that has fewest, of these the
    first, so that whenever this is ended, all have seen about as much."""
    lock, busy = threading.Lock(), set()

    def work(_):
        while True:
            with lock:
                left = [training for training in trainings if not training.finished and training.folder not in busy]
                if not left:
                    return
                chosen = min(left, key=lambda training: len(training.curve))
                busy.add(chosen.folder)
            chosen.run_part()
            with lock:
                busy.remove(chosen.folder)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, range(jobs)))

"""What a training measures of itself, for programs: readings of the batches, results of validations.

Each of these goes to every recorder of a run: the file of JSON lines here, TensorBoard's in lib.train.tensorboard.
"""
import math
import time
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from lib.utils.json_lines import LineWriter


class Place(NamedTuple):
    """Where a training is. step: batches trained since it began; epoch: of which this is number, from 1; batch: batches
    of it that are trained, of `batches`."""
    step: int
    epoch: int
    batch: int
    batches: int


class Reading(NamedTuple):
    """The batches since the reading before. averages: of the training metrics over them, nan for none; rate: learning
    rate; waiting: share of the time that was spent waiting for data."""
    place: Place
    averages: Sequence[Tuple[str, float]]
    rate: float
    chips_per_second: float
    waiting: float


class Validation(NamedTuple):
    """What a validation found. metric: name of what counts in `metrics`; best: whether it is the best so far; images:
    that were looked at; unreadable: of these; averaged: whether the averaged weights were tested."""
    place: Place
    metric: str
    metrics: Mapping[str, float]
    images: int
    unreadable: int
    seconds: float
    best: bool
    averaged: bool

    @property
    def value(self) -> float:
        """By which weights are better or worse."""
        return self.metrics[self.metric]


class Recorder:
    """Takes readings and validations in."""

    def reading(self, reading: Reading) -> None:
        """Of some batches."""

    def validation(self, validation: Validation) -> None:
        """A validation."""

    def close(self) -> None:
        """The training ends."""


class MetricsFile(Recorder):
    """A JSON object a line, see docs/training.md; `step` (batches) tells their order.

    step: batches that were trained before this part of the run: lines about later ones, which a process has written
    that was killed afterwards, are taken out.
    """

    def __init__(self, path: str, step: int = 0):
        self._lines = LineWriter(path, lambda line: _is_before(line, step))

    def reading(self, reading):
        """A line with `training`."""
        self._lines.write(dict(reading.place._asdict(), time=_now(), rate=reading.rate,
                               chips_per_second=round(reading.chips_per_second, 3), waiting=round(reading.waiting, 4),
                               training=_rounded(reading.averages)))

    def validation(self, validation):
        """A line with `validation`."""
        self._lines.write(dict(validation.place._asdict(), time=_now(), validation=_rounded(validation.metrics.items()),
                               metric=validation.metric, best=validation.best, averaged=validation.averaged,
                               images=validation.images, unreadable=validation.unreadable,
                               seconds=round(validation.seconds, 2)))


class Recorders(Recorder):
    """Several as one; a context manager that closes them."""

    def __init__(self, recorders: Sequence[Recorder]):
        self._recorders: List[Recorder] = list(recorders)

    def reading(self, reading):
        """To all of them."""
        for recorder in self._recorders:
            recorder.reading(reading)

    def validation(self, validation):
        """To all of them."""
        for recorder in self._recorders:
            recorder.validation(validation)

    def close(self):
        """All of them."""
        while self._recorders:
            self._recorders.pop().close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def numbers(pairs: Iterable[Tuple[str, float]]) -> Dict[str, Optional[float]]:
    """For JSON, which has no nan: None in its place."""
    return {name: float(value) if math.isfinite(value) else None for name, value in pairs}


def _rounded(pairs):
    return numbers((name, round(float(value), 6)) for name, value in pairs)


def _is_before(line: Mapping[str, Any], step: int) -> bool:
    return isinstance(line.get('step'), int) and line['step'] <= step


def _now():
    return time.strftime('%Y-%m-%dT%H:%M:%S')

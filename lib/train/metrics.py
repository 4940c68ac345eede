"""Training metrics: running averages of what the task wants reported (lib.tasks, Task.metrics).

Source: reference/pipeline.md section 11. Every metric is a sum over labels that are not -1, divided by their number.
Accuracies compare the largest class with the label; log losses are -log(p + 1e-14) of the labelled class; L1 losses
are the sum of the (already weighted) loss output.

Everything here is NumPy: the loop copies the outputs asynchronously and reads them one batch late.
"""
import re
from typing import Dict, List, Sequence, Tuple

import numpy as np

from lib.tasks import Metric

EPSILON = 1e-14
LOSSES = ('log_loss', 'l1')  # kinds of which a value that is not finite ends a training
_NUMBERED = re.compile(r'(.*?)(\d+)_output$')


def classification_sums(prob: np.ndarray, label: np.ndarray, class_axis: int) -> Tuple[int, float, int]:
    """Sums of one batch of a softmax.

    prob: (..., C, ...) with the classes along `class_axis`; label: any shape with as many numbers as prob has
    distributions, in the order that remains when class_axis is taken away; -1 = not measured.
    -> (number of hits, sum of -log(p + 1e-14), number measured)
    """
    prob = np.moveaxis(prob, class_axis, 0)
    prob = prob.reshape(prob.shape[0], -1)                                           # (C, n)
    label = np.asarray(label).reshape(-1)
    measured = np.flatnonzero(label != -1)
    label = label[measured].astype(np.int64)
    prob = prob[:, measured]
    picked = prob[label, np.arange(label.size)]
    hits = int((prob.argmax(axis=0) == label).sum())
    return hits, float(-np.log(picked.astype(np.float64) + EPSILON).sum()), label.size


def find_output(name: str, output_names: Sequence[str]) -> str:
    """The output that a task calls `name`. ValueError if the graph has none.

    MXNet numbers nodes without a name by session: what is `blockgrad0` in the first graph of a process can be
    `blockgrad7` in the next. The number counts among the outputs of that kind.
    """
    if name in output_names:
        return name
    stem, number = _NUMBERED.match(name).groups() if _NUMBERED.match(name) else (name, '0')
    alike = [match.groups() for match in map(_NUMBERED.match, output_names) if match and match.group(1) == stem]
    places = sorted(int(place) for _, place in alike)
    if int(number) >= len(places):
        raise ValueError(f'the graph has no output {name!r}; it has {", ".join(output_names)}')
    return f'{stem}{places[int(number)]}_output'


class TrainMetrics:
    """Running averages over an epoch.

    metrics: of the task. output_names: of the training graph. label_names: of the inputs that are labels.
    """

    def __init__(self, metrics: Sequence[Metric], output_names: Sequence[str], label_names: Sequence[str]):
        labels = set(label_names)
        self.metrics = [metric._replace(
            output=find_output(metric.output, output_names),
            label=metric.label if metric.label in labels or not metric.label
            else find_output(metric.label, output_names)) for metric in metrics]
        used = {name for metric in self.metrics for name in (metric.output, metric.label)}
        self.needed_outputs = [name for name in output_names if name in used and name not in labels]
        self.needed_labels = [name for name in label_names if name in used]
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new epoch begins."""
        self._sums = {metric.name: [0.0, 0] for metric in self.metrics}

    def update(self, outputs: Dict[str, np.ndarray], labels: Dict[str, np.ndarray]) -> Dict[str, float]:
        """Take in one batch: arrays by name. -> {metric: sum over this batch} of the losses."""
        losses, sums = {}, {}  # sums: those of a softmax, which several metrics share
        for metric in self.metrics:
            output = outputs[metric.output]
            label = labels[metric.label] if metric.label in labels else outputs.get(metric.label)
            if metric.kind == 'l1':
                count = len(output) if label is None else int(np.count_nonzero(label != -1))
                value = float(output.sum(dtype=np.float64))
            else:
                key = metric[2:]
                if key not in sums:
                    sums[key] = classification_sums(output, label, metric.class_axis)
                hits, log_loss, count = sums[key]
                value = hits if metric.kind == 'accuracy' else log_loss
            self._sums[metric.name][0] += value
            self._sums[metric.name][1] += count
            if metric.kind in LOSSES:
                losses[metric.name] = value
        return losses

    def values(self) -> List[Tuple[str, float]]:
        """[(name, average)], nan where nothing was measured yet."""
        return [(name, total / count if count else float('nan')) for name, (total, count) in self._sums.items()]

    def get_state(self) -> Dict[str, list]:
        """What `set_state` needs to go on: plain lists for a JSON file (floats survive it exactly)."""
        return {name: list(pair) for name, pair in self._sums.items()}

    def set_state(self, state: Dict[str, list]) -> None:
        """Continue from `get_state`; metrics that the state does not have start at zero."""
        for name, pair in state.items():
            if name in self._sums:
                self._sums[name] = [float(pair[0]), int(pair[1])]

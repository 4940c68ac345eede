"""Averaged weights: an exponential moving average of all that a training changes (Polyak and Juditsky 1992).

After update n, mean = d * mean + (1 - d) * weights with d = min(decay, (1 + n) / (10 + n)): the smaller d of the first
updates lets go of the weights that training began with. Statistics of batch norms are averaged in the same way: those
of the trained network belong to weights that the mean has not reached yet.
"""
import logging
from typing import Any, Dict, Optional, Tuple

from lib.distributed.workers import ALONE, Workers
from lib.engine.training import TrainingStep
from lib.train.loop import Hook
from lib.utils.errors import SniperError
from lib.weights import checkpoint
from lib.weights.newest import Checkpoint
from lib.weights.paths import AVERAGE
from sniper_mxnet import mx

logger = logging.getLogger(__name__)

Parameters = Dict[str, Any]     # name -> NDArray


class WeightAverage(Hook):
    """The mean of the trained parameters and the statistics of `step`, in single precision; begins with these."""

    def __init__(self, step: TrainingStep, decay: float, workers: Workers = ALONE):
        self.step, self.decay, self.workers = step, decay, workers
        self.updates = 0
        weights, statistics = step.present_arrays()
        self._weights = {name: arrays[0].astype('float32') for name, arrays in weights.items()}
        self._statistics = {name: _mean(arrays) for name, arrays in statistics.items()}

    def after_update(self, batch):
        """Take the update in. The engine does not know who reads statistics: they are read before it gets the next."""
        self.updates += 1
        kept = min(self.decay, (1 + self.updates) / (10 + self.updates))
        weights, statistics = self.step.present_arrays()
        for name, mean in self._weights.items():
            mean += (1 - kept) * (weights[name][0].astype('float32') - mean)
        for name, mean in self._statistics.items():
            mean += (1 - kept) * (_mean(statistics[name]) - mean)
        mx.nd.waitall()

    def parameters(self, arg_params: Parameters, aux_params: Parameters) -> Tuple[Parameters, Parameters]:
        """The mean as a whole network; what is not trained is that of the arguments, those of `step`. All workers call
        it."""
        statistics = self.workers.mean({name: array.copyto(mx.cpu()) for name, array in self._statistics.items()})
        return (dict(arg_params, **{name: array.copyto(mx.cpu()) for name, array in self._weights.items()}),
                dict(aux_params, **statistics))

    def get_state(self) -> dict:
        """For the side file of a checkpoint."""
        return {'decay': self.decay, 'updates': self.updates}

    def load(self, prefix: str, found: Checkpoint) -> None:
        """Go on from a checkpoint. If it has no mean, this one begins there."""
        state = found.sidecar.get('average') or {}
        if not state:
            logger.info('TRAIN.EMA %g: the checkpoint has no averaged weights, the average begins here', self.decay)
            return
        if state.get('decay') != self.decay:
            logger.warning('TRAIN.EMA was %s and is %g now', state.get('decay'), self.decay)
        path, own = f'{prefix}-{found.tag}{AVERAGE}.params', {**self._weights, **self._statistics}
        values: Parameters = {}
        if self.workers.rank == 0:
            args, auxs = checkpoint.load_params(path)
            values = {name: array for name, array in {**args, **auxs}.items() if name in own}
        values = self.workers.arrays_from_first(values)
        for name, mean in own.items():
            if name not in values or values[name].shape != mean.shape:
                raise SniperError(f'{path} does not fit the network ({name}): resume with the configuration it was '
                                  'trained with, or with TRAIN.EMA 0')
            values[name].copyto(mean)
        self.updates = state['updates'] if isinstance(state.get('updates'), int) else 0


def make_average(decay: float, step: TrainingStep, prefix: str, found: Optional[Checkpoint],
                 workers: Workers) -> Optional[WeightAverage]:
    """The hook that TRAIN.EMA asks for, as the checkpoint `found` has left it; None for 0."""
    if not decay:
        return None
    average = WeightAverage(step, decay, workers)
    if found:
        average.load(prefix, found)
    return average


def _mean(arrays):
    """Of an array a device, in single precision, beside the first."""
    total = arrays[0].astype('float32')
    for array in arrays[1:]:
        total += array.astype('float32').as_in_context(total.context)
    return total / len(arrays)

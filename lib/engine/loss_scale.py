"""Dynamic loss scaling (Micikevicius et al. 2018, "Mixed precision training"): the factor on the losses finds itself.

Gradients in half precision vanish below 6e-8 and overflow above 65504. The losses are multiplied by a factor, and the
optimiser divides by it. Here it starts at TRAIN.scale, doubles after LOSS_SCALE_INTERVAL updates without overflow,
and is halved when a gradient is not finite; that update is left out.

The factor is an input of the graph, `loss_scale` (1,): no graph is built again for it. lib.engine.training applies it.
"""
import logging

from lib.engine.graph import Graph, Node, Value, variable
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

NAME = 'loss_scale'
LOSSES = ('SoftmaxOutput', 'MakeLoss')
SMALLEST, LARGEST = 2.0 ** -10, 2.0 ** 24


def with_loss_scale(symbol):
    """The training graph with the input `loss_scale` (1,), by which all its gradients are multiplied; outputs stay.

    Each loss operator reads x as stop(x) + s (x - stop(x)): the value is x, the derivative s.
    """
    graph = Graph(symbol)
    factor = variable(NAME, {'__shape__': '(1,)', '__dtype__': '0'})
    for node in graph.nodes():
        if node.op not in LOSSES:
            continue
        value, name = node.inputs[0], node.name + '_scaled'
        still = Value(Node('BlockGrad', name + '_stop', inputs=[value]))
        zero = Value(Node('elemwise_sub', name + '_zero', inputs=[value, still]))
        flat = Value(Node('Reshape', name + '_flat', {'shape': '(-1,)'}, [zero]))
        scaled = Value(Node('broadcast_mul', name + '_times', inputs=[flat, Value(factor)]))
        shaped = Value(Node('reshape_like', name + '_shape', inputs=[scaled, value]))
        node.inputs[0] = Value(Node('elemwise_add', name, inputs=[still, shaped]))
    return graph.symbol()


class LossScale:
    """The factor and its rule. `update(finite)` says how an update went and returns whether to make it."""

    def __init__(self, scale, interval):
        self.scale, self.interval, self.steady, self.skipped = float(scale), int(interval), 0, 0

    def update(self, finite):
        """-> finite. Halves or, in time, doubles the factor for the next batch; SniperError if it falls to nothing."""
        if finite:
            self.steady += 1
            if self.steady >= self.interval:
                self.scale, self.steady = min(2.0 * self.scale, LARGEST), 0
            return True
        self.scale, self.steady, self.skipped = 0.5 * self.scale, 0, self.skipped + 1
        if self.scale < SMALLEST:
            raise SniperError(f'the loss scale fell below {SMALLEST:g} and gradients still overflow: the training has '
                              'diverged; lower TRAIN.lr or set TRAIN.CLIP_GRADIENT, and go on with --resume')
        logger.info('a gradient overflowed: the update is left out, the loss scale is now %g', self.scale)
        return False

    def get_state(self):
        """For the side file of a checkpoint."""
        return {'scale': self.scale, 'steady': self.steady, 'skipped': self.skipped}

    def set_state(self, state):
        """What get_state gave; an empty dict changes nothing."""
        self.scale, self.steady, self.skipped = (state.get(name, getattr(self, name))
                                                 for name in ('scale', 'steady', 'skipped'))

"""A single-shot detector's loss, ours and in NumPy, and its network: a forward pass, a training step."""
import numpy as np

from benchmarks.baselines import multibox_loss as baseline
from benchmarks.cases.arrays import draw
from configs.m2det_keys import Pyramid
from lib.engine.training import TrainingStep
from lib.targets.prior_matching import PriorTargets
from sniper_mxnet import mx
from symbols import get_detector

INPUTS = ('cls_pred', 'loc_pred', 'cls_target', 'loc_target')


class Batch:
    """Of a step, as TrainingStep takes it."""

    def __init__(self, data, label):
        self.data, self.label = data, label


def objects(images, number, classes):
    """(number, 5) x1, y1, x2, y2 in shares of the picture, class; one array an image."""
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 1, (images, number, 2, 2)), axis=2).reshape(images, number, 4)
    labels = rng.integers(1, classes, (images, number, 1))
    return np.concatenate([corners, labels], axis=2).astype(np.float32)


def losses(priors, images, number, classes):
    """{column: callable}: targets of all images, both losses and their gradients, ours in a bound graph.

    The operator is called as inside a network, where the predictions come from layers: what enters it as a variable
    would be copied first, and its gradient afterwards (sniper_mxnet.frontend).
    """
    truths = objects(images, number, classes)
    rng = np.random.default_rng(1)
    cls_pred = rng.standard_normal((images, len(priors), classes), np.float32)
    loc_pred = rng.standard_normal((images, len(priors), 4), np.float32)
    values = dict(zip(INPUTS, (cls_pred, loc_pred, np.zeros(cls_pred.shape[:2]), loc_pred)))
    symbol = mx.sym.MultiBoxLoss.__wrapped__(*map(mx.sym.var, INPUTS))
    executor = mx.sym.Group([mx.sym.MakeLoss(symbol[0]), mx.sym.MakeLoss(symbol[1]), mx.sym.BlockGrad(
        symbol[2])]).simple_bind(mx.cpu(), grad_req=dict(zip(INPUTS, ('write', 'write', 'null', 'null'))),
                                 **{name: value.shape for name, value in values.items()})
    for name, value in values.items():
        executor.arg_dict[name][:] = value
    matching = PriorTargets(priors)

    def matched(match):
        return [np.stack(parts) for parts in zip(*map(match, truths))]

    def ours():
        for name, value in zip(INPUTS[2:], matched(matching.match)):
            executor.arg_dict[name][:] = value
        executor.forward(is_train=True)
        executor.backward()
        mx.nd.waitall()
        return [array.asnumpy() for array in executor.outputs[:2]] + [
            executor.grad_dict[name] for name in INPUTS[:2]]

    return {'ours': ours,
            'numpy': lambda: baseline.loss(cls_pred, loc_pred, *matched(lambda rows: baseline.match(rows, priors)))}


def network(config, images, number, priors):
    """{column: callable}: the test graph and a training step of `images` pictures, random weights and pixels."""
    detector, classes = get_detector(config.symbol), config.dataset.NUM_CLASSES
    size = Pyramid.from_config(config).size
    config.TRAIN.BATCH_IMAGES = images
    matched = [PriorTargets(priors).match(truths) for truths in objects(images, number, classes)]
    batch = Batch({'data': draw().randn(images, 3, size, size).astype(np.float32)},
                  dict(zip(INPUTS[2:], (np.stack(parts).astype(np.float32) for parts in zip(*matched)))))
    step = TrainingStep(detector.symbol(config, 'train'), [(name, value.shape) for name, value in batch.data.items()],
                        [(name, value.shape) for name, value in batch.label.items()], [mx.cpu()])
    step.initialise(mx.init.Xavier())
    step.init_optimiser('sgd', {'learning_rate': 1e-6})
    executor = detector.symbol(config, 'test').simple_bind(mx.cpu(), grad_req='null', data=(1, 3, size, size))
    weights, statistics = step.parameters()
    executor.copy_params_from(weights, statistics, allow_extra_params=True)
    executor.arg_dict['data'][:] = batch.data['data'][:1]

    def forward():
        executor.forward(is_train=False)
        mx.nd.waitall()

    def train():
        step.forward_backward(batch)
        step.update()
        step.wait()

    return {'forward': forward, 'step': train}

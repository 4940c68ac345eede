"""Networks whose parameters have PyTorch's names, such as M2Det, in what the engine makes of a network."""
from types import SimpleNamespace

import numpy as np
import pytest

from configs.m2det_keys import Pyramid
from lib.engine.fold import fold_batch_norms, fuse_relu
from lib.engine.loss_scale import with_loss_scale
from lib.engine.lower_precision import RangeCollector, fused_graph, to_bfloat16, to_int8, wanted_ranges
from lib.engine.training import TrainingStep
from lib.engine.winograd import use_winograd
from sniper_mxnet import mx
from symbols import get_detector
from tests.symbols.m2det_recipe import config_for, filled

SMALL = ('M2DET.width', '0.125', 'M2DET.planes', '16', 'M2DET.num_levels', '2', 'M2DET.num_scales', '4',
         'M2DET.input_size', '128', 'M2DET.size_pattern', '[0.1, 0.25, 0.4, 0.6, 0.9]', 'dataset.NUM_CLASSES', '4')
DATA = np.random.RandomState(0).uniform(-2, 2, (1, 3, 128, 128)).astype(np.float32)


def heads(names):
    return {name for name in names if name.startswith(('loc.', 'conf.'))}


@pytest.fixture(scope='module')
def folded():
    """(folded graph, arguments, statistics, outputs of the graph before)."""
    executor = filled(get_detector('m2det').test_symbol(config_for(*SMALL)), {'data': DATA}, 401, 0.8, 1.0)
    wanted = [output.asnumpy() for output in executor.forward()]
    arguments = {name: array for name, array in executor.arg_dict.items() if name != 'data'}
    symbol, arguments, statistics = fold_batch_norms(get_detector('m2det').test_symbol(config_for(*SMALL)), arguments,
                                                     dict(executor.aux_dict))
    return fuse_relu(symbol), arguments, statistics, wanted


def run(symbol, arguments, statistics, monitor=None):
    known = {name: array for name, array in arguments.items() if name in symbol.list_arguments()}
    executor = symbol.simple_bind(mx.cpu(), grad_req='null', data=DATA.shape,
                                  type_dict=dict({name: array.dtype for name, array in known.items()}, data='float32'),
                                  **{name: array.shape for name, array in known.items()})
    executor.copy_params_from(arguments, statistics, allow_extra_params=True)
    if monitor:
        executor.set_monitor_callback(monitor, monitor_all=True)
    return [output.asnumpy() for output in executor.forward(is_train=False, data=mx.nd.array(DATA))]


def difference(found, wanted):
    return max(np.abs(one - other).max() / np.abs(other).max() for one, other in zip(found, wanted))


def test_folded_and_by_winograd(folded):
    symbol, arguments, statistics, wanted = folded
    assert set(statistics) == {'Norm.running_mean', 'Norm.running_var'}     # behind a concatenation
    assert difference(run(symbol, arguments, statistics), wanted) < 1e-5
    assert difference(run(*use_winograd(symbol, arguments), statistics), wanted) < 1e-4


def test_bfloat16(folded):
    symbol, arguments, statistics, wanted = folded
    assert 0 < difference(run(*to_bfloat16(symbol, arguments, heads), statistics), wanted) < 0.1


def test_int8(folded):
    symbol, arguments, statistics, wanted = folded
    collector = RangeCollector(wanted_ranges(symbol, arguments, heads))
    run(fused_graph(symbol), arguments, statistics, collector)
    low, arrays = to_int8(symbol, arguments, collector.ranges, heads)
    assert 0 < difference(run(low, arrays, statistics), wanted) < 0.25


def test_training_on_two_devices():
    config = config_for(*SMALL)
    detector, pyramid = get_detector('m2det'), Pyramid.from_config(config)
    labels = [('cls_target', (4, pyramid.priors)), ('loc_target', (4, pyramid.priors, 4))]
    random = np.random.RandomState(3)
    batch = SimpleNamespace(data={'data': random.uniform(-100, 100, (4, 3, 128, 128))},
                            label={'cls_target': np.zeros(labels[0][1]),
                                   'loc_target': random.normal(size=labels[1][1])})
    batch.label['cls_target'][:, ::400] = 2
    with TrainingStep(detector.train_symbol(config), [('data', (4, 3, 128, 128))], labels,
                      [mx.cpu(0), mx.cpu(1)]) as step:
        step.initialise(detector.initializer())
        step.init_optimiser('sgd', dict(learning_rate=0.002, momentum=0.9, wd=5e-4), kvstore='local')
        losses = []
        for _ in range(5):
            step.forward_backward(batch)
            found = step.outputs(step.output_names).read()
            assert found['conf_loss_output'].shape == (2,) and found['used_output'].shape == labels[0][1]
            losses.append(found['conf_loss_output'].mean() + found['loc_loss_output'].mean())
            step.update()
        statistics = step.parameters()[1]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    assert np.abs(statistics['unet1.layers.0.bn.running_mean'].asnumpy()).max() > 0


def test_dynamic_loss_scale():
    symbol = with_loss_scale(get_detector('m2det').train_symbol(config_for(*SMALL)))
    assert symbol.list_outputs() == ['conf_loss_output', 'loc_loss_output', 'used_output']

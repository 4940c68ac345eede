"""bfloat16 and int8 graphs: where the casts are, and that the numbers stay close where the processor can run them."""
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from lib.engine.fold import fold_batch_norms, fuse_relu
from lib.engine.graph import Graph
from lib.engine.lower_precision import (
    ELEMENT,
    RangeCollector,
    float_nodes,
    fused_graph,
    to_bfloat16,
    to_int8,
    wanted_ranges,
)
from tests.conftest import ROOT
from tests.engine.networks import network, weights

# In a process of its own: AMX must be asked for before MXNet loads.
PROGRAM = """
import sys
import numpy as np
from lib.engine.precision import prepare_processor
from lib.utils.errors import SniperError
try:
    prepare_processor(sys.argv[1])
except SniperError as error:
    sys.exit('refused: %s' % error)
from sniper_mxnet import mx
from tests.engine.networks import network, outputs, weights
from tests.engine.test_lower_precision import lowered
symbol = network(mx)
arrays = weights(mx, symbol)
exact = outputs(mx, symbol, *arrays)
low = outputs(mx, *lowered(mx, symbol, *arrays, sys.argv[1]))
print(' '.join('%.9f' % (np.abs(one - other).max() / np.abs(other).max()) for one, other in zip(low, exact)))
"""


def exact_layers(names):
    return {name for name in names if name == 'cls_score'}


@pytest.fixture(scope='module')
def mx():
    from sniper_mxnet import mx
    return mx


def lowered(mx, symbol, arg_params, aux_params, precision):
    """The folded network in `precision`, calibrated on the inputs that it will see."""
    folded, arg_params, aux_params = fold_batch_norms(symbol, arg_params, aux_params)
    if precision == 'bf16':
        return to_bfloat16(fuse_relu(folded), arg_params, exact_layers) + (aux_params,)
    return to_int8(folded, arg_params, ranges_of(mx, folded, arg_params, aux_params), exact_layers) + (aux_params,)


def ranges_of(mx, folded, arg_params, aux_params):
    from types import SimpleNamespace

    from lib.engine.predictor import Predictor
    from tests.engine.networks import inputs
    collector = RangeCollector(wanted_ranges(folded, arg_params, exact_layers))
    Predictor(fused_graph(folded), arg_params, aux_params, [mx.cpu()], monitor=collector).predict(
        SimpleNamespace(data=inputs()))
    return collector.ranges


@pytest.mark.parametrize('precision, least, most', [('bf16', 1e-7, 0.02), ('int8', 1e-5, 0.06)])
def test_numbers_stay_close(precision, least, most):
    done = subprocess.run([sys.executable, '-c', PROGRAM, precision], cwd=ROOT, capture_output=True,
                          text=True, env=dict(os.environ, OMP_NUM_THREADS='1'))
    if 'refused: TEST.PRECISION' in done.stderr:
        pytest.skip(f'this processor has nothing for {precision}')
    assert done.returncode == 0, done.stderr
    errors = [float(word) for word in done.stdout.split()[-2:]]
    assert least < max(errors) < most  # not nothing: it did run in fewer bits


def test_casts_of_bfloat16(mx):
    symbol = network(mx)
    arg_params, aux_params = weights(mx, symbol)
    low, arrays, _ = lowered(mx, symbol, arg_params, aux_params, 'bf16')
    nodes = {node.name: node for node in Graph(low).nodes()}
    # Not the library's operator, nor the layer that predicts.
    assert {name for name, array in arrays.items() if array.dtype == ELEMENT} == {
        'a_weight', 'a_bias', 'c_weight', 'c_bias', 'd_weight', 'd_bias'}
    moved = nodes['b'].inputs[0].node
    assert moved.op == 'amp_cast' and moved.attrs['dtype'] == 'float32'
    assert nodes['cls_score'].inputs[0].node.attrs['dtype'] == 'float32'
    assert nodes['a'].inputs[0].node.attrs['dtype'] == 'bfloat16'
    types, given, _ = low.infer_type(**dict({'data': 'float32', 'offset': 'float32'},
                                            **{name: array.dtype for name, array in arrays.items()
                                               if name in low.list_arguments()}))
    assert [np.dtype(kind) for kind in given] == [np.float32, np.float32]


def test_layers_of_int8(mx):
    symbol = network(mx)
    arg_params, aux_params = weights(mx, symbol)
    folded, arg_params, aux_params = fold_batch_norms(symbol, arg_params, aux_params)
    kept = float_nodes(fused_graph(folded), exact_layers)
    assert len(kept) == 3  # `a` reads the image, `c` is an output, `cls_score` predicts; `d` is left
    quantised, arrays = to_int8(folded, arg_params, ranges_of(mx, folded, arg_params, aux_params), exact_layers)
    operators = [node['op'] for node in json.loads(quantised.tojson())['nodes']]
    assert '_contrib_quantize_v2' in operators and '_contrib_quantized_batch_norm' not in operators
    assert {'a_weight', 'd_weight', 'cls_score_weight'} <= set(arrays)


def test_int8_keeps_the_names_of_outputs(mx):
    """MXNet's pass takes out the copy that gives a map its name as an output."""
    first = mx.sym.Convolution(mx.sym.var('data'), num_filter=8, kernel=(3, 3), pad=(1, 1), name='a')
    second = mx.sym.Convolution(first, num_filter=8, kernel=(1, 1), name='b')
    second = mx.sym.Activation(second, act_type='relu', name='r')
    last = mx.sym.Convolution(second, num_filter=4, kernel=(1, 1), name='c')
    symbol = mx.sym.Group([last, mx.sym.identity(second, name='map')])
    shapes = symbol.infer_shape(data=(1, 3, 8, 8))[0]
    arg_params = {name: mx.nd.ones(shape) for name, shape in zip(symbol.list_arguments(), shapes) if name != 'data'}
    ranges = {name: (-3.0, 3.0) for name in wanted_ranges(symbol, arg_params, exact_layers)}
    quantised, _ = to_int8(symbol, arg_params, ranges, exact_layers)
    assert quantised.list_outputs() == symbol.list_outputs() == ['c_output', 'map_output']



def test_ranges_are_means_of_the_extremes(mx):
    collector = RangeCollector(['x'])
    for name, values in ((b'x', [-1, 4]), (b'y', [9, 9]), (b'x', [-3, 2])):
        array = mx.nd.array(values)
        handle, array.handle = array.handle, None  # MXNet gives the callback an array of its own
        collector(name, handle)
    assert collector.ranges == {'x': (-2.0, 3.0)}

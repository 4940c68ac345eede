"""A small network with every case of folding, and weights drawn for it."""
import numpy as np

SHAPES = {'data': (2, 3, 16, 20), 'offset': (2, 18, 16, 20)}


def network(mx):
    """conv-BN-ReLU, a deformable convolution with BN, a sum with BN and ReLU, a grouped convolution with bias and BN
    whose output is an output of the network too, one more convolution and a dense layer."""
    data = mx.sym.var('data')
    norm = dict(fix_gamma=False, eps=1e-3)
    first = mx.sym.Convolution(data, num_filter=8, kernel=(3, 3), pad=(1, 1), no_bias=True, name='a')
    first = mx.sym.Activation(mx.sym.BatchNorm(first, name='a_bn', **norm), act_type='relu', name='a_relu')
    moved = mx.sym.DeformableConvolution(data=first, offset=mx.sym.var('offset'), weight=mx.sym.var('b_weight'),
                                         num_filter=8, kernel=(3, 3), pad=(1, 1), no_bias=True, name='b')
    moved = mx.sym.BatchNorm(moved, name='b_bn', fix_gamma=True, eps=1e-3)
    body = mx.sym.Activation(mx.sym.BatchNorm(first + moved, name='sum_bn', **norm), act_type='relu', name='sum_relu')
    grouped = mx.sym.Convolution(body, num_filter=6, num_group=2, kernel=(1, 1), name='c')
    grouped = mx.sym.BatchNorm(grouped, name='c_bn', **norm)
    last = mx.sym.Convolution(grouped, num_filter=8, kernel=(3, 3), pad=(1, 1), name='d')
    score = mx.sym.FullyConnected(mx.sym.Pooling(last, global_pool=True, pool_type='avg', kernel=(1, 1)),
                                  num_hidden=3, name='cls_score')
    return mx.sym.Group([grouped, mx.sym.softmax(score, name='prob')])


def weights(mx, symbol, seed=0):
    """(arg_params, aux_params) with uneven statistics."""
    arguments, _, auxiliary = symbol.infer_shape(**SHAPES)
    rng = np.random.RandomState(seed)

    def draw(name, shape):
        if name.endswith(('var', 'gamma')):
            return mx.nd.array(rng.uniform(0.3, 3, shape))
        return mx.nd.array(rng.normal(0, 0.3, shape))
    return ({name: draw(name, shape) for name, shape in zip(symbol.list_arguments(), arguments) if name not in SHAPES},
            {name: draw(name, shape) for name, shape in zip(symbol.list_auxiliary_states(), auxiliary)})


def inputs(seed=1):
    rng = np.random.RandomState(seed)
    return {name: rng.normal(0, 1, shape).astype(np.float32) for name, shape in SHAPES.items()}


def outputs(mx, symbol, arg_params, aux_params, seed=1):
    """NumPy arrays of the network's outputs on seeded inputs."""
    from types import SimpleNamespace

    from lib.engine.predictor import Predictor
    predictor = Predictor(symbol, arg_params, aux_params, [mx.cpu()], made_together=True)
    return list(predictor.predict(SimpleNamespace(data=inputs(seed))).values())

"""Random operands at realistic sizes, and waiting for MXNet's engine."""
import importlib

import numpy as np

from sniper_mxnet import mx


def draw(seed=0):
    """numpy RandomState that makes a row's operands."""
    return np.random.RandomState(seed)


def array(values):
    """float32 NDArray on the CPU, really there."""
    result = mx.nd.array(np.asarray(values, np.float32))
    result.wait_to_read()
    return result


def synchronous(function, *args, **kwargs):
    """A callable that calls `function` with these arguments and returns when MXNet is done."""
    def call():
        function(*args, **kwargs)
        mx.nd.waitall()
    return call


def backward_call(function, inputs, out_grad):
    """A callable that runs the backward pass of function(*inputs) alone; all inputs get gradients."""
    for value in inputs:
        value.attach_grad()
    with mx.autograd.record():
        output = function(*inputs)
    output.wait_to_read()

    def call():
        output.backward(out_grad, retain_graph=True)
        mx.nd.waitall()
    return call


def optional(module):
    """The module if it can be imported, else None: PyTorch, torchvision and mmcv are not among our requirements."""
    try:
        return importlib.import_module(module)
    except ImportError:
        return None

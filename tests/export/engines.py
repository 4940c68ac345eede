"""Runtimes for the tests: an ONNX model and inputs -> outputs by name."""
import importlib.util

import numpy as np
import pytest

ENGINES = ('onnxruntime', 'openvino')


def installed_engines():
    """Those that are there; skips the test if none is."""
    found = [engine for engine in ENGINES if importlib.util.find_spec(engine)]
    return found or pytest.skip('neither onnxruntime nor openvino is installed (requirements-onnx.txt)')


def run_in(engine, model, inputs):
    """{output: array} of a model (ModelProto) in `engine`; skips the test where that is not installed."""
    return loaded(engine, model)(inputs)


def loaded(engine, model):
    """Function of inputs {name: array} -> {output: array}."""
    runtime = pytest.importorskip(engine, reason=f'{engine} is not installed (requirements-onnx.txt)')
    content = model.SerializeToString()
    if engine == 'onnxruntime':
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        session = runtime.InferenceSession(content, options, providers=['CPUExecutionProvider'])
        names = [output.name for output in session.get_outputs()]
        return lambda inputs: dict(zip(names, session.run(names, inputs)))
    core = runtime.Core()
    compiled = core.compile_model(core.read_model(content), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})
    names = [output.get_any_name() for output in compiled.outputs]
    return lambda inputs: dict(zip(names, map(np.array, compiled(inputs).values())))

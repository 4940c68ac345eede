"""A network in OpenVINO."""
import logging
from typing import Dict

import numpy as np

from lib.engine.engines import AUTO, CPU, OPENVINO, Device, load_runtime, num_threads
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

# Inputs that hold coordinates, or what boxes are ranked by: place by operator. bfloat16 has 8 bits, a pixel in 256.
_EXACT = {'ROIAlign': (1,), 'GridSample': (1,), 'NonMaxSuppression': (0, 1), 'TopK': (0,)}


class OpenVinoSession:
    """A file on one device; see OnnxRuntimeSession. Raises whatever OpenVINO does."""

    def __init__(self, path: str, device: Device, precision: str):
        """precision: 'bf16' computes in that where the processor has it; else in what the file says, and in float32
        where that is open: OpenVINO's own choice sends coordinates of boxes through bfloat16 too."""
        package = load_runtime(OPENVINO)
        core = package.Core()
        name = chosen_device(core.available_devices, device)
        settings = {'INFERENCE_PRECISION_HINT': 'bf16' if precision == 'bf16' else 'f32',
                    'PERFORMANCE_HINT': 'LATENCY'}
        if name == 'CPU':
            settings['INFERENCE_NUM_THREADS'] = str(num_threads())
        model = core.read_model(path)
        self.inputs = {node.get_any_name(): tuple(None if side.is_dynamic else side.get_length()
                                                  for side in node.get_partial_shape()) for node in model.inputs}
        self._places = {name: place for place, node in enumerate(model.outputs) for name in node.get_names()}
        if precision == 'bf16':
            keep_exact(model)
        self._request = core.compile_model(model, name, settings).create_infer_request()

    def run(self, feeds: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Inputs -> outputs, by name."""
        found = self._request.infer(feeds, share_outputs=True)     # memory of the request: what is wanted is copied
        return {name: np.array(found[place]) for name, place in self._places.items()}


def keep_exact(model) -> None:
    """Let a model compute coordinates in float32 where the rest is in bfloat16: OpenVINO keeps what leads to an output
    exact, back to the next convolution or product, so they become outputs."""
    there = {output.get_node().input_value(0) for output in model.outputs}
    found = []
    for node in model.get_ops():
        kind = node.get_type_name()
        computed = [value for value in node.input_values() if value.get_node().get_type_name() != 'Constant']
        if kind in _EXACT:
            found += [node.input_value(place) for place in _EXACT[kind]]
        elif kind == 'MatMul' and len(computed) == 2:   # pooling by weights of each axis
            found += computed
    model.add_outputs([value for value in dict.fromkeys(found) if value not in there])


def chosen_device(available, device: Device) -> str:
    """OpenVINO's name of a device. SniperError if it is absent."""
    if device.kind == CPU:
        return 'CPU'
    gpus = [name for name in available if name.split('.')[0] == 'GPU']
    wanted = device.number if device.kind != AUTO else 0
    if device.kind in (AUTO, 'gpu') and wanted < len(gpus):
        return gpus[wanted]
    if device.kind == AUTO:
        return 'CPU'
    raise SniperError(f'gpus asks for {device.kind}:{device.number}, but OpenVINO sees '
                      f'{", ".join(available) or "nothing"} here (its GPUs are those of Intel): run with --set gpus '
                      'cpu')

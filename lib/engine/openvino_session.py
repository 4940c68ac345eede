"""A network in OpenVINO."""
import logging
from typing import Dict

import numpy as np

from lib.engine.engines import AUTO, CPU, OPENVINO, Device, load_runtime, num_threads
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)


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
        self._request = core.compile_model(model, name, settings).create_infer_request()

    def run(self, feeds: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Inputs -> outputs, by name."""
        found = self._request.infer(feeds, share_outputs=False)
        return {name: found[place] for name, place in self._places.items()}


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

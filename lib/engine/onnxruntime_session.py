"""A network in ONNX Runtime."""
import logging
from typing import Any, Dict, List, Tuple

import numpy as np

from lib.engine.engines import AUTO, CPU, ONNXRUNTIME, Device, load_runtime, num_threads
from lib.utils.errors import SniperError

logger = logging.getLogger(__name__)

# By what `gpus` calls them; a bare number takes the first that is installed. TensorRT, which builds an engine for every
# shape, is taken by name alone.
PROVIDERS = {'cuda': 'CUDAExecutionProvider', 'directml': 'DmlExecutionProvider', 'rocm': 'ROCMExecutionProvider',
             'tensorrt': 'TensorrtExecutionProvider'}
_CPU_PROVIDER = 'CPUExecutionProvider'
_BY_NUMBER = ('cuda', 'rocm', 'directml')
_FATAL = 4      # what is wrong comes as an exception


class OnnxRuntimeSession:
    """A file on one device. inputs: name -> shape, free sides as None or text. Raises whatever ONNX Runtime does."""

    def __init__(self, path: str, device: Device, precision: str):
        """SniperError for a GPU that is absent. precision: that of the file, ONNX Runtime has no other."""
        package = load_runtime(ONNXRUNTIME)
        options = package.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = num_threads()
        options.enable_mem_pattern = False      # would keep memory for every shape of a picture
        # Threads that spin while they wait take the cores from those that read pictures.
        options.add_session_config_entry('session.intra_op.allow_spinning', '0')
        name, settings = chosen_provider(package.get_available_providers(), device)
        providers: List[Any] = [(name, settings)] if settings else [name]
        self._session = package.InferenceSession(path, options, providers=providers)
        if name != self._session.get_providers()[0]:
            problem = f'ONNX Runtime {package.__version__} cannot use {name} here'
            if device.kind != AUTO:
                raise SniperError(f'gpus asks for {device.kind}:{device.number}, but {problem}: run with --set gpus '
                                  'cpu')
            logger.warning('%s: it runs on the CPU', problem)
        self.inputs = {node.name: tuple(node.shape) for node in self._session.get_inputs()}
        self._names = [node.name for node in self._session.get_outputs()]

    def run(self, feeds: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
        """Inputs -> outputs, by name."""
        return dict(zip(self._names, self._session.run(self._names, feeds)))


def chosen_provider(available: List[str], device: Device) -> Tuple[str, Dict[str, Any]]:
    """(provider of ONNX Runtime, its settings) for a device. SniperError if it is not installed."""
    if device.kind == CPU:
        return _CPU_PROVIDER, {}
    kinds = _BY_NUMBER if device.kind in (AUTO, 'gpu') else (device.kind,)
    for kind in kinds:
        if PROVIDERS[kind] in available:
            return PROVIDERS[kind], {'device_id': device.number}
    if device.kind == AUTO:
        return _CPU_PROVIDER, {}
    raise SniperError(f'gpus asks for {device.kind}:{device.number}, but this ONNX Runtime has no provider for it '
                      f'({", ".join(available)}): install onnxruntime-gpu in place of onnxruntime, or run with --set '
                      'gpus cpu')

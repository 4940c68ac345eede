"""TEST.ENGINE: what runs a network, MXNet or a runtime of ONNX, and on which of its devices. Free of MXNet."""
import importlib
import importlib.util
import logging
import os
import re
from typing import Any, List, NamedTuple, Tuple

from lib.utils.errors import SniperError
from lib.utils.processes import num_cores

logger = logging.getLogger(__name__)

MXNET, ONNXRUNTIME, OPENVINO = 'mxnet', 'onnxruntime', 'openvino'
NAMES = {ONNXRUNTIME: 'ONNX Runtime', OPENVINO: 'OpenVINO'}
OLDEST = {ONNXRUNTIME: (1, 19), OPENVINO: (2024, 4)}    # that were tried
AUTO, CPU = 'auto', 'cpu'
_INSTALL = '.venv/bin/python -m pip install -r requirements-onnx.txt'
_DEVICE = re.compile(r'(?:(cuda|tensorrt|directml|rocm|gpu):)?(\d{1,3})$')


class Device(NamedTuple):
    """kind: 'cpu', 'auto', 'gpu' (whatever the runtime has), or a name such as 'cuda'; number: of it."""
    kind: str
    number: int = 0


def engine_of(config) -> str:
    """MXNET, ONNXRUNTIME or OPENVINO: TEST.ENGINE; where that is open, ONNXRUNTIME for a file TEST.ONNX, else MXNET."""
    return config.TEST.ENGINE or (ONNXRUNTIME if config.TEST.ONNX else MXNET)


def load_runtime(engine: str) -> Any:
    """The package of a runtime, imported. SniperError if it is absent, does not load or is too old."""
    try:
        package = importlib.import_module(engine)
    except Exception as error:  # a broken installation raises anything
        reason = 'is not installed' if getattr(error, 'name', '') == engine else f'does not load ({error})'
        other = next(name for name in NAMES if name != engine)
        there = f'; or take the other engine, which is here: --set TEST.ENGINE {other}' if is_there(other) else ''
        raise SniperError(f'TEST.ENGINE is {engine}, which {reason}: {_INSTALL}{there}') from None
    check_version(engine, package, f'TEST.ENGINE is {engine}, but')
    return package


def check_version(engine: str, package: Any, why: str) -> None:
    """SniperError, which begins with `why`, if the package of a runtime is too old, or is something else of that name,
    such as a folder on Python's path."""
    version = version_of(package)
    if not version:
        place = getattr(package, '__file__', None) or next(iter(getattr(package, '__path__', ())), 'no file')
        raise SniperError(f'{why} the package {engine} that Python finds ({place}) is not {NAMES[engine]}: move that '
                          f'away, then {_INSTALL}')
    if version < OLDEST[engine]:
        raise SniperError(f'{why} {NAMES[engine]} {package.__version__} is too old: it takes '
                          f'{".".join(map(str, OLDEST[engine]))} or later: {_INSTALL}')


def is_there(engine: str) -> bool:
    """Whether a runtime can be imported."""
    return importlib.util.find_spec(engine) is not None


def version_of(package: Any) -> Tuple[int, ...]:
    """(1, 23) of a package's version '1.23.2'; () if that says nothing."""
    return tuple(map(int, re.findall(r'\d+', str(getattr(package, '__version__', '')))[:2]))


def devices_of(config) -> List[Device]:
    """The key `gpus` for a runtime of ONNX, never empty. SniperError for a list that is not understood.

    '' and 'cpu': the CPU; 'cpu,cpu': as two devices, which share batches and take turns; 'auto': a GPU where the
    runtime has one, else the CPU; '0,1': those GPUs; 'cuda:0', 'tensorrt:0', 'directml:0', 'rocm:0': of that provider.
    """
    words = [word.strip() for word in str(config.gpus).strip().lower().strip('[]()').split(',') if word.strip()]
    if words == [AUTO]:
        return [Device(AUTO)]
    if not words or set(words) == {CPU}:
        return [Device(CPU)] * max(1, len(words))
    found = [_DEVICE.match(word) for word in words]
    if not all(found) or len(set(words)) != len(words):
        raise SniperError(f"gpus {config.gpus!r} is not understood: use 'auto', 'cpu', 'cpu,cpu', or distinct GPU "
                          "numbers like '0,1' or 'cuda:0,cuda:1'")
    return [Device(match.group(1) or 'gpu', int(match.group(2))) for match in found if match]


def num_devices(config) -> int:
    """Number of devices of a run, see devices_of. MXNet, which counts its GPUs, is imported only where the
    configuration leaves these open."""
    if engine_of(config) != MXNET:
        return len(devices_of(config))
    if str(config.gpus).strip().lower() == AUTO:
        from lib.engine.devices import contexts
        return len(contexts(config))
    return max(1, len([part for part in str(config.gpus).split(',') if part.strip()]))


def num_threads() -> int:
    """Threads of a network on the CPU, see lib.utils.processes.limit_threads."""
    text = os.environ.get('OMP_NUM_THREADS', '')
    return max(1, int(text)) if text.isdecimal() else num_cores()

"""Batches -> outputs of a file of scripts/export_onnx.py, in ONNX Runtime or OpenVINO; a Predictor without MXNet."""
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from lib.engine.engines import NAMES, ONNXRUNTIME, OPENVINO, Device, load_runtime
from lib.engine.onnx_facts import NETWORK, read_facts
from lib.engine.onnx_proof import differences, proof_inputs
from lib.engine.onnxruntime_session import OnnxRuntimeSession
from lib.engine.openvino_session import OpenVinoSession
from lib.utils.errors import SniperError
from lib.utils.processes import available_memory

logger = logging.getLogger(__name__)

SESSIONS = {ONNXRUNTIME: OnnxRuntimeSession, OPENVINO: OpenVinoSession}
_NO_MEMORY = re.compile('alloc|out of memory', re.IGNORECASE)
_PLACE = re.compile(r"(Exception from |Check '.*' failed at |FrontEnd API failed with ).*:$")   # of OpenVINO
_GIB = 1 << 30
_OTHER = ' (export it again with scripts/export_onnx.py, or take another version or TEST.ENGINE)'
_SAID = 300     # characters of what a runtime says: ONNX Runtime's lines hold names of C++ functions


class OnnxPredictor:
    """A file on devices, over which a batch is split evenly; see lib.engine.predictor.

    Outputs that only hand an input on, which no file has, are added. engine: ONNXRUNTIME or OPENVINO; kind: NETWORK or
    MASKS; precision: TEST.PRECISION; advice: Task.advice, for errors. SniperError: a file that is none
    (lib.engine.onnx_facts), that the runtime refuses or for which memory is too small, of another precision, or that
    gives something else on the proof's picture than where it was made; a runtime that is absent or too old.
    """

    def __init__(self, path: str, engine: str, devices: Sequence[Device], kind: str = NETWORK, precision: str = 'fp32',
                 advice: Optional[Callable[[Sequence[str]], str]] = None):
        self._path, self._engine, self._advice = path, engine, advice
        self._facts = read_facts(path, kind)
        self._check_precision(precision)
        self._runtime = f'{NAMES[engine]} {load_runtime(engine).__version__.split("-")[0]}'
        _check_memory(path)
        made = {device: self._open(device, precision) for device in dict.fromkeys(devices)}
        self._sessions: List[Any] = [made[device] for device in devices]
        self._threads = ThreadPoolExecutor(len(made)) if len(made) > 1 else None
        missing = [name for name in self._facts['inputs'] if name not in self._sessions[0].inputs]
        if missing:
            raise SniperError(f'{path} is damaged: it has no input {", ".join(missing)}')
        if kind == NETWORK:
            self._prove(precision if self._facts['precision'] == 'fp32' else self._facts['precision'])

    @property
    def devices(self) -> int:
        """Number of devices; batches must hold a multiple of it."""
        return len(self._sessions)

    def predict(self, batch) -> Dict[str, np.ndarray]:
        """batch.data: name -> float32 array (B, ...) -> {output name: NumPy array}, devices in order."""
        inputs = self._select(batch.data)
        if self.devices == 1:
            outputs = self._run(self._sessions[0], inputs)
        else:
            parts = {name: np.split(array, self.devices) for name, array in inputs.items()}
            feeds = [{name: part[number] for name, part in parts.items()} for number in range(self.devices)]
            run = map if self._threads is None else self._threads.map
            found = list(run(self._run, self._sessions, feeds))
            outputs = {name: np.concatenate([of_part[name] for of_part in found]) for name in found[0]}
        outputs.update({name: batch.data[name] for name in self._facts['passed_through'] if name in batch.data})
        return outputs

    def close(self) -> None:
        """Free the network."""
        self._sessions = []
        if self._threads is not None:
            self._threads.shutdown()

    def _check_precision(self, precision):
        made = self._facts['precision']
        if precision == 'bf16' and self._engine != OPENVINO:
            raise SniperError(f'TEST.PRECISION is bf16, which {NAMES[self._engine]} has not: add --set TEST.ENGINE '
                              'openvino, or leave TEST.PRECISION out')
        if precision not in ('fp32', 'bf16', made):
            raise SniperError(f'TEST.PRECISION is {precision}, but {self._path} was exported in {made}: export it with '
                              f'--precision {precision}, or leave TEST.PRECISION out')

    def _open(self, device, precision):
        try:
            return SESSIONS[self._engine](self._path, device, precision)
        except SniperError:
            raise
        except Exception as error:      # the runtimes' errors share no other class
            raise self._refused(error, 'cannot load it', _OTHER) from None

    def _run(self, session, feeds):
        try:
            return session.run(feeds)
        except Exception as error:
            shapes = ', '.join(f'{name} {"x".join(map(str, array.shape))}' for name, array in feeds.items())
            raise self._refused(error, f'fails for {shapes}') from None

    def _refused(self, error, what, mend=''):
        text = str(error).strip() or type(error).__name__
        if _NO_MEMORY.search(text) or isinstance(error, MemoryError):
            return MemoryError(text)
        lines = [line for line in text.splitlines() if line.strip()]
        said = next((line for line in lines if not _PLACE.match(line)), lines[-1])
        return SniperError(f'{self._path}: {self._runtime} {what}{mend}: {said[:_SAID]}')

    def _select(self, data):
        missing = [name for name in self._facts['inputs'] if name not in data]
        if missing:
            advice = self._advice(missing) if self._advice else ''
            raise SniperError(f'{self._path} wants the inputs {", ".join(missing)}, which nothing provides{advice}')
        inputs = {name: np.ascontiguousarray(data[name], np.float32) for name in self._facts['inputs']}
        for name, array in inputs.items():
            wanted = self._sessions[0].inputs[name]
            if len(wanted) != array.ndim or any(isinstance(side, int) and side not in (-1, now)
                                                for side, now in zip(wanted[1:], array.shape[1:])):
                raise SniperError(f'{self._path} takes {name} of {_text(wanted)}, and is shown {_text(array.shape)}: '
                                  'export the network for this size with scripts/export_onnx.py')
        return inputs

    def _prove(self, precision):
        """The proof's picture through the network, where the file says what comes out."""
        wanted = self._facts.get('proof')
        if not wanted:
            return
        found = self._run(self._sessions[0], proof_inputs({name: self._sessions[0].inputs[name]
                                                           for name in self._facts['inputs']}))
        other = differences(wanted, found, precision)
        if other:
            raise SniperError(f'{self._path} gives something else here than where it was exported, in '
                              f'{self._runtime}: {"; ".join(other)}: copy the file anew, or take another version or '
                              'TEST.ENGINE')


def _check_memory(path):
    size, free = os.path.getsize(path), available_memory()
    if free is not None and size > free:
        raise SniperError(f'memory is too small for {path}: its weights take {size / _GIB:.1f} GiB, and '
                          f'{free / _GIB:.1f} are free')


def _text(shape):
    return 'x'.join('any' if not isinstance(side, int) or side < 0 else str(side) for side in shape)

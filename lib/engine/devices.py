"""The devices of a run: the `gpus` key -> MXNet contexts, what they can do, and waiting for them."""
import atexit
import contextlib
import ctypes
import functools
import logging
import threading

from lib.utils.errors import SniperError
from lib.utils.processes import limit_threads

logger = logging.getLogger(__name__)

EXIT_SECONDS = 60  # for which a process that ends waits for MXNet


def contexts(config):
    """Devices to run on: list of mx.Context, never empty.

    `gpus`: '' or 'cpu' = the CPU; 'cpu,cpu' = the CPU as two devices, each with its own part of a batch; 'auto' = all
    GPUs that MXNet sees and has machine code for, else the CPU, which is said; '0,1' = those GPUs.
    Raises SniperError for a malformed list and for a GPU that is absent or that MXNet has no machine code for.
    """
    from sniper_mxnet import mx
    text, words = str(config.gpus).strip().lower(), _words(config)
    if text == '' or set(words) == {'cpu'}:
        return [mx.cpu(index) for index in range(len(words))]
    present = gpu_count()
    if text == 'auto':
        return _all_gpus(present) or [mx.cpu()]
    wanted = _parse_indices(text)
    absent = [index for index in wanted if index >= present]
    if absent:
        raise SniperError(
            'gpus {!r} asks for GPU {}, but MXNet sees {} here: run with `--set gpus auto` (or `--set gpus cpu`){}'
                .format(config.gpus, ', '.join(map(str, absent)), f'{present} GPU(s)' if present else 'no GPU',
               '' if present else f' ({_why_no_gpu()})'))
    for index in wanted:
        refusal = _refusal(index)
        if refusal:
            raise SniperError(f'gpus {config.gpus!r} is refused: {refusal}; or run on the CPU: `--set gpus cpu`')
    return [mx.gpu(index) for index in wanted]


def share_cores(config):
    """Give each CPU device its share of the cores, as they compute at the same time; see limit_threads."""
    limit_threads(_words(config).count('cpu'))


def host_group(devices):
    """Context group `symbols.ops.HOST` of operators without a GPU kernel: {group: CPU}, or None if there are none."""
    from sniper_mxnet import has_cuda_kernels, mx
    from symbols.ops import HOST
    on_gpu = any(device.device_type == 'gpu' for device in devices)
    return {HOST: mx.cpu()} if on_gpu and not has_cuda_kernels() else None


def gpu_count():
    """Number of GPUs that this build of MXNet can see (0 for a CPU build)."""
    from sniper_mxnet import mx
    try:
        return mx.context.num_gpus()
    except mx.MXNetError as error:  # a CUDA build on a machine without a usable driver
        _say_once(f'MXNet cannot count the GPUs ({str(error).strip().splitlines()[-1]}): taken as none')
        return 0


def _all_gpus(present):
    """Contexts of the GPUs that MXNet can use; a line says so if there are fewer than there seem to be, or none."""
    from sniper_mxnet import mx
    usable = []
    for index in range(present):
        refusal = _refusal(index)
        if refusal:
            _say_once(f'gpus auto passes over a GPU: {refusal}')
        else:
            usable.append(mx.gpu(index))
    if not present:
        _say_once(f'gpus auto: there is no GPU here ({_why_no_gpu()}): running on the CPU')
    elif not usable:
        _say_once('gpus auto: there is no GPU here that MXNet can use: running on the CPU')
    return usable


def _refusal(index):
    """What keeps MXNet from using the GPU `index`, and the way out; None if it can."""
    from sniper_mxnet.gpus import gpus
    known = gpus()
    if index >= len(known) or known[index].runs_mxnet():
        return None
    return (f'MXNet 1.9.1 has no machine code for GPU {index}, {known[index]}, but for 5.0 to 8.9 alone. ONNX Runtime '
            'runs exported networks on it: `--set TEST.ENGINE onnxruntime` (docs/engines.md)')


def _why_no_gpu():
    from sniper_mxnet import mx
    from sniper_mxnet.gpus import OLDEST_DRIVER, driver_version, spelled
    if not mx.runtime.Features().is_enabled('CUDA'):
        return 'this MXNet is one for CPUs: GPUs need SNIPER_MXNET=mxnet-cu117 bash scripts/setup.sh'
    version = driver_version()
    if 0 < version < OLDEST_DRIVER:
        return (f"NVIDIA's driver is of CUDA {spelled(version)}, and MXNet needs one of {spelled(OLDEST_DRIVER)} or "
                'later')
    return "NVIDIA's driver finds none"


@functools.lru_cache(maxsize=64)
def _say_once(text):
    """A run asks for its devices several times."""
    logger.warning('%s', text)


@contextlib.contextmanager
def waiting_for_engine(*kept, seconds=None):
    """Context manager around the use of objects that MXNet works on behind Python's back; see wait_for_engine."""
    wait_at_exit()
    try:
        yield
    finally:
        wait_for_engine(*kept, seconds=seconds)


def wait_for_engine(*kept, seconds=None):
    """Wait until MXNet has done all that it was given, before the objects that it works on are let go.

    Module, KVStore and executors do not wait for their pending operations when they are freed: an engine thread then
    reads freed memory, and the process dies of SIGSEGV or SIGFPE. What has failed among the operations is logged and
    not raised, so that it hides no other error.

    kept: what is let go afterwards. seconds: how long to wait, None for as long as it takes. If that is over, as when
    an operation waits for another machine that has died, `kept` is never freed: the process is about to end anyway.
    """
    if seconds is None:
        _wait_for_all()
        return
    waiting = threading.Thread(target=_wait_for_all, daemon=True)
    waiting.start()
    waiting.join(seconds)
    if waiting.is_alive():
        logger.warning('MXNet has not ended its operations within %g seconds', seconds)
        for thing in kept:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


@functools.lru_cache(maxsize=1)
def wait_at_exit():
    """Let this process wait for MXNet when it ends, whatever is alive then."""
    from sniper_mxnet import mx  # noqa: F401  MXNet stops its engine at exit: what is registered later comes first
    atexit.register(wait_for_engine, seconds=EXIT_SECONDS)


def _wait_for_all():
    from sniper_mxnet import mx
    try:
        mx.nd.waitall()
    except mx.MXNetError as error:
        logger.warning('an operation of MXNet had failed: %s', str(error).strip().splitlines()[-1])


def check_precision(config, devices):
    """Refuse half precision on the CPU, which has no float16 kernels."""
    if config.TRAIN.fp16 and any(device.device_type == 'cpu' for device in devices):
        raise SniperError('TRAIN.fp16 is True, but half precision needs a GPU and this run is on the CPU: '
                          'run with `--set TRAIN.fp16 False`')


def check_kvstore(config, devices):
    """Refuse `default.kvstore` 'nccl' where it cannot run. (The other kinds run everywhere.)"""
    from sniper_mxnet import mx
    if config.default.kvstore != 'nccl':
        return
    if not mx.runtime.Features().is_enabled('NCCL'):
        raise SniperError("default.kvstore is 'nccl', but this build of MXNet has no NCCL: use `--set default.kvstore "
                          "device`, which sums on the GPUs too")
    if any(device.device_type == 'cpu' for device in devices):
        raise SniperError("default.kvstore is 'nccl', which sums on GPUs, and this run is on the CPU: use `--set "
                          "default.kvstore device`")


def _words(config):
    return [word.strip() for word in str(config.gpus).lower().split(',')]


def _parse_indices(text):
    try:
        indices = [int(part) for part in text.strip('[]()').split(',') if part.strip()]
    except ValueError:
        indices = []
    if not indices or min(indices) < 0 or len(set(indices)) != len(indices):
        raise SniperError(f"gpus {text!r} is not understood: use 'auto', 'cpu', 'cpu,cpu', or distinct GPU numbers "
                          "like '0,1'")
    return indices

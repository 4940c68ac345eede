"""The `gpus` key -> MXNet contexts."""
import logging
import os

from lib.utils.errors import SniperError
from lib.utils.processes import num_cores

logger = logging.getLogger(__name__)


def contexts(config):
    """Devices to run on: list of mx.Context, never empty.

    `gpus`: '' or 'cpu' = the CPU; 'cpu,cpu' = the CPU as two devices, each with its own part of a batch; 'auto' = all
    GPUs that MXNet sees, else the CPU; '0,1' = those GPUs.
    Raises SniperError for a malformed list and for a GPU that is absent.
    """
    from sniper_mxnet import mx
    text, words = str(config.gpus).strip().lower(), _words(config)
    if text == '' or set(words) == {'cpu'}:
        return [mx.cpu(index) for index in range(len(words))]
    present = gpu_count()
    if text == 'auto':
        return [mx.gpu(index) for index in range(present)] or [mx.cpu()]
    wanted = _parse_indices(text)
    absent = [index for index in wanted if index >= present]
    if absent:
        raise SniperError(
            'gpus {!r} asks for GPU {}, but MXNet sees {} here: run with `--set gpus auto` (or `--set gpus cpu`){}'
                .format(config.gpus, ', '.join(map(str, absent)), f'{present} GPU(s)' if present else 'no GPU',
               '' if present else '; GPUs need an NVIDIA driver and the package mxnet-cu112 in place of mxnet'))
    return [mx.gpu(index) for index in wanted]


def share_cores(config):
    """Give each of several CPU devices its share of the cores, unless OMP_NUM_THREADS says otherwise.

    They compute at the same time, and each would take all cores. To be called before MXNet is loaded.
    """
    count = _words(config).count('cpu')
    if count > 1 and not os.environ.get('OMP_NUM_THREADS'):
        os.environ['OMP_NUM_THREADS'] = str(max(1, num_cores() // count))


def host_group(devices):
    """Context group `symbols.ops.HOST` of operators without a GPU kernel: {group: CPU}, or None if there are none."""
    from sniper_mxnet import mx
    from sniper_mxnet import has_cuda_kernels
    from symbols.ops import HOST
    on_gpu = any(device.device_type == 'gpu' for device in devices)
    return {HOST: mx.cpu()} if on_gpu and not has_cuda_kernels() else None


def gpu_count():
    """Number of GPUs that this build of MXNet can see (0 for a CPU build)."""
    from sniper_mxnet import mx
    try:
        return mx.context.num_gpus()
    except mx.MXNetError as error:  # a CUDA build on a machine without a usable driver
        logger.warning('MXNet cannot count the GPUs (%s): taken as none', str(error).splitlines()[0])
        return 0


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

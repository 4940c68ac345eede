"""What NVIDIA's driver says of the GPUs here, and which of them MXNet 1.9.1 and our kernels have machine code for."""
import ctypes
import functools
import logging
from typing import List, NamedTuple, Tuple

from sniper_mxnet.cuda_libraries import DRIVER

logger = logging.getLogger(__name__)

OLDEST_DRIVER = 11000   # as CUDA counts versions: 11.0
# MXNet's wheels for CUDA 11 hold machine code for 5.0, 6.0, 7.0, 8.0 and 8.6, which later ones of a generation run too,
# and no PTX from which a driver could translate for other generations.
OLDEST, TOO_NEW = (5, 0), (9, 0)

# CUdevice_attribute of cuda.h
MAJOR, MINOR = 75, 76


class Gpu(NamedTuple):
    """A GPU's name, such as 'NVIDIA A100-SXM4-40GB', and compute capability, such as (8, 0)."""

    name: str
    capability: Tuple[int, int]

    def runs_mxnet(self) -> bool:
        """Whether MXNet 1.9.1 for CUDA 11 has machine code for it."""
        return OLDEST <= self.capability < TOO_NEW

    def __str__(self):
        return '{} (compute capability {}.{})'.format(self.name, *self.capability)


@functools.lru_cache(maxsize=1)
def gpus() -> List[Gpu]:
    """The GPUs that this process may use, numbered as CUDA and MXNet do; empty without a driver."""
    driver, count = _driver(), ctypes.c_int()
    if driver is None or driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []
    return [_gpu(driver, index) for index in range(count.value)]


def driver_version() -> int:
    """Newest CUDA that the driver can run, as CUDA counts: 11070 is 11.7; 0 without a driver."""
    driver, version = _driver(), ctypes.c_int()
    if driver is None or driver.cuDriverGetVersion(ctypes.byref(version)):
        return 0
    return version.value


def spelled(version: int) -> str:
    """11070 -> '11.7'"""
    return f'{version // 1000}.{version % 1000 // 10}'


def kernels_run(runtime: int, architectures: List[int]) -> bool:
    """Whether kernels of our library run on all GPUs here that MXNet runs on; if not, a warning says why.

    runtime: the CUDA that they were linked with, 13000 = 13.0. architectures: numbers that they were compiled for, 75 =
    compute capability 7.5; of the last one there is PTX too. Without GPUs for MXNet: True.
    """
    usable, version = [gpu for gpu in gpus() if gpu.runs_mxnet()], driver_version()
    if usable and version < runtime:
        logger.warning('our operators run on the CPU beside the GPU: they were compiled by CUDA %s, and the driver is '
                       'of CUDA %s; a newer driver, or an older nvcc and scripts/compile.sh, has them on the GPU',
                       spelled(runtime), spelled(version))
        return False
    without = next((gpu for gpu in usable if not _covered(gpu.capability, architectures)), None)
    if without is not None:
        logger.warning('our operators run on the CPU beside the GPU: they were compiled for compute capabilities %s, '
                       'and GPUs here are %s; SNIPER_CUDA_ARCHS=%d%d bash scripts/compile.sh compiles them for it, '
                       'with an nvcc that knows it', ', '.join(str(number / 10) for number in architectures),
                       without, *without.capability)
    return without is None


def _covered(capability, architectures):
    number = capability[0] * 10 + capability[1]
    translated = bool(architectures) and number >= max(architectures)
    return translated or any(known // 10 == capability[0] and known <= number for known in architectures)


@functools.lru_cache(maxsize=1)
def _driver():
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return None
    return driver if hasattr(driver, 'cuInit') else None


def _gpu(driver, index):
    name, device, numbers = ctypes.create_string_buffer(256), ctypes.c_int(), []
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    for attribute in (MAJOR, MINOR):
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
        numbers.append(value.value)
    return Gpu(name.value.decode(errors='replace') or f'GPU {index}', (numbers[0], numbers[1]))

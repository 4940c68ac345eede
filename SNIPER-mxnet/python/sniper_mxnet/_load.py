"""Importing MXNet 1.9.1 on today's NumPy, with sensible settings, and loading the operator library into it."""
import ctypes
import functools
import os

from sniper_mxnet.cuda_libraries import import_mxnet
from sniper_mxnet.gpus import kernels_run

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'libsniper_mxnet.so')

# Aliases that MXNet 1.9.1 uses and NumPy 1.24 removed.
NUMPY_ALIASES = {'bool': bool, 'int': int, 'float': float, 'complex': complex, 'object': object, 'str': str}


def load_mxnet():
    """The `mxnet` module with the operator library loaded and its front ends in place.

    Raises ImportError, naming the mend, where MXNet or NumPy is of a version that cannot work, or a library is missing.
    """
    _set_environment()
    _restore_numpy_aliases()
    mx = import_mxnet()

    from sniper_mxnet import frontend, shapes
    if not os.path.exists(LIBRARY):
        raise ImportError(f'{LIBRARY} is missing: run `pip install ./SNIPER-mxnet` again')
    mx.library.load(LIBRARY, verbose=False)
    frontend.install(mx)
    shapes.install(mx)
    return mx


@functools.lru_cache(maxsize=None)
def has_cuda_kernels():
    """True if the operators take arrays on GPUs too: the library was built with CUDA kernels, and they run on the GPUs
    and with the driver that are here. A warning says why they do not."""
    library = ctypes.CDLL(LIBRARY)
    if not library.sniper_has_cuda_kernels():
        return False
    library.sniper_cuda_architectures.restype = ctypes.c_char_p
    words = library.sniper_cuda_architectures().decode().split(',')
    return kernels_run(library.sniper_cuda_runtime(), [int(word) for word in words])


def _set_environment():
    """Settings MXNet reads when it loads; those the user has made stay."""
    # MXNet takes half of the cores by itself, which halves the speed where cores are not hyper-threads.
    os.environ.setdefault('OMP_NUM_THREADS', str(_usable_cores()))
    os.environ.setdefault('MXNET_SUBGRAPH_VERBOSE', '0')
    # Autotuning runs again for every new input shape, and test images have many.
    os.environ.setdefault('MXNET_CUDNN_AUTOTUNE_DEFAULT', '0')
    # From this many consumers of an array on (8 by itself) MXNet has gradients added in place, which operators of a
    # library cannot: they would overwrite the sum.
    os.environ.setdefault('MXNET_EXEC_INPLACE_GRAD_SUM_CAP', '1000000')


def _usable_cores():
    if hasattr(os, 'sched_getaffinity'):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _restore_numpy_aliases():
    import numpy
    if int(numpy.__version__.split('.')[0]) >= 2:
        raise ImportError(f'MXNet 1.9.1 does not work with NumPy {numpy.__version__}: pip install "numpy<2"')
    for name, value in NUMPY_ALIASES.items():
        if name not in numpy.__dict__:
            setattr(numpy, name, value)

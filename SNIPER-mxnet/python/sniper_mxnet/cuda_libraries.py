"""MXNet for CUDA 11 with the libraries of the package index: a driver is all that the machine has to bring.

mxnet-cu112 and mxnet-cu117 link a dozen CUDA libraries, which NVIDIA has on the index as packages of their own. These
lie where no linker looks, so they are loaded by path before MXNet: it then finds each under its name. Libraries
without a package are left to the system. This file is imported by scripts/setup.sh too, before sniper_mxnet is there.
"""
import ctypes
import glob
import importlib.util
import os
import re
import sys

DRIVER = 'libcuda.so.1'

# library -> (package, folder below nvidia/), each behind those that it needs; versions: requirements-cuda11.txt
LIBRARIES = {
    'libcudart.so.11.0': ('nvidia-cuda-runtime-cu11', 'cuda_runtime'),
    'libnvrtc.so.11.2': ('nvidia-cuda-nvrtc-cu11', 'cuda_nvrtc'),
    'libnvToolsExt.so.1': ('nvidia-nvtx-cu11', 'nvtx'),
    'libcublasLt.so.11': ('nvidia-cublas-cu11', 'cublas'),
    'libcublas.so.11': ('nvidia-cublas-cu11', 'cublas'),
    'libcufft.so.10': ('nvidia-cufft-cu11', 'cufft'),
    'libcurand.so.10': ('nvidia-curand-cu11', 'curand'),
    'libcusparse.so.11': ('nvidia-cusparse-cu11', 'cusparse'),
    'libcusolver.so.11': ('nvidia-cusolver-cu11', 'cusolver'),
    'libcudnn.so.8': ('nvidia-cudnn-cu11', 'cudnn'),
    'libnccl.so.2': ('nvidia-nccl-cu11', 'nccl'),
}


def import_mxnet():
    """The module `mxnet`, the CUDA libraries that it needs loaded first.

    Raises ImportError of one line, with the mend; its `path` is the name of the library that is missing or damaged.
    """
    package = cuda_package()
    if package:
        load_libraries()
    try:
        import mxnet
    except OSError as error:
        raise _cannot_load(error, package) from None
    return mxnet


def cuda_package():
    """Name of the installed MXNet package for CUDA, such as mxnet_cu117; '' where MXNet is one for CPUs or absent."""
    spec = importlib.util.find_spec('mxnet')
    if spec is None or not spec.origin:
        return ''
    packages = os.path.dirname(os.path.dirname(spec.origin))
    found = glob.glob(os.path.join(glob.escape(packages), 'mxnet_cu*-*.dist-info'))
    return os.path.basename(found[0]).split('-')[0] if found else ''


def load_libraries():
    """Load those of LIBRARIES that are installed as packages, for the whole process -> list of their paths.

    Raises ImportError for one that does not load.
    """
    loaded = []
    for name, (package, folder) in LIBRARIES.items():
        path = _find(os.path.join('nvidia', folder, 'lib', name))
        if path is None:
            continue
        try:
            ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise ImportError(f'{name} of the package {package} does not load ({error}): '
                              f'{_install(package, again=True)}', name='sniper_mxnet', path=name) from None
        loaded.append(path)
    return loaded


def _find(relative):
    candidates = (os.path.join(folder, relative) for folder in sys.path if os.path.isabs(folder))
    return next((path for path in candidates if os.path.isfile(path)), None)


def _cannot_load(error, package):
    """ImportError for MXNet's library, which the system could not load: what is missing, and the mend."""
    match = re.match(r'([\w+.-]+): cannot open shared object file', str(error))
    name = match.group(1) if match else None
    if name == DRIVER:
        text = (f"{package.replace('_', '-')} needs NVIDIA's driver, and {DRIVER} is not on this machine: install the "
                'driver, or the MXNet for CPUs: SNIPER_MXNET=mxnet bash scripts/setup.sh')
    elif name in LIBRARIES:
        text = f'MXNet needs {name}, which is not there: {_install(LIBRARIES[name][0])}'
    elif name:
        text = f'MXNet needs the system library {name}, which is not there: install it'
    else:
        text = f'MXNet does not load: {error}'
    return ImportError(text, name='sniper_mxnet', path=name)


def _install(package, again=False):
    """The command that installs one package in the version that requirements-cuda11.txt names."""
    option = '--force-reinstall --no-deps ' if again else ''
    return f'{sys.executable} -m pip install {option}-c requirements-cuda11.txt {package}'

"""MXNet for CUDA with the libraries of requirements-cuda11.txt, on a machine without a GPU: a stub is its driver.

Run it in an environment that SNIPER_MXNET=mxnet-cu117 bash scripts/setup.sh has made; elsewhere it skips.
"""
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata

import pytest

from tests.conftest import ROOT

PACKAGE = next((name for name in (found.metadata['Name'] or '' for found in metadata.distributions())
                if name.startswith('mxnet-cu')), None)
pytestmark = [
    pytest.mark.skipif(PACKAGE is None, reason='the MXNet here is one for CPUs; SNIPER_MXNET=mxnet-cu117 bash '
                                               'scripts/setup.sh installs one for CUDA'),
    pytest.mark.skipif(shutil.which('gcc') is None or shutil.which('readelf') is None, reason='needs gcc and readelf')]

RESOLVE = """
import ctypes, sys
import cuda_libraries
print(*cuda_libraries.load_libraries(), sep='\\n')
"""
CONTEXTS = """
import logging
logging.basicConfig(level=logging.INFO, format='%(message)s')
from sniper_mxnet import mx
from configs import load_config
from lib.engine.devices import contexts
config = load_config('configs/faster/sniper_tiny_e2e.yml', ['gpus', 'auto'])
print(contexts(config), contexts(config), mx.runtime.Features().is_enabled('CUDA'),
      mx.nd.ones((2, 3)).sum().asscalar())
"""


def library():
    folder = os.path.dirname(importlib.util.find_spec('mxnet').origin)
    return os.path.join(folder, 'libmxnet.so')


def tool(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout


def needed(path):
    return re.findall(r'\(NEEDED\).*\[(.*)\]', tool('readelf', '-d', path))


@pytest.fixture(scope='module')
def stub(tmp_path_factory):
    """Folder of a driver that finds no GPU, with all functions that MXNet wants of one."""
    sys.path.insert(0, os.path.join(ROOT, 'SNIPER-mxnet', 'tests'))
    try:
        from stub_libraries import stub_driver
    finally:
        del sys.path[0]
    symbols = re.findall(r' UND (cu[A-Z]\w*)', tool('readelf', '--dyn-syms', '-W', library()))
    folder = tmp_path_factory.mktemp('driver')
    stub_driver(folder / 'libcuda.so.1', status=100, others=sorted(set(symbols)))
    return str(folder)


def run(program, stub, **variables):
    environment = dict(os.environ, LD_LIBRARY_PATH=stub, **variables)
    return subprocess.run([sys.executable, '-c', program], cwd=ROOT, env=environment, capture_output=True,
                          text=True, timeout=300)


def test_every_library_that_mxnet_links_is_there(stub):
    """In a package that is loaded, beside MXNet, in the stub, or of the system: the loader finds all of them."""
    folder = os.path.join(ROOT, 'SNIPER-mxnet', 'python', 'sniper_mxnet')
    done = run(RESOLVE, '', PYTHONPATH=folder)
    loaded = {os.path.basename(path) for path in done.stdout.split()}
    system = [line.split()[0] for line in tool('ldd', library()).splitlines() if 'not found' not in line]
    assert set(needed(library())) - loaded - set(map(os.path.basename, system)) <= {'libcuda.so.1'}, done.stderr
    assert {'libcudnn.so.8', 'libcublas.so.11', 'libnccl.so.2'} <= loaded


def test_gpus_auto_says_once_that_there_is_none(stub):
    done = run(CONTEXTS, stub)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split('\n')[0] == '[cpu(0)] [cpu(0)] True 6.0'
    said = [line for line in done.stderr.splitlines() if 'GPU' in line]
    assert said == ["gpus auto: there is no GPU here (NVIDIA's driver finds none): running on the CPU"]

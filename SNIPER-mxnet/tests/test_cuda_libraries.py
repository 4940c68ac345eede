"""MXNet for CUDA with libraries from the package index: stubs in their places, and an MXNet that links them all."""
import ctypes
import os
import subprocess
import sys

import pytest

from sniper_mxnet import cuda_libraries
from sniper_mxnet.cuda_libraries import DRIVER, LIBRARIES
from stub_libraries import compile_library, needs_compiler

pytestmark = needs_compiler

# What needs what, as in the packages.
NEEDS = {'libcublas.so.11': ['libcublasLt.so.11'],
         'libcusolver.so.11': ['libcublas.so.11', 'libcublasLt.so.11']}
MXNET = 'import ctypes, os\nctypes.CDLL(os.path.join(os.path.dirname(__file__), "libmxnet.so"))\n'
PROGRAM = """
import cuda_libraries
try:
    print('loaded', cuda_libraries.import_mxnet().__name__, cuda_libraries.cuda_package())
except ImportError as error:
    print(error.path, '|', error.name, '|', error)
"""


class Packages:
    """A folder of installed packages: MXNet for CUDA and all libraries that it links."""

    def __init__(self, folder):
        self.folder = folder
        for name in LIBRARIES:
            compile_library(self.path(name), needs=[self.path(other) for other in NEEDS.get(name, [])])
        self.install_mxnet([self.path(name) for name in LIBRARIES])

    def path(self, name):
        return os.path.join(str(self.folder), 'nvidia', LIBRARIES[name][1], 'lib', name)

    def install_mxnet(self, needs, package='mxnet_cu117'):
        compile_library(self.folder / 'mxnet' / 'libmxnet.so', needs=needs)
        (self.folder / 'mxnet' / '__init__.py').write_text(MXNET)
        (self.folder / f'{package}-1.9.1.dist-info').mkdir(exist_ok=True)

    def run(self):
        """What a process of its own says of importing MXNet."""
        paths = [str(self.folder), os.path.dirname(cuda_libraries.__file__)]
        environment = {key: value for key, value in os.environ.items() if key != 'LD_LIBRARY_PATH'}
        done = subprocess.run([sys.executable, '-c', PROGRAM], env=dict(environment, PYTHONPATH=os.pathsep.join(paths)),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        return done.stdout.strip()


@pytest.fixture(scope='module')
def packages(tmp_path_factory):
    return Packages(tmp_path_factory.mktemp('site packages'))


def test_every_library_is_found_in_its_package(packages):
    assert packages.run() == 'loaded mxnet mxnet_cu117'


@pytest.mark.parametrize('name', ['libcudnn.so.8', 'libcublasLt.so.11'])
def test_a_package_that_is_missing_is_named_with_its_command(packages, name):
    path = packages.path(name)
    os.rename(path, path + '.away')
    try:
        said = packages.run()
    finally:
        os.rename(path + '.away', path)
    # libcublas needs libcublasLt, which the loader names before MXNet is tried
    assert said.count('\n') == 0 and name in said and ' | sniper_mxnet | ' in said
    assert '-m pip install ' in said and f'-c requirements-cuda11.txt {LIBRARIES[name][0]}' in said


def test_a_library_that_is_cut_is_named(packages):
    path = packages.path('libcufft.so.10')
    with open(path, 'rb') as stream:
        whole = stream.read()
    try:
        with open(path, 'wb') as stream:
            stream.write(whole[:100])
        said = packages.run()
    finally:
        with open(path, 'wb') as stream:
            stream.write(whole)
    assert said.startswith('libcufft.so.10 | ') and 'nvidia-cufft-cu11 does not load (' in said and '\n' not in said
    assert '--force-reinstall --no-deps -c requirements-cuda11.txt nvidia-cufft-cu11' in said


def test_without_a_driver_one_line_says_so(packages, tmp_path):
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        pass
    else:
        pytest.skip('this machine has a driver')
    needs = [packages.path(name) for name in LIBRARIES]
    packages.install_mxnet(needs + [compile_library(tmp_path / DRIVER)])
    try:
        said = packages.run()
    finally:
        packages.install_mxnet(needs)
    assert said.startswith(f"{DRIVER} | sniper_mxnet | mxnet-cu117 needs NVIDIA's driver") and '\n' not in said
    assert 'SNIPER_MXNET=mxnet bash scripts/setup.sh' in said


def test_an_mxnet_for_cpus_loads_none(tmp_path):
    (tmp_path / 'mxnet').mkdir()
    (tmp_path / 'mxnet' / '__init__.py').write_text('')
    for name, (_, folder) in LIBRARIES.items():
        (tmp_path / 'nvidia' / folder / 'lib').mkdir(parents=True, exist_ok=True)
        (tmp_path / 'nvidia' / folder / 'lib' / name).write_text('no library')
    lone = Packages.__new__(Packages)
    lone.folder = tmp_path
    assert lone.run() == 'loaded mxnet'


def test_a_system_library_that_is_missing_is_named(tmp_path):
    lone = Packages.__new__(Packages)
    lone.folder = tmp_path
    lone.install_mxnet([compile_library(tmp_path / 'libsniper_absent.so.3')])
    assert lone.run() == ('libsniper_absent.so.3 | sniper_mxnet | MXNet needs the system library '
                          'libsniper_absent.so.3, which is not there: install it')

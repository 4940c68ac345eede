"""Compiles the operator library against the headers inside the installed MXNet wheel.

It needs Python, setuptools and a C++ compiler, nothing else: setuptools drives the compiler, so that no build tool has
to be present. MXNet is looked up without importing it, since its import needs more than its headers do.

The CUDA kernels are compiled in where the installed MXNet is one for CUDA (mxnet-cu112, ...) and there is nvcc, or
where SNIPER_CUDA=1 asks for them; SNIPER_CUDA=0 leaves them out. See nvcc.py for CUDA_HOME and SNIPER_CUDA_ARCHS.
"""
import glob
import importlib.machinery
import os
import platform
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

try:
    from setuptools.errors import CompileError
except ImportError:
    from distutils.errors import CompileError

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from nvcc import wanted_compiler  # noqa: E402

INCLUDES = ['include', 'src']
# What the kernels are made of, besides the host's sources.
CUDA_SOURCES = sorted(glob.glob(os.path.join(HERE, 'src', 'cuda', '*.cu')))
CUDA_HEADERS = glob.glob(os.path.join(HERE, 'src/cuda/*.h')) + glob.glob(os.path.join(HERE, 'include/*/*.h'))


def mxnet_folder():
    """Folder of the installed mxnet package; exits with a message if there is none or it lacks the interface.

    pip builds in an isolated environment that hides installed packages from `sys.path`, but not from sysconfig.
    """
    folders = sys.path + [sysconfig.get_paths()[key] for key in ('platlib', 'purelib')]
    spec = importlib.machinery.PathFinder.find_spec('mxnet', folders)
    if spec is None or not spec.origin:
        raise SystemExit(('sniper_mxnet is built against an installed MXNet and found none in {}: '
                          'run `pip install mxnet==1.9.1` with this Python first').format(
                         sysconfig.get_paths()['platlib']))
    folder = os.path.dirname(spec.origin)
    for name in ('include/mxnet/lib_api.h', 'src/lib_api.cc'):
        if not os.path.exists(os.path.join(folder, name)):
            raise SystemExit(f'{folder} lacks {name}, the interface for operator libraries: install mxnet 1.9.1')
    return folder


class BuildLibrary(build_ext):
    """Makes a plain shared library with a fixed name, since MXNet loads it, not Python."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split('.')) + '.so'

    def build_extensions(self):
        self._check_compiler()
        if not self._compiles('#include <omp.h>\nint main() { return omp_get_max_threads(); }', ['-fopenmp']):
            self.warn('the C++ compiler knows no OpenMP: the operators will use one thread')
            for extension in self.extensions:
                extension.extra_compile_args.remove('-fopenmp')
                extension.extra_link_args.remove('-fopenmp')
        for extension in self.extensions:
            self._add_kernels(extension, wanted_compiler(mxnet_folder()))
        self.compiler.compile = _side_by_side(self.compiler.compile)
        super().build_extensions()

    def _add_kernels(self, extension, compiler):
        """Compiles the .cu files into the extension. A change of mind about CUDA makes earlier objects outdated."""
        choice = os.path.join(self.build_temp, 'cuda.txt')
        os.makedirs(self.build_temp, exist_ok=True)
        command = [compiler.path] + compiler.flags() if compiler else ['without CUDA']
        if _read(choice) != ' '.join(command):
            with open(choice, 'w') as stream:
                stream.write(' '.join(command))
        extension.depends.append(choice)
        if compiler is None:
            return
        print('compiling the CUDA kernels with {} for compute capabilities {}'.format(
            compiler.path, ', '.join(map(str, compiler.architectures()))))
        command += ['-I' + folder for folder in INCLUDES]
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            objects = pool.map(lambda source: self._compile_kernel(command, source, choice), CUDA_SOURCES)
            extension.extra_objects = list(objects)
        extension.define_macros += [
            ('SNIPER_WITH_CUDA', '1'),
            ('SNIPER_CUDA_RUNTIME', str(compiler.version[0] * 1000 + compiler.version[1] * 10)),
            ('SNIPER_CUDA_ARCHITECTURES', '"{}"'.format(','.join(map(str, compiler.architectures()))))]
        extension.library_dirs = compiler.folders('L')
        extension.libraries = ['cudart_static', 'dl', 'rt', 'pthread']
        # The CUDA run time inside stays private: MXNet and others in the process may have one of another version.
        extension.extra_link_args.append('-Wl,--exclude-libs,ALL')

    def _compile_kernel(self, command, source, choice):
        target = os.path.join(self.build_temp, os.path.basename(source) + '.o')
        newest = max(os.path.getmtime(path) for path in [source, choice] + CUDA_HEADERS)
        if self.force or not os.path.exists(target) or os.path.getmtime(target) < newest:
            self.spawn(command + ['-c', source, '-o', target])
        return target

    def _check_compiler(self):
        if not self._compiles('#include <vector>\nint main() { return std::vector<int>().size(); }', []):
            raise SystemExit('no working C++ compiler: install one (Debian and Ubuntu: apt-get install g++) '
                             'or name it in the variable CXX')

    def _compiles(self, source, flags):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'probe.cc')
            with open(path, 'w') as stream:
                stream.write(source + '\n')
            try:
                self.compiler.compile([path], output_dir=folder, extra_postargs=flags)
            except CompileError:
                return False
        return True


def _side_by_side(compile_files):
    """setuptools' compile(sources, **settings) -> objects, with a file a core at a time, and 8 at most."""
    def compile_all(sources, **settings):
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            return [made for objects in pool.map(lambda source: compile_files([source], **settings), sources)
                    for made in objects]
    return compile_all


def _read(path):
    if not os.path.exists(path):
        return ''
    with open(path) as stream:
        return stream.read()


def operator_library():
    mxnet = mxnet_folder()
    os.chdir(HERE)
    return Extension(
        'sniper_mxnet.libsniper_mxnet',
        sources=sorted(glob.glob('src/cpu/*.cc') + glob.glob('src/ops/*.cc')),
        depends=['setup.py', 'nvcc.py'] + glob.glob('include/sniper/*.h') + glob.glob('src/*/*.h') + CUDA_SOURCES,
        include_dirs=INCLUDES + [os.path.join(mxnet, 'include'), os.path.join(mxnet, 'src')],
        # No -march: the kernels choose their vector width when loaded. No contraction: the same bits on every machine.
        extra_compile_args=['-std=c++11', '-O3', '-ffp-contract=off', '-fvisibility=hidden', '-fopenmp',
                            '-fno-math-errno', '-g0', '-Wall', '-Wno-psabi'],
        extra_link_args=['-fopenmp'],
        language='c++')


if platform.system() == 'Windows':
    raise SystemExit('sniper_mxnet builds on Linux: MXNet 1.9.1 has no wheel for Windows that it could use')

setup(ext_modules=[operator_library()], cmdclass={'build_ext': BuildLibrary})

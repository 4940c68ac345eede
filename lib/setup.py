"""Build every Cython kernel under lib/ beside its module.

    python lib/setup.py build_ext --inplace

The generated C++ goes to build/cython/. Kernels use typed memoryviews and the headers of
SNIPER-mxnet/include/sniper, which the operator library shares. No flag depends on the
building machine's processor, so a build can be copied to any machine of the same kind.

What Cython writes for memoryviews, 600 kB of C, would stand in every kernel; compiled once, as a module
that the kernels import from, it takes the build from 53 to 22 seconds of a core.
"""
import glob
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADERS = os.path.join('SNIPER-mxnet', 'include')
GENERATED = os.path.join('build', 'cython')
MEMORYVIEWS = 'lib.utils._memoryviews'  # the module that the kernels share; it has no source here
LONGEST = 'chips_ext'  # a quarter of all: begun first, so that no core waits for it in the end

if sys.platform == 'win32':
    COMPILE_ARGS = ['/O2', '/std:c++14']
else:
    # No contraction: a fused multiply-add would change the last bit that exact tests depend on.
    COMPILE_ARGS = ['-O3', '-std=c++14', '-ffp-contract=off', '-fno-math-errno', '-fno-trapping-math', '-g0']


def extensions():
    """One Extension for every lib/**/*.pyx, named by its place. Needs the root as working folder."""
    import numpy
    from setuptools import Extension
    headers = glob.glob(os.path.join(HEADERS, 'sniper', '*.h'))
    found = []
    paths = glob.glob(os.path.join('lib', '**', '*.pyx'), recursive=True)
    for path in sorted(paths, key=lambda path: (LONGEST not in path, path)):
        name = os.path.splitext(path)[0].replace(os.sep, '.')
        found.append(Extension(name, [path], language='c++', depends=headers,
                               include_dirs=[numpy.get_include(), HEADERS],
                               extra_compile_args=COMPILE_ARGS))
    return found


def memoryviews():
    """Extension of the module that the kernels share, written by Cython just now."""
    from setuptools import Extension
    path = os.path.join(GENERATED, *MEMORYVIEWS.split('.')) + '.c'
    os.makedirs(os.path.dirname(path), exist_ok=True)
    subprocess.run([sys.executable, '-m', 'cython', f'--generate-shared={path}'], check=True)
    return Extension(MEMORYVIEWS, [path], extra_compile_args=[] if sys.platform == 'win32' else ['-g0'])


def main():
    """Run setuptools on the extensions; the command line says what to do."""
    from Cython.Build import cythonize
    from setuptools import setup
    os.chdir(ROOT)  # setuptools places in-place builds relative to the working folder
    modules = cythonize(extensions(), build_dir=GENERATED, shared_utility_qualified_name=MEMORYVIEWS,
                        compiler_directives={'language_level': 3, 'boundscheck': False,
                                             'wraparound': False, 'cdivision': True})
    setup(name='sniper-kernels', packages=[], ext_modules=modules + [memoryviews()],
          options={'build_ext': {'parallel': os.cpu_count() or 1}})


if __name__ == '__main__':
    main()

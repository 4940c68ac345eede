"""Build every Cython kernel under lib/ beside its module.

    python lib/setup.py build_ext --inplace

The generated C++ goes to build/cython/. Kernels use typed memoryviews and the headers of
SNIPER-mxnet/include/sniper, which the operator library shares. No flag depends on the
building machine's processor, so a build can be copied to any machine of the same kind.
"""
import glob
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HEADERS = os.path.join('SNIPER-mxnet', 'include')

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
    for path in sorted(glob.glob(os.path.join('lib', '**', '*.pyx'), recursive=True)):
        name = os.path.splitext(path)[0].replace(os.sep, '.')
        found.append(Extension(name, [path], language='c++', depends=headers,
                               include_dirs=[numpy.get_include(), HEADERS],
                               extra_compile_args=COMPILE_ARGS))
    return found


def main():
    """Run setuptools on the extensions; the command line says what to do."""
    from Cython.Build import cythonize
    from setuptools import setup
    os.chdir(ROOT)  # setuptools places in-place builds relative to the working folder
    modules = cythonize(extensions(), build_dir=os.path.join('build', 'cython'),
                        compiler_directives={'language_level': 3, 'boundscheck': False,
                                             'wraparound': False, 'cdivision': True})
    setup(name='sniper-kernels', packages=[], ext_modules=modules,
          options={'build_ext': {'parallel': os.cpu_count() or 1}})


if __name__ == '__main__':
    main()

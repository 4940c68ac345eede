"""Gives MXNet on aarch64 the matrix library that its wheel lacks; scripts/setup.sh calls it there.

MXNet 1.9.1's wheel for aarch64 is linked to Arm Performance Libraries, which no package of the index brings: without
them `import mxnet` ends with "libarmpl_lp64_mp.so: cannot open shared object file". Its functions are those of BLAS and
LAPACK, which the package scipy-openblas32 has as well, with `scipy_` before their names. So three libraries of the
missing names are made beside MXNet's own, where it looks first: one whose functions jump to those, and two that are
empty, since what they hold are faster forms of what the C library has.
"""
import importlib.util
import os
import shlex
import subprocess
import sys
import tempfile

BLAS = 'libarmpl_lp64_mp.so'
EMPTY = ('libamath.so', 'libastring.so')
# What MXNet 1.9.1 asks for, in single and double precision.
LAPACKE = 'geev gelqf gesdd gesv gesvd getrf getri orglq potrf potri syevd'
CBLAS = 'dot gemm ger syrk trmm trsm'
FORTRAN = 'gels geqrf gesdd gesv getrf posv potrf'
SINGLE = ('cblas_saxpy', 'cblas_cgemm', 'cblas_zgemm')


def functions():
    """Names of all functions that MXNet takes from the library."""
    names = [f'LAPACKE_{kind}{name}' for name in LAPACKE.split() for kind in 'sd']
    names += [f'cblas_{kind}{name}' for name in CBLAS.split() for kind in 'sd']
    names += [f'{kind}{name}_' for name in FORTRAN.split() for kind in 'sd']
    return names + list(SINGLE)


def source():
    """C that jumps from every function to the one of scipy-openblas32, arguments and all."""
    jump = 'asm(".text\\n.globl {0}\\n.type {0}, %function\\n{0}: b scipy_{0}\\n");'
    return '\n'.join(jump.format(name) for name in functions()) + '\n'


def folder_of(package):
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise SystemExit(f'error: the package {package} is not installed; run: bash scripts/setup.sh')
    return spec.submodule_search_locations[0]


def make(target, text, flags=()):
    """Compiles C into the shared library `target`, which appears whole."""
    command = shlex.split(os.environ.get('CC', 'gcc'))
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as folder:
        path, made = os.path.join(folder, 'library.c'), os.path.join(folder, 'library.so')
        with open(path, 'w') as stream:
            stream.write(text)
        name = '-Wl,-soname,' + os.path.basename(target)
        subprocess.check_call(command + ['-shared', '-fPIC', '-O2', name, path, '-o', made, *flags])
        os.replace(made, target)


def main():
    mxnet, openblas = folder_of('mxnet'), os.path.join(folder_of('scipy_openblas32'), 'lib')
    place = '$ORIGIN/' + os.path.relpath(openblas, mxnet)
    make(os.path.join(mxnet, BLAS), source(),
         ['-L' + openblas, '-l:libscipy_openblas.so', '-Wl,--no-undefined', '-Wl,-rpath,' + place])
    for name in EMPTY:
        make(os.path.join(mxnet, name), '')
    print(f'made {BLAS} beside MXNet, which jumps to OpenBLAS in {openblas}')


if __name__ == '__main__':
    sys.exit(main())

"""Print a hash of what one part of the environment was made from (called by scripts/common.sh).

    python scripts/stamp.py packages|native PACKAGE

packages: the lists of requirements, the name of the MXNet package, or of ONNX Runtime's in an environment without
MXNet, and the Python version. native: besides these the sources of the operator library and the Cython kernels, or
'missing' if one of the compiled files is not there.
"""
import glob
import hashlib
import os
import sys
import sysconfig

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NATIVE = ('SNIPER-mxnet/include/**/*', 'SNIPER-mxnet/src/**/*', 'SNIPER-mxnet/python/**/*.py', 'SNIPER-mxnet/*.py',
          'SNIPER-mxnet/pyproject.toml', 'lib/setup.py', 'lib/**/*.pyx', 'lib/**/*.pxd', 'lib/**/*.h')
SHARED_BY_KERNELS = 'lib/utils/_memoryviews.c'  # lib/setup.py lets Cython write it


def files(patterns):
    """Files under the root that match one of the patterns, relative and in order."""
    found = set()
    for pattern in patterns:
        for path in glob.glob(os.path.join(glob.escape(ROOT), pattern), recursive=True):
            if os.path.isfile(path):
                found.add(os.path.relpath(path, ROOT))
    return sorted(found)


def compiled_files_are_there(with_mxnet):
    """True if every kernel under lib/ has its extension module, and the one that they share, and sniper_mxnet, where
    there is MXNet, its library."""
    suffix = sysconfig.get_config_var('EXT_SUFFIX')
    kernels = [os.path.splitext(path)[0] + suffix for path in files(['lib/**/*.pyx']) + [SHARED_BY_KERNELS]]
    package = os.path.join(sysconfig.get_paths()['platlib'], 'sniper_mxnet')
    return (all(os.path.exists(os.path.join(ROOT, path)) for path in kernels)
            and (not with_mxnet or bool(glob.glob(os.path.join(glob.escape(package), '*.so')))))


def main():
    """Print the stamp of the part named on the command line."""
    part, package = sys.argv[1:3]
    with_mxnet = package.startswith('mxnet')
    if part == 'native' and not compiled_files_are_there(with_mxnet):
        print('missing')
        return
    digest = hashlib.sha256((f'{sys.version_info[:3]} {package}\n').encode())
    listed = ('requirements.txt',) if with_mxnet else ('requirements-inference.txt',)
    if package.startswith('mxnet-cu'):
        listed += ('requirements-cuda11.txt', 'requirements-nvcc.txt')
    for path in files(listed + (NATIVE if part == 'native' else ())):
        digest.update((f'{path}\n').encode())
        with open(os.path.join(ROOT, path), 'rb') as stream:
            digest.update(stream.read())
    print(digest.hexdigest())


if __name__ == '__main__':
    main()

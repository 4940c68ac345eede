"""The CUDA compiler: where it is, what it can, how it is called. Used by setup.py and by tests/cuda/libraries.py."""
import glob
import os
import re
import shutil
import subprocess
import sys
import sysconfig

# GPUs to make machine code for, as far as the compiler knows them: CUDA 11.2 to 12 know all but the newest, CUDA 13
# begins at 75. Code for 80 runs on 86 and 89 too; newer GPUs translate the PTX of the last one.
ARCHITECTURES = (70, 75, 80, 86, 90)

# Where NVIDIA's installers put it.
DEFAULT = '/usr/local/cuda/bin/nvcc'


class CudaCompiler:
    """nvcc at `path` (a string), its version as (major, minor)."""

    def __init__(self, path, version):
        self.path = path
        self.version = version

    def folders(self, kind):
        """Folders of headers ('I') or libraries ('L') that the compiler itself uses; it may be a script elsewhere."""
        plan = _output([self.path, '--dryrun', '-c', 'any.cu', '-o', 'any.o'])
        lines = re.findall(r'^#\$ (?:INCLUDES|LIBRARIES)=(.*)$', plan, re.MULTILINE)
        found = [folder for line in lines for folder in re.findall(fr'-{kind}\s*"?([^"\s]+)', line)]
        # The packages of the index have lib where the compiler says lib64.
        found += [folder[:-2] for folder in found if folder.endswith('lib64') and not os.path.isdir(folder)]
        return [os.path.realpath(folder) for folder in found if os.path.isdir(folder)]

    def architectures(self):
        """Numbers of the GPUs to compile for: SNIPER_CUDA_ARCHS ('80' or '75;90'), else all known of ARCHITECTURES."""
        asked = os.environ.get('SNIPER_CUDA_ARCHS', '')
        if asked:
            numbers = [int(word) for word in re.split(r'[;,\s]+', asked.strip()) if word.isdigit()]
            if not numbers:
                raise ValueError(f"SNIPER_CUDA_ARCHS is {asked!r}; it can be one or several numbers such as '80;90'")
            return sorted(numbers)
        known = set(map(int, re.findall(r'compute_(\d+)', _output([self.path, '--help']))))
        return [number for number in ARCHITECTURES if number in known] or [max(known)]

    def flags(self):
        """Arguments that compile one .cu file; includes, input and output come from the caller.

        No contraction of multiply-adds: kernels give the bits of the CPU's loops. C++17 is what CUB of CUDA 13 needs
        and what every nvcc since 11.0 knows.
        """
        numbers = self.architectures()
        codes = [f'-gencode=arch=compute_{number},code=sm_{number}' for number in numbers]
        codes.append(f'-gencode=arch=compute_{numbers[-1]},code=compute_{numbers[-1]}')
        threads = ['--threads', '0'] if self.version >= (11, 2) else []
        # 1675: pragmas that only the host's compiler knows.
        return ['-std=c++17', '-O3', '-fmad=false', '-Xcudafe', '--diag_suppress=1675', '-Xcompiler',
                '-fPIC,-fvisibility=hidden,-ffp-contract=off,-Wall,-Wno-psabi'] + threads + codes


def find_compiler():
    """The CudaCompiler of NVCC, CUDA_HOME, CUDA_PATH, the search path, /usr/local/cuda or a package of the index
    (requirements-nvcc.txt); None if there is none."""
    candidates = [os.environ.get('NVCC')]
    candidates += [os.path.join(os.environ[key], 'bin', 'nvcc') for key in ('CUDA_HOME', 'CUDA_PATH')
                   if os.environ.get(key)]
    candidates += [shutil.which('nvcc'), DEFAULT] + packaged()
    for path in candidates:
        path = path and shutil.which(path)
        if not path:
            continue
        match = re.search(r'release (\d+)\.(\d+)', _output([path, '--version']))
        if match:
            return CudaCompiler(path, (int(match.group(1)), int(match.group(2))))
    return None


def packaged():
    """Paths of nvcc in packages of the index, the newest CUDA first."""
    found = glob.glob(os.path.join(glob.escape(sysconfig.get_paths()['purelib']), 'nvidia', 'cu[0-9]*', 'bin', 'nvcc'))
    return sorted(found, key=lambda path: int(re.search(r'cu(\d+)/bin/nvcc$', path).group(1)), reverse=True)


def wanted_compiler(mxnet):
    """The CudaCompiler for the operator library, or None where it is to go without kernels.

    Raises SystemExit with what is amiss and the mend. `mxnet`: folder of the installed package. SNIPER_CUDA=1 asks
    for kernels, 0 for none; unset: kernels where MXNet is one for CUDA and there is nvcc.
    """
    asked = os.environ.get('SNIPER_CUDA', '')
    if asked not in ('', '0', '1'):
        raise SystemExit(f'SNIPER_CUDA is {asked!r}; it can be 1 (compile the CUDA kernels), 0 (leave them out) or '
                         'unset')
    for_cuda = bool(glob.glob(os.path.join(os.path.dirname(mxnet), 'mxnet_cu*-*.dist-info')))
    if asked == '0' or not (asked or for_cuda):
        return None
    compiler = find_compiler()
    mend = ('install a CUDA toolkit (11.2 or newer; that of the MXNet package is the safest choice) and set CUDA_HOME '
            'to its folder, or `pip install -r requirements-nvcc.txt`')
    if compiler is None and asked:
        raise SystemExit('SNIPER_CUDA=1 asks for the CUDA kernels, but there is no nvcc: ' + mend)
    if compiler is None:
        print('warning: this MXNet is one for CUDA, but there is no nvcc: the operators will run on CPUs only. '
              f'To have them on GPUs, {mend}, then install sniper-mxnet again', file=sys.stderr)
    elif compiler.version < (11, 0):
        raise SystemExit('{} is of CUDA {}.{}, which is too old for the CUDA kernels: {} (or set SNIPER_CUDA=0)'.format(
            *((compiler.path,) + compiler.version + (mend,))))
    return compiler


def _output(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout if done.returncode == 0 else ''

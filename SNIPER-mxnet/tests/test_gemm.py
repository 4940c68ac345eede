"""The matrix kernels of the CPU operators, each instruction set that this machine has, in a small C++ program.

scripts/test_aarch64.sh names a cross compiler in CXX, and in SNIPER_EMULATOR the command that runs what it makes.
"""
import glob
import os
import shlex
import shutil
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def test_every_kernel_of_this_machine(tmp_path):
    compiler = shlex.split(os.environ.get('CXX', 'g++'))
    if shutil.which(compiler[0]) is None:
        pytest.skip(f'needs the C++ compiler {compiler[0]}')
    program = str(tmp_path / 'gemm_check')
    subprocess.check_call(compiler + ['-std=c++11', '-O2', '-ffp-contract=off', '-Wno-psabi', '-I',
                                      os.path.join(ROOT, 'src'), os.path.join(HERE, 'gemm_check.cc')]
                          + sorted(glob.glob(os.path.join(ROOT, 'src', 'cpu', 'gemm*.cc'))) + ['-o', program])
    # An emulator takes twenty times as long: it gets two whole blocks of rows, and one of each size.
    emulator = shlex.split(os.environ.get('SNIPER_EMULATOR', ''))
    command = emulator + [program, '13' if emulator else '33']
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    assert result.returncode == 0, result.stdout
    names = result.stdout.split()
    assert names[0] == 'portable' and names[-1] in names[:-1], result.stdout  # the one chosen is among those checked

"""scripts/arm_blas.py: what MXNet on aarch64 takes its matrix functions from."""
import os
import shutil
import subprocess
import sys

import pytest

from scripts import arm_blas
from tests.scripts.test_scripts import Copy, check_plain_error, write_program

CROSS = 'aarch64-linux-gnu-gcc'
EMULATOR = shutil.which('qemu-aarch64') or shutil.which('qemu-aarch64-static')


def test_every_function_once():
    names = arm_blas.functions()
    assert len(set(names)) == len(names) == 51
    assert {'cblas_sgemm', 'LAPACKE_dgesvd', 'spotrf_'} <= set(names)


@pytest.mark.skipif(not (EMULATOR and shutil.which(CROSS)), reason=f'needs {CROSS} and qemu-aarch64')
def test_functions_arrive_with_their_arguments(tmp_path, monkeypatch):
    """Among these some on the stack: an OpenBLAS in which each function gives its number and its arguments' sum."""
    folder = tmp_path / 'lib'
    folder.mkdir()
    names = arm_blas.functions()
    numbers = ', '.join(f'int {letter}' for letter in 'abcdefghij')
    monkeypatch.setenv('CC', CROSS)
    arm_blas.make(str(folder / 'libscipy_openblas.so'), '\n'.join(
        f'int scipy_{name}({numbers}) {{ return {1000 * i} + a + b + c + d + e + f + g + h + i + j; }}'
        for i, name in enumerate(names)))
    library = str(folder / arm_blas.BLAS)
    arm_blas.make(library, arm_blas.source(), [f'-L{folder}', '-l:libscipy_openblas.so', '-Wl,-rpath,$ORIGIN'])
    program = tmp_path / 'program.c'
    calls = '\n'.join(f'  if ({name}(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) != {1000 * i} + 55) return 1;'
                      for i, name in enumerate(names))
    declared = '\n'.join(f'int {name}({numbers});' for name in names)
    program.write_text(f'{declared}\nint main() {{\n{calls}\n  return 0;\n}}')
    subprocess.run([CROSS, '-w', '-fno-builtin', str(program), library, f'-Wl,-rpath,{folder}', '-o',
                    str(tmp_path / 'program')], check=True)
    loader = subprocess.check_output([CROSS, '-print-file-name=ld-linux-aarch64.so.1'], text=True).strip()
    subprocess.run([EMULATOR, '-L', os.path.dirname(os.path.dirname(loader)), str(tmp_path / 'program')], check=True)


@pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')
@pytest.mark.parametrize('machine, called', [('x86_64', False), ('aarch64', True)])
def test_set_up_calls_it_on_aarch64_alone(tmp_path, machine, called):
    """Unless Arm's own library can be loaded, which it cannot here."""
    clone = Copy(tmp_path)
    for name in ('g++', 'gcc'):
        clone.program(name, 'exit 0')
    write_program(clone.root / '.venv' / 'bin' / 'python', f'#!{shutil.which("bash")}\ncase "$*" in\n*"-m pip"*) ;;\n'
                  f'*arm_blas.py) echo no OpenBLAS here; exit 1 ;;\n-) exit 1 ;;\n'
                  f'*) exec "{sys.executable}" "$@" ;;\nesac')
    result = clone.run('setup.sh', HOSTTYPE=machine)
    check_plain_error(result, 'could not be given OpenBLAS' if called else 'does not load')

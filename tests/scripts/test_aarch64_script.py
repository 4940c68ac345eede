"""scripts/test_aarch64.sh: what it says when something is missing or fails; compilers and tests are pretended."""
import os
import shutil
import sys

import pytest

from tests.scripts.test_scripts import ROOT, Copy, check_plain_error, write_program

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')

SCRIPT = 'test_aarch64.sh'
# The packages are found in the copy; pytest says how it was called, and records all passes that the operators have.
PYTHON = f'''#!{shutil.which("bash")}
case "$*" in
*submodule_search*) echo "{{root}}/site" ;;
*setup.py*) echo "$CXX"; {{setup_does}} ;;
*"-m pytest"*) echo "arguments: $*"; echo "$CXX, $SNIPER_EMULATOR, $SNIPER_KERNEL_SERVER"; {{pytest_does}} ;;
*) exec "{sys.executable}" "$@" ;;
esac
'''
RECORD = f'''"{sys.executable}" -c '
import sys
sys.path.insert(0, "SNIPER-mxnet/python/sniper_mxnet")
from operators import OPERATORS
for operator in OPERATORS[{{first}}:]:
    print(operator.name, "forward")
    print(operator.name, "backward")' >build/aarch64/passes.txt'''


@pytest.fixture
def clone(tmp_path):
    copy = Copy(tmp_path)
    for tool in ('rm', 'sleep'):
        os.symlink(shutil.which(tool), str(copy.bin / tool))
    package = os.path.join('SNIPER-mxnet', 'python', 'sniper_mxnet')
    shutil.copytree(os.path.join(ROOT, package), str(copy.root / package))
    (copy.root / 'site').mkdir()
    (copy.root / 'site' / 'libsniper_mxnet.so').write_text('')
    (copy.root / 'sysroot' / 'lib').mkdir(parents=True)
    (copy.root / 'sysroot' / 'lib' / 'ld.so').write_text('')
    return copy


def pretend(clone, cross=True, qemu=True, setup_does='true', pytest_does='true'):
    for name in ['g++', 'gcc'] + ['aarch64-linux-gnu-g++'] * cross:
        clone.program(name, f'case "$*" in -print*) echo "{clone.root}/sysroot/lib/ld.so" ;; esac')
    if qemu:
        clone.program('qemu-aarch64', 'exit 1')
    write_program(clone.root / '.venv' / 'bin' / 'python',
                  PYTHON.format(root=clone.root, setup_does=setup_does, pytest_does=pytest_does))


def test_no_environment(clone):
    check_plain_error(clone.run(SCRIPT), '.venv', 'scripts/setup.sh')


@pytest.mark.parametrize('cross, qemu, package', [(False, True, 'g++-aarch64-linux-gnu'), (True, False, 'qemu-user')])
def test_a_missing_tool_is_named_and_no_failure(clone, cross, qemu, package):
    pretend(clone, cross, qemu)
    status, out, err = clone.run(SCRIPT)
    assert status == 0 and not err and len(out.splitlines()) == 1
    assert f'apt-get install {package}' in out and 'nothing was tested' in out
    check_plain_error(clone.run(SCRIPT, '--required'), f'apt-get install {package}')


def test_a_library_that_does_not_compile(clone):
    pretend(clone, setup_does='echo no such header; exit 1')
    result = clone.run(SCRIPT)
    check_plain_error(result, 'operators did not compile', 'operators.log')
    assert 'no such header' in result[2]


def test_all_is_well(clone):
    pretend(clone, pytest_does=RECORD.format(first=0))
    status, out, err = clone.run(SCRIPT)
    assert status == 0, err
    assert '--ignore=SNIPER-mxnet/tests/cuda' in out and 'operators, ' in out.splitlines()[-1]
    assert 'aarch64-linux-gnu-g++, ' in out and 'kernel_server' in out
    assert (clone.root / 'build' / 'aarch64' / 'operators.log').read_text() == 'aarch64-linux-gnu-g++\n'
    status, out, _ = clone.run(SCRIPT, 'tests/one.py', '-x')
    assert status == 0 and 'tests/one.py -x' in out and '--ignore' not in out


def test_an_operator_that_did_not_run_there(clone):
    pretend(clone, pytest_does=RECORD.format(first=1))
    check_plain_error(clone.run(SCRIPT), "[('MultiProposal', 'forward')]")


def test_a_test_that_fails(clone):
    pretend(clone, pytest_does=f'{RECORD.format(first=0)}; exit 1')
    assert clone.run(SCRIPT)[0] == 1

"""scripts/sanitize.sh: what it says when something is missing or found. Nothing is compiled: programs are pretended."""
import os
import shutil
import sys

import pytest

from tests.scripts.test_scripts import Copy, check_plain_error, write_program

pytestmark = pytest.mark.skipif(shutil.which('bash') is None, reason='needs bash')

PARTS = ('benchmarks', 'configs', 'lib', 'SNIPER-mxnet', 'symbols', 'tests')
PYTHON = f'''#!{shutil.which("bash")}
case "$*" in
*Python.h*) echo "{sys.executable}" ;;
*setup.py*) %s ;;
*pytest*) echo "arguments: $*"; folder="${{ASAN_OPTIONS##*log_path=}}"; %s ;;
esac
'''


@pytest.fixture
def clone(tmp_path):
    copy = Copy(tmp_path)
    for tool in ('tar', 'rm', 'chmod', 'touch', 'sleep'):
        os.symlink(shutil.which(tool), str(copy.bin / tool))
    for part in PARTS:
        (copy.root / part).mkdir()
    return copy


def pretend(clone, pytest_does, setup_does='echo compiled', library='here'):
    """A compiler and a Python whose pytest and setup.py run these lines of bash."""
    found = '*-print-file-name=*) name="${{1##*=}}"; {} ;;'.format(
        f'echo "{clone.bin}/$name"; : >"{clone.bin}/$name"' if library == 'here' else 'echo "$name"')
    for name in ('g++', 'gcc'):
        clone.program(name, f'case "$*" in {found} esac')
    write_program(clone.root / '.venv' / 'bin' / 'python', PYTHON % (setup_does, pytest_does))


def test_no_environment(clone):
    check_plain_error(clone.run('sanitize.sh'), '.venv', 'scripts/setup.sh')


def test_a_compiler_without_sanitizers(clone):
    pretend(clone, 'true', library='missing')
    check_plain_error(clone.run('sanitize.sh'), 'libasan.so', 'need GCC', 'CXX')


def test_nothing_compiled_yet(clone):
    pretend(clone, 'true')
    check_plain_error(clone.run('sanitize.sh', '--kept'), 'nothing was compiled yet')


@pytest.mark.parametrize('which', ['operators', 'kernels'])
def test_a_part_that_does_not_compile(clone, which):
    word = 'build-lib' if which == 'operators' else 'inplace'
    pretend(clone, 'true', f'case "$*" in *{word}*) echo no such header; exit 1 ;; esac')
    result = clone.run('sanitize.sh')
    check_plain_error(result, which + ' did not compile', which + '.log')
    assert 'no such header' in result[2] and not (clone.root / 'build' / 'sanitize' / 'built').exists()


def test_all_is_well(clone):
    pretend(clone, 'echo "under $LD_PRELOAD with $PYTHONPATH"')
    status, out, _ = clone.run('sanitize.sh')
    assert status == 0 and 'no finding' in out
    assert 'SNIPER-mxnet/tests --ignore=SNIPER-mxnet/tests/cuda tests/bbox' in out
    assert 'libasan.so' in out and 'build/sanitize/packages' in out
    status, out, _ = clone.run('sanitize.sh', '--kept', 'tests/one.py', '-x')
    assert status == 0 and 'tests/one.py -x' in out and 'SNIPER-mxnet/tests' not in out


def test_the_compiler_gets_the_flags_last(clone):
    pretend(clone, 'true', '"$CXX" -O3 -g0; "$CC" one.c')
    clone.program('g++', 'case "$*" in *-print-file-name=*) echo "$0" ;; *) echo "flags: $*" ;; esac')
    assert clone.run('sanitize.sh')[0] == 0
    log = (clone.root / 'build' / 'sanitize' / 'operators.log').read_text()
    assert 'flags: -O3 -g0 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined' in log


def test_a_report_of_address_sanitizer(clone):
    """Even where the test that made it passed."""
    pretend(clone, 'echo "heap-buffer-overflow in soft_nms" >"$folder.77"; exit 0')
    result = clone.run('sanitize.sh')
    check_plain_error(result, 'AddressSanitizer found')
    assert 'heap-buffer-overflow in soft_nms' in result[2]


def test_a_report_of_undefined_behaviour(clone):
    pretend(clone, 'echo "src/cpu/nms.cc:3:9: runtime error: signed integer overflow" >&2; exit 1')
    status, out, err = clone.run('sanitize.sh')
    check_plain_error((status, out, err), 'UndefinedBehaviorSanitizer found')
    assert 'signed integer overflow' in out


def test_a_test_that_fails(clone):
    pretend(clone, 'echo 1 failed; exit 1')
    check_plain_error(clone.run('sanitize.sh'), 'tests fail under the sanitizers')


def test_reports_of_an_earlier_run_do_not_count(clone):
    pretend(clone, 'echo overflow >"$folder.1"')
    assert clone.run('sanitize.sh')[0] == 1
    pretend(clone, 'true')
    assert clone.run('sanitize.sh', '--kept')[0] == 0

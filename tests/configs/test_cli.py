"""The arguments that all programs share, and what becomes of errors."""
import argparse
import logging
import os
import re
import subprocess
import sys

import pytest

from lib import cli
from lib.utils.errors import SniperError
from tests.conftest import ROOT


def parse(words):
    parser = cli.add_config_arguments(argparse.ArgumentParser())
    parser.add_argument('--display', type=int, default=100)
    return parser.parse_args(words)


def test_set_swallows_the_rest_of_the_line():
    args = parse(['--display', '5', '--set', 'TEST.NMS', '-1', 'TRAIN.wd', '-1e-3', 'gpus', '0,1'])
    assert args.overrides == ['TEST.NMS', '-1', 'TRAIN.wd', '-1e-3', 'gpus', '0,1'] and args.display == 5


def test_options_after_set_are_an_error_that_says_so():
    with pytest.raises(SniperError, match='must come last'):
        cli.config_from_arguments(parse(['--set', 'gpus', 'cpu', '--display', '5']))


def test_defaults_are_the_originals():
    args = parse([])
    assert (args.cfg, args.save_prefix, args.overrides) == ('configs/faster/sniper_res101_e2e.yml', 'SNIPER', [])


def test_a_users_mistake_is_one_line_and_status_1(capsys):
    def main(argv):
        raise SniperError(f'no such thing: {argv[0]}')
    with pytest.raises(SystemExit) as exit_:
        cli.run(main, ['x'])
    assert exit_.value.code == 1 and capsys.readouterr().err == 'error: no such thing: x\n'


def test_success_and_own_status():
    for result, status in ((None, None), (0, 0), (3, 3)):
        with pytest.raises(SystemExit) as exit_:
            cli.run(lambda argv: result)
        assert exit_.value.code == status


def test_an_interrupt_is_status_130():
    def main(argv):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit) as exit_:
        cli.run(main)
    assert exit_.value.code == 130


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda argv: 1 // 0)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / 'new' / 'run.log'
    cli.setup_logging(str(path))
    return path


def test_log_file_gets_its_folder(log):
    logging.getLogger('x').info('hello')
    assert 'hello' in log.read_text()


@pytest.mark.parametrize('error, line', [(SniperError('no such thing'), 'error: no such thing'),
                                         (KeyboardInterrupt(), 'interrupted')])
def test_the_log_file_gets_the_line_too(log, capsys, error, line):
    def main(argv):
        raise error
    with pytest.raises(SystemExit):
        cli.run(main)
    assert capsys.readouterr().err == line + '\n' and log.read_text().endswith(line + '\n')


def test_the_log_file_gets_the_traceback_of_a_bug(log, capsys):
    with pytest.raises(ZeroDivisionError):
        cli.run(lambda argv: 1 // 0)
    assert capsys.readouterr().err == '' and 'ZeroDivisionError' in log.read_text()


@pytest.mark.parametrize('error, line', [
    (ModuleNotFoundError("No module named 'lib.bbox.nms_ext'", name='lib.bbox.nms_ext'), 'nms_ext is missing.*compile'),
    (ImportError("cannot import name 'cover'", name='lib.chips.chips_ext'), "out of date .*'cover'.*compile.sh"),
    (ModuleNotFoundError("No module named 'mxnet'", name='mxnet'), 'needs MXNet.*setup.sh'),
    (ImportError('MXNet does not work with NumPy 2'), 'NumPy 2.*setup.sh')])
def test_incomplete_installation_is_one_line(capsys, error, line):
    def main(argv):
        raise error
    with pytest.raises(SystemExit) as leaving:
        cli.run(main)
    text = capsys.readouterr().err
    assert leaving.value.code == 1 and text.count('\n') == 1 and re.match('error: .*' + line, text)


@pytest.mark.parametrize('error', [ModuleNotFoundError("No module named 'lib.x'", name='lib.x'), BrokenPipeError()])
def test_other_bugs_that_look_alike(error):
    def main(argv):
        raise error
    with pytest.raises(type(error)):
        cli.run(main)


@pytest.mark.parametrize('words', [['--meanings'], ['--help']])
@pytest.mark.parametrize('buffered', [True, False])
def test_a_reader_that_has_gone(words, buffered):
    python = [sys.executable] if buffered else [sys.executable, '-u']
    process = subprocess.Popen(python + ['-m', 'configs'] + words, cwd=ROOT, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b'' and process.wait() == 141
    process.stderr.close()


PROGRAM = '''
import logging, sys
from lib import cli
def main(argv):
    cli.setup_logging()
    logging.getLogger('x').info('said')
    print('table ' * 9 + {text!r})
    with open({saved!r}, 'a') as stream:
        stream.write('work')
    sys.stdout.flush()
    return {status}
cli.run(main, prints={prints})
'''


@pytest.mark.parametrize('prints, streams, status, complaint', [
    (False, '>&-', 0, ''), (False, '>&- 2>&- <&-', 3, ''),
    (False, '>/dev/full', 0, 'No space left on device.: what was printed is lost'),
    (False, '>/dev/full 2>/dev/full', 0, ''), (False, '2>/dev/full | true', 3, ''),
    (True, '>&-', 0, ''), (True, '>/dev/full', 1, 'error: standard output cannot be written: No space left'),
    (True, '2>/dev/full', 0, '')])
def test_whatever_becomes_of_the_streams_the_work_is_done(tmp_path, prints, streams, status, complaint):
    own, saved, program = status if status == 3 else 0, tmp_path / 'saved', tmp_path / 'program.py'
    program.write_text(PROGRAM.format(text='', saved=str(saved), status=own, prints=prints))
    pause = '(sleep 0.3; exec "$@")' if '|' in streams else '"$@"'
    done = subprocess.run(['bash', '-c', f'{pause} {streams}; exit ${{PIPESTATUS[0]}}', 'x', sys.executable,
                           str(program)], cwd=ROOT, env=dict(os.environ, PYTHONPATH=ROOT), text=True,
                          capture_output=True)
    assert done.returncode == status and (saved.exists() or status in (1, 141))
    lines = [line for line in done.stderr.splitlines() if not line.endswith(' said')]
    assert len(lines) == bool(complaint) and re.search(complaint, done.stderr), done.stderr
    assert not saved.exists() or saved.read_text() == 'work'


def test_letters_that_the_terminal_lacks_are_spelt(tmp_path):
    program = PROGRAM.format(text='\u5199', saved=str(tmp_path / 'saved'), status=0, prints=False)
    done = subprocess.run([sys.executable, '-c', program], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, PYTHONIOENCODING='latin-1'))
    assert done.returncode == 0 and done.stdout == 'table ' * 9 + '\\u5199\n'


class MXNetError(Exception):
    """Stands in for mxnet.MXNetError, which need not be loaded."""


@pytest.mark.parametrize('error, line', [
    (MemoryError(), 'memory ran out: lower BATCH_IMAGES'),
    (MXNetError('Check failed: cudaMalloc failed: out of memory\nStack trace:'), 'memory ran out'),
    (OSError(28, 'No space left on device'), 'No space left on device'),
    (PermissionError(13, 'Permission denied', 'a/b\n'), 'a/b : Permission denied')])
def test_what_the_system_refuses_is_one_line(capsys, error, line):
    def main(argv):
        raise error
    with pytest.raises(SystemExit) as leaving:
        cli.run(main)
    text = capsys.readouterr().err
    assert leaving.value.code == 1 and text.count('\n') == 1 and text.startswith('error: ' + line)


def test_other_errors_of_mxnet_are_bugs():
    def main(argv):
        raise MXNetError('shapes do not match')
    with pytest.raises(MXNetError):
        cli.run(main)


@pytest.mark.parametrize('prefix', ['', ' ', '/', 'a/', '.', '..'])
def test_a_prefix_has_letters(prefix):
    with pytest.raises(SniperError, match='names no files'):
        parse(['--save_prefix', prefix])

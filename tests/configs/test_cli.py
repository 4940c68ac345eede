"""The arguments that all programs share, and what becomes of errors."""
import argparse
import logging

import pytest

from lib import cli
from lib.errors import SniperError


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
        raise SniperError('no such thing: %s' % argv[0])
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


def test_log_file_gets_its_folder(tmp_path):
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        cli.setup_logging(str(tmp_path / 'new' / 'run.log'))
        logging.getLogger('x').info('hello')
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = before, level
    assert 'hello' in (tmp_path / 'new' / 'run.log').read_text()

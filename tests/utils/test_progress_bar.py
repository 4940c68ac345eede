"""The bar on a terminal, and nothing of it elsewhere."""
import io
import logging

import pytest

from lib.utils.progress_bar import ConsoleHandler, ProgressBar, bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('COLUMNS', '60')
    monkeypatch.setenv('LINES', '24')
    return Terminal()


def screen(text):
    """What a terminal shows of it: lines, of which \\r and \\x1b[K write over the last."""
    return [line.split('\r\x1b[K')[-1] for line in text.split('\n')]


def test_lines_stand_above_the_bar(terminal):
    logger = logging.Logger('above')
    logger.addHandler(ConsoleHandler(terminal))
    with ProgressBar(terminal, clock=iter(range(99)).__next__) as shown:
        shown.show('Epoch 1/2', 5, 10, '5/10  left 0:20  ' + 'and much more ' * 9)
        logger.info('first')
        shown.show('Epoch 1/2', 6, 10, '6/10')
        logger.info('second')
        assert screen(terminal.getvalue()) == ['first', 'second', 'Epoch 1/2 [######....] 6/10']
        assert max(map(len, screen(terminal.getvalue()))) < 60
    assert screen(terminal.getvalue()) == ['first', 'second', '']
    logger.info('third')
    assert screen(terminal.getvalue()) == ['first', 'second', 'third', '']


def test_nothing_on_a_pipe_or_where_it_is_not_wanted(terminal, monkeypatch):
    pipe = io.StringIO()
    monkeypatch.setattr(terminal, 'isatty', terminal.isatty)
    for stream, wanted in ((pipe, True), (terminal, False)):
        with ProgressBar(stream, wanted) as shown:
            shown.show('Epoch', 1, 2)
            assert not shown.active
    monkeypatch.setenv('TERM', 'dumb')
    assert not ProgressBar(terminal).active
    assert pipe.getvalue() == terminal.getvalue() == ''


def test_not_drawn_too_often(terminal):
    now = [10.0]
    with ProgressBar(terminal, clock=lambda: now[0]) as shown:
        for number in range(5):
            shown.show('Epoch', number, 5)
            now[0] += 0.06
    assert terminal.getvalue().count('Epoch') == 2


def test_cells():
    assert bar(0, 4, 4) == '[....]' and bar(3, 4, 4) == '[###.]' and bar(9, 4, 4) == '[####]' and bar(0, 0, 2) == '[..]'

"""The operator benchmark: medians of calls in turn, bars, and a row from the command line."""
import json
import os
import subprocess
import sys

import pytest

from benchmarks import operators, timing
from benchmarks.operator_cases import Bar, Case
from tests.conftest import ROOT


def test_calls_alternate_and_the_first_does_not_count():
    calls = []
    seconds = timing.interleaved({'a': lambda: calls.append('a'), 'b': lambda: calls.append('b')}, budget=0, least=3)
    assert calls == ['a', 'b'] * 4 and set(seconds) == {'a', 'b'} and min(seconds.values()) >= 0


@pytest.mark.parametrize('bar, milliseconds, reached, holds', [
    (Bar('faster', 4, 'stock'), {'ours': 2, 'stock': 8}, '4.0x', True),
    (Bar('faster', 4, 'stock'), {'ours': 2, 'stock': 7.9}, '4.0x', False),
    (Bar('within', 2, 'plain'), {'ours': 4, 'plain': 2}, '2.00x', True),
    (Bar('within', 2, 'plain'), {'ours': 5, 'plain': 2}, '2.50x', False),
    (Bar('ms', 3, units=16), {'ours': 48}, '3.000 ms', True),
    (Bar('ms', 0.4), {'ours': 0.5}, '0.500 ms', False)])
def test_bars(bar, milliseconds, reached, holds):
    checked = bar.check(milliseconds)
    assert (checked['reached'], checked['holds']) == (reached, holds) and f'{bar.value:g}' in checked['bar']


def test_columns_line_up():
    assert timing.table(('a', 'long'), [(1, 2), ('three', 4)]) == [
        '| a     | long |', '|-------|------|', '| 1     | 2    |', '| three | 4    |']


def test_a_row_is_measured_from_the_command_line():
    done = subprocess.run([sys.executable, '-m', 'benchmarks.operators', '--budget', '0', '--only', 'ChipGenerator'],
                          cwd=ROOT, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS='1'))
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures['benchmark'] == 'operators' and figures['rows'][0]['ms']['ours'] > 0, done.stderr
    assert done.returncode == 0 and not figures['rows'][0]['bars']


@pytest.mark.parametrize('milliseconds, status', [(1, 0), (9, 1)])
def test_the_exit_status_says_whether_bars_hold(milliseconds, status, monkeypatch, capsys):
    case = Case('a row', lambda: {'ours': None, 'stock': None}, (Bar('faster', 4, 'stock'),))
    monkeypatch.setattr(operators, 'all_cases', lambda: [case])
    monkeypatch.setattr(timing, 'interleaved', lambda *_, **__: {'ours': milliseconds / 1e3, 'stock': 0.008})
    assert operators.main(['--only', 'ROW']) == status
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures['rows'][0]['ms'] == {'ours': milliseconds, 'stock': 8}
    assert figures['rows'][0]['bars'][0]['holds'] == (status == 0)


def test_unknown_rows_are_named(capsys):
    with pytest.raises(SystemExit) as end:
        operators.main(['--only', 'no such row'])
    assert end.value.code == 2 and '--list' in capsys.readouterr().err


def test_the_plain_graph_has_none_of_our_operators(monkeypatch):
    from benchmarks.cases import graph
    symbols = []
    monkeypatch.setattr(graph, 'bind', lambda detector, config: symbols.append(detector.symbol(config, 'test')))
    graph.resnet101()
    ours, plain = ({node['op'] for node in json.loads(symbol.tojson())['nodes']} for symbol in symbols)
    deformable = {'DeformableConvolution', 'DeformablePSROIPooling'}
    assert deformable <= ours and not deformable & plain

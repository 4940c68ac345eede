"""The arithmetic of the AutoFocus benchmark: which ways it tries, how it judges them; and one run of it all."""
import argparse
import json
import os

import pytest

from benchmarks import autofocus
from configs import load_config
from tests.inference import tiny_data

TEST = load_config('configs/faster/sniper_tiny_autofocus.yml').TEST
ONE_EACH = dict(dilations=[5], thresholds=[0.3], chip_factors=[0.5], also=[])


def ways(grid=False, **lists):
    return autofocus.all_ways(TEST, argparse.Namespace(grid=grid, **dict(ONE_EACH, **lists)))


def test_one_parameter_is_changed_at_a_time():
    found = {way.name: way.keys for way in ways()}
    first, (d, t, m), last = map(tuple, TEST.CHIP_HYPERPARAMS)  # the second scale makes chips for the last
    assert found['dilation 5']['CHIP_HYPERPARAMS'] == [first, (5, t, m), last]
    assert found['threshold 0.3']['CHIP_HYPERPARAMS'] == [first, (d, 0.3, m), last]
    assert found['chip 0.5']['CHIP_HYPERPARAMS'] == [first, (d, t, max(1, round(m / 2))), last]
    assert [way.kind for way in ways()[:2]] == ['pyramid', 'configured'] and not found['full pyramid']['AUTO_FOCUS']
    assert sum(way.kind == 'single' for way in ways()) == len(TEST.SCALES)


def test_what_is_configured_is_not_tried_twice():
    assert not [way for way in ways(chip_factors=[1.0]) if way.kind == 'chip']


def test_one_more_setting():
    way, = [way for way in ways(also=[7, 0.7, 9]) if way.kind == 'frugal']
    assert tuple(way.keys['CHIP_HYPERPARAMS'][1]) == (7, 0.7, 9)


def test_grid():
    found = [way for way in ways(grid=True, dilations=[1, 5], thresholds=[0.3, 0.4]) if way.kind == 'grid']
    assert len(found) == 4 and len({str(way.keys) for way in found}) == 4


def row(kind, ap, megapixels, rate=1.0, **more):
    return dict(kind=kind, way=kind, AP=ap, megapixels=megapixels, speed_up=rate, **more)


@pytest.mark.parametrize('focused, frugal, holds', [
    (('configured', 0.61, 39, 2.1), ('threshold', 0.6, 19), True),
    (('configured', 0.60, 39, 2.1), ('threshold', 0.6, 19), False),    # AP
    (('configured', 0.61, 41, 2.1), ('threshold', 0.6, 19), False),    # pixels
    (('configured', 0.61, 39, 1.9), ('threshold', 0.6, 19), False),    # speed
    (('configured', 0.61, 39, 2.1), ('threshold', 0.59, 19), False),   # frugal AP
    (('configured', 0.61, 39, 2.1), ('threshold', 0.62, 21), False),   # no frugal setting
    (('configured', 0.61, 39, 2.1), ('single', 0.62, 19), False)])     # one scale is no setting of AutoFocus
def test_bars(focused, frugal, holds):
    figures = [row('pyramid', 0.615, 100), row(*focused, recall=0.96), row(*frugal, recall=0.9)]
    assert autofocus.verdict(figures)['holds'] is holds
    figures[1]['recall'] = 0.94
    assert not autofocus.verdict(figures)['holds']


def test_the_whole_benchmark(tmp_path, capsys):
    """With random weights on three tiny images: table, JSON and plot are there; the bars are not reached."""
    settings = tiny_data.write_focused(str(tmp_path), '[(48, 64), (96, 128)]')
    status = autofocus.main(['--cfg', tiny_data.CONFIG, '--out', str(tmp_path / 'bench'), '--repeats', '1',
                             '--dilations', '3', '--thresholds', '1', '--chip_factors', '', '--also', '', '--set'] +
                            settings)
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    shares = {way['way']: way['share'] for way in figures['ways']}
    assert status == 1 and not figures['holds']
    assert shares['full pyramid'] == shares['AutoFocus'] == 1
    assert shares['threshold 1.0'] == pytest.approx(0.2, abs=0.01)  # the coarse scale alone
    assert shares['scale 96x128 alone'] == pytest.approx(0.8, abs=0.01)
    assert len([line for line in lines if line.startswith('| ')]) == 1 + len(figures['ways'])
    with open(str(tmp_path / 'bench' / 'autofocus.json'), encoding='utf-8') as stream:
        assert json.load(stream)['verdict']['share'] == 1
    assert os.path.getsize(str(tmp_path / 'bench' / 'autofocus.png')) > 5000

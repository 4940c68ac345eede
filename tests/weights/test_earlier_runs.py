"""Files of an earlier run in the folder of a new one."""
import json
import os

import pytest

from lib.utils.errors import SniperError
from lib.weights.earlier_runs import NewRun, run_files, set_aside
from lib.weights.paths import set_aside_prefixes

OURS = ['S-0001.json', 'S-0001.params', 'S-0001.states', 'S-0012.params', 'S-interrupted.params', 'S-symbol.json']
OTHERS = ['S-mine-0001.params', 'S2-0001.params', 'config_2025.log', 'S-0001.params.bak', 'S-notes.json']


def fill(folder):
    """An earlier run of prefix S with results, and what belongs to others."""
    for name in OURS + OTHERS + ['S-run.json']:
        (folder / name).write_text(name)
    for name in ('S-0001', 'S-0012-bf16', 'T-0001', 'S-mine-0001'):
        (folder / 'results' / 'coco_val' / name).mkdir(parents=True)
        (folder / 'results' / 'coco_val' / name / 'metrics.json').write_text(name)
    return str(folder / 'S')


def test_everything_of_the_run_moves_and_nothing_else(tmp_path):
    prefix = fill(tmp_path)
    assert run_files(prefix) == OURS
    place = set_aside(prefix, b'old')
    assert os.path.basename(place).startswith('before-20')
    assert sorted(os.listdir(place)) == sorted(OURS + ['S-run.json', 'results'])
    assert sorted(os.listdir(os.path.join(place, 'results', 'coco_val'))) == ['S-0001', 'S-0012-bf16']
    with open(os.path.join(place, 'results', 'coco_val', 'S-0001', 'metrics.json')) as stream:
        assert stream.read() == 'S-0001'
    assert sorted(os.listdir(str(tmp_path))) == sorted(OTHERS + ['S-run.json', 'results', os.path.basename(place)])
    assert sorted(os.listdir(str(tmp_path / 'results' / 'coco_val'))) == ['S-mine-0001', 'T-0001']
    assert set_aside_prefixes(prefix, 12) == [os.path.join(os.path.basename(place), 'S')]
    assert set_aside_prefixes(prefix, 2) == []


def test_twice_within_a_second(tmp_path):
    prefix = fill(tmp_path)
    places = {set_aside(prefix), set_aside(prefix), set_aside(prefix)}
    assert len(places) == 3


def test_a_start_that_fails_leaves_everything(tmp_path):
    prefix = fill(tmp_path)
    before = {name: (tmp_path / name).read_text() for name in OURS + ['S-run.json']}
    with pytest.raises(SniperError), NewRun(prefix) as run:
        assert json.loads((tmp_path / 'S-run.json').read_text()) == {'run': run.name}
        raise SniperError('before the first checkpoint')
    assert before == {name: (tmp_path / name).read_text() for name in before}
    empty = str(tmp_path / 'new' / 'S')
    with pytest.raises(KeyboardInterrupt), NewRun(empty):
        raise KeyboardInterrupt
    assert os.listdir(str(tmp_path / 'new')) == []


def test_the_first_save_makes_room_once(tmp_path, caplog):
    prefix = fill(tmp_path)
    with pytest.raises(SniperError), NewRun(prefix) as run:
        run.make_room()
        (tmp_path / 'S-0001.params').write_text('new')
        run.make_room()
        raise SniperError('after the first checkpoint')
    assert json.loads((tmp_path / 'S-run.json').read_text()) == {'run': run.name}
    assert (tmp_path / 'S-0001.params').read_text() == 'new' and run_files(prefix) == ['S-0001.params']
    places = [name for name in os.listdir(str(tmp_path)) if name.startswith('before-')]
    assert len(places) == 1 and (tmp_path / places[0] / 'S-run.json').read_text() == 'S-run.json'
    assert caplog.text.count(f'are in {tmp_path / places[0]} now') == 1


def test_other_workers_and_an_empty_folder(tmp_path):
    prefix = fill(tmp_path)
    with NewRun(prefix, begin=False) as run:
        run.make_room()
    assert run.name == '' and run_files(prefix) == OURS and (tmp_path / 'S-run.json').read_text() == 'S-run.json'
    with NewRun(str(tmp_path / 'new' / 'S')) as run:
        run.make_room()
    assert os.listdir(str(tmp_path / 'new')) == ['S-run.json']

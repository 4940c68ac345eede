"""Average precision by the height of faces, on lists and detections made here."""
import json

import pytest

from benchmarks import face_sizes
from lib.utils.errors import SniperError
from tests.dataset.wider.made_up import write_lists

FACES = {'0--Parade': {'a': [[10, 10, 12, 12], [50, 50, 40, 44]], 'b': [[5, 5, 20, 24]]}}


@pytest.fixture
def lists(tmp_path):
    return write_lists(tmp_path / 'lists', FACES)


def detections(folder, **lines):
    (folder / '0--Parade').mkdir(parents=True)
    for name, rows in lines.items():
        (folder / '0--Parade' / f'{name}.txt').write_text('\n'.join([name, str(len(rows)), *rows]) + '\n')
    return str(folder)


def test_a_column_a_folder(lists, tmp_path, capsys):
    good = detections(tmp_path / 'good', a=['10 10 12 12 0.9', '50 50 40 44 0.8'], b=['5 5 20 24 0.7'])
    poor = detections(tmp_path / 'poor', a=['50 50 40 44 0.8', '100 100 9 9 0.9'], b=[])
    assert face_sizes.main(['--lists', lists, f'good={good}', f'poor={poor}']) == 0
    lines = capsys.readouterr().out.splitlines()
    found = json.loads(lines[-1])['AP']
    assert found['good'] == {'0 to 16': 1, '16 to 32': 1, '32 to inf': 1, 'all': 1}
    assert found['poor']['0 to 16'] == found['poor']['16 to 32'] == 0 and found['poor']['32 to inf'] == 0.5
    assert lines[0].split()[1::2] == ['height', 'faces', 'good', 'poor']


def test_what_cannot_be_used(lists, tmp_path):
    with pytest.raises(SniperError, match='NAME=DIR'):
        face_sizes.main(['--lists', lists, 'only_a_name'])
    with pytest.raises(SniperError, match='no list of WIDER FACE'):
        face_sizes.main(['--lists', str(tmp_path), 'a=b'])

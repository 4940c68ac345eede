"""The benchmark of WIDER FACE's evaluation runs, and its self-test knows faces for faces."""
import json

import pytest

from benchmarks import wider_eval
from tests.dataset.wider.made_up import write_lists


def test_a_small_one(capsys):
    assert wider_eval.main(['--pictures', '30', '--faces', '200', '--detections', '5']) == 0
    row = json.loads(capsys.readouterr().out.strip().split('\n')[-1])
    assert (row['pictures'], row['faces'], row['detections']) == (30, 200, 150) and 0 < row['AP hard'] < 1


def test_faces_as_detections(tmp_path, capsys):
    """A wrong box a picture that scores above all halves the precision here."""
    lists = write_lists(tmp_path, {'e': {name: [(0, 0, 30, 40)] for name in 'abc'}})
    assert wider_eval.main(['--lists', lists]) == 0
    tested = json.loads(capsys.readouterr().out.strip().split('\n')[-1])
    assert tested['faces'] == [1, 1, 1] and tested['faces and a wrong box a picture'] == [0.5, 0.5, 0.5]


def test_impossible_sizes(capsys):
    with pytest.raises(SystemExit):
        wider_eval.main(['--faces', '9'])
    assert 'from twice the pictures' in capsys.readouterr().err

"""The benchmark of the report runs, and its detections are of all kinds."""
import json

import numpy as np
import pytest

from benchmarks import report
from lib.dataset.analysis.run import analyse


def test_a_small_one(capsys):
    assert report.main(['--images', '20', '--classes', '3']) == 0
    *lines, last = capsys.readouterr().out.strip().split('\n')
    rows = json.loads(last)['rows']
    assert len(lines) == 4 and [row['runs'] for row in rows] == [1, 2]
    assert all(row['detections'] == 2000 and row['seconds'] > 0 and 0 < row['megabytes'] < 20 for row in rows)


def test_detections_find_objects_and_miss_some():
    truth, found = report.made_up(1, 30, 3)
    analysis = analyse(found, truth, 4, 30)
    assert 0 < analysis.confusion.missed.sum() < len(truth.image)
    assert np.array_equal(truth.box, report.made_up(2, 30, 3)[0].box)   # two runs are on one data set
    assert not np.array_equal(found.box, report.made_up(2, 30, 3)[1].box)


@pytest.mark.parametrize('words', [['--images', '0'], ['--classes', '100000']])
def test_impossible_sizes(words, capsys):
    with pytest.raises(SystemExit):
        report.main(words)
    assert 'from 1' in capsys.readouterr().err

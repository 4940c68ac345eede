"""The reference loader of benchmarks/loader.py makes what the iterator makes."""
import json

import numpy as np
import pytest

from benchmarks import loader
from lib.iterators import TrainIterator
from tests.iterators.scenes import make_roidb, small_config, snapshot


def test_reference_and_iterator_make_the_same_tensors(tmp_path):
    roidb = make_roidb(tmp_path, 6, suffix='.png')
    config = small_config(RPN_BATCH_SIZE=10 ** 6, MAX_BATCHES=3)  # nothing is subsampled
    with TrainIterator(roidb, config, 4, num_workers=0) as iterator, \
            loader.ReferenceLoader(roidb, config, 4, 1) as reference:
        iterator.start_epoch(0)
        plan = list(iterator.epoch_chips())[:12]
        for ours, theirs in zip(iterator, reference.batches(plan)):
            arrays, images = snapshot(ours)
            assert images == [roidb[image]['image'] for image, _ in plan[4 * ours.index:4 * ours.index + 4]]
            assert set(arrays) == set(theirs)
            for name, array in arrays.items():
                np.testing.assert_allclose(array, theirs[name], rtol=1e-5, atol=1e-4, err_msg=name)


def test_command_line_needs_a_data_set(tmp_path, capsys):
    with pytest.raises(SystemExit):
        loader.main(['--data', str(tmp_path)])
    assert '--data wants a data set in COCO format' in capsys.readouterr().err


def test_table_and_verdict(monkeypatch, capsys):
    figures = {'chips': 4, 'images': 2, 'processes': 1, 'cores': 1, 'repeats': 1, 'reference_chips_per_second': 10.0,
               'ours_chips_per_second': 25.0, 'ratio': 2.5, 'bar': 3.0, 'holds': False}
    monkeypatch.setattr(loader, 'compare', lambda args: figures)
    monkeypatch.setattr(loader.os.path, 'isdir', lambda path: True)
    assert loader.main(['--data', 'x']) == 1
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1]) == figures and any('2.50' in line for line in lines)

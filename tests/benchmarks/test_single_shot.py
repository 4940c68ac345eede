"""The scenes of benchmarks/single_shot.py, its losses and verdict."""
import json

import numpy as np

from benchmarks import single_shot
from benchmarks.cases import single_shot as cases
from lib.bbox import ssd_priors, ssd_rows

SMALL = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])


def test_scenes_have_what_they_say():
    scores, offsets = single_shot.scene(SMALL, 3, 5)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert offsets.shape == SMALL.shape
    found = ssd_rows(scores, offsets, SMALL, 0.1)
    assert 3 <= len(found.label) <= 20 and len(set(found.label)) <= 3
    assert len(ssd_rows(*single_shot.scene(SMALL, 0, 0), SMALL, 0.01).label) > 0.9 * 80 * len(SMALL)


def test_numpy_computes_the_same_loss():
    functions = cases.losses(SMALL, 3, 4, 6)
    for ours, theirs in zip(functions['ours'](), functions['numpy']()):
        ours = ours if isinstance(ours, np.ndarray) else ours.asnumpy()
        np.testing.assert_allclose(ours.reshape(np.shape(theirs)), theirs, rtol=1e-5, atol=1e-6)


def test_table_and_verdict(monkeypatch, capsys):
    monkeypatch.setattr(single_shot, 'ssd_priors', lambda *_: SMALL)
    monkeypatch.setattr(single_shot, 'DRAWS', 1)
    monkeypatch.setattr(single_shot, 'FASTER', 0)
    monkeypatch.setattr(single_shot, 'SCENES', {'usual': (3, 5, 0.1), 'low scores': (3, 5, 0.01)})
    words = ['--seconds', '0', '--step', '10000', '--forward']
    assert single_shot.main(words + ['10000']) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert figures['holds'] and list(figures['post_processing_ms']) == ['usual']
    assert {row['step'] for row in figures['rows']} == {'augmentation', 'matching', 'decoding', 'soft', 'hard',
                                                        'loss, ours', 'loss, numpy'}
    assert any('low scores' in line for line in lines)
    assert single_shot.main(words + ['0.001']) == 1

"""The scenes of benchmarks/single_shot.py, and its verdict."""
import json

import numpy as np

from benchmarks import single_shot
from lib.bbox import ssd_priors, ssd_rows


def test_scenes_have_what_they_say():
    priors = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])
    scores, offsets = single_shot.scene(priors, 3, 5)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    assert offsets.shape == priors.shape
    found = ssd_rows(scores, offsets, priors, 0.1)
    assert 3 <= len(found.label) <= 20 and len(set(found.label)) <= 3


def test_table_and_verdict(monkeypatch, capsys):
    small = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])
    monkeypatch.setattr(single_shot, 'ssd_priors', lambda *_: small)
    monkeypatch.setattr(single_shot, 'DRAWS', 1)
    monkeypatch.setattr(single_shot, 'SCENES', {'usual': (3, 5, 0.1), 'low scores': (3, 5, 0.01)})
    assert single_shot.main(['--seconds', '0', '--forward', '10000']) == 0
    lines = capsys.readouterr().out.splitlines()
    figures = json.loads(lines[-1])
    assert figures['holds'] and list(figures['post_processing_ms']) == ['usual']
    assert {row['step'] for row in figures['rows']} == {'augmentation', 'matching', 'decoding', 'soft', 'hard'}
    assert any('low scores' in line for line in lines)
    assert single_shot.main(['--seconds', '0', '--forward', '0.001']) == 1

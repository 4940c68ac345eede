"""A training that begins with a detector of other classes: which outputs are kept, which are new."""
import json

import numpy as np
import pytest

from configs import load_config
from lib.dataset.class_names import NOWHERE
from lib.train.output_rows import kept_rows
from lib.weights.initial import BY_NAME, InitialWeights
from lib.weights.params_file import read_arrays
from tests.conftest import ROOT
from tests.train.test_initialise import first_values, pretrained_config

KNOWN = ('__background__', 'disc', 'Box', 'star')
TINY, M2DET = 'configs/faster/sniper_tiny_e2e.yml', 'configs/m2det/m2det_tiny.yml'


def rows(classes, layers, cfg=TINY, known=KNOWN, counted=0, before=None, words=()):
    """KeptRows for layers {name: (rows of the network, rows of the file)}."""
    start = InitialWeights('w.params', {'classes': list(known), 'config': before}, BY_NAME)
    shapes, given = ({name: (both[which], 5) for name, both in layers.items()} for which in (0, 1))
    return kept_rows(load_config(cfg, words), classes, start, shapes, given, counted)


def test_classes_by_name_in_any_order_and_number():
    found = rows(('__background__', 'cell', 'star', 'box'), {'cls_score_weight': (4, 4)})
    assert found.sources['cls_score_weight'].tolist() == [0, NOWHERE, 3, 2]
    assert (list(found.kept), list(found.new), list(found.left)) == (['star', 'box'], ['cell'], ['disc'])
    assert '3 of 4 of cls_score_weight' in found.lines()[0]
    assert found.lines()[1] == 'Classes: star, box kept; cell new; disc of the weights given up'
    less = rows(('__background__', 'disc'), {'cls_score_bias': (2, 4), 'rpn_cls_score_bias': (42, 42)})
    assert {name: source.tolist() for name, source in less.sources.items()} == {'cls_score_bias': [0, 1]}
    assert rows(KNOWN, {'cls_score_weight': (4, 4)}).sources == {}


def test_masks_and_m2det_have_several_rows_a_class():
    found = rows(('__background__', 'star', 'cell'), {'mask_out_weight': (4, 6)})
    assert found.sources['mask_out_weight'].tolist() == [2, NOWHERE, 5, NOWHERE]
    found = rows(('__background__', 'star', 'cell'), {'conf.1.weight': (18, 24), 'loc.1.weight': (24, 24)}, M2DET)
    assert list(found.sources) == ['conf.1.weight']
    assert found.sources['conf.1.weight'].reshape(6, 3).tolist() == [[4 * prior, 4 * prior + 3, NOWHERE]
                                                                     for prior in range(6)]


def test_anchors_that_both_have():
    words = ['network.ANCHOR_RATIOS', '[1,2]', 'network.ANCHOR_SCALES', '[4,9]']
    before = {'network.ANCHOR_RATIOS': [0.5, 1.0], 'network.ANCHOR_SCALES': [4, 6]}
    layers = {'rpn_cls_score_weight': (8, 8), 'rpn_bbox_pred_weight': (16, 16)}
    found = rows(KNOWN, layers, before=before, words=words).sources
    assert found['rpn_cls_score_weight'].tolist() == [2] + [NOWHERE] * 3 + [6] + [NOWHERE] * 3
    assert found['rpn_bbox_pred_weight'].tolist() == [8, 9, 10, 11] + [NOWHERE] * 12
    for odd in ({'network.ANCHOR_RATIOS': 'x'}, {'network.ANCHOR_SCALES': [4, 6, 7]}, [1], None):
        assert rows(KNOWN, layers, before=odd, words=words).sources == {}


def test_weights_that_do_not_name_their_classes():
    layers = {'cls_score_weight': (3, 3)}
    assert rows(('__background__', 'a', 'b'), layers, known=(), counted=3).sources == {}
    layers = {'cls_score_weight': (3, 81)}
    found = rows(('__background__', 'a', 'b'), layers, known=(), counted=81)
    assert found.sources['cls_score_weight'].tolist() == [0, NOWHERE, NOWHERE] and len(found.left) == 80


@pytest.mark.parametrize('name', ['sniper_tiny', 'sniper_tiny_autofocus', 'data/models/sniper_tiny-0000.params'])
def test_the_shipped_detector_learns_other_classes(name, caplog, monkeypatch, tmp_path):
    from lib.train.initialise import pretrained_values
    from symbols import get_detector
    if '/' not in name:
        monkeypatch.chdir(tmp_path)
    config = load_config(f'{ROOT}/{TINY}', ['network.pretrained', name, 'dataset.NUM_CLASSES', '3'])
    detector = get_detector(config.symbol)
    symbol, inputs = detector.test_symbol(config), detector.input_shapes(config, 1, 64, 64, 'test')
    shapes, _, statistics = symbol.infer_shape(**inputs)
    shapes = {key: shape for key, shape in zip(symbol.list_arguments(), shapes) if key not in inputs}
    statistics = dict(zip(symbol.list_auxiliary_states(), statistics))
    with caplog.at_level('INFO'):
        args, auxs, mixed = pretrained_values(config, shapes, statistics, detector.new_parameters(symbol),
                                              classes=('__background__', 'cell', 'star'))
    assert set(shapes) - set(args) == set(mixed) == {'cls_score_weight', 'cls_score_bias'} and set(auxs) == set(
        statistics)
    given, source = mixed['cls_score_weight']
    assert source.tolist() == [0, NOWHERE, 6] and given.shape[0] == 7
    assert 'Classes: star kept; cell new; disc, box, triangle, ring, cross of the weights given up' in caplog.text


def test_a_network_is_filled_with_both(tmp_path):
    """Rows of anchors: one of two is kept, the other one is as it would be without."""
    config = pretrained_config(tmp_path)
    config.network.ANCHOR_RATIOS, config.network.ANCHOR_SCALES = [1.0], [4, 9]
    before = {'network.ANCHOR_RATIOS': [1.0], 'network.ANCHOR_SCALES': [9, 12]}
    side = tmp_path / 'weights-0002.json'
    side.write_text(json.dumps({'classes': ['__background__', 'a'], 'tells_classes': False, 'config': before}))
    values, _ = first_values(config)
    scores = values['rpn_cls_score_weight']
    assert (scores[[1, 3]] == 1).all() and not (scores[[0, 2]] == 1).any()
    assert (values['stem_weight'] == 1).all() and (values['bbox_pred_weight'] == 1).all()
    assert read_arrays(str(tmp_path / 'weights-0002.params'))['arg:rpn_cls_score_weight'].shape == (4, 4, 1, 1)
    side.unlink()   # nobody knows what it is: heads are new
    assert not np.any(first_values(config)[0]['rpn_cls_score_weight'] == 1)

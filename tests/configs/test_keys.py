"""What keys affect, and the questions that filter by it."""
import pytest

from configs import keys_affecting, load_config, values_affecting
from configs.defaults import KEYS
from configs.keys import declared_keys
from configs.schema import AFFECTED, key


def test_what_a_key_affects_follows_the_definitions():
    """configs/schema.py: graph is of a test or of a training, pixels and pyramid are parts of what makes detections."""
    for name, declared in declared_keys().items():
        affects = declared.affects
        assert not affects or affects <= set(AFFECTED), name
        assert 'graph' not in affects or affects & {'detections', 'schedule'}, name
        assert not affects & {'pixels', 'pyramid'} or 'detections' in affects, name
        assert not ('machine' in affects and affects & {'detections', 'proposals'}), name
        assert 'schedule' not in affects or not name.startswith('TEST.'), name
        assert not affects or not declared.meaning.startswith('unused'), name
        if name.startswith('TRAIN.') and name != 'TRAIN.fp16':  # which the test graph has too
            assert affects <= {'graph', 'schedule', 'machine'}, name


@pytest.mark.parametrize('name, affects', [
    ('network.STRIDE_IN_1X1', {'graph', 'detections', 'proposals', 'schedule'}),
    ('network.PIXEL_MEANS', {'pixels', 'detections', 'proposals', 'schedule'}), ('TRAIN.lr', {'schedule'}),
    ('TEST.NMS', {'detections', 'pyramid'}), ('TEST.SCALES', {'pixels', 'detections', 'proposals'}),
    ('TRAIN.NUM_PROCESS', {'machine'}), ('dataset.dataset_path', {'machine'}), ('TEST.VIS_THRESH', set()),
    ('TRAIN.BATCH_ROIS', set())])
def test_keys_of_each_kind(name, affects):
    assert declared_keys()[name].affects == affects
    assert {word for word in AFFECTED if name in keys_affecting(word)} == affects


def test_queries_join_and_narrow():
    graph, pixels = keys_affecting('graph'), keys_affecting('pixels')
    assert set(keys_affecting('graph', 'pixels')) == set(graph) | set(pixels)
    of_test = keys_affecting('graph', among='detections')
    assert 'TEST.RPN_MIN_SIZE' in of_test and 'TRAIN.RPN_MIN_SIZE' not in of_test and 'TRAIN.fp16' in of_test
    of_scale = keys_affecting('detections', without=('pyramid',))
    assert 'TEST.SCORE_THRESH' in of_scale and 'TEST.NMS' not in of_scale
    for wrong in [('nms',), ('detection',)]:
        with pytest.raises(ValueError, match='keys affect graph'):
            keys_affecting(*wrong)


def test_values_are_plain_and_of_one_scale_if_asked():
    config = load_config(None, ['network.PIXEL_MEANS', '[1, 2, 3]'])
    values = values_affecting(config, 'pixels')
    assert values['network.PIXEL_MEANS'] == [1, 2, 3] and values['TEST.SCALES'][1] == [800, 1280]
    assert list(values) == keys_affecting('pixels')
    values = values_affecting(config, 'detections', scale=1)
    assert values['TEST.SCALES'] == [800, 1280] and values['TEST.DO_PRUNING'] is False
    assert values['network.ANCHOR_SCALES'] == [8, 16, 32] and values['TEST.NMS'] == 0.3


def test_per_scale_lists_have_an_entry_a_scale():
    config = load_config(None, ['TEST.SCALES', '[(1, 2)]', 'TEST.BATCH_IMAGES', '3'])
    for name, declared in KEYS['TEST'].items():
        if declared.per_scale and name not in ('SCALES', 'VALID_RANGES'):
            assert len(config.TEST[name]) == 1, name


def test_a_key_cannot_affect_what_is_not_defined():
    with pytest.raises(ValueError, match='speed'):
        key(1, 'meaning', 'graph speed')

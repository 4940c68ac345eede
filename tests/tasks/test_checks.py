"""Contradictions between keys of R-CNNs: anchors, proposals, box targets, AutoFocus."""
import os

import pytest

from configs import ConfigError, load_config
from lib.tasks import check_config
from tests.conftest import ROOT

TINY = os.path.join(ROOT, 'configs', 'faster', 'sniper_tiny_e2e.yml')
RES101 = os.path.join(ROOT, 'configs', 'faster', 'sniper_res101_e2e.yml')

# purpose, --set words -> parts of the message
CONTRADICTIONS = [
    ('train', ['network.NUM_ANCHORS', '9'], ['NUM_ANCHORS is 9', '3 ANCHOR_RATIOS x 7 ANCHOR_SCALES', '21']),
    ('test', ['network.NUM_ANCHORS', '21', 'network.ANCHOR_SCALES', '[2,4]'], ['NUM_ANCHORS is 21', 'set it to 6']),
    ('train', ['network.ANCHOR_SCALES', '[]'], ['must not be empty']),
    ('train', ['TRAIN.CHIP_SIZE', '250'], ['TRAIN.CHIP_SIZE is 250', 'multiple', '8']),
    ('train', ['TRAIN.RPN_NEGATIVE_OVERLAP', '0.8'], ['TRAIN.RPN_NEGATIVE_OVERLAP, 0.8']),
    ('train', ['TRAIN.BBOX_STDS', '[0.1]'], ['TRAIN.BBOX_STDS has 1']),
    ('train', ['TRAIN.BBOX_STDS', '[0.1, 0.1, 0, 0.2]'], ['TRAIN.BBOX_STDS', 'above 0']),
    ('train', ['TRAIN.AUTO_FOCUS', 'True', 'TRAIN.AUTO_FOCUS_SMALL_THRESH', '100'],
     ['TRAIN.AUTO_FOCUS_DC_LOW', '5, 100 and 90', '0 <= low']),
    ('train', ['TRAIN.RPN_PRE_NMS_TOP_N', '0'], ['TRAIN.RPN_PRE_NMS_TOP_N is 0', '-1 for all']),
    ('train', ['TRAIN.RPN_NMS_THRESH', '-1'], ['TRAIN.RPN_NMS_THRESH is -1', 'from 0 to 1']),
    ('train', ['TRAIN.RPN_FG_FRACTION', '5'], ['TRAIN.RPN_FG_FRACTION is 5', 'from 0 to 1']),
    ('test', ['TEST.RPN_PRE_NMS_TOP_N', '0'], ['TEST.RPN_PRE_NMS_TOP_N is 0']),
    ('test', ['TEST.RPN_POST_NMS_TOP_N', '0'], ['TEST.RPN_POST_NMS_TOP_N is 0']),
    ('test', ['TEST.RPN_NMS_THRESH', '1.5'], ['TEST.RPN_NMS_THRESH is 1.5']),
    ('test', ['TEST.RPN_MIN_SIZE', '-5'], ['TEST.RPN_MIN_SIZE is -5']),
    ('train', ['TRAIN.AUTO_FOCUS', 'True', 'TRAIN.AUTO_FOCUS_DC_LOW', '5', 'TRAIN.AUTO_FOCUS_SMALL_THRESH', '64',
               'TRAIN.AUTO_FOCUS_DC_HIGH', '60'], ['5, 64 and 60']),
    ('train', ['symbol', 'resnet_mx_50_e2e', 'network.RPN_FEAT_STRIDE', '8'],
     ['RPN_FEAT_STRIDE is 8', 'stride 16: set it to 16']),
    ('train', ['symbol', 'resnext_mx_101', 'network.RPN_FEAT_STRIDE', '16', 'network.ROIS', 'input'],
     ['network.ROIS', 'resnext_mx_101 then takes rois']),
    ('test', ['symbol', 'resnext_mx_101', 'network.ROIS', 'input'], ['network.ROIS', 'leave it out']),
    ('train', ['network.ROIS', 'input'], ['network.ROIS', 'sniper_tiny has no graphs that take rois']),
    ('train', ['TRAIN.WITH_MASK', 'True', 'TRAIN.MAX_POLYGON_LEN', '8'], ['TRAIN.MAX_POLYGON_LEN is 8', '9 or more']),
]


@pytest.mark.parametrize('purpose, words, parts', CONTRADICTIONS,
                         ids=lambda x: ' '.join(x) if isinstance(x, list) else x)
def test_contradictions(purpose, words, parts):
    config = load_config(TINY, words)
    with pytest.raises(ConfigError) as caught:
        check_config(config, purpose)
    message = str(caught.value)
    assert '\n' not in message and all(part in message for part in parts), message


def test_autofocus_can_be_left_out():
    check_config(load_config(RES101), 'train')
    autofocus = RES101.replace('_e2e', '_e2e_autofocus')
    check_config(load_config(autofocus), 'test')
    check_config(load_config(autofocus, ['TEST.AUTO_FOCUS', 'False', 'TEST.DO_PRUNING', '[False, False, False]']),
                 'test')


FOCUS = ['TEST.AUTO_FOCUS', 'True', 'TEST.SCALES', '[(192,256),(480,640),(960,1280)]', 'TEST.DO_PRUNING',
         '[False,True,True]', 'TEST.VALID_RANGES', '[(60,-1),(20,120),(-1,48)]', 'TEST.BATCH_IMAGES', '4',
         'TEST.CHIP_HYPERPARAMS', '[(3,0.1,4),(3,0.1,8),(-1,-1,-1)]']


@pytest.mark.parametrize('words, parts', [
    (['TEST.AUTO_FOCUS', 'False'], ['TEST.DO_PRUNING', 'TEST.AUTO_FOCUS, which is False']),
    (['TEST.DO_PRUNING', '[True,True,True]'], ['TEST.DO_PRUNING', 'first entry to False']),
    (['TEST.SCALES', '[(960,1280),(480,640),(192,256)]'],
     ['TEST.SCALES', 'coarse to fine', '(960, 1280) comes before']),
    (['TEST.SCALES', '[(480,640),(480,640),(960,1280)]'], ['coarse to fine']),
    (['TEST.CHIP_HYPERPARAMS', '[(3,0.1,4),(-1,-1,-1),(-1,-1,-1)]'], ['(-1, -1, -1)', '(960, 1280)', 'whole cells']),
    (['TEST.CHIP_HYPERPARAMS', '[(3,0,4),(3,0.1,8),(-1,-1,-1)]'], ['TEST.CHIP_HYPERPARAMS', 'threshold']),
    (['TEST.CHIP_HYPERPARAMS', '[(3,1.5,4),(3,0.1,8),(-1,-1,-1)]'], ['TEST.CHIP_HYPERPARAMS', 'threshold']),
    (['TEST.CHIP_HYPERPARAMS', '[(3,0.1,4.5),(3,0.1,8),(-1,-1,-1)]'], ['TEST.CHIP_HYPERPARAMS', 'whole cells']),
    (['TEST.CHIP_SHAPES', '0'], ['TEST.CHIP_SHAPES is 0']),
    (['TEST.PRUNING_BORDER', '-1'], ['TEST.PRUNING_BORDER is -1']),
], ids=lambda x: ' '.join(x))
def test_contradictions_of_focus_chips(words, parts):
    check_config(load_config(TINY, FOCUS), 'test')
    with pytest.raises(ConfigError) as caught:
        check_config(load_config(TINY, FOCUS + words), 'demo')
    message = str(caught.value)
    assert '\n' not in message and all(part in message for part in parts), message


def test_what_is_not_trained_is_not_looked_at():
    alone = ['TRAIN.ONLY_PROPOSAL', 'True', 'TRAIN.BBOX_STDS', '[0.1]', 'TRAIN.AUTO_FOCUS', 'True',
             'TRAIN.AUTO_FOCUS_SMALL_THRESH', '100', 'TRAIN.WITH_MASK', 'True', 'TRAIN.MAX_POLYGON_LEN', '8']
    check_config(load_config(TINY, alone), 'train')

"""The configuration reaches the operators and the losses; contradictions are named."""
import pytest

from lib.utils.errors import SniperError
from symbols import get_detector
from symbols.registry import feature_stride
from tests.symbols.helpers import CONFIG_FILES, config_for


def attributes(symbol, node):
    return symbol.attr_dict()[node]


def test_unknown_detector_lists_the_known_ones():
    with pytest.raises(SniperError, match='resnet_mx_999.*mobilenetv2_e2e, resnet_mx_101_e2e.*sniper_tiny'):
        get_detector('resnet_mx_999')


def test_proposal_settings_reach_the_operators():
    config = config_for('mobilenetv2_e2e', 'TEST.RPN_PRE_NMS_TOP_N', '777', 'TEST.RPN_POST_NMS_TOP_N', '55',
                        'TEST.RPN_NMS_THRESH', '0.6', 'TEST.RPN_MIN_SIZE', '9', 'TEST.BATCH_IMAGES', '[2, 5, 4]',
                        'TRAIN.RPN_PRE_NMS_TOP_N', '888', 'TRAIN.RPN_POST_NMS_TOP_N', '66',
                        'TRAIN.RPN_NMS_THRESH', '0.5', 'TRAIN.RPN_MIN_SIZE', '8',
                        'TRAIN.BBOX_STDS', '[1.0, 1.0, 2.0, 2.0]')
    detector = get_detector('mobilenetv2_e2e')
    for symbol in (detector.test_symbol(config), detector.proposal_test_symbol(config)):
        found = attributes(symbol, 'rois')
        assert {key: float(found[key]) for key in ('rpn_pre_nms_top_n', 'rpn_post_nms_top_n', 'threshold',
                                                   'rpn_min_size', 'feature_stride', 'batch_size')} == {
            'rpn_pre_nms_top_n': 777, 'rpn_post_nms_top_n': 55, 'threshold': 0.6, 'rpn_min_size': 9,
            'feature_stride': 32, 'batch_size': 5}
        assert found['scales'] == '(1,2,4,8,12)' and found['ratios'] == '(0.5,1,2)'
    found = attributes(detector.train_symbol(config), 'multi_proposal_target')
    assert {key: float(found[key]) for key in ('rpn_pre_nms_top_n', 'rpn_post_nms_top_n', 'threshold', 'rpn_min_size',
                                               'feature_stride', 'batch_size')} == {
        'rpn_pre_nms_top_n': 888, 'rpn_post_nms_top_n': 66, 'threshold': 0.5, 'rpn_min_size': 8, 'feature_stride': 32,
        'batch_size': 2}
    assert found['scales'] == '(1,2,4,8,12)' and found['bbox_stds'] == '(1.0,1.0,2.0,2.0)'


def test_loss_factors():
    config = config_for('resnet_mx_50_e2e', 'TRAIN.BATCH_IMAGES', '4', 'TRAIN.RPN_BATCH_SIZE', '100',
                        'TRAIN.BBOX_LOSS_ROIS', '50', 'TRAIN.BBOX_LOSS_IMAGES', '10', 'TRAIN.scale', '8.0')
    symbol = get_detector('resnet_mx_50_e2e').train_symbol(config)
    factor = {node: float(attributes(symbol, node)['grad_scale'])
              for node in ('rpn_cls_prob', 'rpn_bbox_loss', 'cls_prob', 'bbox_loss')}
    assert factor == pytest.approx({'rpn_cls_prob': 1, 'rpn_bbox_loss': 3 / 400, 'cls_prob': 1, 'bbox_loss': 1 / 500})
    config.TRAIN.BBOX_LOSS_IMAGES, config.TRAIN.fp16 = 0, True
    symbol = get_detector('resnet_mx_50_e2e').train_symbol(config)
    assert float(attributes(symbol, 'bbox_loss')['grad_scale']) == pytest.approx(8 / (50 * 4))
    assert float(attributes(symbol, 'cls_prob')['grad_scale']) == 8


def test_class_loss_of_mobilenet_is_divided_by_the_rois():
    config = config_for('mobilenetv2_e2e', 'TRAIN.BATCH_IMAGES', '4', 'TRAIN.RPN_POST_NMS_TOP_N', '50')
    found = attributes(get_detector('mobilenetv2_e2e').train_symbol(config), 'cls_prob')
    assert float(found['grad_scale']) == pytest.approx(1 / 200) and 'normalization' not in found


def test_losses_of_rfcn_3k_are_divided_by_rois_and_images():
    words = ('TRAIN.BATCH_IMAGES', '4', 'TRAIN.RPN_POST_NMS_TOP_N', '50', 'RFCN.fine_loss_rois', '20',
             'TRAIN.BBOX_LOSS_ROIS', '10', 'TRAIN.BBOX_LOSS_IMAGES')
    for images, chips in (('0', 4), ('16', 16)):
        symbol = get_detector('rfcn_3k_tiny').train_symbol(config_for('rfcn_3k_tiny', *words, images))
        factor = {node: float(attributes(symbol, node)['grad_scale']) for node in ('cls_prob', 'subcls_prob',
                                                                                   'bbox_loss')}
        assert factor == pytest.approx({'cls_prob': 1 / (50 * chips), 'subcls_prob': 1 / (20 * chips),
                                        'bbox_loss': 1 / (10 * chips)})


def test_batch_norm_momentum_is_configured():
    config = config_for('sniper_tiny', 'network.BN_MOMENTUM', '0.75')
    assert float(attributes(get_detector('sniper_tiny').train_symbol(config), 'stem_bn')['momentum']) == 0.75


def test_number_of_classes_must_be_settled():
    config = config_for('sniper_tiny')
    config.dataset.NUM_CLASSES = 0
    with pytest.raises(SniperError, match='dataset.NUM_CLASSES is 0'):
        get_detector('sniper_tiny').test_symbol(config)


@pytest.mark.parametrize('name', sorted(CONFIG_FILES))
def test_strides_of_the_registry_are_those_of_the_networks(name):
    config = config_for(name)
    assert {feature.stride for feature in get_detector(name).features(config)} == {feature_stride(name)}

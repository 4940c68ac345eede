"""SSH's task: inputs, targets of pictures and chips, decoding, the pyramid's largest scale, and what it refuses."""
import os

import numpy as np
import pytest

from configs import ConfigError, load_config
from configs.ssh_keys import largest_scale
from lib.bbox.anchors import anchor_base
from lib.chips.samplers import WholeImages
from lib.chips.scales import scale_factor
from lib.chips.window import Window
from lib.dataset.object_sizes import object_sizes
from lib.dataset.roidb import make_record, with_regions
from lib.inference.detection_store import DetectionStore
from lib.targets.chip_boxes import OUT_OF_RANGE, REGION
from lib.tasks import check_config, get_task
from lib.tasks.registry import log_remarks
from lib.tasks.seen_report import report_training
from tests.conftest import ROOT
from tests.golden import golden_file

FOLDER = os.path.join(ROOT, 'configs', 'ssh')
SMALL = ('TRAIN.CHIP_SIZE', '64', 'TRAIN.SCALES', '[[48, 64]]', 'TRAIN.MAX_GT', '4', 'gpus', 'cpu')


def config_of(name='ssh_tiny', *overrides):
    return load_config(os.path.join(FOLDER, name + '.yml'), list(overrides))


def task_of(*overrides, purpose='train', name='ssh_tiny'):
    return get_task(config_of(name, *SMALL, *overrides), purpose)


def filled(task, record, window=None):
    rng = np.random.default_rng(0)
    window = window or task.sampler().windows(record, rng)[0]
    out = {name: np.full(shape, 7, np.float32) for name, shape, _ in task.inputs()}
    report = task.targets(record, window, rng, out)
    return out, report


def record_of(boxes, width=96, height=80):
    return make_record('a.jpg', 'one', width, height, np.array(boxes, np.float32).reshape(-1, 4), [1] * len(boxes))


def test_inputs_and_targets_of_a_whole_picture():
    task = task_of()
    record = with_regions(record_of([(40, 20, 63, 43), (0, 0, 23, 23)]), np.array([[60, 60, 89, 79]], np.float32))
    out, report = filled(task, record)
    assert {name: array.shape for name, array in out.items()} == {'data': (3, 64, 64), 'im_info': (3,),
                                                                  'gt_boxes': (4, 5)}
    scale = np.float32(48 / 80)     # the short side; the long one becomes 57.6
    np.testing.assert_allclose(out['im_info'], [48, 58, scale])
    np.testing.assert_array_equal(out['gt_boxes'][:3, :4], np.round(
        np.array([(40, 20, 63, 43), (0, 0, 23, 23), (60, 60, 89, 79)]) * scale))
    assert out['gt_boxes'][:, 4].tolist() == [1, 1, REGION, -1] and report.dropped == 0
    assert task.told(out) == ['2 faces']


def test_faces_out_of_a_chips_range_and_faces_too_many():
    task = task_of('TRAIN.SAMPLER', 'chips', 'TRAIN.MIN_OBJECT_SIDE', '3')
    record = record_of([(2, 2, 11, 11), (20, 20, 29, 29), (40, 40, 41, 41), (50, 50, 59, 59)])
    window = Window((0.0, 0.0, 63.0, 63.0), 1.0, 1.0, 64, 64, rows=np.array([0, 3]))
    out, _ = filled(task, record, window)
    assert out['gt_boxes'][:, 4].tolist() == [1, OUT_OF_RANGE, 1, -1]
    crowd = with_regions(record_of([(70, y, 79, y + 9) for y in range(0, 50, 10)] + [(2, 2, 11, 11)]),
                         np.array([[30, 30, 59, 59]], np.float32))
    out, report = filled(task_of('TRAIN.SAMPLER', 'chips'), crowd, window._replace(rows=np.array([5])))
    assert out['gt_boxes'][:, 4].tolist() == [1, REGION, -1, -1] and report.dropped == 0    # none outside takes a row
    task = task_of('TRAIN.MAX_GT', '2', 'TRAIN.SAMPLER', 'chips', 'TRAIN.MIN_OBJECT_SIDE', '3')
    out, report = filled(task, record, window)
    assert out['gt_boxes'][:, 4].tolist() == [1, 1] and (report.dropped, report.most) == (1, 1)
    assert task.left_out(report) == ['1 objects did not fit into the 2 rows of gt_boxes; raise TRAIN.MAX_GT to 3']


def test_the_scale_of_whole_pictures():
    sampler = task_of(name='ssh_vgg16').sampler()
    assert sampler == WholeImages(64, 64, definition=(48.0, 64.0))
    published = get_task(config_of('ssh_vgg16')).sampler()
    for width, height, wanted in ((1024, 768, 1.5625), (300, 4000, 0.4), (1024, 1385, 1600 / 1385)):
        window = published.windows(record_of([(0, 0, 9, 9)], width, height), None)[0]
        assert window.scale == pytest.approx(wanted) and max(window.height, window.width) <= 1600


def test_golden_scales():
    golden = np.load(golden_file('detectors/ssh_detect.npz'))
    single, pyramid = config_of('ssh_vgg16').TEST.SCALES, config_of('ssh_vgg16_pyramid').TEST.SCALES
    for row, factors in zip(golden['single'], golden['pyramid']):
        height, width, factor, *size = row
        assert scale_factor(single[0], width, height) == pytest.approx(factor, abs=1e-6)
        assert [round(side * factor) for side in (height, width)] == size
        np.testing.assert_allclose([scale_factor(scale, width, height) for scale in pyramid], factors, atol=1e-6)


def test_the_largest_scale_of_a_pyramid_leaves_the_third_module_out():
    config = config_of('ssh_vgg16_pyramid')
    task = get_task(config, 'test')
    assert largest_scale(config) == 3
    assert [task.at_scale(index) is task for index in range(4)] == [True] * 3 + [False]
    last = task.at_scale(3).config
    assert (last.SSH.modules, last.TEST.SCALES) == ([1, 2], [(1600, 2400)])
    single = get_task(config_of('ssh_vgg16'), 'test')
    assert single.at_scale(0) is single
    for scales, largest in (('[2x, 1x]', 0), ('[1x, 3x, 2x]', 1)):
        config.TEST.SCALES = load_config(None, ['TEST.SCALES', scales]).TEST.SCALES
        assert largest_scale(config) == largest


def test_a_scale_that_left_a_module_out_is_not_taken_for_one_that_did_not(tmp_path):
    """Files of detections are shared by tests of the same weights; what of a scale is in them is noted beside."""
    scales = ('[[48, 72], [72, 96]]', '[[72, 96]]', '[[48, 72]]', '[[48, 72], [72, 96], [96, 144]]')
    both, large, small, three = (DetectionStore(str(tmp_path), config_of(
        'ssh_tiny', 'TEST.SCALES', of_test, 'TEST.VALID_RANGES', '[[-1, -1]]', 'TEST.BATCH_IMAGES', '1'), [], 'w')
                                 for of_test in scales)
    assert both.scale_path(1) == large.scale_path(0) == three.scale_path(1)
    assert both.origin(1) != large.origin(0) == three.origin(1) and both.origin(0) == small.origin(0)


def outputs_of(*cells):
    """Of a batch: nothing found but one face an entry (module, number, anchor, row, column, score)."""
    found = {}
    for module, side in (('m1', 8), ('m2', 4), ('m3', 2)):
        found[f'{module}_prob_output'] = np.zeros((2, 2, side, side), np.float32)
        found[f'{module}_deltas_output'] = np.zeros((2, 8, side, side), np.float32)
    for module, number, anchor, row, column, score in cells:
        found[f'{module}_prob_output'][number, anchor, row, column] = score
    return found


def test_decoding_of_all_modules():
    task = task_of(purpose='test')
    windows = [Window((0, 0, 64, 64), 1.0, 1.0, 64, 64), Window((100, 200, 132, 232), 2.0, 2.0, 64, 64)]
    outputs = outputs_of(('m1', 0, 0, 2, 3, 0.9), ('m2', 1, 0, 1, 1, 0.8), ('m3', 1, 1, 0, 0, 0.005))
    found = task.decode(outputs, windows)
    assert (found.image.tolist(), found.label.tolist()) == ([0, 1], [1, 1])
    np.testing.assert_allclose(found.score, [0.9, 0.8])
    first = anchor_base(16, (1.0,), (1, 2))[0] + np.array([24, 16, 24, 16])
    second = np.clip(anchor_base(16, (1.0,), (4, 8))[0] + 16, 0, 63) / 2 + np.array([100, 200, 100, 200])
    np.testing.assert_allclose(found.box, [first, second])
    wide = task_of('SSH.wide_boxes', 'True', purpose='test').decode(outputs_of(('m1', 0, 0, 2, 3, 0.9)), windows)
    np.testing.assert_allclose(wide.box, [first + [0, 0, 1, 1]])


def test_a_module_fewer():
    task = task_of('SSH.modules', '[1, 3]', purpose='test')
    found = task.decode(outputs_of(('m1', 0, 0, 2, 3, 0.9), ('m2', 0, 0, 1, 1, 0.8)),
                        [Window((0, 0, 64, 64), 1.0, 1.0, 64, 64)])
    assert len(found) == 1
    assert len(task_of('TEST.RPN_PRE_NMS_TOP_N', '1', purpose='test').decode(
        outputs_of(('m1', 0, 0, 2, 3, 0.9), ('m1', 0, 0, 3, 3, 0.8), ('m2', 0, 0, 1, 1, 0.7)),
        [Window((0, 0, 64, 64), 1.0, 1.0, 64, 64)])) == 2     # the best of each module


def test_pixels():
    assert task_of().pixels.order == 'BGR' and get_task(config_of('ssh_res50')).pixels.order == 'RGB'
    np.testing.assert_allclose(task_of().pixels.means, [102.9801, 115.9465, 122.7717])
    assert not task_of().rounds_up


def test_rows_of_the_last_layers():
    rows = task_of().output_rows(('__background__', 'face'))
    assert rows['m2@ssh_cls_score_bias'] == [('background', 64), ('background', 128), ('face', 64), ('face', 128)]
    assert len(rows['m3@ssh_bbox_pred_weight']) == 8 and len(rows) == 12


def test_anchors_far_from_the_faces(caplog):
    small = [record_of([(x, y, x + 1, y + 1) for x in range(0, 90, 10) for y in range(0, 70, 10)])]
    config = config_of('ssh_tiny', *SMALL, 'TEST.SCALES', '[[48, 64]]')
    _, warnings, _ = report_training(config, small)
    assert len(warnings) == 1 and 'anchors have 16 to 512' in warnings[0] and 'SSH.anchor_scales' in warnings[0]
    fitting = [record_of([(10, 10, 40, 40), (20, 40, 45, 70)])]
    assert report_training(config, fitting)[1] == []
    assert get_task(config).size_warnings([], object_sizes(fitting)) == []
    log_remarks(config_of('ssh_tiny', 'TRAIN.BBOX_STDS', '[1, 1, 1, 1]'), 'train')
    assert 'ssh_tiny does not use TRAIN.BBOX_STDS' in caplog.text


@pytest.mark.parametrize('overrides, purpose, words', [
    (('SSH.anchor_scales', '[[1, 2]]'), 'train', 'SSH.anchor_scales has 1 entries; it wants one a module, 3'),
    (('SSH.anchor_scales', '[[1, 2], [0, 3], [4, 5]]'), 'train', 'above 0'),
    (('SSH.allowed_border', '[0, 0]'), 'train', 'SSH.allowed_border has 2 entries'),
    (('SSH.modules', '[0, 1]'), 'test', r'SSH.modules is \[0, 1\]'),
    (('SSH.modules', '[]'), 'test', 'SSH.modules is'),
    (('SSH.left_out', '[1, 2, 3]', 'TEST.SCALES', '[1x, 2x]', 'TEST.VALID_RANGES', '[[-1, -1], [-1, -1]]',
      'TEST.BATCH_IMAGES', '1'), 'test', 'would look for nothing'),
    (('TRAIN.CHIP_SIZE', '100'), 'train', 'TRAIN.CHIP_SIZE is 100; it must be a multiple of 32'),
    (('TRAIN.SCALES', '[2x, 1x]', 'TRAIN.VALID_RANGES', '[[-1, 20], [20, -1]]'), 'train', 'one scale'),
    (('TRAIN.RPN_NEGATIVE_OVERLAP', '0.6'), 'train', 'RPN_NEGATIVE_OVERLAP, 0.6, is above'),
    (('TRAIN.RPN_NEGATIVE_OVERLAP', '0'), 'train', 'TRAIN.RPN_NEGATIVE_OVERLAP is 0.0; it must be 0.001 or more'),
    (('TRAIN.WITH_MASK', 'True'), 'train', 'ssh_tiny has nothing of the kind: set it to False, or choose a network'),
    (('TEST.EXTRACT_PROPOSALS', 'True'), 'test', 'TEST.EXTRACT_PROPOSALS is True'),
    (('TEST.ONLY_PROPOSAL', 'True'), 'test', 'TEST.ONLY_PROPOSAL is True'),
    (('TEST.DO_PRUNING', '[True]'), 'test', 'TEST.DO_PRUNING'),
])
def test_keys_that_contradict_each_other(overrides, purpose, words):
    with pytest.raises(ConfigError, match=words) as caught:
        check_config(config_of('ssh_tiny', *overrides), purpose)
    assert '\n' not in str(caught.value)


def test_what_nothing_uses_is_not_refused():
    check_config(config_of('ssh_tiny', 'SSH.modules', '[3]'), 'test')      # one scale leaves nothing out
    check_config(config_of('ssh_tiny', 'TRAIN.CHIP_SIZE', '32'), 'train')  # strides are of chips

"""No shipped configuration warns on data like its own; what training keeps; what a test says; 118,000 images."""
import glob
import logging
import time

import numpy as np
import pytest

from lib.dataset.compact import CompactRoidb
from lib.tasks.seen_report import log_test, log_training, report_found, report_test, report_training
from lib.weights.paths import read_sidecar
from tests.chips.pictures import make_pictures, tiny

SYNTHETIC = make_pictures((8, 320), ((665, 483), (644, 699), (894, 683)))
CELLS = make_pictures((30, 200), ((640, 480),))  # blood cells: docs/custom_data.md
COCO = make_pictures((9, 330), ((640, 480), (640, 427), (480, 640), (500, 333)))


def own_data(path):
    """Records like those of a configuration's data set."""
    return CELLS if 'bccd' in path else SYNTHETIC if 'tiny' in path else COCO


@pytest.mark.parametrize('path', sorted(glob.glob('configs/faster/*.yml')))
def test_shipped_configurations_are_quiet(path):
    records, config = own_data(path), tiny(path=path)
    bare = [dict(record, boxes=record['boxes'][:0], max_overlaps=record['max_overlaps'][:0]) for record in records]
    lines, warnings, trained = report_training(config, records)
    assert warnings == [] and len(lines) == 3 + len(config.TRAIN.SCALES) + len(config.TEST.SCALES)
    for of_test in (records, bare):
        for sidecar in ({}, {'seen': trained.facts()}):
            assert report_test(config, of_test, sidecar)[1] == []


@pytest.mark.parametrize('path', ['configs/faster/sniper_tiny_e2e.yml', 'configs/faster/sniper_tiny_autofocus.yml'])
def test_shipped_models_say_what_they_were_trained_on(path):
    config = tiny(path=path)
    sidecar = read_sidecar(config.TEST.SHIPPED_MODEL, 0)
    lines, warnings = report_test(config, SYNTHETIC, sidecar)
    assert warnings == [] and 'on pictures of 644x699' in lines[-1]
    trained = report_training(config, SYNTHETIC)[2].facts()
    for name in ('sides', 'sizes'):  # of the configuration it ships with
        np.testing.assert_allclose(sidecar['seen'][name], trained[name], rtol=0.35)
    assert [scale['scale'] for scale in sidecar['seen']['scales']] == [scale['scale'] for scale in trained['scales']]


def test_in_the_log(caplog):
    caplog.set_level(logging.INFO)
    assert log_training(tiny(), SYNTHETIC).picture == (644, 699)
    log_test(tiny('TEST.SCALES', '[0.2x, 0.1x, 0.05x, 0.025x]'), SYNTHETIC, {})
    levels = [record.levelname for record in caplog.records]
    assert levels == ['INFO', 'INFO', 'WARNING']
    assert caplog.messages[0].startswith('What the network sees\n    pictures')
    assert caplog.messages[2].startswith('TEST.SCALES do not fit TRAIN.SCALES')


def test_without_objects_nothing_is_kept():
    assert report_training(tiny(), make_pictures((8, 100), each=0))[1:] == ([], None)
    assert report_test(tiny(), [], {})[1] == []


def test_proposals_have_no_valid_ranges():
    config = tiny('TEST.EXTRACT_PROPOSALS', True, 'TEST.VALID_RANGES', '[[-1, 5], [6, 7], [8, 9]]')
    assert report_test(config, SYNTHETIC, {})[1] == []


def test_a_hundred_thousand_images_take_no_time():
    count, rng = 118000, np.random.default_rng(0)
    corners = np.sort(rng.uniform(0, 300, (7 * count, 2, 2)), axis=1).reshape(-1, 4).astype(np.float32)
    columns = dict(CompactRoidb.from_records(SYNTHETIC[:1]).columns, boxes=corners,
                   row_start=7 * np.arange(count + 1), size=rng.integers(301, 2000, (count, 2)),
                   flags=np.zeros(count, np.uint8), gt_classes=np.ones(7 * count, np.uint8))
    roidb = CompactRoidb(columns)
    started = time.process_time()
    lines, _, _ = report_training(tiny(), roidb)
    assert time.process_time() - started < 1  # 0.2 s, if no picture is as large as another one
    assert '118000: ' in lines[0] and 'looked at' in lines[0]


def test_pictures_in_which_much_is_found():
    """No annotation says how many objects there are: what was found does."""
    config = tiny()
    places = np.arange(150)[:, None] * 30.0
    boxes = np.hstack([places, places, places + 20, places + 20])
    line, = report_found(config, (4956, 3036), boxes)
    assert line == ('pictures hold up to 150 objects at one scale, but TEST.RPN_POST_NMS_TOP_N is 300 proposals: --set '
                    'TEST.RPN_POST_NMS_TOP_N 500')
    assert report_found(config, (4956, 3036), boxes[:90]) == report_found(config, (40, 30), boxes[:0]) == []

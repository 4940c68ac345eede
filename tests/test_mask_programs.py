"""main_test.py and demo.py with masks, with sniper_tiny of random weights."""
import json
import os
import shutil

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

import demo
import main_test
from lib.cli import run
from tests.inference import tiny_data


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('masks'))
    tiny_data.write_all(path, masks=True)
    annotations = os.path.join(path, 'data', 'annotations', 'instances_val.json')
    with open(annotations, encoding='utf-8') as stream:
        content = json.load(stream)
    for annotation in content['annotations']:
        annotation['segmentation'] = [[5, 6, 35, 6, 35, 46, 20, 46]]
    with open(annotations, 'w', encoding='utf-8') as stream:
        json.dump(content, stream)
    return path


def settings(folder, **test_keys):
    return ['--set'] + tiny_data.settings(folder, **dict({'WITH_MASK': True, 'VIS_THRESH': 0.0}, **test_keys))


def read(folder, name):
    with open(tiny_data.results(folder, name), encoding='utf-8') as stream:
        return json.load(stream)


def lies_in(pixels, box):
    """Whether a mask lies in a box x, y, width, height, rounded to tenths."""
    rows, columns = np.nonzero(pixels)
    x, y, width, height = box
    return not len(rows) or (x - 1 <= columns.min() and columns.max() <= x + width and
                             y - 1 <= rows.min() and rows.max() <= y + height)


def test_main_test(folder, capsys):
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--vis'] + settings(folder)) == 0
    log = capsys.readouterr().err
    assert 'AP of masks per class' in log and log.count('(AP) @[ IoU=0.50:0.95 | area=   all') == 2
    assert 'masks ' in log and 'masks written to' in log
    boxes, masks = (read(folder, f'detections_val_{kind}results.json') for kind in ('', 'segm_'))
    metrics = read(folder, 'detections_val_metrics.json')
    assert 0 <= metrics['segm']['AP'] <= 1
    assert len(boxes) >= len(masks) > 0.9 * len(boxes)
    truth = COCO(os.path.join(folder, 'data', 'annotations', 'instances_val.json'))
    truth.loadRes(tiny_data.results(folder, 'detections_val_segm_results.json'))
    sizes = {10 + number: (height, width) for number, (width, height) in enumerate(tiny_data.SIZES)}
    for mask in masks:
        pixels = coco_mask.decode(mask['segmentation'])
        assert pixels.shape == sizes[mask['image_id']]
        key = [mask[name] for name in ('image_id', 'category_id', 'score')]
        own = [box['bbox'] for box in boxes if [box[name] for name in ('image_id', 'category_id', 'score')] == key]
        assert any(lies_in(pixels, box) for box in own)
    assert len({mask['segmentation']['counts'] for mask in masks}) > 0.5 * len(masks)
    for number in range(3):
        assert cv2.imread(os.path.join(folder, 'vis', 'dets_final', f'picture{number}.jpg')) is not None
    again = dict(USE_CACHE='[True, True]')
    assert main_test.main(['--cfg', tiny_data.CONFIG] + settings(folder, **again)) == 0
    assert 'network' not in capsys.readouterr().err.split('images/s (')[1].split(')')[0]
    assert read(folder, 'detections_val_segm_results.json') == masks


def test_demo_draws_masks(folder, tmp_path, capsys):
    image = str(tmp_path / 'photo.png')
    cv2.imwrite(image, np.full((64, 96, 3), 90, np.uint8))
    pictures = []
    for with_mask in (False, True):
        assert demo.main(['--cfg', tiny_data.CONFIG, '--im_path', image] + settings(folder, WITH_MASK=with_mask)) == 0
        pictures.append(cv2.imread(os.path.join(folder, 'out', 'demo', 'photo_detections.jpg')))
    assert (np.abs(pictures[0].astype(int) - pictures[1]).max(axis=2) > 30).sum() > 100


def test_weights_without_masks(tmp_path, capsys):
    tiny_data.write_all(str(tmp_path))
    with pytest.raises(SystemExit):
        run(main_test.main, ['--cfg', tiny_data.CONFIG] + settings(str(tmp_path)))
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(error) == 1 and 'mask_' in error[0] and 'SNIPER-0001.params' in error[0]


def test_autofocus_with_masks(folder, capsys):
    """Masks of detections on chips; the weights have no focus head, so that the one here is random too."""
    weights = os.path.join(folder, 'focus')
    shutil.copytree(os.path.join(folder, 'data'), os.path.join(weights, 'data'))
    keys = dict(AUTO_FOCUS=True, DO_PRUNING='[False, True]', SCALES='[(48, 64), (96, 128)]',
                VALID_RANGES='[(-1, -1), (-1, -1)]', CHIP_HYPERPARAMS='[(3, 0.4, 2), (-1, -1, -1)]')
    from configs import load_config
    from tests.inference.random_weights import write_checkpoint
    write_checkpoint(load_config(tiny_data.CONFIG, tiny_data.settings(weights, **keys)), tiny_data.CONFIG,
                     tiny_data.CLASSES, masks=True)
    assert main_test.main(['--cfg', tiny_data.CONFIG, '--vis'] + settings(weights, **keys)) == 0
    masks = read(weights, 'detections_val_segm_results.json')
    assert len(masks) > 10 and 'pixels processed by AutoFocus' in capsys.readouterr().err

"""Synthetic scenes: properties that training and tests rely on."""
import hashlib
import json
import os

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from configs import load_config
from lib.dataset import get_dataset, load_test_dataset, load_training_roidb, synthetic
from lib.dataset.synthetic.painting import coverage
from lib.dataset.synthetic.scene import (
    CLASSES,
    HEIGHTS,
    OBJECTS,
    SIZES,
    WIDTHS,
    draw_scene,
    random_outline,
    run_lengths,
)
from lib.utils.errors import SniperError

COUNTS = {'train': 6, 'val': 3, 'test-dev': 2}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('data') / 'synthetic')
    assert synthetic.generate(path, COUNTS, seed=3, processes=1)
    return path


@pytest.fixture(scope='module')
def scenes():
    """Forty scenes: (image, annotations)."""
    return [draw_scene(np.random.default_rng([17, index])) for index in range(40)]


def digest(folder):
    """Hash of names and contents of all files below a folder."""
    state = hashlib.sha256()
    for path, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            state.update(os.path.relpath(os.path.join(path, name), folder).encode())
            with open(os.path.join(path, name), 'rb') as stream:
                state.update(stream.read())
    return state.hexdigest()


def single(annotations):
    return [annotation for annotation in annotations if not annotation['iscrowd']]


def test_same_seed_same_bytes_on_any_number_of_processes(folder, tmp_path):
    synthetic.generate(str(tmp_path / 'again'), COUNTS, seed=3, processes=2)
    assert digest(str(tmp_path / 'again')) == digest(folder)
    synthetic.generate(str(tmp_path / 'other'), {'train': 1, 'val': 1, 'test-dev': 1}, seed=4, processes=1)
    names = [f'images/train/{1:012d}.jpg', f'images/val/{1000001:012d}.jpg']
    for name in names:
        with open(os.path.join(folder, name), 'rb') as first, open(str(tmp_path / 'other' / name), 'rb') as second:
            assert first.read() != second.read()


def test_more_images_keep_the_first_ones(folder, tmp_path):
    synthetic.generate(str(tmp_path / 'more'), dict(COUNTS, train=7), seed=3, processes=1)
    for split, index in (('train', 1), ('val', 1000002), ('test-dev', 2000001)):
        name = os.path.join('images', split, f'{index:012d}.jpg')
        with open(os.path.join(folder, name), 'rb') as first, open(str(tmp_path / 'more' / name), 'rb') as second:
            assert first.read() == second.read()


def test_layout_and_info(folder):
    assert sorted(os.listdir(os.path.join(folder, 'annotations'))) == [
        'image_info_test-dev.json', 'instances_train.json', 'instances_val.json']
    ids = []
    for split, count in COUNTS.items():
        name = synthetic._annotation_name(split)
        with open(os.path.join(folder, 'annotations', name)) as stream:
            content = json.load(stream)
        assert content['info']['seed'] == 3 and content['info']['version'] == str(synthetic.VERSION)
        assert ('annotations' in content) == (split != 'test-dev')
        assert [category['name'] for category in content['categories']] == list(CLASSES)
        assert len(content['images']) == count == len(os.listdir(os.path.join(folder, 'images', split)))
        ids += [image['id'] for image in content['images']]
        for image in content['images']:
            picture = cv2.imread(os.path.join(folder, 'images', split, image['file_name']))
            assert picture.shape == (image['height'], image['width'], 3)
    assert len(set(ids)) == sum(COUNTS.values())


def test_splits_show_different_scenes(folder):
    pictures = set()
    for split in COUNTS:
        for name in os.listdir(os.path.join(folder, 'images', split)):
            with open(os.path.join(folder, 'images', split, name), 'rb') as stream:
                pictures.add(stream.read())
    assert len(pictures) == sum(COUNTS.values())


def test_loads_as_data_set(folder):
    config = load_config(overrides=[
        'TRAIN.USE_NEG_CHIPS', 'False', 'dataset.dataset', 'synthetic', 'dataset.dataset_path', folder,
        'dataset.image_set', 'train+val',
        'dataset.test_image_set', 'test-dev', 'dataset.NUM_CLASSES', '0'])
    roidb, classes = load_training_roidb(config)
    assert classes == ('__background__',) + CLASSES
    assert len(roidb) == 2 * (COUNTS['train'] + COUNTS['val'])
    dataset, test_roidb = load_test_dataset(config)
    assert len(test_roidb) == COUNTS['test-dev'] and not dataset.file.has_annotations
    assert dataset.name == 'SYNTHETIC_test-dev'


def test_boxes_survive_loading_unchanged(folder):
    """Whole-pixel boxes lose nothing to the loader's truncation."""
    dataset = get_dataset('synthetic', 'train', '', folder)
    for record in dataset.roidb():
        boxes = [a['bbox'] for a in single(dataset.file.annotations[record['image_id']])]
        expected = [[x, y, x + w - 1, y + h - 1] for x, y, w, h in boxes]
        assert record['boxes'].tolist() == expected


def test_sizes_and_counts(scenes):
    sides = np.concatenate([[a['bbox'][2:] for a in single(annotations)] for _, annotations in scenes])
    assert sides.min() >= SIZES[0] and sides.max() <= SIZES[1]
    roots = np.sqrt(sides.prod(axis=1))
    assert (roots < 32).mean() > 0.3 and (roots > 96).mean() > 0.15  # COCO's small and large
    counts = [len(single(annotations)) for _, annotations in scenes]
    assert min(counts) >= OBJECTS[0] and max(counts) <= OBJECTS[1] and len(set(counts)) > 5
    for image, _ in scenes:
        assert WIDTHS[0] <= image.shape[1] <= WIDTHS[1] and HEIGHTS[0] <= image.shape[0] <= HEIGHTS[1]
    assert {a['category_id'] for _, annotations in scenes for a in annotations} == set(range(1, 1 + len(CLASSES)))


def test_boxes_are_tight_to_polygons(scenes):
    for image, annotations in scenes:
        for annotation in single(annotations):
            points = np.reshape(annotation['segmentation'][0], (-1, 2))
            x, y, w, h = annotation['bbox']
            np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[x, y], [x + w, y + h]], atol=0.011)
            assert x >= 0 and y >= 0 and x + w <= image.shape[1] and y + h <= image.shape[0]
            mask = coco_mask.frPyObjects(annotation['segmentation'], *image.shape[:2])
            assert coco_mask.area(mask)[0] == pytest.approx(annotation['area'], rel=0.08, abs=12)


def test_drawn_pixels_fill_the_box():
    seed = 23
    rng = np.random.default_rng(seed)
    for _ in range(300):
        name = CLASSES[rng.integers(len(CLASSES))]
        rings, w, h = random_outline(rng, name, np.exp(rng.uniform(np.log(8), np.log(400))), *SIZES)
        alpha = coverage(rings, w, h)
        borders = [alpha[0].max(), alpha[-1].max(), alpha[:, 0].max(), alpha[:, -1].max()]
        assert min(borders) > 0, (name, w, h, seed)
        assert 0 <= alpha.min() and alpha.max() == 1, (name, w, h, seed)


def test_ring_has_a_hole_and_disc_has_none():
    for name, filled in (('ring', False), ('disc', True)):
        for size in (8, 100):
            rings, w, h = random_outline(np.random.default_rng(0), name, size, *SIZES)
            assert (coverage(rings, w, h)[h // 2, w // 2] > 0.5) == filled


def test_objects_stand_out():
    """Inside and surroundings of every small object differ clearly in brightness."""
    image, annotations = draw_scene(np.random.default_rng([5, 5]))
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(float)
    differences = []
    for annotation in single(annotations):
        x, y, w, h = annotation['bbox']
        inside = coverage([np.reshape(annotation['segmentation'][0], (-1, 2)) - [x, y]], w, h) > 0.9
        around = cv2.copyMakeBorder(inside.astype(np.uint8), 3, 3, 3, 3, cv2.BORDER_CONSTANT)
        around = cv2.dilate(around, np.ones((7, 7), np.uint8)) - cv2.dilate(around, np.ones((5, 5), np.uint8))
        padded = cv2.copyMakeBorder(grey, 3, 3, 3, 3, cv2.BORDER_REPLICATE)[y:y + h + 6, x:x + w + 6]
        differences.append(abs(np.median(grey[y:y + h, x:x + w][inside]) - np.median(padded[around > 0])))
    assert np.mean(np.array(differences) > 20) > 0.8, differences


def test_some_objects_overlap_but_stay_mostly_visible(scenes):
    overlapping = 0
    for _, annotations in scenes:
        boxes = np.array([a['bbox'] for a in single(annotations)], float)
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        sides = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
        overlapping += ((sides > 0).all(axis=2).sum() - len(boxes)) // 2
    assert overlapping > 10


def test_crowds(scenes):
    crowds = [(image, a) for image, annotations in scenes for a in annotations if a['iscrowd']]
    assert 1 <= len(crowds) <= 12
    for image, crowd in crowds:
        coded = coco_mask.frPyObjects(crowd['segmentation'], *image.shape[:2])
        assert coco_mask.area(coded) == crowd['area'] > 0
        assert coco_mask.toBbox(coded).tolist() == crowd['bbox']


@pytest.mark.parametrize('rows', [[[0, 1], [1, 1]], [[1, 0], [0, 0]], [[0, 0], [0, 0]], [[1, 1], [1, 1]]])
def test_run_lengths(rows):
    mask = np.array(rows, np.uint8)
    coded = coco_mask.frPyObjects({'size': list(mask.shape), 'counts': run_lengths(mask)}, *mask.shape)
    assert coco_mask.decode(coded).tolist() == rows


def test_again_is_a_no_op_and_other_parameters_an_error(folder):
    before = os.stat(folder).st_mtime_ns
    assert synthetic.generate(folder, COUNTS, seed=3, processes=1) is False
    assert os.stat(folder).st_mtime_ns == before
    with pytest.raises(SniperError, match='other parameters .*"seed": 3.*--force'):
        synthetic.generate(folder, COUNTS, seed=4, processes=1)


def test_force_and_repair(tmp_path):
    counts = {'train': 2, 'val': 1, 'test-dev': 1}
    out = str(tmp_path / 'out')
    os.mkdir(out)  # an empty folder is no obstacle
    assert synthetic.generate(out, counts, processes=1)
    assert synthetic.generate(out, counts, seed=1, processes=1, force=True)
    os.remove(os.path.join(out, 'images', 'train', f'{2:012d}.jpg'))
    assert synthetic.generate(out, counts, seed=1, processes=1)
    assert len(os.listdir(os.path.join(out, 'images', 'train'))) == 2
    assert os.listdir(str(tmp_path)) == ['out']


def test_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / 'letter.txt').write_text('dear')
    with pytest.raises(SniperError, match='is in the way'):
        synthetic.generate(str(tmp_path), COUNTS, force=True)
    assert os.listdir(str(tmp_path)) == ['letter.txt']


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(task):
        if task[1] == 2:
            raise KeyboardInterrupt
        return draw(task)

    draw = synthetic.draw_to_file
    monkeypatch.setattr(synthetic, 'draw_to_file', interrupted)
    with pytest.raises(KeyboardInterrupt):
        synthetic.generate(str(tmp_path / 'out'), COUNTS, processes=1)
    assert os.listdir(str(tmp_path)) == []


def test_serial_when_there_are_no_processes(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError('no semaphores here')

    monkeypatch.setattr(synthetic.concurrent.futures, 'ProcessPoolExecutor', refuse)
    assert synthetic.generate(str(tmp_path / 'out'), {'train': 1, 'val': 1, 'test-dev': 1}, processes=2)
    assert 'drawing in one process' in caplog.text


@pytest.mark.parametrize('arguments', [['--train', '0'], ['--seed', '-1'], ['--val', '99999999']])
def test_bad_arguments(tmp_path, arguments):
    with pytest.raises(SniperError, match='1 to 999999 images|must not be negative'):
        synthetic.main(['--out', str(tmp_path / 'out')] + arguments)


def test_unwritable_folder(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(SniperError, match='cannot be made: .*Not a directory'):
        synthetic.main(['--out', str(tmp_path / 'file' / 'out'), '--processes', '1'])


def test_missing_set_says_the_command(tmp_path):
    with pytest.raises(SniperError, match='python -m lib.dataset.synthetic --out .*nothing'):
        get_dataset('synthetic', 'train', '', str(tmp_path / 'nothing'))

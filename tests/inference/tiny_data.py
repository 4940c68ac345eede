"""A COCO-format data set of three small images, and the command line arguments that run sniper_tiny on it."""
import glob
import json
import os

import cv2
import numpy as np

from configs import load_config
from tests.inference.random_weights import write_checkpoint

CONFIG = 'configs/faster/sniper_tiny_e2e.yml'
CLASSES = ('__background__', 'cat', 'dog')
SIZES = ((96, 64), (64, 96), (80, 80))


def write_data(folder, classes=CLASSES, sizes=SIZES):
    """Make `<folder>/annotations/instances_val.json` and its images."""
    rng = np.random.default_rng(7)
    images, annotations = [], []
    os.makedirs(os.path.join(folder, 'annotations'))
    os.makedirs(os.path.join(folder, 'images', 'val'))
    for number, (width, height) in enumerate(sizes):
        name = f'picture{number}.png'
        cv2.imwrite(os.path.join(folder, 'images', 'val', name), rng.integers(0, 256, (height, width, 3), np.uint8))
        images.append({'id': 10 + number, 'file_name': name, 'width': width, 'height': height})
        annotations.append({'id': number + 1, 'image_id': 10 + number, 'category_id': 1, 'bbox': [5, 6, 30, 40],
                            'area': 1200, 'iscrowd': 0})
    categories = [{'id': label, 'name': name} for label, name in enumerate(classes) if label]
    with open(os.path.join(folder, 'annotations', 'instances_val.json'), 'w', encoding='utf-8') as stream:
        json.dump({'images': images, 'annotations': annotations, 'categories': categories}, stream)


def settings(folder, **more):
    """`--set` list for the data and an output folder below `folder`; keyword arguments: TEST keys."""
    keys = {'gpus': 'cpu', 'output_path': os.path.join(folder, 'out'), 'dataset.dataset': 'coco',
            'dataset.dataset_path': os.path.join(folder, 'data'), 'dataset.root_path': folder,
            'dataset.image_set': 'train', 'dataset.test_image_set': 'val'}
    test = {'SCALES': '[(96, 128), (48, 64)]', 'VALID_RANGES': '[(-1, 60), (20, -1)]', 'BATCH_IMAGES': '[1, 1]',
            'TEST_EPOCH': '1', 'SHIPPED_MODEL': '', 'NUM_PROCESS': '0', 'RPN_POST_NMS_TOP_N': '20',
            'VISUALIZATION_PATH': os.path.join(folder, 'vis')}
    test.update(more)
    keys.update({'TEST.' + name: str(value) for name, value in test.items()})
    return [word for pair in keys.items() for word in pair]


def write_focused(folder, scales):
    """Data set and checkpoint of random weights below `folder`, with AutoFocus at the second of two scales -> `--set`
    list."""
    found = settings(folder, AUTO_FOCUS=True, DO_PRUNING='[False, True]', SCALES=scales,
                     CHIP_HYPERPARAMS='[(1, 1e-9, 2), (-1, -1, -1)]', VALID_RANGES='[(-1, -1), (-1, -1)]')
    write_data(os.path.join(folder, 'data'))
    write_checkpoint(load_config(CONFIG, found), CONFIG, CLASSES)
    return found


def results(folder, *names, weights='SNIPER-0001', dataset='coco_val'):
    """Path of a file among the results of a test, of the one that ended last (lib.inference.results)."""
    first = os.path.join(folder, 'out', 'sniper_tiny_e2e', 'train', 'results', dataset, weights)
    ended = [path for path in glob.glob(glob.escape(first) + '*/test.json')]
    own = not names or names[0].split('_scale')[0] not in ('dets', 'maps', 'masks', 'shards')
    newest = os.path.dirname(max(ended, key=lambda path: os.stat(path).st_mtime_ns)) if ended and own else first
    return os.path.join(newest, *names)


def write_all(folder, classes=CLASSES, sizes=SIZES, **weights):
    """Data set and checkpoint of random weights below `folder`. -> path of the parameter file."""
    write_data(os.path.join(folder, 'data'), sizes=sizes)
    return write_checkpoint(load_config(CONFIG, settings(folder)), CONFIG, classes, **weights)

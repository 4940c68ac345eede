"""Small roidbs with real image files, and a configuration that fits them."""
import os

import cv2
import numpy as np

from configs import load_config
from lib.dataset.roidb import make_record

CLASSES = 5


def write_image(path, width, height, rng):
    """A blocky random picture: JPEG keeps it roughly, and it differs everywhere."""
    small = rng.integers(0, 256, (max(1, height // 8), max(1, width // 8), 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def make_entry(path, width, height, boxes, flipped=False):
    """A roidb record whose rows are all objects."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    classes = (np.arange(len(boxes)) % (CLASSES - 1) + 1)
    record = make_record(str(path), os.path.basename(str(path)), width, height, boxes, classes)
    return dict(record, flipped=flipped)


def make_roidb(folder, count=6, seed=3, boxes_per_image=5, suffix='.jpg'):
    """`count` images of about 160 x 120 pixels with random objects; every second one has a mirrored twin."""
    rng = np.random.default_rng(seed)
    roidb = []
    for number in range(count):
        width, height = int(rng.integers(120, 200)), int(rng.integers(100, 160))
        path = os.path.join(str(folder), f'image{number:03d}{suffix}')
        write_image(path, width, height, rng)
        corners = rng.uniform(0, 0.6, (boxes_per_image, 2)) * (width, height)
        sizes = rng.uniform(12, 60, (boxes_per_image, 2))
        boxes = np.concatenate([corners, np.minimum(corners + sizes, (width - 1, height - 1))], axis=1).astype(int)
        roidb.append(make_entry(path, width, height, boxes))
        if number % 2:
            mirrored = boxes.copy()
            mirrored[:, 0], mirrored[:, 2] = width - boxes[:, 2] - 1, width - boxes[:, 0] - 1
            roidb.append(make_entry(path, width, height, mirrored, flipped=True))
    return roidb


def small_config(**train):
    """Chips of 64 pixels at two scales, anchors of stride 16; keyword arguments set TRAIN keys."""
    config = load_config()
    config.symbol = 'resnet_mx_50_e2e'  # stride 16
    config.network.PIXEL_MEANS = np.array([103.939, 116.779, 123.68])
    config.network.RPN_FEAT_STRIDE = 16
    config.network.ANCHOR_RATIOS = [0.5, 1, 2]
    config.network.ANCHOR_SCALES = [1, 2]
    config.network.NUM_ANCHORS = 6
    config.TRAIN.CHIP_SIZE = 64
    config.TRAIN.CHIP_STRIDES = [12, 13]
    config.TRAIN.SCALES = [1.5, 64.0]
    config.TRAIN.VALID_RANGES = [(-1, 40), (20, -1)]
    config.TRAIN.RPN_BATCH_SIZE = 32
    config.TRAIN.MAX_GT = 20
    config.TRAIN.PREFETCH = 2
    config.TRAIN.USE_NEG_CHIPS = False
    config.TEST.SCALES = [(60, 100), (120, 160)]
    for key, value in train.items():
        config.TRAIN[key] = value
    return config


def snapshot(batch):
    """Copy of a batch's arrays and images, for comparison after the slot was used again."""
    arrays = dict(batch.data, **batch.label)
    return {name: array.copy() for name, array in arrays.items()}, list(batch.images)


def epoch_batches(iterator, epoch, first_batch=0):
    """All batches of an epoch as snapshots."""
    iterator.start_epoch(epoch, first_batch)
    return [snapshot(batch) for batch in iterator]


def assert_same_batches(left, right):
    """Bit for bit."""
    assert len(left) == len(right)
    for (arrays, images), (other_arrays, other_images) in zip(left, right):
        assert images == other_images
        assert list(arrays) == list(other_arrays)
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], other_arrays[name], err_msg=name)

"""Stand-ins for the network: outputs that depend on the pixels of a slot alone, and predictors that fail."""
import os
import signal

import cv2
import numpy as np

from configs import load_config
from lib.dataset.roidb import make_record
from lib.utils.errors import SniperError
from symbols.registry import register_detector

PROPOSALS, CLASSES = 12, 4
FOCUS_STRIDE = 4

register_detector('fake_focus', 'tests.inference.fakes:no_network', 'faster_rcnn', FOCUS_STRIDE)


def no_network():
    raise AssertionError('the network is a fake')


def make_config(**test):
    """Small test scales; keyword arguments are keys of TEST."""
    keys = {'SCALES': [(60, 80), (30, 40)], 'VALID_RANGES': [(-1, 40), (20, -1)], 'BATCH_IMAGES': [2, 3],
            'CONCURRENT_JOBS': 1, 'NUM_PROCESS': 0, 'USE_CACHE': [False, False], 'DO_PRUNING': [False, False],
            'CHIP_HYPERPARAMS': [(-1, -1, -1)] * 2, 'NMS': -1, 'NMS_SIGMA': 0.55, 'MAX_PER_IMAGE': 20}
    keys.update(test)
    overrides = ['symbol', 'sniper_tiny', 'gpus', 'cpu', 'dataset.NUM_CLASSES', CLASSES]
    for name, value in keys.items():
        overrides += ['TEST.' + name, value]
    return load_config(None, overrides)


def make_roidb(folder, sizes=((50, 40), (40, 50), (64, 48), (30, 30), (33, 41)), seed=1):
    """Images of random pixels; sizes are (width, height)."""
    rng = np.random.default_rng(seed)
    roidb = []
    for number, (width, height) in enumerate(sizes):
        path = os.path.join(str(folder), f'image{number}.png')
        cv2.imwrite(path, rng.integers(0, 256, (height, width, 3), np.uint8))
        roidb.append(make_record(path, 100 + number, width, height, [], []))
    return roidb


class FakePredictor:
    """Proposals, scores and deltas drawn from a seed made of the slot's own pixels; padding does not matter."""

    devices = 1

    def __init__(self):
        self.batches = 0

    def predict(self, batch):
        self.batches += 1
        data = batch.data
        slots = len(data['data'])
        rois = np.zeros((slots, PROPOSALS, 5), np.float32)
        scores = np.zeros((slots, PROPOSALS, CLASSES), np.float32)
        deltas = np.zeros((slots, PROPOSALS, 4), np.float32)
        for slot, (height, width, _) in enumerate(data['im_info']):
            pixels = data['data'][slot, :, :int(height), :int(width)]
            rng = np.random.default_rng(int(abs(pixels.astype(np.float64).sum())))
            corner = rng.uniform(0, 0.7, (PROPOSALS, 2)) * (width, height)
            rois[slot] = np.hstack([np.full((PROPOSALS, 1), slot), corner,
                                    corner + rng.uniform(0.1, 0.5, (PROPOSALS, 2)) * (width, height)])
            scores[slot] = rng.dirichlet(np.full(CLASSES, 0.3), PROPOSALS)
            deltas[slot] = rng.normal(0, 0.1, (PROPOSALS, 4))
        return {'rois_output': rois.reshape(-1, 5), 'cls_prob_reshape_output': scores,
                'bbox_pred_reshape_output': deltas, 'im_ids': data['im_ids'].copy(),
                'chip_ids': data['chip_ids'].copy(), 'im_info': data['im_info'].copy()}

    def close(self):
        pass


class NothingPredictor(FakePredictor):
    """Finds nothing: all scores are background."""

    def predict(self, batch):
        outputs = super().predict(batch)
        outputs['cls_prob_reshape_output'][:] = (1, 0, 0, 0)
        return outputs


class KilledPredictor(FakePredictor):
    """The system ends the process, as it does when memory runs out."""

    def predict(self, batch):
        os.kill(os.getpid(), signal.SIGKILL)


class BuggyPredictor(FakePredictor):
    def predict(self, batch):
        raise ZeroDivisionError('a bug')


class ComplainingPredictor(FakePredictor):
    def predict(self, batch):
        raise SniperError('the weights are of another network')


class ThreadsPredictor(FakePredictor):
    """Fails, saying how many threads MXNet would have here."""

    def __init__(self):
        raise SniperError(f'threads: {os.environ.get("OMP_NUM_THREADS")}')


class FocusPredictor(FakePredictor):
    """Also says where to look again: at cells that are bright, whatever lies around; outside of the picture too."""

    stride = FOCUS_STRIDE

    def predict(self, batch):
        outputs = super().predict(batch)
        brightness = batch.data['data'].mean(axis=1)
        slots, height, width = brightness.shape
        rows, columns = -(-height // self.stride), -(-width // self.stride)
        prob = np.ones((slots, 2, rows, columns), np.float32)
        for slot, (valid_height, valid_width, _) in enumerate(batch.data['im_info'].astype(int)):
            for row in range(-(-valid_height // self.stride)):
                for column in range(-(-valid_width // self.stride)):
                    y, x = row * self.stride, column * self.stride
                    cell = brightness[slot, y:min(y + self.stride, valid_height), x:min(x + self.stride, valid_width)]
                    prob[slot, 1, row, column] = cell.mean() / 255
        outputs['scale_prob_output'] = prob
        return outputs


class ConstantFocusPredictor(FakePredictor):
    """The same probability everywhere."""

    probability, stride = 0.0, FOCUS_STRIDE

    def predict(self, batch):
        outputs = super().predict(batch)
        slots, _, height, width = batch.data['data'].shape
        outputs['scale_prob_output'] = np.full((slots, 2, -(-height // self.stride), -(-width // self.stride)),
                                               self.probability, np.float32)
        return outputs


class EverywherePredictor(ConstantFocusPredictor):
    probability = 1.0


class NanPredictor(ConstantFocusPredictor):
    probability = np.nan


def make_focus_config(**test):
    """Three scales, coarse to fine, the last two on chips, for FocusPredictor."""
    keys = dict(AUTO_FOCUS=True, SCALES=[(15, 20), (30, 40), (60, 80)], VALID_RANGES=[(20, -1), (-1, -1), (-1, 40)],
                BATCH_IMAGES=[3, 2, 2], DO_PRUNING=[False, True, True], USE_CACHE=[False] * 3, PRUNING_BORDER=2,
                CHIP_HYPERPARAMS=[(1, 0.58, 2), (1, 0.62, 3), (-1, -1, -1)])
    keys.update(test)
    config = make_config(**keys)
    config.symbol = 'fake_focus'
    return config


class MaskPredictor(FakePredictor):
    """Masks that tell class and image: see template. The feature says whether the window is wide."""

    def predict(self, batch):
        outputs = super().predict(batch)
        height, width, _ = batch.data['im_info'].T
        outputs['mask_feature_output'] = np.float32(width >= height).reshape(-1, 1, 1, 1)
        return outputs

    def predict_masks(self, feature, rois):
        """In parts of three, the last rois first."""
        for first in range(len(rois) - 1, -1, -3):
            numbers = np.arange(first, max(first - 3, -1), -1)
            wide = feature[rois[numbers, 0].astype(int), 0, 0, 0]
            yield numbers, np.stack([[template(label, of_roi) for label in range(1, CLASSES)] for of_roi in wide])


def template(label, wide):
    """Mask (8, 8) of a class: its left, middle or right third; of wide windows the upper half alone."""
    mask = np.zeros((8, 8), np.float32)
    mask[:4 if wide else 8, 3 * label - 3:3 * label] = 1
    return mask

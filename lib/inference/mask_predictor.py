"""A detector and its mask head as one predictor."""
from typing import Dict, NamedTuple

import numpy as np

ROIS_A_RUN = 64  # a device: at 256 channels, about 0.1 GB of memory


class _Batch(NamedTuple):
    data: Dict[str, np.ndarray]


class MaskingPredictor:
    """`predict` of one predictor (a detector's test graph) and `predict_masks` by another (its mask graph).

    Both have the same number of devices, over which they split their inputs evenly.
    """

    def __init__(self, detector, masks):
        self._detector, self._masks = detector, masks

    @property
    def devices(self):
        """Number of devices."""
        return self._detector.devices

    def predict(self, batch):
        """See lib.engine.predictor."""
        return self._detector.predict(batch)

    def predict_masks(self, feature, rois):
        """feature (B, C, H, W): mask_feature_output of predict; rois (R, 5): index in the batch, x1, y1, x2, y2.

        Yields (numbers of rois (r,), mask probabilities (r, K, S, S)), until every roi has been there once.
        """
        slots = len(feature) // self.devices
        device = rois[:, 0].astype(int) // slots
        queues = [np.flatnonzero(device == number) for number in range(self.devices)]
        while any(map(len, queues)):
            run = _size_of_run(max(map(len, queues)))
            inputs = np.zeros((self.devices, run, 5), np.float32)  # what is left over is a roi of one pixel
            for number, queue in enumerate(queues):
                inputs[number, :len(queue[:run])] = rois[queue[:run]] - (number * slots, 0, 0, 0, 0)
            masks = self._masks.predict(_Batch({'mask_feature': feature, 'mask_rois': inputs.reshape(-1, 5)}))
            masks = masks['mask_prob_output']
            used = np.concatenate([number * run + np.arange(len(queue[:run])) for number, queue in enumerate(queues)])
            yield np.concatenate([queue[:run] for queue in queues]), masks if len(used) == len(masks) else masks[used]
            queues = [queue[run:] for queue in queues]

    def close(self):
        """Free both."""
        self._detector.close()
        self._masks.close()


def _size_of_run(rois):
    """Few sizes, as the network is bound for each: powers of two from 4 on."""
    size = 4
    while size < min(rois, ROIS_A_RUN):
        size *= 2
    return size

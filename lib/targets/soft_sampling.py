"""The weight of an anchor in a classification loss by Soft Sampling (Wu et al. 2019), as the operator
SoftSamplingWeight computes it for rois (SNIPER-mxnet/include/sniper/soft_sampling.h)."""
import numpy as np

FOREGROUND = 0.5    # IoU from which on a box counts in full


def soft_sampling_weight(overlap, a: float = 0.25, b: float = 50.0, c: float = 20.0) -> np.ndarray:
    """overlap (n,): largest IoU with an object -> (n,) float32: 1 from 0.5 on, else a + (1 - a) exp(-b exp(-c o))."""
    overlap = np.asarray(overlap, np.float64)
    return np.where(overlap >= FOREGROUND, 1.0, a + (1 - a) * np.exp(-b * np.exp(-c * overlap))).astype(np.float32)

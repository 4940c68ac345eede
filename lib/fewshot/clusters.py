"""Which classes look alike: K-means of their mean features, for R-FCN-3K's super-classes."""
from typing import Dict, List, Sequence

import cv2
import numpy as np

from lib.fewshot.classifier import Examples
from lib.fewshot.linear import LEAST_DEVIATION
from lib.utils.errors import SniperError

RESTARTS = 20
STEPS = 100         # of one of them
CLOSE_ENOUGH = 1e-4


def class_means(examples: Examples, classes: int) -> np.ndarray:
    """(K, D) float32: mean of each class' features, each standardised by its deviation among the pictures.

    SniperError: a class without a picture.
    """
    features, labels = examples.features.mean(axis=1, dtype=np.float64), examples.labels
    counts = np.bincount(labels, minlength=classes)
    if not counts.all():
        raise SniperError(f'{np.count_nonzero(counts == 0)} classes have no picture that can be read')
    sums = np.zeros((classes, features.shape[1]))
    np.add.at(sums, labels, features)
    deviation = np.maximum(features.std(axis=0), LEAST_DEVIATION)
    return ((sums / counts[:, None] - features.mean(axis=0)) / deviation).astype(np.float32)


def clusters(means: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """(K, D) means -> (K,) cluster of each, from 0 in the order in which they occur: the best of RESTARTS runs of
    OpenCV's K-means, begun as k-means++ does (Arthur and Vassilvitskii 2007). SniperError: more clusters than classes.
    """
    if not 1 <= count <= len(means):
        raise SniperError(f'{count} super-classes cannot be made of {len(means)} classes: give 1 to {len(means)}')
    cv2.setRNGSeed(seed)
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, STEPS, CLOSE_ENOUGH)
    labels = cv2.kmeans(np.ascontiguousarray(means), count, None, ends, RESTARTS, cv2.KMEANS_PP_CENTERS)[1].ravel()
    _, first, places = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[places]


def named_clusters(classes: Sequence[str], means: np.ndarray, labels: np.ndarray) -> Dict[str, List[str]]:
    """{'like <its most central class>': [classes]} of clusters, in their order."""
    found = {}
    for label in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == label)
        distances = ((means[members] - means[members].mean(axis=0)) ** 2).sum(axis=1)
        found[f'like {classes[members[np.argmin(distances)]]}'] = [classes[member] for member in members]
    return found

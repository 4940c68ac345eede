"""Anchor targets of SSH's three modules for one large picture, against all anchors times all boxes in NumPy."""
import importlib.util
import os

import numpy as np

from benchmarks.cases.arrays import array, draw, synchronous
from sniper_mxnet import mx

REFERENCE = os.path.join(os.path.dirname(__file__), '..', '..', 'SNIPER-mxnet', 'tests', 'mined_anchor_reference.py')
HEIGHT, WIDTH, FACES = 1200, 1600, 500
MODULES = (((150, 200), dict(feat_stride=8, scales=(1, 2))),
           ((75, 100), dict(feat_stride=16, scales=(4, 8))),
           ((38, 50), dict(feat_stride=32, scales=(16, 32), allowed_border=512)))


def targets(modules=(0, 1, 2)):
    """{column: callable}: one call a module, faces of 6 to 400 pixels. One picture keeps one core busy."""
    rng = draw()
    sides = np.exp(rng.uniform(np.log(6), np.log(400), (FACES, 1))) * rng.uniform(0.8, 1.2, (FACES, 2))
    corners = rng.uniform(0, 1, (FACES, 2)) * (np.array([WIDTH, HEIGHT]) - sides)
    gt_boxes = np.concatenate([corners, corners + sides - 1, np.ones((FACES, 1))], axis=1)[None].astype(np.float32)
    im_info = np.float32([[HEIGHT, WIDTH, 1]])
    reference = _reference()
    ours, numpy = [], []
    for cells, settings in (MODULES[module] for module in modules):
        prob = rng.rand(1, 2, *cells).astype(np.float32)
        ours.append(synchronous(mx.nd.MinedAnchorTarget, array(prob), array(gt_boxes), array(im_info), **settings))
        numpy.append(lambda prob=prob, settings=settings: reference.targets(prob, gt_boxes, im_info, **settings))
    return {'ours': lambda: [call() for call in ours], 'numpy': lambda: [call() for call in numpy]}


def _reference():
    """The module that the operator's tests compare with."""
    spec = importlib.util.spec_from_file_location('mined_anchor_reference', REFERENCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

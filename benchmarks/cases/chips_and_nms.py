"""Chip covers and soft-NMS against the loops they replace (benchmarks/baselines)."""
import numpy as np

from benchmarks.baselines import chip_cover as baseline_cover, soft_nms as baseline_soft_nms
from benchmarks.cases.arrays import array, draw, synchronous
from lib.chips import generate_chips
from sniper_mxnet import mx

WIDTH, HEIGHT, CHIP, STRIDE, BOXES = 2000, 1400, 512, 32, 100
CLASSES, DETECTIONS = 80, 300


def chip_cover():
    """{column: callable}: lib.chips and a greedy cover over std::set, one image."""
    boxes = boxes_of(1)[0]
    return {'ours': lambda: generate_chips(boxes, WIDTH, HEIGHT, CHIP, STRIDE, 0),
            'std::set': lambda: baseline_cover.cover(boxes, WIDTH, HEIGHT, CHIP, STRIDE)}


def chip_operator(images=8):
    """{column: callable}: the operator on a batch."""
    inputs = [array(boxes_of(images)), array(np.tile([[HEIGHT, WIDTH, 1]], (images, 1)))]
    return {'ours': synchronous(mx.nd.ChipGenerator, *inputs, chip_size=CHIP, stride=STRIDE)}


def soft_nms():
    """{column: callable}: the operator and a loop in NumPy over classes."""
    rng = draw()
    corners = rng.uniform(0, 900, (CLASSES, DETECTIONS, 2))
    sides = rng.uniform(20, 200, (CLASSES, DETECTIONS, 2))
    scores = rng.uniform(0, 1, (CLASSES, DETECTIONS, 1))
    dets = np.concatenate([corners, corners + sides, scores], axis=2).astype(np.float32)
    operand = array(dets)
    return {'ours': synchronous(mx.nd.SoftNMS, operand),
            'numpy': lambda: [baseline_soft_nms.soft_nms(rows) for rows in dets]}


def boxes_of(images):
    """(images, BOXES, 4) float32 boxes of 5 to 150 pixels a side."""
    rng = draw()
    corners = rng.uniform(0, 1, (images, BOXES, 2)) * [WIDTH - 160, HEIGHT - 160]
    return np.concatenate([corners, corners + rng.uniform(5, 150, (images, BOXES, 2))], axis=2).astype(np.float32)

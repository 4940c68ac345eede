"""Warnings of priors that are far from the objects as the network sees them."""
import re

import numpy as np
import pytest

from configs import load_config
from configs.m2det_keys import Pyramid
from lib.bbox.boxes import bbox_overlaps
from lib.bbox.priors import ssd_priors
from lib.chips.samplers import WholeImages
from lib.chips.seen_sizes import seen_in_training
from lib.dataset.object_sizes import object_sizes
from lib.dataset.roidb import make_record
from lib.tasks.prior_fit import POOR_IOU, _poor, flat_warnings, prior_warnings

SETTINGS = ['symbol', 'm2det', 'M2DET.input_size', '320']


def pyramid_of(*overrides):
    return Pyramid.from_config(load_config(None, SETTINGS + list(overrides)))


def warnings_of(pyramid, low, high, picture=640):
    rng = np.random.default_rng(3)
    records = []
    for number in range(40):
        sides = np.exp(rng.uniform(np.log(low), np.log(high), (8, 2)))
        corners = rng.uniform(0, 1, (8, 2)) * (picture - 1 - sides)
        boxes = np.hstack([corners, corners + sides]).astype(np.float32)
        records.append(make_record(f'{number}.jpg', number, picture, picture, boxes, np.ones(8, int)))
    sizes = object_sizes(records)
    return prior_warnings(seen_in_training(WholeImages(320, 320, True), sizes), sizes, pyramid)


def test_objects_like_the_priors():
    assert warnings_of(pyramid_of(), 60, 500) == []


def test_small_objects_and_the_mend():
    line, = warnings_of(pyramid_of(), 12, 40)
    found = re.search(r"(\d+) % .* sides of .* priors have 26 to 278: --set (\S+) '(.*)'$", line)
    assert int(found.group(1)) > 80 and found.group(2) == 'M2DET.size_pattern'
    assert warnings_of(pyramid_of(*found.groups()[1:]), 12, 40) == []


def test_objects_too_small_for_any_prior():
    line, = warnings_of(pyramid_of(), 4, 5)
    assert line.endswith('show them larger, by M2DET.input_size')


def test_no_objects():
    sizes = object_sizes([make_record('a.jpg', 1, 10, 10, np.zeros((0, 4)), [])])
    assert prior_warnings(seen_in_training(WholeImages(320, 320, True), sizes), sizes, pyramid_of()) == []


@pytest.mark.parametrize('side', [12, 30, 70, 200])
def test_what_is_poor_is_so_on_average(side):
    """Of objects at random places, those without a good prior are more than half where their size is called poor."""
    pyramid, rng = pyramid_of(), np.random.default_rng(0)
    priors = ssd_priors(pyramid.size, pyramid.steps, pyramid.sizes) * pyramid.size
    corners = np.hstack([priors[:, :2] - priors[:, 2:] / 2, priors[:, :2] + priors[:, 2:] / 2 - 1])
    places = rng.uniform(0, 320 - side, (60, 2))
    best = bbox_overlaps(np.hstack([places, places + side - 1]), corners).max(axis=1)
    assert _poor(np.array([[side, side]]), pyramid)[0] == ((best < POOR_IOU).mean() > 0.5)


def test_objects_without_area_are_counted():
    boxes = np.array([[5, 5, 5, 30], [9, 9, 9, 9], [10, 10, 40, 50]], np.float32)
    sizes = object_sizes([make_record('a.jpg', 1, 100, 100, boxes, np.ones(3, int))])
    line, = flat_warnings(seen_in_training(WholeImages(320, 320, True), sizes), sizes)
    assert line.startswith('2 of 3 objects in training are one pixel wide or high, and nothing is learnt of them')
    sizes = object_sizes([make_record('a.jpg', 1, 100, 100, boxes[2:], np.ones(1, int))])
    assert flat_warnings(seen_in_training(WholeImages(320, 320, True), sizes), sizes) == []

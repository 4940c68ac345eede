"""Flat detections: order of rows, grouping, and that nothing grows with classes times images."""
import time
import tracemalloc

import numpy as np
import pytest

from lib.bbox.detections import NO_MASK, Detections, check_range


def some(masks=False):
    """Six detections of classes 1 and 2 in images 0, 2 and 3."""
    image, label = [2, 0, 2, 3, 0, 2], [2, 1, 1, 2, 1, 2]
    box = np.arange(24).reshape(6, 4)
    codes = [b'%d' % number for number in range(6)] if masks else None
    return Detections(image, label, box, np.arange(6) / 10, codes)


def test_types_and_length():
    found = some()
    assert len(found) == 6 and len(Detections.empty()) == 0
    assert [getattr(found, name).dtype for name in ('image', 'label', 'box', 'score')] == [
        np.int32, np.int32, np.float32, np.float32]
    assert Detections.empty().box.shape == (0, 4) and Detections.empty().rows().shape == (0, 5)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='differ in number'):
        Detections([0], [1], [[0, 0, 1, 1]], [0.5, 0.6])


def test_take_and_masks():
    found = some(masks=True)
    assert found.take([4, 0]).mask == [b'4', b'0']
    assert found.of_image(2).mask == [b'0', b'2', b'5']
    assert found.of_class(1).score.tolist() == pytest.approx([0.1, 0.2, 0.4])


def test_concatenate_fills_masks():
    joined = Detections.concatenate([some(masks=True), some()])
    assert len(joined) == 12 and joined.mask[5:8] == [b'5', NO_MASK, NO_MASK]
    assert Detections.concatenate([]).mask is None


def test_replace():
    found = some(masks=True)
    assert found.replace(mask=None).mask is None and found.replace(label=found.label + 1).label.max() == 3
    with pytest.raises(TypeError):
        found.replace(labels=found.label)
    with pytest.raises(ValueError, match='differ in number'):
        found.replace(image=[1])


def test_groups_keep_the_order_of_rows():
    found = some(masks=True)
    assert [(image, part.mask) for image, part in found.by_image()] == [
        (0, [b'1', b'4']), (2, [b'0', b'2', b'5']), (3, [b'3'])]
    assert [(label, part.mask) for label, part in found.by_class()] == [
        (1, [b'1', b'2', b'4']), (2, [b'0', b'3', b'5'])]
    assert found.in_class_order().mask == [b'1', b'4', b'2', b'0', b'5', b'3']
    assert found.in_image_order().mask == [b'1', b'4', b'2', b'0', b'5', b'3']


def test_from_rows():
    rows = np.arange(12).reshape(2, 6)
    found = Detections.from_rows(7, rows)
    assert found.image.tolist() == [7, 7] and found.label.tolist() == [5, 11]
    np.testing.assert_array_equal(found.rows(), rows[:, :5])
    assert Detections.from_rows([1, 2], rows[:, :5], label=3).label.tolist() == [3, 3]


def test_check_range():
    check_range(some(), 3, 4)
    check_range(Detections.empty(), 0, 0)
    with pytest.raises(ValueError, match='image numbers from 0 to 3'):
        check_range(some(), 3, 3)


def test_few_detections_of_many_classes_and_images_cost_little():
    """Lists of 3,000 classes x 5,000 images would be 15 million arrays, more than a gigabyte."""
    rng = np.random.default_rng(0)
    found = Detections(rng.integers(5000, size=1000), rng.integers(1, 3000, size=1000), np.zeros((1000, 4)),
                       rng.random(1000))
    tracemalloc.start()
    start = time.perf_counter()
    assert sum(len(part) for _, part in found.in_class_order().by_class()) == 1000
    assert sum(len(part) for _, part in found.in_image_order().by_image()) == 1000
    seconds, (_, most) = time.perf_counter() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10e6 and seconds < 5

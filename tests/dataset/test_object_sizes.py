"""Sizes of pictures and objects, of lists and of compact roidbs."""
import numpy as np

from lib.dataset import object_sizes as module
from lib.dataset.compact import CompactRoidb
from lib.dataset.loading import with_mirrored_copies
from lib.dataset.object_sizes import object_sizes
from lib.dataset.roidb import make_record


def records():
    boxes = np.array([[0, 0, 9, 39], [5, 5, 5, 25], [0, 0, np.nan, 3]], np.float32)
    return [make_record('a.jpg', 1, 64, 48, boxes, [1, 1, 1]), make_record('b.jpg', 2, 20, 30, np.zeros((0, 4)), []),
            make_record('c.jpg', 3, 100, 80, boxes[:2], [1, 1], max_overlaps=[1, 0.4])]


def test_by_hand():
    for roidb in (records(), CompactRoidb.from_records(records()), with_mirrored_copies(records()),
                  with_mirrored_copies(CompactRoidb.from_records(records()), True, True)):
        sizes = object_sizes(roidb)
        assert sizes.pictures.tolist() == [[64, 48], [20, 30], [100, 80]] and sizes.total == 3
        assert sizes.image.tolist() == [0, 0, 2]  # neither what has no numbers nor a proposal
        assert sizes.objects.tolist() == [[9, 39], [0, 20], [9, 39]]
        np.testing.assert_allclose(sizes.sides, [np.sqrt(9 * 39), 0, np.sqrt(9 * 39)])
        assert sizes.median_picture == (64, 48) and sizes.picture_at(1) == (100, 80)
        assert sizes.of_pictures(lambda width, height: (width, 2 * height))[:, 1].tolist() == [96, 60, 160]


def test_of_many_pictures_some_are_looked_at():
    compact = CompactRoidb.from_records(records() * 40)
    sizes = object_sizes(compact, most=30)
    assert len(sizes.pictures) == 30 and sizes.total == 120 and len(sizes.image) > 20
    assert module.MOST >= 1000
    one = object_sizes(compact[np.array([119])])
    assert one.pictures.tolist() == [[100, 80]] and one.objects.tolist() == [[9, 39]]


def test_nothing():
    sizes = object_sizes([])
    assert sizes.median_picture == (0, 0) and len(sizes.sides) == 0 and sizes.of_pictures(max).shape == (0,)

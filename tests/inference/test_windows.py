"""Windows of a scale: whole images, slices, FocusChips; and a test in slices with a fake network."""
import numpy as np
import pytest

from configs.schema import ConfigError
from lib.inference.autofocus import PixelReport
from lib.inference.detect import detect
from lib.inference.scale import whole_images
from lib.inference.windows import ScaleWindows
from lib.tasks import get_task
from tests.detections import assert_same
from tests.inference import fakes

SLICED = dict(SCALES=['2x', '0.5x'], SLICES=[40, 0], SLICE_OVERLAP=0.25, PRUNING_BORDER=0)


def run(roidb, **test):
    """-> configuration, detections, ScaleResult of every scale."""
    config, results = fakes.make_config(**dict(SLICED, **test)), []
    detections = detect(roidb, fakes.FakePredictor, config, on_scale=lambda _, result: results.append(result))
    return config, detections, results


def test_slices_are_squares_of_the_input():
    """40 pixels at 2x are 20 of the image, 5 of them shared."""
    windows = ScaleWindows(fakes.make_config(**SLICED))
    roidb = [{'width': 50, 'height': 20}, {'width': 12, 'height': 30}]
    assert windows(roidb, 0, None) == [[(0, 0, 20, 20), (15, 0, 35, 20), (30, 0, 50, 20)],
                                       [(0, 0, 12, 20), (0, 10, 12, 30)]]
    assert windows(roidb, 1, None) == whole_images(roidb)


def test_a_scale_in_slices(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    config, together, results = run(roidb)
    assert [len(crops) for crops in results[0].crops] == [9, 9, 12, 4, 6]    # of 50x40, 40x50, 64x48, 30x30, 33x41
    report = PixelReport.of(config, roidb, results)
    assert report.scales[0].windows == 40 and report.scales[1].windows == 5 and report.share > 1.3
    # Single images, and two processes, give the same.
    assert_same(run(roidb, CONCURRENT_JOBS=2)[1], together)
    for index, entry in enumerate(roidb):
        alone = run([entry], BATCH_IMAGES=[1, 1])[1]
        assert_same(alone, together.of_image(index).replace(image=np.zeros_like(alone.image)))


def test_objects_that_a_slice_cuts_are_dropped(tmp_path):
    roidb = fakes.make_roidb(tmp_path, sizes=((50, 40),))
    (_, _, kept), (_, _, pruned) = run(roidb), run(roidb, PRUNING_BORDER=3)
    dropped = 0
    for number, crop in enumerate(kept[0].crops[0]):
        found = kept[0].detections.of_image(number)
        cuts = np.array([crop[0] > 0, crop[1] > 0, crop[2] < 50, crop[3] < 40])
        cut = ((np.abs(found.box - crop) < 3) & cuts).any(axis=1)
        assert_same(pruned[0].detections.of_image(number), found.take(~cut))
        dropped += cut.sum()
    assert dropped > 0
    assert_same(pruned[1].detections, kept[1].detections)


def test_slices_show_the_largest_pictures_as_large_as_the_scale_says():
    whole, sliced = (get_task(fakes.make_config(**dict(SLICED, SLICES=[side, 0])), 'test') for side in (0, 40))
    assert whole.test_scales(0, 20000, 20000) == (0.5, 0.5) and sliced.test_scales(0, 20000, 20000) == (2, 2)


def test_one_side_for_all_scales_is_not_guessed():
    with pytest.raises(ConfigError, match='TEST.SLICES wants a list of whole numbers'):
        fakes.make_config(SLICES=256)

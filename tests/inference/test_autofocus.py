"""AutoFocus: windows between scales, and the loop over scales with a fake network."""
import numpy as np
import pytest

from lib.chips.scales import test_scale as scale_of_test
from lib.inference.autofocus import PixelReport, chips_of_image, focus_windows, outermost
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.scale import ScaleResult, whole_images
from lib.inference.windows import ScaleWindows
from lib.utils.errors import SniperError
from tests.detections import assert_same
from tests.golden import golden_file
from tests.inference import fakes


def in_order(boxes):
    boxes = np.asarray(boxes).reshape(-1, 4)
    return boxes[np.lexsort(boxes.T)]


def results_of(roidb, config, predictor=fakes.FocusPredictor, **more):
    """-> detections, ScaleResult of every scale."""
    results = []
    detections = detect(roidb, predictor, config, on_scale=lambda _, result: results.append(result), **more)
    return detections, results


@pytest.mark.parametrize('case', range(6))
def test_golden_chips_of_images(case):
    data = np.load(golden_file('pipeline/add_chips.npz'))
    get = lambda name: data[f'{case:03d}/{name}']
    index, total = int(get('scale_id')), 0
    areas = np.zeros(2)  # megapixels at the next scale: of the chips, of whole images
    for image, (width, height) in enumerate(zip(get('width'), get('height'))):
        scale, finer = (scale_of_test(get('scales')[which], width, height) for which in (index, index + 1))
        maps = [get(f'map_{image}_{crop}')[1] for crop in range(int(get('n_maps')[image]))]
        chips = chips_of_image(get(f'in_{image}'), maps, get('hyper')[index], scale, 16)
        np.testing.assert_allclose(in_order(chips), in_order(get(f'out_{image}')), atol=1e-6)
        areas += (chips[:, 2:] - chips[:, :2]).prod(axis=1).sum() * finer ** 2 / 1e6, width * height * finer ** 2 / 1e6
        total += len(chips)
    assert total > 0
    np.testing.assert_allclose(areas, get('area'), rtol=1e-6)


def test_windows_are_whole_pixels_in_the_image():
    config = fakes.make_focus_config(CHIP_HYPERPARAMS=[(1, 0.5, 1), (1, 0.5, 1), (-1, -1, -1)])
    entry = {'width': 47, 'height': 33}
    prob = np.zeros((4, 6), np.float32)
    prob[1, 2] = prob[3, 5] = 1
    windows = focus_windows(entry, [(0.0, 0.0, 47.0, 33.0)], [prob], config, 0, 4)
    scale = scale_of_test((15, 20), 47, 33)
    assert windows[1] == (np.floor(8 / scale), np.floor(4 / scale), np.ceil(12 / scale), np.ceil(8 / scale))
    x1, y1, x2, y2 = windows[0]
    assert (x2, y2) == (47, 33) and x1 == int(x1) and y1 == int(y1)


def test_outermost():
    boxes = np.array([[2, 2, 4, 4], [0, 0, 5, 5], [0, 0, 5, 5], [3, 3, 6, 6], [0, 0, 5, 4]], float)
    assert outermost(boxes).tolist() == [[0, 0, 5, 5], [3, 3, 6, 6]]
    assert outermost(np.zeros((0, 4))).shape == (0, 4)


def test_scales_without_pruning_are_whole_images():
    config = fakes.make_focus_config(DO_PRUNING=[False, False, True])
    roidb = [{'width': 10, 'height': 20}]
    assert ScaleWindows(config)(roidb, 1, None) == whole_images(roidb) == [[(0, 0, 10, 20)]]
    previous = ScaleResult(whole_images(roidb), None, [np.zeros((10, 5), np.float32)])
    assert ScaleWindows(config)(roidb, 2, previous) == [[]]


def test_chips_come_from_the_scale_before(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_focus_config()
    _, results = results_of(roidb, config)
    assert results[0].crops == whole_images(roidb) and results[2].maps is None
    for index in (1, 2):
        assert results[index].crops == ScaleWindows(config)(roidb, index, results[index - 1])
        assert sum(map(len, results[index].crops)) > 0
    counts = [len(crops) for crops in results[2].crops]
    assert min(counts) == 0 or max(counts) > 1  # the case is not trivial


def test_results_do_not_depend_on_batches_and_jobs(tmp_path):
    """Each image alone, other batches and two processes give what all images together give."""
    roidb = fakes.make_roidb(tmp_path)
    together, results = results_of(roidb, fakes.make_focus_config())
    for other in (dict(BATCH_IMAGES=[1, 1, 1]), dict(BATCH_IMAGES=[5, 8, 8], CHIP_SHAPES=1), dict(CONCURRENT_JOBS=2)):
        detections, other_results = results_of(roidb, fakes.make_focus_config(**other))
        assert_same(together, detections)
        assert [result.crops for result in other_results] == [result.crops for result in results]
    for index, entry in enumerate(roidb):
        alone, _ = results_of([entry], fakes.make_focus_config())
        assert_same(alone, together.of_image(index).replace(image=np.zeros_like(alone.image)))


@pytest.mark.parametrize('jobs', [1, 2])
def test_unreadable_images_are_not_looked_at_again(tmp_path, jobs):
    roidb = fakes.make_roidb(tmp_path)
    expected, all_results = results_of(roidb, fakes.make_focus_config())
    for number in (1, 2):
        with open(roidb[number]['image'], 'wb') as stream:
            stream.write(b'%PDF-1.4')
    detections, results = results_of(roidb, fakes.make_focus_config(CONCURRENT_JOBS=jobs))
    assert_same(detections, expected.take(~np.isin(expected.image, (1, 2))))
    for result, of_all in zip(results[1:], all_results[1:]):
        assert [list(crops) for crops in result.crops] == [[] if number in (1, 2) else list(crops)
                                                           for number, crops in enumerate(of_all.crops)]


def test_detections_at_chip_borders_are_dropped(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    _, kept = results_of(roidb, fakes.make_focus_config(PRUNING_BORDER=0))
    _, pruned = results_of(roidb, fakes.make_focus_config(PRUNING_BORDER=5))
    assert [result.crops for result in kept] == [result.crops for result in pruned]
    dropped = 0
    for index in (1, 2):
        crops = [crop for windows in kept[index].crops for crop in windows]
        images = np.repeat(np.arange(len(roidb)), kept[index].counts)
        for number, (crop, image) in enumerate(zip(crops, images)):
            found, entry = kept[index].detections.of_image(number), roidb[image]
            cuts = np.array([crop[0] > 0, crop[1] > 0, crop[2] < entry['width'], crop[3] < entry['height']])
            cut = ((np.abs(found.box - crop) < 5) & cuts).any(axis=1)
            assert_same(pruned[index].detections.of_image(number), found.take(~cut))
            dropped += cut.sum()
    assert dropped > 0
    assert_same(kept[0].detections, pruned[0].detections)


@pytest.mark.parametrize('predictor', [fakes.ConstantFocusPredictor, fakes.NanPredictor])
def test_nothing_to_look_at_again(tmp_path, predictor):
    """Empty maps and maps of NaN: the first scale alone counts."""
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_focus_config()
    detections, results = results_of(roidb, config, predictor)
    assert [result.crops for result in results[1:]] == [[[]] * len(roidb)] * 2
    assert [result.network_pixels for result in results[1:]] == [0, 0]
    first = fakes.make_focus_config()
    for key in ('SCALES', 'VALID_RANGES', 'BATCH_IMAGES', 'DO_PRUNING', 'USE_CACHE', 'CHIP_HYPERPARAMS'):
        first.TEST[key] = first.TEST[key][:1]
    assert_same(detections, results_of(roidb, first, predictor)[0])
    assert len(detections)


def test_focus_everywhere_is_the_whole_pyramid(tmp_path):
    """All-ones maps: one chip a scale, the image, and the detections of the pyramid without AutoFocus."""
    roidb = fakes.make_roidb(tmp_path)
    detections, results = results_of(roidb, fakes.make_focus_config(), fakes.EverywherePredictor)
    assert all(result.crops == whole_images(roidb) for result in results)
    report = PixelReport(fakes.make_focus_config(), roidb)
    for index, result in enumerate(results):
        report.add(index, result)
    assert report.share == 1
    pyramid = fakes.make_focus_config(DO_PRUNING=[False] * 3)
    assert_same(detections, results_of(roidb, pyramid, fakes.EverywherePredictor)[0])


def test_images_smaller_than_the_least_chip(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_focus_config(CHIP_HYPERPARAMS=[(1, 0.5, 99), (1, 0.5, 99), (-1, -1, -1)])
    _, results = results_of(roidb, config)
    assert all(result.crops == whole_images(roidb) for result in results)


def test_pixels_are_counted(tmp_path):
    roidb = fakes.make_roidb(tmp_path, sizes=((40, 30), (80, 60)))
    config = fakes.make_focus_config()
    report = PixelReport(config, roidb)
    whole = whole_images(roidb)
    report.add(0, ScaleResult(whole, None, None, 700))
    report.add(1, ScaleResult([[(0, 0, 20, 30)], []], None, None, 800))
    report.add(2, ScaleResult([[], [(0, 0, 40, 60), (0, 0, 40, 30)]], None, None, 4000))
    full = [2 * 15 * 20, 2 * 30 * 40, 2 * 60 * 80]
    assert [scale.full for scale in report.scales] == full
    assert [scale.pixels for scale in report.scales] == [600, 600, 60 * 40 + 40 * 30]
    assert report.share == pytest.approx(4800 / sum(full)) and report.network_share == pytest.approx(5500 / sum(full))
    assert [scale.windows for scale in report.scales] == [2, 1, 2]
    lines = report.lines()
    assert len(lines) == 5 and '15x20' in lines[1] and '38.1%' in lines[4]


def test_cache(tmp_path, caplog):
    """Files of all scales with their maps make a run without a network; a missing one is run, and what follows."""
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_focus_config()
    store = DetectionStore(str(tmp_path / 'out'), config, roidb, 'digest')
    first, results = results_of(roidb, config, store=store)
    config.TEST.USE_CACHE = [True, True, True]
    second, cached = results_of(roidb, config, fakes.KilledPredictor, store=store)
    assert_same(first, second)
    assert [result.crops for result in cached] == [result.crops for result in results]
    assert [result.network_pixels for result in cached] == [result.network_pixels for result in results]
    config.TEST.USE_CACHE = [False, True, True]
    assert_same(first, results_of(roidb, config, store=store)[0])
    assert 'scale 30x40 is run: its chips come from scale 15x20, which is run too' in caplog.text


def test_cached_chips_of_other_parameters_are_run_again(tmp_path, caplog):
    roidb = fakes.make_roidb(tmp_path)
    root = str(tmp_path / 'out')
    config = fakes.make_focus_config()
    results_of(roidb, config, store=DetectionStore(root, config, roidb, 'digest'))
    other = fakes.make_focus_config(CHIP_HYPERPARAMS=[(3, 0.5, 3), (1, 0.55, 3), (-1, -1, -1)], USE_CACHE=[True] * 3)
    detections, _ = results_of(roidb, other, store=DetectionStore(root, other, roidb, 'digest'))
    assert 'made from other chips: the scale is run again' in caplog.text
    other.TEST.USE_CACHE = [False] * 3
    assert_same(detections, results_of(roidb, other)[0])


def test_damaged_maps_are_made_again(tmp_path, caplog):
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_focus_config()
    store = DetectionStore(str(tmp_path / 'out'), config, roidb, 'digest')
    first, _ = results_of(roidb, config, store=store)
    with open(store.maps_path(0), 'r+b') as stream:
        stream.truncate(100)
    config.TEST.USE_CACHE = [True] * 3
    assert_same(first, results_of(roidb, config, store=store)[0])
    assert 'maps.npz is damaged' in caplog.text


def test_jobs_with_a_cached_first_scale(tmp_path):
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_focus_config(USE_CACHE=[True, False, False], CONCURRENT_JOBS=2)
    store = DetectionStore(str(tmp_path / 'out'), config, roidb, 'digest')
    first, _ = results_of(roidb, config, store=store)
    assert_same(first, results_of(roidb, config, store=store)[0])


def test_network_without_focus_maps_is_named(tmp_path):
    with pytest.raises(SniperError, match='scale_prob_output'):
        results_of(fakes.make_roidb(tmp_path), fakes.make_focus_config(), fakes.FakePredictor)

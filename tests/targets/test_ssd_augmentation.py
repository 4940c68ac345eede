"""SSD's augmentation: the recorded steps and chains, cases by hand, and what must hold whatever is drawn."""
import cv2
import numpy as np
import pytest

from lib.bbox import encode_ssd, ssd_priors
from lib.image.photometric import distort_colors
from lib.targets import match_priors, ssd_geometry
from lib.targets.ssd_augmentation import METHODS, SsdAugmentation, to_planes
from lib.targets.ssd_geometry import CROPS, Scene, crop_scene, expand_scene, mirror_scene
from lib.utils.draws import Draws
from tests.golden import golden_file
from tests.recorded_draws import RecordedDraws

MEANS = (104, 117, 123)
WAYS = {'null': None, '[null, null]': 0.0, **{f'[{share}, null]': share for share in (0.1, 0.3, 0.5, 0.7, 0.9)}}
CHAIN = SsdAugmentation(40)
GREY_LEVEL = 1      # between versions of the image library


class FixedDraws(Draws):
    """Gives the results of a list, whatever is asked for."""

    def __init__(self, *results):
        super().__init__(np.random.default_rng(0))
        self.results = list(results)

    def _next(self, *_):
        return self.results.pop(0)

    choice = uniform = share = below = between = _next


def recorded(name):
    case = np.load(golden_file(f'm2det/augment_{name}.npz'))
    return case, lambda step: RecordedDraws(case[f'{step}_draws'], WAYS)


def draws(seed):
    return Draws(np.random.default_rng(seed))


def picture(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def assert_pixels(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.abs(found.astype(float) - expected).max() <= GREY_LEVEL


@pytest.mark.parametrize('name', 'abd')
def test_recorded_steps(name):
    case, of_step = recorded(name)
    scene = Scene(case['image'], case['boxes'], case['labels'])
    source = of_step('crop')
    cropped = crop_scene(scene, source)
    np.testing.assert_array_equal(cropped.pixels, case['crop_image'])
    np.testing.assert_array_equal(cropped.boxes, case['crop_boxes'])
    np.testing.assert_array_equal(cropped.labels, case['crop_labels'])
    assert not source.left
    assert_pixels(distort_colors(scene.pixels, of_step('distort')), case['distort_image'])
    expanded = expand_scene(scene, 0.6, MEANS, of_step('expand'))
    np.testing.assert_array_equal(expanded.pixels, case['expand_image'])
    np.testing.assert_array_equal(expanded.boxes, case['expand_boxes'])
    mirrored = mirror_scene(scene, of_step('mirror'))
    np.testing.assert_allclose(mirrored.boxes, case['mirror_boxes'], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(mirrored.pixels, scene.pixels[:, ::-1] if case['mirrored'] else scene.pixels)


@pytest.mark.parametrize('name', 'abd')
def test_recorded_chain(name):
    case, of_step = recorded(name)
    source = of_step('full')
    planes, truths = CHAIN(case['image'], case['boxes'], case['labels'], source)
    assert not source.left
    assert_pixels(planes, case['full_image'])
    assert truths.dtype == np.float32
    np.testing.assert_array_equal(truths, case['full_targets'].astype(np.float32))
    assert_pixels(to_planes(case['image'], 40, MEANS), case['test_image'])


def test_recorded_edge_cases():
    case, of_step = recorded('edge')
    tiny = case['tiny_targets_in']
    for name, boxes, labels in (('tiny', tiny[:, :4], tiny[:, 4]), ('none', [], [])):
        source = of_step(name)
        planes, truths = CHAIN(case['image'], boxes, labels, source)
        assert not source.left
        assert_pixels(planes, case[f'{name}_image'])
        np.testing.assert_array_equal(truths, case[f'{name}_targets'].astype(np.float32))


def test_crop_by_hand():
    scene = Scene(picture(100, 50), np.array([[10., 10, 30, 20], [80, 30, 100, 50]]), np.array([1., 2]))
    cropped = crop_scene(scene, FixedDraws(0.0, 0.5, 1.0, 5, 0))    # a way, scale, square of the aspect, left, top
    np.testing.assert_array_equal(cropped.pixels, scene.pixels[0:25, 5:55])
    assert cropped.boxes.tolist() == [[5, 10, 25, 20]] and cropped.labels.tolist() == [1]
    # A centre on the border is not inside; the next window is.
    left = crop_scene(scene, FixedDraws(0.0, 0.5, 1.0, 20, 0, 0.5, 1.0, 0, 0))
    assert left.size == (50, 25) and left.boxes.tolist() == [[10, 10, 30, 20]]


def test_a_window_as_wide_as_the_picture():
    """Pitfall 18: there is no place to draw, where the original raised."""
    scene = Scene(picture(2, 90), np.array([[0., 10, 2, 30]]), np.array([1.]))
    for seed in range(60):
        cropped = crop_scene(scene, draws(seed))
        assert min(cropped.size) >= 1 and len(cropped.boxes) == 1
    whole = crop_scene(scene, FixedDraws(0.0, 1.0, 1.0))
    np.testing.assert_array_equal(whole.pixels, scene.pixels)


def test_windows_that_areas_alone_refuse():
    """Only those that the overlaps would refuse too."""
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(400):
        boxes = np.sort(rng.uniform(0, (100, 60), (3, 2, 2)), axis=1).reshape(-1, 4)
        window = ssd_geometry._draw_window((100, 60), Draws(rng))
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        corners = np.array([*window[:2], window[0] + window[2], window[1] + window[3]])
        for smallest in (0.0, 0.1, 0.9):
            if ssd_geometry._hopeless(window, areas, smallest):
                refused += 1
                assert not (ssd_geometry._overlaps(boxes, areas, corners) >= smallest).all()
    assert refused > 300


def test_colours_by_hand():
    grey = np.full((1, 3, 3), 100, np.uint8)
    assert (distort_colors(grey, FixedDraws(1, 20.7, 0, 0, 0)) == 120).all()      # truncated
    assert (distort_colors(grey, FixedDraws(0, 1, 1.5, 0, 0)) == 150).all()
    assert (distort_colors(np.full((1, 3, 3), 200, np.uint8), FixedDraws(0, 1, 1.5, 0, 0)) == 255).all()
    blue = np.zeros((1, 1, 3), np.uint8)
    blue[..., 0] = 255      # hue 120 of 180
    assert distort_colors(blue, FixedDraws(0, 0, 1, -60, 0)).ravel().tolist() == [0, 255, 0]
    red = blue[..., ::-1].copy()
    assert distort_colors(red, FixedDraws(0, 0, 1, -60, 0)).ravel().tolist() == [255, 0, 0]     # round the circle
    assert distort_colors(blue, FixedDraws(0, 0, 0, 1, 0.0)).ravel().tolist() == [255] * 3


def test_expand_and_mirror_by_hand():
    scene = Scene(picture(10, 6), np.array([[1., 2, 4, 5]]), np.array([3.]))
    expanded = expand_scene(scene, 0.6, MEANS, FixedDraws(0.5, 2.0, 1.0, 7, 1))
    assert expanded.size == (20, 12) and expanded.boxes.tolist() == [[8, 3, 11, 6]]
    np.testing.assert_array_equal(expanded.pixels[1:7, 7:17], scene.pixels)
    assert (expanded.pixels[7:] == MEANS).all() and (expanded.pixels[:, 17:] == MEANS).all()
    assert expand_scene(scene, 0.6, MEANS, FixedDraws(0.61)) is scene
    narrow = [number for _ in range(ssd_geometry.TRIES) for number in (1.2, 2.0)]
    assert expand_scene(scene, 0.6, MEANS, FixedDraws(0.5, *narrow)) is scene     # one side would be shorter
    assert mirror_scene(scene, FixedDraws(1)).boxes.tolist() == [[6, 2, 9, 5]]


def test_a_canvas_that_is_too_large_is_shrunk(monkeypatch):
    scene = Scene(np.full((60, 100, 3), 7, np.uint8), np.array([[10., 30, 60, 60]]), np.array([3.]))
    exact = expand_scene(scene, 1, MEANS, FixedDraws(0, 3.0, 1.0, 150, 90))
    monkeypatch.setattr(ssd_geometry, 'MOST_PIXELS', 5000)
    small = expand_scene(scene, 1, MEANS, FixedDraws(0, 3.0, 1.0, 150, 90))
    assert small.pixels[..., 0].size <= 5200
    np.testing.assert_allclose(small.boxes / np.tile(small.size, 2), exact.boxes / np.tile(exact.size, 2), atol=0.03)


def test_whatever_is_drawn():
    priors = ssd_priors(64, [16, 32, 64], [10, 22, 40, 60])
    rng = np.random.default_rng(5)
    for seed in range(150):
        width, height = rng.integers(1, 90, 2)
        count = int(rng.integers(0, 5))
        boxes = np.sort(rng.uniform(-5, (width + 5, height + 5), (count, 2, 2)), axis=1).reshape(-1, 4)
        boxes[::3, 2] = boxes[::3, 0]       # no width, as the original's cleaning of COCO leaves them
        labels = rng.integers(1, 9, count)
        planes, truths = SsdAugmentation(32)(picture(width, height, seed), boxes, labels, draws(seed))
        again, _ = SsdAugmentation(32)(picture(width, height, seed), boxes, labels, draws(seed))
        np.testing.assert_array_equal(planes, again)
        assert planes.shape == (3, 32, 32) and planes.dtype == np.float32 and np.isfinite(planes).all()
        assert -123 <= planes.min() and planes.max() <= 255 - 104
        assert truths.dtype == np.float32 and len(truths) and set(truths[:, 4]) <= {0, *labels}
        objects = truths[truths[:, 4] > 0]
        assert (objects[:, 2:4] > objects[:, :2]).all()
        assert len(objects) or truths.tolist() == [[0] * 5]
        if len(objects):
            assert np.isfinite(encode_ssd(objects[:, :4], np.resize(priors, (len(objects), 4)))).all()
        assert np.isfinite(match_priors(truths, priors)[1]).all()


def test_boxes_stay_on_their_objects():
    """White objects on black: what is white afterwards fills the box."""
    pixels = np.zeros((80, 120, 3), np.uint8)
    box = np.array([[30., 20, 70, 60]])
    pixels[20:60, 30:70] = 255
    chain = SsdAugmentation(200, means=(0, 0, 0))
    for seed in range(40):
        planes, truths = chain(pixels, box, [1], draws(seed))
        bright = planes.max(axis=0) > 127
        rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
        found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / 200
        # Enlarged pixels fade into each other, by half of one on either side.
        np.testing.assert_allclose(truths[0, :4], found, atol=0.03)


def test_all_ways_and_methods_are_drawn():
    source = draws(0)
    assert {source.choice(CROPS) for _ in range(200)} == set(CROPS)
    assert {source.choice(METHODS) for _ in range(200)} == set(METHODS)
    assert len(METHODS) == 5 and len(CROPS) == 7


def test_a_fixed_method_of_resizing():
    pixels = picture(30, 20)
    expected = cv2.resize(pixels, (16, 16), interpolation=cv2.INTER_NEAREST).transpose(2, 0, 1)
    np.testing.assert_array_equal(to_planes(pixels, 16, (0, 0, 0), cv2.INTER_NEAREST), expected)
    np.testing.assert_array_equal(to_planes(pixels, 16, (1, 2, 3), cv2.INTER_NEAREST)[:, 0, 0], expected[:, 0, 0] -
                                  np.array([1., 2, 3]))

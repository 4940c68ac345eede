"""Detection files: what is written comes back, and only for the same weights, configuration and images."""
import os

import numpy as np
import pytest

from configs import keys_affecting, load_config, plain_value
from configs.keys import declared_keys, value_of
from lib.bbox.detections import Detections
from lib.inference.detect import detect
from lib.inference.detection_store import DetectionStore
from lib.inference.scale import ScaleResult
from symbols.registry import detector_names
from tests.detections import assert_same, flat
from tests.inference import fakes

TINY = 'configs/faster/sniper_tiny_e2e.yml'

CROPS = [[(0.0, 0.0, 9.0, 9.0)] * count for count in (1, 2, 0, 1, 1)]


def make_store(tmp_path, weights='digest', **test):
    config = fakes.make_config(**test)
    return DetectionStore(str(tmp_path / 'out'), config, fakes.make_roidb(tmp_path), weights)


def some_detections(seed=0):
    """Of five windows of four images; the second has none."""
    rng = np.random.default_rng(seed)
    return Detections([0] * 3 + [2] * 2 + [3] + [4] * 4, rng.integers(1, 9, 10), rng.uniform(0, 9, (10, 4)),
                      rng.random(10))


def save(store, index, detections):
    store.save_scale(index, ScaleResult(CROPS, detections, None, 77))


def load(store, index):
    result = store.load_scale(index, CROPS)
    return result and result.detections


def test_scale_comes_back(tmp_path):
    store = make_store(tmp_path)
    found = some_detections()
    save(store, 1, found)
    assert store.scale_path(1) == str(tmp_path / 'out' / 'dets_scale_30x40' / 'detections.npz')
    assert_same(load(store, 1), found)
    assert store.load_scale(1, CROPS).network_pixels == 77
    assert os.listdir(os.path.dirname(store.scale_path(1))) == ['detections.npz']


def test_nothing_found_comes_back(tmp_path):
    store = make_store(tmp_path)
    save(store, 0, Detections.empty())
    assert_same(load(store, 0), Detections.empty())


def test_missing_file(tmp_path, caplog):
    assert load(make_store(tmp_path), 0) is None
    assert 'does not exist' in caplog.text


@pytest.mark.parametrize('change, word', [
    (dict(weights='other'), 'weights'), (dict(RPN_MIN_SIZE=1), r'TEST.RPN_MIN_SIZE'),
    (dict(SCORE_THRESH=0.1), 'TEST.SCORE_THRESH (0.001, here 0.1)'),
    (dict(REDUCED_DECODE=True), 'TEST.REDUCED_DECODE')])
def test_other_origin_is_refused(tmp_path, caplog, change, word):
    save(make_store(tmp_path), 0, some_detections())
    assert load(make_store(tmp_path, **change), 0) is None
    assert f'made from other {word}' in caplog.text


def test_changed_image_is_noticed(tmp_path, caplog):
    store = make_store(tmp_path)
    save(store, 0, some_detections())
    again = make_store(tmp_path)
    with open(str(tmp_path / 'image2.png'), 'ab') as stream:
        stream.write(b'x')
    assert load(again, 0) is None
    assert 'made from other images' in caplog.text


def origin(words, index=None):
    return DetectionStore('out', load_config(TINY, words), [], 'digest').origin(index)


@pytest.mark.parametrize('name', keys_affecting('graph', 'detections', among='detections') + keys_affecting('machine'))
def test_every_key_that_affects_detections_and_none_of_a_machine_makes_a_cache_stale(name):
    """The file of final detections; that of a scale too, but for how scales work together."""
    words = [name, other_value(name, load_config(TINY))]
    matters = name in keys_affecting('detections')
    assert (origin(words) != origin([])) == matters
    of_scale = matters and name not in keys_affecting('pyramid') and name != 'TEST.WITH_MASK'  # a file of their own
    assert (origin(words, 1) != origin([], 1)) == of_scale


def other_value(name, config):
    """One that is not the configuration's."""
    value = plain_value(value_of(config, name))
    if name == 'symbol':
        return next(symbol for symbol in detector_names() if symbol != value)
    if declared_keys()[name].choices:
        return next(choice for choice in declared_keys()[name].choices if choice != value)
    return other(value)


def other(value):
    if value == 'auto':  # of NUM_PROCESS
        return 3
    if isinstance(value, list):
        return [other(item) for item in value] or [1.0]
    if isinstance(value, bool):
        return not value
    return ('1' + value if value.endswith('x') else value + '1') if isinstance(value, str) else value + 1


def test_a_scale_does_not_depend_on_the_others():
    scales = '[2x, 1x, 0.34x, 256px]'
    assert origin(['TEST.SCALES', scales], 0) == origin([], 0)
    assert origin(['TEST.SCALES', scales], 2) != origin([], 2)


def test_suppression_keys_do_not_matter(tmp_path):
    save(make_store(tmp_path), 0, some_detections())
    assert load(make_store(tmp_path, NMS=0.3, MAX_PER_IMAGE=5), 0) is not None


@pytest.mark.parametrize('content', [b'', b'no archive', None])
def test_damaged_file(tmp_path, caplog, content):
    store = make_store(tmp_path)
    save(store, 0, some_detections())
    with open(store.scale_path(0), 'rb') as stream:
        whole = stream.read()
    with open(store.scale_path(0), 'wb') as stream:
        stream.write(whole[:len(whole) // 2] if content is None else content)
    assert load(store, 0) is None
    assert 'is damaged' in caplog.text


def test_final_file(tmp_path):
    store = make_store(tmp_path)
    empty = np.zeros((0, 5), np.float32)
    dets = np.array([[1, 2, 3, 4, .5]], np.float32)
    detections = [[empty] * 5, [dets, empty, empty, empty, dets], [dets, empty, empty, empty, empty]]
    store.save_final(flat(detections).in_image_order(), ['__background__', 'a', 'b'])
    with np.load(store.final_path, allow_pickle=False) as file:
        assert file['rows_per_image'].tolist() == [2, 0, 0, 0, 1]
        assert file['rows'][:, 5].tolist() == [1, 2, 1]
        assert file['image_ids'].tolist() == ['100', '101', '102', '103', '104']
        assert file['classes'].tolist() == ['__background__', 'a', 'b']


def test_cache_is_used(tmp_path):
    """A second run with USE_CACHE needs no network for the cached scale and gives the same."""
    roidb = fakes.make_roidb(tmp_path)
    config = fakes.make_config()
    store = DetectionStore(str(tmp_path / 'out'), config, roidb, 'digest')
    first = detect(roidb, fakes.FakePredictor, config, store)
    config.TEST.USE_CACHE = [True, True]
    assert_same(first, detect(roidb, fakes.KilledPredictor, config, store))

"""Large pictures of small ones, SAHI's merging by hand, the verdict; and one run of it all."""
import json
import os

import numpy as np
import pytest

from benchmarks import joined, slicing
from benchmarks.joined import packed, read_set, write_joined
from benchmarks.own_data import Picture, write_set
from configs import load_config
from lib.bbox.detections import Detections
from lib.utils.errors import SniperError
from tests.inference import tiny_data


def picture(width, height, value, boxes):
    return Picture(np.full((height, width, 3), value, np.uint8), np.array(boxes, float).reshape(-1, 4),
                   [value] * len(boxes))


def test_pictures_are_put_side_by_side():
    """Two of 6 and 4 pixels fill a row of 10, two rows of 5 and 7 a picture of 13; what is left over fills none."""
    small = [picture(6, 7, 3, [(1, 2, 3, 4)]), picture(4, 7, 4, []), picture(4, 5, 2, [(0, 0, 4, 5)]),
             picture(6, 5, 1, [(1, 1, 2, 2)]), picture(3, 9, 5, [])]
    (large,), (covered,) = packed(small, (10, 13))
    assert large.pixels.shape == (13, 10, 3) and covered == pytest.approx((10 * 5 + 10 * 7) / 130)
    assert large.pixels[0, :, 0].tolist() == [2] * 4 + [1] * 6 and large.pixels[5, :, 0].tolist() == [3] * 6 + [4] * 4
    assert large.pixels[12, 0, 0] == 128
    assert large.boxes.tolist() == [[0, 0, 4, 5], [5, 1, 2, 2], [1, 7, 3, 4]] and large.labels == [2, 1, 3]


def test_joined_sets(tmp_path):
    source, out = str(tmp_path / 'small'), str(tmp_path / 'large')
    write_set(source, [picture(40, 30, value, [(5, 6, 7, 8)]) for value in (10, 60, 110, 160, 210)],
              [{'id': value, 'name': str(value)} for value in (10, 60, 110, 160, 210)], 'some')
    assert write_joined(source, out, 'some', (80, 60)) == (1, 4, 1.0)
    (found,), _ = read_set(out, 'some')
    assert found.boxes[:, :2].tolist() == [[5, 6], [45, 6], [5, 36], [45, 36]] and found.labels == [10, 60, 110, 160]


def test_joined_loses_nothing(tmp_path):
    """Sets are replaced, so those that are read must not be; nor by nothing."""
    source = str(tmp_path / 'small')
    write_set(source, [picture(40, 30, 10, [(5, 6, 7, 8)])], [{'id': 10, 'name': 'a'}], 'some')
    for out, size, said in ((source, '40x30', 'would be lost'), (str(tmp_path / 'out'), '400x300', 'smaller --size')):
        with pytest.raises(SniperError, match=said):
            joined.main([source, out, '--sets', 'some', '--size', size])
    with pytest.raises(SniperError, match='instances_train.json cannot be read'):
        joined.main([source, str(tmp_path / 'out')])
    assert not os.path.exists(tmp_path / 'out')


def rows(*boxes):
    return np.array(boxes, np.float32).reshape(-1, 5)


def test_greedy_merging_by_hand():
    """An object that a slice cut at x = 9, its two parts, and one apart."""
    whole, left, right, apart = (0, 0, 19, 9, 0.9), (0, 0, 9, 9, 0.8), (10, 0, 24, 9, 0.7), (40, 0, 49, 9, 0.95)
    found, index = slicing.merged_greedily(rows(whole, left, right, apart))
    assert index.tolist() == [3, 0] and np.allclose(found, [apart, (0, 0, 24, 9, 0.9)])
    # Half of the right part, 7 of its 15 columns, is too little; what is not believed goes and makes no hull.
    found, index = slicing.merged_greedily(rows(whole, (13, 0, 27, 9, 0.7), (5, 0, 24, 9, 0.2)))
    assert index.tolist() == [0, 1] and np.allclose(found, [whole, (13, 0, 27, 9, 0.7)])
    assert slicing.merged_greedily(rows())[0].shape == (0, 5)


def test_each_window_is_merged_by_itself_first():
    """Two alike in one window are one, the same two in two windows or classes stay."""
    box = [0, 0, 9, 9]
    found = slicing.suppressed(Detections(np.array([0, 0, 1, 1, 1]), np.array([1, 1, 1, 2, 2]),
                                          np.array([box] * 5, np.float32),
                                          np.array([0.5, 0.6, 0.7, 0.8, 0.01], np.float32)))
    assert list(zip(found.image.tolist(), found.label.tolist())) == [(0, 1), (1, 1), (1, 2)]
    assert found.score.tolist() == pytest.approx([0.6, 0.7, 0.8])


def test_ways():
    test = load_config('configs/faster/sniper_tiny_autofocus.yml').TEST
    ways = {way.name: way.keys for way in slicing.all_ways(test, [256, 512], [0.15, 0.05])}
    assert list(ways) == ['full pyramid', 'AutoFocus', 'AutoFocus, threshold 0.05', 'slices of 256', 'slices of 512',
                          'slices of 256, as SAHI']                 # 0.15 is configured
    assert ways['slices of 512']['SLICES'] == [0, 0, 512] and not any(ways['slices of 512']['DO_PRUNING'])
    assert ways['AutoFocus, threshold 0.05']['CHIP_HYPERPARAMS'][1] == (3, 0.05, 4)


@pytest.mark.parametrize('ap, megapixels, holds', [(0.595, 10, True), (0.58, 10, False), (0.61, 11, False)])
def test_bars(ap, megapixels, holds):
    figures = [dict(way=way, kind=kind, AP=ap, megapixels=pixels) for way, kind, ap, pixels in (
        ('pyramid', 'pyramid', 0.7, 5), ('AutoFocus', 'autofocus', ap, megapixels), ('256', 'slices', 0.5, 32),
        ('merged', 'merged', 0.6, 40))]
    found = slicing.verdict(figures)
    assert found['holds'] is holds and found['best_slices'] == 'merged'
    assert found['against_slices']['AutoFocus'] == pytest.approx({'AP_loss': 0.6 - ap, 'times': 32 / megapixels})


def test_the_whole_benchmark(tmp_path, capsys):
    """With random weights on three tiny images: table, JSON and plot."""
    settings = tiny_data.write_focused(str(tmp_path), '[1x, 2x]')
    status = slicing.main(['--own', '--cfg', tiny_data.CONFIG, '--out', str(tmp_path / 'bench'), '--sides', '64',
                           '--thresholds', '--set'] + settings)
    lines = capsys.readouterr().out.splitlines()
    figures = {way['way']: way for way in json.loads(lines[-1])['ways']}
    assert status == 1 and len(figures) == 6 and len([line for line in lines if line.startswith('| ')]) == 7
    whole, sliced = figures['full pyramid'], figures['slices of 64']
    assert whole['megapixels'] == pytest.approx(figures['AutoFocus']['megapixels'])   # chips everywhere
    assert whole['windows'] == 2 and sliced['windows'] == 12 and sliced['megapixels'] > 1.3 * whole['megapixels']
    assert 'seconds' in sliced and 'seconds' not in figures['slices of 64, as SAHI, GREEDYNMM']
    assert os.path.getsize(str(tmp_path / 'bench' / 'slicing.png')) > 5000

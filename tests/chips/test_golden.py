"""lib.chips against the numbers recorded from the original program."""
import numpy as np

from lib.chips import ChipSampler, ChipSettings, candidate_chips, generate_chips, scaled_size, training_scales
from lib.chips.ranges import seed_rows, side_limit
from lib.chips.sampler import make_chips
from tests.bbox.golden_cases import cases, ragged


def definitions(case, field):
    return tuple(tuple(row) if np.ndim(row) else float(row) for row in case[field])


def test_scales():
    for case in cases('pipeline/scales.npz'):
        wanted = definitions(case, 'definition')
        for row, (width, height) in enumerate(case['wh'].tolist()):
            factors = training_scales(wanted, width, height)
            np.testing.assert_array_equal(factors, case['scale'][row])
            sizes = [scaled_size(width, height, factor) for factor in factors]
            np.testing.assert_array_equal(sizes, case['scaled_wh'][row])


def test_candidates_and_covers_in_the_given_order():
    for case in cases('pipeline/chip_generate.npz'):
        image = [int(case[key]) for key in ('width', 'height', 'chipsize', 'stride')]
        np.testing.assert_array_equal(candidate_chips(*image), case['candidates'])
        np.testing.assert_array_equal(generate_chips(case['boxes'], *image, order=case['c_perm']), case['c_chips'])
        np.testing.assert_array_equal(
            generate_chips(case['boxes'].astype(np.float64), *image, order=case['py_perm']), case['py_chips'])


def test_never_more_chips_than_the_original():
    for case in cases('pipeline/chip_generate.npz'):
        image = [int(case[key]) for key in ('width', 'height', 'chipsize', 'stride')]
        for seed in range(20):
            found = len(generate_chips(case['boxes'], *image, rng=np.random.default_rng(seed)))
            assert found <= len(case['c_chips']), (case['number'], seed)
            assert found <= case['chip_count_max'], (case['number'], seed)


def positive_chips(case):
    """What ChipSampler.sample does, with the recorded orders of candidates in place of random ones."""
    boxes, objects = case['boxes'], case['max_overlaps'] == 1
    scales = training_scales(definitions(case, 'scales'), int(case['width']), int(case['height']))
    size, stride = int(case['chip_size']), int(case['chip_stride'])
    found = []
    for index, (scale, order) in enumerate(zip(scales, ragged(case, 'extract_perm'))):
        width, height = scaled_size(int(case['width']), int(case['height']), scale)
        np.testing.assert_array_equal((width, height), case['extract_wh'][index])
        limit, last = side_limit(size, stride, scale), index == len(scales) - 1
        seeds = seed_rows(boxes, objects, case['valid_ranges'][index], limit, index, len(scales))
        if not seeds.any():
            continue
        scaled = (boxes[seeds] * np.float32(scale)).astype(np.float32 if case['use_cpp'] else np.float64)
        windows = generate_chips(scaled, width, height, size, stride, order=order)
        found += make_chips(windows, boxes, index, scale, limit, case['valid_ranges'][index], last,
                            (height, width) if last else (size, size))
    return found


def test_positive_chips_and_their_rows():
    for case in cases('pipeline/chip_assign.npz'):
        found = positive_chips(case)
        records = [chip.box + (chip.scale, chip.height, chip.width, chip.scale_index) for chip in found]
        np.testing.assert_allclose(np.reshape(records, (-1, 8)), case['crops'], rtol=1e-6, atol=1e-6)
        for chip, rows in zip(found, ragged(case, 'props')):
            np.testing.assert_array_equal(chip.props, rows)


def test_sampler_needs_no_more_chips_than_the_original():
    for case in cases('pipeline/chip_assign.npz'):
        settings = ChipSettings(definitions(case, 'scales'), tuple(map(tuple, case['valid_ranges'].tolist())),
                                int(case['chip_size']), (int(case['chip_stride']),), bool(case['use_cpp']))
        entry = {key: case[key] for key in ('boxes', 'max_overlaps')}
        entry.update(width=int(case['width']), height=int(case['height']))
        for seed in range(5):
            chips = ChipSampler(settings).sample(entry, np.random.default_rng(seed))
            assert len(chips) <= len(case['crops']), (case['number'], seed)

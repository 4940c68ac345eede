"""lib.chips against the numbers recorded from the original program."""
import numpy as np

from lib.chips import ChipSampler, ChipSettings, candidate_chips, generate_chips, scaled_size, training_scales
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
            records = [(512, 512)] * (len(factors) - 1) + [sizes[-1][::-1]]
            np.testing.assert_array_equal(records, case['record_hw'][row])


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


def sampler_and_entry(case):
    settings = ChipSettings(definitions(case, 'scales'), tuple(map(tuple, case['valid_ranges'].tolist())),
                            int(case['chip_size']), (int(case['chip_stride']),), bool(case['use_cpp']))
    return ChipSampler(settings), dict(boxes=case['boxes'], max_overlaps=case['max_overlaps'],
                                       width=int(case['width']), height=int(case['height']))


def test_positive_chips_and_their_rows():
    for case in cases('pipeline/chip_assign.npz'):
        sampler, entry = sampler_and_entry(case)
        found = sampler.positive_chips(entry, int(case['chip_stride']), 0, ragged(case, 'extract_perm'))
        records = [chip.box + (chip.scale, chip.height, chip.width, chip.scale_index) for chip in found]
        np.testing.assert_allclose(np.reshape(records, (-1, 8)), case['crops'], rtol=1e-6, atol=1e-6)
        for chip, rows in zip(found, ragged(case, 'props')):
            np.testing.assert_array_equal(chip.props, rows)


def test_negative_chips_and_their_rows():
    count = 0
    for case in cases('pipeline/chip_assign.npz'):
        if not case['use_neg_chips']:
            continue
        sampler, entry = sampler_and_entry(case)
        positives, negatives = sampler.all_chips(entry, int(case['chip_stride']), 0, ragged(case, 'extract_perm'),
                                                 ragged(case, 'neg_perm'))
        assert [chip.negative for chip in positives + negatives] == [False] * len(positives) + [True] * len(negatives)
        records = [chip.box + (chip.scale, chip.height, chip.width, chip.scale_index) for chip in negatives]
        np.testing.assert_allclose(np.reshape(records, (-1, 8)), case['neg_crops'], rtol=1e-6, atol=1e-6)
        for chip, rows in zip(negatives, ragged(case, 'neg_props')):
            np.testing.assert_array_equal(chip.props, rows)
        count += len(negatives)
    assert count > 30


def test_sampler_needs_no_more_chips_than_the_original():
    for case in cases('pipeline/chip_assign.npz'):
        sampler, entry = sampler_and_entry(case)
        for seed in range(5):
            chips = sampler.sample(entry, np.random.default_rng(seed))
            assert len(chips) <= len(case['crops']), (case['number'], seed)

"""The original's training tensors, from its own chips and picks."""
import cv2
import numpy as np

from configs import load_config
from lib.chips import Window
from lib.iterators.samples import TrainSamples
from lib.iterators.shared import BatchSlots, PackedRoidb
from lib.tasks import get_task
from tests.golden import golden_file
from tests.targets.test_polygons import unpacked

SLOTS = 1


def cases():
    content = np.load(golden_file('pipeline/train_iterator.npz'))
    for number in range(int(content['n_cases'])):
        prefix = f'{number:03d}/'
        yield number, {key[4:]: content[key] for key in content.files if key.startswith(prefix)}


def golden_config(case):
    """The configuration the golden batches were made with."""
    config = load_config()
    config.symbol = 'resnet_mx_50_e2e'  # stride 16
    config.network.PIXEL_MEANS = np.array([103.939, 116.779, 123.68])
    config.network.ANCHOR_SCALES = [2, 4, 7, 10, 13, 16, 24]
    config.network.NUM_ANCHORS = 21
    config.TRAIN.RPN_POSITIVE_OVERLAP, config.TRAIN.RPN_NEGATIVE_OVERLAP = 0.5, 0.4
    config.TRAIN.RPN_BATCH_SIZE = 10 ** 6  # no subsampling
    config.TRAIN.SCALES = [tuple(scale) if np.ndim(scale) else float(scale) for scale in case['scales'].tolist()]
    config.TRAIN.AUTO_FOCUS, config.TRAIN.WITH_MASK = bool(case['auto_focus']), bool(case['with_mask'])
    config.TRAIN.AUTO_FOCUS_DC_LOW, config.TRAIN.AUTO_FOCUS_SMALL_THRESH, config.TRAIN.AUTO_FOCUS_DC_HIGH = 5, 64, 90
    config.TRAIN.VALID_RANGES = [tuple(pair) for pair in case['valid_ranges'].tolist()]
    return config


def golden_roidb(case, folder):
    """Records and lossless image files of a case."""
    roidb = []
    for number in range(int(case['n_images'])):
        field = {name: case[f'in{number}_{name}']
                 for name in ('image', 'boxes', 'max_classes', 'max_overlaps', 'flipped')}
        path = str(folder / (f'{number}.png'))
        cv2.imwrite(path, field['image'])
        roidb.append({'image': path, 'height': field['image'].shape[0], 'width': field['image'].shape[1],
                      'boxes': field['boxes'], 'max_classes': field['max_classes'],
                      'max_overlaps': field['max_overlaps'], 'flipped': bool(field['flipped'])})
        if case['with_mask']:
            roidb[-1]['gt_masks'] = unpacked(case, f'in{number}_poly_')
    return roidb


def golden_chip(case, image, chip):
    """Chip number `chip` of an image, as the original recorded it."""
    row, start = case[f'out{image}_crops'][chip], case[f'out{image}_props_off']
    props = case[f'out{image}_props'][start[chip]:start[chip + 1]]
    return Window(tuple(row[:4].tolist()), float(row[4]), float(row[4]), int(row[5]), int(row[6]), int(row[7]),
                  rows=props.astype(np.int32))


def golden_batch(case, number):
    """Batch `number` of a case: tensor name -> array."""
    prefix = f'b{number}_'
    return {key[len(prefix):]: value for key, value in case.items() if key.startswith(prefix)}


def check_pixels(data, expected, means):
    """`expected` holds grey levels of every 8th pixel and the size that the picture fills."""
    assert data.shape == tuple(expected['data_shape'])
    levels = np.rint(data + means[::-1, None, None])[:, :, ::8, ::8]
    filled = np.zeros(data.shape[-2:], bool)
    for row, (height, width) in enumerate(expected['data_extent']):
        filled[:] = False
        filled[:height, :width] = True
        assert not data[row][:, ~filled].any()
        difference = abs(levels[row] - expected['data_u8'][row])
        assert difference[:, filled[::8, ::8]].max() <= 1


def check_polygons(got, expected):
    """Equal in rows where the original had room for all rings; an object without any is marked by us."""
    same = np.nan_to_num(got[..., 1:3], nan=-1) == expected[..., 1:3]
    whole = same.all(axis=-1) & ~np.isnan(got[..., 0])
    np.testing.assert_allclose(got[whole], expected[whole], atol=1e-3)
    used = expected[..., 0] != -1
    assert whole[used].mean() > 0.8 and whole[~used].all()


def test_golden_batches(tmp_path):
    for number, case in cases():
        folder = tmp_path / str(number)
        folder.mkdir()
        config, roidb, size = golden_config(case), golden_roidb(case, folder), int(case['batch_size'])
        task = get_task(config)
        data, label = task.layout(size)
        layout = data + label
        names = bytes(case['names_order']).decode().split(',')
        assert [name for name, _ in layout] == names
        slots = BatchSlots(SLOTS, {name: np.prod(shape) for name, shape in layout})
        tasks = TrainSamples(PackedRoidb(roidb), slots, layout, task, seed=0)
        for index in (0, 1):
            expected = golden_batch(case, index)
            for row, (image, chip) in enumerate(expected['pick'].tolist()):
                report, = tasks.fill(0, 0, [(row, image, golden_chip(case, image, chip), row)])
                assert report.broken is None and report.notices == [] and report.dropped == 0
            tensors = {name: slots.view(0, name, shape) for name, shape in layout}
            check_pixels(tensors['data'], expected, config.network.PIXEL_MEANS)
            if config.TRAIN.WITH_MASK:
                check_polygons(tensors['gt_masks'], expected['gt_masks'])
            for name in ['label', 'bbox_weight', 'gt_boxes'] + ['scale_label'] * config.TRAIN.AUTO_FOCUS:
                np.testing.assert_array_equal(tensors[name], expected[name], err_msg=f'{number} {name}')
            for name in ('valid_ranges', 'im_info', 'bbox_target'):
                np.testing.assert_allclose(tensors[name], expected[name], rtol=1e-6, atol=1e-4,
                                           err_msg=f'{number} {name}')


def test_golden_epoch_invariants():
    """Our order has the same counts an image as the original's: every chip, then padding from the first images."""
    from lib.iterators.epoch import draw_order
    for number, case in cases():
        counts = [len(case[f'out{image}_crops']) for image in range(int(case['n_images']))]
        image = np.repeat(np.arange(len(counts)), counts)
        order = draw_order(image, int(case['batch_size']), np.random.default_rng(number))
        assert len(order) == int(case['length'])
        np.testing.assert_array_equal(np.bincount(image[order]), np.bincount(case['inds']), err_msg=str(number))
        assert set(order.tolist()) == set(range(len(image)))

"""Tests in shards: who gets which images, files, the merge and what it refuses, the same results as one process."""
import os
import shutil

import numpy as np
import pytest

import main_test
from configs import load_config
from lib.cli import run
from lib.inference.shards import MOST, PartFolder, Shard, part_folder
from lib.utils.errors import SniperError
from tests.inference import tiny_data

SIZES = ((96, 64), (64, 96), (80, 80), (90, 50), (50, 90), (70, 60), (61, 47), (99, 33), (40, 77), (88, 81), (52, 52))
KEYS = {'BATCH_IMAGES': '[2, 4]', 'CONCURRENT_JOBS': '1'}


@pytest.mark.parametrize('kind, pairs, matters', [
    ('detections', ['network.STRIDE_IN_1X1', 'True'], True), ('proposals', ['network.STRIDE_IN_1X1', 'True'], True),
    ('detections', ['TEST.NMS', '0.2'], True), ('proposals', ['TEST.NMS', '0.2'], False),
    ('detections', ['TEST.N_PROPOSAL_PER_SCALE', '7'], False), ('proposals', ['TEST.N_PROPOSAL_PER_SCALE', '7'], True),
    ('detections', ['TEST.NUM_PROCESS', '2', 'dataset.dataset_path', 'elsewhere', 'TRAIN.lr', '1.0'], False)])
def test_what_shards_have_to_agree_in(kind, pairs, matters):
    """What affects the results that are joined; not folders and processes."""
    def facts(words):
        config = load_config('configs/faster/sniper_tiny_e2e.yml', words)
        return part_folder(config, kind, 'root', [], 'weights', lambda flags: '')._origin
    assert (facts(pairs) != facts([])) == matters


@pytest.mark.parametrize('text', ['0/3', '4/3', '1', '1/0', '-1/3', 'a/b', '1/3/3', ''])
def test_shards_that_are_none(text):
    with pytest.raises(SniperError, match='write 1/3, 2/3 or 3/3'):
        Shard.parse(text)


def a_folder(path, facts=None, ids=('a', 'b', 'c')):
    facts = facts or {'weights': 'w', 'TEST.NMS': 0.3}
    return PartFolder(str(path), facts, ids, lambda flags: 'test ' + ' '.join(flags))


def write(folder, *parts):
    for number, images in enumerate(parts, 1):
        folder.write(Shard(number, len(parts)), images, {'rows': np.zeros((len(images), 6))})


def dealt(count):
    return [[0], [1, 2], []][:count]


def test_parts_come_back(tmp_path):
    folder = a_folder(tmp_path)
    write(folder, [0], [2, 1], [])
    for count in (3, 0):
        parts = folder.read_all(count, dealt)
        assert [part.images.tolist() for part in parts] == [[0], [2, 1], []]
        assert [part.arrays['rows'].shape for part in parts] == [(1, 6), (2, 6), (0, 6)]
    assert sorted(os.listdir(str(tmp_path))) == [f'part_{number}_of_3.npz' for number in (1, 2, 3)]


def refused(folder, count=0):
    with pytest.raises(SniperError) as error:
        folder.read_all(count, dealt)
    return str(error.value)


def test_missing_shards_are_named_with_their_images_and_commands(tmp_path):
    folder = a_folder(tmp_path)
    assert refused(folder) == f'there is no shard to merge in {tmp_path}; run: test --shard 1/N'
    write(folder, [0], [1, 2], [])
    os.remove(folder.path(Shard(2, 3)))
    assert refused(folder) == f'shard 2/3, with 2 images (b, c), is missing in {tmp_path}; run: test --shard 2/3'
    os.remove(folder.path(Shard(1, 3)))
    assert 'shards 1/3, 2/3, with 3 images (a, b, c), are missing' in refused(folder)
    assert 'test --shard 1/3 and test --shard 2/3' in refused(folder)


def test_many_missing_shards_are_dealt_out_once(tmp_path):
    asked = []
    with pytest.raises(SniperError, match='are missing'):
        a_folder(tmp_path).read_all(MOST, lambda count: asked.append(count) or [[]] * count)
    assert asked == [MOST]


def test_parts_of_several_tests(tmp_path):
    folder = a_folder(tmp_path)
    write(folder, [0], [1, 2])
    write(folder, [0], [1, 2], [])
    assert 'say which by --merge 2 or --merge 3' in refused(folder)
    assert len(folder.read_all(2, dealt)) == 2


@pytest.mark.parametrize('facts, message', [
    ({'weights': 'v', 'TEST.NMS': 0.3}, r'from other weights \("w", here "v"\): run: test --shard 1/2'),
    ({'weights': 'w', 'TEST.NMS': 0.5}, r'from other TEST.NMS \(0.3, here 0.5\): run'),
    ({'weights': 'w', 'TEST.NMS': 0.3, 'new': 1}, r'from other new: run')])
def test_parts_of_something_else(tmp_path, facts, message):
    write(a_folder(tmp_path), [0], [1, 2])
    with pytest.raises(SniperError, match='part_1_of_2.npz was made ' + message):
        a_folder(tmp_path, facts).read_all(0, dealt)


def test_images_twice_or_nowhere(tmp_path):
    folder = a_folder(tmp_path)
    write(folder, [0, 1], [1, 2])
    assert refused(folder).startswith('1 image (b) is in more than one of the shards 1/2, 2/2')
    write(folder, [0], [1])
    assert refused(folder).startswith('1 image (c) is in none of the 2 shards')
    write(a_folder(tmp_path, ids=('a', 'x', 'c')), [0], [1])
    assert 'its images are not those of the data set): run: test --shard 2/2' in refused(folder)


@pytest.mark.parametrize('damage', [lambda content: content[:len(content) // 2], lambda content: b'',
                                    lambda content: b'no archive'])
def test_damaged_part(tmp_path, damage):
    folder = a_folder(tmp_path)
    write(folder, [0], [1, 2])
    with open(folder.path(Shard(2, 2)), 'rb') as stream:
        content = stream.read()
    with open(folder.path(Shard(2, 2)), 'wb') as stream:
        stream.write(damage(content))
    assert 'part_2_of_2.npz is damaged' in refused(folder) and refused(folder).endswith('run: test --shard 2/2')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('shards'))
    tiny_data.write_all(path, sizes=SIZES)
    return path


def arguments(folder, flags=(), more=(), **test_keys):
    return ['--cfg', tiny_data.CONFIG] + list(flags) + ['--set'] + tiny_data.settings(
        folder, **dict(KEYS, **test_keys)) + list(more)


def test(folder, *flags, more=(), **test_keys):
    return main_test.main(arguments(folder, flags, more, **test_keys))


test.__test__ = False


def results(folder, name='results'):
    with open(tiny_data.results(folder, f'detections_val_{name}.json'), 'rb') as stream:
        return stream.read()


def forget_results(folder):
    """All but the parts."""
    for name in os.listdir(tiny_data.results(folder)):
        if name != 'shards':
            path = tiny_data.results(folder, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


def in_shards(folder, count, *merge, **test_keys):
    for number in range(1, count + 1):
        assert test(folder, '--shard', f'{number}/{count}', **test_keys) == 0
    forget_results(folder)
    assert test(folder, '--merge', *merge, **test_keys) == 0


def failure(capsys, folder, *flags, **test_keys):
    with pytest.raises(SystemExit) as stop:
        run(main_test.main, arguments(folder, flags, **test_keys))
    assert stop.value.code == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1
    return lines[0]


def test_shards_find_what_one_process_finds(folder, capsys):
    """Images of many sizes, batches of several: byte by byte, and again with a part that was lost."""
    test(folder, '--vis')
    whole, metrics = results(folder), results(folder, 'metrics')
    assert len(whole) > 10000
    with np.load(tiny_data.results(folder, 'dets_final', 'detections.npz')) as file:
        rows = file['rows']
    in_shards(folder, 3)
    assert results(folder) == whole and results(folder, 'metrics') == metrics
    part = tiny_data.results(folder, 'shards', 'detections', 'part_2_of_3.npz')
    os.remove(part)
    capsys.readouterr()
    text = failure(capsys, folder, '--merge')
    assert 'shard 2/3, with' in text and 'python main_test.py --shard 2/3 --cfg ' + tiny_data.CONFIG in text
    forget_results(folder)
    shutil.rmtree(os.path.join(folder, 'vis'))
    test(folder, '--shard', '2/3')
    test(folder, '--vis', '--merge', '3')
    assert results(folder) == whole
    assert len(os.listdir(os.path.join(folder, 'vis', 'dets_final'))) == len(SIZES)
    with np.load(tiny_data.results(folder, 'dets_final', 'detections.npz')) as file:
        np.testing.assert_array_equal(file['rows'], rows)
    assert 'made from other TEST.NMS (' in failure(capsys, folder, '--merge', NMS=0.41)


def test_jobs_and_devices_in_a_shard(folder):
    """Two devices have batches of twice the size, with and without shards; jobs within a shard change nothing."""
    keys = {'VISUALIZE_INTERMEDIATE_SCALES': True}
    devices = ('gpus', 'cpu,cpu')
    test(folder, more=devices, **keys)
    whole = results(folder)
    names = sorted(os.listdir(os.path.join(folder, 'vis', 'dets_scale_48x64')))
    shutil.rmtree(os.path.join(folder, 'vis'))
    test(folder, '--shard', '1/2', more=devices, **dict(keys, CONCURRENT_JOBS='2'))
    test(folder, '--shard', '2/2', more=devices, **keys)
    forget_results(folder)
    test(folder, '--merge', '2', more=devices, **keys)
    assert results(folder) == whole
    assert sorted(os.listdir(os.path.join(folder, 'vis', 'dets_scale_48x64'))) == names and len(names) == len(SIZES)


def test_more_shards_than_batches(folder):
    test(folder)
    whole = results(folder)
    in_shards(folder, 5, '5')
    assert results(folder) == whole


def test_flags_that_do_not_fit(folder, capsys):
    assert 'give it to --merge' in failure(capsys, folder, '--shard', '1/2', '--vis')
    assert '--shard 3/2 is not understood' in failure(capsys, folder, '--shard', '3/2')
    assert '--merge -1' in failure(capsys, folder, '--merge=-1')
    assert '--merge 100000000: there are at least 1 and at most 9999 shards' in failure(
        capsys, folder, '--merge', '100000000')
    assert 'at most 9999 parts' in failure(capsys, folder, '--shard', '1/100000000')
    with pytest.raises(SystemExit):
        test(folder, '--merge', '--shard', '1/2')


def test_masks(tmp_path):
    """Codes stay with their detections."""
    folder = str(tmp_path)
    keys = {'WITH_MASK': 'True'}
    tiny_data.write_all(folder, sizes=SIZES[:6], masks=True)
    test(folder, **keys)
    boxes, masks = results(folder), results(folder, 'segm_results')
    assert len(masks) > 1000
    in_shards(folder, 2, **keys)
    assert results(folder) == boxes and results(folder, 'segm_results') == masks


def test_proposals(folder, capsys):
    keys = {'EXTRACT_PROPOSALS': 'True', 'PROPOSAL_SAVE_PATH': os.path.join(folder, 'proposals'),
            'N_PROPOSAL_PER_SCALE': '10'}
    test(folder, **keys)
    path = os.path.join(folder, 'proposals', 'COCO_val_rpn.npz')
    with np.load(path) as file:
        whole = {name: file[name] for name in file.files}
    os.remove(path)
    for shard in ('1/3', '3/3', '2/3'):
        test(folder, '--shard', shard, **keys)
    test(folder, '--merge', **keys)
    with np.load(path) as file:
        assert sorted(file.files) == sorted(whole)
        for name, array in whole.items():
            np.testing.assert_array_equal(file[name], array)
    assert 'mean of IoU 0.5 to 0.95' in capsys.readouterr().err
